# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 6120 §4, §5, §7, §11: streams, STARTTLS, binding, XML restrictions."""
import ssl

from lib import *

IQ_PING = f'<iq type="get" id="p" to="localhost">{PING}</iq>'


# ---- stream headers (§4.7)

def the_header_answers_with_from_id_version_and_lang(stage):
    c = stage.client(False).link_up()
    c.open()
    head = c.header
    equal(head.name, 'stream')
    equal(head['from'], 'localhost')
    equal(head['version'], '1.0')
    check(head['id'], 'no stream id')
    check(head['http://www.w3.org/XML/1998/namespace lang'], 'no xml:lang')


def stream_ids_differ(stage):
    seen = set()
    for _ in range(5):
        c = stage.client(False).connect()
        seen.add(c.header['id'])
        c.drop()
    equal(len(seen), 5, 'number of stream ids')


def a_stream_closes_in_order(stage):
    c = stage.client(False).connect()
    c.raw('</stream:stream>')
    c._until(lambda: c.ended, 'end of stream')
    c.expect_close()


@each(['tls', 'starttls', 'ws'])
def an_online_client_closes_in_order(stage, transport):
    c = stage.online(transport=transport)
    c.close()
    check(c.ended, 'the server did not end its stream')


def unknown_host_is_refused(stage):
    c = stage.client(False).link_up()
    c.open(wait=False, to='elsewhere.example')
    c.expect_stream_error('host-unknown')


