# SPDX-License-Identifier: AGPL-3.0-or-later
"""XEP-0377 0.4.1 reports inside block requests, and the administrators' queue of them."""
import json

from lib import *
from rooms import create, join
from test_admin import COMMANDS, administrator, request, start

REPORTING = 'urn:xmpp:reporting:1'
QUEUE = 'https://anser.im/protocol/reports'
SPAM = 'urn:xmpp:reporting:spam'


def block(jid, report):
    return f'<block xmlns="{BLOCKING}"><item jid="{jid}">{report}</item></block>'


def report(inner='', reason=SPAM):
    return f'<report xmlns="{REPORTING}" reason="{reason}">{inner}</report>'


def queue(stage):
    return [json.loads(line) for line in stage.server.cli('reports', '--json').stdout.split('\n') if line]


def settled(stage, a, n):
    """The queue once it holds n reports; each question to the server takes the way that filing takes."""
    for _ in range(50):
        got = [r for r in queue(stage) if r['reporter'] == a.bare]
        if len(got) == n:
            break
        a.settle()
    equal(len(got), n, 'reports in the queue')
    return got


def archived(c, with_):
    """{body: archive id} of what the account has."""
    c.set(f'<query xmlns="{MAM}" queryid="q">{form(MAM, {"with": with_})}</query>')
    return {m.textof('result/forwarded/message/body'): m.find('result', MAM)['id'] for m in c.queue if m.name == 'message' and m.find('result', MAM)}


def support_is_announced(stage):
    check(REPORTING in disco(stage.online(), 'localhost')[0], 'not announced')


def a_report_reaches_the_queue_with_its_messages(stage):
    a, b, c = stage.online(), stage.online(), stage.online()
    for sender, body in ((b, 'buy this'), (c, 'hello'), (b, 'buy that')):
        sender.send(f'<message to="{a.bare}" type="chat"><body>{body}</body></message>')
        a.expect(f'<message from="{sender.jid}"/>')
    a.send(f'<message to="{b.bare}" type="chat"><body>go away</body></message>')
    b.expect(f'<message from="{a.jid}"/>')
    ids = {**archived(a, b.bare), **archived(a, c.bare)}
    named = ''.join(f'<stanza-id xmlns="{SID}" by="{a.bare}" id="{i}"/>' for i in list(ids.values()) + ['nonsense', '17'])
    other = stage.again(a)
    other.get(f'<blocklist xmlns="{BLOCKING}"/>')
    a.set(block(b.bare, report(f'<text xml:lang="en">Never &amp; ever</text><third-party/>{named}')))
    pushed = other.expect('<iq type="set"/>')
    check(REPORTING not in str(pushed) and b.bare in str(pushed), pushed)
    got = settled(stage, a, 1)[0]
    equal((got['jid'], got['reason'], got['text']), (b.bare, SPAM, 'Never & ever'))
    equal([m['body'] for m in got['messages']], ['buy this', 'buy that'], "the reported one's own messages:")
    check(b.bare in str(a.get(f'<blocklist xmlns="{BLOCKING}"/>')), 'not blocked')


def an_occupant_is_reported_with_what_the_room_keeps(stage):
    a, room = create(stage)
    b, c = stage.online(), stage.online()
    for who, nick in ((b, 'spammer'), (c, 'guest')):
        join(who, room, nick)
    ids = {}
    for who, body in ((b, 'buy this'), (c, 'hello')):
        who.send(f'<message to="{room}" type="groupchat"><body>{body}</body></message>')
        ids[body] = next(s['id'] for s in a.expect(f'<message type="groupchat"><body>{body}</body></message>').all('stanza-id', SID) if s['by'] == room)
    named = ''.join(f'<stanza-id xmlns="{SID}" by="{room}" id="{i}"/>' for i in ids.values())
    a.set(block(room + '/spammer', report(named)))
    got = settled(stage, a, 1)[0]
    equal((got['jid'], [(m['from'], m['body']) for m in got['messages']]), (room + '/spammer', [(room + '/spammer', 'buy this')]))


