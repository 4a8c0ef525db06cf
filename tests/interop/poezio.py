#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's poezio in a terminal (tmux) signs in, chats both ways with a script, tells of receipts, fetches an avatar, uses a
room, and has its history back after a new start. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import shutil
import ssl
import sys

sys.dont_write_bytecode = True
from partner import RECEIPTS, WAIT_SECONDS, WORLD, account, enter_room, make_friends, online, play, publish_avatar, room_name, until
from terminal import Terminal

CONFIG = '''[Poezio]
jid = %s
password = %s
custom_host = %s
custom_port = %d
ca_cert_path = server.pem
use_remote_bookmarks = false
device_id = test
'''


class Play:
    """The terminal, the partner, and what one step tells the next."""

    def __init__(self):
        self.script = online(1)
        make_friends(self.script)
        self.avatar, self.png = publish_avatar(self.script)
        me = account(0)
        config = CONFIG % (me.jid, me.password, WORLD['host'], WORLD['ports']['c2s'])
        certificate = ssl.get_server_certificate((WORLD['host'], WORLD['ports']['c2s_tls']))
        self.term = Terminal(['poezio'], {'.config/poezio/poezio.cfg': config, 'server.pem': certificate}, modest=True)


def command(p, text):
    """The slash comes first and alone: in the roster it opens the line for the rest."""
    p.term.key('/')
    until('a command line', lambda: last_line(p).startswith('/'))
    say(p, text)


def say(p, text):
    """Return comes after the text is there: together they would be a paste, which does not always send."""
    p.term.write(text)
    until('the line has the text', lambda: last_line(p).rstrip().endswith(text))
    p.term.key('Enter')


def last_line(p):
    return p.term.screen().rstrip().split('\n')[-1].partition('│')[2]


def sign_in(p):
    p.script.expect('<presence from="~%s/poezio.*" type="!"/>' % account(0).jid, timeout=WAIT_SECONDS)
    p.term.see(p.script.bare)


def chat(p):
    me = account(0)
    command(p, 'message %s from poezio' % p.script.bare)
    got = p.script.expect('<message from="~%s/.*" type="chat"><body>from poezio</body><request xmlns="%s"/></message>' % (me.jid, RECEIPTS),
                          timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="chat" id="back"><body>back to the terminal 鸿雁</body><request xmlns="%s"/></message>'
                  % (got['from'], RECEIPTS))
    p.term.see('back to the terminal 鸿雁')
    p.script.expect('<message from="%s"><received xmlns="%s" id="back"/></message>' % (got['from'], RECEIPTS), timeout=WAIT_SECONDS)
    p.script.send('<message to="%s"><received xmlns="%s" id="%s"/></message>' % (got['from'], RECEIPTS, got['id']))
    p.term.see('✔')


def avatar(p):
    def cached():
        return [f for f in p.term.home.rglob('*') if f.is_file() and f.read_bytes() == p.png]
    until('the avatar is in the cache', cached)


def room(p):
    name = room_name('poezio')
    command(p, 'join %s/anne' % name)
    p.term.see('You (anne) joined')
    command(p, 'configure')
    p.term.see('Ctrl+Y: send form')
    p.term.key('C-y')
    enter_room(p.script, name)
    say(p, 'hello room')
    p.script.expect('<message from="%s/anne" type="groupchat"><body>hello room</body></message>' % name, timeout=WAIT_SECONDS)
    p.script.send('<message to="%s" type="groupchat"><body>hello terminal</body></message>' % name)
    p.term.see('hello terminal')


def history(p):
    p.term.quit()
    p.script.expect('<presence from="~%s/poezio.*" type="unavailable"/>' % account(0).jid, timeout=WAIT_SECONDS)
    shutil.rmtree(p.term.home / '.local', ignore_errors=True)
    p.term.start()
    p.script.expect('<presence from="~%s/poezio.*" type="!"/>' % account(0).jid, timeout=WAIT_SECONDS)
    p.term.see('%s (1)' % p.script.bare)
    p.term.see('1.poezio')  # it went back into the room
    command(p, 'message %s once more' % p.script.bare)
    p.term.see('from poezio')
    p.term.see('back to the terminal 鸿雁')


def sign_out(p):
    command(p, 'quit')
    p.script.expect('<presence from="~%s/poezio.*" type="unavailable"/>' % account(0).jid, timeout=WAIT_SECONDS)


def main():
    p = Play()
    try:
        return play('poezio', [p], [
            ('signs in over STARTTLS and shows its contact', sign_in), ('chats both ways, with receipts', chat),
            ('fetches the avatar of a contact', avatar), ('talks in a room', room),
            ('has its history from the archive after a new start', history), ('signs out', sign_out)])
    finally:
        p.term.end()
        p.script.drop()


if __name__ == '__main__':
    sys.exit(main())
