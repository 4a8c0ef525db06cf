/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The head of a request: found in a stream of bytes, checked, read. Private to proto/http. */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include "proto/http/http.h"

/* Looks for the empty line byte by byte, so that a fault shows at the same byte however the bytes came. */
struct head_scan {
	uint32_t bytes; /* of the head so far */
	uint32_t line_bytes; /* of the current line, without its CR */
	uint32_t lines; /* ended so far */
	bool cr; /* the last byte was CR */
};

/* Goes over bytes. Returns how many belong to the head; *out_status: 0 goes on with more bytes; 200 the head ends there; else the error. */
size_t head_scan(
	struct head_scan *s, struct str bytes, const struct http_limits *limits, int *out_status);
/* Reads a whole head, which must lie in the arena. Returns 0, or the status of the error. */
int head_parse(struct arena *a, struct str head, const struct http_limits *limits,
	struct http_request **out);
bool head_is_token(struct str s); /* RFC 9110 §5.6.2 */

#endif
