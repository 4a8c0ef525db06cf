# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worlds of several servers for the dialogues of federation: own DNS, own authority, servers of any domain."""
import atexit
import base64
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from kit.client import SASL, TLS, Client
from kit.dns import Dns
from kit.link import Link, tls_context
from kit.server import Anser, free_ports
from kit.tree import STREAM, Reader, parse
from lib import Failed, check

SERVER = 'jabber:server'
DIALBACK = 'jabber:server:dialback'


class Authority:
    """A certificate authority in a directory of its own."""

    def __init__(self, name='Test Authority'):
        self.dir = tempfile.mkdtemp(prefix='anser-ca-')
        atexit.register(self.remove)
        self.root, self.root_key = self.dir + '/root.crt', self.dir + '/root.key'
        self._openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=' + name,
                      '-keyout', self.root_key, '-out', self.root)

    def _openssl(self, *args):
        subprocess.run(['openssl', *args], check=True, capture_output=True)

    def issue(self, *names, days=30, san=None):
        """(certificate, key) for these names. san: the extension's text instead."""
        base = '%s/%s-%d' % (self.dir, names[0].replace('*', 'any'), len(os.listdir(self.dir)))
        ext = base + '.ext'
        pathlib.Path(ext).write_text('subjectAltName=%s\n' % (san or ','.join('DNS:' + n for n in names)))
        self._openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x', '-keyout', base + '.key',
                      '-out', base + '.csr')
        self._openssl('x509', '-req', '-in', base + '.csr', '-CA', self.root, '-CAkey', self.root_key, '-CAcreateserial', '-days', str(days),
                      '-extfile', ext, '-out', base + '.crt')
        return base + '.crt', base + '.key'

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class World:
    """DNS and servers of one dialogue."""

    def __init__(self, stage):
        if stage.server.kind != 'anser':
            raise Failed('this dialogue needs servers of its own')
        self.stage, self.dns, self._ca = stage, Dns(), None
        stage.cleanups.append(self.close)

    def close(self):
        self.dns.stop()
        if self._ca:
            self._ca.remove()

    @property
    def ca(self):
        if not self._ca:
            self._ca = Authority()
        return self._ca

    def certified(self, *names, **kw):
        """Options of a server with a good certificate."""
        cert, key = self.ca.issue(*names, **kw)
        return {'tls.certificate': cert, 'tls.key': key, 's2s.ca_file': self.ca.root}

    def server(self, domain, sets=None, direct=False, register=True, start=True, **kw):
        """An Anser for this domain; known to the DNS with its conference host."""
        s2s, s2s_tls = free_ports(2)
        options = {'listen.s2s': '127.0.0.1:%d' % s2s, 's2s.nameserver': self.dns.address}
        if direct:
            options['listen.s2s_tls'] = '127.0.0.1:%d' % s2s_tls
        options.update(sets or {})
        server = Anser(options, domain=domain, **kw)
        server.s2s, server.s2s_tls = s2s, s2s_tls
        if register:
            for name in (domain, 'conference.' + domain):
                self.dns.domain(name, None if direct else s2s, s2s_tls if direct else None)
        if start:
            server.start()
            self.stage.cleanups.append(server.stop)
        return server

    def two(self, sets=None, **kw):
        return self.server('one.test', sets, **kw), self.server('two.test', sets, **kw)


def chat(a, b, text='hello'):
    """One message from a to b, over whatever lies between."""
    a.send('<message to="%s" type="chat" id="%s"><body>%s</body></message>' % (b.jid, text, text))
    return b.expect('<message from="%s" id="%s"><body>%s</body></message>' % (a.jid, text, text))


