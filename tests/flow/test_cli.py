# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line and signals: user, invite, status, backup, restore, config, SIGHUP, SIGTERM, clear messages at start."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

from web import *


def anser(*args, text='', env=None):
    """Runs the binary; returns the finished process."""
    full = dict(os.environ)
    full.setdefault('ASAN_OPTIONS', 'detect_leaks=0:exitcode=99')
    full.update(env or {})
    return subprocess.run([binary(), *args], input=text, capture_output=True, text=True, timeout=60, env=full)


def fails(done, *words):
    """It ended with an error of its own (not a crash), and the message says these words."""
    check(done.returncode not in (0, 99) and done.returncode > 0, 'status %d: %s%s' % (done.returncode, done.stdout, done.stderr))
    text = (done.stdout + done.stderr).lower()
    check('sanitizer' not in text, text)
    for word in words:
        check(word.lower() in text, '%r is not in the message: %s' % (word, text))
    return done


def starts_not(args, *words):
    """`anser serve` with these options ends by itself with a clear message."""
    return fails(anser('serve', *args), *words)


VERBS = ['serve', 'user add', 'user passwd', 'user totp', 'user list', 'user delete', 'invite', 'status', 'backup', 'restore', 'config', 'version']


@each(VERBS)
def every_verb_has_help(stage, verb):
    done = anser(*verb.split(), '--help')
    equal(done.returncode, 0, done.stderr)
    check(len(done.stdout.split('\n')) >= 3, done.stdout)


@each([[], ['nonsense'], ['user', 'nonsense'], ['serve', '--nonsense'], ['status', 'extra', 'words'], ['serve', '--set', 'x'],
       ['serve', '--set', 'no.such=1'], ['user', 'add']], lambda r: ' '.join(r) or 'nothing')
def wrong_usage_is_told(stage, args):
    done = anser(*args)
    if args:
        fails(done)
    check(done.stderr or done.stdout, 'no word')


def the_version_is_printed(stage):
    done = anser('version')
    equal(done.returncode, 0)
    check(any(c.isdigit() for c in done.stdout), done.stdout)
    done = anser('--version')
    equal(done.returncode, 0)


def users_are_added_listed_and_deleted_while_the_server_runs(stage):
    server, name = stage.server, Client.new_id()
    acc = server.add(name)
    check(name in server.cli('user', 'list').stdout, 'not listed')
    rows = [json.loads(line) for line in server.cli('user', 'list', '--json').stdout.splitlines()]
    check(name in json.dumps(rows), 'not in JSON')
    a = stage.client(acc).online()
    server.cli('user', 'delete', name, '--yes')
    a.expect_stream_error('not-authorized|conflict|reset')
    equal(stage.client(acc).connect().sasl().name, 'failure')
    check(name not in server.cli('user', 'list').stdout, 'still listed')


def users_are_managed_while_the_server_is_stopped(stage):
    server = stage.own_server()
    server.add('before')
    server.proc.send_signal(signal.SIGTERM)
    equal(server.proc.wait(30), 0)
    acc = server.add('offline1')
    server.cli('user', 'passwd', 'before', '--password-stdin', text='changed while stopped\n')
    text = server.cli('user', 'list').stdout
    check('before' in text and 'offline1' in text, text)
    server.start()
    stage.client(acc, server=server).online()
    stage.client(Account('before', 'localhost', 'changed while stopped'), server=server).online()
    server.proc.send_signal(signal.SIGTERM)
    server.proc.wait(30)
    server.cli('user', 'delete', 'offline1', '--yes')
    server.start()
    equal(stage.client(acc, server=server).connect().sasl().name, 'failure')


def bad_users_are_refused(stage):
    server = stage.server
    acc = stage.account()
    for name, password in ((acc.node, 'long enough pw'), ('a b', 'long enough pw'), ('x@y', 'long enough pw'), ('', 'long enough pw'),
                           (Client.new_id(), '')):
        stage.log.append('%r %r' % (name, password))
        fails(server.cli('user', 'add', name, '--password-stdin', text=password + '\n', check=False))
    for verb in (('passwd', 'nobody-there', '--password-stdin'), ('delete', 'nobody-there', '--yes')):
        fails(server.cli('user', *verb, text='long enough pw\n', check=False), 'no such account')


