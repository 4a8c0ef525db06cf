# SPDX-License-Identifier: AGPL-3.0-or-later
"""The service pubsub.DOMAIN: XEP-0060 with its error tables, pages of XEP-0059."""
import time

from pubsub import *


def host(stage):
    return 'pubsub.' + stage.domain


def node_of(stage, c, config=None, node=None):
    """A fresh node of c."""
    node = node or name()
    c.set(create(node, config), host(stage))
    return node


def event(stage, inner):
    return f'<message from="{host(stage)}"><event xmlns="{EVENT}">{inner}</event></message>'


# ---- discovery (§5)

def the_service_is_found(stage):
    a = stage.online()
    rows = a.get(f'<query xmlns="{DISCO_ITEMS}"/>', stage.domain).all('query/item')
    check(host(stage) in [r['jid'] for r in rows], rows)
    features, identities = disco(a, host(stage))
    equal(identities, [('pubsub', 'service')])
    for f in ('access-open', 'create-nodes', 'create-and-configure', 'config-node', 'delete-items', 'get-pending', 'instant-nodes', 'meta-data',
              'manage-subscriptions', 'modify-affiliations', 'publish', 'purge-nodes', 'retrieve-items', 'subscribe', 'subscription-options'):
        check(PUBSUB + '#' + f in features, f)


