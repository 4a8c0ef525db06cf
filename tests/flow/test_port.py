# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0227 1.1: accounts in from real exports of prosody and ejabberd (tests/port/make-fixtures), out and in again, hostile files."""
import os
import pathlib
import re
import shutil
import tempfile

from lib import *

PORT = pathlib.Path(__file__).resolve().parent.parent / 'port'
PASSWORD = 'Wherefore art thou'
PIE = 'urn:xmpp:pie:0'
PUBSUB = 'http://jabber.org/protocol/pubsub'


def scratch(stage):
    d = pathlib.Path(tempfile.mkdtemp(prefix='port-'))
    stage.cleanups.append(lambda: shutil.rmtree(d))
    return d


def imported(stage, *args, **kw):
    return stage.server.cli('import', *[str(a) for a in args], **kw)


def juliet_of(stage, mech='SCRAM-SHA-1'):
    c = stage.client(Account('juliet', 'localhost', PASSWORD)).connect()
    equal(c.sasl(mech).name, 'success', 'sign-in with the old password')
    c.open()
    c.bind()
    return c


def items_of(c, node, to=None):
    return {i['id']: i.kids[0] for i in c.get(f'<pubsub xmlns="{PUBSUB}"><items node="{node}"/></pubsub>', to).all('pubsub/items/item')}


def roster_of(c):
    items = c.get(f'<query xmlns="{ROSTER}"/>').all('query/item')
    return {i['jid']: (i['subscription'], i['name'], sorted(g.text for g in i.all('group'))) for i in items}


def archive_of(c):
    """[(from, body, stamp to the second)], oldest first."""
    c.set(f'<query xmlns="{MAM}" queryid="q"/>')
    out = []
    for m in [e for e in c.queue if e.name == 'message' and e.find('result', MAM)]:
        c.queue.remove(m)
        fwd = m.find('result/forwarded')
        out.append((fwd.find('message')['from'].split('/')[0], fwd.textof('message/body'), fwd.find('delay')['stamp'][:19]))
    return out


ROSTER_WANTED = {'romeo@localhost': ('both', 'Romeo & so on', ['Friends', 'Lovers']), 'nurse@elsewhere.example': ('none', 'Nurse', [])}


def accounts_come_from_prosody(stage):
    stage.server = stage.own_server()
    stranger = stage.online()
    dry = imported(stage, PORT / 'prosody', '--dry-run')
    check('would import 2 accounts' in dry.stdout, dry.stdout + dry.stderr)
    equal(stage.client(Account('juliet', 'localhost', PASSWORD)).connect().sasl('SCRAM-SHA-1').name, 'failure', 'after a dry run:')
    done = imported(stage, PORT / 'prosody')
    check(re.search(r'imported 2 accounts\n.*credentials +2\n.*contacts +3\n', done.stdout, re.S), done.stdout)
    c = juliet_of(stage)
    equal(roster_of(c), ROSTER_WANTED)
    equal([(f, b) for f, b, _ in archive_of(c)], [('juliet@localhost', 'What man art thou?'), ('romeo@localhost', 'Call me but love 💙'),
          ('romeo@localhost', 'Neither, fair saint'), ('romeo@localhost', 'if either thee dislike')])
    check(all(re.match(r'2026-', s) for _, _, s in archive_of(c)), archive_of(c))
    got = c.get('<query xmlns="jabber:iq:private"><exodus xmlns="exodus:prefs"/></query>')
    equal(got.textof('query/exodus/defaultnick'), 'Jule')
    equal(items_of(c, 'http://jabber.org/protocol/nick')['current'].text, 'Jule')
    equal(items_of(stranger, 'urn:xmpp:vcard4', 'juliet@localhost')['current'].textof('fn/text'), 'Juliet Capulet', 'its access model is open:')
    stranger.refused('get', f'<pubsub xmlns="{PUBSUB}"><items node="http://jabber.org/protocol/nick"/></pubsub>', 'not-authorized', 'juliet@localhost')
    again = imported(stage, PORT / 'prosody')
    check('2 existed already' in again.stdout and 'exists already' in again.stderr, again.stdout + again.stderr)
    equal(len(archive_of(c)), 4)
    juliet_of(stage, 'PLAIN')
    juliet_of(stage, 'SCRAM-SHA-1')


