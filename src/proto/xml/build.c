/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* From expat's callbacks to trees (RFC 6120 §11.1, Namespaces in XML 1.0). */
#include "proto/xml/build.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

#define NS_XML "http://www.w3.org/XML/1998/namespace"

/* Offset behind the event that expat is reporting. */
static uint64_t event_end(const struct xml_build *b)
{
	XML_Parser x = b->parser->expat;

	return (uint64_t)XML_GetCurrentByteIndex(x) + (uint64_t)XML_GetCurrentByteCount(x);
}

/* Where the limited bytes begin: at the open stanza, behind the last event between stanzas, at the prolog before the root. */
static uint64_t limit_start(const struct xml_build *b)
{
	return b->depth >= 2 ? b->start : b->depth ? b->end : 0;
}

/* A fault beyond the byte limit is a fault against the limit, whether or not the bytes came in one piece. */
static void fault_at(struct xml_build *b, int error, uint64_t end)
{
	if (b->error)
		return;
	b->error = end - limit_start(b) > b->limits->stanza_bytes ? -EMSGSIZE : error;
	XML_StopParser(b->parser->expat, XML_FALSE);
}

static void fault(struct xml_build *b, int error)
{
	fault_at(b, error, event_end(b));
}

static void suspend(struct xml_build *b, uint8_t got)
{
	b->got |= got;
	b->end = event_end(b);
	XML_StopParser(b->parser->expat, XML_TRUE);
}

struct qname {
	struct str ns, name;
};

static struct qname split(const char *s)
{
	const char *sep = strchr(s, XML_NS_SEPARATOR);

	if (!sep)
		return (struct qname){ STR_NONE, str_of(s) };
	return (struct qname){ { s, (size_t)(sep - s) }, str_of(sep + 1) };
}

static struct str put(char **p, struct str s)
{
	struct str out = { *p, s.n };

	memcpy(*p, s.p, s.n);
	*p += s.n;
	return out;
}

/* Namespaces are few on the wire and many when written: what they add is limited like the stanza itself. */
static bool count_ns(struct xml_build *b, size_t n)
{
	if (b->ns_bytes + (uint64_t)n > b->limits->stanza_bytes) {
		fault(b, -EMSGSIZE);
		return false;
	}
	b->ns_bytes += (uint32_t)n;
	return true;
}

static bool attr_from(struct xml_build *b, struct xml_attr *at, const char **pair, char **p)
{
	struct qname q = split(pair[0]);

	if (str_is(q.ns, NS_XML)) {
		q.ns = STR("xml");
	} else if (q.ns.n) {
		if (str_is(q.ns, "xml")) { /* would be taken for XML's own */
			fault(b, -EBADMSG);
			return false;
		}
		if (!count_ns(b, q.ns.n))
			return false;
		q.ns = put(p, q.ns);
	}
	at->ns = q.ns;
	at->name = put(p, q.name);
	at->value = put(p, str_of(pair[1]));
	return true;
}

/* All attributes and their bytes are one allocation. */
static bool attrs_from(struct xml_build *b, struct xml *el, const char **atts)
{
	size_t n = 0, bytes = 0;
	struct xml_attr *at;
	char *p;

	for (; atts[2 * n]; n++)
		bytes += strlen(atts[2 * n]) + strlen(atts[2 * n + 1]);
	if (n > b->limits->attrs) {
		fault(b, -EMSGSIZE);
		return false;
	}
	if (!n)
		return true;
	at = arena_alloc(b->a, n * sizeof(*at) + bytes);
	p = (char *)(at + n);
	el->attrs = at;
	for (size_t i = 0; i < n; i++) {
		if (!attr_from(b, &at[i], &atts[2 * i], &p))
			return false;
		at[i].next = i + 1 < n ? &at[i + 1] : NULL;
	}
	return true;
}

static struct xml *element_from(struct xml_build *b, const char *name, struct xml *parent)
{
	struct qname q = split(name);
	bool shared = parent && str_eq(parent->ns, q.ns);
	struct xml *el = arena_alloc(b->a, sizeof(*el) + q.name.n + (shared ? 0 : q.ns.n));
	char *p = (char *)(el + 1);

	if (!shared && !count_ns(b, q.ns.n))
		return NULL;
	*el = (struct xml){ .name = put(&p, q.name) };
	el->ns = shared ? parent->ns : q.ns.n ? put(&p, q.ns) : STR_NONE;
	return el;
}

/* The root's name as it stands on the wire, prefix included: its end tag must match it. */
static struct str root_tag(struct xml_build *b)
{
	int offset = 0, size = 0;
	const char *input = XML_GetInputContext(b->parser->expat, &offset, &size);
	struct str tag = { input + offset + 1, 0 };

	must(input && input[offset] == '<');
	while (!strchr(" \t\r\n/>", tag.p[tag.n]))
		tag.n++;
	return tag;
}

