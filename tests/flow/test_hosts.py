# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several domains on one server: each has its own accounts, services, rooms, invitations and certificate."""
import pathlib
import signal
import subprocess
import tempfile

from rooms import join
from s2s import World
from test_invitations import COMMANDS, CREATE, INVITE, run_command
from test_upload import UPLOAD, Slot
from web import *

A, B = 'localhost', 'b.example'
TWO = {'hosts': B}


def member(stage, node, domain=B, password='secret password', admin=False):
    """An account NODE@DOMAIN of the dialogue's server."""
    stage.server.cli('user', 'add', '%s@%s' % (node, domain), '--password-stdin', *(['--admin'] if admin else []), text=password + '\n')
    return Account(node, domain, password)


def client(stage, account, transport='tls'):
    c = stage.client(account, transport)
    c.domain = account.domain
    return c


def pair(stage):
    """bob of each host, online."""
    return tuple(client(stage, member(stage, 'bob', d)).online() for d in (A, B))


def names(link):
    """DNS names of the certificate that was presented."""
    der = link.sock.getpeercert(True)
    text = subprocess.run(['openssl', 'x509', '-inform', 'DER', '-noout', '-ext', 'subjectAltName'], input=der, capture_output=True,
                          check=True).stdout.decode()
    return [w.strip().removeprefix('DNS:') for w in text.split('\n', 1)[1].split(',')]


def presented(stage, name):
    link = Link((stage.server.host, stage.server.ports['c2s_tls']))
    link.start_tls(name=name, alpn='xmpp-client')
    out = names(link)
    link.close()
    return out


# ---- streams and accounts

@on_server(TWO)
def to_decides_the_host(stage):
    for domain in (A, B):
        c = stage.client(False).link_up()
        c.open(to=domain)
        equal(c.header['from'], domain)
    c = stage.client(False).link_up()
    c.open(wait=False, to='conference.' + B)
    c.expect_stream_error('host-unknown')


@on_server(TWO)
def the_same_name_is_two_people(stage):
    a, b = pair(stage)
    equal(a.jid.partition('/')[0], 'bob@' + A)
    equal(b.jid.partition('/')[0], 'bob@' + B)
    a.send('<message to="%s" type="chat"><body>hello</body></message>' % b.bare)
    b.expect('<message from="%s"><body>hello</body></message>' % a.jid)
    a.expect_nothing('<message/>', after=(b,))
    a.set('<query xmlns="%s"><item jid="x@%s" name="mine"/></query>' % (ROSTER, A))
    check(b.get('<query xmlns="%s"/>' % ROSTER).find('query/item') is None, 'the roster of the other host')


@on_server(TWO)
def passwords_do_not_open_at_the_other_host(stage):
    member(stage, 'bob', A, 'password of a')
    member(stage, 'bob', B, 'password of b')
    only_a = member(stage, 'alice', A)
    for account, mech in ((Account('bob', B, 'password of a'), 'SCRAM-SHA-256'), (Account('bob', A, 'password of b'), 'PLAIN'),
                          (Account('alice', B, only_a.password), 'SCRAM-SHA-1'), (Account('alice', B, only_a.password), 'PLAIN')):
        equal(client(stage, account).connect().sasl(mech).name, 'failure', '%s with the other password' % account.jid)
    client(stage, Account('bob', B, 'password of b')).online().ping()


@on_server(TWO)
def an_authorization_identity_of_the_other_host_is_refused(stage):
    acc = member(stage, 'bob', B)
    c = client(stage, acc).connect()
    out = c.sasl('PLAIN', authzid='bob@' + A)
    check(out.find('invalid-authzid') is not None, out)


@on_server(TWO)
def nobody_changes_the_host_after_signing_in(stage):
    member(stage, 'bob', A)
    c = client(stage, member(stage, 'bob', B, 'other password')).connect()
    equal(c.sasl().name, 'success')
    c.open(wait=False, to=A)
    c.expect_stream_error('host-unknown')


@on_server(TWO)
@each(['tls', 'starttls', 'ws'])
def every_transport_serves_both_hosts(stage, transport):
    acc = member(stage, 'bob', B)
    c = client(stage, acc, transport).online()
    equal(c.jid.partition('/')[0], acc.jid)
    c.ping()


