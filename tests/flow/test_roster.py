# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6121 §2: roster get, set, push, versions."""
from lib import *


def interested(stage, account=None):
    """Signed in, roster asked for, no presence."""
    c = stage.client(account).login()
    c.roster = c.get(f'<query xmlns="{ROSTER}"/>').find('query')
    return c


def put(c, jid, name=None, groups=(), extra=''):
    attrs = f' name="{name}"' if name is not None else ''
    return c.set(f'<query xmlns="{ROSTER}"><item jid="{jid}"{attrs}{extra}>%s</item></query>'
                 % ''.join(f'<group>{g}</group>' for g in groups))


def items(c):
    query = c.get(f'<query xmlns="{ROSTER}"/>').find('query')
    return {i['jid']: i for i in query.all('item')}


def push(c, pattern):
    """Expects a roster push and answers it."""
    got = c.expect(f'<iq type="set"><query xmlns="{ROSTER}">{pattern}</query></iq>')
    check(got['from'] in (None, c.bare), 'push from %s' % got['from'])
    check(got['id'], 'push without id')
    equal(len(got.all('query/item')), 1, 'items in a push')
    c.send(f'<iq type="result" id="{got["id"]}"/>')
    return got


def a_fresh_roster_is_empty(stage):
    a = interested(stage)
    check(a.roster is not None and not a.roster.kids, a.roster)


def an_item_is_kept_and_pushed(stage):
    a = interested(stage)
    put(a, 'nurse@localhost', 'Nurse', ['Servants'])
    push(a, '<item jid="nurse@localhost" name="Nurse" subscription="none" ask="!"><group>Servants</group></item>')
    b = interested(stage, a.account)
    equal(len(b.roster.kids), 1, 'items')
    item = b.roster.find('item')
    equal((item['jid'], item['name'], item['subscription'], item.textof('group')), ('nurse@localhost', 'Nurse', 'none', 'Servants'))


def pushes_reach_every_interested_resource_and_no_other(stage):
    a = interested(stage)
    b = interested(stage, a.account)
    c = stage.client(a.account).login()
    put(a, 'x@localhost')
    push(a, '<item jid="x@localhost" subscription="none"/>')
    push(b, '<item jid="x@localhost" subscription="none"/>')
    c.expect_nothing(after=[a])


def an_interested_resource_needs_no_presence(stage):
    a = interested(stage)
    b = stage.online(a.account)
    put(b, 'y@localhost')
    push(a, '<item jid="y@localhost"/>')


def a_set_replaces_name_and_groups(stage):
    a = interested(stage)
    put(a, 'x@localhost', 'Old', ['A', 'B'])
    put(a, 'x@localhost', 'New', ['B', 'C'])
    item = items(a)['x@localhost']
    equal(item['name'], 'New')
    equal(sorted(g.text for g in item.all('group')), ['B', 'C'])
    put(a, 'x@localhost')
    item = items(a)['x@localhost']
    check(not item['name'] and not item.kids, item)


def removal_is_pushed(stage):
    a = interested(stage)
    put(a, 'x@localhost')
    a.drain()
    a.set(f'<query xmlns="{ROSTER}"><item jid="x@localhost" subscription="remove"/></query>')
    push(a, '<item jid="x@localhost" subscription="remove"/>')
    equal(items(a), {})


def removing_what_is_not_there_is_item_not_found(stage):
    a = interested(stage)
    a.refused('set', f'<query xmlns="{ROSTER}"><item jid="never@localhost" subscription="remove"/></query>', 'item-not-found')


def removal_cancels_both_subscriptions(stage):
    """§2.5.2: unsubscribe and unsubscribed are sent for the user."""
    a, b = stage.friends()
    a.set(f'<query xmlns="{ROSTER}"><item jid="{b.bare}" subscription="remove"/></query>')
    b.expect(f'<presence type="unsubscribe" from="{a.bare}"/>')
    b.expect(f'<presence type="unsubscribed" from="{a.bare}"/>')
    b.expect(f'<presence type="unavailable" from="{a.jid}"/>')
    a.expect(f'<presence type="unavailable" from="{b.jid}"/>')
    item = items(b).get(a.bare)
    check(item is None or item['subscription'] == 'none', item)
    equal(items(a), {})


