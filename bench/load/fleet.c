/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Many clients around one epoll. */
#include "client.h"
#include "conn.h"
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 256

static SSL_CTX *tls_new(void)
{
	static const unsigned char alpn[] = "\x0bxmpp-client";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		abort();
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1);
	return ctx;
}

struct fleet *fleet_new(const struct opts *o, const struct scene *scene, int64_t n)
{
	struct fleet *f = calloc(1, sizeof(*f));
	struct rlimit lim;

	if (!f || !(f->clients = calloc((size_t)n, sizeof(*f->clients))))
		abort();
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	f->o = o;
	f->scene = scene;
	f->n = n;
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->tls = tls_new();
	f->deadline_ns = now_ns() + (int64_t)(o->max_seconds * 1e9);
	for (int64_t i = 0; i < n; i++) {
		f->clients[i].fleet = f;
		f->clients[i].fd = -1;
		f->clients[i].number = o->first + i;
	}
	return f;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	for (int64_t i = 0; i < f->n; i++) {
		client_drop(&f->clients[i]);
		free(f->clients[i].in);
		free(f->clients[i].out);
		free(f->clients[i].scram);
	}
	SSL_CTX_free(f->tls);
	close(f->epoll_fd);
	free(f->clients);
	free(f->why);
	free(f);
}

const char *client_domain(const struct client *c)
{
	return c->far ? c->fleet->o->far_domain : c->fleet->o->domain;
}

int fleet_poll(struct fleet *f, int64_t timeout_ns)
{
	struct epoll_event ev[MAX_EVENTS];
	struct timespec ts = { .tv_sec = timeout_ns / NS_PER_S, .tv_nsec = timeout_ns % NS_PER_S };
	int n = epoll_pwait2(f->epoll_fd, ev, MAX_EVENTS, timeout_ns < 0 ? NULL : &ts, NULL);

	for (int i = 0; i < n; i++)
		conn_event(ev[i].data.ptr, ev[i].events);
	if (n < MAX_EVENTS && now_ns() > f->deadline_ns) {
		fprintf(stderr, "the run took longer than --max-seconds\n");
		return -ETIME;
	}
	return 0;
}

int fleet_login(struct fleet *f, int64_t from, int64_t to)
{
	int64_t next = from, want = f->ready + (to - from);

	while (f->ready < want) {
		while (next < to && f->logging_in < f->o->concurrency)
			client_start(&f->clients[next++]);
		if (fleet_poll(f, NS_PER_S / 10) < 0 || f->failed > 0) {
			fprintf(stderr, "login: %lld of %lld ready, %lld failed: %s\n", (long long)f->ready,
				(long long)want, (long long)f->failed, f->why ? f->why : "too slow");
			return -EIO;
		}
	}
	return 0;
}

void fleet_logout(struct fleet *f)
{
	int64_t give_up = now_ns() + 5 * NS_PER_S;

	for (int64_t i = 0; i < f->n; i++) {
		if (f->clients[i].state == CLIENT_READY)
			client_close(&f->clients[i]);
		if (i % 64 == 63 && fleet_poll(f, 0) < 0)
			return;
	}
	for (int64_t i = 0; i < f->n && now_ns() < give_up; i++) {
		while (f->clients[i].state == CLIENT_CLOSING && now_ns() < give_up) {
			if (fleet_poll(f, NS_PER_S / 10) < 0)
				return;
		}
	}
}
