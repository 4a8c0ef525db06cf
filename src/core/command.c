/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Ad-hoc commands of all features: finding one, listing them, and the steps of open ones.
 *
 *   state          action                        answer
 *   none           execute                       first form: "executing"; no forms: runs
 *   stage i        execute, next (not the last)  form i + 1
 *   the last one   execute, complete             runs with all answers, "completed" ends it; an error leaves it open
 *   stage i > 0    prev                          form i - 1
 *   any            cancel                        "canceled", ends it */
#include "core/command.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "core/feature.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"

enum { MAC_BYTES = 12, ID_MAX = 48 };

struct open_command {
	struct list link;
	const struct command *cmd;
	id_t64 session;
	char *owner; /* bare JID */
	char id[ID_MAX];
	uint64_t used_ms; /* monotonic */
	int stage;
	char *answers[COMMAND_STAGES_MAX]; /* submitted forms of the stages before, as XML */
};

struct commands {
	struct list open; /* oldest first */
	uint32_t n;
	uint64_t count;	 /* numbers sessions */
	uint8_t key[32]; /* of the ids: what ended is told from what never was */
};

/* ---- rows ---- */

static bool may_run(const struct iq *iq, const struct command *cmd)
{
	struct user *asker = iq->session ? iq->session->user : NULL;

	if (!asker || !(cmd->targets & iq->target))
		return false;
	if (!cmd->admin_only)
		return true;
	/* An administrator is one of his own domain only. */
	return asker->admin && session_is_full(iq->session) && str_eq(jid_domain(iq->st->to), jid_domain(asker->jid));
}

/* Walks all rows: returns the one behind *f and *i that the asker may run. */
static const struct command *next(const struct iq *iq, const struct feature *const **f, size_t *i)
{
	for (; **f; (*f)++, *i = 0)
		for (const struct command *v = (**f)->commands; v && v[*i].node; (*i)++)
			if (may_run(iq, &v[*i]))
				return &v[(*i)++];
	return NULL;
}

/* Is there such a command, for whomever? */
static bool exists(const struct iq *iq, struct str node)
{
	for (const struct feature *const *f = iq->core->env->features; *f; f++)
		for (const struct command *v = (*f)->commands; v && v->node; v++)
			if ((v->targets & iq->target) && str_is(node, v->node))
				return true;
	return false;
}

static const struct command *find(const struct iq *iq, struct str node)
{
	const struct feature *const *f = iq->core->env->features;
	const struct command *cmd;
	size_t i = 0;

	while ((cmd = next(iq, &f, &i)))
		if (str_is(node, cmd->node))
			return cmd;
	return NULL;
}

void command_items(struct iq *iq, struct xml *query)
{
	struct arena *a = core_arena(iq->core);
	const struct feature *const *f = iq->core->env->features;
	const struct command *cmd;
	size_t i = 0;

	while ((cmd = next(iq, &f, &i))) {
		struct xml *item = xml_add(a, query, "item", NULL);

		xml_set(a, item, "jid", iq->st->to.full);
		xml_set(a, item, "node", str_of(cmd->node));
		xml_set(a, item, "name", str_of(cmd->name));
	}
}

bool command_disco(struct iq *iq, struct str node)
{
	struct arena *a = core_arena(iq->core);
	const struct command *cmd = find(iq, node);
	bool list = str_is(node, NS_COMMANDS);
	struct xml *q, *id;

	if (!cmd && !list) {
		if (!exists(iq, node))
			return false;
		iq_error(iq, ERR_FORBIDDEN, NULL); /* XEP-0050 §2.2 */
		return true;
	}
	q = xml_new(a, "query", NS_DISCO_INFO);
	xml_set(a, q, "node", node);
	id = xml_add(a, q, "identity", NULL);
	xml_set(a, id, "category", STR("automation"));
	xml_set(a, id, "type", list ? STR("command-list") : STR("command-node"));
	xml_set(a, id, "name", list ? STR("Commands") : str_of(cmd->name));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_COMMANDS));
	if (!list)
		xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_DATA));
	iq_result(iq, q);
	return true;
}

/* ---- open commands ---- */

static struct commands *commands_of(struct core *c)
{
	struct commands *all = c->slot[SLOT_COMMANDS];

	if (all)
		return all;
	all = mem_zalloc(sizeof(*all));
	list_init(&all->open);
	random_bytes(all->key, sizeof(all->key));
	c->slot[SLOT_COMMANDS] = all;
	return all;
}

static void open_free(struct commands *all, struct open_command *o)
{
	list_del(&o->link);
	all->n--;
	for (int i = 0; i < COMMAND_STAGES_MAX; i++)
		free(o->answers[i]);
	free(o->owner);
	free(o);
}

void commands_free(struct core *c)
{
	struct commands *all = c->slot[SLOT_COMMANDS];
	struct open_command *o;

	if (!all)
		return;
	list_each(o, &all->open, link)
		open_free(all, o);
	free(all);
	c->slot[SLOT_COMMANDS] = NULL;
}

