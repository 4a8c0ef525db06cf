# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0356 0.4.1: what a component may do with the accounts of its host, and where that ends."""
import subprocess

from components import *

TUNE = 'http://jabber.org/protocol/tune'


def granted(stage, words, **kw):
    house(stage, privileges=words, **kw)
    return component(stage)


def perms(c):
    """{access: element} of the rights that it was told."""
    m = c.expect('<message from="localhost" to="%s"><privilege xmlns="%s"/></message>' % (NAME, PRIVILEGE))
    return {p['access']: p for p in m.all('privilege/perm')}


def outer(inner, qid='out', to='localhost'):
    return '<message from="%s" to="%s" id="%s"><privilege xmlns="%s"><forwarded xmlns="%s">%s</forwarded></privilege></message>' % (
        NAME, to, qid, PRIVILEGE, FORWARD, inner)


def message(sender, to, inner='<body>in your name</body>', ns=CLIENT):
    attrs = ''.join(' %s="%s"' % kv for kv in (('from', sender), ('to', to)) if kv[1])
    return '<message xmlns="%s" type="chat"%s>%s</message>' % (ns, attrs, inner)


# ---- advertising

def rights_are_told_at_once(stage):
    c = granted(stage, 'roster=both push=false message=outgoing presence=roster iq=urn:xmpp:ping:get iq=%s:both' % TUNE)
    p = perms(c)
    equal((p['roster']['type'], p['roster']['push']), ('both', 'false'))
    equal(p['message']['type'], 'outgoing')
    equal(p['presence']['type'], 'roster')
    equal({n['ns']: n['type'] for n in p['iq'].all('namespace')}, {'urn:xmpp:ping': 'get', TUNE: 'both'})


def only_what_was_given_is_told(stage):
    p = perms(granted(stage, 'roster=get'))
    equal(sorted(p), ['roster'])
    equal((p['roster']['type'], p['roster']['push']), ('get', 'true'))


# ---- roster

def the_roster_is_read_and_changed(stage):
    c = granted(stage, 'roster=both')
    perms(c)
    a, b = stage.friends()
    answer = c.ask('get', '<query xmlns="%s"/>' % ROSTER, a.bare)
    equal([i['jid'] for i in answer.all('query/item')], [b.bare])
    a.get('<query xmlns="%s"/>' % ROSTER)
    answer = c.ask('set', '<query xmlns="%s"><item jid="new@elsewhere.example" name="New"><group>G</group></item></query>' % ROSTER, a.bare)
    equal(answer['type'], 'result')
    a.expect('<iq type="set"><query xmlns="%s"><item jid="new@elsewhere.example" name="New"><group>G</group></item></query></iq>' % ROSTER)
    check(any(i['jid'] == 'new@elsewhere.example' for i in a.get('<query xmlns="%s"/>' % ROSTER).all('query/item')), 'not there')


@each([('get', 'set'), ('set', 'get')])
def one_way_is_not_the_other(stage, row):
    given, tried = row
    c = granted(stage, 'roster=' + given)
    perms(c)
    a = stage.online()
    c.denied(tried, '<query xmlns="%s"><item jid="x@y.example"/></query>' % ROSTER, 'forbidden', a.bare)


def changes_are_pushed(stage):
    c = granted(stage, 'roster=get')
    perms(c)
    a = stage.online()
    a.set('<query xmlns="%s"><item jid="x@y.example" name="X"/></query>' % ROSTER)
    p = c.expect('<iq type="set" from="%s" to="%s"><query xmlns="%s"><item jid="x@y.example" name="X"/></query></iq>' % (a.bare, NAME, ROSTER))
    c.answer(p)
    a.set('<query xmlns="%s"><item jid="x@y.example" subscription="remove"/></query>' % ROSTER)
    c.expect('<iq type="set" from="%s"><query xmlns="%s"><item jid="x@y.example" subscription="remove"/></query></iq>' % (a.bare, ROSTER))
    a.ping()


