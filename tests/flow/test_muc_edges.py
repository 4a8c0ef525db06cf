# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045 where rooms meet retries, several sessions of one user, restarts and people who mean harm."""
from rooms import *
from test_archive import bodies, query

OID = 'urn:xmpp:occupant-id:0'
REGISTER = 'jabber:iq:register'


def own_stage(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    return stage.server


def register(c, room, nick):
    return c.iq('set', f'<query xmlns="{REGISTER}">' + form(MUC + '#register', {'muc#register_roomnick': nick}) + '</query>', room)


# ---- reserved nicks (§7.10, §7.12)

def a_registered_nick_is_kept_for_its_owner(stage):
    room, owner, b = party(stage)
    check('required' in str(b.get(f'<query xmlns="{REGISTER}"/>', room)), 'no required field')
    equal(register(b, room, 'Geese')['type'], 'result')
    owner.expect(occupant(room, 'n1', affiliation='member'))
    equal(b.get(f'<query xmlns="{DISCO_INFO}" node="x-roomuser-item"/>', room).find('query/identity')['name'], 'Geese')
    answer = b.get(f'<query xmlns="{REGISTER}"/>', room)
    check(answer.find('query/registered') is not None, 'not registered')
    equal(answer.textof('query/username'), 'Geese')
    c = stage.online()
    refused_join(c, room, 'Geese', 'conflict')
    equal(register(c, room, 'Geese').error, 'conflict')
    equal(register(c, room, 'owner').error, 'conflict')
    b.send(f'<presence to="{room}/Geese"/>')
    b.expect(occupant(room, 'Geese', (110,)))


def a_nick_can_be_given_and_taken_by_admins(stage):
    """§9.5."""
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, b.bare, 'member', nick='Swan'), room)
    equal(listing(a, room, affiliation='member')[b.bare]['nick'], 'Swan')
    a.refused('set', set_affiliation(room, c.bare, 'member', nick='Swan'), 'conflict', room)
    a.set(f'<query xmlns="{MUC_ADMIN}"><item jid="{b.bare}" affiliation="member" nick=""/></query>', room)
    check(listing(a, room, affiliation='member')[b.bare]['nick'] is None, 'still reserved')
    join(c, room, 'Swan')


def outcasts_lose_their_nick(stage):
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'member', nick='Swan'), room)
    a.set(set_affiliation(room, b.bare, 'outcast', 'Noise'), room)
    item = listing(a, room, affiliation='outcast')[b.bare]
    check(item['nick'] is None, item)
    equal(item.textof('reason'), 'Noise')
    join(stage.online(), room, 'Swan')


def a_domain_can_be_banned(stage):
    """§9.2: who is listed by name is not meant."""
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    join(c, room, 'carl')
    a.set(set_affiliation(room, b.bare, 'member'), room)
    a.set(set_affiliation(room, stage.domain, 'outcast'), room)
    c.expect(occupant(room, 'carl', (110, 301), 'none', 'outcast', 'unavailable'))
    join(b, room, 'bert')
    refused_join(stage.online(), room, 'dora', 'forbidden')


# ---- several sessions of one user (§7.2.8)

def pair(stage):
    """Room, owner, two sessions of one user under the nick n1."""
    room, owner, b = party(stage)
    b2 = stage.again(b)
    join(b2, room, 'n1')
    for c in (owner, b, b2):
        c.drain(after=[owner, b, b2])
    return room, owner, b, b2


def answers_find_the_session_that_asked(stage):
    room, owner, b, b2 = pair(stage)
    for c in (b, b2):
        c.send(f'<iq type="get" id="same" to="{room}/owner"><query xmlns="jabber:iq:version"/></iq>')
        got = owner.expect(f'<iq type="get" from="{room}/n1" id="same"/>')
        owner.send(f'<iq type="result" id="same" to="{got["from"]}"><query xmlns="jabber:iq:version"><name>{c.jid[-4:].replace("<", "")}</name></query></iq>')
        answer = c.expect(f'<iq type="result" id="same" from="{room}/owner"/>')
        equal(answer.textof('query/name'), c.jid[-4:])
    b.expect_nothing('<iq/>', after=[owner, b2])


