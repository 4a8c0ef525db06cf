# SPDX-License-Identifier: AGPL-3.0-or-later
"""A screen of its own (Xvfb) for graphical clients: a script types into it and reads it as a screen reader does (AT-SPI).
The clients live in a mount namespace in which the domain has an address and its certificate is trusted."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from partner import WAIT_SECONDS, WORLD, Failed, until

INSIDE = 'INTEROP_INSIDE'
MOUNTS = {'hosts': '/etc/hosts', 'resolv.conf': '/etc/resolv.conf', 'ca.pem': '/etc/ssl/certs/ca-certificates.crt'}
SIZE = '1100x750x24'


def enter():
    """Starts this script again inside its own mount namespace, when it is not there yet; not as root, which gajim refuses."""
    if os.environ.get(INSIDE):
        return
    files = pathlib.Path(tempfile.mkdtemp(prefix='desktop-'))
    (files / 'hosts').write_text('127.0.0.1 localhost\n%s %s\n' % (WORLD['host'], WORLD['domain']))
    (files / 'resolv.conf').write_text('nameserver %s\noptions timeout:1 attempts:1\n' % WORLD['host'])  # nobody listens there
    shutil.copy(WORLD['ca'], files / 'ca.pem')
    mounts = ' && '.join('mount --bind %s/%s %s' % (files, name, path) for name, path in MOUNTS.items())
    namespace, modest = ['--mount'], ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--']
    if os.geteuid() != 0:
        namespace, modest = ['--map-current-user', '--keep-caps', '--mount'], []
    files.chmod(0o755)
    try:
        sys.exit(subprocess.run(['unshare', *namespace, 'sh', '-c', mounts + ' && exec "$@"', 'sh', *modest, sys.executable, *sys.argv],
                                env=dict(os.environ, **{INSIDE: '1'})).returncode)
    finally:
        shutil.rmtree(files, ignore_errors=True)


class Desktop:
    """Screen, session bus and home directory of one client. end() removes them."""

    def __init__(self, name):
        self.name = name
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=name + '-'))
        self.shots = os.environ.get('INTEROP_SHOTS')
        self.log = open(self.home / 'log', 'ab')
        self.env = dict(os.environ, HOME=str(self.home), XDG_DATA_HOME=str(self.home / 'data'), XDG_CONFIG_HOME=str(self.home / 'config'),
                        XDG_CACHE_HOME=str(self.home / 'cache'), XDG_RUNTIME_DIR=str(self.home), LC_ALL='C.UTF-8', GSK_RENDERER='cairo',
                        GDK_BACKEND='x11', GSETTINGS_BACKEND='memory', GTK_A11Y='atspi')
        self.running = []
        self.env['DISPLAY'] = ':' + self._service(['Xvfb', '-screen', '0', SIZE, '-nolisten', 'tcp', '-displayfd', '1'])
        self.env['DBUS_SESSION_BUS_ADDRESS'] = self._service(['dbus-daemon', '--session', '--nofork', '--print-address=1'])
        os.environ.update(self.env)
        self.reader = Reader()

    def _service(self, command):
        """Starts a program whose first line says where it is."""
        proc = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.running.append(proc)
        return proc.stdout.readline().strip()

    def start(self, *command):
        proc = subprocess.Popen(command, env=self.env, stdout=self.log, stderr=self.log)
        self.running.append(proc)
        return proc

    def run(self, *command):
        return subprocess.run(command, env=self.env, stdout=subprocess.PIPE, stderr=self.log, text=True, timeout=WAIT_SECONDS).stdout

    def stop(self, proc):
        proc.send_signal(signal.SIGTERM)
        try:
            proc.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
        self.running.remove(proc)

    def focus(self, title):
        """Gives the keyboard to the window with this title."""
        window = until('a window named %s' % title, lambda: self.run('xdotool', 'search', '--onlyvisible', '--name', title).split())[-1]
        self.run('xdotool', 'windowfocus', '--sync', window)
        return window

    def type(self, text):
        self.run('xdotool', 'type', '--delay', '20', text)
        self.key('Return')

    def key(self, *names):
        self.run('xdotool', 'key', *names)

    def see(self, text):
        """Waits until a screen reader would find this text."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.reader.find(text):
            if time.monotonic() > deadline:
                raise Failed('%s is not on the screen, but\n%s' % (text, '\n'.join(self.reader.words())))
            time.sleep(0.2)

    def shot(self, title):
        if self.shots:
            self.run('import', '-window', 'root', '%s/%s-%s.png' % (self.shots, self.name, title))

    def end(self):
        for proc in reversed(self.running):
            proc.terminate()
            try:
                proc.wait(5)
            except subprocess.TimeoutExpired:
                proc.kill()
        self.log.close()
        if os.environ.get('INTEROP_LOG'):
            shutil.copy(self.home / 'log', os.environ['INTEROP_LOG'])
        shutil.rmtree(self.home, ignore_errors=True)


class Reader:
    """What a screen reader knows of all windows."""

    def __init__(self):
        import gi
        gi.require_version('Atspi', '2.0')
        from gi.repository import Atspi, GLib
        self.atspi, self.gone = Atspi, GLib.Error  # what vanished meanwhile raises it
        Atspi.init()

    def nodes(self):
        """All that is shown now, as (accessible, its words)."""
        self.atspi.get_desktop(0).clear_cache()
        todo = [self.atspi.get_desktop(0)]
        while todo:
            node = todo.pop()
            try:
                yield node, self._words(node)
                todo += [node.get_child_at_index(i) for i in range(node.get_child_count() - 1, -1, -1)]
            except self.gone:
                continue
            todo = [child for child in todo if child]

    def _words(self, node):
        words = node.get_name() or ''
        text = node.get_text_iface()
        if text:
            words += ' ' + (self.atspi.Text.get_text(text, 0, self.atspi.Text.get_character_count(text)) or '')
        return words.strip()

    def words(self):
        return [words for _, words in self.nodes() if words]

    def find(self, text):
        """The first that has this text, or None."""
        return next((node for node, words in self.nodes() if text in words), None)
