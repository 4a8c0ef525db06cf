# SPDX-License-Identifier: AGPL-3.0-or-later
"""A plain HTTP/1.1 client over TLS for the dialogues: sends exact bytes, reads whole responses."""
import json
import time

from lib import *


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return 'HTTP %d %s %r' % (self.status, self.headers, self.body[:300])


class Web:
    """One connection. request() sends a well-formed request; raw() anything; response() reads one answer."""

    def __init__(self, server):
        self.server = server
        self.link = Link((server.host, server.ports['https']))
        self.link.start_tls(alpn='http/1.1')
        self.host = 'localhost:%d' % server.ports['https']
        self.buf = b''

    def raw(self, data):
        self.link.send(data.encode() if isinstance(data, str) else data)

    def request(self, method, path, body=None, headers=None, **kw):
        head = {'Host': self.host}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            head['Content-Type'] = 'application/json'
        if body is not None:
            head['Content-Length'] = str(len(body))
        head.update(headers or {})
        lines = ['%s %s HTTP/1.1' % (method, path)] + ['%s: %s' % kv for kv in head.items() if kv[1] is not None]
        try:
            self.raw(('\r\n'.join(lines) + '\r\n\r\n').encode() + (body or b''))
        except Closed:
            pass  # a refused body: the answer is there to read
        return self.response(method == 'HEAD', **kw)

    def _more(self, deadline):
        data = self.link.recv(max(0, deadline - time.monotonic()))
        if data is None:
            raise Failed('no (whole) HTTP response; so far %r' % self.buf[:300])
        self.buf += data

    def response(self, head_only=False, timeout=None):
        deadline = time.monotonic() + (timeout or TIMEOUT)
        while b'\r\n\r\n' not in self.buf:
            self._more(deadline)
        head, self.buf = self.buf.split(b'\r\n\r\n', 1)
        lines = head.decode('latin-1').split('\r\n')
        status = int(lines[0].split()[1])
        headers = {}
        for line in lines[1:]:
            key, _, value = line.partition(':')
            headers[key.strip().lower()] = value.strip()
        if head_only or status in (204, 304) or status < 200:
            return Response(status, headers, b'')
        if headers.get('transfer-encoding', '') == 'chunked':
            return Response(status, headers, self._chunks(deadline))
        if 'content-length' in headers:
            n = int(headers['content-length'])
            while len(self.buf) < n:
                self._more(deadline)
            body, self.buf = self.buf[:n], self.buf[n:]
            return Response(status, headers, body)
        try:
            while True:
                self._more(deadline)
        except Closed:
            body, self.buf = self.buf, b''
            return Response(status, headers, body)

    def _chunks(self, deadline):
        body = b''
        while True:
            while b'\r\n' not in self.buf:
                self._more(deadline)
            line, self.buf = self.buf.split(b'\r\n', 1)
            n = int(line.split(b';')[0], 16)
            while len(self.buf) < n + 2:
                self._more(deadline)
            body, self.buf = body + self.buf[:n], self.buf[n + 2:]
            if n == 0:
                return body

    def closed(self, timeout=None):
        """The server ends the connection; what it still sends is kept in buf."""
        deadline = time.monotonic() + (timeout or TIMEOUT)
        try:
            while time.monotonic() < deadline:
                data = self.link.recv(max(0, deadline - time.monotonic()))
                if data:
                    self.buf += data
        except Closed:
            return True
        return False

    def close(self):
        self.link.close()


def fetch(stage, method, path, body=None, headers=None):
    """One request on a connection of its own."""
    w = Web(stage.server)
    try:
        return w.request(method, path, body, headers)
    finally:
        w.close()
