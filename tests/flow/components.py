# SPDX-License-Identifier: AGPL-3.0-or-later
"""A scripted component (XEP-0114) for the dialogues, and a server that knows it."""
import hashlib

from kit.client import _short  # noqa: F401
from lib import *

ACCEPT = 'jabber:component:accept'
PRIVILEGE = 'urn:xmpp:privilege:2'
DELEGATION = 'urn:xmpp:delegation:2'
NAME, SECRET = 'svc.localhost', 'a-long-secret'


def house(stage, name=NAME, secret=SECRET, more='', privileges='', delegations='', sets=None):
    """The dialogue's own server, with a listener for components."""
    port = free_ports(1)[0]
    options = {'listen.component': '127.0.0.1:%d' % port, 'components.secrets': '%s %s; %s' % (name, secret, more)}
    if privileges:
        options['components.privileges'] = '%s %s' % (name, privileges)
    if delegations:
        options['components.delegations'] = '%s %s' % (name, delegations)
    stage.server = stage.own_server(dict(options, **(sets or {})))
    stage.server.ports['component'] = port
    stage.domain = stage.server.domain
    return stage.server


class Component(Client):
    """One stream of jabber:component:accept; what comes is seen in jabber:client, so that patterns stay short."""

    def __init__(self, stage, name=NAME, secret=SECRET):
        super().__init__(stage.server, None, 'plain', stage.log, name)
        self.name, self.secret = name, secret
        self.domain = 'localhost'
        self.link = Link((self.server.host, self.server.ports['component']))
        stage.clients.append(self)

    def _element(self, el):
        stack = [el]
        while stack:
            e = stack.pop()
            e.ns = CLIENT if e.ns == ACCEPT else e.ns
            stack += e.kids
        super()._element(el)

    def head(self, to=None, ns=ACCEPT):
        from kit import tree
        self.reader = tree.Reader(framed=False)
        self.raw('<stream:stream xmlns="%s" xmlns:stream="%s" to="%s">' % (ns, STREAM, self.name if to is None else to))
        return self

    def proof(self, secret=None):
        return hashlib.sha1((self.header['id'] + (secret or self.secret)).encode()).hexdigest()

    def shake(self, proof=None):
        self.raw('<handshake>%s</handshake>' % (proof or self.proof()))
        return self

    def up(self):
        """Connected: the handshake is answered."""
        self.head()
        self.wait_header()
        equal(self.header['from'], self.name)
        self.shake()
        self.expect('<handshake/>')
        return self

    def ask(self, kind, payload, to, sender=None):
        """Sends a request, returns the answer."""
        qid = self.new_id()
        self.send('<iq type="%s" id="%s" from="%s" to="%s">%s</iq>' % (kind, qid, sender or self.name, to, payload))
        return self.expect('<iq id="%s" type="~result|error" from="%s" to="%s"/>' % (qid, to, sender or self.name))

    def denied(self, kind, payload, condition, to):
        answer = self.ask(kind, payload, to)
        check(answer['type'] == 'error' and answer.error == condition, 'wanted %s, got %s' % (condition, answer))
        return answer

    def ping(self):
        self.ask('get', PING, self.server.domain)

    def leave(self):
        """An orderly end: when it is seen, nobody serves the name."""
        self.raw('</stream:stream>')
        self.expect_close()

    def answer(self, request, payload='', kind='result'):
        self.send('<iq type="%s" id="%s" from="%s" to="%s">%s</iq>' % (kind, request['id'], request['to'], request['from'], payload))


def component(stage, name=NAME, secret=SECRET):
    return Component(stage, name, secret).up()
