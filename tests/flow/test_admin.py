# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0133 1.3.1 service administration, over XEP-0050 1.3.0 commands of one and several steps, with XEP-0004 forms."""
import re
import time

from lib import *

COMMANDS = 'http://jabber.org/protocol/commands'
ADMIN = 'http://jabber.org/protocol/admin'
NODES = ['add-user', 'delete-user', 'disable-user', 'reenable-user', 'end-user-session', 'change-user-password', 'get-user-roster',
         'get-user-lastlogin', 'user-stats', 'get-registered-users-num', 'get-disabled-users-num', 'get-online-users-num',
         'get-active-users-num', 'get-idle-users-num', 'get-registered-users-list', 'get-disabled-users-list', 'get-online-users-list',
         'get-active-users', 'get-idle-users', 'announce', 'set-motd', 'edit-motd', 'delete-motd', 'set-welcome', 'delete-welcome',
         'edit-admin', 'shutdown']


def administrator(stage):
    return stage.client(stage.server.add(Client.new_id(), admin=True)).online()


def request(node, action=None, sid=None, payload=''):
    return '<command xmlns="%s" node="%s"%s%s>%s</command>' % (
        COMMANDS, node, ' action="%s"' % action if action else '', ' sessionid="%s"' % sid if sid else '', payload)


def start(c, node):
    """Executes; the answer's command element."""
    return c.set(request(node, 'execute'), c.domain).find('command', COMMANDS)


def begin(c, verb):
    """The session id of an open command, and its form."""
    command = start(c, ADMIN + '#' + verb)
    equal(command['status'], 'executing', str(command))
    return command['sessionid'], command.find('x', DATA)


def run(c, verb, **answers):
    """Executes with these answers; the whole completed command element."""
    node = ADMIN + '#' + verb
    command = start(c, node)
    if command['status'] == 'executing':
        x = form(ADMIN, {k.replace('__', '-'): v for k, v in answers.items()})
        command = c.set(request(node, 'complete', command['sessionid'], x), c.domain).find('command', COMMANDS)
    equal(command['status'], 'completed', str(command))
    return command


def result(c, verb, **answers):
    return fields(run(c, verb, **answers).find('x', DATA))


def refused(c, verb, condition, **answers):
    node, (sid, _) = ADMIN + '#' + verb, begin(c, verb)
    return c.refused('set', request(node, 'complete', sid, form(ADMIN, {k.replace('__', '-'): v for k, v in answers.items()})), condition, c.domain)


def can_sign_in(stage, account, password=None):
    c = stage.client(account).connect()
    return c.sasl('SCRAM-SHA-256', password=password)


# ---- discovery

def administrators_see_all_commands(stage):
    a = administrator(stage)
    items = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{COMMANDS}"/>', a.domain).all('query/item')
    nodes = [i['node'] for i in items]
    for n in NODES:
        check(f'{ADMIN}#{n}' in nodes, 'not listed: ' + n)
    check(all(i['jid'] == a.domain and i['name'] for i in items), items)
    equal(disco(a, a.domain, COMMANDS)[1], [('automation', 'command-list')])
    for n in NODES:
        features, identities = disco(a, a.domain, f'{ADMIN}#{n}')
        equal(identities, [('automation', 'command-node')])
        check(COMMANDS in features and DATA in features, features)


def others_see_none_of_them(stage):
    a = stage.online()
    items = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{COMMANDS}"/>', a.domain).all('query/item')
    check(not [i for i in items if i['node'].startswith(ADMIN)], items)
    for n in NODES:
        a.refused('get', f'<query xmlns="{DISCO_INFO}" node="{ADMIN}#{n}"/>', 'forbidden', a.domain)


def every_command_is_forbidden_to_others(stage):
    a, admin = stage.online(), administrator(stage)
    sid, _ = begin(admin, 'delete-user')
    for n in NODES:
        for action in ('execute', 'complete', 'next', 'prev', 'cancel', None):
            a.refused('set', request(f'{ADMIN}#{n}', action), 'forbidden', a.domain)
            a.refused('set', request(f'{ADMIN}#{n}', action, sid, form(ADMIN, {'accountjids': admin.bare})), 'forbidden', a.domain)
    admin.ping()


def passwords_cannot_be_read(stage):
    administrator(stage).refused('set', request(ADMIN + '#get-user-password', 'execute'), 'item-not-found|feature-not-implemented', 'localhost')