def a_node_tells_about_itself(stage):
    """§5.3, §5.4."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#title': 'Musings', 'pubsub#description': 'Of a prince', 'pubsub#type': 'urn:example'})
    b.set(subscribe(n, b.bare), host(stage))
    answer = b.get(f'<query xmlns="{DISCO_INFO}" node="{n}"/>', host(stage))
    equal([(i['category'], i['type']) for i in answer.all('query/identity')], [('pubsub', 'leaf')])
    got = fields(answer.find('query/x'))
    equal(got['FORM_TYPE'], [PUBSUB + '#meta-data'])
    equal((got['pubsub#title'], got['pubsub#description'], got['pubsub#type']), (['Musings'], ['Of a prince'], ['urn:example']))
    equal((got['pubsub#creator'], got['pubsub#owner'], got['pubsub#num_subscribers']), ([a.bare], [a.bare], ['1']))
    check(got['pubsub#creation_date'][0].endswith('Z'), got)
    rows = b.get(f'<query xmlns="{DISCO_ITEMS}"/>', host(stage)).all('query/item')
    check(n in [r['node'] for r in rows], 'not listed')


def the_list_of_nodes_comes_in_pages(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    to = 'pubsub.' + server.domain
    names = ['n%d' % i for i in range(5)]
    for n in names:
        a.set(create(n), to)

    def page(rsm):
        answer = a.get(f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}">{rsm}</set></query>', to)
        return [i['node'] for i in answer.all('query/item')], answer.textof('query/set/count')
    equal(page('<max>2</max>'), (names[:2], '5'))
    equal(page('<max>2</max><after>n1</after>'), (names[2:4], '5'))
    equal(page('<max>2</max><before/>'), (names[3:], '5'))
    equal(page('<max>0</max>'), ([], '5'))
    a.refused('get', f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}"><max>x</max></set></query>', 'bad-request', to)


def a_node_that_is_not_there(stage):
    a = stage.online()
    n = name()
    a.refused('get', f'<query xmlns="{DISCO_INFO}" node="{n}"/>', 'item-not-found', host(stage))
    for kind, ask in (('get', items(n)), ('set', retract(n, 'i')), ('set', subscribe(n, a.bare)), ('set', unsubscribe(n, a.bare)),
                      ('set', delete(n)), ('set', purge(n)), ('get', pubsub(f'<configure node="{n}"/>', OWNER)),
                      ('get', pubsub(f'<affiliations node="{n}"/>', OWNER)), ('get', pubsub(f'<subscriptions node="{n}"/>', OWNER)),
                      ('get', pubsub(f'<options node="{n}" jid="{a.bare}"/>')), ('get', pubsub(f'<subscriptions node="{n}"/>'))):
        fails(a, kind, ask, 'item-not-found', None, host(stage))


def a_request_without_a_node(stage):
    a = stage.online()
    for kind, ask in (('set', pubsub('<retract><item id="i"/></retract>')), ('get', pubsub('<configure/>', OWNER)),
                      ('set', pubsub(f'<publish><item>{entry()}</item></publish>'))):
        fails(a, kind, ask, 'bad-request', 'nodeid-required', host(stage))
    a.refused('set', pubsub(''), 'bad-request', host(stage))
    a.refused('set', pubsub('<nonsense node="n"/>'), 'feature-not-implemented', host(stage))


# ---- create, configure, delete (§8)

def an_instant_node_gets_a_name(stage):
    a = stage.online()
    made = a.set(create(), host(stage)).find('pubsub/create')['node']
    a.set(publish(made), host(stage))


def a_node_is_made_once(stage):
    a = stage.online()
    n = node_of(stage, a)
    fails(a, 'set', create(n), 'conflict', None, host(stage))


def names_of_nodes_are_bounded(stage):
    a = stage.online()
    a.set(create('n' * 1000), host(stage))
    a.refused('set', create('n' * 1001), 'not-acceptable', host(stage))
    a.refused('set', create('a&#10;b'), 'not-acceptable', host(stage))
    a.refused('set', publish('n' * 200000), 'not-acceptable', host(stage))
    a.refused('set', publish('n' * 1000, entry(), 'i' * 1024), 'not-acceptable', host(stage))
    a.set(delete('n' * 1000), host(stage))


def names_may_hold_what_sql_and_xml_fear(stage):
    a = stage.online()
    for evil in ("a'; DROP TABLE item; --", '%', '_', '&lt;x/&gt;', '&quot;', '\\', 'ünïcödé 鸿雁', '*', 'a/b/../c', ' '):
        node = node_of(stage, a, {'pubsub#max_items': 'max'}, evil)
        a.set(publish(node, entry('1'), evil), host(stage))
        a.set(publish(node, entry('2'), evil + 'x'), host(stage))
        equal(texts_of(a.get(items(node, evil), host(stage))), ['1'])
        equal(texts_of(a.get(items(node, rsm=f'<max>10</max><after>{evil}</after>'), host(stage))), ['2'])
        a.set(retract(node, evil), host(stage))
        equal(texts_of(a.get(items(node), host(stage))), ['2'])
        a.set(delete(node), host(stage))


def a_node_is_configured(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    x = a.get(pubsub(f'<configure node="{n}"/>', OWNER), host(stage)).find('pubsub/configure/x')
    equal(x['type'], 'form')
    got = fields(x)
    equal((got['FORM_TYPE'], got['pubsub#access_model'], got['pubsub#node_type']), ([CONFIG], ['open'], ['leaf']))
    a.set(configure(n, {'pubsub#title': 'T', 'pubsub#max_items': 'max', 'pubsub#item_expire': '3600', 'pubsub#unknown': 'x'}), host(stage))
    got = fields(a.get(pubsub(f'<configure node="{n}"/>', OWNER), host(stage)).find('pubsub/configure/x'))
    equal((got['pubsub#title'], got['pubsub#max_items'], got['pubsub#item_expire']), (['T'], ['max'], ['3600']))
    fails(b, 'get', pubsub(f'<configure node="{n}"/>', OWNER), 'forbidden', None, host(stage))
    fails(b, 'set', configure(n, {'pubsub#title': 'B'}), 'forbidden', None, host(stage))
    a.set(pubsub(f'<configure node="{n}"><x xmlns="{DATA}" type="cancel"/></configure>', OWNER), host(stage))


@each([('pubsub#access_model', 'nonsense', 'unsupported-access-model'), ('pubsub#access_model', 'presence', 'unsupported-access-model'),
       ('pubsub#max_items', '-1', None), ('pubsub#max_items', '99999999999999999999', None), ('pubsub#max_items', 'many', None),
       ('pubsub#persist_items', 'perhaps', None), ('pubsub#publish_model', 'nobody', None), ('pubsub#node_type', 'collection', None),
       ('pubsub#title', 'x' * 2000, None), ('pubsub#max_payload_size', '999999999', None)])
def settings_that_cannot_be_are_refused(stage, row):
    var, value, app = row
    a = stage.online()
    n = node_of(stage, a)
    fails(a, 'set', configure(n, {var: value}), 'not-acceptable', app, host(stage))
    fails(a, 'set', create(name(), {var: value}), 'not-acceptable', app, host(stage))


def the_default_settings_are_told(stage):
    a = stage.online()
    got = fields(a.get(pubsub('<default/>', OWNER), host(stage)).find('pubsub/default/x'))
    equal((got['pubsub#access_model'], got['pubsub#persist_items']), (['open'], ['1']))
    fails(a, 'get', pubsub('<default type="collection"/>', OWNER), 'feature-not-implemented', 'unsupported', host(stage))


def configuring_must_follow_creating_without_a_node(stage):
    """§8.1.3."""
    a = stage.online()
    a.refused('set', pubsub(f'<create node="{name()}"/><configure node="x">{form(CONFIG, {})}</configure>'), 'bad-request', host(stage))


def a_change_of_settings_is_told(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#notify_config': '1'})
    b.set(subscribe(n, b.bare), host(stage))
    a.set(configure(n, {'pubsub#title': 'New'}), host(stage))
    m = b.expect(event(stage, f'<configuration node="{n}"><x xmlns="{DATA}" type="result"/></configuration>'))
    equal(fields(m.find('event/configuration/x'))['pubsub#title'], ['New'])
    a.set(configure(n, {'pubsub#deliver_payloads': '0'}), host(stage))
    m = b.expect(event(stage, f'<configuration node="{n}"/>'))
    check(not m.find('event/configuration').kids, m)


def a_deleted_node_is_gone_and_told(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    b.set(subscribe(n, b.bare), host(stage))
    fails(b, 'set', delete(n), 'forbidden', None, host(stage))
    a.set(pubsub(f'<delete node="{n}"><redirect uri="xmpp:hamlet@denmark.lit?;node=blog"/></delete>', OWNER), host(stage))
    b.expect(event(stage, f'<delete node="{n}"><redirect uri="xmpp:hamlet@denmark.lit?;node=blog"/></delete>'))
    fails(a, 'get', items(n), 'item-not-found', None, host(stage))
    node_of(stage, a, None, n)
    equal(ids_of(a.get(items(n), host(stage))), [])


def a_purged_node_is_empty_and_told_once(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    for i in 'xyz':
        a.set(publish(n, entry(), i), host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    b.drain()
    fails(b, 'set', purge(n), 'forbidden', None, host(stage))
    a.set(purge(n), host(stage))
    b.expect(event(stage, f'<purge node="{n}"/>'))
    b.expect_nothing('<message/>', after=(a,))
    equal(ids_of(a.get(items(n), host(stage))), [])


# ---- publish (§7.1)

def subscribers_get_what_is_published(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    n = node_of(stage, a)
    b.set(subscribe(n, b.bare), host(stage))
    c.set(subscribe(n, c.jid), host(stage))
    a.set(publish(n, entry('news'), 'i'), host(stage))
    for who, to in ((b, b.bare), (c, c.jid)):
        m = who.expect(event(stage, f'<items node="{n}"><item id="i"><entry xmlns="urn:example:entry">news</entry></item></items>'))
        check(m['id'] and m['to'] == to and m['type'] == 'headline', m)
    a.expect_nothing('<message/>')


def publishing_again_replaces_the_item(stage):
    """§12.1: it is the newest then."""
    a = stage.online()
    n = node_of(stage, a)
    for i, text in (('x', '1'), ('y', '2'), ('x', '3')):
        a.set(publish(n, entry(text), i), host(stage))
    got = a.get(items(n), host(stage))
    equal((ids_of(got), texts_of(got)), (['y', 'x'], ['2', '3']))


def the_oldest_item_makes_room(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#max_items': '2'})
    b.set(subscribe(n, b.bare), host(stage))
    for i in 'xyz':
        a.set(publish(n, entry(), i), host(stage))
    equal(ids_of(a.get(items(n), host(stage))), ['y', 'z'])
    b.expect(event(stage, f'<items node="{n}"><retract id="x"/></items>'))
    a.set(configure(n, {'pubsub#max_items': '1'}), host(stage))
    equal(ids_of(a.get(items(n), host(stage))), ['z'])


def a_full_node_may_refuse(stage):
    """§7.1.3.4."""
    a = stage.online()
    n = node_of(stage, a, {'pubsub#max_items': '1', 'pubsub#publish_node_full': 'reject'})
    a.set(publish(n, entry(), 'x'), host(stage))
    fails(a, 'set', publish(n, entry(), 'y'), 'conflict', 'node-full', host(stage))
    a.set(publish(n, entry('2'), 'x'), host(stage))
    equal(texts_of(a.get(items(n), host(stage))), ['2'])


def who_may_publish(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    fails(b, 'set', publish(n), 'forbidden', None, host(stage))
    a.set(configure(n, {'pubsub#publish_model': 'subscribers'}), host(stage))
    fails(b, 'set', publish(n), 'forbidden', None, host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    b.set(publish(n), host(stage))
    b.set(unsubscribe(n, b.bare), host(stage))
    fails(b, 'set', publish(n), 'forbidden', None, host(stage))
    a.set(configure(n, {'pubsub#publish_model': 'open'}), host(stage))
    b.set(publish(n), host(stage))
    a.set(affiliate(n, rows=[(b.bare, 'outcast')]), host(stage))
    fails(b, 'set', publish(n), 'forbidden', None, host(stage))


def items_must_fit_the_node(stage):
    """§7.1.3.6, §7.1.3.7."""
    a = stage.online()
    n = node_of(stage, a, {'pubsub#max_payload_size': '100'})
    fails(a, 'set', pubsub(f'<publish node="{n}"/>'), 'bad-request', 'item-required', host(stage))
    fails(a, 'set', pubsub(f'<publish node="{n}"><item id="i"/></publish>'), 'bad-request', 'payload-required', host(stage))
    fails(a, 'set', publish(n, entry() + entry()), 'bad-request', 'invalid-payload', host(stage))
    fails(a, 'set', publish(n, entry('x' * 100)), 'not-acceptable', 'payload-too-big', host(stage))
    fails(a, 'set', pubsub(f'<publish node="{n}"><item>{entry()}</item><item>{entry()}</item></publish>'), 'bad-request',
          'max-items-exceeded', host(stage))
    t = node_of(stage, a, {'pubsub#persist_items': '0', 'pubsub#deliver_payloads': '0'})
    fails(a, 'set', publish(t), 'bad-request', 'item-forbidden', host(stage))
    fails(a, 'get', items(t), 'feature-not-implemented', 'unsupported', host(stage))
    fails(a, 'set', retract(t, 'i'), 'feature-not-implemented', 'unsupported', host(stage))
    fails(a, 'set', purge(t), 'feature-not-implemented', 'unsupported', host(stage))
    b = stage.online()
    b.set(subscribe(t, b.bare), host(stage))
    a.set(pubsub(f'<publish node="{t}"/>'), host(stage))
    m = b.expect(event(stage, f'<items node="{t}"/>'))
    check(not m.find('event/items').kids, m)


def a_node_may_keep_payloads_back(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#deliver_payloads': '0', 'pubsub#notification_type': 'normal'})
    b.set(subscribe(n, b.bare), host(stage))
    a.set(publish(n, entry(), 'i'), host(stage))
    m = b.expect(event(stage, f'<items node="{n}"><item id="i"/></items>'))
    check(not m.find('event/items/item').kids and m['type'] in (None, 'normal'), m)
    equal(texts_of(b.get(items(n, 'i'), host(stage))), ['x'])


def the_publisher_is_named_on_demand_and_never_believed(stage):
    """§7.1.2.3."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#itemreply': 'publisher', 'pubsub#publish_model': 'open'})
    a.set(subscribe(n, a.bare), host(stage))
    b.set(pubsub(f'<publish node="{n}"><item id="i" publisher="{a.bare}">{entry()}</item></publish>'), host(stage))
    a.expect(event(stage, f'<items node="{n}"><item id="i" publisher="{b.bare}"/></items>'))
    equal([i['publisher'] for i in a.get(items(n), host(stage)).all('pubsub/items/item')], [b.bare])


