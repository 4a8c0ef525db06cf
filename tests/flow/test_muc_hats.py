# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0317: hats, made and given by ad-hoc commands of the room."""
from rooms import *

HATS = 'urn:xmpp:hats:0'
NODE = 'urn:xmpp:hats:commands'
COMMANDS = 'http://jabber.org/protocol/commands'
HOST = 'http://example.org/hats#host'


def command(name, values=None):
    inner = form(NODE, values) if values else ''
    return f'<command xmlns="{COMMANDS}" node="{NODE}:{name}" action="execute">{inner}</command>'


def make(c, room, uri=HOST, title='Host', hue='327.25'):
    return c.set(command('create', {'hats#title': title, 'hats#uri': uri, 'hats#hue': hue}), room)


def give(c, room, jid, uri=HOST):
    return c.set(command('assign', {'hats#jid': jid, 'hats#uri': uri}), room)


def wears(room, nick, uri=HOST, title='Host'):
    return f'<presence from="{room}/{nick}"><hats xmlns="{HATS}"><hat title="{title}" uri="{uri}"/></hats></presence>'


def listed(c, room, name='list'):
    items = c.set(command(name), room).find('command/x', DATA).all('item')
    return [fields(i) for i in items]


def hats_are_announced(stage):
    a, room = create(stage)
    features, _ = disco(a, room)
    check(HATS in features and COMMANDS in features, features)
    items = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{COMMANDS}"/>', room).all('query/item')
    equal(len(items), 6)
    equal(disco(a, room, NODE + ':create')[1], [('automation', 'command-node')])
    check('hats#hash' not in str(a.get(f'<query xmlns="{DISCO_INFO}"/>', room)), 'hash without hats')
    make(a, room)
    check('hats#hash' in str(a.get(f'<query xmlns="{DISCO_INFO}"/>', room)), 'no hash')


@each(['create', 'destroy', 'assign', 'unassign'])
def a_command_asks_for_what_it_needs(stage, name):
    a, room = create(stage)
    make(a, room)
    got = a.set(command(name), room).find('command', COMMANDS)
    equal(got['status'], 'executing')
    check('hats#uri' in fields(got.find('x', DATA)), got)


def a_hat_is_given_shown_changed_and_taken(stage):
    room, a, b = party(stage)
    equal(make(a, room).find('command')['status'], 'completed')
    b.expect(f'<message from="{room}" type="groupchat"><x xmlns="{MUC_USER}"><status code="104"/></x></message>')
    give(a, room, b.bare)
    for x in (a, b):
        x.expect(wears(room, 'n1'))
    c = stage.online()
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}"/></presence>')
    c.expect(wears(room, 'n1'))
    make(a, room, title='Chief host')
    b.expect(wears(room, 'n1', title='Chief host'))
    a.set(command('unassign', {'hats#jid': b.bare, 'hats#uri': HOST}), room)
    a.expect(f'<presence from="{room}/n1"><t:no><hats xmlns="{HATS}"/></t:no></presence>')
    a.refused('set', command('unassign', {'hats#jid': b.bare, 'hats#uri': HOST}), 'item-not-found', room)


def a_destroyed_hat_falls_off(stage):
    room, a, b = party(stage)
    make(a, room)
    give(a, room, b.bare)
    b.expect(wears(room, 'n1'))
    a.set(command('destroy', {'hats#uri': HOST}), room)
    b.expect(f'<presence from="{room}/n1"><t:no><hats xmlns="{HATS}"/></t:no></presence>')
    equal(listed(a, room), [])
    equal(listed(a, room, 'list-assigned'), [])


def hats_are_listed(stage):
    room, a, b = party(stage)
    make(a, room)
    make(a, room, 'urn:x:scribe', 'Scribe &lt;&amp;', '')
    give(a, room, b.bare)
    equal([h['hats#uri'] for h in listed(b, room)], [[HOST], ['urn:x:scribe']])
    equal(listed(b, room)[1]['hats#title'], ['Scribe <&'])
    equal(listed(a, room, 'list-assigned'), [{'hats#jid': [b.bare], 'hats#uri': [HOST], 'hats#title': ['Host'], 'hats#hue': ['327.25']}])


def hats_are_for_admins_to_give(stage):
    room, a, b = party(stage)
    make(a, room)
    for name in ('create', 'destroy', 'assign', 'unassign', 'list-assigned'):
        b.refused('set', command(name), 'forbidden', room)
        b.refused('set', command(name, {'hats#jid': b.bare, 'hats#uri': HOST, 'hats#title': 'x'}), 'forbidden', room)
    stage.online().refused('set', command('list'), 'forbidden', room)
    a.refused('set', command('none-such'), 'item-not-found', room)


BAD = [('no title', {'hats#uri': HOST}), ('no uri', {'hats#title': 'x'}), ('no scheme', {'hats#title': 'x', 'hats#uri': 'host'}),
       ('space', {'hats#title': 'x', 'hats#uri': 'a:b c'}), ('hue', {'hats#title': 'x', 'hats#uri': HOST, 'hats#hue': '361'}),
       ('hue word', {'hats#title': 'x', 'hats#uri': HOST, 'hats#hue': 'red'}), ('long', {'hats#title': 'x' * 257, 'hats#uri': HOST})]


@each(BAD, lambda r: r[0])
def bad_hats_are_refused(stage, row):
    a, room = create(stage)
    a.refused('set', command('create', row[1]), 'bad-request', room)


def hats_that_are_not_there_are_not_given(stage):
    room, a, b = party(stage)
    a.refused('set', command('assign', {'hats#jid': b.bare, 'hats#uri': HOST}), 'item-not-found', room)
    make(a, room)
    a.refused('set', command('assign', {'hats#jid': 'not a@@jid', 'hats#uri': HOST}), 'bad-request', room)


def nobody_gives_himself_a_hat(stage):
    room, a, b = party(stage)
    b.send(f'<presence to="{room}/n1"><status>x</status><hats xmlns="{HATS}"><hat title="King" uri="{HOST}"/></hats></presence>')
    a.expect(f'<presence from="{room}/n1"><status>x</status><t:no><hats xmlns="{HATS}"/></t:no></presence>')


def hats_outlive_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    make(a, room)
    give(a, room, a.bare)
    a.expect(wears(room, 'owner'))
    stage.server.restart()
    a = stage.again(a)
    a.send(f'<presence to="{room}/owner"><x xmlns="{MUC}"/></presence>')
    a.expect(wears(room, 'owner'))
