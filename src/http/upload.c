/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Taking files: the HTTP side of XEP-0363 1.1. PUT takes the whole file; a PATCH with Upload-Offset goes on where an
 * interrupted one stopped (HEAD tells where). The answer 201 says that file and record are on the disk.
 *
 *   head → token, sizes → quota (store) → part opened (pool) → pieces written (pool), one at a time → finish (pool) →
 *   record (store) → 201. While a step runs, the body waits in the peer's TCP window. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/slot.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/upload_priv.h"

enum { QUOTA_PAGE = 1000 };

struct upload {
	struct http *http;
	id_t64 exchange;
	struct files *files;
	char id[FILES_ID_BYTES + 1];
	char *name, *type, *owner; /* owner: bare JID */
	uint64_t size, offset; /* offset: bytes on their way to the disk or there */
	uint64_t quota_left;
	char last_key[FILES_ID_BYTES + 1]; /* where the count of the quota goes on */
	char hash[FILES_HASH_BYTES + 1];
	int fd;
	bool fresh; /* PUT: from the first byte */
	bool busy; /* a job or the store has it */
	bool gone; /* the exchange is over */
};

/* A step in the pool. */
struct upload_job {
	struct job job;
	struct upload *u;
	int (*work)(struct upload_job *j);
	void (*then)(struct upload *u, struct exchange *x, int rc);
	int rc;
	size_t n;
	char bytes[];
};

static void release(struct upload *u)
{
	if (u->busy || !u->gone)
		return;
	if (u->fd >= 0)
		close(u->fd);
	http_drop(u->http);
	free(u->name);
	free(u->type);
	free(u->owner);
	free(u);
}

static void on_gone(void *state)
{
	struct upload *u = state;

	u->gone = true;
	release(u);
}

/* The exchange of u after a step, or NULL: the peer has gone, and u perhaps with it. */
static struct exchange *step_done(struct upload *u)
{
	struct exchange *x = exchange_get(u->http, u->exchange);

	u->busy = false;
	release(u);
	return x;
}

static void refuse(struct exchange *x, int rc)
{
	switch (rc) {
	case -ENOSPC:
	case -EDQUOT: exchange_error(x, 507, "disk-full", "The server's disk is full."); break;
	case -EBUSY:
		exchange_error(x, 409, "in-progress", "This file is being uploaded right now.");
		break;
	case -ENOENT:
		exchange_error(x, 404, "not-found", "There is no unfinished upload here.");
		break;
	case -EEXIST:
		exchange_error(x, 409, "exists", "This file has been uploaded already.");
		break;
	default: exchange_error(x, 500, "internal", "The server could not keep the file.");
	}
}

/* ---- steps in the pool ---- */

static void job_run(struct job *j)
{
	struct upload_job *u = container_of(j, struct upload_job, job);

	u->rc = u->work(u);
}

static void job_done(struct shard *s, struct job *j)
{
	struct upload_job *uj = container_of(j, struct upload_job, job);
	struct upload *u = uj->u;
	int rc = uj->rc;
	void (*then)(struct upload *, struct exchange *, int) = uj->then;
	struct exchange *x;

	free(uj);
	x = step_done(u);
	if (x)
		then(u, x, rc);
}

static void job_discard(struct job *j)
{
	struct upload_job *uj = container_of(j, struct upload_job, job);

	uj->u->busy = false;
	release(uj->u);
	free(uj);
}

static void submit(struct upload *u, struct exchange *x, int (*work)(struct upload_job *j),
	void (*then)(struct upload *u, struct exchange *x, int rc), struct str bytes)
{
	struct upload_job *j = mem_alloc(sizeof(*j) + bytes.n);

	*j = (struct upload_job){ .u = u, .work = work, .then = then, .n = bytes.n };
	j->job = (struct job){
		.home = u->http->shard, .run = job_run, .done = job_done, .discard = job_discard
	};
	if (bytes.n)
		memcpy(j->bytes, bytes.p, bytes.n);
	u->busy = true;
	if (pool_submit(u->http->cfg->pool, &j->job) == 0)
		return;
	u->busy = false;
	free(j);
	exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
}

/* ---- the whole file ---- */

static void on_recorded(struct shard *s, void *arg, int status)
{
	struct upload *u = arg;
	uint64_t size = u->size;
	struct exchange *x = step_done(u);

	if (!status)
		metric_add(M_UPLOAD_BYTES, (int64_t)size);
	if (!x)
		return;
	if (status)
		refuse(x, status);
	else
		exchange_reply(x, 201, NULL, NULL, STR_NONE);
}