@each(['roster=get push=false', 'roster=set', 'message=outgoing'])
def no_pushes_without_the_right(stage, words):
    c = granted(stage, words)
    a = stage.online()
    a.set('<query xmlns="%s"><item jid="x@y.example" name="X"/></query>' % ROSTER)
    c.expect_nothing('<iq type="set"/>', after=(a,))


def accounts_that_are_not_there_have_no_roster(stage):
    c = granted(stage, 'roster=both')
    perms(c)
    c.denied('get', '<query xmlns="%s"/>' % ROSTER, 'service-unavailable', 'nobody@localhost')


def users_of_the_component_have_no_rights(stage):
    """The right is the component's own address's."""
    c = granted(stage, 'roster=both')
    a = stage.online()
    answer = c.ask('get', '<query xmlns="%s"/>' % ROSTER, a.bare, 'bot@' + NAME)
    equal(answer.error, 'forbidden')


# ---- messages

def a_message_goes_out_in_the_name_of_an_account(stage):
    c = granted(stage, 'message=outgoing')
    perms(c)
    a, b = stage.online(), stage.online()
    c.send(outer(message(a.bare, b.bare)))
    b.expect('<message from="%s" type="chat"><body>in your name</body></message>' % a.bare)
    c.send(outer(message('localhost', b.jid)))
    b.expect('<message from="localhost" to="%s"><body>in your name</body></message>' % b.jid)


@each([('full', 'forbidden'), ('elsewhere', 'forbidden'), ('component', 'forbidden'), ('service', 'forbidden'), ('none', 'forbidden'),
       ('malformed', 'forbidden'), ('no recipient', 'bad-request'), ('bad recipient', 'jid-malformed'), ('empty', 'bad-request'),
       ('not a message', 'bad-request')])
def bad_messages_are_refused(stage, row):
    what, condition = row
    c = granted(stage, 'message=outgoing')
    perms(c)
    a = stage.online()
    inner = {'full': message(a.jid, a.bare), 'elsewhere': message('x@elsewhere.example', a.bare), 'component': message(NAME, a.bare),
             'service': message('room@conference.localhost', a.bare), 'none': message(None, a.bare), 'malformed': message('a@b@c', a.bare),
             'no recipient': message(a.bare, None), 'bad recipient': message(a.bare, 'a@b@c'), 'empty': '',
             'not a message': '<presence xmlns="%s" from="%s" to="%s"/>' % (CLIENT, a.bare, a.bare)}[what]
    c.send(outer(inner))
    equal(c.expect('<message type="error" id="out" from="localhost"/>').error, condition)
    a.expect_nothing('<message/>')


def what_only_a_server_says_is_taken_out(stage):
    """Carbons and archive ids come from the own bare JID: they would be believed."""
    c = granted(stage, 'message=outgoing')
    perms(c)
    a = stage.online()
    carbon = '<received xmlns="%s"><forwarded xmlns="%s">%s</forwarded></received>' % (CARBONS, FORWARD, message('x@elsewhere.example', a.bare, '<body>forged</body>'))
    c.send(outer(message(a.bare, a.bare, '<body>mine</body>%s<stanza-id xmlns="%s" by="%s" id="forged"/>' % (carbon, SID, a.bare))))
    m = a.expect('<message from="%s"><body>mine</body></message>' % a.bare)
    check(m.find('received', CARBONS) is None and all(s['id'] != 'forged' for s in m.all('stanza-id', SID)), m)


def who_blocks_the_account_gets_nothing(stage):
    c = granted(stage, 'message=outgoing')
    perms(c)
    a, b = stage.online(), stage.online()
    b.set('<block xmlns="%s"><item jid="%s"/></block>' % (BLOCKING, a.bare))
    c.send(outer(message(a.bare, b.bare)))
    b.expect_nothing('<message/>', after=(c,))


# ---- requests

