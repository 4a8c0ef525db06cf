/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One look-up has two rounds: both SRV names; then A, AAAA and TLSA of the targets. */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "crypto/random.h"

enum { TRIES = 2, TRY_MS = 3000, UDP_BYTES = 1232, FLAG_AD = 0x20, KEY_MAX = DNS_NAME_MAX + 8 };

/* An answer that is kept; or the fact that there is none. */
struct kept {
	char key[KEY_MAX]; /* "TYPE name" */
	uint64_t until_ms;
	int status;
	struct blob *message;
};

struct sock {
	struct sock *next;
	struct watch watch;
	struct resolver *r;
};

struct resolver {
	struct shard *shard;
	ares_channel channel;
	struct sock *socks;
	struct timer timer;
	struct map cache;
	struct list lookups;
	bool validates;
};

struct target {
	struct dns_srv srv;
	bool direct_tls, secure;
	struct blob *answers[3]; /* A, AAAA, TLSA */
	bool address_secure;
};

struct lookup {
	struct list link;
	struct resolver *r;
	resolver_fn *fn;
	void *arg;
	struct timer done;
	char domain[DNS_NAME_MAX];
	int pending;	/* questions under way */
	int status;	/* of the first round's failures */
	bool asked_addresses;
	struct blob *srv[2];
	bool srv_secure[2];
	struct target targets[RESOLVER_TARGETS_MAX];
	size_t targets_n;
	struct resolver_found *found;
};

/* One question to the DNS. */
struct question {
	struct lookup *lookup;
	uint16_t type;
	uint8_t target; /* of the lookup; the SRV round: 0 direct TLS, 1 STARTTLS */
	char key[KEY_MAX];
};

static const uint16_t address_types[] = { DNS_A, DNS_AAAA, DNS_TLSA };

static void proceed(struct lookup *l);

/* ---- c-ares in the loop ---- */

static void set_timer(struct resolver *r)
{
	struct timeval tv, *left = ares_timeout(r->channel, NULL, &tv);

	if (left)
		timer_set(&r->shard->loop, &r->timer, (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1);
	else
		timer_cancel(&r->shard->loop, &r->timer);
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct resolver *r = container_of(w, struct sock, watch)->r;
	int fd = w->fd;

	ares_process_fd(r->channel, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
		events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	set_timer(r);
}

static void on_time(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, timer);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void on_sock(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct sock **at = &r->socks, *s;

	while (*at && (*at)->watch.fd != fd)
		at = &(*at)->next;
	s = *at;
	if (!readable && !writable) {
		if (!s)
			return;
		loop_unwatch(&r->shard->loop, &s->watch);
		*at = s->next;
		free(s);
		return;
	}
	if (!s) {
		s = mem_zalloc(sizeof(*s));
		s->r = r;
		s->watch = (struct watch){ .fd = fd, .on_ready = on_ready };
		s->next = r->socks;
		r->socks = s;
	}
	loop_watch(&r->shard->loop, &s->watch, (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u));
}

int resolver_new(struct shard *shard, const char *servers, bool validates, struct resolver **out)
{
	struct resolver *r = mem_zalloc(sizeof(*r));
	struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS, .timeout = TRY_MS, .tries = TRIES,
		.ednspsz = UDP_BYTES, .sock_state_cb = on_sock, .sock_state_cb_data = r };
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	r->shard = shard;
	r->validates = validates;
	r->timer.on_time = on_time;
	list_init(&r->lookups);
	if (rc == ARES_SUCCESS)
		rc = ares_init_options(&r->channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
			ARES_OPT_SOCK_STATE_CB);
	if (rc == ARES_SUCCESS && servers[0])
		rc = ares_set_servers_ports_csv(r->channel, servers);
	if (rc != ARES_SUCCESS) {
		resolver_free(r);
		return -EINVAL;
	}
	*out = r;
	return 0;
}

/* ---- kept answers ---- */

static void kept_free(struct resolver *r, struct kept *k)
{
	map_del(&r->cache, str_of(k->key));
	blob_unref(k->message);
	free(k);
}

/* Makes room: what is over goes; when nothing is, everything does. */
static void trim(struct resolver *r, uint64_t now)
{
	for (int all = 0; all < 2 && r->cache.n >= RESOLVER_CACHE_MAX; all++) {
		uint32_t pos = 0;
		struct str key;
		void *value;

		while (map_next(&r->cache, &pos, &key, &value)) {
			struct kept *k = value;

			if (all || k->until_ms <= now)
				kept_free(r, k);
		}
	}
}

static uint64_t ttl_ms(const struct dns_answer *a)
{
	uint32_t s = RESOLVER_TTL_MAX_S;

	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].ttl_s < s)
			s = a->v[i].ttl_s;
	return 1000ull * (s < RESOLVER_TTL_MIN_S ? RESOLVER_TTL_MIN_S : s);
}

