# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bookmarks: XEP-0402 in step with XEP-0048 in PEP (XEP-0223) and in private storage (XEP-0049); XEP-0492 inside them."""
from pubsub import *

BM = 'urn:xmpp:bookmarks:1'
OLD = 'storage:bookmarks'
PRIVATE_OPTIONS = {'pubsub#persist_items': 'true', 'pubsub#max_items': 'max', 'pubsub#send_last_published_item': 'never',
                   'pubsub#access_model': 'whitelist'}


def conference(name='Room', more='<nick>JC</nick>', autojoin='true'):
    return f'<conference xmlns="{BM}" name="{name}" autojoin="{autojoin}">{more}</conference>'


def storage(*rooms, more=''):
    rows = ''.join(f'<conference jid="{j}" name="{n}" autojoin="true"><nick>JC</nick></conference>' for j, n in rooms)
    return f'<storage xmlns="{OLD}">{rows}{more}</storage>'


def private(inner):
    return f'<query xmlns="jabber:iq:private">{inner}</query>'


def private_rooms(c):
    got = c.get(private(f'<storage xmlns="{OLD}"/>')).find('query/storage', OLD)
    return sorted((r['jid'], r['name']) for r in got.all('conference'))


def pep_rooms(c):
    """Of the single list in PEP."""
    got = c.get(items(OLD)).find('pubsub/items/item/storage', OLD)
    return sorted((r['jid'], r['name']) for r in got.all('conference'))


def new_rooms(c):
    return sorted((i['id'], i.find('conference', BM)['name']) for i in c.get(items(BM)).all('pubsub/items/item'))


def the_conversion_is_announced(stage):
    a = stage.online()
    features, _ = disco(a, a.bare)
    check(BM + '#compat' in features and BM + '#compat-pep' in features, features)


def new_bookmarks_are_seen_by_old_clients(stage):
    a = stage.online()
    a.set(publish(BM, conference('One'), 'one@rooms.example', PRIVATE_OPTIONS))
    a.set(publish(BM, conference('Two'), 'two@rooms.example', PRIVATE_OPTIONS))
    want = [('one@rooms.example', 'One'), ('two@rooms.example', 'Two')]
    equal((new_rooms(a), pep_rooms(a), private_rooms(a)), (want, want, want))
    a.set(publish(BM, conference('Second'), 'two@rooms.example', PRIVATE_OPTIONS))
    a.set(retract(BM, 'one@rooms.example', 'true'))
    want = [('two@rooms.example', 'Second')]
    equal((new_rooms(a), pep_rooms(a), private_rooms(a)), (want, want, want))


def private_bookmarks_are_seen_by_new_clients(stage):
    a = stage.online()
    a.set(private(storage(('one@rooms.example', 'One'), ('two@rooms.example', 'Two'))))
    want = [('one@rooms.example', 'One'), ('two@rooms.example', 'Two')]
    equal((new_rooms(a), pep_rooms(a), private_rooms(a)), (want, want, want))
    c = a.get(items(BM, 'one@rooms.example')).find('pubsub/items/item/conference', BM)
    equal((c['autojoin'], c.textof('nick'), c['jid']), ('true', 'JC', None))
    a.set(private(storage(('two@rooms.example', 'Two'), ('six@rooms.example', 'Six'))))
    want = [('six@rooms.example', 'Six'), ('two@rooms.example', 'Two')]
    equal((new_rooms(a), pep_rooms(a), private_rooms(a)), (want, want, want))


def old_pep_bookmarks_are_seen_by_all(stage):
    a = stage.online()
    a.set(publish(OLD, storage(('one@rooms.example', 'One')), 'current', {'pubsub#persist_items': 'true', 'pubsub#access_model': 'whitelist'}))
    want = [('one@rooms.example', 'One')]
    equal((new_rooms(a), pep_rooms(a), private_rooms(a)), (want, want, want))


def other_devices_hear_what_changed_and_no_more(stage):
    """XEP-0402 §4.3.2."""
    a = stage.online()
    b = stage.again(a)
    tell_caps(b, notify(BM))
    a.set(private(storage(('one@rooms.example', 'One'), ('two@rooms.example', 'Two'))))
    for i in ('one', 'two'):
        b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{BM}"><item id="{i}@rooms.example"><conference xmlns="{BM}"/></item></items></event></message>')
    a.set(private(storage(('one@rooms.example', 'One'), ('two@rooms.example', 'New'))))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="{BM}"><item id="two@rooms.example"/></items></event></message>')
    a.set(private(storage(('two@rooms.example', 'New'))))
    b.expect(f'<message><event xmlns="{EVENT}"><items node="{BM}"><retract id="one@rooms.example"/></items></event></message>')
    b.expect_nothing('<message/>', after=(a,))


