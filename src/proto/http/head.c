/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The head of a request (RFC 9112 §2-3, §5). Everything that could be read in two ways is refused before http-parser, which
 * is lenient in Debian's build, sees the bytes; it then reads methods, Connection and lengths. */
#include "proto/http/head.h"

#include <errno.h>
#include <http_parser.h>

#include "base/must.h"
#include "base/utf8.h"

enum {
	LINE_REST = 64, /* of the request line: method, version, spaces */
	TCHAR = 1 << 0, /* RFC 9110 §5.6.2 */
	HOST = 1 << 1, /* RFC 3986 §3.2.2 reg-name, percent escapes left out */
};

static const unsigned char CLASS[256] = {
	['!'] = TCHAR | HOST,
	['#'] = TCHAR,
	['$'] = TCHAR | HOST,
	['%'] = TCHAR,
	['&'] = TCHAR | HOST,
	['\''] = TCHAR | HOST,
	['('] = HOST,
	[')'] = HOST,
	['*'] = TCHAR | HOST,
	['+'] = TCHAR | HOST,
	[','] = HOST,
	['-'] = TCHAR | HOST,
	['.'] = TCHAR | HOST,
	['0' ... '9'] = TCHAR | HOST,
	[';'] = HOST,
	['='] = HOST,
	['A' ... 'Z'] = TCHAR | HOST,
	['^'] = TCHAR,
	['_'] = TCHAR | HOST,
	['`'] = TCHAR,
	['a' ... 'z'] = TCHAR | HOST,
	['|'] = TCHAR,
	['~'] = TCHAR | HOST,
};

static bool all_of(struct str s, unsigned char mask)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(CLASS[(unsigned char)s.p[i]] & mask))
			return false;
	return s.n > 0;
}

bool head_is_token(struct str s)
{
	return all_of(s, TCHAR);
}

/* What one byte does: 0 goes on, 200 ends the head, else the error. */
static int scan_byte(struct head_scan *s, unsigned char c, const struct http_limits *limits)
{
	if (++s->bytes > limits->head_bytes)
		return s->lines ? 431 : 414;
	if (s->cr != (c == '\n')) /* RFC 9112 §2.2: a bare CR or LF */
		return 400;
	if (c == '\n') {
		/* RFC 9112 §2.2: one empty line before the request line is ignored. */
		if (!s->line_bytes && (s->lines || s->bytes > 2))
			return 200;
		s->lines += s->line_bytes > 0;
		s->line_bytes = 0;
		s->cr = false;
		return 0;
	}
	s->cr = c == '\r';
	if (s->cr)
		return 0;
	if ((c < ' ' && c != '\t') || c == 0x7f)
		return 400;
	if (++s->line_bytes > limits->target_bytes + LINE_REST && !s->lines)
		return 414;
	return 0;
}

size_t head_scan(
	struct head_scan *s, struct str bytes, const struct http_limits *limits, int *out_status)
{
	size_t i = 0;

	*out_status = 0;
	while (i < bytes.n && !*out_status)
		*out_status = scan_byte(s, (unsigned char)bytes.p[i++], limits);
	return i;
}

struct line {
	struct str method, target, version;
};

static int check_version(struct str v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.' || v.p[5] < '0' ||
		v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
		return 400;
	return v.p[5] == '1' ? 0 : 505;
}

/* RFC 9112 §3: three words with one space between them. */
static int read_line(struct str text, const struct http_limits *limits, struct line *out)
{
	struct str rest;

	out->method = str_cut(text, ' ', &rest);
	out->target = str_cut(rest, ' ', &out->version);
	if (!head_is_token(out->method) || !out->target.n)
		return 400;
	for (size_t i = 0; i < out->target.n; i++)
		if (out->target.p[i] <= ' ' || out->target.p[i] & 0x80 || out->target.p[i] == '#')
			return 400;
	if (out->target.n > limits->target_bytes)
		return 414;
	return check_version(out->version);
}

/* RFC 9112 §5.1: a name, the colon right behind it; no folding (§5.2). */
static int check_field(struct str text)
{
	struct str rest, name = str_cut(text, ':', &rest);

	return rest.p && head_is_token(name) ? 0 : 400;
}

static struct str next_line(struct str *rest)
{
	const char *end = memmem(rest->p, rest->n, "\r\n", 2);
	struct str text;

