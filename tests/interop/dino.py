#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's dino on a screen of its own signs in, chats both ways with a script, with receipts and markers, shows an avatar, talks in a
bookmarked room, and has its history back on a fresh device. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
import desktop
from partner import (MARKERS, RECEIPTS, WAIT_SECONDS, account, bookmark_room, make_friends, online, play, publish_avatar, room_name,
                     until)

TABLES = 40  # that dino makes at its first start, at least


class Play:
    """The screen, the partner, and what one step tells the next."""

    def __init__(self):
        self.script = online(1)
        make_friends(self.script)
        self.avatar, self.png = publish_avatar(self.script)
        self.room = room_name('dino')
        bookmark_room(self.script, self.room)
        self.desk = desktop.Desktop('dino')
        self.data = self.desk.home / 'data' / 'dino'
        self.client = None

    def start(self):
        self.client = self.desk.start('dino-im')

    def stop(self):
        self.desk.stop(self.client)

    def ask(self, sql, *args):
        """Reads or changes dino's database."""
        db = sqlite3.connect(self.data / 'dino.db', timeout=WAIT_SECONDS)
        with db:
            rows = db.execute(sql, args).fetchall()
        db.close()
        return rows

    def ready(self):
        return (self.data / 'dino.db').exists() and len(self.ask('select name from sqlite_master')) > TABLES

    def fresh(self):
        """A new device with the account in it."""
        self.start()
        until('dino makes its database', self.ready)
        self.desk.focus('Dino')
        self.stop()
        self.ask('insert into account (bare_jid, resourcepart, password, alias, enabled) values (?, ?, ?, ?, 1)',
                 account(0).jid, 'dino', account(0).password, 'anne')
        self.start()
        self.script.expect('<presence from="~%s/dino" type="!"/>' % account(0).jid, timeout=WAIT_SECONDS)

    def open(self):
        """Opens the conversation with the partner."""
        self.desk.run('dino-im', 'xmpp:%s?message' % self.script.bare)
        self.desk.see(self.script.bare)
        self.desk.focus('Dino')


def sign_in(p):
    p.fresh()
    p.open()
    p.desk.shot('start')


def chat(p):
    me = account(0)
    p.desk.type('from dino')
    got = p.script.expect('<message from="%s/dino" type="chat"><body>from dino</body><request xmlns="%s"/><markable xmlns="%s"/></message>'
                          % (me.jid, RECEIPTS, MARKERS), timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="chat" id="back"><body>back to the screen 鸿雁</body><request xmlns="%s"/><markable xmlns="%s"/>'
                  '</message>' % (got['from'], RECEIPTS, MARKERS))
    p.desk.see('back to the screen 鸿雁')
    p.script.expect('<message from="%s"><received xmlns="%s" id="back"/></message>' % (got['from'], RECEIPTS), timeout=WAIT_SECONDS)
    p.script.expect('<message from="%s"><displayed xmlns="%s" id="back"/></message>' % (got['from'], MARKERS), timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="chat"><received xmlns="%s" id="%s"/></message>' % (got['from'], RECEIPTS, got['id']))
    p.script.send('<message to="%s" type="chat"><displayed xmlns="%s" id="%s"/></message>' % (got['from'], MARKERS, got['id']))
    p.desk.shot('chat')


def avatar(p):
    until('the avatar is kept', lambda: [f for f in (p.data / 'avatars').glob('*') if f.read_bytes() == p.png])
    p.desk.shot('avatar')


def room(p):
    p.desk.key('ctrl+Tab')
    p.script.expect('<presence from="%s/anne" type="!"/>' % p.room, timeout=WAIT_SECONDS)
    p.desk.type('hello room')
    p.script.expect('<message from="%s/anne" type="groupchat"><body>hello room</body></message>' % p.room, timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="groupchat"><body>hello screen</body></message>' % p.room)
    p.desk.see('hello screen')
    p.desk.shot('room')


def history(p):
    p.stop()
    shutil.rmtree(p.data)
    p.fresh()
    p.open()
    p.desk.see('from dino')
    p.desk.see('back to the screen 鸿雁')
    p.desk.shot('history')


def main():
    desktop.enter()
    p = Play()
    try:
        return play('dino', [p], [
            ('signs in over TLS', sign_in), ('chats both ways, with receipts and markers', chat), ('fetches the avatar of a contact', avatar),
            ('talks in a bookmarked room', room), ('has its history on a fresh device', history)])
    finally:
        p.desk.end()
        p.script.drop()


if __name__ == '__main__':
    sys.exit(main())
