# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other servers that lie, forge, flood and sleep (RFC 6120 §4.9, §13; XEP-0220 §4; XEP-0178)."""
import re

from lib import *
from s2s import *


def hostile_world(stage, sets=None, **oracle):
    world = World(stage)
    one = world.server('one.test', sets)
    return world, one, Oracle(world, **oracle)


def a_domain_that_its_own_server_confirms_may_speak_and_nobody_else(stage):
    world, one, oracle = hostile_world(stage)
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='valid')
    p.raw('<message from="eve@evil.test/x" to="%s" type="chat" id="ok"><body>hello</body></message>' % a.bare)
    a.expect('<message from="eve@evil.test/x" id="ok"><body>hello</body></message>')
    for i, sender in enumerate(('bob@good.test', a.jid, 'one.test', 'eve@sub.evil.test')):
        p = Other(stage, one).secure()
        p.result()
        p.answer(type='valid')
        p.raw('<message from="%s" to="%s" type="chat" id="forged"><body>%d</body></message>' % (sender, a.bare, i))
        p.expect_stream_error('invalid-from')
    a.expect_nothing('<message id="forged"/>')


def a_key_that_the_domain_denies_is_refused(stage):
    world, one, oracle = hostile_world(stage, reply=Oracle.say('invalid'))
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='invalid')
    p.expect_close()


def stanzas_before_anything_is_proved_are_refused(stage):
    world, one, oracle = hostile_world(stage, reply=lambda *_: None)
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.result()  # no answer yet
    p.raw('<message from="eve@evil.test" to="%s" type="chat" id="early"><body>x</body></message>' % a.bare)
    p.expect_stream_error('not-authorized')
    a.expect_nothing('<message id="early"/>')


@each([('result', "<db:result from='{other}' to='one.test' type='valid'/>"),
       ('result of ourselves', "<db:result from='one.test' to='{other}' type='valid'/>"),
       ('verify', "<db:verify from='{other}' to='one.test' id='x' type='valid'/>")], name=lambda r: r[0])
def answers_that_nobody_asked_for_change_nothing(stage, row):
    world, one, oracle = hostile_world(stage)
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.raw(row[1].format(other='evil.test'))
    p.raw('<message from="eve@evil.test" to="%s" type="chat" id="early"><body>x</body></message>' % a.bare)
    p.expect_stream_error('not-authorized')
    a.expect_nothing('<message id="early"/>')


def answers_with_another_id_or_name_are_not_taken(stage):
    def wrong(el, attrs):
        return ''.join("<db:verify from='%s' to='%s' id='%s' type='valid'/>" % row for row in (
            (attrs['to'], attrs['from'], attrs['id'] + 'x'), ('good.test', attrs['from'], attrs['id']), (attrs['to'], 'two.test', attrs['id']))) + \
            Oracle.say('invalid')(el, attrs)
    world, one, oracle = hostile_world(stage, reply=wrong)
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='invalid')


def keys_of_one_stream_are_worth_nothing_on_another(stage):
    """The receiving server's key is for one stream id: shown again with another, it is invalid."""
    world = World(stage)
    one = world.server('one.test')
    oracle = Oracle(world, 'evil.test')
    a = stage.online(server=one)
    a.send('<message to="x@evil.test" type="chat"><body>x</body></message>')
    key = oracle.key()
    p = Other(stage, one).secure()
    p.raw("<db:verify from='evil.test' to='one.test' id='another'>%s</db:verify>" % key)
    p.answer('verify', type='invalid', id='another')
    p.raw("<db:verify from='third.test' to='one.test' id='another'>%s</db:verify>" % key)
    p.answer('verify', type='invalid', id='another')


def local_domains_cannot_be_claimed(stage):
    world, one, oracle = hostile_world(stage)
    p = Other(stage, one, 'one.test').link_up()
    p.open(wait=False)
    p.expect_stream_error('invalid-from')
    p = Other(stage, one).secure()
    for name in ('one.test', 'conference.one.test', 'upload.one.test'):
        p.result(sender=name)
        equal(p.answer(type='error', to=name).find('error').kids[0].name, 'not-allowed')


def requests_for_unknown_targets_get_a_dialback_error_and_the_stream_goes_on(stage):
    world, one, oracle = hostile_world(stage)
    p = Other(stage, one).secure()
    p.result(to='nobody.test')
    equal(p.answer(type='error').find('error').kids[0].name, 'item-not-found')
    p.raw("<db:verify from='evil.test' to='nobody.test' id='i'>k</db:verify>")
    equal(p.answer('verify', type='error').find('error').kids[0].name, 'item-not-found')
    p.result()
    p.answer(type='valid')


