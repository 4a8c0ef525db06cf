# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile peers in rooms: every field with SQL and XML in it, forged elements, ways to more power, floods."""
from xml.sax.saxutils import escape, quoteattr

from rooms import *
from test_archive import query

OCCUPANT_ID = 'urn:xmpp:occupant-id:0'
NASTY = ['\'); DROP TABLE item; --', '<script>alert("x")</script>', '&amp;&lt;]]>', '%s%n%d', "' OR '1'='1", '"\'><x xmlns="jabber:x:data"/>']


@each(range(len(NASTY)), lambda i: 'sample %d' % i)
def text_stays_text_in_every_field(stage, i):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    text = NASTY[i]
    a, b = stage.online(), stage.online()
    room = stage.room_name()
    a.send(f'<presence to={quoteattr(room + "/" + text)}><x xmlns="{MUC}"/></presence>')
    got = a.expect(f'<presence from="~{room}/.*"><x xmlns="{MUC_USER}"><status code="201"/></x></presence>')
    equal(got['from'], room + '/' + text)
    e = escape(text)
    configure(a, room, {'muc#roomconfig_' + k: e for k in ('roomname', 'roomdesc', 'lang', 'roomsecret', 'pubsub')} |
              {'muc#roomconfig_persistentroom': '1', 'muc#roominfo_logs': e})
    a.set(set_affiliation(room, b.bare, 'member', e, quoteattr(text)[1:-1] + 'b') if '"' not in text else
          set_affiliation(room, b.bare, 'member', e), room)
    a.set(set_affiliation(room, 'c@example.org', 'outcast', e), room)
    a.send(f'<message to="{room}" type="groupchat" id="s"><subject>{e}</subject></message>')
    a.expect(f'<message from="~{room}/.*" id="s"><subject/></message>')
    a.send(f'<message to="{room}" type="groupchat" id={quoteattr(text)}><body>{e}</body></message>')
    equal(a.expect(f'<message from="~{room}/.*"><body/></message>').textof('body'), text)
    a.ping()
    stage.server.restart()
    b = stage.online()
    answer = b.get(f'<query xmlns="{DISCO_INFO}"/>', room)
    equal(answer.find('query/identity')['name'], text)
    info = fields(answer.find('query/x', DATA))
    for var in ('muc#roominfo_description', 'muc#roominfo_subject', 'muc#roominfo_logs', 'muc#roomconfig_pubsub'):
        equal(info[var], [text], var)
    a = stage.again(a)
    equal(listing(a, room, affiliation='outcast')['c@example.org'].textof('reason'), text)
    equal(query(a, to=room)[0][-1][1].textof('body'), text)


FORGED = [('muc#user item', f'<x xmlns="{MUC_USER}"><item affiliation="owner" role="moderator"/><status code="110"/></x>', 'x', MUC_USER),
          ('occupant-id', f'<occupant-id xmlns="{OCCUPANT_ID}" id="forged"/>', None, None)]


@each(FORGED, lambda r: r[0])
def what_only_the_room_says_is_not_passed_on(stage, row):
    _, inner, name, ns = row
    room, a, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="m"><body>x</body>{inner}</message>')
    b.send(f'<message to="{room}/owner" type="chat" id="pm"><body>x</body>{inner}</message>')
    b.send(f'<presence to="{room}/n1"><status>x</status>{inner}</presence>')
    for pattern in ('<message type="groupchat" id="m"/>', '<message type="chat" id="pm"/>', '<presence><status>x</status></presence>'):
        got = a.expect(pattern)
        check('forged' not in str(got) and 'affiliation="owner"' not in str(got) and 'code="110"' not in str(got), got)
        equal(len(got.all('occupant-id')), 1)


def nobody_climbs_by_asking(stage):
    """Admins make no admins, moderators no members, and nothing of a request holds when a part of it may not."""
    room, a, b, c = party(stage, 3)
    d = stage.online()
    a.set(set_affiliation(room, b.bare, 'admin'), room)
    a.set(set_role(a, room, 'n2', 'moderator'), room)

    def both(first, second):
        return f'<query xmlns="{MUC_ADMIN}">{first}{second}</query>'
    for who, item, condition in (
            (b, f'<item jid="{b.bare}" affiliation="owner"/>', 'forbidden'), (b, f'<item jid="{d.bare}" affiliation="admin"/>', 'forbidden'),
            (b, f'<item jid="{a.bare}" affiliation="none"/>', 'forbidden'), (b, f'<item jid="{a.bare}" affiliation="outcast"/>', 'not-allowed'),
            (b, '<item nick="owner" role="none"/>', 'not-allowed'), (c, f'<item jid="{c.bare}" affiliation="member"/>', 'forbidden'),
            (c, '<item nick="n1" role="none"/>', 'not-allowed'), (c, '<item nick="n2" role="moderator" affiliation="owner"/>', 'bad-request')):
        who.refused('set', both(f'<item jid="{d.bare}" affiliation="outcast"/>' if who is b else '', item), condition, room)
    equal(list(listing(a, room, affiliation='owner')), [a.bare])
    equal(list(listing(a, room, affiliation='admin')), [b.bare])
    equal(listing(a, room, affiliation='outcast'), {})