class Other(Client):
    """A scripted server that connects: every word is the dialogue's."""

    def __init__(self, stage, server, domain='evil.test', to=None):
        super().__init__(server, None, 'plain', stage.log, label=domain)
        self.other, self.to = domain, to or server.domain
        stage.clients.append(self)

    def link_up(self, **_):
        self.link = Link((self.server.host, self.server.s2s))
        self.closed = self.ended = False
        self.reader = Reader()
        return self

    def header_text(self, to=None, sender=None, version='1.0', ns=SERVER, **_):
        return ("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' xmlns:db='%s' to='%s' from='%s' version='%s'>"
                % (ns, STREAM, DIALBACK, to or self.to, sender or self.other, version))

    def see(self, text, timeout=None):
        """An element of jabber:server."""
        return self.expect(parse(text, SERVER), timeout=timeout)

    def secure(self, cert=None):
        """Connects, with TLS, up to the features behind it. cert: (certificate, key)."""
        self.connect()
        self.raw('<starttls xmlns="%s"/>' % TLS)
        self.expect('<proceed xmlns="%s"/>' % TLS)
        ctx = tls_context()
        if cert:
            ctx.load_cert_chain(*cert)
        self.link.sock.settimeout(10)
        self.link.sock = ctx.wrap_socket(self.link.sock, server_hostname=self.to)
        self.open()
        return self

    def external(self, authzid=None):
        who = base64.b64encode((self.other if authzid is None else authzid).encode()).decode() or '='
        self.raw('<auth xmlns="%s" mechanism="EXTERNAL">%s</auth>' % (SASL, who))
        return self.expect('<success xmlns="%s"/>' % SASL) and self.open()

    def result(self, key='key', sender=None, to=None):
        self.raw("<db:result from='%s' to='%s'>%s</db:result>" % (sender or self.other, to or self.to, key))

    def answer(self, name='result', **attrs):
        want = ''.join(' %s="%s"' % kv for kv in attrs.items())
        return self.expect('<%s xmlns="%s"%s/>' % (name, DIALBACK, want), timeout=15)


class Oracle:
    """A scripted authoritative server: TLS, then each <db:verify/> is answered by verdict(el) -> bytes or None."""

    def __init__(self, world, domain='evil.test', cert=None, reply=None):
        self.world, self.domain, self.cert, self.seen, self.reply = world, domain, cert or world.ca.issue(domain), [], reply or self.say('valid')
        self.news = threading.Condition()
        self.sock = socket.socket()
        self.sock.bind(('127.0.0.1', 0))
        self.sock.listen()
        self.port = self.sock.getsockname()[1]
        world.dns.domain(domain, self.port)
        world.stage.cleanups.append(self.sock.close)
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def say(kind):
        def reply(el, attrs):
            return "<db:verify from='%s' to='%s' id='%s' type='%s'/>" % (attrs['to'], attrs['from'], attrs.get('id', ''), kind)
        return reply

    def key(self, seconds=10):
        """Waits for a <db:result/>; returns its key."""
        with self.news:
            keys = lambda: [text for name, _, text in self.seen if name == 'result']
            check(self.news.wait_for(keys, seconds), 'no db:result came')
            return keys()[0]

    def _head(self, conn, features):
        conn.sendall(("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' xmlns:db='%s' id='s%d' from='%s' version='1.0'>"
                      "<stream:features>%s</stream:features>" % (SERVER, STREAM, DIALBACK, id(conn), self.domain, features)).encode())

    @staticmethod
    def _until(conn, pattern, data=b''):
        while not (m := re.search(pattern, data, re.S)):
            more = conn.recv(65536)
            if not more:
                raise OSError('closed')
            data += more
        return m, data

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(conn,), daemon=True).start()

    def _talk(self, conn):
        try:
            conn.settimeout(20)
            self._until(conn, b'<stream:stream[^>]*>')
            self._head(conn, "<starttls xmlns='%s'/>" % TLS)
            self._until(conn, b'<starttls')
            conn.sendall(("<proceed xmlns='%s'/>" % TLS).encode())
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(*self.cert)
            conn = ctx.wrap_socket(conn, server_side=True)
            _, data = self._until(conn, b'<stream:stream[^>]*>')
            self._head(conn, "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>")
            data = data.split(b'>', 1)[1].split(b'>', 1)[1] if b'<?xml' in data else b''
            while True:
                m, data = self._until(conn, b"<db:(verify|result) ([^>]*)>([^<]*)</db:(verify|result)>", data)
                data = data[m.end():]
                attrs = dict(re.findall(r"([\w:]+)='([^']*)'", m.group(2).decode()))
                with self.news:
                    self.seen.append((m.group(1).decode(), attrs, m.group(3).decode()))
                    self.news.notify_all()
                out = self.reply(m.group(1).decode(), attrs)
                if out:
                    conn.sendall(out.encode())
        except (OSError, ValueError):
            pass
        finally:
            conn.close()


__all__ = ['Authority', 'World', 'Other', 'Oracle', 'chat', 'SERVER', 'DIALBACK']
