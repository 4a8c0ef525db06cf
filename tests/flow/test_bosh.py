# SPDX-License-Identifier: AGPL-3.0-or-later
"""BOSH: XEP-0124 1.11.2 and XEP-0206 1.4, right and wrong."""
import hashlib
import os
import time

from web import *
from kit.bosh import HTTPBIND, XBOSH, Http, body
from kit.tree import parse

PATH = '/http-bind'
TERMINATE = 'terminate'


class Session:
    """Requests one by one, on connections of their own choice."""

    def __init__(self, stage, rid=None, create=True, **attrs):
        self.stage = stage
        self.rid = rid or int.from_bytes(os.urandom(5), 'big') + 1
        self.sid, self.free = None, []
        if create:
            self.head = self.ask(dict({'to': 'localhost', 'wait': 60, 'hold': 1, 'ver': '1.6', 'xmpp:version': '1.0'}, **attrs))
            self.sid = self.head['sid']

    def begin(self, attrs=None, payload='', rid=None, raw=None):
        """Sends a request; returns its connection."""
        if rid is None and raw is None:
            self.rid += 1
            rid = self.rid
        http = self.free.pop() if self.free else Http((self.stage.server.host, self.stage.server.ports['https']))
        http.post(rid, raw or body(dict({'rid': rid, 'sid': self.sid}, **(attrs or {})), payload))
        return http

    def end(self, http, timeout=5):
        """The answer's body element."""
        deadline = time.monotonic() + timeout
        while True:
            got = http.take(max(0, deadline - time.monotonic()))
            if got:
                break
            check(time.monotonic() < deadline, 'no answer')
        equal(got[0], 200)
        self.free.append(http)
        self.http_headers = got[1]
        el = parse(got[2])
        equal((el.name, el.ns), ('body', HTTPBIND))
        return el

    def ask(self, attrs=None, payload='', rid=None, raw=None):
        return self.end(self.begin(attrs, payload, rid, raw))


def ends_with(el, condition):
    equal((el['type'], el['condition']), (TERMINATE, condition))


def a_session_is_made(stage):
    s = Session(stage)
    h = s.head
    check(len(h['sid']) >= 32, h['sid'])
    check(int(h['wait']) <= 60 and int(h['requests']) > int(h['hold']) and int(h['inactivity']) > 0, h)
    equal((h['ver'], h['from'], h['hold']), ('1.6', 'localhost', '1'))
    equal((h.attrs.get(XBOSH + ' restartlogic'), h.attrs.get(XBOSH + ' version')), ('true', '1.0'))
    check(h.find('features/mechanisms', SASL) is not None, h)
    check(h.find('features/starttls') is None, 'STARTTLS over BOSH')
    equal(s.http_headers['content-type'], 'text/xml; charset=utf-8')
    check('-PLUS' not in str(h), 'channel binding cannot work')


def session_ids_do_not_repeat(stage):
    sids = {Session(stage).sid for _ in range(20)}
    equal(len(sids), 20)


def a_client_signs_in_and_chats(stage):
    a, b = stage.online(transport='bosh'), stage.online()
    befriend(a, b)
    a.send(f'<message to="{b.jid}" type="chat"><body>from bosh &lt;鸿雁&gt;</body></message>')
    b.expect(f'<message from="{a.jid}"><body>from bosh &lt;鸿雁&gt;</body></message>')
    b.send(f'<message to="{a.jid}" type="chat"><body>鸿雁</body></message>')
    a.expect(f'<message from="{b.jid}"><body>鸿雁</body></message>')


def sasl2_with_bind2(stage):
    c = stage.client(transport='bosh').connect()
    equal(c.sasl2(inline=f'<bind xmlns="{BIND2}"><enable xmlns="{SM}" resume="true"/></bind>').name, 'success')
    c.ping()
    check(c.jid and c.sm_id, c.jid)


def a_wrong_password_is_refused(stage):
    c = stage.client(transport='bosh').connect()
    equal(c.sasl(password='wrong').name, 'failure')


def many_clients_in_all_shards(stage):
    cs = [stage.online(transport='bosh') for _ in range(8)]
    for i, c in enumerate(cs):
        c.send(f'<message to="{cs[i - 1].jid}" type="chat" id="m{i}"><body>x</body></message>')
    for i, c in enumerate(cs):
        cs[i - 1].expect(f'<message id="m{i}"/>')


