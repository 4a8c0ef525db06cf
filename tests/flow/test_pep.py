# SPDX-License-Identifier: AGPL-3.0-or-later
"""Personal eventing: XEP-0163 on accounts, with the filter of XEP-0115, and what of XEP-0060 accounts do."""
from pubsub import *


def an_account_is_a_pubsub_service(stage):
    a = stage.online()
    features, identities = disco(a, a.bare)
    check(('pubsub', 'pep') in identities and ('account', 'registered') in identities, identities)
    for f in ('access-presence', 'auto-create', 'auto-subscribe', 'filtered-notifications', 'publish-options', 'persistent-items',
              'multi-items', 'config-node-max', 'rsm', 'last-published', 'pubsub-on-a-jid'):
        check(PUBSUB + '#' + f in features, f)


def publishing_makes_the_node(stage):
    """XEP-0163 §4."""
    a = stage.online()
    answer = a.set(publish(TUNE, entry('one'), 'current'))
    equal(answer.find('pubsub/publish')['node'], TUNE)
    equal(texts_of(a.get(items(TUNE))), ['one'])


def an_item_without_an_id_gets_one(stage):
    a = stage.online()
    answer = a.set(publish(TUNE))
    made = answer.find('pubsub/publish/item')['id']
    check(made, answer)
    equal(ids_of(a.get(items(TUNE))), [made])


def contacts_who_want_it_get_events(stage):
    a, b = stage.friends()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE, entry('song'), 'current'))
    b.expect(f'<message from="{a.bare}" to="{b.jid}" type="headline"><event xmlns="{EVENT}"><items node="{TUNE}">'
             f'<item id="current"><entry xmlns="urn:example:entry">song</entry></item></items></event></message>')


def contacts_who_do_not_want_it_get_nothing(stage):
    a, b, c = stage.friends(3)
    tell_caps(b, notify('urn:other'))
    a.set(publish(TUNE))
    b.expect_nothing('<message/>', after=(a,))
    c.expect_nothing('<message/>', after=(a,))


def strangers_get_no_events(stage):
    a, b = stage.online(), stage.online()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE))
    b.expect_nothing('<message/>', after=(a,))


def every_own_resource_gets_events(stage):
    a = stage.online()
    other = stage.again(a)
    tell_caps(other, notify(TUNE), tell_caps(a, notify(TUNE)))
    a.set(publish(TUNE, entry(), 'i'))
    for c in (a, other):
        c.expect(f'<message from="{a.bare}" to="{c.jid}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')


def the_last_item_comes_with_presence(stage):
    """XEP-0163 §4.3.4, with the time of its publication."""
    a, b = stage.friends()
    a.set(publish(TUNE, entry('old'), 'i'))
    client = tell_caps(b, notify(TUNE))
    m = b.expect(f'<message from="{a.bare}" to="{b.jid}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')
    check(m.find('delay', DELAY)['stamp'], m)
    b.present('<show>away</show>' + caps(ver(notify(TUNE), client)))
    b.expect_nothing('<message/>', after=(a,))


def the_last_item_comes_from_contacts_who_are_offline(stage):
    a, b = stage.friends()
    a.set(publish(TUNE, entry('old'), 'i'))
    a.close()
    tell_caps(b, notify(TUNE))
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')


def new_capabilities_bring_the_last_items_of_new_nodes_only(stage):
    a, b = stage.friends()
    a.set(publish(TUNE, entry(), 't'))
    a.set(publish('urn:mood', entry(), 'm'))
    tell_caps(b, notify(TUNE))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="{TUNE}"/></event></message>')
    tell_caps(b, notify(TUNE, 'urn:mood'))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="urn:mood"/></event></message>')
    b.expect_nothing('<message/>', after=(a,))


def a_new_subscription_brings_the_last_items(stage):
    a, b = stage.online(), stage.online()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE, entry(), 'i'))
    b.expect_nothing('<message/>', after=(a,))
    b.send(f'<presence to="{a.bare}" type="subscribe"/>')
    a.expect('<presence type="subscribe"/>')
    a.send(f'<presence to="{b.bare}" type="subscribed"/><presence to="{b.bare}" type="subscribe"/>')
    b.expect('<presence type="subscribe"/>')
    b.send(f'<presence to="{a.bare}" type="subscribed"/>')
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{TUNE}"><item id="i"/></items></event></message>')


