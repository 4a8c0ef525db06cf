/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests of one connection (RFC 9112 §6-7, §9): head, body, end, next.
 * The framing of bodies is read here and not by http-parser, whose Debian build skips the line ends of chunks unchecked. */
#include "proto/http/http.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "proto/http/head.h"

const struct http_limits HTTP_LIMITS = {
	.target_bytes = 8192, .head_bytes = 16384, .headers = 64, .body_bytes = 65536
};

enum {
	SIZE_DIGITS = 15, /* of a chunk: below 2^60 */
	CHUNK_EXTRA = 4096, /* bytes of all chunk extensions and trailers of one body */
};

enum state {
	AT_HEAD,
	AT_BODY, /* left bytes of a body with a length */
	AT_SIZE, /* digits of a chunk's size */
	AT_EXT, /* behind ";" */
	AT_SIZE_LF,
	AT_DATA, /* left bytes of a chunk */
	AT_DATA_CR,
	AT_DATA_LF,
	AT_TRAILER, /* first byte of a line */
	AT_NAME, /* of a trailer field */
	AT_VALUE,
	AT_LINE_LF,
	AT_LAST_LF,
	AT_END,
	AT_CLOSED, /* the last request of the connection was read */
	AT_ERROR,
};

struct http_reader {
	const struct http_limits *limits;
	struct str in;
	struct buf head; /* of an unfinished head */
	struct head_scan scan;
	uint64_t left; /* of the body or chunk */
	uint64_t total; /* of a chunked body so far, this chunk included */
	uint64_t body_max;
	uint32_t extra; /* bytes of extensions and trailers so far */
	uint16_t status;
	uint8_t digits;
	uint8_t state;
	bool keep_alive;
};

struct http_reader *http_reader_new(const struct http_limits *limits)
{
	struct http_reader *r = mem_zalloc(sizeof(*r));

	r->limits = limits;
	return r;
}

void http_reader_free(struct http_reader *r)
{
	if (!r)
		return;
	buf_free(&r->head);
	free(r);
}

void http_reader_feed(struct http_reader *r, struct str bytes)
{
	must(!r->in.n);
	if (r->state < AT_CLOSED)
		r->in = bytes;
}

void http_reader_keep(struct http_reader *r, struct buf *kept)
{
	struct buf copy = { 0 };

	buf_str(&copy, r->in);
	buf_free(kept);
	*kept = copy;
	r->in = buf_view(kept);
}

struct str http_reader_rest_input(const struct http_reader *r)
{
	return r->in;
}

void http_reader_body_limit(struct http_reader *r, uint64_t bytes)
{
	r->body_max = bytes;
}

bool http_reader_idle(const struct http_reader *r)
{
	return r->state == AT_HEAD && !r->in.n && !r->scan.bytes;
}

static void fail(struct http_reader *r, int status)
{
	r->state = AT_ERROR;
	r->status = (uint16_t)status;
	r->in = STR_NONE;
	buf_free(&r->head);
}

static void skip(struct http_reader *r, size_t n)
{
	r->in.p += n;
	r->in.n -= n;
}

static void begin_body(struct http_reader *r, const struct http_request *req)
{
	r->keep_alive = req->keep_alive;
	r->body_max = r->limits->body_bytes;
	r->total = r->extra = r->digits = 0;
	r->left = req->content_length < 0 ? 0 : (uint64_t)req->content_length;
	r->state = req->content_length < 0 ? AT_SIZE : r->left ? AT_BODY : AT_END;
}

static void next_head(struct http_reader *r, struct arena *a, struct http_event *out)
{
	struct http_request *req;
	struct str head;
	int status;
	size_t n = head_scan(&r->scan, r->in, r->limits, &status);

	if (status && status != 200) {
		fail(r, status);
		return;
	}
	if (!status || r->head.n)
		buf_put(&r->head, r->in.p, n);
	head = r->head.n ? buf_view(&r->head) : (struct str){ r->in.p, n };
	skip(r, n);
	if (!status)
		return;
	head = arena_str(a, head);
	buf_free(&r->head);
	r->scan = (struct head_scan){ 0 };
	status = head_parse(a, head, r->limits, &req);
	if (status) {
		fail(r, status);
		return;
	}
	begin_body(r, req);
	*out = (struct http_event){ .kind = HTTP_EV_HEAD, .request = req };
}

