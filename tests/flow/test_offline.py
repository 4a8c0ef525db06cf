# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0160 / RFC 6121 §8.5.2.2: offline delivery with XEP-0203 delay stamps."""
import re

from lib import *


def absent(stage):
    return stage.account()


def come(stage, acc, priority=0, **kw):
    c = stage.client(acc, **kw).login()
    c.present('', priority)
    return c


def stored_messages_come_with_a_delay_stamp(stage):
    a, acc = stage.online(), absent(stage)
    a.send(f'<message to="{acc.jid}" type="chat" id="s1"><body>later</body></message>')
    a.ping()
    b = come(stage, acc)
    got = b.expect(f'<message id="s1" from="{a.jid}" to="{acc.jid}"><body>later</body><delay xmlns="{DELAY}" stamp="*"/></message>')
    delay = got.find('delay')
    check(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', delay['stamp']), delay)
    equal(delay['from'], 'localhost', 'from of the delay stamp')


def they_come_in_order_and_once(stage):
    a, acc = stage.online(), absent(stage)
    for i in range(50):
        a.send(f'<message to="{acc.jid}" type="chat" id="s{i}"><body>{i}</body></message>')
    a.ping()
    b = come(stage, acc)
    for i in range(50):
        b.expect(f'<message id="s{i}"/>')
    got = [e['id'] for e in b.drain() if e.name == 'message']
    equal(got, [], 'messages too many')
    b.close()
    c = come(stage, acc)
    c.expect_nothing('<message/>')


def their_order_is_kept(stage):
    a, acc = stage.online(), absent(stage)
    for i in range(30):
        a.send(f'<message to="{acc.jid}" type="chat" id="k{i}"><body>{i}</body></message>')
    a.ping()
    b = come(stage, acc)
    b.expect('<message id="k29"/>')
    equal([e['id'] for e in b.queue if e.name == 'message'], ['k%d' % i for i in range(29)], 'order')


def negative_priority_does_not_fetch_them(stage):
    a, acc = stage.online(), absent(stage)
    a.send(f'<message to="{acc.jid}" type="chat" id="s1"><body>later</body></message>')
    a.ping()
    b = come(stage, acc, -1)
    b.expect_nothing('<message/>')
    b.present('', 1)
    b.expect('<message id="s1"/>')


def they_wait_for_presence(stage):
    a, acc = stage.online(), absent(stage)
    a.send(f'<message to="{acc.jid}" type="chat" id="s1"><body>later</body></message>')
    a.ping()
    b = stage.client(acc).login()
    b.expect_nothing('<message/>')
    b.present()
    b.expect('<message id="s1"/>')


KINDS = [
    ('normal with body', '<message to="{}" id="k"><body>x</body></message>', True),
    ('chat with body', '<message to="{}" type="chat" id="k"><body>x</body></message>', True),
    ('headline', '<message to="{}" type="headline" id="k"><body>x</body></message>', False),
    ('error', '<message to="{}" type="error" id="k"><body>x</body></message>', False),
    ('chat state only', '<message to="{}" type="chat" id="k"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>', False),
    ('no-store hint', '<message to="{}" type="chat" id="k"><body>x</body><no-store xmlns="urn:xmpp:hints"/></message>', False),
    ('receipt', '<message to="{}" type="chat" id="k"><received xmlns="urn:xmpp:receipts" id="m"/></message>', True),
    ('store hint', '<message to="{}" type="chat" id="k"><x xmlns="urn:x:any"/><store xmlns="urn:xmpp:hints"/></message>', True),
    ('encrypted', '<message to="{}" type="chat" id="k"><encrypted xmlns="eu.siacs.conversations.axolotl"/><store xmlns="urn:xmpp:hints"/></message>', True),
]


@each(KINDS, lambda r: r[0])
def only_what_matters_later_is_kept(stage, row):
    a, acc = stage.online(), absent(stage)
    a.send(row[1].format(acc.jid))
    a.ping()
    b = come(stage, acc)
    if row[2]:
        b.expect('<message id="k"/>')
    else:
        b.expect_nothing('<message id="k"/>')


def stored_messages_survive_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    acc = server.account()
    for i in range(3):
        a.send(f'<message to="{acc.jid}" type="chat" id="s{i}"><body>{i}</body></message>')
    a.ping()
    server.restart()
    b = come(stage, acc, server=server)
    for i in range(3):
        b.expect(f'<message id="s{i}"><delay xmlns="{DELAY}"/></message>')


def the_stanza_id_is_that_of_the_archive(stage):
    a, acc = stage.online(), absent(stage)
    a.send(f'<message to="{acc.jid}" type="chat" id="s1"><body>later</body></message>')
    a.ping()
    b = come(stage, acc)
    got = b.expect(f'<message id="s1"><stanza-id xmlns="{SID}" by="{acc.jid}" id="*"/></message>')
    b.set(f'<query xmlns="{MAM}"/>')
    b.expect(f'<message><result xmlns="{MAM}" id="{got.find("stanza-id")["id"]}"/></message>')


def the_first_of_two_resources_gets_them(stage):
    a, acc = stage.online(), absent(stage)
    a.send(f'<message to="{acc.jid}" type="chat" id="s1"><body>later</body></message>')
    a.ping()
    b = come(stage, acc)
    b.expect('<message id="s1"/>')
    c = come(stage, acc)
    c.expect_nothing('<message/>')


def the_feature_is_announced(stage):
    a = stage.online()
    features, _ = disco(a, 'localhost')
    check('msgoffline' in features, 'XEP-0160 §4: msgoffline is not announced')


def what_waits_is_bounded_and_what_is_over_is_in_the_archive(stage):
    """offline.max; the archive loses nothing by that."""
    server = stage.own_server({'offline.max': '50'})
    acc = server.account()
    a = stage.online(server.account(), server=server)
    for i in range(55):
        a.send(f'<message to="{acc.jid}" type="chat" id="n{i}"><body>{i}</body></message>')
    a.iq('get', '<query xmlns="urn:anser:test:barrier"/>', acc.jid)
    b = stage.client(acc, server=server).login()
    b.present('', 0)
    b.expect('<message id="n49"/>')
    fin = b.set(f'<query xmlns="{MAM}"><set xmlns="{RSM}"><max>1</max><before/></set></query>').find('fin')
    check(fin is not None, 'no archive')
    check(not any(e['id'] == 'n50' for e in b.queue if e.name == 'message'), 'more than offline.max came')
    last = [e.find('result/forwarded/message') for e in b.queue if e.find('result', MAM) is not None]
    equal(last[0]['id'], 'n54', 'the newest in the archive')


def thousands_come_to_a_client_that_acknowledges_slowly(stage):
    """The delivery waits for the client instead of running over its XEP-0198 queue."""
    acc, a = stage.account(), stage.online()
    for i in range(3000):
        a.send(f'<message to="{acc.jid}" type="chat" id="s{i}"><body>{i}</body></message>')
        if i % 500 == 499:
            a.ping()
    a.iq('get', '<query xmlns="urn:anser:test:barrier"/>', acc.jid)
    b = stage.client(acc).login()
    b.enable_sm()
    b.present('', 0)
    b.expect('<message id="s2999"/>', timeout=25)
