# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of rooms: XEP-0045 §6.3 with XEP-0059, and XEP-0433 channel search."""
from rooms import *

SEARCH = 'urn:xmpp:channel-search:0:search'
PARAMS = 'urn:xmpp:channel-search:0:search-params'
ERROR = 'urn:xmpp:channel-search:0:error'
ORDER = '{urn:xmpp:channel-search:0:order}'


def query(values, rsm=''):
    return f'<search xmlns="{SEARCH}">{rsm}{form(PARAMS, values)}</search>'


def found(c, stage, values, rsm=''):
    return c.get(query(values, rsm), stage.muc).find('result', SEARCH)


def names(result):
    return [i['address'].split('@')[0] for i in result.all('item')]


def rooms(stage, *settings):
    """An owner and rooms, each of (node, name, description)."""
    a = stage.online()
    for node, name, desc in settings:
        room = '%s@%s' % (node, stage.muc)
        join(a, room, 'owner', codes=(201,))
        configure(a, room, {'muc#roomconfig_roomname': name, 'muc#roomconfig_roomdesc': desc, 'muc#roomconfig_lang': 'en'})
    return a


def own(stage):
    stage.server = stage.own_server()
    stage.muc = 'conference.localhost'


GEESE = [('geese', 'Wild geese', 'About flying'), ('swans', 'Swans', 'White birds, not GEESE'), ('tea', '茶馆', 'Tea'), ('zoo', 'Zoo', '')]


def search_has_a_form(stage):
    a = stage.online()
    check(SEARCH in disco(a, stage.muc)[0], 'not announced')
    x = a.get(f'<search xmlns="{SEARCH}"/>', stage.muc).find('search/x', DATA)
    have = fields(x)
    equal(have['FORM_TYPE'], [PARAMS])
    for var in ('q', 'all', 'sinname', 'sindescription', 'sinaddress', 'types', 'key'):
        check(var in have, var)


def rooms_are_found_by_words(stage):
    own(stage)
    a = rooms(stage, *GEESE)
    equal(names(found(a, stage, {'q': 'geese'})), ['geese', 'swans'])
    equal(names(found(a, stage, {'q': 'geese', 'sindescription': 'false'})), ['geese'])
    equal(names(found(a, stage, {'q': 'GEESE birds'})), ['swans'])
    equal(names(found(a, stage, {'q': '茶馆'})), ['tea'])
    equal(names(found(a, stage, {'q': 'zo', 'sinname': '0', 'sindescription': '0'})), ['zoo'])
    equal(names(found(a, stage, {'q': 'nothing-like-it'})), [])
    equal(names(found(a, stage, {'q': "' OR 1=1 --"})), [])
    equal(names(found(a, stage, {'all': 'true', 'types': 'xep-0369'})), [])


def a_room_is_described(stage):
    own(stage)
    a = rooms(stage, *GEESE[:1])
    equal(str(found(a, stage, {'q': 'wild'}).find('item')),
          f'<item xmlns="{SEARCH}" address="geese@conference.localhost"><name>Wild geese</name><description>About flying</description>'
          '<language>en</language><nusers>1</nusers><service-type>xep-0045</service-type><is-open>true</is-open>'
          '<anonymity-mode>muc_semianonymous</anonymity-mode></item>')


def hidden_rooms_are_not_found(stage):
    own(stage)
    a = rooms(stage, *GEESE)
    configure(a, 'geese@' + stage.muc, {'muc#roomconfig_publicroom': '0'})
    configure(a, 'swans@' + stage.muc, {'muc#roomconfig_membersonly': '1', 'muc#roomconfig_whois': 'anyone'})
    got = found(a, stage, {'q': 'geese'})
    equal(names(got), ['swans'])
    equal((got.textof('item/is-open'), got.textof('item/anonymity-mode')), ('false', '{urn:xmpp:channel-search:0:anonymity}none'))


