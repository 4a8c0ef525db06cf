/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTP server and client for tests. */
#include "http_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/random.h"
#include "unit.h"

enum { TURNS_MAX = 100000 };

static struct buf last; /* the reply of web_ask */

void web_init(struct web *w)
{
	struct store_config sc = { .backend = "memory" };
	char err[200];

	*w = (struct web){ .dir = unit_tmpdir() };
	net_init(&w->net, 1);
	w->shard = w->net.all.v[0];
	must(store_open(&sc, &w->accounts.store, err, sizeof(err)) == 0);
	w->accounts.pool = pool_new(POOL_THREADS);
	w->accounts.domain = STR("example.org");
	random_bytes(w->accounts.secret, sizeof(w->accounts.secret));
	w->cfg = (struct http_config){
		.accounts = &w->accounts,
		.store = w->accounts.store,
		.pool = w->accounts.pool,
		.domain = STR("example.org"),
		.name = STR("Test"),
		.web_url = STR("https://example.org:8443"),
		.limits = true,
		.upload_max_bytes = 10 << 20,
		.upload_quota_bytes = 20 << 20,
	};
	must(files_open(w->dir, &w->cfg.files, err, sizeof(err)) == 0);
	http_start(w->shard, &w->cfg);
}

void web_fini(struct web *w)
{
	http_stop(w->shard);
	pool_free(w->accounts.pool);
	store_close(w->accounts.store);
	files_close(w->cfg.files);
	net_fini(&w->net);
	buf_free(&last);
}

void web_turn(struct web *w)
{
	must(loop_turn(&w->shard->loop, 1) == 0);
}

void web_connect(struct web *w, struct peer *p)
{
	int fd;

	peer_init(p, &fd);
	must(http_serve(w->shard, conn_new(w->shard, fd, NULL, NULL)) == 0);
}

static void __attribute__((format(printf, 3, 0))) send_text(struct web *w, struct peer *p, const char *fmt, va_list args)
{
	char *text;
	int n = vasprintf(&text, fmt, args);

	must(n >= 0);
	peer_send(&w->net, p, (struct str){ text, (size_t)n });
	free(text);
}

void web_send(struct web *w, struct peer *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	send_text(w, p, fmt, args);
	va_end(args);
}

struct str reply_field(const struct reply *r, const char *name)
{
	struct str rest = r->head, line, value;

	while (rest.n) {
		line = str_cut(rest, '\n', &rest);
		if (str_eq_nocase(str_cut(line, ':', &value), str_of(name)))
			return str_trim(value);
	}
	return STR_NONE;
}

/* Parses what is in the buffer. false: not whole yet. */
static bool parse(const struct buf *in, bool head_only, struct reply *out, size_t *out_n)
{
	const char *end = memmem(in->p ? in->p : "", in->n, "\r\n\r\n", 4);
	struct str length;
	uint64_t n = 0;

	if (!end)
		return false;
	out->head = (struct str){ in->p, (size_t)(end + 4 - in->p) };
	must(str_starts(out->head, STR("HTTP/1.1 ")));
	out->status = atoi(in->p + 9);
	length = reply_field(out, "content-length");
	if (length.p && !head_only)
		must(str_u64(length, 1 << 30, &n) == 0);
	if (in->n < out->head.n + n)
		return false;
	out->body = (struct str){ end + 4, n };
	*out_n = out->head.n + n;
	return true;
}

struct reply web_reply(struct web *w, struct peer *p, bool head_only)
{
	struct reply r = { 0 };
	size_t n;

	for (int i = 0; i < TURNS_MAX; i++) {
		if (parse(&p->in, head_only, &r, &n)) {
			/* Only this answer is kept; the strings of r point into a copy. */
			last.n = 0;
			buf_put(&last, p->in.p, n);
			buf_consume(&p->in, n);
			must(parse(&last, head_only, &r, &n));
			return r;
		}
		if (p->end)
			return (struct reply){ 0 };
		web_turn(w);
		peer_read(p);
	}
	return (struct reply){ 0 };
}

struct reply web_ask(struct web *w, const char *fmt, ...)
{
	struct peer p;
	struct reply r;
	va_list args;

	web_connect(w, &p);
	va_start(args, fmt);
	send_text(w, &p, fmt, args);
	va_end(args);
	r = web_reply(w, &p, str_starts(str_of(fmt), STR("HEAD ")));
	peer_fini(&p);
	web_turn(w);
	return r;
}