def subscription_states_cannot_be_forged_by_set(stage):
    a = interested(stage)
    for value in ('both', 'to', 'from'):
        a.iq('set', f'<query xmlns="{ROSTER}"><item jid="z@localhost" subscription="{value}" ask="subscribe" approved="true"/></query>')
        item = items(a).get('z@localhost')
        check(item is None or (item['subscription'] == 'none' and not item['ask'] and not item['approved']), item)


BAD = [
    ('no item', '', 'bad-request'),
    ('two items', '<item jid="a@localhost"/><item jid="b@localhost"/>', 'bad-request'),
    ('no jid', '<item name="x"/>', 'bad-request'),
    ('malformed jid', '<item jid="@@localhost"/>', 'bad-request|jid-malformed'),
    ('group twice', '<item jid="a@localhost"><group>G</group><group>G</group></item>', 'bad-request'),
    ('empty group', '<item jid="a@localhost"><group/></item>', 'not-acceptable|bad-request'),
    ('very long name', '<item jid="a@localhost" name="%s"/>' % ('n' * 20000), 'not-acceptable|resource-constraint|policy-violation|bad-request'),
    ('very long group', '<item jid="a@localhost"><group>%s</group></item>' % ('g' * 20000), 'not-acceptable|resource-constraint|policy-violation|bad-request'),
]


@each(BAD, lambda r: r[0])
def bad_input_is_refused(stage, row):
    a = interested(stage)
    a.refused('set', f'<query xmlns="{ROSTER}">{row[1]}</query>', row[2])
    equal(items(a), {})
    a.expect_nothing('<iq type="set"/>')


def the_own_address_is_refused_or_harmless(stage):
    a = interested(stage)
    answer = a.iq('set', f'<query xmlns="{ROSTER}"><item jid="{a.bare}"/></query>')
    if answer['type'] == 'error':
        check(answer.error in ('not-allowed', 'bad-request', 'not-acceptable', 'conflict'), answer)
    a.ping()


def foreign_rosters_are_closed(stage):
    """§2.3.3 and §2.1.5: never for somebody else."""
    a, b = interested(stage), interested(stage)
    put(b, 'secret@localhost')
    a.refused('get', f'<query xmlns="{ROSTER}"/>', 'forbidden|service-unavailable|not-allowed', b.bare)
    a.refused('set', f'<query xmlns="{ROSTER}"><item jid="x@localhost"/></query>', 'forbidden|service-unavailable|not-allowed', b.bare)
    check(list(items(b)) == ['secret@localhost'], 'foreign roster changed')


def a_forged_push_is_not_passed_on(stage):
    """A peer's 'push' to a contact: an IQ from somebody else; it may arrive, but only with the true from."""
    a, b = stage.friends()
    a.send(f'<iq type="set" id="forged" to="{b.jid}"><query xmlns="{ROSTER}"><item jid="evil@localhost" subscription="both"/></query></iq>')
    for el in b.drain(after=[a]):
        if el.name == 'iq' and el['id'] == 'forged':
            equal(el['from'], a.jid)
    a.send(f'<iq type="set" id="forged2" to="{b.bare}"><query xmlns="{ROSTER}"><item jid="evil@localhost"/></query></iq>')
    a.expect('<iq type="error" id="forged2"/>')
    check('evil@localhost' not in items(b), 'forged item in the roster')


def names_are_kept_as_written(stage):
    a = interested(stage)
    put(a, 'x@localhost', 'Anna &amp; &lt;鸿雁&gt; 🪿 &quot;q&quot;', ['Familie &amp; Co'])
    item = items(a)['x@localhost']
    equal(item['name'], 'Anna & <鸿雁> 🪿 "q"')
    equal(item.textof('group'), 'Familie & Co')


def addresses_are_normalised(stage):
    a = interested(stage)
    put(a, 'Mixed.Case@LocalHost', 'one')
    put(a, 'mixed.case@localhost', 'two')
    equal(list(items(a)), ['mixed.case@localhost'])
    equal(items(a)['mixed.case@localhost']['name'], 'two')


