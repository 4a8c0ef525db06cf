# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long archives keep messages: options, and the administrator's command for one account or room."""
import sqlite3

from rooms import *
from test_archive import chat, query
from test_ephemeral import until

NODE = 'urn:anser:archive:keep:0'
COMMANDS = 'http://jabber.org/protocol/commands'


def old_ids(stage, server, jid, days):
    """Moves all rows of an archive into the past, while the server is down."""
    server.end()
    db = sqlite3.connect(server.data + '/anser.db')
    owner, = db.execute('SELECT id FROM name WHERE name=?', (jid.encode(),)).fetchone()
    shift = (days * 86400000) << 21
    for table in ('archive_log', 'archive_owner', 'archive_peer'):
        db.execute('UPDATE %s SET id=id-? WHERE owner=?' % table, (shift, owner))
    db.commit()
    db.close()
    server.start()


def command(c, jid, days):
    return c.set(f'<command xmlns="{COMMANDS}" node="{NODE}"><x xmlns="{DATA}" type="submit"><field var="jid"><value>{jid}</value>'
                 f'</field><field var="days"><value>{days}</value></field></x></command>', c.server.domain)


def count(c, to=None):
    return len(query(c, to=to)[0])


@on_server({'archive.keep_days': '30'})
def an_accounts_old_messages_go(stage):
    a, b = chat(stage, 3)
    equal((count(a), count(b)), (3, 3))
    old_ids(stage, stage.server, b.bare, 31)
    a2, b2 = stage.again(a), stage.again(b)
    until(lambda: count(b2), 0)
    equal(count(a2), 3)


@on_server({'archive.keep_days': '30'})
def younger_ones_stay(stage):
    a, b = chat(stage, 3)
    old_ids(stage, stage.server, b.bare, 29)
    a2, b2 = stage.again(a), stage.again(b)
    a2.send(f'<message to="{b.bare}" type="chat" id="new"><body>new</body></message>')
    b2.expect('<message id="new"/>')
    equal(count(b2), 4)


@on_server({'archive.keep_days': '30'})
def an_account_has_a_time_of_its_own(stage):
    admin = stage.online(stage.server.add('boss', admin=True))
    a, b = chat(stage, 3)
    command(admin, b.bare, '0')
    command(admin, a.bare, '5')
    old_ids(stage, stage.server, b.bare, 400)
    a2, b2 = stage.again(a), stage.again(b)
    equal((count(a2), count(b2)), (3, 3))
    old_ids(stage, stage.server, a.bare, 6)
    a2, b2 = stage.again(a), stage.again(b)
    until(lambda: count(a2), 0)
    equal(count(b2), 3)
    admin = stage.again(admin)
    command(admin, b.bare, '')  # as the options say: at once
    until(lambda: count(b2), 0)


@on_server({'archive.room_keep_days': '7'})
def a_rooms_old_messages_go(stage):
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    a.enable_sm()
    a.send(f'<message to="{room}" type="groupchat" id="x"><body>x</body></message>')
    a.expect('<message id="x"/>')
    a.request_ack()
    equal(count(a, room), 1)
    old_ids(stage, stage.server, room, 8)
    a2 = stage.again(a)
    until(lambda: count(a2, room), 0)


@on_server()
def only_administrators_may(stage):
    a = stage.online()
    a.refused('set', f'<command xmlns="{COMMANDS}" node="{NODE}"/>', 'forbidden', stage.domain)


@on_server()
def the_form_is_shown_and_nonsense_refused(stage):
    admin = stage.online(stage.server.add('boss', admin=True))
    got = admin.set(f'<command xmlns="{COMMANDS}" node="{NODE}" action="execute"/>', stage.domain).find('command', COMMANDS)
    equal(got['status'], 'executing')
    check('days' in fields(got.find('x', DATA)), got)
    for jid, days in (('nobody@elsewhere.example', '1'), ('a b@localhost', '1'), ('x@localhost', '-1'), ('x@localhost', '99999999999')):
        admin.refused('set', f'<command xmlns="{COMMANDS}" node="{NODE}"><x xmlns="{DATA}" type="submit"><field var="jid"><value>{jid}'
                      f'</value></field><field var="days"><value>{days}</value></field></x></command>', 'bad-request', stage.domain)
