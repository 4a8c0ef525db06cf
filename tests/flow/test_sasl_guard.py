# SPDX-License-Identifier: AGPL-3.0-or-later
"""What guards a sign-in against people in the middle: XEP-0474 0.5, XEP-0515 0.1. What saves it time: XEP-0509 0.2. SCRAM for more hashes:
XEP-0480 0.2."""
import hashlib
import sqlite3
import ssl

from lib import *
from signin import *

IAP = 'urn:xmpp:iap:0'
UPGRADE = 'urn:xmpp:sasl:upgrade:0'
SCRAM_UPGRADE = 'urn:xmpp:scram-upgrade:0'
CB = 'urn:xmpp:sasl-cb:0'
HASHES = {'SCRAM-SHA-1': 'sha1', 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512'}


def challenge(a, mech, profile):
    s = Scram(mech, a.account.node, a.account.password)
    if profile == 'sasl':
        a.send(f'<auth xmlns="{SASL}" mechanism="{mech}">{b64(s.first())}</auth>')
        text = a.expect(f'<challenge xmlns="{SASL}"/>').text
    else:
        a.send(f'<authenticate xmlns="{SASL2}" mechanism="{mech}"><initial-response>{b64(s.first())}</initial-response></authenticate>')
        text = a.expect(f'<challenge xmlns="{SASL2}"/>').text
    return dict(p.split('=', 1) for p in unb64(text).decode().split(','))


def advertised(a, profile, mech):
    """XEP-0474 §5.1 as a client does it (§5.2)."""
    where = ('mechanisms', SASL) if profile == 'sasl' else ('authentication', SASL2)
    s = '\x1e'.join(sorted(m.text for m in a.features.find(*where).all('mechanism')))
    cb = a.features.find('sasl-channel-binding', CB)
    if cb is not None:
        s += '\x1f' + '\x1e'.join(sorted(c['type'] for c in cb.all('channel-binding')))
    return b64(hashlib.new(HASHES[mech], s.encode()).digest())


@each([(t, p, m) for t in ('tls', 'starttls', 'ws') for p in ('sasl', 'sasl2') for m in HASHES])
def the_challenge_tells_what_was_offered(stage, row):
    a = stage.client(None, row[0]).connect()
    parts = challenge(a, row[2], row[1])
    equal(parts['h'], advertised(a, row[1], row[2]), 'h')
    check(('sasl-channel-binding' in str(a.features)) == (row[0] != 'ws'), 'channel bindings')


@each([('tls', ssl.TLSVersion.TLSv1_3, '0304'), ('tls', ssl.TLSVersion.TLSv1_2, '0303')], lambda r: r[2])
def the_challenge_tells_the_tls_version(stage, row):
    a = stage.client()
    a.link = Link((a.server.host, a.server.ports['c2s_tls']))
    a.link.start_tls(alpn='xmpp-client', version=row[1])
    a.open()
    for profile in ('sasl', 'sasl2'):
        equal(challenge(a, 'SCRAM-SHA-256', profile)['t'], row[2])


def the_challenge_tells_no_tls_version_where_a_proxy_may_stand(stage):
    a = stage.client(None, 'ws').connect()
    check('t' not in challenge(a, 'SCRAM-SHA-256', 'sasl2'), 't= over WebSocket')


def an_account_that_is_none_gets_the_same_challenge(stage):
    a = stage.client(Account('nobody-at-all', stage.domain, 'x')).connect(sender='nobody-at-all@' + stage.domain)
    b = stage.client().connect()
    parts = challenge(a, 'SCRAM-SHA-256', 'sasl2')
    other = challenge(b, 'SCRAM-SHA-256', 'sasl2')
    equal({k: v for k, v in parts.items() if k not in 'rs'}, {k: v for k, v in other.items() if k not in 'rs'})
    equal(len(parts['s']), len(other['s']))
    again = stage.client(a.account).connect()
    equal(challenge(again, 'SCRAM-SHA-256', 'sasl2')['s'], parts['s'], 'salt of nobody')


def a_changed_list_is_noticed_by_the_proof(stage):
    """The middle can change h only if the client's proof is then over another message."""
    a = stage.client().connect()
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="SCRAM-SHA-256"><initial-response>{b64(s.first())}</initial-response></authenticate>')
    text = unb64(a.expect(f'<challenge xmlns="{SASL2}"/>').text).decode()
    forged = text.replace(',h=', ',h=AAAA')
    a.send(f'<response xmlns="{SASL2}">{b64(s.final(forged.encode()))}</response>')
    failure(a._sasl_step(SASL2), 'not-authorized')


# ---- XEP-0509

def version(a):
    el = a.features.find('config-version', IAP)
    check(el is not None and el['value'], 'no config-version in %s' % a.features)
    check(el['scheme'] in (None, 'opaque'), el['scheme'])
    return el['value']


@each(['tls', 'ws'])
def features_have_a_version_that_stays(stage, transport):
    acc = stage.account()
    first = version(stage.client(acc, transport).connect(sender=acc.jid))
    equal(version(stage.client(acc, transport).connect(sender=acc.jid)), first)


def an_unencrypted_stream_has_no_version(stage):
    a = stage.client(False)
    a.transport = 'starttls'
    a.link_up()
    a.open()
    check(a.features.find('config-version', IAP) is None, 'version before TLS')


def another_transport_has_another_version(stage):
    acc = stage.account()
    check(version(stage.client(acc, 'tls').connect()) != version(stage.client(acc, 'ws').connect()), 'channel bindings differ')


def a_wrong_version_is_refused_without_prejudice(stage):
    a = connect(stage)
    wrong = f'<config-version xmlns="{IAP}" scheme="opaque" value="bm90IHRoaXM="/>'
    for _ in range(5):
        out = a.sasl2('SCRAM-SHA-256', BIND_PLAIN + wrong)
        failure(out, 'aborted')
        check(out.find('config-version-mismatch', IAP) is not None, str(out))
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + wrong.replace('bm90IHRoaXM=', version(a))))
    a.ping()


