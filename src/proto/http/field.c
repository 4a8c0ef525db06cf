/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading header fields (RFC 9110) and form data (WHATWG URL §5). */
#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "base/utf8.h"
#include "proto/http/http.h"

struct str http_header_get(const struct http_request *req, const char *name)
{
	for (const struct http_header *h = req->headers; h; h = h->next)
		if (str_is(h->name, name))
			return h->value;
	return STR_NONE;
}

bool http_list_has(struct str list, const char *token)
{
	struct str rest = list, item;

	while (rest.p) {
		item = str_trim(str_cut(rest, ',', &rest));
		if (str_eq_nocase(item, str_of(token)))
			return true;
	}
	return false;
}

/* "first-", "first-last" or "-suffix"; a number too large to hold lies behind every end. */
static int range_number(struct str s, uint64_t *out)
{
	int err = str_u64(s, UINT64_MAX, out);

	if (err == -ERANGE)
		*out = UINT64_MAX;
	return err == -EBADMSG ? -ENOENT : 0;
}

int http_range(struct str value, uint64_t size, uint64_t *out_first, uint64_t *out_last)
{
	struct str last_text, first_text;
	uint64_t first, last = UINT64_MAX;

	if (value.n < 7 || !str_eq_nocase((struct str){ value.p, 6 }, STR("bytes=")))
		return -ENOENT;
	value = str_trim((struct str){ value.p + 6, value.n - 6 });
	first_text = str_cut(value, '-', &last_text);
	if (!last_text.p)
		return -ENOENT;
	if (!first_text.n) {
		if (range_number(last_text, &last) != 0)
			return -ENOENT;
		if (!last || !size)
			return -ERANGE;
		*out_first = last < size ? size - last : 0;
		*out_last = size - 1;
		return 0;
	}
	if (range_number(first_text, &first) != 0 ||
		(last_text.n && range_number(last_text, &last) != 0) || last < first)
		return -ENOENT;
	if (first >= size)
		return -ERANGE;
	*out_first = first;
	*out_last = last < size ? last : size - 1;
	return 0;
}

static struct str opaque_tag(struct str tag)
{
	return str_starts(tag, STR("W/")) ? (struct str){ tag.p + 2, tag.n - 2 } : tag;
}

bool http_etag_in(struct str list, struct str etag)
{
	struct str rest = list, item;

	if (str_is(str_trim(list), "*"))
		return true;
	while (rest.p) {
		item = str_trim(str_cut(rest, ',', &rest));
		if (item.n && str_eq(opaque_tag(item), opaque_tag(etag)))
			return true;
	}
	return false;
}

static const char DAYS[] = "SunMonTueWedThuFriSat";
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days since 1970-01-01 of the first day of a month, 0 to 11, by the Gregorian calendar. */
static int64_t days_before(int64_t year, int month)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int64_t y = year - 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162 + before[month] + (leap && month > 1);
}

void http_date(uint64_t unix_s, char out[HTTP_DATE_BYTES])
{
	int64_t days = (int64_t)(unix_s / 86400), year;
	unsigned s = (unsigned)(unix_s % 86400);
	int month = 11;

	must(unix_s < 253402300800); /* the year 10000 */
	for (year = 1970 + days / 366; days_before(year + 1, 0) <= days; year++)
		;
	while (days_before(year, month) > days)
		month--;
	snprintf(out, HTTP_DATE_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		DAYS + 3 * ((days + 4) % 7), (unsigned)(days - days_before(year, month) + 1) % 100,
		MONTHS + 3 * month, (unsigned)year % 10000, s / 3600 % 24, s / 60 % 60, s % 60);
}

static int digits(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	return str_u64((struct str){ p, n }, max, out) == 0 ? 0 : -EBADMSG;
}

int http_date_parse(struct str value, uint64_t *out_unix_s)
{
	uint64_t day, year, h, m, s, at;
	char again[HTTP_DATE_BYTES];
	int month = 0;

	if (value.n != HTTP_DATE_BYTES - 1)
		return -EBADMSG;
	while (month < 12 && memcmp(value.p + 8, MONTHS + 3 * month, 3) != 0)
		month++;
	if (month == 12 || digits(value.p + 5, 2, 31, &day) != 0 ||
		digits(value.p + 12, 4, 9999, &year) != 0 || digits(value.p + 17, 2, 23, &h) != 0 ||
		digits(value.p + 20, 2, 59, &m) != 0 || digits(value.p + 23, 2, 59, &s) != 0 ||
		year < 1970 || !day)
		return -EBADMSG;
	at = (uint64_t)(days_before((int64_t)year, month) + (int64_t)day - 1) * 86400 + h * 3600 +
		m * 60 + s;
	http_date(at, again); /* also tells a wrong day of the week and 31 April */
	if (memcmp(again, value.p, value.n) != 0)
		return -EBADMSG;
	*out_unix_s = at;
	return 0;
}

