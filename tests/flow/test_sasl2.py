# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0388 1.0 SASL2, XEP-0386 1.1 Bind 2, XEP-0484 0.2 FAST, inline XEP-0198."""
from lib import *

BIND_PLAIN = f'<bind xmlns="{BIND2}"/>'
BIND_ALL = (f'<bind xmlns="{BIND2}"><tag>flow</tag><enable xmlns="{CARBONS}"/><enable xmlns="{SM}" resume="true"/></bind>')
TOKEN = f'<request-token xmlns="{FAST}" mechanism="HT-SHA-256-NONE"/>'


def failure(out, condition):
    equal(out.name, 'failure', 'outcome')
    names = [k.name for k in out.kids if k.ns == SASL]
    check(names and names[0] in condition.split('|'), 'failure %s, wanted %s' % (names, condition))


def connect(stage, account=None, transport='tls'):
    a = stage.client(account, transport)
    a.link_up()
    if transport == 'starttls':
        a.open()
        a.raw(f'<starttls xmlns="{TLS}"/>')
        a.expect(f'<proceed xmlns="{TLS}"/>')
        a.link.start_tls()
    a.open(sender=a.bare)
    return a


def success(out):
    equal(out.name, 'success', str(out))
    return out


def what_is_inline_is_offered(stage):
    c = stage.client(False).connect()
    f = c.features.find('authentication', SASL2)
    check(f, 'no SASL2')
    names = [m.text for m in f.all('mechanism')]
    for want in ('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1', 'SCRAM-SHA-512'):
        check(want in names, '%s not in %s' % (want, names))
    check(f.find('inline/sm', SM), 'no inline resumption')
    inline = [x['var'] for x in f.all('inline/bind/inline/feature')]
    check(f.find('inline/bind', BIND2) and SM in inline and CARBONS in inline, 'Bind 2 features: %s' % inline)
    fast = [m.text for m in f.all('inline/fast/mechanism')]
    check('HT-SHA-256-NONE' in fast, 'FAST: %s' % fast)


@each([(t, m) for t in ('tls', 'starttls', 'ws') for m in ('PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512')])
def signs_in_and_binds_with(stage, row):
    a = connect(stage, None, row[0])
    out = success(a.sasl2(row[1], BIND_PLAIN))
    check(out.find('bound', BIND2), 'no <bound/>')
    check(a.jid.startswith(a.bare + '/'), 'identifier %s is no full JID' % a.jid)
    a.present()
    a.ping()


@each([(m, b) for m in ('SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512-PLUS') for b in ('tls-exporter', 'tls-server-end-point')])
def signs_in_with_channel_binding(stage, row):
    a = connect(stage)
    success(a.sasl2(row[0], BIND_PLAIN, bind=row[1]))
    a.ping()


def without_bind_the_classic_binding_follows(stage):
    a = connect(stage)
    out = success(a.sasl2())
    equal(out.textof('authorization-identifier'), a.bare)
    check(a.features.find('bind', BIND), 'classic binding is not offered after SASL2')
    a.bind('classic')
    a.ping()


def no_stream_restart_happens(stage):
    a = connect(stage)
    sid = a.header['id']
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    equal(a.header['id'], sid, 'stream id')


