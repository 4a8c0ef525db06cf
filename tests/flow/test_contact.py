# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the domain says of itself and others: XEP-0157 1.1.1 and XEP-0455 0.4.0 in XEP-0128 forms, XEP-0215 1.0.0."""
import base64
import json
import hashlib
import hmac
import re

from lib import *
from test_disco import verification

EXTDISCO = 'urn:xmpp:extdisco:2'
SERVERINFO = 'http://jabber.org/network/serverinfo'
SECRET = 'a shared secret'


def forms(c):
    query = c.get(f'<query xmlns="{DISCO_INFO}"/>', c.domain).find('query')
    return {fields(x)['FORM_TYPE'][0]: fields(x) for x in query.all('x', DATA)}, query


def nothing_is_told_by_default(stage):
    check(SERVERINFO not in forms(stage.online())[0], 'addresses that nobody set')


@on_server({'contact.abuse': 'mailto:abuse@example.org xmpp:abuse@example.org', 'contact.admin': 'xmpp:admins@example.org',
            'contact.status': 'https://status.example.org/', 'contact.outage': 'https://status.example.org/status.json'})
def contact_addresses_are_in_the_domains_disco(stage):
    a = stage.online()
    told, query = forms(a)
    equal(told[SERVERINFO], {'FORM_TYPE': [SERVERINFO], 'abuse-addresses': ['mailto:abuse@example.org', 'xmpp:abuse@example.org'],
                             'admin-addresses': ['xmpp:admins@example.org'], 'status-addresses': ['https://status.example.org/']})
    equal(told['urn:xmpp:sos:0']['external-status-addresses'], ['https://status.example.org/status.json'])
    caps = a.features.find('c', 'http://jabber.org/protocol/caps')
    equal(caps['ver'], verification(query), 'the caps hash covers the forms (XEP-0115 §5.1):')
    features, _ = disco(a, a.domain, caps['node'] + '#' + caps['ver'])
    check(features, 'the caps node is unknown')


def contact_addresses_must_be_uris(stage):
    for bad in ('abuse@example.org', ':x', 'mailto:', 'mailto:a@b abuse'):
        done = stage.server.cli('config', '--check', '--set', 'contact.abuse=' + bad, check=False, data=False)
        check(done.returncode and 'contact.abuse' in done.stderr, (bad, done.stderr))


@on_server({'services.external': 'stun:stun.example.org:3478/udp turn:192.0.2.1:3478/udp turns:turn.example.org:5349/tcp '
            'turn:[2001:db8::1]:3478/udp ftp:guest:gu:est@ftp.example.org:20/tcp nonsense turn:x:99999', 'services.secret': SECRET})
