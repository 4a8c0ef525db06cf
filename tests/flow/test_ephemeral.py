# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0466 0.1 ephemeral messages: archives keep to the timer."""
import time

from rooms import *
from test_archive import bodies, query, rsm

EPHEMERAL = 'urn:xmpp:ephemeral:0'


def say(c, to, mid, timer, kind='chat', body=True):
    text = f'<body>{mid}</body>' if body else f'<store xmlns="{HINTS}"/>'
    c.send(f'<message to="{to}" type="{kind}" id="{mid}">{text}<ephemeral xmlns="{EPHEMERAL}" timer="{timer}"/></message>')


def plain(c, to, mid, kind='chat'):
    c.send(f'<message to="{to}" type="{kind}" id="{mid}"><body>{mid}</body></message>')


def ids(c, to=None):
    return [m['id'] for _, m in query(c, to=to)[0]]


def until(fn, want):
    """Asks again and again for ten seconds."""
    end = time.monotonic() + 10
    while fn() != want:
        check(time.monotonic() < end, 'still %s, wanted %s' % (fn(), want))


def it_vanishes_from_both_archives_at_its_time(stage):
    a, b = stage.online(), stage.online()
    plain(a, b.bare, 'before')
    say(a, b.bare, 'short', 2)
    say(a, b.bare, 'long', 86400)
    plain(a, b.bare, 'after')
    b.expect('<message id="short"/>')
    b.expect('<message id="after"/>')
    equal(ids(b), ['before', 'short', 'long', 'after'])
    until(lambda: ids(b), ['before', 'long', 'after'])
    until(lambda: ids(a), ['before', 'long', 'after'])


def clients_go_on_from_the_id_of_one_that_vanished(stage):
    a, b = stage.online(), stage.online()
    say(a, b.bare, 'short', 1)
    b.expect('<message id="short"/>')
    last = query(b)[0][-1][0] if ids(b) else None
    plain(a, b.bare, 'after')
    b.expect('<message id="after"/>')
    until(lambda: ids(b), ['after'])
    if last:
        equal([m['id'] for _, m in query(b, {}, rsm(f'<after>{last}</after>'))[0]], ['after'])


def it_is_never_found_after_its_time(stage):
    a, b = stage.online(), stage.online()
    say(a, b.bare, 'zero', 0)
    b.expect('<message id="zero"/>')
    equal(ids(b), [])
    equal(bodies(query(b, {'{urn:xmpp:fulltext:0}fulltext': 'zero'})[0]), [])
    plain(a, b.bare, 'after')
    b.expect('<message id="after"/>')
    equal(ids(b), ['after'])


@each(['9223372036854775808', '-1', 'soon', '', '4294967296', '1e3'])
def a_timer_that_is_no_number_of_seconds_keeps_the_message(stage, timer):
    a, b = stage.online(), stage.online()
    say(a, b.bare, 'm1', timer)
    b.expect(f'<message id="m1"><ephemeral xmlns="{EPHEMERAL}" timer="{timer}"/></message>')
    equal(ids(b), ['m1'])


def the_longest_timer_is_kept(stage):
    a, b = stage.online(), stage.online()
    say(a, b.bare, 'm1', 4294967295)
    b.expect('<message id="m1"/>')
    equal(ids(b), ['m1'])


def agreeing_on_a_timer_is_no_content(stage):
    a, b = stage.online(), stage.online()
    say(a, b.bare, 'm1', 0, body=False)
    b.expect('<message id="m1"/>')
    equal(ids(b), ['m1'])


def who_was_away_still_gets_it_once(stage):
    a, acc = stage.online(), stage.account()
    say(a, acc.jid, 'm1', 0)
    a.ping()
    b = stage.client(acc).login()
    b.present('')
    b.expect('<message id="m1"/>')
    equal(ids(b), [])


def it_vanishes_from_a_room(stage):
    room, owner, b = party(stage)
    say(owner, room, 'short', 0, 'groupchat')
    plain(owner, room, 'after', 'groupchat')
    heard(b, room, 'owner', 'short')
    heard(b, room, 'owner', 'after')
    equal(ids(b, room), ['after'])
    c = stage.online()
    enter(c, room, 'carl')
    c.expect('<message id="after"/>')
    equal([m for m in c.queue if m['id'] == 'short'], [])


@on_server()
def it_vanishes_after_a_restart_too(stage):
    a, b = stage.online(), stage.online()
    a.enable_sm()
    say(a, b.bare, 'short', 1)
    say(a, b.bare, 'long', 3600)
    a.request_ack()
    stage.server.kill()
    stage.server.start()
    b2 = stage.again(b)
    until(lambda: ids(b2), ['long'])
