/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One line per event, one write() per line: lines of different threads never mix. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/utf8.h"

enum { FIELDS_MAX = 2048, LINE_MAX_BYTES = 4096, ESCAPE_MAX = 6 };

static _Atomic int sink_level = LOG_INFO, sink_format = LOG_TEXT;
static _Thread_local const char *thread_name = "main";
static const char *const level_names[] = { "error", "warning", "info", "debug" };

struct line {
	char p[LINE_MAX_BYTES];
	size_t n;
};

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store_explicit(&sink_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(&sink_format, (int)format, memory_order_relaxed);
}

void log_thread(const char *name)
{
	thread_name = name;
	pthread_setname_np(pthread_self(), name); /* for top and perf */
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

/* The last bytes are kept free for what closes the line. */
static void put(struct line *l, const char *p, size_t n)
{
	if (n <= sizeof(l->p) - 8 - l->n) {
		memcpy(l->p + l->n, p, n);
		l->n += n;
	}
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Writes s without control bytes and bad UTF-8. JSON also escapes quotes and backslashes. */
static void put_escaped(struct line *l, struct str s, bool json)
{
	char esc[ESCAPE_MAX + 1];
	size_t pos = 0;

	while (pos < s.n) {
		size_t from = pos;
		int32_t cp = utf8_next(s, &pos);

		if (cp < 0) {
			snprintf(esc, sizeof(esc), json ? "\\ufffd" : "\\x%02x", (unsigned char)s.p[from]);
			put_str(l, esc);
			pos = from + 1;
		} else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029) {
			snprintf(esc, sizeof(esc), json ? "\\u%04x" : "\\x%02x", (unsigned)cp);
			put_str(l, esc);
		} else if (json && (cp == '"' || cp == '\\')) {
			put(l, "\\", 1);
			put(l, s.p + from, 1);
		} else {
			put(l, s.p + from, pos - from);
		}
	}
}

/* Cuts the next `key=value` or `key="value"` off *rest. A quote ends a value only before a space or the end. */
static bool next_field(struct str *rest, struct str *key, struct str *value)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	if (!rest->n)
		return false;
	while (n < rest->n && rest->p[n] != '=' && rest->p[n] != ' ')
		n++;
	*key = (struct str){ rest->p, n };
	*value = STR_NONE;
	*rest = (struct str){ rest->p + n, rest->n - n };
	if (!rest->n || rest->p[0] != '=')
		return true;
	*rest = (struct str){ rest->p + 1, rest->n - 1 };
	n = 0;
	if (rest->n && rest->p[0] == '"') {
		for (n = 1; n < rest->n; n++)
			if (rest->p[n] == '"' && (n + 1 == rest->n || rest->p[n + 1] == ' '))
				break;
		*value = (struct str){ rest->p + 1, n - 1 };
		n += n < rest->n;
	} else {
		while (n < rest->n && rest->p[n] != ' ')
			n++;
		*value = (struct str){ rest->p, n };
	}
	*rest = (struct str){ rest->p + n, rest->n - n };
	return true;
}

static void put_member(struct line *l, struct str key, struct str value)
{
	put(l, l->n ? ",\"" : "{\"", 2);
	put_escaped(l, key, true);
	put_str(l, "\":\"");
	put_escaped(l, value, true);
	put_str(l, "\"");
}

static void write_json(struct line *l, struct str when, const char *level, const char *event, struct str fields)
{
	struct str key, value;

	put_member(l, STR("time"), when);
	put_member(l, STR("level"), str_of(level));
	put_member(l, STR("thread"), str_of(thread_name));
	put_member(l, STR("event"), str_of(event));
	while (next_field(&fields, &key, &value)) {
		/* A member that does not fit whole is left out, so that the line stays JSON. */
		if (l->n + ESCAPE_MAX * (key.n + value.n) + 16 > sizeof(l->p))
			break;
		put_member(l, key, value);
	}
	put_str(l, "}");
}

static void write_text(struct line *l, struct str when, const char *level, const char *event, struct str fields)
{
	put(l, when.p, when.n);
	put_str(l, " ");
	put_str(l, level);
	put_str(l, " ");
	put_str(l, thread_name);
	put_str(l, " ");
	put_str(l, event);
	if (fields.n)
		put_str(l, " ");
	put_escaped(l, fields, false);
}

void log_line(enum log_level level, const char *event, const char *fmt, ...)
{
	char fields[FIELDS_MAX];
	struct line line = { .n = 0 };
	struct arena arena;
	struct str when, view;
	va_list args;
	int n;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	n = vsnprintf(fields, sizeof(fields), fmt, args);
	va_end(args);
	must(n >= 0);
	view = (struct str){ fields, (size_t)n < sizeof(fields) ? (size_t)n : sizeof(fields) - 1 };
	arena_init(&arena);
	when = time_format(&arena, clock_wall_ms());
	if (atomic_load_explicit(&sink_format, memory_order_relaxed) == LOG_JSON)
		write_json(&line, when, level_names[level], event, view);
	else
		write_text(&line, when, level_names[level], event, view);
	arena_fini(&arena);
	line.p[line.n++] = '\n';
	/* There is nowhere to report that the log itself cannot be written. */
	while (write(STDERR_FILENO, line.p, line.n) < 0 && errno == EINTR)
		;
}
