# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045 §7.10 and §9.9: registering with a room, at once or by approval; locked nicks (status 210)."""
from rooms import *

REGISTER = 'jabber:iq:register'
FORM = MUC + '#register'
APPROVE = {'{urn:anser:muc:0}registration': 'approve', 'muc#roomconfig_persistentroom': '1'}


def register(c, room, nick, **more):
    values = {'muc#register_roomnick': nick}
    values.update({'muc#register_' + k: v for k, v in more.items()})
    return c.iq('set', f'<query xmlns="{REGISTER}">{form(FORM, values)}</query>', room)


def asked(c, room, nick):
    """The form that an admin gets."""
    got = c.expect(f'<message from="{room}" type="!"><x xmlns="{DATA}" type="form"/></message>').find('x', DATA)
    equal(fields(got)['muc#register_roomnick'], [nick])
    return fields(got)


def answer(c, room, got, allow, keys=('muc#jid', 'muc#register_roomnick')):
    values = {k: got[k] for k in keys}
    values['muc#register_allow'] = allow
    c.send(f'<message to="{room}" id="answer">{form(FORM, values)}</message>')


def affiliation(a, room, c):
    return listing(a, room, affiliation='member').get(c.bare)


def an_admin_approves(stage):
    a, room = create(stage, settings=APPROVE)
    b = stage.online()
    have = fields(b.get(f'<query xmlns="{REGISTER}"/>', room).find('query/x', DATA))
    for var in ('roomnick', 'first', 'last', 'url', 'email', 'faqentry'):
        check('muc#register_' + var in have, var)
    equal(register(b, room, 'Swan', first='Brun &amp; hilde')['type'], 'result')
    check(affiliation(a, room, b) is None, 'a member already')
    got = asked(a, room, 'Swan')
    equal((got['muc#jid'], got['muc#register_first'], got['muc#register_allow']), ([b.bare], ['Brun & hilde'], ['0']))
    answer(a, room, got, '1')
    a.ping()
    equal(affiliation(a, room, b)['nick'], 'Swan')
    refused_join(stage.online(), room, 'Swan', 'conflict')


def an_admin_approves_by_the_nick_alone(stage):
    a, room = create(stage, settings=APPROVE)
    b = stage.online()
    register(b, room, 'Swan')
    answer(a, room, asked(a, room, 'Swan'), 'true', ('muc#register_roomnick',))
    a.ping()
    equal(affiliation(a, room, b)['nick'], 'Swan')


def an_admin_declines(stage):
    a, room = create(stage, settings=APPROVE)
    b = stage.online()
    register(b, room, 'Swan')
    got = asked(a, room, 'Swan')
    answer(a, room, got, '0')
    a.ping()
    check(affiliation(a, room, b) is None, 'a member')
    answer(a, room, got, '1')
    a.expect('<message type="error" id="answer"><error><item-not-found xmlns="' + STANZAS + '"/></error></message>')


def only_admins_approve(stage):
    room, a, b = party(stage, settings=APPROVE)
    c = stage.online()
    register(c, room, 'Swan')
    got = asked(a, room, 'Swan')
    a.set(set_role(a, room, 'n1', 'moderator'), room)
    for x in (b, c):
        answer(x, room, got, '1')
        x.expect('<message type="error" id="answer"><error><forbidden xmlns="' + STANZAS + '"/></error></message>')
    check(affiliation(a, room, c) is None, 'a member')


def a_members_only_room_asks_its_admins(stage):
    """Its approval brings an invitation."""
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    b = stage.online()
    equal(register(b, room, 'Swan')['type'], 'result')
    refused_join(b, room, 'Swan', 'registration-required')
    answer(a, room, asked(a, room, 'Swan'), '1')
    b.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><invite from="{a.bare}"/></x></message>')
    join(b, room, 'Swan')


def admins_who_are_away_are_written_to(stage):
    a, room = create(stage, settings=APPROVE)
    a.send(f'<presence to="{room}/owner" type="unavailable"/>')
    a.expect(f'<presence from="{room}/owner" type="unavailable"/>')
    b = stage.online()
    register(b, room, 'Swan')
    answer(a, room, asked(a, room, 'Swan'), '1')
    a.ping()
    equal(affiliation(a, room, b)['nick'], 'Swan')


def one_request_is_asked_once(stage):
    a, room = create(stage, settings=APPROVE)
    b, c = stage.online(), stage.online()
    for _ in range(3):
        register(b, room, 'Swan')
    asked(a, room, 'Swan')
    a.expect_nothing(f'<message from="{room}" type="!"/>', after=(b,))
    equal(register(c, room, 'SWAN').error, 'conflict')
    b.set(f'<query xmlns="{REGISTER}"><remove/></query>', room)
    equal(register(c, room, 'SWAN')['type'], 'result')


def a_closed_room_is_not_registered_with(stage):
    a, room = create(stage, settings={'{urn:anser:muc:0}registration': 'closed'})
    b = stage.online()
    b.refused('get', f'<query xmlns="{REGISTER}"/>', 'not-allowed', room)
    equal(register(b, room, 'Swan').error, 'not-allowed')
    a.get(f'<query xmlns="{REGISTER}"/>', room)
    a.refused('get', f'<query xmlns="{REGISTER}"/>', 'item-not-found', stage.room_name())


def outcasts_do_not_register(stage):
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'outcast'), room)
    equal(register(b, room, 'Swan').error, 'not-allowed')


BAD = [('', 'bad-request'), ('   ', 'bad-request'), ('x' * 300, 'not-acceptable')]


@each(BAD, lambda r: r[1])
def bad_nicks_are_refused(stage, row):
    a, room = create(stage)
    equal(register(stage.online(), room, row[0]).error, row[1])


def requests_outlive_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    a, room = create(stage, settings=APPROVE)
    b = stage.online()
    register(b, room, 'Swan')
    got = asked(a, room, 'Swan')
    stage.server.restart()
    a = stage.again(a)
    answer(a, room, got, '1')
    a.ping()
    equal(affiliation(a, room, b)['nick'], 'Swan')


def locked_nicks_are_given(stage):
    """§7.2.3, §7.6: status 210, not-acceptable."""
    room, a, b = party(stage, settings={'{urn:anser:muc:0}locknicks': '1'})
    register(b, room, 'Swan')
    for x in (a, b):
        x.expect(f'<presence from="{room}/n1" type="unavailable"><x xmlns="{MUC_USER}"><item nick="Swan"/><status code="303"/></x></presence>')
        x.expect(occupant(room, 'Swan', (210,)))
    b.send(f'<presence to="{room}/other"/>')
    equal(b.expect('<presence type="error"/>').error, 'not-acceptable')
    c = stage.again(b)
    c.send(f'<presence to="{room}/cygnet"><x xmlns="{MUC}"/></presence>')
    c.expect(occupant(room, 'Swan', (110, 210)))