def publish_options_are_preconditions(stage):
    """§7.1.5."""
    a = stage.online()
    n = name()
    a.set(publish(n, entry(), 'i', {'pubsub#access_model': 'whitelist', 'pubsub#max_items': 'max', 'pubsub#persist_items': 'true'}), host(stage))
    got = fields(a.get(pubsub(f'<configure node="{n}"/>', OWNER), host(stage)).find('pubsub/configure/x'))
    equal((got['pubsub#access_model'], got['pubsub#max_items']), (['whitelist'], ['max']))
    a.set(publish(n, entry(), 'j', {'pubsub#access_model': 'whitelist', 'pubsub#persist_items': '1'}), host(stage))
    fails(a, 'set', publish(n, entry(), 'k', {'pubsub#access_model': 'open'}), 'conflict', 'precondition-not-met', host(stage))
    fails(a, 'set', publish(n, entry(), 'k', {'pubsub#nonsense': 'x'}), 'bad-request', 'invalid-options', host(stage))
    fails(a, 'set', publish(name(), entry(), 'k', {'pubsub#nonsense': 'x'}), 'bad-request', 'invalid-options', host(stage))
    a.refused('set', pubsub(f'<publish node="{n}"><item>{entry()}</item></publish><publish-options><x xmlns="{DATA}" type="submit"/></publish-options>'),
              'bad-request', host(stage))
    equal(ids_of(a.get(items(n), host(stage))), ['i', 'j'])


