# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0363 1.2 and the file server behind it."""
import os
import urllib.parse

from web import *

UPLOAD = 'urn:xmpp:http:upload:0'
SERVICE = 'upload.localhost'


class Slot:
    def __init__(self, el):
        put = el.find('slot/put')
        self.put = self._path(put['url'])
        self.get = self._path(el.find('slot/get')['url'])
        self.headers = {h['name']: h.text for h in put.all('header')}
        self.urls = put['url'], el.find('slot/get')['url']

    @staticmethod
    def _path(url):
        parts = urllib.parse.urlsplit(url)
        return parts.path + ('?' + parts.query if parts.query else '')


def slot(c, name='photo.jpg', size=5, kind='image/jpeg', answer='good'):
    attrs = f' content-type="{kind}"' if kind else ''
    payload = f'<request xmlns="{UPLOAD}" filename="{name}" size="{size}"{attrs}/>'
    if answer != 'good':
        return c.refused('get', payload, answer, SERVICE)
    return Slot(c.get(payload, SERVICE))


def put(stage, s, body, kind='image/jpeg', headers=None):
    head = dict(s.headers)
    if kind:
        head['Content-Type'] = kind
    head.update(headers or {})
    return fetch(stage, 'PUT', s.put, body, head)


def stored(stage, body=b'hello', name='photo.jpg', kind='image/jpeg'):
    a = stage.online()
    s = slot(a, name, len(body), kind)
    r = put(stage, s, body, kind)
    equal(r.status, 201, str(r))
    return s


def a_file_goes_up_and_comes_down(stage):
    body = os.urandom(300000)
    s = stored(stage, body)
    check(all(u.startswith('https://') for u in s.urls), s.urls)
    r = fetch(stage, 'GET', s.get)
    equal(r.status, 200)
    equal(r.body, body)
    equal(r.headers['content-type'], 'image/jpeg')
    equal(r.headers.get('x-content-type-options'), 'nosniff')
    check(r.headers.get('etag'), 'no ETag')
    head = fetch(stage, 'HEAD', s.get)
    equal((head.status, head.headers['content-length']), (200, str(len(body))))


def slots_differ_and_are_not_guessable(stage):
    a = stage.online()
    seen = {slot(a).get for _ in range(10)}
    equal(len(seen), 10)
    check(all(len(p.split('/')[2]) >= 16 for p in seen), seen)


def an_empty_slot_is_404(stage):
    a = stage.online()
    equal(fetch(stage, 'GET', slot(a).get).status, 404)


@each(['très cool.jpg', '鸿雁.png', 'a&amp;b?c#d.txt', '../../etc/passwd', 'x' * 190 + '.txt', '.htaccess', 'a%2fb.txt', 'con.txt '],
      lambda r: r[:20])
def file_names_survive_in_the_url(stage, name):
    a = stage.online()
    s = slot(a, name, 3, 'text/plain')
    for url in s.urls:
        url.encode('ascii')
        check(' ' not in url and '/../' not in url, url)
    equal(put(stage, s, b'abc', 'text/plain').status, 201)
    equal(fetch(stage, 'GET', s.get).body, b'abc')


BAD = [('no name', 'size="5"', 'bad-request'), ('no size', 'filename="x"', 'bad-request'), ('zero', 'filename="x" size="0"', 'bad-request|not-acceptable'),
       ('negative', 'filename="x" size="-5"', 'bad-request'), ('not a number', 'filename="x" size="five"', 'bad-request'),
       ('empty name', 'filename="" size="5"', 'bad-request'), ('huge', 'filename="x" size="99999999999999999999"', 'bad-request|not-acceptable')]


@each(BAD, lambda r: r[0])
def bad_requests_are_refused(stage, row):
    a = stage.online()
    a.refused('get', f'<request xmlns="{UPLOAD}" {row[1]}/>', row[2], SERVICE)


def too_large_files_are_refused_with_the_limit(stage):
    a = stage.online()
    err = slot(a, 'big.bin', 1 << 50, None, 'not-acceptable')
    limit = err.textof('error/file-too-large/max-file-size')
    check(limit and limit.isdigit(), err)
    slot(a, 'fits.bin', int(limit), None)


def strangers_get_no_slot(stage):
    """Only local accounts may upload; here everybody is local, so only a stream without account could ask."""
    c = stage.client(False).connect()
    c.raw(f'<iq type="get" id="u" to="{SERVICE}"><request xmlns="{UPLOAD}" filename="x" size="5"/></iq>')
    c.expect_stream_error('not-authorized')


def the_wrong_size_is_refused(stage):
    a = stage.online()
    for body in (b'hell', b'hello!', b''):
        s = slot(a)
        r = put(stage, s, body)
        check(r.status in (400, 403, 409, 411, 413), '%d bytes of 5: %s' % (len(body), r))
        equal(fetch(stage, 'GET', s.get).status, 404)