	must(end);
	text = (struct str){ rest->p, (size_t)(end - rest->p) };
	*rest = (struct str){ end + 2, rest->n - text.n - 2 };
	return text;
}

static int check_lines(struct str *head, const struct http_limits *limits, struct line *out)
{
	struct str rest = *head, text = next_line(&rest);
	uint32_t fields = 0;
	int status;

	if (!text.n) {
		*head = rest;
		text = next_line(&rest);
	}
	status = read_line(text, limits, out);
	while (!status && (text = next_line(&rest)).n) {
		status = check_field(text);
		if (!status && ++fields > limits->headers)
			status = 431;
	}
	return status;
}

/* What http-parser's callbacks fill. */
struct read {
	struct arena *a;
	struct http_request *req;
	struct http_header **link, *last;
};

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct read *r = p->data;
	char *lower = arena_alloc(r->a, n);

	for (size_t i = 0; i < n; i++)
		lower[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
	r->last = arena_zalloc(r->a, sizeof(*r->last));
	r->last->name = (struct str){ lower, n };
	r->last->value = STR("");
	*r->link = r->last;
	r->link = &r->last->next;
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct read *r = p->data;

	if (n)
		r->last->value = str_trim((struct str){ at, n });
	return 0;
}

static int skip_body(http_parser *p)
{
	return 1;
}

static int run_parser(struct read *r, struct str head, http_parser *p)
{
	static const http_parser_settings settings = { .on_header_field = on_field,
		.on_header_value = on_value,
		.on_headers_complete = skip_body };
	size_t n;

	http_parser_init(p, HTTP_REQUEST);
	p->data = r;
	n = http_parser_execute(p, &settings, head.p, head.n);
	if (HTTP_PARSER_ERRNO(p) == HPE_INVALID_METHOD ||
		HTTP_PARSER_ERRNO(p) == HPE_INVALID_TRANSFER_ENCODING)
		return 501;
	return HTTP_PARSER_ERRNO(p) != HPE_OK || n != head.n ? 400 : 0;
}

/* The only header of that name: 0, and p NULL if there is none; 400 if there are two. */
static int single(const struct http_request *req, const char *name, struct str *out)
{
	*out = STR_NONE;
	for (const struct http_header *h = req->headers; h; h = h->next) {
		if (!str_is(h->name, name))
			continue;
		if (out->p)
			return 400;
		*out = h->value;
	}
	return 0;
}

/* RFC 9112 §6: one length or chunks, never both; chunked is the only coding. */
static int read_framing(struct http_request *req, bool is_1_0)
{
	struct str length, coding;
	uint64_t n = 0;

	if (single(req, "content-length", &length) != 0 ||
		single(req, "transfer-encoding", &coding) != 0)
		return 400;
	if (coding.p) {
		if (length.p || is_1_0)
			return 400;
		if (!str_eq_nocase(coding, STR("chunked")))
			return http_list_has(coding, "chunked") ? 400 : 501;
		req->content_length = -1;
		return 0;
	}
	if (!length.p)
		return 0;
	switch (str_u64(length, INT64_MAX, &n)) {
	case 0: req->content_length = (int64_t)n; return 0;
	case -ERANGE: return 413;
	default: return 400;
	}
}

static bool is_port(struct str s)
{
	uint64_t port;

	return !s.n || str_u64(s, 65535, &port) == 0;
}

/* RFC 9110 §7.2: uri-host and port; no user name. */
static bool is_host(struct str s)
{
	struct str port, host;

	if (s.n && s.p[0] == '[') {
		host = str_cut(s, ']', &port);
		for (size_t i = 1; i < host.n; i++)
			if (!strchr("0123456789abcdefABCDEF:.", host.p[i]))
				return false;
		return port.p && host.n > 2 &&
			(!port.n ||
				(port.p[0] == ':' &&
					is_port((struct str){ port.p + 1, port.n - 1 })));
	}
	host = str_cut(s, ':', &port);
	return all_of(host, HOST) && is_port(port);
}

static struct str lowered(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	must(s.p || !s.n);
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
	return (struct str){ p, s.n };
}

/* Splits "http://host/path" (RFC 9112 §3.2.2); p NULL in *out_host for the other forms. */
static struct str absolute(struct str target, struct str *out_host)
{
	static const char *const schemes[] = { "http://", "https://" };

	*out_host = STR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct str scheme = str_of(schemes[i]);
		size_t end = scheme.n;