def a_domain_that_does_not_exist_cannot_be_proved(stage):
    world, one, oracle = hostile_world(stage)
    p = Other(stage, one, 'nowhere.test').secure()
    p.result()
    equal(p.answer(type='error').find('error').kids[0].name, 'remote-server-not-found')


def nothing_is_taken_without_tls(stage):
    world, one, oracle = hostile_world(stage)
    p = Other(stage, one).connect()
    p.result()
    equal(p.answer(type='error').find('error').kids[0].name, 'policy-violation')
    p.raw('<message from="eve@evil.test" to="x@one.test" type="chat"><body>x</body></message>')
    p.expect_stream_error('not-authorized')


@each(['other', 'none', 'self-signed', 'expired'])
def external_needs_a_good_certificate_for_the_domain(stage, row):
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    cert = {'other': lambda: world.ca.issue('good.test'), 'none': lambda: None, 'self-signed': lambda: Authority().issue('evil.test'),
            'expired': lambda: world.ca.issue('evil.test', days=-1)}[row]()
    p = Other(stage, one).secure(cert)
    check('EXTERNAL' not in str(p.features), p.features)
    p.raw('<auth xmlns="%s" mechanism="EXTERNAL">=</auth>' % SASL)
    p.expect('<failure xmlns="%s"><not-authorized/></failure>' % SASL)


def external_proves_one_domain_only(stage):
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    a = stage.online(server=one)
    p = Other(stage, one).secure(world.ca.issue('evil.test'))
    p.raw('<auth xmlns="%s" mechanism="EXTERNAL">Z29vZC50ZXN0</auth>' % SASL)  # good.test
    p.expect('<failure xmlns="%s"><invalid-authzid/></failure>' % SASL)
    p.external()
    p.raw('<message from="eve@evil.test" to="%s" type="chat" id="ok"><body>x</body></message>' % a.bare)
    a.expect('<message from="eve@evil.test" id="ok"/>')
    p.raw('<message from="bob@good.test" to="%s" type="chat" id="no"><body>x</body></message>' % a.bare)
    p.expect_stream_error('invalid-from')


def the_other_server_cannot_change_its_name_after_it_proved_itself(stage):
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    p = Other(stage, one).secure(world.ca.issue('evil.test'))
    p.raw('<auth xmlns="%s" mechanism="EXTERNAL">=</auth>' % SASL)
    p.expect('<success xmlns="%s"/>' % SASL)
    p.open(wait=False, sender='good.test')
    p.expect_stream_error('invalid-from')


@each([('no from', '<message to="x@one.test"><body>x</body></message>', 'improper-addressing'),
       ('no to', '<message from="e@evil.test"><body>x</body></message>', 'improper-addressing'),
       ('bad from', '<message from="@evil.test" to="x@one.test"/>', 'improper-addressing'),
       ('foreign to', '<message from="e@evil.test" to="x@good.test"><body>x</body></message>', 'host-unknown'),
       ('unknown element', '<letter from="e@evil.test" to="x@one.test"/>', 'unsupported-stanza-type'),
       ('text', 'hello', 'bad-format'), ('entity', '<message>&lol;</message>', 'restricted-xml|not-well-formed'),
       ('comment', '<!-- x -->', 'restricted-xml'),
       ('oversized', '<message from="e@evil.test" to="x@one.test"><body>%s</body></message>' % ('x' * 300000), 'policy-violation')],
      name=lambda r: r[0])
def malformed_input_ends_the_stream_with_the_standards_error(stage, row):
    world, one, oracle = hostile_world(stage)
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='valid')
    p.raw(row[1])
    p.expect_stream_error(row[2])
    a.ping()


@each([('namespace', {'ns': 'jabber:client'}, 'invalid-namespace'), ('host', {'to': 'nobody.test'}, 'host-unknown'),
       ('version', {'version': '0.9'}, 'unsupported-version'), ('from', {'sender': 'a@@b'}, 'improper-addressing')], name=lambda r: r[0])
def wrong_stream_heads_are_refused(stage, row):
    world, one, oracle = hostile_world(stage)
    p = Other(stage, one).link_up()
    p.open(wait=False, **row[1])
    p.expect_stream_error(row[2])


def a_sleeping_server_is_shown_the_door(stage):
    world, one, oracle = hostile_world(stage, {'s2s.connect_timeout': '1s'})
    p = Other(stage, one).secure()
    p.expect_stream_error('connection-timeout')
    q = Other(stage, one).link_up()
    q.raw("<?xml version='1.0'?><stream:str")
    q.expect_stream_error('connection-timeout')


