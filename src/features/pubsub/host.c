/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hosts and their nodes in memory, and what of them is stored. Owner: the host's bare JID.
 *   kind "pubsub"       key node           <node creator=… created=…> with the submitted form of its settings
 *                       key node LF A jid  name of the affiliation
 *                       key node LF S jid  "STATE DELIVER SHOW EXPIRE"
 *   kind "pubsub-item"  key node LF id     features/pubsub/item.c */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "features/pubsub/pubsub.h"

enum { LOAD_PAGE = 2000 };

/* ---- finding hosts again ---- */

struct ps_ref *ps_ref_new(const struct ps_host *h, struct str node, void *arg)
{
	size_t n = h->jid.full.n;
	struct ps_ref *r = mem_alloc(sizeof(*r) + n + node.n);

	*r = (struct ps_ref){ .id = h->id, .arg = arg };
	memcpy(r->bytes, h->jid.full.p, n);
	if (node.n)
		memcpy(r->bytes + n, node.p, node.n);
	r->jid = (struct str){ r->bytes, n };
	r->node = (struct str){ r->bytes + n, node.n };
	return r;
}

struct ps_host *ps_ref_host(struct core *c, const struct ps_ref *r)
{
	struct user *u = user_find(c, r->jid);
	struct ps_host *h = u ? u->slot[USER_SLOT_PEP] : NULL;
	const struct map *services = c->slot[SLOT_PUBSUB];

	if (!u && services)
		h = map_get(services, r->jid);
	return h && h->id == r->id ? h : NULL;
}

struct ps_node *ps_ref_node(struct core *c, const struct ps_ref *r)
{
	struct ps_host *h = ps_ref_host(c, r);

	return h ? ps_node_get(h, r->node) : NULL;
}

static struct ps_host *host_new(struct core *c, struct jid jid, struct user *u)
{
	struct ps_host *h = mem_zalloc(sizeof(*h));

	h->core = c;
	h->id = archive_id_new(c);
	h->jid = jid_dup(jid);
	h->user = u;
	list_init(&h->jobs);
	return h;
}

struct ps_host *ps_host_of(struct user *u)
{
	if (!u->slot[USER_SLOT_PEP])
		u->slot[USER_SLOT_PEP] = host_new(u->core, u->jid, u);
	return u->slot[USER_SLOT_PEP];
}

struct ps_host *ps_service(struct core *c, struct str host)
{
	struct map *m = c->slot[SLOT_PUBSUB];
	struct ps_host *h = m ? map_get(m, host) : NULL;

	if (h || c->ending || c->closing)
		return h;
	if (!m)
		c->slot[SLOT_PUBSUB] = m = mem_zalloc(sizeof(*m));
	h = host_new(c, jid_trust(host), NULL);
	map_put(m, h->jid.full, h);
	return h;
}

void ps_services_free(struct core *c)
{
	struct map *m = c->slot[SLOT_PUBSUB];
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (m && map_next(m, &pos, &key, &value))
		ps_host_free(value);
	if (m)
		map_fini(m);
	free(m);
	c->slot[SLOT_PUBSUB] = NULL;
}

static void nodes_drop(struct ps_host *h)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&h->nodes, &pos, &key, &value))
		ps_node_drop(value);
	map_fini(&h->nodes);
	h->nodes = (struct map){ 0 };
	h->bytes = 0;
}

void ps_host_fail(struct ps_host *h)
{
	while (!list_empty(&h->jobs)) {
		struct ps_job *j = list_first(&h->jobs, struct ps_job, link);

		list_del(&j->link);
		h->jobs_n--;
		j->free(j);
	}
}

void ps_host_free(struct ps_host *h)
{
	if (!h)
		return;
	timer_cancel(&h->core->shard->loop, &h->retry);
	ps_host_fail(h);
	nodes_drop(h);
	hello_remotes_free(h);
	free((void *)h->jid.full.p);
	free(h);
}

void ps_host_reset(struct ps_host *h)
{
	nodes_drop(h);
	h->state = HOST_NEW;
	h->imported = h->importing = false;
	h->id = archive_id_new(h->core); /* what is being read meanwhile is for nobody */
}

/* ---- jobs ---- */

void ps_host_pump(struct ps_host *h)
{
	struct ps_job *j;

	if (h->running)
		return;
	h->running = true;
	while (!list_empty(&h->jobs)) {
		j = list_first(&h->jobs, struct ps_job, link);
		if (!j->run(h, j))
			break;
		list_del(&j->link);
		h->jobs_n--;
		j->free(j);
	}
	h->running = false;
}

static void on_retry(struct timer *t)
{
	ps_host_pump(container_of(t, struct ps_host, retry));
}