def accounts_come_from_ejabberd(stage):
    stage.server = stage.own_server()
    main = next(f for f in (PORT / 'ejabberd').glob('*.xml') if 'server-data' in f.read_text())
    done = imported(stage, main)
    check('imported 2 accounts' in done.stdout, done.stdout + done.stderr)
    c = juliet_of(stage)
    equal(roster_of(c), ROSTER_WANTED)
    card = c.get('<vCard xmlns="vcard-temp"/>').find('vCard')
    equal((card.textof('FN'), card.textof('NICKNAME')), ('Juliet Capulet', '朱丽叶'))
    equal([i['jid'] for i in c.get(f'<blocklist xmlns="{BLOCKING}"/>').all('blocklist/item')], ['tybalt@elsewhere.example'])
    c.present()
    for body in ('Neither, fair saint', 'if either thee dislike'):
        m = c.expect('<message from="romeo@localhost/balcony" type="chat"/>')
        equal(m.textof('body'), body)
        equal([d['from'] for d in m.all('delay', DELAY)], ['localhost'])


def full_account(stage):
    """An account with some of everything, and a friend."""
    a, b = stage.friends()
    a.set(f'<query xmlns="{ROSTER}"><item jid="nurse@elsewhere.example" name="A &lt;b&gt;&#10;c"><group>G &amp; H</group></item></query>')
    a.set('<vCard xmlns="vcard-temp"><FN>A &amp; B</FN></vCard>')
    a.set('<query xmlns="jabber:iq:private"><x xmlns="one:two"><y>1</y></x></query>')
    a.set('<query xmlns="jabber:iq:private"><z xmlns="one:three"/></query>')
    a.set(f'<block xmlns="{BLOCKING}"><item jid="x@elsewhere.example"/><item jid="spam.example"/></block>')
    a.set('<prefs xmlns="urn:xmpp:mam:2" default="roster"><always/><never/></prefs>')
    for node, item, payload in (('http://jabber.org/protocol/nick', 'current', '<nick xmlns="http://jabber.org/protocol/nick">A</nick>'),
                                ('urn:xmpp:bookmarks:1', 'z@' + stage.muc, '<conference xmlns="urn:xmpp:bookmarks:1" name="z"/>'),
                                ('urn:xmpp:bookmarks:1', 'a@' + stage.muc, f'<conference xmlns="urn:xmpp:bookmarks:1" name="{"a" * 5000}"/>'),
                                ('urn:xmpp:bookmarks:1', 'm@' + stage.muc, '<conference xmlns="urn:xmpp:bookmarks:1" name="m"/>')):
        a.set(f'<pubsub xmlns="{PUBSUB}"><publish node="{node}"><item id="{item}">{payload}</item></publish></pubsub>')
    a.set(f'<pubsub xmlns="{PUBSUB}#owner"><affiliations node="urn:xmpp:bookmarks:1"><affiliation jid="{b.bare}" affiliation="member"/></affiliations></pubsub>')
    a.send(f'<message to="{b.bare}" type="chat"><body>one</body><origin-id xmlns="urn:xmpp:sid:0" id="o1"/></message>')
    b.expect(f'<message from="{a.jid}"/>')
    b.send(f'<message to="{a.bare}" type="chat"><body>two &lt;3</body></message>')
    a.expect(f'<message from="{b.jid}"/>')
    stranger = stage.online()
    stranger.send(f'<presence to="{a.bare}" type="subscribe"><status>may I?</status></presence>')
    a.expect(f'<presence from="{stranger.bare}" type="subscribe"/>')
    a.close()
    b.send(f'<message to="{a.bare}" type="chat"><body>three</body></message>')
    b.settle(a.bare)
    return a, b, stranger