def nodes_and_items_survive_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    a.set(publish('many', entry('1'), 'one', {'pubsub#max_items': '10', 'pubsub#access_model': 'whitelist'}))
    a.set(publish('many', entry('2' * 3000), 'two'))
    a.set(publish('many', entry('3'), 'one'))
    server.restart()
    b = stage.client(a.account, server=server).online()
    got = b.get(items('many'))
    equal(ids_of(got), ['two', 'one'])
    equal(texts_of(got), ['2' * 3000, '3'])
    got = fields(b.get(pubsub('<configure node="many"/>', OWNER)).find('pubsub/configure/x'))
    equal((got['pubsub#max_items'], got['pubsub#access_model']), (['10'], ['whitelist']))


def retracting_tells_those_who_want_it(stage):
    a, b = stage.friends()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE, entry(), 'i'))
    b.expect('<message/>')
    a.set(retract(TUNE, 'i', 'true'))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="{TUNE}"><retract id="i"/></items></event></message>')
    equal(ids_of(a.get(items(TUNE))), [])


# ---- access models

def model(stage, access, **more):
    a = stage.online()
    config = {'pubsub#access_model': access, 'pubsub#max_items': 'max'}
    config.update(more)
    a.set(publish('n', entry('secret'), 'i', config))
    return a


def strangers_read_open_nodes(stage):
    a, b = model(stage, 'open'), stage.online()
    equal(texts_of(b.get(items('n'), a.bare)), ['secret'])


def strangers_may_not_read_presence_nodes(stage):
    a, b = model(stage, 'presence'), stage.online()
    fails(b, 'get', items('n'), 'not-authorized', 'presence-subscription-required', a.bare)
    fails(b, 'set', subscribe('n', b.bare), 'not-authorized', 'presence-subscription-required', a.bare)


def only_the_group_reads_roster_nodes(stage):
    a, b, c = stage.friends(3)
    a.set(f'<query xmlns="{ROSTER}"><item jid="{b.bare}"><group>Friends</group></item></query>')
    a.set(publish('n', entry('secret'), 'i', {'pubsub#access_model': 'roster', 'pubsub#roster_groups_allowed': ['Friends', 'Others']}))
    equal(texts_of(b.get(items('n'), a.bare)), ['secret'])
    fails(c, 'get', items('n'), 'not-authorized', 'not-in-roster-group', a.bare)


def nobody_else_reads_whitelist_nodes(stage):
    """The private data of XEP-0223, by every way of asking."""
    a, b = stage.friends()
    a.set(publish('n', entry('secret'), 'i', {'pubsub#access_model': 'whitelist'}))
    tell_caps(b, notify('n'))
    for ask in (items('n'), items('n', 'i'), items('n', max_items=1), items('n', rsm='<max>1</max>'),
                items('n', rsm='<max>1</max><before/>'), items('n', rsm='<after>i</after>'), items('n', rsm='<max>0</max>')):
        fails(b, 'get', ask, 'not-allowed', 'closed-node', a.bare)
    fails(b, 'set', subscribe('n', b.bare), 'not-allowed', 'closed-node', a.bare)
    b.refused('get', f'<query xmlns="{DISCO_INFO}" node="n"/>', 'item-not-found', a.bare)
    b.refused('get', f'<query xmlns="{DISCO_ITEMS}" node="n"/>', 'item-not-found', a.bare)
    check('n' not in [i['node'] for i in b.get(f'<query xmlns="{DISCO_ITEMS}"/>', a.bare).all('query/item')], 'listed')
    a.set(publish('n', entry('secret'), 'i'))
    b.expect_nothing('<message/>', after=(a,))


def members_of_the_whitelist_read_it(stage):
    a, b = model(stage, 'whitelist'), stage.online()
    a.set(affiliate('n', rows=[(b.bare, 'member')]))
    equal(texts_of(b.get(items('n'), a.bare)), ['secret'])
    a.set(affiliate('n', rows=[(b.bare, 'outcast')]))
    fails(b, 'get', items('n'), 'forbidden', None, a.bare)


def who_is_blocked_gets_nothing(stage):
    """XEP-0163 §4.3.3."""
    a, b = stage.friends()
    tell_caps(b, notify('n'))
    a.set(publish('n', entry(), 'i', {'pubsub#access_model': 'open'}))
    b.expect('<message/>')
    a.set(f'<block xmlns="{BLOCKING}"><item jid="{b.bare}"/></block>')
    b.drain(after=(a,))
    a.set(publish('n', entry(), 'i'))
    b.expect_nothing('<message/>', after=(a,))


