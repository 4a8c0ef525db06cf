# SPDX-License-Identifier: AGPL-3.0-or-later
"""The second factor: TOTP (RFC 6238) as a task of SASL2 (XEP-0388 1.0 §2.6.3), recovery codes, application passwords."""
import base64
import pathlib
import tempfile
import time
import urllib.parse

from lib import *
from signin import *

REGISTER = 'jabber:iq:register'


def is_turned_on_by_a_first_code(stage):
    a = stage.online()
    out = run(a, 'on')
    equal(out.find('command')['status'], 'executing')
    equal(out.find('command/x')['type'], 'form')
    out = run(a, 'on', {'password': a.account.password})
    values = fields(out.find('command/x'))
    uri = urllib.parse.urlsplit(values['uri'][0])
    equal((uri.scheme, uri.netloc), ('otpauth', 'totp'))
    equal(urllib.parse.unquote(uri.path), '/%s:%s' % (a.domain, a.bare))
    equal(urllib.parse.parse_qs(uri.query)['secret'], values['secret'])
    app = Authenticator(values['secret'][0])
    equal(len(app.key), 20, 'bytes of the secret')
    a.refused('set', command(f'{FACTOR}#on', {'code': app.wrong()}), 'not-authorized')
    out = run(a, 'on', {'code': app.code()})
    equal(out.find('command')['status'], 'completed')
    codes = fields(out.find('command/x'))['recovery-codes']
    equal(len(set(codes)), 10, 'recovery codes')
    b = connect(stage, a.account)
    equal(asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN)), ['TOTP', 'RECOVERY-CODE'])


def the_commands_are_found_at_the_account_and_at_the_domain(stage):
    a = stage.online()
    for to in (a.bare, a.domain):
        items = a.get(f'<query xmlns="{DISCO_ITEMS}" node="{COMMANDS}"/>', to).all('query/item')
        nodes = [i['node'].partition('#')[2] for i in items if i['node'].startswith(FACTOR)]
        equal(sorted(nodes), ['app-password-list', 'app-password-new', 'app-password-revoke', 'off', 'on', 'recovery-codes'], to)
    values = fields(run(a, 'app-password-new', {'name': 'x', 'password': a.account.password}, a.domain).find('command/x'))
    b = connect(stage, Account(a.account.node, stage.domain, values['app-password'][0]))
    success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    run(a, 'app-password-revoke', {'id': values['id'][0]}, a.domain)
    b.expect_stream_error('not-authorized')


def is_not_on_before_the_first_code(stage):
    a = stage.online()
    run(a, 'on', {'password': a.account.password})
    success(connect(stage, a.account).sasl2('SCRAM-SHA-256', BIND_PLAIN))


@each([{}, {'password': 'wrong one'}, {'password': ''}], lambda r: str(r))
def is_not_turned_on_without_the_password(stage, values):
    a = stage.online()
    a.refused('set', command(f'{FACTOR}#on', values), 'not-authorized|item-not-found')


@each([(t, m) for t in ('tls', 'ws') for m in ('PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512')])
def signs_in_with_password_and_code(stage, row):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account, row[0])
    equal(asked(b.sasl2(row[1], BIND_PLAIN)), ['TOTP', 'RECOVERY-CODE'])
    out = success(b.task('TOTP', code(app.code())))
    check(out.find('bound', BIND2), 'not bound')
    check(out.find('additional-data') is None, 'the data of the mechanism came with <continue/>')
    b.present()
    b.ping()


def the_code_may_be_asked_for(stage):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    out = b.task('TOTP')
    equal(out.name, 'task-data')
    check(out.find('code', FACTOR) is not None, str(out))
    digits = app.code()
    success(b.task_data(code('%s %s' % (digits[:3], digits[3:]))))
    b.ping()