def answers_to_nothing_are_dropped(stage):
    room, owner, b = party(stage)
    owner.send(f'<iq type="result" id="never" to="{room}/n1"/>')
    b.expect_nothing('<iq/>', after=[owner])


def private_messages_reach_all_sessions_once(stage):
    room, owner, b, b2 = pair(stage)
    for c in (b, b2):
        c.set(f'<enable xmlns="{CARBONS}"/>')
    owner.send(f'<message to="{room}/n1" type="chat" id="pm"><body>psst</body></message>')
    for c in (b, b2):
        got = c.expect(f'<message from="{room}/owner" type="chat" id="pm"><body>psst</body><x xmlns="{MUC_USER}"/></message>')
        equal(len(got.all('occupant-id')), 1)
        c.expect_nothing('<message/>', after=[owner])
    rows, _ = query(b)
    equal(bodies(rows), ['psst'])
    rows, _ = query(owner)
    equal(bodies(rows), ['psst'])
    equal(query(b, to=room)[0], [], 'private words in the archive of the room')


def one_session_leaves_and_the_nick_stays(stage):
    room, owner, b, b2 = pair(stage)
    b2.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b2.expect(occupant(room, 'n1', (110,), 'none', kind='unavailable'))
    owner.expect_nothing('<presence type="unavailable"/>', after=[b2])
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    owner.expect(occupant(room, 'n1', (), 'none', kind='unavailable'))


def a_kick_removes_all_sessions(stage):
    room, owner, b, b2 = pair(stage)
    owner.set(set_role(owner, room, 'n1', 'none'), room)
    for c in (b, b2):
        c.expect(occupant(room, 'n1', (307, 110), 'none', kind='unavailable'))
        c.refused('get', PING, 'not-acceptable', room + '/n1')
    owner.expect(occupant(room, 'n1', (307,), 'none', kind='unavailable'))
    owner.expect_nothing('<presence/>')


def a_nick_changes_for_all_sessions(stage):
    room, owner, b, b2 = pair(stage)
    b2.send(f'<presence to="{room}/new"/>')
    for c in (b, b2):
        c.expect(occupant(room, 'n1', (303, 110), kind='unavailable'))
        c.expect(occupant(room, 'new', (110,)))
    say(b, room, 'renamed')
    heard(owner, room, 'new', 'renamed')


# ---- those who are not where they seem to be

def presence_from_outside_is_answered_by_a_kick(stage):
    """§7.2.16: no GC 1.0 entry."""
    room, owner, b = party(stage)
    c = stage.online()
    c.send(f'<presence to="{room}/ghost"/>')
    c.expect(occupant(room, 'ghost', (110, 307, 333), 'none', 'none', 'unavailable'))
    owner.expect_nothing('<presence/>', after=[c])


def an_error_takes_a_ghost_out(stage):
    room, owner, b = party(stage)
    say(owner, room, 'x')
    heard(b, room, 'owner', 'x')
    b.send(f'<message to="{room}/owner" type="error" id="x"><error type="wait"><recipient-unavailable xmlns="{STANZAS}"/></error></message>')
    owner.expect(occupant(room, 'n1', (333,), 'none', kind='unavailable'))
    b.refused('get', PING, 'not-acceptable', room + '/n1')


def an_error_about_words_takes_nobody_out(stage):
    room, owner, b = party(stage)
    owner.send(f'<message to="{room}/n1" type="chat" id="pm"><body>x</body></message>')
    b.expect('<message id="pm"/>')
    b.send(f'<message to="{room}/owner" type="error" id="pm"><error type="modify"><not-acceptable xmlns="{STANZAS}"/></error></message>')
    equal(owner.expect(f'<message from="{room}/n1" id="pm" type="error"/>').error, 'not-acceptable')
    b.get(PING, room + '/n1')


def declines_go_to_those_whom_the_room_knows(stage):
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    c.send(f'<message to="{room}" id="d"><x xmlns="{MUC_USER}"><decline to="{b.bare}"><reason>Buy geese</reason></decline></x></message>')
    equal(c.expect('<message id="d" type="error"/>').error, 'item-not-found')
    b.expect_nothing('<message/>', after=[c])