@on_server(TWO)
def tokens_are_of_one_host(stage):
    member(stage, 'bob', A)
    b = client(stage, member(stage, 'bob', B)).connect()
    out = b.sasl2(inline='<request-token xmlns="%s" mechanism="HT-SHA-256-NONE"/>' % FAST)
    token = out.find('token', FAST)['token']
    again = client(stage, b.account)
    again.user_agent = b.user_agent
    equal(again.connect().sasl2('HT-SHA-256-NONE', token=token).name, 'success')
    other = client(stage, Account('bob', A, ''))
    other.user_agent = b.user_agent
    equal(other.connect().sasl2('HT-SHA-256-NONE', token=token).name, 'failure')


@on_server(TWO)
def a_client_cannot_speak_for_the_other_host(stage):
    a, b = pair(stage)
    a.send('<message to="%s" from="bob@%s"><body>forged</body></message>' % (b.bare, B))
    a.expect_stream_error('invalid-from')
    b.expect_nothing('<message/>')


@on_server(TWO)
def contacts_cross_the_hosts(stage):
    a, b = pair(stage)
    befriend(a, b)
    a.send('<presence><status>here</status></presence>')
    b.expect('<presence from="%s"><status>here</status></presence>' % a.jid)


@on_server(TWO)
def offline_messages_are_stamped_by_the_host(stage):
    a = client(stage, member(stage, 'bob', A)).online()
    acc = member(stage, 'carol', B)
    a.send('<message to="%s" type="chat"><body>later</body></message>' % acc.jid)
    a.settle(acc.jid)
    b = client(stage, acc)
    b.login()
    b.present()
    b.expect('<message><body>later</body><delay xmlns="%s" from="%s"/></message>' % (DELAY, B))


# ---- services

@on_server(TWO)
def discovery_names_the_services_of_its_host(stage):
    a, b = pair(stage)
    for c, domain in ((a, A), (b, B), (a, B)):
        items = [i['jid'] for i in c.get('<query xmlns="%s"/>' % DISCO_ITEMS, domain).all('query/item')]
        check(items and all(i.endswith('.' + domain) for i in items), '%s lists %s' % (domain, items))


@on_server(TWO)
def rooms_of_the_hosts_are_apart(stage):
    a, b = pair(stage)
    ra, rb = 'room@conference.' + A, 'room@conference.' + B
    for c, room in ((a, ra), (b, rb)):
        join(c, room, 'me', codes=(201,))
        c.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), room)
        c.drain()
    a.send('<message to="%s" type="groupchat"><body>for a</body></message>' % ra)
    a.expect('<message from="%s/me"><body>for a</body></message>' % ra)
    b.expect_nothing('<message/>', after=(a,))
    for c, room in ((a, ra), (b, rb)):
        listed = [i['jid'] for i in c.get('<query xmlns="%s"/>' % DISCO_ITEMS, room.partition('@')[2]).all('query/item')]
        equal(listed, [room])
    a.refused('get', '<query xmlns="%s"/>' % MUC_OWNER, 'forbidden', rb)


@on_server(TWO)
def uploads_belong_to_the_host(stage):
    a, b = pair(stage)
    ask = '<request xmlns="%s" filename="x.txt" size="5" content-type="text/plain"/>' % UPLOAD
    a.refused('get', ask, 'forbidden', 'upload.' + B)
    el = b.get(ask, 'upload.' + B)
    check(el.find('slot/put')['url'].startswith('https://%s:' % B), el)
    s = Slot(el)
    equal(fetch(stage, 'PUT', s.put, b'hello', dict(s.headers, **{'Content-Type': 'text/plain'})).status, 201)
    equal(fetch(stage, 'GET', s.get).body, b'hello')


# ---- privileges

@on_server(TWO)
def an_administrator_of_one_host_is_none_of_the_other(stage):
    boss = client(stage, member(stage, 'boss', A, admin=True)).online()
    check('preauth=' in run_command(boss, A, CREATE)['uri'][0], 'no invitation at home')
    boss.refused('set', '<command xmlns="%s" node="%s" action="execute"/>' % (COMMANDS, CREATE), 'forbidden', B)
    same = client(stage, member(stage, 'boss', B)).online()
    same.refused('set', '<command xmlns="%s" node="%s" action="execute"/>' % (COMMANDS, CREATE), 'forbidden', B)


