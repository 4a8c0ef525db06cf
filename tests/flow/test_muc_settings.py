# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045 §10: what the configuration form holds beyond switches; XEP-0307; looks of nicknames."""
from rooms import *

ROOMINFO = MUC + '#roominfo'


def info(c, room):
    answer = c.get(f'<query xmlns="{DISCO_INFO}"/>', room)
    return [fields(x) for x in answer.all('query/x') if fields(x).get('FORM_TYPE') == [ROOMINFO]][0]


def settings_of(c, room):
    return fields(c.get(f'<query xmlns="{MUC_OWNER}"/>', room).find('query/x', DATA))


def the_form_names_owners_and_admins(stage):
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'admin'), room)
    have = settings_of(a, room)
    equal((have['muc#roomconfig_roomowners'], have['muc#roomconfig_roomadmins']), ([a.bare], [b.bare]))
    for var in ('presencebroadcast', 'getmemberlist', 'pubsub', 'slow_mode_duration', 'forwardmentions', 'maxusers'):
        check('muc#roomconfig_' + var in have, var)


def the_form_makes_owners_and_admins(stage):
    """§10.2: those inside show it."""
    room, a, b, c = party(stage, 3)
    configure(a, room, {'muc#roomconfig_roomowners': [a.bare, b.bare], 'muc#roomconfig_roomadmins': [c.bare]})
    for x in (a, b, c):
        x.expect(occupant(room, 'n1', affiliation='owner', role='moderator'))
        x.expect(occupant(room, 'n2', affiliation='admin', role='moderator'))
    configure(b, room, {'muc#roomconfig_roomowners': [b.bare]})
    c.expect(occupant(room, 'owner', affiliation='admin', role='moderator'))
    equal(list(listing(b, room, affiliation='owner')), [b.bare])


def lists_in_the_form_are_checked(stage):
    a, room = create(stage)
    b = stage.online()

    def refuse(settings, condition):
        a.refused('set', f'<query xmlns="{MUC_OWNER}">{form(CONFIG, settings)}</query>', condition, room)
    refuse({'muc#roomconfig_roomowners': ['not a jid@@']}, 'not-acceptable')
    refuse({'muc#roomconfig_roomadmins': ['u%d@example.org' % i for i in range(501)]}, 'not-acceptable')
    configure(a, room, {'muc#roomconfig_roomowners': [], 'muc#roomconfig_roomadmins': [b.bare]})
    equal(list(listing(a, room, affiliation='owner')), [a.bare])
    b.refused('set', f'<query xmlns="{MUC_OWNER}">{form(CONFIG, {"muc#roomconfig_roomowners": [b.bare]})}</query>', 'forbidden', room)


def room_info_has_what_the_owner_wrote(stage):
    a, room = create(stage, settings={
        'muc#roomconfig_lang': 'zh', 'muc#roomconfig_pubsub': 'xmpp:pubsub.localhost?;node=x', 'muc#roominfo_logs': 'https://example.org/logs',
        'muc#roominfo_contactjid': ['help@localhost', 'geese@localhost'], 'muc#roomconfig_slow_mode_duration': '0'})
    a.send(f'<message to="{room}" type="groupchat"><subject>Geese &amp; swans</subject></message>')
    a.expect(f'<message from="{room}/owner"><subject>Geese &amp; swans</subject></message>')
    have = info(stage.online(), room)
    equal(have['muc#roominfo_lang'], ['zh'])
    equal(have['muc#roomconfig_pubsub'], ['xmpp:pubsub.localhost?;node=x'])
    equal(have['muc#roominfo_logs'], ['https://example.org/logs'])
    equal(have['muc#roominfo_contactjid'], ['help@localhost', 'geese@localhost'])
    equal(have['muc#roominfo_subject'], ['Geese & swans'])


CLOSED = ['membersonly', 'passwordprotectedroom', 'hidden']


