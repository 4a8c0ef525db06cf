# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6121 §5, §8.5 and table 1: which resource gets which message."""
from lib import *

# condition: (resources with their priorities, addresses)
CONDITIONS = {
    'no account': None,
    'no resource': (),
    'connected but not available': ('connected',),
    'one negative': (-1,),
    'two negative': (-5, -1),
    'one zero': (0,),
    'one positive': (5,),
    'positive and negative': (5, -1),
    'two equal': (3, 3),
    'two different': (1, 9),
    'three': (0, 5, -2),
}
# Table 1: O offline, E error, S silent, D delivered to the resource of `to`, M most available, A all non-negative.
TABLE = {
    ('account', 'bare'): {'normal': 'SE', 'chat': 'SE', 'groupchat': 'E', 'headline': 'S'},
    ('account', 'full'): {'normal': 'SE', 'chat': 'SE', 'groupchat': 'SE', 'headline': 'SE'},
    ('none', 'bare'): {'normal': 'OE', 'chat': 'OE', 'groupchat': 'E', 'headline': 'S'},
    ('none', 'no match'): {'normal': 'SE', 'chat': 'OE', 'groupchat': 'SE', 'headline': 'SE'},
    ('negative', 'bare'): {'normal': 'OE', 'chat': 'OE', 'groupchat': 'E', 'headline': 'S'},
    ('negative', 'match'): {'normal': 'D', 'chat': 'D', 'groupchat': 'D', 'headline': 'D'},
    ('negative', 'no match'): {'normal': 'SE', 'chat': 'OE', 'groupchat': 'SE', 'headline': 'SE'},
    ('positive', 'bare'): {'normal': 'MA', 'chat': 'MA', 'groupchat': 'E', 'headline': 'A'},
    ('positive', 'match'): {'normal': 'D', 'chat': 'D', 'groupchat': 'D', 'headline': 'D'},
    ('positive', 'no match'): {'normal': 'SE', 'chat': 'MA', 'groupchat': 'SE', 'headline': 'SE'},
}


def rows():
    for condition, priorities in CONDITIONS.items():
        if priorities is None:
            kind, targets = 'account', ['bare', 'full']
        elif not priorities:
            kind, targets = 'none', ['bare', 'no match']
        elif 'connected' in priorities:
            kind, targets = 'none', ['bare', 'no match', 'match']
        elif max(priorities) < 0:
            kind, targets = 'negative', ['bare', 'match', 'no match']
        else:
            kind, targets = 'positive', ['bare', 'match', 'no match']
        for target in targets:
            for msg in ('normal', 'chat', 'groupchat', 'headline'):
                rule = 'D' if target == 'match' else TABLE[kind, target][msg]
                yield condition, target, msg, rule


def came(clients, mid):
    return [i for i, c in enumerate(clients) if any(e.name == 'message' and e['id'] == mid for e in c.queue)]


@each(list(rows()), lambda r: '%s, %s, %s: %s' % r)
def table_1_holds(stage, row):
    condition, target, msg, rule = row
    priorities = CONDITIONS[condition]
    a = stage.online()
    acc = stage.account() if priorities is not None else Account('nobody-there', stage.domain, '')
    clients = []
    for i, p in enumerate(priorities or ()):
        c = stage.client(acc).login('r%d' % i)
        if p != 'connected':
            c.present('', p)
        clients.append(c)
    for c in clients:
        c.drain()
    to = {'bare': acc.jid, 'match': clients[0].jid if clients else '', 'no match': acc.jid + '/missing',
          'full': acc.jid + '/missing'}[target]
    a.send(f'<message to="{to}" type="{msg}" id="m1"><body>table 1</body></message>')
    # Stanzas from one to another are processed in order (RFC 6120 §10.1), so this request's refusal comes after the message's fate.
    # It goes to the account: one to a resource would be the client's to answer.
    a.iq('get', '<query xmlns="urn:anser:test:barrier"/>', acc.jid)
    for c in clients:
        c.ping()
        c.ping()
    got = came(clients, 'm1')
    bounced = [e for e in a.queue if e['id'] == 'm1' and e['type'] == 'error']
    open_ = [i for i, p in enumerate(priorities or ()) if p != 'connected' and p >= 0]
    top = [i for i in open_ if priorities[i] == max(priorities[j] for j in open_)]
    offline = False
    if not got and not bounced and acc.password:
        # A second message that is surely kept; offline messages come in order, so the first comes before it or never.
        a.send(f'<message to="{acc.jid}" type="chat" id="m2"><body>kept</body></message>')
        a.iq('get', '<query xmlns="urn:anser:test:barrier"/>', acc.jid)
        for c in clients:
            c.ping()
            c.ping()
        if not any(e['id'] == 'm2' for e in a.queue) and not came(clients, 'm2'):
            late = stage.client(acc).login()
            late.present('', 100)
            late.expect('<message id="m2"/>')
            offline = bool(came([late], 'm1'))
    allowed = {'E': bool(bounced) and not got, 'S': not bounced and not got and not offline, 'O': offline and not bounced,
               'D': got == [0] and not bounced,
               'M': got and not bounced and set(got) <= set(open_) and set(got) & set(top),
               'A': got == open_ and not bounced}
    check(any(allowed[letter] for letter in rule),
          'rule %s: delivered to %s, bounced %s, offline %s' % (rule, got, bool(bounced), offline))
    if bounced:
        equal(bounced[0].error, 'service-unavailable')
        equal(bounced[0]['from'], to)
    for i in got:
        equal(next(e for e in clients[i].queue if e['id'] == 'm1')['to'], to, 'to of the delivered message')


