/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Application passwords: made by the server for one application, named by the account's owner, revocable one by one. They open the
 * account without the second factor, for clients that know only RFC 6120's SASL; such a session may not change how the account is opened.
 *   kind "scram"  key "app:ID"  JSON {"name", "created": ms, "used": ms or 0, "keys": {"SHA-256": base64(StoredKey ServerKey) …}}
 * Salt and iterations are those of the account's password; so a new password ends them. Calls and results: as account.h. */
#ifndef ACCOUNT_APPPASS_H
#define ACCOUNT_APPPASS_H

#include "account/signin.h"

enum {
	APP_NAME_MAX = 64,	 /* bytes */
	APP_PASSWORD_CHARS = 20, /* 100 random bits */
	APP_USED_EVERY_MS = 3600000, /* "used" is written at most so often */
};

/* Makes one. status -EDQUOT: there are APP_PASSWORDS_MAX; -ENOENT no such account; -EAGAIN the password changed meanwhile. Returns -EINVAL:
 * the name is empty, too long, or has control characters. password is told this once. */
typedef void apppass_made_fn(struct shard *s, void *arg, int status, struct str id, struct str password);
int apppass_create(struct accounts *ac, struct shard *s, struct str node, struct str name, apppass_made_fn *done, void *arg);

struct apppass {
	struct str id, name;
	uint64_t created_ms, used_ms; /* used_ms 0: never */
};
/* Rows are valid during the call. */
typedef void apppass_list_fn(struct shard *s, void *arg, int status, const struct apppass *v, size_t n);
int apppass_list(struct accounts *ac, struct shard *s, struct str node, apppass_list_fn *done, void *arg);
/* status -ENOENT: there is none of that id. Its sessions are the caller's to end. */
int apppass_revoke(struct accounts *ac, struct shard *s, struct str node, struct str id, account_done_fn *done, void *arg);
/* It was used now: noted for the list, some time. */
void apppass_used(struct accounts *ac, struct shard *s, struct str node, struct str id);

/* For signin.c: keys for one hash. Returns 0; -ENOENT: another item; -EBADMSG. */
int apppass_read(const struct store_item *item, enum hash_alg alg, char id[APP_ID_MAX + 1], struct scram_other *out);

#endif