/* What is over makes room, then the oldest of this account, then the oldest of all. */
static void make_room(struct core *c, struct commands *all, struct str owner)
{
	struct open_command *o, *oldest = NULL;
	uint32_t own = 0;

	list_each(o, &all->open, link) {
		if (c->shard->loop.now_ms - o->used_ms > COMMAND_MS || !session_get(c, o->session)) {
			open_free(all, o);
		} else if (str_is(owner, o->owner)) {
			oldest = oldest ? oldest : o;
			own++;
		}
	}
	if (own >= COMMANDS_PER_USER_MAX)
		open_free(all, oldest);
	else if (all->n >= COMMANDS_MAX)
		open_free(all, list_first(&all->open, struct open_command, link));
}

/* "NUMBER-MAC": the MAC binds the number to the session that began the command. */
static struct str id_of(struct iq *iq, struct commands *all, uint64_t number)
{
	struct arena *a = core_arena(iq->core);
	struct str text = arena_printf(a, "%llu %llu", (unsigned long long)number, (unsigned long long)iq->session->id);
	uint8_t mac[HASH_MAX];

	hmac(HASH_SHA256, (struct str){ (char *)all->key, sizeof(all->key) }, text, mac);
	return arena_printf(a, "%llu-%.*s", (unsigned long long)number,
		STR_ARG(base64url_encode(a, (struct str){ (char *)mac, MAC_BYTES })));
}

static struct open_command *open_new(struct iq *iq, const struct command *cmd)
{
	struct commands *all = commands_of(iq->core);
	struct open_command *o = mem_zalloc(sizeof(*o));
	struct str id = id_of(iq, all, ++all->count);

	make_room(iq->core, all, iq->session->user->jid.full);
	o->cmd = cmd;
	o->session = iq->session->id;
	o->owner = str_dup(iq->session->user->jid.full);
	memcpy(o->id, id.p, id.n);
	o->used_ms = iq->core->shard->loop.now_ms;
	list_push(&all->open, &o->link);
	all->n++;
	return o;
}

static struct open_command *open_find(struct iq *iq)
{
	struct commands *all = commands_of(iq->core);
	struct str id = xml_get(iq->el, "sessionid");
	struct open_command *o;

	if (!iq->session || !id.n)
		return NULL;
	list_each(o, &all->open, link)
		if (o->session == iq->session->id && equal_ct(id, str_of(o->id)))
			return o;
	return NULL;
}

/* Was this id once given to this session? */
static bool was_open(struct iq *iq, struct str id)
{
	struct commands *all = commands_of(iq->core);
	struct str mac, number = str_cut(id, '-', &mac);
	uint64_t n;

	return !str_u64(number, UINT64_MAX, &n) && n && n <= all->count && equal_ct(id, id_of(iq, all, n));
}

static struct xml *command_el(struct iq *iq, const char *status)
{
	struct arena *a = core_arena(iq->core);
	struct xml *c = xml_new(a, "command", NS_COMMANDS);
	struct str id = xml_get(iq->el, "sessionid");

	xml_set(a, c, "node", xml_get(iq->el, "node"));
	xml_set(a, c, "sessionid", id.n ? id : iq->st->id);
	xml_set(a, c, "status", str_of(status));
	return c;
}

static void bad_request(struct iq *iq, const char *condition, const char *text)
{
	iq_error_app(iq, ERR_BAD_REQUEST, text, xml_new(core_arena(iq->core), condition, NS_COMMANDS));
}

void command_bad_payload(struct iq *iq, const char *text)
{
	bad_request(iq, "bad-payload", text);
}

/* ---- stages ---- */

static int stages_n(const struct command *cmd)
{
	int n = 0;

	while (cmd->stages && cmd->stages[n].fields)
		n++;
	must(n <= COMMAND_STAGES_MAX);
	return n;
}

/* Everything that the stages before this one were told, in one form; NULL in the first. */
static struct xml *answers_of(struct iq *iq, const struct open_command *o)
{
	struct arena *a = core_arena(iq->core);
	struct xml *all = NULL, *form, *next_field;

	for (int i = 0; i < o->stage; i++) {
		must(!xml_parse(a, str_of(o->answers[i]), &form));
		if (!all) {
			all = form;
			continue;
		}
		for (struct xml *f = xml_child_any(form); f; f = next_field) {
			next_field = xml_next(f);
			xml_detach(f);
			xml_append(all, f);
		}
	}
	return all;
}

static void ask_stage(struct iq *iq, struct open_command *o)
{
	struct arena *a = core_arena(iq->core);
	const struct command_stage *st = &o->cmd->stages[o->stage];
	struct xml *form = form_from_rules(a, NULL, st->fields, o->cmd->form_type, st->title, st->instructions);

	xml_set(a, iq->el, "sessionid", arena_str(a, str_of(o->id)));
	stanza_touched(iq->st); /* a held request carries it along */
	if (st->fill)
		st->fill(iq, form, answers_of(iq, o));
	else
		command_ask(iq, form);
}