def a_version_without_a_value_is_wrong(stage):
    a = connect(stage)
    failure(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + f'<config-version xmlns="{IAP}"/>'), 'aborted')


def token_request(c, token, extra=''):
    ht = HashedToken(c.account.node, token)
    return (f'<authenticate xmlns="{SASL2}" mechanism="HT-SHA-256-NONE"><initial-response>{b64(ht.first())}</initial-response>'
            f'<user-agent id="{c.user_agent}"/><fast xmlns="{FAST}"/>{BIND_PLAIN}{extra}</authenticate>')


@each([True, False], lambda known: 'known version' if known else 'old version')
def everything_may_come_in_one_flight(stage, known):
    """Head, sign-in with a token and the first stanzas in one write; the answers come in order."""
    a = connect(stage)
    out = success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    token, value = out.find('token', FAST)['token'], version(connect(stage, a.account)) if known else 'b2xk'
    c = stage.client(a.account)
    c.user_agent = a.user_agent
    c.link_up()
    auth = token_request(c, token, f'<config-version xmlns="{IAP}" scheme="opaque" value="{value}"/>')
    if known:
        c.raw(c.header_text(sender=c.bare) + auth + f'<iq type="get" id="first"><query xmlns="{ROSTER}"/></iq>'
              f'<presence/><iq type="get" id="second" to="{c.domain}">{PING}</iq>')
        c.wait_header()
        c.expect_next('<stream:features/>')
        c.expect_next(f'<success xmlns="{SASL2}"/>')
        c.expect_next('<stream:features/>')
        c.expect('<iq id="first" type="result"/>')
        c.expect('<iq id="second" type="result"/>')
        return
    c.raw(c.header_text(sender=c.bare) + auth)
    c.wait_header()
    c.expect_next('<stream:features/>')
    equal(c._sasl_step(SASL2).find('config-version-mismatch', IAP) is not None, True)
    c.raw(token_request(c, token))
    c.expect(f'<success xmlns="{SASL2}"/>')


