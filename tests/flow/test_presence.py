# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6121 §4: presence."""
from lib import *


def initial_presence_is_answered_with_the_contacts(stage):
    a, b = stage.friends()
    b2 = stage.again(b, 'second', 5)
    c = stage.client(a.account).login()
    c.present()
    c.expect(f'<presence from="{b.jid}" type="!"/>')
    c.expect(f'<presence from="{b2.jid}" type="!"><priority>5</priority></presence>')
    c.expect(f'<presence from="{a.jid}" type="!"/>')


def presence_is_reflected_to_the_own_resources(stage):
    a = stage.client().login()
    a.present('<show>away</show>')
    a.expect(f'<presence from="{a.jid}"><show>away</show></presence>')
    b = stage.client(a.account).login()
    b.present('<status>second</status>')
    a.expect(f'<presence from="{b.jid}"><status>second</status></presence>')
    b.expect(f'<presence from="{a.jid}"><show>away</show></presence>')


def updates_are_broadcast_with_their_payload(stage):
    a, b = stage.friends()
    b2 = stage.again(b)
    a.send('<presence id="up1" xml:lang="en"><show>xa</show><status>gone</status><status xml:lang="zh">走了</status>'
           '<priority>3</priority><x xmlns="urn:x:any"><y/></x></presence>')
    for c in (b, b2):
        c.expect(f'<presence from="{a.jid}" type="!" id="up1" xml:lang="en"><show>xa</show><status>gone</status>'
                 '<status xml:lang="zh">走了</status><priority>3</priority><x xmlns="urn:x:any"><y/></x></presence>')


def strangers_see_nothing(stage):
    a, b = stage.online(), stage.online()
    a.present('<show>away</show>')
    b.expect_nothing('<presence/>', after=[a])


def one_way_subscribers_see_and_are_not_seen(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.bare}" type="subscribe"/>')
    b.expect('<presence type="subscribe"/>')
    b.send(f'<presence to="{a.bare}" type="subscribed"/>')
    a.expect(f'<presence from="{b.jid}" type="!"/>')
    b.drain(after=[a])
    b.present('<show>dnd</show>')
    a.expect(f'<presence from="{b.jid}"><show>dnd</show></presence>')
    a.present('<show>dnd</show>')
    b.expect_nothing(f'<presence from="{a.jid}"/>', after=[a])


def unavailable_is_broadcast_with_its_status(stage):
    a, b = stage.friends()
    a.send('<presence type="unavailable"><status>going on vacation</status></presence>')
    b.expect(f'<presence from="{a.jid}" type="unavailable"><status>going on vacation</status></presence>')


def unavailable_is_broadcast_once(stage):
    a, b = stage.friends()
    a.send('<presence type="unavailable"/>')
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')
    a.close()
    b.expect_nothing('<presence type="unavailable"/>')


def an_unavailable_resource_gets_no_broadcasts(stage):
    a, b = stage.friends()
    b.send('<presence type="unavailable"/>')
    b.ping()
    b.drain(after=[a])
    a.present('<show>away</show>')
    b.expect_nothing(f'<presence from="{a.jid}"/>', after=[a])


def presence_after_unavailable_is_initial_again(stage):
    a, b = stage.friends()
    b.send('<presence type="unavailable"/>')
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    b.drain(after=[a])
    b.present()
    b.expect(f'<presence from="{a.jid}" type="!"/>')
    a.expect(f'<presence from="{b.jid}" type="!"/>')


@each(['close', 'drop', 'abort'])
def the_end_of_a_connection_is_broadcast(stage, how):
    a, b = stage.friends()
    getattr(a, how)()
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')


def a_stream_error_is_broadcast_as_unavailable(stage):
    a, b = stage.friends()
    a.raw('<broken')
    a.raw('<</>')
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')


# ---- directed presence (§4.6)

def directed_presence_reaches_strangers(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}"><status>hi</status></presence>')
    b.expect(f'<presence from="{a.jid}" to="{b.jid}"><status>hi</status></presence>')
    b.expect_nothing('<presence/>')


def directed_presence_to_a_bare_address_reaches_all_resources(stage):
    a, b = stage.online(), stage.online()
    b2 = stage.again(b)
    b.drain()
    a.send(f'<presence to="{b.bare}"><status>hi</status></presence>')
    for c in (b, b2):
        c.expect(f'<presence from="{a.jid}" to="{b.bare}"><status>hi</status></presence>')


def directed_unavailable_ends_it(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}" type="!"/>')
    a.send(f'<presence to="{b.jid}" type="unavailable"/>')
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')
    a.close()
    b.expect_nothing('<presence/>')


@each(['unavailable', 'close', 'abort'])
def going_away_tells_those_who_had_directed_presence(stage, how):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}"/>')
    if how == 'unavailable':
        a.send('<presence type="unavailable"/>')
    else:
        getattr(a, how)()
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')


def updates_do_not_go_to_those_who_had_directed_presence(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}"/>')
    a.present('<show>away</show>')
    b.expect_nothing('<presence/>', after=[a])


def directed_presence_works_before_initial_presence(stage):
    a, b = stage.client().login(), stage.online()
    a.send(f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}"/>')
    a.close()
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')