# ---- accounts

def a_user_is_added(stage):
    a, name = administrator(stage), Client.new_id()
    sid, x = begin(a, 'add-user')
    equal(x['type'], 'form')
    have = {f['var']: f['type'] for f in x.all('field')}
    equal(have, {'FORM_TYPE': 'hidden', 'accountjid': 'jid-single', 'password': 'text-private', 'password-verify': 'text-private',
                 'email': 'text-single', 'given_name': 'text-single', 'surname': 'text-single'})
    run(a, 'add-user', accountjid=f'{name}@{a.domain}', password='R0m30', password__verify='R0m30', email='j@capulet.com',
        given_name='Juliet', surname='Capulet')
    b = stage.client(Account(name, a.domain, 'R0m30')).online()
    card = a.get('<vCard xmlns="vcard-temp"/>', b.bare).find('vCard')
    equal((card.textof('FN'), card.textof('N/FAMILY'), card.textof('EMAIL/USERID')), ('Juliet Capulet', 'Capulet', 'j@capulet.com'))


def a_name_is_normalised(stage):
    a, name = administrator(stage), Client.new_id()
    run(a, 'add-user', accountjid=f'{name.upper()}@{a.domain.upper()}', password='R0m30', password__verify='R0m30')
    equal(can_sign_in(stage, Account(name, a.domain, 'R0m30')).name, 'success')


def bad_additions_are_refused(stage):
    a, b = administrator(stage), stage.account()
    good = {'accountjid': f'x{Client.new_id()}@{a.domain}', 'password': 'R0m30', 'password__verify': 'R0m30'}
    for change, condition in (({'accountjid': b.jid}, 'conflict'), ({'accountjid': b.jid.upper()}, 'conflict'),
                              ({'password__verify': 'r0m30'}, 'bad-request'), ({'password': ''}, 'bad-request'),
                              ({'accountjid': 'x@elsewhere.example'}, 'not-allowed'), ({'accountjid': a.domain}, 'bad-request'),
                              ({'accountjid': f'x@{a.domain}/r'}, 'bad-request'), ({'accountjid': '@@'}, 'bad-request'),
                              ({'accountjid': ''}, 'bad-request'), ({'accountjid': ['a@' + a.domain, 'b@' + a.domain]}, 'bad-request'),
                              ({'accountjid': f'-x@{a.domain}'}, 'not-acceptable'), ({'password': 'x' * 2000, 'password__verify': 'x' * 2000}, 'not-acceptable')):
        refused(a, 'add-user', condition, **{**good, **change})
    equal(can_sign_in(stage, b).name, 'success')


def users_are_deleted(stage):
    a, (b, c) = administrator(stage), stage.friends()
    run(a, 'delete-user', accountjids=[b.bare])
    c.expect('<presence from="%s" type="unsubscribe"/>' % b.bare)
    b.expect_close()
    equal(can_sign_in(stage, b.account).name, 'failure')
    refused(a, 'delete-user', 'item-not-found', accountjids=[c.bare, b.bare])
    equal(can_sign_in(stage, c.account).name, 'success', 'nobody is deleted when one does not exist:')
    refused(a, 'delete-user', 'not-allowed', accountjids=[a.bare])


def a_disabled_user_cannot_sign_in(stage):
    a, (b, c) = administrator(stage), stage.friends()
    b.set('<vCard xmlns="vcard-temp"><FN>Bard</FN></vCard>')
    run(a, 'disable-user', accountjids=[b.bare, b.bare.upper()])
    b.expect('<stream:error/>')
    for mech in ('SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'):
        out = stage.client(b.account).connect().sasl(mech)
        check(out.name == 'failure' and out.find('account-disabled') is not None, str(out))
    out = stage.client(b.account).connect().sasl2()
    check(out.name == 'failure' and out.find('account-disabled', SASL) is not None, str(out))
    out = stage.client(b.account).connect().sasl('PLAIN', password='wrong')
    check(out.find('not-authorized') is not None, 'told to somebody who does not know the password: %s' % out)
    check(b.bare in result(a, 'get-disabled-users-list', max_items='none')['disableduserjids'], 'not in the list')
    run(a, 'reenable-user', accountjids=b.bare)
    b = stage.client(b.account).online()
    check('Bard' in str(b.get('<vCard xmlns="vcard-temp"/>')), 'its data is gone')
    check(c.bare in str(b.get(f'<query xmlns="{ROSTER}"/>')), 'its roster is gone')