static void keep(struct resolver *r, const char *key, int status, struct blob *message, const struct dns_answer *a)
{
	uint64_t now = r->shard->loop.now_ms;
	struct kept *k = map_get(&r->cache, str_of(key));

	if (status == -EAGAIN)
		return;
	if (k)
		kept_free(r, k);
	trim(r, now);
	k = mem_zalloc(sizeof(*k));
	memcpy(k->key, key, strlen(key) + 1);
	k->status = status;
	k->message = blob_ref(message);
	k->until_ms = now + (status ? 1000ull * RESOLVER_NEGATIVE_S : ttl_ms(a));
	map_put(&r->cache, str_of(k->key), k);
}

static struct kept *kept_find(struct resolver *r, const char *key)
{
	struct kept *k = map_get(&r->cache, str_of(key));

	return k && k->until_ms > r->shard->loop.now_ms ? k : NULL;
}

/* ---- questions ---- */

static void take_answer(struct question *q, int status, struct blob *message)
{
	struct lookup *l = q->lookup;

	if (q->type == DNS_SRV) {
		l->srv[q->target] = status ? NULL : blob_ref(message);
		if (status && status != -ENOENT)
			l->status = status;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(address_types); i++)
			if (address_types[i] == q->type)
				l->targets[q->target].answers[i] = status ? NULL : blob_ref(message);
		if (status && status != -ENOENT && q->type != DNS_TLSA)
			l->status = status;
	}
	free(q);
	if (--l->pending == 0)
		proceed(l);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct question *q = arg;
	struct resolver *r = q->lookup->r;
	struct dns_answer a;
	struct blob *message = NULL;
	int rc = -EAGAIN;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION) {
		free(q);
		return;
	}
	if (status == ARES_SUCCESS && n > 0) {
		message = blob_new(bytes, (size_t)n);
		rc = dns_read(blob_view(message), q->type, &a);
		if (rc == -EBADMSG)
			rc = -EAGAIN;
		keep(r, q->key, rc, message, &a);
	}
	take_answer(q, rc, message);
	blob_unref(message);
}

/* The question leaves with the AD bit set: the answer may have it then (RFC 6840 §5.7). */
static void ask(struct lookup *l, const char *name, uint16_t type, uint8_t target)
{
	struct question *q = mem_zalloc(sizeof(*q));
	struct resolver *r = l->r;
	struct kept *k;
	unsigned char *bytes = NULL;
	uint16_t id;
	int n = 0;

	q->lookup = l;
	q->type = type;
	q->target = target;
	snprintf(q->key, sizeof(q->key), "%u %s", type, name);
	l->pending++;
	k = kept_find(r, q->key);
	if (k) {
		struct blob *message = blob_ref(k->message);

		take_answer(q, k->status, message);
		blob_unref(message);
		return;
	}
	random_bytes(&id, sizeof(id));
	if (ares_create_query(name, 1, type, id, 1, &bytes, &n, UDP_BYTES) != ARES_SUCCESS) {
		take_answer(q, -ENOENT, NULL);
		return;
	}
	bytes[3] |= FLAG_AD;
	ares_send(r->channel, bytes, n, on_answer, q);
	ares_free_string(bytes);
	set_timer(r);
}

/* ---- the look-up ---- */

static void on_done(struct timer *t)
{
	struct lookup *l = container_of(t, struct lookup, done);
	struct resolver_found *found = l->found;
	resolver_fn *fn = l->fn;
	void *arg = l->arg;
	int status = found && found->n ? 0 : l->status ? l->status : -ENOENT;

	l->found = NULL;
	if (status) {
		resolver_found_free(found);
		found = NULL;
	}
	list_del(&l->link);
	for (size_t i = 0; i < 2; i++)
		blob_unref(l->srv[i]);
	for (size_t i = 0; i < l->targets_n; i++)
		for (size_t k = 0; k < ARRAY_LEN(address_types); k++)
			blob_unref(l->targets[i].answers[k]);
	free(l);
	if (fn)
		fn(arg, status, found);
	else
		resolver_found_free(found);
}

