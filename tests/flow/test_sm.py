# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0198 1.6: acknowledgement and resumption."""
from lib import *

OLD = 'urn:xmpp:sm:2'


def pair(stage):
    """(a with stream management, b) online."""
    a, b = stage.online(), stage.online()
    a.enable_sm()
    return a, b


def text(to, body, kind='chat'):
    return f'<message to="{to}" type="{kind}" id="{body}"><body>{body}</body></message>'


def back(stage, old, transport='tls'):
    """A new authenticated, unbound connection of the same account."""
    c = stage.client(old.account, transport)
    return c.authenticate()


def it_is_offered_and_enabled(stage):
    a = stage.online()
    enabled = a.enable_sm()
    check(enabled['resume'] in ('true', '1') and enabled['id'], enabled)
    if enabled['max']:
        check(int(enabled['max']) >= 60, enabled)


def enabling_without_resume_gives_no_id(stage):
    a = stage.online()
    enabled = a.enable_sm(resume=False)
    check(enabled['resume'] not in ('true', '1'), enabled)
    a.request_ack()


def every_stanza_counts_and_nothing_else(stage):
    a, b = pair(stage)
    a.send(text(b.jid, 'one'))
    a.raw('  \n ')
    a.send('<presence/>')
    a.ping()
    a.send(f'<r xmlns="{SM}"/>')
    a._until(lambda: a.sm_acked == 3, 'h=3')


def the_server_asks_and_counts_ours(stage):
    a, b = pair(stage)
    for i in range(5):
        b.send(text(a.jid, 'm%d' % i))
    for i in range(5):
        a.expect(f'<message id="m{i}"/>')
    a.request_ack()
    a.ping()


def an_acknowledgement_means_archived(stage):
    a, b = pair(stage)
    a.send(text(b.bare, 'kept'))
    a.request_ack()
    c = stage.again(b)
    c.set(f'<query xmlns="{MAM}"/>')
    c.expect(f'<message><result xmlns="{MAM}"><forwarded xmlns="{FORWARD}"><message id="kept"/></forwarded></result></message>')


def acknowledgements_never_run_ahead_of_the_archive(stage):
    """Each h that arrives covers only messages that a fresh archive query shows."""
    a, b = pair(stage)
    for i in range(50):
        a.send(text(b.bare, 'n%d' % i))
    a.request_ack()
    a.set(f'<query xmlns="{MAM}"><set xmlns="{RSM}"><max>100</max></set></query>')
    for i in range(50):
        a.expect(f'<message><result xmlns="{MAM}"><forwarded xmlns="{FORWARD}"><message id="n{i}"/></forwarded></result></message>')


@each(['tls', 'starttls', 'ws', 'bosh'])
def resumes_with_replay(stage, transport):
    a, b = stage.online(transport=transport), stage.online()
    a.enable_sm()
    jid = a.jid
    b.send(text(a.jid, 'seen'))
    a.expect('<message id="seen"/>')
    a.abort()
    for i in range(3):
        b.send(text(jid, 'missed%d' % i))
    b.ping()
    c = back(stage, a, transport)
    equal(c.resume(a).name, 'resumed')
    for i in range(3):
        c.expect_next(f'<message id="missed{i}"><body>missed{i}</body></message>')
    c.expect_nothing('<message/>')
    c.send(text(b.jid, 'back'))
    b.expect(f'<message id="back" from="{jid}"/>')


def resumes_with_another_transport(stage):
    a, b = pair(stage)
    jid = a.jid
    a.abort()
    b.send(text(jid, 'late'))
    c = back(stage, a, 'ws')
    equal(c.resume(a).name, 'resumed')
    c.expect(f'<message id="late" to="{jid}"/>')


def what_the_server_did_not_get_is_sent_again(stage):
    """h of <resumed/> tells what to repeat; the repeat arrives once."""
    a, b = pair(stage)
    a.send(text(b.jid, 'arrived'))
    b.expect('<message id="arrived"/>')
    a.unacked.append(text(b.jid, 'lost on the way'))
    a.sm_out += 1
    a.abort()
    c = back(stage, a)
    equal(c.resume(a).name, 'resumed')
    b.expect('<message id="lost on the way"/>')
    b.expect_nothing('<message/>', after=[c])