def a_token_does_not_help_a_disabled_user(stage):
    a, b = administrator(stage), stage.client()
    b.connect()
    out = b.sasl2(inline=f'<request-token xmlns="{FAST}" mechanism="HT-SHA-256-NONE"/><bind xmlns="{BIND2}"/>')
    token = out.find('token', FAST)['token']
    run(a, 'disable-user', accountjids=b.account.jid)
    c = stage.client(b.account).connect()
    c.user_agent = b.user_agent
    out = c.sasl2('HT-SHA-256-NONE', token=token)
    equal(out.name, 'failure')


def disabling_survives_a_restart(stage):
    stage.server = stage.own_server()
    a, b = administrator(stage), stage.online()
    run(a, 'disable-user', accountjids=b.bare)
    stage.server.restart()
    check(can_sign_in(stage, b.account).find('account-disabled') is not None, 'not disabled')
    a = stage.client(a.account).online()
    equal(result(a, 'get-disabled-users-num')['disabledusersnum'], ['1'])


def oneself_cannot_be_disabled(stage):
    a = administrator(stage)
    refused(a, 'disable-user', 'not-allowed', accountjids=a.bare)


def sessions_are_ended(stage):
    a, b = administrator(stage), stage.client().online('one')
    c = stage.again(b, 'two')
    run(a, 'end-user-session', accountjids=b.bare + '/one')
    b.expect('<stream:error/>')
    c.ping()
    run(a, 'end-user-session', accountjids=b.bare)
    c.expect('<stream:error/>')
    equal(can_sign_in(stage, b.account).name, 'success')


def a_password_is_changed(stage):
    a, b = administrator(stage), stage.account()
    run(a, 'change-user-password', accountjid=b.jid, password='V3r0n4')
    equal(can_sign_in(stage, b).name, 'failure')
    equal(can_sign_in(stage, b, 'V3r0n4').name, 'success')
    refused(a, 'change-user-password', 'item-not-found', accountjid='nobody@' + a.domain, password='V3r0n4')


# ---- what is known

def rosters_are_read(stage):
    a, (b, c) = administrator(stage), stage.friends()
    b.set(f'<query xmlns="{ROSTER}"><item jid="romeo@example.net" name="Romeo"><group>Friends</group></item></query>')
    xs = run(a, 'get-user-roster', accountjids=[b.bare, c.bare]).all('x')
    equal([fields(x)['accountjids'] for x in xs], [[b.bare], [c.bare]])
    items = {i['jid']: i for i in xs[0].all('query/item')}
    equal(sorted(items), sorted([c.bare, 'romeo@example.net']))
    equal((items[c.bare]['subscription'], items['romeo@example.net'].textof('group')), ('both', 'Friends'))
    refused(a, 'get-user-roster', 'item-not-found', accountjids='nobody@' + a.domain)


