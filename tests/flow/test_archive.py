# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0313 1.1 with XEP-0059, XEP-0359, XEP-0334 over a user's archive. Rooms: test_muc_archive.py."""
import re
import time

from lib import *


def rsm(text=''):
    return f'<set xmlns="{RSM}">{text}</set>'


def query(c, filters=None, page='', to=None, extra='', answer='good'):
    """([(archive id, forwarded message)], fin element)"""
    qid = Client.new_id()
    x = form(MAM, filters) if filters is not None else ''
    payload = f'<query xmlns="{MAM}" queryid="{qid}">{x}{page}{extra}</query>'
    if answer != 'good':
        return c.refused('set', payload, answer, to)
    reply = c.set(payload, to)
    fin = reply.find('fin', MAM)
    check(fin is not None and fin.find('set', RSM) is not None, 'no <fin/> with <set/>: %s' % reply)
    rows = []
    for el in list(c.queue):
        result = el.find('result', MAM)
        if result is not None and result['queryid'] == qid:
            c.queue.remove(el)
            equal(el['from'] or to or c.bare, to or c.bare, 'from of a result')
            fwd = result.find('forwarded', FORWARD)
            check(fwd.find('delay', DELAY) is not None, 'no delay stamp')
            rows.append((result['id'], fwd.find('message')))
    ids = [r[0] for r in rows]
    if rows:
        equal(fin.textof('set/first'), ids[0], '<first/>')
        equal(fin.textof('set/last'), ids[-1], '<last/>')
    return rows, fin


def bodies(rows):
    return [m.textof('body') for _, m in rows]


def complete(fin):
    return fin['complete'] in ('true', '1')


def chat(stage, n=10):
    """a and b with n messages m0..m(n-1) from a to b."""
    a, b = stage.online(), stage.online()
    for i in range(n):
        a.send(f'<message to="{b.bare}" type="chat" id="m{i}"><body>m{i}</body></message>')
    for i in range(n):
        b.expect(f'<message id="m{i}"/>')
    a.ping()
    return a, b


def it_is_announced_on_the_own_account(stage):
    a = stage.online()
    features, _ = disco(a, a.bare)
    for want in (MAM, MAM + '#extended', SID):
        check(want in features, '%s is not announced: %s' % (want, features))


def both_sides_have_every_message(stage):
    a, b = chat(stage, 5)
    for c in (a, b):
        rows, fin = query(c)
        equal(bodies(rows), ['m%d' % i for i in range(5)])
        check(complete(fin), 'not marked complete')
        for _, m in rows:
            equal(m['from'], a.jid)
            equal(m['to'], b.bare)


def an_empty_archive_is_complete(stage):
    a = stage.online()
    rows, fin = query(a)
    equal(rows, [])
    check(complete(fin), fin)
    check(fin.find('set/first') is None, fin)


def delivered_messages_carry_the_archive_id(stage):
    a, b = chat(stage, 0)
    a.send(f'<message to="{b.bare}" type="chat" id="x"><body>x</body></message>')
    got = b.expect(f'<message id="x"><stanza-id xmlns="{SID}" by="{b.bare}" id="*"/></message>')
    equal(len(got.all('stanza-id')), 1, 'stanza-ids')
    rows, _ = query(b)
    equal(rows[0][0], got.find('stanza-id')['id'])


def a_forged_stanza_id_is_removed(stage):
    a, b = chat(stage, 0)
    a.send(f'<message to="{b.bare}" type="chat" id="x"><body>x</body><stanza-id xmlns="{SID}" by="{b.bare}" id="forged"/>'
           f'<stanza-id xmlns="{SID}" by="{a.bare}" id="forged2"/></message>')
    got = b.expect('<message id="x"/>')
    check('forged' not in [s['id'] for s in got.all('stanza-id')], got)
    equal(len([s for s in got.all('stanza-id') if s['by'] == b.bare]), 1)
    rows, _ = query(b)
    check('forged' not in [s['id'] for s in rows[0][1].all('stanza-id')], rows)


def the_origin_id_is_kept(stage):
    a, b = chat(stage, 0)
    a.send(f'<message to="{b.bare}" type="chat" id="x"><body>x</body><origin-id xmlns="{SID}" id="o-1"/></message>')
    b.expect(f'<message id="x"><origin-id xmlns="{SID}" id="o-1"/></message>')
    for c in (a, b):
        rows, _ = query(c)
        equal(rows[0][1].find('origin-id', SID)['id'], 'o-1')


