# SPDX-License-Identifier: AGPL-3.0-or-later
"""Web Push sent by the server itself (RFC 8030, 8291, 8292), against a push service of the dialogue's own."""
import time

from lib import *
from kit.pushservice import Browser, PushService, b64u, check_vapid

PUSH = 'urn:xmpp:push:0'
WEBPUSH = 'urn:anser:webpush:0'


def service(stage, sets=None, **kw):
    """A push service, and a server that trusts it and may reach it."""
    s = PushService(**kw)
    stage.cleanups.append(s.close)
    options = {'fetch.allow_private': 'true', 'fetch.ca': s.ca}
    options.update(sets or {})
    stage.server = stage.own_server(options)
    return s


def subscribe(c, browser):
    """Subscribes the browser and enables push to it; returns (jid, node)."""
    got = c.set(browser.xml()).find('subscribed', WEBPUSH)
    c.set(f'<enable xmlns="{PUSH}" jid="{got["jid"]}" node="{got["node"]}"/>')
    return got['jid'], got['node']


def vapid(c):
    return c.get(f'<vapid xmlns="{WEBPUSH}"/>').textof('vapid')


def ready(stage, path='/p/1', **kw):
    """(push service, browser, friend, account): the account subscribed and is away."""
    s = service(stage, **kw)
    a, b = stage.online(), stage.online()
    browser = Browser(s.origin + path)
    subscribe(a, browser)
    a.close()
    return s, browser, b, a


def until(done, what):
    deadline = time.monotonic() + TIMEOUT
    while not done():
        check(time.monotonic() < deadline, 'no ' + what)


def chat(c, to, body='hello'):
    c.send(f'<message to="{to}" type="chat"><body>{body}</body></message>')


def it_is_found_by_discovery(stage):
    a = stage.online()
    check(WEBPUSH in disco(a, a.bare)[0], 'not announced')
    features, identities = disco(a, 'push.' + a.domain)
    check(('pubsub', 'push') in identities and PUSH in features, identities)
    items = [i['jid'] for i in a.get(f'<query xmlns="{DISCO_ITEMS}"/>', a.domain).all('query/item')]
    check('push.' + a.domain in items, items)


def a_message_reaches_the_browser_encrypted(stage):
    s, browser, b, a = ready(stage)
    key = vapid(b)
    chat(b, a.bare, '鸿雁 hello')
    r = s.next()
    equal(r.path, '/p/1')
    equal(r.headers['Content-Encoding'], 'aes128gcm')
    check(0 < int(r.headers['TTL']) <= 28 * 86400, r.headers['TTL'])
    equal(r.headers['Urgency'], 'normal')
    check(0 < len(r.headers['Topic']) <= 32, r.headers['Topic'])
    check('鸿雁'.encode() not in r.body and len(r.body) <= 4096, 'plain')
    equal(browser.decrypt(r.body), {'v': 1, 'type': 'message', 'count': 1, 'account': a.bare, 'from': b.jid, 'body': '鸿雁 hello'})
    claims = check_vapid(r.headers['Authorization'], s.origin, key)
    check(claims['sub'].startswith(('https:', 'mailto:')), claims)
    now = time.time()
    check(now < claims['exp'] <= now + 86400, claims)


def all_messages_are_as_long_as_each_other(stage):
    s, browser, b, a = ready(stage)
    chat(b, a.bare, 'a')
    n = len(s.next().body)
    chat(b, a.bare, 'a longer message')
    equal(len(s.next().body), n)


def a_call_is_urgent_and_short_lived(stage):
    s, browser, b, a = ready(stage)
    b.send(f'<message to="{a.bare}" type="chat"><propose xmlns="urn:xmpp:jingle-message:0" id="c"/></message>')
    r = s.next()
    equal((r.headers['Urgency'], r.headers['TTL']), ('high', '60'))
    equal(browser.decrypt(r.body)['type'], 'call')


def news_of_one_conversation_replace_each_other(stage):
    s, browser, b, a = ready(stage)
    c = stage.online()
    chat(b, a.bare)
    first = s.next().headers['Topic']
    chat(b, a.bare)
    equal(s.next().headers['Topic'], first)
    chat(c, a.bare)
    check(s.next().headers['Topic'] != first, 'the same topic')


