/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XML elements in an arena: building and looking up. */
#include "proto/xml/xml.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"

static struct xml *element(struct arena *a, struct str name, struct str ns)
{
	struct xml *el = arena_alloc(a, sizeof(*el));

	*el = (struct xml){ .name = name, .ns = ns };
	return el;
}

struct xml *xml_new(struct arena *a, const char *name, const char *ns)
{
	return element(a, str_of(name), str_of(ns));
}

void xml_append(struct xml *parent, struct xml *child)
{
	must(parent && !child->parent && !child->next);
	child->parent = parent;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

struct xml *xml_add(struct arena *a, struct xml *parent, const char *name, const char *ns)
{
	struct xml *el = element(a, str_of(name), ns ? str_of(ns) : parent->ns);

	xml_append(parent, el);
	return el;
}

struct xml *xml_add_text(struct arena *a, struct xml *parent, const char *name, struct str text)
{
	struct xml *el = xml_add(a, parent, name, NULL);

	xml_text(a, el, text);
	return el;
}

void xml_text(struct arena *a, struct xml *el, struct str text)
{
	struct xml *node;

	if (!text.n)
		return;
	node = element(a, STR_NONE, STR_NONE);
	node->text = text;
	xml_append(el, node);
}

static struct xml_attr *attr_find(const struct xml *el, struct str name, struct str ns)
{
	for (struct xml_attr *at = el->attrs; at; at = at->next)
		if (str_eq(at->name, name) && str_eq(at->ns, ns))
			return at;
	return NULL;
}

static struct xml_attr **attr_end(struct xml *el)
{
	struct xml_attr **link = &el->attrs;

	while (*link)
		link = &(*link)->next;
	return link;
}

void xml_set(struct arena *a, struct xml *el, const char *name, struct str value)
{
	struct str ns = strncmp(name, "xml:", 4) == 0 ? STR("xml") : STR_NONE;
	struct str local = str_of(ns.n ? name + 4 : name);
	struct xml_attr *at = attr_find(el, local, ns);

	if (!at) {
		at = arena_alloc(a, sizeof(*at));
		*at = (struct xml_attr){ .ns = ns, .name = local };
		*attr_end(el) = at;
	}
	at->value = value.p ? value : STR("");
}

void xml_setf(struct arena *a, struct xml *el, const char *name, const char *fmt, ...)
{
	char small[128], *p = small;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	must(n >= 0);
	if ((size_t)n >= sizeof(small)) {
		p = arena_alloc(a, (size_t)n + 1);
		va_start(args, fmt);
		vsnprintf(p, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	xml_set(a, el, name, arena_str(a, (struct str){ p, (size_t)n }));
}

void xml_unset(struct xml *el, const char *name)
{
	for (struct xml_attr **link = &el->attrs; *link; link = &(*link)->next) {
		if (!(*link)->ns.n && str_is((*link)->name, name)) {
			*link = (*link)->next;
			return;
		}
	}
}

void xml_detach(struct xml *child)
{
	struct xml *parent = child->parent, *before = NULL;

	if (!parent)
		return;
	if (parent->first == child) {
		parent->first = child->next;
	} else {
		for (before = parent->first; before->next != child; before = before->next)
			;
		before->next = child->next;
	}
	if (parent->last == child)
		parent->last = before;
	child->parent = child->next = NULL;
}

static void copy_attrs(struct arena *a, const struct xml *el, struct xml *out)
{
	struct xml_attr **link = &out->attrs;

	for (const struct xml_attr *at = el->attrs; at; at = at->next) {
		struct xml_attr *to = arena_alloc(a, sizeof(*to));

		*to = (struct xml_attr){ .ns = arena_str(a, at->ns),
			.name = arena_str(a, at->name),
			.value = arena_str(a, at->value) };
		*link = to;
		link = &to->next;
	}
}

/* parent_from and parent_to let a child share its parent's copy of the namespace. */
static struct xml *copy_node(
	struct arena *a, const struct xml *el, const struct xml *parent_from, struct xml *parent_to)
{
	bool shared = parent_from && parent_to && str_eq(parent_from->ns, el->ns);
	struct xml *out;

	if (!el->name.n) {
		out = element(a, STR_NONE, STR_NONE);
		out->text = arena_str(a, el->text);
		return out;
	}
	out = element(a, arena_str(a, el->name), shared ? parent_to->ns : arena_str(a, el->ns));
	copy_attrs(a, el, out);
	return out;
}

/* Walks instead of recursing: the depth of a tree is its maker's choice. */
struct xml *xml_copy(struct arena *a, const struct xml *el)
{
	struct xml *top = copy_node(a, el, NULL, NULL), *to = top;
	const struct xml *from = el;

	for (;;) {
		if (from->first) {
			from = from->first;
		} else {
			while (from != el && !from->next) {
				from = from->parent;
				to = to->parent;
				must(to);
			}
			if (from == el)
				return top;
			from = from->next;
			to = to->parent;
		}
		struct xml *child = copy_node(a, from, from->parent, to);

		xml_append(to, child);
		to = child;
	}
}

struct str xml_get(const struct xml *el, const char *name)
{
	struct xml_attr *at = attr_find(el, str_of(name), STR_NONE);

	return at ? at->value : STR_NONE;
}

struct str xml_lang(const struct xml *el)
{
	struct xml_attr *at = attr_find(el, STR("lang"), STR("xml"));

	return at ? at->value : STR_NONE;
}

static struct xml *first_element(struct xml *node)
{
	while (node && !node->name.n)
		node = node->next;
	return node;
}

static struct xml *first_match(struct xml *node, struct str name, struct str ns)
{
	for (; node; node = node->next)
		if (node->name.n && (!name.n || str_eq(node->name, name)) && str_eq(node->ns, ns))
			return node;
	return NULL;
}

struct xml *xml_child(const struct xml *el, const char *name, const char *ns)
{
	return el ? first_match(el->first, str_of(name), ns ? str_of(ns) : el->ns) : NULL;
}

struct xml *xml_child_any(const struct xml *el)
{
	return el ? first_element(el->first) : NULL;
}

struct xml *xml_next(const struct xml *el)
{
	return first_element(el->next);
}

struct xml *xml_next_same(const struct xml *el)
{
	return first_match(el->next, el->name, el->ns);
}

struct str xml_text_of(struct arena *a, const struct xml *el)
{
	struct str out = STR("");
	size_t total = 0, runs = 0;
	char *p;

	for (const struct xml *node = el->first; node; node = node->next) {
		if (node->name.n)
			continue;
		out = node->text;
		total += node->text.n;
		runs++;
	}
	if (runs < 2)
		return out;
	p = arena_alloc(a, total + 1);
	out = (struct str){ p, total };
	for (const struct xml *node = el->first; node; node = node->next) {
		if (node->name.n || !node->text.n)
			continue;
		memcpy(p, node->text.p, node->text.n);
		p += node->text.n;
	}
	*p = 0;
	return out;
}

struct str xml_child_text(struct arena *a, const struct xml *el, const char *name, const char *ns)
{
	const struct xml *child = xml_child(el, name, ns);

	return child ? xml_text_of(a, child) : STR_NONE;
}
