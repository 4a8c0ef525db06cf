# SPDX-License-Identifier: AGPL-3.0-or-later
"""Avatars (XEP-0084) and vCard photos (XEP-0153) as one (XEP-0398); vCard4 (XEP-0292), nicknames (XEP-0172), OMEMO (XEP-0384), displayed
messages (XEP-0490) as nodes of an account."""
from pubsub import *
from test_small import PNG, card

DATA_NODE, META_NODE = 'urn:xmpp:avatar:data', 'urn:xmpp:avatar:metadata'
UPDATE = 'vcard-temp:x:update'
GET_CARD = '<vCard xmlns="vcard-temp"/>'


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def publish_avatar(c, image=PNG, options=None):
    """As XEP-0084 §3 has it."""
    h = sha1(image)
    c.set(publish(DATA_NODE, f'<data xmlns="{DATA_NODE}">{base64.b64encode(image).decode()}</data>', h, options))
    c.set(publish(META_NODE, f'<metadata xmlns="{META_NODE}"><info bytes="{len(image)}" id="{h}" type="image/png"/></metadata>', h, options))
    return h


def photo_of(c, to=None):
    v = c.iq('get', GET_CARD, to).find('vCard', 'vcard-temp')
    b = v.textof('PHOTO/BINVAL') if v is not None and v.find('PHOTO') is not None else None
    return base64.b64decode(b) if b else None


def the_conversion_is_announced(stage):
    a = stage.online()
    check('urn:xmpp:pep-vcard-conversion:0' in disco(a, a.bare)[0], 'not announced')


def a_published_avatar_is_the_photo(stage):
    a, b, stranger = stage.online(), stage.online(), stage.online()
    befriend(a, b)
    a.set('<vCard xmlns="vcard-temp"><FN>Anne</FN></vCard>')
    publish_avatar(a)
    equal((photo_of(a), photo_of(b, a.bare)), (PNG, PNG))
    v = b.get(GET_CARD, a.bare).find('vCard')
    equal((v.textof('FN'), v.textof('PHOTO/TYPE')), ('Anne', 'image/png'))
    equal(photo_of(stranger, a.bare), None)


def strangers_see_the_photo_of_open_nodes_only(stage):
    """XEP-0398 §7: who may not see the nodes does not see the photo."""
    a, stranger = stage.online(), stage.online()
    publish_avatar(a, options={'pubsub#access_model': 'open'})
    equal(photo_of(stranger, a.bare), PNG)
    a.set(configure(DATA_NODE, {'pubsub#access_model': 'whitelist'}))
    equal(photo_of(stranger, a.bare), None)


def an_uploaded_photo_is_the_avatar(stage):
    a, b = stage.friends()
    tell_caps(b, notify(META_NODE))
    a.set(card())
    h = sha1(PNG)
    m = b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{META_NODE}"><item id="{h}"/></items></event></message>')
    i = m.find('event/items/item/metadata/info')
    equal((i['id'], i['type'], i['bytes']), (h, 'image/png', str(len(PNG))))
    stranger = stage.online()
    got = stranger.get(items(DATA_NODE, h), a.bare)
    equal(base64.b64decode(got.find('pubsub/items/item/data', DATA_NODE).text), PNG)
    equal(photo_of(stranger, a.bare), PNG)


def the_same_photo_again_is_no_news(stage):
    a, b = stage.friends()
    tell_caps(b, notify(META_NODE))
    a.set(card('One'))
    b.expect('<message/>')
    a.set(card('Two'))
    b.expect_nothing('<message/>', after=(a,))


def a_photo_taken_away_disables_the_avatar(stage):
    a, b = stage.friends()
    tell_caps(b, notify(META_NODE))
    a.set(card())
    b.expect('<message/>')
    a.set('<vCard xmlns="vcard-temp"><FN>x</FN></vCard>')
    m = b.expect(f'<message><event xmlns="{EVENT}"><items node="{META_NODE}"/></event></message>')
    check(not m.find('event/items/item/metadata').kids, m)
    equal((photo_of(a), photo_of(b, a.bare)), (None, None))


def a_disabled_avatar_is_no_photo(stage):
    a = stage.online()
    publish_avatar(a)
    a.set(publish(META_NODE, f'<metadata xmlns="{META_NODE}"/>'))
    equal(photo_of(a), None)


def an_image_that_is_not_what_its_hash_says_is_no_photo(stage):
    a = stage.online()
    h = 'a' * 40
    a.set(publish(DATA_NODE, f'<data xmlns="{DATA_NODE}">{base64.b64encode(PNG).decode()}</data>', h))
    a.set(publish(META_NODE, f'<metadata xmlns="{META_NODE}"><info bytes="1" id="{h}" type="image/png"/></metadata>', h))
    equal(photo_of(a), None)