void ps_host_retry(struct ps_host *h)
{
	h->retry.on_time = on_retry;
	timer_set(&h->core->shard->loop, &h->retry, PS_RETRY_MS);
}

int ps_host_do(struct ps_host *h, struct ps_job *j)
{
	if (h->jobs_n >= PS_JOBS_MAX) {
		j->free(j);
		return -ENOBUFS;
	}
	list_push(&h->jobs, &j->link);
	if (h->jobs_n++ == 0)
		ps_host_pump(h);
	return 0;
}

/* ---- nodes ---- */

struct ps_node *ps_node_get(struct ps_host *h, struct str name)
{
	return name.n ? map_get(&h->nodes, name) : NULL;
}

struct ps_node *ps_node_new(struct ps_host *h, struct str name, struct str creator, struct ps_config *cfg)
{
	struct ps_node *n = mem_zalloc(sizeof(*n));

	n->host = h;
	n->name = (struct str){ str_dup(name), name.n };
	n->creator = (struct str){ str_dup(creator), creator.n };
	n->created_ms = clock_wall_ms();
	n->cfg = *cfg;
	*cfg = (struct ps_config){ 0 };
	map_put(&h->nodes, n->name, n);
	return n;
}

static void map_free_values(struct map *m)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(m, &pos, &key, &value))
		free(value);
	map_fini(m);
}

void ps_node_drop(struct ps_node *n)
{
	map_del(&n->host->nodes, n->name);
	ps_items_drop(n);
	map_free_values(&n->affils);
	map_free_values(&n->subs);
	ps_config_fini(&n->cfg);
	free((void *)n->name.p);
	free((void *)n->creator.p);
	free(n);
}

void ps_node_save(struct ps_node *n, struct store_batch *b)
{
	struct ps_host *h = n->host;
	struct arena *a = core_arena(h->core);
	struct xml *el = xml_new(a, "node", ""), *form = form_new(a, el, "submit", NS_PUBSUB_NODE_CONFIG);
	struct buf v = { 0 };

	xml_set(a, el, "creator", n->creator);
	xml_setf(a, el, "created", "%llu", (unsigned long long)n->created_ms);
	ps_config_write(a, form, h->user != NULL, false, &n->cfg);
	xml_write(&v, el, STR_NONE);
	store_put(b, h->jid.full, STR("pubsub"), n->name, buf_view(&v));
	buf_free(&v);
}

static struct str under(struct ps_node *n, char kind, struct str jid)
{
	return arena_printf(core_arena(n->host->core), "%.*s\n%c%.*s", STR_ARG(n->name), kind, STR_ARG(jid));
}

void ps_node_remove(struct ps_node *n, struct store_batch *b)
{
	struct str owner = n->host->jid.full, prefix = arena_printf(core_arena(n->host->core), "%.*s\n", STR_ARG(n->name));

	ps_items_clear(n, b);
	store_del(b, owner, STR("pubsub"), n->name);
	store_del_all(b, owner, STR("pubsub"), prefix);
	ps_node_drop(n);
}

/* ---- subscriptions ---- */

bool ps_sub_expired(const struct ps_sub *s)
{
	return s->expire_ms && s->expire_ms <= clock_wall_ms();
}

struct ps_sub *ps_sub_need(struct ps_node *n, struct str jid)
{
	struct ps_sub *s = map_get(&n->subs, jid);

	if (s || n->subs.n >= PS_SUBS_MAX || jid.n > PS_JID_MAX)
		return s;
	s = mem_zalloc(sizeof(*s) + jid.n);
	memcpy(s->bytes, jid.p, jid.n);
	s->jid = (struct str){ s->bytes, jid.n };
	s->deliver = true;
	map_put(&n->subs, s->jid, s);
	return s;
}

void ps_sub_save(struct ps_node *n, struct ps_sub *s, struct store_batch *b)
{
	struct str value = arena_printf(core_arena(n->host->core), "%d %d %d %llu", (int)s->state, s->deliver, s->show,
		(unsigned long long)s->expire_ms);

	store_put(b, n->host->jid.full, STR("pubsub"), under(n, 'S', s->jid), value);
}

void ps_sub_remove(struct ps_node *n, struct ps_sub *s, struct store_batch *b)
{
	store_del(b, n->host->jid.full, STR("pubsub"), under(n, 'S', s->jid));
	map_del(&n->subs, s->jid);
	free(s);
}

static void load_sub(struct ps_node *n, struct str jid, struct str value)
{
	struct ps_sub *s = ps_sub_need(n, jid);
	struct str word[4];
	uint64_t v[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		word[i] = str_cut(value, ' ', &value);
		if (str_u64(word[i], UINT64_MAX, &v[i]))
			return;
	}
	if (!s)
		return;
	s->state = v[0] < SUB_STATES ? (enum ps_state)v[0] : SUB_NONE;
	s->deliver = v[1];
	s->show = (uint8_t)v[2];
	s->expire_ms = v[3];
}

