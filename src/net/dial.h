/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Connecting to the first of several addresses that answers (RFC 8305 §5): the next one is tried beside when the last is slow. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/resolver.h"

enum { DIAL_NEXT_MS = 250 };

struct dial;
/* fd: connected, the caller's; place: which of found. fd -1: none answered. Never within dial_start. The dial is gone then. */
typedef void dial_fn(void *arg, int fd, size_t place);
/* Tries found->v[first] and those behind it for max_ms in all. found is borrowed until the end. */
struct dial *dial_start(struct shard *s, const struct resolver_found *found, size_t first, uint64_t max_ms, dial_fn *fn, void *arg);
void dial_cancel(struct dial *d); /* takes NULL */

#endif