void command_ask(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct open_command *o = open_find(iq);
	struct xml *c, *actions;
	bool last;

	if (!o) { /* cancelled, or pushed out by newer ones, while the form was being made */
		iq_error_app(iq, ERR_NOT_ALLOWED, NULL, xml_new(a, "session-expired", NS_COMMANDS));
		return;
	}
	last = o->stage == stages_n(o->cmd) - 1;
	c = command_el(iq, "executing");
	actions = xml_add(a, c, "actions", NULL);
	xml_set(a, actions, "execute", last ? STR("complete") : STR("next"));
	if (o->stage)
		xml_add(a, actions, "prev", NULL);
	xml_add(a, actions, last ? "complete" : "next", NULL);
	xml_append(c, form);
	iq_result(iq, c);
}

/* Keeps the answers of this stage. */
static void keep(struct open_command *o, const struct xml *form)
{
	struct buf text = { 0 };

	xml_write(&text, form, STR_NONE);
	free(o->answers[o->stage]);
	o->answers[o->stage] = str_dup(buf_view(&text));
	buf_free(&text);
}

static void submit(struct iq *iq, struct open_command *o)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_find(iq->el, "submit", NULL), *all, *next_field;
	const char *why;

	if (!form) /* XEP-0050 §3.6.1: the same */
		form = form_find(iq->el, "cancel", NULL);
	if (!form) {
		command_bad_payload(iq, "The form is missing.");
		return;
	}
	if (form_check(a, form, o->cmd->stages[o->stage].fields, o->cmd->form_type, &why)) {
		command_bad_payload(iq, why);
		return;
	}
	if (o->stage < stages_n(o->cmd) - 1) {
		keep(o, form);
		o->stage++;
		ask_stage(iq, o);
		return;
	}
	all = answers_of(iq, o);
	for (struct xml *f = all ? xml_child_any(form) : NULL; f; f = next_field) {
		next_field = xml_next(f);
		xml_detach(f);
		xml_append(all, f);
	}
	o->cmd->run(iq, all ? all : form);
}

static void step(struct iq *iq, struct open_command *o, struct str action)
{
	bool last = o->stage == stages_n(o->cmd) - 1;

	o->used_ms = iq->core->shard->loop.now_ms;
	if (str_is(action, "prev")) {
		if (!o->stage) {
			bad_request(iq, "bad-action", NULL);
			return;
		}
		o->stage--;
		ask_stage(iq, o);
	} else if (str_is(action, last ? "next" : "complete")) {
		bad_request(iq, "bad-action", NULL);
	} else {
		submit(iq, o);
	}
}

/* ---- the request ---- */

static bool action_is_known(struct str action)
{
	static const char *const known[] = { "execute", "cancel", "prev", "next", "complete" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_is(action, known[i]))
			return true;
	return false;
}

/* A request that names a session of a command with forms. */
static void proceed(struct iq *iq, const struct command *cmd, struct str action)
{
	struct commands *all = commands_of(iq->core);
	struct open_command *o = open_find(iq);

	if (o && iq->core->shard->loop.now_ms - o->used_ms > COMMAND_MS) {
		open_free(all, o);
		o = NULL;
	}
	if (!o && was_open(iq, xml_get(iq->el, "sessionid"))) {
		iq_error_app(iq, ERR_NOT_ALLOWED, "This command has ended.",
			xml_new(core_arena(iq->core), "session-expired", NS_COMMANDS));
	} else if (!o || o->cmd != cmd) {
		bad_request(iq, "bad-sessionid", NULL);
	} else if (str_is(action, "cancel")) {
		open_free(all, o);
		iq_result(iq, command_el(iq, "canceled"));
	} else {
		step(iq, o, action);
	}
}

void command_run(struct iq *iq)
{
	struct str action = xml_get(iq->el, "action"), node = xml_get(iq->el, "node");
	const struct command *cmd = find(iq, node);

	if (!cmd) {
		iq_error(iq, exists(iq, node) ? ERR_FORBIDDEN : ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	if (!action.n)
		action = STR("execute");
	if (!action_is_known(action)) {
		bad_request(iq, "malformed-action", NULL);
	} else if (cmd->stages && xml_get(iq->el, "sessionid").n) {
		proceed(iq, cmd, action);
	} else if (str_is(action, "cancel")) {
		iq_result(iq, command_el(iq, "canceled"));
	} else if (cmd->stages && str_is(action, "execute")) {
		ask_stage(iq, open_new(iq, cmd));
	} else if (cmd->stages || str_is(action, "next") || str_is(action, "prev")) {
		bad_request(iq, "bad-action", NULL);
	} else {
		cmd->run(iq, form_find(iq->el, "submit", NULL));
	}
}

void command_done_many(struct iq *iq, struct xml *wrap)
{
	struct open_command *o = open_find(iq);
	struct xml *c = command_el(iq, "completed"), *el;

	if (o)
		open_free(commands_of(iq->core), o);
	while (wrap && (el = wrap->first)) {
		xml_detach(el);
		xml_append(c, el);
	}
	iq_result(iq, c);
}

void command_done(struct iq *iq, struct xml *form)
{
	struct xml *wrap = xml_new(core_arena(iq->core), "wrap", NS_COMMANDS);

	if (form)
		xml_append(wrap, form);
	command_done_many(iq, wrap);
}
