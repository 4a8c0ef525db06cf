#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's profanity in a terminal (tmux) signs in, chats both ways with a script, uses a room, comes back after a lost
connection. Where the server is: environment ANSER_TEST (JSON). Prints TAP."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'flow'))
sys.dont_write_bytecode = True
from kit.client import Client, Failed  # noqa: E402
from kit.server import Account  # noqa: E402
from lib import MUC, MUC_OWNER, MUC_USER, DATA, befriend  # noqa: E402

WORLD = json.loads(os.environ['ANSER_TEST'])
WAIT_SECONDS = 15


class Terminal:
    """One profanity in its own tmux server and home directory."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix='profanity-')
        self.socket = self.home + '/tmux'
        config = pathlib.Path(self.home + '/.config/profanity')
        config.mkdir(parents=True)
        (config / 'profrc').write_text('[ui]\nsplash=false\n[logging]\nchlog=false\n[connection]\nautoping=0\n')
        env = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home + '/.config', XDG_DATA_HOME=self.home + '/.local',
                   TERM='screen', LC_ALL='C.UTF-8')
        env.pop('TMUX', None)
        subprocess.run(['tmux', '-S', self.socket, '-f', '/dev/null', 'new-session', '-d', '-x', '200', '-y', '50', 'profanity'],
                       env=env, check=True)

    def type(self, text):
        self.tmux('send-keys', '-l', text)
        self.tmux('send-keys', 'Enter')

    def tmux(self, *args):
        return subprocess.run(['tmux', '-S', self.socket, *args], capture_output=True, text=True).stdout

    def screen(self):
        return self.tmux('capture-pane', '-p')

    def see(self, *words):
        """Waits until one of the words is on the screen; returns it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            text = self.screen()
            for word in words:
                if word in text:
                    return word
            time.sleep(0.1)
        raise Failed('%s is not on the screen:\n%s' % (words, '\n'.join(l for l in self.screen().split('\n') if l.strip())))

    def end(self):
        self.tmux('kill-server')
        shutil.rmtree(self.home, ignore_errors=True)


class Server:
    """What Client wants to know of a server."""

    host, domain, ports = WORLD['host'], WORLD['domain'], WORLD['ports']


def account(i):
    return Account(WORLD['accounts'][i]['node'], WORLD['domain'], WORLD['accounts'][i]['password'])


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
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        script.send('<presence to="%s/bert"><x xmlns="%s"/></presence>' % (name, MUC))
        got = script.expect('<presence from="~%s(/bert)?"/>' % name)
        if got['type'] != 'error':
            break
        if time.monotonic() > deadline:
            raise Failed('cannot enter: %s' % got)
        time.sleep(0.2)
    term.type('hello room')
    script.expect('<message from="%s/anne" type="groupchat"><body>hello room</body></message>' % name, timeout=WAIT_SECONDS)
    script.send('<message to="%s" type="groupchat"><body>hello terminal</body></message>' % name)
    term.see('hello terminal')


def sign_out(term, script):
    term.type('/disconnect')
    term.see('logged out')


def main():
    os.environ.setdefault('LANG', 'C.UTF-8')
    script = Client(Server(), account(1)).online()
    term, failed = Terminal(), 0
    steps = [('signs in over STARTTLS', sign_in), ('chats both ways', chat), ('talks in a room', room), ('signs out', sign_out)]
    try:
        for n, (name, fn) in enumerate(steps, 1):
            try:
                fn(term, script)
                print('ok %d - profanity %s' % (n, name), flush=True)
            except Failed as e:
                failed += 1
                print('not ok %d - profanity %s\n  # %s' % (n, name, str(e).replace('\n', '\n  # ')), flush=True)
    finally:
        term.end()
        script.drop()
    print('1..%d' % len(steps))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
