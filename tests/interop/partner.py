# SPDX-License-Identifier: AGPL-3.0-or-later
"""What scripts that play with other people's clients share: the world they were given, the partner, rooms, steps as TAP."""
import base64
import hashlib
import json
import os
import pathlib
import struct
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'flow'))
from kit.client import Client, Failed
from kit.server import Account
from lib import DATA, MUC, MUC_OWNER, befriend

WORLD = json.loads(os.environ['ANSER_TEST'])
WAIT_SECONDS = float(os.environ.get('INTEROP_WAIT', '15'))
RECEIPTS = 'urn:xmpp:receipts'
MARKERS = 'urn:xmpp:chat-markers:0'
BOOKMARKS = 'urn:xmpp:bookmarks:1'
AVATAR = 'urn:xmpp:avatar'


class Server:
    """What Client wants to know of a server."""

    host, domain, ports = WORLD['host'], WORLD['domain'], WORLD['ports']


def account(i):
    return Account(WORLD['accounts'][i]['node'], WORLD['domain'], WORLD['accounts'][i]['password'])


def online(i):
    """A scripted client of this account."""
    return Client(Server(), account(i)).online()


def make_friends(script):
    """The scripted partner and account 0 are subscribed to each other from now on."""
    me = online(0)
    befriend(me, script)
    me.close()


def bookmark_room(script, name):
    """A room that the partner makes, and that account 0 will enter by itself as anne (XEP-0402)."""
    enter_room(script, name)
    script.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), name)
    me = online(0)
    publish(me, BOOKMARKS, name, '<conference xmlns="%s" autojoin="true"><nick>anne</nick></conference>' % BOOKMARKS)
    me.close()


def publish_avatar(script):
    """Publishes a picture (XEP-0084) of plain colour. Returns (hash, PNG)."""
    png = picture(64)
    name = hashlib.sha1(png).hexdigest()
    publish(script, AVATAR + ':data', name, '<data xmlns="%s:data">%s</data>' % (AVATAR, base64.b64encode(png).decode()))
    publish(script, AVATAR + ':metadata', name, '<metadata xmlns="%s:metadata"><info id="%s" bytes="%d" type="image/png" width="64" height="64"/>'
            '</metadata>' % (AVATAR, name, len(png)))
    return name, png


def publish(script, node, item, payload):
    script.set('<pubsub xmlns="http://jabber.org/protocol/pubsub"><publish node="%s"><item id="%s">%s</item></publish></pubsub>'
               % (node, item, payload))


def picture(size):
    """A PNG, orange with a white middle."""
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    third = size // 3
    rows = b''
    for y in range(size):
        row = [b'\xff\xff\xff' if third < x < 2 * third and third < y < 2 * third else b'\xf0\x80\x10' for x in range(size)]
        rows += b'\0' + b''.join(row)
    header = struct.pack('>IIBBBBB', size, size, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


def room_name(prefix):
    return '%s%d@%s' % (prefix, time.time() * 1000, WORLD['muc'])


def enter_room(script, name):
    """Enters as bert, again and again while the room is locked or not made yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        script.send('<presence to="%s/bert"><x xmlns="%s"/></presence>' % (name, MUC))
        got = script.expect('<presence from="~%s(/bert)?"/>' % name)
        if got['type'] != 'error':
            return
        if time.monotonic() > deadline:
            raise Failed('cannot enter: %s' % got)
        time.sleep(0.2)


def until(what, fn):
    """Waits until fn() is true; returns that."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = fn()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed('in vain: %s' % what)
        time.sleep(0.1)


def play(name, actors, steps):
    """Runs [(title, fn)] with these actors as arguments. Returns the exit status."""
    failed = 0
    for n, (title, fn) in enumerate(steps, 1):
        try:
            fn(*actors)
            print('ok %d - %s %s' % (n, name, title), flush=True)
        except Failed as e:
            failed += 1
            print('not ok %d - %s %s\n  # %s' % (n, name, title, str(e).replace('\n', '\n  # ')), flush=True)
    print('1..%d' % len(steps))
    return 1 if failed else 0
