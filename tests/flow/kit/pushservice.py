# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Web Push service for dialogues: HTTPS with its own authority, keeps what is posted, answers as told. Decrypts with Python's
cryptography, independently of the server's own code (RFC 8188, RFC 8291), and checks the sender's token (RFC 8292)."""
import base64
import http.server
import json
import os
import queue
import ssl
import struct
import subprocess
import tempfile
import threading

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

UNCOMPRESSED = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def unb64u(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def hkdf(secret, salt, info, n):
    return HKDF(algorithm=hashes.SHA256(), length=n, salt=salt, info=info).derive(secret)


class Browser:
    """A push subscription as a user agent makes it."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key().public_bytes(*UNCOMPRESSED)
        self.auth = os.urandom(16)

    def xml(self):
        return ('<subscribe xmlns="urn:anser:webpush:0"><endpoint>%s</endpoint><p256dh>%s</p256dh><auth>%s</auth></subscribe>'
                % (self.endpoint, b64u(self.public), b64u(self.auth)))

    def decrypt(self, body):
        salt, size, n = body[:16], struct.unpack('>I', body[16:20])[0], body[20]
        sender, record = body[21:21 + n], body[21 + n:]
        if n != 65 or len(record) > size:
            raise AssertionError('not one record of aes128gcm')
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), peer)
        ikm = hkdf(shared, self.auth, b'WebPush: info\0' + self.public + sender, 32)
        key = hkdf(ikm, salt, b'Content-Encoding: aes128gcm\0', 16)
        nonce = hkdf(ikm, salt, b'Content-Encoding: nonce\0', 12)
        plain = AESGCM(key).decrypt(nonce, record, None).rstrip(b'\0')
        if plain[-1:] != b'\x02':
            raise AssertionError('the last record ends with 0x02')
        return json.loads(plain[:-1])


def check_vapid(value, origin, public):
    """The Authorization field names the sender by a token that its key signed."""
    scheme, _, rest = value.partition(' ')
    params = dict(p.strip().split('=', 1) for p in rest.split(','))
    if scheme != 'vapid' or params['k'] != public:
        raise AssertionError('not our key: %s' % value)
    signed, _, signature = params['t'].rpartition('.')
    raw = unb64u(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], 'big'), int.from_bytes(raw[32:], 'big'))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64u(public))
    key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(unb64u(signed.split('.')[1]))
    if claims['aud'] != origin:
        raise AssertionError('aud is %r' % claims['aud'])
    return claims


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body


class PushService:
    """answers: path → list of (status, headers) used up in order; then 201. Body None in an answer: endless."""

    def __init__(self, name='localhost', trusted=True):
        self.dir = tempfile.mkdtemp(prefix='push-service-')
        self.requests = queue.Queue()
        self.answers = {}
        self._certificates()
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self.server.daemon_threads = True
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.dir + '/crt', self.dir + '/key')
        self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.origin = 'https://%s:%d' % (name, self.server.server_address[1])
        self.ca = self.dir + '/crt' if trusted else ''
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _certificates(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                        '-keyout', self.dir + '/key', '-out', self.dir + '/crt'], check=True, capture_output=True)

    def _handler(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                service.requests.put(Request(self.path, self.headers, body))
                service.answer(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, handler):
        left = self.answers.get(handler.path, [])
        status, headers = left.pop(0) if left else (201, {})
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        if 'Endless' in headers:
            handler.send_header('Transfer-Encoding', 'chunked')
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b'10000\r\n' + b'x' * 65536 + b'\r\n')
            except OSError:
                return
        handler.send_header('Content-Length', '0')
        handler.end_headers()

    def next(self, timeout=5):
        try:
            return self.requests.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError('nothing was posted to the push service') from None

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for name in ('crt', 'key'):
            os.unlink(self.dir + '/' + name)
        os.rmdir(self.dir)