def the_wrong_type_is_refused(stage):
    a = stage.online()
    s = slot(a)
    r = put(stage, s, b'hello', 'text/html')
    check(r.status in (400, 403, 409, 415), r)


def the_wrong_or_missing_token_is_refused(stage):
    a = stage.online()
    s = slot(a)
    if s.headers:
        r = fetch(stage, 'PUT', s.put, b'hello', {'Content-Type': 'image/jpeg'})
        check(r.status in (401, 403), 'without token: %s' % r)
        for key, value in s.headers.items():
            bad = value[:-3] + ('AAA' if value[-3:] != 'AAA' else 'BBB')
            r = fetch(stage, 'PUT', s.put, b'hello', {'Content-Type': 'image/jpeg', key: bad})
            check(r.status in (401, 403), 'with a wrong token: %s' % r)
    other = slot(a)
    parts = s.put.split('/')
    parts[2] = other.put.split('/')[2]
    r = fetch(stage, 'PUT', '/'.join(parts[:3] + ['other.jpg']), b'hello', dict(s.headers, **{'Content-Type': 'image/jpeg'}))
    check(r.status in (401, 403, 404), 'token of another slot: %s' % r)
    equal(put(stage, s, b'hello').status, 201)


def a_slot_is_used_once(stage):
    a = stage.online()
    s = slot(a)
    equal(put(stage, s, b'hello').status, 201)
    r = put(stage, s, b'EVIL!')
    check(r.status in (200, 201, 403, 409), r)
    equal(fetch(stage, 'GET', s.get).body, b'hello', 'content after a second PUT')


def a_chunked_upload_works_or_wants_a_length(stage):
    a = stage.online()
    s = slot(a)
    w = Web(stage.server)
    head = ''.join('%s: %s\r\n' % kv for kv in s.headers.items())
    w.raw(f'PUT {s.put} HTTP/1.1\r\nHost: {w.host}\r\nContent-Type: image/jpeg\r\n{head}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n')
    r = w.response()
    check(r.status in (201, 411), r)


RANGES = [('bytes=0-3', 206, b'0123', 'bytes 0-3/10'), ('bytes=5-', 206, b'56789', 'bytes 5-9/10'), ('bytes=-2', 206, b'89', 'bytes 8-9/10'),
          ('bytes=9-9', 206, b'9', 'bytes 9-9/10'), ('bytes=0-99', 206, b'0123456789', 'bytes 0-9/10'), ('bytes=10-', 416, None, 'bytes */10'),
          ('bytes=5-2', 200, b'0123456789', None), ('lines=1-2', 200, b'0123456789', None), ('bytes=x-y', 200, b'0123456789', None),
          ('bytes=-0', 416, None, 'bytes */10')]


@each(RANGES, lambda r: r[0])
def ranges_follow_rfc_9110(stage, row):
    s = stored(stage, b'0123456789')
    r = fetch(stage, 'GET', s.get, headers={'Range': row[0]})
    if row[1] == 200 and r.status == 416:
        return  # §14.2: an invalid range may be refused
    equal(r.status, row[1])
    if row[2] is not None:
        equal(r.body, row[2])
    if row[3]:
        equal(r.headers.get('content-range'), row[3])


def several_ranges_are_answered_somehow(stage):
    s = stored(stage, b'0123456789')
    r = fetch(stage, 'GET', s.get, headers={'Range': 'bytes=0-1,4-5'})
    check(r.status in (200, 206), r)
    r = fetch(stage, 'GET', s.get, headers={'Range': 'bytes=' + ','.join('0-' for _ in range(2000))})
    check(r.status in (200, 206, 400, 416, 431), r)
    check(len(r.body) < 100000, 'amplified to %d bytes' % len(r.body))


def etags_save_the_transfer(stage):
    s = stored(stage)
    tag = fetch(stage, 'GET', s.get).headers['etag']
    r = fetch(stage, 'GET', s.get, headers={'If-None-Match': tag})
    equal((r.status, r.headers.get('etag')), (304, tag))
    equal(fetch(stage, 'GET', s.get, headers={'If-None-Match': '"other"'}).status, 200)
    equal(fetch(stage, 'GET', s.get, headers={'If-None-Match': '*'}).status, 304)
    r = fetch(stage, 'GET', s.get, headers={'Range': 'bytes=0-1', 'If-Range': tag})
    equal((r.status, r.body), (206, b'he'))
    r = fetch(stage, 'GET', s.get, headers={'Range': 'bytes=0-1', 'If-Range': '"other"'})
    equal((r.status, r.body), (200, b'hello'))


TYPES = [('image/png', True), ('image/jpeg', True), ('audio/ogg', True), ('video/mp4', True), ('text/html', False), ('image/svg+xml', False),
         ('application/javascript', False), ('application/xhtml+xml', False), ('text/xml', False), ('application/pdf', False), (None, False)]


