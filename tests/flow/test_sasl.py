# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6120 §6: SASL with PLAIN and SCRAM (RFC 5802, 7677), channel binding (RFC 5929, 9266; XEP-0440)."""
from lib import *

ALL = ['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
BINDINGS = ['tls-exporter', 'tls-server-end-point']


def failure(out, condition):
    equal(out.name, 'failure', 'outcome')
    names = [k.name for k in out.kids if k.name != 'text']
    check(names and names[0] in condition.split('|'), 'failure %s, wanted %s' % (names, condition))


def mechanisms_are_offered_on_tls(stage):
    c = stage.client(False).connect()
    names = [m.text for m in c.features.all('mechanisms/mechanism')]
    for name in ALL + [m + '-PLUS' for m in ALL[1:]]:
        check(name in names, '%s is not offered: %s' % (name, names))


def channel_bindings_are_listed(stage):
    """XEP-0440."""
    c = stage.client(False).connect()
    cb = c.features.find('sasl-channel-binding', 'urn:xmpp:sasl-cb:0')
    check(cb, 'no XEP-0440 list')
    kinds = [b['type'] for b in cb.all('channel-binding')]
    check(set(kinds) >= set(BINDINGS), kinds)


@each(ALL)
def signs_in_with(stage, mech):
    a = stage.client()
    a.authenticate(mech)
    a.bind()
    a.ping()


@each(ALL)
def signs_in_over_starttls_with(stage, mech):
    a = stage.client(None, 'starttls')
    a.authenticate(mech)
    a.bind()


@each([(m + '-PLUS', b) for m in ALL[1:] for b in BINDINGS])
def signs_in_with_channel_binding(stage, row):
    a = stage.client().connect()
    out = a.sasl(row[0], bind=row[1])
    equal(out.name, 'success', str(out))
    a.open()
    a.bind()


@each([(m + '-PLUS', b) for m in ALL[1:2] for b in BINDINGS])
def wrong_channel_binding_is_refused(stage, row):
    a = stage.client().connect()
    out = a.sasl(row[0], bind=(row[1], b'\0' * 32))
    failure(out, 'not-authorized|malformed-request')


def an_unknown_channel_binding_is_refused(stage):
    a = stage.client().connect()
    failure(a.sasl('SCRAM-SHA-1-PLUS', bind=('tls-none-such', b'\0' * 12)), 'not-authorized|malformed-request|invalid-mechanism')


def a_downgrade_of_channel_binding_is_noticed(stage):
    """RFC 5802 §6: 'y' says the client could bind but was not offered it; the server offers it, so someone lied."""
    a = stage.client().connect()
    failure(a.sasl('SCRAM-SHA-256', bind='y'), 'not-authorized|malformed-request')


def plus_without_binding_is_refused(stage):
    a = stage.client().connect()
    failure(a.sasl('SCRAM-SHA-256-PLUS'), 'not-authorized|malformed-request')


@each(ALL)
def a_wrong_password_is_not_authorized(stage, mech):
    a = stage.client().connect()
    failure(a.sasl(mech, password='wrong password'), 'not-authorized')
    out = a.sasl(mech)
    equal(out.name, 'success', 'second try on the same stream')


@each(ALL)
def an_unknown_account_looks_like_a_wrong_password(stage, mech):
    a = stage.client(Account('nobody-there', 'localhost', 'x')).connect()
    failure(a.sasl(mech), 'not-authorized')


def scram_for_unknown_accounts_has_a_stable_salt(stage):
    """Nobody may learn from the salt whether an account exists."""
    seen = set()
    for _ in range(2):
        a = stage.client(Account('nobody-there', 'localhost', 'x')).connect()
        s = Scram('SCRAM-SHA-256', 'nobody-there', 'x')
        a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(s.first())}</auth>')
        text = unb64(a.expect(f'<challenge xmlns="{SASL}"/>').text).decode()
        seen.add(tuple(p for p in text.split(',') if p[0] in 'si'))
    equal(len(seen), 1, 'different salts or rounds')


def tries_are_limited(stage):
    """§6.4.5: between 2 and 5 retries on one stream, then it ends."""
    a = stage.client().connect()
    for n in range(1, 12):
        try:
            a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN">{b64(plain(a.account.node, "wrong"))}</auth>')
            got = a._until(lambda: a.queue and a.queue.pop(0), 'answer')
        except (Failed, Closed):
            break
        if got.name == 'error':
            check(got.find('policy-violation') or got.find('not-authorized'), got)
            break
        failure(got, 'not-authorized|temporary-auth-failure')
    check(2 <= n - 1 <= 10, '%d tries were allowed' % (n - 1))
    a.expect_close()


def an_unknown_mechanism_is_invalid(stage):
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="X-NONE"/>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'invalid-mechanism')


def a_missing_mechanism_is_invalid(stage):
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}"/>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'invalid-mechanism|malformed-request')


def anonymous_and_external_are_refused(stage):
    for mech in ('ANONYMOUS', 'EXTERNAL'):
        a = stage.client().connect()
        a.send(f'<auth xmlns="{SASL}" mechanism="{mech}">=</auth>')
        failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'invalid-mechanism')


