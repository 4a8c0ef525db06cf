# SPDX-License-Identifier: AGPL-3.0-or-later
"""SASL2 with a second factor, application passwords and tokens, for dialogues: `from signin import *`."""
from lib import *

FACTOR = 'urn:anser:second-factor:0'
BIND_PLAIN = f'<bind xmlns="{BIND2}"/>'
TOKEN = f'<request-token xmlns="{FAST}" mechanism="HT-SHA-256-NONE"/>'


def code(text):
    return f'<code xmlns="{FACTOR}">{text}</code>'


def failure(out, condition):
    equal(out.name, 'failure', str(out))
    names = [k.name for k in out.kids if k.ns == SASL]
    check(names and names[0] in condition.split('|'), 'failure %s, wanted %s' % (names, condition))
    return out


def success(out):
    equal(out.name, 'success', str(out))
    return out


def connect(stage, account=None, transport='tls', sender=True):
    a = stage.client(account, transport)
    a.link_up()
    a.open(sender=a.bare if sender else None)
    return a


def run(c, node, values=None, to=None):
    return c.set(command(f'{FACTOR}#{node}', values), to)


def enrol(c):
    """Turns the factor on for the account of an online client: (authenticator, recovery codes)."""
    out = run(c, 'on', {'password': c.account.password})
    values = fields(out.find('command/x'))
    app = Authenticator(values['secret'][0])
    out = run(c, 'on', {'code': app.code()})
    return app, fields(out.find('command/x'))['recovery-codes']


def app_password(c, name='telephone', **more):
    out = run(c, 'app-password-new', {'name': name, 'password': c.account.password, **more})
    values = fields(out.find('command/x'))
    return values['app-password'][0], values['id'][0]


def asked(out):
    equal(out.name, 'continue', str(out))
    return [t.text for t in out.all('tasks/task')]


def token_of(out):
    return success(out).find('token', FAST)['token']


def token_sign_in(stage, a, token):
    c = stage.client(a.account)
    c.user_agent = a.user_agent
    c.link_up()
    c.open(sender=c.bare)
    return c.sasl2('HT-SHA-256-NONE', BIND_PLAIN, token=token)