def an_export_comes_back_equal(stage):
    d = scratch(stage)
    stage.server = first = stage.own_server()
    a, b, stranger = full_account(stage)
    for path, kind in ((d / 'one.xml', 'file'), (str(d / 'many') + '/', 'directory')):
        first.cli('export', str(path))
    mode = (d / 'one.xml').stat().st_mode
    equal(mode & 0o777, 0o600)
    check(first.cli('export', str(d / 'one.xml'), check=False).returncode, 'an old file is written over')
    equal(len(list((d / 'many' / 'localhost').glob('*.xml'))), len((d / 'one.xml').read_text().split('<user ')) - 1)
    for source in (d / 'one.xml', d / 'many' / 'server-data.xml'):
        stage.server = stage.own_server()
        done = imported(stage, source)
        check('warnings' not in done.stdout, done.stdout + done.stderr)
        back = d / ('back-%s.xml' % source.stem)
        stage.server.cli('export', str(back))

        def users(path):
            return {m.group(1): m.group(0) for m in re.finditer(r"<user [^>]*name='([^']*)'.*?</user>", path.read_text(), re.S)}
        equal(sorted(users(back)[a.account.node].replace('><', '>|<').split('|')), sorted(users(d / 'one.xml')[a.account.node].replace('><', '>|<').split('|')),
              'what comes back from ' + source.name)
        c = stage.client(a.account, server=stage.server).connect()
        equal(c.sasl('SCRAM-SHA-512').name, 'success')
        c.open()
        c.bind()
        equal(roster_of(c)['nurse@elsewhere.example'], ('none', 'A <b>\nc', ['G & H']))
        c.present()
        c.expect(f'<presence from="{stranger.bare}" type="subscribe"/>')
        equal(c.expect(f'<message from="{b.jid}"/>').textof('body'), 'three')
        equal([x for _, x, _ in archive_of(c)], ['one', 'two <3', 'three'])
        equal(len(c.get(f'<blocklist xmlns="{BLOCKING}"/>').all('blocklist/item')), 2)
        equal(list(items_of(c, 'urn:xmpp:bookmarks:1')), [x + '@' + stage.muc for x in 'zam'])
        equal(items_of(c, 'http://jabber.org/protocol/nick')['current'].text, 'A')
        affiliations = c.get(f'<pubsub xmlns="{PUBSUB}#owner"><affiliations node="urn:xmpp:bookmarks:1"/></pubsub>')
        check(b.bare in str(affiliations), affiliations)
        check('roster' in str(c.get('<prefs xmlns="urn:xmpp:mam:2"/>')), 'archiving preferences are lost')


def all_domains_are_exported_and_imported(stage):
    d = scratch(stage)
    stage.server = stage.own_server({'hosts': 'b.example'})
    for name in ('anne@localhost', 'bob@b.example'):
        stage.server.cli('user', 'add', name, '--password-stdin', text=PASSWORD + '\n')
    stage.server.cli('export', str(d / 'all.xml'))
    stage.server.cli('export', str(d / 'bob.xml'), 'bob@b.example')
    text = (d / 'all.xml').read_text()
    check(re.search("<host jid='localhost'>.*name='anne'.*</host>\n<host jid='b.example'>.*name='bob'.*</host>", text, re.S), text[:500])
    check("name='anne'" not in (d / 'bob.xml').read_text() and "name='bob'" in (d / 'bob.xml').read_text(), 'not the one that was named')
    stage.server = stage.own_server({'hosts': 'b.example'})
    done = imported(stage, d / 'bob.xml')
    check('imported 1 accounts' in done.stdout, done.stdout + done.stderr)
    c = stage.client(Account('bob', 'b.example', PASSWORD))
    c.domain = 'b.example'
    c.online()


def a_directory_at_rest_is_exported_and_imported(stage):
    d = scratch(stage)
    server = stage.own_server()
    stage.server = server
    a, _, _ = full_account(stage)
    server.cli('export', str(d / 'live.xml'), a.account.node)
    server.stop_keep = True
    server.proc.terminate()
    server.proc.wait(20)
    server.cli('export', str(d / 'rest.xml'), a.account.node)
    equal((d / 'rest.xml').read_text(), (d / 'live.xml').read_text())
    new = d / 'data'
    done = server.cli('import', str(d / 'rest.xml'), '--data', str(new), '--domain', 'localhost', data=False)
    check('imported 1 accounts' in done.stdout, done.stdout)
    server.start()


