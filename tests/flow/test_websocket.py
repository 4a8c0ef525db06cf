# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 7395 over RFC 6455: framing right and wrong."""
from web import *
from kit.link import BINARY, CLOSE, PING as WS_PING, PONG, TEXT


def opened(stage):
    return stage.client(False, 'ws').connect()


def closes(c, codes):
    """The connection ends; a close frame, if any, has one of these codes."""
    c.expect_close()
    code = c.link.close_code
    check(code is None or code in codes, 'close code %s, wanted one of %s' % (code, codes))


def the_handshake_names_the_subprotocol(stage):
    c = stage.client(False, 'ws').link_up()
    equal(c.link.status, 101)
    equal(c.link.headers.get('sec-websocket-protocol'), 'xmpp')
    equal(c.link.headers.get('sec-websocket-extensions'), None)


BAD = [('no subprotocol', {'Sec-WebSocket-Protocol': None}), ('other subprotocol', {'Sec-WebSocket-Protocol': 'chat'}),
       ('old version', {'Sec-WebSocket-Version': '8'}), ('no key', {'Sec-WebSocket-Key': None}), ('short key', {'Sec-WebSocket-Key': 'AAAA'}),
       ('no upgrade', {'Upgrade': None}), ('no connection', {'Connection': None})]


@each(BAD, lambda r: r[0])
def bad_handshakes_are_refused(stage, row):
    address = (stage.server.host, stage.server.ports['https'])
    try:
        ws = WebSocket(address, headers=row[1])
    except (Closed, AssertionError):
        return
    check(ws.status in (400, 403, 404, 405, 426), 'status %s' % ws.status)
    ws.close()


def several_subprotocols_may_be_offered(stage):
    c = stage.client(False, 'ws')
    c.link = WebSocket((stage.server.host, stage.server.ports['https']), headers={'Sec-WebSocket-Protocol': 'chat, xmpp'})
    equal((c.link.status, c.link.headers.get('sec-websocket-protocol')), (101, 'xmpp'))


def a_foreign_origin_is_answered_by_policy(stage):
    """Tokens are not cookies, so a foreign page gains nothing; refusing it is allowed too."""
    c = stage.client(False, 'ws')
    c.link = WebSocket((stage.server.host, stage.server.ports['https']), headers={'Origin': 'https://evil.example'})
    check(c.link.status in (101, 403), c.link.status)


def the_open_element_answers_with_id_and_from(stage):
    c = opened(stage)
    equal((c.header.name, c.header['from'], c.header['version']), ('open', 'localhost', '1.0'))
    check(c.header['id'], 'no id')
    check(not c.features.find('starttls'), 'STARTTLS on a WebSocket (§3.9)')
    check(c.features.find('mechanisms', SASL) is not None or c.features.find('authentication', SASL2) is not None, 'no SASL')


def a_session_works(stage):
    a, b = stage.online(transport='ws'), stage.online()
    befriend(a, b)
    a.send(f'<message to="{b.jid}" type="chat"><body>from ws</body></message>')
    b.expect(f'<message from="{a.jid}"><body>from ws</body></message>')
    b.send(f'<message to="{a.jid}" type="chat"><body>鸿雁</body></message>')
    a.expect(f'<message from="{b.jid}"><body>鸿雁</body></message>')


def the_stream_is_closed_by_close(stage):
    a = stage.online(transport='ws')
    a.raw(f'<close xmlns="{FRAMING}"/>')
    a._until(lambda: a.ended, '<close/>')
    closes(a, (1000, 1001, 1005))


def a_websocket_close_ends_the_session(stage):
    a, b = stage.friends()
    c = stage.again(a, transport='ws')
    b.expect(f'<presence from="{c.jid}"/>')
    c.link.frame(CLOSE, b'\x03\xe8')
    closes(c, (1000, 1005))
    b.expect(f'<presence from="{c.jid}" type="unavailable"/>')


def each_frame_is_a_document(stage):
    """§3.3.3: namespaces do not carry over from <open/>."""
    a = stage.online(transport='ws')
    a.raw(f'<iq xmlns="jabber:client" type="get" id="w" to="localhost">{PING}</iq>')
    a.expect('<iq id="w" type="result"/>')
    a.raw(f'<iq type="get" id="w2" to="localhost">{PING}</iq>')
    a.expect('<stream:error/>')
    a.expect_close()


WRONG = [('stream header', "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>"),
         ('half an element', '<iq xmlns="jabber:client" type="get" id="h">'), ('two elements', '<presence xmlns="jabber:client"/><presence xmlns="jabber:client"/>'),
         ('empty frame', ''), ('text', 'hello'), ('white space', '  \n'), ('doctype', '<!DOCTYPE x><presence xmlns="jabber:client"/>'),
         ('comment', '<!-- x -->'), ('bad XML', '<presence xmlns="jabber:client"><a></b></presence>')]


@each(WRONG, lambda r: r[0])
def wrong_documents_end_the_stream(stage, row):
    a = stage.online(transport='ws')
    a.raw(row[1])
    if row[0] in ('white space', 'empty frame'):
        a.raw(f'<iq xmlns="jabber:client" type="get" id="k" to="localhost">{PING}</iq>')
        got = a._until(lambda: a.queue and a.queue.pop(0), 'answer')
        check(got.name == 'error' or got['id'] == 'k', got)
        return
    a.expect('<stream:error/>')
    a.expect_close()


