# SPDX-License-Identifier: AGPL-3.0-or-later
"""RFC 9112/9110: the web server, its API and abuse of HTTP."""
import re

from web import *


def the_page_is_served_with_a_strict_policy(stage):
    r = fetch(stage, 'GET', '/')
    equal(r.status, 200)
    check(r.headers['content-type'].startswith('text/html'), r.headers)
    policy = r.headers.get('content-security-policy', '')
    check("default-src 'self'" in policy or "default-src 'none'" in policy, policy)
    check("'unsafe-inline'" not in policy and "'unsafe-eval'" not in policy, policy)
    equal(r.headers.get('x-content-type-options'), 'nosniff')


@each(['/setup', '/i/TOKEN', '/c/alice@localhost', '/settings'])
def client_side_routes_answer_the_page(stage, path):
    r = fetch(stage, 'GET', path)
    equal(r.status, 200)
    check(b'<!doctype html' in r.body[:200].lower(), r)


def assets_are_precompressed_and_immutable(stage):
    page = fetch(stage, 'GET', '/').body.decode()
    paths = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    check(paths, 'the page names no assets')
    for path in paths[:4]:
        for coding in ('br', 'gzip'):
            r = fetch(stage, 'GET', path, headers={'Accept-Encoding': coding})
            equal(r.status, 200)
            if not path.endswith(('.png', '.woff2', '.jpg')):
                equal(r.headers.get('content-encoding'), coding, path)
                check('accept-encoding' in r.headers.get('vary', '').lower(), 'no Vary')
            check('immutable' in r.headers.get('cache-control', ''), r.headers)
        plain_ = fetch(stage, 'GET', path, headers={'Accept-Encoding': 'identity'})
        check(plain_.headers.get('content-encoding') in (None, 'identity') and plain_.status == 200, plain_)


@each(['/assets/none.js', '/favicon-none.ico', '/api/v1/none', '/upload/none/none.txt', '/.well-known/none'])
def what_is_not_there_is_404(stage, path):
    equal(fetch(stage, 'GET', path).status, 404)


def the_health_pages_answer(stage):
    equal(fetch(stage, 'GET', '/healthz').status, 200)
    equal(fetch(stage, 'GET', '/readyz').status, 200)
    r = fetch(stage, 'GET', '/metrics')
    equal(r.status, 200)
    check(re.search(rb'^# TYPE \w+ (counter|gauge|histogram)$', r.body, re.M), r)


def the_server_is_described(stage):
    r = fetch(stage, 'GET', '/api/v1/server').json()
    equal(r['domain'], 'localhost')
    equal(r['muc'], 'conference.localhost')
    equal(r['websocket'], '/xmpp-websocket')
    equal(r['registration_open'], False)
    check(isinstance(r['setup_needed'], bool) and r['upload_max_bytes'] > 0, r)


def host_meta_names_the_websocket(stage):
    r = fetch(stage, 'GET', '/.well-known/host-meta')
    equal(r.status, 200)
    check(b'urn:xmpp:alt-connections:websocket' in r.body and b'wss://' in r.body, r)
    equal(r.headers.get('access-control-allow-origin'), '*', 'XEP-0156 §5: CORS')
    r = fetch(stage, 'GET', '/.well-known/host-meta.json')
    links = {x['rel']: x['href'] for x in r.json()['links']}
    check(links['urn:xmpp:alt-connections:websocket'].endswith('/xmpp-websocket'), links)


def several_requests_share_a_connection(stage):
    w = Web(stage.server)
    for _ in range(5):
        equal(w.request('GET', '/healthz').status, 200)


def pipelined_requests_are_answered_in_order(stage):
    w = Web(stage.server)
    one = f'GET /healthz HTTP/1.1\r\nHost: {w.host}\r\n\r\n'
    two = f'GET /api/v1/server HTTP/1.1\r\nHost: {w.host}\r\n\r\n'
    w.raw(one + two + one)
    equal([w.response().status for _ in range(3)], [200, 200, 200])


def connection_close_closes(stage):
    w = Web(stage.server)
    equal(w.request('GET', '/healthz', headers={'Connection': 'close'}).status, 200)
    check(w.closed(), 'not closed')


