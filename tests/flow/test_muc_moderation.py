# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages that are taken back in rooms: XEP-0424 by their authors, XEP-0425 by moderators."""
from rooms import *
from test_archive import query

MODERATE = 'urn:xmpp:message-moderate:1'
RETRACT = 'urn:xmpp:message-retract:1'
OCCUPANT_ID = 'urn:xmpp:occupant-id:0'


def said(stage_clients, room, nick, text):
    """The room's id of a message that all heard."""
    say(stage_clients[0], room, text)
    for c in stage_clients:
        got = heard(c, room, nick, text)
    return [s['id'] for s in got.all('stanza-id') if s['by'] == room][0]


def request(sid, reason='Not here'):
    return f'<moderate xmlns="{MODERATE}" id="{sid}"><retract xmlns="{RETRACT}"/><reason>{reason}</reason></moderate>'


def moderation_is_announced(stage):
    a, room = create(stage)
    features, _ = disco(a, room)
    for f in (MODERATE, RETRACT, RETRACT + '#tombstone'):
        check(f in features, f)


def a_moderator_retracts_for_all_and_for_the_archive(stage):
    room, owner, b = party(stage)
    sid = said([b, owner], room, 'n1', 'spam')
    owner.set(request(sid), room)
    for c in (owner, b):
        got = c.expect(f'<message from="{room}" type="groupchat" id="*"><retract xmlns="{RETRACT}" id="{sid}">'
                       f'<moderated xmlns="{MODERATE}" by="{room}/owner"><occupant-id xmlns="{OCCUPANT_ID}" id="*"/></moderated>'
                       f'<reason>Not here</reason></retract><stanza-id xmlns="{SID}" by="{room}" id="*"/><t:no><body/></t:no></message>')
    rows, _ = query(b, to=room)
    equal([i for i, _ in rows], [sid, got.find('stanza-id')['id']])
    stone = rows[0][1]
    check(mismatch(parse(f'<message from="{room}/n1" type="groupchat" id="spam"><occupant-id xmlns="{OCCUPANT_ID}" id="*"/>'
                   f'<retracted xmlns="{RETRACT}" stamp="*"><moderated xmlns="{MODERATE}" by="{room}/owner">'
                   f'<occupant-id xmlns="{OCCUPANT_ID}" id="*"/></moderated><reason>Not here</reason></retracted>'
                   f'<t:no><body/></t:no></message>'), stone) is None, str(stone))
    check('spam<' not in str(stone), stone)


def newcomers_do_not_see_what_was_retracted(stage):
    room, owner, b = party(stage)
    sid = said([b, owner], room, 'n1', 'spam')
    owner.set(request(sid), room)
    c = stage.online()
    enter(c, room, 'carl')
    c.expect(f'<message from="{room}/n1" id="spam"><retracted xmlns="{RETRACT}"/><delay xmlns="{DELAY}"/><t:no><body/></t:no></message>')


def moderation_is_for_moderators(stage):
    room, owner, b = party(stage)
    sid = said([owner, b], room, 'owner', 'mine')
    b.refused('set', request(sid), 'forbidden', room)
    stage.online().refused('set', request(sid), 'forbidden', room)
    owner.set(set_role(owner, room, 'n1', 'moderator'), room)
    b.refused('set', request(sid), 'not-allowed', room)  # a mere moderator over the owner's words
    rows, _ = query(b, to=room)
    equal(rows[0][1].textof('body'), 'mine')


def only_messages_that_exist_are_moderated(stage):
    room, owner, b = party(stage)
    sid = said([b, owner], room, 'n1', 'once')
    for wrong in ('x', '1', '-1', '9' * 30, "' OR 1=1 --", ''):
        owner.refused('set', request(wrong), 'item-not-found', room)
    owner.refused('set', f'<moderate xmlns="{MODERATE}" id="{sid}"/>', 'bad-request', room)
    owner.set(request(sid), room)
    owner.refused('set', request(sid), 'item-not-found', room)  # a tombstone already
    other, room2 = create(stage)
    other.refused('set', request(sid), 'item-not-found', room2)


def an_author_takes_back_his_own_words(stage):
    room, owner, b = party(stage)
    sid = said([b, owner], room, 'n1', 'oops')
    b.send(f'<message to="{room}" type="groupchat" id="r1"><retract xmlns="{RETRACT}" id="{sid}"/><body>/me retracted</body></message>')
    for c in (owner, b):
        c.expect(f'<message from="{room}/n1" id="r1"><retract xmlns="{RETRACT}" id="{sid}"/></message>')
    for _ in range(200):  # the room looks the message up in its archive first
        rows, _fin = query(owner, to=room)
        if rows[0][1].find('retracted') is not None:
            break
    check(mismatch(parse(f'<message from="{room}/n1" id="oops"><retracted xmlns="{RETRACT}" id="r1" stamp="*"/><t:no><body/></t:no></message>'),
                   rows[0][1]) is None, str(rows[0][1]))
    check(rows[1][1].find('retract') is not None, 'the retraction is not in the archive')


def nobody_takes_back_the_words_of_others(stage):
    room, owner, b = party(stage)
    sid = said([owner, b], room, 'owner', 'stays')
    b.send(f'<message to="{room}" type="groupchat" id="r1"><retract xmlns="{RETRACT}" id="{sid}"/></message>')
    owner.expect(f'<message from="{room}/n1" id="r1"/>')
    b.ping()
    rows, _ = query(owner, to=room)
    equal(rows[0][1].textof('body'), 'stays')


def a_moderation_that_a_client_wrote_goes_nowhere(stage):
    room, owner, b = party(stage)
    sid = said([owner, b], room, 'owner', 'stays')
    forged = f'<retract xmlns="{RETRACT}" id="{sid}"><moderated xmlns="{MODERATE}" by="{room}/owner"/></retract>'
    b.send(f'<message to="{room}" type="groupchat" id="f"><body>x</body>{forged}</message>')
    b.expect('<message type="error" id="f"><error><forbidden xmlns="' + STANZAS + '"/></error></message>')
    b.send(f'<message to="{room}/owner" type="chat" id="pm"><body>x</body>{forged}</message>')
    owner.expect(f'<message from="{room}/n1" id="pm"><body>x</body><t:no><retract xmlns="{RETRACT}"/></t:no></message>')
    b.send(f'<message to="{room}" type="groupchat" id="g"><body>y</body><retracted xmlns="{RETRACT}" id="1"/></message>')
    owner.expect(f'<message from="{room}/n1" id="g"><body>y</body><t:no><retracted xmlns="{RETRACT}"/></t:no></message>')
    rows, _ = query(owner, to=room)
    equal(rows[0][1].textof('body'), 'stays')
