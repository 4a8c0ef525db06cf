# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0191 1.3."""
from lib import *


def block(c, *jids):
    return c.set(f'<block xmlns="{BLOCKING}">%s</block>' % ''.join(f'<item jid="{j}"/>' for j in jids))


def unblock(c, *jids):
    return c.set(f'<unblock xmlns="{BLOCKING}">%s</unblock>' % ''.join(f'<item jid="{j}"/>' for j in jids))


def blocked(c):
    return sorted(i['jid'] for i in c.get(f'<blocklist xmlns="{BLOCKING}"/>').find('blocklist').all('item'))


def it_is_announced(stage):
    a = stage.online()
    check(BLOCKING in disco(a, 'localhost')[0], 'not announced')


def the_list_is_kept(stage):
    a = stage.online()
    equal(blocked(a), [])
    block(a, 'x@localhost', 'y@localhost')
    equal(blocked(a), ['x@localhost', 'y@localhost'])
    block(a, 'y@localhost', 'spam.example')
    equal(blocked(stage.again(a)), ['spam.example', 'x@localhost', 'y@localhost'])
    unblock(a, 'x@localhost')
    equal(blocked(a), ['spam.example', 'y@localhost'])
    unblock(a)
    equal(blocked(a), [])


def changes_are_pushed_to_those_who_asked_for_the_list(stage):
    a = stage.online()
    b, c = stage.again(a), stage.again(a)
    blocked(a)
    blocked(b)
    a.drain()
    block(a, 'x@localhost')
    for who in (a, b):
        got = who.expect(f'<iq type="set"><block xmlns="{BLOCKING}"><item jid="x@localhost"/></block></iq>')
        check(got['from'] in (None, a.bare), got)
    unblock(a, 'x@localhost')
    b.expect(f'<iq type="set"><unblock xmlns="{BLOCKING}"><item jid="x@localhost"/></unblock></iq>')
    unblock(a)
    b.expect(f'<iq type="set"><unblock xmlns="{BLOCKING}"/></iq>')
    c.expect_nothing('<iq type="set"/>', after=[a])


def an_empty_block_is_a_bad_request(stage):
    a = stage.online()
    a.refused('set', f'<block xmlns="{BLOCKING}"/>', 'bad-request')


def a_malformed_address_is_refused(stage):
    a = stage.online()
    a.refused('set', f'<block xmlns="{BLOCKING}"><item jid="@@x"/></block>', 'jid-malformed|bad-request')
    a.refused('set', f'<block xmlns="{BLOCKING}"><item/></block>', 'bad-request|jid-malformed')
    equal(blocked(a), [])


def foreign_lists_are_closed(stage):
    a, b = stage.online(), stage.online()
    a.refused('get', f'<blocklist xmlns="{BLOCKING}"/>', 'forbidden|service-unavailable|not-allowed', b.bare)
    a.refused('set', f'<block xmlns="{BLOCKING}"><item jid="x@localhost"/></block>', 'forbidden|service-unavailable|not-allowed', b.bare)
    equal(blocked(b), [])


def presence_ends_at_blocking_and_comes_back(stage):
    """§3.3: unavailable to the blocked contact; §3.4: presence again after unblocking."""
    a, b = stage.friends()
    block(a, b.bare)
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')
    a.present('<show>away</show>')
    b.expect_nothing(f'<presence from="{a.jid}"/>', after=[a])
    b.present('<show>dnd</show>')
    a.expect_nothing(f'<presence from="{b.jid}"><show>dnd</show></presence>', after=[b])
    unblock(a, b.bare)
    b.expect(f'<presence from="{a.jid}" type="!"/>')


def the_blocked_contact_cannot_send(stage):
    """§3.3: message: service-unavailable; presence: silence; IQ: service-unavailable."""
    a, b = stage.friends()
    block(a, b.bare)
    b.drain(after=[a])
    a.drain()
    for to in (a.bare, a.jid):
        b.send(f'<message to="{to}" type="chat" id="bm"><body>hello?</body></message>')
        got = b.expect(f'<message id="bm" type="error" from="{to}"/>')
        equal(got.error, 'service-unavailable')
        b.refused('get', PING, 'service-unavailable', to)
        b.send(f'<presence to="{to}" id="bp"><status>look</status></presence>')
    b.send(f'<presence to="{a.bare}" type="subscribe"/>')
    b.send(f'<presence to="{a.bare}" type="probe"/>')
    b.send(f'<message to="{a.bare}" type="headline" id="bh"><body>x</body></message>')
    a.expect_nothing(after=[b])
    b.expect_nothing('<presence/>')