def pages_go_forward(stage):
    own(stage)
    a = rooms(stage, *GEESE)
    seen, after = [], ''
    for _ in range(3):
        got = found(a, stage, {'all': '1', 'key': ORDER + 'address'}, f'<set xmlns="{RSM}"><max>2</max>{after}</set>')
        seen += names(got)
        after = f'<after>{got.textof("set/last")}</after>'
        if not names(got):
            break
    equal(seen, ['geese', 'swans', 'tea', 'zoo'])


def busy_rooms_come_first(stage):
    own(stage)
    a = rooms(stage, *GEESE)
    join(stage.online(), 'tea@' + stage.muc, 'b')
    join(stage.online(), 'tea@' + stage.muc, 'c')
    join(stage.online(), 'swans@' + stage.muc, 'd')
    got = found(a, stage, {'all': '1', 'key': ORDER + 'nusers'}, f'<set xmlns="{RSM}"><max>2</max></set>')
    equal([(i['address'].split('@')[0], i.textof('nusers')) for i in got.all('item')], [('tea', '3'), ('swans', '2')])
    got = found(a, stage, {'all': '1', 'key': ORDER + 'nusers'}, f'<set xmlns="{RSM}"><max>2</max><after>swans</after></set>')
    equal(names(got), ['geese', 'zoo'])


WRONG = [('nothing', {}, 'bad-request', 'no-search-conditions'), ('both', {'all': '1', 'q': 'x'}, 'bad-request', 'conflicting-fields'),
         ('key', {'all': '1', 'key': 'size'}, 'feature-not-implemented', 'invalid-sort-key'),
         ('blank', {'q': '  '}, 'bad-request', 'invalid-search-terms'), ('long', {'q': 'x' * 300}, 'bad-request', 'invalid-search-terms'),
         ('nowhere', {'q': 'x', 'sinname': '0', 'sindescription': '0', 'sinaddress': '0'}, 'bad-request', 'invalid-search-terms')]


@each(WRONG, lambda r: r[0])
def searches_that_make_no_sense_are_refused(stage, row):
    _, values, condition, app = row
    a = stage.online()
    err = a.iq('get', query(values), stage.muc)
    equal((err.error, err.find('error')['type']), (condition, 'modify'))
    check(err.find('error/' + app, ERROR) is not None, err)


def items_go_both_ways(stage):
    own(stage)
    a = rooms(stage, *GEESE)

    def page(inner):
        q = a.get(f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}">{inner}</set></query>', stage.muc).find('query')
        return [i['jid'].split('@')[0] for i in q.all('item')], q.textof('set/count')
    equal(page('<max>3</max>'), (['geese', 'swans', 'tea'], '4'))
    equal(page('<max>3</max><after>swans</after>')[0], ['tea', 'zoo'])
    equal(page('<max>2</max><before/>'), (['tea', 'zoo'], '4'))
    equal(page('<max>1</max><before>tea</before>')[0], ['swans'])
    equal(page('<max>2</max><index>1</index>')[0], ['swans', 'tea'])
    equal(page('<max>0</max>'), ([], '4'))
    a.refused('get', f'<query xmlns="{DISCO_ITEMS}"><set xmlns="{RSM}"><before>none-such</before></set></query>', 'item-not-found', stage.muc)


def too_many_searches_are_told_to_wait(stage):
    a = stage.online()
    for i in range(40):
        a.send(f'<iq type="get" id="s{i}" to="{stage.muc}">{query({"q": "no-such-word"})}</iq>')
    answers = [a.expect(f'<iq id="s{i}"/>') for i in range(40)]
    for err in [x for x in answers if x['type'] == 'error']:
        equal((err.error, err.find('error')['type']), ('resource-constraint', 'wait'))
        check(err.find('error/rate-limit', ERROR)['retry-after'] is not None, err)
    check(any(x['type'] == 'result' for x in answers), 'nobody was served')
    names(found(a, stage, {'q': 'no-such-word'}))  # and it goes on