def old_devices_hear_the_whole_list(stage):
    a = stage.online()
    b = stage.again(a)
    tell_caps(b, notify(OLD))
    a.set(publish(BM, conference('One'), 'one@rooms.example', PRIVATE_OPTIONS))
    m = b.expect(f'<message from="{a.bare}"><event xmlns="{EVENT}"><items node="{OLD}"/></event></message>')
    equal([r['jid'] for r in m.find('event/items/item/storage', OLD).all('conference')], ['one@rooms.example'])


def extensions_survive_old_clients(stage):
    """XEP-0402: unknown elements are preserved, notification settings (XEP-0492) among them."""
    a = stage.online()
    mine = ('<nick>JC</nick><extensions><notify xmlns="urn:xmpp:notification-settings:1"><on-mention/></notify>'
            '<state xmlns="http://myclient.example/bookmark/state" minimized="true"/></extensions>')
    a.set(publish(BM, conference('One', mine), 'one@rooms.example', PRIVATE_OPTIONS))
    a.set(private(storage(('one@rooms.example', 'Renamed'))))
    c = a.get(items(BM)).find('pubsub/items/item/conference', BM)
    equal(c['name'], 'Renamed')
    check(c.find('extensions/notify', 'urn:xmpp:notification-settings:1').find('on-mention') is not None, c)
    equal(c.find('extensions/state', 'http://myclient.example/bookmark/state')['minimized'], 'true')


def urls_stay_in_the_old_form(stage):
    a = stage.online()
    a.set(private(storage(('one@rooms.example', 'One'), more='<url name="A" url="http://a.example/"/>')))
    a.set(publish(BM, conference('Two'), 'two@rooms.example', PRIVATE_OPTIONS))
    got = a.get(private(f'<storage xmlns="{OLD}"/>')).find('query/storage', OLD)
    equal([u['url'] for u in got.all('url')], ['http://a.example/'])
    equal(len(got.all('conference')), 2)


def emptied_lists_are_empty_everywhere(stage):
    a = stage.online()
    a.set(publish(BM, conference('One'), 'one@rooms.example', PRIVATE_OPTIONS))
    a.set(purge(BM))
    equal((new_rooms(a), private_rooms(a)), ([], []))
    a.set(publish(BM, conference('One'), 'one@rooms.example', PRIVATE_OPTIONS))
    a.set(private(storage()))
    equal((new_rooms(a), private_rooms(a)), ([], []))
    a.set(publish(BM, conference('One'), 'one@rooms.example', PRIVATE_OPTIONS))
    a.set(delete(BM))
    equal(private_rooms(a), [])


def bookmarks_are_private(stage):
    a, b = stage.friends()
    a.set(publish(BM, conference('Secret'), 'one@rooms.example'))
    a.set(private(storage(('two@rooms.example', 'Secret'))))
    tell_caps(b, notify(BM, OLD))
    for n in (BM, OLD):
        fails(b, 'get', items(n), 'not-allowed', 'closed-node', a.bare)
    b.refused('get', private(f'<storage xmlns="{OLD}"/>'), 'forbidden', a.bare)
    b.refused('set', private(storage()), 'forbidden', a.bare)
    a.set(publish(BM, conference('Secret'), 'three@rooms.example'))
    b.expect_nothing('<message/>', after=(a,))


def bookmarks_survive_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    a.set(private(storage(*[('r%d@rooms.example' % i, 'Room %d' % i) for i in range(50)])))
    server.restart()
    a = stage.client(a.account, server=server).online()
    a.set(publish(BM, conference('New'), 'new@rooms.example', PRIVATE_OPTIONS))
    equal((len(new_rooms(a)), len(private_rooms(a)), len(pep_rooms(a))), (51, 51, 51))
    a.set(retract(BM, 'r7@rooms.example'))
    equal((len(new_rooms(a)), len(private_rooms(a)), len(pep_rooms(a))), (50, 50, 50))


def addresses_that_are_none_are_left_alone(stage):
    a = stage.online()
    a.set(private(storage(('not a jid@@', 'Bad'), ('one@rooms.example', 'Good'))))
    equal(new_rooms(a), [('one@rooms.example', 'Good')])
    equal(len(private_rooms(a)), 2)