def the_tag_is_in_the_resource_and_the_agent_id_is_not(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', f'<bind xmlns="{BIND2}"><tag>Anser test</tag></bind>'))
    check('Anser test' in a.resource and len(a.resource) > len('Anser test'), a.resource)
    check(a.user_agent not in a.resource, 'user agent id is exposed')


def resources_of_one_tag_differ_between_clients(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', f'<bind xmlns="{BIND2}"><tag>x</tag></bind>'))
    b = connect(stage, a.account)
    success(b.sasl2('SCRAM-SHA-256', f'<bind xmlns="{BIND2}"><tag>x</tag></bind>'))
    check(a.jid != b.jid, 'same resource')


@each(['x' * 3000, ' ', 'a/b', '\u202e evil'], lambda r: '%d characters' % len(r))
def an_odd_tag_does_not_hurt(stage, tag):
    a = connect(stage)
    out = a.sasl2('SCRAM-SHA-256', f'<bind xmlns="{BIND2}"><tag>{tag}</tag></bind>')
    if out.name == 'success':
        check(len(a.resource.encode()) <= 1023, 'resource too long')
        a.ping()


def a_newer_session_of_the_same_client_replaces_the_older(stage):
    """XEP-0386 §4: earlier sessions of the same user-agent id SHOULD be ended."""
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b = stage.client(a.account)
    b.user_agent = a.user_agent
    b.link_up()
    b.open(sender=b.bare)
    success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    a.expect_stream_error('conflict')
    b.ping()


def carbons_and_sm_are_enabled_inline(stage):
    a = connect(stage)
    out = success(a.sasl2('SCRAM-SHA-256', BIND_ALL))
    enabled = out.find('bound/enabled', SM)
    check(enabled is not None and enabled['id'], 'no <enabled/> in <bound/>')
    a.present()
    b, c = stage.again(a), stage.online()
    b.send(f'<message to="{c.bare}" type="chat" id="cc"><body>seen twice</body></message>')
    a.expect(f'<message><sent xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}"><message id="cc"/></forwarded></sent></message>')
    a.request_ack()


def bound_has_the_archive_metadata(stage):
    a = stage.online()
    b = stage.online()
    a.send(f'<message to="{b.bare}" type="chat"><body>one</body></message>')
    b.expect('<message><body>one</body></message>')
    a.ping()
    c = connect(stage, a.account)
    out = success(c.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    meta = out.find('bound/metadata', MAM)
    check(meta is not None, 'no metadata')
    check(meta.find('end') is not None and meta.find('end')['id'], 'no newest id: %s' % meta)
    check(meta.find('end')['timestamp'], 'no time')


def offline_messages_are_not_sent_after_bind2(stage):
    """XEP-0386 §4: the archive provides them."""
    acc = stage.account()
    b = stage.online()
    b.send(f'<message to="{acc.jid}" type="chat" id="off"><body>stored</body></message>')
    b.ping()
    a = connect(stage, acc)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    a.present()
    a.expect_nothing('<message/>')
    a.get(f'<query xmlns="{ROSTER}"/>')
    a.set(f'<query xmlns="{MAM}"/>')
    a.expect(f'<message><result xmlns="{MAM}"><forwarded xmlns="{FORWARD}"><message id="off"/></forwarded></result></message>')


def a_wrong_password_fails_without_side_effects(stage):
    a = connect(stage)
    out = a.sasl2('SCRAM-SHA-256', BIND_ALL + TOKEN, password='wrong one')
    failure(out, 'not-authorized')
    check(not out.find('bound') and not out.find('token'), 'inline features of a failed try')
    success(a.sasl2('SCRAM-SHA-256', BIND_ALL))


def an_unoffered_mechanism_is_refused(stage):
    a = connect(stage)
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="X-FOO"><initial-response>AAAA</initial-response></authenticate>')
    failure(a.expect(f'<failure xmlns="{SASL2}"/>'), 'invalid-mechanism')


def aborting_gives_aborted(stage):
    a = connect(stage)
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="SCRAM-SHA-256"><initial-response>{b64(s.first())}</initial-response></authenticate>')
    a.expect(f'<challenge xmlns="{SASL2}"/>')
    a.send(f'<abort xmlns="{SASL2}"/>')
    failure(a.expect(f'<failure xmlns="{SASL2}"/>'), 'aborted')
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))


def other_traffic_during_the_exchange_ends_the_stream(stage):
    a = connect(stage)
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="SCRAM-SHA-256"><initial-response>{b64(s.first())}</initial-response></authenticate>')
    a.expect(f'<challenge xmlns="{SASL2}"/>')
    a.raw(f'<iq type="get" id="x" to="localhost">{PING}</iq>')
    a.expect_close()


def authenticating_again_is_a_stream_error(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="PLAIN"><initial-response>{b64(plain(a.account.node, a.account.password))}</initial-response></authenticate>')
    a.expect('<stream:error/>')
    a.expect_close()


def another_stream_from_fails_the_authentication(stage):
    """§2.2: the stream's from must match the authorization identity."""
    a = stage.client()
    a.link_up()
    a.open(sender='somebody@localhost')
    out = a.sasl2('SCRAM-SHA-256', BIND_PLAIN, authzid=a.bare)
    equal(out.name, 'failure')


@each([(t, f) for t in ('tls', 'ws') for f in ('somebody@other.example', 'other.example')])
def another_domain_in_the_stream_head_is_an_error(stage, row):
    """§2.2: a `from` whose domain is not that of `to`."""
    a = stage.client(False, row[0])
    a.link_up()
    a.raw(a.header_text(sender=row[1]))
    a.expect_stream_error('invalid-from')


MAC = b'\0' * 32


@each([b'', b'\0', b'NODE', b'NODE\0', b'\0' + MAC, b'NODE\0' + MAC[1:], b'NODE\0' + MAC + b'x', b'NODE\0' + MAC, b'\0NODE\0' + MAC],
      lambda r: repr(r)[:30])
def a_token_message_that_is_none_is_refused(stage, message):
    """Empty and short proofs, no name, no token at all."""
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    c = connect(stage, a.account)
    c.user_agent = a.user_agent
    text = b64(message.replace(b'NODE', a.account.node.encode()))
    c.send(f'<authenticate xmlns="{SASL2}" mechanism="HT-SHA-256-NONE"><initial-response>{text}</initial-response>'
           f'<user-agent id="{c.user_agent}"/><fast xmlns="{FAST}"/>{BIND_PLAIN}</authenticate>')
    failure(c._sasl_step(SASL2), 'malformed-request|not-authorized|credentials-expired')


def a_token_needs_its_client(stage):
    """Without user-agent, or with another one, the token is worth nothing."""
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    b = connect(stage, a.account)
    failure(b.sasl2('HT-SHA-256-NONE', BIND_PLAIN, token=token), 'not-authorized|credentials-expired')
    c = connect(stage, a.account)
    failure(c.sasl2('HT-SHA-256-NONE', BIND_PLAIN, token=token, agent=False), 'malformed-request|not-authorized|credentials-expired')


def a_user_agent_may_be_left_out(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN, agent=False))
    a.ping()


@each(['tls', 'ws'])
def resumes_inline(stage, transport):
    a = connect(stage, None, transport)
    success(a.sasl2('SCRAM-SHA-256', BIND_ALL))
    a.present()
    a.ping()
    b = stage.online()
    jid = a.jid
    a.abort()
    b.send(f'<message to="{jid}" type="chat"><body>while away</body></message>')
    b.ping()
    c = connect(stage, a.account, transport)
    c.user_agent = a.user_agent
    c.adopt(a)
    out = success(c.sasl2('SCRAM-SHA-256', f'<resume xmlns="{SM}" h="{a.sm_in}" previd="{a.sm_id}"/>' + BIND_ALL))
    check(out.find('resumed', SM) is not None, 'not resumed: %s' % out)
    check(out.find('bound') is None, 'bound after a resumption')
    equal(c.jid, jid, 'JID after resumption')
    c.expect('<message><body>while away</body></message>')


def a_failed_inline_resumption_binds_anew(stage):
    a = connect(stage)
    out = success(a.sasl2('SCRAM-SHA-256', f'<resume xmlns="{SM}" h="0" previd="unknown"/>' + BIND_ALL))
    check(out.find('failed', SM) is not None, 'no <failed/>')
    check(out.find('bound', BIND2) is not None, 'not bound')
    a.ping()


def fast_token(out):
    token = out.find('token', FAST)
    check(token is not None, 'no token in %s' % out)
    check(token['expiry'], 'no expiry')
    return token['token']


def fast(stage, a, token, extra='', mech='HT-SHA-256-NONE', attrs='', bind=None):
    c = stage.client(a.account)
    c.user_agent = a.user_agent
    c.link_up()
    c.open(sender=c.bare)
    return c, c.sasl2(mech, BIND_PLAIN + extra, token=token, fast=attrs, bind=bind)


def signs_in_with_a_token(stage):
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    for _ in range(2):
        c, out = fast(stage, a, token)
        success(out)
        c.ping()
        if out.find('token') is not None:
            token = fast_token(out)


@each([('HT-SHA-256-ENDP', 'tls-server-end-point'), ('HT-SHA-256-EXPR', 'tls-exporter')])
def tokens_can_be_bound_to_the_channel(stage, row):
    a = connect(stage)
    offered = [m.text for m in a.features.all('authentication/inline/fast/mechanism')]
    check(row[0] in offered, '%s is not offered' % row[0])
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN.replace('HT-SHA-256-NONE', row[0]))))
    _, out = fast(stage, a, token, mech=row[0], bind=row[1])
    success(out)


