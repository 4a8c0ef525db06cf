# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0283 0.2.0: contacts' servers follow an account that moves, and nobody else's word is enough."""
from lib import *

MOVED = 'urn:xmpp:moved:1'
PUBSUB = 'http://jabber.org/protocol/pubsub'


def statement(old, new_jid):
    old.set(f'<pubsub xmlns="{PUBSUB}"><publish node="{MOVED}"><item id="current"><moved xmlns="{MOVED}"><new-jid>{new_jid}</new-jid></moved></item></publish></pubsub>')


def ask(c, to, old_jid):
    c.send(f'<presence to="{to}" type="subscribe"><moved xmlns="{MOVED}"><old-jid>{old_jid}</old-jid></moved></presence>')


def roster_of(c):
    return {i['jid']: i['subscription'] for i in c.get(f'<query xmlns="{ROSTER}"/>').all('query/item')}


def an_ordinary_request(stage, romeo, juliet, old_jid):
    """The request reaches the user as any other, with its payload."""
    ask(juliet, romeo.bare, old_jid)
    p = romeo.expect(f'<presence from="{juliet.bare}" type="subscribe"/>')
    check(p.find('moved', MOVED) is not None, 'the payload is stripped')
    check(juliet.bare not in roster_of(romeo), roster_of(romeo))


def a_mutual_contact_moves(stage):
    romeo, old = stage.friends()
    juliet = stage.online()
    romeo.set(f'<query xmlns="{ROSTER}"><item jid="{old.bare}" name="Juliet"/></query>')
    romeo.drain()
    statement(old, juliet.bare)
    ask(juliet, romeo.bare, old.bare)
    juliet.expect(f'<presence from="{romeo.bare}" type="subscribed"/>')
    juliet.expect(f'<presence from="{romeo.bare}" type="subscribe"/>')
    juliet.expect(f'<presence from="{romeo.jid}" type="!"/>')
    old.expect(f'<presence from="{romeo.bare}" type="unsubscribed"/>')
    romeo.settle()
    check(not [e for e in romeo.queue if e.name == 'presence' and e['type'] == 'subscribe'], 'the user is asked')
    equal(roster_of(romeo), {old.bare: 'to', juliet.bare: 'from'})
    juliet.send(f'<presence to="{romeo.bare}" type="subscribed"/>')
    romeo.expect(f'<presence from="{juliet.bare}" type="subscribed"/>')
    equal(roster_of(romeo)[juliet.bare], 'both')
    third = stage.online()
    statement(old, third.bare)
    an_ordinary_request(stage, romeo, third, old.bare)


def a_move_is_followed_while_the_contact_is_away(stage):
    romeo, old = stage.friends()
    juliet = stage.online()
    statement(old, juliet.bare)
    romeo.close()
    ask(juliet, romeo.bare, old.bare)
    juliet.expect(f'<presence from="{romeo.bare}" type="subscribed"/>')
    equal(roster_of(stage.client(romeo.account).online()), {old.bare: 'to', juliet.bare: 'from'})


def a_move_that_the_old_account_does_not_state_is_an_ordinary_request(stage):
    romeo, old = stage.friends()
    an_ordinary_request(stage, romeo, stage.online(), old.bare)
    equal(roster_of(romeo), {old.bare: 'both'})


def a_statement_about_somebody_else_does_not_help(stage):
    romeo, old = stage.friends()
    juliet, mallory = stage.online(), stage.online()
    statement(old, juliet.bare)
    an_ordinary_request(stage, romeo, mallory, old.bare)
    statement(mallory, mallory.bare)
    an_ordinary_request(stage, romeo, stage.online(), mallory.bare)
    equal(roster_of(romeo), {old.bare: 'both'})


def nonsense_about_a_move_is_an_ordinary_request(stage):
    romeo, old = stage.friends()
    for old_jid in ('', '@', 'nobody@' + stage.domain, old.jid, stage.domain, romeo.bare, 'x@elsewhere.example'):
        an_ordinary_request(stage, romeo, stage.online(), old_jid)
    for new_jid in ('', '@', 'X' * 4000):
        statement(old, new_jid)
        an_ordinary_request(stage, romeo, stage.online(), old.bare)


def a_contact_without_a_subscription_to_us_cannot_move(stage):
    romeo, old = stage.online(), stage.online()
    romeo.send(f'<presence to="{old.bare}" type="subscribe"/>')
    old.expect(f'<presence from="{romeo.bare}" type="subscribe"/>')
    old.send(f'<presence to="{romeo.bare}" type="subscribed"/>')
    romeo.expect(f'<presence from="{old.bare}" type="subscribed"/>')
    juliet = stage.online()
    statement(old, juliet.bare)
    an_ordinary_request(stage, romeo, juliet, old.bare)


def many_claims_at_once_are_bounded(stage):
    romeo, old = stage.friends()
    claimants = [stage.client().login() for _ in range(12)]
    for c in claimants:
        ask(c, romeo.bare, old.bare)
    for c in claimants:
        romeo.expect(f'<presence from="{c.bare}" type="subscribe"/>')
