# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stanzas as such (RFC 6120 §8), and XEP-0199."""
from lib import *


# ---- stanzas (§8)

def an_unknown_iq_is_service_unavailable(stage):
    a = stage.online()
    a.refused('get', '<query xmlns="urn:unknown"/>', 'service-unavailable|feature-not-implemented', 'localhost')
    a.refused('get', '<query xmlns="urn:unknown"/>', 'service-unavailable|feature-not-implemented')
    a.refused('set', '<query xmlns="urn:unknown"/>', 'service-unavailable|feature-not-implemented', a.bare)


def an_iq_to_an_unknown_domain_is_refused(stage):
    a = stage.online()
    a.refused('get', PING, 'remote-server-not-found|service-unavailable|item-not-found', 'nowhere.invalid')


def an_iq_to_a_missing_resource_is_service_unavailable(stage):
    a, b = stage.online(), stage.online()
    a.refused('get', PING, 'service-unavailable', b.bare + '/missing')


def an_iq_to_a_missing_account_is_service_unavailable(stage):
    a = stage.online()
    a.refused('get', '<query xmlns="jabber:iq:version"/>', 'service-unavailable', 'nobody-there@localhost')
    a.refused('get', '<query xmlns="jabber:iq:version"/>', 'service-unavailable', 'nobody-there@localhost/x')


BAD_IQS = [
    ('no child', '<iq type="get" id="bad" to="localhost"/>'),
    ('two children', f'<iq type="get" id="bad" to="localhost">{PING}{PING}</iq>'),
    ('set without child', '<iq type="set" id="bad" to="localhost"/>'),
    ('unknown type', f'<iq type="fetch" id="bad" to="localhost">{PING}</iq>'),
    ('no type', f'<iq id="bad" to="localhost">{PING}</iq>'),
]


@each(BAD_IQS, lambda r: r[0])
def a_bad_iq_is_a_bad_request(stage, row):
    a = stage.online()
    a.send(row[1])
    answer = a.expect('<iq type="error" id="bad"/>')
    equal(answer.error, 'bad-request')
    a.ping()


def an_iq_without_id_is_a_bad_request(stage):
    a = stage.online()
    a.send(f'<iq type="get" to="localhost">{PING}</iq>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'an answer')
    if got.name == 'error':
        check(got.find('bad-format') or got.find('invalid-xml'), got)
    else:
        equal(got.error, 'bad-request')


@each(['result', 'error'])
def answers_to_nothing_are_dropped(stage, kind):
    a, b = stage.online(), stage.online()
    a.send(f'<iq type="{kind}" id="stray" to="localhost"/>')
    a.send(f'<iq type="{kind}" id="stray" to="{b.bare}"/>')
    a.send(f'<iq type="{kind}" id="stray"/>')
    a.send(f'<iq type="{kind}" id="stray" to="{b.bare}/gone"/>')
    a.expect_nothing()
    b.expect_nothing(after=[a])


@each(['@localhost', 'a@', 'a b@localhost', 'x@localhost/', 'x@y@localhost', 'a"b@localhost'.replace('"', '&quot;'),
       'x' * 1100 + '@localhost', 'a@local host'],
      lambda r: r if len(r) < 30 else '%d characters' % len(r))
def a_malformed_to_is_jid_malformed(stage, to):
    a = stage.online()
    for stanza in (f'<message to="{to}" type="chat" id="m"><body>x</body></message>',
                   f'<iq to="{to}" type="get" id="m">{PING}</iq>'):
        a.send(stanza)
        equal(a.expect('<* id="m" type="error"/>'.replace('*', stanza[1:].split()[0])).error, 'jid-malformed')
    a.ping()


def errors_carry_type_and_come_from_the_addressee(stage):
    a = stage.online()
    a.send('<iq type="get" id="e1" to="nobody-there@localhost"><query xmlns="urn:x"/></iq>')
    a.expect(f'<iq type="error" id="e1" from="nobody-there@localhost" to="{a.jid}"><error type="cancel">'
             f'<service-unavailable xmlns="{STANZAS}"/></error></iq>')


def errors_are_never_answered_with_errors(stage):
    a = stage.online()
    for kind in ('message', 'iq', 'presence'):
        a.send(f'<{kind} type="error" id="x" to="nobody-there@localhost"><error type="cancel">'
               f'<service-unavailable xmlns="{STANZAS}"/></error></{kind}>')
    a.expect_nothing()


def stanzas_of_one_sender_keep_their_order(stage):
    """§10.1."""
    a, b = stage.online(), stage.online()
    for i in range(200):
        kind = ('chat', 'normal', 'headline')[i % 3]
        a.send(f'<message to="{b.jid}" type="{kind}" id="o{i}"><body>{i}</body></message>')
    for i in range(200):
        b.expect_next(f'<message id="o{i}"><body>{i}</body></message>')


def a_message_without_to_goes_to_the_own_account(stage):
    """§10.3.1: as if sent to the sender's bare JID."""
    a = stage.online()
    a.send('<message type="chat" id="self"><body>note</body></message>')
    a.expect(f'<message id="self" from="{a.jid}"><body>note</body></message>')


def addresses_are_compared_after_normalisation(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.account.node.upper()}@LOCALHOST/{b.resource}" type="chat"><body>case</body></message>')
    b.expect(f'<message from="{a.jid}"><body>case</body></message>')


# ---- XEP-0199

def the_server_answers_pings(stage):
    a = stage.online()
    a.get(PING, 'localhost')
    a.get(PING)
    a.get(PING, a.bare)


def pings_between_clients_pass(stage):
    a, b = stage.friends()
    a.send(f'<iq type="get" id="pp" to="{b.jid}">{PING}</iq>')
    b.expect(f'<iq type="get" id="pp" from="{a.jid}">{PING}</iq>')
    b.send(f'<iq type="result" id="pp" to="{a.jid}"/>')
    a.expect(f'<iq type="result" id="pp" from="{b.jid}"/>')