def losing_the_presence_subscription_ends_events(stage):
    a, b = stage.friends()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE))
    b.expect('<message/>')
    b.set(subscribe(TUNE, b.bare), a.bare)
    a.send(f'<presence to="{b.bare}" type="unsubscribed"/>')
    b.expect(f'<presence from="{a.bare}" type="unsubscribed"/>')
    b.drain(after=(a,))
    a.set(publish(TUNE))
    b.expect_nothing('<message/>', after=(a,))
    fails(b, 'get', items(TUNE), 'not-authorized', 'presence-subscription-required', a.bare)


def losing_access_ends_subscriptions(stage):
    """XEP-0163 §8.1: with the presence subscription, or by leaving the group."""
    a, b, c = stage.friends(3)
    a.set(f'<query xmlns="{ROSTER}"><item jid="{c.bare}"><group>Friends</group></item></query>')
    a.set(publish('p', entry(), 'i', {'pubsub#access_model': 'presence', 'pubsub#send_last_published_item': 'never'}))
    a.set(publish('g', entry(), 'i', {'pubsub#access_model': 'roster', 'pubsub#roster_groups_allowed': 'Friends',
                                      'pubsub#send_last_published_item': 'never'}))
    b.set(subscribe('p', b.bare), a.bare)
    c.set(subscribe('p', c.bare), a.bare)
    c.set(subscribe('g', c.bare), a.bare)
    a.set(f'<query xmlns="{ROSTER}"><item jid="{c.bare}"><group>Others</group></item></query>')
    c.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><subscription node="g" jid="{c.bare}" subscription="none"/></event></message>')
    a.send(f'<presence to="{b.bare}" type="unsubscribed"/>')
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><subscription node="p" jid="{b.bare}" subscription="none"/></event></message>')
    rows = a.get(pubsub('<subscriptions node="p"/>', OWNER)).all('pubsub/subscriptions/subscription')
    equal([r['jid'] for r in rows], [c.bare])
    a.set(f'<query xmlns="{ROSTER}"><item jid="{c.bare}" subscription="remove"/></query>')
    c.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><subscription node="p" jid="{c.bare}" subscription="none"/></event></message>')


# ---- others' accounts

def nobody_publishes_to_anothers_account(stage):
    a, b = stage.friends()
    a.set(publish('n', entry('mine'), 'i', {'pubsub#access_model': 'open'}))
    fails(b, 'set', publish('n', entry('evil'), 'i'), 'forbidden', None, a.bare)
    fails(b, 'set', publish('fresh', entry('evil'), 'i'), 'forbidden', None, a.bare)
    fails(b, 'set', create('fresh'), 'forbidden', None, a.bare)
    fails(b, 'set', retract('n', 'i'), 'forbidden', None, a.bare)
    fails(b, 'set', configure('n', {'pubsub#access_model': 'open'}), 'forbidden', None, a.bare)
    fails(b, 'set', delete('n'), 'forbidden', None, a.bare)
    fails(b, 'set', purge('n'), 'forbidden', None, a.bare)
    fails(b, 'get', pubsub('<configure node="n"/>', OWNER), 'forbidden', None, a.bare)
    equal(texts_of(a.get(items('n'))), ['mine'])


def a_publisher_may_publish_and_is_no_owner(stage):
    a, b = model(stage, 'open'), stage.online()
    a.set(affiliate('n', rows=[(b.bare, 'publisher')]))
    b.set(publish('n', entry('hers'), 'j'), a.bare)
    equal(texts_of(a.get(items('n'))), ['secret', 'hers'])
    fails(b, 'set', purge('n'), 'forbidden', None, a.bare)


def an_account_stays_owner_of_its_nodes(stage):
    a, b = model(stage, 'open'), stage.online()
    answer = a.refused('set', affiliate('n', rows=[(a.bare, 'none'), (b.bare, 'owner')]), 'not-acceptable')
    equal([(x['jid'], x['affiliation']) for x in answer.all('pubsub/affiliations/affiliation')], [(a.bare, 'owner')])
    rows = a.get(pubsub('<affiliations node="n"/>', OWNER)).all('pubsub/affiliations/affiliation')
    equal(sorted((x['jid'], x['affiliation']) for x in rows), sorted([(a.bare, 'owner'), (b.bare, 'owner')]))