@each([{}, {'muc#roomconfig_membersonly': '1'}], lambda r: 'closed' if r else 'open')
def a_report_tells_of_no_room_that_its_reporter_may_not_read(stage, settings):
    """An administrator would read what was said behind any door."""
    a, room = create(stage, settings=settings)
    outside = stage.online()
    a.send(f'<message to="{room}" type="groupchat"><body>a secret</body></message>')
    said = a.expect('<message type="groupchat"><body>a secret</body></message>')
    number = next(s['id'] for s in said.all('stanza-id', SID) if s['by'] == room)
    outside.set(block(room + '/owner', report(f'<stanza-id xmlns="{SID}" by="{room}" id="{number}"/>')))
    got = settled(stage, outside, 1)[0]
    equal((got['jid'], len(got['messages'])), (room + '/owner', 0 if settings else 1))


def a_later_report_takes_the_place_of_the_first(stage):
    a = stage.online()
    a.set(block('x@elsewhere.example', report()))
    first = settled(stage, a, 1)[0]['id']
    a.set(f'<unblock xmlns="{BLOCKING}"/>')
    a.set(block('x@elsewhere.example', report(reason='urn:xmpp:reporting:abuse')))
    while True:
        got = settled(stage, a, 1)[0]
        if got['id'] != first:
            break
        a.settle()
    equal(got['reason'], 'urn:xmpp:reporting:abuse')


def a_bad_report_blocks_nobody(stage):
    a = stage.online()
    for bad in (f'<report xmlns="{REPORTING}"/>', report(reason=''), report(reason='x' * 300), report('<text>' + 'x' * 5000 + '</text>'),
                report(f'<stanza-id xmlns="{SID}" by="x" id="1"/>' * 11), report() * 2):
        a.refused('set', block('x@elsewhere.example', bad), 'bad-request')
    equal(a.get(f'<blocklist xmlns="{BLOCKING}"/>').all('blocklist/item'), [])


def open_reports_of_one_account_are_bounded(stage):
    a = stage.online()
    for i in range(25):
        a.set(block(f'x{i}@elsewhere.example', report()))
        a.settle()
    settled(stage, a, 20)
    equal(len(a.get(f'<blocklist xmlns="{BLOCKING}"/>').all('blocklist/item')), 25)


def administrators_deal_with_reports(stage):
    stage.server = stage.own_server()
    admin, a, b = administrator(stage), stage.online(), stage.online()
    a.set(block(b.bare, report('<text>Ouch</text>')))
    a.set(block('y@elsewhere.example', report()))
    rows = settled(stage, a, 2)
    listed = start(admin, QUEUE + '#list').find('x', DATA)
    equal([i.all('field')[3].textof('value') for i in listed.all('item')], [b.bare, 'y@elsewhere.example'])
    node = QUEUE + '#resolve'
    command = start(admin, node)
    sid, actions = command['sessionid'], command.find('actions')
    equal((actions['execute'], [e.name for e in actions.kids]), ('next', ['next']))
    equal([o.textof('value') for o in command.all('x/field/option')], [r['id'] for r in rows])
    admin.refused('set', request(node, 'complete', sid, form(QUEUE, {'report': rows[0]['id']})), 'bad-request', admin.domain)
    command = admin.set(request(node, 'next', sid, form(QUEUE, {'report': rows[0]['id']})), admin.domain).find('command')
    equal([e.name for e in command.find('actions').kids], ['prev', 'complete'])
    check('text: Ouch' in fields(command.find('x', DATA))['details'], command)
    command = admin.set(request(node, 'prev', sid), admin.domain).find('command')
    equal(len(command.all('x/field/option')), 2)
    admin.set(request(node, 'next', sid, form(QUEUE, {'report': rows[0]['id']})), admin.domain)
    admin.refused('set', request(node, 'complete', sid, form(QUEUE, {'action': 'forget'})), 'bad-request', admin.domain)
    command = admin.set(request(node, None, sid, form(QUEUE, {'action': 'disable'})), admin.domain).find('command')
    equal(command['status'], 'completed')
    b.expect('<stream:error/>')
    check(stage.client(b.account).connect().sasl('PLAIN').find('account-disabled') is not None, 'not disabled')
    equal([r['jid'] for r in queue(stage)], ['y@elsewhere.example'])
    stage.server.cli('report', 'close', rows[1]['id'])
    equal(queue(stage), [])
    check(stage.server.cli('report', 'close', rows[1]['id'], check=False).returncode, 'closed twice')
    a.set(f'<unblock xmlns="{BLOCKING}"/>')
    a.set(block('y@elsewhere.example', report()))
    settled(stage, a, 1)


def others_do_not_see_the_queue(stage):
    a = stage.online()
    for verb in ('list', 'resolve'):
        a.refused('set', request(f'{QUEUE}#{verb}', 'execute'), 'forbidden', a.domain)
