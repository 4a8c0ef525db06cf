# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's prosody and ejabberd as other servers: any domains, own DNS, own authority, free ports on 127.0.0.1."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from kit.server import Account, free_ports

PASSWORD = 'secret'
START_SECONDS = 60


class Peer:
    """restart() keeps data and ports. tls: (certificate, key) for all domains. Accounts: anne and bert in each domain."""

    kind = None
    host = '127.0.0.1'

    def __init__(self, world, domains, tls, bidi=True):
        self.world, self.domains, self.domain, self.bidi = world, domains, domains[0], bidi
        self.dir = tempfile.mkdtemp(prefix='%s-fed-' % self.kind)
        self.ports = dict(zip(('c2s', 'c2s_tls', 's2s', 's2s_tls', 'dist'), free_ports(5)))
        self.cert, self.key = self.dir + '/cert.pem', self.dir + '/key.pem'
        shutil.copy(tls[0], self.cert)
        shutil.copy(tls[1], self.key)
        pathlib.Path(self.dir + '/both.pem').write_text(pathlib.Path(self.cert).read_text() + pathlib.Path(self.key).read_text())
        for name in domains + ['conference.' + domains[0]]:
            world.dns.domain(name, self.ports['s2s'])
        self.proc = None
        self.configure()

    def account(self, node='anne', domain=None):
        return Account(node, domain or self.domain, PASSWORD)

    def start(self):
        log = open(self.dir + '/stdout', 'ab')
        self.proc = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.dir,
                                     env=dict(os.environ, **self.environment()), start_new_session=True)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.proc.poll() is not None or time.monotonic() > deadline:
                raise AssertionError('%s did not start: %s' % (self.kind, self.log_text()[-3000:]))
            time.sleep(0.05)
        return self

    def is_up(self):
        try:
            for port in ('c2s', 'c2s_tls', 's2s'):
                socket.create_connection((self.host, self.ports[port]), 1).close()
        except OSError:
            return False
        return True

    def end(self, sig=signal.SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc = None

    def restart(self):
        self.end()
        return self.start()

    def stop(self):
        self.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def log_text(self):
        return ''.join(p.read_text(errors='replace') for p in pathlib.Path(self.dir).glob('*') if p.name in ('stdout', 'log'))

    def environment(self):
        return {}


PROSODY = '''
run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
log = {{ debug = "{dir}/log" }}
network_backend = "epoll"
interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
c2s_direct_tls_ports = {{ {c2s_tls} }}
s2s_ports = {{ {s2s} }}
s2s_direct_tls_ports = {{ {s2s_tls} }}
http_ports = {{ }}
https_ports = {{ }}
unbound = {{ resolvconf = false, hoststxt = false, forward = "127.0.0.1@{dns}", options = {{ ["do-not-query-localhost:"] = "no", ["cache-max-ttl:"] = "1", ["cache-max-negative-ttl:"] = "1" }} }}
modules_enabled = {{ "disco"; "roster"; "saslauth"; "tls"; "dialback"; "s2s"; "smacks"; "ping"; "time"; "version"; "offline"; "presence"; "message"; "iq"; "carbons"{bidi} }}
authentication = "internal_plain"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {secure}
ssl = {{ certificate = "{dir}/cert.pem", key = "{dir}/key.pem", cafile = "{root}" }}
storage = "internal"
{hosts}
Component "conference.{domain}" "muc"
'''


class Prosody(Peer):
    kind = 'prosody'

    def configure(self):
        for domain in self.domains:
            d = pathlib.Path('%s/data/%s/accounts' % (self.dir, domain.replace('.', '%2e')))
            d.mkdir(parents=True)
            for node in ('anne', 'bert'):
                (d / (node + '.dat')).write_text('return { ["password"] = "%s" };' % PASSWORD)
        hosts = '\n'.join('VirtualHost "%s"' % d for d in self.domains)
        pathlib.Path(self.dir + '/prosody.cfg.lua').write_text(PROSODY.format(
            dir=self.dir, dns=self.world.dns.port, root=self.world.ca.root, hosts=hosts, domain=self.domain, secure='false',
            bidi='; "s2s_bidi"' if self.bidi else '', **self.ports))

    def command(self):
        return ['prosody', '--root', '-F', '--config', self.dir + '/prosody.cfg.lua']


EJABBERD = '''
loglevel: info
log_rotate_count: 0
hosts: [{hosts}]
certfiles: ["{dir}/both.pem"]
ca_file: "{root}"
s2s_cafile: "{root}"
s2s_use_starttls: required
s2s_timeout: 10 seconds
s2s_dns_timeout: 5
outgoing_s2s_families: [ipv4]
s2s_max_retry_delay: 1
listen:
  - {{ port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true }}
  - {{ port: {c2s_tls}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true }}
  - {{ port: {s2s}, ip: "127.0.0.1", module: ejabberd_s2s_in }}
auth_password_format: plain
access_rules:
  local: {{ allow: all }}
modules:
  mod_disco: {{}}
  mod_roster: {{}}
  mod_ping: {{}}
  mod_offline: {{}}
  mod_s2s_dialback: {{}}
  mod_muc: {{ host: "conference.{domain}" }}
'''


class Ejabberd(Peer):
    kind = 'ejabberd'

    def configure(self):
        os.makedirs(self.dir + '/data')
        pathlib.Path(self.dir + '/ejabberd.yml').write_text(EJABBERD.format(
            dir=self.dir, root=self.world.ca.root, hosts=', '.join('"%s"' % d for d in self.domains), domain=self.domain, **self.ports))

    def environment(self):
        files = subprocess.run(['dpkg', '-L', 'ejabberd'], capture_output=True, text=True, check=True).stdout.split('\n')
        libs = next(os.path.dirname(os.path.dirname(f)) for f in files if f.endswith('/ebin'))
        return {'EJABBERD_CONFIG_PATH': self.dir + '/ejabberd.yml', 'EJABBERD_LOG_PATH': self.dir + '/log', 'HOME': self.dir, 'ERL_LIBS': libs,
                'ERL_CRASH_DUMP_BYTES': '0'}

    def command(self):
        dns = 'inet_db:set_resolv_conf(""), inet_db:set_lookup([file, dns]), inet_db:res_option(nameservers, [{{127,0,0,1}, %d}]).' % self.world.dns.port
        users = ' '.join('ejabberd_auth:try_register(<<"%s">>, <<"%s">>, <<"%s">>),' % (n, d, PASSWORD)
                         for d in self.domains for n in ('anne', 'bert'))
        return ['erl', '-noinput', '-sname', 'fed%d@localhost' % self.ports['dist'], '-setcookie', 'peers', '-erl_epmd_port',
                str(self.ports['dist']), '-start_epmd', 'false', '-mnesia', 'dir', '"%s/data"' % self.dir, '-eval', dns, '-s', 'ejabberd', '-eval',
                users + 'file:write_file("%s/ready", <<"">>).' % self.dir]

    def start(self):
        pathlib.Path(self.dir + '/ready').unlink(missing_ok=True)
        return super().start()

    def is_up(self):
        return os.path.exists(self.dir + '/ready') and super().is_up()
