# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers under test as ordinary processes on 127.0.0.1: the project's own, and Debian's prosody to prove the library."""
import itertools
import os
import pathlib
import queue
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
_names = itertools.count(1)
START_SECONDS = 60
ACCOUNTS_AHEAD = 50  # made by one process: starting one costs more than an account
ACCOUNTS_SPARE = 4


class Account:
    def __init__(self, node, domain, password):
        self.node, self.domain, self.password = node, domain, password
        self.jid = '%s@%s' % (node, domain)


def free_ports(n, host='127.0.0.1'):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind((host, 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def binary():
    """Path of the server: $ANSER, else the sanitized build, else the plain one."""
    if os.environ.get('ANSER'):
        return os.environ['ANSER']
    for build in ('build-asan', 'build'):
        path = ROOT / build / 'anser'
        if path.exists():
            return str(path)
    raise SystemExit('no server: build it, or name it in $ANSER')


class Anser:
    """`anser serve` on free ports. sets: options as {'limits.enabled': 'true'}; '' turns a listener off."""

    kind = 'anser'
    host = '127.0.0.1'

    def __init__(self, sets=None, data=None, domain='localhost', shards=2, warm=0, host=None, args=()):
        self.host = host or self.host
        self.domain = domain
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix='anser-flow-')
        self.log_path = os.path.join(tempfile.mkdtemp(prefix='anser-log-'), 'log')
        c2s, tls, https = free_ports(3, self.host)
        self.ports = {'c2s': c2s, 'c2s_tls': tls, 'https': https}
        self.sets = {'listen.c2s': '%s:%d' % (self.host, c2s), 'listen.c2s_tls': '%s:%d' % (self.host, tls),
                     'listen.https': '%s:%d' % (self.host, https), 'listen.s2s': '', 'limits.enabled': 'false',
                     'shards': str(shards)}
        self.sets.update(sets or {})
        self.args = list(args)
        self.proc, self.greeting = None, []
        self._spare = []
        self.warm, self._ready, self._maker = warm, queue.Queue(), None

    def command(self):
        out = [binary(), 'serve', '--data', self.data, '--domain', self.domain] + self.args
        for key, value in self.sets.items():
            out += ['--set', '%s=%s' % (key, value)]
        return out

    def spawn(self, **kw):
        env = dict(os.environ)
        env.setdefault('ASAN_OPTIONS', 'detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=8')
        env.setdefault('UBSAN_OPTIONS', 'print_stacktrace=1:halt_on_error=1:exitcode=99')
        log = open(self.log_path, 'ab')
        proc = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=env,
                                **kw)
        log.close()
        return proc

    def start(self):
        """Starts and waits for the `ready` line."""
        self.proc = self.spawn()
        self.greeting = []
        fd, text, deadline = self.proc.stdout.fileno(), b'', time.monotonic() + START_SECONDS
        while not any(line.startswith('ready') for line in self.greeting):
            if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError('the server did not say ready: %s' % self.log_text()[-2000:])
            chunk = os.read(fd, 4096)
            if not chunk:
                raise AssertionError('the server ended at start: %s%s' % (text.decode(), self.log_text()[-2000:]))
            text += chunk
            self.greeting = text.decode().split('\n')[:-1]
        threading.Thread(target=self._drain_stdout, args=(self.proc,), daemon=True).start()
        if self.warm and not self._maker:
            self._maker = threading.Thread(target=self._make_accounts, daemon=True)
            self._maker.start()
        return self

    @staticmethod
    def _drain_stdout(proc):
        while proc.stdout.read(4096):
            pass

    def stop(self, sig=signal.SIGTERM):
        """Ends the server; fails when it crashed, leaked or complained. Removes the data directory if it is ours."""
        problem = None
        self.warm = 0
        if self.proc:
            if self.proc.poll() is None:
                self.proc.send_signal(sig)
            try:
                code = self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                code = 'still running 30 s after the signal'
            problem = self.complaint() or (code != 0 and 'exit status %s' % code) or None
            self.proc = None
        log = self.log_text()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)
        if problem:
            raise AssertionError('the server ended badly: %s\n%s' % (problem, log[-6000:]))

    def kill(self):
        """kill -9, as a power cut shows itself to the process."""
        self.proc.kill()
        self.proc.wait()
        self.proc = None

    def end(self):
        """An orderly end; what it complained of is in the log."""
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(30)
        self.proc = None

    def restart(self):
        self.end()
        return self.start()

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def complaint(self):
        """A sanitizer's report in the log, or None."""
        text = self.log_text()
        for mark in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:', 'WARNING: ThreadSanitizer',
                     'must('):
            at = text.find(mark)
            if at >= 0:
                return text[max(0, at - 200):at + 4000]
        return None

    def log_text(self):
        try:
            return pathlib.Path(self.log_path).read_text(errors='replace')
        except OSError:
            return ''

    # ---- accounts

    def cli(self, *args, text='', check=True, data=True, timeout=60):
        """Runs an anser command with this server's data directory. Returns the finished process."""
        command = [binary(), *args] + (['--data', self.data] if data else [])
        env = dict(os.environ)
        env.setdefault('ASAN_OPTIONS', 'detect_leaks=0:exitcode=99')
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, env=env)
        if check and done.returncode != 0:
            raise AssertionError('%s: status %d: %s%s' % (' '.join(command), done.returncode, done.stdout, done.stderr))
        return done

    def add(self, node, password='secret password', admin=False):
        self.cli('user', 'add', node, '--password-stdin', *(['--admin'] if admin else []), text=password + '\n')
        return Account(node, self.domain, password)

    def add_many(self, prefix, n, password='secret password'):
        self.cli('user', 'add', prefix, str(n), '--many', '--password-stdin', text=password + '\n')
        return [Account('%s%d' % (prefix, i), self.domain, password) for i in range(n)]

    def account(self):
        """A fresh account, made ahead when the server is warm."""
        if not self.warm:
            if not self._spare:
                self._spare = self.add_many('u%d-' % next(_names), ACCOUNTS_SPARE)
            return self._spare.pop()
        made = self._ready.get(timeout=60)
        if isinstance(made, Exception):
            raise AssertionError('cannot make an account: %s' % made)
        return made

    def _make_accounts(self):
        while self.warm:
            if self._ready.qsize() >= self.warm:
                time.sleep(0.005)
                continue
            try:
                for account in self.add_many('u%d-' % next(_names), ACCOUNTS_AHEAD):
                    self._ready.put(account)
            except Exception as e:
                self._ready.put(e)