def a_repeated_origin_id_is_archived_once(stage):
    """A client that got no acknowledgement repeats the message after signing in again (DESIGN §1.2)."""
    a, b = chat(stage, 0)
    text = f'<message to="{b.bare}" type="chat" id="x"><body>x</body><origin-id xmlns="{SID}" id="o-1"/></message>'
    a.send(text)
    b.expect('<message id="x"/>')
    a.ping()
    a2 = stage.again(a)
    a2.send(text)
    a2.ping()
    b.ping()
    for c in (a2, b):
        rows, _ = query(c)
        equal(len(rows), 1, 'archived copies')


def the_same_origin_id_from_two_senders_is_two_messages(stage):
    a, b = chat(stage, 0)
    c = stage.online()
    for s in (a, c):
        s.send(f'<message to="{b.bare}" type="chat" id="x"><body>{s.bare}</body><origin-id xmlns="{SID}" id="same"/></message>')
        b.expect(f'<message from="{s.jid}"/>')
    rows, _ = query(b)
    equal(sorted(bodies(rows)), sorted([a.bare, c.bare]))


def with_matches_bare_and_full_addresses(stage):
    a, b = chat(stage, 3)
    c = stage.online()
    c.send(f'<message to="{a.jid}" type="chat" id="fromc"><body>fromc</body></message>')
    a.expect('<message id="fromc"/>')
    equal(bodies(query(a, {'with': b.bare})[0]), ['m0', 'm1', 'm2'])
    equal(bodies(query(a, {'with': c.bare})[0]), ['fromc'])
    equal(bodies(query(a, {'with': c.jid})[0]), ['fromc'])
    equal(bodies(query(a, {'with': c.bare + '/other'})[0]), [])
    equal(bodies(query(a, {'with': 'nobody-there@localhost'})[0]), [])


def with_the_own_address_finds_notes_to_oneself(stage):
    a, b = chat(stage, 2)
    a.send(f'<message to="{a.bare}" type="chat" id="note"><body>note</body></message>')
    a.expect('<message id="note"/>')
    a.ping()
    rows, _ = query(a, {'with': a.bare})
    equal(bodies(rows), ['note'])


def start_and_end_are_inclusive_bounds(stage):
    a, b = chat(stage, 6)
    rows, _ = query(a)
    b.set(f'<query xmlns="{MAM}">' + rsm() + '</query>')
    stamps = [e.find('result/forwarded/delay')['stamp'] for e in b.queue if e.find('result', MAM) is not None]
    equal(len(stamps), 6)
    equal(stamps, sorted(stamps), 'stamps')
    equal(bodies(query(b, {'start': stamps[0]})[0]), ['m%d' % i for i in range(6)])
    equal(bodies(query(b, {'end': stamps[5]})[0]), ['m%d' % i for i in range(6)])
    mid = stamps[3]
    later = bodies(query(b, {'start': mid})[0])
    equal(later, ['m%d' % i for i in range(6) if stamps[i] >= mid])
    equal(bodies(query(b, {'end': mid})[0]), ['m%d' % i for i in range(6) if stamps[i] <= mid])
    equal(bodies(query(b, {'start': '2001-01-01T00:00:00Z', 'end': '2002-01-01T00:00:00Z'})[0]), [])
    equal(bodies(query(b, {'start': '2001-01-01T00:00:00+02:00'})[0]), ['m%d' % i for i in range(6)])


def max_limits_a_page_and_after_goes_on(stage):
    a, b = chat(stage, 10)
    seen, after = [], ''
    for n in range(6):
        rows, fin = query(a, {}, rsm(f'<max>3</max>{after}'))
        seen += bodies(rows)
        if complete(fin):
            break
        equal(len(rows), 3)
        after = f'<after>{fin.textof("set/last")}</after>'
    equal(seen, ['m%d' % i for i in range(10)])


def before_pages_backwards(stage):
    a, b = chat(stage, 10)
    pages, before = [], '<before/>'
    for n in range(6):
        rows, fin = query(a, {}, rsm(f'<max>4</max>{before}'))
        pages.insert(0, bodies(rows))
        if complete(fin):
            break
        before = f'<before>{fin.textof("set/first")}</before>'
    equal(sum(pages, []), ['m%d' % i for i in range(10)])
    equal(pages[-1], ['m6', 'm7', 'm8', 'm9'], 'last page')