def closed(kind):
    return {'membersonly': {'muc#roomconfig_membersonly': '1'},
            'passwordprotectedroom': {'muc#roomconfig_passwordprotectedroom': '1', 'muc#roomconfig_roomsecret': 'x'},
            'hidden': {'muc#roomconfig_publicroom': '0'}}[kind]


@each(CLOSED)
def outsiders_of_closed_rooms_learn_neither_subject_nor_nicks(stage, kind):
    a, room = create(stage, settings=closed(kind))
    a.send(f'<message to="{room}" type="groupchat"><subject>Secret</subject></message>')
    a.expect(f'<message from="{room}/owner"><subject>Secret</subject></message>')
    b = stage.online()
    check('muc#roominfo_subject' not in info(b, room), 'subject')
    equal(b.get(f'<query xmlns="{DISCO_ITEMS}"/>', room).all('query/item'), [])
    equal(len(a.get(f'<query xmlns="{DISCO_ITEMS}"/>', room).all('query/item')), 1)


def outsiders_see_the_nicks_of_an_open_room_if_it_says_so(stage):
    """§6.5."""
    room, a, b = party(stage)
    c = stage.online()
    items = c.get(f'<query xmlns="{DISCO_ITEMS}"/>', room).all('query/item')
    equal(sorted(i['jid'] for i in items), [room + '/n1', room + '/owner'])
    check(a.bare not in str(items), 'real address')
    configure(a, room, {'allow_query_users': '0'})
    equal(c.get(f'<query xmlns="{DISCO_ITEMS}"/>', room).all('query/item'), [])
    a.set(set_affiliation(room, c.bare, 'outcast'), room)
    configure(a, room, {'allow_query_users': '1'})
    equal(c.get(f'<query xmlns="{DISCO_ITEMS}"/>', room).all('query/item'), [])


def the_member_list_follows_the_form(stage):
    """muc#roomconfig_getmemberlist, in a non-anonymous room."""
    room, a, b = party(stage, settings={'muc#roomconfig_whois': 'anyone'})
    ask = f'<query xmlns="{MUC_ADMIN}"><item affiliation="owner"/></query>'
    b.get(ask, room)
    configure(a, room, {'muc#roomconfig_getmemberlist': ['moderator']})
    b.refused('get', ask, 'forbidden', room)
    a.get(ask, room)


def unique_names_are_given(stage):
    """XEP-0307."""
    a = stage.online()
    check(MUC + '#unique' in disco(a, stage.muc)[0], 'not announced')
    names = {a.get(f'<unique xmlns="{MUC}#unique"/>', stage.muc).textof('unique') for _ in range(3)}
    equal(len(names), 3)
    room = names.pop() + '@' + stage.muc
    enter(a, room, 'anne', codes=(201,))


LOOKS = [('latin case', 'Alice', 'aLICE'), ('space at the end', 'Alice', 'Alice '), ('cyrillic', 'Alice', 'Аlісе'),
         ('soft hyphen', 'Alice', 'Al\u00adice'), ('full width', 'Alice', 'Ａｌｉｃｅ'), ('combining', 'Alice', 'A\u034flice'),
         ('two spaces', 'Alice B', 'Alice  B'), ('greek', 'Bob', 'Βοb')]


@each(LOOKS, lambda r: r[0])
def nicks_that_look_alike_are_one(stage, row):
    _, nick, mimic = row
    a, room = create(stage, nick=nick)
    b, c = stage.online(), stage.online()
    refused_join(b, room, mimic, 'conflict|jid-malformed')
    join(c, room, 'carl')
    c.send(f'<presence to="{room}/{mimic}"/>')
    check(c.expect('<presence type="error"/>').error in ('conflict', 'jid-malformed'), 'renamed')


def reserved_nicks_are_kept_from_mimics(stage):
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'member', nick='Swan'), room)
    refused_join(stage.online(), room, 'sWаn', 'conflict')
    join(b, room, 'swan')


def nicks_of_other_scripts_are_themselves(stage):
    a, room = create(stage, nick='鸿雁')
    for nick in ('鴻雁', '雁', 'Élise', 'Elise', 'Жук'):
        join(stage.online(), room, nick)