def an_unnoticed_connection_is_replaced_by_the_resumption(stage):
    """The old connection is still open when the client comes back on another."""
    a, b = pair(stage)
    c = back(stage, a)
    equal(c.resume(a).name, 'resumed')
    a.expect_close()
    b.send(text(c.jid, 'to the new one'))
    c.expect('<message id="to the new one"/>')


def resumes_again_and_again(stage):
    a, b = pair(stage)
    for i in range(5):
        a.abort()
        b.send(text(a.jid, 'r%d' % i))
        b.ping()
        c = back(stage, a)
        equal(c.resume(a).name, 'resumed')
        c.expect(f'<message id="r{i}"/>')
        a = c


def presence_stays_while_resumable(stage):
    a, b = stage.friends()
    a.enable_sm()
    a.abort()
    b.expect_nothing('<presence type="unavailable"/>')
    c = back(stage, a)
    equal(c.resume(a).name, 'resumed')
    b.send('<presence><status>hello</status></presence>')
    c.expect(f'<presence from="{b.jid}"><status>hello</status></presence>')


def unknown_ids_are_item_not_found(stage):
    a = stage.client().authenticate()
    a.send(f'<resume xmlns="{SM}" h="0" previd="never-given"/>')
    failed = a.expect(f'<failed xmlns="{SM}"/>')
    check(failed.find('item-not-found', STANZAS), failed)
    a.bind()
    a.ping()


def a_foreign_session_cannot_be_resumed(stage):
    a, b = pair(stage)
    c = stage.client().authenticate()
    c.send(f'<resume xmlns="{SM}" h="0" previd="{a.sm_id}"/>')
    c.expect(f'<failed xmlns="{SM}"><item-not-found xmlns="{STANZAS}"/></failed>')
    a.ping()