# ---- the last owner, the full room, the locked room

def owners_cannot_all_resign_at_once(stage):
    room, owner, b = party(stage)
    owner.set(set_affiliation(room, b.bare, 'owner'), room)
    owner.refused('set', f'<query xmlns="{MUC_ADMIN}"><item jid="{owner.bare}" affiliation="none"/>'
                         f'<item jid="{b.bare}" affiliation="none"/></query>', 'conflict', room)
    equal(sorted(listing(owner, room, affiliation='owner')), sorted([owner.bare, b.bare]))


def a_full_room_has_a_place_for_admins(stage):
    """§7.2.9."""
    a, room = create(stage, settings={'muc#roomconfig_maxusers': '1'})
    b, c = stage.online(), stage.online()
    refused_join(b, room, 'bert', 'service-unavailable')
    a.set(set_affiliation(room, c.bare, 'admin'), room)
    join(c, room, 'carla')


def a_room_that_was_never_configured_ends_with_its_owner(stage):
    a = stage.online()
    room = stage.room_name()
    enter(a, room, 'anne', codes=(201,))
    a.send(f'<presence to="{room}/anne" type="unavailable"/>')
    a.expect(f'<presence from="{room}/anne" type="unavailable"><x xmlns="{MUC_USER}"><destroy/></x></presence>')
    a.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)


def the_list_of_rooms_has_pages(stage):
    a, _ = create(stage)
    for _ in range(4):
        create(stage, a)
    seen, after = [], ''
    for _ in range(100):
        page = a.get(f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}"><max>2</max>{after}</set></query>', stage.muc)
        items = [i['jid'] for i in page.all('query/item')]
        if not items:
            break
        check(len(items) <= 2, items)
        seen += items
        after = '<after>%s</after>' % page.textof('query/set/last')
    check(len(seen) >= 5 and len(seen) == len(set(seen)), seen)


# ---- what the archive tells whom

def the_archive_tells_real_addresses_to_those_who_may_know(stage):
    room, owner, b, c = party(stage, 3)
    say(b, room, 'x')
    heard(owner, room, 'n1', 'x')
    rows, _ = query(owner, to=room)
    equal(rows[0][1].find('x', MUC_USER).find('item')['jid'], b.jid)
    rows, _ = query(c, to=room)
    check(rows[0][1].find('x', MUC_USER) is None, rows[0][1])
    check(rows[0][1]['to'] is None, rows[0][1])
    check(b.account.node not in str(rows[0][1]), rows[0][1])
    configure(owner, room, {'muc#roomconfig_whois': 'anyone'})
    say(b, room, 'y')
    heard(c, room, 'n1', 'y')
    rows, _ = query(c, to=room)
    check(rows[0][1].find('x', MUC_USER) is None, 'what was said before')
    equal(rows[1][1].find('x', MUC_USER).find('item')['jid'], b.jid)


def speakers_are_found_by_nick_and_not_by_address(stage):
    room, owner, b = party(stage)
    for c, nick, text in ((owner, 'owner', 'a'), (b, 'n1', 'b'), (owner, 'owner', 'c')):
        say(c, room, text)
        heard(b, room, nick, text)
    equal(bodies(query(b, {'with': room + '/owner'}, to=room)[0]), ['a', 'c'])
    equal(bodies(query(b, {'with': room}, to=room)[0]), ['a', 'b', 'c'])
    equal(query(b, {'with': owner.bare}, to=room)[0], [])
    equal(query(b, {'with': owner.jid}, to=room)[0], [])


def a_password_keeps_the_archive_too(stage):
    a, room = create(stage, settings={'muc#roomconfig_passwordprotectedroom': '1', 'muc#roomconfig_roomsecret': 'sesame'})
    say(a, room, 'x')
    heard(a, room, 'owner', 'x')
    b = stage.online()
    query(b, to=room, answer='forbidden')
    join(b, room, 'bert', '<password>sesame</password>')
    equal(bodies(query(b, to=room)[0]), ['x'])