def a_token_is_good_for_its_mechanism_only(stage):
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN.replace('NONE', 'ENDP'))))
    _, out = fast(stage, a, token)
    failure(out, 'not-authorized|credentials-expired')


def a_wrong_token_is_refused(stage):
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    c, out = fast(stage, a, token[:-2] + 'zz')
    failure(out, 'not-authorized|credentials-expired')
    success(c.sasl2('SCRAM-SHA-256', BIND_PLAIN))


def a_token_of_another_account_is_refused(stage):
    a, b = connect(stage), connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    c, out = fast(stage, b, token)
    failure(out, 'not-authorized|credentials-expired')


def a_token_dies_when_invalidated(stage):
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    _, out = fast(stage, a, token, attrs='invalidate="true"')
    success(out)
    check(out.find('token') is None, 'a new token although invalidated')
    _, out = fast(stage, a, token)
    failure(out, 'not-authorized|credentials-expired')


def a_token_dies_with_the_password(stage):
    a = connect(stage)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    stage.server.cli('user', 'passwd', a.account.node, '--password-stdin', text='a new password\n')
    _, out = fast(stage, a, token)
    failure(out, 'not-authorized|credentials-expired')


def a_used_newer_token_invalidates_the_older(stage):
    a = connect(stage)
    old = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    _, out = fast(stage, a, old, TOKEN)
    new = fast_token(success(out))
    check(new != old, 'same token')
    _, out = fast(stage, a, old)
    success(out)
    _, out = fast(stage, a, new)
    success(out)
    _, out = fast(stage, a, old)
    failure(out, 'not-authorized|credentials-expired')


def tokens_survive_a_restart(stage):
    server = stage.own_server()
    acc = server.add('keeper')
    a = stage.client(acc, server=server)
    a.link_up()
    a.open(sender=a.bare)
    token = fast_token(success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)))
    server.restart()
    c = stage.client(acc, server=server)
    c.user_agent = a.user_agent
    c.link_up()
    c.open(sender=c.bare)
    success(c.sasl2('HT-SHA-256-NONE', BIND_PLAIN, token=token))


def a_token_for_an_unknown_mechanism_is_not_given(stage):
    a = connect(stage)
    out = a.sasl2('SCRAM-SHA-256', BIND_PLAIN + f'<request-token xmlns="{FAST}" mechanism="HT-MD5-NONE"/>')
    check(out.find('token') is None, 'token for an unknown mechanism')