def a_password_is_never_an_argument(stage):
    fails(stage.server.cli('user', 'add', Client.new_id(), 'the password', check=False))
    fails(stage.server.cli('user', 'add', Client.new_id(), '--password', 'the password', check=False))


def a_changed_password_ends_no_session_but_old_tokens(stage):
    a = stage.online()
    stage.server.cli('user', 'passwd', a.account.node, '--password-stdin', text='brand new password\n')
    a.ping()


def the_state_is_told(stage):
    a = stage.online()
    text = stage.server.cli('status').stdout
    check('localhost' in text, text)
    state = json.loads(stage.server.cli('status', '--json').stdout)
    check(isinstance(state, dict) and state, state)
    a.ping()


def the_state_of_a_stopped_server_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        done = anser('status', '--data', d)
        check(done.returncode != 99 and (done.stdout + done.stderr).strip(), done)


def the_command_socket_is_for_the_owner_only(stage):
    found = [p for p in pathlib.Path(stage.server.data).rglob('*') if p.is_socket()]
    check(found, 'no command socket in the data directory')
    for p in found:
        equal(p.stat().st_mode & 0o077, 0, 'mode of %s' % p.name)
    for p in pathlib.Path(stage.server.data).rglob('*.key'):
        equal(p.stat().st_mode & 0o077, 0, 'mode of %s' % p.name)


def a_bad_word_on_the_command_socket_does_no_harm(stage):
    path = next(p for p in pathlib.Path(stage.server.data).rglob('*') if p.is_socket())
    for data in (b'', b'\n', b'{', b'\xff' * 100, b'[' * 100000, b'{"verb":"none"}\n', b'x' * 3000000):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(path))
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
        s.close()
    stage.online().ping()


def a_backup_of_the_running_server_can_be_restored(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    b = stage.client(server.account(), server=server).online()
    befriend(a, b)
    for i in range(20):
        a.send(f'<message to="{b.bare}" type="chat" id="m{i}"><body>m{i}</body></message>')
    a.ping()
    with tempfile.TemporaryDirectory() as d:
        server.cli('backup', d + '/copy')
        a.send(f'<message to="{b.bare}" type="chat" id="after"><body>after the backup</body></message>')
        a.ping()
        fails(server.cli('backup', d + '/copy', check=False))
        check('manifest' in ' '.join(os.listdir(d + '/copy')).lower() or len(os.listdir(d + '/copy')) >= 2, os.listdir(d + '/copy'))
        done = subprocess.run([binary(), 'restore', d + '/copy', '--data', d + '/new'], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))
        equal(done.returncode, 0, done.stdout + done.stderr)
        other = Anser(data=d + '/new').start()
        stage.cleanups.append(lambda: other.proc and other.stop())
        c = stage.client(b.account, server=other).online()
        roster = c.get(f'<query xmlns="{ROSTER}"/>')
        equal([(i['jid'], i['subscription']) for i in roster.all('query/item')], [(a.bare, 'both')])
        c.set(f'<query xmlns="{MAM}"><set xmlns="{RSM}"><max>100</max></set></query>')
        got = [e.textof('result/forwarded/message/body') for e in c.queue if e.find('result', MAM) is not None]
        equal(got, ['m%d' % i for i in range(20)])
        c.drop()
        other.stop()


