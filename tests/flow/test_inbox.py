# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0430 0.2 inbox: conversations with last message and unread count, from one query; marked read by XEP-0333 markers."""
from rooms import create, enter
from lib import *
from test_archive import query, rsm
from test_retention import old_ids

INBOX = 'urn:xmpp:inbox:1'
MARKERS = 'urn:xmpp:chat-markers:0'


def inbox(c, attrs='', page='', answer='good'):
    """([(jid, unread, last body or None)], fin, entries)"""
    payload = f'<inbox xmlns="{INBOX}" {attrs}>{page}</inbox>'
    if answer != 'good':
        return c.refused('get', payload, answer)
    fin = c.get(payload).find('fin', INBOX)
    out, entries = [], []
    for el in list(c.queue):
        entry = el.find('entry', INBOX)
        if entry is None:
            continue
        c.queue.remove(el)
        result = el.find('result', MAM)
        message = result and result.find('forwarded', FORWARD).find('message')
        out.append((entry['jid'], int(entry['unread']), message and message.textof('body')))
        entries.append(entry)
    return out, fin, entries


def counts(fin):
    return tuple(int(fin[a]) for a in ('total', 'unread', 'all-unread'))


def stored(c):
    """Waits until what c sent is in the archives."""
    c.request_ack()


def say(c, to, mid, extra='', body=True):
    if not c.sm_on:
        c.enable_sm()
    text = f'<body>{mid}</body>' if body else ''
    c.send(f'<message to="{to}" type="chat" id="{mid}">{text}{extra}</message>')
    stored(c)


def displayed(c, to, mid, kind='displayed'):
    if not c.sm_on:
        c.enable_sm()
    c.send(f'<message to="{to}" type="chat" id="{Client.new_id()}"><{kind} xmlns="{MARKERS}" id="{mid}"/></message>')
    stored(c)


def it_is_announced(stage):
    a = stage.online()
    check(INBOX in disco(a, a.bare)[0], 'not announced')


def an_empty_inbox(stage):
    got, fin, _ = inbox(stage.online())
    equal((got, counts(fin)), ([], (0, 0, 0)))


