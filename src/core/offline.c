/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages kept for the next sign-in. */
#include "core/offline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/router.h"
#include "core/sm.h"
#include "proto/xmpp/ns.h"

enum { KEY_N = 17 };

/* The id in hex and, behind it, whether the archive has the message too: sorted by time. */
static struct str key_of(char buf[KEY_N + 1], uint64_t id, bool archived)
{
	snprintf(buf, KEY_N + 1, "%016llx%c", (unsigned long long)id, archived ? 'a' : 'n');
	return (struct str){ buf, KEY_N };
}

struct str offline_key(char *key, uint64_t id)
{
	return key_of(key, id, true);
}

bool offline_worthy(const struct stanza *st)
{
	if (st->type != MSG_CHAT && st->type != MSG_NORMAL)
		return false;
	/* XEP-0334 §4.1: "no permanent store" allows what delivery needs */
	if (st->flags & (SF_NO_STORE | SF_CARBON))
		return false;
	return st->flags & (SF_BODY | SF_STORE | SF_RECEIPT | SF_MARKER | SF_PAYLOAD | SF_MUC_USER);
}

/* How many wait is an item of its own, so that it is known without reading them. */
static void put_count(struct user *u, struct store_batch *b)
{
	char text[12];
	int n = snprintf(text, sizeof(text), "%u", u->offline_n);

	store_put(b, u->jid.full, STR("spool"), STR_NONE, (struct str){ text, (size_t)n });
}

void offline_load(struct user *u, struct str key, struct str value)
{
	uint64_t n;

	if (key.n == 0 && !str_u64(value, UINT32_MAX, &n))
		u->offline_n = (uint32_t)n;
}

bool offline_is_full(const struct user *u)
{
	return u->offline_n >= (uint64_t)config_int(core_config(u->core), "offline.max");
}

void offline_store(struct transit *t)
{
	struct blob *packed = stanza_pack(t->st);
	bool own = jid_bare_eq(t->st->from, t->st->to);
	uint64_t id = t->id ? t->id : own ? t->sent_id : 0;
	char key[KEY_N + 1];

	t->user->offline_n++;
	put_count(t->user, transit_batch(t));
	store_put(transit_batch(t), t->user->jid.full, STR("offline"), key_of(key, id ? id : archive_id_new(t->core), id != 0),
		blob_view(packed));
	blob_unref(packed);
	metric_add(M_MESSAGES_OFFLINE, 1);
}

static void forget(struct user *u, uint64_t id)
{
	struct store_batch *b = store_batch_new();
	char key[KEY_N + 1];

	store_del(b, u->jid.full, STR("offline"), key_of(key, id, true));
	store_del(b, u->jid.full, STR("offline"), key_of(key, id, false));
	if (u->offline_n)
		u->offline_n--;
	put_count(u, b);
	store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
}

void offline_drop(struct user *u, struct store_batch *b, uint64_t id)
{
	char key[KEY_N + 1];

	store_del(b, u->jid.full, STR("offline"), offline_key(key, id));
	if (u->offline_n)
		u->offline_n--;
	put_count(u, b);
}

/* XEP-0203: unless we stamped it before. */
static void add_delay(struct user *u, struct stanza *st, uint64_t wall_ms)
{
	struct arena *a = core_arena(u->core);
	struct xml *el = stanza_tree(st, a), *d;

	if (!el)
		return;
	xml_each(child, el)
		if (xml_is(child, "delay", NS_DELAY) && str_eq(xml_get(child, "from"), jid_domain(u->jid)))
			return;
	d = xml_add(a, el, "delay", NS_DELAY);
	xml_set(a, d, "from", jid_domain(u->jid));
	xml_set(a, d, "stamp", time_format(a, wall_ms));
	stanza_touched(st);
}

struct delivery {
	id_t64 session;
	struct core *core;
	struct str user; /* own bytes */
	struct timer wait; /* for a client that is behind */
	char last[KEY_N + 1];
};

static void next_page(struct delivery *d);
static void go_on(struct session *s, struct delivery *d);

static bool key_id(struct str key, uint64_t *out)
{
	char text[KEY_N + 1];

	if (key.n != KEY_N)
		return false;
	memcpy(text, key.p, KEY_N - 1);
	text[KEY_N - 1] = '\0';
	*out = strtoull(text, NULL, 16);
	return true;
}

static void send_one(struct session *s, const struct store_item *item)
{
	struct core *c = s->core;
	struct arena *a = core_arena(c);
	struct stanza st;
	uint64_t id;

	/* A row stays until it is acknowledged: not a second time when the presence changes meanwhile. */
	if (!key_id(item->key, &id) || id <= s->offline_sent || stanza_unpack(item->value, &st))
		return;
	s->offline_sent = id;
	if (s->archive_aware && item->key.p[KEY_N - 1] == 'a') { /* XEP-0386: read from the archive */
		forget(s->user, id);
		stanza_fini(&st);
		return;
	}
	add_delay(s->user, &st, archive_id_ms(id));
	stanza_scan(&st);
	/* Where it is archived, the archive id is the key (XEP-0359); what a session gave back says its own. */
	if (item->key.p[KEY_N - 1] == 'a')
		st.extra = arena_printf(a, "<stanza-id xmlns='urn:xmpp:sid:0' by='%.*s' id='%.*s'/>", STR_ARG(s->user->jid.full),
			STR_ARG(archive_id_str(a, id)));
	if (s->sm)
		s->sm->offline_id = id;
	session_send(s, &st, NULL);
	if (s->sm)
		s->sm->offline_id = 0;
	else
		forget(s->user, id);
	stanza_fini(&st);
}