def privileged(kind, payload, to=None, sender=None, ns=CLIENT, qid='inner', inner_kind=None):
    attrs = ''.join(' %s="%s"' % kv for kv in (('to', to), ('from', sender), ('id', qid)) if kv[1])
    return '<privileged_iq xmlns="%s"><iq xmlns="%s" type="%s"%s>%s</iq></privileged_iq>' % (PRIVILEGE, ns, inner_kind or kind, attrs, payload)


def a_request_goes_out_in_the_name_of_an_account(stage):
    c = granted(stage, 'iq=urn:xmpp:ping:get')
    perms(c)
    a, b = stage.online(), stage.online()
    qid = c.new_id()
    c.send('<iq type="get" id="%s" from="%s" to="%s">%s</iq>' % (qid, NAME, a.bare, privileged('get', PING, b.jid)))
    q = b.expect('<iq type="get" from="%s" to="%s">%s</iq>' % (a.bare, b.jid, PING))
    b.send('<iq type="result" id="%s" to="%s"/>' % (q['id'], q['from']))
    c.expect('<iq type="result" id="%s" from="%s"><privilege xmlns="%s"><forwarded xmlns="%s"><iq xmlns="%s" type="result" id="inner" from="%s" to="%s"/>'
             '</forwarded></privilege></iq>' % (qid, a.bare, PRIVILEGE, FORWARD, CLIENT, b.jid, a.bare))


def errors_come_back_too(stage):
    c = granted(stage, 'iq=urn:test:get')
    perms(c)
    a = stage.online()
    answer = c.ask('get', privileged('get', '<x xmlns="urn:test"/>', 'localhost', a.bare), a.bare)
    inner = answer.find('privilege/forwarded/iq')
    equal((answer['type'], inner['type'], inner['id'], inner.error), ('result', 'error', 'inner', 'service-unavailable'))


def an_account_that_is_away_can_be_spoken_for(stage):
    c = granted(stage, 'iq=urn:xmpp:ping:get')
    perms(c)
    acc = stage.account()
    answer = c.ask('get', privileged('get', PING, 'localhost'), acc.jid)
    equal(answer.find('privilege/forwarded/iq')['type'], 'result')


@each(['namespace', 'type', 'types differ', 'sender', 'content namespace', 'domain', 'full', 'no payload', 'two payloads'])
def requests_outside_the_right_are_forbidden(stage, what):
    c = granted(stage, 'iq=urn:xmpp:ping:get iq=urn:none:none')
    perms(c)
    a, b = stage.online(), stage.online()
    kind, payload, to = {
        'namespace': ('get', privileged('get', '<vCard xmlns="vcard-temp"/>', 'localhost'), a.bare),
        'type': ('set', privileged('set', PING, 'localhost'), a.bare),
        'types differ': ('set', privileged('set', PING, 'localhost', inner_kind='get'), a.bare),
        'sender': ('get', privileged('get', PING, 'localhost', b.bare), a.bare),
        'content namespace': ('get', privileged('get', PING, 'localhost', ns='jabber:server'), a.bare),
        'domain': ('get', privileged('get', PING, 'localhost'), 'localhost'),
        'full': ('get', privileged('get', PING, 'localhost'), a.jid),
        'no payload': ('get', privileged('get', '', 'localhost'), a.bare),
        'two payloads': ('get', privileged('get', PING + PING, 'localhost'), a.bare)}[what]
    c.denied(kind, payload, 'forbidden', to)


def the_answer_must_come_from_whom_was_asked(stage):
    c = granted(stage, 'iq=urn:xmpp:ping:get')
    perms(c)
    a, b, d = stage.online(), stage.online(), stage.online()
    qid = c.new_id()
    c.send('<iq type="get" id="%s" from="%s" to="%s">%s</iq>' % (qid, NAME, a.bare, privileged('get', PING, b.jid)))
    q = b.expect('<iq type="get">%s</iq>' % PING)
    d.send('<iq type="result" id="%s" to="%s"><forged xmlns="urn:x"/></iq>' % (q['id'], a.bare))
    d.ping()
    b.send('<iq type="result" id="%s" to="%s"/>' % (q['id'], q['from']))
    got = c.expect('<iq type="result" id="%s"/>' % qid)
    check(not got.all('privilege/forwarded/iq/forged'), 'somebody else answered')


