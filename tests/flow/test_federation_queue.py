# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nothing is lost between servers: queues on disk, XEP-0198, restarts; and DANE. Strangers, too."""
import hashlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

from lib import *
from s2s import *

COMMANDS = 'http://jabber.org/protocol/commands'
STRANGERS = 'urn:anser:strangers:0'


def bodies(c, n, prefix):
    for i in range(n):
        c.expect('<message><body>%s%d</body></message>' % (prefix, i), timeout=25)


def send(a, b, n, prefix):
    for i in range(n):
        a.send('<message to="%s" type="chat" id="%s%d"><body>%s%d</body></message>' % (b, prefix, i, prefix, i))


def messages_wait_while_the_other_server_is_down(stage):
    world = World(stage)
    one, two = world.two()
    a, b = stage.online(server=one), stage.client(two.account(), server=two)
    two.end()
    send(a, b.bare, 10, 'w')
    a.ping()
    two.start()
    b.login().present()
    bodies(b, 10, 'w')


@each([True, False], name=lambda r: 'certificates' if r else 'dialback')
def messages_survive_kill_9_of_the_sending_server(stage, row):
    world = World(stage)
    one, two = [world.server(d, world.certified(d) if row else {}) for d in ('one.test', 'two.test')]
    a, b = stage.online(server=one), stage.client(two.account(), server=two)
    two.end()
    a.enable_sm()
    send(a, b.bare, 20, 'k')
    a.request_ack()  # on disk now
    one.kill()
    one.start()
    two.start()
    b.login().present()
    bodies(b, 20, 'k')
    check(not [el for el in b.drain() if el.name == 'message'], 'more than was sent')


def subscriptions_survive_kill_9_of_the_sending_server(stage):
    world = World(stage)
    one, two = world.two()
    a, b = stage.online(server=one), stage.client(two.account(), server=two)
    two.end()
    a.send('<presence to="%s" type="subscribe"/>' % b.bare)
    a.ping()
    a.enable_sm()
    send(a, b.bare, 1, 's')
    a.request_ack()
    one.kill()
    one.start()
    two.start()
    b.login().present()
    b.get('<query xmlns="%s"/>' % ROSTER)
    b.expect('<presence from="%s" type="subscribe"/>' % a.bare, timeout=25)


def both_servers_restart_mid_stream_without_loss_or_doubles(stage):
    world = World(stage)
    one, two = [world.server(d, world.certified(d)) for d in ('one.test', 'two.test')]
    a, b = stage.online(server=one), stage.online(server=two)
    send(a, b.bare, 20, 'm')
    two.restart()
    send(a, b.bare, 20, 'n')
    a.enable_sm()
    send(a, b.bare, 20, 'o')
    a.request_ack()
    one.restart()
    b = stage.client(b.account, server=two).login()
    archive = []
    for _ in range(100):
        b.send('<iq type="set" id="q"><query xmlns="%s"><set xmlns="%s"><max>200</max></set></query></iq>' % (MAM, RSM))
        b.expect('<iq id="q" type="result"/>')
        archive = [el.find('result/forwarded/message/body').text for el in b.drain() if el.find('result/forwarded/message/body')]
        if len(archive) >= 60:
            break
        b.ping()
    equal(sorted(archive), sorted(p + str(i) for p in 'mno' for i in range(20)))


def a_broken_link_is_resumed(stage):
    """The other server says what it has; what it has not comes again, what it has does not."""
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    a = stage.online(server=one)
    got = Receiver(world, 'evil.test')
    send(a, 'x@evil.test', 3, 'r')
    got.wait(lambda: len(got.streams) == 2 and got.count('r2') == 2)
    equal([got.count('r0'), got.count('r1'), got.count('r2')], [1, 1, 2])
    check('s2s.resumed' in one.log_text(), one.log_text())


