# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0114 1.6: components of scripts and of slixmpp; what they may not do."""
import socket
import subprocess

from components import *
from s2s import World

OTHER, OTHER_SECRET = 'other.localhost', 'another-secret'


def plain(stage):
    house(stage, more='%s %s' % (OTHER, OTHER_SECRET))
    return component(stage)


# ---- connecting

def the_handshake_opens(stage):
    house(stage)
    c = Component(stage).head()
    c.wait_header()
    equal((c.header['from'], c.header.name), (NAME, 'stream'))
    check(c.header['id'], 'no stream id')
    c.shake().expect('<handshake/>')
    c.ping()


@each(['wrong', 'upper', 'empty'])
def a_wrong_handshake_is_refused(stage, row):
    house(stage)
    c = Component(stage).head()
    c.wait_header()
    c.shake({'wrong': c.proof('another-secret'), 'upper': c.proof().upper(), 'empty': ' '}[row])
    c.expect_stream_error('not-authorized')
    component(stage).ping()


def stream_ids_are_not_repeated(stage):
    house(stage)
    c = Component(stage).head()
    c.wait_header()
    old = c.proof()
    d = Component(stage).head()
    d.wait_header()
    d.shake(old)
    d.expect_stream_error('not-authorized')


@each([('nobody.localhost', ACCEPT, 'host-unknown'), ('localhost', ACCEPT, 'host-unknown'), ('conference.localhost', ACCEPT, 'host-unknown'),
       ('sub.' + NAME, ACCEPT, 'host-unknown'), ('', ACCEPT, 'host-unknown'), ('a@' + NAME, ACCEPT, 'host-unknown'),
       (NAME, CLIENT, 'invalid-namespace'), (NAME, 'jabber:component:connect', 'invalid-namespace')])
def bad_heads_are_refused(stage, row):
    to, ns, condition = row
    house(stage)
    c = Component(stage)
    c.head(to, ns)
    c.expect_stream_error(condition)


def stanzas_before_the_handshake_are_refused(stage):
    house(stage)
    a = stage.online()
    c = Component(stage).head()
    c.wait_header()
    c.send('<message from="%s" to="%s"><body>early</body></message>' % (NAME, a.bare))
    c.expect_stream_error('not-authorized')
    a.expect_nothing('<message/>')


def a_second_one_of_the_same_name_is_refused(stage):
    c = plain(stage)
    d = Component(stage)
    d.head()
    d.expect_stream_error('conflict')
    c.ping()
    c.leave()
    component(stage).ping()


def two_that_shake_hands_at_once_are_not_both_taken(stage):
    house(stage)
    both = [Component(stage).head() for _ in range(2)]
    for c in both:
        c.wait_header()
    for c in both:
        c.shake()
    for c in both:
        c._until(lambda: c.queue, 'answer')
    answers = sorted(c.queue[0].name for c in both)
    equal(answers, ['error', 'handshake'])


def client_streams_do_not_serve_components(stage):
    house(stage)
    c = stage.client(False, 'plain').link_up()
    c.raw("<stream:stream xmlns='%s' xmlns:stream='%s' to='%s'>" % (ACCEPT, STREAM, NAME))
    c.expect_stream_error('invalid-namespace|host-unknown')


def what_is_pipelined_behind_the_handshake_counts(stage):
    house(stage)
    a = stage.online()
    c = Component(stage).head()
    c.wait_header()
    c.raw('<handshake>%s</handshake><message from="%s" to="%s"><body>quick</body></message>' % (c.proof(), NAME, a.bare))
    a.expect('<message from="%s"><body>quick</body></message>' % NAME)


def every_name_meets_every_shard(stage):
    """The stream moves to its own shard, wherever it was accepted."""
    names = ['c%d.localhost' % i for i in range(6)]
    house(stage, more='; '.join('%s %s' % (n, OTHER_SECRET) for n in names))
    a = stage.online()
    for n in names:
        c = component(stage, n, OTHER_SECRET)
        a.send('<message to="x@%s"><body>%s</body></message>' % (n, n))
        c.expect('<message from="%s" to="x@%s"><body>%s</body></message>' % (a.jid, n, n))


# ---- stanzas