def large_accounts_pass_in_pieces(stage):
    d = scratch(stage)
    stage.server = stage.own_server()
    contacts = ''.join(f'<item jid="c{i}@elsewhere.example" subscription="both" name="{"n" * 200}"><group>all</group></item>' for i in range(4900))
    archive = ''.join(f'<result xmlns="{MAM}" id="x{i}"><forwarded xmlns="{FORWARD}"><delay xmlns="{DELAY}" stamp="2023-01-01T00:00:{i % 60:02}Z"/>'
                      f'<message xmlns="jabber:client" from="c{i}@elsewhere.example/r" to="big@localhost" type="chat"><body>{i} {"b" * 400}</body></message>'
                      '</forwarded></result>' for i in range(6000))
    (d / 'big.xml').write_text(f'<server-data xmlns="{PIE}"><host jid="localhost"><user name="big" password="{PASSWORD}"><query xmlns="{ROSTER}">{contacts}'
                               f'</query><archive xmlns="{PIE}#mam">{archive}</archive></user></host></server-data>')
    done = imported(stage, d / 'big.xml')
    check(re.search(r'contacts +4900\n.*archived +6000\n', done.stdout, re.S) and 'warnings' not in done.stdout, done.stdout + done.stderr)
    stage.server.cli('export', str(d / 'out.xml'))
    text = (d / 'out.xml').read_text()
    equal((text.count('<item jid='), text.count('<result ')), (4900, 6000))
    bodies = [int(n) for n in re.findall(r'<body>(\d+) b', text)]
    equal(bodies, list(range(6000)), 'order of the archive')


# ---- hostile files

def user(inner, name='eve', head=''):
    return f'<?xml version="1.0"?>\n{head}<server-data xmlns="{PIE}">\n<host jid="localhost">\n<user name="{name}">\n{inner}\n</user>\n</host>\n</server-data>\n'


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
HOSTILE = [
    ('an entity bomb', user('<vCard xmlns="vcard-temp"><FN>&b;</FN></vCard>', head=BOMB), 'h.xml:2: a document type is not taken'),
    ('an external entity', user('&x;', head='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'), 'a document type is not taken'),
    ('broken XML', user('<vCard xmlns="vcard-temp"><FN></vCard>'), 'h.xml:5: this is not well-formed XML'),
    ('a file that ends early', user('')[:-10], 'not well-formed'),
    ('something else', '<html/>', 'this is no export'),
    ('nothing', '', 'not well-formed'),
    ('bytes', '\0\1\2', 'not well-formed'),
    ('deep nesting', user('<a>' * 500 + '</a>' * 500), 'nested too deep'),
    ('a giant tag', user('<a b="%s"/>' % ('x' * (3 << 20))), 'too long|left out'),
]


@each(HOSTILE, lambda r: r[0])
def a_hostile_file_is_refused(stage, row):
    d = scratch(stage)
    (d / 'h.xml').write_text(row[1])
    done = imported(stage, d / 'h.xml', check=False)
    check(re.search(row[2], done.stderr), done.stderr)
    if 'left out' not in done.stderr:
        check(done.returncode, 'taken')
    stage.online().ping()


XI = 'http://www.w3.org/2001/XInclude'
INCLUDES = [('out of the directory', '../secret.xml'), ('by an absolute name', '/etc/passwd'), ('by a URI', 'file:///etc/passwd'), ('over the net', 'http://127.0.0.1/x.xml'),
            ('through a link', 'link.xml'), ('encoded', '%2e%2e/secret.xml'), ('of itself', 'h.xml'), ('of a directory', 'dir'), ('of what is not there', 'none.xml'),
            ('of a device', 'fifo')]


@each(INCLUDES, lambda r: r[0])
def a_hostile_include_is_refused(stage, row):
    d = scratch(stage)
    inner = d / 'in'
    (inner / 'dir').mkdir(parents=True)
    (d / 'secret.xml').write_text(f'<host xmlns="{PIE}" jid="localhost"><user name="{Client.new_id()}"/></host>')
    (inner / 'link.xml').symlink_to(d / 'secret.xml')
    os.mkfifo(inner / 'fifo')
    (inner / 'h.xml').write_text(f'<server-data xmlns="{PIE}" xmlns:xi="{XI}">\n<xi:include href="{row[1]}"/>\n</server-data>')
    done = imported(stage, inner / 'h.xml', check=False)
    check((done.returncode or row[1] == 'h.xml') and 'h.xml:' in done.stderr and 'imported 0 accounts' in done.stdout, done.stderr + done.stdout)


def an_include_inside_of_user_data_stays_data(stage):
    d, name = scratch(stage), Client.new_id()
    (d / 'secret.xml').write_text('<secret xmlns="s"/>')
    (d / 'h.xml').write_text(user(f'<query xmlns="jabber:iq:private"><x xmlns="a:b"><xi:include xmlns:xi="{XI}" href="secret.xml"/></x></query>', name)
                             .replace(f'<user name="{name}">', f'<user name="{name}" password="{PASSWORD}">'))
    imported(stage, d / 'h.xml')
    c = stage.client(Account(name, 'localhost', PASSWORD)).online()
    got = str(c.get('<query xmlns="jabber:iq:private"><x xmlns="a:b"/></query>'))
    check('href' in got and 'secret xmlns' not in got, got)