static void delivery_free(struct delivery *d)
{
	free((void *)d->user.p);
	free(d);
}

static void on_page(struct shard *sh, void *arg, int status, const struct store_item *v, size_t n)
{
	struct delivery *d = arg;
	struct session *s = session_get(sh->core, d->session);

	if (status || !s || !s->presence) {
		delivery_free(d);
		return;
	}
	for (size_t i = 0; i < n; i++)
		send_one(s, &v[i]);
	if (n < OFFLINE_PAGE || v[n - 1].key.n != KEY_N) {
		delivery_free(d);
		return;
	}
	memcpy(d->last, v[n - 1].key.p, KEY_N);
	go_on(s, d);
}

/* Does the client still have enough to read or to acknowledge? */
static bool is_behind(struct session *s)
{
	return (s->sm && s->sm->n > OFFLINE_AHEAD) || (s->ops && s->ops->pending && s->ops->pending(s) > OFFLINE_AHEAD_BYTES);
}

static void on_wait(struct timer *t)
{
	struct delivery *d = container_of(t, struct delivery, wait);
	struct session *s = session_get(d->core, d->session);

	s->offline = NULL; /* a session that ends takes the delivery along */
	if (s->presence)
		go_on(s, d);
	else
		delivery_free(d);
}

static void go_on(struct session *s, struct delivery *d)
{
	if (!is_behind(s)) {
		next_page(d);
		return;
	}
	offline_stop(s);
	s->offline = d;
	d->wait.on_time = on_wait;
	timer_set(&d->core->shard->loop, &d->wait, OFFLINE_WAIT_MS);
}

void offline_stop(struct session *s)
{
	struct delivery *d = s->offline;

	if (!d)
		return;
	timer_cancel(&d->core->shard->loop, &d->wait);
	delivery_free(d);
	s->offline = NULL;
}

static void next_page(struct delivery *d)
{
	struct store_range r = { .owner = d->user, .kind = STR("offline"), .limit = OFFLINE_PAGE };

	if (d->last[0])
		r.after = (struct str){ d->last, KEY_N };
	if (store_list(d->core->env->store, d->core->shard, &r, on_page, d))
		delivery_free(d);
}

void offline_deliver(struct session *s)
{
	struct delivery *d = mem_zalloc(sizeof(*d));
	struct str jid = s->user->jid.full;

	d->session = s->id;
	d->core = s->core;
	d->user = (struct str){ str_dup(jid), jid.n };
	next_page(d);
}

void offline_acked(struct session *s, const struct unacked *u)
{
	if (u->offline_id)
		forget(s->user, u->offline_id);
}

/* Back from bytes to a stanza: the head stood in a stream of jabber:client. */
static int unacked_stanza(struct core *c, const struct unacked *u, struct stanza *out)
{
	struct buf text = { 0 };
	struct arena *a = core_arena(c);
	size_t name_n = 0;
	struct xml *el;
	int err;

	while (name_n < u->head_n && u->head[name_n] != ' ' && u->head[name_n] != '>')
		name_n++;
	buf_put(&text, u->head, name_n);
	buf_puts(&text, " xmlns='" NS_CLIENT "'");
	buf_put(&text, u->head + name_n, u->head_n - name_n);
	buf_str(&text, blob_view(u->tail));
	err = xml_parse(a, arena_str(a, buf_view(&text)), &el);
	buf_free(&text);
	return err ? err : stanza_from_xml(a, el, out);
}

static void keep(struct user *u, struct stanza *st, uint64_t at_ms)
{
	struct transit t = { .core = u->core, .user = u, .st = st };

	if (offline_is_full(u))
		return; /* the archive has it */
	add_delay(u, st, at_ms);
	offline_store(&t);
	transit_finish(&t);
}

void offline_give_back(struct session *dying, const struct unacked *un)
{
	struct user *u = dying->user;
	struct session *s;
	struct stanza st;
	bool somebody = false;

	if (u->leaving || un->offline_id || unacked_stanza(u->core, un, &st))
		return; /* a row in the store waits for the next session already */
	if (st.kind == ST_IQ) { /* a request that nobody will answer any more */
		router_error(u->core, &st, ERR_SERVICE_UNAVAILABLE, NULL);
		stanza_fini(&st);
		return;
	}
	stanza_scan(&st);
	list_each(s, &u->sessions, in_user) {
		if (!s->presence || s->priority < 0)
			continue;
		somebody = true;
		/* To the bare JID all got it; to the full JID those with carbons did. */
		if (!jid_is_bare(st.to) && !s->carbons)
			session_send(s, &st, NULL);
	}
	if (!somebody)
		keep(u, &st, un->at_ms);
	stanza_fini(&st);
}