def a_damaged_backup_is_refused(stage):
    server = stage.own_server()
    server.add('x')
    with tempfile.TemporaryDirectory() as d:
        server.cli('backup', d + '/copy')
        db = max(pathlib.Path(d + '/copy').rglob('*'), key=lambda p: p.stat().st_size if p.is_file() else 0)
        data = bytearray(db.read_bytes())
        data[len(data) // 2] ^= 0xff
        db.write_bytes(bytes(data))
        fails(anser('restore', d + '/copy', '--data', d + '/new'))
        check(not os.path.exists(d + '/new') or not os.listdir(d + '/new'), 'something was restored')
        fails(anser('restore', d + '/nowhere', '--data', d + '/new'))


def a_restore_over_data_is_refused(stage):
    server = stage.own_server()
    server.add('x')
    with tempfile.TemporaryDirectory() as d:
        server.cli('backup', d + '/copy')
        fails(anser('restore', d + '/copy', '--data', server.data))
    stage.client(server.account(), server=server).online()


# ---- configuration

def config_explains_every_option(stage):
    text = anser('config', '--explain').stdout
    for word in ('listen:', 'c2s:', 'c2s_tls:', 'https:', 's2s:', 'registration:', 'limits:', 'enabled:', 'tls:', 'certificate:', 'shards', 'level:'):
        check(word in text, '%s is not explained' % word)


def what_is_explained_is_a_good_configuration(stage):
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write(anser('config', '--explain').stdout)
        f.flush()
        equal(anser('config', '--check', '--config', f.name).returncode, 0)


BAD = [('unknown key', 'nonsense: 1\n', ':1'), ('unknown section key', 'listen:\n  nonsense: 1\n', ':2'), ('wrong type', 'shards: many\n', ':1'),
       ('out of bounds', 'shards: 100000\n', ':1'), ('bad bool', 'limits:\n  enabled: maybe\n', ':2'), ('bad YAML', 'listen: [\n', ''),
       ('tab', 'listen:\n\tc2s: x\n', ':2'), ('list', '- a\n', ''), ('bad level', 'log:\n  level: loud\n', ':2'), ('binary', '\x01\x02', ''),
       ('twice', 'shards: 1\nshards: 2\n', ':2'), ('deep', 'a:\n' + ''.join(' ' * i + 'a:\n' for i in range(1, 200)), '')]


@each(BAD, lambda r: r[0])
def a_bad_configuration_is_refused_with_file_and_line(stage, row):
    with tempfile.TemporaryDirectory() as d:
        path = d + '/anser.yml'
        pathlib.Path(path).write_text(row[1])
        fails(anser('config', '--check', '--config', path), 'anser.yml' + row[2])
        starts_not(['--data', d, '--domain', 'localhost', '--config', path], 'anser.yml' + row[2])


def a_missing_configuration_file_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        starts_not(['--data', d, '--config', d + '/none.yml'], 'none.yml')


def a_bad_address_to_listen_on_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        for value in ('nonsense', '127.0.0.1:99999', '127.0.0.1:', ':::'):
            starts_not(['--data', d, '--domain', 'localhost', '--set', 'listen.c2s=' + value], 'listen.c2s')


# ---- messages at start

def a_taken_port_is_told(stage):
    port = stage.server.ports['c2s']
    with tempfile.TemporaryDirectory() as d:
        sets = []
        for key, value in (('c2s', '127.0.0.1:%d' % port), ('c2s_tls', ''), ('https', ''), ('s2s', '')):
            sets += ['--set', 'listen.%s=%s' % (key, value)]
        starts_not(['--data', d, '--domain', 'localhost'] + sets, str(port))


def a_data_directory_in_use_is_told(stage):
    server = Anser(data=stage.server.data)
    proc = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
    fails(proc)
    stage.online().ping()


def a_data_directory_that_cannot_be_written_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        path = d + '/file'
        pathlib.Path(path).write_text('in the way')
        starts_not(['--data', path, '--domain', 'localhost'], path)


def a_foreign_file_in_place_of_the_database_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        pathlib.Path(d + '/anser.db').write_bytes(b'this is no database' * 1000)
        starts_not(['--data', d, '--domain', 'localhost', '--set', 'listen.c2s=127.0.0.1:0', '--set', 'listen.c2s_tls=', '--set', 'listen.https=', '--set', 'listen.s2s='], 'anser.db')


def a_bad_certificate_is_told(stage):
    with tempfile.TemporaryDirectory() as d:
        pathlib.Path(d + '/cert.pem').write_text('nonsense')
        starts_not(['--data', d + '/data', '--domain', 'localhost', '--set', f'tls.certificate={d}/cert.pem', '--set', f'tls.key={d}/none.pem'], 'pem')


def another_domain_than_before_is_told(stage):
    """Accounts belong to the domain they were made for."""
    server = stage.own_server()
    server.add('x')
    server.proc.send_signal(signal.SIGTERM)
    server.proc.wait(30)
    done = subprocess.run([a if a != 'localhost' else 'other.example' for a in server.command()], capture_output=True, text=True, timeout=60)
    fails(done, 'localhost')
    server.start()


# ---- signals

def sigterm_closes_streams_with_system_shutdown(stage):
    server = stage.own_server()
    clients = [stage.client(server.account(), transport=t, server=server).online() for t in ('tls', 'starttls', 'ws')]
    server.proc.send_signal(signal.SIGTERM)
    for c in clients:
        c.expect_stream_error('system-shutdown')
    equal(server.proc.wait(30), 0, 'exit status')


def sigterm_waits_for_what_was_acknowledged(stage):
    server = stage.own_server()
    a = stage.client(server.account(), server=server).online()
    acc = server.account()
    a.enable_sm()
    for i in range(100):
        a.send(f'<message to="{acc.jid}" type="chat" id="m{i}"><body>m{i}</body></message>')
    a.request_ack()
    server.restart()
    b = stage.client(acc, server=server).login()
    b.present()
    for i in range(100):
        b.expect(f'<message id="m{i}"/>')


def sigint_ends_too(stage):
    server = stage.own_server()
    server.proc.send_signal(signal.SIGINT)
    equal(server.proc.wait(30), 0, 'exit status')


def sighup_reloads_and_keeps_sessions(stage):
    with tempfile.TemporaryDirectory() as d:
        path = d + '/anser.yml'
        pathlib.Path(path).write_text('registration:\n  open: false\n')
        server = Anser(args=['--config', path]).start()
        stage.cleanups.append(server.stop)
        stage.server = server
        a = stage.online()
        pathlib.Path(path).write_text('registration:\n  open: true\n')
        server.proc.send_signal(signal.SIGHUP)
        for _ in range(200):
            a.ping()
            if fetch(stage, 'GET', '/api/v1/server').json()['registration_open']:
                break
        else:
            raise Failed('the new value is not in force')
        pathlib.Path(path).write_text('nonsense: [\n')
        server.proc.send_signal(signal.SIGHUP)
        for _ in range(20):
            a.ping()
        check(server.alive(), 'a bad configuration at SIGHUP ended the server')
        stage.online(server.account()).ping()


def sighup_takes_a_new_certificate(stage):
    with tempfile.TemporaryDirectory() as d:
        def make(name):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=' + name,
                            '-keyout', d + '/key.pem', '-out', d + '/cert.pem'], check=True, capture_output=True)
        make('one')
        server = stage.own_server({'tls.certificate': d + '/cert.pem', 'tls.key': d + '/key.pem'})
        a = stage.client(server.account(), server=server).online()
        first = a.link.sock.getpeercert(True)
        make('two')
        server.proc.send_signal(signal.SIGHUP)
        for _ in range(200):
            a.ping()
            c = stage.client(False, server=server).connect()
            if c.link.sock.getpeercert(True) != first:
                break
            c.drop()
        else:
            raise Failed('the old certificate is still used')