def who_went_offline_makes_place_for_others(stage):
    """§4.6.1: an entity that sends unavailable presence leaves the list of directed presence, which has its limit."""
    a, b = stage.online(), stage.online()
    c = stage.again(b)
    a.raw(''.join(f'<presence to="{b.bare}/none{i}"/>' for i in range(999)) + f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}" type="!"/>')
    a.send(f'<presence to="{c.jid}"/>')
    a.expect(f'<presence from="{c.jid}" type="error"/>')
    b.send(f'<presence to="{a.jid}" type="unavailable"/>')
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    a.send(f'<presence to="{c.jid}"/>')
    c.expect(f'<presence from="{a.jid}" type="!"/>')
    a.send(f'<presence to="{stage.online().jid}"/>')
    a.expect('<presence type="error"/>')


def directed_presence_allows_iqs_back(stage):
    """§8.5.3.1: who has the directed presence may send requests."""
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.jid}"/>')
    b.expect(f'<presence from="{a.jid}"/>')
    b.send(f'<iq type="get" id="now" to="{a.jid}">{PING}</iq>')
    a.expect(f'<iq type="get" id="now" from="{b.jid}"/>')


def presence_to_a_missing_resource_is_ignored(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.bare}/missing"/>')
    a.send('<presence to="nobody-there@localhost"/>')
    a.send('<presence to="nobody-there@localhost" type="unavailable"/>')
    a.expect_nothing('<presence/>')
    b.expect_nothing('<presence/>')


# ---- probes (§4.3)

def a_probe_of_a_subscriber_is_answered(stage):
    a, b = stage.friends()
    b.present('<show>chat</show>')
    a.drain(after=[b])
    a.send(f'<presence type="probe" to="{b.bare}"/>')
    a.expect(f'<presence from="{b.jid}" type="!"><show>chat</show></presence>')


def a_probe_of_a_stranger_leaks_nothing(stage):
    """§4.3.2: unsubscribed, or nothing."""
    a, b = stage.online(), stage.online()
    a.send(f'<presence type="probe" to="{b.bare}"/>')
    a.send(f'<presence type="probe" to="{b.jid}"/>')
    a.send('<presence type="probe" to="nobody-there@localhost"/>')
    for el in a.drain(after=[b]):
        check(el.name != 'presence' or el['type'] == 'unsubscribed', 'probe of a stranger answered with %s' % el)
    b.expect_nothing('<presence/>')


def a_probe_is_never_delivered_to_clients(stage):
    a, b = stage.friends()
    a.send(f'<presence type="probe" to="{b.bare}"/>')
    b.expect_nothing('<presence type="probe"/>', after=[a])


def a_probe_of_an_offline_contact_tells_at_most_unavailable(stage):
    a, b = stage.friends()
    b.close()
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    a.send(f'<presence type="probe" to="{b.bare}"/>')
    for el in a.drain():
        check(el.name != 'presence' or el['type'] == 'unavailable', el)


# ---- priority (§4.7.2.3)

@each([-128, -1, 0, 1, 127])
def good_priorities_are_accepted(stage, n):
    a, b = stage.friends()
    a.present('', n)
    b.expect(f'<presence from="{a.jid}" type="!"><priority>{n}</priority></presence>')


@each(['-129', '128', 'high', '1.5', '99999999999999'])
def bad_priorities_do_not_end_the_session(stage, text):
    a = stage.client().login()
    a.send(f'<presence id="p"><priority>{text}</priority></presence>')
    a.ping()
    for el in a.drain():
        if el.name == 'presence' and el['type'] == 'error':
            equal(el.error, 'bad-request')


def a_resource_of_negative_priority_sees_presence(stage):
    a, b = stage.friends()
    a2 = stage.again(a, 'quiet', -5)
    b.present('<show>xa</show>')
    a2.expect(f'<presence from="{b.jid}"><show>xa</show></presence>')


@each(['invisible', 'error2', ''])
def an_unknown_type_is_a_bad_request_or_ignored(stage, kind):
    a, b = stage.friends()
    a.send(f'<presence type="{kind or "x"}" id="odd"/>')
    for el in a.drain():
        if el.name == 'presence' and el['id'] == 'odd':
            equal(el.error, 'bad-request')
    b.expect_nothing('<presence id="odd"/>', after=[a])
    a.ping()


def presence_errors_do_not_loop(stage):
    a, b = stage.friends()
    a.send(f'<presence type="error" to="{b.bare}" id="e"><error type="cancel"><gone xmlns="{STANZAS}"/></error></presence>')
    a.send('<presence type="error" id="e2"/>')
    a.ping()
    b.ping()


def presence_of_two_hundred_contacts_arrives(stage):
    """One user's presence to many; here by many resources of one contact."""
    a, b = stage.friends()
    more = [stage.client(b.account).login() for _ in range(8)]
    for c in more:
        c.present()
    for c in more:
        a.expect(f'<presence from="{c.jid}" type="!"/>')
    a.present('<show>dnd</show>')
    for c in more:
        c.expect(f'<presence from="{a.jid}"><show>dnd</show></presence>')
