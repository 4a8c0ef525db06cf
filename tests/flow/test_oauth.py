# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0493 0.1: access for other people's applications: OAUTHBEARER (RFC 7628), authorization code with PKCE (RFC 6749 §4.1, 7636), RFC 7591, 8414."""
import hashlib
import html
import json
import re
import urllib.parse

from signin import *
from web import *

BACK = 'https://app.example/back?keep=1'
VERIFIER = 'v' * 43


def challenge(verifier=VERIFIER):
    return b64(hashlib.sha256(verifier.encode()).digest()).replace('+', '-').replace('/', '_').rstrip('=')


def register(stage, name='Reader', uris=(BACK,)):
    return Web(stage.server).request('POST', '/oauth/register', {'client_name': name, 'redirect_uris': list(uris)})


def client_of(stage, **kw):
    out = register(stage, **kw)
    equal(out.status, 201, str(out))
    return out.json()['client_id']


def query(client, **changes):
    values = {'response_type': 'code', 'client_id': client, 'redirect_uri': BACK, 'state': 'st&ate', 'scope': 'xmpp:client:normal',
              'code_challenge': challenge(), 'code_challenge_method': 'S256'}
    values.update(changes)
    return urllib.parse.urlencode({k: v for k, v in values.items() if v is not None})


def ask(stage, client, headers=None, **changes):
    return Web(stage.server).request('GET', '/oauth/authorize?' + query(client, **changes), headers=headers)


def post(stage, path, values, **kw):
    return Web(stage.server).request('POST', path, urllib.parse.urlencode(values).encode(),
                                     {'Content-Type': 'application/x-www-form-urlencoded'}, **kw)


def hidden(page):
    return {k: html.unescape(v) for k, v in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.body.decode())}


def allow(stage, client, account, code='', answer='allow', **changes):
    page = ask(stage, client, **changes)
    equal(page.status, 200, str(page))
    return post(stage, '/oauth/authorize', {**hidden(page), 'name': account.node, 'password': account.password, 'code': code, 'answer': answer})


def back(out, uri=BACK):
    """The parameters with which the browser goes back to the application."""
    equal(out.status, 303, str(out))
    where = out.headers['location']
    check(where.startswith(uri), where)
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(where).query))


def redeem(stage, client, code, **changes):
    values = {'grant_type': 'authorization_code', 'code': code, 'client_id': client, 'redirect_uri': BACK, 'code_verifier': VERIFIER}
    values.update(changes)
    return post(stage, '/oauth/token', {k: v for k, v in values.items() if v is not None})


def granted(stage, account, **kw):
    client = client_of(stage, **kw)
    out = redeem(stage, client, back(allow(stage, client, account))['code'])
    equal(out.status, 200, str(out))
    return out.json()['access_token']


def message(token, authzid=''):
    return ('n,%s,\1host=localhost\1port=5222\1auth=Bearer %s\1\1' % ('a=' + authzid if authzid else '', token)).encode()


def bearer(a, token, profile='sasl2', authzid='', inline=BIND_PLAIN, raw=None):
    """Signs in; the outcome, or the error that the server told before it."""
    first = b64(message(token, authzid) if raw is None else raw)
    if profile == 'sasl':
        a.send(f'<auth xmlns="{SASL}" mechanism="OAUTHBEARER">{first}</auth>')
        out = a._sasl_step(SASL)
    else:
        a.send(f'<authenticate xmlns="{SASL2}" mechanism="OAUTHBEARER"><initial-response>{first}</initial-response>{inline}</authenticate>')
        out = a._sasl2_end(a._sasl_step(SASL2))
    if out.name == 'challenge':
        told = json.loads(unb64(out.text))
        ns = SASL if profile == 'sasl' else SASL2
        a.send(f'<response xmlns="{ns}">{b64(bytes([1]))}</response>')
        failed = a._sasl_step(ns)
        equal(failed.name, 'failure')
        check('not-authorized' in str(failed), str(failed))
        return told
    return out


