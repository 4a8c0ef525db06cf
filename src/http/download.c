/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Giving uploaded files (XEP-0363): entity tags, one range (RFC 9110 §14), and types that cannot act. Whoever has the URL may
 * read; its 192 random bits are the key. A HEAD with the slot's token also tells how far an unfinished upload has come. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/slot.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/upload_priv.h"

enum { FIELDS = 12, ETAG_HEX = 40 };

/* Shown by the browser itself; everything else is offered for saving as plain bytes. No SVG: it carries scripts. */
static const char *const inline_types[] = {
	"image/png",
	"image/jpeg",
	"image/gif",
	"image/webp",
	"image/avif",
	"image/bmp",
	"audio/mpeg",
	"audio/mp4",
	"audio/ogg",
	"audio/opus",
	"audio/webm",
	"audio/wav",
	"audio/x-wav",
	"audio/flac",
	"audio/aac",
	"video/mp4",
	"video/webm",
	"video/ogg",
	"video/quicktime",
};

static const char file_csp[] =
	"default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

struct download {
	struct job job;
	struct http *http;
	id_t64 exchange;
	struct files *files;
	char id[FILES_ID_BYTES + 1];
	char *name, *none_match, *range, *if_range;
	bool may_be_partial; /* a HEAD with a valid token */
	struct file_meta meta;
	int rc, fd;
	uint64_t size;
};

int file_meta_read(struct str value, struct file_meta *out)
{
	json_t *json = json_loadb(value.p ? value.p : "", value.n, 0, NULL);
	const char *hash, *name, *type;
	json_int_t size;

	if (!json ||
		json_unpack(json, "{ss ss ss sI}", "hash", &hash, "name", &name, "type", &type,
			"size", &size) ||
		size < 0 || strlen(hash) != FILES_HASH_BYTES) {
		json_decref(json);
		return -EBADMSG;
	}
	*out = (struct file_meta){ .json = json,
		.hash = hash,
		.name = str_of(name),
		.type = str_of(type),
		.size = (uint64_t)size };
	return 0;
}

static void download_free(struct download *d)
{
	if (d->fd >= 0)
		close(d->fd);
	http_drop(d->http);
	json_decref(d->meta.json);
	free(d->name);
	free(d->none_match);
	free(d->range);
	free(d->if_range);
	free(d);
}

static void missing(struct exchange *x)
{
	exchange_error(x, 404, "not-found", "There is no such file.");
}

static const char *safe_type(const struct file_meta *m, bool *out_inline)
{
	struct str type = m->type.n ? m->type : str_of(http_content_type(m->name));
	struct str params;

	type = str_trim(str_cut(type, ';', &params));
	for (size_t i = 0; i < ARRAY_LEN(inline_types); i++)
		if (str_eq_nocase(type, str_of(inline_types[i]))) {
			*out_inline = true;
			return inline_types[i];
		}
	*out_inline = false;
	return "application/octet-stream";
}

static void answer_unsatisfiable(struct exchange *x, struct arena *a, uint64_t size)
{
	struct http_field fields[] = {
		{ "Content-Range", arena_printf(a, "bytes */%llu", (unsigned long long)size) },
		{ 0 },
	};

	exchange_reply(x, 416, fields, "text/plain", STR("range not satisfiable\n"));
}

/* The whole file or the range that was asked for. Takes d->fd unless there is nothing to send. */
static void answer_file(struct download *d, struct exchange *x, struct str etag)
{
	struct arena *a = shard_arena(d->http->shard);
	struct buf disposition = { 0 };
	bool shown;
	const char *type = safe_type(&d->meta, &shown);
	uint64_t first = 0, last = d->size ? d->size - 1 : 0;
	int rc = -ENOENT;

	if (d->range && x->method == HTTP_M_GET &&
		(!d->if_range || str_eq(str_of(d->if_range), etag)))
		rc = http_range(str_of(d->range), d->size, &first, &last);
	if (rc == -ERANGE) {
		answer_unsatisfiable(x, a, d->size);
		return;
	}
	buf_puts(&disposition,
		shown ? "inline; filename*=UTF-8''" : "attachment; filename*=UTF-8''");
	http_percent_encode(&disposition, d->meta.name);
	struct http_field fields[FIELDS] = {
		{ "ETag", etag },
		{ "Accept-Ranges", STR("bytes") },
		{ "Content-Disposition", buf_view(&disposition) },
		{ "Cache-Control", STR("private, max-age=31536000, immutable") },
		{ "Content-Security-Policy", str_of(file_csp) },
		{ "Cross-Origin-Resource-Policy", STR("cross-origin") },
	};
	size_t n = 6;

	if (rc == 0)
		fields[n++] = (struct http_field){ "Content-Range",
			arena_printf(a, "bytes %llu-%llu/%llu", (unsigned long long)first,
				(unsigned long long)last, (unsigned long long)d->size) };
	if (d->may_be_partial)
		fields[n++] = (struct http_field){ "Upload-Offset",
			arena_printf(a, "%llu", (unsigned long long)d->size) };
	struct exchange_part part = {
		.fd = d->fd, .offset = first, .n = d->size ? last - first + 1 : 0
	};

	d->fd = -1;
	exchange_file(x, rc == 0 ? 206 : 200, fields, type, &part);
	buf_free(&disposition);
}

