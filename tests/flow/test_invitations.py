# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0401 0.6, XEP-0445 0.2, XEP-0379 0.3 with XEP-0050, and the invitation part of the API."""
import re

from test_register import registered, register
from web import *

COMMANDS = 'http://jabber.org/protocol/commands'
INVITE = 'urn:xmpp:invite#invite'
CREATE = 'urn:xmpp:invite#create-account'


def run_command(c, to, node, settings=None):
    """Executes a command, submitting the form (if there is one); returns the result form's fields."""
    answer = c.set(f'<command xmlns="{COMMANDS}" node="{node}" action="execute"/>', to)
    command = answer.find('command', COMMANDS)
    if command['status'] == 'executing':
        x = form('', settings or {}).replace('<field var="FORM_TYPE" type="hidden"><value></value></field>', '')
        answer = c.set(f'<command xmlns="{COMMANDS}" node="{node}" sessionid="{command["sessionid"]}" action="complete">{x}</command>', to)
        command = answer.find('command', COMMANDS)
    equal(command['status'], 'completed', str(command))
    return fields(command.find('x', DATA))


def invite(c):
    """(fields, token) of a fresh user invitation, from the account or the server, wherever it is offered."""
    got = run_command(c, c.bare, INVITE)
    m = re.search(r'preauth=([^;]+)', got['uri'][0])
    check(m, got)
    return got, m.group(1)


def the_commands_are_listed(stage):
    a = stage.online()
    nodes = []
    for to in (a.bare, 'localhost'):
        answer = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{COMMANDS}"/>', to)
        nodes += [i['node'] for i in answer.all('query/item')]
    check(INVITE in nodes, nodes)
    check(CREATE not in nodes, 'account creation is offered to somebody who is no administrator')


def a_user_invitation_has_its_fields(stage):
    a = stage.online()
    got, token = invite(a)
    check(got['uri'][0].startswith(f'xmpp:{a.bare}?roster;preauth='), got)
    check(re.match(r'https://.+/i/' + re.escape(token), got['landing-url'][0]), got)
    check(re.match(r'\d{4}-\d\d-\d\dT', (got.get('expire') or got.get('expiry'))[0]), got)
    check(len(token) >= 16, token)


def tokens_differ(stage):
    a = stage.online()
    check(invite(a)[1] != invite(a)[1], 'same token')


def a_contact_comes_by_invitation(stage):
    """XEP-0379: subscribe with the token is approved automatically, both ways."""
    a, b = stage.online(), stage.online()
    _, token = invite(a)
    b.send(f'<presence to="{a.bare}" type="subscribed"/>')
    b.send(f'<presence to="{a.bare}" type="subscribe"><preauth xmlns="urn:xmpp:pars:0" token="{token}"/></presence>')
    b.expect(f'<presence from="{a.bare}" type="subscribed"/>')
    b.expect(f'<presence from="{a.jid}" type="!"/>')
    a.expect(f'<presence from="{b.jid}" type="!"/>')
    roster = a.get(f'<query xmlns="{ROSTER}"/>')
    equal([(i['jid'], i['subscription']) for i in roster.all('query/item')], [(b.bare, 'both')])