/* ---- affiliations ---- */

static struct ps_affiliate *affil_need(struct ps_node *n, struct str bare)
{
	struct ps_affiliate *e = map_get(&n->affils, bare);

	if (e || n->affils.n >= PS_AFFILS_MAX || bare.n > PS_JID_MAX)
		return e;
	e = mem_zalloc(sizeof(*e) + bare.n);
	memcpy(e->bytes, bare.p, bare.n);
	e->jid = (struct str){ e->bytes, bare.n };
	map_put(&n->affils, e->jid, e);
	return e;
}

int ps_affil_set(struct ps_node *n, struct str bare, enum ps_affil to, struct store_batch *b)
{
	struct ps_affiliate *e = map_get(&n->affils, bare);

	if (to == AFFIL_NONE) {
		if (!e)
			return 0;
		store_del(b, n->host->jid.full, STR("pubsub"), under(n, 'A', bare));
		map_del(&n->affils, e->jid);
		free(e);
		return 0;
	}
	e = affil_need(n, bare);
	if (!e)
		return -ENOSPC;
	e->affil = to;
	store_put(b, n->host->jid.full, STR("pubsub"), under(n, 'A', bare), str_of(ps_affil_names[to]));
	return 0;
}

static void load_affil(struct ps_node *n, struct str jid, struct str value)
{
	for (int i = AFFIL_OUTCAST; i < AFFILS; i++) {
		struct ps_affiliate *e = str_is(value, ps_affil_names[i]) ? affil_need(n, jid) : NULL;

		if (e)
			e->affil = (enum ps_affil)i;
	}
}

/* ---- loading ---- */

static void load_node(struct ps_host *h, struct str name, struct str value)
{
	struct arena *a = core_arena(h->core);
	struct xml *el, *form;
	struct ps_config cfg;
	struct ps_node *n;
	uint64_t ms = 0;

	if (xml_parse(a, arena_str(a, value), &el)) {
		log_error("pubsub.node", "host=%.*s next=\"an unreadable node is left out\"", STR_ARG(h->jid.full));
		return;
	}
	ps_config_init(&cfg, h->user != NULL, name);
	form = form_find(el, NULL, NULL);
	if (form)
		ps_config_read(a, form, h->user != NULL, false, &cfg);
	n = ps_node_new(h, name, xml_get(el, "creator"), &cfg);
	if (!str_u64(xml_get(el, "created"), UINT64_MAX, &ms))
		n->created_ms = ms;
}

static void load_row(struct ps_host *h, const struct store_item *row)
{
	struct str rest, name = str_cut(row->key, '\n', &rest);
	struct ps_node *n = ps_node_get(h, name);

	if (!name.n) {
		str_u64(row->value, UINT64_MAX, &h->bytes);
	} else if (name.n == row->key.n) {
		if (!n)
			load_node(h, name, row->value);
	} else if (n && rest.n > 1) {
		(rest.p[0] == 'S' ? load_sub : load_affil)(n, (struct str){ rest.p + 1, rest.n - 1 }, row->value);
	}
}

static void load_page(struct ps_host *h, struct str after);

static void on_rows(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ps_ref *ref = arg;
	struct ps_host *h = ps_ref_host(s->core, ref);

	free(ref);
	if (!h)
		return;
	if (status) {
		log_error("pubsub.load", "host=%.*s error=%d next=\"it is read again when it is needed\"", STR_ARG(h->jid.full), -status);
		nodes_drop(h);
		h->state = HOST_NEW;
		ps_host_fail(h);
		return;
	}
	for (size_t i = 0; i < n; i++)
		load_row(h, &v[i]);
	if (n == LOAD_PAGE) {
		load_page(h, v[n - 1].key);
		return;
	}
	h->state = HOST_READY;
	ps_host_pump(h);
}

static void load_page(struct ps_host *h, struct str after)
{
	struct store_range range = { .owner = h->jid.full, .kind = STR("pubsub"), .after = after, .limit = LOAD_PAGE };
	struct ps_ref *ref = ps_ref_new(h, STR_NONE, NULL);

	if (store_list(h->core->env->store, h->core->shard, &range, on_rows, ref)) {
		free(ref);
		h->state = HOST_NEW;
		ps_host_retry(h);
	}
}

bool ps_host_ready(struct ps_host *h)
{
	if (h->state == HOST_NEW) {
		h->state = HOST_LOADING;
		load_page(h, STR_NONE);
	}
	return h->state == HOST_READY;
}
