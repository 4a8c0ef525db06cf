/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Large documents in pieces. */
#include "proto/xml/cutter.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { SEPARATOR = '\xff', TAG_BYTES_MAX = CUTTER_WHOLE_BYTES_MAX };

struct cutter {
	const struct cutter_handler *h;
	void *arg;
	XML_Parser expat;
	struct arena a;
	struct xml *cur;   /* inside a whole element: the innermost open one */
	int depth;	   /* open elements */
	int whole_depth;   /* depth of the whole one that is being read */
	bool too_big;
	XML_Index began;   /* byte of the whole one's start */
	uint64_t fed;
	int error;
};

static void stop(struct cutter *c, int error)
{
	if (!c->error)
		c->error = error;
	XML_StopParser(c->expat, XML_FALSE);
}

/* "namespace 0xff name" */
static void split(struct arena *a, const char *full, struct str *ns, struct str *name)
{
	const char *at = strchr(full, SEPARATOR);

	*ns = at ? arena_str(a, (struct str){ full, (size_t)(at - full) }) : STR_NONE;
	*name = arena_str(a, str_of(at ? at + 1 : full));
}

static struct xml *element(struct cutter *c, const char *name, const char **attrs)
{
	struct arena *a = &c->a;
	struct xml *el = arena_zalloc(a, sizeof(*el));
	struct xml_attr **link = &el->attrs;
	int n = 0;

	split(a, name, &el->ns, &el->name);
	if (!el->ns.p)
		el->ns = STR("");
	for (; attrs[0]; attrs += 2) {
		struct xml_attr *at = arena_zalloc(a, sizeof(*at));

		if (++n > CUTTER_ATTRS_MAX) {
			stop(c, -EMSGSIZE);
			return el;
		}
		split(a, attrs[0], &at->ns, &at->name);
		if (str_is(at->ns, "http://www.w3.org/XML/1998/namespace"))
			at->ns = STR("xml");
		at->value = arena_str(a, str_of(attrs[1]));
		*link = at;
		link = &at->next;
	}
	return el;
}

/* What does not fit is read on, but not kept. */
static bool fits(struct cutter *c)
{
	if (!c->too_big && XML_GetCurrentByteIndex(c->expat) - c->began > CUTTER_WHOLE_BYTES_MAX)
		c->too_big = true;
	return !c->too_big;
}

static void XMLCALL on_start(void *arg, const char *name, const char **attrs)
{
	struct cutter *c = arg;
	struct xml *el;
	int told;

	if (c->error)
		return;
	if (c->depth >= CUTTER_DEPTH_MAX) {
		stop(c, -EMSGSIZE);
		return;
	}
	c->depth++;
	if (c->whole_depth) {
		if (!fits(c))
			return;
		el = element(c, name, attrs);
		xml_append(c->cur, el);
		c->cur = el;
		return;
	}
	el = element(c, name, attrs);
	if (c->error)
		return;
	told = c->h->open(c->arg, el, c->depth - 1);
	if (told < 0) {
		stop(c, told);
	} else if (told) {
		arena_reset(&c->a);
	} else {
		c->whole_depth = c->depth;
		c->began = XML_GetCurrentByteIndex(c->expat);
		c->too_big = false;
		c->cur = el;
	}
}

static void end_whole(struct cutter *c)
{
	int err = c->h->whole(c->arg, fits(c) ? c->cur : NULL, c->depth - 1);

	c->whole_depth = 0;
	c->cur = NULL;
	arena_reset(&c->a);
	if (err)
		stop(c, err);
}

static void XMLCALL on_end(void *arg, const char *name)
{
	struct cutter *c = arg;
	int err = 0;

	(void)name;
	if (c->error)
		return;
	if (c->whole_depth == c->depth)
		end_whole(c);
	else if (c->whole_depth && !c->too_big)
		c->cur = c->cur->parent;
	else if (!c->whole_depth)
		err = c->h->close(c->arg, c->depth - 1);
	c->depth--;
	if (err)
		stop(c, err);
}

static void XMLCALL on_text(void *arg, const char *s, int n)
{
	struct cutter *c = arg;

	if (!c->error && c->whole_depth && fits(c))
		xml_text(&c->a, c->cur, arena_str(&c->a, (struct str){ s, (size_t)n }));
}

static void XMLCALL on_doctype(void *arg, const char *name, const char *system, const char *public_id, int internal)
{
	(void)name;
	(void)system;
	(void)public_id;
	(void)internal;
	stop(arg, -EPERM);
}

struct cutter *cutter_new(const struct cutter_handler *h, void *arg)
{
	struct cutter *c = mem_zalloc(sizeof(*c));

	c->h = h;
	c->arg = arg;
	arena_init(&c->a);
	c->expat = XML_ParserCreateNS(NULL, SEPARATOR);
	must(c->expat);
	XML_SetUserData(c->expat, c);
	XML_SetElementHandler(c->expat, on_start, on_end);
	XML_SetCharacterDataHandler(c->expat, on_text);
	XML_SetStartDoctypeDeclHandler(c->expat, on_doctype);
	return c;
}

void cutter_free(struct cutter *c)
{
	if (!c)
		return;
	XML_ParserFree(c->expat);
	arena_fini(&c->a);
	free(c);
}

int cutter_feed(struct cutter *c, struct str bytes, bool last)
{
	must(bytes.n <= INT_MAX);
	if (c->error)
		return c->error;
	c->fed += bytes.n;
	if (XML_Parse(c->expat, bytes.p ? bytes.p : "", (int)bytes.n, last) != XML_STATUS_OK && !c->error)
		c->error = -EBADMSG;
	/* What expat holds back is one unfinished tag. */
	if (!c->error && c->fed - (uint64_t)XML_GetCurrentByteIndex(c->expat) > bytes.n + TAG_BYTES_MAX)
		c->error = -EMSGSIZE;
	return c->error;
}

unsigned long cutter_line(const struct cutter *c)
{
	return XML_GetCurrentLineNumber(c->expat);
}