def stanzas_before_open_are_refused(stage):
    c = stage.client(False, 'ws').link_up()
    c.raw(f'<iq xmlns="jabber:client" type="get" id="x">{PING}</iq>')
    c.expect_close()


# ---- RFC 6455 framing

def pings_are_answered(stage):
    a = stage.online(transport='ws')
    a.link.frame(WS_PING, b'are you there')
    a.ping()
    equal(a.link.pongs, [b'are you there'])


def unasked_pongs_are_ignored(stage):
    a = stage.online(transport='ws')
    a.link.frame(PONG, b'x')
    a.ping()


def fragments_are_put_together(stage):
    a = stage.online(transport='ws')
    text = f'<iq xmlns="jabber:client" type="get" id="fr" to="localhost">{PING}</iq>'.encode()
    a.link.frame(TEXT, text[:10], fin=False)
    a.link.frame(WS_PING, b'between')
    a.link.frame(0, text[10:20], fin=False)
    a.link.frame(0, b'', fin=False)
    a.link.frame(0, text[20:])
    a.expect('<iq id="fr" type="result"/>')


def a_character_split_over_fragments_arrives(stage):
    a, b = stage.online(transport='ws'), stage.online()
    text = f'<message xmlns="jabber:client" to="{b.jid}" type="chat"><body>鸿🪿</body></message>'.encode()
    for i, byte in enumerate(text):
        a.link.frame(TEXT if i == 0 else 0, bytes([byte]), fin=i == len(text) - 1)
    b.expect('<message><body>鸿🪿</body></message>')


def the_long_length_form_is_accepted_or_refused(stage):
    """§5.2: the minimal length MUST be used; a server may refuse or accept the longer form."""
    a = stage.online(transport='ws')
    text = f'<iq xmlns="jabber:client" type="get" id="ll" to="localhost">{PING}</iq>'.encode()
    a.link.frame(TEXT, text, form=127)
    try:
        a.expect('<iq id="ll" type="result"/>')
    except Failed:
        check(a.closed, 'neither answered nor closed')


ABUSE = [
    ('unmasked frame', lambda l: l.frame(TEXT, b'<x/>', mask=False), (1002,)),
    ('reserved bit', lambda l: l.frame(TEXT, b'<x/>', rsv=4), (1002,)),
    ('reserved opcode 3', lambda l: l.frame(3, b'x'), (1002,)),
    ('reserved opcode 11', lambda l: l.frame(11, b'x'), (1002,)),
    ('binary frame', lambda l: l.frame(BINARY, b'<x/>'), (1003, 1002)),
    ('continuation of nothing', lambda l: l.frame(0, b'x'), (1002,)),
    ('text inside fragments', lambda l: (l.frame(TEXT, b'<x', fin=False), l.frame(TEXT, b'/>')), (1002,)),
    ('fragmented ping', lambda l: l.frame(WS_PING, b'x', fin=False), (1002,)),
    ('ping of 126 bytes', lambda l: l.frame(WS_PING, b'x' * 126), (1002, 1009)),
    ('bad UTF-8', lambda l: l.frame(TEXT, b'<message xmlns="jabber:client"><body>\xff</body></message>'), (1007,)),
    ('close with one byte', lambda l: l.frame(CLOSE, b'\x03'), (1002,)),
    ('close code 1005', lambda l: l.frame(CLOSE, b'\x03\xed'), (1002, 1005, 1000)),
    ('close with bad UTF-8', lambda l: l.frame(CLOSE, b'\x03\xe8\xff'), (1002, 1007, 1000)),
    ('length with the top bit', lambda l: l.frame(TEXT, b'', length=1 << 63, form=127), (1002, 1009)),
    ('length of 4 GiB', lambda l: l.frame(TEXT, b'<x', length=1 << 32), (1009, 1002)),
]


@each(ABUSE, lambda r: r[0])
def framing_abuse_closes_with_the_right_code(stage, row):
    a = stage.online(transport='ws')
    row[1](a.link)
    closes(a, row[2])
    stage.online(a.account, transport='ws').ping()


def an_oversize_message_is_refused(stage):
    a = stage.online(transport='ws')
    try:
        a.link.frame(TEXT, b'<message xmlns="jabber:client"><body>' + b'x' * (4 << 20))
    except Closed:
        pass
    a.expect_close()


def endless_fragments_are_bounded(stage):
    a = stage.online(transport='ws')
    try:
        a.link.frame(TEXT, b'<message xmlns="jabber:client"><body>', fin=False)
        for _ in range(512):
            a.link.frame(0, b'x' * 65536, fin=False)
    except Closed:
        pass
    a.expect_close()


def a_flood_of_pings_is_answered_or_ended(stage):
    a = stage.online(transport='ws')
    try:
        for _ in range(2000):
            a.link.frame(WS_PING, b'x' * 100)
        a.ping()
    except (Closed, Failed):
        check(a.closed or True, '')
    stage.online().ping()


def the_page_path_is_no_websocket(stage):
    ws = None
    try:
        ws = WebSocket((stage.server.host, stage.server.ports['https']), path='/')
    except (Closed, AssertionError):
        return
    check(ws.status != 101, 'upgraded on /')