class Receiver(Oracle):
    """Accepts by certificate, takes three messages, breaks the link, resumes with h=2."""

    def __init__(self, world, domain):
        self.streams, self.bodies = [], []
        super().__init__(world, domain)

    def count(self, body):
        return self.bodies.count(body)

    @staticmethod
    def wait(done, seconds=15):
        deadline = time.monotonic() + seconds
        while not done():
            check(time.monotonic() < deadline, 'waited in vain')
            time.sleep(0.01)

    def _talk(self, conn):
        try:
            conn.settimeout(20)
            self._until(conn, b'<stream:stream[^>]*>')
            self._head(conn, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            self._until(conn, b'<starttls')
            conn.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(*self.cert)
            conn = ctx.wrap_socket(conn, server_side=True)
            self._until(conn, b'<stream:stream[^>]*>')
            self._head(conn, "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism></mechanisms>" % SASL)
            self._until(conn, b'<auth.*</auth>')
            conn.sendall(("<success xmlns='%s'/>" % SASL).encode())
            self._until(conn, b'<stream:stream[^>]*>')
            self._head(conn, "<sm xmlns='%s'/>" % SM)
            _, data = self._until(conn, b'<(enable|resume) [^>]*/>')
            self.streams.append(data)
            first = b'<enable' in data
            conn.sendall(("<enabled xmlns='%s' id='tok' resume='true'/>" % SM if first else
                          "<resumed xmlns='%s' previd='tok' h='2'/>" % SM).encode())
            data = data.split(b'/>', 1)[1] if b'/>' in data else b''
            self._listen(conn, data, first)
        except (OSError, ValueError):
            pass
        finally:
            conn.close()


    def _listen(self, conn, data, first):
        while True:
            m, data = self._until(conn, b'<body>(r[0-9])</body>', data)
            data = data[m.end():]
            self.bodies.append(m.group(1).decode())
            if first and len(self.bodies) == 3:
                return


def one_question_for_acknowledgements_is_open_at_a_time(stage):
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    a = stage.online(server=one)
    got = Thoughtful(world, 'evil.test')
    send(a, 'x@evil.test', 1, 'r')
    got.wait(lambda: got.asked)
    for i in range(1, 5):
        a.send('<message to="x@evil.test" type="chat" id="r%d"><body>r%d</body></message>' % (i, i))
        a.ping()
    got.wait(lambda: len(got.asked) == 3)
    equal(got.asked, [1, 1, 2])  # with the first message, with the last, after the answer


class Thoughtful(Receiver):
    """Acknowledges the first message once it has the fifth, then the others. asked: questions so far, at each step."""

    def __init__(self, world, domain):
        self.asked = []
        super().__init__(world, domain)

    def _listen(self, conn, data, first):
        _, data = self._until(conn, b'<r [^>]*>', data)
        self.asked.append(data.count(b'<r '))
        _, data = self._until(conn, b'<body>r4</body>', data)
        self.asked.append(data.count(b'<r '))
        conn.sendall(("<a xmlns='%s' h='1'/>" % SM).encode())
        _, data = self._until(conn, b'<body>r4</body>.*<r [^>]*>', data)
        self.asked.append(data.count(b'<r '))
        conn.sendall(("<a xmlns='%s' h='5'/>" % SM).encode())
        self._until(conn, b'</stream:stream>', data)


class Deaf(Receiver):
    """Agrees to everything, then reads nothing more."""

    def _until(self, conn, pattern, data=b''):
        if b'<body>' not in pattern:
            return super()._until(conn, pattern, data)
        self.world.stage.cleanups.append(conn.close)
        threading.Event().wait(60)
        raise OSError('enough')


def a_server_that_never_reads_fills_only_its_own_queue(stage):
    world = World(stage)
    one = world.server('one.test', dict(world.certified('one.test'), **{'s2s.queue_bytes': '3M'}))
    two = world.server('two.test', world.certified('two.test'))
    a, b = stage.online(server=one), stage.online(server=two)
    Deaf(world, 'evil.test')
    text = 'x' * 100000
    for i in range(60):
        a.send('<message to="x@evil.test" type="headline" id="d%d"><body>%s</body></message>' % (i, text))
    equal(a.expect('<message type="error" id="d59"/>', timeout=15).error, 'resource-constraint')
    chat(a, b)


def queues_are_bounded(stage):
    world = World(stage)
    one = world.server('one.test', {'s2s.queue_stanzas': '5'})
    world.dns.domain('far.test', free_ports(1)[0])
    a = stage.online(server=one)
    send(a, 'x@far.test', 8, 'q')
    for i in (5, 6, 7):
        equal(a.expect('<message type="error" id="q%d"/>' % i).error, 'resource-constraint')


def messages_come_back_when_they_waited_too_long(stage):
    world = World(stage)
    one = world.server('one.test', {'s2s.queue_time': '1s'})
    world.dns.domain('far.test', free_ports(1)[0])
    a = stage.online(server=one)
    send(a, 'x@far.test', 2, 'q')
    for i in (0, 1):
        equal(a.expect('<message type="error" id="q%d"/>' % i, timeout=15).error, 'remote-server-timeout')
    one.restart()  # and they are gone from the disk
    a = stage.again(a)
    a.expect_nothing('<message/>')


def requests_to_a_server_that_is_down_are_answered_soon(stage):
    world = World(stage)
    one = world.server('one.test')
    world.dns.domain('far.test', free_ports(1)[0])
    a = stage.online(server=one)
    a.send('<iq to="far.test" type="get" id="i"><ping xmlns="urn:xmpp:ping"/></iq>')
    equal(a.expect('<iq type="error" id="i"/>').error, 'remote-server-timeout')


def the_next_address_is_tried_when_one_fails(stage):
    world = World(stage)
    one, two = world.server('one.test'), world.server('two.test', register=False)
    for i, port in enumerate((free_ports(1)[0], two.s2s)):
        world.dns.srv('two.test', port, 'xmpp%d.two.test' % i, priority=i)
        world.dns.a('xmpp%d.two.test' % i)
    a, b = stage.online(server=one), stage.online(server=two)
    chat(a, b)


@each(['good', 'wrong', 'not validated'])
def tlsa_records_prove_a_self_signed_certificate_where_dnssec_is_validated(stage, row):
    world = World(stage)
    sets = world.certified('one.test')
    one = world.server('one.test', dict(sets, **{'s2s.require_certificate': 'true', 's2s.dnssec': 'true'}))
    two = world.server('two.test', {'s2s.require_certificate': 'false'})
    pem = open(two.data + '/tls/two.test.crt').read()
    der = subprocess.run(['openssl', 'x509', '-outform', 'DER'], input=pem.encode(), capture_output=True, check=True).stdout
    digest = hashlib.sha256(der).digest()
    world.dns.secure = row != 'not validated'
    world.dns.tlsa('xmpp.two.test', two.s2s, 3, 0, 1, digest if row != 'wrong' else digest[::-1])
    a, b = stage.online(server=one), stage.online(server=two)
    if row == 'good':
        chat(a, b)
        return
    a.send('<message to="%s" type="chat" id="m"><body>x</body></message>' % b.jid)
    equal(a.expect('<message type="error" id="m"/>').error, 'remote-server-timeout')


def several_domains_of_one_server_federate_with_their_own_certificates(stage):
    world = World(stage)
    directory = tempfile.mkdtemp()
    stage.cleanups.append(lambda: shutil.rmtree(directory))
    for name in ('second.test',):
        cert, key = world.ca.issue(name)
        shutil.copy(cert, '%s/%s.crt' % (directory, name))
        shutil.copy(key, '%s/%s.key' % (directory, name))
    one = world.server('one.test', dict(world.certified('one.test'), **{'hosts': 'second.test', 'tls.directory': directory,
                                                                       's2s.require_certificate': 'true'}))
    two = world.server('two.test', dict(world.certified('two.test'), **{'s2s.require_certificate': 'true'}))
    world.dns.domain('second.test', one.s2s)
    one.cli('user', 'add', 'sue@second.test', '--password-stdin', text='secret password\n')
    a, b = stage.online(Account('sue', 'second.test', 'secret password'), server=one), stage.online(server=two)
    chat(a, b)
    chat(b, a)


def messages_of_strangers_are_refused_where_the_account_says_so(stage):
    world = World(stage)
    one, two = world.two()
    a, b, c = stage.online(server=one), stage.online(server=two), stage.online(server=two)
    form = a.set('<command xmlns="%s" node="%s" action="execute"/>' % (COMMANDS, STRANGERS))
    a.set('<command xmlns="%s" node="%s" sessionid="%s" action="complete"><x xmlns="%s" type="submit"><field var="FORM_TYPE"><value>%s</value>'
          '</field><field var="messages"><value>refuse</value></field></x></command>'
          % (COMMANDS, STRANGERS, form.find('command')['sessionid'], DATA, STRANGERS))
    b.send('<message to="%s" type="chat" id="m"><body>buy</body></message>' % a.bare)
    equal(b.expect('<message type="error" id="m"/>').error, 'service-unavailable')
    a.expect_nothing('<message id="m"/>')
    chat(a, b)  # whom one writes to may answer
    chat(b, a)
    c.send('<presence to="%s" type="subscribe"/>' % a.bare)
    a.expect('<presence from="%s" type="subscribe"/>' % c.bare)