def a_code_counts_once(stage):
    a = stage.online()
    app, _ = enrol(a)
    used = app.at(app.last)
    failure((b := connect(stage, a.account)) and asked(b.sasl2('SCRAM-SHA-256')) and b.task('TOTP', code(used)), 'not-authorized')
    b, c = connect(stage, a.account), connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256'))
    asked(c.sasl2('SCRAM-SHA-256'))
    fresh = app.code()
    success(b.task('TOTP', code(fresh)))
    failure(c.task('TOTP', code(fresh)), 'not-authorized')


def of_two_with_one_code_at_once_one_comes_in(stage):
    a = stage.online()
    app, _ = enrol(a)
    both = [connect(stage, a.account) for _ in range(2)]
    for c in both:
        asked(c.sasl2('SCRAM-SHA-256'))
    fresh = app.code()
    for c in both:
        c.send(f'<next xmlns="{SASL2}" task="TOTP">{code(fresh)}</next>')
    equal(sorted(c._sasl_step(SASL2).name for c in both), ['failure', 'success'])


@each([5, -5, 2, 100])
def a_code_of_another_time_is_refused(stage, away):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256'))
    # Two steps ahead may become one while this runs: then it is good.
    step = int(time.time()) // 30 + away + (1 if away == 2 else 0)
    failure(b.task('TOTP', code(app.at(step))), 'not-authorized')


@each(['', ' ', '0', '12345', '1234567', 'abcdef', '１２３４５６', '000000\u200b', '9' * 65, '-12345', "' OR 1=1"], repr)
def a_code_that_is_none_is_refused(stage, text):
    a = stage.online()
    enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256'))
    failure(b.task('TOTP', code(text)), 'not-authorized|malformed-request')