def messages_go_both_ways(stage):
    c = plain(stage)
    a = stage.online()
    for to in (NAME, 'bot@' + NAME, 'bot@%s/res' % NAME, 'x@deep.' + NAME):
        a.send('<message to="%s" type="chat" id="m"><body>hi</body></message>' % to)
        c.expect('<message from="%s" to="%s" id="m"><body>hi</body></message>' % (a.jid, to))
        c.send('<message from="%s" to="%s" type="chat"><body>back</body></message>' % (to, a.jid))
        a.expect('<message from="%s"><body>back</body></message>' % to)


def requests_go_both_ways(stage):
    c = plain(stage)
    a = stage.online()
    a.send('<iq type="get" id="q" to="%s"><query xmlns="%s"/></iq>' % (NAME, DISCO_INFO))
    q = c.expect('<iq type="get" from="%s"><query xmlns="%s"/></iq>' % (a.jid, DISCO_INFO))
    c.answer(q, '<query xmlns="%s"><identity category="gateway" type="irc"/></query>' % DISCO_INFO)
    a.expect('<iq type="result" id="q" from="%s"><query xmlns="%s"><identity category="gateway"/></query></iq>' % (NAME, DISCO_INFO))
    q = c.new_id()
    c.send('<iq type="get" id="%s" from="bot@%s" to="%s">%s</iq>' % (q, NAME, a.jid, PING))
    got = a.expect('<iq type="get" from="bot@%s"/>' % NAME)
    a.send('<iq type="result" id="%s" to="%s"/>' % (got['id'], got['from']))
    c.expect('<iq type="result" id="%s" from="%s" to="bot@%s"/>' % (q, a.jid, NAME))


def users_of_a_component_can_be_contacts(stage):
    c = plain(stage)
    a = stage.online()
    pal = 'pal@' + NAME
    a.send('<presence to="%s" type="subscribe"/>' % pal)
    c.expect('<presence type="subscribe" from="%s" to="%s"/>' % (a.bare, pal))
    c.send('<presence type="subscribed" from="%s" to="%s"/>' % (pal, a.bare))
    a.expect('<presence type="subscribed" from="%s"/>' % pal)
    c.send('<presence from="%s/x" to="%s"/>' % (pal, a.bare))
    a.expect('<presence from="%s/x" type="!"/>' % pal)
    c.send('<presence type="subscribe" from="%s" to="%s"/>' % (pal, a.bare))
    a.expect('<presence type="subscribe" from="%s"/>' % pal)
    a.send('<presence to="%s" type="subscribed"/>' % pal)
    c.expect('<presence type="subscribed"/>')
    c.expect('<presence from="%s" to="~%s" type="!"/>' % (a.jid, pal))
    a.drop()
    c.expect('<presence type="unavailable" from="%s" to="~%s"/>' % (a.jid, pal))


def components_speak_to_each_other(stage):
    c = plain(stage)
    d = component(stage, OTHER, OTHER_SECRET)
    c.send('<message from="x@%s" to="y@%s"><body>across</body></message>' % (NAME, OTHER))
    d.expect('<message from="x@%s" to="y@%s"><body>across</body></message>' % (NAME, OTHER))


def it_is_listed_while_it_is_there(stage):
    house(stage)
    a = stage.online()
    listed = lambda: [i['jid'] for i in a.get('<query xmlns="%s"/>' % DISCO_ITEMS, 'localhost').all('query/item')]
    check(NAME not in listed(), 'listed before it came')
    c = component(stage)
    check(NAME in listed(), 'not listed')
    c.leave()
    check(NAME not in listed(), 'listed after it went')


def while_it_is_away_senders_hear_so(stage):
    house(stage)
    a = stage.online()
    a.send('<message to="bot@%s" id="m"><body>hello?</body></message>' % NAME)
    equal(a.expect('<message type="error" id="m" from="bot@%s"/>' % NAME).error, 'service-unavailable')
    a.refused('get', PING, 'service-unavailable', NAME)
    a.send('<presence to="room@%s/nick"/>' % NAME)
    equal(a.expect('<presence type="error" from="room@%s/nick"/>' % NAME).error, 'service-unavailable')
    a.send('<presence to="pal@%s" type="probe"/>' % NAME)
    a.expect('<presence type="unavailable" from="pal@%s"/>' % NAME)


def after_it_left_requests_are_answered_for_it(stage):
    c = plain(stage)
    a = stage.online()
    c.leave()
    a.refused('get', PING, 'service-unavailable', NAME)
    a.refused('get', PING, 'service-unavailable', 'x@deep.' + NAME)


