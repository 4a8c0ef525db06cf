#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The durability proof: kill -9 under load, again and again, then look from the outside. Prints TAP.

usage: kill.py [--rounds N] [--seed S] [--window N] [--occupants N] [--keep] [--gently]

Each round, on the data of the rounds before: clients send messages with origin-ids (to each other online, to people who
are offline, into a room) and ask for XEP-0198 acknowledgements; some lose their connection and resume. At a random
instant the server is killed with SIGKILL and started again. Everybody signs in and repeats what was not acknowledged,
with the same origin-ids. Then the whole archive of everybody is read:
  - nothing acknowledged is missing from the sender's, the recipient's or the room's archive,
  - no origin-id is in an archive twice,
  - each conversation has the order in which it was sent,
  - offline messages came exactly once per stanza-id and origin-id,
  - whoever resumed got every message that was sent to it, in order.
--gently ends the server with SIGTERM instead, which a server built with ThreadSanitizer survives to tell of.
"""
import argparse
import pathlib
import random
import shutil
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'flow'))
sys.dont_write_bytecode = True
from lib import *  # noqa: E402

PAIRS, OFFLINE = 3, 2
OFFLINE_MOST = 900  # in one round to one sleeper: beyond 1,000 the server refuses (src/core/offline.h), which is no loss
LOAD_MS = (30, 2500)  # the kill comes this long after the load began


class Sender:
    """One account that sends numbered messages into one conversation."""

    def __init__(self, account, to, kind, name):
        self.account, self.to, self.kind, self.name = account, to, kind, name
        self.next, self.sent, self.client = 0, [], None
        self.acked = set()

    def message(self):
        oid = '%s-%06d' % (self.name, self.next)
        self.next += 1
        self.sent.append(oid)
        return (f'<message to="{self.to}" type="{self.kind}" id="{oid}"><body>{oid}</body>'
                f'<origin-id xmlns="{SID}" id="{oid}"/></message>')

    def note_acks(self):
        """What is sent and no longer unacknowledged is acknowledged."""
        waiting = {ids(text) for text in self.client.unacked}
        self.acked |= {oid for oid in self.sent if oid not in waiting}


def ids(text):
    """The id attribute of a stanza's text."""
    return text.partition(' id="')[2].partition('"')[0]


