# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entity capabilities (XEP-0115) as the server uses them: one question per hash, no answer believed that does not fit."""
from pubsub import *


def three(stage):
    """A publisher and two sessions of one contact: they meet in one shard, which has a cache of its own."""
    a, b = stage.friends()
    c = stage.again(b)
    b.drain()
    return a, b, c


def a_hash_is_asked_for_once(stage):
    a, b, c = three(stage)
    client = tell_caps(b, notify(TUNE))
    tell_caps(c, notify(TUNE), client)
    c.expect_nothing('<iq type="get"/>')
    a.set(publish(TUNE))
    b.expect(f'<message><event xmlns="{EVENT}"/></message>')
    c.expect(f'<message><event xmlns="{EVENT}"/></message>')


def the_server_asks_as_the_account(stage):
    a = stage.online()
    v = ver(notify(TUNE), Client.new_id())
    a.present(caps(v))
    equal(a.expect('<iq type="get"/>')['from'], a.bare)


@each([('sha-1', 'sha1'), ('sha-256', 'sha256'), ('sha-512', 'sha512')])
def hashes_that_the_server_knows(stage, row):
    a, b, c = three(stage)
    client = Client.new_id()
    features = notify(TUNE)
    v = ver(features, client, row[1])
    for who in (b, c):
        who.present(caps(v, row[0]))
        if who is b:
            answer_caps(who, info(features, client), v)
        who.ping()
    a.set(publish(TUNE))
    b.expect(f'<message><event xmlns="{EVENT}"/></message>')
    c.expect(f'<message><event xmlns="{EVENT}"/></message>')


def the_complex_example_of_the_standard(stage):
    """§5.3, with two languages and a form."""
    a = stage.online()
    b = stage.again(a)
    inside = ('<identity xml:lang="en" category="client" name="Psi 0.11" type="pc"/><identity xml:lang="el" category="client" name="Ψ 0.11" type="pc"/>' +
              ''.join(f'<feature var="{f}"/>' for f in (CAPS, DISCO_INFO, DISCO_ITEMS, 'http://jabber.org/protocol/muc')) +
              '<x xmlns="jabber:x:data" type="result"><field var="FORM_TYPE" type="hidden"><value>urn:xmpp:dataforms:softwareinfo</value></field>'
              '<field var="ip_version" type="text-multi"><value>ipv4</value><value>ipv6</value></field><field var="os"><value>Mac</value></field>'
              '<field var="os_version"><value>10.5.1</value></field><field var="software"><value>Psi</value></field>'
              '<field var="software_version"><value>0.11</value></field></x>')
    v = 'q07IKJEyjvHSyhy//CH0CxmKi8w='
    a.present(caps(v))
    answer_caps(a, inside, v)
    a.ping()
    b.present(caps(v))
    b.expect_nothing('<iq type="get"/>')


def an_answer_that_does_not_fit_is_for_its_session_alone(stage):
    """§9.3: poisoning. The liar's answer neither hides events from honest clients nor brings them more."""
    a, b, c = three(stage)
    client = Client.new_id()
    v = ver(notify(TUNE), client)
    b.present(caps(v))
    answer_caps(b, info(notify('urn:evil'), client), v)
    b.ping()
    c.present(caps(v))
    answer_caps(c, info(notify(TUNE), client), v)
    c.ping()
    a.set(publish(TUNE))
    c.expect(f'<message><event xmlns="{EVENT}"><items node="{TUNE}"/></event></message>')
    b.expect_nothing('<message/>', after=(a,))
    d = stage.again(c)
    d.present(caps(v))
    d.expect_nothing('<iq type="get"/>')


@each([('features joined by the separator', lambda f, n: info([f[0] + '<' + f[1]], n).replace('"' + f[0] + '<', '"' + f[0] + '&lt;')),
       ('a feature as the type of a form', lambda f, n: info(f[:1], n) + f'<x xmlns="{DATA}" type="result"><field var="FORM_TYPE" type="hidden">'
        f'<value>{f[1]}</value></field></x>'),
       ('a feature twice', lambda f, n: info(f + f[:1], n))], name=lambda row: row[0])
def answers_that_hash_alike_are_not_shared(stage, row):
    """The string that is hashed has no frame: other answers can have the same hash."""
    a, b, c = three(stage)
    client = Client.new_id()
    features = [DISCO_INFO, TUNE + '+notify']
    v = ver(features, client)
    b.present(caps(v))
    answer_caps(b, row[1](features, client), v)
    b.ping()
    c.present(caps(v))
    answer_caps(c, info(features, client), v)
    c.ping()
    a.set(publish(TUNE))
    c.expect(f'<message><event xmlns="{EVENT}"><items node="{TUNE}"/></event></message>')