def an_empty_before_gives_the_last_page(stage):
    a, b = chat(stage, 7)
    rows, fin = query(a, None, rsm('<max>2</max><before/>'))
    equal(bodies(rows), ['m5', 'm6'])
    check(not complete(fin), fin)


def max_zero_counts(stage):
    """XEP-0059 §2.7."""
    a, b = chat(stage, 4)
    rows, fin = query(a, None, rsm('<max>0</max>'))
    equal(rows, [])
    equal(fin.textof('set/count'), '4')


def a_page_of_exact_size_is_complete(stage):
    a, b = chat(stage, 4)
    rows, fin = query(a, None, rsm('<max>4</max>'))
    equal(len(rows), 4)
    check(complete(fin), 'not complete although nothing follows')


@each(['after', 'before'])
def an_unknown_page_mark_is_item_not_found(stage, word):
    a, b = chat(stage, 2)
    query(a, None, rsm(f'<max>5</max><{word}>no-such-id</{word}>'), answer='item-not-found')


def before_id_and_after_id_bound_the_range(stage):
    a, b = chat(stage, 6)
    ids = [r[0] for r in query(a)[0]]
    equal(bodies(query(a, {'after-id': ids[1]})[0]), ['m2', 'm3', 'm4', 'm5'])
    equal(bodies(query(a, {'before-id': ids[4]})[0]), ['m0', 'm1', 'm2', 'm3'])
    equal(bodies(query(a, {'after-id': ids[1], 'before-id': ids[4]})[0]), ['m2', 'm3'])
    rows, _ = query(a, {'after-id': ids[1]}, rsm('<max>2</max><before/>'))
    equal(bodies(rows), ['m4', 'm5'])


def ids_fetches_exactly_these(stage):
    a, b = chat(stage, 6)
    ids = [r[0] for r in query(a)[0]]
    equal(bodies(query(a, {'ids': [ids[4], ids[1]]})[0]), ['m1', 'm4'])


@each(['before-id', 'after-id', 'ids'])
def an_unknown_id_is_item_not_found(stage, var):
    a, b = chat(stage, 2)
    query(a, {var: 'no-such-id'}, answer='item-not-found')


def flip_page_reverses_the_order_within_a_page(stage):
    a, b = chat(stage, 5)
    qid = 'flip'
    reply = a.set(f'<query xmlns="{MAM}" queryid="{qid}">{rsm("<max>3</max><before/>")}<flip-page/></query>')
    rows = [e.find('result') for e in a.queue if e.find('result', MAM) is not None]
    equal([r.textof('forwarded/message/body') for r in rows], ['m4', 'm3', 'm2'])
    fin = reply.find('fin')
    equal({fin.textof('set/first'), fin.textof('set/last')}, {rows[0]['id'], rows[-1]['id']})


