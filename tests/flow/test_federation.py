# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two servers: RFC 6120 and 6121 between domains, XEP-0220, 0178, 0288, 0368, 0198."""
from lib import *
from s2s import *


def two_servers_talk_after_dialback_over_starttls(stage):
    world = World(stage)
    one, two = world.two({'s2s.bidi': 'false'})
    a, b = stage.online(server=one), stage.online(server=two)
    chat(a, b, 'there')
    chat(b, a, 'back')
    check('by=dialback tls=TLSv1.3' in one.log_text(), one.log_text())


@each([('dialback', False, False, False), ('certificates', True, False, False), ('bidi', False, True, False), ('bidi, certificates', True, True, False),
       ('direct TLS', True, True, True), ('direct TLS, dialback', False, False, True)], name=lambda r: r[0])
def chat_presence_and_iq_work_both_ways(stage, row):
    label, certified, bidi, direct = row
    world = World(stage)
    sets = {'s2s.bidi': 'true' if bidi else 'false'}
    one, two = [world.server(d, dict(sets, **(world.certified(d, 'conference.' + d) if certified else {})), direct=direct)
                for d in ('one.test', 'two.test')]
    if certified:
        world.require = True
    a, b = stage.online(server=one), stage.online(server=two)
    chat(a, b)
    chat(b, a)
    befriend(a, b)
    a.send('<presence><status>here</status></presence>')
    b.expect('<presence from="%s"><status>here</status></presence>' % a.jid)
    equal(a.get('<query xmlns="%s"/>' % DISCO_INFO, two.domain)['type'], 'result')
    b.close()
    a.expect('<presence from="%s" type="unavailable"/>' % b.jid)
    check(('by=certificate' in one.log_text()) == certified, one.log_text())


def a_server_without_a_trusted_certificate_is_refused_where_one_is_required(stage):
    world = World(stage)
    one = world.server('one.test', dict(world.certified('one.test'), **{'s2s.require_certificate': 'true'}))
    two = world.server('two.test')
    a, b = stage.online(server=one), stage.online(server=two)
    a.send('<message to="%s" type="chat" id="m"><body>x</body></message>' % b.jid)
    equal(a.expect('<message type="error" id="m"/>').error, 'remote-server-timeout')
    b.send('<message to="%s" type="chat" id="n"><body>x</body></message>' % a.jid)
    equal(b.expect('<message type="error" id="n"/>').error, 'remote-server-timeout')


@each([('other', {'san': 'DNS:other.test'}), ('expired', {'days': -1}), ('wildcard of the wrong depth', {'san': 'DNS:*.two.test'}),
       ('common name only', {'san': 'email:x@two.test'})], name=lambda r: r[0])
def certificates_that_do_not_prove_the_domain_are_refused(stage, row):
    world = World(stage)
    one = world.server('one.test', dict(world.certified('one.test'), **{'s2s.require_certificate': 'true'}))
    two = world.server('two.test', world.certified('two.test', **row[1]))
    a, b = stage.online(server=one), stage.online(server=two)
    a.send('<message to="%s" type="chat" id="m"><body>x</body></message>' % b.jid)
    equal(a.expect('<message type="error" id="m"/>').error, 'remote-server-timeout')
    b.send('<message to="%s" type="chat" id="n"><body>x</body></message>' % a.jid)
    equal(b.expect('<message type="error" id="n"/>').error, 'remote-server-timeout')


@each([('SRVName', 'otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_xmpp-server.two.test'), ('xmppAddr', 'otherName:1.3.6.1.5.5.7.8.5;UTF8:two.test'),
       ('wildcard', 'DNS:*.two.test', 'im.two.test')], name=lambda r: r[0])
def certificates_prove_the_domain_by_each_kind_of_name(stage, row):
    world = World(stage)
    one = world.server('one.test', dict(world.certified('one.test'), **{'s2s.require_certificate': 'true'}))
    two = world.server(row[2] if len(row) > 2 else 'two.test', world.certified('two.test', san=row[1]))
    a, b = stage.online(server=one), stage.online(server=two)
    chat(a, b)
    chat(b, a)


