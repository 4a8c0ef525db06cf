# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0494 0.1 client access management: listing and revoking what has access to an account."""
from lib import *
from signin import *

CAM = 'urn:xmpp:cam:0'
LIST = f'<list xmlns="{CAM}"/>'


def clients(c):
    c.settle()
    return c.get(LIST).all('clients/client')


def revoke(client_id):
    return f'<revoke xmlns="{CAM}" id="{client_id}"/>'


def auth(entry):
    return sorted(k.name for k in entry.find('auth').kids)


def the_account_says_so(stage):
    a = stage.online()
    out = a.get(f'<query xmlns="{DISCO_INFO}"/>', a.bare)
    check(CAM in [f['var'] for f in out.all('query/feature')], 'no feature')


def a_client_is_listed_with_its_names_and_times(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    a.present()
    entry, = clients(a)
    equal((entry['connected'], entry['type']), ('true', 'session'))
    check(entry['id'] and a.user_agent not in entry['id'], 'the id is opaque')
    equal(auth(entry), ['password'])
    equal(entry.find('permission')['status'], 'unrestricted')
    equal(entry.textof('user-agent/software'), 'flow')
    equal(entry.textof('user-agent/device'), 'test')
    check(entry.textof('first-seen').endswith('Z') and entry.textof('first-seen') <= entry.textof('last-seen'), str(entry))


def a_client_with_a_token_is_listed_when_it_is_away(stage):
    a = connect(stage)
    token_of(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    a.close()
    b = stage.online(a.account)
    entries = {e['connected']: e for e in clients(b)}
    equal(len(entries), 2)
    equal(auth(entries['false']), ['fast', 'password'])
    equal(entries['true'].find('user-agent/software'), None)
    equal(auth(entries['true']), ['password'])


def a_client_that_knows_the_password_needs_a_new_password(stage):
    a = connect(stage)
    token = token_of(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    b = stage.online(a.account)
    for entry in clients(b):
        out = b.refused('set', revoke(entry['id']), 'service-unavailable')
        check(out.find('error/password-reset-required', CAM) is not None, str(out))
    a.ping()
    success(token_sign_in(stage, a, token))


def with_a_second_factor_revoking_ends_session_and_token(stage):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    b.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)
    token = token_of(b.task('TOTP', code(app.code())))
    b.present()
    entry = next(e for e in clients(a) if 'fast' in auth(e))
    a.set(revoke(entry['id']))
    b.expect_stream_error('not-authorized')
    out = token_sign_in(stage, b, token)
    equal(out.name, 'failure')
    check(entry['id'] not in [e['id'] for e in clients(a)], 'still listed')
    a.refused('set', revoke(entry['id']), 'item-not-found')


def a_session_may_end_itself(stage):
    a = stage.online()
    enrol(a)
    entry, = clients(a)
    a.set(revoke(entry['id']))
    a.expect_stream_error('not-authorized')


def application_passwords_are_clients(stage):
    a = stage.online()
    text, _ = app_password(a, 'Pidgin')
    entry = next(e for e in clients(a) if e.find('auth/grant') is not None)
    equal((entry['connected'], entry['type'], entry.textof('user-agent/software')), ('false', 'access', 'Pidgin'))
    equal(entry.find('permission')['status'], 'normal')
    b = connect(stage, Account(a.account.node, stage.domain, text))
    success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    entry = next(e for e in clients(a) if e.find('auth/grant') is not None)
    equal((entry['connected'], entry['type']), ('true', 'session'))
    a.set(revoke(entry['id']))
    b.expect_stream_error('not-authorized')
    equal(connect(stage, b.account).sasl('PLAIN').name, 'failure')
    equal([e for e in clients(a) if e.find('auth/grant') is not None], [])


def a_new_password_forgets_the_clients(stage):
    a = connect(stage)
    token_of(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    a.close()
    stage.server.cli('user', 'passwd', a.account.node, '--password-stdin', text='a new password\n')
    b = stage.online(Account(a.account.node, stage.domain, 'a new password'))
    equal(len(clients(b)), 1, 'clients')


@each(['', 'c', 's', 'a', 'x', 'cffff', 'c' + 'f' * 64, 's' + 'f' * 64, 'a../x', "c' OR 1=1", 'c' + 'f' * 5000], lambda r: r[:12] or 'none')
def an_unknown_id_is_not_found(stage, client_id):
    a = stage.online()
    a.refused('set', revoke(client_id), 'item-not-found|bad-request')
    a.ping()


def another_account_is_not_asked(stage):
    a, b = stage.online(), stage.online()
    b.refused('get', LIST, 'service-unavailable|forbidden', to=a.bare)
    entry, = clients(a)
    b.refused('set', revoke(entry['id']), 'service-unavailable|forbidden', to=a.bare)
    b.refused('set', revoke(entry['id']), 'item-not-found')
    a.ping()


@on_server({'access.keep_clients': '0'})
def nothing_is_remembered_where_the_operator_wants_none(stage):
    a = connect(stage)
    success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    equal(len(clients(a)), 1, 'the session itself')
    a.close()
    equal(len(clients(stage.online(a.account))), 1, 'clients')


def many_clients_have_a_limit(stage):
    """The 64 newest are remembered."""
    acc = stage.account()
    for _ in range(70):
        a = connect(stage, acc)
        success(a.sasl2('SCRAM-SHA-256', BIND_PLAIN))
        a.close()
    b = stage.online(acc)
    check(60 <= len(clients(b)) <= 65, '%d clients' % len(clients(b)))
