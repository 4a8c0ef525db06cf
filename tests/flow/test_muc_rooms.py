# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045: creating, finding, configuring, keeping and destroying rooms."""
from rooms import *


def a_new_room_is_locked_and_owned(stage):
    """§10.1.2: status 201, owner, moderator; others cannot enter before it is configured."""
    a, b = stage.online(), stage.online()
    room = stage.room_name()
    got = enter(a, room, 'anne', codes=(201,))
    item = got.find('x/item')
    equal((item['affiliation'], item['role']), ('owner', 'moderator'))
    b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}"/></presence>')
    answer = b.expect(f'<presence from="~{room}(/.*)?"/>')
    if answer['type'] == 'error':
        equal(answer.error, 'item-not-found')
    configure(a, room)
    join(stage.online(), room, 'carl')


def an_instant_room_opens_at_once(stage):
    a, room = create(stage)
    b = stage.online()
    join(b, room, 'bert')
    a.expect(occupant(room, 'bert', affiliation='none', role='participant'))


def a_reserved_room_shows_its_form(stage):
    """§10.1.3."""
    a = stage.online()
    room = stage.room_name()
    enter(a, room, 'anne', codes=(201,))
    x = a.get(f'<query xmlns="{MUC_OWNER}"/>', room).find('query/x', DATA)
    have = fields(x)
    equal(have['FORM_TYPE'], [CONFIG])
    for var in ('roomname', 'roomdesc', 'persistentroom', 'publicroom', 'membersonly', 'moderatedroom',
                'passwordprotectedroom', 'roomsecret', 'whois', 'changesubject', 'allowinvites'):
        check('muc#roomconfig_' + var in have, '%s is not in the form' % var)


def cancelling_the_first_form_destroys_the_room(stage):
    a = stage.online()
    room = stage.room_name()
    enter(a, room, 'anne', codes=(201,))
    a.set(f'<query xmlns="{MUC_OWNER}"><x xmlns="{DATA}" type="cancel"/></query>', room)
    a.expect(f'<presence from="{room}/anne" type="unavailable"/>')
    a.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)


def rooms_are_listed_unless_hidden(stage):
    a, open_room = create(stage, settings={'muc#roomconfig_roomname': 'Open', 'muc#roomconfig_publicroom': '1'})
    _, hidden = create(stage, a, settings={'muc#roomconfig_publicroom': '0'})
    b = stage.online()
    items = {i['jid']: i['name'] for i in b.get(f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}"><max>200</max></set></query>', stage.muc).all('query/item')}
    check(open_room in items, 'public room is not listed')
    check('Open' in (items[open_room] or ''), items[open_room])
    check(hidden not in items, 'hidden room is listed')


ROOM_FEATURES = [
    ('persistentroom', 'muc_persistent', 'muc_temporary'),
    ('publicroom', 'muc_public', 'muc_hidden'),
    ('membersonly', 'muc_membersonly', 'muc_open'),
    ('moderatedroom', 'muc_moderated', 'muc_unmoderated'),
]


@each(ROOM_FEATURES, lambda r: r[0])
def disco_tells_the_configuration(stage, row):
    var, on, off = row
    a, room = create(stage)
    for value, want, other in (('1', on, off), ('0', off, on)):
        configure(a, room, {'muc#roomconfig_' + var: value})
        features, identities = disco(a, room)
        check(('conference', 'text') in identities, identities)
        check(MUC in features, features)
        check(want in features and other not in features, '%s=%s gives %s' % (var, value, features))


def disco_has_the_room_info_form(stage):
    a, room = create(stage, settings={'muc#roomconfig_roomname': '鸿雁', 'muc#roomconfig_roomdesc': 'About geese'})
    b = stage.online()
    join(b, room, 'bert')
    answer = b.get(f'<query xmlns="{DISCO_INFO}"/>', room)
    equal(answer.find('query/identity')['name'], '鸿雁')
    info = [fields(x) for x in answer.all('query/x') if fields(x).get('FORM_TYPE') == [MUC + '#roominfo']]
    check(info, 'no roominfo form')
    equal(info[0].get('muc#roominfo_description'), ['About geese'])
    equal(info[0].get('muc#roominfo_occupants'), ['2'])


def disco_of_a_missing_room_is_item_not_found(stage):
    a = stage.online()
    a.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', stage.room_name())


def configuration_is_for_owners(stage):
    room, owner, b = party(stage)
    b.refused('get', f'<query xmlns="{MUC_OWNER}"/>', 'forbidden', room)
    b.refused('set', f'<query xmlns="{MUC_OWNER}">{form(CONFIG, {"muc#roomconfig_membersonly": "1"})}</query>', 'forbidden', room)
    b.refused('set', f'<query xmlns="{MUC_OWNER}"><destroy/></query>', 'forbidden', room)


def a_change_of_configuration_is_told(stage):
    """§10.2.1: status 104."""
    room, owner, b = party(stage)
    configure(owner, room, {'muc#roomconfig_roomdesc': 'New words'})
    for c in (owner, b):
        c.expect(f'<message from="{room}" type="groupchat"><x xmlns="{MUC_USER}"><status code="104"/></x></message>')


def a_cancelled_form_changes_nothing(stage):
    a, room = create(stage)
    a.set(f'<query xmlns="{MUC_OWNER}"><x xmlns="{DATA}" type="cancel"/></query>', room)
    check('muc_open' in disco(a, room)[0], 'changed')


def a_partial_form_keeps_the_rest(stage):
    a, room = create(stage, settings={'muc#roomconfig_roomname': 'Kept', 'muc#roomconfig_persistentroom': '1'})
    configure(a, room, {'muc#roomconfig_moderatedroom': '1'})
    have = fields(a.get(f'<query xmlns="{MUC_OWNER}"/>', room).find('query/x'))
    equal((have['muc#roomconfig_roomname'], have['muc#roomconfig_persistentroom'], have['muc#roomconfig_moderatedroom']),
          (['Kept'], ['1'], ['1']))


@each([('whois', 'everybody and me'), ('persistentroom', 'maybe'), ('FORM_TYPE', 'urn:wrong')], lambda r: '%s=%s' % r)
def bad_values_are_refused(stage, row):
    a, room = create(stage)
    name = row[0]
    x = form('urn:wrong', {}) if name == 'FORM_TYPE' else form(CONFIG, {'muc#roomconfig_' + name: row[1]})
    a.refused('set', f'<query xmlns="{MUC_OWNER}">{x}</query>', 'not-acceptable|bad-request', room)


def a_temporary_room_ends_with_its_last_occupant(stage):
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '0'})
    a.send(f'<presence to="{room}/owner" type="unavailable"/>')
    a.expect(f'<presence from="{room}/owner" type="unavailable"/>')
    b = stage.online()
    enter(b, room, 'bert', codes=(201,))