def closing_ends_the_session(stage):
    a, b = stage.friends()
    c = stage.again(a, transport='bosh')
    b.expect(f'<presence from="{c.jid}" type="!"/>')
    c.close()
    b.expect(f'<presence from="{c.jid}" type="unavailable"/>')


def what_comes_with_the_end_is_delivered(stage):
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._post({'type': TERMINATE}, f'<message xmlns="{CLIENT}" to="{b.jid}" type="chat"><body>last words</body></message>')
    b.expect('<message><body>last words</body></message>')
    a._until(lambda: a.ended, 'end')


def stanzas_without_a_namespace_are_taken(stage):
    """XEP-0206 §3: many clients leave it out."""
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._post({}, f'<message to="{b.jid}" type="chat"><body>bare</body></message>')
    b.expect('<message><body>bare</body></message>')


def a_request_waits_until_there_is_something(stage):
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._room()
    while not a.link.waiting():
        a.link._post({})
    held = a.link.rid
    b.send(f'<message to="{a.jid}" type="chat"><body>wakes it</body></message>')
    a.expect('<message><body>wakes it</body></message>')
    check(held in (a.link.answered, a.link.answered - 1, a.link.answered + 1), held)


def waiting_ends_in_time(stage):
    s = Session(stage, wait=1)
    equal(s.head['wait'], '1')
    el = s.ask()
    equal((el.kids, el['type']), ([], None))


def no_more_requests_are_held_than_agreed(stage):
    s = Session(stage)
    one = s.begin()
    two = s.begin()
    equal(s.end(one).kids, [])
    s.begin()
    equal(s.end(two).kids, [])


def a_polling_session_is_answered_at_once(stage):
    for attrs in ({'hold': 0}, {'wait': 0}):
        s = Session(stage, **attrs)
        equal((s.head['hold'], s.head['requests']), ('0', '1'))
        equal(s.ask().kids, [])


def requests_are_taken_in_their_order(stage):
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._room()
    rid = a.link.rid

    def message(i):
        return f'<message xmlns="{CLIENT}" to="{b.jid}" type="chat" id="o{i}"><body>x</body></message>'

    second, first = Http(a.link.address), Http(a.link.address)
    check(len(a.link.waiting()) <= 1, 'two are open')
    if a.link.waiting():
        a.send(f'<presence><status>free</status></presence>')
        rid = a.link.rid
        while a.link.waiting():
            a.link._read(5)
    second.post(rid + 2, body({'rid': rid + 2, 'sid': a.link.sid}, message(2)))
    b.ping()
    first.post(rid + 1, body({'rid': rid + 1, 'sid': a.link.sid}, message(1)))
    b.expect_next('<message id="o1"/>')
    b.expect_next('<message id="o2"/>')


@each(['too high', 'too low', 'forgotten'])
def a_rid_out_of_the_window_ends_the_session(stage, row):
    s = Session(stage, wait=1)
    rid = {'too high': s.rid + 5, 'too low': s.rid - 1, 'forgotten': s.rid}[row]
    if row == 'forgotten':
        for _ in range(10):
            s.ask(payload=f'<auth xmlns="{SASL}" mechanism="NONE"/>') if _ < 2 else s.begin({'pause': 1})
            if _ >= 2:
                break
        rid -= 1
    ends_with(s.ask(rid=rid), 'item-not-found')
    ends_with(s.ask(rid=s.rid + 1), 'item-not-found')


