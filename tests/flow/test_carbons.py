# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0280 1.0."""
from lib import *


def enabled(c):
    c.set(f'<enable xmlns="{CARBONS}"/>')
    return c


def trio(stage):
    """(a1, a2 of one account, both with carbons; b)"""
    a1 = enabled(stage.online())
    a2 = enabled(stage.again(a1))
    b = stage.online()
    a1.drain()
    return a1, a2, b


def copy(c, way, inner):
    got = c.expect(f'<message from="{c.bare}" to="{c.jid}"><{way} xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}">{inner}</forwarded></{way}></message>')
    return got.find(way + '/forwarded/message')


def no_copy(c, *others):
    for way in ('sent', 'received'):
        c.expect_nothing(f'<message><{way} xmlns="{CARBONS}"/></message>', after=others)


def it_is_announced(stage):
    a = stage.online()
    features, _ = disco(a, 'localhost')
    own, _ = disco(a, a.bare)
    check(CARBONS in features or CARBONS in own, 'not announced')


def sent_messages_are_copied(stage):
    a1, a2, b = trio(stage)
    a1.send(f'<message to="{b.bare}" type="chat" id="c1"><body>hi</body></message>')
    inner = copy(a2, 'sent', f'<message id="c1" from="{a1.jid}" to="{b.bare}" type="chat"><body>hi</body></message>')
    check(inner, 'no inner message')
    b.expect('<message id="c1"/>')
    no_copy(a1, a2, b)


def received_messages_are_copied(stage):
    a1, a2, b = trio(stage)
    b.send(f'<message to="{a1.jid}" type="chat" id="c2"><body>hi</body></message>')
    a1.expect(f'<message id="c2" from="{b.jid}"/>')
    copy(a2, 'received', f'<message id="c2" from="{b.jid}" to="{a1.jid}" type="chat"><body>hi</body></message>')
    no_copy(a1, b, a2)


def messages_to_the_bare_address_are_seen_by_all(stage):
    """Each resource gets it once, directly or as a copy."""
    a1, a2, b = trio(stage)
    b.send(f'<message to="{a1.bare}" type="chat" id="c3"><body>hi</body></message>')
    b.ping()
    for c in (a1, a2):
        c.ping()
        c.ping()
        n = 0
        for e in c.queue:
            if e.name == 'message' and (e['id'] == 'c3' or (e.find('received/forwarded/message') or {'id': None})['id'] == 'c3'):
                n += 1
        equal(n, 1, 'times the message was seen')


def the_copy_has_the_type_of_the_message(stage):
    a1, a2, b = trio(stage)
    a1.send(f'<message to="{b.bare}" type="chat" id="c1"><body>hi</body></message>')
    a2.expect(f'<message type="chat"><sent xmlns="{CARBONS}"/></message>')


COPIED = [
    ('chat without body', '<message to="{}" type="chat" id="x"><active xmlns="http://jabber.org/protocol/chatstates"/></message>', None),
    ('normal with body', '<message to="{}" id="x"><body>x</body></message>', True),
    ('receipt', '<message to="{}" id="x"><received xmlns="urn:xmpp:receipts" id="r"/></message>', True),
    ('marker', '<message to="{}" type="chat" id="x"><displayed xmlns="urn:xmpp:chat-markers:0" id="r"/></message>', True),
    ('headline', '<message to="{}" type="headline" id="x"><body>x</body></message>', False),
    ('groupchat', '<message to="{}" type="groupchat" id="x"><body>x</body></message>', False),
    ('private', f'<message to="{{}}" type="chat" id="x"><body>x</body><private xmlns="{CARBONS}"/></message>', False),
    ('private with no-copy', f'<message to="{{}}" type="chat" id="x"><body>x</body><private xmlns="{CARBONS}"/><no-copy xmlns="{HINTS}"/></message>', False),
    ('no-copy hint', f'<message to="{{}}" type="chat" id="x"><body>x</body><no-copy xmlns="{HINTS}"/></message>', False),
]


@each(COPIED, lambda r: r[0])
def eligibility_is_as_in_section_6(stage, row):
    a1, a2, b = trio(stage)
    a1.send(row[1].format(b.jid))
    b.expect('<message id="x"/>')
    if row[2]:
        copy(a2, 'sent', '<message id="x"/>')
    elif row[2] is False:
        no_copy(a2, a1, b)
    a2.drain(after=[a1])
    b.send(row[1].format(a1.jid))
    a1.expect(f'<message id="x" from="{b.jid}"/>')
    if row[2]:
        copy(a2, 'received', '<message id="x"/>')
    elif row[2] is False:
        no_copy(a2, b, a1)


def the_private_mark_is_removed_on_delivery(stage):
    """§8: the sending server SHOULD remove <private/>... the recipient must not see a copy either way."""
    a1, a2, b = trio(stage)
    b2 = enabled(stage.again(b))
    b.drain()
    a1.send(f'<message to="{b.jid}" type="chat" id="p"><body>secret</body><private xmlns="{CARBONS}"/></message>')
    b.expect('<message id="p"/>')
    no_copy(b2, a1, b)
    no_copy(a2, a1)