def messages_from_it_are_archived_for_the_recipient(stage):
    c = plain(stage)
    a = stage.online()
    c.send('<message from="bot@%s" to="%s" type="chat"><body>keep me</body></message>' % (NAME, a.bare))
    m = a.expect('<message><body>keep me</body><stanza-id xmlns="%s" by="%s"/></message>' % (SID, a.bare))
    a.settle()
    a.send('<iq type="set" id="mam"><query xmlns="%s"/></iq>' % MAM)
    a.expect('<message><result xmlns="%s" id="%s"/></message>' % (MAM, m.find('stanza-id')['id']))


def a_silent_one_is_asked_and_let_go(stage):
    house(stage, sets={'limits.idle': '1s', 'limits.idle_grace': '1s'})
    c = component(stage)
    ping = c.expect('<iq type="get" from="localhost" to="%s"/>' % NAME)
    c.answer(ping)
    c.expect('<iq type="get" from="localhost"/>')
    c.expect_stream_error('connection-timeout')


def it_speaks_to_other_servers(stage):
    world = World(stage)
    name = 'svc.one.test'
    port = free_ports(1)[0]
    stage.server = world.server('one.test', {'listen.component': '127.0.0.1:%d' % port, 'components.secrets': '%s %s' % (name, SECRET)})
    stage.server.ports['component'] = port
    world.dns.domain(name, stage.server.s2s, None)
    far = world.server('two.test')
    c = component(stage, name)
    eve = stage.client(far.add('eve'), server=far).online()
    c.send('<message from="bot@%s" to="%s" type="chat"><body>out</body></message>' % (name, eve.jid))
    eve.expect('<message from="bot@%s"><body>out</body></message>' % name)
    eve.send('<message to="bot@%s" type="chat"><body>back</body></message>' % name)
    c.expect('<message from="%s" to="bot@%s"><body>back</body></message>' % (eve.jid, name))
    c.leave()
    eve.send('<message to="bot@%s" id="late" type="chat"><body>late</body></message>' % name)
    equal(eve.expect('<message type="error" id="late"/>').error, 'service-unavailable')


# ---- hostile ones

@each(['bot@other.localhost', 'localhost', 'user', 'elsewhere.example', 'xsvc.localhost', 'conference.localhost', 'a@b@c', 'svc.localhost.example'])
def a_sender_outside_its_domain_ends_the_stream(stage, sender):
    c = plain(stage)
    a, b = stage.online(), stage.online()
    sender = b.bare if sender == 'user' else sender
    c.send('<message from="%s" to="%s"><body>forged</body></message>' % (sender, a.bare))
    c.expect_stream_error('invalid-from')
    a.expect_nothing('<message/>')
    component(stage).ping()


@each([('example', 'bob@b.example'), ('example', 'b.example'), ('example', 'room@conference.b.example'), ('example', 'x@deep.example')])
def a_sender_below_its_name_that_others_serve_ends_the_stream(stage, row):
    name, sender = row
    house(stage, name=name, more='deep.example secret12', sets={'hosts': 'b.example'})
    a = stage.online()
    c = component(stage, name)
    c.send('<message from="x@free.%s" to="%s"><body>fine</body></message>' % (name, a.bare))
    a.expect('<message from="x@free.%s"><body>fine</body></message>' % name)
    c.send('<message from="%s" to="%s"><body>forged</body></message>' % (sender, a.bare))
    c.expect_stream_error('invalid-from')
    a.expect_nothing('<message/>')


@each(['<message to="%s"><body>x</body></message>', '<message from="svc.localhost"><body>x</body></message>',
       '<iq type="get" id="x" from="svc.localhost"><ping xmlns="urn:xmpp:ping"/></iq>'])
def missing_addresses_end_the_stream(stage, text):
    c = plain(stage)
    a = stage.online()
    c.raw(text.replace('%s', a.bare))
    c.expect_stream_error('improper-addressing')
    a.expect_nothing('<message/>')


@each([('<nonsense from="svc.localhost" to="localhost"/>', 'unsupported-stanza-type'), ('<message', 'policy-violation'),
       ('<message from="svc.localhost" to="localhost"><body></message>', 'not-well-formed'),
       ('<!DOCTYPE x><message/>', 'restricted-xml|not-well-formed'), ('<handshake>again</handshake>', 'unsupported-stanza-type')])