def a_repeated_request_gets_the_same_answer(stage):
    s = Session(stage)
    first = s.ask(payload=f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-1">biwsbj11c2VyLHI9YWJj</auth>')
    check(first.find('challenge', SASL) is not None, first)
    again = s.ask(payload=f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-1">biwsbj11c2VyLHI9YWJj</auth>', rid=s.rid)
    equal(str(again), str(first))


def a_repeated_message_is_delivered_once(stage):
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._room()
    a.link._post({}, f'<message xmlns="{CLIENT}" to="{b.jid}" type="chat" id="once"><body>x</body></message>')
    b.expect('<message id="once"/>')
    again = Http(a.link.address)
    again.post(a.link.rid, body({'rid': a.link.rid, 'sid': a.link.sid},
                                f'<message xmlns="{CLIENT}" to="{b.jid}" type="chat" id="once"><body>x</body></message>'))
    b.expect_nothing('<message/>')


def a_repeat_of_a_held_request_takes_its_place(stage):
    s = Session(stage)
    one = s.begin()
    two = s.begin(rid=s.rid)
    equal(s.end(one)['type'], 'error')
    s.free.clear()
    s.begin(payload=f'<auth xmlns="{SASL}" mechanism="NONE"/>')
    check(s.end(two)['type'] is None, 'the later one is answered')


def repeating_for_ever_is_against_the_rules(stage):
    s = Session(stage)
    s.ask(payload=f'<auth xmlns="{SASL}" mechanism="NONE"/>')
    for _ in range(30):
        el = s.ask(rid=s.rid)
        if el['type'] == TERMINATE:
            break
    ends_with(el, 'policy-violation')


def a_lost_answer_is_not_lost(stage):
    """The connection breaks before the answer arrives; the client repeats its request."""
    a, b = stage.online(transport='bosh'), stage.online()
    a.link._room()
    while a.link.waiting():
        a.send('<presence/>')
        a.link._read(5)
        if len(a.link.waiting()) == 1:
            break
    if not a.link.waiting():
        a.link._post({})
    rid = a.link.waiting()[-1].rid
    a.link.waiting()[-1].link.abort()
    b.send(f'<message to="{a.jid}" type="chat" id="kept"><body>x</body></message>')
    b.ping()
    got = ''
    while 'kept' not in got:  # in the answer to the repeated request, or in that to the next
        check(rid < a.link.rid + 3, 'lost')
        again = Http(a.link.address)
        again.post(rid, body({'rid': rid, 'sid': a.link.sid}))
        got, deadline = None, time.monotonic() + 5
        while not got:
            check(time.monotonic() < deadline, 'no answer')
            got = again.take(1)
        got, rid = got[2], rid + 1


@on_server({'bosh.inactivity': '1s'})
def a_client_that_goes_is_missed_soon(stage):
    """Its held request goes with it: nothing waits for the end of `wait` (60 s)."""
    a, b = stage.online(transport='bosh'), stage.online()
    befriend(a, b)
    a.link._room()
    if not a.link.waiting():
        a.link._post({})
    a.abort()
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')


def acknowledgements_are_told(stage):
    s = Session(stage, ack=1, wait=1)
    equal(s.head['ack'], str(s.rid))
    one = s.begin()
    two = s.begin()
    equal(s.end(one)['ack'], str(s.rid))
    equal(s.end(two)['ack'], None)


def a_pause_returns_all_requests(stage):
    s = Session(stage)
    check(int(s.head['maxpause']) > 0, s.head)
    one = s.begin()
    el = s.ask({'pause': 60})
    equal((el['type'], el.kids), (None, []))
    equal(s.end(one).kids, [])
    equal(s.ask(payload=f'<auth xmlns="{SASL}" mechanism="NONE"/>')['type'], None)


def too_long_a_pause_is_against_the_rules(stage):
    s = Session(stage)
    ends_with(s.ask({'pause': 100000}), 'policy-violation')


@on_server({'bosh.inactivity': '1s'})
def an_inactive_session_ends(stage):
    s = Session(stage)
    equal(s.head['inactivity'], '1')
    deadline = time.monotonic() + 10
    time_out = Session(stage)
    b = stage.online()
    a = stage.online(transport='bosh')
    befriend(a, b)
    while a.link.waiting():
        a.send('<presence/>')
        a.link._read(1)
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>', timeout=deadline - time.monotonic())
    ends_with(time_out.ask(), 'item-not-found')


@on_server({'limits.enabled': 'true'})
def empty_requests_in_quick_succession_are_against_the_rules(stage):
    s = Session(stage, hold=0)
    equal(s.ask()['type'], None)
    ends_with(s.ask(), 'policy-violation')
    s = Session(stage)
    one = s.begin()
    two = s.begin()
    ends_with(s.end(one), 'policy-violation')
    s.end(two)


# ---- keys (§15)

def chain(n):
    keys = [hashlib.sha1(os.urandom(16)).hexdigest()]
    for _ in range(n - 1):
        keys.append(hashlib.sha1(keys[-1].encode()).hexdigest())
    return keys


def keys_protect_the_session(stage):
    keys = chain(5)
    s = Session(stage, newkey=keys.pop(), wait=1)
    for _ in range(2):
        equal(s.ask({'key': keys.pop()})['type'], None)
    more = chain(3)
    equal(s.ask({'key': keys.pop(), 'newkey': more.pop()})['type'], None)
    equal(s.ask({'key': more.pop()})['type'], None)
    ends_with(s.ask({'key': '0' * 40}), 'item-not-found')


@each([{}, {'key': 'x'}, {'key': 'a' * 40}], lambda r: str(len(r.get('key', ''))))
def a_wrong_key_ends_the_session(stage, attrs):
    s = Session(stage, newkey=chain(3)[-1])
    ends_with(s.ask(attrs), 'item-not-found')


# ---- streams (XEP-0206)

def a_stream_error_is_told(stage):
    s = Session(stage)
    el = s.ask(payload=f'<message xmlns="{CLIENT}"><body>too early</body></message>')
    ends_with(el, 'remote-stream-error')
    check(el.find('error', 'http://etherx.jabber.org/streams') is not None, el)
    ends_with(s.ask(), 'item-not-found')


def a_conflict_waits_for_the_next_request(stage):
    a = stage.client(transport='bosh').login('same')
    while a.link.waiting():
        a.link._post({'pause': 60})
        while a.link.waiting():
            a.link._read(5)
    b = stage.client(a.account).login('same')
    b.ping()
    a._until(lambda: a._take(parse('<stream:error><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>'), {}),
             'conflict')


def the_end_of_the_server_is_told(stage):
    server = stage.own_server({})
    cs = [stage.client(transport='bosh', server=server).login() for _ in range(4)]
    for c in cs:
        c.link._room()
        if not c.link.waiting():
            c.link._post({})
    server.end()
    for c in cs:
        c.expect('<stream:error><system-shutdown xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>')


def a_server_with_open_sessions_ends_in_order(stage):
    """Signed in, not yet signed in, with and without a request that waits."""
    server = stage.own_server({})
    stage.server = server
    clients = [stage.client(transport='bosh', server=server).login() for _ in range(4)]
    clients[0].link._post({})
    clients[1].link._post({'pause': 60})
    clients[1].link._read(5)
    one, two = Session(stage), Session(stage)
    one.begin()
    server.stop()
    check(two.sid, two)


@each([({'to': None}, 'improper-addressing'), ({'to': ''}, 'improper-addressing'), ({'to': 'elsewhere.example'}, 'host-unknown'),
       ({'to': 'x' * 4000}, 'host-unknown'), ({'content': 'text/html'}, 'bad-request'),
       ({'content': 'text/xml\r\nX-Evil: 1'}, 'bad-request'), ({'wait': 'long'}, 'bad-request'), ({'hold': '-1'}, 'bad-request')],
      lambda r: '%s %s' % (list(r[0])[0], r[1]))
def bad_creations_are_refused(stage, row):
    s = Session(stage, create=False)
    ends_with(s.ask(dict({'to': 'localhost', 'wait': 60, 'hold': 1, 'ver': '1.6'}, **row[0])), row[1])


BAD = [('no XML', 'hello'), ('not well-formed', '<body'), ('empty', ' '), ('other element', '<html/>'),
       ('other namespace', '<body rid="5" to="localhost" xmlns="jabber:client"/>'), ('no rid', body({'to': 'localhost'})),
       ('rid no number', body({'to': 'localhost', 'rid': 'x'})), ('rid zero', body({'to': 'localhost', 'rid': '0'})),
       ('rid negative', body({'to': 'localhost', 'rid': '-5'})), ('rid too large', body({'to': 'localhost', 'rid': str(2 ** 53)})),
       ('a DTD', '<!DOCTYPE body [<!ENTITY a "b">]>' + body({'rid': 5, 'to': 'localhost'})),
       ('a comment', body({'rid': 5, 'to': 'localhost'}, '<!-- x -->')),
       ('nested too deep', body({'rid': 5, 'to': 'localhost'}, '<a>' * 500 + '</a>' * 500))]


@each(BAD, lambda r: r[0])
def bad_bodies_are_refused(stage, row):
    s = Session(stage, create=False)
    ends_with(s.ask(raw=row[1]), 'bad-request')


@each(['', '0-', '0-unknown', '1-' + 'x' * 32, '99-' + 'x' * 32, '-1-x', 'x' * 5000, "' OR 1=1"], lambda r: r[:12] or 'empty')
def unknown_sessions_are_not_found(stage, sid):
    s = Session(stage, create=False)
    s.sid = sid
    ends_with(s.ask(), 'item-not-found')


def nobody_takes_over_a_session_by_its_rid(stage):
    """Without the sid nothing can be reached; with a sid and a wrong rid it ends rather than answers."""
    a = stage.client(transport='bosh').login()
    mallory = Session(stage, create=False, rid=a.link.rid)
    mallory.sid = a.link.sid[:-1] + ('A' if a.link.sid[-1] != 'A' else 'B')
    ends_with(mallory.ask(), 'item-not-found')
    a.ping()


def an_unauthenticated_element_is_small(stage):
    s = Session(stage)
    el = s.ask(payload='<message xmlns="jabber:client"><body>%s</body></message>' % ('x' * 20000))
    ends_with(el, 'remote-stream-error')


# ---- HTTP

def other_methods_say_what_this_is(stage):
    r = fetch(stage, 'GET', PATH)
    equal(r.status, 200)
    check(b'BOSH' in r.body, r)
    equal(fetch(stage, 'PUT', PATH, body=b'x').status, 405)


def pages_of_others_may_ask(stage):
    r = fetch(stage, 'OPTIONS', PATH, headers={'Origin': 'https://page.example', 'Access-Control-Request-Method': 'POST'})
    equal((r.status, r.headers.get('access-control-allow-origin')), (204, '*'))
    check('POST' in r.headers['access-control-allow-methods'], r)
    r = fetch(stage, 'POST', PATH, body=b'<x/>', headers={'Origin': 'https://page.example'})
    equal(r.headers.get('access-control-allow-origin'), '*')
    check('access-control-allow-credentials' not in r.headers, 'credentials')


@on_server({'bosh.origins': 'https://good.example https://other.example'})
def or_only_those_that_the_operator_names(stage):
    for origin, want in (('https://good.example', 'https://good.example'), ('https://evil.example', None)):
        r = fetch(stage, 'POST', PATH, body=b'<x/>', headers={'Origin': origin})
        equal(r.headers.get('access-control-allow-origin'), want)


@on_server({'bosh.enabled': 'false'})
def it_can_be_turned_off(stage):
    equal(fetch(stage, 'POST', PATH, body=b'<x/>').status, 404)


def compressed_bodies_are_refused(stage):
    equal(fetch(stage, 'POST', PATH, body=b'x', headers={'Content-Encoding': 'gzip'}).status, 415)


def giant_bodies_are_refused(stage):
    w = Web(stage.server)
    w.raw('POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n' % PATH)
    equal(w.response().status, 413)
    w.close()


SMUGGLED = [('two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
            ('length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
            ('odd chunk size', 'Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n'),
            ('negative length', 'Content-Length: -5\r\n\r\nhello'), ('space before colon', 'Content-Length : 5\r\n\r\nhello'),
            ('other coding', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n')]


@each(SMUGGLED, lambda r: r[0])
def smuggled_requests_are_refused(stage, row):
    w = Web(stage.server)
    w.raw('POST %s HTTP/1.1\r\nHost: x\r\n%sGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' % (PATH, row[1]))
    r = w.response()
    check(r.status in (400, 501), r)
    check(w.closed(), 'the connection goes on')
    check(b'HTTP/1.1 200' not in w.buf, w.buf)


def a_request_behind_a_held_one_waits(stage):
    """Pipelining: the second is not read before the first is answered."""
    s = Session(stage, wait=1)
    http = s.begin()
    s.rid += 1
    text = body({'rid': s.rid, 'sid': s.sid})
    http.link.send(b'POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' % (len(text), text.encode()))
    s.end(http)
    s.free.clear()
    http.rid = s.rid
    equal(s.end(http)['type'], None)


def hundreds_of_held_requests_are_held(stage):
    a, b = stage.online(), stage.online()
    sessions = [Session(stage) for _ in range(100)]
    held = [s.begin() for s in sessions]
    a.send(f'<message to="{b.jid}" type="chat"><body>meanwhile</body></message>')
    b.expect('<message><body>meanwhile</body></message>')
    for h in held:
        h.link.abort()
    a.ping()


@on_server({'limits.enabled': 'true'})
def one_address_has_so_many_sessions(stage):
    el = None
    for _ in range(450):
        s = Session(stage, create=False)
        http = Http((stage.server.host, stage.server.ports['https'])) if not el else http
        s.free.append(http)
        el = s.ask({'to': 'localhost', 'wait': 60, 'hold': 1, 'ver': '1.6', 'xmpp:version': '1.0'})
        if el['condition']:
            break
    ends_with(el, 'policy-violation')