def a_token_is_good_once(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    _, token = invite(a)
    b.send(f'<presence to="{a.bare}" type="subscribe"><preauth xmlns="urn:xmpp:pars:0" token="{token}"/></presence>')
    b.expect(f'<presence from="{a.bare}" type="subscribed"/>')
    c.send(f'<presence to="{a.bare}" type="subscribe"><preauth xmlns="urn:xmpp:pars:0" token="{token}"/></presence>')
    a.expect(f'<presence from="{c.bare}" type="subscribe"/>')
    c.expect_nothing('<presence type="subscribed"/>', after=[a])


def a_forged_token_is_an_ordinary_request(stage):
    a, b = stage.online(), stage.online()
    b.send(f'<presence to="{a.bare}" type="subscribe"><preauth xmlns="urn:xmpp:pars:0" token="forged"/></presence>')
    a.expect(f'<presence from="{b.bare}" type="subscribe"/>')
    b.expect_nothing('<presence type="subscribed"/>', after=[a])


def a_token_of_another_user_is_not_valid_here(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    _, token = invite(a)
    c.send(f'<presence to="{b.bare}" type="subscribe"><preauth xmlns="urn:xmpp:pars:0" token="{token}"/></presence>')
    b.expect(f'<presence from="{c.bare}" type="subscribe"/>')


def the_invitation_page_tells_who_invites(stage):
    a = stage.online()
    _, token = invite(a)
    r = fetch(stage, 'GET', '/api/v1/invite/' + token)
    equal(r.status, 200)
    got = r.json()
    equal((got['inviter'], got['domain']), (a.bare, 'localhost'))
    equal(fetch(stage, 'GET', '/api/v1/invite/forged').status, 404)
    equal(fetch(stage, 'GET', '/i/' + token).status, 200)


def account_token(stage):
    """(inviter, token) of an invitation that may create an account."""
    server = stage.server
    admin = stage.client(server.add(Client.new_id(), admin=True)).online()
    got = run_command(admin, 'localhost', CREATE)
    return admin, re.search(r'preauth=([^;]+)', got['uri'][0]).group(1)


def administrators_make_account_invitations(stage):
    admin, token = account_token(stage)
    got = fetch(stage, 'GET', '/api/v1/invite/' + token).json()
    equal(got['account'], True)


def others_may_not_make_account_invitations(stage):
    a = stage.online()
    a.refused('set', f'<command xmlns="{COMMANDS}" node="{CREATE}" action="execute"/>', 'forbidden|item-not-found|not-allowed|service-unavailable', 'localhost')


def an_account_comes_by_the_api_and_both_are_contacts(stage):
    """The inviter hears of it at once by a push, subscription both."""
    admin, token = account_token(stage)
    name = Client.new_id()
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': name, 'password': 'long enough pw'})
    equal((r.status, r.json().get('jid')), (201, name + '@localhost'))
    admin.expect(f'<iq type="set"><query xmlns="{ROSTER}"><item jid="{name}@localhost" subscription="both"/></query></iq>')
    b = stage.client(Account(name, 'localhost', 'long enough pw')).login()
    roster = b.get(f'<query xmlns="{ROSTER}"/>')
    equal([(i['jid'], i['subscription']) for i in roster.all('query/item')], [(admin.bare, 'both')])
    b.present()
    b.expect(f'<presence from="{admin.jid}" type="!"/>')
    admin.expect(f'<presence from="{b.jid}" type="!"/>')
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': Client.new_id(), 'password': 'long enough pw'})
    check(r.status in (403, 404), 'token used twice: %s' % r)


def a_failed_registration_does_not_use_the_token(stage):
    admin, token = account_token(stage)
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': admin.account.node, 'password': 'long enough pw'})
    equal(r.status, 409)
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': 'x y', 'password': 'long enough pw'})
    equal(r.status, 400)
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': Client.new_id(), 'password': '123'})
    equal(r.status, 400)
    r = fetch(stage, 'POST', '/api/v1/register', {'token': token, 'name': Client.new_id(), 'password': 'long enough pw'})
    equal(r.status, 201)


def an_account_comes_in_band_with_a_token(stage):
    """XEP-0445."""
    admin, token = account_token(stage)
    c = stage.client(False).connect()
    check(c.features.find('register', 'urn:xmpp:ibr-token:0') is not None, 'not announced')
    c.set(f'<preauth xmlns="urn:xmpp:pars:0" token="{token}"/>', 'localhost')
    name = Client.new_id()
    equal(register(c, name)['type'], 'result')
    b = stage.client(Account(name, 'localhost', 'long enough pw')).login()
    roster = b.get(f'<query xmlns="{ROSTER}"/>')
    equal([(i['jid'], i['subscription']) for i in roster.all('query/item')], [(admin.bare, 'both')])


def a_forged_token_in_band_is_item_not_found(stage):
    c = stage.client(False).connect()
    c.refused('set', '<preauth xmlns="urn:xmpp:pars:0" token="forged"/>', 'item-not-found', 'localhost')
    answer = register(c, Client.new_id())
    equal(answer['type'], 'error')


def the_command_line_makes_an_account_invitation(stage):
    out = stage.server.cli('invite').stdout
    m = re.search(r'https://\S+/i/(\S+)', out)
    check(m, out)
    r = fetch(stage, 'POST', '/api/v1/register', {'token': m.group(1), 'name': Client.new_id(), 'password': 'long enough pw'})
    equal(r.status, 201)


def an_unknown_command_is_item_not_found(stage):
    a = stage.online()
    for to in (a.bare, 'localhost'):
        a.refused('set', f'<command xmlns="{COMMANDS}" node="no-such-command" action="execute"/>', 'item-not-found', to)


def commands_on_foreign_accounts_are_refused(stage):
    a, b = stage.online(), stage.online()
    a.refused('set', f'<command xmlns="{COMMANDS}" node="{INVITE}" action="execute"/>', 'forbidden|service-unavailable|not-allowed|item-not-found', b.bare)


def commands_can_be_cancelled(stage):
    admin = stage.client(stage.server.add(Client.new_id(), admin=True)).online()
    answer = admin.set(f'<command xmlns="{COMMANDS}" node="{CREATE}" action="execute"/>', 'localhost').find('command')
    if answer['status'] == 'executing':
        done = admin.set(f'<command xmlns="{COMMANDS}" node="{CREATE}" sessionid="{answer["sessionid"]}" action="cancel"/>', 'localhost')
        equal(done.find('command')['status'], 'canceled')
        admin.refused('set', f'<command xmlns="{COMMANDS}" node="{CREATE}" sessionid="forged" action="complete"/>', 'bad-request|item-not-found|not-allowed', 'localhost')


def invitations_survive_a_restart(stage):
    server = stage.own_server()
    stage.server = server
    a = stage.online()
    _, token = invite(a)
    server.restart()
    equal(fetch(stage, 'GET', '/api/v1/invite/' + token).status, 200)
