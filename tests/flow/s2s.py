# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worlds of several servers for the dialogues of federation: own DNS, own authority, servers of any domain."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from kit.dns import Dns
from kit.server import Anser, free_ports
from lib import CLIENT, Failed


class Authority:
    """A certificate authority in a directory of its own."""

    def __init__(self, name='Test Authority'):
        self.dir = tempfile.mkdtemp(prefix='anser-ca-')
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


__all__ = ['Authority', 'World', 'chat', 'CLIENT']