def everything_is_found_from_an_empty_token(stage):
    """XEP-0493 §5.1.1: no credentials yet; the server tells the discovery URL."""
    a = stage.client().connect()
    check('OAUTHBEARER' in [m.text for m in a.features.all('mechanisms/mechanism')], 'not offered')
    for profile in ('sasl', 'sasl2'):
        told = bearer(stage.client(a.account).connect(), '', profile)
        equal(told['status'], 'invalid_token')
        url = urllib.parse.urlsplit(told['openid-configuration'])
        equal(url.path, '/.well-known/oauth-authorization-server')
    meta = Web(stage.server).request('GET', url.path)
    equal(meta.status, 200)
    about = meta.json()
    equal(told['openid-configuration'], about['issuer'] + url.path)
    for name in ('authorization_endpoint', 'token_endpoint', 'registration_endpoint'):
        check(about[name].startswith(about['issuer'] + '/'), about[name])
    equal(about['code_challenge_methods_supported'], ['S256'])
    check('xmpp:client:normal' in about['scopes_supported'], about)
    equal(meta.headers['access-control-allow-origin'], '*')


@each([(t, p) for t in ('tls', 'starttls', 'ws') for p in ('sasl', 'sasl2')])
def a_granted_token_signs_in(stage, row):
    acc = stage.account()
    token = granted(stage, acc)
    for authzid in ('', acc.jid):
        a = stage.client(acc, row[0]).connect(sender=acc.jid)
        out = bearer(a, token, row[1], authzid)
        check(not isinstance(out, dict) and out.name == 'success', str(out))
        if row[1] == 'sasl':
            a.open()
            a.bind()
        a.present()
        a.ping()


def the_way_back_has_state_and_issuer(stage):
    acc = stage.account()
    client = client_of(stage)
    out = allow(stage, client, acc)
    params = back(out)
    equal((params['state'], params['keep']), ('st&ate', '1'))
    check(params['iss'].startswith('https://'), params)
    check('access_token' not in out.headers['location'] and acc.password not in out.headers['location'], out.headers['location'])


def the_page_says_who_asks_and_runs_nothing(stage):
    client = client_of(stage, name='<script>alert(1)</script> & "Co"')
    page = ask(stage, client)
    text = page.body.decode()
    check('<script' not in text, 'a name became markup')
    check('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Co&quot;' in text, text)
    check('https://app.example' in text, 'where it leads')
    policy = page.headers['content-security-policy']
    check("default-src 'none'" in policy and "frame-ancestors 'none'" in policy, policy)
    equal(page.headers['x-frame-options'], 'DENY')
    check('lang="en"' in text and 'lang="zh-CN"' in ask(stage, client, {'Accept-Language': 'zh-CN,zh;q=0.9'}).body.decode(), 'languages')


def refusing_tells_the_application(stage):
    acc = stage.account()
    client = client_of(stage)
    equal(back(allow(stage, client, acc, answer='deny'))['error'], 'access_denied')


@each([({'password': 'wrong one'}, 403), ({'name': 'nobody-at-all'}, 403), ({'name': ''}, 403), ({'name': 'a@other.example'}, 403),
       ({'password': ''}, 403), ({'name': "' OR 1=1", 'password': '\0'}, 403)], lambda r: str(r[0]))
def nobody_else_can_allow(stage, row):
    acc = stage.account()
    client = client_of(stage)
    page = ask(stage, client)
    out = post(stage, '/oauth/authorize', {**hidden(page), 'name': acc.node, 'password': acc.password, 'answer': 'allow', **row[0]})
    equal(out.status, row[1], str(out))
    check('location' not in out.headers, 'went back')
    equal(hidden(out)['client_id'], client, 'the form again')
    check(acc.password not in out.body.decode(), 'the password came back')


