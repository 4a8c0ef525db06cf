/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Filing of reports: index, messages, queue. */
#include "core/report.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/ask.h"
#include "crypto/hash.h"
#include "proto/xmpp/ns.h"

enum { ID_HASH_BYTES = 4, HOUR_MS = 3600000 };

/* Of one shard. */
struct reports {
	uint64_t hour;
	uint32_t n;
};

/* A report on its way into the queue. */
struct filing {
	struct core *core;
	struct jid reporter, reported; /* own bytes */
	char *report;		       /* XML as the client sent it */
	char *old;		       /* ID of the one that it replaces; NULL: none */
	uint64_t ids[REPORT_MESSAGES_MAX];
	uint32_t ids_n;
	bool in_room; /* the ids are of the archive of the room that the reported one is in */
};

int report_check(struct arena *a, const struct xml *report, const char **why)
{
	struct str reason = xml_get(report, "reason");
	uint32_t ids = 0;

	if (!reason.n || reason.n > REPORT_REASON_MAX) {
		*why = "A report has a reason.";
		return -EBADMSG;
	}
	xml_each(el, report) {
		if (xml_is(el, "stanza-id", NS_SID) && ++ids > REPORT_MESSAGES_MAX)
			*why = "A report names ten messages at most.";
		else if (xml_is(el, "text", NS_REPORTING) && xml_text_of(a, el).n > REPORT_TEXT_MAX)
			*why = "The text of a report is 4096 bytes long at most.";
		else
			continue;
		return -EBADMSG;
	}
	return 0;
}

static bool hour_is_full(struct core *c)
{
	struct reports *r = c->slot[SLOT_REPORTS];
	uint64_t hour = c->shard->loop.now_ms / HOUR_MS;

	if (!r)
		r = c->slot[SLOT_REPORTS] = mem_zalloc(sizeof(*r));
	if (r->hour != hour)
		*r = (struct reports){ .hour = hour };
	return ++r->n > REPORTS_PER_HOUR_MAX;
}

void reports_free(struct core *c)
{
	free(c->slot[SLOT_REPORTS]);
	c->slot[SLOT_REPORTS] = NULL;
}

static void filing_free(struct filing *f)
{
	free((void *)f->reporter.full.p);
	free((void *)f->reported.full.p);
	free(f->report);
	free(f->old);
	free(f);
}

static void on_filed(struct shard *s, void *arg, int status)
{
	struct filing *f = arg;

	(void)s;
	if (status)
		log_error("report.not_filed", "error=%d next=\"the block holds, the report is lost\"", -status);
	else
		log_info("report.filed", "reporter=%.*s", STR_ARG(f->reporter.full));
	filing_free(f);
}

/* Puts a message of the archive in, if it is the reported one's own. Returns its bytes. */
static size_t add_message(struct arena *a, struct xml *out, const struct filing *f, const struct archive_found *row, size_t room)
{
	struct stanza st;
	struct xml *el;
	size_t n = row->stanza.n;

	if (row->outgoing || n > room || stanza_unpack(row->stanza, &st))
		return 0;
	el = stanza_tree(&st, a);
	if (!el || !(jid_eq(st.from, f->reported) || str_eq(jid_bare_str(st.from), f->reported.full))) {
		n = 0;
	} else {
		el = xml_copy(a, el);
		xml_set(a, el, "stamp", time_format(a, archive_id_ms(row->id)));
		xml_append(out, el);
	}
	stanza_fini(&st);
	return n;
}

static struct str id_new(struct arena *a, const struct filing *f)
{
	struct str both = arena_printf(a, "%.*s %.*s", STR_ARG(f->reporter.full), STR_ARG(f->reported.full));
	uint8_t sum[HASH_MAX];

	hash(HASH_SHA256, both, sum);
	return arena_printf(a, "%016llx%.*s", (unsigned long long)clock_wall_ms(),
		STR_ARG(hex_encode(a, (struct str){ (char *)sum, ID_HASH_BYTES })));
}

