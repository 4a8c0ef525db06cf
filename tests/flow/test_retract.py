# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0424 0.4 retraction in accounts' archives: tombstones, who may, offline copies."""
from rooms import *
from test_archive import bodies, query
from test_ephemeral import until

RETRACT = 'urn:xmpp:message-retract:1'


def retract(c, to, what, mid, extra='', kind='chat'):
    c.send(f'<message to="{to}" type="{kind}" id="{mid}"><retract xmlns="{RETRACT}" id="{what}"/>'
           f'<fallback xmlns="urn:xmpp:fallback:0" for="{RETRACT}"/><body>retracted</body>'
           f'<store xmlns="{HINTS}"/>{extra}</message>')
    if c.sm_on:
        c.request_ack()


def people(stage, n=2):
    out = [stage.online() for _ in range(n)]
    for c in out:
        c.enable_sm()  # an acknowledged retraction has done its work
    return out


def say(c, to, mid, text=None, extra=''):
    c.send(f'<message to="{to}" type="chat" id="{mid}"><body>{text or mid}</body>{extra}</message>')


def rows(c):
    """[(message id, body or 'tombstone of ID')] of an archive"""
    out = []
    for _, m in query(c)[0]:
        stone = m.find('retracted', RETRACT)
        if stone is not None:
            check(stone['stamp'] and m.find('body') is None, m)
        out.append((m['id'], 'gone by ' + stone['id'] if stone is not None else m.textof('body')))
    return out


def it_is_announced(stage):
    a = stage.online()
    for to in (a.bare, stage.domain):
        features, _ = disco(a, to)
        check(RETRACT in features and RETRACT + '#tombstone' in features, features)


def both_archives_get_a_tombstone(stage):
    a, b = people(stage)
    for mid in ('m1', 'm2', 'm3'):
        say(a, b.bare, mid, 'text ' + mid)
        b.expect(f'<message id="{mid}"/>')
    retract(a, b.bare, 'm2', 'r1')
    b.expect(f'<message id="r1"><retract xmlns="{RETRACT}" id="m2"/></message>')
    a.ping()
    for c in (a, b):
        equal(rows(c), [('m1', 'text m1'), ('m2', 'gone by r1'), ('m3', 'text m3'), ('r1', 'retracted')])
        equal(bodies(query(c, {'{urn:xmpp:fulltext:0}fulltext': 'm2'})[0]), [])


