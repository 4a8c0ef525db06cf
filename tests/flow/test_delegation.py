# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0355 0.5, admin mode: requests of a namespace that a component answers in the server's place."""
from components import *

PUBSUB = 'http://jabber.org/protocol/pubsub'
BARE_INFO = DELEGATION + ':bare:disco#info:*'
BARE_ITEMS = DELEGATION + ':bare:disco#items:*'
X = 'urn:test:x'


def delegated(stage, words, features=(), identities='', extra='', **kw):
    """A server that delegates, and the component, which has answered what the server asks of it at first."""
    house(stage, delegations=words, **kw)
    return managing(stage, words, features, identities, extra)


def managing(stage, words, features=(), identities='', extra=''):
    c = component(stage)
    c.told = c.expect('<message from="localhost"><delegation xmlns="%s"/></message>' % DELEGATION)
    for word in words.split():
        ns = word.partition('{')[0]
        for sep in () if ns.startswith(DELEGATION) else ('::', ':bare:'):
            q = c.expect('<iq type="get" from="localhost"><query xmlns="%s" node="%s"/></iq>' % (DISCO_INFO, DELEGATION + sep + ns))
            inner = ''.join('<feature var="%s"/>' % (f + ('-bare' if sep == ':bare:' else '')) for f in features)
            c.answer(q, '<query xmlns="%s" node="%s">%s%s%s</query>' % (DISCO_INFO, DELEGATION + sep + ns, identities, inner, extra))
    c.ping()
    return c


def forwarded(c, payload='<x xmlns="%s"/>' % X):
    """The forwarded request: (outer, inner)."""
    q = c.expect('<iq type="set" from="localhost" to="%s"><delegation xmlns="%s"><forwarded xmlns="%s"><iq xmlns="%s">%s</iq></forwarded></delegation></iq>'
                 % (NAME, DELEGATION, FORWARD, CLIENT, payload))
    return q, q.find('delegation/forwarded/iq')


def reply(c, q, inner):
    c.answer(q, '<delegation xmlns="%s"><forwarded xmlns="%s">%s</forwarded></delegation>' % (DELEGATION, FORWARD, inner))


def result(inner, payload='', **change):
    attrs = {'xmlns': CLIENT, 'type': 'result', 'id': inner['id'], 'to': inner['from'], 'from': inner['to']}
    attrs.update(change)
    return '<iq%s>%s</iq>' % (''.join(' %s="%s"' % kv for kv in attrs.items() if kv[1]), payload)


# ---- advertising

def namespaces_are_told_at_once(stage):
    c = delegated(stage, '%s %s{node,to}' % (X, MAM))
    told = {d['namespace']: [a['name'] for a in d.all('attribute')] for d in c.told.all('delegation/delegated')}
    equal(told, {X: [], MAM: ['node', 'to']})


def the_server_announces_it(stage):
    check(DELEGATION in disco(stage.online(), 'localhost')[0], 'not announced')


# ---- forwarding

@each(['self', 'own', 'server', 'other'])
def requests_are_forwarded_and_answered(stage, row):
    c = delegated(stage, X)
    a, b = stage.online(), stage.online()
    to = {'self': None, 'own': a.bare, 'server': 'localhost', 'other': b.bare}[row]
    a.send('<iq type="set" id="q"%s><x xmlns="%s"><deep>content</deep></x></iq>' % (' to="%s"' % to if to else '', X))
    q, inner = forwarded(c, '<x xmlns="%s"><deep>content</deep></x>' % X)
    equal((inner['from'], inner['to'], inner['id'], inner['type']), (a.jid, to or a.bare, 'q', 'set'))
    reply(c, q, result(inner, '<x xmlns="%s"><good/></x>' % X))
    got = a.expect('<iq type="result" id="q"><x xmlns="%s"><good/></x></iq>' % X)
    equal(got['from'], to or a.bare)


def a_reply_may_leave_the_sender_out_and_be_empty(stage):
    c = delegated(stage, X)
    a = stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(c)
    reply(c, q, result(inner, **{'from': None}))
    got = a.expect('<iq type="result" id="q"/>')
    check(not got.kids, got)