@on_server(TWO)
def invitations_are_of_one_host(stage):
    b = client(stage, member(stage, 'bob', B)).online()
    got = run_command(b, b.bare, INVITE)
    check(got['landing-url'][0].startswith('https://%s:' % B), got)
    token = got['landing-url'][0].rpartition('/')[2]
    new = {'token': token, 'name': 'newcomer', 'password': 'a long password'}
    equal(fetch(stage, 'POST', '/api/v1/register', new).status, 404)
    r = fetch(stage, 'POST', '/api/v1/register', new, {'Host': '%s:8443' % B.upper()})
    equal((r.status, r.json().get('jid')), (201, 'newcomer@' + B))
    client(stage, Account('newcomer', B, 'a long password')).online().ping()
    equal(client(stage, Account('newcomer', A, 'a long password')).connect().sasl().name, 'failure')


@on_server(dict(TWO, **{'registration.open': 'true'}))
def registration_makes_the_account_of_the_stream(stage):
    c = stage.client(False)
    c.domain = B
    c.connect()
    c.set('<query xmlns="jabber:iq:register"><username>fresh</username><password>a long password</password></query>', B)
    acc = Account('fresh', B, 'a long password')
    one = client(stage, acc).online()
    equal(client(stage, Account('fresh', A, 'a long password')).connect().sasl().name, 'failure')
    one.set('<query xmlns="jabber:iq:register"><username>fresh</username><password>another password</password></query>')
    equal(client(stage, acc).connect().sasl().name, 'failure')
    acc.password = 'another password'
    client(stage, acc).online().ping()


@on_server(TWO)
def cancelling_an_account_leaves_its_namesake(stage):
    a, b = pair(stage)
    b.send('<iq type="set" id="x"><query xmlns="jabber:iq:register"><remove/></query></iq>')
    b.expect_stream_error('not-authorized')
    a.ping()
    client(stage, a.account).online().ping()
    equal(client(stage, b.account).connect().sasl().name, 'failure')


# ---- web

@on_server(TWO)
def the_host_field_decides(stage):
    for host, domain in ((A, A), (B, B), (B + ':8443', B), ('elsewhere.example', A), ('[::1]', A)):
        got = fetch(stage, 'GET', '/api/v1/server', headers={'Host': host}).json()
        equal((got['domain'], got['muc']), (domain, 'conference.' + domain), host)
        meta = fetch(stage, 'GET', '/.well-known/host-meta.json', headers={'Host': host}).json()
        check(meta['links'][0]['href'].startswith('wss://%s:' % domain), meta)


@on_server(TWO)
def only_the_main_host_is_set_up_by_link(stage):
    code = re_code(stage.server.greeting)
    check(fetch(stage, 'GET', '/api/v1/server').json()['setup_needed'], 'no set-up wanted')
    check(not fetch(stage, 'GET', '/api/v1/server', headers={'Host': B}).json()['setup_needed'], 'set-up wanted of the other host')
    new = {'code': code, 'name': 'boss', 'password': 'a long password'}
    equal(fetch(stage, 'POST', '/api/v1/setup', new, {'Host': B}).status, 409)
    equal(fetch(stage, 'POST', '/api/v1/setup', new).status, 201)


def re_code(greeting):
    return next(l for l in greeting if l.startswith('setup ')).split('#')[1].split()[0]


# ---- certificates

@on_server(TWO)
def the_name_that_a_client_asks_for_chooses_the_certificate(stage):
    check(A in presented(stage, A), 'main')
    check(A in presented(stage, 'elsewhere.example'), 'fallback')
    check(B in presented(stage, B), 'other host')
    check(B in presented(stage, 'UPLOAD.' + B), 'a service of the other host')


@on_server(TWO)
def starttls_presents_the_certificate_of_the_stream(stage):
    c = stage.client(False, 'starttls')
    c.domain = B
    c.connect()  # asks for the name "localhost"
    check(B in names(c.link), names(c.link))


