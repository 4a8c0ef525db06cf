# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0352 1.0.0 Client State Indication: what waits, what it waits for, and that nothing is lost or reordered.

An answer to the inactive client itself ends the waiting, so these dialogues look at what comes, never at silence: of five
presences held back one arrives."""
from lib import *
from rooms import *
from web import Web

CSI = 'urn:xmpp:csi:0'
STATES = 'http://jabber.org/protocol/chatstates'
INACTIVE, ACTIVE = f'<inactive xmlns="{CSI}"/>', f'<active xmlns="{CSI}"/>'
COMPOSING = f'<composing xmlns="{STATES}"/>'


def quiet(stage, sm=False):
    """(a, inactive; b, a's contact)"""
    a, b = stage.friends()
    if sm:
        a.enable_sm()
    a.send(INACTIVE)
    a.ping()
    return a, b


def moods(b, a, n=5):
    """b's presence changes n times; the shard of a has heard of it."""
    for i in range(n):
        b.send(f'<presence><status>{i}</status></presence>')
    b.settle(a.bare)


def it_is_announced_after_sign_in_only(stage):
    a = stage.client().connect()
    check(a.features.find('csi') is None, 'announced before sign-in')
    a.authenticate()
    check(a.features.find('csi', CSI) is not None, a.features)


def of_held_presence_only_the_newest_comes(stage):
    a, b = quiet(stage)
    moods(b, a)
    a.send(ACTIVE)
    a.expect_next(f'<presence from="{b.jid}"><status>4</status></presence>')
    a.expect_nothing('<presence/>')


@on_server({})
def the_operator_sees_what_was_spared(stage):
    a, b = quiet(stage)
    moods(b, a)
    w = Web(stage.server)
    text = w.request('GET', '/metrics').body.decode()
    w.close()
    check('anser_csi_held_total 5\n' in text and 'anser_csi_replaced_total 4\n' in text,
          [l for l in text.split('\n') if 'csi' in l])


def becoming_active_flushes_before_the_next_answer(stage):
    """§5.1: in order."""
    a, b = quiet(stage)
    moods(b, a)
    a.raw(ACTIVE + f'<iq type="get" id="after" to="{a.domain}">{PING}</iq>')
    a.expect_next('<presence><status>4</status></presence>')
    a.expect_next('<iq id="after"/>')


@each(['message', 'invitation', 'subscription', 'call', 'error', 'unknown', 'encrypted'])
def what_matters_brings_along_what_was_held(stage, row):
    a, b = quiet(stage)
    c = stage.online()
    moods(b, a)
    b.send(f'<message to="{a.jid}" type="chat">{COMPOSING}</message>')
    b.settle(a.bare)
    what = {
        'message': f'<message to="{a.jid}" type="chat" id="x"><body>now</body></message>',
        'invitation': f'<message to="{a.jid}" id="x"><x xmlns="jabber:x:conference" jid="r@{stage.muc}"/></message>',
        'subscription': f'<presence to="{a.bare}" type="subscribe" id="x"/>',
        'call': f'<message to="{a.jid}" type="chat" id="x"><propose xmlns="urn:xmpp:jingle-message:0" id="c"/></message>',
        'error': f'<message to="{a.jid}" type="error" id="x"><error type="cancel"><gone xmlns="{STANZAS}"/></error></message>',
        'unknown': f'<message to="{a.jid}" type="chat" id="x"><thing xmlns="urn:example:thing"/></message>',
        'encrypted': f'<message to="{a.jid}" type="chat" id="x"><encrypted xmlns="urn:xmpp:omemo:2"><payload>AA==</payload>'
                     '</encrypted></message>',
    }
    c.send(what[row])
    a.expect_next(f'<presence from="{b.jid}"><status>4</status></presence>')
    a.expect_next(f'<message from="{b.jid}">{COMPOSING}</message>')
    a._until(lambda: a.queue, row)
    equal(a.queue[0]['from'].partition('/')[0], c.bare)


def light_messages_keep_their_order(stage):
    a, b = quiet(stage, sm=True)
    b.send(f'<message to="{a.jid}" type="chat" id="1"><composing xmlns="{STATES}"/></message>')
    b.send(f'<presence><status>between</status></presence>')
    b.send(f'<message to="{a.jid}" type="chat" id="2"><received xmlns="urn:xmpp:receipts" id="r"/></message>')
    b.send(f'<message to="{a.jid}" type="chat" id="3"><displayed xmlns="urn:xmpp:chat-markers:0" id="r"/></message>')
    b.send(f'<message to="{a.jid}" type="chat" id="4"><body>end</body></message>')
    for want in ('<message id="1"/>', '<presence><status>between</status></presence>', '<message id="2"/>',
                 '<message id="3"/>', '<message id="4"/>'):
        a.expect_next(want)


def events_of_personal_nodes_wait(stage):
    a, b = stage.friends()
    nick, node = 'http://jabber.org/protocol/nick', 'http://jabber.org/protocol/pubsub'
    b.set(publish(nick, node, 'first'))
    a.set(f'<pubsub xmlns="{node}"><subscribe node="{nick}" jid="{a.bare}"/></pubsub>', b.bare)
    a.drain(after=(b,))
    a.send(INACTIVE)
    a.ping()
    b.set(publish(nick, node, 'quiet'))
    b.send(f'<message to="{a.jid}" type="chat" id="x"><body>now</body></message>')
    a.expect_next(f'<message type="headline"><event xmlns="{node}#event"/></message>')
    a.expect_next('<message id="x"/>')


def publish(nick, node, text):
    return f'<pubsub xmlns="{node}"><publish node="{nick}"><item id="current"><nick xmlns="{nick}">{text}</nick></item></publish></pubsub>'


def presence_moves_behind_what_its_sender_said_meanwhile(stage):
    a, b = quiet(stage)
    b.send('<presence><status>old</status></presence>')
    b.send(f'<message to="{a.jid}" type="chat">{COMPOSING}</message>')
    b.send('<presence><status>new</status></presence>')
    b.settle(a.bare)
    a.send(ACTIVE)
    a.expect_next(f'<message from="{b.jid}">{COMPOSING}</message>')
    a.expect_next('<presence><status>new</status></presence>')


def what_the_client_asks_itself_flushes(stage):
    a, b = quiet(stage)
    moods(b, a)
    a.ping()
    a.expect('<presence><status>4</status></presence>')
    moods(b, a)
    a.ping()
    equal(len([e for e in a.queue if e.name == 'presence']), 1, 'held back again')


def copies_of_what_one_sends_elsewhere_wait(stage):
    a, b = stage.friends()
    a.set(f'<enable xmlns="{CARBONS}"/>')
    other = stage.again(a)
    a.drain(after=(other,))
    a.send(INACTIVE)
    a.ping()
    for i in range(3):
        other.send(f'<message to="{b.jid}" type="chat"><body>sent {i}</body></message>')
    other.ping()
    moods(other, a)
    b.send(f'<message to="{other.jid}" type="chat"><body>answer</body></message>')
    for i in range(3):
        a.expect_next(f'<message><sent xmlns="{CARBONS}"><forwarded xmlns="{FORWARD}"><message><body>sent {i}</body></message>'
                      '</forwarded></sent></message>')
    a.expect_next(f'<presence from="{other.jid}"><status>4</status></presence>')
    a.expect_next(f'<message><received xmlns="{CARBONS}"/></message>')


def the_counts_of_stream_management_stay_right(stage):
    """Held stanzas are counted when they leave: the client's h is never too high nor too low."""
    a, b = quiet(stage, sm=True)
    moods(b, a)
    a.send(f'<r xmlns="{SM}"/>')
    a.send(f'<a xmlns="{SM}" h="{a.sm_in}"/>')
    a.ping()
    a.send(ACTIVE)
    a.send(f'<a xmlns="{SM}" h="{a.sm_in}"/>')
    a.ping()
    a.abort()
    c = stage.client(a.account).authenticate()
    equal(c.resume(a).name, 'resumed')
    c.expect_nothing('<presence/>')


def a_lost_connection_loses_nothing_that_was_held(stage):
    a, b = quiet(stage, sm=True)
    jid = a.jid
    moods(b, a)
    b.send(f'<message to="{jid}" type="chat" id="r1"><received xmlns="urn:xmpp:receipts" id="r"/></message>')
    b.settle(a.bare)
    a.abort()
    moods(b, a)
    b.send(f'<message to="{jid}" type="chat" id="m1"><body>one</body></message>')
    b.settle(a.bare)
    c = stage.client(a.account).authenticate()
    equal(c.resume(a).name, 'resumed')
    c.expect_next('<message id="r1"/>')
    c.expect_next('<presence><status>4</status></presence>')
    c.expect_next('<message id="m1"/>')


def a_resumed_stream_begins_active(stage):
    """§5.2"""
    a, b = quiet(stage, sm=True)
    a.abort()
    c = stage.client(a.account).authenticate()
    equal(c.resume(a).name, 'resumed')
    b.send('<presence><status>seen</status></presence>')
    c.expect('<presence><status>seen</status></presence>')


def a_receipt_held_when_the_session_ends_is_kept(stage):
    a, b = quiet(stage, sm=True)
    b.send(f'<message to="{a.jid}" type="chat" id="r1"><received xmlns="urn:xmpp:receipts" id="r"/></message>')
    b.settle(a.bare)
    a.close()
    c = stage.client(a.account).login()
    c.send('<presence/>')
    c.expect('<message id="r1"/>')


def too_many_are_not_held(stage):
    """Of more senders than are kept the first come by themselves."""
    a, b = quiet(stage)
    for i in range(500):
        b.send(f'<message to="{a.jid}" type="chat">{COMPOSING}</message>')
    for i in range(500):
        a.expect(f'<message>{COMPOSING}</message>')


@on_server({'csi.hold': '1s'})
def what_is_held_comes_at_last(stage):
    a, b = quiet(stage)
    b.send('<presence><status>late</status></presence>')
    a.expect('<presence><status>late</status></presence>')


def bind2_begins_inactive(stage):
    a, b = stage.friends()
    c = stage.client(a.account).connect()
    inline = c.features.find('authentication/inline/bind/inline')
    check(CSI in [f['var'] for f in inline.all('feature')], inline)
    out = c.sasl2(inline=f'<bind xmlns="{BIND2}">{INACTIVE}</bind>')
    equal(out.name, 'success')
    c.send('<presence/>')
    c.ping()
    c.drain()
    moods(b, a)
    c.send(ACTIVE)
    c.expect_next(f'<presence from="{b.jid}"><status>4</status></presence>')


def bind2_begins_active_otherwise(stage):
    a, b = stage.friends()
    c = stage.client(a.account).connect()
    c.sasl2(inline=f'<bind xmlns="{BIND2}">{ACTIVE}</bind>')
    c.send('<presence/>')
    c.drain()
    moods(b, c, 2)
    c.expect('<presence><status>0</status></presence>')
    c.expect('<presence><status>1</status></presence>')


def joining_a_room_is_answered_at_once(stage):
    a, room = stage.online(), stage.room_name()
    a.send(INACTIVE)
    a.send(f'<presence to="{room}/anne"><x xmlns="{MUC}"/></presence>')
    a.expect(f'<presence from="{room}/anne"><x xmlns="{MUC_USER}"><status code="110"/></x></presence>')


def a_room_in_which_nobody_names_me(stage):
    """Messages of rooms come, unless the operator says otherwise."""
    room, a, b = _in_a_room(stage)
    b.send(f'<message to="{room}" type="groupchat" id="x"><body>hello all</body></message>')
    a.expect('<message id="x"/>')


@on_server({'csi.hold_rooms': 'true'})
def a_room_that_may_wait_until_it_names_me(stage):
    room, a, b = _in_a_room(stage, sm=True)
    for i in range(3):
        b.send(f'<message to="{room}" type="groupchat" id="x{i}"><body>hello all</body></message>')
        b.expect(f'<message id="x{i}"/>')
    b.settle(a.bare)
    moods(b, a, 1)
    b.send(f'<message to="{room}" type="groupchat" id="y"><body>anne: look</body></message>')
    for i in range(3):
        a.expect_next(f'<message id="x{i}"/>')
    a.expect_next('<message id="y"/>')


def _in_a_room(stage, sm=False):
    a, b = stage.online(), stage.online()
    if sm:
        a.enable_sm()
    a, room = create(stage, a, 'anne')
    join(b, room, 'bert')
    a.drain(after=(b,))
    a.send(INACTIVE)
    a.ping()
    return room, a, b


def other_words_are_stream_errors(stage):
    a = stage.online()
    a.send(f'<asleep xmlns="{CSI}"/>')
    a.expect_stream_error('unsupported-stanza-type')


def it_is_refused_before_sign_in(stage):
    a = stage.client().connect()
    a.send(INACTIVE)
    a.expect_stream_error('not-authorized|unsupported-stanza-type')


def others_do_not_learn_of_it(stage):
    """§6: nothing changes for them."""
    a, b = stage.friends()
    b.drain(after=(a,))
    a.send(INACTIVE)
    a.ping()
    b.expect_nothing()
