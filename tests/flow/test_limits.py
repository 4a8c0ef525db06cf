# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rate limits (limits.enabled=true), a full disk, and bounds that always hold."""
import itertools
import os
import shutil
import subprocess
import tempfile

from web import *

ON = {'limits.enabled': 'true'}


@on_server(ON)
def failed_signins_are_slowed_down_per_address(stage):
    acc = stage.account()
    refused = 0
    for _ in range(60):
        c = stage.client(acc)
        try:
            c.connect()
            out = c.sasl('PLAIN', password='wrong')
            refused += any(k.name in ('temporary-auth-failure', 'policy-violation') for k in out.kids)
        except (Failed, Closed, OSError):
            refused += 1
        c.drop()
        if refused:
            break
    check(refused, '60 wrong passwords were all tried')


@on_server(ON)
def a_flood_of_stanzas_is_slowed_and_loses_nothing(stage):
    """Throttling reads slower; what was sent arrives in order, the session stays."""
    a, b = stage.online(), stage.online()
    for i in range(300):
        a.send(f'<message to="{b.jid}" type="chat" id="f{i}"><body>{i}</body></message>')
    for i in range(300):
        b.expect(f'<message id="f{i}"/>', timeout=20)


@on_server(ON)
def ordinary_use_is_not_limited(stage):
    a, b = stage.friends()
    for i in range(20):
        a.send(f'<message to="{b.jid}" type="chat" id="n{i}"><body>{i}</body></message>')
        b.expect(f'<message id="n{i}"/>')
    for _ in range(5):
        stage.again(a).close()


@on_server(ON)
def setup_codes_cannot_be_guessed_fast(stage):
    seen = set()
    for i in range(60):
        r = fetch(stage, 'POST', '/api/v1/setup', {'code': 'guess%d' % i, 'name': 'x', 'password': 'long enough pw'})
        seen.add(r.status)
        if r.status == 429:
            break
    check(429 in seen, seen)


@on_server({'limits.enabled': 'true', 'registration.open': 'true'})
def open_registration_is_limited_per_address(stage):
    seen = []
    for i in range(40):
        r = fetch(stage, 'POST', '/api/v1/register', {'name': 'flood%d' % i, 'password': 'long enough pw'})
        seen.append(r.status)
        if r.status == 429:
            break
    check(seen[0] == 201 and seen[-1] == 429, seen)


@on_server()
def without_limits_nothing_is_slowed(stage):
    acc = stage.account()
    for _ in range(40):
        c = stage.client(acc).connect()
        out = c.sasl('PLAIN', password='wrong')
        check(out.find('not-authorized') is not None, out)
        c.drop()


def until_kept(a, b):
    """There is room again: messages are stored, without a restart. Those already on their way may still be refused."""
    for _ in range(50):
        a.queue.clear()
        a.send(f'<message to="{b.bare}" type="chat" id="kept"><body>kept</body></message>')
        a.request_ack()
        if not any(e['id'] == 'kept' and e['type'] == 'error' for e in a.queue):
            return
    raise Failed('messages are refused although there is room again')


def a_full_disk_is_told_and_nothing_is_acknowledged_wrongly(stage):
    """A small file system: messages that cannot be kept are refused or not acknowledged; after room is made all goes on."""
    d = tempfile.mkdtemp(prefix='anser-full-')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', d], capture_output=True).returncode:
        # Without the right to mount, a file size limit of the process would show the same error paths (EFBIG instead of ENOSPC).
        os.rmdir(d)
        raise Failed('this dialogue needs the right to mount a small file system')
    try:
        server = Anser(data=d + '/data').start()
        try:
            a = stage.client(server.account(), server=server).online()
            b = stage.client(server.account(), server=server).online()
            a.enable_sm()
            a.send(f'<message to="{b.bare}" type="chat" id="first"><body>first</body></message>')
            a.request_ack()
            with open(d + '/filler', 'wb') as f:
                try:
                    while True:
                        f.write(bytes(65536))
                        f.flush()
                except OSError:
                    pass
            body = 'x' * 20000
            sent = []
            for i in range(400):
                a.send(f'<message to="{b.bare}" type="chat" id="big{i}"><body>{body}</body></message>')
                sent.append('big%d' % i)
                if i % 20 == 0:
                    a._pump(0.02)
                    b._pump(0)
                if a.closed:
                    break
            acked = len(sent) + 1 - len(a.unacked)
            refused = {e['id'] for e in a.queue if e.name == 'message' and e['type'] == 'error'}
            check(refused or acked < len(sent), 'all was kept on a full disk')
            check(server.alive(), 'the server ended')
            os.unlink(d + '/filler')
            until_kept(a, b)
            a.drop()
            b.drop()
            server.restart()
            text = server.log_text().lower()
            check('space' in text or 'full' in text or 'enospc' in text, 'the log does not tell of the full disk')
            c = stage.client(b.account, server=server).online()
            got, after = set(), ''
            while True:
                fin = c.set(f'<query xmlns="{MAM}"><set xmlns="{RSM}"><max>100</max>{after}</set></query>').find('fin')
                got |= {e.find('result/forwarded/message')['id'] for e in c.queue if e.find('result', MAM) is not None}
                c.queue.clear()
                if fin['complete'] in ('true', '1'):
                    break
                after = '<after>%s</after>' % fin.textof('set/last')
            check('kept' in got, 'what was sent after there was room again is not in the archive')
            missing = [m for m in (['first'] + sent)[:max(acked, 0)] if m not in got and m not in refused]
            equal(missing, [], 'acknowledged, not refused, and not in the archive')
        finally:
            server.stop()
    finally:
        subprocess.run(['umount', '-l', d])
        shutil.rmtree(d, ignore_errors=True)