def blocked_senders_do_not_learn_it_from_errors(stage):
    """The answer is the one that a missing resource or account gives."""
    a, b = stage.online(), stage.online()
    b.send('<message to="nobody-there@localhost/x" type="chat" id="m"><body>x</body></message>')
    block(a, b.bare)
    b.send(f'<message to="{a.jid}" type="chat" id="m2"><body>x</body></message>')
    err = b.expect('<message id="m2" type="error"/>')
    check(err.find('error/blocked') is None, 'the error says that the sender is blocked')


def the_user_cannot_send_to_the_blocked(stage):
    """§3.5: not-acceptable with <blocked/>."""
    a, b = stage.friends()
    block(a, b.bare)
    b.drain(after=[a])
    a.drain()
    for stanza in (f'<message to="{b.bare}" type="chat" id="out"><body>x</body></message>',
                   f'<message to="{b.jid}" type="chat" id="out"><body>x</body></message>',
                   f'<iq to="{b.jid}" type="get" id="out">{PING}</iq>'):
        a.send(stanza)
        name = stanza[1:].split()[0]
        a.expect(f'<{name} id="out" type="error"><error><not-acceptable xmlns="{STANZAS}"/>'
                 f'<blocked xmlns="{BLOCKING}:errors"/></error></{name}>')
    b.expect_nothing('<message/>', after=[a])


def errors_to_the_blocked_are_dropped_not_answered(stage):
    a, b = stage.online(), stage.online()
    block(a, b.bare)
    a.send(f'<message to="{b.bare}" type="error" id="e"><error type="cancel"><gone xmlns="{STANZAS}"/></error></message>')
    a.expect_nothing('<message/>')


def a_whole_domain_can_be_blocked(stage):
    a, b = stage.online(), stage.online()
    block(a, 'other.example')
    b.send(f'<message to="{a.jid}" type="chat" id="ok"><body>x</body></message>')
    a.expect('<message id="ok"/>')


def the_own_domain_as_item_blocks_its_users(stage):
    """§2.1: <domain> matches the domain itself, any user@domain and any resource there; the own account stays usable."""
    a, b = stage.online(), stage.online()
    block(a, 'localhost')
    b.send(f'<message to="{a.jid}" type="chat" id="no"><body>x</body></message>')
    b.expect('<message id="no" type="error"/>')
    equal(blocked(a), ['localhost'])
    unblock(a)
    b.send(f'<message to="{a.jid}" type="chat" id="yes"><body>x</body></message>')
    a.expect('<message id="yes"/>')


def a_full_address_blocks_this_resource_only(stage):
    a, b = stage.online(), stage.online()
    b2 = stage.again(b)
    block(a, b.jid)
    b.send(f'<message to="{a.jid}" type="chat" id="no"><body>x</body></message>')
    b.expect('<message id="no" type="error"/>')
    b2.send(f'<message to="{a.jid}" type="chat" id="yes"><body>x</body></message>')
    a.expect(f'<message id="yes" from="{b2.jid}"/>')
    a.expect_nothing('<message/>')


def offline_messages_of_the_blocked_are_refused(stage):
    a, b = stage.online(), stage.online()
    block(a, b.bare)
    a.close()
    b.send(f'<message to="{a.bare}" type="chat" id="no"><body>x</body></message>')
    b.expect('<message id="no" type="error"/>')
    c = stage.client(a.account).login()
    c.present()
    c.expect_nothing('<message/>')


def blocking_holds_for_every_resource_and_after_login(stage):
    a, b = stage.online(), stage.online()
    block(a, b.bare)
    a2 = stage.again(a)
    a.close()
    b.send(f'<message to="{a2.jid}" type="chat" id="no"><body>x</body></message>')
    b.expect('<message id="no" type="error"/>')
    a2.expect_nothing('<message/>', after=[b])


def the_list_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    block(a, b.bare)
    server.restart()
    a2 = stage.client(a.account, server=server).online()
    b2 = stage.client(b.account, server=server).online()
    equal(blocked(a2), [b.bare])
    b2.send(f'<message to="{a2.jid}" type="chat" id="no"><body>x</body></message>')
    b2.expect('<message id="no" type="error"/>')


def carbons_of_blocked_messages_are_not_sent(stage):
    a, b = stage.online(), stage.online()
    a2 = stage.again(a)
    a2.set(f'<enable xmlns="{CARBONS}"/>')
    block(a, b.bare)
    b.send(f'<message to="{a.jid}" type="chat" id="no"><body>x</body></message>')
    b.expect('<message id="no" type="error"/>')
    a2.expect_nothing('<message/>', after=[b])


def invitations_of_the_blocked_to_a_room_do_not_arrive(stage):
    a, b = stage.online(), stage.online()
    block(a, b.bare)
    b.send(f'<message to="{a.bare}"><x xmlns="jabber:x:conference" jid="r@{stage.muc}"/></message>')
    a.expect_nothing('<message/>', after=[b])
