/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The domains that this server serves, each with accounts of its own. The first is the main one; others may be added while the
 * server runs and stay until the process ends, so that any thread may keep a pointer. */
#ifndef ACCOUNT_HOST_H
#define ACCOUNT_HOST_H

#include <stdatomic.h>

#include "account/account.h"

enum { HOSTS_MAX = 100, HOSTS_TEXT_MAX = 32768 /* bytes of the stored list */ };

struct host {
	struct str domain;  /* normalised, = accounts->domain */
	struct str ascii;   /* the same in A-labels, as TLS and HTTP name it */
	struct str web_url; /* "https://host:8443" */
	struct accounts *accounts;
};

struct hosts {
	atomic_int n;
	struct host *v[HOSTS_MAX];
};

/* The first host, whose accounts the caller keeps. Strings are copied. */
void hosts_init(struct hosts *h, struct accounts *main, struct str web_url);
/* One more, in one thread at a time. Returns 0; -EEXIST; -ENOSPC (HOSTS_MAX). */
int hosts_add(struct hosts *h, struct str domain, struct str web_url);
void hosts_fini(struct hosts *h); /* takes a zeroed one */
/* The host of this domain, or NULL. Any thread. */
struct host *hosts_find(const struct hosts *h, struct str domain);
/* The same without regard to case and in A-labels too, for names that come from outside XMPP (HTTP Host, command line). */
struct host *hosts_find_nocase(const struct hosts *h, struct str domain);

/* Accounts of another domain in the same store. Their items that belong to no account (list of names, invitations, first
 * administrator) have the domain as owner, those of the main host the empty one; the secret is derived from the main one. */
void accounts_of_host(const struct accounts *main, struct str domain, struct accounts *out);

#endif
