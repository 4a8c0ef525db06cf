# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0431 0.2 full-text search, in accounts' and rooms' archives."""
from rooms import *
from test_archive import bodies, complete, query, rsm

FULLTEXT = 'urn:xmpp:fulltext:0'
FIELD = '{%s}fulltext' % FULLTEXT


def said(stage, *texts):
    """Two clients; a said these to b."""
    a, b = stage.online(), stage.online()
    for i, text in enumerate(texts):
        a.send(f'<message to="{b.bare}" type="chat" id="s{i}"><body>{text}</body></message>')
        b.expect(f'<message id="s{i}"/>')
    a.ping()
    return a, b


def search(c, text, to=None, page='', **more):
    return query(c, {FIELD: text, **more}, page, to)


def it_is_announced_and_in_the_form(stage):
    a, room = create(stage)
    for to in (a.bare, room):
        features, _ = disco(a, to)
        check(FULLTEXT in features, features)
        answer = a.get(f'<query xmlns="{MAM}"/>', to)
        check(FIELD in fields(answer.find('query/x')), answer)


def both_sides_find_words(stage):
    a, b = said(stage, 'The quick brown Fox', 'jumps over', 'the lazy dog, fox-like')
    for c in (a, b):
        rows, fin = search(c, 'FOX')
        equal(bodies(rows), ['The quick brown Fox', 'the lazy dog, fox-like'])
        check(complete(fin), fin)
        equal(bodies(search(c, 'lazy the')[0]), ['the lazy dog, fox-like'])
        equal(bodies(search(c, 'quic')[0]), [])
    equal(bodies(query(a, {'withtext': 'jumps'})[0]), ['jumps over'])


def a_chinese_word_is_found_inside(stage):
    a, b = said(stage, '今天天气很好', '我们明天去北京大学', 'café im Straßencafé')
    for text, want in (('天气', ['今天天气很好']), ('天', ['今天天气很好', '我们明天去北京大学']), ('北京大学', ['我们明天去北京大学']),
                       ('京北', []), ('CAFE', ['café im Straßencafé']), ('strassencafe', ['café im Straßencafé'])):
        equal(bodies(search(b, text)[0]), want, text)


def an_empty_text_is_no_filter(stage):
    a, b = said(stage, 'one', 'two')
    equal(bodies(search(b, '')[0]), ['one', 'two'])


def other_filters_and_pages_apply(stage):
    a, b = said(stage, *['match %d' % i for i in range(5)])
    c = stage.online()
    c.send(f'<message to="{b.bare}" type="chat" id="c"><body>match of c</body></message>')
    b.expect('<message id="c"/>')
    equal(bodies(search(b, 'match', **{'with': c.bare})[0]), ['match of c'])
    rows, fin = search(b, 'match', page=rsm('<max>2</max>'), **{'with': a.bare})
    equal(bodies(rows), ['match 0', 'match 1'])
    rows, fin = search(b, 'match', page=rsm(f'<max>2</max><after>{fin.textof("set/last")}</after>'), **{'with': a.bare})
    equal(bodies(rows), ['match 2', 'match 3'])
    rows, fin = search(b, 'match', page=rsm('<max>2</max><before/>'))
    equal(bodies(rows), ['match 4', 'match of c'])
    _, fin = search(b, 'match', page=rsm('<max>0</max>'))
    equal(fin.textof('set/count'), '6')


def nobody_finds_what_others_said(stage):
    a, b = said(stage, 'a secret word')
    c = stage.online()
    equal(bodies(search(c, 'secret')[0]), [])
    query(c, {FIELD: 'secret'}, to=a.bare, answer='forbidden')


@each(['" OR 1=1 --', "'; DROP TABLE item; --", 'NEAR(a b)', 'a AND NOT b', '*', 'body:secret', '{}^-:', '%_', 'x' * 900])
def a_query_is_words_and_no_language(stage, text):
    a, b = said(stage, 'an ordinary text')
    equal(bodies(search(b, text.replace('&', '&amp;').replace('<', '&lt;'))[0]), [])
    equal(bodies(search(b, 'ordinary')[0]), ['an ordinary text'])


@each(['x' * 1100, ' '.join('w%d' % i for i in range(100)), '天 ' * 200])
def a_huge_query_is_refused(stage, text):
    a, b = said(stage, 'an ordinary text')
    query(b, {FIELD: text}, answer='bad-request|policy-violation')
    b.ping()


def a_room_is_searched(stage):
    room, owner, b = party(stage)
    for text in ('hello 世界', 'nothing here', '你好世界'):
        owner.send(f'<message to="{room}" type="groupchat" id="{Client.new_id()}"><body>{text}</body></message>')
        b.expect(f'<message type="groupchat"><body>{text}</body></message>')
    rows, _ = search(b, '世界', room)
    equal(bodies(rows), ['hello 世界', '你好世界'])
    c = stage.online()
    equal(bodies(search(c, 'hello', room)[0]), ['hello 世界'])


def a_private_room_is_not_searched_by_strangers(stage):
    a, room = create(stage, settings={'muc#roomconfig_membersonly': '1'})
    c = stage.online()
    query(c, {FIELD: 'x'}, to=room, answer='forbidden')
