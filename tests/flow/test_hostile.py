# SPDX-License-Identifier: AGPL-3.0-or-later
"""Peers that mean harm: everybody else's session goes on, memory per bad peer stays bounded."""
import os
import random
import ssl
import subprocess

from web import *


def rss(server):
    """Resident memory of the server in bytes."""
    with open('/proc/%d/statm' % server.proc.pid) as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def steady(stage, harm):
    """A pair chats before and after the harm."""
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat"><body>before</body></message>')
    b.expect('<message><body>before</body></message>')
    harm()
    a.send(f'<message to="{b.jid}" type="chat"><body>after</body></message>')
    b.expect('<message><body>after</body></message>')


def plain_link(stage):
    c = stage.client(False)
    c.link_up()
    c.open()
    return c


def random_bytes_do_no_harm(stage):
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)

    def harm():
        for port in ('c2s', 'c2s_tls', 'https'):
            for _ in range(15):
                link = Link((stage.server.host, stage.server.ports[port]))
                try:
                    link.send(rnd.randbytes(rnd.randrange(1, 5000)))
                    link.recv(0.05)
                except (Closed, OSError):
                    pass
                link.close()
    stage.log.append('seed %d' % seed)
    steady(stage, harm)


def broken_xml_of_many_kinds_does_no_harm(stage):
    """Mutations of a good session, sent by an authenticated client."""
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    stage.log.append('seed %d' % seed)
    good = [f'<iq type="get" id="x" to="localhost">{PING}</iq>', f'<iq type="set" id="x"><query xmlns="{ROSTER}"><item jid="a@b"><group>g</group></item></query></iq>',
            f'<message to="x@localhost" type="chat"><body>b</body><origin-id xmlns="{SID}" id="1"/></message>', '<presence><priority>1</priority></presence>',
            f'<iq type="set" id="x"><query xmlns="{MAM}">{form(MAM, {"with": "a@b"})}</query></iq>', f'<presence to="r@conference.localhost/n"><x xmlns="{MUC}"/></presence>',
            f'<iq type="set" id="x"><block xmlns="{BLOCKING}"><item jid="a@b"/></block></iq>', f'<enable xmlns="{SM}" resume="true"/>', f'<r xmlns="{SM}"/>']

    def harm():
        acc = stage.account()
        for _ in range(60):
            c = stage.client(acc)
            c.authenticate()
            c.bind()
            for _ in range(4):
                data = bytearray(rnd.choice(good).encode())
                for _ in range(rnd.randrange(1, 4)):
                    at = rnd.randrange(len(data))
                    what = rnd.randrange(4)
                    if what == 0:
                        data[at] = rnd.randrange(256)
                    elif what == 1:
                        del data[at:at + rnd.randrange(1, 9)]
                        data = data or bytearray(b'<')
                    elif what == 2:
                        data[at:at] = data[:rnd.randrange(1, 40)]
                    else:
                        data[at:at] = rnd.choice([b'"', b'<', b'>', b'&', b"'", b'\0', b'\xc3', b'xmlns=""', b'/>'])
                try:
                    c.raw(bytes(data))
                except (Closed, OSError, ssl.SSLError):
                    break
            try:
                while c._pump(0.01):
                    pass
            except Failed:
                pass
            c.drop()
    steady(stage, harm)


def a_client_that_never_reads_is_bounded(stage):
    """Its output is limited (CONN_OUT_MAX); then it is dropped or its messages go elsewhere. Others go on."""
    deaf, b = stage.online(), stage.online()
    before = rss(stage.server)
    body = 'x' * 50000
    for i in range(600):
        b.send(f'<message to="{deaf.jid}" type="headline"><body>{body}</body></message>')
        if i % 50 == 0:
            b.ping()
    b.ping()
    grown = rss(stage.server) - before
    check(grown < 64 << 20, 'a peer that does not read costs %d MiB' % (grown >> 20))


def a_client_that_asks_and_never_reads_is_bounded(stage):
    a, b = stage.online(), stage.online()
    for i in range(100):
        b.send(f'<message to="{a.bare}" type="chat"><body>{"y" * 5000}</body></message>')
    b.ping()
    a.drain()
    before = rss(stage.server)
    try:
        a.link.sock.settimeout(2)
        for i in range(3000):
            a.link.sock.send(f'<iq type="set" id="m{i}"><query xmlns="{MAM}"><set xmlns="{RSM}"><max>100</max></set></query></iq>'.encode())
    except (OSError, ssl.SSLError):
        pass
    b.ping()
    grown = rss(stage.server) - before
    check(grown < 64 << 20, 'unread answers cost %d MiB' % (grown >> 20))
    b.ping()


def many_idle_connections_do_no_harm(stage):
    def harm():
        links = [Link((stage.server.host, stage.server.ports['c2s'])) for _ in range(300)]
        for link in links:
            link.close()
    steady(stage, harm)