def a_refused_publication_makes_no_node(stage):
    a = stage.online()
    n = name()
    fails(a, 'set', pubsub(f'<publish node="{n}"><item/></publish>'), 'bad-request', 'payload-required', host(stage))
    fails(a, 'get', items(n), 'item-not-found', None, host(stage))


def items_expire(stage):
    a = stage.online()
    n = node_of(stage, a, {'pubsub#item_expire': '1'})
    a.set(publish(n, entry(), 'i'), host(stage))
    stage_until(lambda: ids_of(a.get(items(n), host(stage))) == [])


def stage_until(done):
    """Asks until it is so: the server's clock decides."""
    deadline = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > deadline:
            raise Failed('it did not come about')


# ---- retract (§7.2)

def retracting(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#publish_model': 'open', 'pubsub#notify_retract': '0'})
    a.set(publish(n, entry(), 'x'), host(stage))
    b.set(publish(n, entry(), 'y'), host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    b.drain()
    fails(b, 'set', retract(n, 'x'), 'forbidden', None, host(stage))
    fails(a, 'set', retract(n, 'nothing'), 'item-not-found', None, host(stage))
    fails(a, 'set', pubsub(f'<retract node="{n}"/>'), 'bad-request', 'item-required', host(stage))
    fails(a, 'set', pubsub(f'<retract node="{n}"><item/></retract>'), 'bad-request', 'item-required', host(stage))
    b.set(retract(n, 'y'), host(stage))
    b.expect_nothing('<message/>')
    a.set(retract(n, 'x', '1'), host(stage))
    b.expect(event(stage, f'<items node="{n}"><retract id="x"/></items>'))
    equal(ids_of(a.get(items(n), host(stage))), [])


# ---- items (§6.5)

def items_by_id_number_and_page(stage):
    a = stage.online()
    n = node_of(stage, a)
    ids = ['i%d' % i for i in range(12)]
    for i in ids:
        a.set(publish(n, entry(i), i), host(stage))
    equal(ids_of(a.get(items(n), host(stage))), ids)
    equal(ids_of(a.get(items(n, 'i7', 'none', 'i3', 'i7'), host(stage))), ['i7', 'i3'])
    equal(ids_of(a.get(items(n, max_items=3), host(stage))), ids[-3:])
    got = a.get(items(n, rsm='<max>5</max>'), host(stage))
    equal((ids_of(got), got.find('pubsub/set/first')['index'], got.textof('pubsub/set/count')), (ids[:5], '0', '12'))
    got = a.get(items(n, rsm='<max>5</max><after>i4</after>'), host(stage))
    equal((ids_of(got), texts_of(got), got.textof('pubsub/set/last')), (ids[5:10], ids[5:10], 'i9'))
    equal(ids_of(a.get(items(n, rsm='<max>5</max><before/>'), host(stage))), ids[-5:])
    equal(ids_of(a.get(items(n, rsm='<max>5</max><before>i3</before>'), host(stage))), ids[:3])
    got = a.get(items(n, rsm='<max>0</max>'), host(stage))
    equal((ids_of(got), got.textof('pubsub/set/count')), ([], '12'))
    fails(a, 'get', items(n, rsm='<after>nothing</after>'), 'item-not-found', None, host(stage))
    fails(a, 'get', items(n, rsm='<max>x</max>'), 'bad-request', None, host(stage))
    fails(a, 'get', items(n, max_items='0'), 'bad-request', None, host(stage))
    fails(a, 'get', items(n, max_items='-1'), 'bad-request', None, host(stage))


def a_large_answer_comes_in_pages(stage):
    a = stage.online()
    n = node_of(stage, a)
    for i in range(12):
        a.set(publish(n, entry(str(i) * 200000 if i < 10 else 'x' * 200000), 'i%d' % i), host(stage))
    got = a.get(items(n), host(stage))
    check(0 < len(ids_of(got)) < 12 and ids_of(got)[0] == 'i0', ids_of(got))
    equal(got.textof('pubsub/set/count'), '12')
    more = a.get(items(n, rsm='<after>%s</after>' % got.textof('pubsub/set/last')), host(stage))
    equal(ids_of(got) + ids_of(more), ['i%d' % i for i in range(12)])


def the_names_of_items_are_discovered(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#access_model': 'authorize'})
    a.set(publish(n, entry(), 'i'), host(stage))
    rows = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{n}"/>', host(stage)).all('query/item')
    equal([r['name'] for r in rows], ['i'])
    equal(b.get(f'<query xmlns="{DISCO_ITEMS}" node="{n}"/>', host(stage)).all('query/item'), [])


# ---- subscriptions (§6.1 to §6.4, §8.8)

def only_ones_own_address_is_subscribed(stage):
    """§6.1.3.1."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    for jid in (a.bare, a.jid, stage.domain, 'not a jid@@', b.bare + 'x', 'x' + b.bare):
        fails(b, 'set', subscribe(n, jid), 'bad-request', 'invalid-jid', host(stage))
    fails(b, 'set', pubsub(f'<subscribe node="{n}"/>'), 'bad-request', 'jid-required', host(stage))
    a.set(subscribe(n, a.bare), host(stage))
    fails(b, 'set', unsubscribe(n, a.bare), 'forbidden', None, host(stage))
    fails(b, 'get', pubsub(f'<options node="{n}" jid="{a.bare}"/>'), 'forbidden', None, host(stage))
    fails(b, 'set', pubsub(f'<options node="{n}" jid="{a.bare}">{form(PUBSUB + "#subscribe_options", {"pubsub#deliver": "0"})}</options>'),
          'forbidden', None, host(stage))


def subscribing_twice_is_one_subscription(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    for _ in range(2):
        equal(b.set(subscribe(n, b.bare), host(stage)).find('pubsub/subscription')['subscription'], 'subscribed')
    rows = b.get(pubsub(f'<subscriptions node="{n}"/>'), host(stage)).all('pubsub/subscriptions/subscription')
    equal([(r['node'], r['jid'], r['subscription']) for r in rows], [(n, b.bare, 'subscribed')])
    a.set(publish(n), host(stage))
    b.expect('<message/>')
    b.expect_nothing('<message/>', after=(a,))


def unsubscribing_ends_events(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    fails(b, 'set', unsubscribe(n, b.bare), 'unexpected-request', 'not-subscribed', host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    fails(b, 'set', unsubscribe(n, b.jid), 'unexpected-request', 'not-subscribed', host(stage))
    b.set(unsubscribe(n, b.bare), host(stage))
    a.set(publish(n), host(stage))
    b.expect_nothing('<message/>', after=(a,))
    equal(b.get(pubsub('<subscriptions/>'), host(stage)).all('pubsub/subscriptions/subscription'), [])


def the_last_item_comes_with_a_subscription(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    a.set(publish(n, entry(), 'i'), host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    m = b.expect(event(stage, f'<items node="{n}"><item id="i"/></items>'))
    check(m.find('delay', DELAY), m)
    a.set(configure(n, {'pubsub#send_last_published_item': 'never'}), host(stage))
    c = stage.online()
    c.set(subscribe(n, c.bare), host(stage))
    c.expect_nothing('<message/>')


def who_may_not_subscribe(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#access_model': 'whitelist'})
    fails(b, 'set', subscribe(n, b.bare), 'not-allowed', 'closed-node', host(stage))
    fails(b, 'get', items(n), 'not-allowed', 'closed-node', host(stage))
    a.set(affiliate(n, rows=[(b.bare, 'member')]), host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    b.get(items(n), host(stage))
    a.set(affiliate(n, rows=[(b.bare, 'outcast')]), host(stage))
    b.expect(event(stage, f'<subscription node="{n}" jid="{b.bare}" subscription="none"/>'))
    fails(b, 'set', subscribe(n, b.bare), 'forbidden', None, host(stage))
    closed = node_of(stage, a, {'pubsub#subscribe': '0'})
    fails(b, 'set', subscribe(closed, b.bare), 'feature-not-implemented', 'unsupported', host(stage))


def a_publish_only_entity_sees_nothing(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    a.set(affiliate(n, rows=[(b.bare, 'publish-only')]), host(stage))
    b.set(publish(n, entry(), 'hers'), host(stage))
    a.set(publish(n, entry(), 'mine'), host(stage))
    fails(b, 'get', items(n), 'forbidden', None, host(stage))
    fails(b, 'set', subscribe(n, b.bare), 'forbidden', None, host(stage))
    fails(b, 'set', retract(n, 'mine'), 'forbidden', None, host(stage))
    b.set(retract(n, 'hers'), host(stage))


def subscription_options(stage):
    """§6.3."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    kind = PUBSUB + '#subscribe_options'
    ask = pubsub(f'<options node="{n}" jid="{b.bare}"/>')
    fails(b, 'get', ask, 'unexpected-request', 'not-subscribed', host(stage))
    b.set(subscribe(n, b.bare), host(stage))
    got = fields(b.get(ask, host(stage)).find('pubsub/options/x'))
    equal((got['FORM_TYPE'], got['pubsub#deliver']), ([kind], ['1']))
    fails(b, 'get', pubsub(f'<options node="{n}"/>'), 'bad-request', 'jid-required', host(stage))

    def change(values):
        return pubsub(f'<options node="{n}" jid="{b.bare}">{form(kind, values)}</options>')
    b.set(change({'pubsub#deliver': '0'}), host(stage))
    a.set(publish(n), host(stage))
    b.expect_nothing('<message/>', after=(a,))
    for bad in ({'pubsub#deliver': 'x'}, {'pubsub#show-values': 'asleep'}, {'pubsub#expire': '2001-01-01T00:00:00Z'}, {'pubsub#digest': '1'}):
        fails(b, 'set', change(bad), 'bad-request', 'invalid-options', host(stage))
    b.set(change({'pubsub#deliver': '1', 'pubsub#show-values': ['online', 'chat']}), host(stage))
    b.present('<show>dnd</show>').drain()
    a.set(publish(n, entry(), 'no'), host(stage))
    b.expect_nothing('<message/>', after=(a,))
    b.present().drain()
    a.set(publish(n, entry(), 'yes'), host(stage))
    b.expect(event(stage, f'<items node="{n}"><item id="yes"/></items>'))
    got = fields(b.get(pubsub('<default/>'), host(stage)).find('pubsub/default/x'))
    equal(got['pubsub#deliver'], ['1'])


def subscribing_with_options(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    inner = form(PUBSUB + '#subscribe_options', {'pubsub#deliver': '0'})
    answer = b.set(pubsub(f'<subscribe node="{n}" jid="{b.bare}"/><options>{inner}</options>'), host(stage))
    equal(fields(answer.find('pubsub/options/x'))['pubsub#deliver'], ['0'])
    b.refused('set', pubsub(f'<subscribe node="{n}" jid="{b.bare}"/><options node="{n}">{inner}</options>'), 'bad-request', host(stage))


def only_available_people_get_events_of_such_nodes(stage):
    """pubsub#presence_based_delivery."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#presence_based_delivery': '1', 'pubsub#notification_type': 'normal'})
    b.set(subscribe(n, b.bare), host(stage))
    b.send('<presence type="unavailable"/>')
    b.ping()
    a.set(publish(n, entry(), 'lost'), host(stage))
    b.present().drain()
    b.expect_nothing('<message/>', after=(a,))
    a.set(publish(n, entry(), 'found'), host(stage))
    b.expect(event(stage, f'<items node="{n}"><item id="found"/></items>'))


def owners_approve_subscriptions(stage):
    """§8.6."""
    a, b, c = stage.online(), stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#access_model': 'authorize'})
    a.set(publish(n, entry(), 'i'), host(stage))
    equal(b.set(subscribe(n, b.bare), host(stage)).find('pubsub/subscription')['subscription'], 'pending')
    asked = a.expect(f'<message from="{host(stage)}"><x xmlns="{DATA}" type="form"/></message>')
    got = fields(asked.find('x'))
    equal((got['FORM_TYPE'], got['pubsub#node'], got['pubsub#subscriber_jid'], got['pubsub#allow']), ([AUTH], [n], [b.bare], ['false']))
    fails(b, 'set', subscribe(n, b.bare), 'not-authorized', 'pending-subscription', host(stage))
    fails(b, 'get', items(n), 'not-authorized', 'not-subscribed', host(stage))

    def decide(who, allow, jid):
        inner = form(AUTH, {'pubsub#node': n, 'pubsub#subscriber_jid': jid, 'pubsub#allow': allow})
        who.send(f'<message to="{host(stage)}" id="{asked["id"]}">{inner}</message>')
    decide(b, 'true', b.bare)
    b.expect_nothing('<message/>')
    fails(b, 'get', items(n), 'not-authorized', 'not-subscribed', host(stage))
    decide(a, 'true', b.bare)
    b.expect(event(stage, f'<subscription node="{n}" jid="{b.bare}" subscription="subscribed"/>'))
    b.expect(event(stage, f'<items node="{n}"><item id="i"/></items>'))
    equal(ids_of(b.get(items(n), host(stage))), ['i'])
    c.set(subscribe(n, c.bare), host(stage))
    a.expect(f'<message from="{host(stage)}"><x xmlns="{DATA}" type="form"/></message>')
    decide(a, '0', c.bare)
    c.expect(event(stage, f'<subscription node="{n}" jid="{c.bare}" subscription="none"/>'))
    fails(c, 'get', items(n), 'not-authorized', 'not-subscribed', host(stage))


def pending_subscriptions_are_asked_for_again(stage):
    """§8.7."""
    a, b = stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#access_model': 'authorize'})
    b.set(subscribe(n, b.bare), host(stage))
    a.expect('<message/>')
    rows = a.get(pubsub(f'<subscriptions node="{n}"/>', OWNER), host(stage)).all('pubsub/subscriptions/subscription')
    equal(rows, [])
    pending = PUBSUB + '#get-pending'
    command = f'<command xmlns="http://jabber.org/protocol/commands" node="{pending}" action="execute"/>'
    answer = a.set(command, host(stage)).find('command')
    equal(answer['status'], 'executing')
    equal([o.textof('value') for o in answer.all('x/field/option')], [n])
    done = a.set(command.replace('/>', f' sessionid="{answer["sessionid"]}">{form(AUTH, {"pubsub#node": n})}</command>'), host(stage))
    equal(done.find('command')['status'], 'completed')
    equal(fields(a.expect('<message/>').find('x'))['pubsub#subscriber_jid'], [b.bare])
    b.refused('set', command.replace('/>', f'>{form(AUTH, {"pubsub#node": n})}</command>'), 'forbidden', host(stage))
    a.set(affiliate(n, rows=[(b.bare, 'publisher')]), host(stage))
    b.expect(event(stage, f'<subscription node="{n}" jid="{b.bare}" subscription="subscribed"/>'))


def owners_manage_subscriptions(stage):
    """§8.8."""
    a, b, c = stage.online(), stage.online(), stage.online()
    n = node_of(stage, a, {'pubsub#notify_sub': '1'})
    ask = pubsub(f'<subscriptions node="{n}"/>', OWNER)
    b.set(subscribe(n, b.bare), host(stage))
    a.expect(event(stage, f'<subscription node="{n}" jid="{b.bare}" subscription="subscribed"/>'))
    fails(b, 'get', ask, 'forbidden', None, host(stage))

    def change(*rows):
        return pubsub(f'<subscriptions node="{n}">' + ''.join(f'<subscription jid="{j}" subscription="{s}"/>' for j, s in rows) +
                      '</subscriptions>', OWNER)
    fails(b, 'set', change((c.bare, 'subscribed')), 'forbidden', None, host(stage))
    a.set(change((b.bare, 'none'), (c.bare, 'subscribed')), host(stage))
    b.expect(event(stage, f'<subscription node="{n}" jid="{b.bare}" subscription="none"/>'))
    c.expect(event(stage, f'<subscription node="{n}" jid="{c.bare}" subscription="subscribed"/>'))
    rows = a.get(ask, host(stage)).all('pubsub/subscriptions/subscription')
    equal([(r['jid'], r['subscription']) for r in rows], [(c.bare, 'subscribed')])
    a.refused('set', change(('victim@elsewhere.example', 'subscribed')), 'not-acceptable', host(stage))
    answer = a.refused('set', change((c.bare, 'nonsense'), (b.bare, 'subscribed')), 'not-acceptable', host(stage))
    equal([(r['jid'], r['subscription']) for r in answer.all('pubsub/subscriptions/subscription')], [(c.bare, 'subscribed')])
    equal(len(a.get(ask, host(stage)).all('pubsub/subscriptions/subscription')), 2)


# ---- affiliations (§5.7, §8.9)

def owners_manage_affiliations(stage):
    a, b = stage.online(), stage.online()
    n = node_of(stage, a)
    fails(b, 'get', pubsub(f'<affiliations node="{n}"/>', OWNER), 'forbidden', None, host(stage))
    fails(b, 'set', affiliate(n, rows=[(b.bare, 'owner')]), 'forbidden', None, host(stage))
    a.set(affiliate(n, rows=[(b.jid, 'member'), ('x@' + stage.domain, 'outcast')]), host(stage))
    rows = a.get(pubsub(f'<affiliations node="{n}"/>', OWNER), host(stage)).all('pubsub/affiliations/affiliation')
    equal(sorted((r['jid'], r['affiliation']) for r in rows),
          sorted([(a.bare, 'owner'), (b.bare, 'member'), ('x@' + stage.domain, 'outcast')]))
    rows = b.get(pubsub('<affiliations/>'), host(stage)).all('pubsub/affiliations/affiliation')
    equal([(r['node'], r['affiliation']) for r in rows], [(n, 'member')])
    a.set(affiliate(n, rows=[('x@' + stage.domain, 'none')]), host(stage))
    answer = a.refused('set', affiliate(n, rows=[(a.bare, 'none'), (b.bare, 'publisher')]), 'not-acceptable', host(stage))
    equal([(r['jid'], r['affiliation']) for r in answer.all('pubsub/affiliations/affiliation')], [(a.bare, 'owner')])
    rows = b.get(pubsub(f'<affiliations node="{n}"/>'), host(stage)).all('pubsub/affiliations/affiliation')
    equal([r['affiliation'] for r in rows], ['publisher'])
    a.refused('set', affiliate(n, rows=[(b.bare, 'member'), (b.bare, 'owner')]), 'bad-request', host(stage))
    a.refused('set', affiliate(n, rows=[(b.bare, 'emperor')]), 'not-acceptable', host(stage))
    a.set(affiliate(n, rows=[(b.bare, 'owner')]), host(stage))
    b.set(affiliate(n, rows=[(a.bare, 'none')]), host(stage))
    fails(a, 'set', delete(n), 'forbidden', None, host(stage))


# ---- the whole

def everything_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    to = 'pubsub.' + server.domain
    a.set(create('n', {'pubsub#title': 'Kept', 'pubsub#access_model': 'authorize'}), to)
    a.set(publish('n', entry('1'), 'x'), to)
    a.set(publish('n', entry('2' * 5000), 'y'), to)
    a.set(affiliate('n', rows=[(b.bare, 'member')]), to)
    b.set(subscribe('n', b.bare), to)
    server.restart()
    a = stage.client(a.account, server=server).online()
    b = stage.client(b.account, server=server).online()
    equal(texts_of(b.get(items('n'), to)), ['1', '2' * 5000])
    a.set(publish('n', entry('3'), 'z'), to)
    b.expect(f'<message from="{to}"><event xmlns="{EVENT}"><items node="n"><item id="z"/></items></event></message>')
    equal(fields(a.get(pubsub('<configure node="n"/>', OWNER), to).find('pubsub/configure/x'))['pubsub#title'], ['Kept'])
    equal(ids_of(a.get(items('n'), to)), ['x', 'y', 'z'])


def an_account_makes_no_more_nodes_than_it_may(stage):
    a = stage.online()
    for i in range(200):
        a.send('<iq type="set" id="c%d" to="%s">%s</iq>' % (i, host(stage), create()))
    for i in range(200):
        a.expect('<iq type="result" id="c%d"/>' % i, timeout=30)
    fails(a, 'set', create(), 'conflict', 'max-nodes-exceeded', host(stage))


def other_stanzas_to_the_service_are_answered(stage):
    a = stage.online()
    a.send(f'<message to="{host(stage)}" type="chat" id="m"><body>hello</body></message>')
    a.expect('<message type="error" id="m"/>')
    a.get(PING, host(stage))
    a.refused('get', PING, 'item-not-found', 'somebody@' + host(stage))
    a.refused('get', '<query xmlns="urn:none"/>', 'service-unavailable', host(stage))
