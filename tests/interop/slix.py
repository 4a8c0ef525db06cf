#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's slixmpp signs in, chats, uses a room, resumes. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import asyncio
import json
import logging
import os
import ssl
import sys
import time

import slixmpp

WORLD = json.loads(os.environ['ANSER_TEST'])
COUNT = FAILED = 0


async def step(name, coroutine):
    global COUNT, FAILED
    COUNT += 1
    try:
        await asyncio.wait_for(coroutine, 15)
        print('ok %d - %s' % (COUNT, name), flush=True)
    except Exception as e:
        FAILED += 1
        print('not ok %d - %s\n  # %s: %s' % (COUNT, name, type(e).__name__, e), flush=True)


class Bot(slixmpp.ClientXMPP):
    def __init__(self, account, direct=False):
        super().__init__('%s@%s' % (account['node'], WORLD['domain']), account['password'])
        self.port = WORLD['ports']['c2s_tls' if direct else 'c2s']
        self.direct = direct
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        for plugin in ('xep_0030', 'xep_0045', 'xep_0198', 'xep_0199', 'xep_0280', 'xep_0313', 'xep_0060',
                       'xep_0115', 'xep_0163', 'xep_0118', 'xep_0084', 'xep_0048'):
            self.register_plugin(plugin)
        self.heard = asyncio.Queue()
        self.add_event_handler('message', self.heard.put_nowait)
        self.started = asyncio.get_event_loop().create_future()
        self.add_event_handler('session_start', lambda _: self.started.done() or self.started.set_result('start'))
        # It tries one mechanism after the other; the first refusal tells.
        self.add_event_handler('failed_auth', lambda _: self.started.done() or self.started.set_result('refused'))
        self.resumed = asyncio.get_event_loop().create_future()
        self.add_event_handler('session_resumed', lambda _: self.resumed.done() or self.resumed.set_result(True))

    def get_ssl_context(self):
        return self.ssl_context

    def go(self):
        self.connect((WORLD['host'], self.port), use_ssl=self.direct, force_starttls=not self.direct, disable_starttls=self.direct)
        return self.started

    async def hear(self, body):
        while True:
            msg = await self.heard.get()
            if msg['body'] == body:
                return msg


async def both_start(a, b):
    for c in (a, b):
        result = await c.go()
        if result != 'start':
            raise AssertionError('not signed in')
        c.send_presence()
        await c.get_roster()


async def chat(a, b):
    a.send_message(mto=b.boundjid.full, mbody='from slixmpp 鸿雁', mtype='chat')
    msg = await b.hear('from slixmpp 鸿雁')
    if msg['from'] != a.boundjid:
        raise AssertionError('from %s' % msg['from'])


async def rooms(a, b):
    room = 'slix%d@%s' % (time.time() * 1000, WORLD['muc'])
    for c, nick in ((a, 'anne'), (b, 'bert')):
        inside = asyncio.get_event_loop().create_future()
        c.add_event_handler('muc::%s::self-presence' % room, lambda _, inside=inside: inside.done() or inside.set_result(True))
        c.plugin['xep_0045'].join_muc(room, nick)
        await inside
        if c is a:
            form = await c.plugin['xep_0045'].get_room_config(room)
            form['type'] = 'submit'
            await c.plugin['xep_0045'].set_room_config(room, form)
    a.send_message(mto=room, mbody='hello room', mtype='groupchat')
    await b.hear('hello room')


async def archive(a, b):
    results = await a.plugin['xep_0313'].retrieve(with_jid=slixmpp.JID(b.boundjid.bare))
    if 'from slixmpp 鸿雁' not in str(results) and not results:
        raise AssertionError('nothing in the archive')


async def resume(a, b):
    before = a.boundjid.full
    if not a.plugin['xep_0198'].enabled_out:
        raise AssertionError('stream management is not enabled')
    a.transport.abort()
    await asyncio.sleep(0)
    b.send_message(mto=before, mbody='while away', mtype='chat')
    a.go()
    await a.resumed
    await a.hear('while away')


async def personal_eventing(a, b):
    for c, other in ((a, b), (b, a)):
        c.auto_authorize = c.auto_subscribe = True
        c.send_presence_subscription(pto=other.boundjid.bare)
    heard = asyncio.get_event_loop().create_future()
    b.plugin['xep_0163'].register_pep('user_tune', b.plugin['xep_0118'].stanza.UserTune)
    b.add_event_handler('user_tune_publish', lambda m: heard.done() or m['from'].bare != a.boundjid.bare or heard.set_result(m))
    await b.plugin['xep_0115'].update_caps()
    await a.plugin['xep_0118'].publish_tune(artist='Finzi', title='Introduction')
    tune = (await heard)['pubsub_event']['items']['item']['tune']
    if tune['artist'] != 'Finzi':
        raise AssertionError(str(tune))