def formats_elsewhere_are_passed_over(stage):
    """XEP-0398 §3.1: the info without a URL."""
    a, h = stage.online(), sha1(PNG)
    a.set(publish(DATA_NODE, f'<data xmlns="{DATA_NODE}">{base64.b64encode(PNG).decode()}</data>', h))
    a.set(publish(META_NODE, f'<metadata xmlns="{META_NODE}"><info bytes="9" id="{"b" * 40}" type="image/gif" url="http://x.example/"/>'
                             f'<info bytes="{len(PNG)}" id="{h}" type="image/png"/></metadata>', h))
    equal(photo_of(a), PNG)


# ---- the hash in presence (XEP-0398 §4)

def photo_hash(presence):
    x = presence.find('x', UPDATE)
    return x.textof('photo') if x is not None else None


def presence_tells_the_hash(stage):
    a, b = stage.friends()
    a.send('<presence id="with-an-id" xml:lang="en"><show>chat</show></presence>')
    b.expect(f'<presence from="{a.jid}"><show>chat</show></presence>')
    h = publish_avatar(a)
    equal(photo_hash(b.expect(f'<presence from="{a.jid}"><show>chat</show></presence>')), h)
    for payload, want in (('', h), (f'<x xmlns="{UPDATE}"/>', h), (f'<x xmlns="{UPDATE}"><photo>{"0" * 40}</photo></x>', h),
                          (f'<x xmlns="{UPDATE}"><photo/></x>', '')):
        a.present(payload + '<status>s</status>')
        equal(photo_hash(b.expect(f'<presence from="{a.jid}"><status>s</status></presence>')) or '', want)


def directed_presence_tells_the_hash(stage):
    a, b = stage.online(), stage.online()
    h = publish_avatar(a)
    a.drain()
    a.send(f'<presence to="{b.jid}"/>')
    equal(photo_hash(b.expect(f'<presence from="{a.jid}"/>')), h)


def a_room_shows_the_hash_and_the_photo(stage):
    a, b = stage.online(), stage.online()
    h = publish_avatar(a, options={'pubsub#access_model': 'open'})
    room = stage.room_name()
    b.send(f'<presence to="{room}/b"><x xmlns="{MUC}"/></presence>')
    b.expect(f'<presence from="{room}/b"/>')
    b.set(f'<query xmlns="{MUC_OWNER}"><x xmlns="{DATA}" type="submit"/></query>', room)
    a.send(f'<presence to="{room}/a"><x xmlns="{MUC}"/></presence>')
    equal(photo_hash(b.expect(f'<presence from="{room}/a"/>')), h)
    equal(photo_of(b, room + '/a'), PNG)


def the_hash_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    h = publish_avatar(a)
    server.restart()
    a = stage.client(a.account, server=server).login()
    a.send('<presence/>')
    equal(photo_hash(a.expect(f'<presence from="{a.jid}"/>')), h)
    equal(photo_of(a), PNG)


def a_private_avatar_is_not_told(stage):
    a, b = stage.friends()
    publish_avatar(a, options={'pubsub#access_model': 'whitelist'})
    a.present('<status>s</status>')
    equal(photo_hash(b.expect('<presence><status>s</status></presence>')), None)


# ---- other nodes of accounts

def a_vcard4_is_open_to_all(stage):
    """XEP-0292 §3, §7."""
    a, b = stage.online(), stage.online()
    check('urn:ietf:params:xml:ns:vcard-4.0' in disco(a, a.bare)[0], 'not announced')
    a.set(publish('urn:xmpp:vcard4', '<vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0"><fn><text>Anne</text></fn></vcard>', 'current'))
    v = b.get(items('urn:xmpp:vcard4'), a.bare).find('pubsub/items/item/vcard', 'urn:ietf:params:xml:ns:vcard-4.0')
    equal(v.textof('fn/text'), 'Anne')


def contacts_learn_ones_nickname(stage):
    """XEP-0172 §4.4."""
    nick = 'http://jabber.org/protocol/nick'
    a, b = stage.friends()
    tell_caps(b, notify(nick))
    a.set(publish(nick, f'<nick xmlns="{nick}">Ishmael</nick>'))
    m = b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{nick}"/></event></message>')
    equal(m.find('event/items/item/nick', nick).text, 'Ishmael')