@on_server(TWO)
@each([(h, b) for h in (A, B) for b in ('tls-server-end-point', 'tls-exporter')])
def channel_binding_is_of_the_certificate_presented(stage, row):
    domain, kind = row
    c = client(stage, member(stage, 'bob', B))
    c.link_up(name=domain)
    c.open()
    equal(c.sasl('SCRAM-SHA-256-PLUS', bind=kind).name, 'success')


def make_cert(path, name, *alt):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
                    '/CN=' + name, '-addext', 'subjectAltName=' + ','.join('DNS:' + n for n in (name,) + alt), '-keyout', path + '.key',
                    '-out', path + '.crt'], check=True, capture_output=True)


def certificates_come_from_a_directory_or_the_main_one(stage):
    with tempfile.TemporaryDirectory() as d:
        make_cert(d + '/main', 'a.example', 'covered.example')
        make_cert(d + '/b.example', 'b.example', 'own.b.example')
        stage.server = stage.own_server({'hosts': 'b.example, covered.example,self.example', 'tls.certificate': d + '/main.crt',
                                         'tls.key': d + '/main.key', 'tls.directory': d}, domain='a.example')
        for name, mark in (('b.example', 'own.b.example'), ('covered.example', 'a.example'), ('self.example', 'upload.self.example'),
                           ('a.example', 'a.example')):
            check(mark in presented(stage, name), '%s got %s' % (name, presented(stage, name)))


IDN, ALABEL = '例子.example', 'xn--fsqu00a.example'


@each([IDN, ALABEL])
def names_in_other_scripts_are_hosts(stage, name):
    stage.server = stage.own_server({'hosts': name})
    acc = member(stage, 'bob', IDN)
    c = client(stage, acc)
    c.link_up(name=ALABEL)
    check(ALABEL in names(c.link), names(c.link))
    c.open()
    equal(c.header['from'], IDN)
    equal(c.sasl('SCRAM-SHA-256-PLUS', bind='tls-server-end-point').name, 'success')
    got = fetch(stage, 'GET', '/api/v1/server', headers={'Host': ALABEL + ':8443'}).json()
    equal(got['domain'], IDN)
    check('bob@' + IDN in stage.server.cli('user', 'list', ALABEL).stdout, 'not listed')


def the_main_domain_may_be_in_another_script(stage):
    stage.server = stage.own_server(domain=IDN)
    check(ALABEL in presented(stage, ALABEL), 'certificate')
    check(any('https://%s:' % ALABEL in line for line in stage.server.greeting), stage.server.greeting)
    client(stage, member(stage, 'bob', IDN)).online().ping()


# ---- the operator

@on_server(TWO)
def the_command_line_names_hosts(stage):
    cli = stage.server.cli
    member(stage, 'zoe', A)
    member(stage, 'yan', B)
    check('created x@' + B in cli('user', 'add', 'x@' + B.upper(), '--password-stdin', text='secret password\n').stdout, 'answer')
    listed = lambda *host: [l.split('\t')[0] for l in cli('user', 'list', *host).stdout.split('\n') if l]
    equal(listed(B), ['x@' + B, 'yan@' + B])
    equal(listed(), ['zoe@' + A])
    check('//%s:' % B in cli('invite', B).stdout, 'invitation')
    check('hosts: %s, %s\n' % (A, B) in cli('status').stdout and '"%s"' % B in cli('status', '--json').stdout, cli('status').stdout)
    for words in (('user', 'list', 'c.example'), ('invite', 'c.example'), ('user', 'delete', 'zoe@' + B)):
        check(cli(*words, check=False).returncode == 1, words)
    check(cli('user', 'add', 'x@c.example', '--password-stdin', text='secret password\n', check=False).returncode == 1, 'unknown host')
    yan = client(stage, Account('yan', B, 'secret password')).online()
    cli('user', 'passwd', 'yan@' + B, '--password-stdin', text='new password\n')
    equal(client(stage, yan.account).connect().sasl().name, 'failure')
    cli('user', 'delete', 'yan@' + B)
    yan.expect_stream_error('not-authorized')
    equal(listed(B), ['x@' + B])


@on_server(TWO)
def a_directory_at_rest_knows_its_hosts(stage):
    stage.server.end()
    acc = member(stage, 'rested', B)
    stage.server.start()
    client(stage, acc).online().ping()