def conversations_come_newest_first_with_unread_and_last_message(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    say(b, a.bare, 'b1')
    say(c, a.bare, 'c1')
    say(b, a.bare, 'b2')
    a.expect('<message id="b2"/>')
    got, fin, entries = inbox(a)
    equal(got, [(b.bare, 2, 'b2'), (c.bare, 1, 'c1')])
    equal(counts(fin), (2, 2, 3))
    rows = query(a)[0]
    equal(entries[0]['id'], rows[-1][0])
    equal(inbox(b)[0], [(a.bare, 0, 'b2')])
    equal(inbox(a, 'messages="false"')[0], [(b.bare, 2, None), (c.bare, 1, None)])


def asking_again_says_the_same(stage):
    a, b = stage.online(), stage.online()
    for i in range(5):
        say(b, a.bare, 'm%d' % i)
        equal(inbox(a)[0], [(b.bare, i + 1, 'm%d' % i)])
        equal(inbox(a)[0], [(b.bare, i + 1, 'm%d' % i)])


def a_marker_of_any_device_reads_up_to_its_message(stage):
    a, b = stage.online(), stage.online()
    a2 = stage.again(a)
    for i in range(4):
        say(b, a.bare, 'm%d' % i)
    displayed(a2, b.bare, 'm1')
    equal(inbox(a)[0], [(b.bare, 2, 'm3')])
    displayed(a, b.bare, 'm0')  # older: changes nothing
    equal(inbox(a)[0], [(b.bare, 2, 'm3')])
    displayed(a, b.bare, 'unknown')
    equal(inbox(a)[0], [(b.bare, 2, 'm3')])
    displayed(a, b.bare, 'm3')
    got, fin, _ = inbox(a)
    equal(got, [(b.bare, 0, 'm3')])
    equal(counts(fin), (1, 0, 0))
    equal(inbox(a, 'unread-only="true"')[0], [])


def a_marker_in_another_conversation_reads_nothing_here(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    say(b, a.bare, 'same')
    say(c, a.bare, 'same')
    displayed(a, c.bare, 'same')
    equal(inbox(a)[0], [(c.bare, 0, 'same'), (b.bare, 1, 'same')])
    displayed(b, a.bare, 'same')  # the other side's marker
    equal(inbox(a, 'unread-only="1"')[0], [(b.bare, 1, 'same')])


def receipts_and_states_change_nothing(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    say(a, b.bare, 'r1', '<received xmlns="urn:xmpp:receipts" id="m1"/>', body=False)
    displayed(a, b.bare, 'm1', 'received')
    say(b, a.bare, 's1', '<composing xmlns="http://jabber.org/protocol/chatstates"/>', body=False)
    say(b, a.bare, 'x1', '<reactions xmlns="urn:xmpp:reactions:0" id="m1"><reaction>x</reaction></reactions>', body=False)
    equal(inbox(a)[0], [(b.bare, 1, 'm1')])


def an_answer_reads_everything_before(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    say(b, a.bare, 'm2')
    say(a, b.bare, 'answer')
    equal(inbox(a)[0], [(b.bare, 0, 'answer')])
    equal(inbox(b)[0], [(a.bare, 1, 'answer')])


def a_correction_is_no_new_message_and_a_retraction_one_less(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    say(b, a.bare, 'm1b', '<replace xmlns="urn:xmpp:message-correct:0" id="m1"/>')
    equal(inbox(a)[0], [(b.bare, 1, 'm1b')])
    say(b, a.bare, 'm2')
    say(b, a.bare, 'r1', '<retract xmlns="urn:xmpp:message-retract:1" id="m2"/>')
    equal([g[1] for g in inbox(a)[0]], [1])


def pages(stage):
    a = stage.online()
    others = [stage.online() for _ in range(5)]
    for i, c in enumerate(others):
        say(c, a.bare, 'm%d' % i)
    order = [c.bare for c in reversed(others)]
    got, fin, entries = inbox(a, page=rsm('<max>2</max>'))
    equal([g[0] for g in got], order[:2])
    equal((fin.textof('set/count'), fin.find('set/first')['index']), ('5', '0'))
    equal(fin.textof('set/last'), entries[-1]['id'])
    got, fin, _ = inbox(a, page=rsm(f'<max>2</max><after>{fin.textof("set/last")}</after>'))
    equal([g[0] for g in got], order[2:4])
    equal(fin.find('set/first')['index'], '2')
    before = fin.textof('set/first')
    got, fin, _ = inbox(a, page=rsm('<max>2</max><before/>'))
    equal([g[0] for g in got], order[3:])
    got, fin, _ = inbox(a, page=rsm(f'<max>1</max><before>{before}</before>'))
    equal([g[0] for g in got], order[1:2])
    got, fin, _ = inbox(a, page=rsm('<max>0</max>'))
    equal((got, counts(fin)), ([], (5, 5, 5)))


@each(['unread-only="maybe"', 'messages="2"'])
def nonsense_is_refused(stage, attrs):
    inbox(stage.online(), attrs, answer='bad-request')


def an_unknown_page_is_refused(stage):
    inbox(stage.online(), page=rsm('<after>nonsense</after>'), answer='item-not-found')


def nobody_else_sees_it(stage):
    a, b = stage.online(), stage.online()
    b.refused('get', f'<inbox xmlns="{INBOX}"/>', 'service-unavailable|forbidden', a.bare)


def an_occupant_who_writes_privately_is_a_conversation(stage):
    a, room = create(stage)
    b = stage.online()
    enter(b, room, 'bob')
    say(b, room + '/owner', 'pm1')
    a.expect('<message id="pm1"/>')
    equal(inbox(a)[0], [(room + '/bob', 1, 'pm1')])


def a_retracted_last_message_is_a_tombstone(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    say(b, a.bare, 'r1', '<retract xmlns="urn:xmpp:message-retract:1" id="m1"/>')
    b.request_ack()
    got, _, _ = inbox(a)
    equal(got, [(b.bare, 0, None)])


@on_server()
def it_survives_a_kill(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    say(b, a.bare, 'm2')
    equal(inbox(a)[0], [(b.bare, 2, 'm2')])
    displayed(a, b.bare, 'm1')
    stage.server.kill()
    stage.server.start()
    a2 = stage.again(a)
    equal(inbox(a2)[0], [(b.bare, 1, 'm2')])


@on_server()
def what_is_kept_and_what_is_new_add_up(stage):
    """Rows of yesterday are kept in the inbox's own state, those of the last seconds are added each time."""
    a, b, c = stage.online(), stage.online(), stage.online()
    for i in range(4):
        say(b, a.bare, 'm%d' % i)
    say(c, a.bare, 'c0')
    displayed(a, b.bare, 'm0')
    old_ids(stage, stage.server, a.bare, 1)
    a, b = stage.again(a), stage.again(b)
    for _ in range(2):
        equal(inbox(a)[0], [(b.bare, 3, 'm3'), (c.bare, 1, 'c0')])  # the marker came last
    say(b, a.bare, 'm4')
    for _ in range(2):
        equal(inbox(a)[0], [(b.bare, 4, 'm4'), (c.bare, 1, 'c0')])
    displayed(a, b.bare, 'm2')  # one of those that are kept
    equal(inbox(a)[0], [(b.bare, 2, 'm4'), (c.bare, 1, 'c0')])
    stage.server.restart()
    a = stage.again(a)
    equal(inbox(a)[0], [(b.bare, 2, 'm4'), (c.bare, 1, 'c0')])


def what_an_archive_does_not_hold_is_not_in_the_inbox(stage):
    a, b = stage.online(), stage.online()
    a.set(f'<prefs xmlns="{MAM}" default="never"><always/><never/></prefs>')
    say(b, a.bare, 'm1')
    equal(inbox(a)[0], [])


def a_hundred_questions_at_once_get_an_answer_each(stage):
    a, b = stage.online(), stage.online()
    say(b, a.bare, 'm1')
    for i in range(100):
        a.send(f'<iq type="get" id="i{i}"><inbox xmlns="{INBOX}"/></iq>')
    for i in range(100):
        check(a.expect(f'<iq id="i{i}"/>')['type'] in ('result', 'error'), i)
    a.queue.clear()
    equal(inbox(a)[0], [(b.bare, 1, 'm1')])


MDS = 'urn:xmpp:mds:displayed:0'


def mds(c, peer, stanza_id, by=None):
    c.set(f'<pubsub xmlns="http://jabber.org/protocol/pubsub"><publish node="{MDS}"><item id="{peer}"><displayed xmlns="{MDS}">'
          f'<stanza-id xmlns="{SID}" by="{by or c.bare}" id="{stanza_id}"/></displayed></item></publish></pubsub>')


def a_displayed_item_reads_too(stage):
    """XEP-0490: read on another device, without a word to the sender."""
    a, b = stage.online(), stage.online()
    for i in range(3):
        say(b, a.bare, 'm%d' % i)
    ids = [r[0] for r in query(a)[0]]
    mds(a, b.bare, ids[0], by='room@conference.localhost')  # of another archive
    equal(inbox(a)[0], [(b.bare, 3, 'm2')])
    mds(a, b.bare, ids[1])
    equal(inbox(a)[0], [(b.bare, 1, 'm2')])
    mds(a, b.bare, ids[0])  # only forward
    equal(inbox(a)[0], [(b.bare, 1, 'm2')])
    mds(a, b.bare, 'nonsense')
    equal(inbox(a)[0], [(b.bare, 1, 'm2')])
    mds(a, b.bare, ids[2])
    equal(inbox(a)[0], [(b.bare, 0, 'm2')])


@on_server()
def a_displayed_item_is_known_before_the_first_question(stage):
    a, b = stage.online(), stage.online()
    for i in range(3):
        say(b, a.bare, 'm%d' % i)
    mds(a, b.bare, query(a)[0][1][0])
    stage.server.restart()
    equal(inbox(stage.again(a))[0], [(b.bare, 1, 'm2')])
