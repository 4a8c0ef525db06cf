# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045: rooms that have moved (§10.9), invitations that find nobody (§7.8.2), voice that lasts (§5.1), who makes rooms (§10.1.1)."""
from rooms import *


def destroyed(a, room, venue=None):
    jid = f' jid="{venue}"' if venue else ''
    a.set(f'<query xmlns="{MUC_OWNER}"><destroy{jid}><reason>Storm</reason></destroy></query>', room)


def who_comes_late_is_sent_to_the_new_venue(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    venue = stage.room_name()
    destroyed(a, room, venue)
    for x, nick in ((a, 'owner'), (b, 'n1')):
        x.expect(f'<presence from="{room}/{nick}" type="unavailable"><x xmlns="{MUC_USER}"><destroy jid="{venue}"><reason>Storm</reason></destroy></x></presence>')
    c = stage.online()
    err = refused_join(c, room, 'carl', 'gone')
    equal(err.textof('error/gone', STANZAS), f'xmpp:{venue}?join')
    c.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)
    enter(a, room, 'owner', codes=(201,))  # who had it may have it again
    configure(a, room)
    join(c, room, 'carl')


def a_room_without_a_venue_leaves_its_name(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    destroyed(a, room)
    enter(stage.online(), room, 'carl', codes=(201,))


def the_new_venue_outlives_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    destroyed(a, room, 'new@' + stage.muc)
    stage.server.restart()
    refused_join(stage.online(), room, 'carl', 'gone')


def an_invitation_to_nobody_is_told(stage):
    room, a, b = party(stage)
    b.send(f'<message to="{room}" id="i1"><x xmlns="{MUC_USER}"><invite to="no-such-one@{stage.domain}"/></x></message>')
    b.expect(f'<message from="{room}" type="error" id="i1"><error><item-not-found xmlns="{STANZAS}"/></error></message>')
    a.expect_nothing(f'<message from="{room}" type="error"/>', after=(b,))


def forged_failures_are_not_told(stage):
    room, a, b = party(stage)
    c = stage.online()
    b.send(f'<message to="{room}" id="i1"><x xmlns="{MUC_USER}"><invite to="{stage.online().bare}"/></x></message>')
    c.send(f'<message to="{room}" type="error" id="i1"><error type="cancel"><item-not-found xmlns="{STANZAS}"/></error></message>')
    b.expect_nothing(f'<message from="{room}" type="error"/>', after=(c,))


def voice_outlasts_a_visit_and_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    room, a, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1', 'muc#roomconfig_persistentroom': '1'})
    a.set(set_role(a, room, 'n1', 'participant'), room)
    b.expect(occupant(room, 'n1', role='participant'))
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b.expect(f'<presence from="{room}/n1" type="unavailable"/>')
    b.send(f'<presence to="{room}/n2"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'n2', (110,), role='participant'))
    stage.server.restart()
    b = stage.again(b)
    b.send(f'<presence to="{room}/n3"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'n3', (110,), role='participant'))


def voice_that_was_taken_stays_away(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1'})
    a.set(set_affiliation(room, b.bare, 'member'), room)
    b.expect(occupant(room, 'n1', role='participant'))
    a.set(set_role(a, room, 'n1', 'visitor'), room)
    b.expect(occupant(room, 'n1', role='visitor'))
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b.expect(f'<presence from="{room}/n1" type="unavailable"/>')
    b.send(f'<presence to="{room}/n1"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'n1', (110,), role='visitor'))


def voice_is_asked_for_and_given(stage):
    """§7.13, §8.6."""
    room, a, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1'})
    ask = f'<message to="{room}" id="%s">{form(MUC + "#request", {"muc#role": "participant"})}</message>'
    b.send(ask % 'v1')
    got = fields(a.expect(f'<message from="{room}"><x xmlns="{DATA}" type="form"/></message>').find('x', DATA))
    equal((got['muc#role'], got['muc#jid'], got['muc#roomnick'], got['muc#request_allow']), (['participant'], [b.jid], ['n1'], ['false']))
    b.send(ask % 'v2')  # moderators are not flooded
    b.expect(f'<message type="error" id="v2"><error type="wait"><resource-constraint xmlns="{STANZAS}"/></error></message>')
    got['muc#request_allow'] = 'true'
    b.send(f'<message to="{room}" id="me">{form(MUC + "#request", {k: v for k, v in got.items() if k != "FORM_TYPE"})}</message>')
    b.expect(f'<message type="error" id="me"><error><forbidden xmlns="{STANZAS}"/></error></message>')
    a.send(f'<message to="{room}">{form(MUC + "#request", {k: v for k, v in got.items() if k != "FORM_TYPE"})}</message>')
    for x in (a, b):
        x.expect(occupant(room, 'n1', role='participant'))


@on_server({'muc.create': 'nobody'})
def rooms_are_not_made_where_nobody_may(stage):
    refused_join(stage.online(), stage.room_name(), 'anne', 'not-allowed')
