# SPDX-License-Identifier: AGPL-3.0-or-later
"""Steps that the room dialogues (test_muc_*.py) share. XEP-0045 1.35."""
from lib import *

CONFIG = MUC + '#roomconfig'


def occupant(room, nick, codes=(), role='*', affiliation='*', kind='!', extra=''):
    """Pattern of an occupant's presence."""
    status = ''.join(f'<status code="{c}"/>' for c in codes)
    return (f'<presence from="{room}/{nick}" type="{kind}"><x xmlns="{MUC_USER}"><item role="{role}" affiliation="{affiliation}"/>'
            f'{status}</x>{extra}</presence>')


def enter(c, room, nick, inner='', codes=()):
    """Joins; returns the self-presence."""
    c.send(f'<presence to="{room}/{nick}"><x xmlns="{MUC}">{inner}</x></presence>')
    return c.expect(occupant(room, nick, (110,) + tuple(codes)))


def join(c, room, nick, inner='', codes=()):
    """Joins and takes history and subject; returns the self-presence."""
    got = enter(c, room, nick, inner, codes)
    c.expect(f'<message type="groupchat" from="~{room}(/.*)?"><subject/><t:no><body/></t:no></message>')
    return got


def refused_join(c, room, nick, condition, inner=''):
    c.send(f'<presence to="{room}/{nick}"><x xmlns="{MUC}">{inner}</x></presence>')
    err = c.expect(f'<presence type="error" from="~{room}(/.*)?"/>')
    check(err.error in condition.split('|'), 'joining: wanted %s, got %s' % (condition, err))
    return err


def configure(c, room, settings=None):
    """Submits a configuration; None accepts the defaults (an instant room)."""
    x = form(CONFIG, settings) if settings else f'<x xmlns="{DATA}" type="submit"/>'
    return c.set(f'<query xmlns="{MUC_OWNER}">{x}</query>', room)


def create(stage, c=None, nick='owner', settings=None):
    """A new room with its owner inside. Returns (owner, room)."""
    c = c or stage.online()
    room = stage.room_name()
    join(c, room, nick, codes=(201,))
    configure(c, room, settings)
    c.drain()
    return c, room


def party(stage, n=2, settings=None):
    """(room, owner, others...) with nicks owner, n1, n2, ... all inside."""
    owner, room = create(stage, settings=settings)
    others = []
    for i in range(1, n):
        c = stage.online()
        join(c, room, 'n%d' % i)
        others.append(c)
    for c in [owner] + others:
        c.drain(after=[owner] + others)
    return [room, owner] + others


def say(c, room, text, extra=''):
    c.send(f'<message to="{room}" type="groupchat" id="{text}"><body>{text}</body>{extra}</message>')


def heard(c, room, nick, text):
    return c.expect(f'<message from="{room}/{nick}" type="groupchat" id="{text}"><body>{text}</body></message>')


def set_role(c, room, nick, role, reason=''):
    why = f'<reason>{reason}</reason>' if reason else ''
    return f'<query xmlns="{MUC_ADMIN}"><item nick="{nick}" role="{role}">{why}</item></query>'


def set_affiliation(room, jid, affiliation, reason='', nick=''):
    why = f'<reason>{reason}</reason>' if reason else ''
    name = f' nick="{nick}"' if nick else ''
    return f'<query xmlns="{MUC_ADMIN}"><item jid="{jid}"{name} affiliation="{affiliation}">{why}</item></query>'


def listing(c, room, **attrs):
    """{jid or nick: item} of an admin list."""
    item = ' '.join('%s="%s"' % kv for kv in attrs.items())
    answer = c.get(f'<query xmlns="{MUC_ADMIN}"><item {item}/></query>', room)
    return {i['jid'] or i['nick']: i for i in answer.all('query/item')}