def lists_have_a_size(stage):
    a, room = create(stage)
    items = ''.join(f'<item jid="u{i}@example.org" affiliation="outcast"/>' for i in range(501))
    a.refused('set', f'<query xmlns="{MUC_ADMIN}">{items}</query>', 'policy-violation', room)
    items = ''.join(f'<item jid="u{i}@example.org" affiliation="outcast"/>' for i in range(500))
    a.set(f'<query xmlns="{MUC_ADMIN}">{items}</query>', room)
    equal(len(listing(a, room, affiliation='outcast')), 500)


def hats_have_a_number(stage):
    a, room = create(stage)
    hat = ('<command xmlns="http://jabber.org/protocol/commands" node="urn:xmpp:hats:commands:%s">%s</command>')
    for i in range(100):
        a.set(hat % ('create', form('urn:xmpp:hats:commands', {'hats#title': 'h', 'hats#uri': 'urn:h:%d' % i})), room)
    a.refused('set', hat % ('create', form('urn:xmpp:hats:commands', {'hats#title': 'h', 'hats#uri': 'urn:h:x'})), 'resource-constraint', room)
    for i in range(16):
        a.set(hat % ('assign', form('urn:xmpp:hats:commands', {'hats#jid': a.bare, 'hats#uri': 'urn:h:%d' % i})), room)
    a.refused('set', hat % ('assign', form('urn:xmpp:hats:commands', {'hats#jid': a.bare, 'hats#uri': 'urn:h:99'})), 'resource-constraint', room)


def long_words_are_refused(stage):
    room, a, b = party(stage)
    a.send(f'<message to="{room}" type="groupchat" id="s"><subject>{"x" * 4097}</subject></message>')
    equal(a.expect('<message type="error" id="s"/>').error, 'not-acceptable')
    for query_ in (set_role(a, room, 'n1', 'none', 'x' * 1025), set_affiliation(room, b.bare, 'outcast', 'x' * 1025)):
        a.refused('set', query_, 'not-acceptable', room)
    refused_join(stage.online(), room, 'x' * 257, 'not-acceptable')


def who_is_banned_reads_nothing(stage):
    room, a, b = party(stage)
    say(a, room, 'secret')
    heard(b, room, 'owner', 'secret')
    a.set(set_affiliation(room, b.bare, 'outcast'), room)
    b.refused('set', f'<query xmlns="{MAM}"/>', 'forbidden', room)
    say(b, room, 'x')
    equal(b.expect('<message type="error" id="x"/>').error, 'not-acceptable')
    refused_join(b, room, 'n1', 'forbidden')


def who_is_away_hears_of_his_affiliation(stage):
    """Status 101, but not of bans."""
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, c.bare, 'outcast'), room)
    a.set(set_affiliation(room, b.bare, 'member'), room)
    b.expect(f'<message from="{room}" to="{b.bare}" type="!"><x xmlns="{MUC_USER}"><item affiliation="member" role="none"/><status code="101"/></x></message>')
    a.set(set_affiliation(room, b.bare, 'none'), room)
    b.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><item affiliation="none"/><status code="101"/></x></message>')
    c.expect_nothing(f'<message from="{room}"/>', after=(a,))


def subjects_are_not_flooded(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_changesubject': '1'})
    for i in range(3):
        b.send(f'<message to="{room}" type="groupchat" id="s{i}"><subject>s{i}</subject></message>')
    a.expect(f'<message from="{room}/n1" id="s0"><subject>s0</subject></message>')
    for i in (1, 2):
        err = b.expect(f'<message type="error" id="s{i}"/>')
        equal((err.error, err.find('error')['type']), ('resource-constraint', 'wait'))
    for i in range(3):  # moderators may
        a.send(f'<message to="{room}" type="groupchat" id="m{i}"><subject>m{i}</subject></message>')
        b.expect(f'<message from="{room}/owner" id="m{i}"><subject>m{i}</subject></message>')


@on_server({'muc.crowd': '2'})
def a_ban_by_nick_takes_all_nicks_of_the_person(stage):
    room, a, b = party(stage)
    c = stage.again(b)
    join(c, room, 'other')  # a crowd by now: nobody was told
    a.set(f'<query xmlns="{MUC_ADMIN}"><item nick="other" affiliation="outcast"/></query>', room)
    b.expect(occupant(room, 'n1', (110, 301), 'none', 'outcast', 'unavailable'))
    c.expect(occupant(room, 'other', (110, 301), 'none', 'outcast', 'unavailable'))
    equal(list(listing(a, room, affiliation='outcast')), [b.bare])
