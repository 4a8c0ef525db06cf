# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small protocols: version 0092, time 0202, last activity 0012, vcard-temp 0054, avatars 0153, private XML 0049."""
import base64
import re

from lib import *

LAST = '<query xmlns="jabber:iq:last"/>'
PNG = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')


def the_server_tells_its_version(stage):
    a = stage.online()
    q = a.get('<query xmlns="jabber:iq:version"/>', 'localhost').find('query')
    check(q.textof('name') and q.textof('version'), q)


def the_server_tells_its_time(stage):
    a = stage.online()
    t = a.get('<time xmlns="urn:xmpp:time"/>', 'localhost').find('time')
    check(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', t.textof('utc')), t)
    check(re.fullmatch(r'Z|[+-]\d\d:\d\d', t.textof('tzo')), t)


# ---- last activity (XEP-0012)

def the_server_tells_its_uptime(stage):
    a = stage.online()
    check(a.get(LAST, 'localhost').find('query')['seconds'].isdigit(), 'no seconds')


def an_online_contact_has_zero_seconds(stage):
    a, b = stage.friends()
    equal(a.get(LAST, b.bare).find('query')['seconds'], '0')


def an_offline_contact_tells_since_when_and_why(stage):
    a, b = stage.friends()
    b.send('<presence type="unavailable"><status>Heading home</status></presence>')
    b.close()
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    q = a.get(LAST, b.bare).find('query')
    check(0 <= int(q['seconds']) < 60, q)
    equal(q.text.strip(), 'Heading home')


def strangers_may_not_ask_for_last_activity(stage):
    """§4: forbidden for those without a subscription."""
    a, b = stage.online(), stage.online()
    a.refused('get', LAST, 'forbidden|service-unavailable', b.bare)
    b.close()
    a.refused('get', LAST, 'forbidden|service-unavailable', b.bare)
    a.refused('get', LAST, 'forbidden|service-unavailable|item-not-found', 'nobody-there@localhost')


def a_contact_with_the_wrong_direction_may_not_ask(stage):
    """Only who sees the presence may ask."""
    a, b = stage.online(), stage.online()
    a.send(f'<presence to="{b.bare}" type="subscribe"/>')
    b.expect('<presence type="subscribe"/>')
    b.send(f'<presence to="{a.bare}" type="subscribed"/>')
    a.expect(f'<presence from="{b.bare}" type="subscribed"/>')
    a.get(LAST, b.bare)
    b.refused('get', LAST, 'forbidden|service-unavailable', a.bare)


def one_may_ask_about_oneself(stage):
    a = stage.online()
    equal(a.get(LAST, a.bare).find('query')['seconds'], '0')


def last_activity_survives_a_restart(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    befriend(a, b)
    b.send('<presence type="unavailable"><status>bye</status></presence>')
    b.close()
    a.expect(f'<presence from="{b.jid}" type="unavailable"/>')
    server.restart()
    a2 = stage.client(a.account, server=server).online()
    q = a2.get(LAST, b.bare).find('query')
    equal(q.text.strip(), 'bye')


# ---- vcard-temp (XEP-0054) and avatars (XEP-0153)

def card(name='Peter', photo=PNG):
    return (f'<vCard xmlns="vcard-temp"><FN>{name}</FN><N><FAMILY>X</FAMILY></N><PHOTO><TYPE>image/png</TYPE>'
            f'<BINVAL>{base64.b64encode(photo).decode()}</BINVAL></PHOTO><NOTE>鸿雁</NOTE></vCard>')


def an_empty_vcard_is_item_not_found_or_empty(stage):
    a = stage.online()
    for to in (None, a.bare):
        answer = a.iq('get', '<vCard xmlns="vcard-temp"/>', to)
        check(answer.error == 'item-not-found' or (answer['type'] == 'result' and not (answer.find('vCard') or El('x')).kids), answer)


def a_vcard_is_kept_and_read_by_others(stage):
    a, b = stage.online(), stage.online()
    a.set(card('Anne &amp; Co'))
    for who, to in ((a, None), (a, a.bare), (b, a.bare), (stage.again(a), None)):
        v = who.get('<vCard xmlns="vcard-temp"/>', to).find('vCard', 'vcard-temp')
        equal((v.textof('FN'), v.textof('N/FAMILY'), v.textof('NOTE')), ('Anne & Co', 'X', '鸿雁'))
        equal(base64.b64decode(v.textof('PHOTO/BINVAL')), PNG)


def a_vcard_is_replaced_as_a_whole(stage):
    a = stage.online()
    a.set(card())
    a.set('<vCard xmlns="vcard-temp"><FN>New</FN></vCard>')
    v = a.get('<vCard xmlns="vcard-temp"/>').find('vCard')
    equal([k.name for k in v.kids], ['FN'])


def a_foreign_vcard_cannot_be_set(stage):
    a, b = stage.online(), stage.online()
    a.refused('set', card('Evil'), 'forbidden|not-allowed|service-unavailable', b.bare)
    check(b.iq('get', '<vCard xmlns="vcard-temp"/>').find('vCard/FN') is None, 'foreign card was set')


def a_vcard_of_a_missing_account_is_not_told_apart(stage):
    a, b = stage.online(), stage.online()
    one = a.iq('get', '<vCard xmlns="vcard-temp"/>', b.bare)
    two = a.iq('get', '<vCard xmlns="vcard-temp"/>', 'nobody-there@localhost')
    equal((one['type'], one.error), (two['type'], two.error))


def a_clients_own_photo_hash_is_kept(stage):
    a, b = stage.friends()
    a.present('<x xmlns="vcard-temp:x:update"><photo>0123456789012345678901234567890123456789</photo></x>')
    b.expect(f'<presence from="{a.jid}"><x xmlns="vcard-temp:x:update"><photo>0123456789012345678901234567890123456789</photo></x></presence>')


def an_oversize_vcard_is_refused(stage):
    a = stage.client().authenticate()
    limit = int((a.features.find('limits') or El('x')).textof('max-bytes') or 262144)
    a.bind()
    answer = a.iq('set', card(photo=bytes(limit // 2)))
    check(answer['type'] == 'result' or answer.error in ('not-acceptable', 'resource-constraint', 'policy-violation'), answer)
    a.ping()


# ---- private XML (XEP-0049)

def private(text):
    return f'<query xmlns="jabber:iq:private">{text}</query>'


def private_data_is_kept_by_namespace(stage):
    a = stage.online()
    a.set(private('<exodus xmlns="exodus:prefs"><defaultnick>Hamlet</defaultnick></exodus>'))
    a.set(private('<storage xmlns="storage:bookmarks"><conference jid="r@conference.localhost" autojoin="1"><nick>n</nick></conference></storage>'))
    b = stage.again(a)
    got = b.get(private('<exodus xmlns="exodus:prefs"/>'))
    equal(got.find('query/exodus', 'exodus:prefs').textof('defaultnick'), 'Hamlet')
    got = b.get(private('<storage xmlns="storage:bookmarks"/>'))
    equal(got.find('query/storage/conference')['jid'], 'r@conference.localhost')


def private_data_that_is_not_there_is_empty(stage):
    a = stage.online()
    got = a.get(private('<none xmlns="urn:none"/>'))
    check(got.find('query/none', 'urn:none') is not None and not got.find('query/none').kids, got)


def private_data_can_be_emptied(stage):
    a = stage.online()
    a.set(private('<p xmlns="urn:p"><x/></p>'))
    a.set(private('<p xmlns="urn:p"/>'))
    check(not a.get(private('<p xmlns="urn:p"/>')).find('query/p').kids, 'not emptied')


def private_data_of_others_is_closed(stage):
    a, b = stage.online(), stage.online()
    b.set(private('<p xmlns="urn:p"><secret/></p>'))
    for kind in ('get', 'set'):
        a.refused(kind, private('<p xmlns="urn:p"/>'), 'forbidden|service-unavailable|not-allowed', b.bare)


def private_requests_without_a_namespace_are_refused(stage):
    a = stage.online()
    a.refused('get', private(''), 'bad-request|not-acceptable')
    a.refused('set', private(''), 'bad-request|not-acceptable')