def a_pubsub_request_to_a_missing_account_is_not_told_apart(stage):
    a, b = stage.online(), stage.online()
    a.refused('get', items('n'), 'item-not-found', b.bare)
    a.refused('get', items('n'), 'service-unavailable', 'nobody-there@localhost')


# ---- explicit subscriptions

def an_explicit_subscriber_gets_events_of_open_nodes(stage):
    """XEP-0163 §4 rule 1: without presence, to the bare JID."""
    a, b = model(stage, 'open'), stage.online()
    answer = b.set(subscribe('n', b.bare), a.bare)
    equal(answer.find('pubsub/subscription')['subscription'], 'subscribed')
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="n"><item id="i"/></items></event><delay xmlns="{DELAY}"/></message>')
    a.set(publish('n', entry(), 'j'))
    b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="n"><item id="j"/></items></event></message>')
    b.expect_nothing('<message/>', after=(a,))


def a_subscriber_who_is_a_contact_gets_one_event(stage):
    a, b = stage.friends()
    tell_caps(b, notify(TUNE))
    a.set(publish(TUNE, entry(), 'i'))
    b.expect('<message/>')
    b.set(subscribe(TUNE, b.bare), a.bare)
    b.set(subscribe(TUNE, b.jid), a.bare)
    b.drain(after=(a,))
    a.set(publish(TUNE, entry(), 'j'))
    b.expect('<message/>')
    b.expect_nothing('<message/>', after=(a,))


def items_go_when_the_owner_goes_offline(stage):
    """pubsub#purge_offline."""
    a, b = stage.friends()
    tell_caps(b, notify('n'))
    a.set(publish('n', entry(), 'i', {'pubsub#purge_offline': 'true'}))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="n"/></event></message>')
    a.close()
    b.expect(f'<message><event xmlns="{EVENT}"><purge node="n"/></event></message>')
    equal(ids_of(b.get(items('n'), a.bare)), [])


def discovery_lists_the_nodes_one_may_see(stage):
    a, b = stage.friends()
    a.set(publish('n', entry(), 'i'))
    rows = b.get(f'<query xmlns="{DISCO_ITEMS}"/>', a.bare).all('query/item')
    check((a.bare, 'n') in [(r['jid'], r['node']) for r in rows], rows)
    rows = b.get(f'<query xmlns="{DISCO_ITEMS}" node="n"/>', a.bare).all('query/item')
    equal([(r['jid'], r['name'], r['node']) for r in rows], [(a.bare, 'i', None)])
    features, identities = disco(b, a.bare, 'n')
    equal(identities, [('pubsub', 'leaf')])


def an_account_keeps_no_more_than_its_quota(stage):
    server = stage.own_server({'pubsub.quota': '64k'})
    a = stage.client(server.account(), server=server).online()
    many = {'pubsub#max_items': 'max'}
    for i in range(6):
        a.set(publish('n', entry('x' * 10000), i, many))
    a.refused('set', publish('n', entry('x' * 10000), 6), 'resource-constraint')
    a.refused('set', publish('other', entry('x' * 10000), 6), 'resource-constraint')
    a.set(publish('n', entry('y' * 10000), 5))
    server.restart()
    a = stage.client(a.account, server=server).online()
    a.refused('set', publish('other', entry('x' * 10000)), 'resource-constraint')
    a.set(retract('n', 3))
    a.set(publish('other', entry('x' * 10000)))
    a.set(delete('n'))
    for i in range(5):
        a.set(publish('n', entry('x' * 10000), i, many))


def items_and_names_of_accounts_are_bounded(stage):
    a = stage.online()
    a.refused('set', publish('n' * 1001), 'not-acceptable')
    a.refused('set', publish('n', entry(), 'i' * 1024), 'not-acceptable')
    fails(a, 'set', publish('n', entry('x' * 246000)), 'not-acceptable', 'payload-too-big')
    a.set(publish('n', entry('x' * 240000)))
    equal(len(texts_of(a.get(items('n')))[0]), 240000)


def an_acknowledged_publication_survives_kill_9(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    for i in range(5):
        a.set(publish('n', entry('round %d' % i), 'i', {'pubsub#access_model': 'whitelist'}))
        server.kill()
        server.start()
        a = stage.client(a.account, server=server).online()
        equal(texts_of(a.get(items('n'))), ['round %d' % i])