static void record(struct upload *u, struct exchange *x, int rc)
{
	struct store_batch *b;
	struct arena *a = shard_arena(u->http->shard);
	struct str domain, node = str_cut(str_of(u->owner), '@', &domain);
	struct str owner = str_eq(domain, u->http->cfg->domain) ? node : str_of(u->owner);
	json_t *json;
	char *text;

	if (rc) {
		log_warning("upload.failed", "error=%d", -rc);
		refuse(x, rc);
		return;
	}
	/* The node only: the main domain may change before the first start with a name of its own. */
	json = json_pack("{ss sI ss ss ss% sI}", "hash", u->hash, "size", (json_int_t)u->size,
		"type", u->type, "name", u->name, "owner", owner.p, owner.n, "created",
		(json_int_t)clock_wall_ms());
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	must(text);
	b = store_batch_new();
	store_insert(b, STR_NONE, STR("file"), str_of(u->id), str_of(text));
	store_put(b, str_of(u->owner), STR("file"), str_of(u->id),
		arena_printf(a, "%llu", (unsigned long long)u->size));
	free(text);
	u->busy = true;
	rc = store_commit(u->http->cfg->store, u->http->shard, b, on_recorded, u);
	if (rc) {
		u->busy = false;
		exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
	}
}

static int work_finish(struct upload_job *j)
{
	return files_part_finish(j->u->files, str_of(j->u->id), j->u->fd, j->u->hash);
}

static void on_end(struct exchange *x)
{
	struct upload *u = x->state;
	char offset[24];
	struct http_field fields[] = { { "Upload-Offset", STR_NONE }, { 0 } };

	if (u->offset == u->size) {
		submit(u, x, work_finish, record, STR_NONE);
		return;
	}
	snprintf(offset, sizeof(offset), "%llu", (unsigned long long)u->offset);
	fields[0].value = str_of(offset);
	exchange_reply(x, 204, fields, NULL, STR_NONE);
}

/* ---- pieces ---- */

