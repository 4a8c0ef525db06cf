# SPDX-License-Identifier: AGPL-3.0-or-later
"""A program in a terminal of its own (tmux) that a script types into and reads."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from partner import WAIT_SECONDS, Failed

COLUMNS, ROWS = 200, 50


class Terminal:
    """One program in its own tmux server and home directory. files: {path below the home: text}.
    modest: not as root, for programs that refuse to be (nobody does it then)."""

    def __init__(self, command, files, modest=False):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=command[0] + '-'))
        self.socket = str(self.home / 'tmux')
        self.command = command
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if modest and os.geteuid() == 0:
            self._give_to(pwd.getpwnam('nobody'))
        self.start()

    def _give_to(self, user):
        for path in (self.home, *self.home.rglob('*')):
            os.chown(path, user.pw_uid, user.pw_gid)
        self.command = ['setpriv', '--reuid=%d' % user.pw_uid, '--regid=%d' % user.pw_gid, '--clear-groups', '--', *self.command]

    def start(self):
        home = str(self.home)
        env = dict(os.environ, HOME=home, XDG_CONFIG_HOME=home + '/.config', XDG_DATA_HOME=home + '/.local', XDG_CACHE_HOME=home + '/.cache',
                   TERM='screen', LC_ALL='C.UTF-8')
        env.pop('TMUX', None)
        # The pane stays when the program ends, so that its last words can be read.
        subprocess.run(['tmux', '-S', self.socket, '-f', '/dev/null', 'new-session', '-d', '-x', str(COLUMNS), '-y', str(ROWS), '-c', home,
                        *self.command, ';', 'set-option', 'remain-on-exit', 'on'], env=env, check=True)

    def type(self, text):
        self.write(text)
        self.key('Enter')

    def write(self, text):
        self.tmux('send-keys', '-l', text)

    def key(self, name):
        self.tmux('send-keys', name)

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
        raise Failed('%s is not on the screen:\n%s' % (words, self.screen()))

    def quit(self):
        self.tmux('kill-server')

    def end(self):
        panes = self.tmux('list-panes', '-a', '-F', '#{pane_pid}').split()
        self.quit()
        for pid in panes:  # poezio hangs when its terminal goes while it is not signed in
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.home, ignore_errors=True)