PROSODY = '''
run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
log = {{ info = "{dir}/log" }}
network_backend = "epoll"
interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
c2s_direct_tls_ports = {{ {c2s_tls} }}
http_ports = {{ }}
https_ports = {{ {https} }}
modules_disabled = {{ "s2s" }}
modules_enabled = {{ "disco"; "roster"; "saslauth"; "tls"; "blocklist"; "carbons"; "private"; "smacks"; "vcard_legacy";
    "vcard4"; "pep"; "ping"; "register"; "time"; "uptime"; "lastactivity"; "version"; "mam"; "offline"; "websocket" }}
authentication = "internal_plain"
c2s_require_encryption = true
allow_registration = false
consider_websocket_secure = true
http_paths = {{ websocket = "/xmpp-websocket" }}
http_default_host = "localhost"
ssl = {{ certificate = "{dir}/localhost.crt", key = "{dir}/localhost.key" }}
https_ssl = {{ certificate = "{dir}/localhost.crt", key = "{dir}/localhost.key" }}
storage = "internal"
default_archive_policy = true
VirtualHost "localhost"
Component "conference.localhost" "muc"
    modules_enabled = {{ "muc_mam" }}
Component "upload.localhost" "http_file_share"
'''


class Prosody:
    """Debian's prosody on free ports, to prove the library against a known server."""

    kind = 'prosody'
    host = '127.0.0.1'
    domain = 'localhost'

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='prosody-flow-')
        c2s, tls, https = free_ports(3)
        self.ports = {'c2s': c2s, 'c2s_tls': tls, 'https': https}
        self.proc = None

    def start(self):
        os.makedirs(self.dir + '/data/localhost/accounts')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                        '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
                        '-keyout', self.dir + '/localhost.key', '-out', self.dir + '/localhost.crt'],
                       check=True, capture_output=True)
        config = self.dir + '/prosody.cfg.lua'
        pathlib.Path(config).write_text(PROSODY.format(dir=self.dir, **self.ports))
        self.proc = subprocess.Popen(['prosody', '--root', '-F', '--config', config], stdin=subprocess.DEVNULL,
                                     stdout=open(self.dir + '/stdout', 'wb'), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while True:
            try:
                for port in self.ports.values():
                    socket.create_connection((self.host, port), 1).close()
                return self
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError(pathlib.Path(self.dir + '/stdout').read_text()) from None
                time.sleep(0.05)

    def account(self):
        node = 'u%d' % next(_names)
        return self.add(node)

    def add(self, node, password='secret password', admin=False):
        pathlib.Path('%s/data/localhost/accounts/%s.dat' % (self.dir, node)).write_text(
            'return { ["password"] = "%s" };' % password)
        return Account(node, self.domain, password)

    def alive(self):
        return self.proc.poll() is None

    def complaint(self):
        return None

    def stop(self):
        self.proc.terminate()
        self.proc.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)
