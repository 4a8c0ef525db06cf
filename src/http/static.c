/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The web client, from the files inside the binary: precompressed, with entity tags (RFC 9110 §8.8.3). A path is only ever
 * compared with the table's, so no path reaches the disk. */
#include <stdio.h>
#include <stdlib.h>

#include "http/embedded.h"
#include "http/exchange.h"

enum { ETAG_MAX = 100 };

static int compare(const void *key, const void *element)
{
	return str_cmp(
		*(const struct str *)key, str_of(((const struct embedded_file *)element)->path));
}

static const struct embedded_file *find(struct str path)
{
	return bsearch(
		&path, embedded_files, embedded_files_count, sizeof(*embedded_files), compare);
}

/* Addresses of the client's own views, which answer with its page: /c/JID, and all without a dot in the last part. */
static bool is_view(struct str path)
{
	const char *slash = memrchr(path.p, '/', path.n);
	size_t last = slash ? (size_t)(slash - path.p) + 1 : 0;

	if (str_starts(path, STR("/.well-known/")))
		return false;
	return str_starts(path, STR("/c/")) || !memchr(path.p + last, '.', path.n - last);
}

static struct str choose(const struct embedded_file *f, struct str accept, const char **out_name)
{
	unsigned available = (f->gzip.n ? HTTP_GZIP : 0) | (f->brotli.n ? HTTP_BROTLI : 0);

	switch (http_encoding_choose(accept, available)) {
	case HTTP_BROTLI: *out_name = "br"; return f->brotli;
	case HTTP_GZIP: *out_name = "gzip"; return f->gzip;
	default: *out_name = NULL; return f->plain;
	}
}

/* "tag" becomes "tag-br": each encoding is a representation of its own. */
static struct str tag_of(const struct embedded_file *f, const char *encoding, char out[ETAG_MAX])
{
	struct str tag = str_of(f->etag);

	if (!encoding)
		return tag;
	snprintf(out, ETAG_MAX, "%.*s-%s\"", (int)tag.n - 1, tag.p, encoding);
	return str_of(out);
}

void static_serve(struct exchange *x)
{
	const struct embedded_file *f = find(x->req->path);
	const char *encoding;
	char tag[ETAG_MAX];
	struct str body;

	if (!f && is_view(x->req->path))
		f = find(STR("/index.html"));
	if (!f) {
		exchange_error(x, 404, "not-found", "There is nothing at this address.");
		return;
	}
	body = choose(f, http_header_get(x->req, "accept-encoding"), &encoding);
	struct http_field fields[] = {
		{ "ETag", tag_of(f, encoding, tag) },
		{ "Vary", STR("Accept-Encoding") },
		{ "Cache-Control",
			f->immutable ? STR("public, max-age=31536000, immutable")
				     : STR("no-cache") },
		{ "Content-Encoding", str_of(encoding) },
		{ 0 },
	};
	if (http_etag_in(http_header_get(x->req, "if-none-match"), fields[0].value)) {
		fields[3].value = STR_NONE;
		exchange_reply(x, 304, fields, NULL, STR_NONE);
		return;
	}
	exchange_reply(x, 200, fields, f->type, body);
}