def aborting_gives_aborted(stage):
    a = stage.client().connect()
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(s.first())}</auth>')
    a.expect(f'<challenge xmlns="{SASL}"/>')
    a.send(f'<abort xmlns="{SASL}"/>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'aborted')
    equal(a.sasl().name, 'success', 'after the abort')


@each(['!!!', 'AAA', 'A===', 'QQ==QQ=='])
def bad_base64_is_incorrect_encoding(stage, text):
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN">{text}</auth>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'incorrect-encoding|malformed-request')


BAD_PLAIN = [b'', b'no separators', b'\0only one', b'a\0b', b'\0\0', b'\0user\0', b'\0\0password', b'\0\xff\xfe\0password',
             b'\0user\0pass\0word']


@each(BAD_PLAIN, lambda r: repr(r)[2:-1])
def malformed_plain_is_refused(stage, raw):
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN">{b64(raw) or "="}</auth>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'malformed-request|not-authorized|incorrect-encoding')


BAD_SCRAM = [b'', b'garbage', b'n,,', b'n,,n=user', b'n,,r=nonce', b'n,,n=,r=nonce', b'n,,n=us=er,r=nonce', b'x,,n=user,r=nonce',
             b'n,,n=user,r=', b'n,,m=ext,n=user,r=nonce', b'p=,,n=user,r=nonce', b'n,a=other,n=user,r=' + b'x' * 20000,
             b'n,,n=\xff,r=nonce']


@each(BAD_SCRAM, lambda r: repr(r[:30])[2:-1])
def malformed_scram_is_refused(stage, raw):
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(raw) or "="}</auth>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    if got.name == 'error':
        check(got.find('policy-violation'), got)
    else:
        failure(got, 'malformed-request|not-authorized|incorrect-encoding|invalid-authzid')


BAD_FINALS = [b'', b'c=biws', b'c=biws,r=wrong,p=AAAA', b'r=x,c=biws,p=AAAA', b'c=biws,r={r},p=!!!!', b'c=biws,r={r}',
              b'c=eSws,r={r},p=AAAA', b'c=biws,r={r},p=']


@each(BAD_FINALS, lambda r: repr(r)[2:-1])
def a_bad_final_message_is_refused(stage, raw):
    a = stage.client().connect()
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(s.first())}</auth>')
    text = unb64(a.expect(f'<challenge xmlns="{SASL}"/>').text)
    nonce = dict(p.split(b'=', 1) for p in text.split(b','))[b'r']
    a.send(f'<response xmlns="{SASL}">{b64(raw.replace(b"{r}", nonce)) or "="}</response>')
    failure(a.expect(f'<failure xmlns="{SASL}"/>'), 'malformed-request|not-authorized|incorrect-encoding')
    equal(a.sasl().name, 'success', 'a right try afterwards')


def a_response_out_of_turn_is_refused(stage):
    a = stage.client().connect()
    a.send(f'<response xmlns="{SASL}">AAAA</response>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    check(got.name in ('failure', 'error'), got)


def a_second_auth_during_an_exchange_is_refused_or_restarts_it(stage):
    a = stage.client().connect()
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    for _ in range(2):
        a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(s.first())}</auth>')
    a.expect(f'<challenge xmlns="{SASL}"/>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'answer to the second auth')
    check(got.name in ('failure', 'error', 'challenge'), got)


def an_empty_initial_response_may_be_left_out(stage):
    """§6.4.2: the server then sends an empty challenge."""
    a = stage.client().connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN"/>')
    check(not a.expect(f'<challenge xmlns="{SASL}"/>').text.strip().strip('='), 'challenge is not empty')
    a.send(f'<response xmlns="{SASL}">{b64(plain(a.account.node, a.account.password))}</response>')
    a.expect(f'<success xmlns="{SASL}"/>')


def the_own_authzid_is_accepted(stage):
    for mech in ('PLAIN', 'SCRAM-SHA-256'):
        a = stage.client().connect()
        equal(a.sasl(mech, authzid=a.bare).name, 'success', mech)


def a_foreign_authzid_is_refused(stage):
    for mech in ('PLAIN', 'SCRAM-SHA-256'):
        a = stage.client().connect()
        failure(a.sasl(mech, authzid='somebody@localhost'), 'invalid-authzid|not-authorized')


def signing_in_twice_is_refused(stage):
    a = stage.online()
    a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN">{b64(plain(a.account.node, a.account.password))}</auth>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    check(got.name in ('failure', 'error'), got)


def stanzas_during_an_exchange_are_refused(stage):
    a = stage.client().connect()
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-256">{b64(s.first())}</auth>')
    a.expect(f'<challenge xmlns="{SASL}"/>')
    a.raw(f'<iq type="get" id="x" to="localhost">{PING}</iq>')
    a.expect_stream_error('not-authorized|policy-violation|unsupported-stanza-type')


def names_are_prepared_before_they_are_compared(stage):
    """RFC 7622: localparts are compared without case."""
    acc = stage.account()
    a = stage.client(Account(acc.node.upper(), acc.domain, acc.password)).connect()
    equal(a.sasl('PLAIN').name, 'success', 'PLAIN with an upper case name')
    a.open()
    a.bind()
    check(a.jid.startswith(acc.jid + '/'), a.jid)


def passwords_of_any_script_work(stage):
    for text in ('鸿雁传书很好', 'пароль и пробел', 'ﬁligree № 8 ½'):
        acc = stage.server.add(Client.new_id(), text)
        a = stage.client(acc).connect()
        equal(a.sasl('PLAIN').name, 'success', 'PLAIN with %r' % text)
    acc = stage.server.add(Client.new_id(), '鸿雁传书很好')
    a = stage.client(acc).connect()
    equal(a.sasl('SCRAM-SHA-256').name, 'success', 'SCRAM')


def a_changed_password_counts_at_once(stage):
    a = stage.client().connect()
    acc = a.account
    stage.server.cli('user', 'passwd', acc.node, '--password-stdin', text='another password\n')
    failure(a.sasl(), 'not-authorized')
    equal(a.sasl(password='another password').name, 'success', 'new password')
