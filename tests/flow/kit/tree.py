# SPDX-License-Identifier: AGPL-3.0-or-later
"""XML elements as a client sees them: incremental stream parsing, building from text, structural matching.

A pattern is XML whose default namespace is jabber:client. It matches an element when
  - name and namespace are equal,
  - every attribute of the pattern is there with an equal value,
  - every child of the pattern matches a different child of the element, in any order,
  - the pattern's text (if any) equals the element's text, white space at the ends aside.
Values (attributes and text): `*` anything that is present, `!` must be absent or empty, `~re` a regular expression that
matches in full, `@name` anything, remembered under that name (the same name again must be equal).
Children inside <t:no> must match nothing; <t:only/> forbids child elements that the pattern does not name.
"""
import re
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

CLIENT = 'jabber:client'
STREAM = 'http://etherx.jabber.org/streams'
TEST = 'urn:anser:test'
XML = 'http://www.w3.org/XML/1998/namespace'
PREFIXES = {XML: 'xml'}


class El:
    """One element: name, ns, attrs (namespaced ones as 'ns local'), kids, text."""

    __slots__ = ('name', 'ns', 'attrs', 'kids', 'text', 'parts')

    def __init__(self, name, ns=CLIENT, attrs=None):
        self.name, self.ns, self.attrs = name, ns, attrs or {}
        self.kids, self.text, self.parts = [], '', []

    def __getitem__(self, key):
        return self.attrs.get(key)

    def add(self, kid):
        self.kids.append(kid)
        self.parts.append(kid)

    def add_text(self, text):
        self.text += text
        self.parts.append(text)

    def find(self, path, ns=None):
        """First descendant by a path of names ('result/forwarded/message'); ns checks the last one. None when absent."""
        found = self.all(path, ns)
        return found[0] if found else None

    def all(self, path, ns=None):
        here = [self]
        names = path.split('/')
        for i, name in enumerate(names):
            last = i == len(names) - 1
            here = [k for e in here for k in e.kids
                    if k.name == name and (ns is None or not last or k.ns == ns)]
        return here

    def textof(self, path, ns=None):
        el = self.find(path, ns)
        return None if el is None else el.text

    @property
    def error(self):
        """The defined condition of a stanza error, or None."""
        err = self.find('error')
        if err is None:
            return None
        for kid in err.kids:
            if kid.ns == 'urn:ietf:params:xml:ns:xmpp-stanzas' and kid.name != 'text':
                return kid.name
        return 'error-without-condition'

    def __str__(self):
        return write(self)

    __repr__ = __str__


def write(el, ns=None):
    """Serialises with a default namespace declaration wherever it changes."""
    out = '<' + el.name
    if el.ns != ns:
        out += ' xmlns=' + quoteattr(el.ns or '')
    for i, (key, value) in enumerate(el.attrs.items()):
        uri, _, local = key.rpartition(' ')
        if uri in PREFIXES:
            local = PREFIXES[uri] + ':' + local
        elif uri:
            out += ' xmlns:n%d=%s' % (i, quoteattr(uri))
            local = 'n%d:%s' % (i, local)
        out += ' %s=%s' % (local, quoteattr(value))
    if not el.parts:
        return out + '/>'
    body = ''.join(escape(p) if isinstance(p, str) else write(p, el.ns) for p in el.parts)
    return out + '>' + body + '</%s>' % el.name


class Reader:
    """Incremental reader of a stream: feed(bytes) returns events ('open', El), ('el', El), ('close', None)."""

    def __init__(self, framed=False):
        self.base = 0 if framed else 1
        self.stack, self.events = [], []
        self.p = expat.ParserCreate(namespace_separator=' ')
        self.p.buffer_text = True
        self.p.StartElementHandler = self._start
        self.p.EndElementHandler = self._end
        self.p.CharacterDataHandler = self._text

    def feed(self, data):
        self.events = []
        self.p.Parse(data, False)
        return self.events

    def _start(self, name, attrs):
        ns, _, local = name.rpartition(' ')
        el = El(local, ns, dict(attrs))
        if len(self.stack) < self.base:
            self.events.append(('open', el))
        elif len(self.stack) > self.base:
            self.stack[-1].add(el)
        self.stack.append(el)

    def _end(self, _name):
        el = self.stack.pop()
        if len(self.stack) == self.base:
            self.events.append(('el', el))
        elif len(self.stack) < self.base:
            self.events.append(('close', None))

    def _text(self, text):
        if len(self.stack) > self.base:
            self.stack[-1].add_text(text)


def parse(text, ns=CLIENT):
    """One element from text; ns is the default namespace outside of it. A stanza right inside <forwarded/> is jabber:client
    unless it says otherwise."""
    text = re.sub(r'(<forwarded xmlns="urn:xmpp:forward:0">(?:<delay[^>]*/>)?<(?:message|presence|iq))(?![^>]* xmlns=)',
                  r'\1 xmlns="jabber:client"', text)
    reader = Reader()
    head = '<r xmlns="%s" xmlns:stream="%s" xmlns:t="%s">' % (ns, STREAM, TEST)
    reader.feed(head.encode())
    events = reader.feed(text.strip().encode())
    if not events:
        raise ValueError('not one whole element: %r' % text)
    return events[0][1]


def mismatch(pattern, el, names=None):
    """Why el does not match the pattern, or None when it does. names collects @captures."""
    names = {} if names is None else names
    if (pattern.name, pattern.ns) != (el.name, el.ns):
        return '<%s xmlns=%r> where <%s xmlns=%r> was wanted' % (el.name, el.ns, pattern.name, pattern.ns)
    for key, want in pattern.attrs.items():
        why = _value(want, el.attrs.get(key), names)
        if why:
            return '%s/@%s: %s' % (el.name, key, why)
    want = pattern.text.strip()
    if want:
        why = _value(want, el.text.strip() or None, names)
        if why:
            return '%s text: %s' % (el.name, why)
    return _kids(pattern, el, names)


def _kids(pattern, el, names):
    left = list(el.kids)
    only = False
    for want in pattern.kids:
        if want.ns == TEST:
            only = only or want.name == 'only'
            for never in want.kids:
                for kid in el.kids:
                    if want.name == 'no' and mismatch(never, kid, dict(names)) is None:
                        return 'in <%s>: unwanted %s' % (el.name, kid)
            continue
        whys = []
        for kid in left:
            attempt = dict(names)
            why = mismatch(want, kid, attempt)
            if why is None:
                names.update(attempt)
                left.remove(kid)
                break
            whys.append(why)
        else:
            return 'in <%s>: no child like %s%s' % (el.name, want, ' (%s)' % '; '.join(whys) if whys else '')
    if only and left:
        return 'in <%s>: extra child %s' % (el.name, left[0])
    return None


def _value(want, have, names):
    if want == '!':
        return None if have in (None, '') else 'is %r, was to be absent' % have
    if have is None:
        return 'is absent, wanted %r' % want
    if want == '*':
        return None
    if want.startswith('~'):
        return None if re.fullmatch(want[1:], have, re.S) else '%r does not match %r' % (have, want[1:])
    if want.startswith('@'):
        if names.setdefault(want[1:], have) != have:
            return '%r, but %s was %r' % (have, want, names[want[1:]])
        return None
    return None if want == have else '%r, wanted %r' % (have, want)
