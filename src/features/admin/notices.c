/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 §4.23-4.28: announcements, the message of the day, the welcome to new accounts.
 *   owner scope    kind "notice"  key "motd", "welcome"  "MS LF TEXT": since when, and what (scope: account/account.h)
 *   owner account  kind "notice"  the same keys          the MS of the one that the account has had
 * Those of a domain that is added while the server runs are read at its next start. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "features/admin/admin.h"

enum { ANNOUNCE_STEP = 500 /* sessions of one turn */ };
enum notice_kind { MOTD, WELCOME, NOTICES };

static const char *const keys[NOTICES] = { "motd", "welcome" };

struct notice {
	uint64_t ms; /* wall clock */
	char *text;  /* NULL: none */
};

struct notices {
	struct notice v[HOSTS_MAX][NOTICES]; /* in the order of env->hosts */
	struct timer stop;
};

struct had {
	uint64_t ms[NOTICES];
};

static struct notices *notices_of(struct core *c)
{
	return c->slot[SLOT_ADMIN];
}

struct timer *admin_stop_timer(struct core *c)
{
	return &notices_of(c)->stop;
}

/* ---- keeping them in each shard ---- */

/* value: as stored; empty: there is none any more. */
static void take(struct notice *n, struct str value)
{
	struct str text, ms = str_cut(value, '\n', &text);

	free(n->text);
	*n = (struct notice){ 0 };
	if (text.n && !str_u64(ms, UINT64_MAX, &n->ms))
		n->text = str_dup(text);
}

/* The notices of a host here; NULL: it is none. */
static struct notice *of_host(struct core *c, struct str domain)
{
	const struct hosts *hosts = c->env->hosts;

	for (int i = 0; i < atomic_load(&hosts->n); i++)
		if (str_eq(hosts->v[i]->domain, domain))
			return notices_of(c)->v[i];
	return NULL;
}

static int kind_of(struct str key)
{
	return str_is(key, keys[WELCOME]) ? WELCOME : MOTD;
}

static void on_loaded(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct notice *of = arg;

	if (status)
		log_error("notice.not_loaded", "error=%d next=\"no message of the day until it is set anew\"", -status);
	for (size_t i = 0; s->core && i < n; i++)
		take(&of[kind_of(v[i].key)], v[i].value);
}

void notices_start(struct core *c)
{
	struct notices *all = c->slot[SLOT_ADMIN] = mem_zalloc(sizeof(*all));
	const struct hosts *hosts = c->env->hosts;

	for (int i = 0; i < atomic_load(&hosts->n); i++) {
		struct store_range range = { .owner = hosts->v[i]->accounts->scope, .kind = STR("notice"), .limit = NOTICES };

		if (store_list(c->env->store, c->shard, &range, on_loaded, all->v[i]))
			on_loaded(c->shard, all->v[i], -EBUSY, NULL, 0);
	}
}

void notices_stop(struct core *c)
{
	struct notices *all = notices_of(c);

	if (!all)
		return;
	timer_cancel(&c->shard->loop, &all->stop);
	for (int i = 0; i < HOSTS_MAX; i++)
		for (int k = 0; k < NOTICES; k++)
			free(all->v[i][k].text);
	free(all);
	c->slot[SLOT_ADMIN] = NULL;
}

/* ---- who has had which ---- */

static struct had *had_of(struct user *u)
{
	if (!u->slot[USER_SLOT_NOTICE])
		u->slot[USER_SLOT_NOTICE] = mem_zalloc(sizeof(struct had));
	return u->slot[USER_SLOT_NOTICE];
}

void notices_item(struct user *u, struct str key, struct str value)
{
	str_u64(value, UINT64_MAX, &had_of(u)->ms[kind_of(key)]);
}

void notices_user_free(struct user *u)
{
	free(u->slot[USER_SLOT_NOTICE]);
	u->slot[USER_SLOT_NOTICE] = NULL;
}