def bad_input_ends_its_stream_only(stage, row):
    text, condition = row
    c = plain(stage)
    a = stage.online()
    if text == '<message':
        text = '<message from="svc.localhost" to="localhost"><body>%s</body></message>' % ('x' * 300000)
    try:
        c.raw(text)
    except Closed:
        pass
    c.expect_stream_error(condition)
    a.ping()
    component(stage).ping()


def large_input_before_the_handshake_is_refused(stage):
    house(stage)
    c = Component(stage).head()
    c.wait_header()
    c.raw('<handshake>%s</handshake>' % ('0' * 20000))
    c.expect_stream_error('policy-violation')


def bad_recipients_and_shapes_are_answered(stage):
    c = plain(stage)
    c.send('<message from="%s" to="a@b@c" id="1"><body>x</body></message>' % NAME)
    equal(c.expect('<message type="error" id="1"/>').error, 'jid-malformed')
    c.send('<iq from="%s" to="localhost" id="2" type="get"/>' % NAME)
    equal(c.expect('<iq type="error" id="2"/>').error, 'bad-request')
    c.send('<iq from="%s" to="localhost" id="3" type="nonsense"><x xmlns="y"/></iq>' % NAME)
    equal(c.expect('<iq type="error" id="3"/>').error, 'bad-request')
    c.send('<message from="%s" to="nobody@localhost" id="4"><body>x</body></message>' % NAME)
    equal(c.expect('<message type="error" id="4"/>').error, 'service-unavailable')
    c.send('<message from="%s" to="x@elsewhere.invalid" id="5"><body>x</body></message>' % NAME)
    check(c.expect('<message type="error" id="5"/>', timeout=20).error.startswith('remote-server'), 'error')


def stanza_ids_of_the_server_cannot_be_forged(stage):
    c = plain(stage)
    a = stage.online()
    c.send('<message from="%s" to="%s"><body>x</body><stanza-id xmlns="%s" by="%s" id="forged"/><stanza-id xmlns="%s" by="room@%s" id="own"/>'
           '</message>' % (NAME, a.bare, SID, a.bare, SID, NAME))
    m = a.expect('<message><body>x</body></message>')
    equal(sorted((s['by'], s['id'] == 'forged') for s in m.all('stanza-id', SID)), sorted([(a.bare, False), ('room@' + NAME, False)]))


def rights_that_were_not_given_are_refused(stage):
    c = plain(stage)
    a = stage.online()
    c.denied('get', '<query xmlns="%s"/>' % ROSTER, 'forbidden', a.bare)
    c.denied('set', '<query xmlns="%s"><item jid="x@y"/></query>' % ROSTER, 'forbidden', a.bare)
    c.denied('get', '<privileged_iq xmlns="%s"><iq xmlns="%s" type="get" id="x">%s</iq></privileged_iq>' % (PRIVILEGE, CLIENT, PING), 'forbidden', a.bare)
    c.send('<message from="%s" to="localhost" id="p"><privilege xmlns="%s"><forwarded xmlns="%s"><message xmlns="%s" from="%s" to="%s"><body>x</body>'
           '</message></forwarded></privilege></message>' % (NAME, PRIVILEGE, FORWARD, CLIENT, a.bare, a.bare))
    equal(c.expect('<message type="error" id="p"/>').error, 'forbidden')
    a.expect_nothing('<message/>')
    check(not c.queue, 'it was told of rights: %s' % c.queue)


def clients_cannot_use_the_rights_of_components(stage):
    house(stage, privileges='roster=both message=outgoing iq=urn:xmpp:ping:get presence=roster')
    a, b = stage.friends()
    a.refused('get', '<query xmlns="%s"/>' % ROSTER, 'forbidden', b.bare)
    a.refused('get', '<privileged_iq xmlns="%s"><iq xmlns="%s" type="get" id="x">%s</iq></privileged_iq>' % (PRIVILEGE, CLIENT, PING), 'forbidden', b.bare)
    a.send('<message to="localhost" id="p"><privilege xmlns="%s"><forwarded xmlns="%s"><message xmlns="%s" from="%s" to="%s"><body>x</body>'
           '</message></forwarded></privilege></message>' % (PRIVILEGE, FORWARD, CLIENT, b.bare, a.bare))
    equal(a.expect('<message type="error" id="p"/>').error, 'service-unavailable')


