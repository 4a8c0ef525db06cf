#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's prosody and ejabberd as other servers, on 127.0.0.1 with own names, DNS and authority. Prints TAP.

usage: federation.py [FILTER ...]    FILTER: part of "peer: sentence"
"""
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'flow'))
sys.path.insert(1, str(HERE))
sys.dont_write_bytecode = True
from lib import *  # noqa: E402,F403
from lib import MUC, MUC_OWNER, DATA, DISCO_INFO, Stage, befriend, check, equal  # noqa: E402
from peers import Ejabberd, Prosody  # noqa: E402
from s2s import Authority, World, chat  # noqa: E402

PEERS = [Prosody, Ejabberd]
PATIENCE = 40  # seconds for what waits until the other server tries again


class Part:
    """A world with one Anser (one.example) and one other server (two.example)."""

    def __init__(self, cls, certified, domains=('two.example',), sets=None):
        self.stage = Stage(type('none', (), {'domain': 'one.example', 'kind': 'anser'}))
        self.world = World(self.stage)
        self.world.dns.target = 'localhost'  # ejabberd asks the DNS for SRV records, but the system for addresses
        self.world.dns.a('localhost')
        options = {} if not certified else dict(self.world.certified('one.example', '*.one.example'), **{'s2s.require_certificate': 'true'})
        self.anser = self.world.server('one.example', dict(options, **(sets or {})))
        ca = self.world.ca if certified else Authority('Somebody')
        self.peer = cls(self.world, list(domains), ca.issue(*[n for d in domains for n in (d, '*.' + d)]))
        self.stage.cleanups.append(self.peer.stop)
        self.peer.start()

    def two(self):
        """(one client here, one there)"""
        return self.stage.online(server=self.anser), self.stage.online(self.peer.account(), server=self.peer)

    def back(self):
        """The client there again; what its presence brings is not drained."""
        c = self.stage.client(self.peer.account(), server=self.peer).login()
        return c.present()

    def finish(self):
        self.stage.finish()


def chats_and_queries_go_both_ways(part):
    a, b = part.two()
    chat(a, b)
    chat(b, a)
    equal(a.get('<query xmlns="%s"/>' % DISCO_INFO, part.peer.domain)['type'], 'result')
    equal(b.get('<query xmlns="%s"/>' % DISCO_INFO, 'one.example')['type'], 'result')


def subscriptions_and_presence_go_both_ways(part):
    a, b = part.two()
    befriend(a, b)
    a.send('<presence><show>away</show></presence>')
    b.expect('<presence from="%s"><show>away</show></presence>' % a.jid)
    b.send('<presence><show>dnd</show></presence>')
    a.expect('<presence from="%s"><show>dnd</show></presence>' % b.jid)
    b.close()
    a.expect('<presence from="%s" type="unavailable"/>' % b.jid)
    b = part.back()  # its probe finds who is there
    b.expect('<presence from="%s"/>' % a.jid, timeout=10)
    a.expect('<presence from="%s"/>' % b.jid, timeout=10)


def rooms_take_people_of_the_other_server(part):
    a, b = part.two()
    for host, guest, domain in ((a, b, 'one.example'), (b, a, part.peer.domain)):
        room = 'room%d@conference.%s' % (time.monotonic_ns() % 1000000, domain)
        host.send('<presence to="%s/host"><x xmlns="%s"/></presence>' % (room, MUC))
        host.expect('<presence from="%s/host"/>' % room)
        host.set('<query xmlns="%s"><x xmlns="%s" type="submit"/></query>' % (MUC_OWNER, DATA), room)
        guest.send('<presence to="%s/guest"><x xmlns="%s"/></presence>' % (room, MUC))
        guest.expect('<presence from="%s/guest"/>' % room, timeout=15)
        for who, nick in ((guest, 'guest'), (host, 'host')):
            who.send('<message to="%s" type="groupchat" id="%s"><body>from %s</body></message>' % (room, nick, nick))
            for c in (host, guest):
                c.expect('<message from="%s/%s" id="%s"><body>from %s</body></message>' % (room, nick, nick, nick), timeout=15)
        guest.send('<presence to="%s/guest" type="unavailable"/>' % room)
        host.expect('<presence from="%s/guest" type="unavailable"/>' % room, timeout=15)


def links_to_uploaded_files_arrive(part):
    a, b = part.two()
    slot = a.get('<request xmlns="urn:xmpp:http:upload:0" filename="x.txt" size="5" content-type="text/plain"/>', 'upload.one.example')
    url = slot.find('slot/get')['url']
    a.send('<message to="%s" type="chat" id="f"><body>%s</body><x xmlns="jabber:x:oob"><url>%s</url></x></message>' % (b.jid, url, url))
    got = b.expect('<message from="%s" id="f"/>' % a.jid)
    equal(got.find('x/url').text, url)


def errors_come_back(part):
    a, b = part.two()
    a.send('<message to="nobody-there@%s" type="chat" id="e"><body>x</body></message>' % part.peer.domain)
    equal(a.expect('<message type="error" id="e"/>').error, 'service-unavailable')
    b.send('<message to="nobody-here@one.example" type="chat" id="e"><body>x</body></message>')
    equal(b.expect('<message type="error" id="e"/>').error, 'service-unavailable')


def nothing_is_lost_while_the_other_server_restarts(part):
    a, b = part.two()
    chat(a, b, 'warm')
    b.send('<presence type="unavailable"/>')
    part.peer.end()
    for i in range(30):
        a.send('<message to="%s" type="chat" id="r%d"><body>r%d</body></message>' % (b.bare, i, i))
    a.ping()
    part.peer.start()
    part.stage.clients.remove(b)
    b = part.back()
    for i in range(30):
        b.expect('<message from="%s"><body>r%d</body></message>' % (a.jid, i), timeout=PATIENCE)


def nothing_is_lost_while_this_server_is_killed(part):
    a, b = part.two()
    chat(a, b, 'warm')
    a.enable_sm()
    part.peer.end()
    for i in range(30):
        a.send('<message to="%s" type="chat" id="k%d"><body>k%d</body></message>' % (b.bare, i, i))
    a.request_ack()
    part.anser.kill()
    part.anser.start()
    part.peer.start()
    part.stage.clients.remove(b)
    b = part.back()
    for i in range(30):
        b.expect('<message><body>k%d</body></message>' % i, timeout=PATIENCE)


def nothing_is_lost_when_the_other_server_is_killed_mid_stream(part):
    """What its process had taken and not stored is its own loss: it acknowledges before it stores. Ours is the rest."""
    a, b = part.two()
    chat(a, b, 'warm')
    b.send('<presence type="unavailable"/>')
    for i in range(20):
        a.send('<message to="%s" type="chat" id="m%d"><body>m%d</body></message>' % (b.bare, i, i))
    a.ping()
    part.peer.restart()
    for i in range(20, 40):
        a.send('<message to="%s" type="chat" id="m%d"><body>m%d</body></message>' % (b.bare, i, i))
    part.stage.clients.remove(b)
    b = part.back()
    for i in range(40):
        b.expect('<message from="%s"><body>m%d</body></message>' % (a.jid, i), timeout=PATIENCE)


STEPS = [chats_and_queries_go_both_ways, subscriptions_and_presence_go_both_ways, rooms_take_people_of_the_other_server,
         links_to_uploaded_files_arrive, errors_come_back, nothing_is_lost_while_the_other_server_restarts,
         nothing_is_lost_while_this_server_is_killed, nothing_is_lost_when_the_other_server_is_killed_mid_stream]


def many_domains(cls):
    """100 domains in one process of the other server talk to this one at once."""
    domains = ['d%d.two.example' % i for i in range(100)]
    part = Part(cls, True, domains)
    try:
        a = part.stage.online(server=part.anser)
        for d in domains:
            a.send('<iq to="%s" type="get" id="%s"><ping xmlns="urn:xmpp:ping"/></iq>' % (d, d))
        for d in domains:
            a.expect('<iq from="%s" id="%s" type="result"/>' % (d, d), timeout=60)
        b = part.stage.online(part.peer.account('bert', domains[57]), server=part.peer)
        chat(b, a)
        chat(a, b)
    finally:
        part.finish()


class Tap:
    count = failed = 0

    def run(self, name, fn, wanted):
        if wanted and not any(w in name for w in wanted):
            return
        Tap.count += 1
        began = time.monotonic()
        try:
            fn()
            print('ok %d - %s # %.1f s' % (Tap.count, name, time.monotonic() - began), flush=True)
        except Exception as e:
            Tap.failed += 1
            lines = ('%s: %s' % (type(e).__name__, e)).split('\n')[:60] + traceback.format_exc().split('\n')[-6:]
            print('not ok %d - %s\n%s' % (Tap.count, name, '\n'.join('  # ' + s[:600] for s in lines)), flush=True)


def main():
    tap, wanted = Tap(), sys.argv[1:]
    for cls in PEERS:
        for certified in (True, False):
            label = '%s, %s' % (cls.kind, 'certificates' if certified else 'dialback')
            names = ['%s: %s' % (label, step.__name__.replace('_', ' ')) for step in STEPS]
            todo = [(n, s) for n, s in zip(names, STEPS) if not wanted or any(w in n for w in wanted)]
            if not todo:
                continue
            part = Part(cls, certified)
            for name, step in todo:
                tap.run(name, lambda step=step: step(part), None)
                for c in part.stage.clients:
                    c.drop()
                part.stage.clients.clear()
            if Tap.failed:
                for line in part.anser.log_text().split('\n')[-30:]:
                    print('  # ' + line[:600])
            tap.run('%s: this server ends cleanly' % label, part.finish, None)
        tap.run('%s: a hundred domains at once' % cls.kind, lambda: many_domains(cls), wanted)
    print('1..%d\n# %d of %d failed' % (Tap.count, Tap.failed, Tap.count))
    return 1 if Tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
