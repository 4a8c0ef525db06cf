/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration file, by libyaml's events. A small machine follows the depth:
 *   TOP --key--> KEY --scalar--> TOP          shards: 2
 *                KEY --mapping--> SECTION --key--> SUBKEY --scalar--> SECTION ... --end--> TOP
 * A section may be empty (`limits:` with nothing under it). */
#include "app/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

enum { NAME_MAX_BYTES = 100, FILE_KEYS_MAX = 1000 };

enum state { BEGIN, TOP, KEY, SECTION, SUBKEY, END };

struct reader {
	struct config *config;
	const char *name;
	char *err;
	size_t err_n;
	enum state state;
	char section[NAME_MAX_BYTES + 1];
	char key[2 * NAME_MAX_BYTES + 2];
	char *seen[FILE_KEYS_MAX]; /* for keys given twice */
	size_t seen_n;
};

static int fail(struct reader *r, size_t line, const char *sentence)
{
	snprintf(r->err, r->err_n, "%s:%zu: %s", r->name, line + 1, sentence);
	return -EINVAL;
}

static int remember(struct reader *r, size_t line)
{
	for (size_t i = 0; i < r->seen_n; i++)
		if (strcmp(r->seen[i], r->key) == 0)
			return fail(r, line, "this option was given before");
	if (r->seen_n == FILE_KEYS_MAX)
		return fail(r, line, "too many options");
	r->seen[r->seen_n++] = mem_strdup(r->key);
	return 0;
}

static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_'))
			return false;
	return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

static int take_key(struct reader *r, struct str word, size_t line)
{
	if (!is_word(word))
		return fail(r, line, "names are lower-case letters, digits and _, as in `section:` and `key: value`");
	if (r->state == TOP) {
		snprintf(r->section, sizeof(r->section), "%.*s", STR_ARG(word));
		snprintf(r->key, sizeof(r->key), "%.*s", STR_ARG(word));
		r->state = KEY;
	} else {
		snprintf(r->key, sizeof(r->key), "%s.%.*s", r->section, STR_ARG(word));
		r->state = SUBKEY;
	}
	return 0;
}

static int take_value(struct reader *r, struct str text, size_t line)
{
	char sentence[300];
	char *value;
	int err = remember(r, line);

	if (err)
		return err;
	if (r->state == KEY && text.n == 0) { /* an empty section */
		r->state = TOP;
		return 0;
	}
	if (memchr(text.p, 0, text.n))
		return fail(r, line, "a value holds a zero byte");
	value = str_dup(text);
	err = config_set(r->config, r->key, value, sentence, sizeof(sentence));
	free(value);
	if (err)
		return fail(r, line, sentence);
	r->state = r->state == KEY ? TOP : SECTION;
	return 0;
}

static int on_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct str text = { (const char *)ev->data.scalar.value, ev->data.scalar.length };
	size_t line = ev->start_mark.line;

	if (ev->data.scalar.anchor)
		return fail(r, line, "anchors are not used here");
	switch (r->state) {
	case TOP:
	case SECTION: return take_key(r, text, line);
	case KEY:
	case SUBKEY: return take_value(r, text, line);
	case BEGIN: /* a file of comments alone has one empty scalar */
		if (text.n == 0) {
			r->state = END;
			return 0;
		}
		break;
	case END: break;
	}
	return fail(r, line, "expected `section:` with lines `key: value` under it");
}

static int on_mapping(struct reader *r, const yaml_event_t *ev)
{
	size_t line = ev->start_mark.line;

	if (ev->data.mapping_start.anchor)
		return fail(r, line, "anchors are not used here");
	switch (r->state) {
	case BEGIN: r->state = TOP; return 0;
	case KEY: r->state = SECTION; return remember(r, line);
	default: return fail(r, line, "this is nested too deep: only `section:` and `key: value` exist");
	}
}

static int on_event(struct reader *r, const yaml_event_t *ev)
{
	size_t line = ev->start_mark.line;

	switch (ev->type) {
	case YAML_SCALAR_EVENT: return on_scalar(r, ev);
	case YAML_MAPPING_START_EVENT: return on_mapping(r, ev);
	case YAML_MAPPING_END_EVENT: r->state = r->state == SECTION ? TOP : END; return 0;
	case YAML_SEQUENCE_START_EVENT: return fail(r, line, "lists are not used here");
	case YAML_ALIAS_EVENT: return fail(r, line, "a value that begins with * must stand in quotes");
	case YAML_DOCUMENT_START_EVENT:
		return r->state == BEGIN ? 0 : fail(r, line, "a second document begins here");
	default: return 0;
	}
}

static int on_syntax(struct reader *r, const yaml_parser_t *p)
{
	char sentence[300];

	snprintf(sentence, sizeof(sentence), "not valid YAML: %s%s%s", p->problem ? p->problem : "unreadable",
		p->context ? ", " : "", p->context ? p->context : "");
	return fail(r, p->problem_mark.line, sentence);
}

static int read_events(struct reader *r, yaml_parser_t *p)
{
	for (bool end = false; !end;) {
		yaml_event_t ev;
		int err;

		if (!yaml_parser_parse(p, &ev))
			return on_syntax(r, p);
		end = ev.type == YAML_STREAM_END_EVENT;
		err = on_event(r, &ev);
		yaml_event_delete(&ev);
		if (err)
			return err;
	}
	return 0;
}

/* The line of the first byte that is not UTF-8, so that the message can name it. */
static size_t bad_utf8_line(struct str text)
{
	size_t pos = 0, line = 0;

	while (pos < text.n) {
		int32_t c = utf8_next(text, &pos);

		if (c < 0)
			break;
		line += c == '\n';
	}
	return line;
}

int config_file_parse(struct config *c, const char *name, struct str text, char *err, size_t err_n)
{
	struct reader *r = mem_zalloc(sizeof(*r));
	yaml_parser_t p;
	int ret;

	*r = (struct reader){ .config = c, .name = name, .err = err, .err_n = err_n };
	if (!utf8_valid(text)) {
		ret = fail(r, bad_utf8_line(text), "not UTF-8 text");
		free(r);
		return ret;
	}
	must(yaml_parser_initialize(&p));
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)(text.p ? text.p : ""), text.n);
	ret = read_events(r, &p);
	yaml_parser_delete(&p);
	for (size_t i = 0; i < r->seen_n; i++)
		free(r->seen[i]);
	free(r);
	return ret;
}

static int read_whole(FILE *f, char **out, size_t *out_n)
{
	char *bytes = mem_alloc(CONFIG_FILE_MAX + 1);
	size_t n = fread(bytes, 1, CONFIG_FILE_MAX + 1, f);

	if (ferror(f) || n > CONFIG_FILE_MAX) {
		int err = ferror(f) ? -errno : -EFBIG;

		free(bytes);
		return err;
	}
	*out = bytes;
	*out_n = n;
	return 0;
}

int config_file_load(struct config *c, const char *path, char *err, size_t err_n)
{
	FILE *f = fopen(path, "re");
	char *bytes = NULL;
	size_t n = 0;
	int ret = f ? read_whole(f, &bytes, &n) : -errno;

	if (f)
		fclose(f);
	if (ret) {
		snprintf(err, err_n, "cannot read the configuration file %s: %s", path,
			ret == -EFBIG ? "it is over 1 MiB" : strerror(-ret));
		return ret;
	}
	ret = config_file_parse(c, path, (struct str){ bytes, n }, err, err_n);
	free(bytes);
	return ret;
}
