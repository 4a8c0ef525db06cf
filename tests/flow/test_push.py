# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0357 0.4.1 Push Notifications, to app servers of others: here a client that answers like one."""
from lib import *
from components import Component, house
from rooms import *
from s2s import World

PUSH = 'urn:xmpp:push:0'
PUBSUB = 'http://jabber.org/protocol/pubsub'
SUMMARY = 'urn:xmpp:push:summary'
OPTIONS = PUBSUB + '#publish-options'


def enable(c, service, node='n1', inner='', **kw):
    return c.set(f'<enable xmlns="{PUSH}" jid="{service.jid}" node="{node}">{inner}</enable>', **kw)


def notified(service, node='n1', inner='', answer='result'):
    """The next publication at the service, answered. Returns its fields."""
    iq = service.expect(f'<iq type="set" from="{service.domain}"><pubsub xmlns="{PUBSUB}"><publish node="{node}"><item>'
                        f'<notification xmlns="{PUSH}"/></item></publish>{inner}</pubsub></iq>')
    if answer == 'result':
        service.send(f'<iq type="result" id="{iq["id"]}" to="{iq["from"]}"/>')
    elif answer:
        kind, condition = answer
        service.send(f'<iq type="error" id="{iq["id"]}" to="{iq["from"]}"><error type="{kind}">'
                     f'<{condition} xmlns="{STANZAS}"/></error></iq>')
    return fields(iq.find('pubsub/publish/item/notification/x'))


def chat(c, to, body='hello', kind='chat'):
    c.send(f'<message to="{to}" type="{kind}"><body>{body}</body></message>')


def away(stage, sm=False, **kw):
    """(account's address, friend, service): the account enabled push and is offline, or hibernates."""
    a, b, service = stage.online(), stage.online(), stage.online()
    if sm:
        a.enable_sm()
    enable(a, service, **kw)
    if sm:
        a.abort()
        b.settle(a.bare)
    else:
        a.close()
    return a, b, service


def accounts_announce_it(stage):
    a = stage.online()
    check(PUSH in disco(a, a.bare)[0], 'not announced')


def a_message_to_an_offline_account_is_told(stage):
    a, b, service = away(stage)
    chat(b, a.bare)
    got = notified(service)
    equal(got['FORM_TYPE'], [SUMMARY])
    equal(got['message-count'], ['1'])
    check('last-message-body' not in got and 'last-message-sender' not in got, 'private: %s' % got)


def publish_options_go_along(stage):
    x = form(OPTIONS, {'secret': 'eruio234vzxc2kla-91'})
    a, b, service = away(stage, inner=x)
    chat(b, a.bare)
    notified(service, inner=f'<publish-options><x xmlns="{DATA}"><field var="FORM_TYPE"><value>{OPTIONS}</value></field>'
                            '<field var="secret"><value>eruio234vzxc2kla-91</value></field></x></publish-options>')


def the_latest_publish_options_count(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service, inner=form(OPTIONS, {'secret': 'old'}))
    enable(a, service, inner=form(OPTIONS, {'secret': 'new'}))
    a.close()
    chat(b, a.bare)
    notified(service, inner='<publish-options><x xmlns="jabber:x:data"><field var="secret"><value>new</value></field></x>'
                            '</publish-options>')
    service.expect_nothing('<iq type="set"/>', after=(b,))


@on_server({'push.sender': 'true', 'push.body': 'true'})
def sender_and_text_are_told_when_the_operator_says_so(stage):
    a, b, service = away(stage)
    chat(b, a.bare, 'x' * 499 + '鸿雁')
    got = notified(service)
    equal(got['last-message-sender'], [b.jid])
    equal(got['last-message-body'], ['x' * 499])


def each_registration_is_told(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service, 'one')
    enable(a, service, 'two')
    a.close()
    chat(b, a.bare)
    notified(service, 'one')
    notified(service, 'two')


