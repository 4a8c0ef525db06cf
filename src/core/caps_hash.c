/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verification string of XEP-0115 1.6.0 §5.1, and what makes an answer ill-formed (§5.4). */
#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "core/caps.h"
#include "crypto/hash.h"
#include "proto/xmpp/ns.h"

static const struct {
	const char *name;
	enum hash_alg alg;
} HASHES[] = { { "sha-1", HASH_SHA1 }, { "sha-256", HASH_SHA256 }, { "sha-512", HASH_SHA512 } };

/* Strings to sort; those of forms and fields hold what belongs under them too. */
struct parts {
	struct str v[CAPS_PARTS_MAX];
	size_t n;
};

static int add(struct parts *p, struct str s)
{
	if (p->n == CAPS_PARTS_MAX)
		return -EBADMSG;
	p->v[p->n++] = s;
	return 0;
}

/* The hashed string has no frame: with '<' inside, or with a feature told as an identity or a form, two answers have one hash (§9.3).
 * Such an answer is worth nothing to anybody else. */
static int add_plain(struct parts *p, struct str s, bool feature)
{
	if ((s.n && memchr(s.p, '<', s.n)) || (!feature && str_ends(s, STR("+notify"))))
		return -EBADMSG;
	return add(p, s);
}

static int by_octet(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Joins the parts in order, each with '<' behind when sep. -EBADMSG: two are the same and may not be. */
static int join(struct buf *out, struct parts *p, bool sep, bool unique)
{
	qsort(p->v, p->n, sizeof(p->v[0]), by_octet);
	for (size_t i = 0; i < p->n; i++) {
		if (unique && i && str_eq(p->v[i], p->v[i - 1]))
			return -EBADMSG;
		buf_str(out, p->v[i]);
		if (sep)
			buf_putc(out, '<');
	}
	return 0;
}

static int identities(struct arena *a, const struct xml *q, struct parts *p)
{
	for (const struct xml *i = xml_child(q, "identity", NULL); i; i = xml_next_same(i))
		if (add_plain(p, arena_printf(a, "%.*s/%.*s/%.*s/%.*s", STR_ARG(xml_get(i, "category")),
					 STR_ARG(xml_get(i, "type")), STR_ARG(xml_lang(i)), STR_ARG(xml_get(i, "name"))), false))
			return -EBADMSG;
	return 0;
}

static int features(const struct xml *q, struct parts *p)
{
	for (const struct xml *f = xml_child(q, "feature", NULL); f; f = xml_next_same(f))
		if (add_plain(p, xml_get(f, "var"), true))
			return -EBADMSG;
	return 0;
}

static struct str taken(struct arena *a, struct buf *b)
{
	struct str s = arena_str(a, buf_view(b));

	buf_free(b);
	return s;
}

/* "var<value<value<". */
static int field(struct arena *a, const struct xml *f, struct str *out)
{
	struct parts *values = arena_zalloc(a, 2 * sizeof(*values)), *var = values + 1;
	struct buf b = { 0 };

	for (const struct xml *v = xml_child(f, "value", NULL); v; v = xml_next_same(v))
		if (add_plain(values, xml_text_of(a, v), false))
			return -EBADMSG;
	if (add_plain(var, xml_get(f, "var"), false))
		return -EBADMSG;
	buf_str(&b, xml_get(f, "var"));
	buf_putc(&b, '<');
	join(&b, values, true, false);
	*out = taken(a, &b);
	return 0;
}

static const struct xml *form_type(const struct xml *x)
{
	for (const struct xml *f = xml_child(x, "field", NULL); f; f = xml_next_same(f))
		if (str_is(xml_get(f, "var"), "FORM_TYPE"))
			return str_is(xml_get(f, "type"), "hidden") ? f : NULL;
	return NULL;
}

/* "FORM_TYPE<field…". p NULL in out: a form that does not count. */
static int form(struct arena *a, const struct xml *x, struct str *out)
{
	const struct xml *type = form_type(x), *value = xml_child(type, "value", NULL);
	struct parts *fields = arena_zalloc(a, sizeof(*fields));
	struct buf b = { 0 };
	struct str s;

	*out = STR_NONE;
	if (!value)
		return 0;
	for (const struct xml *v = xml_next_same(value); v; v = xml_next_same(v))
		if (!str_eq(xml_text_of(a, v), xml_text_of(a, value)))
			return -EBADMSG;
	for (const struct xml *f = xml_child(x, "field", NULL); f; f = xml_next_same(f)) {
		if (f == type)
			continue;
		if (field(a, f, &s) || add(fields, s))
			return -EBADMSG;
	}
	buf_str(&b, xml_text_of(a, value));
	buf_putc(&b, '<');
	join(&b, fields, false, false);
	*out = taken(a, &b);
	return 0;
}

static int forms(struct arena *a, const struct xml *q, struct parts *all)
{
	struct parts *types = arena_zalloc(a, sizeof(*types));
	struct buf unused = { 0 };
	struct str s;
	int rc;

	for (const struct xml *x = xml_child(q, "x", NS_DATA); x; x = xml_next_same(x)) {
		if (form(a, x, &s))
			return -EBADMSG;
		if (s.p && (add(all, s) || add_plain(types, str_cut(s, '<', &s), false)))
			return -EBADMSG;
	}
	rc = join(&unused, types, true, true); /* two forms of one type: ill-formed */
	buf_free(&unused);
	return rc;
}

static int write_all(struct arena *a, const struct xml *q, struct buf *s)
{
	struct parts *p = arena_zalloc(a, 3 * sizeof(*p));

	if (identities(a, q, &p[0]) || features(q, &p[1]) || forms(a, q, &p[2]))
		return -EBADMSG;
	return join(s, &p[0], true, true) || join(s, &p[1], true, true) || join(s, &p[2], false, false) ? -EBADMSG : 0;
}

int caps_verify(struct arena *a, const struct xml *query, struct str hash_name, struct str *out)
{
	uint8_t digest[HASH_MAX];
	struct buf s = { 0 };
	int rc = -EBADMSG;

	for (size_t i = 0; i < ARRAY_LEN(HASHES); i++) {
		if (!str_is(hash_name, HASHES[i].name))
			continue;
		rc = write_all(a, query, &s);
		hash(HASHES[i].alg, buf_view(&s), digest);
		if (!rc)
			*out = base64_encode(a, (struct str){ (char *)digest, hash_size(HASHES[i].alg) });
	}
	buf_free(&s);
	return rc;
}