/* Declarations are told before the start tag: they wait in head as " xmlns:p='uri'". */
static void on_namespace(void *user, const XML_Char *prefix, const XML_Char *uri)
{
	struct xml_build *b = user;
	struct buf out = { 0 };

	if (b->error)
		return;
	if (!prefix)
		b->default_ns = arena_str(b->a, str_of(uri));
	buf_puts(&out, prefix ? " xmlns:" : " xmlns");
	buf_puts(&out, prefix ? prefix : "");
	buf_puts(&out, "='");
	xml_escape(&out, str_of(uri));
	buf_puts(&out, "'");
	/* The default namespace goes first, so that streams which differ only in order share parsers. */
	if (b->head && prefix) {
		struct buf joined = { 0 };

		buf_puts(&joined, b->head);
		buf_str(&joined, buf_view(&out));
		buf_free(&out);
		out = joined;
	} else if (b->head) {
		buf_puts(&out, b->head);
	}
	buf_putc(&out, 0);
	free(b->head);
	b->head = out.p;
}

static void on_root(struct xml_build *b, const char *name, const char **atts)
{
	struct str tag = root_tag(b);
	struct buf head = { 0 };
	struct xml *root = element_from(b, name, NULL);

	if (!root || !attrs_from(b, root, atts))
		return;
	b->root = root;
	if (b->default_ns.n)
		xml_set(b->a, root, "xmlns", b->default_ns);
	buf_putc(&head, '<');
	buf_str(&head, tag);
	buf_puts(&head, b->head ? b->head : "");
	buf_put(&head, ">", 2);
	free(b->head);
	b->head = mem_realloc(head.p, head.n);
	XML_SetNamespaceDeclHandler(b->parser->expat, NULL, NULL);
	if (event_end(b) - limit_start(b) > b->limits->stanza_bytes)
		fault(b, -EMSGSIZE);
	else
		suspend(b, GOT_OPEN);
	b->depth = 1;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **atts)
{
	struct xml_build *b = user;
	struct xml *el;

	if (b->error)
		return;
	if (!b->depth) {
		on_root(b, name, (const char **)atts);
		return;
	}
	if (b->depth == 1) {
		b->start = (uint64_t)XML_GetCurrentByteIndex(b->parser->expat);
		b->elements = b->ns_bytes = 0;
		b->top = b->cur = NULL;
	}
	if (b->depth > b->limits->depth || b->elements >= b->limits->elements) {
		fault(b, -EMSGSIZE);
		return;
	}
	el = element_from(b, name, b->cur);
	if (!el || !attrs_from(b, el, (const char **)atts))
		return;
	if (b->cur)
		xml_append(b->cur, el);
	else
		b->top = el;
	b->cur = el;
	b->text = NULL;
	b->elements++;
	b->depth++;
}

static void on_end(void *user, const XML_Char *name)
{
	struct xml_build *b = user;

	(void)name;
	if (b->error)
		return;
	b->text = NULL;
	if (b->depth == 1) {
		b->depth = 0;
		suspend(b, GOT_CLOSE);
		return;
	}
	if (b->depth == 2 && event_end(b) - b->start > b->limits->stanza_bytes) {
		fault(b, -EMSGSIZE);
		return;
	}
	b->depth--;
	b->cur = b->cur->parent;
	if (b->depth == 1)
		suspend(b, GOT_STANZA);
}

static void text_grow(struct xml_build *b, size_t n)
{
	struct xml *node = b->text;
	size_t cap = 2 * (node->text.n + n);
	char *p = arena_alloc(b->a, cap);

	if (node->text.n)
		memcpy(p, node->text.p, node->text.n);
	node->text.p = p;
	b->text_cap = (uint32_t)cap;
}

/* Expat reports text in pieces; a run that grows doubles its room, so that one-byte input costs no more than its size. */
static void on_text(void *user, const XML_Char *s, int len)
{
	struct xml_build *b = user;
	size_t n = (size_t)len;

	if (b->error)
		return;
	if (b->depth < 2) {
		for (size_t i = 0; i < n; i++) {
			if (!strchr(" \t\r\n", s[i])) {
				/* The first bad byte is the fault, however long the run is. */
				fault_at(b, -EDOM, b->end);
				return;
			}
		}
		b->got |= GOT_SPACE;
		b->end = event_end(b);
		return;
	}
	if (!b->text) {
		b->text = arena_alloc(b->a, sizeof(struct xml) + n);
		*b->text = (struct xml){ .text = { (char *)(b->text + 1), 0 } };
		b->text_cap = (uint32_t)n;
		xml_append(b->cur, b->text);
	} else if (n > b->text_cap - b->text->text.n) {
		text_grow(b, n);
	}
	memcpy((char *)b->text->text.p + b->text->text.n, s, n);
	b->text->text.n += n;
}

static void on_comment(void *user, const XML_Char *text)
{
	(void)text;
	fault(user, -EPERM);
}

