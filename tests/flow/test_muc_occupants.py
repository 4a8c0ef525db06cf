# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045 §7: entering, talking, nicks, leaving. XEP-0410, XEP-0421, XEP-0249."""
from rooms import *


def entering_brings_everybody_then_oneself_then_the_subject(stage):
    """§7.2.2, §7.2.15: order is presences, self-presence, history, subject."""
    room, owner, b = party(stage)
    c = stage.online()
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}"/></presence>')
    seen = {c.expect_next(f'<presence from="~{room}/(owner|n1)" type="!"><x xmlns="{MUC_USER}"/></presence>')['from'] for _ in (1, 2)}
    equal(seen, {room + '/owner', room + '/n1'})
    c.expect_next(occupant(room, 'carl', (110,), 'participant', 'none'))
    c.expect_next('<message type="groupchat"><subject/></message>')
    for other in (owner, b):
        got = other.expect(occupant(room, 'carl', (), 'participant', 'none'))
        check('110' not in [s['code'] for s in got.all('x/status')], '110 to others')


def an_empty_subject_is_sent_too(stage):
    a, room = create(stage)
    b = stage.online()
    enter(b, room, 'bert')
    got = b.expect(f'<message type="groupchat"><subject/></message>')
    equal(got.textof('subject'), '')


def addresses_are_hidden_from_participants_and_shown_to_moderators(stage):
    room, owner, b = party(stage)
    c = stage.online()
    join(c, room, 'carl')
    equal(owner.expect(occupant(room, 'carl')).find('x/item')['jid'], c.jid)
    check(b.expect(occupant(room, 'carl')).find('x/item')['jid'] is None, 'address shown in a semi-anonymous room')


def a_non_anonymous_room_shows_addresses_and_warns(stage):
    room, owner, b = party(stage, settings={'muc#roomconfig_whois': 'anyone'})
    c = stage.online()
    enter(c, room, 'carl', codes=(100,))
    equal(b.expect(occupant(room, 'carl')).find('x/item')['jid'], c.jid)
    configure(owner, room, {'muc#roomconfig_whois': 'moderators'})
    b.expect(f'<message from="{room}" type="groupchat"><x xmlns="{MUC_USER}"><status code="173"/></x></message>')
    configure(owner, room, {'muc#roomconfig_whois': 'anyone'})
    b.expect(f'<message from="{room}" type="groupchat"><x xmlns="{MUC_USER}"><status code="172"/></x></message>')


def a_nick_of_another_user_is_a_conflict(stage):
    room, owner, b = party(stage)
    c = stage.online()
    refused_join(c, room, 'n1', 'conflict')
    join(c, room, 'n2')


def a_password_is_needed_where_set(stage):
    a, room = create(stage, settings={'muc#roomconfig_passwordprotectedroom': '1', 'muc#roomconfig_roomsecret': 'cauldronburn'})
    b = stage.online()
    check('muc_passwordprotected' in disco(b, room)[0], 'not announced')
    refused_join(b, room, 'bert', 'not-authorized')
    refused_join(b, room, 'bert', 'not-authorized', '<password>wrong</password>')
    join(b, room, 'bert', '<password>cauldronburn</password>')


def members_only_lets_members_in(stage):
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    b = stage.online()
    refused_join(b, room, 'bert', 'registration-required')
    a.set(set_affiliation(room, b.bare, 'member'), room)
    got = join(b, room, 'bert')
    equal(got.find('x/item')['affiliation'], 'member')


def making_a_room_members_only_removes_the_others(stage):
    """§10.2.1 / status 322."""
    room, owner, b = party(stage)
    configure(owner, room, {'muc#roomconfig_membersonly': '1'})
    b.expect(occupant(room, 'n1', (110, 322), 'none', '*', 'unavailable'))
    owner.expect(occupant(room, 'n1', (322,), 'none', '*', 'unavailable'))


def the_number_of_occupants_is_limited(stage):
    a, room = create(stage)
    have = fields(a.get(f'<query xmlns="{MUC_OWNER}"/>', room).find('query/x'))
    check('muc#roomconfig_maxusers' in have, 'no maxusers in the form')
    configure(a, room, {'muc#roomconfig_maxusers': '2'})
    b = stage.online()
    join(b, room, 'bert')
    refused_join(stage.online(), room, 'carl', 'service-unavailable|resource-constraint')


# ---- talking

def everybody_hears_including_the_speaker(stage):
    room, owner, b, c = party(stage, 3)
    say(b, room, 'hello')
    for who in (owner, b, c):
        heard(who, room, 'n1', 'hello')


