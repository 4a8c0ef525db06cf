# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6121 §3 and appendix A: every subscription state of two local users, every action.

A user U and a contact C on one server are always in mirrored states, so each row of the outbound tables (A.2) at U is
played together with the row of the inbound tables (A.3) at C that it meets.
"""
from lib import *

# name: (subscription, ask, pending in)
STATES = {
    'none': ('none', False, False),
    'none+out': ('none', True, False),
    'none+in': ('none', False, True),
    'none+out+in': ('none', True, True),
    'to': ('to', False, False),
    'to+in': ('to', False, True),
    'from': ('from', False, False),
    'from+out': ('from', True, False),
    'both': ('both', False, False),
}
MIRROR = {'none': 'none', 'none+out': 'none+in', 'none+in': 'none+out', 'none+out+in': 'none+out+in', 'to': 'from',
          'to+in': 'from+out', 'from': 'to', 'from+out': 'to+in', 'both': 'both'}
# How user (u) and contact (c) get there from nothing.
STEPS = {
    'none': '',
    'none+out': 'u:subscribe',
    'none+in': 'c:subscribe',
    'none+out+in': 'u:subscribe c:subscribe',
    'to': 'u:subscribe c:subscribed',
    'to+in': 'u:subscribe c:subscribed c:subscribe',
    'from': 'c:subscribe u:subscribed',
    'from+out': 'c:subscribe u:subscribed u:subscribe',
    'both': 'u:subscribe c:subscribed c:subscribe u:subscribed',
}
# Appendix A.2 at the user and A.3 at the contact: action, state -> (user's new state, delivered to the contact).
# The contact's new state is the mirror.
OUT = {
    'subscribe': {
        'none': ('none+out', True), 'none+out': ('none+out', False), 'none+in': ('none+out+in', True),
        'none+out+in': ('none+out+in', False), 'to': ('to', False), 'to+in': ('to+in', False),
        'from': ('from+out', True), 'from+out': ('from+out', False), 'both': ('both', False)},
    'unsubscribe': {
        'none': ('none', False), 'none+out': ('none', True), 'none+in': ('none+in', False),
        'none+out+in': ('none+in', True), 'to': ('none', True), 'to+in': ('none+in', True),
        'from': ('from', False), 'from+out': ('from', True), 'both': ('from', True)},
    'subscribed': {
        'none': ('none', False), 'none+out': ('none+out', False), 'none+in': ('from', True),
        'none+out+in': ('from+out', True), 'to': ('to', False), 'to+in': ('both', True),
        'from': ('from', False), 'from+out': ('from+out', False), 'both': ('both', False)},
    'unsubscribed': {
        'none': ('none', False), 'none+out': ('none+out', False), 'none+in': ('none', True),
        'none+out+in': ('none+out', True), 'to': ('to', False), 'to+in': ('to', True),
        'from': ('none', True), 'from+out': ('none+out', True), 'both': ('to', True)},
}
ROWS = [(state, action) for action in OUT for state in STATES]


def act(who, other, kind):
    who.send(f'<presence to="{other.bare}" type="{kind}"/>')


def settle(u, c):
    u.drain(after=[c])
    c.drain(after=[u])


def reach(u, c, state):
    for step in STEPS[state].split():
        who, kind = step.split(':')
        act(*((u, c) if who == 'u' else (c, u)), kind)
        u.ping()
        c.ping()
    settle(u, c)


def visible(c, peer):
    """(subscription, ask) of the peer in the roster."""
    query = c.get(f'<query xmlns="{ROSTER}"/>').find('query')
    for item in query.all('item'):
        if item['jid'] == peer.bare:
            return item['subscription'], item['ask'] == 'subscribe'
    return None


def check_state(stage, c, peer, state, what):
    sub, ask, pending = STATES[state]
    have = visible(c, peer)
    if state in ('none', 'none+in'):
        check(have in (None, ('none', False)), '%s: roster says %s, wanted state %s' % (what, have, state))
    else:
        equal(have, (sub, ask), '%s: roster item in state %s' % (what, state))
    # A pending request is shown again to each new available resource (§3.1.3).
    new = stage.client(c.account).login()
    new.present()
    shown = [e for e in new.drain() if e.name == 'presence' and e['type'] == 'subscribe' and e['from'] == peer.bare]
    equal(bool(shown), pending, '%s: pending request shown to a new resource' % what)


@each(ROWS, lambda r: '%s in %s' % (r[1], r[0]))
def follows_appendix_a(stage, row):
    state, action = row
    u, c = stage.online(), stage.online()
    reach(u, c, state)
    new, delivered = OUT[action][state]
    act(u, c, action)
    u.ping()
    got = [e for e in c.drain(after=[u]) if e.name == 'presence' and e['type'] == action and e['from'] == u.bare]
    equal(len(got), 1 if delivered else 0, 'times "%s" was delivered to the contact' % action)
    u.drain()
    check_state(stage, u, c, new, 'user')
    check_state(stage, c, u, MIRROR[new], 'contact')


def a_request_is_stamped_with_the_bare_address(stage):
    """§3.1.2: also when sent to or from a full one."""
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}" type="subscribe" id="r1"/>')
    b.expect(f'<presence from="{a.bare}" to="{b.bare}" type="subscribe" id="r1"/>')


def a_request_keeps_its_payload(stage):
    """§3.1.3: the server delivers (and stores) the complete stanza."""
    a = stage.online()
    acc = stage.account()
    a.send(f'<presence to="{acc.jid}" type="subscribe"><status>please</status><nick xmlns="http://jabber.org/protocol/nick">Anne</nick></presence>')
    a.ping()
    b = stage.client(acc).login()
    b.present()
    b.expect(f'<presence from="{a.bare}" type="subscribe"><status>please</status><nick xmlns="http://jabber.org/protocol/nick">Anne</nick></presence>')


def a_request_reaches_every_available_resource(stage):
    a, b = stage.online(), stage.online()
    b2 = stage.again(b)
    act(a, b, 'subscribe')
    b.expect(f'<presence type="subscribe" from="{a.bare}"/>')
    b2.expect(f'<presence type="subscribe" from="{a.bare}"/>')


def a_repeated_request_is_stored_once(stage):
    a, acc = stage.online(), stage.account()
    for _ in range(3):
        a.send(f'<presence to="{acc.jid}" type="subscribe"/>')
    a.ping()
    b = stage.client(acc).login()
    b.present()
    got = [e for e in b.drain() if e['type'] == 'subscribe']
    equal(len(got), 1, 'requests delivered')


def an_unanswered_request_comes_again_at_each_login(stage):
    a, acc = stage.online(), stage.account()
    a.send(f'<presence to="{acc.jid}" type="subscribe"/>')
    a.ping()
    for _ in range(2):
        b = stage.client(acc).login()
        b.present()
        b.expect(f'<presence type="subscribe" from="{a.bare}"/>')
        b.close()


def an_answered_request_does_not_come_again(stage):
    a, b = stage.online(), stage.online()
    for answer in ('subscribed', 'unsubscribed'):
        act(a, b, 'subscribe')
        b.expect(f'<presence type="subscribe" from="{a.bare}"/>')
        act(b, a, answer)
        a.expect(f'<presence type="{answer}" from="{b.bare}"/>')
        c = stage.client(b.account).login()
        c.present()
        c.expect_nothing('<presence type="subscribe"/>')
        if answer == 'subscribed':
            act(a, b, 'unsubscribe')
            settle(a, b)


def approval_brings_the_presence_of_all_resources(stage):
    """§3.1.6."""
    a, b = stage.online(), stage.online()
    b2 = stage.again(b)
    act(a, b, 'subscribe')
    b.expect('<presence type="subscribe"/>')
    act(b, a, 'subscribed')
    a.expect(f'<presence from="{b.bare}" type="subscribed"/>')
    a.expect(f'<presence from="{b.jid}" type="!"/>')
    a.expect(f'<presence from="{b2.jid}" type="!"/>')


def approval_pushes_both_rosters(stage):
    a, b = stage.online(), stage.online()
    act(a, b, 'subscribe')
    a.expect(f'<iq type="set"><query xmlns="{ROSTER}"><item jid="{b.bare}" subscription="none" ask="subscribe"/></query></iq>')
    b.expect('<presence type="subscribe"/>')
    b.expect_nothing(f'<iq type="set"><query xmlns="{ROSTER}"/></iq>')
    act(b, a, 'subscribed')
    b.expect(f'<iq type="set"><query xmlns="{ROSTER}"><item jid="{a.bare}" subscription="from" ask="!"/></query></iq>')
    a.expect(f'<iq type="set"><query xmlns="{ROSTER}"><item jid="{b.bare}" subscription="to" ask="!"/></query></iq>')


def cancelling_ends_the_view_of_presence(stage):
    """§3.2.2, §3.3.3: unavailable from every resource."""
    a, b = stage.friends()
    act(b, a, 'unsubscribed')
    a.expect(f'<presence from="{b.bare}" type="unsubscribed"/>')
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    b.present('<show>dnd</show>')
    a.expect_nothing(f'<presence from="{b.jid}"/>', after=[b])
    a.present('<show>away</show>')
    b.expect(f'<presence from="{a.jid}"><show>away</show></presence>')


def unsubscribing_ends_the_view_of_presence(stage):
    a, b = stage.friends()
    act(a, b, 'unsubscribe')
    b.expect(f'<presence from="{a.bare}" type="unsubscribe"/>')
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    b.present('<show>dnd</show>')
    a.expect_nothing(f'<presence from="{b.jid}"><show>dnd</show></presence>', after=[b])


def a_pre_approval_is_noted_and_used(stage):
    """§3.4."""
    a, b = stage.online(), stage.online()
    act(b, a, 'subscribed')
    a.expect_nothing('<presence type="subscribed"/>', after=[b])
    b.expect(f'<iq type="set"><query xmlns="{ROSTER}"><item jid="{a.bare}" subscription="none" approved="~true|1"/></query></iq>')
    act(a, b, 'subscribe')
    a.expect(f'<presence type="subscribed" from="{b.bare}"/>')
    a.expect(f'<presence from="{b.jid}" type="!"/>')
    b.expect_nothing('<presence type="subscribe"/>')
    equal(visible(a, b), ('to', False))
    equal(visible(b, a), ('from', False))


def a_pre_approval_works_while_the_contact_is_offline(stage):
    a, b = stage.online(), stage.online()
    act(b, a, 'subscribed')
    b.ping()
    b.close()
    act(a, b, 'subscribe')
    a.expect(f'<presence type="subscribed" from="{b.bare}"/>')


def a_pre_approval_can_be_cancelled(stage):
    a, b = stage.online(), stage.online()
    act(b, a, 'subscribed')
    b.ping()
    act(b, a, 'unsubscribed')
    a.expect_nothing('<presence type="unsubscribed"/>', after=[b])
    b.drain()
    act(a, b, 'subscribe')
    b.expect(f'<presence type="subscribe" from="{a.bare}"/>')
    a.expect_nothing('<presence type="subscribed"/>', after=[b])


def subscribing_to_oneself_does_no_harm(stage):
    a = stage.online()
    act(a, a, 'subscribe')
    a.drain()
    act(a, a, 'unsubscribe')
    a.drain()
    a.ping()


def requests_to_unknown_accounts_are_silently_ignored(stage):
    """§8.5.1."""
    a = stage.online()
    for kind in ('subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'):
        a.send(f'<presence to="nobody-there@localhost" type="{kind}"/>')
    a.expect_nothing('<presence/>')


def requests_wait_for_the_contact_offline(stage):
    a, b = stage.online(), stage.online()
    reach(a, b, 'none+out')
    b.close()
    a.close()
    b = stage.client(b.account).login()
    b.present()
    b.expect(f'<presence type="subscribe" from="{a.bare}"/>')
    act(b, a, 'subscribed')
    b.ping()
    a = stage.client(a.account).login()
    a.get(f'<query xmlns="{ROSTER}"/>')
    a.present()
    a.expect(f'<presence from="{b.jid}" type="!"/>')
    equal(visible(a, b), ('to', False))


def states_survive_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    c = stage.client(server.account(), server=server).online()
    befriend(a, b)
    act(c, a, 'subscribe')
    a.expect(f'<presence type="subscribe" from="{c.bare}"/>')
    server.restart()
    a2 = stage.client(a.account, server=server).login()
    a2.get(f'<query xmlns="{ROSTER}"/>')
    a2.present()
    a2.expect(f'<presence type="subscribe" from="{c.bare}"/>')
    b2 = stage.client(b.account, server=server).login()
    b2.present()
    b2.expect(f'<presence from="{a2.jid}" type="!"/>')
    a2.expect(f'<presence from="{b2.jid}" type="!"/>')
