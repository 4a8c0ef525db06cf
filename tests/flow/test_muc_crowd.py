# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose presence a room shows: muc#roomconfig_presencebroadcast, and crowds (docs/decisions/0009)."""
from rooms import *


def moderators_only(stage):
    return create(stage, settings={'muc#roomconfig_presencebroadcast': ['moderator']})


def roles_that_are_not_shown_see_themselves_only(stage):
    a, room = moderators_only(stage)
    b, c = stage.online(), stage.online()
    join(b, room, 'bert')
    b.drain(after=(a,))
    join(c, room, 'carl')
    for x in (a, b):
        x.expect_nothing(occupant(room, 'carl'), after=(c,))
    c.send(f'<presence to="{room}/carl" type="unavailable"/>')
    c.expect(occupant(room, 'carl', (110,), 'none', kind='unavailable'))
    a.expect_nothing(f'<presence from="{room}/carl"/>', after=(c,))


def moderators_are_shown(stage):
    a, room = moderators_only(stage)
    b = stage.online()
    b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'owner', role='moderator'))
    b.expect(occupant(room, 'bert', (110,)))
    a.set(set_role(a, room, 'bert', 'moderator'), room)
    a.expect(occupant(room, 'bert', role='moderator'))


def messages_of_the_unseen_arrive(stage):
    a, room = moderators_only(stage)
    b, c = stage.online(), stage.online()
    join(b, room, 'bert')
    join(c, room, 'carl')
    say(b, room, 'hello')
    for x in (a, b, c):
        heard(x, room, 'bert', 'hello')
    c.send(f'<message to="{room}/bert" type="chat"><body>psst</body></message>')
    b.expect(f'<message from="{room}/carl"><body>psst</body></message>')


def roles_that_are_shown_again_come_forward(stage):
    a, room = moderators_only(stage)
    b = stage.online()
    join(b, room, 'bert')
    a.drain(after=(b,))
    configure(a, room, {'muc#roomconfig_presencebroadcast': ['moderator', 'participant', 'visitor']})
    a.expect(occupant(room, 'bert', role='participant'))


def a_set_of_roles_has_known_words_only(stage):
    a, room = create(stage)
    a.refused('set', f'<query xmlns="{MUC_OWNER}">' + form(CONFIG, {'muc#roomconfig_presencebroadcast': ['king']}) + '</query>',
              'not-acceptable', room)


@on_server({'muc.crowd': '3', 'muc.crowd_shown': '1'})
def a_newcomer_to_a_crowd_is_shown_who_spoke_last(stage):
    room, a, b, c = party(stage, 3)
    say(b, room, 'hello')
    heard(a, room, 'n1', 'hello')
    d = stage.online()
    d.send(f'<presence to="{room}/dora"><x xmlns="{MUC}"/></presence>')
    d.expect(occupant(room, 'dora', (110,)))
    for nick in ('owner', 'n1'):
        d.expect(occupant(room, nick))
    d.expect_nothing(occupant(room, 'n2'), after=(a,))


@on_server({'muc.crowd': '3'})
def a_crowd_shows_moderators_and_speakers(stage):
    room, a, b, c = party(stage, 3)
    d, e = stage.online(), stage.online()
    d.send(f'<presence to="{room}/dora"><x xmlns="{MUC}"/></presence>')
    for nick in ('owner', 'n1', 'n2'):
        d.expect(occupant(room, nick))
    d.expect(occupant(room, 'dora', (110,)))
    a.expect_nothing(f'<presence from="{room}/dora"/>', after=(d,))
    say(d, room, 'now you see me')
    for x in (a, b, c):
        x.expect(occupant(room, 'dora'))
        heard(x, room, 'dora', 'now you see me')
    # The newcomer is shown as many as make a crowd: the moderator and who spoke last.
    e.send(f'<presence to="{room}/emil"><x xmlns="{MUC}"/></presence>')
    e.expect(occupant(room, 'owner'))
    e.expect(occupant(room, 'dora'))
    e.expect(occupant(room, 'emil', (110,)))
    e.drain(after=(d,))
    # Who was told of hears and is heard of at the end.
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    for x in (a, c, d):
        x.expect(occupant(room, 'n1', kind='unavailable'))


@on_server({'muc.crowd': '3'})
def a_crowd_that_went_home_is_a_room_again(stage):
    room, a, b, c = party(stage, 3)
    d, e = stage.online(), stage.online()
    join(d, room, 'dora')
    for x, nick in ((b, 'n1'), (c, 'n2')):
        x.send(f'<presence to="{room}/{nick}" type="unavailable"/>')
        x.expect(f'<presence from="{room}/{nick}" type="unavailable"/>')
    e.send(f'<presence to="{room}/emil"><x xmlns="{MUC}"/></presence>')
    for nick in ('owner', 'dora'):
        e.expect(occupant(room, nick))
    for x in (a, d):
        x.expect(occupant(room, 'emil'))
    d.send(f'<presence to="{room}/dora" type="unavailable"/>')
    e.expect(occupant(room, 'dora', kind='unavailable'))


@on_server({'muc.crowd': '2'})
def the_unseen_are_named_to_admins_and_can_be_kicked(stage):
    room, a, b = party(stage)
    c = stage.online()
    join(c, room, 'carl')
    check('carl' in [i['nick'] for i in a.get(f'<query xmlns="{MUC_ADMIN}"><item role="participant"/></query>', room).all('query/item')],
          'not listed')
    a.set(set_role(a, room, 'carl', 'none', 'enough'), room)
    c.expect(occupant(room, 'carl', (110, 307), 'none', kind='unavailable'))


@on_server({'muc.crowd': '2'})
def a_promoted_occupant_of_a_crowd_is_shown(stage):
    room, a, b = party(stage)
    c = stage.online()
    join(c, room, 'carl')
    a.set(set_role(a, room, 'carl', 'moderator'), room)
    for x in (a, b, c):
        x.expect(occupant(room, 'carl', role='moderator'))