/* Sorted by use; types are those of IANA's registry. */
static const struct {
	const char *extension, *type;
} TYPES[] = {
	{ "html", "text/html; charset=utf-8" },
	{ "js", "text/javascript; charset=utf-8" },
	{ "mjs", "text/javascript; charset=utf-8" },
	{ "css", "text/css; charset=utf-8" },
	{ "json", "application/json" },
	{ "webmanifest", "application/manifest+json" },
	{ "map", "application/json" },
	{ "wasm", "application/wasm" },
	{ "svg", "image/svg+xml" },
	{ "png", "image/png" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "gif", "image/gif" },
	{ "webp", "image/webp" },
	{ "avif", "image/avif" },
	{ "heic", "image/heic" },
	{ "bmp", "image/bmp" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "woff2", "font/woff2" },
	{ "txt", "text/plain; charset=utf-8" },
	{ "md", "text/markdown; charset=utf-8" },
	{ "csv", "text/csv; charset=utf-8" },
	{ "xml", "application/xml" },
	{ "pdf", "application/pdf" },
	{ "zip", "application/zip" },
	{ "gz", "application/gzip" },
	{ "mp3", "audio/mpeg" },
	{ "ogg", "audio/ogg" },
	{ "oga", "audio/ogg" },
	{ "opus", "audio/ogg" },
	{ "m4a", "audio/mp4" },
	{ "flac", "audio/flac" },
	{ "wav", "audio/vnd.wave" },
	{ "mp4", "video/mp4" },
	{ "m4v", "video/mp4" },
	{ "webm", "video/webm" },
	{ "ogv", "video/ogg" },
	{ "mov", "video/quicktime" },
};

const char *http_content_type(struct str path)
{
	size_t at = path.n;

	while (at && path.p[at - 1] != '.' && path.p[at - 1] != '/')
		at--;
	for (size_t i = 0; i < ARRAY_LEN(TYPES) && at && path.p[at - 1] == '.'; i++)
		if (str_eq_nocase(
			    (struct str){ path.p + at, path.n - at }, str_of(TYPES[i].extension)))
			return TYPES[i].type;
	return "application/octet-stream";
}

/* Whether a weight is over zero: "q=0", "q=0.000" are not (RFC 9110 §12.4.2). */
static bool has_weight(struct str params)
{
	struct str rest = params, item, q;

	while (rest.p) {
		item = str_trim(str_cut(rest, ';', &rest));
		if (item.n < 2 || !str_eq_nocase((struct str){ item.p, 2 }, STR("q=")))
			continue;
		q = (struct str){ item.p + 2, item.n - 2 };
		for (size_t i = 0; i < q.n; i++)
			if (q.p[i] != '0' && q.p[i] != '.')
				return true;
		return false;
	}
	return true;
}

enum http_encoding http_encoding_choose(struct str accept_encoding, unsigned available)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = { { "br", HTTP_BROTLI }, { "gzip", HTTP_GZIP }, { "x-gzip", HTTP_GZIP } };
	unsigned taken = 0, refused = 0, rest_of = 0;
	struct str rest = accept_encoding, item, params;

	while (rest.p) {
		item = str_trim(str_cut(str_cut(rest, ',', &rest), ';', &params));
		if (str_is(item, "*") && has_weight(params))
			rest_of = HTTP_GZIP | HTTP_BROTLI;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (str_eq_nocase(item, str_of(names[i].name)))
				*(has_weight(params) ? &taken : &refused) |= names[i].bit;
	}
	taken = (taken | (rest_of & ~refused)) & available;
	return taken & HTTP_BROTLI ? HTTP_BROTLI : taken & HTTP_GZIP ? HTTP_GZIP : HTTP_IDENTITY;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes the escape at s[i]: its byte, or -1. */
static int escape_at(struct str s, size_t i)
{
	int hi, lo;

	if (s.p[i] != '%' || s.n - i < 3)
		return -1;
	hi = hex(s.p[i + 1]);
	lo = hex(s.p[i + 2]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

int http_percent_decode(struct arena *a, struct str in, struct str *out)
{
	char *p = arena_alloc(a, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int c = escape_at(in, i);

		if (c == 0 || (c < 0 && in.p[i] == '%'))
			return -EBADMSG;
		p[n++] = c < 0 ? in.p[i] : (char)c;
		i += c < 0 ? 0 : 2;
	}
	p[n] = 0;
	if (!utf8_valid((struct str){ p, n }))
		return -EBADMSG;
	*out = (struct str){ p, n };
	return 0;
}

static struct str form_decode(struct arena *a, struct str in)
{
	char *p = arena_alloc(a, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int c = escape_at(in, i);

		p[n++] = c >= 0 ? (char)c : in.p[i] == '+' ? ' ' : in.p[i];
		i += c < 0 ? 0 : 2;
	}
	p[n] = 0;
	return (struct str){ p, n };
}

struct str http_form_get(struct arena *a, struct str form, const char *name)
{
	struct str rest = form, pair, key, value;

	while (rest.p) {
		pair = str_cut(rest, '&', &rest);
		key = str_cut(pair, '=', &value);
		if (str_is(form_decode(a, key), name))
			return form_decode(a, value);
	}
	return STR_NONE;
}

void http_percent_encode(struct buf *out, struct str in)
{
	static const char digit[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			(c && strchr("-._~", c))) {
			buf_putc(out, (char)c);
		} else {
			buf_putc(out, '%');
			buf_putc(out, digit[c >> 4]);
			buf_putc(out, digit[c & 15]);
		}
	}
}
