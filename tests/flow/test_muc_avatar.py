# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0486: avatars of rooms."""
import base64
import hashlib

from rooms import *

VCARD = 'vcard-temp'
PICTURE = b'\x89PNG\r\n\x1a\n' + bytes(range(256))
HASH = hashlib.sha1(PICTURE).hexdigest()


def photo(data=PICTURE, kind='image/png'):
    text = base64.b64encode(data).decode()
    return f'<PHOTO><TYPE>{kind}</TYPE><BINVAL>{text[:60]}\n {text[60:]}</BINVAL></PHOTO>'


def vcard(*photos):
    return f'<vCard xmlns="{VCARD}">{"".join(photos)}</vCard>'


def hashes(c, room):
    x = [fields(x) for x in c.get(f'<query xmlns="{DISCO_INFO}"/>', room).all('query/x')]
    return [f.get('muc#roominfo_avatarhash') for f in x if f['FORM_TYPE'] == [MUC + '#roominfo']][0]


def an_owner_sets_it_and_all_find_it(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    for to in (room, stage.muc):
        check(VCARD in disco(a, to)[0], to)
    equal(hashes(a, room), None)
    a.set(vcard(photo()), room)
    for x in (a, b):
        x.expect(f'<message from="{room}" type="groupchat"><x xmlns="{MUC_USER}"><status code="104"/></x></message>')
    c = stage.online()
    equal(hashes(c, room), [HASH])
    got = c.get(vcard(), room).textof('vCard/PHOTO/BINVAL')
    equal(base64.b64decode(got), PICTURE)
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}"/></presence>')
    c.expect(f'<presence from="{room}"><x xmlns="{VCARD}:x:update"><photo>{HASH}</photo></x></presence>')


def an_empty_one_takes_it_away(stage):
    a, room = create(stage)
    a.set(vcard(photo()), room)
    equal(base64.b64decode(a.get(vcard(), room).textof('vCard/PHOTO/BINVAL')), PICTURE)
    a.set(vcard(), room)
    equal(hashes(a, room), None)
    equal(a.get(vcard(), room).find('vCard').kids, [])


def each_picture_has_its_hash(stage):
    a, room = create(stage)
    a.set(vcard(photo(), photo(b'<svg/>', 'image/svg+xml')), room)
    equal(hashes(a, room), [HASH, hashlib.sha1(b'<svg/>').hexdigest()])


def only_owners_set_it(stage):
    room, a, b = party(stage)
    a.set(set_affiliation(room, b.bare, 'admin'), room)
    b.refused('set', vcard(photo()), 'forbidden', room)
    equal(hashes(a, room), None)


def what_is_no_picture_is_refused(stage):
    a, room = create(stage)
    a.refused('set', f'<vCard xmlns="{VCARD}"><PHOTO><BINVAL>%%%</BINVAL></PHOTO></vCard>', 'bad-request', room)
    a.refused('set', vcard(photo(b'x' * 120000)), 'not-acceptable', room)
    a.refused('set', vcard(*[photo(b'%d' % i) for i in range(9)]), 'bad-request', room)
    a.refused('get', vcard(), 'item-not-found', stage.room_name())


def it_outlives_a_restart_and_the_room_becoming_kept(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    a, room = create(stage)
    a.set(vcard(photo()), room)
    configure(a, room, {'muc#roomconfig_persistentroom': '1'})
    equal(base64.b64decode(a.get(vcard(), room).textof('vCard/PHOTO/BINVAL')), PICTURE)
    stage.server.restart()
    a = stage.again(a)
    equal(hashes(a, room), [HASH])
    equal(base64.b64decode(a.get(vcard(), room).textof('vCard/PHOTO/BINVAL')), PICTURE)
