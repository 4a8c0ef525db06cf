# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0045 §8-10: moderators, admins, owners."""
from rooms import *


def kicking_removes_with_reason(stage):
    """§8.2: status 307."""
    room, owner, b, c = party(stage, 3)
    owner.set(set_role(owner, room, 'n1', 'none', 'Behave'), room)
    for who, codes in ((b, (307, 110)), (owner, (307,)), (c, (307,))):
        got = who.expect(occupant(room, 'n1', codes, 'none', 'none', 'unavailable'))
        equal(got.textof('x/item/reason'), 'Behave')
    say(b, room, 'out')
    b.expect('<message id="out" type="error"/>')
    join(b, room, 'n1')


def participants_cannot_kick(stage):
    room, owner, b, c = party(stage, 3)
    b.refused('set', set_role(b, room, 'n2', 'none'), 'forbidden', room)
    b.refused('set', set_role(b, room, 'owner', 'none'), 'forbidden|not-allowed', room)
    c.expect_nothing('<presence/>', after=[b])


def moderators_cannot_kick_owners(stage):
    """§8.2: not-allowed."""
    room, owner, b = party(stage)
    owner.set(set_role(owner, room, 'n1', 'moderator'), room)
    b.expect(occupant(room, 'n1', (), 'moderator'))
    b.refused('set', set_role(b, room, 'owner', 'none'), 'not-allowed|forbidden', room)


def kicking_nobody_is_item_not_found(stage):
    room, owner, b = party(stage)
    owner.refused('set', set_role(owner, room, 'nobody', 'none'), 'item-not-found|bad-request|not-acceptable', room)


def voice_is_needed_in_a_moderated_room(stage):
    room, owner, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1'})
    say(b, room, 'mute')
    equal(b.expect('<message id="mute" type="error"/>').error, 'forbidden')
    owner.set(set_role(owner, room, 'n1', 'participant'), room)
    for who in (b, owner):
        who.expect(occupant(room, 'n1', (), 'participant'))
    say(b, room, 'voice')
    heard(owner, room, 'n1', 'voice')


def newcomers_of_a_moderated_room_are_visitors(stage):
    """§5.1.2 initial role."""
    a, room = create(stage, settings={'muc#roomconfig_moderatedroom': '1'})
    b = stage.online()
    equal(join(b, room, 'bert').find('x/item')['role'], 'visitor')


def visitors_may_not_change_the_subject(stage):
    room, owner, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1', 'muc#roomconfig_changesubject': '1'})
    b.send(f'<message to="{room}" type="groupchat" id="s"><subject>x</subject></message>')
    equal(b.expect('<message id="s" type="error"/>').error, 'forbidden')


def moderators_are_made_and_unmade_by_admins(stage):
    room, owner, b, c = party(stage, 3)
    owner.set(set_role(owner, room, 'n1', 'moderator'), room)
    for who in (owner, b, c):
        who.expect(occupant(room, 'n1', (), 'moderator'))
    b.refused('set', set_role(b, room, 'n2', 'moderator'), 'forbidden|not-allowed', room)
    b.set(set_role(b, room, 'n2', 'visitor'), room)
    c.expect(occupant(room, 'n2', (), 'visitor'))
    owner.set(set_role(owner, room, 'n1', 'participant'), room)
    b.expect(occupant(room, 'n1', (), 'participant'))


def lists_of_roles_are_for_moderators(stage):
    room, owner, b, c = party(stage, 3)
    answer = owner.get(f'<query xmlns="{MUC_ADMIN}"><item role="participant"/></query>', room)
    equal(sorted(i['nick'] for i in answer.all('query/item')), ['n1', 'n2'])
    b.refused('get', f'<query xmlns="{MUC_ADMIN}"><item role="participant"/></query>', 'forbidden', room)


# ---- affiliations