static void on_messages(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct filing *f = arg;
	struct arena *a = &s->arena;
	struct xml *out = xml_new(a, "report", NS_REPORTING), *in;
	struct str id = id_new(a, f), scope = core_host(f->core, jid_domain(f->reporter))->accounts->scope;
	struct store_batch *b = store_batch_new();
	struct buf text = { 0 };
	size_t room = REPORT_MESSAGES_BYTES_MAX;

	must(!xml_parse(a, str_of(f->report), &in));
	xml_set(a, out, "id", id);
	xml_set(a, out, "stamp", time_format(a, clock_wall_ms()));
	xml_set(a, out, "reporter", f->reporter.full);
	xml_set(a, out, "jid", f->reported.full);
	xml_set(a, out, "reason", xml_get(in, "reason"));
	xml_each(el, in)
		if (xml_is(el, "text", NS_REPORTING) || xml_is(el, "report-origin", NS_REPORTING) || xml_is(el, "third-party", NS_REPORTING))
			xml_append(out, xml_copy(a, el));
	for (size_t i = 0; !status && page && i < page->n; i++)
		room -= add_message(a, out, f, &page->v[i], room);
	xml_write(&text, out, STR_NONE);
	if (f->old)
		store_del(b, scope, STR("report"), str_of(f->old));
	store_put(b, scope, STR("report"), id, buf_view(&text));
	store_put(b, f->reporter.full, STR("report"), f->reported.full, id);
	buf_free(&text);
	if (store_commit(f->core->env->store, s, b, on_filed, f))
		on_filed(s, f, -EBUSY);
}

static void read_messages(struct filing *f)
{
	struct core *c = f->core;
	struct archive_query q = { .owner = f->in_room ? jid_bare_str(f->reported) : f->reporter.full, .end_id = UINT64_MAX,
		.before_id = UINT64_MAX, .ids = f->ids, .ids_n = f->ids_n, .limit = REPORT_MESSAGES_MAX };

	if (!f->ids_n || store_query(c->env->store, c->shard, &q, on_messages, f))
		on_messages(c->shard, f, 0, NULL);
}

static void on_room(struct core *c, struct stanza *reply, void *arg)
{
	struct filing *f = arg;

	if (!reply && c->closing) { /* the block holds */
		filing_free(f);
		return;
	}
	if (!reply || reply->type != IQ_RESULT)
		f->ids_n = 0;
	read_messages(f);
}

/* The room says whether the reporter may read its archive (XEP-0313 §6.1.2): otherwise an administrator could read any room. */
static void ask_room(struct filing *f)
{
	struct xml *metadata = xml_new(core_arena(f->core), "metadata", NS_MAM);
	struct question q = { .from = f->reporter, .to = jid_bare(f->reported), .type = IQ_GET, .payload = metadata, .fn = on_room, .arg = f };

	if (iq_ask(f->core, &q))
		on_room(f->core, NULL, f);
}

static void on_index(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct filing *f = arg;

	(void)s;
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].key, f->reported.full))
			f->old = str_dup(v[i].value);
	if (status || (!f->old && n >= REPORTS_OPEN_MAX)) {
		log_warning("report.dropped", "reporter=%.*s open=%zu next=\"the block holds\"", STR_ARG(f->reporter.full), n);
		filing_free(f);
		return;
	}
	if (f->in_room && f->ids_n)
		ask_room(f);
	else
		read_messages(f);
}

/* XEP-0377 §5: the ids that the archive gave; of an occupant's messages those of the room, when it says that it gave them. */
static void take_ids(struct filing *f, const struct xml *report)
{
	bool occupant = !jid_is_bare(f->reported) && core_service(f->core, jid_domain(f->reported));

	xml_each(el, report) {
		if (!xml_is(el, "stanza-id", NS_SID) || f->ids_n == REPORT_MESSAGES_MAX)
			continue;
		if (occupant && str_eq(xml_get(el, "by"), jid_bare_str(f->reported)))
			f->in_room = true;
		if (!archive_id_parse(xml_get(el, "id"), &f->ids[f->ids_n]))
			f->ids_n++;
	}
}

void report_file(struct core *c, struct jid reporter, struct jid reported, const struct xml *report)
{
	struct filing *f;
	struct buf text = { 0 };

	if (hour_is_full(c)) {
		log_warning("report.dropped", "reason=\"too many in this hour\" next=\"the block holds\"");
		return;
	}
	f = mem_zalloc(sizeof(*f));
	f->core = c;
	f->reporter = jid_dup(jid_bare(reporter));
	f->reported = jid_dup(reported);
	take_ids(f, report);
	xml_write(&text, report, STR_NONE);
	f->report = str_dup(buf_view(&text));
	buf_free(&text);
	if (store_list(c->env->store, c->shard, &(struct store_range){ .owner = f->reporter.full, .kind = STR("report"),
		    .limit = REPORTS_OPEN_MAX }, on_index, f))
		on_index(c->shard, f, -EBUSY, NULL, 0);
}

void report_close(struct store_batch *b, struct arena *a, struct str scope, struct str id, struct str value)
{
	struct xml *report;

	store_del(b, scope, STR("report"), id);
	if (!xml_parse(a, value, &report))
		store_del(b, xml_get(report, "reporter"), STR("report"), xml_get(report, "jid"));
}