def missing_to_is_refused_or_answered_for_the_default_domain(stage):
    c = stage.client(False).link_up()
    c.raw(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' version='1.0'>")
    c.wait_header()
    got = c._until(lambda: c.queue and c.queue.pop(0), 'features or error')
    if got.name == 'error':
        check(got.find('host-unknown') or got.find('improper-addressing'), got)
    else:
        equal(c.header['from'], 'localhost')


@each(['not a jid@@', 'localhost/resource/', 'user@localhost'])
def a_bad_to_is_refused(stage, to):
    c = stage.client(False).link_up()
    c.open(wait=False, to=to)
    c.expect_stream_error('host-unknown|improper-addressing')


def wrong_stream_namespace_is_refused(stage):
    c = stage.client(False).link_up()
    c.open(wait=False, stream='http://wrong.namespace.example.org/')
    c.expect_stream_error('invalid-namespace')


def wrong_content_namespace_is_refused(stage):
    c = stage.client(False).link_up()
    c.open(wait=False, ns='urn:not:jabber:client')
    c.expect_stream_error('invalid-namespace')


def wrong_root_element_is_refused(stage):
    c = stage.client(False).link_up()
    c.raw(f"<stream:flow xmlns='{CLIENT}' xmlns:stream='{STREAM}' to='localhost' version='1.0'>")
    c.expect_stream_error('bad-format|invalid-xml|invalid-namespace|not-well-formed')


def a_foreign_prefix_for_streams_is_understood(stage):
    c = stage.client(False).link_up()
    c.raw(f"<s:stream xmlns='{CLIENT}' xmlns:s='{STREAM}' to='localhost' version='1.0'>")
    c.wait_header()
    c.expect('<stream:features/>')


def content_under_a_prefix_is_understood(stage):
    """§4.8.5 allows a declared prefix for the content namespace."""
    a = stage.online()
    a.raw(f'<c:iq xmlns:c="{CLIENT}" type="get" id="pre" to="localhost"><ping xmlns="urn:xmpp:ping"/></c:iq>')
    a.expect('<iq type="result" id="pre"/>')


@each(['0.9', '2.0', '1', 'x.y', '-1.0'])
def odd_versions_get_an_answer(stage, version):
    """§4.7.5: lower or broken versions may be refused as unsupported-version; a higher one is answered with ours."""
    c = stage.client(False).link_up()
    c.open(wait=False, version=version)
    c.wait_header()
    got = c._until(lambda: c.queue and c.queue.pop(0), 'features or error')
    if got.name == 'error':
        check(got.find('unsupported-version'), got)
    else:
        check(version in ('2.0', '1'), 'features for version %s' % version)
    equal(c.header['version'], '1.0')


def a_missing_version_is_refused(stage):
    """A version before 1.0 has no features, so it can neither encrypt nor sign in."""
    c = stage.client(False).link_up()
    c.open(wait=False, version='')
    c.expect_stream_error('unsupported-version')


def features_before_tls_require_starttls_and_offer_no_sasl(stage):
    c = stage.client(False, 'plain').connect()
    check(c.features.find('starttls', TLS), 'STARTTLS is not offered')
    check(c.features.find('starttls/required'), 'STARTTLS is not required (RFC 7590)')
    check(not c.features.find('mechanisms') and not c.features.find('authentication'), 'SASL offered without TLS')


def features_on_tls_offer_sasl_and_no_starttls(stage):
    c = stage.client(False).connect()
    check(c.features.find('mechanisms', SASL), 'no SASL')
    check(c.features.find('authentication', SASL2), 'no SASL2')
    check(not c.features.find('starttls'), 'STARTTLS on TLS')


def features_after_sasl_offer_bind_and_sm(stage):
    a = stage.client().authenticate()
    check(a.features.find('bind', BIND), 'no bind')
    check(a.features.find('sm', SM), 'no stream management')
    check(not a.features.find('mechanisms'), 'SASL offered again')
    check(a.features.find('ver', 'urn:xmpp:features:rosterver'), 'no roster versioning')
    check(a.features.find('sub', 'urn:xmpp:features:pre-approval'), 'no pre-approval')
    session = a.features.find('session')
    check(not session or session.find('optional'), 'session is offered and not optional')


# ---- STARTTLS (§5)

@each([('TLS 1.2', ssl.TLSVersion.TLSv1_2), ('TLS 1.3', ssl.TLSVersion.TLSv1_3)])
def direct_tls_speaks(stage, row):
    c = stage.client(False).link_up(version=row[1])
    c.open()
    equal(c.link.sock.version(), row[0].replace(' ', 'v'))


def old_tls_is_refused(stage):
    c = stage.client(False)
    with_old = tls_context()
    with_old.minimum_version = ssl.TLSVersion.TLSv1
    with_old.maximum_version = ssl.TLSVersion.TLSv1_1
    with_old.set_ciphers('ALL:@SECLEVEL=0')
    link = Link((stage.server.host, stage.server.ports['c2s_tls']))
    try:
        with_old.wrap_socket(link.sock, server_hostname='localhost')
    except (ssl.SSLError, OSError):
        return
    finally:
        link.close()
    raise Failed('TLS 1.1 was accepted')


def direct_tls_answers_alpn(stage):
    c = stage.client(False).link_up()
    equal(c.link.sock.selected_alpn_protocol(), 'xmpp-client')


def direct_tls_works_without_alpn(stage):
    c = stage.client(False)
    c.transport = 'tls'
    c.link = Link((stage.server.host, stage.server.ports['c2s_tls']))
    c.link.start_tls()
    c.open()
    check(c.features.find('mechanisms'), 'no features without ALPN')


def an_alpn_of_something_else_is_refused(stage):
    """RFC 7301 §3.2: no_application_protocol."""
    link = Link((stage.server.host, stage.server.ports['c2s_tls']))
    try:
        link.start_tls(alpn='smtp')
    except (ssl.SSLError, OSError):
        return
    finally:
        link.close()
    raise Failed('ALPN smtp was accepted')


def the_web_port_serves_direct_tls_xmpp_by_alpn(stage):
    a = stage.client()
    a.link = Link((stage.server.host, stage.server.ports['https']))
    a.link.start_tls(alpn='xmpp-client')
    a.open()
    a.online()
    a.ping()


def the_stream_restarts_after_starttls(stage):
    c = stage.client(False, 'plain').connect()
    first = c.header['id']
    c.starttls()
    check(c.header['id'] != first, 'the stream id did not change (§5.4.3.3)')


def stanzas_injected_behind_starttls_are_never_used(stage):
    """A man in the middle may pipeline plain text behind <starttls/>; none of it may be read as protected data."""
    c = stage.client(False, 'plain').connect()
    c.raw(f'<starttls xmlns="{TLS}"/>' + c.header_text() + f'<iq type="get" id="evil" to="localhost">{PING}</iq>')
    try:
        c.expect(f'<proceed xmlns="{TLS}"/>', timeout=2)
        c.link.start_tls()
        c.open()
    except (Failed, ssl.SSLError, OSError, Closed):
        check(not any(e['id'] == 'evil' for e in c.queue), 'injected stanza was answered')
        return
    c.raw('<x xmlns="urn:probe"/>')
    c.expect('<stream:error/>')
    check(not any(e['id'] == 'evil' for e in c.queue), 'injected stanza was answered')


def auth_before_starttls_is_refused(stage):
    a = stage.client(None, 'plain').connect()
    a.send(f'<auth xmlns="{SASL}" mechanism="PLAIN">{b64(plain(a.account.node, a.account.password))}</auth>')
    got = a._until(lambda: a.queue and a.queue.pop(0), 'refusal')
    check(got.name in ('failure', 'error'), got)


def starttls_twice_is_refused(stage):
    c = stage.client(False, 'starttls').connect()
    c.raw(f'<starttls xmlns="{TLS}"/>')
    got = c._until(lambda: c.queue and c.queue.pop(0), 'refusal')
    check(got.name in ('failure', 'error'), got)


def garbage_instead_of_a_handshake_closes(stage):
    c = stage.client(False, 'plain').connect()
    c.raw(f'<starttls xmlns="{TLS}"/>')
    c.expect(f'<proceed xmlns="{TLS}"/>')
    c.raw('this is no TLS record at all, and it is longer than a header')
    while not c.closed:
        try:
            if c.link.recv(TIMEOUT) is None:
                raise Failed('not closed')
        except Closed:
            return


# ---- before and after signing in (§4.9.3.12, §6.3, §7)

@each(['<message to="x@localhost"><body>hi</body></message>', '<presence/>', IQ_PING,
       f'<iq type="set" id="b"><bind xmlns="{BIND}"/></iq>'])
def stanzas_before_signing_in_are_not_authorized(stage, stanza):
    c = stage.client(False).connect()
    c.raw(stanza)
    c.expect_stream_error('not-authorized')


def stanzas_before_tls_are_not_authorized(stage):
    c = stage.client(False, 'plain').connect()
    c.raw(IQ_PING)
    c.expect_stream_error('not-authorized|policy-violation')


@each(['<message to="x@localhost"><body>hi</body></message>', '<presence/>', IQ_PING])
def stanzas_before_binding_are_not_authorized(stage, stanza):
    a = stage.client().authenticate()
    a.raw(stanza)
    got = a._until(lambda: a.queue and a.queue.pop(0), 'an answer')
    if got.name == 'error':
        check(got.find('not-authorized'), got)
    else:
        check(got.error in ('not-allowed', 'not-authorized'), got)


def an_unknown_top_level_element_is_unsupported(stage):
    a = stage.online()
    a.raw('<foo xmlns="jabber:client"/>')
    a.expect_stream_error('unsupported-stanza-type')


def an_unknown_namespace_child_is_unsupported(stage):
    a = stage.online()
    a.raw('<message xmlns="urn:example:foreign" to="x@localhost"><body>hi</body></message>')
    a.expect_stream_error('unsupported-stanza-type|invalid-namespace')


def character_data_between_stanzas_is_bad_format(stage):
    a = stage.online()
    a.raw('hello out there')
    a.raw('<presence/>')
    a.expect_stream_error('bad-format|invalid-xml')


def white_space_between_stanzas_keeps_alive(stage):
    a = stage.online()
    for _ in range(5):
        a.raw(' \n\t\r\n')
    a.ping()


def a_spoofed_from_is_refused_or_overridden(stage):
    """§8.1.2.1: the server either answers invalid-from or stamps the true address."""
    a, b = stage.online(), stage.online()
    a.raw(f'<message to="{b.jid}" from="admin@localhost/x" type="chat" id="s"><body>I am the boss</body></message>')
    while True:
        a._pump(0.05)
        b._pump(0.05)
        if a.queue or a.closed:
            a.expect_stream_error('invalid-from')
            b.expect_nothing('<message/>')
            return
        if b.queue:
            b.expect_next(f'<message from="{a.jid}"><body>I am the boss</body></message>')
            return


def the_own_bare_from_is_accepted(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" from="{a.bare}" type="chat"><body>me</body></message>')
    b.expect(f'<message from="{a.jid}"><body>me</body></message>')


def the_own_full_from_is_accepted(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" from="{a.jid}" type="chat"><body>me</body></message>')
    b.expect(f'<message from="{a.jid}"><body>me</body></message>')


# ---- XML (§11)

NOT_XML = [
    ('comment', '<!-- hello -->', 'restricted-xml'),
    ('processing instruction', '<?php echo 1 ?>', 'restricted-xml'),
    ('DTD', '<!DOCTYPE a [<!ENTITY b "c">]>', 'restricted-xml|not-well-formed'),
    ('internal entity', '<message to="localhost"><body>&evil;</body></message>', 'restricted-xml|not-well-formed'),
    ('mismatched tags', '<message><body></message></body>', 'not-well-formed'),
    ('unquoted attribute', '<message to=localhost/>', 'not-well-formed'),
    ('attribute twice', '<message to="a@b" to="a@b"/>', 'not-well-formed'),
    ('undeclared prefix', '<message to="localhost"><nope:x/></message>', 'not-well-formed|bad-namespace-prefix'),
    ('bare ampersand', '<message to="localhost"><body>a & b</body></message>', 'not-well-formed'),
    ('control character', '<message to="localhost"><body>\x01</body></message>', 'not-well-formed'),
    ('control character reference', '<message to="localhost"><body>&#1;</body></message>', 'not-well-formed'),
    ('XML declaration inside', '<?xml version="1.0"?>', 'not-well-formed|restricted-xml'),
    ('FFFE', '<message to="localhost"><body>\ufffe</body></message>', 'not-well-formed'),
    ('comment in a stanza', '<message to="localhost"><!-- hi --><body/></message>', 'restricted-xml'),
    ('PI in a stanza', '<message to="localhost"><?hi there?><body/></message>', 'restricted-xml'),
]


@each(NOT_XML, lambda r: r[0])
def bad_xml_is_refused(stage, row):
    a = stage.online()
    a.raw(row[1])
    a.expect_stream_error(row[2])


@each(NOT_XML, lambda r: r[0])
def bad_xml_before_signing_in_is_refused(stage, row):
    c = stage.client(False).connect()
    c.raw(row[1])
    c.expect_stream_error(row[2] + '|not-authorized')


BAD_UTF8 = [b'\xff', b'\xc0\xaf', b'\xc3(', b'\xe2\x82', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xf8\x88\x80\x80\x80',
            b'\xe0\x80\x80', b'\x80']


@each(BAD_UTF8, lambda r: r.hex())
def bad_utf8_is_refused(stage, row):
    a = stage.online()
    a.raw(b'<message to="localhost"><body>' + row + b'</body></message>')
    a.expect_stream_error('unsupported-encoding|not-well-formed|bad-format')


@each(BAD_UTF8, lambda r: r.hex())
def bad_utf8_split_over_packets_is_refused(stage, row):
    a = stage.online()
    a.raw(b'<message to="localhost"><body>')
    try:
        for byte in row:
            a.raw(bytes([byte]))
        a.raw(b'</body></message>')
    except Closed:
        pass
    a.expect_stream_error('unsupported-encoding|not-well-formed|bad-format')


def another_encoding_is_unsupported(stage):
    c = stage.client(False).link_up()
    c.raw("<?xml version='1.0' encoding='UTF-16'?>" + c.header_text().partition('?>')[2])
    c.expect_stream_error('unsupported-encoding|not-well-formed|bad-format')


def utf16_bytes_are_refused(stage):
    c = stage.client(False).link_up()
    c.link.send(c.header_text().encode('utf-16'))
    c.expect_stream_error('unsupported-encoding|not-well-formed|bad-format|invalid-xml')


def good_utf8_split_over_packets_arrives(stage):
    a, b = stage.online(), stage.online()
    text = 'Grüße 鸿雁 🪿 e\u0301'
    for byte in f'<message to="{b.jid}" type="chat"><body>{text}</body></message>'.encode():
        a.raw(bytes([byte]))
    b.expect(f'<message from="{a.jid}"><body>{text}</body></message>')


def predefined_entities_and_references_arrive(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat"><body>&lt;&amp;&gt;&quot;&apos;&#x9E3F;&#38597;</body></message>')
    got = b.expect('<message><body/></message>')
    equal(got.textof('body'), '<&>"\'鸿雅', 'body')


def cdata_arrives_as_text(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat"><body><![CDATA[<b> & ]]]]><![CDATA[>]]></body></message>')
    equal(b.expect('<message><body/></message>').textof('body'), '<b> & ]]>', 'body')


def white_space_in_bodies_is_kept(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat"><body>  two\n\tlines  </body></message>')
    equal(b.expect('<message><body/></message>').textof('body'), '  two\n\tlines  ', 'body')


def unknown_payload_namespaces_pass_through_unchanged(stage):
    a, b = stage.online(), stage.online()
    a.send(f'<message to="{b.jid}" type="chat" xml:lang="de"><body>x</body><p:x xmlns:p="urn:p" xmlns:q="urn:q" q:k="v&amp;&quot;&lt;"'
           '><y xmlns="urn:y"><p:z/>text<y/>tail</y></p:x></message>')
    got = b.expect('<message xml:lang="de"><x xmlns="urn:p"><y xmlns="urn:y"><z xmlns="urn:p"/><y/></y></x></message>')
    x = got.find('x')
    equal(x['urn:q k'], 'v&"<', 'prefixed attribute')
    equal(x.find('y').text, 'texttail', 'mixed content')


# ---- sizes (§13.12, XEP-0478)

def limits_are_advertised_and_hold(stage):
    a = stage.client().authenticate()
    limits = a.features.find('limits', 'urn:xmpp:stream-limits:0')
    check(limits, 'no limits (XEP-0478)')
    size = int(limits.textof('max-bytes'))
    check(size >= 10000, 'RFC 6120 §13.12 wants 10,000 bytes at least')
    b = stage.online()
    a.bind()
    head, tail = f'<message to="{b.jid}" type="chat"><body>', '</body></message>'
    fits = head + 'x' * (size - len(head) - len(tail)) + tail
    a.raw(fits)
    got = b.expect('<message><body/></message>')
    equal(len(got.textof('body')), size - len(head) - len(tail), 'length of the largest body')
    try:
        a.raw(head + 'x' * (2 * size) + tail)
    except Closed:
        pass
    a.expect_stream_error('policy-violation')
    b.ping()


def limits_before_signing_in_are_smaller_or_equal(stage):
    c = stage.client(False).connect()
    limits = c.features.find('limits', 'urn:xmpp:stream-limits:0')
    check(limits, 'no limits (XEP-0478)')
    size = int(limits.textof('max-bytes'))
    try:
        c.raw('<auth xmlns="%s" mechanism="PLAIN">%s</auth>' % (SASL, 'A' * (size + 1000)))
    except Closed:
        pass
    c.expect_stream_error('policy-violation')


def deep_stanzas_are_refused(stage):
    a = stage.online()
    a.raw('<message to="localhost">' + '<a xmlns="urn:a">' * 5000)
    a.expect_stream_error('policy-violation')


def many_attributes_are_refused_or_passed(stage):
    a, b = stage.online(), stage.online()
    a.raw(f'<message to="{b.jid}"><body>x</body><a xmlns="urn:a" %s/></message>' % ' '.join('a%d="1"' % i for i in range(3000)))
    a._until(lambda: a.closed or a._pump(0.05) or b._pump(0.05) or b.queue, 'outcome')
    if b.queue:
        b.expect('<message><a xmlns="urn:a" a2999="1"/></message>')
    else:
        a.expect_stream_error('policy-violation')
    b.ping()


def a_long_attribute_counts_into_the_limit(stage):
    a = stage.online()
    try:
        a.raw('<message to="' + 'x' * (2 << 20))
    except Closed:
        pass
    a.expect_stream_error('policy-violation')


def a_stanza_that_never_ends_is_bounded(stage):
    a = stage.online()
    chunk = 'x' * 65536
    try:
        a.raw('<message to="localhost"><body>')
        for _ in range(1024):
            a.link.send(chunk.encode())
    except Closed:
        pass
    a.expect_stream_error('policy-violation')


# ---- binding (§7)

def the_server_makes_a_resource_when_none_is_asked(stage):
    a = stage.client().authenticate()
    a.bind()
    check(a.jid.startswith(a.bare + '/') and len(a.resource) >= 8, a.jid)


def the_asked_resource_is_bound_or_another_is_given(stage):
    a = stage.client().authenticate()
    a.bind('home')
    check(a.jid.startswith(a.bare + '/'), a.jid)


def generated_resources_differ(stage):
    a = stage.client().login()
    b = stage.client(a.account).login()
    check(a.jid != b.jid, 'same resource twice')


def a_resource_conflict_is_resolved(stage):
    """§7.7.2.2: the older is ended with conflict, or the newer gets another resource or an error."""
    a = stage.online(resource='home')
    b = stage.client(a.account).authenticate()
    answer = b.iq('set', f'<bind xmlns="{BIND}"><resource>home</resource></bind>')
    if answer['type'] == 'error':
        equal(answer.error, 'conflict')
        a.ping()
    elif answer.textof('bind/jid') == a.jid:
        a.expect_stream_error('conflict')
        b.ping()
    else:
        a.ping()
        b.ping()


def binding_twice_is_refused(stage):
    a = stage.online()
    a.refused('set', f'<bind xmlns="{BIND}"><resource>two</resource></bind>', 'not-allowed|service-unavailable|feature-not-implemented|bad-request')
    a.ping()


@each(['x' * 1024, 'a\u0007b'.replace('\u0007', '\u00ad\u200b'), ' '], lambda r: '%d characters' % len(r))
def a_bad_resource_is_refused_or_replaced(stage, resource):
    a = stage.client().authenticate()
    answer = a.iq('set', f'<bind xmlns="{BIND}"><resource>{resource}</resource></bind>')
    if answer['type'] == 'error':
        check(answer.error in ('bad-request', 'jid-malformed'), answer)
    else:
        check(len(answer.textof('bind/jid').partition('/')[2].encode()) <= 1023, 'resource too long')


def the_session_request_of_old_clients_is_answered(stage):
    a = stage.client().login()
    a.set('<session xmlns="urn:ietf:params:xml:ns:xmpp-session"/>')


def several_resources_live_side_by_side(stage):
    a = stage.online(resource='one')
    b = stage.again(a, 'two')
    a.send(f'<message to="{b.jid}" type="chat"><body>to myself</body></message>')
    b.expect(f'<message from="{a.jid}"><body>to myself</body></message>')