def nonsense_is_left_out_with_a_warning(stage):
    d, name = scratch(stage), Client.new_id()
    inner = f'''<query xmlns="{ROSTER}"><item jid="@@"/><item jid="ok@elsewhere.example" subscription="everything" name="{'x' * 2000}"/></query>
<scram-credentials xmlns="{PIE}#scram" mechanism="SCRAM-SHA-1"><iter-count>99999999999</iter-count><salt>AA==</salt><server-key>x</server-key><stored-key/></scram-credentials>
<scram-credentials xmlns="{PIE}#scram" mechanism="SCRAM-MD5"/>
<offline-messages><message xmlns="jabber:client" to="x"/><iq xmlns="jabber:client"/></offline-messages>
<archive xmlns="{PIE}#mam"><result xmlns="{MAM}" id="1"/><junk/></archive>
<presence xmlns="jabber:client" type="probe" from="a@b"/><presence xmlns="jabber:client" type="subscribe" from="@"/>
<query xmlns="jabber:iq:privacy"><list name="a"><item type="jid" value="@" action="deny"/><item action="allow"/></list></query>
<vCard xmlns="vcard-temp"><PHOTO>{'x' * (300 << 10)}</PHOTO></vCard>
<unknown xmlns="u:v"/>'''
    (d / 'h.xml').write_text(user(inner, name) + '')
    done = imported(stage, d / 'h.xml')
    check('imported 1 accounts' in done.stdout and re.search(r'contacts +1\n', done.stdout), done.stdout)
    for word in ('no good address', 'make no sense', 'SCRAM-MD5', 'no time or no contents', 'no subscription request', 'privacy lists', '200 KiB', 'not known', 'has no password'):
        check(word in done.stderr, 'no word of %r in %s' % (word, done.stderr))
    equal(stage.client(Account(name, 'localhost', '')).connect().sasl('PLAIN', password='x').name, 'failure')


def a_waiting_message_keeps_the_ids_that_others_gave(stage):
    d, name = scratch(stage), Client.new_id()
    jid, own = name + '@localhost', '%d' % (189000000000 << 21)
    message = (f'<message xmlns="jabber:client" from="romeo@elsewhere.example/r" to="{jid}" type="chat"><body>wait</body>'
               f'<stanza-id xmlns="{SID}" by="room@elsewhere.example" id="theirs"/><stanza-id xmlns="{SID}" by="{jid}" id="{own}"/></message>')
    (d / 'h.xml').write_text(user('<offline-messages>%s</offline-messages>' % message, name)
                             .replace(f'<user name="{name}">', f'<user name="{name}" password="{PASSWORD}">'))
    imported(stage, d / 'h.xml')
    c = stage.client(Account(name, 'localhost', PASSWORD)).login().present()
    got = c.expect('<message type="chat"><body>wait</body></message>')
    equal(sorted((i['by'], i['id']) for i in got.all('stanza-id', SID)), sorted([('room@elsewhere.example', 'theirs'), (jid, own)]))


def other_hosts_and_bad_names_are_passed_over(stage):
    d, name = scratch(stage), Client.new_id()
    (d / 'h.xml').write_text(f'<server-data xmlns="{PIE}"><host jid="elsewhere.example"><user name="x" password="{PASSWORD}"/></host>'
                             f'<host jid="LOCALHOST"><user name="a@b" password="x"/><user/><user name="" password="x"/><user name="{name}" password="{PASSWORD}"/></host></server-data>')
    done = imported(stage, d / 'h.xml')
    check('imported 1 accounts, 3 left out' in done.stdout and 'does not serve' in done.stderr, done.stdout + done.stderr)
    stage.client(Account(name, 'localhost', PASSWORD)).online()


def an_existing_account_is_merged_on_demand(stage):
    d, a = scratch(stage), stage.online()
    (d / 'h.xml').write_text(user(f'<query xmlns="{ROSTER}"><item jid="new@elsewhere.example" subscription="none"/></query>', a.account.node))
    imported(stage, d / 'h.xml')
    a.ping()
    equal(roster_of(a), {})
    imported(stage, d / 'h.xml', '--merge')
    a.expect('<stream:error/>')
    equal(list(roster_of(stage.client(a.account).online())), ['new@elsewhere.example'])