@each(TYPES, lambda r: str(r[0]))
def active_content_is_never_shown_inline(stage, row):
    s = stored(stage, b'<script>alert(1)</script>', 'x.html', row[0])
    r = fetch(stage, 'GET', s.get)
    disposition = r.headers.get('content-disposition', '')
    if not row[1]:
        check(disposition.startswith('attachment') or r.headers['content-type'] in ('application/octet-stream', 'text/plain; charset=utf-8'), r.headers)
    equal(r.headers.get('x-content-type-options'), 'nosniff')
    policy = r.headers.get('content-security-policy', '')
    check("default-src 'none'" in policy or 'sandbox' in policy, 'policy %r' % policy)


def patch(stage, s, body, start, end):
    return fetch(stage, 'PATCH', s.put, body[start:end],
                 dict(s.headers, **{'Upload-Offset': str(start), 'Content-Type': 'application/partial-upload'}))


def a_broken_upload_can_be_resumed(stage):
    """docs: HEAD tells Upload-Offset, PATCH appends."""
    body = os.urandom(100000)
    a = stage.online()
    s = slot(a, 'big.bin', len(body), 'application/octet-stream')
    w = Web(stage.server)
    head = ''.join('%s: %s\r\n' % kv for kv in s.headers.items())
    w.raw(f'PUT {s.put} HTTP/1.1\r\nHost: {w.host}\r\nContent-Type: application/octet-stream\r\n{head}Content-Length: {len(body)}\r\n\r\n'.encode() + body[:40000])
    w.close()
    def offset():
        r = fetch(stage, 'HEAD', s.put, headers=s.headers)
        return int(r.headers.get('upload-offset', 0))
    for _ in range(200):
        if offset() > 0:
            break
    check(0 < offset() <= 40000, 'offset %d' % offset())
    equal(fetch(stage, 'GET', s.get).status, 404, 'GET while incomplete')
    r = patch(stage, s, body, 50000, len(body))
    check(r.status in (400, 409), 'wrong offset: %s' % r)
    for _ in range(200):  # what was sent before the break may still be on its way to the disk
        r = patch(stage, s, body, offset(), 60000)
        if r.status != 409:
            break
    check(r.status in (200, 202, 204), r)
    r = patch(stage, s, body, 60000, len(body))
    equal(r.status, 201)
    equal(fetch(stage, 'GET', s.get).body, body)


def more_than_the_size_cannot_be_appended(stage):
    a = stage.online()
    s = slot(a, 'x.bin', 5, 'application/octet-stream')
    r = fetch(stage, 'PATCH', s.put, b'hello, too much', dict(s.headers, **{'Upload-Offset': '0', 'Content-Type': 'application/partial-upload'}))
    check(r.status in (400, 403, 409, 413), r)


def files_survive_a_restart(stage):
    server = stage.own_server()
    stage.server = server
    s = stored(stage, b'kept')
    server.restart()
    stage.server = server
    equal(fetch(stage, 'GET', s.get).body, b'kept')


@on_server({'upload.quota_bytes': '10k'})
def the_quota_holds(stage):
    a = stage.online()
    for _ in range(2):
        equal(put(stage, slot(a, 'x.bin', 4000, None), b'x' * 4000, None).status, 201)
    answer = a.iq('get', f'<request xmlns="{UPLOAD}" filename="x" size="4000"/>', SERVICE)
    if answer['type'] == 'result':
        r = put(stage, Slot(answer), b'x' * 4000, None)
        check(r.status in (403, 413, 507), r)
    else:
        check(answer.error in ('resource-constraint', 'not-acceptable', 'not-allowed'), answer)
    b = stage.online()
    equal(put(stage, slot(b, 'y.bin', 4000, None), b'y' * 4000, None).status, 201, 'somebody else')


@on_server({'upload.max_bytes': '20k'})
def the_size_limit_is_an_option(stage):
    a = stage.online()
    slot(a, 'x', 20480, None)
    slot(a, 'x', 20481, None, 'not-acceptable')
    equal(fetch(stage, 'GET', '/api/v1/server').json()['upload_max_bytes'], 20480)


def cors_lets_other_web_clients_fetch(stage):
    s = stored(stage)
    r = fetch(stage, 'GET', s.get, headers={'Origin': 'https://other.example'})
    equal(r.headers.get('access-control-allow-origin'), '*')
    r = fetch(stage, 'OPTIONS', s.put, headers={'Origin': 'https://other.example', 'Access-Control-Request-Method': 'PUT',
                                                'Access-Control-Request-Headers': 'authorization,content-type'})
    check(r.status in (200, 204) and 'PUT' in r.headers.get('access-control-allow-methods', ''), r)