def half_done_handshakes_do_no_harm(stage):
    def harm():
        links = []
        for _ in range(50):
            link = Link((stage.server.host, stage.server.ports['c2s_tls']))
            link.send(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')
            links.append(link)
        for link in links:
            link.abort()
    steady(stage, harm)


def tls_closed_at_any_byte_does_no_harm(stage):
    """A good session cut after n records' bytes."""
    def harm():
        for n in range(1, 40, 3):
            c = stage.client(False).link_up()
            try:
                c.raw(c.header_text()[:n * 4])
            except Closed:
                pass
            c.abort()
    steady(stage, harm)


def a_slow_stream_header_is_bounded_in_size(stage):
    c = stage.client(False).link_up()
    try:
        c.raw('<?xml version="1.0"?>' + ' ' * (3 << 20))
        c.raw('<stream:stream ' + 'a' * (1 << 20))
    except Closed:
        pass
    c.expect_close(10)


def endless_white_space_before_signing_in_ends(stage):
    """Only so many bytes are free before authentication, or they cost nothing; the server stays steady either way."""
    def harm():
        c = plain_link(stage)
        try:
            for _ in range(64):
                c.link.send(b' ' * 65536)
        except Closed:
            pass
        c.drop()
    steady(stage, harm)


def endless_namespaces_are_bounded(stage):
    a = stage.online()
    text = '<message to="localhost">' + ''.join(f'<a{i}:x xmlns:a{i}="urn:{i}">' for i in range(3000))
    try:
        a.raw(text)
    except Closed:
        pass
    a.expect('<stream:error/>')
    a.expect_close()


def an_entity_bomb_is_refused_at_once(stage):
    c = stage.client(False).link_up()
    bomb = '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    c.raw(bomb + c.header_text().partition('?>')[2])
    c.expect_stream_error('restricted-xml|not-well-formed|bad-format|invalid-xml')


def external_entities_are_refused(stage):
    c = stage.client(False).link_up()
    c.raw('<?xml version="1.0"?><!DOCTYPE s SYSTEM "file:///etc/passwd">' + c.header_text().partition('?>')[2])
    c.expect_stream_error('restricted-xml|not-well-formed|bad-format|invalid-xml')


def a_flood_of_open_streams_by_one_client_ends(stage):
    def harm():
        for _ in range(100):
            c = stage.client(False).link_up()
            c.open(wait=False)
            c.drop()
    steady(stage, harm)


def stream_restarts_out_of_place_are_refused(stage):
    a = stage.online()
    a.raw(a.header_text().partition('?>')[2] + '</stream:stream>')
    a.expect('<stream:error/>')
    a.expect_close()


def stanzas_behind_the_end_of_stream_are_ignored(stage):
    a, b = stage.online(), stage.online()
    a.raw(f'</stream:stream><message to="{b.jid}"><body>too late</body></message>')
    b.expect_nothing('<message/>')
    a.expect_close()


def a_stolen_resume_id_is_useless_to_others(stage):
    a = stage.online()
    a.enable_sm()
    thief = stage.client().authenticate()
    thief.send(f'<resume xmlns="{SM}" h="0" previd="{a.sm_id}"/>')
    thief.expect(f'<failed xmlns="{SM}"/>')
    a.ping()


def presence_subscriptions_cannot_be_forged(stage):
    """`from` of subscription stanzas is stamped; approving for somebody else is impossible."""
    a, b, evil = stage.online(), stage.online(), stage.online()
    evil.raw(f'<presence from="{b.bare}" to="{a.bare}" type="subscribed"/>')
    a.send(f'<presence to="{b.bare}" type="subscribe"/>')
    b.expect('<presence type="subscribe"/>')
    roster = a.get(f'<query xmlns="{ROSTER}"/>')
    equal([(i['jid'], i['subscription']) for i in roster.all('query/item')], [(b.bare, 'none')])


def iq_results_cannot_be_spoofed(stage):
    a, evil = stage.online(), stage.online()
    evil.send(f'<iq type="result" id="guess" to="{a.jid}"><query xmlns="{ROSTER}"><item jid="x@y"/></query></iq>')
    for e in a.drain(after=[evil]):
        equal(e['from'], evil.jid)


def cpu_bombs_in_patterns_do_no_harm(stage):
    """Long equal attributes, many children, many groups: quadratic work would show as a turn that blocks others; it must end."""
    a = stage.online()
    items = ''.join(f'<x{i} xmlns="urn:x"/>' for i in range(5000))
    answer = a.iq('set', f'<query xmlns="{ROSTER}"><item jid="a@b">{"".join(f"<group>g{i}</group>" for i in range(3000))}</item></query>')
    check(answer['type'] in ('result', 'error'), answer)
    a.send(f'<message to="{a.jid}"><body>x</body>{items}</message>')
    a._until(lambda: a.queue or a.closed, 'outcome')
    stage.online().ping()


def sessions_of_others_survive_a_crowd_of_bad_peers(stage):
    def harm():
        for bad in (b'\x00' * 100, b'<a' * 1000, b'</stream:stream>', b'<stream:stream>', b'GET / HTTP/1.0\r\n\r\n', b'\xef\xbb\xbf<x/>', b'\xfe\xff\x00<'):
            for port in ('c2s', 'c2s_tls', 'https'):
                link = Link((stage.server.host, stage.server.ports[port]))
                try:
                    if port != 'c2s':
                        link.start_tls(alpn='xmpp-client' if port == 'c2s_tls' else 'http/1.1')
                    link.send(bad)
                    link.recv(0.2)
                except (Closed, OSError, ssl.SSLError):
                    pass
                link.close()
    steady(stage, harm)