def banning_removes_and_keeps_out(stage):
    """§9.1: status 301."""
    room, owner, b, c = party(stage, 3)
    owner.set(set_affiliation(room, b.bare, 'outcast', 'Treason'), room)
    for who, codes in ((b, (301, 110)), (owner, (301,)), (c, (301,))):
        got = who.expect(occupant(room, 'n1', codes, 'none', 'outcast', 'unavailable'))
        equal(got.textof('x/item/reason'), 'Treason')
    refused_join(b, room, 'again', 'forbidden')
    equal(list(listing(owner, room, affiliation='outcast')), [b.bare])
    owner.set(set_affiliation(room, b.bare, 'none'), room)
    join(b, room, 'again')


def a_user_outside_can_be_banned(stage):
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'outcast'), room)
    refused_join(b, room, 'bert', 'forbidden')


def admins_and_owners_cannot_be_banned_by_admins(stage):
    room, owner, b, c = party(stage, 3)
    owner.set(set_affiliation(room, b.bare, 'admin'), room)
    owner.set(set_affiliation(room, c.bare, 'admin'), room)
    b.refused('set', set_affiliation(room, owner.bare, 'outcast'), 'not-allowed|forbidden', room)
    b.refused('set', set_affiliation(room, c.bare, 'outcast'), 'not-allowed|forbidden', room)


def one_cannot_ban_oneself(stage):
    a, room = create(stage)
    a.refused('set', set_affiliation(room, a.bare, 'outcast'), 'conflict|not-allowed', room)


AFFILIATIONS = [('member', 'participant'), ('admin', 'moderator'), ('owner', 'moderator'), ('none', 'participant')]


@each(AFFILIATIONS, lambda r: r[0])
def affiliation_changes_are_told_with_the_new_role(stage, row):
    room, owner, b, c = party(stage, 3)
    if row[0] == 'none':
        owner.set(set_affiliation(room, b.bare, 'member'), room)
        for who in (owner, b, c):
            who.expect(occupant(room, 'n1', (), '*', 'member'))
    owner.set(set_affiliation(room, b.bare, row[0]), room)
    for who in (owner, b, c):
        who.expect(occupant(room, 'n1', (), row[1], row[0]))
    if row[0] != 'none':
        check(b.bare in listing(owner, room, affiliation=row[0]), 'not in the list')


def affiliations_outlast_the_visit(stage):
    room, owner, b = party(stage)
    owner.set(set_affiliation(room, b.bare, 'admin'), room)
    b.send(f'<presence to="{room}/n1" type="unavailable"/>')
    b.expect(occupant(room, 'n1', kind='unavailable'))
    item = join(b, room, 'again').find('x/item')
    equal((item['affiliation'], item['role']), ('admin', 'moderator'))


def only_owners_make_owners_and_admins(stage):
    room, owner, b, c = party(stage, 3)
    owner.set(set_affiliation(room, b.bare, 'admin'), room)
    for affiliation in ('admin', 'owner'):
        b.refused('set', set_affiliation(room, c.bare, affiliation), 'forbidden|not-allowed', room)
    b.set(set_affiliation(room, c.bare, 'member'), room)
    c.refused('set', set_affiliation(room, c.bare, 'admin'), 'forbidden|not-allowed', room)
    c.refused('set', set_affiliation(room, b.bare, 'none'), 'forbidden|not-allowed', room)


def the_last_owner_stays(stage):
    """§10.5: a room keeps at least one owner: conflict."""
    a, room = create(stage)
    a.refused('set', set_affiliation(room, a.bare, 'admin'), 'conflict|not-allowed', room)


def an_owner_can_hand_over(stage):
    room, owner, b = party(stage)
    owner.set(set_affiliation(room, b.bare, 'owner'), room)
    owner.set(set_affiliation(room, owner.bare, 'member'), room)
    b.get(f'<query xmlns="{MUC_OWNER}"/>', room)
    owner.refused('get', f'<query xmlns="{MUC_OWNER}"/>', 'forbidden', room)