@on_server(TWO)
def a_further_host_cannot_become_the_main_one(stage):
    stage.server.end()
    done = stage.server.cli('user', 'add', 'x', '--domain', B, '--password-stdin', text='secret password\n', check=False)
    check(done.returncode == 1 and 'further domains' in done.stderr, done.stderr)
    stage.server.start()


def sighup_adds_a_host(stage):
    with tempfile.TemporaryDirectory() as d:
        path = d + '/anser.yaml'
        pathlib.Path(path).write_text('hosts: b.example\n')
        stage.server = stage.own_server(args=['--config', path])
        a = stage.client(stage.server.account()).online()
        check(stage.server.cli('user', 'add', 'x@c.example', '--password-stdin', text='secret password\n', check=False).returncode, 'early')
        pathlib.Path(path).write_text('hosts: b.example,c.example\n')
        stage.server.proc.send_signal(signal.SIGHUP)
        for _ in range(200):
            a.ping()
            if fetch(stage, 'GET', '/api/v1/server', headers={'Host': 'c.example'}).json()['domain'] == 'c.example':
                break
        else:
            raise Failed('the new host is not served')
        c = client(stage, member(stage, 'x', 'c.example')).online()
        a.send('<message to="%s"><body>welcome</body></message>' % c.jid)
        c.expect('<message from="%s"><body>welcome</body></message>' % a.jid)
        check('c.example' in presented(stage, 'c.example'), 'certificate')


@each(['localhost', 'b.example,b.example', 'a b', 'x@y', 'conference.localhost', 'b.example,upload.b.example', ',',
       ','.join('h%d.example' % i for i in range(100))], name=lambda row: row[:30])
def bad_lists_stop_the_start(stage, row):
    done = stage.server.cli('config', '--check', '--set', 'hosts=' + row, data=False, check=False)
    check(done.returncode == 1 and 'hosts' in done.stderr, done.stderr)


@on_server(TWO)
def an_administrator_rules_no_archives_of_the_other_host(stage):
    boss = client(stage, member(stage, 'boss', B, admin=True)).online()
    other = member(stage, 'bob', A)
    nodes = boss.get('<query xmlns="%s" node="%s"/>' % (DISCO_ITEMS, COMMANDS), B).all('query/item')
    keep = [n['node'] for n in nodes if n['name'] == 'How long to keep messages']
    equal(len(keep), 1, 'commands about archives')
    for jid, kind in ((other.jid, 'error'), ('room@conference.' + A, 'error'), (boss.bare, 'result'), ('room@conference.' + B, 'result')):
        x = form('', {'jid': jid, 'days': '1'}).replace('<field var="FORM_TYPE" type="hidden"><value></value></field>', '')
        answer = boss.iq('set', '<command xmlns="%s" node="%s" action="execute"/>' % (COMMANDS, keep[0]), B)
        session = answer.find('command')['sessionid'] or ''
        got = boss.iq('set', '<command xmlns="%s" node="%s" sessionid="%s" action="complete">%s</command>' % (COMMANDS, keep[0], session, x), B)
        equal(got['type'], kind, jid)


@each(['dialback', 'certificates'])
def further_hosts_speak_to_other_servers(stage, row):
    world = World(stage)
    one, two = [{}, {}] if row == 'dialback' else [world.certified('one.test', 'b.test', 'conference.b.test'), world.certified('two.test')]
    stage.server = world.server('one.test', dict(one, hosts='b.test'))
    for name in ('b.test', 'conference.b.test'):
        world.dns.domain(name, stage.server.s2s, None)
    far = world.server('two.test', two)
    bob = client(stage, member(stage, 'bob', 'b.test')).online()
    eve = stage.client(far.add('eve'), server=far).online()
    for a, b in ((bob, eve), (eve, bob)):
        a.send('<message to="%s" type="chat"><body>across</body></message>' % b.jid)
        b.expect('<message from="%s"><body>across</body></message>' % a.jid)
    room = 'room@conference.b.test'
    join(bob, room, 'bob', codes=(201,))
    bob.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), room)
    join(eve, room, 'eve')
    bob.expect('<presence from="%s/eve" type="!"/>' % room)