class World:
    def __init__(self, server, rnd, args):
        self.server, self.rnd, self.window = server, rnd, args.window
        self.lose, self.gently = args.lose, args.gently
        self.room = 'proof@conference.localhost'
        self.pairs = [(server.account(), server.account()) for _ in range(PAIRS)]
        self.sleepers = [server.account() for _ in range(OFFLINE)]
        self.occupants = [server.account() for _ in range(args.occupants)]
        self.senders = []
        for i, (a, b) in enumerate(self.pairs):
            self.senders += [Sender(a, b.jid, 'chat', 'p%da' % i), Sender(b, a.jid, 'chat', 'p%db' % i)]
        for i, acc in enumerate(self.sleepers):
            self.senders.append(Sender(server.account(), acc.jid, 'chat', 'o%d' % i))
        for i, acc in enumerate(self.occupants):
            self.senders.append(Sender(acc, self.room, 'groupchat', 'r%d' % i))
        self.woken = {acc.jid: {} for acc in self.sleepers}  # origin-id -> stanza-ids that came
        self.live = {}  # jid -> origin-ids received in this round

    # ---- connections

    def connect(self, account):
        return Client(self.server, account).login()

    def everybody_in(self):
        for s in self.senders:
            s.client = self.connect(s.account)
            s.client.present()
        self.enter_room()
        for s in self.senders:
            s.client.ping()
            s.client.queue.clear()
            s.client.enable_sm()
            self.live[s.account.jid] = []

    def enter_room(self):
        for i, s in enumerate([s for s in self.senders if s.kind == 'groupchat']):
            s.client.send(f'<presence to="{self.room}/n{i}"><x xmlns="{MUC}"><history maxstanzas="0"/></x></presence>')
            got = s.client.expect(f'<presence from="{self.room}/n{i}"><x xmlns="{MUC_USER}"><status code="110"/></x></presence>', timeout=15)
            if any(st['code'] == '201' for st in got.all('x/status')):
                s.client.set(f'<query xmlns="{MUC_OWNER}">%s</query>' % form(MUC + '#roomconfig', {'muc#roomconfig_persistentroom': '1'}), self.room)

    def everybody_out(self):
        for s in self.senders:
            s.client.drop()

    # ---- load

    def load(self, killed):
        """Sends until the kill is felt. Returns the number of resumptions."""
        resumed, alive = 0, list(self.senders)
        self.first = {s: s.next for s in self.senders}
        while alive and not (killed.is_set() and all(s.client.closed for s in alive)):
            for s in list(alive):
                try:
                    self.step(s, killed)
                    if self.rnd.random() < self.lose and not killed.is_set():
                        self.lose_and_resume(s)
                        resumed += 1
                except (Closed, Failed, OSError):
                    if not killed.is_set() and not killed.wait(20):
                        raise
                    alive.remove(s)
        for s in self.senders:
            self.read_rest(s.client)
            self.collect(s)
            s.note_acks()
        return resumed

    def step(self, s, killed):
        c = s.client
        if c.closed:
            raise Closed('closed')
        burst = self.rnd.randrange(0, 4)
        if s.to in {account.jid for account in self.sleepers} and s.next - self.first[s] + burst > OFFLINE_MOST:
            burst = 0
        for _ in range(burst if len(c.unacked) < self.window and not killed.is_set() else 0):
            c.send(s.message())
        if burst:
            c.raw(f'<r xmlns="{SM}"/>')
        c._pump(0.001)
        self.collect(s)

    def collect(self, s):
        """Files what arrived and forgets it."""
        for el in s.client.queue:
            oid = el.find('origin-id', SID) if el.name == 'message' and el['type'] != 'error' else None
            if oid is not None:
                self.live[s.account.jid].append(oid['id'])
        s.client.queue.clear()

    def read_rest(self, c):
        """Acknowledgements still on their way count."""
        try:
            while not c.closed and c._pump(0.5):
                pass
        except (Failed, Closed, OSError):
            pass
        c.closed = True

    def lose_and_resume(self, s):
        """A mere loss of connection: everything goes on where it was."""
        old = s.client
        old.abort()
        new = Client(self.server, s.account).authenticate()
        out = new.resume(old)
        new.queue = old.queue + new.queue
        s.client = new
        if out.name != 'resumed':
            raise Failed('%s was not resumed: %s' % (s.name, out))

    # ---- after the kill

    def repeat(self):
        """Everybody sends again what was not acknowledged, and gets it acknowledged."""
        left = {s: [t for t in s.client.unacked if t.startswith('<message')] for s in self.senders}
        self.everybody_in()
        for s in self.senders:
            for text in left[s]:
                s.client.send(text)
            s.client.request_ack()
            s.acked |= set(s.sent)
            self.collect(s)
        return sum(len(v) for v in left.values())

    def wake(self):
        """The offline recipients come and get what waits for them."""
        for acc in self.sleepers:
            c = self.connect(acc)
            c.get(f'<query xmlns="{ROSTER}"/>')
            c.present()
            c.ping()
            c.ping()
            time_limit = time.monotonic() + 10
            wanted = {o for s in self.senders if s.to == acc.jid for o in s.acked} - set(self.woken[acc.jid])
            while wanted - {(e.find('origin-id', SID) or {'id': ''})['id'] for e in c.queue if e.name == 'message'}:
                if time.monotonic() > time_limit or not c._pump(1):
                    break
            c.close()
            yield acc, c

    def archive(self, c, to=None):
        """[(origin-id, archive id)] of a whole archive, oldest first."""
        rows, after = [], ''
        while True:
            fin = c.set(f'<query xmlns="{MAM}"><set xmlns="{RSM}"><max>250</max>{after}</set></query>', to).find('fin')
            for el in c.queue:
                result = el.find('result', MAM)
                if result is not None:
                    oid = result.find('forwarded/message/origin-id', SID)
                    rows.append((oid['id'] if oid is not None else None, result['id']))
            c.queue.clear()
            if fin['complete'] in ('true', '1'):
                return rows
            after = '<after>%s</after>' % fin.textof('set/last')


def verify(world, first_offline):
    """All the promises. Returns a list of complaints."""
    bad = []
    for s in world.senders:
        if s.kind == 'chat':
            bad += check_archive(world, s.account, [s], 'of its sender')
    by_recipient = {}
    for s in world.senders:
        by_recipient.setdefault(s.to, []).append(s)
    accounts = {acc.jid: acc for pair in world.pairs for acc in pair}
    accounts.update({acc.jid: acc for acc in world.sleepers})
    for to, senders in by_recipient.items():
        if to != world.room:
            bad += check_archive(world, accounts[to], senders, 'of its recipient')
    if world.occupants:
        reader = room_reader(world)
        bad += check_rows(world.archive(reader, world.room), by_recipient[world.room], 'of the room')
        reader.drop()
    bad += check_offline(world, first_offline)
    return bad


def check_archive(world, account, senders, whose):
    c = world.connect(account)
    rows = world.archive(c)
    c.drop()
    return check_rows(rows, senders, '%s (%s)' % (whose, account.node))


def check_rows(rows, senders, whose):
    bad, have = [], [oid for oid, _ in rows if oid]
    for s in senders:
        mine = [oid for oid in have if oid.startswith(s.name + '-')]
        missing = sorted(s.acked - set(mine))
        if missing:
            bad.append('%d acknowledged messages are missing from the archive %s: %s' % (len(missing), whose, missing[:5]))
        if len(mine) != len(set(mine)):
            twice = sorted({o for o in mine if mine.count(o) > 1})
            bad.append('%d messages are twice in the archive %s: %s' % (len(twice), whose, twice[:5]))
        if mine != sorted(mine):
            at = next(i for i in range(1, len(mine)) if mine[i] < mine[i - 1])
            bad.append('order is broken in the archive %s: %s' % (whose, mine[max(0, at - 2):at + 2]))
    stamps = [aid for _, aid in rows]
    if len(stamps) != len(set(stamps)):
        bad.append('an archive id is used twice %s' % whose)
    return bad


