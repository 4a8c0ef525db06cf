# SPDX-License-Identifier: AGPL-3.0-or-later
"""A BOSH client (XEP-0124, XEP-0206) with the face of a WebSocket link: elements in, elements out. It keeps one request open while
something is waited for, and uses as many connections as it has requests."""
import os
import select
import time

from .link import Closed, Link
from .tree import parse, write

HTTPBIND = 'http://jabber.org/protocol/httpbind'
XBOSH = 'urn:xmpp:xbosh'
FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'


class Http:
    """One connection; rid of the request that waits for its answer on it, or None."""

    def __init__(self, address):
        self.link = Link(address)
        self.link.start_tls(alpn='http/1.1')
        self.buf, self.rid = b'', None

    def post(self, rid, body, headers=''):
        self.rid = rid
        body = body.encode()
        self.link.send(b'POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n%s'
                       b'Content-Length: %d\r\n\r\n%s' % (headers.encode(), len(body), body))

    def take(self, timeout=0):
        """(status, headers, body) when it is whole, else None."""
        data = self.link.recv(timeout)
        self.buf += data or b''
        head, sep, rest = self.buf.partition(b'\r\n\r\n')
        if not sep:
            return None
        headers = dict(line.split(': ', 1) for line in head.decode('latin-1').split('\r\n')[1:])
        headers = {k.lower(): v for k, v in headers.items()}
        n = int(headers.get('content-length', 0))
        if len(rest) < n:
            return None
        self.buf, self.rid = rest[n:], None
        return int(head.split()[1]), headers, rest[:n].decode()


def body(attrs, payload='', ns=HTTPBIND):
    text = ''.join(' %s="%s"' % kv for kv in attrs.items() if kv[1] is not None)
    return '<body xmlns="%s" xmlns:xmpp="%s"%s>%s</body>' % (ns, XBOSH, text, payload)


class BoshLink:
    def __init__(self, address, timeout=10, wait=60, hold=1):
        self.address, self.timeout, self.wait, self.hold = address, timeout, wait, hold
        self.rid = int.from_bytes(os.urandom(5), 'big') + 1
        self.sid, self.https, self.answers, self.messages, self.opening = None, [], {}, [], False
        self.answered = self.rid
        self.ended, self.close_code = False, None

    def _post(self, attrs, payload=''):
        self.rid += 1
        http = next((h for h in self.https if h.rid is None), None)
        if not http:
            http = Http(self.address)
            self.https.append(http)
        http.post(self.rid, body(dict(attrs, rid=self.rid, sid=self.sid), payload))

    def waiting(self):
        return [h for h in self.https if h.rid is not None]

    def frame(self, _op, data):
        text = data.decode()
        if self.ended:
            raise Closed('terminated')
        if text.startswith('<open'):
            el = parse(text)
            attrs = {'to': el['to'], 'from': el['from'], 'xmpp:version': el['version']}
            self.opening = True
            if not self.sid:
                self._post(dict(attrs, wait=self.wait, hold=self.hold, ver='1.6', content='text/xml; charset=utf-8'))
            else:
                self._post(dict(attrs, **{'xmpp:restart': 'true', 'xmpp:version': None}))
        elif text.startswith('<close'):
            self._post({'type': 'terminate'})
        else:
            self._room()
            self._post({}, text)

    send = None

    def _room(self):
        """No more requests at once than the server allows."""
        deadline = time.monotonic() + self.timeout
        while len(self.waiting()) > self.hold and not self.ended:
            if time.monotonic() > deadline:
                raise AssertionError('the server holds more requests than it may')
            self._read(deadline - time.monotonic())

    def recv_message(self, timeout):
        deadline = time.monotonic() + timeout
        while not self.messages:
            if self.ended:
                raise Closed('terminated')
            if not self.waiting():
                self._post({})
            if not self._read(max(0, deadline - time.monotonic())):
                return None
        return self.messages.pop(0)

    def _read(self, timeout):
        ready = select.select([h.link.sock for h in self.waiting() if not h.link.sock.pending()], [], [],
                              0 if any(h.link.sock.pending() for h in self.waiting()) else timeout)[0]
        got = False
        for h in self.waiting():
            if h.link.sock in ready or h.link.sock.pending():
                rid, answer = h.rid, h.take()
                got = True
                if answer:
                    self.answers[rid] = answer
        while self.answered + 1 in self.answers:
            self.answered += 1
            self._answer(*self.answers.pop(self.answered))
        return got

    def _answer(self, status, _headers, text):
        if status != 200:
            raise Closed('HTTP %d' % status)
        el = parse(text)
        if el['sid']:
            self.sid, self.hold = el['sid'], int(el['hold'])
        if self.opening and (el.kids or el['sid']):
            self.opening = False
            self.messages.append(('<open xmlns="%s" from="%s" id="%s" version="1.0"/>'
                                  % (FRAMING, el['from'] or '', el['authid'] or '')).encode())
        self.messages += [write(k).encode() for k in el.kids]
        if el['type'] == 'terminate':
            self.ended = True
            self.messages.append(('<close xmlns="%s"/>' % FRAMING).encode())

    def close(self):
        for h in self.https:
            h.link.close()

    def abort(self):
        for h in self.https:
            h.link.abort()
