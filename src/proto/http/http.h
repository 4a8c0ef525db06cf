/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTP/1.1 requests read on the server's side: RFC 9112 (messages), RFC 9110 (meaning). Sans-I/O, events are pulled.
 * What RFC 9112 leaves open to two readings is refused (bare CR or LF, folded lines, two lengths, a length with chunks,
 * white space before a colon, odd chunk sizes). Left out: CONNECT, TRACE, other transfer codings than chunked. */
#ifndef PROTO_HTTP_HTTP_H
#define PROTO_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"

struct http_limits {
	uint32_t target_bytes; /* over: 414 */
	uint32_t head_bytes;   /* request line and header lines: over: 431 */
	uint32_t headers;      /* header lines: over: 431 */
	uint64_t body_bytes;   /* decoded; over: 413. See http_reader_body_limit */
};

extern const struct http_limits HTTP_LIMITS; /* 8 KiB, 16 KiB, 64, 64 KiB */

enum http_method_bit {
	HTTP_M_GET = 1 << 0,
	HTTP_M_HEAD = 1 << 1,
	HTTP_M_POST = 1 << 2,
	HTTP_M_PUT = 1 << 3,
	HTTP_M_PATCH = 1 << 4,
	HTTP_M_DELETE = 1 << 5,
	HTTP_M_OPTIONS = 1 << 6,
	HTTP_M_OTHER = 1 << 7, /* known to HTTP, not to us: answer 405 */
};

struct http_header {
	struct http_header *next; /* in the order of the wire */
	struct str name;	  /* lower case */
	struct str value;	  /* without white space at its ends */
};

struct http_request {
	enum http_method_bit method;
	struct str method_name;
	struct str target; /* as on the wire */
	struct str path;   /* percent-decoded UTF-8, begins with "/", no "//", no dot segment, no control character; "*" for OPTIONS * */
	struct str query;  /* behind "?", not decoded; p NULL: none */
	struct str host;   /* of Host or of the absolute target, lower case, with its port if it has one; empty only in HTTP/1.0 */
	struct http_header *headers;
	int64_t content_length; /* 0: no body; -1: chunked */
	bool keep_alive;
	bool expect_continue; /* write http_write_continue before the body is read */
	struct str upgrade;   /* value of Upgrade when Connection names it, e.g. "websocket"; p NULL: none */
};

enum http_event_kind {
	HTTP_EV_NONE,  /* needs more bytes */
	HTTP_EV_HEAD,  /* request */
	HTTP_EV_BODY,  /* body: a piece of it, borrowed from the bytes fed */
	HTTP_EV_END,   /* the request is whole; the next one follows if keep_alive */
	HTTP_EV_ERROR, /* status: answer it and close; the reader is dead */
};

struct http_event {
	enum http_event_kind kind;
	struct http_request *request; /* in the arena given to http_reader_next */
	struct str body;
	int status; /* 400 413 414 417 431 501 505 */
};

struct http_reader;

struct http_reader *http_reader_new(const struct http_limits *limits); /* limits are borrowed for its life */
void http_reader_free(struct http_reader *r);			       /* takes NULL */
/* Hands over bytes, once the last ones are used up (HTTP_EV_NONE); they must stay valid until then. */
void http_reader_feed(struct http_reader *r, struct str bytes);
void http_reader_next(struct http_reader *r, struct arena *a, struct http_event *out);
/* Copies what was fed and not yet used into kept (whose old contents go), and reads on from there: the fed bytes may vanish. */
void http_reader_keep(struct http_reader *r, struct buf *kept);
/* Another limit for this request's body: call it between HTTP_EV_HEAD and the next http_reader_next. */
void http_reader_body_limit(struct http_reader *r, uint64_t bytes);
/* Bytes fed and not yet read: after an HTTP_EV_HEAD that is answered with 101 they belong to the new protocol. */
struct str http_reader_rest_input(const struct http_reader *r);
bool http_reader_idle(const struct http_reader *r); /* between requests, nothing half read */

/* The first header of that name (lower case); p NULL when absent. */
struct str http_header_get(const struct http_request *req, const char *name);
/* Whether a comma-separated list holds the token (case-insensitive). */
bool http_list_has(struct str list, const char *token);

/* Range of a body of `size` bytes (RFC 9110 §14.2): one range of bytes. Returns 0 and the first and last byte;
 * -ENOENT when the header is absent or to be ignored (other units, several ranges, malformed); -ERANGE for 416. */
int http_range(struct str value, uint64_t size, uint64_t *out_first, uint64_t *out_last);
/* Whether If-None-Match (or If-Match) names the entity tag, weakly compared (RFC 9110 §8.8.3.2). "*" names each. */
bool http_etag_in(struct str list, struct str etag);
enum { HTTP_DATE_BYTES = 30 };
void http_date(uint64_t unix_s, char out[HTTP_DATE_BYTES]); /* IMF-fixdate, RFC 9110 §5.6.7 */
int http_date_parse(struct str value, uint64_t *out_unix_s); /* IMF-fixdate only. Returns 0; -EBADMSG */
const char *http_content_type(struct str path);		      /* by the extension; application/octet-stream if unknown */

enum http_encoding { HTTP_IDENTITY = 0, HTTP_GZIP = 1 << 0, HTTP_BROTLI = 1 << 1 };
/* The best of the encodings there are (a mask) that Accept-Encoding takes (RFC 9110 §12.5.3); brotli before gzip. */
enum http_encoding http_encoding_choose(struct str accept_encoding, unsigned available);

/* application/x-www-form-urlencoded, also of a query. Percent escapes and "+" are decoded; bad escapes stay as they are. */
struct str http_form_get(struct arena *a, struct str form, const char *name); /* first value; p NULL when absent */
/* Decodes percent escapes. Returns 0; -EBADMSG for a bad escape, %00 or a result that is not UTF-8. */
int http_percent_decode(struct arena *a, struct str in, struct str *out);
/* Escapes all but unreserved characters (RFC 3986 §2.3). */
void http_percent_encode(struct buf *out, struct str in);

struct http_field {
	const char *name;
	struct str value; /* p NULL: the field is left out. CR, LF and NUL become spaces */
};

/* Status line, fields (an array that ends with a NULL name; NULL: none) and the empty line. */
void http_write_head(struct buf *out, int status, const struct http_field *fields);
/* The same in steps. */
void http_write_status(struct buf *out, int status);
void http_write_field(struct buf *out, const char *name, struct str value);
void http_write_field_u64(struct buf *out, const char *name, uint64_t value);
void http_write_end(struct buf *out);
void http_write_continue(struct buf *out); /* 100 Continue */
const char *http_reason(int status);

#endif
