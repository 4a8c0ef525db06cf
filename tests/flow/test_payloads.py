# SPDX-License-Identifier: AGPL-3.0-or-later
"""What clients say to each other beside the text passes unharmed, live and kept, and stays in the archives: XEP-0308 corrections,
XEP-0444 reactions, XEP-0461 replies, XEP-0428 fallback marks, XEP-0333 markers, XEP-0184 receipts, XEP-0201 threads, XEP-0511
link metadata. Chat states (XEP-0085) pass and are forgotten."""
from lib import *
from test_archive import query

RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
BODY = '<body>text</body>'
# name, children, what they must still be afterwards, kept
PAYLOADS = [
    ('correction (XEP-0308)', BODY + '<replace xmlns="urn:xmpp:message-correct:0" id="bad1"/>',
     BODY + '<replace xmlns="urn:xmpp:message-correct:0" id="bad1"/>', True),
    ('reaction (XEP-0444)', '<reactions xmlns="urn:xmpp:reactions:0" id="m1"><reaction>👍🏽</reaction><reaction>🐢</reaction></reactions>',
     '<reactions xmlns="urn:xmpp:reactions:0" id="m1"><reaction>👍🏽</reaction><reaction>🐢</reaction></reactions>', True),
    ('no reaction any more (XEP-0444)', '<reactions xmlns="urn:xmpp:reactions:0" id="m1"/>',
     '<reactions xmlns="urn:xmpp:reactions:0" id="m1"/>', True),
    ('reply (XEP-0461) with fallback (XEP-0428)', '<body>&gt; old\nnew</body><reply xmlns="urn:xmpp:reply:0" to="anna@example.com" id="m1"/>'
     '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reply:0"><body start="0" end="6"/></fallback>',
     '<reply xmlns="urn:xmpp:reply:0" to="anna@example.com" id="m1"/>'
     '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reply:0"><body start="0" end="6"/></fallback>', True),
    ('markable (XEP-0333)', BODY + '<markable xmlns="urn:xmpp:chat-markers:0"/>', '<markable xmlns="urn:xmpp:chat-markers:0"/>', True),
    ('displayed (XEP-0333)', '<displayed xmlns="urn:xmpp:chat-markers:0" id="m1"/>',
     '<displayed xmlns="urn:xmpp:chat-markers:0" id="m1"/>', True),
    ('receipt wanted (XEP-0184)', BODY + '<request xmlns="urn:xmpp:receipts"/>', '<request xmlns="urn:xmpp:receipts"/>', True),
    ('receipt (XEP-0184)', '<received xmlns="urn:xmpp:receipts" id="m1"/>', '<received xmlns="urn:xmpp:receipts" id="m1"/>', True),
    ('thread (XEP-0201)', BODY + '<thread parent="t0">t1</thread>', '<thread parent="t0">t1</thread>', True),
    ('link metadata (XEP-0511)', BODY + f'<rdf:Description xmlns:rdf="{RDF}" xmlns:og="https://ogp.me/ns#" rdf:about="https://a.example/">'
     '<og:title>T &amp; t</og:title></rdf:Description>',
     f'<Description xmlns="{RDF}"><title xmlns="https://ogp.me/ns#">T &amp; t</title></Description>', True),
    ('a fallback mark alone is no content', '<fallback xmlns="urn:xmpp:fallback:0" for="x"/>', '<fallback xmlns="urn:xmpp:fallback:0" for="x"/>', False),
    ('chat state (XEP-0085)', '<composing xmlns="http://jabber.org/protocol/chatstates"/>',
     '<composing xmlns="http://jabber.org/protocol/chatstates"/>', False),
]


@each(PAYLOADS, lambda r: r[0])
def it_passes_and_is_archived(stage, row):
    _, payload, want, kept = row
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat" id="p1">{payload}</message>')
    got = b.expect(f'<message id="p1" from="{a.jid}">{want}</message>')
    about(row, got)
    for c in (a, b):
        rows, _ = query(c)
        equal(len(rows), 1 if kept else 0, 'rows')
        if kept:
            check(mismatch(parse(f'<message xmlns="jabber:client" id="p1">{want}</message>'), rows[0][1]) is None, rows[0][1])
            about(row, rows[0][1])


@each(PAYLOADS, lambda r: r[0])
def it_waits_for_who_is_away(stage, row):
    _, payload, want, kept = row
    a, acc = stage.online(), stage.account()
    a.send(f'<message to="{acc.jid}" type="chat" id="p1">{payload}</message>')
    a.ping()
    b = stage.client(acc).login()
    b.present('')
    if kept:
        about(row, b.expect(f'<message id="p1">{want}</message>'))
    else:
        b.expect_nothing('<message/>')


@each(PAYLOADS, lambda r: r[0])
def other_devices_of_the_sender_get_it(stage, row):
    _, payload, want, kept = row
    a, b = stage.online(), stage.online()
    a2 = stage.again(a)
    a2.set(f'<enable xmlns="{CARBONS}"/>')
    a.send(f'<message to="{b.jid}" type="chat" id="p1">{payload}</message>')
    a2.expect(f'<message><sent xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}"><message id="p1">{want}</message></forwarded></sent></message>')


def about(row, message):
    """The namespaced attribute of XEP-0511 is still there."""
    if 'XEP-0511' in row[0]:
        check('https://a.example/' in str(message), message)


@each([('no-store', False, False), ('no-permanent-store', False, True)])
def hints_decide_what_is_kept(stage, row):
    hint, archived, waits = row
    a, acc = stage.online(), stage.account()
    a.send(f'<message to="{acc.jid}" type="chat" id="p1">{BODY}<{hint} xmlns="{HINTS}"/></message>')
    a.ping()
    b = stage.client(acc).login()
    b.present('')
    if waits:
        b.expect('<message id="p1"/>')
    else:
        b.expect_nothing('<message/>')
    for c in (a, b):
        equal(len(query(c)[0]), int(archived), 'rows')
