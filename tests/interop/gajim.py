#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's gajim on a screen of its own signs in, chats both ways with a script, with receipts and markers, shows an avatar, talks in a
bookmarked room, and has its history back on a fresh device. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import json
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
import desktop
from partner import (MARKERS, RECEIPTS, WAIT_SECONDS, WORLD, account, bookmark_room, make_friends, online, play, publish_avatar,
                     room_name, until)

OPENED = 'There is no more history'  # stands above all messages of a chat
OPTIONS = {'use_keyring': False, 'remote_control': False, 'check_for_update': False, 'quit_on_main_window_x_button': True}


class Play:
    """The screen, the partner, and what one step tells the next."""

    def __init__(self):
        self.script = online(1)
        make_friends(self.script)
        self.avatar, self.png = publish_avatar(self.script)
        self.room = room_name('gajim')
        bookmark_room(self.script, self.room)
        self.desk = desktop.Desktop('gajim')
        self.settings = self.desk.home / 'config' / 'gajim' / 'settings.sqlite'
        self.client = None

    def start(self):
        self.client = self.desk.start('gajim')

    def stop(self):
        self.desk.stop(self.client)

    def ask(self, sql, *args):
        db = sqlite3.connect(self.settings, timeout=WAIT_SECONDS)
        with db:
            rows = db.execute(sql, args).fetchall()
        db.close()
        return rows

    def ready(self):
        return self.settings.exists() and self.ask("select name from sqlite_master where name = 'account_settings'")

    def fresh(self):
        """A new device with the account in it."""
        self.start()
        until('gajim makes its settings', self.ready)
        self.desk.focus('Gajim|Account')
        self.stop()
        me = account(0)
        settings = {'name': me.node, 'hostname': WORLD['domain'], 'address': me.jid, 'password': me.password, 'savepass': True,
                    'active': True, 'account_label': 'anne', 'resource': 'gajim'}
        self.ask('insert into account_settings (account, settings) values (?, ?)', 'anne',
                 json.dumps({'account': settings, 'contact': {}, 'group_chat': {}}))
        self.ask("update settings set settings = ? where name = 'app'", json.dumps(OPTIONS))
        self.start()
        self.script.expect('<presence from="~%s/gajim.*" type="!"/>' % me.jid, timeout=WAIT_SECONDS)

    def asks(self):
        return self.desk.run('xdotool', 'search', '--onlyvisible', '--name', 'Start')

    def open(self):
        """Opens the chat with the partner. When there is none yet, gajim asks first, in a window that looks for the address."""
        self.desk.run('gajim', 'xmpp:%s?message' % self.script.bare)
        until('a chat or a question', lambda: self.asks() or self.desk.reader.find(OPENED))
        if self.asks():
            self.desk.focus('Start')
            self.desk.see('Start New Chat')
            self.desk.key('Return')
            until('the question is gone', lambda: not self.asks())
        self.desk.see(OPENED)
        self.desk.focus('Gajim')


def sign_in(p):
    p.fresh()
    p.open()
    p.desk.shot('start')


def chat(p):
    me = account(0)
    p.desk.type('from gajim')
    got = p.script.expect('<message from="~%s/gajim.*" type="chat"><body>from gajim</body><request xmlns="%s"/></message>'
                          % (me.jid, RECEIPTS), timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="chat" id="back"><body>back to the screen 鸿雁</body><request xmlns="%s"/><markable xmlns="%s"/>'
                  '</message>' % (got['from'], RECEIPTS, MARKERS))
    p.desk.see('back to the screen 鸿雁')
    p.script.expect('<message from="%s"><received xmlns="%s" id="back"/></message>' % (got['from'], RECEIPTS), timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="chat"><received xmlns="%s" id="%s"/></message>' % (got['from'], RECEIPTS, got['id']))
    p.desk.shot('chat')


def avatar(p):
    until('the avatar is kept', lambda: [f for f in (p.desk.home / 'cache').rglob('*') if f.is_file() and f.read_bytes() == p.png])
    p.desk.shot('avatar')


def room(p):
    p.script.expect('<presence from="%s/anne" type="!"/>' % p.room, timeout=WAIT_SECONDS)
    p.desk.run('gajim', 'xmpp:%s?join' % p.room)
    p.desk.focus('Gajim')
    p.desk.see(p.room.partition('@')[0])
    p.desk.type('hello room')
    p.script.expect('<message from="%s/anne" type="groupchat"><body>hello room</body></message>' % p.room, timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="groupchat"><body>hello screen</body></message>' % p.room)
    p.desk.see('hello screen')
    p.desk.shot('room')


def history(p):
    p.stop()
    for name in ('config', 'data', 'cache'):
        shutil.rmtree(p.desk.home / name)
    p.fresh()
    p.open()
    p.desk.see('from gajim')
    p.desk.see('back to the screen 鸿雁')
    p.desk.shot('history')


def main():
    desktop.enter()
    p = Play()
    try:
        return play('gajim', [p], [
            ('signs in', sign_in), ('chats both ways, with receipts', chat), ('fetches the avatar of a contact', avatar),
            ('talks in a bookmarked room', room), ('has its history on a fresh device', history)])
    finally:
        p.desk.shot('end')
        p.desk.end()
        p.script.drop()


if __name__ == '__main__':
    sys.exit(main())