static void say(struct session *s, enum stanza_type type, struct str text)
{
	struct arena *a = core_arena(s->core);
	struct stanza st;

	stanza_new(a, ST_MESSAGE, type, &st);
	st.from = jid_trust(jid_domain(s->jid));
	st.to = s->jid;
	xml_add_text(a, st.el, "body", text);
	session_send(s, &st, NULL);
	stanza_fini(&st);
}

static bool is_due(const struct user *u, const struct notice *n, enum notice_kind kind, const struct had *had)
{
	if (!n->text)
		return false;
	return kind == MOTD ? had->ms[MOTD] < n->ms : !had->ms[WELCOME] && u->created_ms >= n->ms;
}

void notices_available(struct session *s)
{
	struct user *u = s->user;
	const struct notice *all = of_host(s->core, jid_domain(u->jid));
	struct store_batch *b = NULL;
	char ms[24];

	if (!all || (!all[MOTD].text && !all[WELCOME].text) || s->priority < 0)
		return;
	for (int i = NOTICES; i-- > 0;) {
		const struct notice *n = &all[i];

		if (!is_due(u, n, (enum notice_kind)i, had_of(u)))
			continue;
		say(s, MSG_NORMAL, str_of(n->text));
		had_of(u)->ms[i] = n->ms;
		snprintf(ms, sizeof(ms), "%llu", (unsigned long long)n->ms);
		if (!b)
			b = store_batch_new();
		store_put(b, u->jid.full, STR("notice"), str_of(keys[i]), str_of(ms));
	}
	if (b)
		store_commit(s->core->env->store, s->core->shard, b, NULL, NULL);
}

/* ---- announcements ---- */

struct announcement {
	struct mail mail;
	struct buf ids; /* id_t64 of the sessions */
	size_t i;
	size_t text_n;
	char text[];
};

static void announcement_discard(struct mail *m)
{
	struct announcement *an = container_of(m, struct announcement, mail);

	buf_free(&an->ids);
	free(an);
}

static void on_announce(struct shard *s, struct mail *m)
{
	struct announcement *an = container_of(m, struct announcement, mail);
	const id_t64 *ids = (const id_t64 *)(const void *)an->ids.p;
	size_t n = an->ids.n / sizeof(*ids), end = an->i + ANNOUNCE_STEP < n ? an->i + ANNOUNCE_STEP : n;

	for (; an->i < end; an->i++) {
		struct session *to = session_get(s->core, ids[an->i]);

		if (to && to->presence)
			say(to, MSG_HEADLINE, (struct str){ an->text, an->text_n });
	}
	if (an->i < n)
		shard_post(s, m);
	else
		announcement_discard(m);
}

static const struct mail_kind MAIL_ANNOUNCE = {
	.name = "announce", .handle = on_announce, .discard = announcement_discard, .must_arrive = true,
};

/* request: DOMAIN LF TEXT */
static void announce_here(struct core *c, struct str request, struct buf *out)
{
	struct str text, domain = str_cut(request, '\n', &text), key;
	struct announcement *an = mem_zalloc(sizeof(*an) + text.n);
	uint32_t pos = 0;
	void *value;

	(void)out;
	while (map_next(&c->users, &pos, &key, &value)) {
		struct user *u = value;
		struct session *s;

		list_each(s, &u->sessions, in_user)
			if (str_eq(jid_domain(s->jid), domain))
				buf_put(&an->ids, &s->id, sizeof(s->id));
	}
	an->mail.kind = &MAIL_ANNOUNCE;
	an->text_n = text.n;
	memcpy(an->text, text.p, text.n);
	shard_post(c->shard, &an->mail);
}

static void on_announced(struct core *c, struct str out, void *arg)
{
	(void)out;
	if (c && arg)
		command_done(iq_wake(arg), NULL);
	if (arg)
		iq_held_free(arg);
}

static void announce(struct core *c, struct str domain, struct str text, struct iq_held *h)
{
	struct str request = arena_printf(core_arena(c), "%.*s\n%.*s", STR_ARG(domain), STR_ARG(text));

	log_info("announcement", "bytes=%zu", text.n);
	visit_all(c, request, announce_here, on_announced, h);
}

void admin_announce(struct core *c, struct str domain, struct str text)
{
	announce(c, domain, text, NULL);
}