def unknown_domains_are_answered_at_once(stage):
    world = World(stage)
    one = world.server('one.test')
    a = stage.online(server=one)
    for kind, el in (('message', '<message to="x@nowhere.test" type="chat" id="m"><body>x</body></message>'),
                     ('iq', '<iq to="nowhere.test" type="get" id="m"><ping xmlns="urn:xmpp:ping"/></iq>'),
                     ('presence', '<presence to="room@nowhere.test/nick" id="m"/>')):
        a.send(el)
        equal(a.expect('<%s type="error" id="m"/>' % kind).error, 'remote-server-not-found')


def denied_domains_are_not_reached_and_do_not_reach_us(stage):
    world = World(stage)
    one = world.server('one.test', {'s2s.deny': 'bad.test two.test'})
    two = world.server('two.test')
    a, b = stage.online(server=one), stage.online(server=two)
    a.send('<message to="%s" type="chat" id="m"><body>x</body></message>' % b.jid)
    equal(a.expect('<message type="error" id="m"/>').error, 'not-allowed')
    b.send('<message to="%s" type="chat" id="m"><body>x</body></message>' % a.jid)
    b.send('<iq to="one.test" type="get" id="q"><ping xmlns="urn:xmpp:ping"/></iq>')
    equal(b.expect('<iq type="error" id="q"/>').error, 'remote-server-timeout')


def only_allowed_domains_are_reached(stage):
    world = World(stage)
    one = world.server('one.test', {'s2s.allow': 'two.test *.friends.test'})
    two, three = world.server('two.test'), world.server('three.friends.test')
    a, b, c = stage.online(server=one), stage.online(server=two), stage.online(server=three)
    chat(a, b)
    chat(a, c)
    a.send('<message to="x@four.test" type="chat" id="m"><body>x</body></message>')
    equal(a.expect('<message type="error" id="m"/>').error, 'not-allowed')


def a_room_has_occupants_of_other_domains(stage):
    world = World(stage)
    one, two = world.two()
    a, b = stage.online(server=one), stage.online(server=two)
    room = 'talk@conference.one.test'
    a.send('<presence to="%s/anne"><x xmlns="%s"/></presence>' % (room, MUC))
    a.expect('<presence from="%s/anne"/>' % room)
    a.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), room)
    b.send('<presence to="%s/bert"><x xmlns="%s"/></presence>' % (room, MUC))
    b.expect('<presence from="%s/bert"/>' % room)
    a.expect('<presence from="%s/bert"/>' % room)
    b.send('<message to="%s" type="groupchat" id="g1"><body>from afar</body></message>' % room)
    for c in (a, b):
        c.expect('<message from="%s/bert" type="groupchat" id="g1"><body>from afar</body></message>' % room)
    a.send('<message to="%s" type="groupchat" id="g2"><body>from here</body></message>' % room)
    b.expect('<message from="%s/anne" id="g2"><body>from here</body></message>' % room)


def occupants_whose_server_is_gone_leave_the_room(stage):
    world = World(stage)
    one, two = world.two({'s2s.connect_timeout': '2s'})
    a, b = stage.online(server=one), stage.online(server=two)
    room = 'talk@conference.one.test'
    a.send('<presence to="%s/anne"><x xmlns="%s"/></presence>' % (room, MUC))
    a.expect('<presence from="%s/anne"/>' % room)
    a.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), room)
    b.send('<presence to="%s/bert"><x xmlns="%s"/></presence>' % (room, MUC))
    a.expect('<presence from="%s/bert"/>' % room)
    two.kill()
    a.send('<message to="%s" type="groupchat" id="g"><body>anybody?</body></message>' % room)
    a.expect('<presence from="%s/bert" type="unavailable"/>' % room, timeout=15)
    two.start()
