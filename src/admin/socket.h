/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command socket DIR/anser.sock: a Unix stream socket for the owner of the server and root (SO_PEERCRED). A connection is one
 * line of JSON in, one line out (admin/command.h). */
#ifndef ADMIN_SOCKET_H
#define ADMIN_SOCKET_H

#include "admin/command.h"

#define ADMIN_SOCKET_NAME "anser.sock"

enum {
	ADMIN_REQUEST_MAX = 1 << 20, /* bytes of a line */
	ADMIN_PEERS_MAX = 32,
	ADMIN_IDLE_MS = 10000, /* for the request to arrive, and for the answer to be taken */
};

struct admin_socket;

/* Binds the socket; the caller holds the directory's lock, so an old one may be taken away. Returns 0; -errno with a sentence in err. */
int admin_socket_open(const char *dir, struct admin_socket **out, char *err, size_t err_n);
/* Serves it in a running shard. */
void admin_socket_serve(struct admin_socket *k, struct admin *admin, struct shard *s);
/* After the shard has stopped: closes and removes it. Takes NULL. */
void admin_socket_free(struct admin_socket *k);

/* The client's side: sends a request and waits for the answer. Returns 0; -ENOENT or -ECONNREFUSED: no server there; -errno. */
int admin_socket_ask(const char *dir, const json_t *request, json_t **out);

#endif
