# SPDX-License-Identifier: AGPL-3.0-or-later
"""A DNS server for tests, over UDP on 127.0.0.1: answers from a table, AD bit and all kinds of nonsense included."""
import socket
import struct
import threading

A, CNAME, AAAA, SRV, TLSA = 1, 5, 28, 33, 52


def name_bytes(name):
    out = b''
    for label in name.rstrip('.').split('.'):
        if label:
            raw = label.encode('ascii')
            out += bytes([len(raw)]) + raw
    return out + b'\0'


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode('ascii', 'replace'))
        at += 1 + data[at]
    return '.'.join(labels).lower(), at + 1


class Dns:
    """records: {(name, type): [rdata bytes]}. A name without any record does not exist, unless a longer one does."""

    def __init__(self):
        self.records, self.asked = {}, []
        self.secure = False        # sets AD
        self.rcode = {}            # {name: rcode}
        self.silent = set()        # names that get no answer
        self.raw = {}              # {name: fn(query) -> bytes}
        self.ttl = 1
        self.target = None         # one host for all domains
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.address = '127.0.0.1:%d' % self.port
        self.closing = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def a(self, name, address='127.0.0.1'):
        self.records.setdefault((name, A), []).append(socket.inet_aton(address))

    def aaaa(self, name, address='::1'):
        self.records.setdefault((name, AAAA), []).append(socket.inet_pton(socket.AF_INET6, address))

    def srv(self, domain, port, target, direct=False, priority=0, weight=0):
        name = '_xmpp%s-server._tcp.%s' % ('s' if direct else '', domain)
        self.records.setdefault((name, SRV), []).append(struct.pack('>HHH', priority, weight, port) + name_bytes(target))

    def tlsa(self, target, port, usage, selector, matching, data):
        name = '_%d._tcp.%s' % (port, target)
        self.records.setdefault((name, TLSA), []).append(bytes([usage, selector, matching]) + data)

    def domain(self, domain, port, direct_port=None, address='127.0.0.1'):
        """A domain whose server is at this port, by the usual records."""
        target = self.target or 'xmpp.' + domain
        if port:
            self.srv(domain, port, target)
        if direct_port:
            self.srv(domain, direct_port, target, direct=True)
        if not self.target:
            self.a(target, address)

    def forget(self, domain):
        for key in [k for k in self.records if k[0].endswith(domain)]:
            del self.records[key]

    def answer(self, query):
        name, at = read_name(query, 12)
        kind = struct.unpack('>H', query[at:at + 2])[0]
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        if name in self.raw:
            return self.raw[name](query)
        found = self.records.get((name, kind), [])
        exists = any(n == name or n.endswith('.' + name) for n, _ in self.records)
        rcode = self.rcode.get(name, 0 if exists else 3)
        flags = 0x8180 | (0x20 if self.secure else 0) | rcode
        out = query[:2] + struct.pack('>HHHHH', flags, 1, len(found), 0, 0) + query[12:at + 4]
        for rdata in found:
            out += b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, self.ttl, len(rdata)) + rdata
        return out

    def _serve(self):
        while not self.closing:
            try:
                query, who = self.sock.recvfrom(4096)
                out = self.answer(query)
                if out:
                    self.sock.sendto(out, who)
            except OSError:
                return
            except (IndexError, struct.error):
                continue

    def stop(self):
        self.closing = True
        self.sock.close()