def many_resources_of_one_account_are_bounded(stage):
    """A named limit of sessions per account: refused with resource-constraint, others not touched."""
    acc = stage.account()
    clients = []
    for i in range(150):
        c = stage.client(acc)
        c.authenticate()
        answer = c.iq('set', f'<bind xmlns="{BIND}"/>')
        if answer['type'] == 'error':
            check(answer.error in ('resource-constraint', 'not-allowed', 'conflict'), answer)
            break
        clients.append(c)
    else:
        raise Failed('150 sessions of one account')
    clients[0].jid = clients[0].jid or acc.jid
    stage.online().ping()


def a_roster_is_bounded(stage):
    a = stage.client().login()
    for n in range(1, 12000):
        a.send(f'<iq type="set" id="b{n}"><query xmlns="{ROSTER}"><item jid="c{n}@x.example"/></query></iq>')
        if n % 200 == 0:
            got = a.expect(f'<iq id="b{n}"/>', timeout=20)
            a.queue.clear()
            if got['type'] == 'error':
                check(got.error in ('resource-constraint', 'not-allowed', 'policy-violation', 'not-acceptable'), got)
                return
    raise Failed('12000 roster items were taken')


def a_block_list_is_bounded(stage):
    a = stage.online()
    for n in range(0, 30000, 500):
        items = ''.join(f'<item jid="c{i}@x.example"/>' for i in range(n, n + 500))
        answer = a.iq('set', f'<block xmlns="{BLOCKING}">{items}</block>')
        if answer['type'] == 'error':
            check(answer.error in ('resource-constraint', 'not-allowed', 'policy-violation', 'not-acceptable'), answer)
            return
    raise Failed('30000 blocked addresses were taken')


# ---- deadlines

DEADLINES = {'limits.auth_timeout': '1s', 'limits.idle': '1s', 'limits.idle_grace': '1s'}


@each(['plain', 'tls', 'ws'])
@on_server(DEADLINES)
def who_does_not_sign_in_is_closed(stage, transport):
    c = stage.client(False, transport).link_up()
    c.open(wait=False)
    c.expect_stream_error('connection-timeout')


@each(['plain', 'tls'])
@on_server(DEADLINES)
def a_slow_loris_gains_no_time(stage, transport):
    """Bytes that lead to nothing do not move the deadline."""
    c = stage.client(False, transport).link_up()
    try:
        for byte in itertools.chain(c.header_text().encode()[:-1], itertools.repeat(32, 500)):
            c.raw(bytes([byte]))
            c._pump(0.02)
            if c.closed:
                break
    except (Closed, OSError):
        c.closed = True
    check(c.closed, 'still open')


@on_server(DEADLINES)
def half_a_handshake_after_starttls_is_closed(stage):
    c = stage.client(False, 'plain').connect()
    c.raw('<starttls xmlns="%s"/>' % TLS)
    c.expect('<proceed xmlns="%s"/>' % TLS)
    c.raw(b'\x16\x03\x01\x02\x00\x01')
    c.expect_close()


@on_server(DEADLINES)
def a_silent_client_is_asked_for_a_sign_of_life(stage):
    a = stage.online()
    for _ in range(2):
        ping = a.expect('<iq type="get"><ping xmlns="urn:xmpp:ping"/></iq>')
        a.send('<iq type="result" id="%s" to="%s"/>' % (ping['id'], stage.domain))
    a.ping()


@on_server(DEADLINES)
def white_space_is_a_sign_of_life(stage):
    a = stage.online()
    for _ in range(2):
        a.expect('<iq type="get"><ping xmlns="urn:xmpp:ping"/></iq>')
        a.raw(' ')
    a.ping()


@on_server(DEADLINES)
def who_gives_no_sign_of_life_is_closed(stage):
    a, b = stage.friends()
    a.expect('<iq type="get"><ping xmlns="urn:xmpp:ping"/></iq>')
    for _ in range(100):
        b.ping()
        b._pump(0.1)
        if any(e['type'] == 'unavailable' and e['from'] == a.jid for e in b.queue):
            break
    b.expect(f'<presence from="{a.jid}" type="unavailable"/>')
    a.expect_stream_error('connection-timeout')


@on_server(DEADLINES)
def a_silent_session_may_be_resumed(stage):
    """XEP-0198: asked by <r/>; a dead link costs no message."""
    a = stage.online()
    a.enable_sm()
    a.auto_ack = False
    a.expect('<r xmlns="%s"/>' % SM)
    a.expect_stream_error('connection-timeout')
    b = stage.online()
    b.send(f'<message to="{a.jid}" type="chat" id="late"><body>late</body></message>')
    b.ping()
    again = stage.client(a.account)
    again.authenticate()
    equal(again.resume(a).name, 'resumed')
    again.expect('<message id="late"/>')
