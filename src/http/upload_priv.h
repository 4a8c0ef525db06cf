/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What upload.c (taking files) and download.c (giving them) share. */
#ifndef HTTP_UPLOAD_PRIV_H
#define HTTP_UPLOAD_PRIV_H

#include "http/exchange.h"

/* What the store says of a whole file: owner "", kind "file", key ID, as JSON. Strings live as long as json. */
struct file_meta {
	json_t *json;
	const char *hash;
	struct str name, type;
	uint64_t size;
};

/* Bare JID of a file's owner: records and slots name a node of the main host, or somebody else in full. */
struct str file_owner(struct arena *a, const struct http_config *cfg, struct str owner);
/* Returns 0; -EBADMSG. Release with json_decref(out->json). */
int file_meta_read(struct str value, struct file_meta *out);

/* "ID/NAME" of an upload's URL. false: it cannot be one. */
bool upload_split(struct str rest, struct str *out_id, struct str *out_name);
/* The slot's token, from the Authorization header or the query; p NULL when there is none. */
struct str upload_token(struct exchange *x);
void download_serve(struct exchange *x, struct str id, struct str name);

#endif