def a_recovery_code_counts_once(stage):
    a = stage.online()
    _, codes = enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    success(b.task('RECOVERY-CODE', code(codes[3].upper().replace('-', ' '))))
    b.ping()
    c = connect(stage, a.account)
    asked(c.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    failure(c.task('RECOVERY-CODE', code(codes[3])), 'not-authorized')
    d = connect(stage, a.account)
    asked(d.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    success(d.task('RECOVERY-CODE', code(codes[4])))


def new_recovery_codes_end_the_old(stage):
    a = stage.online()
    app, old = enrol(a)
    a.refused('set', command(f'{FACTOR}#recovery-codes', {'password': a.account.password}), 'not-authorized')
    out = run(a, 'recovery-codes', {'password': a.account.password, 'code': app.code()})
    new = fields(out.find('command/x'))['recovery-codes']
    check(not set(new) & set(old), 'old ones again')
    for text, outcome in ((old[0], failure), (new[0], lambda out, _: success(out))):
        b = connect(stage, a.account)
        asked(b.sasl2('SCRAM-SHA-256'))
        outcome(b.task('RECOVERY-CODE', code(text)), 'not-authorized')


def a_recovery_code_of_another_account_is_refused(stage):
    a, b = stage.online(), stage.online()
    _, codes = enrol(a)
    enrol(b)
    c = connect(stage, b.account)
    asked(c.sasl2('SCRAM-SHA-256'))
    failure(c.task('RECOVERY-CODE', code(codes[0])), 'not-authorized')


def a_wrong_password_says_nothing_of_the_factor(stage):
    a = stage.online()
    enrol(a)
    plain_one = connect(stage).sasl2('SCRAM-SHA-256', password='wrong one')
    equal(str(connect(stage, a.account).sasl2('SCRAM-SHA-256', password='wrong one')), str(plain_one))
    for c in (connect(stage, a.account), connect(stage, Account('nobody-at-all', stage.domain, 'x'))):
        equal(str(c.sasl('SCRAM-SHA-256', password='wrong one').find('not-authorized')), str(
            connect(stage).sasl('SCRAM-SHA-256', password='wrong one').find('not-authorized')))


def after_a_wrong_code_there_is_no_second_try_on_the_stream(stage):
    """XEP-0388 §4.8: any further <authenticate/> after <continue/> is a stream error."""
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256'))
    failure(b.task('TOTP', code(app.wrong())), 'not-authorized')
    b.send(f'<authenticate xmlns="{SASL2}" mechanism="PLAIN"><initial-response>{b64(plain(a.account.node, a.account.password))}</initial-response></authenticate>')
    b.expect_stream_error('policy-violation')


@each(['<iq type="set" id="x"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>', '<presence/>',
       '<message to="localhost"><body>x</body></message>', f'<enable xmlns="{SM}"/>', f'<resume xmlns="{SM}" h="0" previd="x"/>',
       f'<iq type="get" id="x"><query xmlns="{REGISTER}"/></iq>', f'<authenticate xmlns="{SASL2}" mechanism="PLAIN"/>'],
      lambda r: r[:60])
def nothing_else_is_done_before_the_task(stage, xml):
    a = stage.online()
    enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b.raw(xml)
    b.expect('<stream:error/>')
    b.expect_close()


@each([('next', 'task="NO-SUCH"', 'invalid-mechanism'), ('next', '', 'invalid-mechanism'),
       ('next', 'task="UPGR-SCRAM-SHA-512"', 'invalid-mechanism'), ('task-data', '', 'malformed-request'),
       ('response', '', 'malformed-request|incorrect-encoding'), ('abort', '', 'aborted')], lambda r: ' '.join(r[:2]))
def another_answer_to_the_task_fails(stage, row):
    a = stage.online()
    enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b.send(f'<{row[0]} xmlns="{SASL2}" {row[1]}/>')
    failure(b._sasl_step(SASL2), row[2])


@each(['<next xmlns="urn:xmpp:sasl:2" task="TOTP"/>', '<task-data xmlns="urn:xmpp:sasl:2"/>'])
def a_task_before_the_mechanism_is_refused(stage, xml):
    a = connect(stage)
    a.send(xml)
    failure(a._sasl_step(SASL2), 'malformed-request')
    s = Scram('SCRAM-SHA-256', a.account.node, a.account.password)
    a.send(f'<authenticate xmlns="{SASL2}" mechanism="SCRAM-SHA-256"><initial-response>{b64(s.first())}</initial-response></authenticate>')
    a.expect(f'<challenge xmlns="{SASL2}"/>')
    a.send(xml)
    failure(a._sasl_step(SASL2), 'malformed-request')


@on_server({'limits.enabled': 'true'})
def codes_cannot_be_guessed_fast(stage):
    """Also from many connections that all proved the password first."""
    a = stage.online()
    app, codes = enrol(a)
    waiting = []
    for _ in range(14):
        b = connect(stage, a.account)
        asked(b.sasl2('SCRAM-SHA-256'))
        waiting.append(b)
    wrong = app.wrong()
    for b in waiting:
        b.send(f'<next xmlns="{SASL2}" task="TOTP">{code(wrong)}</next>')
    names = [[k.name for k in b._sasl_step(SASL2).kids if k.ns == SASL][0] for b in waiting]
    check(names.count('not-authorized') <= 10, names)
    check(names.count('temporary-auth-failure') >= 4, names)
    # A right one is held up too, and the limit is the account's.
    b = connect(stage, a.account)
    out = b.sasl2('SCRAM-SHA-256')
    if out.name == 'continue':
        failure(b.task('TOTP', code(app.code())), 'temporary-auth-failure')
    c = connect(stage)
    success(c.sasl2('SCRAM-SHA-256'))


def a_token_after_the_code_asks_for_no_other(stage):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    token = token_of(b.task('TOTP', code(app.code())))
    success(token_sign_in(stage, b, token))


def no_token_before_the_code(stage):
    a = stage.online()
    app, _ = enrol(a)
    b = connect(stage, a.account)
    out = b.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN)
    asked(out)
    check(out.find('token') is None and out.find('bound') is None and out.find('authorization-identifier') is None, str(out))
    out = b.task('TOTP', code(app.wrong()))
    check(failure(out, 'not-authorized').find('token') is None, str(out))


def turning_it_on_or_off_ends_tokens(stage):
    a = connect(stage)
    token = token_of(a.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    a.present()
    app, _ = enrol(a)
    failure(token_sign_in(stage, a, token), 'credentials-expired')
    b = connect(stage, a.account)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    token = token_of(b.task('TOTP', code(app.code())))
    run(a, 'off', {'password': a.account.password, 'code': app.code()})
    failure(token_sign_in(stage, b, token), 'credentials-expired')
    success(connect(stage, a.account).sasl2('SCRAM-SHA-256', BIND_PLAIN))


@each([{'password': 'wrong', 'code': 'right'}, {'password': 'right'}, {'password': 'right', 'code': 'wrong'}], str)
def is_not_turned_off_without_both(stage, values):
    a = stage.online()
    app, _ = enrol(a)
    have = {'password': {'right': a.account.password, 'wrong': 'no password'}, 'code': {'right': app.code(), 'wrong': app.wrong()}}
    a.refused('set', command(f'{FACTOR}#off', {k: have[k][v] for k, v in values.items()}), 'not-authorized')
    asked(connect(stage, a.account).sasl2('SCRAM-SHA-256'))


def the_operator_turns_it_off(stage):
    a = stage.online()
    enrol(a)
    stage.server.cli('user', 'totp', 'off', a.account.node)
    success(connect(stage, a.account).sasl2('SCRAM-SHA-256', BIND_PLAIN))
    check(stage.server.cli('user', 'totp', 'off', a.account.node, check=False).returncode != 0, 'off twice')
    check(stage.server.cli('user', 'totp', 'off', 'nobody-at-all', check=False).returncode != 0, 'off for nobody')


def a_new_password_keeps_the_factor(stage):
    a = stage.online()
    app, _ = enrol(a)
    a.set(f'<query xmlns="{REGISTER}"><username>{a.account.node}</username><password>another password</password></query>', a.domain)
    b = connect(stage, Account(a.account.node, stage.domain, 'another password'))
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    success(b.task('TOTP', code(app.code())))


def somebody_elses_commands_are_not_ours(stage):
    a, b = stage.online(), stage.online()
    b.refused('set', command(f'{FACTOR}#on', {'password': a.account.password}), 'item-not-found|service-unavailable|forbidden', to=a.bare)
    b.refused('set', command(f'{FACTOR}#app-password-list'), 'item-not-found|service-unavailable|forbidden', to=a.bare)


# ---- clients that know only SASL

@each(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
def old_clients_need_an_application_password(stage, mech):
    a = stage.online()
    enrol(a)
    b = connect(stage, a.account)
    out = b.sasl(mech)
    equal(out.name, 'failure')
    check(out.find('not-authorized') is not None, str(out))
    check('application password' in (out.textof('text') or ''), 'no clear word: %s' % out)


@each([(way, m) for way in ('sasl', 'sasl2') for m in ('PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'SCRAM-SHA-256-PLUS')])
def signs_in_with_an_application_password(stage, row):
    a = stage.online()
    app, _ = enrol(a)
    passwords = [app_password(a, 'one', code=app.code())[0]]
    b = connect(stage, Account(a.account.node, stage.domain, passwords[0]))
    bind = 'tls-exporter' if row[1].endswith('PLUS') else None
    if row[0] == 'sasl':
        equal(b.sasl(row[1], bind=bind).name, 'success')
        b.open()
        b.bind()
    else:
        success(b.sasl2(row[1], BIND_PLAIN + TOKEN, bind=bind))
    b.present()
    b.ping()


def an_application_password_works_without_a_factor_too(stage):
    a = stage.online()
    passwords = [app_password(a, 'app %d' % i)[0] for i in range(3)]
    equal(len(set(passwords)), 3)
    check(all(len(p) >= 16 for p in passwords), 'too short')
    for p in passwords + [a.account.password]:
        b = connect(stage, Account(a.account.node, stage.domain, p))
        equal(b.sasl('SCRAM-SHA-256').name, 'success')
    b = connect(stage, Account(a.account.node, stage.domain, passwords[0][:-1]))
    equal(b.sasl('SCRAM-SHA-256').name, 'failure')


def an_application_password_gets_no_token(stage):
    a = stage.online()
    b = connect(stage, Account(a.account.node, stage.domain, app_password(a)[0]))
    out = success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN + TOKEN))
    check(out.find('token', FAST) is None, 'a token outlives the password')


def an_application_password_may_not_change_the_account(stage):
    a = stage.online()
    text, _ = app_password(a)
    b = connect(stage, Account(a.account.node, stage.domain, text))
    success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b.present()
    node = a.account.node
    b.refused('set', f'<query xmlns="{REGISTER}"><username>{node}</username><password>a new password</password></query>', 'forbidden', b.domain)
    b.refused('set', f'<query xmlns="{REGISTER}"><remove/></query>', 'forbidden', b.domain)
    for command_node in ('on', 'off', 'recovery-codes', 'app-password-new', 'app-password-list', 'app-password-revoke'):
        b.refused('set', command(f'{FACTOR}#{command_node}', {'password': a.account.password, 'name': 'x', 'id': 'x'}), 'forbidden')
    b.refused('get', '<list xmlns="urn:xmpp:cam:0"/>', 'forbidden')
    b.refused('set', '<revoke xmlns="urn:xmpp:cam:0" id="cx"/>', 'forbidden')


def an_application_password_stays_one_when_it_resumes_a_full_session(stage):
    a = stage.client()
    a.connect()
    success(a.sasl2('SCRAM-SHA-256', f'<bind xmlns="{BIND2}"><enable xmlns="{SM}" resume="true"/></bind>'))
    a.present()
    a.ping()
    text, _ = app_password(a)
    a.request_ack()
    a.abort()
    b = connect(stage, Account(a.account.node, stage.domain, text))
    equal(b.sasl('SCRAM-SHA-256').name, 'success')
    b.open()
    equal(b.resume(a).name, 'resumed')
    b.refused('set', command(f'{FACTOR}#app-password-list'), 'forbidden')


def application_passwords_are_listed_and_revoked(stage):
    a = stage.online()
    text, first = app_password(a, 'Gajim on <desk> & "lap"'.replace('<', '&lt;').replace('&', '&amp;', 0).replace(' & ', ' &amp; '))
    _, second = app_password(a, 'Pidgin')
    out = run(a, 'app-password-list')
    rows = [{f['var']: f.textof('value') or '' for f in item.all('field')} for item in out.all('command/x/item')]
    equal({r['id']: r['name'] for r in rows}, {first: 'Gajim on <desk> & "lap"', second: 'Pidgin'})
    check(all(r['created'] and not r['used'] for r in rows), str(rows))
    b = connect(stage, Account(a.account.node, stage.domain, text))
    success(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b.ping()
    a.settle()
    out = run(a, 'app-password-list')
    used = {item.all('field')[0].textof('value'): item.all('field')[3].textof('value') for item in out.all('command/x/item')}
    check(used[first] and not used[second], 'last use: %s' % used)
    run(a, 'app-password-revoke', {'id': first})
    b.expect_stream_error('not-authorized')
    equal(connect(stage, b.account).sasl('SCRAM-SHA-256').name, 'failure')
    equal(connect(stage, b.account).sasl('PLAIN').name, 'failure')
    a.refused('set', command(f'{FACTOR}#app-password-revoke', {'id': first}), 'item-not-found')
    a.refused('set', command(f'{FACTOR}#app-password-revoke', {'id': ''}), 'item-not-found')
    a.refused('set', command(f'{FACTOR}#app-password-revoke', {'id': '../SHA-256'}), 'item-not-found')
    a.ping()


def a_new_password_ends_application_passwords(stage):
    a = stage.online()
    text, _ = app_password(a)
    stage.server.cli('user', 'passwd', a.account.node, '--password-stdin', text='a new password\n')
    equal(connect(stage, Account(a.account.node, stage.domain, text)).sasl('SCRAM-SHA-256').name, 'failure')
    equal(connect(stage, Account(a.account.node, stage.domain, 'a new password')).sasl('SCRAM-SHA-256').name, 'success')


def application_passwords_need_the_password_and_the_code(stage):
    a = stage.online()
    a.refused('set', command(f'{FACTOR}#app-password-new', {'name': 'x', 'password': 'wrong'}), 'not-authorized')
    app, codes = enrol(a)
    a.refused('set', command(f'{FACTOR}#app-password-new', {'name': 'x', 'password': a.account.password}), 'not-authorized')
    a.refused('set', command(f'{FACTOR}#app-password-new', {'name': 'x', 'password': a.account.password, 'code': app.wrong()}), 'not-authorized')
    app_password(a, 'x', code=app.code())
    app_password(a, 'y', code=codes[0])


@each(['', 'x' * 65, 'a\tb', '鸿' * 22], repr)
def an_application_password_needs_a_good_name(stage, name):
    a = stage.online()
    a.refused('set', command(f'{FACTOR}#app-password-new', {'name': name, 'password': a.account.password}), 'not-acceptable')


def there_are_not_too_many_application_passwords(stage):
    a = stage.online()
    for i in range(20):
        app_password(a, 'app %d' % i)
    a.refused('set', command(f'{FACTOR}#app-password-new', {'name': 'one more', 'password': a.account.password}), 'policy-violation')


def everything_survives_a_restart(stage):
    server = stage.own_server()
    acc = server.add('keeper')
    a = stage.client(acc, server=server).online()
    app, codes = enrol(a)
    used = app.code()
    text, _ = app_password(a, code=used)
    server.restart()
    b = stage.client(acc, server=server).connect(sender=acc.jid)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    failure(b.task('TOTP', code(used)), 'not-authorized')
    c = stage.client(acc, server=server).connect(sender=acc.jid)
    asked(c.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    success(c.task('RECOVERY-CODE', code(codes[9])))
    d = stage.client(Account('keeper', server.domain, text), server=server).connect()
    equal(d.sasl('SCRAM-SHA-512').name, 'success')


@on_server({'hosts': 'b.example'})
def each_host_has_its_own(stage):
    """The same name on two domains: factor, passwords and limits are apart."""
    people = []
    for domain in ('localhost', 'b.example'):
        stage.server.cli('user', 'add', 'bob@' + domain, '--password-stdin', text='secret password\n')
        c = stage.client(Account('bob', domain, 'secret password'))
        c.domain = domain
        people.append(c.online())
    here, there = people
    app, _ = enrol(there)
    text, app_id = app_password(here)

    def again(of, password='secret password'):
        c = stage.client(Account('bob', of.account.domain, password))
        c.domain = of.account.domain
        return c.connect(sender=of.bare)

    success(again(here).sasl2('SCRAM-SHA-256', BIND_PLAIN))
    b = again(there)
    asked(b.sasl2('SCRAM-SHA-256', BIND_PLAIN))
    success(b.task('TOTP', code(app.code())))
    equal(again(here, text).sasl('SCRAM-SHA-256').name, 'success')
    equal(again(there, text).sasl('SCRAM-SHA-256').name, 'failure')
    there.refused('set', command(f'{FACTOR}#app-password-revoke', {'id': app_id}), 'item-not-found')
    stage.server.cli('user', 'totp', 'off', 'bob@b.example')
    success(again(there).sasl2('SCRAM-SHA-256', BIND_PLAIN))


def an_export_has_neither_factor_nor_application_passwords(stage):
    """They are of this server: who moves turns the factor on anew."""
    a = stage.online()
    app, codes = enrol(a)
    text, _ = app_password(a, 'my telephone', code=app.code())
    with tempfile.TemporaryDirectory() as d:
        stage.server.cli('export', d + '/one.xml', a.bare)
        out = pathlib.Path(d, 'one.xml').read_text()
    check('SCRAM-SHA-256' in out, 'no keys')
    for secret in (base64.b32encode(app.key).decode(), text, codes[0], 'my telephone'):
        check(secret not in out, 'exported: %s' % secret)