def a_client_that_is_here_is_not_told(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service)
    chat(b, a.bare)
    a.expect('<message><body>hello</body></message>')
    service.expect_nothing('<iq type="set"/>', after=(b, a))


def another_client_of_the_account_does_not_count(stage):
    """The phone is away; that the desk reads it is not known to be enough."""
    a, b, service = stage.online(), stage.online(), stage.online()
    desk = stage.again(a)
    enable(a, service)
    a.close()
    desk.drain()
    chat(b, a.bare)
    desk.expect('<message><body>hello</body></message>')
    notified(service)


@each(['chat state', 'receipt', 'marker', 'headline', 'error', 'own', 'presence'])
def unimportant_things_are_not_told(stage, row):
    a, b, service = away(stage)
    states, receipts = 'http://jabber.org/protocol/chatstates', 'urn:xmpp:receipts'
    what = {
        'chat state': f'<message to="{a.bare}" type="chat"><composing xmlns="{states}"/></message>',
        'receipt': f'<message to="{a.bare}" type="chat"><received xmlns="{receipts}" id="x"/></message>',
        'marker': f'<message to="{a.bare}" type="chat"><displayed xmlns="urn:xmpp:chat-markers:0" id="x"/></message>',
        'headline': f'<message to="{a.bare}" type="headline"><body>news</body></message>',
        'error': f'<message to="{a.bare}" type="error"><body>x</body><error type="cancel"><gone xmlns="{STANZAS}"/></error></message>',
        'own': None,
        'presence': f'<presence to="{a.bare}"/>',
    }[row]
    if row == 'own':
        desk = stage.again(a)
        chat(desk, a.bare, 'note to myself')
        chat(desk, b.bare, 'to somebody')
        desk.ping()
    else:
        b.send(what)
    b.settle(a.bare)
    service.expect_nothing('<iq type="set"/>', after=(b,))
    chat(b, a.bare)
    equal(notified(service)['message-count'], ['1'])


@each(['call', 'invitation', 'encrypted', 'mention'])
def important_things_without_text_are_told(stage, row):
    a, b, service = away(stage)
    what = {
        'call': '<propose xmlns="urn:xmpp:jingle-message:0" id="c"/>',
        'invitation': f'<x xmlns="jabber:x:conference" jid="r@{stage.muc}"/>',
        'encrypted': '<encrypted xmlns="eu.siacs.conversations.axolotl"><payload>AA==</payload></encrypted><store xmlns="urn:xmpp:hints"/>',
        'mention': f'<mentions xmlns="urn:xmpp:mmn:0"><forwarded xmlns="{FORWARD}"><message xmlns="jabber:client" type="groupchat" '
                   f'from="r@{stage.muc}/x"><body>you</body></message></forwarded></mentions>',
    }[row]
    b.send(f'<message to="{a.bare}" type="chat">{what}</message>')
    notified(service)


def keys_for_encryption_alone_are_not_told(stage):
    a, b, service = away(stage)
    b.send(f'<message to="{a.bare}" type="chat"><encrypted xmlns="urn:xmpp:omemo:2"><header sid="1"/></encrypted></message>')
    b.settle(a.bare)
    service.expect_nothing('<iq type="set"/>', after=(b,))


def a_burst_is_two_notifications(stage):
    """Those that come together are told together, the rest a little later."""
    a, b, service = away(stage)
    for i in range(10):
        chat(b, a.bare, 'm%d' % i)
    counts = []
    while not counts or counts[-1] < 10:
        counts.append(int(notified(service)['message-count'][0]))
    check(len(counts) <= 2, counts)
    service.expect_nothing('<iq type="set"/>', after=(b,))


def a_session_that_waits_to_be_resumed_is_told(stage):
    a, b, service = away(stage, sm=True)
    chat(b, a.jid)
    notified(service)
    c = stage.client(a.account).authenticate()
    equal(c.resume(a).name, 'resumed')
    c.expect('<message><body>hello</body></message>')