def a_persistent_room_stays(stage):
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1', 'muc#roomconfig_roomname': 'Stays'})
    a.send(f'<presence to="{room}/owner" type="unavailable"/>')
    a.expect(f'<presence from="{room}/owner" type="unavailable"/>')
    b = stage.online()
    got = join(b, room, 'bert')
    check('201' not in [s['code'] for s in got.all('x/status')], 'room was made anew')
    equal(got.find('x/item')['affiliation'], 'none')


def a_persistent_room_survives_a_restart(stage):
    server = stage.own_server()
    stage.server, stage.muc = server, 'conference.localhost'
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1', 'muc#roomconfig_roomname': 'Stays',
                                      'muc#roomconfig_moderatedroom': '1'})
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'member'), room)
    a.send(f'<message to="{room}" type="groupchat"><subject>Topic</subject></message>')
    a.expect('<message type="groupchat"><subject>Topic</subject></message>')
    server.restart()
    b = stage.online(b.account)
    got = enter(b, room, 'bert')
    equal(got.find('x/item')['affiliation'], 'member')
    b.expect(f'<message from="~{room}(/.*)?" type="groupchat"><subject>Topic</subject></message>')
    features, _ = disco(b, room)
    check('muc_moderated' in features and 'muc_persistent' in features, features)
    a = stage.online(a.account)
    equal(enter(a, room, 'owner').find('x/item')['affiliation'], 'owner')


def destroying_tells_everybody_with_reason_and_venue(stage):
    """§10.9."""
    room, owner, b = party(stage)
    owner.set(f'<query xmlns="{MUC_OWNER}"><destroy jid="new@{stage.muc}"><reason>Moved</reason></destroy></query>', room)
    for c, nick in ((owner, 'owner'), (b, 'n1')):
        c.expect(f'<presence from="{room}/{nick}" type="unavailable"><x xmlns="{MUC_USER}"><item role="none"/>'
                 f'<destroy jid="new@{stage.muc}"><reason>Moved</reason></destroy></x></presence>')
    b.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)


def a_room_cannot_be_made_with_a_bad_name(stage):
    a = stage.online()
    a.send(f'<presence to="{stage.muc}/nick"><x xmlns="{MUC}"/></presence>')
    err = a.expect('<presence type="error"/>')
    check(err.error in ('item-not-found', 'jid-malformed', 'not-acceptable', 'service-unavailable', 'bad-request', 'not-allowed', 'feature-not-implemented'), err)
    a.ping()


def joining_without_a_nick_is_jid_malformed(stage):
    """§7.2.1."""
    a, room = create(stage)
    b = stage.online()
    b.send(f'<presence to="{room}"><x xmlns="{MUC}"/></presence>')
    equal(b.expect('<presence type="error"/>').error, 'jid-malformed')


def messages_to_the_service_are_refused(stage):
    a = stage.online()
    a.send(f'<message to="{stage.muc}" id="m"><body>x</body></message>')
    a.expect('<message id="m" type="error"/>')
    a.refused('get', '<query xmlns="urn:unknown"/>', 'service-unavailable|feature-not-implemented', stage.muc)


def a_unique_name_is_not_needed_for_two_rooms(stage):
    a, one = create(stage)
    _, two = create(stage, a)
    say(a, one, 'first')
    heard(a, one, 'owner', 'first')
    say(a, two, 'second')
    heard(a, two, 'owner', 'second')