def check_offline(world, arrivals):
    bad = []
    for acc, c in arrivals:
        seen = world.woken[acc.jid]
        for el in c.queue:
            if el.name != 'message' or el.find('origin-id', SID) is None:
                continue
            oid = el.find('origin-id', SID)['id']
            sid = next((x['id'] for x in el.all('stanza-id', SID) if x['by'] == acc.jid), None)
            if oid in seen:
                bad.append('offline message %s came again (stanza-id %s, before %s)' % (oid, sid, seen[oid]))
            seen[oid] = sid
        wanted = {o for s in world.senders if s.to == acc.jid for o in s.acked}
        missing = sorted(wanted - set(seen))
        if missing:
            bad.append('%d offline messages never came to %s: %s' % (len(missing), acc.node, missing[:5]))
    return bad


def check_live(world):
    """In the round's load, each online recipient got a gapless run of each conversation (resumption included)."""
    bad = []
    for s in world.senders:
        if s.kind == 'groupchat' or s.to not in world.live:
            continue
        got = [o for o in world.live[s.to] if o.startswith(s.name + '-')]
        numbers = [int(o.rpartition('-')[2]) for o in got]
        if len(set(numbers)) != len(numbers):
            bad.append('%s: a message was delivered twice on a resumed session' % s.name)
        elif numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            gap = next(i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1)
            bad.append('%s: live delivery jumps from %d to %d' % (s.name, numbers[gap - 1], numbers[gap]))
    return bad


def play(world, rnd):
    """One round. Returns (complaints, words about it)."""
    server = world.server
    for s in world.senders:
        world.live[s.account.jid] = []
    world.everybody_in()
    killed = threading.Event()
    wait_ms = rnd.randrange(*LOAD_MS)

    def kill():
        time.sleep(wait_ms / 1000)
        killed.set()
        if world.gently:
            server.end()
        else:
            server.kill()
    before = sum(s.next for s in world.senders)
    killer = threading.Thread(target=kill)
    killer.start()
    resumed = world.load(killed)
    killer.join()
    bad = check_live(world)
    acked = sum(len(s.acked) for s in world.senders)
    server.start()
    repeated = world.repeat()
    world.everybody_out()
    arrivals = list(world.wake())
    bad += verify(world, arrivals)
    sent = sum(s.next for s in world.senders) - before
    return bad, 'killed after %d ms, %d sent, %d acknowledged so far, %d repeated, %d resumptions' % (
        wait_ms, sent, acked, repeated, resumed)


def room_reader(world):
    """An occupant who came back to read."""
    c = Client(world.server, world.occupants[0]).online()
    c.send(f'<presence to="{world.room}/reader"><x xmlns="{MUC}"><history maxstanzas="0"/></x></presence>')
    c.expect(f'<presence from="{world.room}/reader"><x xmlns="{MUC_USER}"><status code="110"/></x></presence>')
    return c


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--rounds', type=int, default=20)
    ap.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    ap.add_argument('--window', type=int, default=30, help='unacknowledged messages in flight per sender')
    ap.add_argument('--occupants', type=int, default=3, help='of the room; 0 is no room')
    ap.add_argument('--lose', type=float, default=0.002, help='chance of a lost connection per step')
    ap.add_argument('--gently', action='store_true', help='SIGTERM instead of SIGKILL')
    ap.add_argument('--keep', action='store_true', help='keep the data directory of a failure')
    args = ap.parse_args()
    rnd = random.Random(args.seed)
    server = Anser().start()
    server.own_data = False
    world = World(server, rnd, args)
    print('TAP version 13\n1..%d\n# seed %d' % (args.rounds, args.seed), flush=True)
    failed, told = 0, set()
    for n in range(1, args.rounds + 1):
        try:
            bad, words = play(world, rnd)
        except (Failed, Closed, AssertionError, OSError) as e:
            where = [f for f in traceback.extract_tb(e.__traceback__) if f.filename.endswith('kill.py')][-1]
            bad, words = ['%s: %s at line %d: %s' % (type(e).__name__, e, where.lineno, where.line)], 'broken off'
        bad = [line for line in bad if line not in told]  # an archive does not heal: each damage is told once
        complaint = server.complaint()
        if complaint:
            bad.append(complaint)
        print('%s %d - round %d: %s' % ('not ok' if bad else 'ok', n, n, words), flush=True)
        for line in bad:
            print('  # ' + str(line)[:3000].replace('\n', '\n  # '), flush=True)
        failed += bool(bad)
        told |= set(bad)
        if words == 'broken off':
            break
    try:
        server.stop()
    except AssertionError as e:
        failed += 1
        print('# ' + str(e).replace('\n', '\n# '))
    if failed and args.keep:
        print('# data: %s' % server.data)
    else:
        shutil.rmtree(server.data, ignore_errors=True)
    print('# %d of %d rounds failed; seed %d' % (failed, args.rounds, args.seed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
