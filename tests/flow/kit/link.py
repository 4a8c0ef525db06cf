# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes to and from the server: TCP, TLS on it, WebSocket frames (RFC 6455) on that."""
import base64
import ctypes
import hashlib
import os
import select
import socket
import ssl
import struct
import time


class Closed(Exception):
    """The peer closed or reset the connection."""


def tls_context(alpn=None, version=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols([alpn] if isinstance(alpn, str) else alpn)
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


class Link:
    """A TCP connection with deadlines on everything; start_tls() turns it into TLS."""

    def __init__(self, address, timeout=10):
        self.sock = socket.create_connection(address, timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout

    def start_tls(self, name='localhost', alpn=None, version=None):
        self.sock.settimeout(self.timeout)
        self.sock = tls_context(alpn, version).wrap_socket(self.sock, server_hostname=name)

    def is_tls(self):
        return isinstance(self.sock, ssl.SSLSocket)

    def send(self, data):
        self.sock.settimeout(self.timeout)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as e:
            raise Closed(str(e)) from e

    def recv(self, timeout):
        """Some bytes; None when nothing came in time; raises Closed at the end."""
        if not (self.is_tls() and self.sock.pending()) and not select.select([self.sock], [], [], timeout)[0]:
            return None
        self.sock.settimeout(max(timeout, 0.01))
        try:
            data = self.sock.recv(65536)
        except (ssl.SSLWantReadError, TimeoutError):
            return None
        except (ConnectionResetError, ssl.SSLError) as e:
            raise Closed(str(e)) from e
        if not data:
            raise Closed('end of input')
        return data

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def abort(self):
        """Resets the connection, as a lost network path would show itself (no TLS close, no stream end)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        if self.is_tls():
            # Close only the descriptor: SSLSocket.close() would not send anything either, but says so nowhere.
            os.close(self.sock.detach())
        else:
            self.sock.close()

    def end_point(self):
        """tls-server-end-point (RFC 5929 §4.1) for certificates signed with SHA-256 or less."""
        return hashlib.sha256(self.sock.getpeercert(True)).digest()

    def exporter(self):
        """tls-exporter (RFC 9266). Python's ssl has no call for it: asks libssl with the SSL* behind the socket object."""
        import _ssl
        lib = ctypes.CDLL(_ssl.__file__)
        # struct PySSLSocket { PyObject_HEAD; PyObject *Socket; SSL *ssl; ... } since CPython 3.6
        handle = ctypes.c_void_p.from_address(id(self.sock._sslobj) + object.__basicsize__ + 8).value
        out = ctypes.create_string_buffer(32)
        label = b'EXPORTER-Channel-Binding'
        ok = lib.SSL_export_keying_material(ctypes.c_void_p(handle), out, ctypes.c_size_t(32), label,
                                            ctypes.c_size_t(len(label)), b'', ctypes.c_size_t(0), 1)
        if ok != 1:
            raise AssertionError('SSL_export_keying_material failed')
        return out.raw


GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocket(Link):
    """A WebSocket client on a Link. recv_message() gives whole messages; frame() sends any frame, right or wrong."""

    def __init__(self, address, path='/xmpp-websocket', timeout=10, tls=True, headers=None):
        super().__init__(address, timeout)
        if tls:
            self.start_tls(alpn='http/1.1')
        self.buf, self.parts, self.pongs, self.close_code = b'', [], [], None
        key = base64.b64encode(os.urandom(16))
        head = {'Host': 'localhost:%d' % address[1], 'Upgrade': 'websocket', 'Connection': 'Upgrade',
                'Sec-WebSocket-Key': key.decode(), 'Sec-WebSocket-Version': '13',
                'Sec-WebSocket-Protocol': 'xmpp', 'Origin': 'https://localhost:%d' % address[1]}
        head.update(headers or {})
        lines = ['GET %s HTTP/1.1' % path] + ['%s: %s' % kv for kv in head.items() if kv[1] is not None]
        self.send(('\r\n'.join(lines) + '\r\n\r\n').encode())
        self.status, self.headers = self._response()
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
            if self.headers.get('sec-websocket-accept') != want:
                raise AssertionError('wrong Sec-WebSocket-Accept')

    def _response(self):
        deadline = time.monotonic() + self.timeout
        while b'\r\n\r\n' not in self.buf:
            data = self.recv(max(0, deadline - time.monotonic()))
            if data is None:
                raise AssertionError('no answer to the WebSocket handshake')
            self.buf += data
        head, self.buf = self.buf.split(b'\r\n\r\n', 1)
        lines = head.decode('latin-1').split('\r\n')
        headers = {}
        for line in lines[1:]:
            key, _, value = line.partition(':')
            headers[key.strip().lower()] = value.strip()
        return int(lines[0].split()[1]), headers

    def frame(self, op, payload=b'', fin=True, mask=True, rsv=0, length=None, form=None):
        """Sends one frame. length lies about the size; form 126/127 forces a longer length field."""
        n = len(payload) if length is None else length
        head = bytes([(0x80 if fin else 0) | rsv << 4 | op])
        bit = 0x80 if mask else 0
        if form == 127 or (form is None and n > 65535):
            head += bytes([bit | 127]) + struct.pack('>Q', n)
        elif form == 126 or (form is None and n > 125):
            head += bytes([bit | 126]) + struct.pack('>H', n)
        else:
            head += bytes([bit | n])
        if mask:
            key = os.urandom(4)
            payload = bytes(b ^ key[i & 3] for i, b in enumerate(payload)) if len(payload) < 4096 else _mask(payload, key)
            head += key
        self.send(head + payload)

    def recv_message(self, timeout):
        """The next text message's bytes, or None. Answers pings; raises Closed on a close frame."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is None:
                data = self.recv(max(0, deadline - time.monotonic()))
                if data is None:
                    return None
                self.buf += data
                continue
            fin, op, payload = frame
            if op == CLOSE:
                self.close_code = struct.unpack('>H', payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed('WebSocket close %d' % self.close_code)
            if op == PING:
                self.frame(PONG, payload)
            elif op == PONG:
                self.pongs.append(payload)
            else:
                self.parts.append(payload)
                if fin:
                    whole, self.parts = b''.join(self.parts), []
                    return whole

    def _take(self):
        if len(self.buf) < 2:
            return None
        b0, b1 = self.buf[0], self.buf[1]
        if b1 & 0x80:
            raise AssertionError('a server must not mask its frames (RFC 6455 §5.1)')
        if b0 & 0x70:
            raise AssertionError('reserved bits set without an extension')
        n, at = b1 & 0x7f, 2
        if n == 126:
            n, at = (struct.unpack('>H', self.buf[2:4])[0] if len(self.buf) >= 4 else 1 << 60), 4
        elif n == 127:
            n, at = (struct.unpack('>Q', self.buf[2:10])[0] if len(self.buf) >= 10 else 1 << 60), 10
        if len(self.buf) < at + n:
            return None
        payload, self.buf = self.buf[at:at + n], self.buf[at + n:]
        return bool(b0 & 0x80), b0 & 0x0f, payload


def _mask(payload, key):
    n = len(payload)
    pad = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, 'big') ^ int.from_bytes(pad, 'big')).to_bytes(n, 'big')