def resuming_after_binding_is_refused(stage):
    a, b = pair(stage)
    c = stage.again(a)
    c.send(f'<resume xmlns="{SM}" h="0" previd="{a.sm_id}"/>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    if got.name != 'error':
        c_ = got.find('unexpected-request', STANZAS)
        check(got.name == 'failed' and c_, got)
    a.ping()


def a_closed_stream_cannot_be_resumed(stage):
    a, b = pair(stage)
    a.close()
    c = back(stage, a)
    out = c.resume(a)
    equal(out.name, 'failed')


def enabling_before_binding_is_refused(stage):
    a = stage.client().authenticate()
    a.send(f'<enable xmlns="{SM}"/>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    if got.name == 'failed':
        check(got.find('unexpected-request', STANZAS), got)
    else:
        equal(got.name, 'error')


def enabling_before_signing_in_is_refused(stage):
    a = stage.client(False).connect()
    a.raw(f'<enable xmlns="{SM}"/>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    check(got.name in ('failed', 'error'), got)


def enabling_twice_is_refused(stage):
    """XEP-0198 §3: <failed/> unexpected-request, or the stream ends."""
    a, b = pair(stage)
    a.raw(f'<enable xmlns="{SM}"/>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    if got.name == 'failed':
        check(got.find('unexpected-request', STANZAS), got)
        a.request_ack()
    else:
        equal(got.name, 'error')


def too_high_h_ends_the_stream(stage):
    """§4: undefined-condition with <handled-count-too-high/>."""
    a, b = pair(stage)
    b.send(text(a.jid, 'x'))
    a.expect('<message id="x"/>')
    a.raw(f'<a xmlns="{SM}" h="1000"/>')
    err = a.expect_stream_error('undefined-condition')
    too = err.find('handled-count-too-high', SM)
    check(too is not None, err)
    equal(too['h'], '1000')
    check(too['send-count'] is not None, 'no send-count')


@each(['-1', 'x', '', '4294967296', '99999999999999999999'])
def a_bad_h_ends_the_stream(stage, h):
    a, b = pair(stage)
    a.raw(f'<a xmlns="{SM}" h="{h}"/>')
    a.expect('<stream:error/>')
    a.expect_close()


def acknowledging_before_enabling_is_refused_or_ignored(stage):
    a = stage.online()
    a.raw(f'<a xmlns="{SM}" h="0"/><r xmlns="{SM}"/>')
    a.raw(f'<iq type="get" id="after" to="localhost">{PING}</iq>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'answer')
    check(got.name in ('error', 'iq', 'failed'), 'answered with %s' % got)


def too_high_h_in_resume_is_refused(stage):
    a, b = pair(stage)
    a.abort()
    c = back(stage, a)
    c.send(f'<resume xmlns="{SM}" h="77" previd="{a.sm_id}"/>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    check(got.name in ('failed', 'error'), got)


def unacknowledged_messages_go_to_another_resource_or_offline(stage):
    """§5: when the session ends without resumption, messages not acknowledged are treated as undelivered."""
    a, b = pair(stage)
    a.auto_ack = False
    b.send(text(a.bare, 'unacked'))
    a.expect('<message id="unacked"/>')
    c = stage.client(a.account)
    a.close()
    c.login()
    c.present()
    c.expect('<message id="unacked"/>')


def acknowledged_messages_are_not_repeated(stage):
    a, b = pair(stage)
    b.send(text(a.bare, 'once'))
    a.expect('<message id="once"/>')
    a.raw(f'<a xmlns="{SM}" h="{a.sm_in}"/>')
    a.ping()
    a.close()
    c = stage.client(a.account).login()
    c.present()
    c.expect_nothing('<message id="once"/>')


def a_lost_session_ends_after_its_time(stage):
    """A server with a short resumption time: the contact sees unavailable, the message goes to offline storage."""
    server = stage.own_server({'sm.resume': '1s'})
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    befriend(a, b)
    a.enable_sm()
    a.abort()
    b.send(text(a.bare, 'nobody home'))
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>', timeout=15)
    c = stage.client(a.account, server=server).login()
    c.present()
    c.expect('<message id="nobody home"/>')


def unanswered_iqs_are_refused_at_the_end(stage):
    """A request that a vanished session never answered gets an error (RFC 6121 §8.5.3.2.3 in spirit)."""
    a, b = stage.friends()
    a.enable_sm()
    a.auto_ack = False
    b.send(f'<iq type="get" id="lost" to="{a.jid}">{PING}</iq>')
    a.expect('<iq id="lost"/>')
    a.close()
    b.expect(f'<iq id="lost" type="error" from="{a.jid}"/>')


def replayed_stanzas_keep_their_time(stage):
    """§5: a delay stamp should say when a replayed message was first received; it must not be missing from late ones."""
    a, b = pair(stage)
    a.abort()
    b.send(text(a.jid, 'while away'))
    b.ping()
    c = back(stage, a)
    c.resume(a)
    got = c.expect('<message id="while away"/>')
    delay = got.find('delay', DELAY)
    check(delay is None or delay['stamp'], 'delay without stamp')


def a_resumed_room_occupant_misses_nothing(stage):
    a, b = stage.online(), stage.online()
    room = stage.room_name()
    for c, nick in ((a, 'anne'), (b, 'bert')):
        c.send(f'<presence to="{room}/{nick}"><x xmlns="{MUC}"/></presence>')
        c.expect(f'<presence from="{room}/{nick}"><x xmlns="{MUC_USER}"><status code="110"/></x></presence>')
        if c is a:
            a.set(f'<query xmlns="{MUC_OWNER}"><x xmlns="{DATA}" type="submit"/></query>', room)
    a.drain()
    a.enable_sm()
    a.abort()
    for i in range(3):
        b.send(f'<message to="{room}" type="groupchat" id="g{i}"><body>g{i}</body></message>')
        b.expect(f'<message id="g{i}" from="{room}/bert"/>')
    c = back(stage, a)
    equal(c.resume(a).name, 'resumed')
    for i in range(3):
        c.expect(f'<message id="g{i}" from="{room}/bert" type="groupchat"/>')


def many_unacknowledged_stanzas_are_bounded(stage):
    """A client that never acknowledges must not grow without limit; the server may end its session, others go on."""
    a, b = pair(stage)
    a.auto_ack = False
    body = 'x' * 1000
    for i in range(3000):
        b.send(f'<message to="{a.jid}" type="chat"><body>{body}</body></message>')
        if i % 100 == 0:
            a._pump(0)
    b.ping()