def messages_keep_order_among_speakers(stage):
    room, owner, b, c = party(stage, 3)
    for i in range(30):
        say((b, c)[i % 2], room, 'o%d' % i)
    seen = []
    for who in (owner, b, c):
        ids = []
        for _ in range(30):
            ids.append(who.expect('<message type="groupchat"/>')['id'])
        seen.append(ids)
    equal(seen[0], seen[1], 'order at two occupants')
    equal(seen[0], seen[2], 'order at two occupants')
    equal([i for i in seen[0] if int(i[1:]) % 2 == 0], ['o%d' % i for i in range(0, 30, 2)], 'order of one speaker')


def who_is_not_inside_may_not_speak(stage):
    room, owner, b = party(stage)
    c = stage.online()
    say(c, room, 'outside')
    equal(c.expect('<message id="outside" type="error"/>').error, 'not-acceptable')
    owner.expect_nothing('<message/>', after=[c])


def what_is_inside_a_message_passes(stage):
    room, owner, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="full"><body>x</body><thread>t</thread><x xmlns="jabber:x:oob"><url>https://x.invalid/</url></x>'
           f'<origin-id xmlns="{SID}" id="o1"/><markable xmlns="urn:xmpp:chat-markers:0"/></message>')
    owner.expect(f'<message from="{room}/n1" id="full"><body>x</body><thread>t</thread><x xmlns="jabber:x:oob"><url>https://x.invalid/</url></x>'
                 f'<origin-id xmlns="{SID}" id="o1"/><markable xmlns="urn:xmpp:chat-markers:0"/></message>')


def private_messages_reach_one_occupant(stage):
    """§7.5."""
    room, owner, b, c = party(stage, 3)
    b.send(f'<message to="{room}/n2" type="chat" id="pm"><body>psst</body><x xmlns="{MUC_USER}"/></message>')
    c.expect(f'<message from="{room}/n1" type="chat" id="pm"><body>psst</body></message>')
    owner.expect_nothing('<message/>', after=[b])


def private_messages_to_nobody_are_item_not_found(stage):
    room, owner, b = party(stage)
    b.send(f'<message to="{room}/nobody" type="chat" id="pm"><body>x</body></message>')
    equal(b.expect('<message id="pm" type="error"/>').error, 'item-not-found')


def private_messages_of_type_groupchat_are_a_bad_request(stage):
    room, owner, b = party(stage)
    b.send(f'<message to="{room}/owner" type="groupchat" id="pm"><body>x</body></message>')
    equal(b.expect('<message id="pm" type="error"/>').error, 'bad-request')


def private_messages_from_outside_are_not_acceptable(stage):
    room, owner, b = party(stage)
    c = stage.online()
    c.send(f'<message to="{room}/owner" type="chat" id="pm"><body>x</body></message>')
    equal(c.expect('<message id="pm" type="error"/>').error, 'not-acceptable')


def forged_muc_user_payload_is_removed(stage):
    """A speaker must not be able to fake status codes or the items of others."""
    room, owner, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="f"><body>x</body><x xmlns="{MUC_USER}"><status code="110"/><status code="104"/></x></message>')
    got = owner.expect(f'<message from="{room}/n1" id="f"/>')
    check(got.find('x', MUC_USER) is None, 'forged payload passed: %s' % got)
    b.send(f'<presence to="{room}/n1"><x xmlns="{MUC_USER}"><item affiliation="owner" role="moderator"/></x></presence>')
    got = owner.expect(f'<presence from="{room}/n1"/>')
    equal([i['affiliation'] for i in got.all('x/item')], ['none'])


def iqs_between_occupants_pass(stage):
    room, owner, b = party(stage)
    b.send(f'<iq type="get" id="v" to="{room}/owner"><query xmlns="jabber:iq:version"/></iq>')
    got = owner.expect(f'<iq type="get" from="{room}/n1"><query xmlns="jabber:iq:version"/></iq>')
    owner.send(f'<iq type="result" id="{got["id"]}" to="{room}/n1"><query xmlns="jabber:iq:version"><name>x</name></query></iq>')
    b.expect(f'<iq type="result" id="v" from="{room}/owner"><query xmlns="jabber:iq:version"><name>x</name></query></iq>')


def iqs_from_outside_are_not_acceptable(stage):
    room, owner, b = party(stage)
    c = stage.online()
    c.refused('get', '<query xmlns="jabber:iq:version"/>', 'not-acceptable', room + '/owner')


def the_vcard_of_an_occupant_can_be_read(stage):
    """Clients show avatars of occupants by vcard-temp to the occupant's address."""
    room, owner, b = party(stage)
    owner.set('<vCard xmlns="vcard-temp"><FN>Owner</FN></vCard>')
    answer = b.iq('get', '<vCard xmlns="vcard-temp"/>', room + '/owner')
    equal(answer.textof('vCard/FN'), 'Owner')