def with_a_second_factor_the_page_wants_the_code(stage):
    a = stage.online()
    app, codes = enrol(a)
    client = client_of(stage)
    equal(allow(stage, client, a.account).status, 403)
    equal(allow(stage, client, a.account, app.wrong()).status, 403)
    check(back(allow(stage, client, a.account, app.code()))['code'], 'no code')
    token = redeem(stage, client, back(allow(stage, client, a.account, codes[0]))['code']).json()['access_token']
    b = connect(stage, a.account)
    equal(bearer(b, token).name, 'success')


def an_application_password_cannot_grant(stage):
    a = stage.online()
    text, _ = app_password(a)
    equal(allow(stage, client_of(stage), Account(a.account.node, stage.domain, text)).status, 403)


@each([('response_type', 'token', 'unsupported_response_type'), ('response_type', None, 'unsupported_response_type'),
       ('code_challenge', None, 'invalid_request'), ('code_challenge', 'short', 'invalid_request'),
       ('code_challenge_method', 'plain', 'invalid_request'), ('code_challenge_method', None, 'invalid_request'),
       ('scope', 'xmpp:account:admin', 'invalid_scope'), ('state', 'x' * 2000, 'invalid_request')], lambda r: '%s=%s' % (r[0], str(r[1])[:20]))
def a_bad_question_is_told_and_nobody_is_sent_away_unasked(stage, row):
    """Anybody may register any address: a redirection without a question would make this server a trap."""
    out = ask(stage, client_of(stage), **{row[0]: row[1]})
    equal(out.status, 400, str(out))
    check('location' not in out.headers, 'a redirection')
    link = html.unescape(re.search(r'href="([^"]*)"', out.body.decode()).group(1))
    check(link.startswith(BACK + '&'), link)
    equal(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))['error'], row[2])


@each([{'redirect_uri': 'https://evil.example/'}, {'redirect_uri': BACK + 'x'}, {'redirect_uri': None}, {'redirect_uri': 'https://app.example/back'},
       {'client_id': 'AAAA'}, {'client_id': None}, {'client_id': 'A' * 7000}], lambda r: str(r)[:60])
def nobody_is_sent_to_an_address_that_was_not_registered(stage, changes):
    out = ask(stage, client_of(stage), **changes)
    check(out.status in (400, 414, 431), str(out))
    check('location' not in out.headers, 'an open redirect')


@each([('javascript:alert(1)', 400), ('data:text/html,x', 400), ('http://app.example/', 400), ('https://', 400), ('https:///x', 400),
       ('https://a.example/#f', 400), ('https://a.example/ x', 400), ('com.example.app:/back', 201), ('http://127.0.0.1/back', 201),
       ('http://localhost:8080/', 201), ('http://localhost.evil.example/', 400), ('http://127.0.0.1.evil.example/', 400),
       ('myapp:/x', 400), ('https://a.example/"x', 400), ('', 400), ('http://127.0.0.1:80@evil.example/', 400), ('http://[::1]:x/', 400),
       ('https://bank.example@evil.example/', 400), ('https://u:p@evil.example?x', 400), ('https://a.example/@me?@', 201)], lambda r: r[0] or 'nothing')
def only_safe_addresses_are_registered(stage, row):
    equal(register(stage, uris=[row[0]]).status, row[1])


@each([('https://evil.example?.bank.example/', 'https://evil.example'), ('https://a.example:8443/x', 'https://a.example:8443'),
       ('com.example.app:/back', 'com.example.app'), ('com.evil:/x?://bank.example/', 'com.evil')], lambda r: r[0])
def the_owner_reads_where_the_browser_goes(stage, row):
    page = ask(stage, client_of(stage, uris=[row[0]]), redirect_uri=row[0]).body.decode()
    check('<strong>%s</strong></p>' % row[1] in page, page)


@each([('', (BACK,)), ('x' * 65, (BACK,)), ('a\nb', (BACK,)), ('x', ()), ('x', ['https://a.example/%d' % i for i in range(6)])], lambda r: repr(r)[:30])
def a_registration_has_bounds(stage, row):
    equal(register(stage, row[0], row[1]).status, 400)


