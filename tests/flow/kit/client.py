# SPDX-License-Identifier: AGPL-3.0-or-later
"""An XMPP client for dialogues: one socket, one stream, everything received is queued until a test asks for it."""
import itertools
import os
import time
import uuid
from xml.parsers import expat

from . import auth, tree
from .bosh import BoshLink
from .link import Closed, Link, WebSocket

SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
SASL2 = 'urn:xmpp:sasl:2'
BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
BIND2 = 'urn:xmpp:bind:0'
FAST = 'urn:xmpp:fast:0'
TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
SM = 'urn:xmpp:sm:3'
FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams'
PING = '<ping xmlns="urn:xmpp:ping"/>'

TIMEOUT = float(os.environ.get('FLOW_TIMEOUT', '5'))
_ids = itertools.count(1)


class Failed(AssertionError):
    """A dialogue went another way than the standard says."""


class Client:
    """transport: 'tls' (direct), 'starttls', 'plain' (no TLS at all), 'ws' (WebSocket over TLS), 'bosh'."""

    def __init__(self, server, account=None, transport='tls', log=None, label=None):
        self.server, self.account, self.transport = server, account, transport
        self.framed = transport in ('ws', 'bosh')
        self.log = log if log is not None else []
        self.label = label or (account.node if account else 'anon')
        self.domain = account.domain if account else server.domain
        self.link = self.reader = self.header = self.features = None
        self.queue, self.closed, self.ended = [], False, False
        self.jid = None
        self.user_agent = str(uuid.uuid4())
        self._sm_reset()

    def _sm_reset(self):
        self.sm_on, self.sm_in, self.sm_out, self.sm_acked, self.sm_id = False, 0, 0, 0, None
        self.auto_ack, self.unacked = True, []

    # ---- addresses

    @property
    def bare(self):
        return self.account.jid

    @property
    def resource(self):
        return self.jid.partition('/')[2]

    @staticmethod
    def new_id():
        return 'q%d' % next(_ids)

    # ---- link and stream

    def connect(self, **open_args):
        """Opens link (with TLS as the transport says) and stream. Returns self."""
        self.link_up()
        self.open(**open_args)
        if self.transport == 'starttls':
            self.starttls(**open_args)
        return self

    def link_up(self, **tls_args):
        port = {'tls': 'c2s_tls', 'ws': 'https', 'bosh': 'https'}.get(self.transport, 'c2s')
        address = (self.server.host, self.server.ports[port])
        if self.transport == 'ws':
            self.link = WebSocket(address, **tls_args)
        elif self.transport == 'bosh':
            self.link = BoshLink(address, **tls_args)
        else:
            self.link = Link(address)
            if self.transport == 'tls':
                self.link.start_tls(**dict({'alpn': 'xmpp-client', 'name': self.domain}, **tls_args))
        self.closed = self.ended = False
        self.reader = tree.Reader(framed=self.framed)
        return self

    def header_text(self, to=None, version='1.0', sender=None, ns=tree.CLIENT, stream=tree.STREAM, lang=None):
        attrs = ''
        for key, value in (('to', self.domain if to is None else to), ('version', version), ('from', sender),
                           ('xml:lang', lang)):
            if value:
                attrs += ' %s="%s"' % (key, value)
        if self.framed:
            return '<open xmlns="%s"%s/>' % (FRAMING, attrs)
        return "<?xml version='1.0'?><stream:stream xmlns=\"%s\" xmlns:stream=\"%s\"%s>" % (ns, stream, attrs)

    def open(self, wait=True, **header):
        """Sends a stream header with a fresh parser; waits for the server's header and features."""
        self.reader = tree.Reader(framed=self.framed)
        self.header = None
        self.raw(self.header_text(**header))
        if wait:
            self.wait_header()
            self.features = self.expect('<stream:features/>')
        return self.features

    def wait_header(self):
        self._until(lambda: self.header, 'stream header')
        return self.header

    def starttls(self, **open_args):
        self.raw('<starttls xmlns="%s"/>' % TLS)
        self.expect('<proceed xmlns="%s"/>' % TLS)
        self.link.start_tls(name=self.domain)
        return self.open(**open_args)

    # ---- sending

    def raw(self, data):
        """Bytes (or text) as they are; one text frame on a WebSocket."""
        data = data.encode() if isinstance(data, str) else data
        self._note('>', data)
        if self.framed:
            self.link.frame(1, data)
        else:
            self.link.send(data)

    def send(self, xml):
        """One stanza or nonza (text or element)."""
        text = str(xml).strip()
        name = text[1:].split(None, 1)[0].rstrip('/>').partition('>')[0]
        if self.framed and 'xmlns=' not in text.partition('>')[0]:
            text = text.replace('<' + name, '<%s xmlns="%s"' % (name, tree.CLIENT), 1)
        if self.sm_on and name in ('message', 'presence', 'iq'):
            self.sm_out += 1
            self.unacked.append(text)
        self.raw(text)
        return self

    # ---- receiving

    def _note(self, way, data):
        self.log.append('%s %s %s' % (self.label, way, data.decode('utf-8', 'replace')[:6000]))

    def _pump(self, timeout):
        """Reads once; returns False when nothing came in time."""
        try:
            data = self.link.recv_message(timeout) if self.framed else self.link.recv(timeout)
        except Closed as e:
            self._note('<', ('[closed: %s]' % e).encode())
            self.closed = True
            return False
        if data is None:
            return False
        self._note('<', data)
        if self.framed:
            self.reader = tree.Reader(framed=True)
        try:
            events = self.reader.feed(data)
        except expat.ExpatError as e:
            raise Failed('%s: the server sent broken XML: %s' % (self.label, e)) from None
        for kind, el in events:
            if self.framed:
                if kind == 'el':
                    self._framed(el)
            elif kind == 'open':
                self.header = el
            elif kind == 'close':
                self.ended = True
            else:
                self._element(el)
        return True

    def _framed(self, el):
        if el.ns == FRAMING and el.name == 'open':
            self.header = el
        elif el.ns == FRAMING and el.name == 'close':
            self.ended = True
        else:
            self._element(el)

    def _element(self, el):
        if el.ns == SM and el.name == 'r' and self.auto_ack:
            try:
                self.send('<a xmlns="%s" h="%d"/>' % (SM, self.sm_in))
            except Closed:
                pass  # the server is gone: what it sent behind its question counts all the same
            return
        if el.ns == SM and el.name == 'a':
            self._acked(int(el['h']))
            if self.auto_ack:
                return
        if self.sm_on and el.ns == tree.CLIENT:
            self.sm_in += 1
        self.queue.append(el)

    def _acked(self, h):
        count = (h - self.sm_acked) & 0xffffffff
        if count > len(self.unacked):
            raise Failed('the server acknowledges %d of %d sent stanzas' % (h, self.sm_out))
        self.unacked, self.sm_acked = self.unacked[count:], h

    def _until(self, done, what, timeout=None):
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while True:
            found = done()
            if found:
                return found
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                raise Failed('%s: no %s%s; queued: %s' % (
                    self.label, what, ' (connection closed)' if self.closed else '', _short(self.queue)))
            self._pump(left)

    def _take(self, pattern, names):
        for i, el in enumerate(self.queue):
            mine = dict(names)
            if tree.mismatch(pattern, el, mine) is None:
                names.update(mine)
                return self.queue.pop(i)
        return None

    def expect(self, pattern, names=None, timeout=None):
        """Waits for an element like the pattern, taking it out of the queue; others stay queued in order."""
        want = tree.parse(pattern) if isinstance(pattern, str) else pattern
        names = {} if names is None else names
        try:
            return self._until(lambda: self._take(want, names), 'element like %s' % want, timeout)
        except Failed as e:
            near = [tree.mismatch(want, el) for el in self.queue if el.name == want.name]
            raise Failed('%s%s' % (e, '\n  nearest: ' + '\n  nearest: '.join(near[:4]) if near else '')) from None

    def expect_next(self, pattern, names=None):
        """As expect, but the very next element must match."""
        want = tree.parse(pattern)
        self._until(lambda: self.queue, 'element at all, wanted %s' % want)
        el = self.queue.pop(0)
        why = tree.mismatch(want, el, {} if names is None else names)
        if why:
            raise Failed('%s: %s\n  in %s' % (self.label, why, el))
        return el

    def expect_nothing(self, pattern=None, after=()):
        """Proves by round trips (first of the clients in `after`, then twice here) that nothing (like pattern) came."""
        for other in after:
            other.ping()
        self.ping()
        self.ping()
        want = tree.parse(pattern) if pattern else None
        for el in self.queue:
            if want is None or tree.mismatch(want, el) is None:
                raise Failed('%s: unexpected %s' % (self.label, el))

    def drain(self, after=()):
        """Forgets what came so far; returns it."""
        for other in after:
            other.ping()
        self.ping()
        self.ping()
        got, self.queue = self.queue, []
        return got

    def expect_stream_error(self, condition):
        """A stream error with one of the conditions ('a|b'), then the end of stream and connection (RFC 6120 §4.9.1)."""
        err = self.expect('<stream:error/>')
        names = [k.name for k in err.kids if k.ns == STREAMS and k.name != 'text']
        if len(names) != 1 or names[0] not in condition.split('|'):
            raise Failed('%s: stream error %s, wanted %s' % (self.label, names, condition))
        self.expect_close()
        return err

    def expect_close(self, timeout=None):
        """The connection ends from the server's side."""
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while not self.closed:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed('%s: the server did not close the connection' % self.label)
            self._pump(left)

    # ---- requests

    def iq(self, kind, payload='', to=None):
        """Sends an IQ request, returns the answer, result or error."""
        qid = self.new_id()
        self.send('<iq type="%s" id="%s"%s>%s</iq>' % (kind, qid, ' to="%s"' % to if to else '', payload))
        answer = self.expect('<iq id="%s" type="~result|error"/>' % qid)
        sender = answer['from']
        mine = (None, self.account.jid if self.account else None, self.jid, self.domain)
        if sender != to and not (to is None and sender in mine) and not (to in mine and sender in mine):
            raise Failed('answer comes from %r, asked was %r' % (sender, to))
        return answer

    def _good(self, kind, payload, to):
        answer = self.iq(kind, payload, to)
        if answer['type'] != 'result':
            raise Failed('%s: request refused: %s\n  request: %s' % (self.label, answer, payload))
        return answer

    def get(self, payload, to=None):
        return self._good('get', payload, to)

    def set(self, payload, to=None):
        return self._good('set', payload, to)

    def refused(self, kind, payload, condition, to=None):
        """The request must fail with one of the conditions ('a|b')."""
        answer = self.iq(kind, payload, to)
        if answer['type'] != 'error' or answer.error not in condition.split('|'):
            raise Failed('%s: wanted error %s, got %s' % (self.label, condition, answer))
        return answer

    def settle(self, bare=None):
        """A question that takes the way of a message to this account (default: the own) and through the store: when it is
        answered, what was sent to the account before has arrived, was refused, or is kept."""
        qid = self.new_id()
        to = ' to="%s"' % bare if bare else ''
        self.send('<iq type="get" id="%s"%s><vCard xmlns="vcard-temp"/></iq>' % (qid, to))
        self.expect('<iq id="%s" type="~result|error"/>' % qid)

    def ping(self):
        qid = self.new_id()
        self.send('<iq type="get" id="%s" to="%s">%s</iq>' % (qid, self.domain, PING))
        self.expect('<iq id="%s" type="~result|error"/>' % qid)

    # ---- signing in

    def cb_data(self, kind):
        return {'tls-server-end-point': self.link.end_point, 'tls-exporter': self.link.exporter}[kind]()

    def _mechanism(self, mech, password, bind, authzid):
        """(first bytes, answer function or None, check function or None)"""
        node, password = self.account.node, self.account.password if password is None else password
        if mech == 'PLAIN':
            return auth.plain(node, password, authzid), None, None
        if isinstance(bind, str) and bind != 'y':
            bind = (bind, self.cb_data(bind))
        scram = auth.Scram(mech, node, password, bind, authzid)
        return scram.first(), scram.final, scram.check

    def sasl(self, mech='SCRAM-SHA-256', password=None, bind=None, authzid=''):
        """SASL of RFC 6120 §6. Returns the outcome element."""
        first, answer, check = self._mechanism(mech, password, bind, authzid)
        self.send('<auth xmlns="%s" mechanism="%s">%s</auth>' % (SASL, mech, auth.b64(first)))
        out = self._sasl_step(SASL)
        if out.name == 'challenge':
            self.send('<response xmlns="%s">%s</response>' % (SASL, auth.b64(answer(auth.unb64(out.text)))))
            out = self._sasl_step(SASL)
        if out.name == 'success' and check:
            check(auth.unb64(out.text))
        return out

    def _sasl_step(self, ns):
        return self._until(lambda: next((self.queue.pop(i) for i, e in enumerate(self.queue) if e.ns == ns), None),
                           'SASL answer')

    def sasl2(self, mech='SCRAM-SHA-256', inline='', password=None, bind=None, token=None, fast='', agent=True,
              authzid=''):
        """XEP-0388. token: sign in with a FAST token (mech HT-...; bind: channel binding type). Returns the outcome;
        after success the new features are in self.features and the JID in self.jid."""
        if token is not None:
            ht = auth.HashedToken(self.account.node, token, self.cb_data(bind) if bind else b'')
            first, answer, check = ht.first(), None, ht.check
            inline += '<fast xmlns="%s" %s/>' % (FAST, fast)
        else:
            first, answer, check = self._mechanism(mech, password, bind, authzid)
        who = '<user-agent id="%s"><software>flow</software><device>test</device></user-agent>' % self.user_agent
        self.send('<authenticate xmlns="%s" mechanism="%s"><initial-response>%s</initial-response>%s%s</authenticate>'
                  % (SASL2, mech, auth.b64(first), who if agent else '', inline))
        out = self._sasl_step(SASL2)
        if out.name == 'challenge':
            self.send('<response xmlns="%s">%s</response>' % (SASL2, auth.b64(answer(auth.unb64(out.text)))))
            out = self._sasl_step(SASL2)
        if out.name == 'continue' and check:
            check(auth.unb64(out.textof('additional-data')))
        return self._sasl2_end(out, check)

    def task(self, name, payload=''):
        """XEP-0388 §2.6.3: chooses a task. Returns the answer."""
        self.send('<next xmlns="%s" task="%s">%s</next>' % (SASL2, name, payload))
        return self._sasl2_end(self._sasl_step(SASL2))

    def task_data(self, payload):
        self.send('<task-data xmlns="%s">%s</task-data>' % (SASL2, payload))
        return self._sasl2_end(self._sasl_step(SASL2))

    def _sasl2_end(self, out, check=None):
        if out.name == 'success':
            if check:
                check(auth.unb64(out.textof('additional-data')))
            self.features = self.expect('<stream:features/>')
            self._after_sasl2(out)
        return out

    def _after_sasl2(self, success):
        self.jid = success.textof('authorization-identifier')
        enabled = success.find('bound/enabled', SM)
        if enabled is not None:
            self._sm_reset()
            self.sm_on, self.sm_id = True, enabled['id']
        resumed = success.find('resumed', SM)
        if resumed is not None:
            self._resumed(resumed)

    def bind(self, resource=None):
        payload = '<resource>%s</resource>' % resource if resource else ''
        answer = self.set('<bind xmlns="%s">%s</bind>' % (BIND, payload))
        self.jid = answer.textof('bind/jid')
        return self.jid

    def login(self, resource=None, mech='SCRAM-SHA-256'):
        """Connects, signs in and binds. No presence yet. Returns self."""
        self.authenticate(mech)
        self.bind(resource)
        return self

    def authenticate(self, mech='SCRAM-SHA-256'):
        """Connects and signs in, up to the features of the authenticated stream."""
        if not self.link:
            self.connect()
        out = self.sasl(mech)
        if out.name != 'success':
            raise Failed('%s cannot sign in: %s' % (self.label, out))
        self.open()
        return self

    def online(self, resource=None, priority=None, presence=''):
        """login, roster, initial presence; what that brings is drained. Returns self."""
        self.login(resource)
        self.get('<query xmlns="jabber:iq:roster"/>')
        self.present(presence, priority)
        self.drain()
        return self

    def present(self, payload='', priority=None):
        if priority is not None:
            payload += '<priority>%d</priority>' % priority
        self.send('<presence>%s</presence>' % payload)
        return self

    # ---- XEP-0198

    def enable_sm(self, resume=True):
        self.send('<enable xmlns="%s"%s/>' % (SM, ' resume="true"' if resume else ''))
        enabled = self.expect('<enabled xmlns="%s"/>' % SM)
        self._sm_reset()
        self.sm_on, self.sm_id = True, enabled['id']
        return enabled

    def request_ack(self):
        """Asks for <a/> and waits until everything sent is acknowledged."""
        self.send('<r xmlns="%s"/>' % SM)
        self._until(lambda: not self.unacked, 'acknowledgement of %d stanzas' % self.sm_out)

    def resume(self, old):
        """Continues the session of another client object (whose connection is lost) here. Returns <resumed/> or <failed/>."""
        self.adopt(old)
        self.raw('<resume xmlns="%s" h="%d" previd="%s"/>' % (SM, old.sm_in, old.sm_id))
        out = self._sasl_step(SM)
        if out.name == 'resumed':
            self._resumed(out)
        else:
            self._sm_reset()
            self.jid = None
        return out

    def adopt(self, old):
        """Takes over the counters and unacknowledged stanzas of a lost connection."""
        self.jid, self.sm_on, self.sm_id = old.jid, True, old.sm_id
        self.sm_in, self.sm_out, self.sm_acked, self.unacked = old.sm_in, old.sm_out, old.sm_acked, list(old.unacked)

    def _resumed(self, resumed):
        self._acked(int(resumed['h']))
        for text in self.unacked:
            self.raw(text)

    # ---- the end

    def close(self):
        """Ends the stream in order and waits for the server's end (RFC 6120 §4.4)."""
        if self.link and not self.closed:
            try:
                self.raw('<close xmlns="%s"/>' % FRAMING if self.framed else '</stream:stream>')
                self._until(lambda: self.ended or self.closed, 'end of stream')
            except (Closed, OSError):
                pass
        self.drop()

    def drop(self):
        """Closes the socket without ending the stream."""
        if self.link:
            self.link.close()
            self.closed = True

    def abort(self):
        """Resets the connection."""
        self.link.abort()
        self.closed = True


def _short(queue):
    return '[' + ', '.join(str(e)[:300] for e in queue[:8]) + (', …' if len(queue) > 8 else '') + ']'