# ---- nicks and presence

def a_nick_changes_in_two_steps(stage):
    """§7.6: unavailable with 303 and the new nick, then presence from the new one."""
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/newnick"/>')
    for c, mine in ((owner, ()), (b, (110,))):
        got = c.expect(occupant(room, 'n1', (303,) + mine, kind='unavailable'))
        equal(got.find('x/item')['nick'], 'newnick')
        c.expect(occupant(room, 'newnick', mine))
    say(b, room, 'renamed')
    heard(owner, room, 'newnick', 'renamed')


def a_taken_nick_is_a_conflict_and_changes_nothing(stage):
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/owner"/>')
    equal(b.expect(f'<presence type="error" from="{room}/owner"/>').error, 'conflict')
    say(b, room, 'still me')
    heard(owner, room, 'n1', 'still me')


def a_freed_nick_can_be_taken(stage):
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/other"/>')
    b.expect(occupant(room, 'other', (110,)))
    join(stage.online(), room, 'n1')


def presence_changes_are_broadcast(stage):
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/n1"><show>xa</show><status>gone</status></presence>')
    for c in (owner, b):
        c.expect(f'<presence from="{room}/n1" type="!"><show>xa</show><status>gone</status><x xmlns="{MUC_USER}"/></presence>')


def presence_is_shown_to_those_who_come_later(stage):
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/n1"><show>dnd</show></presence>')
    b.expect(f'<presence from="{room}/n1"><show>dnd</show></presence>')
    c = stage.online()
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}"/></presence>')
    c.expect(f'<presence from="{room}/n1"><show>dnd</show></presence>')


@each(['leave', 'unavailable', 'close', 'abort'])
def leaving_is_told(stage, how):
    room, owner, b = party(stage)
    if how == 'leave':
        b.send(f'<presence to="{room}/n1" type="unavailable"><status>bye</status></presence>')
        b.expect(occupant(room, 'n1', (110,), 'none', kind='unavailable'))
    elif how == 'unavailable':
        b.send('<presence type="unavailable"/>')
    else:
        getattr(b, how)()
    got = owner.expect(occupant(room, 'n1', (), 'none', kind='unavailable'))
    if how == 'leave':
        equal(got.textof('status'), 'bye')
        say(b, room, 'late')
        b.expect('<message id="late" type="error"/>')


def joining_again_is_a_fresh_start(stage):
    """A client that lost its state joins with <x/> again: all presences and the subject come again."""
    room, owner, b = party(stage)
    b.send(f'<presence to="{room}/n1"><x xmlns="{MUC}"/></presence>')
    b.expect(occupant(room, 'owner'))
    b.expect(occupant(room, 'n1', (110,)))
    b.expect('<message type="groupchat"><subject/></message>')


def two_resources_share_a_nick(stage):
    """§7.2.8 leaves multi-session nicks to the service; a second resource of the same user gets in or a conflict."""
    room, owner, b = party(stage)
    b2 = stage.again(b)
    b.drain()
    b2.send(f'<presence to="{room}/n1"><x xmlns="{MUC}"/></presence>')
    got = b2.expect(f'<presence from="{room}/n1"/>')
    if got['type'] == 'error':
        equal(got.error, 'conflict')
        return
    say(owner, room, 'both hear')
    heard(b, room, 'owner', 'both hear')
    heard(b2, room, 'owner', 'both hear')
    b2.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b2.expect(f'<presence from="{room}/n1" type="unavailable"/>')
    say(b, room, 'still here')
    heard(owner, room, 'n1', 'still here')


def odd_nicks_are_kept_or_refused(stage):
    a, room = create(stage)
    for nick in ('鸿雁', 'a b c', 'x&amp;y', 'Zoë'):
        b = stage.online()
        b.send(f'<presence to="{room}/{nick}"><x xmlns="{MUC}"/></presence>')
        b.expect(occupant(room, nick, (110,)))
    b = stage.online()
    b.send(f'<presence to="{room}/{"n" * 1100}"><x xmlns="{MUC}"/></presence>')
    check(b.expect('<presence type="error"/>').error in ('jid-malformed', 'not-acceptable'), 'long nick')


# ---- subject (§8.1)

