/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table of options and their values. A value is kept as text (what was written) and as a number (what it means). */
#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

struct entry {
	const struct option *option;
	char *text;
	int64_t number; /* of all types but STRING and ENUM */
};

struct config {
	struct entry *entries; /* in the order of the tables */
	size_t n;
	struct map by_name; /* name → entry */
};

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit size_units[] = { { "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 },
	{ "G", 1 << 30 }, { "T", 1LL << 40 }, { NULL, 0 } };
static const struct unit time_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	{ "w", 604800000 }, { NULL, 0 } };
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

static const struct {
	const char *expects;
	const struct unit *units; /* of a number */
} types[] = {
	[OPT_BOOL] = { "true or false", NULL },
	[OPT_INT] = { "a whole number", plain },
	[OPT_STRING] = { "text", NULL },
	[OPT_SIZE] = { "a size like 256k or 10M", size_units },
	[OPT_TIME] = { "a time like 30s, 5m or 7d", time_units },
	[OPT_ENUM] = { "a word", NULL },
};

/* Reads digits, with a minus sign if need be, and one of the units. */
static int parse_number(const char *text, const struct unit *units, int64_t *out)
{
	struct str digits;
	bool negative = *text == '-';
	uint64_t magnitude;
	size_t n = negative;
	int64_t value;

	while (text[n] >= '0' && text[n] <= '9')
		n++;
	digits = (struct str){ text + negative, n - negative };
	if (str_u64(digits, INT64_MAX, &magnitude) < 0)
		return -EINVAL;
	value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	for (const struct unit *u = units; u->suffix; u++)
		if (strcmp(text + n, u->suffix) == 0)
			return __builtin_mul_overflow(value, u->factor, out) ? -ERANGE : 0;
	*out = 0;
	return value == 0 && !text[n] ? 0 : -EINVAL; /* zero needs no unit */
}

static int parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2;
			return 0;
		}
	return -EINVAL;
}

static int parse_word(const char *text, const char *words)
{
	struct str rest = str_of(words);

	while (rest.n)
		if (str_is(str_cut(rest, ' ', &rest), text))
			return 0;
	return -EINVAL;
}

/* Returns 0; -EINVAL, -ERANGE. */
static int parse(const struct option *o, const char *text, int64_t *out)
{
	int rc;

	*out = 0;
	if (o->type == OPT_STRING)
		return 0;
	if (o->type == OPT_ENUM)
		return parse_word(text, o->words);
	if (o->type == OPT_BOOL)
		return parse_bool(text, out);
	rc = parse_number(text, types[o->type].units, out);
	if (!rc && (o->min || o->max) && (*out < o->min || *out > o->max))
		return -ERANGE;
	return rc;
}

static void add(struct config *c, const struct option *o)
{
	struct entry *e = &c->entries[c->n++];

	*e = (struct entry){ o, mem_strdup(o->def), 0 };
	must(parse(o, o->def, &e->number) == 0);
	must(!map_put(&c->by_name, str_of(o->name), e));
}

struct config *config_new(const struct option *const *tables)
{
	struct config *c = mem_zalloc(sizeof(*c));
	size_t n = 0;

	for (size_t t = 0; tables[t]; t++)
		for (const struct option *o = tables[t]; o->name; o++)
			n++;
	c->entries = mem_zalloc(n * sizeof(*c->entries));
	for (size_t t = 0; tables[t]; t++)
		for (const struct option *o = tables[t]; o->name; o++)
			add(c, o);
	return c;
}

struct config *config_copy(const struct config *c)
{
	struct config *copy = mem_zalloc(sizeof(*copy));

	copy->n = c->n;
	copy->entries = mem_zalloc(c->n * sizeof(*c->entries));
	for (size_t i = 0; i < c->n; i++) {
		copy->entries[i] = c->entries[i];
		copy->entries[i].text = mem_strdup(c->entries[i].text);
		map_put(&copy->by_name, str_of(c->entries[i].option->name), &copy->entries[i]);
	}
	return copy;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->entries[i].text);
	free(c->entries);
	map_fini(&c->by_name);
	free(c);
}

/* A number as people write it: with the largest unit that divides it. */
static void print_number(char *p, size_t n, const struct option *o, int64_t value)
{
	const struct unit *best = NULL;

	for (const struct unit *u = types[o->type].units; u->suffix; u++)
		if (value % u->factor == 0 && (!best || u->factor > best->factor))
			best = u;
	must(best);
	if (!value)
		snprintf(p, n, "0");
	else
		snprintf(p, n, "%lld%s", (long long)(value / best->factor), best->suffix);
}

