# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts that are deleted leave the lists of rooms; a closing server says goodbye to everybody inside (§11.2)."""
from rooms import *

REGISTER = 'jabber:iq:register'
KEPT = {'muc#roomconfig_persistentroom': '1'}


def cancel(c):
    c.send(f'<iq type="set" id="cancel"><query xmlns="{REGISTER}"><remove/></query></iq>')
    c.expect('<iq type="result" id="cancel"/>')


def told(c, room, jid, affiliation):
    return c.expect(f'<message from="{room}" type="!"><x xmlns="{MUC_USER}"><item jid="{jid}" affiliation="{affiliation}"/></x></message>')


@each(['1', '0'], lambda r: 'kept' if r == '1' else 'temporary')
def a_deleted_account_leaves_the_lists(stage, kept):
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': kept})
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, b.bare, 'admin'), room)
    a.set(set_affiliation(room, c.bare, 'outcast'), room)
    cancel(b)
    told(a, room, b.bare, 'none')
    cancel(c)
    told(a, room, c.bare, 'none')
    for which in ('admin', 'outcast'):
        equal(listing(a, room, affiliation=which), {})


def a_deleted_owner_is_followed_by_an_admin(stage):
    a, room = create(stage, settings=KEPT)
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, c.bare, 'member'), room)
    a.set(set_affiliation(room, b.bare, 'admin'), room)
    join(b, room, 'bert')
    b.drain(after=(a,))
    cancel(a)
    b.expect(occupant(room, 'bert', (110,), affiliation='owner'))
    equal(list(listing(b, room, affiliation='owner')), [b.bare])


def a_room_nobody_inherits_ends_with_its_last_occupant(stage):
    a, room = create(stage, settings=KEPT)
    b, c = stage.online(), stage.online()
    join(b, room, 'bert')
    b.drain(after=(a,))
    cancel(a)
    b.expect(occupant(room, 'owner', kind='unavailable'))
    for _ in range(200):  # the account's rooms are walked after it is gone
        if 'muc_temporary' in disco(b, room)[0]:
            break
    b.send(f'<presence to="{room}/bert" type="unavailable"/>')
    b.expect(f'<presence from="{room}/bert" type="unavailable"/>')
    c.refused('get', f'<query xmlns="{DISCO_INFO}"/>', 'item-not-found', room)


@on_server(shards=4)
def everybody_hears_the_goodbye(stage):
    rooms = [party(stage, 3) for _ in range(3)]
    stage.server.stop()
    for room, *inside in rooms:
        for c, nick in zip(inside, ('owner', 'n1', 'n2')):
            c.expect(occupant(room, nick, (110, 332), 'none', 'none', 'unavailable'))