static void finish(struct lookup *l)
{
	l->done.on_time = on_done;
	timer_set(&l->r->shard->loop, &l->done, 0);
}

/* A service's records into the list of targets. Returns whether there was a record at all. */
static bool read_srv(struct lookup *l, int which, struct dns_srv *v, void **tags, size_t *n)
{
	struct dns_answer a;
	bool direct = which == 0;

	if (!l->srv[which] || dns_read(blob_view(l->srv[which]), DNS_SRV, &a))
		return false;
	l->srv_secure[which] = a.validated;
	for (size_t i = 0; i < a.n && *n < DNS_RECORDS_MAX; i++) {
		if (dns_srv(&a, i, &v[*n]))
			continue;
		if (!v[*n].host[0])
			continue; /* RFC 2782: decidedly not available */
		tags[(*n)++] = direct ? l : NULL;
	}
	return true;
}

static void read_services(struct lookup *l)
{
	struct dns_srv v[DNS_RECORDS_MAX];
	void *tags[DNS_RECORDS_MAX];
	uint32_t random[DNS_RECORDS_MAX];
	size_t n = 0;
	bool any = read_srv(l, 0, v, tags, &n);

	any |= read_srv(l, 1, v, tags, &n);
	random_bytes(random, sizeof(random));
	dns_srv_order(v, tags, n, random);
	for (size_t i = 0; i < n && l->targets_n < RESOLVER_TARGETS_MAX; i++)
		l->targets[l->targets_n++] = (struct target){ .srv = v[i], .direct_tls = tags[i] != NULL,
			.secure = l->srv_secure[tags[i] ? 0 : 1] };
	/* RFC 6120 §3.2.2: the domain itself, only when no record exists; not after a failure, which may hide some. */
	if (!any && !l->status) {
		struct target *t = &l->targets[l->targets_n++];

		*t = (struct target){ .srv.port = XMPP_SERVER_PORT, .secure = true };
		snprintf(t->srv.host, sizeof(t->srv.host), "%s", l->domain);
	}
}

static void ask_addresses(struct lookup *l)
{
	char tlsa[DNS_NAME_MAX + 16];

	l->asked_addresses = true;
	l->status = 0;
	for (size_t i = 0; i < l->targets_n; i++) {
		struct target *t = &l->targets[i];

		ask(l, t->srv.host, DNS_AAAA, (uint8_t)i);
		ask(l, t->srv.host, DNS_A, (uint8_t)i);
		if (!l->r->validates || !t->secure)
			continue;
		snprintf(tlsa, sizeof(tlsa), "_%u._tcp.%s", t->srv.port, t->srv.host);
		if (strlen(tlsa) < DNS_NAME_MAX)
			ask(l, tlsa, DNS_TLSA, (uint8_t)i);
	}
}

static void add_tlsa(struct lookup *l, const struct target *t, struct resolver_place *p)
{
	struct dns_answer a;

	if (!l->r->validates || !t->answers[2] || dns_read(blob_view(t->answers[2]), DNS_TLSA, &a) || !a.validated)
		return;
	for (size_t i = 0; i < a.n && p->tlsa_n < RESOLVER_TLSA_MAX; i++) {
		struct resolver_tlsa *x = &p->tlsa[p->tlsa_n];

		if (a.v[i].n <= 3)
			continue;
		*x = (struct resolver_tlsa){ a.v[i].data[0], a.v[i].data[1], a.v[i].data[2], (uint16_t)(a.v[i].n - 3), NULL };
		x->data = mem_alloc(x->n);
		memcpy(x->data, a.v[i].data + 3, x->n);
		p->tlsa_n++;
	}
}

static struct resolver_place *add_place(struct lookup *l, const struct target *t)
{
	struct resolver_found *f = l->found;
	struct resolver_place *p;

	if (f->n == RESOLVER_PLACES_MAX)
		return NULL;
	p = &f->v[f->n++];
	memcpy(p->host, t->srv.host, sizeof(p->host));
	p->direct_tls = t->direct_tls;
	return p;
}