def the_subject_is_changed_and_shown(stage):
    room, owner, b = party(stage)
    owner.send(f'<message to="{room}" type="groupchat"><subject>Fire Burn!</subject></message>')
    for c in (owner, b):
        c.expect(f'<message from="{room}/owner" type="groupchat"><subject>Fire Burn!</subject><t:no><body/></t:no></message>')
    c = stage.online()
    enter(c, room, 'carl')
    got = c.expect(f'<message from="~{room}(/owner)?" type="groupchat"><subject>Fire Burn!</subject></message>')
    check(got.find('delay', DELAY) is not None, 'the old subject has no delay stamp (§7.2.15)')


def participants_may_change_the_subject_only_if_allowed(stage):
    room, owner, b = party(stage)
    for value in ('0', '1'):
        configure(owner, room, {'muc#roomconfig_changesubject': value})
        b.drain(after=[owner])
        b.send(f'<message to="{room}" type="groupchat" id="s"><subject>by b {value}</subject></message>')
        if value == '0':
            equal(b.expect('<message id="s" type="error"/>').error, 'forbidden')
        else:
            owner.expect(f'<message from="{room}/n1"><subject>by b 1</subject></message>')


def a_subject_with_body_is_an_ordinary_message(stage):
    room, owner, b = party(stage)
    owner.send(f'<message to="{room}" type="groupchat" id="sb"><subject>not a topic</subject><body>text</body></message>')
    b.expect('<message id="sb"><subject>not a topic</subject><body>text</body></message>')
    c = stage.online()
    enter(c, room, 'carl', '<history maxstanzas="0"/>')
    got = c.expect('<message type="groupchat"><subject/><t:no><body/></t:no></message>')
    equal(got.textof('subject'), '')


# ---- history (§7.2.13)

def history_is_shown_with_delay(stage):
    room, owner, b = party(stage)
    for i in range(5):
        say(b, room, 'h%d' % i)
        heard(owner, room, 'n1', 'h%d' % i)
    c = stage.online()
    enter(c, room, 'carl')
    for nick in ('owner', 'n1'):
        c.expect(occupant(room, nick))
    for i in range(5):
        c.expect_next(f'<message from="{room}/n1" type="groupchat" id="h{i}"><body>h{i}</body><delay xmlns="{DELAY}" stamp="*"/></message>')
    c.expect_next('<message><subject/></message>')


HISTORY = [('maxstanzas 0', '<history maxstanzas="0"/>', 0), ('maxstanzas 2', '<history maxstanzas="2"/>', 2),
           ('maxchars 0', '<history maxchars="0"/>', 0), ('seconds 3600', '<history seconds="3600"/>', 5),
           ('since long ago', '<history since="2001-01-01T00:00:00Z"/>', 5),
           ('since the future', '<history since="2099-01-01T00:00:00Z"/>', 0),
           ('two limits', '<history maxstanzas="3" seconds="3600"/>', 3)]


@each(HISTORY, lambda r: r[0])
def history_can_be_limited(stage, row):
    room, owner, b = party(stage)
    for i in range(5):
        say(b, room, 'h%d' % i)
        heard(owner, room, 'n1', 'h%d' % i)
    c = stage.online()
    enter(c, room, 'carl', row[1])
    c.expect('<message><subject/></message>')
    got = [e['id'] for e in c.drain() if e.name == 'message' and e.find('body') is not None]
    equal(got, ['h%d' % i for i in range(5 - row[2], 5)])


@each(['maxstanzas="-1"', 'maxstanzas="x"', 'since="yesterday"', 'seconds="99999999999999999999"'])
def bad_history_limits_do_no_harm(stage, attr):
    room, owner, b = party(stage)
    c = stage.online()
    c.send(f'<presence to="{room}/carl"><x xmlns="{MUC}"><history {attr}/></x></presence>')
    c.expect(f'<presence from="{room}/carl"/>')
    c.ping()


# ---- invitations (§7.8, XEP-0249)

def mediated_invitations_are_passed_on(stage):
    room, owner, b = party(stage)
    c = stage.online()
    b.send(f'<message to="{room}"><x xmlns="{MUC_USER}"><invite to="{c.bare}"><reason>Come</reason></invite></x></message>')
    got = c.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><invite><reason>Come</reason></invite></x></message>')
    check(got.find('x/invite')['from'] in (b.bare, b.jid, room + '/n1'), got)


def invitations_to_a_members_only_room_make_members(stage):
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    c = stage.online()
    a.send(f'<message to="{room}"><x xmlns="{MUC_USER}"><invite to="{c.bare}"/></x></message>')
    c.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><invite/></x></message>')
    join(c, room, 'carl')


def invitations_carry_the_password(stage):
    a, room = create(stage, settings={'muc#roomconfig_passwordprotectedroom': '1', 'muc#roomconfig_roomsecret': 'pw'})
    c = stage.online()
    a.send(f'<message to="{room}"><x xmlns="{MUC_USER}"><invite to="{c.bare}"/></x></message>')
    c.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><invite/><password>pw</password></x></message>')


