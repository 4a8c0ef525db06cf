# SPDX-License-Identifier: AGPL-3.0-or-later
"""Client sides of SASL: PLAIN (RFC 4616), SCRAM (RFC 5802, 7677) with channel binding (RFC 5929, 9266), HT (XEP-0484)."""
import base64
import hashlib
import hmac
import os
import time

HASHES = {'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512'}


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def unb64(text):
    return base64.b64decode((text or '').strip())


def plain(node, password, authzid=''):
    return ('%s\0%s\0%s' % (authzid, node, password)).encode()


class Scram:
    """One exchange. bind: None (no binding, 'n'), 'y' (client could), or (type, bytes) for -PLUS."""

    _salted = {}

    def __init__(self, mechanism, node, password, bind=None, authzid=''):
        self.alg = HASHES[mechanism.removeprefix('SCRAM-').removesuffix('-PLUS')]
        self.password = password
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        flag, self.cb = 'n', b''
        if bind == 'y':
            flag = 'y'
        elif bind:
            flag, self.cb = 'p=' + bind[0], bind[1]
        name = node.replace('=', '=3D').replace(',', '=2C')
        self.gs2 = '%s,%s,' % (flag, 'a=' + authzid if authzid else '')
        self.bare = 'n=%s,r=%s' % (name, self.nonce)

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, challenge):
        """Answers the server-first-message."""
        server_first = challenge.decode()
        parts = dict(p.split('=', 1) for p in server_first.split(','))
        if not parts['r'].startswith(self.nonce) or parts['r'] == self.nonce:
            raise AssertionError('server nonce does not extend ours')
        salt, rounds = base64.b64decode(parts['s']), int(parts['i'])
        key = (self.alg, self.password, salt, rounds)
        if key not in Scram._salted:
            Scram._salted[key] = hashlib.pbkdf2_hmac(self.alg, self.password.encode(), salt, rounds)
        salted = Scram._salted[key]
        without = 'c=%s,r=%s' % (b64(self.gs2.encode() + self.cb), parts['r'])
        message = ','.join((self.bare, server_first, without)).encode()
        client_key = self._hmac(salted, b'Client Key')
        signature = self._hmac(hashlib.new(self.alg, client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.verifier = b'v=' + base64.b64encode(self._hmac(self._hmac(salted, b'Server Key'), message))
        return ('%s,p=%s' % (without, b64(proof))).encode()

    def check(self, data):
        if data != self.verifier:
            raise AssertionError('the server could not prove that it knows the password: %r' % data)

    def _hmac(self, key, data):
        return hmac.new(key, data, self.alg).digest()


class HashedToken:
    """HT-SHA-256-*: initiator message is node NUL HMAC(token, "Initiator" || cb-data)."""

    def __init__(self, node, token, cb=b''):
        self.key, self.node, self.cb = token.encode(), node, cb

    def first(self):
        return self.node.encode() + b'\0' + hmac.new(self.key, b'Initiator' + self.cb, 'sha256').digest()

    def check(self, data):
        if data != hmac.new(self.key, b'Responder' + self.cb, 'sha256').digest():
            raise AssertionError('the server could not prove that it knows the token')


class Authenticator:
    """An application for one-time passwords (RFC 6238). No step counts twice: codes begin one step before now and go up."""

    def __init__(self, secret):
        self.key, self.last = base64.b32decode(secret), 0

    def at(self, step):
        mac = hmac.new(self.key, step.to_bytes(8, 'big'), 'sha1').digest()
        start = mac[-1] & 15
        return '%06d' % ((int.from_bytes(mac[start:start + 4], 'big') & 0x7fffffff) % 1000000)

    def code(self):
        """A code that was not used yet: at most three in one minute."""
        self.last = max(self.last + 1, int(time.time()) // 30 - 1)
        return self.at(self.last)

    def wrong(self):
        now = int(time.time()) // 30
        near = [self.at(step) for step in range(now - 3, now + 4)]
        return next(c for c in ('%06d' % n for n in range(1000)) if c not in near)