static int work_write(struct upload_job *j)
{
	size_t at = 0;

	while (at < j->n) {
		ssize_t n = pwrite(
			j->u->fd, j->bytes + at, j->n - at, (off_t)(j->u->offset - j->n + at));

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

static void on_written(struct upload *u, struct exchange *x, int rc)
{
	if (rc)
		refuse(x, rc);
	else
		exchange_resume(x);
}

static void on_body(struct exchange *x, struct str bytes)
{
	struct upload *u = x->state;

	if (u->size - u->offset < bytes.n) {
		exchange_error(x, 413, "too-large", "This is more than was announced.");
		return;
	}
	u->offset += bytes.n;
	exchange_stall(x);
	submit(u, x, work_write, on_written, bytes);
}

static const struct exchange_stream stream = { on_body, on_end, on_gone };

/* ---- before the first byte ---- */

static int work_open(struct upload_job *j)
{
	struct upload *u = j->u;
	uint64_t size, want = u->offset;
	int rc = files_part_open(u->files, str_of(u->id), u->fresh, &u->fd, &size);

	if (rc)
		return rc;
	u->offset = size;
	return size == want ? 0 : -ESTALE;
}

static void on_opened(struct upload *u, struct exchange *x, int rc)
{
	char offset[24];
	struct http_field fields[] = { { "Upload-Offset", STR_NONE }, { 0 } };

	if (rc == -ESTALE) {
		snprintf(offset, sizeof(offset), "%llu", (unsigned long long)u->offset);
		fields[0].value = str_of(offset);
		exchange_reply(x, 409, fields, "text/plain",
			STR("the upload goes on at another offset\n"));
	} else if (rc) {
		refuse(x, rc);
	} else {
		exchange_resume(x);
	}
}

static int count_quota(struct upload *u);

/* Adds up the sizes of the owner's files, page by page. */
static void on_page(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct upload *u = arg;
	struct exchange *x;
	uint64_t size;
	bool over = false;

	for (size_t i = 0; i < n && !over; i++) {
		if (str_u64(v[i].value, UINT64_MAX, &size))
			continue;
		over = size > u->quota_left;
		u->quota_left -= over ? 0 : size;
	}
	if (n && v[n - 1].key.n < sizeof(u->last_key)) {
		memcpy(u->last_key, v[n - 1].key.p, v[n - 1].key.n);
		u->last_key[v[n - 1].key.n] = 0;
	}
	x = step_done(u);
	if (!x)
		return;
	if (!status && !over && n == QUOTA_PAGE)
		status = count_quota(u);
	else if (!status && (over || u->quota_left < u->size))
		exchange_error(x, 413, "quota",
			"All your files together would be more than this server allows.");
	else if (!status)
		submit(u, x, work_open, on_opened, STR_NONE);
	if (status)
		exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
}

static int count_quota(struct upload *u)
{
	struct store_range r = {
		.owner = str_of(u->owner), .kind = STR("file"), .limit = QUOTA_PAGE
	};
	int rc;

	if (u->last_key[0])
		r.after = str_of(u->last_key);
	u->busy = true;
	rc = store_list(u->http->cfg->store, u->http->shard, &r, on_page, u);
	if (rc)
		u->busy = false;
	return rc;
}

static struct upload *upload_new(struct exchange *x, const struct slot *slot)
{
	struct upload *u = mem_zalloc(sizeof(*u));

	u->http = x->http;
	http_hold(u->http);
	u->files = x->http->cfg->files;
	u->fd = -1;
	u->size = slot->size;
	memcpy(u->id, slot->id.p, slot->id.n);
	u->name = str_dup(slot->name);
	u->type = str_dup(slot->type);
	u->owner = str_dup(file_owner(shard_arena(x->http->shard), x->http->cfg, slot->owner));
	u->quota_left = x->http->cfg->upload_quota_bytes;
	return u;
}

/* Sizes and offset of a PUT or PATCH. Returns false when it has answered. */
static bool check_sizes(struct exchange *x, const struct slot *slot, uint64_t *out_offset)
{
	int64_t n = x->req->content_length;
	struct str at = http_header_get(x->req, "upload-offset");
	struct str params, type = str_trim(str_cut(http_header_get(x->req, "content-type"), ';', &params));
	struct str announced = str_trim(str_cut(slot->type, ';', &params)); /* parameters may differ */

	*out_offset = 0;
	if (n < 0)
		exchange_error(x, 411, "length-needed", "Say the length of the file.");
	else if (slot->size > x->http->cfg->upload_max_bytes)
		exchange_error(x, 413, "too-large", "The file is larger than this server allows.");
	else if (x->method == HTTP_M_PUT && (uint64_t)n > slot->size)
		exchange_error(x, 413, "too-large", "This is more than was announced.");
	else if (x->method == HTTP_M_PUT && (uint64_t)n < slot->size)
		exchange_error(x, 400, "too-small", "This is less than was announced.");
	else if (x->method == HTTP_M_PUT && announced.n && !str_eq_nocase(type, announced))
		exchange_error(x, 415, "bad-type", "This is not the type of file that was announced.");
	else if (x->method == HTTP_M_PUT)
		return true;
	else if (!str_is(type, "application/partial-upload"))
		exchange_error(x, 415, "bad-type", "Send application/partial-upload.");
	else if (!at.n || str_u64(at, slot->size, out_offset))
		exchange_error(
			x, 400, "bad-offset", "Say where the upload goes on (Upload-Offset).");
	else if ((uint64_t)n > slot->size - *out_offset)
		exchange_error(x, 413, "too-large", "This is more than was announced.");
	else
		return true;
	return false;
}

static void begin(struct exchange *x, struct str id, struct str name)
{
	struct slot slot;
	struct upload *u;
	uint64_t offset;
	int rc = slot_check(x->http->cfg->accounts, shard_arena(x->http->shard), upload_token(x),
		id, name, clock_wall_ms(), &slot);

	if (rc) {
		exchange_error(x, 403, rc == -ETIME ? "expired" : "forbidden",
			rc == -ETIME ? "This upload slot has expired: ask for a new one."
				     : "This is not a valid upload slot.");
		return;
	}
	if (!check_sizes(x, &slot, &offset))
		return;
	u = upload_new(x, &slot);
	u->fresh = x->method == HTTP_M_PUT;
	u->offset = offset;
	u->exchange = exchange_id(x);
	x->stream = &stream;
	x->state = u;
	exchange_body_limit(x, slot.size);
	exchange_stall(x);
	if (count_quota(u))
		exchange_error(x, 503, "busy", "The server is busy. Try again in a moment.");
}

/* ---- shared with download.c ---- */

struct str file_owner(struct arena *a, const struct http_config *cfg, struct str owner)
{
	if (owner.n && memchr(owner.p, '@', owner.n))
		return owner;
	return arena_printf(a, "%.*s@%.*s", STR_ARG(owner), STR_ARG(cfg->domain));
}

bool upload_split(struct str rest, struct str *out_id, struct str *out_name)
{
	*out_id = str_cut(rest, '/', out_name);
	return files_id_ok(*out_id) && out_name->n && !memchr(out_name->p, '/', out_name->n);
}

struct str upload_token(struct exchange *x)
{
	struct str auth = http_header_get(x->req, "authorization"), scheme = STR("Bearer ");

	if (auth.n > scheme.n && str_eq_nocase((struct str){ auth.p, scheme.n }, scheme))
		return str_trim((struct str){ auth.p + scheme.n, auth.n - scheme.n });
	return http_form_get(shard_arena(x->http->shard), x->req->query, "token");
}

void upload_serve(struct exchange *x)
{
	struct str id, name;

	if (!x->http->cfg->files || !upload_split(x->rest, &id, &name))
		exchange_error(x, 404, "not-found", "There is no such file.");
	else if (x->method & (HTTP_M_GET | HTTP_M_HEAD))
		download_serve(x, id, name);
	else if (!limiter_take(x, LIMIT_UPLOAD))
		exchange_error(
			x, 429, "rate-limited", "Too many uploads. Wait a minute and try again.");
	else
		begin(x, id, name);
}