def too_many_domains_at_once_wait_for_their_answers(stage):
    world, one, oracle = hostile_world(stage, reply=lambda *_: None)
    p = Other(stage, one).secure()
    world.dns.records.update({(n.replace('evil', 'd%d' % i), t): r for i in range(60) for (n, t), r in list(world.dns.records.items()) if 'evil' in n})
    for i in range(60):
        p.result(sender='d%d.test' % i)
    equal(p.answer(type='error').find('error').kids[0].name, 'resource-constraint')


def connections_of_one_address_are_limited(stage):
    world, one, oracle = hostile_world(stage, {'limits.enabled': 'true', 's2s.connections_per_address': '3'})
    open_ones = [Other(stage, one).connect() for _ in range(3)]
    p = Other(stage, one).link_up()
    p.expect_close()
    open_ones[0].drop()


def resuming_another_domains_stream_fails(stage):
    world = World(stage)
    one = world.server('one.test', world.certified('one.test'))
    p = Other(stage, one, 'good.test').secure(world.ca.issue('good.test'))
    p.external()
    p.raw('<enable xmlns="%s" resume="true"/>' % SM)
    token = p.expect('<enabled xmlns="%s" resume="true"/>' % SM)['id']
    p.abort()
    q = Other(stage, one, 'evil.test').secure(world.ca.issue('evil.test'))
    q.external()
    q.raw('<resume xmlns="%s" previd="%s" h="0"/>' % (SM, token))
    q.expect('<failed xmlns="%s"/>' % SM)
    r = Other(stage, one, 'good.test').secure(world.ca.issue('good.test'))
    r.external()
    r.raw('<resume xmlns="%s" previd="%s" h="0"/>' % (SM, token))
    r.expect('<resumed xmlns="%s" previd="%s" h="0"/>' % (SM, token))


def stanza_ids_of_this_server_cannot_be_forged_from_outside(stage):
    world, one, oracle = hostile_world(stage)
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='valid')
    p.raw('<message from="e@evil.test" to="%s" type="chat" id="f"><body>x</body><stanza-id xmlns="%s" by="%s" id="666"/>'
          '<stanza-id xmlns="%s" by="room@evil.test" id="7"/></message>' % (a.bare, SID, a.bare, SID))
    got = a.expect('<message id="f"/>')
    equal(sorted(k['id'] for k in got.kids if k.name == 'stanza-id' and k['id'] in ('666', '7')), ['7'])


@each(['circle', 'nothing', 'root target', 'silence', 'garbage', 'refused'])
def dns_that_leads_nowhere_gives_an_error_and_harms_nobody(stage, row):
    world = World(stage)
    one = world.server('one.test', {'s2s.queue_time': '1s', 's2s.connect_timeout': '2s'})
    two = world.server('two.test')
    dns, name = world.dns, '_xmpp-server._tcp.bad.test'
    if row == 'circle':
        dns.records[(name, 33)] = []
        dns.raw[name] = lambda q: q[:2] + b'\x81\x80\0\1\0\1\0\0\0\0' + q[12:] + b'\xc0\x0c\0\x21\0\1\0\0\0\1\0\x08\0\0\0\0\0\0' + b'\xc0' + bytes([len(q) + 18])
    elif row == 'nothing':
        dns.srv('bad.test', 5269, 'nowhere.test')
    elif row == 'root target':
        dns.srv('bad.test', 0, '.')
        dns.a('bad.test')
    elif row == 'silence':
        dns.silent.update((name, '_xmpps-server._tcp.bad.test'))
    elif row == 'garbage':
        dns.raw[name] = lambda q: q[:2] + b'\x81\x80' + b'\xff' * 40
    else:
        dns.domain('bad.test', free_ports(1)[0])
    a, b = stage.online(server=one), stage.online(server=two)
    a.send('<message to="x@bad.test" type="chat" id="m"><body>x</body></message>')
    chat(a, b)
    got = a.expect('<message type="error" id="m"/>', timeout=25)
    check(got.error in ('remote-server-not-found', 'remote-server-timeout'), got)


def a_flood_of_stanzas_is_read_slowly_and_not_lost(stage):
    world, one, oracle = hostile_world(stage, {'limits.enabled': 'true', 's2s.rate': '20'})
    a = stage.online(server=one)
    p = Other(stage, one).secure()
    p.result()
    p.answer(type='valid')
    p.raw(''.join('<message from="e@evil.test" to="%s" type="chat" id="f%d"><body>%d</body></message>' % (a.bare, i, i) for i in range(90)))
    for i in range(90):
        a.expect('<message id="f%d"/>' % i, timeout=20)
    check(int(re.search(r'anser_rate_limited_total (\d+)', metrics(one)).group(1)) > 0, 'nothing was held')


def metrics(server):
    import ssl
    import urllib.request
    with urllib.request.urlopen('https://%s:%d/metrics' % (server.host, server.ports['https']), context=ssl._create_unverified_context()) as r:
        return r.read().decode()