def one_that_does_not_read_is_bounded(stage):
    """What it leaves unread is limited; senders hear of it, and the rest of the server goes on."""
    c = plain(stage)
    c.link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    a = stage.online()
    body = 'x' * 100000
    for i in range(300):
        a.send('<message to="bot@%s" id="m%d"><body>%s</body></message>' % (NAME, i, body))
    err = a.expect('<message type="error"/>', timeout=20)
    equal(err.error, 'resource-constraint')
    stage.online().ping()


# ---- the operator

@each([('components.secrets', 'svc.localhost short'), ('components.secrets', 'a b c'), ('components.secrets', 'a.example secret12; a.example secret12'),
       ('components.secrets', 'A.example secret12'), ('components.secrets', 'x@y secret12'), ('components.secrets', 'lonely'),
       ('components.privileges', 'nobody roster=get'), ('components.delegations', 'nobody urn:x')])
def bad_options_stop_the_start(stage, row):
    option, value = row
    done = stage.server.cli('config', '--check', '--set', '%s=%s' % row, data=False, check=False)
    check(done.returncode == 1 and 'components' in done.stderr, done.stderr)
    check('secret12' not in done.stderr, 'the message tells a secret')


@each(['roster=some', 'push=true', 'push=true roster=get', 'roster=set push=true', 'presence=roster', 'presence=roster roster=set', 'iq=x', 'iq=:get',
       'iq=urn:x:some', 'message=incoming', 'sudo=yes'])
def bad_privileges_stop_the_start(stage, words):
    done = stage.server.cli('config', '--check', '--set', 'components.secrets=c.example secret12', '--set',
                            'components.privileges=c.example ' + words, data=False, check=False)
    check(done.returncode == 1 and 'components' in done.stderr, done.stderr)


@each([DELEGATION, 'urn:x{', 'urn:x{}', 'urn:x{a', '{a}', 'urn:x{a,,b}'])
def bad_delegations_stop_the_start(stage, words):
    done = stage.server.cli('config', '--check', '--set', 'components.secrets=c.example secret12', '--set',
                            'components.delegations=c.example ' + words, data=False, check=False)
    check(done.returncode == 1 and 'components' in done.stderr, done.stderr)


@each(['localhost', 'conference.localhost', 'b.example', 'upload.b.example'])
def a_name_that_the_server_serves_itself_stops_the_start(stage, name):
    try:
        house(stage, name=name, sets={'hosts': 'b.example'})
    except AssertionError as e:
        check('serves itself' in str(e) or 'is a component' in str(e), e)
    else:
        raise Failed('it started')


def the_log_tells_no_secret(stage):
    house(stage, sets={'log.level': 'debug'})
    c = component(stage)
    d = Component(stage).head()
    d.expect_stream_error('conflict')
    c.ping()
    check('component.connected' in stage.server.log_text(), 'nothing in the log')
    check(SECRET not in stage.server.log_text() and c.proof() not in stage.server.log_text(), 'the log tells the secret')


@on_server()
def it_is_off_by_default(stage):
    check(not any('component=' in line for line in stage.server.greeting), stage.server.greeting)


# ---- somebody else's library

SLIXMPP = '''
import asyncio, sys
import slixmpp

class Echo(slixmpp.ComponentXMPP):
    def __init__(self, name, secret, port):
        super().__init__(name, secret, '127.0.0.1', port)
        self.register_plugin('xep_0030')
        self.register_plugin('xep_0199')
        self.add_event_handler('session_start', lambda _: print('started', flush=True))
        self.add_event_handler('message', self.echo)

    def echo(self, m):
        if m['type'] in ('chat', 'normal'):
            m.reply('echo ' + m['body']).send()

c = Echo(sys.argv[1], sys.argv[2], int(sys.argv[3]))
c.connect()
c.process()
'''


def slixmpp_serves_a_component(stage):
    house(stage)
    a = stage.online()
    proc = subprocess.Popen(['/usr/bin/python3', '-c', SLIXMPP, NAME, SECRET, str(stage.server.ports['component'])], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    stage.cleanups.append(lambda: (proc.kill(), proc.wait(), proc.stdout.close()))
    equal(proc.stdout.readline().strip(), 'started')
    a.send('<message to="bot@%s" type="chat"><body>hello</body></message>' % NAME)
    a.expect('<message from="~bot@%s(/.*)?" type="chat"><body>echo hello</body></message>' % NAME)
    equal(disco(a, NAME)[1][0][0], 'component')
    a.get(PING, NAME)


slixmpp_serves_a_component.seconds = 60
