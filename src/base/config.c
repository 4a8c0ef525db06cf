/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Configuration values over the option rows. A config is a sorted index of rows with one text and one number each. */
#include "base/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { CONFIG_VALUE_MAX = 4096 }; /* bytes of one value */

struct value {
	const struct option *opt;
	char *text;
	int64_t number;
};

struct config {
	struct value *v; /* by name */
	size_t n;
	size_t *order; /* positions in v as the tables list them: for config_explain */
};

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 }, { "k", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

/* ---- reading one value ---- */

static int parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (int64_t)(i & 1);
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_int(const char *text, int64_t *out)
{
	bool minus = text[0] == '-';
	uint64_t u;
	int err = str_u64(str_of(text + minus), INT64_MAX, &u);

	if (err)
		return err == -ERANGE ? -ERANGE : -EINVAL;
	*out = minus ? -(int64_t)u : (int64_t)u;
	return 0;
}

static int parse_units(const char *text, const struct unit *units, int64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t u;

	if (digits == 0)
		return -EINVAL;
	if (str_u64((struct str){ text, digits }, INT64_MAX, &u))
		return -ERANGE;
	if (u == 0 && !text[digits]) {
		*out = 0;
		return 0;
	}
	for (; units->name; units++) {
		if (strcmp(units->name, text + digits) == 0) {
			if (u > (uint64_t)(INT64_MAX / units->factor))
				return -ERANGE;
			*out = (int64_t)u * units->factor;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_enum(const char *words, const char *text, int64_t *out)
{
	struct str rest = str_of(words);

	for (int64_t i = 0; rest.n; i++) {
		if (str_is(str_cut(rest, ' ', &rest), text)) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_string(const char *text, int64_t *out)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return -EINVAL;
	*out = 0;
	return 0;
}

static int parse(const struct option *o, const char *text, int64_t *out)
{
	if (strlen(text) > CONFIG_VALUE_MAX)
		return -ERANGE;
	switch (o->type) {
	case OPT_BOOL: return parse_bool(text, out);
	case OPT_INT: return parse_int(text, out);
	case OPT_SIZE: return parse_units(text, size_units, out);
	case OPT_TIME: return parse_units(text, time_units, out);
	case OPT_ENUM: return parse_enum(o->words, text, out);
	case OPT_STRING: break;
	}
	return parse_string(text, out);
}

static bool is_bounded(const struct option *o)
{
	return (o->min || o->max) && (o->type == OPT_INT || o->type == OPT_SIZE || o->type == OPT_TIME);
}

/* ---- words for people ---- */

/* A number in the largest unit that divides it: 10485760 is "10M". */
static void print_number(const struct option *o, int64_t n, char *out, size_t out_n)
{
	const struct unit *units = o->type == OPT_SIZE ? size_units : o->type == OPT_TIME ? time_units : NULL;
	const struct unit *best = NULL;

	for (; units && units->name; units++)
		if (n && n % units->factor == 0)
			best = units;
	snprintf(out, out_n, "%" PRId64 "%s", best ? n / best->factor : n, best ? best->name : "");
}

static void describe(const struct option *o, char *out, size_t out_n)
{
	static const char *const kinds[] = {
		[OPT_BOOL] = "true or false",
		[OPT_INT] = "a number",
		[OPT_STRING] = "text without control characters",
		[OPT_SIZE] = "a size such as 256k, 10M or 1G",
		[OPT_TIME] = "a time such as 500ms, 30s, 5m, 12h or 7d",
	};

	if (o->type == OPT_ENUM)
		snprintf(out, out_n, "one of: %s", o->words);
	else
		snprintf(out, out_n, "%s", kinds[o->type]);
}

static void describe_bounds(const struct option *o, char *out, size_t out_n)
{
	char lo[32], hi[32];

	print_number(o, o->min, lo, sizeof(lo));
	print_number(o, o->max, hi, sizeof(hi));
	snprintf(out, out_n, "%s to %s", lo, hi);
}

static int refuse(const struct option *o, const char *value, int err, char *out, size_t out_n)
{
	char what[200];

	if (err == -ERANGE && is_bounded(o)) {
		describe_bounds(o, what, sizeof(what));
		snprintf(out, out_n, "%s is \"%.100s\", but must be from %s", o->name, value, what);
	} else if (err == -ERANGE) {
		snprintf(out, out_n, "%s is too long or too large", o->name);
	} else {
		describe(o, what, sizeof(what));
		snprintf(out, out_n, "%s is \"%.100s\", but must be %s", o->name, value, what);
	}
	return err;
}

/* ---- the set of values ---- */

static int by_name(const void *a, const void *b)
{
	const struct value *x = a, *y = b;

	return strcmp(x->opt->name, y->opt->name);
}

static struct value *find(const struct config *c, const char *name)
{
	struct option o = { .name = name };
	struct value key = { .opt = &o };

	return c->n ? bsearch(&key, c->v, c->n, sizeof(*c->v), by_name) : NULL;
}

static size_t count(const struct option *const *tables)
{
	size_t n = 0;

	for (; *tables; tables++)
		for (const struct option *o = *tables; o->name; o++)
			n++;
	return n;
}

static void value_init(struct value *v, const struct option *o)
{
	*v = (struct value){ .opt = o, .text = mem_strdup(o->def) };
	must(parse(o, o->def, &v->number) == 0);
	must(!is_bounded(o) || (v->number >= o->min && v->number <= o->max));
}

struct config *config_new(const struct option *const *tables)
{
	struct config *c = mem_zalloc(sizeof(*c));
	const struct option *const *t;
	size_t i = 0;

	c->n = count(tables);
	c->v = mem_alloc((c->n + 1) * sizeof(*c->v));
	c->order = mem_alloc((c->n + 1) * sizeof(*c->order));
	for (t = tables; *t; t++)
		for (const struct option *o = *t; o->name; o++)
			value_init(&c->v[i++], o);
	qsort(c->v, c->n, sizeof(*c->v), by_name);
	for (i = 1; i < c->n; i++)
		must(strcmp(c->v[i - 1].opt->name, c->v[i].opt->name) != 0);
	i = 0;
	for (t = tables; *t; t++)
		for (const struct option *o = *t; o->name; o++)
			c->order[i++] = (size_t)(find(c, o->name) - c->v);
	return c;
}

struct config *config_copy(const struct config *c)
{
	struct config *copy = mem_zalloc(sizeof(*copy));

	copy->n = c->n;
	copy->v = mem_alloc((c->n + 1) * sizeof(*c->v));
	copy->order = mem_alloc((c->n + 1) * sizeof(*c->order));
	memcpy(copy->order, c->order, c->n * sizeof(*c->order));
	for (size_t i = 0; i < c->n; i++) {
		copy->v[i] = c->v[i];
		copy->v[i].text = mem_strdup(c->v[i].text);
	}
	return copy;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].text);
	free(c->v);
	free(c->order);
	free(c);
}

int config_set(struct config *c, const char *name, const char *value, char *err, size_t err_n)
{
	struct value *v = find(c, name);
	int64_t number;
	char *text;
	int r;

	if (!v) {
		snprintf(err, err_n, "unknown option \"%.100s\"; `anser config --explain` lists all", name);
		return -ENOENT;
	}
	r = parse(v->opt, value, &number);
	if (!r && is_bounded(v->opt) && (number < v->opt->min || number > v->opt->max))
		r = -ERANGE;
	if (r)
		return refuse(v->opt, value, r, err, err_n);
	text = mem_strdup(value);
	free(v->text);
	v->text = text;
	v->number = number;
	return 0;
}

static const struct value *known(const struct config *c, const char *name)
{
	const struct value *v = find(c, name);

	must(v);
	return v;
}

bool config_bool(const struct config *c, const char *name)
{
	const struct value *v = known(c, name);

	must(v->opt->type == OPT_BOOL);
	return v->number != 0;
}

int64_t config_int(const struct config *c, const char *name)
{
	const struct value *v = known(c, name);

	must(v->opt->type == OPT_INT || v->opt->type == OPT_SIZE || v->opt->type == OPT_TIME);
	return v->number;
}

const char *config_str(const struct config *c, const char *name)
{
	const struct value *v = known(c, name);

	must(v->opt->type == OPT_STRING || v->opt->type == OPT_ENUM);
	return v->text;
}

bool config_same(const struct config *a, const struct config *b, const char *name)
{
	const struct value *v = known(a, name), *w = known(b, name);

	if (v->opt->type == OPT_STRING || v->opt->type == OPT_ENUM)
		return strcmp(v->text, w->text) == 0;
	return v->number == w->number;
}

/* ---- explain ---- */

static void explain_value(const struct value *v, const char *text, struct buf *out)
{
	if (v->opt->type != OPT_STRING) {
		buf_puts(out, text);
		return;
	}
	buf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

static void explain_row(const struct value *v, const char *indent, const char *key, struct buf *out)
{
	char what[200];

	buf_printf(out, "%s# %s\n", indent, v->opt->doc);
	describe(v->opt, what, sizeof(what));
	buf_printf(out, "%s# Is %s", indent, what);
	if (is_bounded(v->opt)) {
		describe_bounds(v->opt, what, sizeof(what));
		buf_printf(out, ", from %s", what);
	}
	buf_puts(out, "; default ");
	explain_value(v, v->opt->def, out);
	buf_printf(out, ".\n%s%s: ", indent, key);
	explain_value(v, v->text, out);
	buf_putc(out, '\n');
}

static struct str section_of(const struct value *v)
{
	struct str rest, first = str_cut(str_of(v->opt->name), '.', &rest);

	return rest.p ? first : STR_NONE;
}

/* True when an earlier row in listing order has the same section. */
static bool section_seen(const struct config *c, size_t upto, struct str section)
{
	for (size_t i = 0; i < upto; i++)
		if (str_eq(section_of(&c->v[c->order[i]]), section))
			return true;
	return false;
}

static void explain_section(const struct config *c, struct str section, struct buf *out)
{
	buf_printf(out, "%.*s:\n", STR_ARG(section));
	for (size_t i = 0; i < c->n; i++) {
		const struct value *v = &c->v[c->order[i]];

		if (str_eq(section_of(v), section))
			explain_row(v, "  ", v->opt->name + section.n + 1, out);
	}
	buf_putc(out, '\n');
}

void config_explain(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++) { /* single words first: they belong to no section */
		const struct value *v = &c->v[c->order[i]];

		if (str_empty(section_of(v))) {
			explain_row(v, "", v->opt->name, out);
			buf_putc(out, '\n');
		}
	}
	for (size_t i = 0; i < c->n; i++) {
		struct str section = section_of(&c->v[c->order[i]]);

		if (section.n && !section_seen(c, i, section))
			explain_section(c, section, out);
	}
}
