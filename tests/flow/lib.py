# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a dialogue uses: `from lib import *`. A dialogue is a function of one argument, the Stage, named as a sentence."""
import functools
import os

from kit.auth import Authenticator, HashedToken, Scram, b64, plain, unb64
from kit.client import (BIND, BIND2, FAST, FRAMING, PING, SASL, SASL2, SM, STREAMS, TIMEOUT, TLS, Client, Failed)
from kit.link import Closed, Link, WebSocket, tls_context
from kit.server import Account, Anser, Prosody, binary, free_ports
from kit.tree import CLIENT, STREAM, El, mismatch, parse, write

TRANSPORT = os.environ.get('FLOW_TRANSPORT', 'tls')  # of clients whose dialogue does not choose

ROSTER = 'jabber:iq:roster'
MAM = 'urn:xmpp:mam:2'
RSM = 'http://jabber.org/protocol/rsm'
DATA = 'jabber:x:data'
MUC = 'http://jabber.org/protocol/muc'
MUC_USER = MUC + '#user'
MUC_ADMIN = MUC + '#admin'
MUC_OWNER = MUC + '#owner'
DISCO_INFO = 'http://jabber.org/protocol/disco#info'
DISCO_ITEMS = 'http://jabber.org/protocol/disco#items'
CARBONS = 'urn:xmpp:carbons:2'
FORWARD = 'urn:xmpp:forward:0'
SID = 'urn:xmpp:sid:0'
HINTS = 'urn:xmpp:hints'
BLOCKING = 'urn:xmpp:blocking'
DELAY = 'urn:xmpp:delay'
COMMANDS = 'http://jabber.org/protocol/commands'
STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'


class Stage:
    """One dialogue's clients on a server; clean-up closes what it opened."""

    def __init__(self, server):
        self.server, self.log, self.clients, self.cleanups = server, [], [], []
        self.domain = server.domain
        self.muc = 'conference.' + server.domain

    def account(self):
        return self.server.account()

    def client(self, account=None, transport=TRANSPORT, server=None, label=None):
        """A client that has not connected yet. account False: none."""
        if account is None:
            account = (server or self.server).account()
        c = Client(server or self.server, account or None, transport, self.log, label)
        self.clients.append(c)
        return c

    def online(self, account=None, resource=None, priority=None, transport=TRANSPORT, server=None):
        return self.client(account, transport, server).online(resource, priority)

    def again(self, client, resource=None, priority=None, transport=TRANSPORT):
        """One more resource of the same account, online."""
        c = self.client(client.account, transport, client.server)
        return c.online(resource, priority)

    def friends(self, n=2):
        """n fresh accounts, online and mutually subscribed."""
        cs = [self.online() for _ in range(n)]
        for i, a in enumerate(cs):
            for b in cs[i + 1:]:
                befriend(a, b)
        return cs

    def own_server(self, sets=None, **kw):
        """A server of this dialogue's own."""
        if self.server.kind != 'anser':
            raise Failed('this dialogue needs a server of its own')
        server = Anser(sets, **kw).start()
        self.cleanups.append(server.stop)
        return server

    def room_name(self):
        return '%s@%s' % (Client.new_id(), self.muc)

    def finish(self):
        for c in self.clients:
            c.drop()
        errors = []
        for fn in reversed(self.cleanups):
            try:
                fn()
            except AssertionError as e:
                errors.append(str(e))
        if errors:
            raise AssertionError('\n'.join(errors))


def befriend(a, b):
    """Mutual subscription of two online clients; what it brings to them is drained."""
    a.send('<presence to="%s" type="subscribe"/>' % b.bare)
    b.expect('<presence from="%s" type="subscribe"/>' % a.bare)
    b.send('<presence to="%s" type="subscribed"/>' % a.bare)
    b.send('<presence to="%s" type="subscribe"/>' % a.bare)
    a.expect('<presence from="%s" type="subscribed"/>' % b.bare)
    a.expect('<presence from="%s" type="subscribe"/>' % b.bare)
    a.send('<presence to="%s" type="subscribed"/>' % b.bare)
    b.expect('<presence from="%s" type="subscribed"/>' % a.bare)
    a.expect('<presence from="%s" type="!"/>' % b.jid)
    b.expect('<presence from="%s" type="!"/>' % a.jid)
    a.drain(after=(b,))
    b.drain(after=(a,))


def each(rows, name=None):
    """Runs a dialogue once per row: fn(stage, row). name(row) words the subtest."""
    def wrap(fn):
        fn.rows = [(name(r) if name else ' '.join(str(x) for x in r[:3]) if isinstance(r, tuple) else str(r), r)
                   for r in rows]
        return fn
    return wrap


def on_server(sets=None, **kw):
    """The dialogue gets a server of its own with these options."""
    def wrap(fn):
        @functools.wraps(fn)
        def run(stage, *row):
            stage.server = stage.own_server(sets, **kw)
            stage.domain = stage.server.domain
            stage.muc = 'conference.' + stage.domain
            return fn(stage, *row)
        return run
    return wrap


def check(cond, what):
    if not cond:
        raise Failed(what)


def equal(have, want, what='value'):
    if have != want:
        raise Failed('%s is %r, wanted %r' % (what, have, want))


def form(form_type, fields, kind='submit'):
    """A data form; fields: {var: value or list of values}."""
    out = '<x xmlns="%s" type="%s"><field var="FORM_TYPE" type="hidden"><value>%s</value></field>' % (DATA, kind, form_type)
    for var, values in fields.items():
        values = values if isinstance(values, (list, tuple)) else [values]
        out += '<field var="%s">%s</field>' % (var, ''.join('<value>%s</value>' % v for v in values))
    return out + '</x>'


def fields(x):
    """{var: [values]} of a data form element."""
    return {f['var']: [v.text for v in f.all('value')] for f in x.all('field')}


def disco(c, to, node=None):
    """(features, identities) of an entity."""
    query = '<query xmlns="%s"%s/>' % (DISCO_INFO, ' node="%s"' % node if node else '')
    answer = c.get(query, to)
    return ([f['var'] for f in answer.all('query/feature')],
            [(i['category'], i['type']) for i in answer.all('query/identity')])


def command(node, values=None, form_type=None):
    """An ad-hoc command (XEP-0050), with a submitted form when values are given."""
    x = '' if values is None else form(form_type or node.partition('#')[0], values)
    return '<command xmlns="%s" node="%s">%s</command>' % (COMMANDS, node, x)