/* ---- steps ---- */

static void run_open(struct job *j)
{
	struct download *d = container_of(j, struct download, job);

	d->rc = files_blob_open(d->files, d->meta.hash, &d->fd, &d->size);
}

static void run_partial(struct job *j)
{
	struct download *d = container_of(j, struct download, job);

	d->rc = files_part_size(d->files, str_of(d->id), &d->size);
}

static void discard(struct job *j)
{
	download_free(container_of(j, struct download, job));
}

static struct str etag_of(struct arena *a, const struct file_meta *m)
{
	return arena_printf(a, "\"%.*s\"", ETAG_HEX, m->hash);
}

static void done_open(struct shard *s, struct job *j)
{
	struct download *d = container_of(j, struct download, job);
	struct exchange *x = exchange_get(d->http, d->exchange);

	if (x && d->rc)
		missing(x);
	else if (x)
		answer_file(d, x, etag_of(shard_arena(s), &d->meta));
	download_free(d);
}

static void done_partial(struct shard *s, struct job *j)
{
	struct download *d = container_of(j, struct download, job);
	struct exchange *x = exchange_get(d->http, d->exchange);
	struct http_field fields[] = { { "Upload-Offset", STR_NONE }, { 0 } };

	if (x && d->rc == -ENOENT) {
		missing(x);
	} else if (x && d->rc) {
		exchange_error(x, 500, "internal", "Something went wrong on the server.");
	} else if (x) {
		fields[0].value = arena_printf(shard_arena(s), "%llu", (unsigned long long)d->size);
		exchange_reply(x, 200, fields, NULL, STR_NONE);
	}
	download_free(d);
}

static void submit(struct download *d, struct exchange *x, void (*run)(struct job *j),
	void (*done)(struct shard *s, struct job *j))
{
	struct http *h = d->http;

	d->job = (struct job){ .home = h->shard, .run = run, .done = done, .discard = discard };
	if (pool_submit(h->cfg->pool, &d->job) == 0)
		return;
	exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
	download_free(d);
}

static void on_meta(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct download *d = arg;
	struct exchange *x = exchange_get(d->http, d->exchange);
	bool found = !status && n && file_meta_read(v[0].value, &d->meta) == 0;
	struct http_field fields[] = { { "ETag", STR_NONE }, { 0 } };

	if (!x) {
		download_free(d);
	} else if (status) {
		exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
		download_free(d);
	} else if (!found && d->may_be_partial) {
		submit(d, x, run_partial, done_partial);
	} else if (!found || !str_eq(d->meta.name, str_of(d->name))) {
		missing(x);
		download_free(d);
	} else if (d->none_match &&
		http_etag_in(str_of(d->none_match), etag_of(shard_arena(s), &d->meta))) {
		fields[0].value = etag_of(shard_arena(s), &d->meta);
		exchange_reply(x, 304, fields, NULL, STR_NONE);
		download_free(d);
	} else {
		submit(d, x, run_open, done_open);
	}
}

/* A copy of a request's header; NULL when absent. */
static char *header(struct exchange *x, const char *name)
{
	struct str v = http_header_get(x->req, name);

	return v.p ? str_dup(v) : NULL;
}

static bool may_ask_for_offset(struct exchange *x, struct str id, struct str name)
{
	struct str token = upload_token(x);
	struct slot slot;

	return x->method == HTTP_M_HEAD && token.n &&
		slot_check(x->http->cfg->accounts, shard_arena(x->http->shard), token, id, name,
			clock_wall_ms(), &slot) == 0;
}

void download_serve(struct exchange *x, struct str id, struct str name)
{
	struct download *d = mem_zalloc(sizeof(*d));
	int rc;

	d->http = x->http;
	http_hold(d->http);
	d->files = x->http->cfg->files;
	d->exchange = exchange_id(x);
	d->fd = -1;
	memcpy(d->id, id.p, id.n);
	d->name = str_dup(name);
	d->none_match = header(x, "if-none-match");
	d->range = header(x, "range");
	d->if_range = header(x, "if-range");
	d->may_be_partial = may_ask_for_offset(x, id, name);
	rc = store_get(x->http->cfg->store, x->http->shard, STR_NONE, STR("file"), id, on_meta, d);
	if (rc) {
		download_free(d);
		exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
	}
}
