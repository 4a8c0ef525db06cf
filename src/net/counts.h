/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Open connections per address (an IPv4 address, a /64 of IPv6), counted in cells of a hash table. Any thread. */
#ifndef NET_COUNTS_H
#define NET_COUNTS_H

#include <stdint.h>
#include <sys/socket.h>

struct counts; /* refcounted: connections may outlive their listener */

struct counts *counts_new(void);
void counts_unref(struct counts *t); /* takes NULL */
/* Counts one more of this address, unless there are max already. Returns its cell, which holds a reference; -1 too many. */
int counts_enter(struct counts *t, const struct sockaddr_storage *from, uint32_t max);
void counts_leave(struct counts *t, int cell); /* gives the reference back */

#endif
