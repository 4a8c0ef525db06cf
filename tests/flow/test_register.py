# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0077 2.4: in-band registration (off unless registration.open), change of password, cancellation."""
from lib import *

REGISTER = 'jabber:iq:register'


def register(c, name, password='long enough pw'):
    return c.iq('set', f'<query xmlns="{REGISTER}"><username>{name}</username><password>{password}</password></query>', 'localhost')


def registered(c, name, password='long enough pw'):
    answer = register(c, name, password)
    equal(answer['type'], 'result', str(answer))
    return Account(name, 'localhost', password)


def it_is_closed_by_default(stage):
    c = stage.client(False).connect()
    check(c.features.find('register', 'http://jabber.org/features/iq-register') is None, 'announced although closed')
    c.send(f'<iq type="get" id="r" to="localhost"><query xmlns="{REGISTER}"/></iq>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    check(got.name == 'error' or got['type'] == 'error', got)


def a_registration_where_closed_is_refused(stage):
    c = stage.client(False).connect()
    name = Client.new_id()
    c.send(f'<iq type="set" id="r" to="localhost"><query xmlns="{REGISTER}"><username>{name}</username><password>long enough pw</password></query></iq>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    check(got.name == 'error' or got['type'] == 'error', got)
    equal(stage.client(Account(name, 'localhost', 'long enough pw')).connect().sasl('PLAIN').name, 'failure')


@on_server({'registration.open': 'true'})
def an_account_is_made_in_band(stage):
    c = stage.client(False).connect()
    check(c.features.find('register', 'http://jabber.org/features/iq-register') is not None, 'not announced')
    q = c.get(f'<query xmlns="{REGISTER}"/>', 'localhost').find('query')
    check(q.find('username') is not None and q.find('password') is not None, q)
    acc = registered(c, 'newcomer')
    stage.client(acc).online().ping()


@on_server({'registration.open': 'true'})
def bad_registrations_are_refused(stage):
    acc = stage.account()
    for name, password, condition in ((acc.node, 'long enough pw', 'conflict'), (acc.node.upper(), 'long enough pw', 'conflict'),
                                      ('', 'long enough pw', 'not-acceptable|bad-request'), ('fine', '', 'not-acceptable|bad-request'),
                                      ('fine', 'x', 'not-acceptable|bad-request|policy-violation'), ('a b', 'long enough pw', 'not-acceptable|jid-malformed|bad-request'),
                                      ('a@b', 'long enough pw', 'not-acceptable|jid-malformed|bad-request'), ('x' * 1024, 'long enough pw', 'not-acceptable|jid-malformed|bad-request')):
        c = stage.client(False).connect()
        answer = register(c, name, password)
        check(answer.error in condition.split('|'), '%r/%r: %s' % (name[:20], password, answer))


@on_server({'registration.open': 'true'})
def no_registration_before_tls(stage):
    c = stage.client(False, 'plain').connect()
    check(c.features.find('register') is None, 'announced without TLS')
    c.send(f'<iq type="set" id="r" to="localhost"><query xmlns="{REGISTER}"><username>x</username><password>long enough pw</password></query></iq>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    check(got.name == 'error' or got['type'] == 'error', got)


def the_registered_user_asks_for_its_state(stage):
    a = stage.online()
    q = a.get(f'<query xmlns="{REGISTER}"/>', 'localhost').find('query')
    check(q.find('registered') is not None, q)
    equal(q.textof('username'), a.account.node)


def the_password_is_changed(stage):
    a = stage.online()
    a.set(f'<query xmlns="{REGISTER}"><username>{a.account.node}</username><password>brand new password</password></query>', 'localhost')
    b = stage.client(a.account).connect()
    equal(b.sasl('SCRAM-SHA-256').name, 'failure', 'old password')
    equal(b.sasl('SCRAM-SHA-256', password='brand new password').name, 'success', 'new password')
    a.ping()


def a_foreign_password_cannot_be_changed(stage):
    a, b = stage.online(), stage.online()
    a.refused('set', f'<query xmlns="{REGISTER}"><username>{b.account.node}</username><password>brand new password</password></query>',
              'bad-request|forbidden|not-allowed|not-authorized|not-acceptable', 'localhost')
    a.refused('set', f'<query xmlns="{REGISTER}"><username>{a.account.node}</username><password>brand new password</password></query>',
              'bad-request|forbidden|not-allowed|service-unavailable', b.bare)
    equal(stage.client(b.account).connect().sasl().name, 'success')
    equal(stage.client(a.account).connect().sasl().name, 'success')


@each(['<username>{}</username>', '<username>{}</username><password/>', '<username>{}</username><password>x</password>', '<password>brand new password</password>', ''])
def bad_changes_of_password_are_refused(stage, inner):
    a = stage.online()
    a.refused('set', f'<query xmlns="{REGISTER}">{inner.format(a.account.node)}</query>', 'bad-request|not-acceptable|policy-violation|not-allowed', 'localhost')
    equal(stage.client(a.account).connect().sasl().name, 'success', 'old password')


def a_cancelled_account_is_gone(stage):
    """§3.2: result, then the sessions end with not-authorized; contacts and data go too."""
    a, b = stage.friends()
    a2 = stage.again(a)
    b.drain()
    a.send(f'<iq type="set" id="bye"><query xmlns="{REGISTER}"><remove/></query></iq>')
    a.expect('<iq id="bye" type="result"/>')
    a.expect_stream_error('not-authorized|conflict|reset')
    a2.expect_stream_error('not-authorized|conflict|reset')
    b.expect(f'<presence from="{a.bare}" type="unsubscribed"/>')
    equal(stage.client(a.account).connect().sasl().name, 'failure')
    again = stage.server.add(a.account.node)
    c = stage.client(again).online()
    equal(c.get(f'<query xmlns="{ROSTER}"/>').all('query/item'), [])
    c.set(f'<query xmlns="{MAM}"/>')
    c.expect_nothing(f'<message><result xmlns="{MAM}"/></message>')


def somebody_else_cannot_be_removed(stage):
    a, b = stage.online(), stage.online()
    a.iq('set', f'<query xmlns="{REGISTER}"><remove/></query>', b.bare)
    equal(stage.client(b.account).connect().sasl().name, 'success')


def a_remove_with_more_is_a_bad_request(stage):
    """§3.2: <remove/> is the only child."""
    a = stage.online()
    a.refused('set', f'<query xmlns="{REGISTER}"><remove/><username>{a.account.node}</username><password>brand new password</password></query>', 'bad-request', 'localhost')
    equal(stage.client(a.account).connect().sasl().name, 'success')
