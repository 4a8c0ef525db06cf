# SPDX-License-Identifier: AGPL-3.0-or-later
"""Personal eventing and publish-subscribe between two servers: XEP-0163, XEP-0060, with the capabilities of contacts elsewhere (XEP-0115)."""
from pubsub import *
from s2s import *


def two_contacts(stage):
    world = World(stage)
    one, two = world.two()
    for server in (one, two):
        world.dns.domain('pubsub.' + server.domain, server.s2s)
    a, b = stage.online(server=one), stage.online(server=two)
    befriend(a, b)
    return a, b


def wants(c, other, features):
    """c tells its capabilities; its own server asks once, and the server of its contact once."""
    client = Client.new_id()
    v = ver(features, client)
    c.present(caps(v))
    for _ in range(2):
        asked = c.expect(f'<iq type="get"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}"/></iq>')
        check(asked['from'] in (c.bare, other.bare), asked)
        c.send(f'<iq type="result" id="{asked["id"]}" to="{asked["from"]}"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}">{info(features, client)}</query></iq>')
    return v


def contacts_on_another_server_get_what_they_want(stage):
    a, b = two_contacts(stage)
    a.set(publish(TUNE, entry('old'), 'i'))
    a.set(publish('urn:unwanted', entry('old'), 'i'))
    v = wants(b, a, notify(TUNE))
    m = b.expect(f'<message from="{a.bare}" to="{b.jid}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')
    check(m.find('delay', DELAY) is not None, m)
    a.set(publish(TUNE, entry('new'), 'i'))
    m = b.expect(f'<message from="{a.bare}" to="{b.jid}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')
    equal(m.find('event/items/item/entry', 'urn:example:entry').text, 'new')
    b.present('<show>away</show>' + caps(v))
    a.expect(f'<presence from="{b.jid}"><show>away</show></presence>')
    a.set(publish('urn:unwanted'))
    a.set(publish(TUNE, entry('last'), 'i'))
    b.expect('<message/>')
    equal(texts_of(b.get(items(TUNE), a.bare)), ['last'])
    b.expect_nothing('<message/>')


def who_has_gone_gets_nothing_more(stage):
    a, b = two_contacts(stage)
    a.set(publish(TUNE, entry('1'), 'i'))
    wants(b, a, notify(TUNE))
    b.expect('<message/>')
    b.send('<presence type="unavailable"/>')
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    a.set(publish(TUNE, entry('2'), 'i'))
    chat_back(a, b)
    b.expect_nothing(f'<message><event xmlns="{EVENT}"/></message>')


def chat_back(a, b):
    """What a sent to b before has arrived: stanzas between two servers keep their order."""
    a.send(f'<message to="{b.jid}" type="chat" id="mark"><body>x</body></message>')
    b.expect('<message id="mark"/>')


def strangers_on_another_server_see_open_nodes_only(stage):
    world = World(stage)
    one, two = world.two()
    a, b = stage.online(server=one), stage.online(server=two)
    a.set(publish('open', entry('all'), 'i', {'pubsub#access_model': 'open'}))
    a.set(publish('closed', entry('mine'), 'i'))
    equal(texts_of(b.get(items('open'), a.bare)), ['all'])
    fails(b, 'get', items('closed'), 'not-authorized', 'presence-subscription-required', a.bare)
    fails(b, 'set', publish('open', entry('evil')), 'forbidden', None, a.bare)
    b.set(subscribe('open', b.bare), a.bare)
    b.expect('<message/>')
    a.set(publish('open', entry('more'), 'j'))
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="open"><item id="j"/></items></event></message>')
    fails(b, 'set', subscribe('open', a.bare), 'bad-request', 'invalid-jid', a.bare)


def the_service_serves_other_servers(stage):
    a, b = two_contacts(stage)
    to = 'pubsub.one.test'
    a.set(create('n'), to)
    b.set(subscribe('n', b.bare), to)
    a.set(publish('n', entry('news'), 'i'), to)
    b.expect(f'<message from="{to}"><event xmlns="{EVENT}"><items node="n"><item id="i"/></items></event></message>')
    equal(texts_of(b.get(items('n'), to)), ['news'])
    fails(b, 'set', create('hers'), 'forbidden', None, to)
    fails(b, 'set', delete('n'), 'forbidden', None, to)
    a.set(affiliate('n', rows=[(b.bare, 'publisher')]), to)
    b.set(publish('n', entry('hers'), 'j'), to)
    equal(ids_of(a.get(items('n'), to)), ['i', 'j'])


def large_lists_come_to_other_servers_in_smaller_pages(stage):
    a, b = two_contacts(stage)
    for i in range(4):
        a.set(publish('n', entry('x' * 60000), 'i%d' % i, {'pubsub#access_model': 'open', 'pubsub#max_items': 'max'}))
    got = b.get(items('n'), a.bare)
    check(0 < len(ids_of(got)) < 4 and got.textof('pubsub/set/count') == '4', ids_of(got))
    equal(len(ids_of(a.get(items('n')))), 4)