/* Gives what there is of the `left` bytes; goes over to `then` behind the last. */
static void next_bytes(struct http_reader *r, enum state then, struct http_event *out)
{
	size_t n = r->in.n < r->left ? r->in.n : (size_t)r->left;

	if (r->state == AT_BODY && r->left > r->body_max) {
		fail(r, 413);
		return;
	}
	*out = (struct http_event){ .kind = HTTP_EV_BODY, .body = { r->in.p, n } };
	skip(r, n);
	r->left -= n;
	if (r->state == AT_BODY)
		r->body_max -= n;
	if (!r->left)
		r->state = (uint8_t)then;
}

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum state size_byte(struct http_reader *r, unsigned char c)
{
	int v = hex(c);

	if (v >= 0 && r->digits < SIZE_DIGITS) {
		r->left = r->left << 4 | (unsigned)v;
		r->digits++;
		return AT_SIZE;
	}
	if (!r->digits || v >= 0)
		return AT_ERROR;
	r->digits = 0;
	return c == '\r' ? AT_SIZE_LF : c == ';' ? AT_EXT : AT_ERROR;
}

static bool is_text(unsigned char c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* RFC 9112 §7.1: the state behind one byte between the data of chunks. */
static enum state chunk_byte(struct http_reader *r, unsigned char c)
{
	switch (r->state) {
	case AT_SIZE: return size_byte(r, c);
	case AT_EXT: return c == '\r' ? AT_SIZE_LF : is_text(c) ? AT_EXT : AT_ERROR;
	case AT_SIZE_LF: return c != '\n' ? AT_ERROR : r->left ? AT_DATA : AT_TRAILER;
	case AT_DATA_CR: return c == '\r' ? AT_DATA_LF : AT_ERROR;
	case AT_DATA_LF: return c == '\n' ? AT_SIZE : AT_ERROR;
	case AT_TRAILER:
		return c == '\r'				       ? AT_LAST_LF
			: head_is_token((struct str){ (char *)&c, 1 }) ? AT_NAME
								       : AT_ERROR;
	case AT_NAME:
		return c == ':'					       ? AT_VALUE
			: head_is_token((struct str){ (char *)&c, 1 }) ? AT_NAME
								       : AT_ERROR;
	case AT_VALUE: return c == '\r' ? AT_LINE_LF : is_text(c) ? AT_VALUE : AT_ERROR;
	case AT_LINE_LF: return c == '\n' ? AT_TRAILER : AT_ERROR;
	case AT_LAST_LF: return c == '\n' ? AT_END : AT_ERROR;
	default: return AT_ERROR;
	}
}

/* Trailers and extensions are read and forgotten (RFC 9110 §6.5.1, RFC 9112 §7.1.1). */
static void next_chunk_byte(struct http_reader *r)
{
	enum state next = chunk_byte(r, (unsigned char)*r->in.p);

	skip(r, 1);
	if (next == AT_ERROR)
		fail(r, 400);
	else if ((next == AT_EXT || (next >= AT_TRAILER && next <= AT_LAST_LF)) &&
		++r->extra > CHUNK_EXTRA)
		fail(r, 431);
	else if (next == AT_DATA && r->left > r->body_max - r->total)
		fail(r, 413);
	else
		r->state = (uint8_t)next;
	if (next == AT_DATA)
		r->total += r->left;
}

void http_reader_next(struct http_reader *r, struct arena *a, struct http_event *out)
{
	*out = (struct http_event){ .kind = HTTP_EV_NONE };
	/* A length over the limit is told at once, not when the first byte of the body comes. */
	while (out->kind == HTTP_EV_NONE &&
		(r->in.n || r->state >= AT_END || (r->state == AT_BODY && r->left > r->body_max))) {
		switch (r->state) {
		case AT_HEAD: next_head(r, a, out); break;
		case AT_BODY: next_bytes(r, AT_END, out); break;
		case AT_DATA: next_bytes(r, AT_DATA_CR, out); break;
		case AT_END:
			out->kind = HTTP_EV_END;
			r->state = r->keep_alive ? AT_HEAD : AT_CLOSED;
			break;
		case AT_CLOSED: r->in = STR_NONE; return;
		case AT_ERROR:
			*out = (struct http_event){ .kind = HTTP_EV_ERROR, .status = r->status };
			return;
		default: next_chunk_byte(r);
		}
	}
}