async def avatar(a, b):
    image = b'not really a picture'
    await a.plugin['xep_0084'].publish_avatar(image)
    the_id = a.plugin['xep_0084'].generate_id(image)
    await a.plugin['xep_0084'].publish_avatar_metadata({'id': the_id, 'type': 'image/png', 'bytes': len(image)})
    got = await b.plugin['xep_0084'].retrieve_avatar(slixmpp.JID(a.boundjid.bare), the_id)
    if got['pubsub']['items']['item']['avatar_data']['value'] != image:
        raise AssertionError(str(got))


async def pubsub(a, b):
    host, node, ps = slixmpp.JID('pubsub.' + WORLD['domain']), 'slix%d' % (time.time() * 1000), a.plugin['xep_0060']
    await ps.create_node(host, node)
    config = (await ps.get_node_config(host, node))['pubsub_owner']['configure']['form']
    config['type'] = 'submit'
    await ps.set_node_config(host, node, config)
    heard = asyncio.get_event_loop().create_future()
    b.add_event_handler('pubsub_publish', lambda m: m['pubsub_event']['items']['node'] != node or heard.done() or heard.set_result(m))
    await b.plugin['xep_0060'].subscribe(host, node)
    payload = slixmpp.xmlstream.ET.fromstring('<entry xmlns="urn:slix">news</entry>')
    await ps.publish(host, node, id='one', payload=payload)
    if (await heard)['pubsub_event']['items']['item']['payload'].text != 'news':
        raise AssertionError('another payload')
    items = (await b.plugin['xep_0060'].get_items(host, node))['pubsub']['items']
    if [i['id'] for i in items] != ['one']:
        raise AssertionError(str(items))
    if len((await b.plugin['xep_0060'].get_subscriptions(host))['pubsub']['subscriptions']['substanzas']) != 1:
        raise AssertionError('not one subscription')
    await ps.retract(host, node, 'one', notify=True)
    await b.plugin['xep_0060'].unsubscribe(host, node)
    await ps.delete_node(host, node)


async def bookmarks(a):
    marks = slixmpp.plugins.xep_0048.Bookmarks()
    marks.add_conference('room@rooms.example', 'anne', autojoin=True)
    await a.plugin['xep_0048'].set_bookmarks(marks, method='xep_0049')
    got = await a.plugin['xep_0060'].get_items(slixmpp.JID(a.boundjid.bare), 'urn:xmpp:bookmarks:1')
    if [i['id'] for i in got['pubsub']['items']] != ['room@rooms.example']:
        raise AssertionError(str(got))


async def wrong_password(account):
    c = Bot(dict(account, password='wrong password'))
    if await c.go() != 'refused':
        raise AssertionError('accepted')
    c.abort()


async def main():
    one, two = WORLD['accounts'][:2]
    a, b = Bot(one), Bot(two, direct=True)
    await step('slixmpp signs in over STARTTLS and direct TLS', both_start(a, b))
    await step('slixmpp: two users chat', chat(a, b))
    await step('slixmpp: requests are answered', a.plugin['xep_0199'].ping(slixmpp.JID(WORLD['domain'])))
    await step('slixmpp: discovery is answered', a.plugin['xep_0030'].get_info(jid=WORLD['domain']))
    await step('slixmpp: the archive is read', archive(a, b))
    await step('slixmpp: both talk in a room', rooms(a, b))
    await step('slixmpp: a contact hears what one listens to', personal_eventing(a, b))
    await step('slixmpp: an avatar is published and fetched', avatar(a, b))
    await step('slixmpp: a node of the service is made, filled, read and removed', pubsub(a, b))
    await step('slixmpp: bookmarks of private storage are those of PEP', bookmarks(a))
    await step('slixmpp: a lost connection is resumed with what was missed', resume(a, b))
    await step('slixmpp is refused with a wrong password', wrong_password(one))
    print('1..%d' % COUNT)
    sys.stdout.flush()
    os._exit(1 if FAILED else 0)


logging.basicConfig(level=os.environ.get('SLIX_LOG', 'CRITICAL'))
asyncio.get_event_loop().run_until_complete(main())
