# SPDX-License-Identifier: AGPL-3.0-or-later
"""Host metadata: XEP-0156 1.4.0 and XEP-0487 0.1.0."""
from web import *

XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0'
REL = 'urn:xmpp:alt-connections:'


def links(r):
    return {l['rel']: l for l in r.json()['links']}


def both_forms_name_websocket_and_bosh(stage):
    r = fetch(stage, 'GET', '/.well-known/host-meta')
    port = stage.server.ports['https']
    want = {REL + 'websocket': 'wss://localhost:%d/xmpp-websocket' % port, REL + 'xbosh': 'https://localhost:%d/http-bind' % port}
    root = parse(r.body.decode().split('?>', 1)[1])
    equal((root.name, root.ns), ('XRD', XRD))
    equal({l['rel']: l['href'] for l in root.all('Link')}, want)
    equal({rel: l['href'] for rel, l in links(fetch(stage, 'GET', '/.well-known/host-meta.json')).items()}, want)


@each(['/.well-known/host-meta', '/.well-known/host-meta.json'])
def any_origin_may_read_them(stage, path):
    r = fetch(stage, 'GET', path, headers={'Origin': 'https://elsewhere.example'})
    equal((r.status, r.headers['access-control-allow-origin']), (200, '*'))


def without_addresses_nothing_of_host_meta_2_is_claimed(stage):
    """XEP-0487: addresses are mandatory, and the xmpp object says that all is told."""
    got = fetch(stage, 'GET', '/.well-known/host-meta.json').json()
    check('xmpp' not in got and all('ips' not in l for l in got['links']), got)


@on_server({'web.addresses': '192.0.2.7 2001:db8::7'})
def with_addresses_everything_is_told(stage):
    r = fetch(stage, 'GET', '/.well-known/host-meta.json')
    got, all_links = r.json(), links(r)
    check(0 < got['xmpp']['ttl'] <= 604800, got)
    equal(all_links[REL + 'tls']['port'], stage.server.ports['c2s_tls'])
    equal(set(all_links), {REL + 'websocket', REL + 'xbosh', REL + 'tls'})
    for l in all_links.values():
        equal(l['ips'], ['192.0.2.7', '2001:db8::7'])
        equal(l['sni'], 'localhost')
        check(isinstance(l['priority'], int) and isinstance(l['weight'], int), l)
    check('xmpp' not in fetch(stage, 'GET', '/.well-known/host-meta').body.decode().split('XRD', 1)[1].split('Link')[0], 'XRD changed')


def other_servers_are_told_their_port_too(stage):
    port = free_ports(1)[0]
    stage.server = stage.own_server({'web.addresses': '192.0.2.7', 'listen.s2s_tls': '127.0.0.1:%d' % port})
    l = links(fetch(stage, 'GET', '/.well-known/host-meta.json'))[REL + 's2s-tls']
    equal((l['port'], l['ips'], l['sni']), (port, ['192.0.2.7'], 'localhost'))


@on_server({'bosh.enabled': 'false'})
def without_bosh_it_is_not_named(stage):
    equal(set(links(fetch(stage, 'GET', '/.well-known/host-meta.json'))), {REL + 'websocket'})


@each(['no-address', '1.2.3', '192.0.2.1,192.0.2.2', '1:2:3'])
def addresses_must_be_addresses(stage, value):
    """The server does not start with others."""
    r = stage.server.cli('config', '--explain', '--set', 'web.addresses=%s' % value, check=False, data=False)
    check(r.returncode != 0 and 'web.addresses' in r.stderr, r.stderr)