def errors_to_a_bare_address_are_ignored(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.bare}" type="error" id="e"><error type="cancel"><gone xmlns="{STANZAS}"/></error></message>')
    a.expect_nothing('<message/>')
    b.expect_nothing('<message/>', after=[a])


def errors_to_a_full_address_are_delivered(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="error" id="e"><error type="cancel"><gone xmlns="{STANZAS}"/></error></message>')
    b.expect(f'<message from="{a.jid}" type="error" id="e"/>')


def a_missing_type_means_normal(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.bare}" id="n"><body>x</body></message>')
    got = b.expect(f'<message from="{a.jid}" id="n"/>')
    check(got['type'] in (None, 'normal'), got)


def an_unknown_type_is_taken_as_normal_or_refused(stage):
    """§5.2.2: an unknown type MUST be treated as normal by the recipient; a server may also refuse it."""
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="letter" id="l"><body>x</body></message>')
    a.ping()
    b.drain_ = b.drain(after=[a])
    seen = [e for e in b.drain_ if e['id'] == 'l'] or [e for e in a.queue if e['id'] == 'l' and e.error == 'bad-request']
    check(seen, 'lost')


def everything_inside_a_message_passes(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat" id="full" xml:lang="zh"><subject>s</subject><body>正文</body><body xml:lang="de">Text</body>'
           '<thread parent="p">t1</thread><active xmlns="http://jabber.org/protocol/chatstates"/>'
           '<request xmlns="urn:xmpp:receipts"/><markable xmlns="urn:xmpp:chat-markers:0"/>'
           f'<origin-id xmlns="{SID}" id="o1"/><x xmlns="jabber:x:oob"><url>https://x.invalid/</url></x></message>')
    b.expect('<message xml:lang="zh" id="full"><subject>s</subject><body>正文</body><body xml:lang="de">Text</body>'
             '<thread parent="p">t1</thread><active xmlns="http://jabber.org/protocol/chatstates"/>'
             '<request xmlns="urn:xmpp:receipts"/><markable xmlns="urn:xmpp:chat-markers:0"/>'
             f'<origin-id xmlns="{SID}" id="o1"/><x xmlns="jabber:x:oob"><url>https://x.invalid/</url></x></message>')


def receipts_and_markers_come_back(stage):
    """XEP-0184, XEP-0333, XEP-0085 pass between clients."""
    a, b = stage.friends()
    b.send(f'<message to="{a.jid}" type="chat"><received xmlns="urn:xmpp:receipts" id="r1"/></message>')
    a.expect('<message><received xmlns="urn:xmpp:receipts" id="r1"/></message>')
    b.send(f'<message to="{a.jid}" type="chat"><displayed xmlns="urn:xmpp:chat-markers:0" id="r1"/></message>')
    a.expect('<message><displayed xmlns="urn:xmpp:chat-markers:0" id="r1"/></message>')
    b.send(f'<message to="{a.jid}" type="chat"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')
    a.expect('<message><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')


def empty_messages_pass(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" id="empty"/>')
    b.expect(f'<message from="{a.jid}" id="empty"/>')


def two_users_on_both_shards_chat_both_ways(stage):
    users = [stage.online() for _ in range(6)]
    for i, a in enumerate(users):
        for j, b in enumerate(users):
            if a is not b:
                a.send(f'<message to="{b.bare}" type="chat" id="x{i}-{j}"><body>{i} to {j}</body></message>')
    for i, a in enumerate(users):
        for j, b in enumerate(users):
            if a is not b:
                b.expect(f'<message from="{a.jid}" id="x{i}-{j}"><body>{i} to {j}</body></message>')


def each_transport_reaches_each(stage):
    users = [stage.online(transport=t) for t in ('tls', 'starttls', 'ws')]
    for a in users:
        for b in users:
            if a is not b:
                a.send(f'<message to="{b.jid}" type="chat"><body>{a.transport} to {b.transport}</body></message>')
                b.expect(f'<message from="{a.jid}"><body>{a.transport} to {b.transport}</body></message>')


def messages_to_foreign_domains_are_refused_without_s2s(stage):
    a = stage.online()
    a.send('<message to="x@nowhere.invalid" type="chat" id="far"><body>x</body></message>')
    got = a.expect('<message id="far" type="error" from="x@nowhere.invalid"/>')
    check(got.error in ('remote-server-not-found', 'service-unavailable', 'item-not-found', 'not-allowed'), got)


def messages_to_the_server_are_answered_or_dropped(stage):
    a = stage.online()
    a.send('<message to="localhost" type="chat" id="srv"><body>hello server</body></message>')
    for el in a.drain():
        if el['id'] == 'srv':
            equal(el['type'], 'error')