def omemo_bundles_are_open_and_many(stage):
    """XEP-0384 §5.3."""
    ns = 'urn:xmpp:omemo:2'
    a, b = stage.online(), stage.online()
    a.set(publish(ns + ':devices', f'<devices xmlns="{ns}"><device id="1"/><device id="2"/></devices>', 'current', {'pubsub#access_model': 'open'}))
    for i in (1, 2, 3):
        a.set(publish(ns + ':bundles', f'<bundle xmlns="{ns}"><spk id="0">{"A" * 4000}</spk></bundle>', i,
                      {'pubsub#access_model': 'open', 'pubsub#max_items': 'max'}))
    equal(ids_of(b.get(items(ns + ':devices'), a.bare)), ['current'])
    equal(ids_of(b.get(items(ns + ':bundles'), a.bare)), ['1', '2', '3'])
    equal(ids_of(b.get(items(ns + ':bundles', 2), a.bare)), ['2'])
    fails(b, 'set', publish(ns + ':bundles', '<bundle xmlns="x"/>', 1), 'forbidden', None, a.bare)


def omemo_nodes_are_open_without_being_asked(stage):
    a, b = stage.online(), stage.online()
    for n in ('urn:xmpp:omemo:2:devices', 'urn:xmpp:omemo:2:bundles', 'eu.siacs.conversations.axolotl.devicelist',
              'eu.siacs.conversations.axolotl.bundles:31415'):
        a.set(publish(n, entry(), 'current'))
        equal(ids_of(b.get(items(n), a.bare)), ['current'])


def displayed_messages_are_told_to_own_devices(stage):
    """XEP-0490 §4."""
    mds = 'urn:xmpp:mds:displayed:0'
    a, contact = stage.friends()
    b = stage.again(a)
    tell_caps(b, notify(mds))
    tell_caps(contact, notify(mds))
    for peer, sid in (('romeo@x.example', '1'), ('nurse@x.example', '2'), ('romeo@x.example', '3')):
        a.set(publish(mds, f'<displayed xmlns="{mds}"><stanza-id xmlns="{SID}" by="{a.bare}" id="{sid}"/></displayed>', peer,
                      {'pubsub#persist_items': 'true', 'pubsub#max_items': 'max', 'pubsub#send_last_published_item': 'never',
                       'pubsub#access_model': 'whitelist'}))
        b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{mds}"><item id="{peer}"/></items></event></message>')
    equal(ids_of(b.get(items(mds))), ['nurse@x.example', 'romeo@x.example'])
    contact.expect_nothing('<message/>', after=(a,))
    fails(contact, 'get', items(mds), 'not-allowed', 'closed-node', a.bare)


def a_displayed_message_may_ride_on_another(stage):
    """XEP-0490 §4.4.1: the server takes it out and publishes it, whitelisted."""
    mds = 'urn:xmpp:mds:displayed:0'
    a, contact = stage.friends()
    b = stage.again(a)
    check('urn:xmpp:mds:server-assist:0' in disco(a, a.bare)[0], 'not announced')
    tell_caps(b, notify(mds))
    tell_caps(contact, notify(mds))
    rides = f'<displayed xmlns="{mds}"><stanza-id xmlns="{SID}" by="{a.bare}" id="42"/></displayed>'
    a.send(f'<message to="{contact.bare}" type="chat" id="m"><body>seen</body>{rides}</message>')
    m = contact.expect('<message id="m"/>')
    check(m.find('displayed', mds) is None and m.textof('body') == 'seen', m)
    e = b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{mds}"><item id="{contact.bare}"/></items></event></message>')
    equal(e.find('event/items/item/displayed/stanza-id', SID)['id'], '42')
    got = fields(a.get(pubsub(f'<configure node="{mds}"/>', OWNER)).find('pubsub/configure/x'))
    equal((got['pubsub#access_model'], got['pubsub#max_items'], got['pubsub#send_last_published_item']), (['whitelist'], ['max'], ['never']))
    contact.expect_nothing('<message/>', after=(a,))


def nothing_is_left_of_a_removed_account(stage):
    """Whoever gets the name next finds an empty account."""
    server = stage.own_server({'registration.open': 'true'})
    a = stage.client(server.account(), server=server).online()
    a.set(publish('n', entry('secret'), 'i', {'pubsub#access_model': 'open'}))
    a.set(card())
    a.set('<query xmlns="jabber:iq:register"><remove/></query>')
    a.expect_close()
    fresh = server.add(a.account.node)
    b = stage.client(fresh, server=server).online()
    fails(b, 'get', items('n'), 'item-not-found', None)
    equal(photo_of(b), None)
    equal([r['node'] for r in b.get(f'<query xmlns="{DISCO_ITEMS}"/>', b.bare).all('query/item') if r['node']], [])