def the_last_sign_in_is_told(stage):
    a, b, never = administrator(stage), stage.online(), stage.account()
    got = result(a, 'get-user-lastlogin', accountjids=b.bare)
    equal(got['accountjids'], [b.bare])
    check(re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d', got['lastlogin'][0]), got)
    check(not result(a, 'get-user-lastlogin', accountjids=never.jid).get('lastlogin'), 'signed in never')


def statistics_of_a_user_are_told(stage):
    a, (b, _) = administrator(stage), stage.friends()
    got = result(a, 'user-stats', accountjid=b.bare)
    equal((got['rostersize'], got['onlineresources']), (['1'], [b.jid.split('/')[1]]))
    equal(got['ipaddresses'], [stage.server.host])


def numbers_and_lists_agree(stage):
    stage.server = stage.own_server()
    a = administrator(stage)
    b, gone, off = stage.online(), stage.account(), stage.account()
    run(a, 'disable-user', accountjids=off.jid)
    jids = sorted([a.bare, b.bare, gone.jid, off.jid])
    have = result(a, 'get-registered-users-list', max_items='none')['registereduserjids']
    check(set(jids) <= set(have), have)
    equal(result(a, 'get-registered-users-list', max_items='25')['registereduserjids'], sorted(have))
    equal(result(a, 'get-registered-users-num')['registeredusersnum'], [str(len(have))])
    equal(result(a, 'get-disabled-users-num')['disabledusersnum'], ['1'])
    equal(result(a, 'get-disabled-users-list')['disableduserjids'], [off.jid])
    online = sorted([a.bare, b.bare])
    equal(sorted(result(a, 'get-online-users-list')['onlineuserjids']), online)
    equal(result(a, 'get-online-users-num')['onlineusersnum'], ['2'])
    equal(sorted(result(a, 'get-active-users')['activeuserjids']), online)
    equal(result(a, 'get-active-users-num')['activeusersnum'], ['2'])
    equal(result(a, 'get-idle-users-num')['idleusersnum'], ['0'])
    equal(result(a, 'get-idle-users')['activeuserjids'], [])
    refused(a, 'get-registered-users-list', 'bad-request', max_items='many')


def long_lists_are_cut(stage):
    stage.server = stage.own_server()
    a = administrator(stage)
    stage.server.add_many('many', 600)
    equal(len(result(a, 'get-registered-users-list', max_items='25')['registereduserjids']), 25)
    equal(len(result(a, 'get-registered-users-list', max_items='none')['registereduserjids']), 601)
    equal(result(a, 'get-registered-users-num')['registeredusersnum'], ['601'])


# ---- notices

def announcements_go_to_all_who_are_online(stage):
    stage.server = stage.own_server()
    a, b = administrator(stage), stage.online()
    hidden = stage.client().login()
    run(a, 'announce', announcement=['Attention!', 'Log off now.'])
    for c in (a, b):
        m = c.expect(f'<message from="{c.domain}" type="headline"/>')
        equal(m.textof('body'), 'Attention!\nLog off now.')
    hidden.settle()
    check(not [e for e in hidden.queue if e.name == 'message'], 'told to a session that is not available')


def everybody_gets_the_message_of_the_day_once(stage):
    stage.server = stage.own_server()
    a, b = administrator(stage), stage.account()
    run(a, 'set-motd', motd=['The opening', 'is tomorrow.'])
    c = stage.client(b).login()
    c.present()
    equal(c.expect(f'<message from="{c.domain}"/>').textof('body'), 'The opening\nis tomorrow.')
    c.close()
    sid, x = begin(a, 'edit-motd')
    equal(fields(x)['motd'], ['The opening', 'is tomorrow.'])
    a.set(request(ADMIN + '#edit-motd', 'complete', sid, form(ADMIN, {'motd': 'The opening is today.'})), a.domain)
    stage.server.restart()
    c = stage.client(b).login()
    c.present()
    c.settle()
    check(not [e for e in c.queue if e.name == 'message'], 'given twice')
    a = stage.client(a.account).login()
    a.present()
    equal(a.expect(f'<message from="{c.domain}"/>').textof('body'), 'The opening is today.')
    run(a, 'set-motd', motd='Another')
    run(a, 'delete-motd')
    c = stage.client(b).login()
    c.present()
    c.settle()
    check(not [e for e in c.queue if e.name == 'message'], 'given after it was deleted')
    check(not fields(begin(a, 'edit-motd')[1]).get('motd'), 'still there')


def new_accounts_are_welcomed_once(stage):
    stage.server = stage.own_server()
    a, old = administrator(stage), stage.account()
    run(a, 'set-welcome', welcome='Welcome to Verona')
    equal(fields(begin(a, 'set-welcome')[1])['welcome'], ['Welcome to Verona'])
    name = Client.new_id()
    run(a, 'add-user', accountjid=f'{name}@{a.domain}', password='R0m30', password__verify='R0m30')
    c = stage.client(Account(name, a.domain, 'R0m30')).login()
    c.present()
    equal(c.expect(f'<message from="{c.domain}"/>').textof('body'), 'Welcome to Verona')
    again = stage.again(c)
    for other in (again, stage.client(old).online()):
        other.settle()
        check(not [e for e in other.queue if e.name == 'message'], 'welcomed again, or too late')
    run(a, 'delete-welcome')
    check(not fields(begin(a, 'set-welcome')[1]).get('welcome'), 'still there')


# ---- the service

def the_list_of_administrators_is_edited(stage):
    stage.server = stage.own_server()
    a, b = administrator(stage), stage.online()
    equal(fields(begin(a, 'edit-admin')[1])['adminjids'], [a.bare])
    run(a, 'edit-admin', adminjids=[a.bare, b.bare])
    check(a.bare in result(b, 'get-registered-users-list')['registereduserjids'], 'the new administrator sees nothing')
    refused(b, 'edit-admin', 'not-allowed', adminjids=[a.bare])
    refused(b, 'edit-admin', 'item-not-found', adminjids=[b.bare, 'nobody@' + b.domain])
    refused(b, 'edit-admin', 'not-allowed', adminjids=[b.bare, 'x@elsewhere.example'])
    run(b, 'edit-admin', adminjids=[b.bare])
    a.refused('set', request(ADMIN + '#get-registered-users-num', 'execute'), 'forbidden', a.domain)
    stage.server.restart()
    b = stage.client(b.account).online()
    equal(fields(begin(b, 'edit-admin')[1])['adminjids'], [b.bare])


def the_service_is_shut_down_after_a_word(stage):
    server = stage.own_server()
    stage.server = server
    a, b = administrator(stage), stage.online()
    refused(a, 'shutdown', 'bad-request', delay='7')
    sid, _ = begin(a, 'shutdown')
    a.set(request(ADMIN + '#shutdown', 'complete', sid, form(ADMIN, {'delay': '0', 'announcement': 'Good night'})), a.domain)
    equal(b.expect(f'<message from="{b.domain}"/>').textof('body'), 'Good night')
    b.expect('<stream:error/>')
    equal(server.proc.wait(20), 0)
    server.start()


@on_server({'hosts': 'b.example'})
def an_administrator_is_one_of_his_own_domain(stage):
    def admin_of(name):
        stage.server.cli('user', 'add', name, '--password-stdin', '--admin', text='secret password\n')
        node, domain = name.split('@')
        c = stage.client(Account(node, domain, 'secret password'))
        c.domain = domain
        return c.online()
    a, b = admin_of('anne@localhost'), admin_of('bob@b.example')
    for c, other in ((a, 'b.example'), (b, 'localhost')):
        c.refused('set', request(ADMIN + '#get-registered-users-num', 'execute'), 'forbidden', other)
        c.refused('set', request(ADMIN + '#delete-user', 'complete', begin(c, 'delete-user')[0], form(ADMIN, {'accountjids': 'x@' + other})), 'forbidden', other)
        refused(c, 'disable-user', 'not-allowed', accountjids='x@' + other)
    equal(result(b, 'get-registered-users-list', max_items='none')['registereduserjids'], ['bob@b.example'])
    equal(result(b, 'get-online-users-list')['onlineuserjids'], ['bob@b.example'])
    check('bob@b.example' not in result(a, 'get-registered-users-list', max_items='none')['registereduserjids'], 'shown to the other domain')
    refused(b, 'shutdown', 'not-allowed', delay='0')
    run(b, 'add-user', accountjid='bea@b.example', password='R0m30', password__verify='R0m30')
    run(b, 'set-motd', motd='of b')
    run(b, 'announce', announcement='to b')
    equal(b.expect('<message from="b.example"/>').textof('body'), 'to b')
    one = stage.online()
    one.settle()
    check(not [e for e in one.queue + a.queue if e.name == 'message'], 'notices of another domain')
    stage.server.restart()
    c = stage.client(Account('bea', 'b.example', 'R0m30'))
    c.domain = 'b.example'
    c.login().present()
    equal(c.expect('<message from="b.example"/>').textof('body'), 'of b')


# ---- the steps of a command

def a_step_out_of_order_is_refused(stage):
    a, node = administrator(stage), ADMIN + '#end-user-session'
    sid, _ = begin(a, 'end-user-session')
    x = form(ADMIN, {'accountjids': 'nobody@' + a.domain})
    for action, condition in (('prev', 'bad-action'), ('next', 'bad-action'), ('jump', 'malformed-action')):
        e = a.refused('set', request(node, action, sid, x), 'bad-request', a.domain)
        check(e.find('error/' + condition, COMMANDS) is not None, e)
    for action in ('next', 'prev', 'complete'):
        e = a.refused('set', request(node, action, None, x), 'bad-request', a.domain)
        check(e.find('error/bad-action', COMMANDS) is not None, e)
    e = a.refused('set', request(node, 'complete', sid), 'bad-request', a.domain)
    check(e.find('error/bad-payload', COMMANDS) is not None, e)
    e = a.refused('set', request(ADMIN + '#disable-user', 'complete', sid, x), 'bad-request', a.domain)
    check(e.find('error/bad-sessionid', COMMANDS) is not None, e)
    equal(a.set(request(node, 'cancel', sid), a.domain).find('command')['status'], 'canceled')
    e = a.refused('set', request(node, 'complete', sid, x), 'not-allowed', a.domain)
    check(e.find('error/session-expired', COMMANDS) is not None, e)


def a_command_offers_its_actions(stage):
    a = administrator(stage)
    actions = start(a, ADMIN + '#add-user').find('actions')
    equal((actions['execute'], [e.name for e in actions.kids]), ('complete', ['complete']))


def execute_stands_for_complete(stage):
    a, b, node = administrator(stage), stage.online(), ADMIN + '#get-user-roster'
    for action in ('execute', None):
        sid, _ = begin(a, 'get-user-roster')
        done = a.set(request(node, action, sid, form(ADMIN, {'accountjids': b.bare})), a.domain).find('command')
        equal((done['status'], done['sessionid']), ('completed', sid))


def somebody_elses_command_cannot_be_taken_over(stage):
    a, b = administrator(stage), administrator(stage)
    other = stage.again(a)
    sid, _ = begin(a, 'get-registered-users-list')
    node, x = ADMIN + '#get-registered-users-list', form(ADMIN, {'max_items': '25'})
    for c in (b, other):
        for action in ('complete', 'cancel'):
            e = c.refused('set', request(node, action, sid, x), 'bad-request', a.domain)
            check(e.find('error/bad-sessionid', COMMANDS) is not None, e)
    for forged in ('1', sid + 'x', sid[:-1], sid.replace('-', ''), '', '1-' + 'A' * 16, 'x' * 3000):
        a.refused('set', request(node, 'complete', forged or ' ', x), 'bad-request', a.domain)
    a.set(request(node, 'complete', sid, x), a.domain)


def thousands_of_open_commands_are_bounded(stage):
    a, b, node = administrator(stage), administrator(stage), ADMIN + '#add-user'
    kept, _ = begin(b, 'get-registered-users-list')
    sids = [start(a, node)['sessionid'] for _ in range(1000)]
    equal(len(set(sids)), 1000)
    e = a.refused('set', request(node, 'cancel', sids[0]), 'not-allowed', a.domain)
    check(e.find('error/session-expired', COMMANDS) is not None, e)
    equal(a.set(request(node, 'cancel', sids[-1]), a.domain).find('command')['status'], 'canceled')
    b.set(request(ADMIN + '#get-registered-users-list', 'complete', kept, form(ADMIN, {})), b.domain)


def unknown_fields_are_ignored(stage):
    a, b = administrator(stage), stage.online()
    got = result(a, 'user-stats', accountjid=b.bare, surprise=['1', '2'], admin='1')
    equal(got['rostersize'], ['0'])


def twisted_forms_are_refused(stage):
    a, b, node = administrator(stage), stage.online(), ADMIN + '#delete-user'
    field = f'<field var="accountjids"><value>{b.bare}</value></field>'
    one = f'<field var="accountjids"><value>nobody@{a.domain}</value></field>'
    sid, _ = begin(a, 'delete-user')
    for body in (field + one, one + field, '<field var="FORM_TYPE"><value>jabber:iq:register</value></field>' + field, '', '<field var="accountjids"/>',
                 '<field var="accountjids"><value>  </value></field>', '<field/>', '<item>' + field + '</item>',
                 '<field var="accountjids">' + '<value>x@localhost</value>' * 1 + '<value>@</value></field>',
                 ''.join('<field var="f%d"/>' % i for i in range(300)) + field):
        e = a.refused('set', request(node, 'complete', sid, f'<x xmlns="{DATA}" type="submit">{body}</x>'), 'bad-request', a.domain)
        check(e.find('error/bad-payload', COMMANDS) is not None, e)
    a.refused('set', request(node, 'complete', sid, f'<x xmlns="{DATA}" type="form">{field}</x>'), 'bad-request', a.domain)
    b.ping()


def a_command_that_its_asker_does_not_wait_for_does_no_harm(stage):
    a, b = administrator(stage), stage.online()
    sid, _ = begin(a, 'get-user-roster')
    a.send('<iq type="set" id="x" to="%s">%s</iq>' % (a.domain, request(ADMIN + '#get-user-roster', 'complete', sid, form(ADMIN, {'accountjids': b.bare}))))
    a.abort()
    b.ping()