static void on_instruction(void *user, const XML_Char *target, const XML_Char *text)
{
	(void)target;
	(void)text;
	fault(user, -EPERM);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *sysid,
	const XML_Char *pubid, int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	fault(user, -EPERM);
}

/* RFC 6120 §11.6: UTF-8 and nothing else. */
static void on_declaration(void *user, const XML_Char *version, const XML_Char *encoding, int alone)
{
	(void)alone;
	if (version && encoding && strcasecmp(encoding, "UTF-8") != 0)
		fault(user, -EILSEQ);
}

void build_begin(struct xml_build *b)
{
	XML_Parser x;

	b->parser = xml_parser_take(b->head);
	b->suspended = false;
	b->end = b->parser->fed;
	x = b->parser->expat;
	XML_SetUserData(x, b);
	XML_SetElementHandler(x, on_start, on_end);
	XML_SetCharacterDataHandler(x, on_text);
	XML_SetCommentHandler(x, on_comment);
	XML_SetProcessingInstructionHandler(x, on_instruction);
	XML_SetStartDoctypeDeclHandler(x, on_doctype);
	XML_SetXmlDeclHandler(x, on_declaration);
	XML_SetNamespaceDeclHandler(x, b->head ? NULL : on_namespace, NULL);
}

void build_end(struct xml_build *b)
{
	struct xml_parser *p = b->parser;

	if (!p)
		return;
	/* A parser that stopped behind the last byte comes to rest only once it went on. */
	if (b->suspended && b->depth == 1 && !b->error && b->end == p->fed)
		build_feed(b, NULL, 0);
	if (!b->error && !b->suspended && b->depth == 1 && !build_pending(b))
		xml_parser_give(p, b->head);
	else
		xml_parser_free(p);
	b->parser = NULL;
	b->suspended = false;
}

uint64_t build_pending(const struct xml_build *b)
{
	XML_Index at;

	if (!b->parser)
		return 0;
	if (b->suspended)
		return b->parser->fed - b->end;
	at = XML_GetCurrentByteIndex(b->parser->expat);
	return b->parser->fed - (at < 0 ? 0 : (uint64_t)at);
}

struct str build_unread(const struct xml_build *b)
{
	int offset = 0, size = 0;
	const char *input = XML_GetInputContext(b->parser->expat, &offset, &size);

	return input ? (struct str){ input + offset, (size_t)(size - offset) } : STR_NONE;
}

uint64_t build_counted(const struct xml_build *b)
{
	return b->parser->fed - limit_start(b);
}

int build_fail(struct xml_build *b, int error)
{
	fault_at(b, error, b->parser->fed);
	return b->error;
}

/* Expat says "invalid token" for bad UTF-8 and bad syntax alike: look at the byte where it stopped. */
static int token_error(const struct xml_build *b, uint64_t *end)
{
	struct str rest = build_unread(b);
	size_t pos = 0;
	unsigned char lead;

	if (!rest.n)
		return -EBADMSG;
	lead = (unsigned char)rest.p[0];
	*end = (uint64_t)XML_GetCurrentByteIndex(b->parser->expat) +
		(lead < 0xc2 || lead > 0xf4   ? 1
				: lead < 0xe0 ? 2
				: lead < 0xf0 ? 3
					      : 4);
	return utf8_next(rest, &pos) < 0 ? -EILSEQ : -EBADMSG;
}

static void take_error(struct xml_build *b)
{
	uint64_t end = event_end(b);
	int error = -EBADMSG;

	switch (XML_GetErrorCode(b->parser->expat)) {
	case XML_ERROR_ABORTED: return; /* by a handler, which has set the error */
	case XML_ERROR_INVALID_TOKEN:
	case XML_ERROR_PARTIAL_CHAR: error = token_error(b, &end); break;
	case XML_ERROR_UNKNOWN_ENCODING:
	case XML_ERROR_INCORRECT_ENCODING: error = -EILSEQ; break;
	case XML_ERROR_UNDEFINED_ENTITY:
		error = -EPERM;
		break; /* RFC 6120 §11.1: only the predefined five */
	case XML_ERROR_NO_MEMORY: must(!"memory"); break;
	default: break;
	}
	fault_at(b, error, end);
}

int build_feed(struct xml_build *b, const char *p, size_t n)
{
	XML_Parser x = b->parser->expat;
	enum XML_Status status;

	if (b->suspended && !n) {
		status = XML_ResumeParser(x);
	} else {
		must(n <= 1 << 30);
		b->parser->fed += n;
		status = XML_Parse(x, p, (int)n, XML_FALSE);
	}
	b->suspended = status == XML_STATUS_SUSPENDED;
	if (status == XML_STATUS_ERROR)
		take_error(b);
	if (status == XML_STATUS_OK && build_counted(b) > b->limits->stanza_bytes)
		build_fail(b, -EMSGSIZE);
	return b->error;
}