def several_items_are_changed_at_once(stage):
    a, room = create(stage)
    a.set(f'<query xmlns="{MUC_ADMIN}"><item jid="x@localhost" affiliation="member"/><item jid="y@localhost" affiliation="outcast"/></query>', room)
    check('x@localhost' in listing(a, room, affiliation='member'), 'x')
    check('y@localhost' in listing(a, room, affiliation='outcast'), 'y')


def a_list_with_one_bad_item_changes_nothing(stage):
    a, room = create(stage)
    a.refused('set', f'<query xmlns="{MUC_ADMIN}"><item jid="x@localhost" affiliation="member"/><item jid="y@localhost" affiliation="emperor"/></query>',
              'bad-request|not-acceptable|jid-malformed', room)
    equal(listing(a, room, affiliation='member'), {})


@each(['<item/>', '<item affiliation="member"/>', '<item jid="@@" affiliation="member"/>', '<item nick="owner" role="emperor"/>', ''])
def bad_admin_requests_are_refused(stage, inner):
    a, room = create(stage)
    a.refused('set', f'<query xmlns="{MUC_ADMIN}">{inner}</query>', 'bad-request|jid-malformed|not-acceptable|item-not-found', room)


def member_lists_are_readable_in_members_only_rooms(stage):
    """§9.5: members of a members-only room may see it; others not."""
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    b, c = stage.online(), stage.online()
    a.set(set_affiliation(room, b.bare, 'member'), room)
    join(b, room, 'bert')
    check(b.bare in listing(a, room, affiliation='member'), 'owner')
    c.refused('get', f'<query xmlns="{MUC_ADMIN}"><item affiliation="member"/></query>', 'forbidden', room)
    c.refused('get', f'<query xmlns="{MUC_ADMIN}"><item affiliation="outcast"/></query>', 'forbidden', room)


def losing_membership_removes_from_a_members_only_room(stage):
    """§9.4: status 321."""
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'member'), room)
    join(b, room, 'bert')
    a.drain()
    a.set(set_affiliation(room, b.bare, 'none'), room)
    b.expect(occupant(room, 'bert', (321, 110), 'none', 'none', 'unavailable'))
    a.expect(occupant(room, 'bert', (321,), 'none', 'none', 'unavailable'))


def outsiders_learn_of_a_new_affiliation_by_message_or_not(stage):
    """§9.3: a notice to somebody outside is optional; inside, members hear of it by message (XEP-0045 1.35) or not at all."""
    a, room = create(stage)
    b = stage.online()
    a.set(set_affiliation(room, b.bare, 'member'), room)
    for e in b.drain(after=[a]):
        check(e['from'] == room, e)


def voice_can_be_requested(stage):
    """§7.13."""
    room, owner, b = party(stage, settings={'muc#roomconfig_moderatedroom': '1'})
    b.send(f'<message to="{room}" id="vr"><x xmlns="{DATA}" type="submit"><field var="FORM_TYPE"><value>{MUC}#request</value></field>'
           '<field var="muc#role"><value>participant</value></field></x></message>')
    got = owner.expect(f'<message from="{room}"><x xmlns="{DATA}" type="form"/></message>')
    have = fields(got.find('x'))
    equal(have['FORM_TYPE'], [MUC + '#request'])
    equal(have['muc#roomnick'], ['n1'])
    owner.send(f'<message to="{room}">' + form(MUC + '#request', {'muc#role': 'participant', 'muc#jid': b.jid, 'muc#roomnick': 'n1',
                                                                 'muc#request_allow': 'true'}) + '</message>')
    b.expect(occupant(room, 'n1', (), 'participant'))


def kicks_by_error_bounce(stage):
    """A ghost: an occupant whose message bounces with a fatal error may be removed; the room goes on."""
    room, owner, b = party(stage)
    b.send(f'<message to="{room}" type="error" id="x"><error type="cancel"><service-unavailable xmlns="{STANZAS}"/></error></message>')
    b.send(f'<presence to="{room}/n1" type="error"><error type="cancel"><service-unavailable xmlns="{STANZAS}"/></error></presence>')
    say(owner, room, 'goes on')
    heard(owner, room, 'owner', 'goes on')
