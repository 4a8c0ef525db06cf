# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rate limits (limits.enabled=true), a full disk, and bounds that always hold."""
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


def a_full_disk_is_told_and_nothing_is_acknowledged_wrongly(stage):
    """A file system of a few megabytes: messages that cannot be kept are refused or not acknowledged; after room is made all goes on."""
    d = tempfile.mkdtemp(prefix='anser-full-')
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', d], capture_output=True).returncode:
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