def external_services_are_listed_with_credentials(stage):
    a, b = stage.online(), stage.online()
    check(EXTDISCO in disco(a, a.domain)[0], 'not announced')
    got = a.get(f'<services xmlns="{EXTDISCO}"/>', a.domain).all('services/service', EXTDISCO)
    equal([(s['type'], s['host'], s['port'], s['transport']) for s in got],
          [('stun', 'stun.example.org', '3478', 'udp'), ('turn', '192.0.2.1', '3478', 'udp'), ('turns', 'turn.example.org', '5349', 'tcp'),
           ('turn', '2001:db8::1', '3478', 'udp'), ('ftp', 'ftp.example.org', '20', 'tcp')])
    equal(got[0]['username'], None)
    equal((got[4]['username'], got[4]['password'], got[4]['expires']), ('guest', 'gu:est', None))
    for s in got[1:4]:
        want = base64.b64encode(hmac.new(SECRET.encode(), s['username'].encode(), hashlib.sha1).digest()).decode()
        equal(s['password'], want)
        check(re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d', s['expires']), s)
        check(re.fullmatch(r'\d+:[0-9a-f]{16}', s['username']) and a.account.node not in s['username'], s)
    only = a.get(f'<services xmlns="{EXTDISCO}" type="turn"/>', a.domain).find('services', EXTDISCO)
    equal((only['type'], [s['host'] for s in only.all('service')]), ('turn', ['192.0.2.1', '2001:db8::1']))
    tags = [c.get(f'<services xmlns="{EXTDISCO}" type="turns"/>', c.domain).find('services/service')['username'].split(':')[1] for c in (a, b, a)]
    check(tags[0] == tags[2] != tags[1], tags)


@on_server({'services.external': 'stun:stun.example.org:3478/udp turn:turn.example.org:1/udp turn:turn.example.org:2/tcp', 'services.secret': SECRET})
def credentials_are_asked_for(stage):
    a = stage.online()

    def ask(what):
        return f'<credentials xmlns="{EXTDISCO}">{what}</credentials>'
    got = a.get(ask('<service host="TURN.example.org" type="turn"/>'), a.domain).all('credentials/service')
    equal([s['port'] for s in got], ['1', '2'])
    check(all(s['username'] and s['password'] for s in got), got)
    got = a.get(ask('<service host="turn.example.org" type="turn" port="2"/>'), a.domain).all('credentials/service')
    equal([s['port'] for s in got], ['2'])
    for what, condition in (('<service host="elsewhere.example" type="turn"/>', 'item-not-found'), ('', 'bad-request'),
                            ('<service host="stun.example.org" type="stun"/>', 'item-not-found'), ('<service type="turn"/>', 'bad-request'),
                            ('<service host="turn.example.org"/>', 'bad-request'),
                            ('<service host="turn.example.org" type="turn"/>' * 2, 'bad-request')):
        a.refused('get', ask(what), condition, a.domain)
    a.refused('set', ask('<service host="turn.example.org" type="turn"/>'), 'service-unavailable', a.domain)


@on_server({'services.external': 'turn:turn.example.org:3478/udp'})
def a_relay_without_credentials_says_that_it_wants_some(stage):
    a = stage.online()
    s = a.get(f'<services xmlns="{EXTDISCO}"/>', a.domain).find('services/service')
    equal((s['restricted'], s['username']), ('true', None))


@on_server({'serverinfo.publish': 'true', 'contact.abuse': 'mailto:abuse@example.org'})
def server_information_is_published(stage):
    """XEP-0485 1.0.0, one form for it and the addresses."""
    a, info = stage.online(), 'urn:xmpp:serverinfo:0'
    told, query = forms(a)
    check(info in [f['var'] for f in query.all('feature')], 'not announced')
    equal(told[SERVERINFO]['serverinfo-pubsub-node'], ['xmpp:pubsub.localhost?;node=serverinfo'])
    equal(told[SERVERINFO]['abuse-addresses'], ['mailto:abuse@example.org'])
    equal(a.features.find('c', 'http://jabber.org/protocol/caps')['ver'], verification(query))
    pubsub = 'http://jabber.org/protocol/pubsub'
    got = a.get(f'<pubsub xmlns="{pubsub}"><items node="serverinfo"/></pubsub>', 'pubsub.localhost').all('pubsub/items/item')
    equal([(i['id'], i.find('serverinfo/domain', info)['name']) for i in got], [('current', 'localhost')])
    equal(got[0].find('serverinfo').textof('query/name'), 'Anser')
    a.refused('set', f'<pubsub xmlns="{pubsub}"><publish node="serverinfo"><item id="current"><x xmlns="y"/></item></publish></pubsub>', 'forbidden', 'pubsub.localhost')
    check(('pubsub', 'leaf') in disco(a, 'pubsub.localhost', 'serverinfo')[1], 'no leaf')
    stage.server.restart()
    a = stage.client(a.account).online()
    equal(len(a.get(f'<pubsub xmlns="{pubsub}"><items node="serverinfo"/></pubsub>', 'pubsub.localhost').all('pubsub/items/item')), 1)


def a_status_file_for_an_outage_is_written(stage):
    def outage(*args, **kw):
        return stage.server.cli('outage', *args, data=False, **kw)
    equal(json.loads(outage('New disks: "soon"', '2026-12-31T23:00:00+01:00', '2027-01-01T02:00:00Z', '--planned').stdout),
          {'planned': True, 'beginning': '2026-12-31T22:00:00.000Z', 'expected_end': '2027-01-01T02:00:00.000Z', 'message': {'default': 'New disks: "soon"'}})
    now = json.loads(outage('朱丽叶').stdout)
    check(re.match(r'\d{4}-\d\d-\d\dT', now['beginning']) and not now['planned'] and 'expected_end' not in now, now)
    check(outage('x', 'tomorrow', check=False).returncode, 'a bad time is taken')