def without_enable_nothing_is_copied(stage):
    a1, b = stage.online(), stage.online()
    a2 = stage.again(a1)
    a1.send(f'<message to="{b.jid}" type="chat" id="n"><body>x</body></message>')
    b.send(f'<message to="{a1.jid}" type="chat" id="n2"><body>x</body></message>')
    a1.expect('<message id="n2"/>')
    no_copy(a2, a1, b)


def disable_ends_it(stage):
    a1, a2, b = trio(stage)
    a2.set(f'<disable xmlns="{CARBONS}"/>')
    a1.send(f'<message to="{b.jid}" type="chat" id="n"><body>x</body></message>')
    b.expect('<message id="n"/>')
    no_copy(a2, a1, b)


def enable_and_disable_may_be_repeated(stage):
    a1, a2, b = trio(stage)
    enabled(a2)
    a1.send(f'<message to="{b.jid}" type="chat" id="n"><body>x</body></message>')
    copy(a2, 'sent', '<message id="n"/>')
    no_copy(a2, a1, b)
    for _ in range(2):
        a2.set(f'<disable xmlns="{CARBONS}"/>')


def enabling_elsewhere_is_refused(stage):
    a, b = stage.online(), stage.online()
    a.refused('set', f'<enable xmlns="{CARBONS}"/>', 'forbidden|not-allowed|service-unavailable', b.bare)


def a_forged_carbon_of_a_peer_is_recognisable(stage):
    """§11: a carbon is only from the own bare address; a peer's forged one keeps its true from."""
    a1, a2, b = trio(stage)
    b.send(f'<message to="{a1.jid}" type="chat" id="f"><received xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}">'
           f'<message xmlns="jabber:client" from="boss@localhost/x" to="{a1.jid}" type="chat"><body>pay him</body></message></forwarded></received></message>')
    for c in (a1, a2):
        for e in c.drain(after=[b, a1]):
            if e.name == 'message' and e.find('received') is not None and e['from'] == c.bare:
                inner = e.find('received/forwarded/message')
                equal(inner['from'], b.jid, 'from of the message inside a carbon')


def a_message_to_the_own_account_is_not_doubled(stage):
    a1, a2, _ = trio(stage)
    a1.send(f'<message to="{a2.jid}" type="chat" id="own"><body>x</body></message>')
    a2.expect('<message id="own"/>')
    no_copy(a2, a1)


def bounces_of_sent_messages_are_copied(stage):
    """§6: error messages in reply to eligible ones SHOULD be copied; the copy must name the account."""
    a1, a2, _ = trio(stage)
    a1.send('<message to="nobody-there@localhost" type="chat" id="bounce"><body>x</body></message>')
    for e in a2.drain(after=[a1]):
        if e.find('received') is not None:
            equal(e['from'], a2.bare)


def copies_reach_resources_of_negative_priority(stage):
    a1, a2, b = trio(stage)
    a2.present('', -1)
    a2.drain()
    a1.send(f'<message to="{b.jid}" type="chat" id="neg"><body>x</body></message>')
    copy(a2, 'sent', '<message id="neg"/>')


def copies_are_not_archived_again(stage):
    a1, a2, b = trio(stage)
    a1.send(f'<message to="{b.jid}" type="chat" id="one"><body>x</body></message>')
    copy(a2, 'sent', '<message id="one"/>')
    b.expect('<message id="one"/>')  # the recipient's shard writes both rows
    fin = a2.set(f'<query xmlns="{MAM}"/>')
    results = [e for e in a2.queue if e.find('result', MAM) is not None]
    equal(len(results), 1, 'archived messages')
    check(fin.find('fin'), fin)


def copies_carry_the_archive_id(stage):
    a1, a2, b = trio(stage)
    b.send(f'<message to="{a1.jid}" type="chat" id="sid"><body>x</body></message>')
    direct = a1.expect(f'<message id="sid"><stanza-id xmlns="{SID}" by="{a1.bare}" id="*"/></message>')
    inner = copy(a2, 'received', f'<message id="sid"><stanza-id xmlns="{SID}" by="{a1.bare}" id="*"/></message>')
    equal(inner.find('stanza-id')['id'], direct.find('stanza-id')['id'])


def room_messages_are_not_copied(stage):
    a1, a2, b = trio(stage)
    room = stage.room_name()
    a1.send(f'<presence to="{room}/n"><x xmlns="{MUC}"/></presence>')
    a1.expect(f'<presence from="{room}/n"><x xmlns="{MUC_USER}"/></presence>')
    a1.iq('set', f'<query xmlns="{MUC_OWNER}"><x xmlns="{DATA}" type="submit"/></query>', room)
    a1.send(f'<message to="{room}" type="groupchat" id="gc"><body>x</body></message>')
    a1.expect(f'<message id="gc" from="{room}/n"/>')
    no_copy(a2, a1)


def a_resumed_session_keeps_carbons(stage):
    a1, a2, b = trio(stage)
    a2.enable_sm()
    a2.abort()
    a1.send(f'<message to="{b.jid}" type="chat" id="while"><body>x</body></message>')
    b.expect('<message id="while"/>')
    c = stage.client(a2.account).authenticate()
    equal(c.resume(a2).name, 'resumed')
    copy(c, 'sent', '<message id="while"/>')
    a1.send(f'<message to="{b.jid}" type="chat" id="after"><body>x</body></message>')
    copy(c, 'sent', '<message id="after"/>')
