# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0313 over a room's archive (§5.1.2 there), stanza-ids in rooms."""
from rooms import *
from test_archive import bodies, complete, query, rsm


def it_is_announced(stage):
    a, room = create(stage)
    features, _ = disco(a, room)
    check(MAM in features and MAM + '#extended' in features, features)


def what_was_said_can_be_read(stage):
    room, owner, b = party(stage)
    for i in range(5):
        say((owner, b)[i % 2], room, 'r%d' % i)
        heard(owner, room, ('owner', 'n1')[i % 2], 'r%d' % i)
    rows, fin = query(b, to=room)
    equal(bodies(rows), ['r%d' % i for i in range(5)])
    equal([m['from'] for _, m in rows], [room + ('/owner', '/n1')[i % 2] for i in range(5)])
    check(all(m['type'] == 'groupchat' for _, m in rows), 'type')
    check(complete(fin), fin)


def live_messages_carry_the_rooms_id(stage):
    room, owner, b = party(stage)
    say(owner, room, 'x')
    ids = set()
    for c in (owner, b):
        got = heard(c, room, 'owner', 'x')
        mine = [s for s in got.all('stanza-id') if s['by'] == room]
        equal(len(mine), 1, 'stanza-ids by the room')
        ids.add(mine[0]['id'])
    rows, _ = query(b, to=room)
    equal(ids, {rows[0][0]})


def forged_ids_by_the_room_are_removed(stage):
    room, owner, b = party(stage)
    say(b, room, 'x', f'<stanza-id xmlns="{SID}" by="{room}" id="forged"/>')
    got = heard(owner, room, 'n1', 'x')
    check('forged' not in [s['id'] for s in got.all('stanza-id')], got)


def pages_go_forward_and_backward(stage):
    room, owner, b = party(stage)
    for i in range(7):
        say(owner, room, 'p%d' % i)
    heard(b, room, 'owner', 'p6')
    rows, fin = query(b, None, rsm('<max>3</max>'), room)
    equal(bodies(rows), ['p0', 'p1', 'p2'])
    rows, fin = query(b, None, rsm(f'<max>3</max><after>{fin.textof("set/last")}</after>'), room)
    equal(bodies(rows), ['p3', 'p4', 'p5'])
    rows, fin = query(b, None, rsm('<max>2</max><before/>'), room)
    equal(bodies(rows), ['p5', 'p6'])


def history_on_entering_carries_the_archive_id(stage):
    room, owner, b = party(stage)
    say(owner, room, 'x')
    live = heard(b, room, 'owner', 'x')
    c = stage.online()
    enter(c, room, 'carl')
    old = c.expect('<message id="x"/>')
    equal([s['id'] for s in old.all('stanza-id') if s['by'] == room], [s['id'] for s in live.all('stanza-id') if s['by'] == room])


def those_outside_a_members_only_room_cannot_read(stage):
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    say(a, room, 'secret')
    heard(a, room, 'owner', 'secret')
    b = stage.online()
    query(b, to=room, answer='forbidden|not-allowed|registration-required')
    a.set(set_affiliation(room, b.bare, 'member'), room)
    equal(bodies(query(b, to=room)[0]), ['secret'])


def outcasts_cannot_read(stage):
    room, owner, b = party(stage)
    say(owner, room, 'x')
    heard(b, room, 'owner', 'x')
    owner.set(set_affiliation(room, b.bare, 'outcast'), room)
    query(b, to=room, answer='forbidden|not-allowed')


def the_archive_of_a_missing_room_is_item_not_found(stage):
    a = stage.online()
    query(a, to=stage.room_name(), answer='item-not-found')


def room_messages_are_not_in_the_own_archive(stage):
    """XEP-0313 business rules: by default a user's archive has no groupchat."""
    room, owner, b = party(stage)
    say(b, room, 'x')
    heard(b, room, 'n1', 'x')
    equal(query(b)[0], [])


def a_repeated_origin_id_is_archived_once(stage):
    room, owner, b = party(stage)
    for _ in range(2):
        say(b, room, 'x', f'<origin-id xmlns="{SID}" id="same"/>')
    b.ping()
    say(b, room, 'end')
    heard(owner, room, 'n1', 'end')
    equal(bodies(query(owner, to=room)[0]), ['x', 'end'])


def the_archive_survives_a_restart(stage):
    server = stage.own_server()
    stage.server = server
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    for i in range(3):
        say(a, room, 'k%d' % i)
        heard(a, room, 'owner', 'k%d' % i)
    a.ping()
    before = [r[0] for r in query(a, to=room)[0]]
    server.restart()
    a = stage.online(a.account)
    enter(a, room, 'owner')
    equal([r[0] for r in query(a, to=room)[0]], before)


def subject_changes_are_kept_and_chat_states_are_not(stage):
    room, owner, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="cs"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')
    say(b, room, 'x')
    heard(owner, room, 'n1', 'x')
    equal([m['id'] for _, m in query(owner, to=room)[0] if m.find('subject') is None], ['x'])


def what_was_said_under_cover_stays_so(stage):
    """A room that becomes non-anonymous does not tell whose older words are; its moderators knew."""
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    say(a, room, 'hidden')
    heard(b, room, 'owner', 'hidden')
    configure(a, room, {'muc#roomconfig_whois': 'anyone'})
    say(a, room, 'open')
    heard(b, room, 'owner', 'open')
    shown = lambda c: [m.find('x/item') is not None for _, m in query(c, to=room)[0]]
    equal((shown(b), shown(a)), ([False, True], [True, True]))
    b.ping()
    stage.server.restart()
    equal(shown(stage.online()), [False, True])