/* The text of a field; none (after an answer) when it is too long. */
static struct str text_of(struct iq *iq, struct xml *form, const char *var)
{
	struct str text = form_text(core_arena(iq->core), form, var);

	if (text.n <= NOTICE_BYTES_MAX)
		return text;
	command_bad_payload(iq, "This text is too long.");
	return STR_NONE;
}

void admin_announce_run(struct iq *iq, struct xml *form)
{
	struct str text = text_of(iq, form, "announcement");

	if (text.n)
		announce(iq->core, jid_domain(iq->st->to), text, iq_hold(iq, NULL));
}

/* ---- setting ---- */

/* request: DOMAIN LF KEY LF VALUE */
static void take_here(struct core *c, struct str request, struct buf *out)
{
	struct str value, domain = str_cut(request, '\n', &value), key = str_cut(value, '\n', &value);
	struct notice *of = of_host(c, domain);

	(void)out;
	if (of)
		take(&of[kind_of(key)], value);
}

static void on_taken(struct core *c, struct str out, void *arg)
{
	struct iq_held *h = arg;

	(void)out;
	if (c)
		command_done(iq_wake(h), NULL);
	free(h->arg);
	iq_held_free(h);
}

static void on_stored(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (!status) {
		visit_all(iq->core, str_of(h->arg), take_here, on_taken, h);
		return;
	}
	admin_failed(iq, status);
	free(h->arg);
	iq_held_free(h);
}

/* text p NULL: deletes it. */
static void set(struct iq *iq, enum notice_kind kind, uint64_t ms, struct str text)
{
	struct arena *a = core_arena(iq->core);
	struct str value = text.p ? arena_printf(a, "%llu\n%.*s", (unsigned long long)ms, STR_ARG(text)) : STR_NONE;
	struct str scope = admin_accounts(iq)->scope;
	struct store_batch *b = store_batch_new();
	struct iq_held *h = iq_hold(iq, str_dup(arena_printf(a, "%.*s\n%s\n%.*s", STR_ARG(jid_domain(iq->st->to)), keys[kind], STR_ARG(value))));

	if (text.p)
		store_put(b, scope, STR("notice"), str_of(keys[kind]), value);
	else
		store_del(b, scope, STR("notice"), str_of(keys[kind]));
	if (store_commit(iq->core->env->store, iq->core->shard, b, on_stored, h))
		on_stored(iq->core->shard, h, -EBUSY);
}

/* same: who had the old one needs no new one. */
static void set_from(struct iq *iq, struct xml *form, enum notice_kind kind, bool same)
{
	const struct notice *old = &of_host(iq->core, jid_domain(iq->st->to))[kind];
	struct str text = text_of(iq, form, keys[kind]);

	if (text.n)
		set(iq, kind, same && old->text ? old->ms : clock_wall_ms(), text);
}

void admin_set_motd(struct iq *iq, struct xml *form)
{
	set_from(iq, form, MOTD, false);
}

void admin_edit_motd(struct iq *iq, struct xml *form)
{
	set_from(iq, form, MOTD, true);
}

void admin_delete_motd(struct iq *iq, struct xml *form)
{
	(void)form;
	set(iq, MOTD, 0, STR_NONE);
}

void admin_set_welcome(struct iq *iq, struct xml *form)
{
	set_from(iq, form, WELCOME, true);
}

void admin_delete_welcome(struct iq *iq, struct xml *form)
{
	(void)form;
	set(iq, WELCOME, 0, STR_NONE);
}

static void fill(struct iq *iq, struct xml *form, enum notice_kind kind)
{
	const struct notice *n = &of_host(iq->core, jid_domain(iq->st->to))[kind];

	if (n->text)
		form_add_lines(core_arena(iq->core), form_field_of(form, keys[kind]), str_of(n->text));
	command_ask(iq, form);
}

void admin_fill_motd(struct iq *iq, struct xml *form, struct xml *answers)
{
	(void)answers;
	fill(iq, form, MOTD);
}

void admin_fill_welcome(struct iq *iq, struct xml *form, struct xml *answers)
{
	(void)answers;
	fill(iq, form, WELCOME);
}