def invitations_from_outside_are_refused(stage):
    room, owner, b = party(stage)
    c, d = stage.online(), stage.online()
    c.send(f'<message to="{room}" id="inv"><x xmlns="{MUC_USER}"><invite to="{d.bare}"/></x></message>')
    c.expect('<message id="inv" type="error"/>')
    d.expect_nothing('<message/>', after=[c])


def declines_are_passed_on(stage):
    room, owner, b = party(stage)
    c = stage.online()
    b.send(f'<message to="{room}"><x xmlns="{MUC_USER}"><invite to="{c.bare}"/></x></message>')
    c.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><invite/></x></message>')
    c.send(f'<message to="{room}"><x xmlns="{MUC_USER}"><decline to="{b.bare}"><reason>Busy</reason></decline></x></message>')
    b.expect(f'<message from="{room}"><x xmlns="{MUC_USER}"><decline from="~{c.bare}(/.*)?"><reason>Busy</reason></decline></x></message>')


def direct_invitations_pass(stage):
    room, owner, b = party(stage)
    c = stage.online()
    b.send(f'<message to="{c.bare}"><x xmlns="jabber:x:conference" jid="{room}" reason="Come"/></message>')
    c.expect(f'<message from="{b.jid}"><x xmlns="jabber:x:conference" jid="{room}" reason="Come"/></message>')


# ---- XEP-0410 and XEP-0421

def a_self_ping_tells_who_is_inside(stage):
    """XEP-0410: the service answers for the occupant; outside: not-acceptable."""
    room, owner, b = party(stage)
    b.get(PING, room + '/n1')
    b.expect_nothing('<iq/>')
    c = stage.online()
    c.refused('get', PING, 'not-acceptable', room + '/n1')
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b.expect(occupant(room, 'n1', kind='unavailable'))
    b.refused('get', PING, 'not-acceptable', room + '/n1')


def the_self_ping_optimisation_is_announced(stage):
    a, room = create(stage)
    check('http://jabber.org/protocol/muc#self-ping-optimization' in disco(a, room)[0], 'not announced')


def occupant_ids_are_stable_and_private(stage):
    """XEP-0421."""
    room, owner, b = party(stage)
    check('urn:xmpp:occupant-id:0' in disco(b, room)[0], 'not announced')
    say(b, room, 'one')
    first = heard(owner, room, 'n1', 'one').find('occupant-id', 'urn:xmpp:occupant-id:0')
    check(first is not None and first['id'] and b.account.node not in first['id'], first)
    b.send(f'<presence to="{room}/other"/>')
    got = owner.expect(occupant(room, 'other'))
    equal(got.find('occupant-id')['id'], first['id'], 'id after a change of nick')
    b.send(f'<presence to="{room}/other" type="unavailable"/>')
    b.expect(occupant(room, 'other', kind='unavailable'))
    b2 = stage.again(b)
    enter(b2, room, 'third')
    equal(owner.expect(occupant(room, 'third')).find('occupant-id')['id'], first['id'], 'id of another session')
    _, room2 = create(stage, owner)
    join(b2, room2, 'x')
    check(owner.expect(occupant(room2, 'x')).find('occupant-id')['id'] != first['id'], 'same id in another room')


def forged_occupant_ids_are_replaced(stage):
    room, owner, b = party(stage)
    b.send(f'<message to="{room}" type="groupchat" id="f"><body>x</body><occupant-id xmlns="urn:xmpp:occupant-id:0" id="forged"/></message>')
    ids = [e['id'] for e in owner.expect('<message id="f"/>').all('occupant-id')]
    check(len(ids) == 1 and ids[0] != 'forged', ids)


def reserved_nicks_and_registration_do_no_harm(stage):
    """§7.10, §7.12: asked for, answered by result or error, never by silence."""
    room, owner, b = party(stage)
    b.iq('get', '<query xmlns="jabber:iq:register"/>', room)
    b.iq('get', f'<query xmlns="{DISCO_INFO}" node="x-roomuser-item"/>', room)
    b.iq('get', f'<query xmlns="{DISCO_ITEMS}"/>', room)


def a_hundred_occupants_hear_everything(stage):
    a, room = create(stage)
    acc = stage.account()
    crowd = []
    for i in range(40):
        c = stage.client(acc).login('r%d' % i)
        enter(c, room, 'c%d' % i)
        crowd.append(c)
    say(a, room, 'to all')
    for c in crowd:
        heard(c, room, 'owner', 'to all')