def a_subscription_without_keys_says_nothing_private(stage):
    """UnifiedPush without encryption: the push server reads along."""
    s = service(stage)
    a, b = stage.online(), stage.online()
    got = a.set(f'<subscribe xmlns="{WEBPUSH}"><endpoint>{s.origin}/up</endpoint></subscribe>').find('subscribed', WEBPUSH)
    a.set(f'<enable xmlns="{PUSH}" jid="{got["jid"]}" node="{got["node"]}"/>')
    a.close()
    chat(b, a.bare, 'secret')
    r = s.next()
    equal(r.body, b'{"v":1,"type":"message","count":1}')
    equal(r.headers['Content-Encoding'], None)


def the_key_stays_the_same(stage):
    s, browser, b, a = ready(stage)
    key = vapid(b)
    equal(vapid(stage.online()), key)
    stage.server.restart()
    b2 = stage.client(b.account).login()
    equal(vapid(b2), key)
    chat(b2, a.bare, 'after the restart')
    equal(browser.decrypt(s.next().body)['body'], 'after the restart')


def the_same_endpoint_is_one_subscription(stage):
    s = service(stage)
    a = stage.online()
    one, two = Browser(s.origin + '/same'), Browser(s.origin + '/same')
    equal(subscribe(a, one), subscribe(a, two))
    b = stage.online()
    a.close()
    chat(b, a.bare)
    equal(two.decrypt(s.next().body)['body'], 'hello')


@each([404, 410])
def a_gone_endpoint_is_forgotten(stage, status):
    s = service(stage)
    s.answers['/gone'] = [(status, {})]
    a, b = stage.online(), stage.online()
    subscribe(a, Browser(s.origin + '/gone'))
    a.close()
    chat(b, a.bare, 'one')
    equal(s.next().path, '/gone')
    c = stage.client(a.account).login()
    other = Browser(s.origin + '/other')
    jid, node = subscribe(c, other)
    c.close()
    chat(b, a.bare, 'two')
    equal(s.next().path, '/other')
    chat(b, a.bare, 'three')
    equal(s.next().path, '/other')


def a_busy_service_is_asked_again(stage):
    s = service(stage)
    s.answers['/busy'] = [(503, {}), (201, {})]
    a, b = stage.online(), stage.online()
    browser = Browser(s.origin + '/busy')
    subscribe(a, browser)
    a.close()
    chat(b, a.bare)
    equal(browser.decrypt(s.next().body), browser.decrypt(s.next(20).body))


def too_many_requests_are_respected(stage):
    """Retry-After: nothing comes before it, the newest comes then."""
    s = service(stage)
    s.answers['/slow'] = [(429, {'Retry-After': '4'}), (201, {})]
    a, b = stage.online(), stage.online()
    browser = Browser(s.origin + '/slow')
    subscribe(a, browser)
    a.close()
    chat(b, a.bare, 'one')
    s.next()
    began = time.monotonic()
    r = s.next(20)
    check(time.monotonic() - began > 3, 'asked again at once')
    equal(browser.decrypt(r.body)['from'], b.jid)


@each(['redirect', 'endless', 'refused'])
def what_a_push_service_answers_harms_nobody(stage, row):
    s = service(stage)
    other = PushService()
    stage.cleanups.append(other.close)
    s.answers['/odd'] = [{'redirect': (307, {'Location': other.origin + '/stolen'}), 'endless': (201, {'Endless': '1'}),
                          'refused': (403, {})}[row]]
    a, b = stage.online(), stage.online()
    browser = Browser(s.origin + '/odd')
    subscribe(a, browser)
    a.close()
    chat(b, a.bare, 'one')
    equal(s.next().path, '/odd')
    chat(b, a.bare, 'two')
    equal(browser.decrypt(s.next().body)['body'], 'two')
    check(other.requests.empty(), 'a redirect was followed')
    c = stage.client(a.account).login()
    c.send('<presence/>')
    for body in ('one', 'two'):
        c.expect(f'<message><body>{body}</body></message>')


def an_untrusted_certificate_is_not_spoken_to(stage):
    s, browser, b, a = ready(stage, trusted=False)
    other = PushService()
    stage.cleanups.append(other.close)
    chat(b, a.bare)
    b.settle(a.bare)
    check(s.requests.empty(), 'the certificate was not checked')