def a_kill_leaves_a_directory_that_starts_again(stage):
    server = stage.own_server()
    acc = server.account()
    server.kill()
    server.start()
    stage.client(acc, server=server).online()


def the_ready_line_names_the_addresses(stage):
    line = next(l for l in stage.server.greeting if l.startswith('ready'))
    for port in stage.server.ports.values():
        check(str(port) in line, '%d is not in %r' % (port, line))


def the_log_holds_no_bodies_passwords_or_tokens(stage):
    server = stage.own_server({'log.level': 'debug'})
    acc = server.add('quiet', 'my-secret-password-77')
    a = stage.client(acc, server=server).online()
    b = stage.client(server.account(), server=server).online()
    a.send(f'<message to="{b.bare}" type="chat"><body>very-private-body-42</body></message>')
    b.expect('<message/>')
    c = stage.client(acc, server=server).connect()
    c.sasl('PLAIN')
    a.raw('<message><body>very-private-body-43</bod>')
    a.expect_close()
    text = server.log_text()
    for secret in ('my-secret-password-77', 'very-private-body', b64(plain('quiet', 'my-secret-password-77'))):
        check(secret not in text, 'the log holds %r' % secret)


def the_log_can_be_json(stage):
    server = stage.own_server({'log.format': 'json', 'log.level': 'info'})
    stage.client(server.account(), server=server).online()
    lines = [l for l in server.log_text().split('\n') if l.strip()]
    check(lines, 'no log')
    for line in lines:
        json.loads(line)