def the_port_of_the_loopback_is_free(stage):
    client = client_of(stage, uris=['http://127.0.0.1/back'])
    equal(ask(stage, client, redirect_uri='http://127.0.0.1:51234/back').status, 200)
    for bad in ('http://127.0.0.1:51234/other', 'http://localhost:51234/back', 'http://127.0.0.1:80@evil.example/back'):
        equal(ask(stage, client, redirect_uri=bad).status, 400, bad)


@each([{'code_verifier': 'w' * 43}, {'code_verifier': 'v' * 42}, {'redirect_uri': 'https://app.example/back'}, {'client_id': 'other'},
       {'code': 'AAAA'}, {'code': 'A' * 80}], lambda r: str(r)[:50])
def a_code_is_for_its_client_address_and_verifier(stage, changes):
    acc = stage.account()
    client = client_of(stage)
    code_text = back(allow(stage, client, acc))['code']
    if changes.get('client_id'):
        changes = {'client_id': client_of(stage, name='Other')}
    out = redeem(stage, client, **{'code': code_text, **changes})
    equal((out.status, out.json()['error']), (400, 'invalid_grant'))
    equal(redeem(stage, client, code_text).status, 200, 'the right one still counts')


@each([('grant_type', 'password', 'unsupported_grant_type'), ('grant_type', None, 'unsupported_grant_type'), ('code', None, 'invalid_request'),
       ('client_id', None, 'invalid_request'), ('code_verifier', None, 'invalid_request')], lambda r: '%s=%s' % r[:2])
def a_bad_token_request_is_told(stage, row):
    client = client_of(stage)
    out = redeem(stage, client, **{'code': 'AAAA', row[0]: row[1]})
    equal((out.status, out.json()['error']), (400, row[2]))


def a_code_that_comes_twice_ends_what_it_gave(stage):
    """RFC 6749 §4.1.2."""
    acc = stage.account()
    client = client_of(stage)
    code_text = back(allow(stage, client, acc))['code']
    token = redeem(stage, client, code_text).json()['access_token']
    equal(bearer(connect(stage, acc), token).name, 'success')
    equal(redeem(stage, client, code_text).status, 400)
    equal(bearer(connect(stage, acc), token)['status'], 'invalid_token')


@each(['x', 'A' * 60, 'A' * 400, 'A' * 2000, '..', '%00', '鸿雁'], lambda r: r[:10])
def a_token_that_is_none_is_refused(stage, token):
    equal(bearer(connect(stage), token)['status'], 'invalid_token')


def a_changed_token_is_refused(stage):
    acc, other = stage.account(), stage.account()
    token = granted(stage, acc)
    import base64
    raw = base64.urlsafe_b64decode(token + '==')
    for forged in (raw[:9] + bytes(32) + raw[41:], raw[:41] + other.node.encode(), raw[:41], raw[:41] + b'../' + raw[41:], bytes(9) + raw[9:]):
        text = base64.urlsafe_b64encode(forged).decode().rstrip('=')
        equal(bearer(connect(stage, acc), text)['status'], 'invalid_token')


def a_token_is_for_its_account_only(stage):
    acc, other = stage.account(), stage.account()
    token = granted(stage, acc)
    failure(bearer(stage.client(acc).connect(), token, authzid=other.jid), 'invalid-authzid')
    failure(bearer(connect(stage, other), token), 'not-authorized')
    failure(bearer(stage.client(acc).connect(), token, authzid='somebody@other.example'), 'invalid-authzid')


@each([b'', b'n', b'n,,', b'n,,\1', b'n,,auth=Bearer x\1\1', b'p=tls-exporter,,\1auth=Bearer x\1\1', b'n,b=x,\1auth=Bearer x\1\1',
       b'n,,\1auth=Bearer x', b'n,,\1auth=Basic x\1\1', b'n,,\1junk\1\1', b'n,,\1auth=Bearer x\1\1more'], repr)
def a_message_that_is_none_is_malformed(stage, raw):
    out = bearer(stage.client().connect(), '', raw=raw)
    failure(out, 'malformed-request')


