# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0463: versions of a room's affiliations."""
from rooms import *

MAV = 'urn:xmpp:muc:affiliations:1'
OPEN = {'muc#roomconfig_whois': 'anyone', 'muc#roomconfig_persistentroom': '1'}


def mav(since=None):
    return f'<mav xmlns="{MAV}"' + (f' since="{since}"' if since is not None else '') + '/>'


def version(presence):
    return presence.find('x', MUC_USER).find('mav', MAV)['until']


def joined(c, room, nick, since=None):
    c.send(f'<presence to="{room}/{nick}"><x xmlns="{MUC}">{mav(since)}</x></presence>')
    return version(c.expect(occupant(room, nick, (110,))))


def message(since='!', until='*', items=()):
    inner = ''.join(f'<item jid="{j}" affiliation="{a}"/>' for j, a in items)
    return f'<message from="%s" type="!"><x xmlns="{MUC_USER}"><mav xmlns="{MAV}" since="{since}" until="{until}"/>{inner}</x></message>'


def a_newcomer_gets_the_lists_before_presence(stage):
    a, room = create(stage, settings=OPEN)
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, b.bare, 'member'), room)
    check(MAV in disco(a, room)[0], 'not announced')
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}">{mav()}</x></presence>')
    got = c.expect_next(message(items=[(a.bare, 'owner'), (b.bare, 'member')]) % room)
    equal(version(c.expect(occupant(room, 'carl', (110,)))), got.find('x/mav')['until'])


def the_current_version_brings_nothing(stage):
    a, room = create(stage, settings=OPEN)
    b = stage.online()
    v = joined(b, room, 'bert')
    b.drain()
    b.send(f'<presence to="{room}/bert" type="unavailable"/>')
    b.expect(f'<presence from="{room}/bert" type="unavailable"/>')
    equal(joined(b, room, 'bert', v), v)
    b.expect_nothing(message() % room, after=(a,))


def an_older_version_brings_the_difference(stage):
    a, room = create(stage, settings=OPEN)
    b, c, d = stage.online(), stage.online(), stage.online()
    a.set(set_affiliation(room, c.bare, 'member'), room)
    v = joined(b, room, 'bert')
    b.drain()
    b.send(f'<presence to="{room}/bert" type="unavailable"/>')
    b.expect(f'<presence from="{room}/bert" type="unavailable"/>')
    a.set(set_affiliation(room, c.bare, 'none'), room)
    a.set(set_affiliation(room, d.bare, 'admin'), room)
    b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}">{mav(v)}</x></presence>')
    got = b.expect_next(message(v, items=[(c.bare, 'none'), (d.bare, 'admin')]) % room)
    equal(len(got.all('x/item')), 2)


def an_unknown_version_brings_everything(stage):
    a, room = create(stage, settings=OPEN)
    for since in ('', 'x', '1', '99999999999999999', "' OR '1'='1"):
        b = stage.online()
        b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}">{mav(since.replace(chr(39), "&apos;"))}</x></presence>')
        b.expect_next(message(items=[(a.bare, 'owner')]) % room)
        b.send(f'<presence to="{room}/bert" type="unavailable"/>')
        b.expect(f'<presence from="{room}/bert" type="unavailable"/>')


def the_difference_outlives_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    a, room = create(stage, settings=OPEN)
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, c.bare, 'member'), room)
    v = joined(b, room, 'bert')
    a.set(set_affiliation(room, c.bare, 'none'), room)
    stage.server.restart()
    b = stage.again(b)
    b.send(f'<presence to="{room}/bert"><x xmlns="{MUC}">{mav(v)}</x></presence>')
    b.expect(message(v, items=[(c.bare, 'none')]) % room)


def changes_of_the_absent_are_told(stage):
    room, a, b = party(stage, settings=OPEN)
    c = stage.online()
    a.set(set_affiliation(room, c.bare, 'member'), room)
    got = [x.expect(message('*', items=[(c.bare, 'member')]) % room) for x in (a, b)]
    a.set(set_affiliation(room, c.bare, 'outcast'), room)
    first = got[0].find('x/mav')['until']
    a.expect(message(first, items=[(c.bare, 'outcast')]) % room)
    b.expect(message(first, items=[(c.bare, 'none')]) % room)  # the ban list is not his to see


def changes_of_the_present_carry_versions(stage):
    room, a, b = party(stage)
    a.set(set_affiliation(room, b.bare, 'member'), room)
    for x in (a, b):
        x.expect(f'<presence from="{room}/n1"><x xmlns="{MUC_USER}"><item affiliation="member"/><mav xmlns="{MAV}" since="*" until="*"/></x></presence>')


def who_may_not_see_the_lists_is_told_so(stage):
    room, a, b = party(stage)  # semi-anonymous
    c = stage.online()
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}">{mav()}</x></presence>')
    c.expect(f'<message from="{room}" type="error"><error type="auth"><forbidden xmlns="{STANZAS}"/></error></message>')
    c.expect(occupant(room, 'carl', (110,)))
    a.set(set_affiliation(room, stage.online().bare, 'member'), room)
    b.expect_nothing(message('*') % room, after=(a,))


def the_request_is_not_reflected(stage):
    room, a, b = party(stage)
    c = stage.online()
    joined(c, room, 'carl')
    a.expect(f'<presence from="{room}/carl"><t:no><x xmlns="{MUC}"/></t:no></presence>')


def many_changes_are_told_at_once(stage):
    room, a, b = party(stage, settings=OPEN)
    items = ''.join(f'<item jid="u{i}@example.org" affiliation="member"/>' for i in range(300))
    a.set(f'<query xmlns="{MUC_ADMIN}">{items}</query>', room)
    got = b.expect(f'<message from="{room}" type="!"><x xmlns="{MUC_USER}"><mav xmlns="{MAV}" since="*" until="*"/></x></message>')
    equal(len(got.all('x/item')), 300)
    b.expect_nothing(f'<message from="{room}" type="!"/>', after=(a,))
    c = stage.online()
    v = joined(c, room, 'carl')
    equal(v, got.find('x/mav')['until'])
    c.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><item jid="u299@example.org"/></x></message>')
