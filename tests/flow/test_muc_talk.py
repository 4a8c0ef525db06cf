# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0500 slow mode, XEP-0502 activity, XEP-0513 and XEP-0452 mentions, XEP-0372 references, what passes a room unchanged."""
from rooms import *

MENTIONS = 'urn:xmpp:mentions:0'
FORWARDED = 'urn:xmpp:mmn:0'
REFERENCE = 'urn:xmpp:reference:0'
OCCUPANT_ID = 'urn:xmpp:occupant-id:0'
CORRECT = 'urn:xmpp:message-correct:0'
ACTIVITY = '{urn:xmpp:muc-activity}message-activity'


def info(c, room):
    answer = c.get(f'<query xmlns="{DISCO_INFO}"/>', room)
    return [fields(x) for x in answer.all('query/x') if fields(x).get('FORM_TYPE') == [MUC + '#roominfo']][0]


# ---- slow mode

def slow_mode_holds_people_back(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_slow_mode_duration': '3600'})
    equal(info(b, room)['muc#roominfo_slow_mode_duration'], ['3600'])
    say(b, room, 'one')
    heard(a, room, 'n1', 'one')
    say(b, room, 'two')
    got = b.expect(f'<message type="error" id="two" from="{room}"><error type="wait"><policy-violation xmlns="{STANZAS}"/></error></message>')
    check('3600' in got.textof('error/text'), got)
    a.expect_nothing(f'<message from="{room}/n1"/>', after=(b,))
    b.send(f'<message to="{room}" type="groupchat"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')
    a.expect(f'<message from="{room}/n1"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')
    for i in range(3):
        say(a, room, 'o%d' % i)  # owners may
        heard(b, room, 'owner', 'o%d' % i)


def slow_mode_knows_the_account(stage):
    """§8: neither another session and nick nor coming back helps."""
    room, a, b = party(stage, settings={'muc#roomconfig_slow_mode_duration': '3600'})
    say(b, room, 'one')
    heard(a, room, 'n1', 'one')
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b.expect(f'<presence from="{room}/n1" type="unavailable"/>')
    c = stage.again(b)
    join(c, room, 'other')
    say(c, room, 'two')
    c.expect('<message type="error" id="two"/>')


def slow_mode_is_a_bounded_number(stage):
    a, room = create(stage)
    field = [f for f in a.get(f'<query xmlns="{MUC_OWNER}"/>', room).find('query/x', DATA).all('field')
             if f['var'] == 'muc#roomconfig_slow_mode_duration'][0]
    equal((field['type'], field.find('validate')['datatype'], field.find('validate/range')['min']), ('text-single', 'xs:integer', '0'))
    for bad in ('-1', 'x', '99999999999999999999', '1.5'):
        answer = a.iq('set', f'<query xmlns="{MUC_OWNER}">{form(CONFIG, {"muc#roomconfig_slow_mode_duration": bad})}</query>', room)
        check(answer.error in ('not-acceptable', 'bad-request'), answer)


# ---- activity

def activity_is_told_of_public_kept_rooms(stage):
    room, a, b = party(stage, settings={'muc#roomconfig_persistentroom': '1'})
    equal(info(b, room)[ACTIVITY], ['0.00'])
    for i in range(12):
        say(a, room, 'm%d' % i)
    a.send(f'<message to="{room}" type="groupchat" id="c"><body>m</body><replace xmlns="{CORRECT}" id="m1"/></message>')
    b.expect(f'<message from="{room}/owner" id="c"/>')
    equal(info(b, room)[ACTIVITY], ['0.50'])  # 12 in 24 hours, the correction does not count
    configure(a, room, {'muc#roomconfig_publicroom': '0'})
    check(ACTIVITY not in info(b, room), 'told of a hidden room')
    configure(a, room, {'muc#roomconfig_publicroom': '1', 'muc#roomconfig_membersonly': '1'})
    check(ACTIVITY not in info(a, room), 'told of a members-only room')


def activity_is_counted_again_after_a_restart(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'
    a, room = create(stage, settings={'muc#roomconfig_persistentroom': '1'})
    for i in range(6):
        say(a, room, 'm%d' % i)
        heard(a, room, 'owner', 'm%d' % i)
    a.ping()
    stage.server.restart()
    equal(info(stage.online(), room)[ACTIVITY], ['0.25'])


# ---- mentions

def occupant_id_of(c, room, nick):
    say(c, room, 'here')
    return heard(c, room, nick, 'here').find('occupant-id')['id']


def mention(oid='x', extra=''):
    return f'<mention xmlns="{MENTIONS}" occupantid="{oid}"{extra}/>'


def group(kind):
    return f'<mention xmlns="{MENTIONS}" mentions="{MENTIONS}#{kind}"/>'


def permissions(c, room, values):
    return c.set(f'<query xmlns="{MENTIONS}">{form(MENTIONS, values)}</query>', room)


def mentions_pass(stage):
    room, a, b = party(stage)
    say(b, room, 'hi', mention() + group('channel'))
    got = heard(a, room, 'n1', 'hi')
    equal(len(got.all('mention', MENTIONS)), 2)


def the_form_of_mentions_is_for_owners(stage):
    room, a, b = party(stage)
    features, _ = disco(a, room)
    for f in ('', '#channel', '#associations', '#hats'):
        check(MENTIONS + f in features, f)
    have = fields(b.get(f'<query xmlns="{MENTIONS}"/>', room).find('query/x', DATA))
    equal((have['mentions#count'], have['mentions#individual']), (['5'], ['participants']))
    b.refused('set', f'<query xmlns="{MENTIONS}">{form(MENTIONS, {"mentions#count": "1"})}</query>', 'forbidden', room)
    a.refused('set', f'<query xmlns="{MENTIONS}">{form(MENTIONS, {"mentions#count": "-1"})}</query>', 'not-acceptable', room)
    a.refused('set', f'<query xmlns="{MENTIONS}"/>', 'bad-request', room)
    permissions(a, room, {'mentions#count': '1'})
    got = b.expect(f'<message from="{room}" type="groupchat"><x xmlns="{DATA}" type="result"/></message>')
    equal(sorted(fields(got.find('x', DATA))), ['FORM_TYPE', 'mentions#count'])
    equal(info(b, room)['mentions#count'], ['1'])


def mentions_that_are_not_allowed_are_taken_out(stage):
    room, a, b = party(stage)
    permissions(a, room, {'mentions#count': '2', 'mentions#channel': 'moderators', 'mentions#hats': 'none'})
    say(b, room, 'one', group('channel') + mention())
    got = heard(a, room, 'n1', 'one')
    equal([m['mentions'] for m in got.all('mention', MENTIONS)], [None])
    say(a, room, 'two', group('channel') + group('hats'))
    got = heard(b, room, 'owner', 'two')
    equal([m['mentions'] for m in got.all('mention', MENTIONS)], [MENTIONS + '#channel'])
    say(b, room, 'many', mention() * 3)
    equal(heard(a, room, 'n1', 'many').all('mention', MENTIONS), [])


def an_absent_member_is_told_of_a_mention(stage):
    """XEP-0452, by XEP-0372 and by XEP-0513."""
    room, a, b, c = party(stage, 3, settings={'muc#roomconfig_forwardmentions': '1'})
    oid = occupant_id_of(c, room, 'n2')
    a.set(set_affiliation(room, c.bare, 'member'), room)
    c.send(f'<presence to="{room}/n2" type="unavailable"/>')
    c.expect(f'<presence from="{room}/n2" type="unavailable"/>')
    for name, extra in (('ref', f'<reference xmlns="{REFERENCE}" type="mention" begin="0" end="2" uri="xmpp:{c.bare}"/>'),
                        ('oid', mention(oid))):
        say(b, room, name, extra)
        c.expect(f'<message from="{room}" type="!"><mentions xmlns="{FORWARDED}"><forwarded xmlns="{FORWARD}"><delay xmlns="{DELAY}" stamp="*"/>'
                 f'<message xmlns="jabber:client" type="groupchat" id="{name}" from="{room}/n1"><body>{name}</body>'
                 f'<stanza-id xmlns="{SID}" by="{room}" id="*"/></message></forwarded></mentions></message>')


def others_are_not_told_of_mentions(stage):
    room, a, b, c = party(stage, 3, settings={'muc#roomconfig_forwardmentions': '1'})
    d, e = stage.online(), stage.online()
    a.set(set_affiliation(room, d.bare, 'outcast'), room)
    a.set(set_affiliation(room, c.bare, 'member'), room)
    pings = ''.join(f'<reference xmlns="{REFERENCE}" type="mention" uri="xmpp:{x.bare}"/>' for x in (c, d, e))
    say(b, room, 'hi', pings + f'<reference xmlns="{REFERENCE}" type="data" uri="xmpp:{a.bare}"/>')
    for x in (a, c):
        heard(x, room, 'n1', 'hi')
    for x in (c, d, e):  # inside, banned, a stranger
        x.expect_nothing(f'<message from="{room}" type="!"/>', after=(a, b))


def mentions_are_not_forwarded_unless_the_room_says_so(stage):
    room, a, b = party(stage)
    c = stage.online()
    a.set(set_affiliation(room, c.bare, 'member'), room)
    say(b, room, 'hi', f'<reference xmlns="{REFERENCE}" type="mention" uri="xmpp:{c.bare}"/>')
    heard(a, room, 'n1', 'hi')
    c.expect_nothing(f'<message from="{room}"><mentions xmlns="{FORWARDED}"/></message>', after=(a,))


def a_forged_notification_is_taken_out(stage):
    room, a, b = party(stage)
    say(b, room, 'x', f'<mentions xmlns="{FORWARDED}"><forwarded xmlns="{FORWARD}"><message xmlns="jabber:client" from="{room}/owner"/></forwarded></mentions>')
    check(heard(a, room, 'n1', 'x').find('mentions') is None, 'passed')


# ---- what passes

PASSING = [('markers', '<displayed xmlns="urn:xmpp:chat-markers:0" id="1"/>'), ('correction', f'<body>x</body><replace xmlns="{CORRECT}" id="1"/>'),
           ('reaction', '<reactions xmlns="urn:xmpp:reactions:0" id="1"><reaction>👍</reaction></reactions>'),
           ('reply', '<body>x</body><reply xmlns="urn:xmpp:reply:0" to="a@b/c" id="1"/>'),
           ('fallback', '<body>x</body><fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reply:0"><body start="0" end="1"/></fallback>'),
           ('thread', '<body>x</body><thread parent="a">b</thread>')]


@each(PASSING, lambda r: r[0])
def what_clients_add_passes_unchanged(stage, row):
    room, a, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="p">{row[1]}</message>')
    a.expect(f'<message from="{room}/n1" type="groupchat" id="p">{row[1]}</message>')