def stanzas_in_one_flight_behind_a_failure_are_not_done(stage):
    a, b = connect(stage), stage.online()
    c = stage.client(a.account)
    c.link_up()
    c.raw(c.header_text(sender=c.bare) + token_request(c, 'no such token')
          + f'<message to="{b.bare}" type="chat"><body>never</body></message>')
    c.expect('<stream:error/>')
    c.expect_close()
    b.expect_nothing('<message/>')


def stanzas_in_one_flight_behind_a_task_are_not_done(stage):
    a, b = stage.online(), stage.online()
    enrol(a)
    c = stage.client(a.account)
    c.link_up()
    c.raw(c.header_text(sender=c.bare) + f'<authenticate xmlns="{SASL2}" mechanism="PLAIN"><initial-response>'
          f'{b64(plain(a.account.node, a.account.password))}</initial-response>{BIND_PLAIN}</authenticate>'
          f'<message to="{b.bare}" type="chat"><body>never</body></message>')
    c.expect(f'<continue xmlns="{SASL2}"/>')
    c.expect('<stream:error/>')
    c.expect_close()
    b.expect_nothing('<message/>')


def password_and_code_may_come_in_one_flight(stage):
    a = stage.online()
    app, _ = enrol(a)
    c = stage.client(a.account)
    c.link_up()
    c.raw(c.header_text(sender=c.bare) + f'<authenticate xmlns="{SASL2}" mechanism="PLAIN"><initial-response>'
          f'{b64(plain(a.account.node, a.account.password))}</initial-response>{BIND_PLAIN}</authenticate>'
          f'<next xmlns="{SASL2}" task="TOTP">{code(app.code())}</next><presence/><iq type="get" id="x" to="{c.domain}">{PING}</iq>')
    c.expect(f'<continue xmlns="{SASL2}"/>')
    c.expect(f'<success xmlns="{SASL2}"/>')
    c.expect('<iq id="x" type="result"/>')


# ---- XEP-0480

class Older:
    """A server with an account that came with keys for some hashes only."""

    def __init__(self, stage, keep):
        self.stage, self.server = stage, stage.own_server()
        self.account = self.server.add('older')
        self.server.end()
        db = sqlite3.connect(self.server.data + '/anser.db')
        names = [name.removeprefix('SCRAM-') for name in keep]
        gone = db.execute("DELETE FROM item WHERE owner = (SELECT id FROM name WHERE name = CAST('older@localhost' AS BLOB))"
                          " AND kind = (SELECT id FROM name WHERE name = CAST('scram' AS BLOB)) AND CAST(key AS TEXT) NOT IN (%s)"
                          % ','.join('?' * len(names)), names).rowcount
        db.commit()
        db.close()
        equal(gone, 3 - len(keep), 'keys taken away')
        self.server.start()

    def connect(self, sender=True):
        a = self.stage.client(self.account, server=self.server)
        a.link_up()
        a.open(sender=a.bare if sender else None)
        return a


def upgrades(a):
    return [u.text for u in a.features.find('authentication', SASL2).all('upgrade')]


def offered(a):
    return [m.text for m in a.features.find('authentication', SASL2).all('mechanism')]


def salted(a, task, salt, password=None):
    el = salt.find('salt', SCRAM_UPGRADE)
    return b64(hashlib.pbkdf2_hmac(HASHES[task.removeprefix('UPGR-')], (password or a.account.password).encode(), unb64(el.text), int(el['iterations'])))


def wants(*tasks):
    return ''.join(f'<upgrade xmlns="{UPGRADE}">{t}</upgrade>' for t in tasks)


def a_full_account_is_offered_no_upgrade(stage):
    a = connect(stage)
    equal(upgrades(a), [])
    out = success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + wants('UPGR-SCRAM-SHA-512')))
    check(out is not None, 'an upgrade that is none')


