#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's profanity in a terminal (tmux) signs in, chats both ways with a script, uses a room, comes back after a lost
connection. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import sys
import time

sys.dont_write_bytecode = True
from partner import WAIT_SECONDS, WORLD, account, enter_room, online, play
from terminal import Terminal

CONFIG = '[ui]\nsplash=false\n[logging]\nchlog=false\n[connection]\nautoping=0\n'


def sign_in(term, script):
    me = account(0)
    term.see('Profanity', 'Type')
    term.type('/connect %s server %s port %d tls trust' % (me.jid, WORLD['host'], WORLD['ports']['c2s']))
    term.see('password', 'Password')
    term.type(me.password)
    term.see('logged in successfully')


def chat(term, script):
    me = account(0)
    term.type('/msg %s from profanity' % script.bare)
    got = script.expect('<message from="~%s/.*" type="chat"><body>from profanity</body></message>' % me.jid, timeout=WAIT_SECONDS)
    script.send('<message to="%s" type="chat"><body>back to the terminal</body></message>' % got['from'])
    term.see('back to the terminal')


def room(term, script):
    name = 'prof%d@%s' % (time.time() * 1000, WORLD['muc'])
    term.type('/join %s nick anne' % name)
    term.see('Room created, locked', 'You have joined', 'Room joined', 'locked')
    term.type('/room accept')
    enter_room(script, name)
    term.type('hello room')
    script.expect('<message from="%s/anne" type="groupchat"><body>hello room</body></message>' % name, timeout=WAIT_SECONDS)
    script.send('<message to="%s" type="groupchat"><body>hello terminal</body></message>' % name)
    term.see('hello terminal')


def sign_out(term, script):
    term.type('/disconnect')
    term.see('logged out')


def main():
    script, term = online(1), Terminal(['profanity'], {'.config/profanity/profrc': CONFIG})
    try:
        return play('profanity', (term, script), [
            ('signs in over STARTTLS', sign_in), ('chats both ways', chat), ('talks in a room', room), ('signs out', sign_out)])
    finally:
        term.end()
        script.drop()


if __name__ == '__main__':
    sys.exit(main())