def full_addresses_and_services_are_not_delegated(stage):
    c = delegated(stage, '%s %s' % (X, DISCO_INFO))
    a, b = stage.online(), stage.online()
    a.send('<iq type="get" id="q" to="%s"><x xmlns="%s"/></iq>' % (b.jid, X))
    b.expect('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    check(disco(a, 'conference.localhost')[1][0][0] == 'conference', 'the rooms do not answer')
    c.expect_nothing('<iq type="set"/>', after=(a, b))


def a_namespace_of_the_server_goes_to_the_component(stage):
    """The example of the specification: a filter of rosters, with the right to change them itself."""
    c = delegated(stage, ROSTER, privileges='roster=both push=false')
    a = stage.client().login()
    a.send('<iq type="set" id="r"><query xmlns="%s"><item jid="x@y.example" name="X"/></query></iq>' % ROSTER)
    q, inner = forwarded(c, '<query xmlns="%s"/>' % ROSTER)
    reply(c, q, result(inner))
    a.expect('<iq type="result" id="r"/>')
    done = c.ask('set', '<query xmlns="%s"><item jid="x@y.example"><group>Rivals</group></item></query>' % ROSTER, a.bare)
    equal(done['type'], 'result')
    got = c.ask('get', '<query xmlns="%s"/>' % ROSTER, a.bare)
    equal([g.text for g in got.all('query/item/group')], ['Rivals'])


def what_it_asks_in_somebodys_name_is_not_given_back(stage):
    c = delegated(stage, X, privileges='iq=%s:get' % X)
    a = stage.online()
    answer = c.ask('get', '<privileged_iq xmlns="%s"><iq xmlns="%s" type="get" id="i" to="%s"><x xmlns="%s"/></iq></privileged_iq>'
                   % (PRIVILEGE, CLIENT, a.bare, X), a.bare)
    equal(answer.find('privilege/forwarded/iq').error, 'service-unavailable')
    check(not [e for e in c.queue if e.find('delegation')], 'it came back')


@each(['node', 'two'])
def filtering_attributes_decide(stage, row):
    c = delegated(stage, '%s{node%s}' % (MAM, ',with' if row == 'two' else ''))
    a = stage.online()
    a.send('<iq type="set" id="plain"><query xmlns="%s"/></iq>' % MAM)
    a.expect('<iq type="result" id="plain"><fin xmlns="%s"/></iq>' % MAM)
    if row == 'two':
        a.iq('set', '<query xmlns="%s" node="n"/>' % MAM)
    a.send('<iq type="set" id="q"><query xmlns="%s" node="n" with="w"/></iq>' % MAM)
    q, inner = forwarded(c, '<query xmlns="%s" node="n"/>' % MAM)
    equal(inner['id'], 'q')
    reply(c, q, result(inner))
    a.expect('<iq type="result" id="q"/>')
    check(not [e for e in c.queue if e.find('delegation')], 'more was forwarded')


def what_was_not_delegated_stays(stage):
    c = delegated(stage, X)
    a = stage.online()
    a.get('<query xmlns="jabber:iq:version"/>', 'localhost')
    a.refused('get', '<x xmlns="%sy"/>' % X, 'service-unavailable')
    c.expect_nothing('<iq type="set"/>', after=(a,))


# ---- bad answers

@each([('to', 'x@localhost'), ('from', 'x@localhost'), ('id', 'other'), ('type', 'error'), ('type', 'set'), ('to', None), ('xmlns', 'jabber:server')])
def forged_answers_are_not_believed(stage, row):
    c = delegated(stage, X)
    a = stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(c)
    reply(c, q, result(inner, **dict([row])))
    equal(a.expect('<iq type="error" id="q"/>').error, 'service-unavailable')


@each(['error', 'nothing', 'two'])
def answers_that_are_none_become_errors(stage, row):
    c = delegated(stage, X)
    a = stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(c)
    if row == 'error':
        c.answer(q, '<error type="cancel"><item-not-found xmlns="%s"/></error>' % STANZAS, 'error')
    elif row == 'nothing':
        c.answer(q)
    else:
        reply(c, q, result(inner, '<x xmlns="%s"/><y xmlns="%s"/>' % (X, X)))
    equal(a.expect('<iq type="error" id="q"/>').error, 'service-unavailable')


def nobody_else_answers_in_its_place(stage):
    c = delegated(stage, X)
    a, b = stage.online(), stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(c)
    b.send('<iq type="result" id="%s" to="localhost"><delegation xmlns="%s"><forwarded xmlns="%s">%s</forwarded></delegation></iq>' % (
        q['id'], DELEGATION, FORWARD, result(inner, '<x xmlns="%s"><forged/></x>' % X)))
    b.ping()
    reply(c, q, result(inner, '<x xmlns="%s"><good/></x>' % X))
    a.expect('<iq type="result" id="q"><x xmlns="%s"><good/></x></iq>' % X)


def one_that_is_away_gives_an_error(stage):
    house(stage, delegations=X)
    a = stage.online()
    a.refused('get', '<x xmlns="%s"/>' % X, 'service-unavailable')


def who_asked_may_be_gone_when_the_answer_comes(stage):
    c = delegated(stage, X)
    a = stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(c)
    a.close()
    reply(c, q, result(inner))
    c.ping()
    stage.online().ping()


def one_that_comes_back_is_asked_again(stage):
    c = delegated(stage, X)
    a = stage.online()
    a.send('<iq type="get" id="q"><x xmlns="%s"/></iq>' % X)
    forwarded(c)
    c.leave()
    d = managing(stage, X)
    a.send('<iq type="get" id="r"><x xmlns="%s"/></iq>' % X)
    q, inner = forwarded(d)
    reply(d, q, result(inner))
    a.expect('<iq type="result" id="r"/>')


# ---- discovery

def features_of_the_component_stand_for_ours(stage):
    c = delegated(stage, MAM, features=(MAM, MAM + '#theirs'))
    a = stage.online()
    server = disco(a, 'localhost')[0]
    check(MAM in server and MAM + '#theirs' in server, server)
    own = disco(a, a.bare)[0]
    check(MAM + '-bare' in own and MAM + '#theirs-bare' in own and MAM + '#extended' not in own, own)
    equal(len(server), len(set(server)), 'number of features')
    c.drop()
    for _ in range(50):
        gone = disco(a, a.bare)[0]
        if MAM + '-bare' not in gone:
            check(MAM not in gone, 'ours are told again, but nobody answers them')
            return
    raise Failed('the features of somebody who is gone are told')


def identities_and_forms_come_along(stage):
    form_xml = ('<x xmlns="%s" type="result"><field var="FORM_TYPE" type="hidden"><value>%s#meta</value></field></x>' % (DATA, X))
    delegated(stage, X, features=(X,), identities='<identity category="pubsub" type="pep"/>', extra=form_xml)
    a = stage.online()
    answer = a.get('<query xmlns="%s"/>' % DISCO_INFO, a.bare)
    check(('pubsub', 'pep') in [(i['category'], i['type']) for i in answer.all('query/identity')], answer)
    check(answer.find('query/x', DATA) is not None, answer)


def a_disco_answer_that_is_none_is_left_out(stage):
    house(stage, delegations=X)
    c = component(stage)
    q = c.expect('<iq type="get"><query xmlns="%s" node="%s"/></iq>' % (DISCO_INFO, DELEGATION + '::' + X))
    c.answer(q, '<error type="cancel"><item-not-found xmlns="%s"/></error>' % STANZAS, 'error')
    c.ping()
    check(X not in disco(stage.online(), 'localhost')[0], 'announced')


def nodes_of_accounts_are_asked_of_the_component(stage):
    c = delegated(stage, '%s %s' % (BARE_INFO, BARE_ITEMS))
    a = stage.online()
    for ns in (DISCO_INFO, DISCO_ITEMS):
        a.send('<iq type="get" id="q" to="%s"><query xmlns="%s" node="urn:xmpp:unknown"/></iq>' % (a.bare, ns))
        q, inner = forwarded(c, '<query xmlns="%s" node="urn:xmpp:unknown"/>' % ns)
        reply(c, q, result(inner, '<query xmlns="%s" node="urn:xmpp:unknown"/>' % ns))
        a.expect('<iq type="result" id="q"><query xmlns="%s" node="urn:xmpp:unknown"/></iq>' % ns)
    a.send('<iq type="get" id="i" to="%s"><query xmlns="%s"/></iq>' % (a.bare, DISCO_ITEMS))
    q, inner = forwarded(c, '<query xmlns="%s"/>' % DISCO_ITEMS)
    reply(c, q, result(inner, '<query xmlns="%s"><item jid="%s" node="n"/></query>' % (DISCO_ITEMS, a.bare)))
    a.expect('<iq type="result" id="i"><query xmlns="%s"><item node="n"/></query></iq>' % DISCO_ITEMS)


def what_the_server_knows_it_answers_itself(stage):
    c = delegated(stage, '%s %s' % (BARE_INFO, BARE_ITEMS))
    a = stage.online()
    check(('account', 'registered') in disco(a, a.bare)[1], 'account')
    commands = 'http://jabber.org/protocol/commands'
    a.get('<query xmlns="%s" node="%s"/>' % (DISCO_ITEMS, commands), a.bare)
    a.refused('get', '<query xmlns="%s" node="urn:x:unknown"/>' % DISCO_INFO, 'item-not-found', 'localhost')
    c.expect_nothing('<iq type="set"/>', after=(a,))


# ---- hosts

def delegation_ends_at_the_host(stage):
    name = 'svc.b.example'
    house(stage, name=name, delegations=X, sets={'hosts': 'b.example'})
    c = component(stage, name)
    a = stage.online()
    a.refused('get', '<x xmlns="%s"/>' % X, 'service-unavailable')
    a.refused('get', '<x xmlns="%s"/>' % X, 'service-unavailable', 'localhost')
    a.send('<iq type="get" id="q" to="b.example"><x xmlns="%s"/></iq>' % X)
    c.expect('<iq type="set" from="b.example" to="%s"><delegation xmlns="%s"/></iq>' % (name, DELEGATION))