def the_form_lists_its_fields(stage):
    a = stage.online()
    x = a.get(f'<query xmlns="{MAM}"/>').find('query/x', DATA)
    check(x is not None, 'no form')
    names = fields(x)
    for var in ('FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'ids'):
        check(var in names, '%s is not in the form' % var)
    equal(names['FORM_TYPE'], [MAM])
    check(not [f for f in x.all('field') if f.find('required') is not None], 'a field is required')


def an_unknown_field_is_not_implemented(stage):
    a = stage.online()
    query(a, {'{urn:x}colour': 'red'}, answer='feature-not-implemented')


@each([('start', 'yesterday'), ('end', '2020-13-45T00:00:00Z'), ('with', '@@')], lambda r: '%s=%s' % r)
def bad_filters_are_refused(stage, row):
    a = stage.online()
    query(a, {row[0]: row[1]}, answer='bad-request|jid-malformed')


@each(['<max>-1</max>', '<max>x</max>', '<max>99999999999</max>'])
def a_bad_max_is_refused_or_limited(stage, text):
    a, b = chat(stage, 2)
    answer = a.iq('set', f'<query xmlns="{MAM}">{rsm(text)}</query>')
    if answer['type'] == 'error':
        equal(answer.error, 'bad-request')


def a_page_is_limited_by_the_server(stage):
    a, b = chat(stage, 300)
    rows, fin = query(a, None, rsm('<max>100000</max>'))
    check(len(rows) <= 300, len(rows))
    seen = bodies(rows)
    while not complete(fin):
        rows, fin = query(a, None, rsm(f'<max>100000</max><after>{fin.textof("set/last")}</after>'))
        seen += bodies(rows)
    equal(seen, ['m%d' % i for i in range(300)])


def metadata_names_the_first_and_last(stage):
    a, b = chat(stage, 4)
    ids = [r[0] for r in query(a)[0]]
    meta = a.get(f'<metadata xmlns="{MAM}"/>').find('metadata', MAM)
    equal((meta.find('start')['id'], meta.find('end')['id']), (ids[0], ids[-1]))
    check(re.match(r'\d{4}-', meta.find('start')['timestamp']), meta)
    empty = stage.online().get(f'<metadata xmlns="{MAM}"/>').find('metadata', MAM)
    check(not empty.kids, empty)


def a_foreign_archive_is_forbidden(stage):
    a, b = chat(stage, 2)
    query(a, None, to=b.bare, answer='forbidden|service-unavailable|not-allowed|item-not-found')
    a.expect_nothing(f'<message><result xmlns="{MAM}"/></message>')
    a.refused('get', f'<metadata xmlns="{MAM}"/>', 'forbidden|service-unavailable|not-allowed|item-not-found', b.bare)
    a.refused('get', f'<prefs xmlns="{MAM}"/>', 'forbidden|service-unavailable|not-allowed|item-not-found', b.bare)


STORED = [
    ('chat with body', '<message to="{}" type="chat"><body>x</body></message>', True),
    ('normal with body', '<message to="{}"><body>x</body></message>', True),
    ('headline', '<message to="{}" type="headline"><body>x</body></message>', False),
    ('chat state only', '<message to="{}" type="chat"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>', False),
    ('no-store', f'<message to="{{}}" type="chat"><body>x</body><no-store xmlns="{HINTS}"/></message>', False),
    ('no-permanent-store', f'<message to="{{}}" type="chat"><body>x</body><no-permanent-store xmlns="{HINTS}"/></message>', False),
    ('store', f'<message to="{{}}" type="chat"><x xmlns="urn:any"/><store xmlns="{HINTS}"/></message>', True),
    ('receipt', '<message to="{}" type="chat"><received xmlns="urn:xmpp:receipts" id="r"/></message>', True),
    ('marker', '<message to="{}" type="chat"><displayed xmlns="urn:xmpp:chat-markers:0" id="r"/></message>', True),
    ('groupchat to a user', '<message to="{}" type="groupchat"><body>x</body></message>', False),
    ('error', '<message to="{}" type="error"><body>x</body></message>', False),
]


@each(STORED, lambda r: r[0])
def what_is_stored_follows_the_business_rules(stage, row):
    a, b = stage.online(), stage.online()
    a.send(row[1].format(b.jid))
    a.ping()
    b.drain(after=[a])
    equal(len(query(b)[0]), 1 if row[2] else 0, 'archived for the recipient')
    if row[0] not in ('error',):
        equal(len(query(a)[0]), 1 if row[2] else 0, 'archived for the sender')


def prefs(c, default, always=(), never=()):
    lists = ''
    for word, jids in (('always', always), ('never', never)):
        lists += '<%s>%s</%s>' % (word, ''.join('<jid>%s</jid>' % j for j in jids), word)
    return c.set(f'<prefs xmlns="{MAM}" default="{default}">{lists}</prefs>').find('prefs')


def preferences_are_kept_and_returned(stage):
    a = stage.online()
    check(a.get(f'<prefs xmlns="{MAM}"/>').find('prefs')['default'] in ('always', 'never', 'roster'), 'no default')
    for default in ('never', 'roster', 'always'):
        prefs(a, default, ['x@localhost'], ['y@localhost'])
        got = stage.again(a).get(f'<prefs xmlns="{MAM}"/>').find('prefs')
        equal((got['default'], got.textof('always/jid'), got.textof('never/jid')), (default, 'x@localhost', 'y@localhost'))


def never_stores_nothing(stage):
    a, b = stage.online(), stage.online()
    prefs(b, 'never')
    a.send(f'<message to="{b.bare}" type="chat" id="n"><body>x</body></message>')
    got = b.expect('<message id="n"/>')
    check(not [s for s in got.all('stanza-id') if s['by'] == b.bare], 'archive id of a message that is not archived')
    b.send(f'<message to="{a.bare}" type="chat" id="n2"><body>y</body></message>')
    a.expect('<message id="n2"/>')
    equal(query(b)[0], [])
    equal(len(query(a)[0]), 2, 'messages of the other side')


def always_and_never_lists_overrule_the_default(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    prefs(c, 'never', always=[a.bare])
    for s in (a, b):
        s.send(f'<message to="{c.bare}" type="chat"><body>{s.bare}</body></message>')
        c.expect(f'<message from="{s.jid}"/>')
    equal(bodies(query(c)[0]), [a.bare])
    prefs(c, 'always', never=[a.bare])
    for s in (a, b):
        s.send(f'<message to="{c.bare}" type="chat"><body>again {s.bare}</body></message>')
        c.expect(f'<message from="{s.jid}"/>')
    equal(bodies(query(c)[0]), [a.bare, 'again ' + b.bare])


def roster_stores_contacts_only(stage):
    a, b = stage.friends()
    c = stage.online()
    prefs(b, 'roster')
    for s in (a, c):
        s.send(f'<message to="{b.bare}" type="chat"><body>{s.bare}</body></message>')
        b.expect(f'<message from="{s.jid}"/>')
    equal(bodies(query(b)[0]), [a.bare])


@each(['sometimes', ''])
def bad_preferences_are_refused(stage, default):
    a = stage.online()
    a.refused('set', f'<prefs xmlns="{MAM}" default="{default}"><always/><never/></prefs>', 'bad-request')


def blocked_messages_are_not_archived_by_the_recipient(stage):
    a, b = stage.online(), stage.online()
    b.set(f'<block xmlns="{BLOCKING}"><item jid="{a.bare}"/></block>')
    a.send(f'<message to="{b.bare}" type="chat"><body>x</body></message>')
    a.ping()
    b.ping()
    equal(query(b)[0], [])


def an_archive_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    for i in range(5):
        a.send(f'<message to="{b.bare}" type="chat" id="m{i}"><body>m{i}</body></message>')
    for i in range(5):
        b.expect(f'<message id="m{i}"/>')
    before, _ = query(b)
    server.restart()
    b2 = stage.client(b.account, server=server).online()
    after, _ = query(b2)
    equal([r[0] for r in after], [r[0] for r in before], 'ids')
    equal(bodies(after), ['m%d' % i for i in range(5)])


def ids_grow_over_a_restart(stage):
    """Ids are time-ordered: what comes after a restart pages after what came before."""
    server = stage.own_server()
    acc, peer = server.account(), server.account()
    for i in range(3):
        a = stage.client(acc, server=server).online()
        a.send(f'<message to="{peer.jid}" type="chat"><body>r{i}</body></message>')
        a.ping()
        server.restart()
    a = stage.client(acc, server=server).online()
    equal(bodies(query(a)[0]), ['r0', 'r1', 'r2'])


def two_conversations_page_apart(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    for i in range(6):
        for p in (b, c):
            a.send(f'<message to="{p.bare}" type="chat"><body>{p.bare} {i}</body></message>')
    a.ping()
    rows, fin = query(a, {'with': b.bare}, rsm('<max>4</max>'))
    equal(bodies(rows), ['%s %d' % (b.bare, i) for i in range(4)])
    rows, fin = query(a, {'with': b.bare}, rsm(f'<max>4</max><after>{fin.textof("set/last")}</after>'))
    equal(bodies(rows), ['%s %d' % (b.bare, i) for i in (4, 5)])
    check(complete(fin), fin)


def xml_comes_back_as_it_was(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat" id="deep" xml:lang="zh"><body>鸿雁 &lt;&amp;&gt;</body><p:x xmlns:p="urn:p" k="&quot;">'
           '<y xmlns="urn:y">text<p:z/>tail</y></p:x></message>')
    live = b.expect('<message id="deep"/>')
    kept = query(b)[0][0][1]
    live.kids = [k for k in live.kids if k.name != 'stanza-id']
    kept.kids = [k for k in kept.kids if k.name != 'stanza-id']
    why = mismatch(live, kept) or mismatch(kept, live)
    check(why is None, why)
