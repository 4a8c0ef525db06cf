# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0030 and XEP-0115."""
import base64
import hashlib

from lib import *


def the_server_says_what_it_is(stage):
    a = stage.online()
    features, identities = disco(a, 'localhost')
    check(('server', 'im') in identities, identities)
    for want in (DISCO_INFO, DISCO_ITEMS, 'urn:xmpp:ping', 'jabber:iq:version', 'urn:xmpp:time', 'jabber:iq:last',
                 'vcard-temp', 'jabber:iq:private', BLOCKING, CARBONS, 'msgoffline', 'http://jabber.org/protocol/commands'):
        check(want in features, '%s is not announced' % want)
    equal(len(features), len(set(features)), 'features (each once)')


def the_account_says_what_it_is(stage):
    a = stage.online()
    features, identities = disco(a, a.bare)
    check(('account', 'registered') in identities, identities)
    check(MAM in features, features)
    same, _ = disco(a, None)
    equal(sorted(same), sorted(features), 'answer without to')


def the_items_are_the_services(stage):
    a = stage.online()
    items = [i['jid'] for i in a.get(f'<query xmlns="{DISCO_ITEMS}"/>', 'localhost').all('query/item')]
    check(stage.muc in items and 'upload.localhost' in items, items)


def the_room_service_says_what_it_is(stage):
    a = stage.online()
    features, identities = disco(a, stage.muc)
    check(('conference', 'text') in identities, identities)
    check(MUC in features, features)


def the_upload_service_says_what_it_is(stage):
    a = stage.online()
    answer = a.get(f'<query xmlns="{DISCO_INFO}"/>', 'upload.localhost')
    check('urn:xmpp:http:upload:0' in [f['var'] for f in answer.all('query/feature')], answer)
    check(('store', 'file') in [(i['category'], i['type']) for i in answer.all('query/identity')], answer)
    x = answer.find('query/x', DATA)
    check(x is not None and fields(x).get('max-file-size', [''])[0].isdigit(), 'no max-file-size: %s' % answer)


def an_unknown_node_is_item_not_found(stage):
    a = stage.online()
    for to in ('localhost', a.bare):
        a.refused('get', f'<query xmlns="{DISCO_INFO}" node="no-such-node"/>', 'item-not-found', to)


def a_stranger_learns_nothing_about_an_account(stage):
    """XEP-0030 §8: no difference between an account that exists and one that does not."""
    a, b = stage.online(), stage.online()
    one = a.iq('get', f'<query xmlns="{DISCO_INFO}"/>', b.bare)
    two = a.iq('get', f'<query xmlns="{DISCO_INFO}"/>', 'nobody-there@localhost')
    equal((one['type'], one.error), (two['type'], two.error))
    one = a.iq('get', f'<query xmlns="{DISCO_ITEMS}"/>', b.bare)
    two = a.iq('get', f'<query xmlns="{DISCO_ITEMS}"/>', 'nobody-there@localhost')
    equal((one['type'], one.error, len(one.kids)), (two['type'], two.error, len(two.kids)))


def disco_between_clients_passes(stage):
    a, b = stage.friends()
    a.send(f'<iq type="get" id="d" to="{b.jid}"><query xmlns="{DISCO_INFO}" node="n#v"/></iq>')
    b.expect(f'<iq type="get" id="d" from="{a.jid}"><query xmlns="{DISCO_INFO}" node="n#v"/></iq>')
    b.send(f'<iq type="result" id="d" to="{a.jid}"><query xmlns="{DISCO_INFO}" node="n#v"><feature var="x"/></query></iq>')
    a.expect(f'<iq type="result" id="d" from="{b.jid}"><query xmlns="{DISCO_INFO}" node="n#v"><feature var="x"/></query></iq>')


def the_stream_features_carry_the_servers_caps(stage):
    """XEP-0115 §6.3; the hash is that of the server's own disco answer."""
    a = stage.client().authenticate()
    c = a.features.find('c', 'http://jabber.org/protocol/caps')
    check(c is not None, 'no caps in the stream features')
    equal(c['hash'], 'sha-1')
    a.bind()
    answer = a.get(f'<query xmlns="{DISCO_INFO}" node="{c["node"]}#{c["ver"]}"/>', 'localhost').find('query')
    equal(verification(answer), c['ver'], 'hash of the disco answer')


def verification(query):
    """XEP-0115 §5.1."""
    out = ''
    lang = 'http://www.w3.org/XML/1998/namespace lang'
    for i in sorted('%s/%s/%s/%s' % (i['category'], i['type'], i[lang] or '', i['name'] or '') for i in query.all('identity')):
        out += i + '<'
    for f in sorted(f['var'] for f in query.all('feature')):
        out += f + '<'
    for x in sorted(query.all('x', DATA), key=lambda x: fields(x)['FORM_TYPE'][0]):
        out += fields(x)['FORM_TYPE'][0] + '<'
        for var in sorted(v for v in fields(x) if v != 'FORM_TYPE'):
            out += var + '<' + ''.join(v + '<' for v in sorted(fields(x)[var]))
    return base64.b64encode(hashlib.sha1(out.encode()).digest()).decode()


def caps_in_presence_pass(stage):
    a, b = stage.friends()
    caps = '<c xmlns="http://jabber.org/protocol/caps" hash="sha-1" node="https://x.invalid" ver="AAAA="/>'
    a.present(caps)
    b.expect(f'<presence from="{a.jid}">{caps}</presence>')