def a_room_is_told_to_a_session_that_waits(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    a.enable_sm()
    b, room = create(stage, b, 'bert')
    join(a, room, 'anne')
    enable(a, service)
    a.abort()
    b.settle(a.bare)
    chat(b, room, 'hello all', 'groupchat')
    notified(service)


@on_server({'push.rooms': 'false'})
def of_rooms_only_what_names_the_user(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    a.enable_sm()
    b, room = create(stage, b, 'bert')
    join(a, room, 'anne')
    enable(a, service)
    a.abort()
    b.settle(a.bare)
    chat(b, room, 'hello all', 'groupchat')
    chat(b, room, 'anne: hello', 'groupchat')
    equal(notified(service)['message-count'], ['1'])
    service.expect_nothing('<iq type="set"/>', after=(b,))


@on_server({'push.wait': '0s'})
def an_inactive_client_that_does_not_acknowledge_is_told(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    a.enable_sm()
    a.auto_ack = False
    enable(a, service)
    a.send(f'<a xmlns="{SM}" h="{a.sm_in}"/>')
    a.send('<inactive xmlns="urn:xmpp:csi:0"/>')
    a.ping()
    a.send(f'<a xmlns="{SM}" h="{a.sm_in}"/>')
    chat(b, a.jid)
    a.expect('<message/>')
    notified(service)


@on_server({'push.wait': '1s'})
def a_dead_link_is_told(stage):
    """The server does not know yet that the client has gone; one that acknowledges is left alone."""
    a, b, service = stage.online(), stage.online(), stage.online()
    a.enable_sm()
    c = stage.again(a)
    c.enable_sm()
    enable(a, service, 'dead')
    enable(c, service, 'alive')
    chat(b, a.bare)
    c.expect('<message/>')
    c.send(f'<a xmlns="{SM}" h="{c.sm_in}"/>')
    c.ping()
    notified(service, 'dead')
    service.expect_nothing('<iq type="set"/>', after=(c,))


def the_count_begins_anew_when_the_client_was_here(stage):
    a, b, service = away(stage, sm=True)
    chat(b, a.jid, 'one')
    equal(notified(service)['message-count'], ['1'])
    c = stage.client(a.account).authenticate()
    c.resume(a)
    c.expect('<message/>')
    c.abort()
    b.settle(a.bare)
    chat(b, a.jid, 'two')
    equal(notified(service)['message-count'], ['1'])


def disabling_one_node(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service, 'one')
    enable(a, service, 'two')
    a.set(f'<disable xmlns="{PUSH}" jid="{service.jid}" node="one"/>')
    a.close()
    chat(b, a.bare)
    notified(service, 'two')
    service.expect_nothing('<iq type="set"/>', after=(b,))


def disabling_the_whole_service(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service, 'one')
    enable(a, service, 'two')
    a.set(f'<disable xmlns="{PUSH}" jid="{service.jid}"/>')
    a.set(f'<disable xmlns="{PUSH}" jid="{service.jid}"/>')
    a.close()
    chat(b, a.bare)
    b.settle(a.bare)
    service.expect_nothing('<iq type="set"/>', after=(b,))


def a_permanent_error_disables(stage):
    a, b, service = away(stage)
    chat(b, a.bare, 'one')
    notified(service, answer=('cancel', 'item-not-found'))
    service.ping()
    chat(b, a.bare, 'two')
    b.settle(a.bare)
    service.expect_nothing('<iq type="set"/>', after=(b,))
    c = stage.client(a.account).login()
    c.send('<presence/>')
    for body in ('one', 'two'):
        c.expect(f'<message><body>{body}</body></message>')


@each([('wait', 'resource-constraint'), ('cancel', 'internal-server-error'), ('wait', 'remote-server-timeout')])
def a_passing_error_does_not(stage, row):
    a, b, service = away(stage)
    chat(b, a.bare, 'one')
    notified(service, answer=row)
    chat(b, a.bare, 'two')
    notified(service)


@on_server({})
def it_survives_a_restart(stage):
    a, b, service = stage.online(), stage.online(), stage.client()
    service.connect()
    service.sasl()
    service.open()
    service.bind('app')
    enable(a, service, inner=form(OPTIONS, {'secret': 's'}))
    a.close()
    stage.server.restart()
    b2, s2 = stage.client(b.account).login(), stage.client(service.account).login('app')
    chat(b2, a.bare)
    notified(s2, inner='<publish-options><x xmlns="jabber:x:data"><field var="secret"><value>s</value></field></x></publish-options>')


def an_unreachable_service_loses_nothing(stage):
    a, b = stage.online(), stage.online()
    a.set(f'<enable xmlns="{PUSH}" jid="push.nowhere.invalid" node="n"/>')
    a.close()
    chat(b, a.bare, 'safe')
    b.settle(a.bare)
    c = stage.client(a.account).login()
    c.send('<presence/>')
    c.expect('<message><body>safe</body></message>')


@each(['', 'jid=""', 'jid="@"', 'jid="push.example" node="%s"' % ('n' * 1100)], lambda r: r[:20] or 'no jid')
def bad_requests_are_refused(stage, row):
    a = stage.online()
    a.refused('set', f'<enable xmlns="{PUSH}" {row}/>', 'bad-request')


def publish_options_are_bounded(stage):
    a = stage.online()
    x = form(OPTIONS, {'secret': 'x' * 5000})
    a.refused('set', f'<enable xmlns="{PUSH}" jid="push.example">{x}</enable>', 'bad-request')


def _component(stage, **kw):
    house(stage, **kw)
    return Component(stage).up()


def an_app_server_may_be_a_component(stage):
    """The way of the field: a service of its own, with a secret in the publish-options."""
    app = _component(stage)
    a, b = stage.online(), stage.online()
    a.set(f'<enable xmlns="{PUSH}" jid="{app.name}" node="n1">{form(OPTIONS, {"secret": "s"})}</enable>')
    a.close()
    chat(b, a.bare)
    iq = app.expect(f'<iq type="set" from="localhost" to="{app.name}"><pubsub xmlns="{PUBSUB}"><publish node="n1"><item>'
                    f'<notification xmlns="{PUSH}"/></item></publish></pubsub></iq>')
    app.send(f'<iq type="error" id="{iq["id"]}" from="{app.name}" to="localhost"><error type="cancel">'
             f'<item-not-found xmlns="{STANZAS}"/></error></iq>')
    app.send(f'<iq type="get" id="p" from="{app.name}" to="localhost">{PING}</iq>')
    app.expect('<iq id="p"/>')
    chat(b, a.bare, 'two')
    b.settle(a.bare)
    app.send(f'<iq type="get" id="q" from="{app.name}" to="localhost">{PING}</iq>')
    app.expect('<iq id="q"/>')
    check(not [e for e in app.queue if e.name == 'iq'], app.queue)


@each(['its own', "another's"])
def a_service_takes_its_permission_back(stage, row):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service)
    a.close()
    sender = service if row == 'its own' else b
    sender.send(f'<message to="{a.bare}"><pubsub xmlns="{PUBSUB}" node="n1"><affiliation jid="{a.bare}" affiliation="none"/></pubsub>'
                '</message>')
    sender.settle(a.bare)
    chat(b, a.bare)
    if row == 'its own':
        b.settle(a.bare)
        service.expect_nothing('<iq type="set"/>', after=(b,))
    else:
        notified(service)


def nobody_enables_it_for_others(stage):
    a, b = stage.online(), stage.online()
    a.refused('set', f'<enable xmlns="{PUSH}" jid="{a.jid}" node="n"/>', 'service-unavailable', b.bare)
    a.refused('set', f'<disable xmlns="{PUSH}" jid="{a.jid}" node="n"/>', 'service-unavailable', b.bare)


@each(['domain', 'account'])
def the_server_does_not_speak_to_its_own_in_its_name(stage, row):
    """Such an IQ would come from the server's own address."""
    a, b = stage.online(), stage.online()
    a.refused('set', f'<enable xmlns="{PUSH}" jid="{a.domain if row == "domain" else b.bare}" node="n"/>', 'not-allowed')


@each(['pubsub.localhost', 'conference.localhost', 'room@conference.localhost', 'room@conference.localhost/nick', 'upload.localhost'])
@on_server({'serverinfo.publish': 'true'})
def the_server_does_not_publish_for_users_at_its_own_services(stage, jid):
    """Its own address owns nodes there: a user would write into them."""
    a, b = stage.online(), stage.online()
    a.refused('set', f'<enable xmlns="{PUSH}" jid="{jid}" node="serverinfo"/>', 'not-allowed')
    a.close()
    chat(b, a.bare)
    b.settle(a.bare)
    got = b.get(f'<pubsub xmlns="{PUBSUB}"><items node="serverinfo"/></pubsub>', 'pubsub.localhost').all('pubsub/items/item')
    equal([i['id'] for i in got], ['current'])


def thousands_of_registrations_leave_the_newest(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    for i in range(300):
        enable(a, service, 'n%d' % i)
    a.close()
    chat(b, a.bare)
    nodes = set()
    for _ in range(16):
        iq = service.expect('<iq type="set"/>')
        nodes.add(iq.find('pubsub/publish')['node'])
    equal(nodes, {'n%d' % i for i in range(284, 300)})
    service.expect_nothing('<iq type="set"/>', after=(b,))


def a_false_answer_disables_nothing(stage):
    """Somebody else answers in the service's place."""
    a, b, service = away(stage)
    mallory = stage.online()
    chat(b, a.bare, 'one')
    iq = service.expect('<iq type="set"/>')
    mallory.send(f'<iq type="error" id="{iq["id"]}" to="{iq["from"]}"><error type="cancel"><gone xmlns="{STANZAS}"/></error></iq>')
    mallory.ping()
    service.send(f'<iq type="result" id="{iq["id"]}" to="{iq["from"]}"/>')
    chat(b, a.bare, 'two')
    notified(service)


def blocked_people_do_not_ring(stage):
    a, b, service = stage.online(), stage.online(), stage.online()
    enable(a, service)
    a.set(f'<block xmlns="{BLOCKING}"><item jid="{b.bare}"/></block>')
    a.close()
    chat(b, a.bare)
    b.settle(a.bare)
    service.expect_nothing('<iq type="set"/>', after=(b,))


def an_app_server_on_another_domain(stage):
    """The usual place of an app server: behind server-to-server."""
    world = World(stage)
    port = free_ports(1)[0]
    one = world.server('one.test')
    two = world.server('two.test', {'listen.component': '127.0.0.1:%d' % port, 'components.secrets': 'app.two.test a-long-secret'})
    world.dns.domain('app.two.test', two.s2s)
    two.ports['component'] = port
    stage.server = two
    app = Component(stage, name='app.two.test').up()
    a, b, far = stage.online(server=one), stage.online(server=one), stage.online(server=two)
    a.set(f'<enable xmlns="{PUSH}" jid="app.two.test" node="n1"/>')
    a.close()
    for sender in (b, far):
        chat(sender, a.bare)
        iq = app.expect(f'<iq type="set" from="one.test" to="app.two.test"><pubsub xmlns="{PUBSUB}"><publish node="n1"/></pubsub></iq>')
        app.send(f'<iq type="result" id="{iq["id"]}" from="app.two.test" to="one.test"/>')
    app.drop()
    chat(b, a.bare, 'safe')
    b.settle(a.bare)
    c = stage.client(a.account, server=one).login()
    c.send('<presence/>')
    for body in ('hello', 'hello', 'safe'):
        c.expect(f'<message><body>{body}</body></message>')
