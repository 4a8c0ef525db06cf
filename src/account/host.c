/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The domains that this server serves. */
#include "account/host.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "proto/xmpp/jid.h"

static struct str keep(struct str s)
{
	return (struct str){ str_dup(s), s.n };
}

static struct host *host_new(struct str domain, struct str web_url, struct accounts *ac)
{
	struct host *host = mem_zalloc(sizeof(*host));
	struct str ascii = domain;
	struct arena a;

	arena_init(&a);
	host->domain = keep(domain);
	host->ascii = jid_domain_to_ascii(&a, domain, &ascii) ? host->domain : keep(ascii);
	arena_fini(&a);
	host->web_url = keep(web_url);
	host->accounts = ac;
	return host;
}

static void host_free(struct host *host)
{
	if (host->ascii.p != host->domain.p)
		free((void *)host->ascii.p);
	free((void *)host->domain.p);
	free((void *)host->web_url.p);
	free(host);
}

void hosts_init(struct hosts *h, struct accounts *main, struct str web_url)
{
	h->v[0] = host_new(main->domain, web_url, main);
	atomic_store(&h->n, 1);
}

int hosts_add(struct hosts *h, struct str domain, struct str web_url)
{
	int n = atomic_load(&h->n);
	struct host *host;

	if (hosts_find(h, domain))
		return -EEXIST;
	if (n == HOSTS_MAX)
		return -ENOSPC;
	host = host_new(domain, web_url, mem_zalloc(sizeof(struct accounts)));
	accounts_of_host(h->v[0]->accounts, host->domain, host->accounts);
	h->v[n] = host;
	atomic_store(&h->n, n + 1); /* readers see the host behind the count */
	return 0;
}

void hosts_fini(struct hosts *h)
{
	for (int i = 0; i < h->n; i++) {
		if (i)
			free(h->v[i]->accounts);
		host_free(h->v[i]);
	}
	atomic_store(&h->n, 0);
}

struct host *hosts_find(const struct hosts *h, struct str domain)
{
	int n = atomic_load_explicit(&h->n, memory_order_acquire);

	for (int i = 0; i < n; i++)
		if (str_eq(h->v[i]->domain, domain))
			return h->v[i];
	return NULL;
}

struct host *hosts_find_nocase(const struct hosts *h, struct str domain)
{
	int n = atomic_load_explicit(&h->n, memory_order_acquire);

	for (int i = 0; i < n; i++)
		if (str_eq_nocase(h->v[i]->domain, domain) || str_eq_nocase(h->v[i]->ascii, domain))
			return h->v[i];
	return NULL;
}

/* HMAC(main secret, "host" 0 domain): a name that is unknown at two hosts does not look the same at both. */
void accounts_of_host(const struct accounts *main, struct str domain, struct accounts *out)
{
	struct buf text = { 0 };
	uint8_t mac[HASH_MAX];

	buf_put(&text, "host", 5);
	buf_str(&text, domain);
	hmac(HASH_SHA256, (struct str){ (const char *)main->secret, sizeof(main->secret) }, buf_view(&text), mac);
	buf_free(&text);
	*out = (struct accounts){ .store = main->store, .pool = main->pool, .domain = domain, .scope = domain };
	must(hash_size(HASH_SHA256) == sizeof(out->secret));
	memcpy(out->secret, mac, sizeof(out->secret));
}