# ---- presence

def presence_of_accounts_is_told(stage):
    early = stage
    c = granted(stage, 'presence=managed_entity')
    equal(perms(c)['presence']['type'], 'managed_entity')
    a = early.online()
    c.expect('<presence from="%s" to="%s" type="!"/>' % (a.jid, NAME))
    a.send('<presence><show>away</show></presence>')
    c.expect_nothing('<presence><show>away</show></presence>', after=(a,))
    a.send('<presence type="unavailable"/>')
    c.expect('<presence from="%s" type="unavailable"/>' % a.jid)


def who_is_there_already_is_told_once(stage):
    house(stage, privileges='roster=get presence=roster')
    a, b = stage.friends()
    a.send('<presence><status>hi</status></presence>')
    b.expect('<presence from="%s"><status>hi</status></presence>' % a.jid)
    c = component(stage)
    perms(c)
    c.expect('<presence from="%s" type="!"><status>hi</status></presence>' % a.jid)
    c.expect('<presence from="%s" type="!"/>' % b.jid)
    c.expect_nothing('<presence/>', after=(a, b))


def everybody_of_many_is_told(stage):
    house(stage, privileges='presence=managed_entity')
    there = set()
    for account in stage.server.add_many('crowd', 4):
        for i in range(60):
            there.add(stage.client(account).online('r%d' % i).jid)
    c = component(stage)
    perms(c)
    while there:
        there.remove(c.expect('<presence from="*" type="!"/>')['from'])
    c.expect_nothing('<presence/>')


def the_end_of_a_contact_is_told_once(stage):
    house(stage, privileges='roster=get presence=roster')
    a, b, d = stage.friends(3)
    c = component(stage)
    perms(c)
    c.ping()
    c.drain(after=(a, b, d))
    a.send('<presence type="unavailable"/>')
    for x in (b, d):
        x.expect('<presence from="%s" type="unavailable"/>' % a.jid)
    c.expect('<presence from="%s" type="unavailable"/>' % a.jid)
    c.expect_nothing('<presence type="unavailable"/>', after=(a, b, d))


def accounts_hear_nothing_of_it(stage):
    """Transparent: a component that goes, or has gone, leaves no trace with those whose presence it gets."""
    c = granted(stage, 'roster=both presence=roster')
    perms(c)
    a = stage.online()
    c.expect('<presence from="%s"/>' % a.jid)
    c.leave()
    a.send('<presence><show>away</show></presence>')
    a.expect('<presence from="%s"><show>away</show></presence>' % a.jid)
    b = stage.again(a)
    a.expect('<presence from="%s"/>' % b.jid)
    a.set('<query xmlns="%s"><item jid="x@y.example"/></query>' % ROSTER)
    b.drop()
    a.expect('<presence from="%s" type="unavailable"/>' % b.jid)
    a.drain()
    a.expect_nothing()


def presence_of_contacts_is_told_once(stage):
    house(stage, privileges='roster=get presence=roster')
    a, b, d = stage.friends(3)
    c = component(stage)
    perms(c)
    c.ping()
    c.drain(after=(a, b, d))
    a.send('<presence><status>one</status></presence>')
    for x in (b, d):
        x.expect('<presence from="%s"><status>one</status></presence>' % a.jid)
    c.expect('<presence from="%s" to="%s"><status>one</status></presence>' % (a.jid, NAME))
    c.expect_nothing('<presence><status>one</status></presence>', after=(a, b, d))


def presence_from_outside_is_told(stage):
    """A contact of another component stands for one of another server."""
    house(stage, privileges='roster=get presence=roster', more='out.localhost secret12')
    c = component(stage)
    perms(c)
    a = stage.online()
    o = component(stage, 'out.localhost', 'secret12')
    o.send('<presence from="pal@out.localhost/x" to="%s"><status>out</status></presence>' % a.bare)
    c.expect('<presence from="pal@out.localhost/x" to="%s"><status>out</status></presence>' % NAME)