static void add_address(struct lookup *l, const struct target *t, const struct dns_record *r, bool v6)
{
	struct resolver_place *p = r->n == (v6 ? 16 : 4) ? add_place(l, t) : NULL;

	if (!p)
		return;
	if (v6) {
		p->address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(t->srv.port) };
		memcpy(&p->address.v6.sin6_addr, r->data, 16);
	} else {
		p->address.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(t->srv.port) };
		memcpy(&p->address.v4.sin_addr, r->data, 4);
	}
	add_tlsa(l, t, p);
}

/* The two families take turns (RFC 8305 §4). */
static void read_addresses(struct lookup *l)
{
	for (size_t i = 0; i < l->targets_n; i++) {
		const struct target *t = &l->targets[i];
		struct dns_answer v4 = { 0 }, v6 = { 0 };

		if (t->answers[0])
			dns_read(blob_view(t->answers[0]), DNS_A, &v4);
		if (t->answers[1])
			dns_read(blob_view(t->answers[1]), DNS_AAAA, &v6);
		for (size_t k = 0; k < v4.n || k < v6.n; k++) {
			if (k < v6.n)
				add_address(l, t, &v6.v[k], true);
			if (k < v4.n)
				add_address(l, t, &v4.v[k], false);
		}
	}
}

static void proceed(struct lookup *l)
{
	if (!l->asked_addresses) {
		l->pending++; /* kept answers come at once */
		read_services(l);
		if (l->targets_n)
			ask_addresses(l);
		l->pending--;
		if (!l->pending && !l->targets_n)
			finish(l);
		else if (!l->pending)
			proceed(l);
		return;
	}
	read_addresses(l);
	finish(l);
}

/* An address in the place of a domain (RFC 7622 §3.2). Returns false when it is none. */
static bool literal(struct lookup *l, const char *domain)
{
	struct target t = { .srv.port = XMPP_SERVER_PORT };
	uint8_t bytes[16];
	char inner[64];
	size_t n = strlen(domain);

	if (inet_pton(AF_INET, domain, bytes) == 1) {
		add_address(l, &t, &(struct dns_record){ .n = 4, .data = bytes }, false);
		return true;
	}
	if (n < 3 || n >= sizeof(inner) || domain[0] != '[')
		return false;
	memcpy(inner, domain + 1, n - 2);
	inner[n - 2] = '\0';
	if (inet_pton(AF_INET6, inner, bytes) == 1)
		add_address(l, &t, &(struct dns_record){ .n = 16, .data = bytes }, true);
	return true;
}

struct lookup *resolver_find(struct resolver *r, const char *domain, resolver_fn *fn, void *arg)
{
	struct lookup *l = mem_zalloc(sizeof(*l));
	char name[DNS_NAME_MAX + 24];

	l->r = r;
	l->fn = fn;
	l->arg = arg;
	l->found = mem_zalloc(sizeof(*l->found));
	list_push(&r->lookups, &l->link);
	if (literal(l, domain) || dns_ascii(domain, l->domain)) {
		finish(l);
		return l;
	}
	l->pending++;
	snprintf(name, sizeof(name), "_xmpps-server._tcp.%s", l->domain);
	ask(l, name, DNS_SRV, 0);
	snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", l->domain);
	ask(l, name, DNS_SRV, 1);
	if (--l->pending == 0)
		proceed(l);
	return l;
}

void resolver_cancel(struct lookup *l)
{
	if (l)
		l->fn = NULL;
}

void resolver_found_free(struct resolver_found *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		for (size_t k = 0; k < f->v[i].tlsa_n; k++)
			free(f->v[i].tlsa[k].data);
	free(f);
}

void resolver_free(struct resolver *r)
{
	struct lookup *l;
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!r)
		return;
	if (r->channel)
		ares_destroy(r->channel); /* frees the questions */
	timer_cancel(&r->shard->loop, &r->timer);
	list_each(l, &r->lookups, link) {
		l->fn = NULL;
		timer_cancel(&r->shard->loop, &l->done);
		on_done(&l->done);
	}
	while (map_next(&r->cache, &pos, &key, &value))
		kept_free(r, value);
	map_fini(&r->cache);
	ares_library_cleanup();
	free(r);
}