		if (target.n < scheme.n ||
			!str_eq_nocase((struct str){ target.p, scheme.n }, scheme))
			continue;
		while (end < target.n && target.p[end] != '/' && target.p[end] != '?')
			end++;
		*out_host = (struct str){ target.p + scheme.n, end - scheme.n };
		return (struct str){ target.p + end, target.n - end };
	}
	return target;
}

static int read_host(struct arena *a, struct http_request *req, struct str named, bool is_1_0)
{
	struct str host;

	if (single(req, "host", &host) != 0 || (!host.p && !is_1_0))
		return 400;
	if (host.p && !is_host(host))
		return 400;
	if (named.p && (!is_host(named) || (host.p && !str_eq_nocase(named, host))))
		return 400; /* RFC 9112 §3.2.2 prefers the target's; two hosts are not an honest request */
	req->host = lowered(a, named.p ? named : host);
	return 0;
}

static bool is_dots(struct str segment)
{
	return str_is(segment, ".") || str_is(segment, "..");
}

/* Decodes and joins the segments: no way up, no slash or control character in disguise. */
static int read_path(struct arena *a, struct str raw, struct str *out)
{
	struct str path, segment;
	size_t from = 0, n = 0;
	char *p;

	for (size_t i = 0; i + 2 < raw.n; i++)
		if (raw.p[i] == '%' && raw.p[i + 1] == '2' && (raw.p[i + 2] | 0x20) == 'f')
			return 400;
	if (!raw.n || raw.p[0] != '/' || http_percent_decode(a, raw, &path) != 0)
		return 400;
	p = (char *)path.p;
	for (size_t i = 0; i < path.n; i++) {
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			return 400;
		if (p[i] == '/' && n && p[n - 1] == '/')
			continue;
		p[n++] = p[i];
	}
	path.n = n;
	for (size_t i = 1; i <= n; i++) {
		if (i < n && p[i] != '/')
			continue;
		segment = (struct str){ p + from + 1, i - from - 1 };
		if (is_dots(segment))
			return 400;
		from = i;
	}
	*out = path;
	return 0;
}

static int read_target(struct arena *a, struct http_request *req, bool is_1_0)
{
	struct str named, rest = absolute(req->target, &named), path;
	int status = read_host(a, req, named, is_1_0);

	if (status)
		return status;
	path = str_cut(rest, '?', &req->query);
	if (str_is(rest, "*") && req->method == HTTP_M_OPTIONS) {
		req->path = path;
		return 0;
	}
	if (named.p && !path.n)
		path = STR("/");
	return read_path(a, path, &req->path);
}

static enum http_method_bit method_bit(unsigned method)
{
	switch (method) {
	case HTTP_GET: return HTTP_M_GET;
	case HTTP_HEAD: return HTTP_M_HEAD;
	case HTTP_POST: return HTTP_M_POST;
	case HTTP_PUT: return HTTP_M_PUT;
	case HTTP_PATCH: return HTTP_M_PATCH;
	case HTTP_DELETE: return HTTP_M_DELETE;
	case HTTP_OPTIONS: return HTTP_M_OPTIONS;
	default: return HTTP_M_OTHER;
	}
}

int head_parse(struct arena *a, struct str head, const struct http_limits *limits,
	struct http_request **out)
{
	struct http_request *req = arena_zalloc(a, sizeof(*req));
	struct read r = { .a = a, .req = req, .link = &req->headers };
	struct str expect;
	struct line line;
	http_parser p;
	bool is_1_0;
	int status = check_lines(&head, limits, &line);

	if (status)
		return status;
	if (str_is(line.method, "CONNECT") || str_is(line.method, "TRACE"))
		return 501;
	status = run_parser(&r, head, &p);
	if (status)
		return status;
	is_1_0 = line.version.p[7] == '0';
	req->method = method_bit(p.method);
	req->method_name = line.method;
	req->target = line.target;
	req->keep_alive = http_should_keep_alive(&p);
	status = read_framing(req, is_1_0);
	if (!status)
		status = read_target(a, req, is_1_0);
	if (status)
		return status;
	if (p.upgrade && !req->content_length)
		req->upgrade = http_header_get(req, "upgrade");
	expect = is_1_0 ? STR_NONE : http_header_get(req, "expect");
	if (expect.p && !str_eq_nocase(expect, STR("100-continue")))
		return 417;
	req->expect_continue = expect.p && req->content_length;
	*out = req;
	return 0;
}