def a_domain_can_be_an_item(stage):
    a = interested(stage)
    put(a, 'gateway.example')
    equal(sorted(items(a)), ['gateway.example'])


def many_items_come_in_one_roster(stage):
    a = interested(stage)
    for i in range(200):
        a.send(f'<iq type="set" id="many{i}"><query xmlns="{ROSTER}"><item jid="c{i}@localhost" name="C {i}"><group>G{i % 7}</group></item></query></iq>')
    for i in range(200):
        a.expect(f'<iq type="result" id="many{i}"/>')
    equal(len(items(a)), 200)


def a_roster_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).login()
    put(a, 'x@localhost', 'X', ['G'])
    server.restart()
    b = stage.client(a.account, server=server).login()
    item = items(b)['x@localhost']
    equal((item['name'], item.textof('group')), ('X', 'G'))


# ---- versions (§2.6)

def an_unchanged_roster_is_not_sent_again(stage):
    a = stage.client().login()
    put(a, 'x@localhost')
    ver = a.get(f'<query xmlns="{ROSTER}" ver=""/>').find('query')['ver']
    check(ver, 'no ver in the result')
    answer = a.get(f'<query xmlns="{ROSTER}" ver="{ver}"/>')
    check(answer.find('query') is None, 'roster sent although it did not change')


def a_stale_version_brings_the_roster_or_the_changes(stage):
    a = stage.client().login()
    put(a, 'x@localhost')
    ver = a.get(f'<query xmlns="{ROSTER}" ver=""/>').find('query')['ver']
    a.drain()
    put(a, 'y@localhost')
    changed = push(a, '<item jid="y@localhost"/>')
    check(changed.find('query')['ver'] not in (None, ver), 'push without a new version')
    b = stage.client(a.account).login()
    answer = b.get(f'<query xmlns="{ROSTER}" ver="{ver}"/>')
    if answer.find('query') is None:
        push(b, '<item jid="y@localhost"/>')
    else:
        equal(sorted(i['jid'] for i in answer.all('query/item')), ['x@localhost', 'y@localhost'])


def an_unknown_version_brings_the_whole_roster(stage):
    a = stage.client().login()
    put(a, 'x@localhost')
    answer = a.get(f'<query xmlns="{ROSTER}" ver="from another server"/>')
    equal([i['jid'] for i in answer.all('query/item')], ['x@localhost'])


def a_version_from_a_push_is_current(stage):
    a = interested(stage)
    put(a, 'x@localhost')
    ver = push(a, '<item jid="x@localhost"/>').find('query')['ver']
    answer = a.get(f'<query xmlns="{ROSTER}" ver="{ver}"/>')
    check(answer.find('query') is None, 'roster sent although the pushed version is current')


def a_removal_reaches_a_stale_client(stage):
    a = stage.client().login()
    put(a, 'x@localhost')
    put(a, 'y@localhost')
    ver = a.get(f'<query xmlns="{ROSTER}" ver=""/>').find('query')['ver']
    a.set(f'<query xmlns="{ROSTER}"><item jid="x@localhost" subscription="remove"/></query>')
    b = stage.client(a.account).login()
    answer = b.get(f'<query xmlns="{ROSTER}" ver="{ver}"/>')
    if answer.find('query') is None:
        push(b, '<item jid="x@localhost" subscription="remove"/>')
    else:
        equal([i['jid'] for i in answer.all('query/item')], ['y@localhost'])


def versions_survive_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).login()
    put(a, 'x@localhost')
    ver = a.get(f'<query xmlns="{ROSTER}" ver=""/>').find('query')['ver']
    server.restart()
    b = stage.client(a.account, server=server).login()
    put(b, 'z@localhost')
    answer = b.get(f'<query xmlns="{ROSTER}" ver="{ver}"/>')
    if answer.find('query') is not None:
        equal(sorted(i['jid'] for i in answer.all('query/item')), ['x@localhost', 'z@localhost'])
    else:
        push(b, '<item jid="z@localhost"/>')