LOCAL = ['https://127.0.0.1/x', 'https://127.1/x', 'https://2130706433/x', 'https://[::1]/x', 'https://169.254.169.254/latest/meta-data',
         'https://10.0.0.1/x', 'https://192.168.1.1/x', 'https://[::ffff:127.0.0.1]/x', 'https://[fe80::1]/x', 'https://0.0.0.0/x']


@each(LOCAL, str)
def addresses_inside_are_refused(stage, url):
    a = stage.online()
    a.refused('set', f'<subscribe xmlns="{WEBPUSH}"><endpoint>{url}</endpoint></subscribe>', 'not-allowed')


def a_name_that_leads_inside_is_not_followed(stage):
    s = PushService()
    stage.cleanups.append(s.close)
    stage.server = stage.own_server({'fetch.ca': s.ca})
    a, b = stage.online(), stage.online()
    jid, node = subscribe(a, Browser(s.origin + '/inside'))
    a.close()
    chat(b, a.bare)
    c = stage.client(a.account).login()
    until(lambda: c.iq('set', f'<enable xmlns="{PUSH}" jid="{jid}" node="{node}"/>').error == 'item-not-found', 'end of the subscription')
    check(s.requests.empty(), 'loopback was reached')


@each(['http://push.example/x', 'ftp://push.example/x', 'file:///etc/passwd', '', 'https://user@push.example/', 'x' * 1100,
       'https://push.example/' + 'y' * 1000], lambda r: r[:30] or 'empty')
def other_urls_are_refused(stage, url):
    a = stage.online()
    a.refused('set', f'<subscribe xmlns="{WEBPUSH}"><endpoint>{url}</endpoint></subscribe>', 'bad-request')


KEY = Browser('').public
BAD_KEYS = [('no point', b'\x04' + b'\x01' * 64, b'a' * 16), ('short', KEY[:64], b'a' * 16), ('compressed', b'\x02' + KEY[1:33], b'a' * 16),
            ('short secret', KEY, b'a' * 15), ('no secret', KEY, b''), ('no key', b'', b'a' * 16)]


@each(BAD_KEYS, lambda r: r[0])
def bad_keys_are_refused(stage, row):
    a = stage.online()
    a.refused('set', f'<subscribe xmlns="{WEBPUSH}"><endpoint>https://push.example/x</endpoint><p256dh>{b64u(row[1])}</p256dh>'
              f'<auth>{b64u(row[2])}</auth></subscribe>', 'bad-request')


def only_the_owner_uses_a_subscription(stage):
    s = service(stage)
    a, b = stage.online(), stage.online()
    jid, node = subscribe(a, Browser(s.origin + '/mine'))
    b.refused('set', f'<enable xmlns="{PUSH}" jid="{jid}" node="{node}"/>', 'item-not-found')
    b.refused('set', f'<unsubscribe xmlns="{WEBPUSH}" node="{node}"/>', 'item-not-found')
    b.refused('set', Browser(s.origin + '/x').xml(), 'service-unavailable', a.bare)
    b.refused('set', f'<pubsub xmlns="http://jabber.org/protocol/pubsub"><publish node="{node}"><item/></publish></pubsub>',
              'forbidden', jid)


def unsubscribing_ends_it(stage):
    s = service(stage)
    a, b = stage.online(), stage.online()
    jid, node = subscribe(a, Browser(s.origin + '/old'))
    subscribe(a, Browser(s.origin + '/new'))
    a.set(f'<unsubscribe xmlns="{WEBPUSH}" node="{node}"/>')
    a.close()
    chat(b, a.bare)
    equal(s.next().path, '/new')


def many_subscriptions_leave_the_newest(stage):
    s = service(stage)
    a, b = stage.online(), stage.online()
    for i in range(60):
        subscribe(a, Browser('%s/n%d' % (s.origin, i)))
    a.close()
    chat(b, a.bare)
    paths = {s.next().path for _ in range(16)}
    equal(paths, {'/n%d' % i for i in range(44, 60)})


def the_longest_of_names_fit(stage):
    s = service(stage)
    a, b = stage.online(), stage.client().login('r' * 1000)
    browser = Browser(s.origin + '/long')
    subscribe(a, browser)
    a.close()
    chat(b, a.bare, '&quot;' * 500)
    r = s.next()
    check(len(r.body) <= 4096, len(r.body))
    equal(browser.decrypt(r.body)['count'], 1)
