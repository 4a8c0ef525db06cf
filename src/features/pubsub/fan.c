/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Events to many accounts, one mail per shard; the payload is shared. Accounts that nobody is signed in to are not loaded. */
#include "features/pubsub/fan.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/caps.h"
#include "core/presence.h"

const char *const fan_shows[5] = { "away", "chat", "dnd", "online", "xa" };

struct fan_mail {
	struct mail mail;
	struct blob *packed;
	struct str node;
	struct fan_to *to; /* with their bytes in one allocation */
	size_t n;
	char bytes[];
};

static bool show_wanted(struct session *s, uint8_t wanted)
{
	struct arena *a = core_arena(s->core);
	struct stanza st;
	struct str show;
	bool yes = false;

	if (!wanted)
		return true;
	if (stanza_unpack(blob_view(s->presence), &st))
		return false;
	show = str_trim(xml_child_text(a, stanza_tree(&st, a), "show", NULL));
	for (int i = 0; i < 5; i++)
		yes |= (wanted & 1 << i) && str_is(show.n ? show : STR("online"), fan_shows[i]);
	stanza_fini(&st);
	return yes;
}

/* Sessions of one client share their capabilities, so that the last answer is often the next one. */
struct memo {
	const struct caps *caps;
	bool wants;
};

static bool interested(struct session *s, struct str node, struct jid from, struct memo *m)
{
	if (!s->presence || !s->caps)
		return false;
	if (s->caps != m->caps) {
		m->caps = s->caps;
		m->wants = caps_wants(s, node);
	}
	return m->wants && presence_shared(s, from);
}

static size_t to_interested(struct user *u, struct stanza *st, struct str node, struct memo *m)
{
	struct session *s;
	size_t n = 0;

	list_each(s, &u->sessions, in_user) {
		if (!interested(s, node, st->from, m))
			continue;
		session_send(s, st, &s->jid);
		n++;
	}
	return n;
}

static void to_available(struct user *u, struct stanza *st, const struct fan_to *to)
{
	struct str resource = jid_resource(to->jid);
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (s->presence && (!resource.n || str_eq(resource, jid_resource(s->jid))) && show_wanted(s, to->show))
			session_send(s, st, &s->jid);
}

static void to_resource(struct user *u, struct stanza *st, struct str node, const struct fan_to *to, struct memo *m)
{
	struct session *s = user_resource(u, jid_resource(to->jid));

	if (s && !interested(s, node, st->from, m))
		session_send(s, st, &s->jid);
}

static void deliver(struct core *c, struct stanza *st, struct str node, const struct fan_to *to, size_t n)
{
	struct memo m = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct user *u = user_find(c, jid_bare_str(to[i].jid));
		size_t got = 0;

		if (u && user_blocks(u, st->from))
			continue;
		if (u && to[i].mode == FAN_AVAILABLE)
			to_available(u, st, &to[i]);
		else if (u && to[i].mode == FAN_RESOURCE)
			to_resource(u, st, node, &to[i], &m);
		else if (u && to[i].mode <= FAN_EITHER)
			got = to_interested(u, st, node, &m);
		if (to[i].mode == FAN_EITHER && !got) {
			st->to = to[i].jid;
			router_route(c, st);
		}
	}
}

/* ---- between shards ---- */

static void mail_free(struct fan_mail *f)
{
	blob_unref(f->packed);
	free(f->to);
	free(f);
}

static void on_mail(struct shard *s, struct mail *m)
{
	struct fan_mail *f = container_of(m, struct fan_mail, mail);
	struct stanza st;

	if (!stanza_unpack(blob_view(f->packed), &st)) {
		stanza_tail(&st);
		deliver(s->core, &st, f->node, f->to, f->n);
		stanza_fini(&st);
	}
	mail_free(f);
}

static void discard(struct mail *m)
{
	mail_free(container_of(m, struct fan_mail, mail));
}

static const struct mail_kind MAIL_FAN = { .name = "pubsub.event", .handle = on_mail, .discard = discard };

static void post(struct shard *home, struct blob *packed, struct str node, const struct fan_to *const *to, size_t n)
{
	struct fan_mail *f = mem_alloc(sizeof(*f) + node.n);
	size_t bytes = n * sizeof(*f->to);
	char *at;

	*f = (struct fan_mail){ .mail = { .kind = &MAIL_FAN }, .packed = blob_ref(packed), .n = n };
	memcpy(f->bytes, node.p, node.n);
	f->node = (struct str){ f->bytes, node.n };
	for (size_t i = 0; i < n; i++)
		bytes += to[i]->jid.full.n;
	f->to = mem_alloc(bytes);
	at = (char *)(f->to + n);
	for (size_t i = 0; i < n; i++) {
		f->to[i] = *to[i];
		memcpy(at, to[i]->jid.full.p, to[i]->jid.full.n);
		f->to[i].jid.full.p = at;
		at += to[i]->jid.full.n;
	}
	if (shard_post(home, &f->mail))
		mail_free(f);
}

void fan_out(struct core *c, struct stanza *st, struct str node, const struct fan_to *to, size_t n)
{
	struct arena *a = core_arena(c);
	struct arena_mark mark = arena_mark(a);
	const struct fan_to **group = arena_alloc(a, (n + 1) * sizeof(*group));
	struct shard **home = arena_alloc(a, (n + 1) * sizeof(*home));
	struct blob *packed = NULL;

	for (size_t i = 0; i < n; i++)
		home[i] = router_home(c, to[i].jid);
	for (int k = 0; k < c->env->shards->n; k++) {
		struct shard *sh = c->env->shards->v[k];
		size_t m = 0;

		for (size_t i = 0; i < n; i++)
			if (home[i] == sh)
				group[m++] = &to[i];
		if (m && sh != c->shard) {
			packed = packed ? packed : stanza_pack(st);
			post(sh, packed, node, group, m);
		}
		for (size_t i = 0; sh == c->shard && i < m; i++)
			deliver(c, st, node, group[i], 1);
	}
	blob_unref(packed);
	arena_release(a, mark);
}
