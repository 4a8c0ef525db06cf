/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Writing the head of an HTTP/1.1 answer (RFC 9112 §4-5). */
#include <inttypes.h>

#include "base/must.h"
#include "proto/http/http.h"

static const struct {
	int status;
	const char *reason;
} REASONS[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *http_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(REASONS); i++)
		if (REASONS[i].status == status)
			return REASONS[i].reason;
	return "";
}

void http_write_status(struct buf *out, int status)
{
	must(status >= 100 && status <= 599);
	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
}

void http_write_field(struct buf *out, const char *name, struct str value)
{
	char *p;

	buf_puts(out, name);
	buf_put(out, ": ", 2);
	p = buf_room(out, value.n);
	for (size_t i = 0; i < value.n; i++)
		p[i] = value.p[i] == '\r' || value.p[i] == '\n' || !value.p[i] ? ' ' : value.p[i];
	out->n += value.n;
	buf_put(out, "\r\n", 2);
}

void http_write_field_u64(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "%s: %" PRIu64 "\r\n", name, value);
}

void http_write_end(struct buf *out)
{
	buf_put(out, "\r\n", 2);
}

void http_write_head(struct buf *out, int status, const struct http_field *fields)
{
	http_write_status(out, status);
	for (; fields && fields->name; fields++)
		if (fields->value.p)
			http_write_field(out, fields->name, fields->value);
	http_write_end(out);
}

void http_write_continue(struct buf *out)
{
	http_write_head(out, 100, NULL);
}