def an_unknown_hash_function_counts_for_its_session(stage):
    """§5.4.2."""
    a, b = stage.friends()
    v = Client.new_id()
    b.present(caps(v, 'md2'))
    answer_caps(b, info(notify(TUNE)), v)
    b.ping()
    a.set(publish(TUNE))
    b.expect(f'<message><event xmlns="{EVENT}"/></message>')


def capabilities_without_a_hash_are_not_asked_for(stage):
    """The form before version 1.4."""
    a = stage.online()
    a.present(f'<c xmlns="{CAPS}" node="{NODE}" ver="1.0"/>')
    a.present(f'<c xmlns="{CAPS}" hash="sha-1" node="{NODE}"/>')
    a.present(f'<c xmlns="{CAPS}" hash="sha-1" node="{NODE}" ver="{"x" * 300}"/>')
    a.expect_nothing('<iq type="get"/>')


def the_next_one_is_asked_when_one_goes_without_an_answer(stage):
    a, b, c = three(stage)
    client = Client.new_id()
    v = ver(notify(TUNE), client)
    b.present(caps(v))
    b.expect(f'<iq type="get"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}"/></iq>')
    c.present(caps(v))
    c.expect_nothing('<iq type="get"/>')
    b.close()
    answer_caps(c, info(notify(TUNE), client), v)
    c.ping()
    a.set(publish(TUNE))
    c.expect(f'<message><event xmlns="{EVENT}"/></message>')


def an_error_passes_the_question_on(stage):
    a, b, c = three(stage)
    client = Client.new_id()
    v = ver(notify(TUNE), client)
    b.present(caps(v))
    asked = b.expect(f'<iq type="get"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}"/></iq>')
    c.present(caps(v))
    c.ping()
    b.send(f'<iq type="error" id="{asked["id"]}" to="{asked["from"]}"><error type="cancel"><service-unavailable xmlns="{STANZAS}"/></error></iq>')
    answer_caps(c, info(notify(TUNE), client), v)
    c.ping()
    a.set(publish(TUNE))
    c.expect(f'<message><event xmlns="{EVENT}"/></message>')
    b.expect_nothing('<message/>', after=(a,))


def nobody_else_answers_for_a_client(stage):
    a, b, evil = stage.friends(3)
    client = Client.new_id()
    v = ver(notify(TUNE), client)
    b.present(caps(v))
    asked = b.expect(f'<iq type="get"><query xmlns="{DISCO_INFO}"/></iq>')
    evil.send(f'<iq type="result" id="{asked["id"]}" to="{asked["from"]}"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}">'
              f'{info(notify("urn:evil"), client)}</query></iq>')
    evil.ping()
    b.send(f'<iq type="result" id="{asked["id"]}" to="{asked["from"]}"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}">'
           f'{info(notify(TUNE), client)}</query></iq>')
    b.ping()
    a.set(publish(TUNE))
    b.expect(f'<message><event xmlns="{EVENT}"/></message>')


def who_does_not_answer_is_not_asked_for_ever(stage):
    a = stage.online()
    for i in range(10):
        a.present(caps(Client.new_id()))
    asked = [el for el in a.drain() if el.name == 'iq' and el['type'] == 'get']
    equal(len(asked), 3)


def a_huge_answer_harms_nobody(stage):
    a, b = stage.friends()
    features = ['f%d+notify' % i for i in range(3000)]
    v = ver(features)
    b.present(caps(v))
    answer_caps(b, info(features), v)
    b.ping()
    a.set(publish('f0'))
    b.expect(f'<message><event xmlns="{EVENT}"/></message>')


def forged_events_keep_the_forgers_address(stage):
    """An event counts by its sender: the server writes it."""
    a, b = stage.friends()
    evil = stage.online()
    inner = f'<event xmlns="{EVENT}"><items node="{TUNE}"><item>{entry("forged")}</item></items></event>'
    evil.send(f'<message to="{b.jid}" type="headline">{inner}</message>')
    equal(b.expect(f'<message><event xmlns="{EVENT}"/></message>')['from'], evil.jid)
    evil.send(f'<message from="{a.bare}" to="{b.jid}" type="headline">{inner}</message>')
    evil.expect_stream_error('invalid-from')
    b.expect_nothing('<message/>')