def head_has_no_body(stage):
    w = Web(stage.server)
    r = w.request('HEAD', '/')
    equal(r.status, 200)
    check(int(r.headers['content-length']) > 0, r.headers)
    equal(w.request('GET', '/healthz').status, 200, 'the request after HEAD')


@each(['DELETE', 'PATCH', 'PUT', 'TRACE', 'CONNECT'])
def wrong_methods_are_refused(stage, method):
    r = fetch(stage, method, '/api/v1/server')
    check(r.status in (400, 405, 501), r)


def a_wrong_method_names_the_right_ones(stage):
    r = fetch(stage, 'DELETE', '/api/v1/server')
    check(r.status != 405 or 'GET' in r.headers.get('allow', ''), r)


# ---- ambiguity and smuggling (RFC 9112 §2.2, §6, §11.2)

H = 'Host: localhost\r\n'
SMUGGLE = [
    ('two lengths', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'),
    ('two equal lengths in one', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: 4, 4\r\n\r\nabcd'),
    ('length with chunked', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ('chunked with length', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'),
    ('chunked twice', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'),
    ('chunked not last', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'),
    ('unknown coding', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'),
    ('two codings headers', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n'),
    ('negative length', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n'),
    ('plus length', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: +4\r\n\r\nabcd'),
    ('hex length', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: 0x4\r\n\r\nabcd'),
    ('huge length', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length: 99999999999999999999\r\n\r\n'),
    ('space before the colon', f'GET /healthz HTTP/1.1\r\n{H}X-A : b\r\n\r\n'),
    ('space before length colon', f'POST /api/v1/register HTTP/1.1\r\n{H}Content-Length : 4\r\n\r\nabcd'),
    ('folded header', f'GET /healthz HTTP/1.1\r\n{H}X-A: b\r\n c\r\n\r\n'),
    ('leading white space', f'GET /healthz HTTP/1.1\r\n X-A: b\r\n{H}\r\n'),
    ('bare LF', 'GET /healthz HTTP/1.1\nHost: localhost\n\n'),
    ('bare LF between headers', f'GET /healthz HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n'),
    ('bare CR in a value', f'GET /healthz HTTP/1.1\r\n{H}X: a\rb\r\n\r\n'),
    ('NUL in a value', f'GET /healthz HTTP/1.1\r\n{H}X: a\0b\r\n\r\n'),
    ('bad header name', f'GET /healthz HTTP/1.1\r\n{H}X[Y]: z\r\n\r\n'),
    ('empty header name', f'GET /healthz HTTP/1.1\r\n{H}: z\r\n\r\n'),
    ('no colon', f'GET /healthz HTTP/1.1\r\n{H}nonsense\r\n\r\n'),
    ('no host', 'GET /healthz HTTP/1.1\r\n\r\n'),
    ('two hosts', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
    ('bad host', 'GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n'),
    ('bad chunk size', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n'),
    ('signed chunk size', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n'),
    ('0x chunk size', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n'),
    ('huge chunk size', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n'),
    ('chunk without CRLF', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3\r\nabcX0\r\n\r\n'),
    ('chunk size ended by LF', f'POST /api/v1/register HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n'),
    ('bad version', f'GET /healthz HTTP/9.9\r\n{H}\r\n'),
    ('no version', f'GET /healthz\r\n{H}\r\n'),
    ('lower case method', f'get /healthz HTTP/1.1\r\n{H}\r\n'),
    ('two spaces', f'GET  /healthz HTTP/1.1\r\n{H}\r\n'),
    ('tab in the request line', f'GET\t/healthz\tHTTP/1.1\r\n{H}\r\n'),
    ('control in the path', f'GET /heal\x01thz HTTP/1.1\r\n{H}\r\n'),
    ('not HTTP', 'hello there, server\r\n\r\n'),
]


@each(SMUGGLE, lambda r: r[0])
def ambiguous_requests_are_refused_and_the_connection_ends(stage, row):
    """Nothing behind such a request is ever taken for another request."""
    w = Web(stage.server)
    w.raw(row[1])
    try:
        r = w.response()
        check(400 <= r.status < 600, 'accepted: %s' % r)
    except Closed:
        pass
    try:
        w.raw(f'GET /api/v1/server HTTP/1.1\r\nHost: localhost\r\n\r\n')
    except Closed:
        return
    check(w.closed(), 'the connection stays open')
    check(b'"domain"' not in w.buf, 'a second request was answered')


def a_smuggled_request_is_not_answered(stage):
    """CL.0: a body on GET is a body, not the next request."""
    w = Web(stage.server)
    inner = f'GET /api/v1/server HTTP/1.1\r\nHost: x\r\n\r\n'
    w.raw(f'GET /healthz HTTP/1.1\r\nHost: {w.host}\r\nContent-Length: {len(inner)}\r\n\r\n{inner}')
    r = w.response()
    if r.status == 200:
        w.raw(f'GET /healthz HTTP/1.1\r\nHost: {w.host}\r\nConnection: close\r\n\r\n')
        equal(w.response().status, 200)
    w.closed()
    check(b'"domain"' not in w.buf, 'the body was taken for a request')


@each(['/../etc/passwd', '/assets/../../../etc/passwd', '/assets/%2e%2e/%2e%2e/etc/passwd', '/assets/..%2f..%2fetc%2fpasswd',
       '/assets/%252e%252e/x', '/assets/....//x', '/upload/../anser.db', '/upload/%2e%2e/anser.db', '/upload/x/..%2f..%2fanser.db',
       '/assets/x%00.js', '//etc/passwd', '/assets/\\..\\..\\x', '/%c0%ae%c0%ae/etc/passwd', '/assets/%zz'])
def paths_do_not_leave_their_place(stage, path):
    w = Web(stage.server)
    w.raw(f'GET {path} HTTP/1.1\r\nHost: {w.host}\r\nConnection: close\r\n\r\n')
    r = w.response()
    check(b'root:' not in r.body and b'SQLite' not in r.body, 'a file outside was served')
    check(r.status in (400, 404, 301, 308) or (r.status == 200 and b'<html' in r.body.lower()), r)


def a_long_request_line_is_414_or_431(stage):
    w = Web(stage.server)
    try:
        w.raw('GET /' + 'a' * 200000 + f' HTTP/1.1\r\nHost: {w.host}\r\n\r\n')
    except Closed:
        pass
    try:
        check(w.response().status in (400, 414, 431), 'accepted')
    except Closed:
        pass


def too_many_headers_are_431(stage):
    w = Web(stage.server)
    try:
        w.raw(f'GET /healthz HTTP/1.1\r\nHost: {w.host}\r\n' + ''.join('X-%d: y\r\n' % i for i in range(20000)) + '\r\n')
    except Closed:
        pass
    try:
        check(w.response().status in (400, 431), 'accepted')
    except Closed:
        pass


def a_large_json_body_is_413(stage):
    w = Web(stage.server)
    try:
        r = w.request('POST', '/api/v1/register', b'{"name":"' + b'x' * 2000000 + b'"}', {'Content-Type': 'application/json'})
        check(r.status in (400, 413), r)
    except Closed:
        pass
    equal(fetch(stage, 'GET', '/healthz').status, 200)


@each([b'', b'{', b'[]', b'null', b'{"name":5}', b'{"name":null,"password":[]}', b'\xff\xfe', b'{"name":"a","name":"b"}', b'[' * 5000],
      lambda r: repr(r[:24])[2:-1])
def bad_json_is_400(stage, body):
    r = fetch(stage, 'POST', '/api/v1/register', body, {'Content-Type': 'application/json'})
    check(r.status in (400, 403, 415), r)
    if r.body:
        check(set(r.json()) >= {'error', 'message'}, r)


def a_wrong_content_type_is_refused(stage):
    """A form of a foreign page can send text/plain without asking: it must not reach the API."""
    r = fetch(stage, 'POST', '/api/v1/setup', b'{"code":"x","name":"evil","password":"long enough"}', {'Content-Type': 'text/plain'})
    check(r.status in (400, 403, 415), r)


def a_foreign_origin_may_not_post(stage):
    r = fetch(stage, 'POST', '/api/v1/register', {'name': 'evil', 'password': 'long enough pw', 'token': 'x'}, {'Origin': 'https://evil.example'})
    check(r.status in (400, 403, 404), r)
    check(r.headers.get('access-control-allow-origin') in (None, 'null'), r.headers)


def expect_continue_is_honoured(stage):
    w = Web(stage.server)
    body = b'{"name":"x"}'
    w.raw(f'POST /api/v1/register HTTP/1.1\r\nHost: {w.host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n')
    r = w.response(head_only=True)
    if r.status == 100:
        w.raw(body)
        r = w.response()
    check(400 <= r.status < 500, r)


def a_request_in_single_bytes_is_answered(stage):
    w = Web(stage.server)
    for byte in f'GET /healthz HTTP/1.1\r\nHost: {w.host}\r\n\r\n':
        w.raw(byte)
    equal(w.response().status, 200)


def plain_http_on_the_tls_port_does_no_harm(stage):
    link = Link((stage.server.host, stage.server.ports['https']))
    link.send(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    try:
        while link.recv(TIMEOUT) is not None:
            pass
        raise Failed('left open')
    except Closed:
        pass


# ---- first-run page, with a server that has no administrator yet

def the_setup_link_makes_the_first_administrator(stage):
    server = stage.own_server()
    text = '\n'.join(server.greeting)
    m = re.search(r'https://[^\s#]+/setup#(\S+)', text)
    check(m, 'no setup link at start: %s' % text)
    stage.server = server
    check(fetch(stage, 'GET', '/api/v1/server').json()['setup_needed'], 'setup_needed is false')
    r = fetch(stage, 'POST', '/api/v1/setup', {'code': 'wrong', 'name': 'alice', 'password': 'long enough pw'})
    equal((r.status, r.json()['error']), (403, 'bad-code'))
    for name, password, error in (('al ice', 'long enough pw', 'bad-name'), ('', 'long enough pw', 'bad-name'), ('alice', 'short', 'weak-password')):
        r = fetch(stage, 'POST', '/api/v1/setup', {'code': m.group(1), 'name': name, 'password': password})
        equal((r.status, r.json()['error']), (400, error), name + ' ' + password)
    r = fetch(stage, 'POST', '/api/v1/setup', {'code': m.group(1), 'name': 'alice', 'password': 'long enough pw'})
    equal((r.status, r.json()['jid']), (201, 'alice@localhost'))
    r = fetch(stage, 'POST', '/api/v1/setup', {'code': m.group(1), 'name': 'mallory', 'password': 'long enough pw'})
    check(r.status in (403, 409), r)
    equal(fetch(stage, 'GET', '/api/v1/server').json()['setup_needed'], False)
    a = stage.client(Account('alice', 'localhost', 'long enough pw'), server=server).online()
    a.ping()
    check('admin' in server.cli('user', 'list').stdout, 'not an administrator')


def the_setup_link_is_not_printed_when_there_is_an_administrator(stage):
    server = stage.own_server()
    server.add('root1', admin=True)
    server.restart()
    check('/setup#' not in '\n'.join(server.greeting), server.greeting)


@on_server({'registration.open': 'true'})
def open_registration_by_the_api(stage):
    check(fetch(stage, 'GET', '/api/v1/server').json()['registration_open'], 'not open')
    r = fetch(stage, 'POST', '/api/v1/register', {'name': 'bob', 'password': 'long enough pw'})
    equal((r.status, r.json()['jid']), (201, 'bob@localhost'))
    r = fetch(stage, 'POST', '/api/v1/register', {'name': 'BOB', 'password': 'long enough pw'})
    check(r.status in (400, 409), r)
    stage.client(Account('bob', 'localhost', 'long enough pw'), server=stage.server).online()


def closed_registration_by_the_api_needs_a_token(stage):
    r = fetch(stage, 'POST', '/api/v1/register', {'name': 'bob', 'password': 'long enough pw'})
    check(r.status in (400, 403, 404), r)
    r = fetch(stage, 'POST', '/api/v1/register', {'name': 'bob', 'password': 'long enough pw', 'token': 'forged'})
    check(r.status in (403, 404), r)