def no_presence_without_the_right(stage):
    c = granted(stage, 'roster=both message=outgoing')
    perms(c)
    a = stage.online()
    a.send('<presence type="unavailable"/>')
    c.expect_nothing('<presence/>', after=(a,))


# ---- hosts

def rights_end_at_the_host(stage):
    """pubsub of b.example has nothing to say about the accounts of the main host, nor hears of them."""
    name = 'svc.b.example'
    house(stage, name=name, privileges='roster=both message=outgoing presence=roster iq=urn:xmpp:ping:get', sets={'hosts': 'b.example'})
    c = component(stage, name)
    c.expect('<message from="b.example"><privilege xmlns="%s"/></message>' % PRIVILEGE)
    a = stage.online()
    c.denied('get', '<query xmlns="%s"/>' % ROSTER, 'forbidden', a.bare)
    c.denied('get', privileged('get', PING, 'b.example'), 'forbidden', a.bare)
    for host in ('localhost', 'b.example'):
        c.send(outer(message(a.bare, a.bare), 'm-' + host, host).replace('from="%s"' % NAME, 'from="%s"' % name, 1))
        equal(c.expect('<message type="error" id="m-%s"/>' % host).error, 'forbidden')
    a.set('<query xmlns="%s"><item jid="x@y.example"/></query>' % ROSTER)
    a.expect_nothing('<message/>', after=(c,))
    check(not [e for e in c.queue if e.name == 'presence' or e['type'] == 'set'], c.queue)
    listed = lambda host: [i['jid'] for i in a.get('<query xmlns="%s"/>' % DISCO_ITEMS, host).all('query/item')]
    check(name in listed('b.example') and name not in listed('localhost'), 'listed at the wrong host')
    stage.server.cli('user', 'add', 'bob@b.example', '--password-stdin', text='secret password\n')
    equal(c.ask('get', '<query xmlns="%s"/>' % ROSTER, 'bob@b.example')['type'], 'result')


# ---- somebody else's library

SLIXMPP = '''
import asyncio, sys
import slixmpp

class Bot(slixmpp.ComponentXMPP):
    def __init__(self, name, secret, port):
        super().__init__(name, secret, 'localhost', port)
        self.register_plugin('xep_0356')
        self.add_event_handler('privileges_advertised', self.granted)
        self.add_event_handler('message', self.work)

    def granted(self, _):
        print('granted', self['xep_0356'].granted_privileges['roster'], flush=True)

    async def work(self, m):
        if m['type'] != 'chat':
            return
        p = self['xep_0356']
        got = await p.get_roster(m['from'].bare)
        await p.set_roster(m['from'].bare, {'new@elsewhere.example': {'name': 'New', 'subscription': 'none', 'groups': []}})
        out = slixmpp.Message()
        out['from'], out['to'], out['body'] = m['from'].bare, m['from'], ' '.join(sorted(str(j) for j in got['roster']['items']))
        p.send_privileged_message(out)

c = Bot(sys.argv[1], sys.argv[2], int(sys.argv[3]))
c.connect()
c.process()
'''


def slixmpp_uses_its_rights(stage):
    house(stage, privileges='roster=both message=outgoing')
    a, b = stage.friends()
    proc = subprocess.Popen(['/usr/bin/python3', '-c', SLIXMPP, NAME, SECRET, str(stage.server.ports['component'])], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    stage.cleanups.append(lambda: (proc.kill(), proc.wait(), proc.stdout.close()))
    equal(proc.stdout.readline().strip(), 'granted both')
    a.send('<message to="bot@%s" type="chat"><body>go</body></message>' % NAME)
    a.expect('<iq type="set"><query xmlns="%s"><item jid="new@elsewhere.example" name="New"/></query></iq>' % ROSTER)
    a.expect('<message from="%s"><body>%s</body></message>' % (a.bare, b.bare))


slixmpp_uses_its_rights.seconds = 60