static void explain_refusal(const struct option *o, const char *value, int rc, char *err, size_t err_n)
{
	char min[32], max[32];

	if (rc == -ERANGE && (o->min || o->max)) {
		print_number(min, sizeof(min), o, o->min);
		print_number(max, sizeof(max), o, o->max);
		snprintf(err, err_n, "%s: \"%s\" is not between %s and %s", o->name, value, min, max);
	} else if (o->type == OPT_ENUM) {
		snprintf(err, err_n, "%s: \"%s\" is none of: %s", o->name, value, o->words);
	} else {
		snprintf(err, err_n, "%s: \"%s\" is not %s", o->name, value, types[o->type].expects);
	}
}

int config_set(struct config *c, const char *name, const char *value, char *err, size_t err_n)
{
	struct entry *e = map_get(&c->by_name, str_of(name));
	int64_t number;
	int rc;

	if (!e) {
		snprintf(err, err_n, "%s: no such option", name);
		return -ENOENT;
	}
	rc = parse(e->option, value, &number);
	if (rc < 0) {
		explain_refusal(e->option, value, rc, err, err_n);
		return rc;
	}
	value = mem_strdup(value); /* it may be the text that is freed next */
	free(e->text);
	e->text = (char *)value;
	e->number = number;
	return 0;
}

static const struct entry *entry_of(const struct config *c, const char *name)
{
	const struct entry *e = map_get(&c->by_name, str_of(name));

	must(e);
	return e;
}

bool config_bool(const struct config *c, const char *name)
{
	const struct entry *e = entry_of(c, name);

	must(e->option->type == OPT_BOOL);
	return e->number;
}

int64_t config_int(const struct config *c, const char *name)
{
	const struct entry *e = entry_of(c, name);

	must(types[e->option->type].units);
	return e->number;
}

const char *config_str(const struct config *c, const char *name)
{
	const struct entry *e = entry_of(c, name);

	must(e->option->type == OPT_STRING || e->option->type == OPT_ENUM);
	return e->text;
}

/* Double-quoted YAML; control bytes as escapes. */
static void put_yaml(struct buf *out, const struct option *o, const char *text)
{
	if (o->type != OPT_STRING) {
		buf_puts(out, text);
		return;
	}
	buf_putc(out, '"');
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20)
			buf_printf(out, "\\x%02x", (unsigned char)*text);
		else if (*text == '"' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else
			buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

static void explain(const struct entry *e, const char *indent, const char *key, struct buf *out)
{
	const struct option *o = e->option;
	char min[32], max[32];

	buf_printf(out, "%s# %s\n%s# ", indent, o->doc, indent);
	if (o->type == OPT_ENUM)
		buf_printf(out, "one of: %s", o->words);
	else
		buf_puts(out, types[o->type].expects);
	if (types[o->type].units && (o->min || o->max)) {
		print_number(min, sizeof(min), o, o->min);
		print_number(max, sizeof(max), o, o->max);
		buf_printf(out, ", %s to %s", min, max);
	}
	buf_puts(out, "; default ");
	put_yaml(out, o, o->def);
	buf_printf(out, "\n%s%s: ", indent, key);
	put_yaml(out, o, e->text);
	buf_putc(out, '\n');
}

/* The section of a name, empty when it has none. */
static struct str section_of(const struct entry *e)
{
	struct str rest, section = str_cut(str_of(e->option->name), '.', &rest);

	return rest.p ? section : STR_NONE;
}

void config_explain(const struct config *c, struct buf *out)
{
	bool *done = mem_zalloc(c->n);

	for (size_t i = 0; i < c->n; i++)
		if (!section_of(&c->entries[i]).n) {
			explain(&c->entries[i], "", c->entries[i].option->name, out);
			done[i] = true;
		}
	/* Options of one section may come from several tables. */
	for (size_t i = 0; i < c->n; i++) {
		struct str section = section_of(&c->entries[i]);

		if (done[i])
			continue;
		buf_printf(out, "%s%.*s:\n", out->n ? "\n" : "", STR_ARG(section));
		for (size_t k = i; k < c->n; k++)
			if (!done[k] && str_eq(section_of(&c->entries[k]), section)) {
				explain(&c->entries[k], "  ", c->entries[k].option->name + section.n + 1, out);
				done[k] = true;
			}
	}
	free(done);
}