def logging_can_be_switched_off(stage):
    room, owner, b = party(stage)
    configure(owner, room, {'muc#roomconfig_enablelogging': '0'})
    b.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><status code="171"/></x></message>')
    say(owner, room, 'x')
    got = heard(b, room, 'owner', 'x')
    check(got.find('stanza-id', SID) is None, 'an archive id of what is not archived')
    equal(query(b, to=room)[0], [])


# ---- retries, crashes

def a_retry_is_shown_to_its_sender_only(stage):
    room, owner, b = party(stage)
    b.enable_sm()
    origin = f'<origin-id xmlns="{SID}" id="once"/>'
    say(b, room, 'x', origin)
    first = heard(b, room, 'n1', 'x')
    heard(owner, room, 'n1', 'x')
    say(b, room, 'x', origin)
    again = heard(b, room, 'n1', 'x')
    equal(again.find('stanza-id', SID)['id'], first.find('stanza-id', SID)['id'])
    b.request_ack()
    owner.expect_nothing('<message/>', after=[b])
    equal(bodies(query(owner, to=room)[0]), ['x'])


def an_id_used_again_for_other_words_is_no_retry(stage):
    room, owner, b = party(stage)
    for text in ('one', 'two'):
        b.send(f'<message to="{room}" type="groupchat" id="1"><body>{text}</body></message>')
        owner.expect(f'<message from="{room}/n1" id="1"><body>{text}</body></message>')


def another_user_may_use_the_same_id(stage):
    room, owner, b, c = party(stage, 3)
    for who, nick in ((b, 'n1'), (c, 'n2')):
        say(who, room, 'x', f'<origin-id xmlns="{SID}" id="same"/>')
        heard(owner, room, nick, 'x')


def what_was_acknowledged_survives_a_crash_and_is_not_doubled(stage):
    server = own_stage(stage)
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    a.enable_sm()
    for i in range(20):
        say(a, room, 'k%d' % i, f'<origin-id xmlns="{SID}" id="o{i}"/>')
    a.request_ack()
    server.kill()
    server.start()
    a = stage.online(a.account)
    enter(a, room, 'owner')
    say(a, room, 'k19', f'<origin-id xmlns="{SID}" id="o19"/>')
    say(a, room, 'end')
    heard(a, room, 'owner', 'end')
    equal(bodies(query(a, to=room)[0]), ['k%d' % i for i in range(20)] + ['end'])


def history_survives_a_restart(stage):
    server = own_stage(stage)
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    register(a, room, 'Gander')
    for i in range(3):
        say(a, room, 'h%d' % i)
        heard(a, room, 'owner', 'h%d' % i)
    a.ping()
    server.restart()
    b = stage.online()
    refused_join(b, room, 'Gander', 'conflict')
    b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'bert', (110,)))
    for i in range(3):
        b.expect_next(f'<message from="{room}/owner" id="h{i}"><body>h{i}</body><delay xmlns="{DELAY}" from="{room}"/></message>')


def a_temporary_room_leaves_nothing_after_a_crash(stage):
    server = own_stage(stage)
    a, room = create(stage)
    a.enable_sm()
    say(a, room, 'gone')
    a.request_ack()
    server.kill()
    server.start()
    b = stage.online()
    b.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)
    check(room not in [i['jid'] for i in b.get(f'<query xmlns="{DISCO_ITEMS}"/>', stage.muc).all('query/item')], 'still listed')
    join(b, room, 'bert', codes=(201,))
    equal(query(b, to=room)[0], [])


def occupants_hear_of_the_end_of_the_service(stage):
    """§11.2: status 332, of each room."""
    server = own_stage(stage)
    a = stage.online()
    rooms = [create(stage, a)[1] for _ in range(24)]
    server.proc.terminate()
    for room in rooms:
        a.expect(f'<presence from="{room}/owner" type="unavailable"><x xmlns="{MUC_USER}"><status code="110"/><status code="332"/></x></presence>')
    server.proc.wait(30)
    server.start()
