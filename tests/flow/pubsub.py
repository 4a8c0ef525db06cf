# SPDX-License-Identifier: AGPL-3.0-or-later
"""What dialogues of publish-subscribe share: requests, forms, capabilities."""
import base64
import hashlib

from lib import *

PUBSUB = 'http://jabber.org/protocol/pubsub'
OWNER = PUBSUB + '#owner'
EVENT = PUBSUB + '#event'
ERRORS = PUBSUB + '#errors'
CONFIG = PUBSUB + '#node_config'
OPTIONS = PUBSUB + '#publish-options'
AUTH = PUBSUB + '#subscribe_authorization'
CAPS = 'http://jabber.org/protocol/caps'
TUNE = 'http://jabber.org/protocol/tune'
NODE = 'https://client.example'


def pubsub(inner, ns=PUBSUB):
    return f'<pubsub xmlns="{ns}">{inner}</pubsub>'


def entry(text='x', ns='urn:example:entry'):
    return f'<entry xmlns="{ns}">{text}</entry>'


def publish(node, payload=None, item_id=None, options=None):
    payload = entry() if payload is None else payload
    the_id = f' id="{item_id}"' if item_id else ''
    out = f'<publish node="{node}"><item{the_id}>{payload}</item></publish>'
    if options is not None:
        out += f'<publish-options>{form(OPTIONS, options)}</publish-options>'
    return pubsub(out)


def create(node=None, config=None):
    out = f'<create node="{node}"/>' if node else '<create/>'
    if config is not None:
        out += f'<configure>{form(CONFIG, config)}</configure>'
    return pubsub(out)


def items(node, *ids, max_items=None, rsm=None):
    attr = f' max_items="{max_items}"' if max_items else ''
    out = f'<items node="{node}"{attr}>' + ''.join(f'<item id="{i}"/>' for i in ids) + '</items>'
    if rsm is not None:
        out += f'<set xmlns="{RSM}">{rsm}</set>'
    return pubsub(out)


def retract(node, item_id, notify=None):
    attr = f' notify="{notify}"' if notify else ''
    return pubsub(f'<retract node="{node}"{attr}><item id="{item_id}"/></retract>')


def configure(node, config):
    return pubsub(f'<configure node="{node}">{form(CONFIG, config)}</configure>', OWNER)


def delete(node):
    return pubsub(f'<delete node="{node}"/>', OWNER)


def purge(node):
    return pubsub(f'<purge node="{node}"/>', OWNER)


def subscribe(node, jid):
    return pubsub(f'<subscribe node="{node}" jid="{jid}"/>')


def unsubscribe(node, jid):
    return pubsub(f'<unsubscribe node="{node}" jid="{jid}"/>')


def affiliate(node, **who):
    rows = ''.join(f'<affiliation jid="{j}" affiliation="{a}"/>' for j, a in who.get('rows', []))
    return pubsub(f'<affiliations node="{node}">{rows}</affiliations>', OWNER)


def ids_of(answer):
    """The ids of an items result."""
    return [i['id'] for i in answer.all('pubsub/items/item')]


def texts_of(answer):
    return [i.kids[0].text if i.kids else None for i in answer.all('pubsub/items/item')]


def fails(c, kind, payload, condition, app=None, to=None):
    """The request must fail with the condition and the one of pubsub#errors."""
    answer = c.refused(kind, payload, condition, to)
    have = [k.name for k in answer.find('error').kids if k.ns == ERRORS]
    if have != ([app] if app else []):
        raise Failed(f'pubsub condition is {have}, wanted {app}: {answer}')
    return answer


# ---- capabilities (XEP-0115)

def info(features, name='Flow'):
    """The inside of a disco#info answer."""
    return (f'<identity category="client" type="pc" name="{name}"/>' +
            ''.join(f'<feature var="{f}"/>' for f in features))


def ver(features, name='Flow', algorithm='sha1'):
    text = f'client/pc//{name}<' + ''.join(f + '<' for f in sorted(features))
    return base64.b64encode(hashlib.new(algorithm, text.encode()).digest()).decode()


def caps(verification, hash_name='sha-1'):
    return f'<c xmlns="{CAPS}" hash="{hash_name}" node="{NODE}" ver="{verification}"/>'


def notify(*nodes):
    return [DISCO_INFO] + [n + '+notify' for n in nodes]


def tell_caps(c, features, client=None):
    """Presence with capabilities, and the answer to the server's question; returns once the server has it. Without a name of the
    client it is one that the server never heard of. Returns the name."""
    fresh = client is None
    client = client or Client.new_id()
    v = ver(features, client)
    c.present(caps(v))
    if fresh:
        answer_caps(c, info(features, client), v)
    c.ping()
    return client


def answer_caps(c, inside, v):
    asked = c.expect(f'<iq type="get"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}"/></iq>')
    c.send(f'<iq type="result" id="{asked["id"]}" to="{asked["from"]}"><query xmlns="{DISCO_INFO}" node="{NODE}#{v}">{inside}</query></iq>')


def name():
    return 'node-' + Client.new_id()