def an_older_account_gets_the_mechanisms_that_it_can_use(stage):
    older = Older(stage, ['SCRAM-SHA-1'])
    a = older.connect()
    equal([m for m in offered(a) if 'SCRAM' in m], ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'])
    check('PLAIN' in offered(a), offered(a))
    equal(upgrades(a), ['UPGR-SCRAM-SHA-512', 'UPGR-SCRAM-SHA-256'])
    success(a.sasl2('SCRAM-SHA-1', BIND_PLAIN))
    nobody = stage.client(Account('nobody', 'localhost', 'x'), server=older.server).connect(sender='nobody@localhost')
    equal(upgrades(nobody), [], 'nobody looks like a full account')
    equal(len(upgrades(older.connect(sender=False))), 3, 'a stream without a name may be anybody')


@each([(['SCRAM-SHA-1'], 'SCRAM-SHA-1', 'SCRAM-SHA-512'), (['SCRAM-SHA-1'], 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256'),
       (['SCRAM-SHA-512'], 'SCRAM-SHA-512', 'SCRAM-SHA-1')], lambda r: '%s from %s' % (r[2], r[1]))
def an_older_account_gets_keys_for_another_hash(stage, row):
    older = Older(stage, row[0])
    a, task = older.connect(), 'UPGR-' + row[2]
    bind = 'tls-exporter' if row[1].endswith('PLUS') else None
    equal(asked(a.sasl2(row[1], BIND_PLAIN + wants(task), bind=bind)), [task])
    out = a.task(task)
    equal(out.name, 'task-data')
    check(int(out.find('salt', SCRAM_UPGRADE)['iterations']) >= 4096 and len(unb64(out.textof('salt'))) >= 16, str(out))
    success(a.task_data(f'<hash xmlns="{SCRAM_UPGRADE}">{salted(a, task, out)}</hash>'))
    a.ping()
    b = older.connect()
    check(row[2] in offered(b) and task not in upgrades(b), '%s, %s' % (offered(b), upgrades(b)))
    success(b.sasl2(row[2], BIND_PLAIN))
    c = older.connect()
    success(c.sasl2(row[1].removesuffix('-PLUS'), BIND_PLAIN))


def several_upgrades_come_one_after_another(stage):
    older = Older(stage, ['SCRAM-SHA-1'])
    a = older.connect()
    out = a.sasl2('SCRAM-SHA-1', BIND_PLAIN + wants('UPGR-SCRAM-SHA-256', 'UPGR-SCRAM-SHA-512', 'UPGR-BLOOP'))
    done = []
    while out.name == 'continue':
        task, = asked(out)
        done.append(task)
        out = a.task_data(f'<hash xmlns="{SCRAM_UPGRADE}">{salted(a, task, a.task(task))}</hash>')
    success(out)
    equal(sorted(done), ['UPGR-SCRAM-SHA-256', 'UPGR-SCRAM-SHA-512'])
    for mech in HASHES:
        success(older.connect().sasl2(mech, BIND_PLAIN))


def the_second_factor_comes_before_the_upgrade(stage):
    older = Older(stage, ['SCRAM-SHA-1'])
    a = older.connect()
    success(a.sasl2('SCRAM-SHA-1', BIND_PLAIN))
    app, _ = enrol(a)
    # Turning it on asked for the password: with it, the missing keys were made.
    b = older.connect()
    equal(upgrades(b), [])
    equal(asked(b.sasl2('SCRAM-SHA-512', BIND_PLAIN + wants('UPGR-SCRAM-SHA-512'))), ['TOTP', 'RECOVERY-CODE'])
    success(b.task('TOTP', code(app.code())))


@each([('', 'malformed-request'), ('<hash xmlns="urn:xmpp:scram-upgrade:0"/>', 'malformed-request'),
       ('<hash xmlns="urn:xmpp:scram-upgrade:0">AAAA</hash>', 'malformed-request'),
       ('<hash xmlns="urn:xmpp:scram-upgrade:0">%%%</hash>', 'incorrect-encoding')], lambda r: r[0][-20:] or 'nothing')
def a_hash_that_is_none_fails_the_sign_in(stage, row):
    older = Older(stage, ['SCRAM-SHA-1'])
    a = older.connect()
    asked(a.sasl2('SCRAM-SHA-1', BIND_PLAIN + wants('UPGR-SCRAM-SHA-512')))
    a.task('UPGR-SCRAM-SHA-512')
    failure(a.task_data(row[0]), row[1])
    success(older.connect().sasl2('SCRAM-SHA-1', BIND_PLAIN))
    check('SCRAM-SHA-512' not in offered(older.connect()), 'something was stored')


def an_application_password_cannot_upgrade(stage):
    older = Older(stage, ['SCRAM-SHA-1', 'SCRAM-SHA-256'])
    a = older.connect()
    success(a.sasl2('SCRAM-SHA-1', BIND_PLAIN))
    text, _ = app_password(a, 'x')
    b = stage.client(Account('older', 'localhost', text), server=older.server).connect()
    success(b.sasl2('SCRAM-SHA-1', BIND_PLAIN + wants('UPGR-SCRAM-SHA-512')))


def plain_brings_the_missing_keys(stage):
    older = Older(stage, ['SCRAM-SHA-1'])
    success(older.connect().sasl2('PLAIN', BIND_PLAIN))
    a = older.connect()
    equal(upgrades(a), [])
    for mech in HASHES:
        success(older.connect().sasl2(mech, BIND_PLAIN))
    failure(older.connect().sasl2('SCRAM-SHA-512', BIND_PLAIN, password='wrong one'), 'not-authorized')


def a_wrong_password_over_plain_brings_no_keys(stage):
    older = Older(stage, ['SCRAM-SHA-1'])
    failure(older.connect().sasl2('PLAIN', BIND_PLAIN, password='wrong one'), 'not-authorized')
    equal(len(upgrades(older.connect())), 2)


def old_clients_of_older_accounts_come_in_too(stage):
    """A client that does not say who it is in the stream head picks the strongest; that must be one that the account has."""
    older = Older(stage, ['SCRAM-SHA-1'])
    a = older.connect(sender=False)
    equal(a.sasl('SCRAM-SHA-512').name, 'failure')
    b = older.connect(sender=False)
    equal([m for m in offered(b) if 'SCRAM' in m], ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'])
    equal(b.sasl('SCRAM-SHA-1').name, 'success')
    full = stage.client(older.server.add('full'), server=older.server).connect(sender='full@localhost')
    check('SCRAM-SHA-512' in offered(full), 'who says who it is gets all that it can use')


@each(['prosody', 'ejabberd'])
def an_account_from_another_server_gets_all_of_it(stage, source):
    """Its salts have other lengths and its hash is SHA-1 alone."""
    from test_port import PASSWORD, PORT
    server = stage.own_server()
    done = server.cli('import', str(PORT / source), check=False)  # what it leaves out, it tells by its status
    check('imported 2 accounts' in done.stdout, done.stdout + done.stderr)
    juliet = Account('juliet', server.domain, PASSWORD)

    def client(password=PASSWORD):
        return stage.client(Account('juliet', server.domain, password), server=server).connect(sender=juliet.jid)

    a = client()
    check('SCRAM-SHA-512' not in offered(a), offered(a))
    task, = asked(a.sasl2('SCRAM-SHA-1', BIND_PLAIN + wants('UPGR-SCRAM-SHA-256')))
    success(a.task_data(f'<hash xmlns="{SCRAM_UPGRADE}">{salted(a, task, a.task(task))}</hash>'))
    success(client().sasl2('SCRAM-SHA-256', BIND_PLAIN))
    text, _ = app_password(a)
    for mech in ('SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'):
        success(client(text).sasl2(mech, BIND_PLAIN))
    app, _ = enrol(a)
    for mech in HASHES:
        equal(asked(client().sasl2(mech, BIND_PLAIN)), ['TOTP', 'RECOVERY-CODE'])
        equal(client(text).sasl(mech).name, 'success')