def the_tombstone_keeps_its_place_and_head(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1', extra=f'<origin-id xmlns="{SID}" id="o1"/><x xmlns="urn:secret">secret</x>')
    b.expect('<message id="m1"/>')
    before = query(b)[0]
    retract(a, b.bare, 'm1', 'r1')
    b.expect('<message id="r1"/>')
    after = query(b)[0]
    equal(after[0][0], before[0][0], 'archive id')
    stone = after[0][1]
    equal((stone['from'], stone['to'], stone['type'], stone['id']), (a.jid, b.bare, 'chat', 'm1'))
    check('secret' not in str(stone), stone)


def the_origin_id_names_it_too(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1', extra=f'<origin-id xmlns="{SID}" id="o1"/>')
    b.expect('<message id="m1"/>')
    retract(a, b.bare, 'o1', 'r1')
    b.expect('<message id="r1"/>')
    a.ping()
    equal([r[1] for r in rows(b)], ['gone by r1', 'retracted'])
    equal([r[1] for r in rows(a)], ['gone by r1', 'retracted'])


def a_stranger_retracts_nothing(stage):
    a, b, c = people(stage, 3)
    say(a, b.bare, 'm1')
    b.expect('<message id="m1"/>')
    retract(c, b.bare, 'm1', 'r1')
    b.expect('<message id="r1"/>')
    equal(rows(b), [('m1', 'm1'), ('r1', 'retracted')])
    equal(rows(a), [('m1', 'm1')])


def the_recipient_retracts_nothing_of_the_sender(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1')
    b.expect('<message id="m1"/>')
    retract(b, a.bare, 'm1', 'r1')
    a.expect('<message id="r1"/>')
    for c in (a, b):
        equal(rows(c), [('m1', 'm1'), ('r1', 'retracted')])


def the_same_id_elsewhere_is_not_touched(stage):
    a, b, c = people(stage, 3)
    say(a, b.bare, 'same')
    say(a, c.bare, 'same')
    b.expect('<message id="same"/>')
    c.expect('<message id="same"/>')
    retract(a, b.bare, 'same', 'r1')
    b.expect('<message id="r1"/>')
    a.ping()
    equal(rows(c), [('same', 'same')])
    equal([r[1] for r in rows(a)], ['gone by r1', 'same', 'retracted'])


def another_device_of_the_author_may(stage):
    a, b = people(stage)
    a2 = stage.again(a)
    a2.enable_sm()
    say(a, b.jid, 'm1')
    b.expect('<message id="m1"/>')
    retract(a2, b.bare, 'm1', 'r1')
    b.expect('<message id="r1"/>')
    a2.ping()
    equal([r[1] for r in rows(b)], ['gone by r1', 'retracted'])
    equal([r[1] for r in rows(a)], ['gone by r1', 'retracted'])


def other_devices_get_a_carbon(stage):
    a, b = people(stage)
    a2 = stage.again(a)
    a2.set(f'<enable xmlns="{CARBONS}"/>')
    say(a, b.bare, 'm1')
    retract(a, b.bare, 'm1', 'r1')
    a2.expect(f'<message><sent xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}"><message id="r1">'
              f'<retract xmlns="{RETRACT}" id="m1"/></message></forwarded></sent></message>')


def a_note_to_oneself_is_retracted(stage):
    a, = people(stage, 1)
    say(a, a.bare, 'm1')
    a.expect('<message id="m1"/>')
    retract(a, a.bare, 'm1', 'r1')
    a.expect('<message id="r1"/>')
    a.ping()
    equal(rows(a), [('m1', 'gone by r1'), ('r1', 'retracted')])


def an_unknown_id_changes_nothing(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1')
    for what in ('nothing', '', 'x' * 2000, '0', '" OR 1'):
        retract(a, b.bare, what.replace('"', '&quot;'), 'r')
        b.expect('<message id="r"/>')
    a.ping()
    equal(rows(b)[0], ('m1', 'm1'))
    equal(len(rows(b)), 6)


def a_retraction_without_an_id_changes_nothing(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1')
    a.send(f'<message to="{b.bare}" type="chat"><retract xmlns="{RETRACT}" id="m1"/></message>')
    b.expect(f'<message><retract xmlns="{RETRACT}" id="m1"/></message>')
    a.ping()
    equal(rows(b)[0], ('m1', 'm1'))


def a_second_retraction_leaves_the_first_tombstone(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1')
    retract(a, b.bare, 'm1', 'r1')
    b.expect('<message id="r1"/>')
    a.ping()
    retract(a, b.bare, 'm1', 'r2')
    b.expect('<message id="r2"/>')
    a.ping()
    equal(rows(b), [('m1', 'gone by r1'), ('r1', 'retracted'), ('r2', 'retracted')])


def what_was_never_fetched_is_not_delivered_any_more(stage):
    (a,), acc = people(stage, 1), stage.account()
    for mid in ('m1', 'm2'):
        say(a, acc.jid, mid)
    retract(a, acc.jid, 'm1', 'r1')
    b = stage.client(acc).login()
    b.present('')
    b.expect('<message id="r1"/>')
    equal([m['id'] for m in b.queue if m.name == 'message'], ['m2'])
    b.close()
    c = stage.client(acc).login()
    c.present('')
    c.expect_nothing('<message/>')


def a_flood_of_retractions_disturbs_nobody(stage):
    a, b, c = people(stage, 3)
    say(a, b.bare, 'm1')
    for i in range(300):
        retract(a, b.bare, 'none%d' % i, 'f%d' % i)
    say(c, b.bare, 'c1')
    b.expect('<message id="c1"/>')
    b.expect('<message id="f299"/>')
    a.ping()
    equal(bodies(query(b, {'with': c.bare})[0]), ['c1'])


@on_server()
def a_tombstone_survives_a_kill(stage):
    a, b = people(stage)
    say(a, b.bare, 'm1')
    b.expect('<message id="m1"/>')
    retract(a, b.bare, 'm1', 'r1')
    stage.server.kill()
    stage.server.start()
    b2 = stage.again(b)
    equal(rows(b2), [('m1', 'gone by r1'), ('r1', 'retracted')])


def a_private_message_in_a_room_is_retracted(stage):
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    enter(b, room, 'bob')
    enter(c, room, 'carl')
    for s in (a, b, c):
        s.enable_sm()
    say(b, room + '/owner', 'pm1')
    say(c, room + '/owner', 'pm1')
    a.expect(f'<message id="pm1" from="{room}/carl"/>')
    retract(b, room + '/owner', 'pm1', 'r1')
    a.expect('<message id="r1"/>')
    equal(sorted(r[1] for r in rows(a)), ['gone by r1', 'pm1', 'retracted'])  # carl's stays
    b.ping()
    b.request_ack()
    equal([r[1] for r in rows(c)], ['pm1'])
    until(lambda: [r[1] for r in rows(b)], ['gone by r1', 'retracted'])