def a_session_of_an_application_may_not_change_the_account(stage):
    acc = stage.account()
    a = connect(stage, acc)
    out = bearer(a, granted(stage, acc), inline=BIND_PLAIN + TOKEN)
    equal(out.name, 'success')
    check(out.find('token', FAST) is None, 'a FAST token')
    a.present()
    a.refused('set', f'<query xmlns="jabber:iq:register"><username>{acc.node}</username><password>a new password</password></query>', 'forbidden', a.domain)
    a.refused('set', command(f'{FACTOR}#app-password-new', {'password': acc.password, 'name': 'x'}), 'forbidden')
    a.refused('get', '<list xmlns="urn:xmpp:cam:0"/>', 'forbidden')


def the_owner_sees_and_revokes_it(stage):
    owner = stage.online()
    token = granted(stage, owner.account, name='Reader & Co')
    a = connect(stage, owner.account)
    equal(bearer(a, token).name, 'success')
    owner.settle()
    entry = next(e for e in owner.get('<list xmlns="urn:xmpp:cam:0"/>').all('clients/client') if e.find('auth/grant') is not None)
    equal((entry['connected'], entry['type'], entry.textof('user-agent/software')), ('true', 'session', 'Reader & Co'))
    equal(entry.find('permission')['status'], 'normal')
    owner.set('<revoke xmlns="urn:xmpp:cam:0" id="%s"/>' % entry['id'])
    a.expect_stream_error('not-authorized')
    equal(bearer(connect(stage, owner.account), token)['status'], 'invalid_token')
    owner.refused('set', '<revoke xmlns="urn:xmpp:cam:0" id="%s"/>' % entry['id'], 'item-not-found')


def a_new_password_ends_what_was_granted(stage):
    acc = stage.account()
    token = granted(stage, acc)
    stage.server.cli('user', 'passwd', acc.node, '--password-stdin', text='a new password\n')
    equal(bearer(connect(stage, acc), token)['status'], 'invalid_token')


def a_grant_survives_a_restart(stage):
    stage.server = server = stage.own_server()
    acc = server.add('keeper')
    token = granted(stage, acc)
    server.restart()
    a = stage.client(acc, server=server).connect(sender=acc.jid)
    equal(bearer(a, token).name, 'success')


def there_are_not_too_many_grants(stage):
    acc = stage.account()
    client = client_of(stage)
    for _ in range(32):
        equal(allow(stage, client, acc).status, 303)
    equal(allow(stage, client, acc).status, 429)


@on_server({'limits.enabled': 'true'})
def passwords_cannot_be_guessed_on_the_page(stage):
    acc = stage.account()
    client = client_of(stage)
    page = ask(stage, client)
    values = {**hidden(page), 'name': acc.node, 'password': 'wrong one', 'answer': 'allow'}
    statuses = [post(stage, '/oauth/authorize', values).status for _ in range(14)]
    check(429 in statuses and statuses[0] == 403, statuses)


@on_server({'access.oauth': 'false'})
def there_is_nothing_where_the_operator_wants_none(stage):
    a = stage.client().connect()
    check('OAUTHBEARER' not in str(a.features), 'offered')
    failure(bearer(a, 'x'), 'invalid-mechanism')
    equal(register(stage).status, 404)
    for path in ('/.well-known/oauth-authorization-server', '/oauth/authorize'):
        equal(Web(stage.server).request('GET', path).status, 404)


def an_application_without_a_name_has_that_of_its_address(stage):
    out = Web(stage.server).request('POST', '/oauth/register', {'redirect_uris': [BACK]})
    equal(out.status, 201)
    check(html.escape(BACK) in ask(stage, out.json()['client_id']).body.decode(), 'name')


def a_form_is_a_form(stage):
    out = Web(stage.server).request('POST', '/oauth/token', {'code': 'x'})
    equal(out.status, 415)
    out = post(stage, '/oauth/token', {'code': 'x' * 20000})
    check(out.status in (400, 413), str(out))
