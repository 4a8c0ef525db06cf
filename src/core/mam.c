/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0313 1.1.3: the query's form and page, the messages that answer it. Rows are forwarded as the bytes that were stored. */
#include "core/mam.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/ephemeral.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"
#include "store/words.h"


/* ---- reading the query ---- */

typedef int field_fn(struct arena *a, const struct xml *field, struct mam_query *m);

static struct str first_value(struct arena *a, const struct xml *field)
{
	return str_trim(xml_child_text(a, field, "value", NULL));
}

static int read_with(struct arena *a, const struct xml *field, struct mam_query *m)
{
	struct str v = first_value(a, field);
	struct jid j;

	if (!v.n)
		return 0;
	if (jid_parse(a, v, &j))
		return -EBADMSG;
	m->q.with = j.full;
	return 0;
}

static int read_start(struct arena *a, const struct xml *field, struct mam_query *m)
{
	struct str v = first_value(a, field);
	uint64_t ms;

	if (!v.n)
		return 0;
	if (time_parse(v, &ms))
		return -EBADMSG;
	m->q.start_id = archive_id_from_ms(ms);
	return 0;
}

static int read_end(struct arena *a, const struct xml *field, struct mam_query *m)
{
	struct str v = first_value(a, field);
	uint64_t ms, next;

	if (!v.n)
		return 0;
	if (time_parse(v, &ms))
		return -EBADMSG;
	next = archive_id_from_ms(ms + 1); /* the whole millisecond is meant */
	m->q.end_id = next ? next - 1 : 0;
	return 0;
}

static int read_id(struct str v, uint64_t *out)
{
	return archive_id_parse(v, out) || *out == 0 ? -ENOENT : 0;
}

static int after(struct mam_query *m, struct str v)
{
	uint64_t id;
	int err = read_id(v, &id);

	if (!err && id > m->q.after_id)
		m->q.after_id = id;
	return err;
}

static int before(struct mam_query *m, struct str v)
{
	uint64_t id;
	int err = read_id(v, &id);

	if (!err && id < m->q.before_id)
		m->q.before_id = id;
	return err;
}

static int read_after_id(struct arena *a, const struct xml *field, struct mam_query *m)
{
	return after(m, first_value(a, field));
}

static int read_before_id(struct arena *a, const struct xml *field, struct mam_query *m)
{
	return before(m, first_value(a, field));
}

static int read_ids(struct arena *a, const struct xml *field, struct mam_query *m)
{
	uint64_t *ids = arena_alloc(a, MAM_IDS_MAX * sizeof(*ids));
	uint32_t n = 0;

	for (struct xml *v = xml_child(field, "value", NULL); v; v = xml_next_same(v)) {
		if (n == MAM_IDS_MAX)
			return -EBADMSG;
		if (read_id(str_trim(xml_text_of(a, v)), &ids[n++]))
			return -ENOENT;
	}
	m->q.ids = ids;
	m->q.ids_n = n;
	return 0;
}

/* XEP-0431 */
static int read_text(struct arena *a, const struct xml *field, struct mam_query *m)
{
	struct words words = { 0 };
	size_t runs;

	m->q.text = first_value(a, field);
	if (m->q.text.n > WORDS_QUERY_BYTES_MAX)
		return -EBADMSG;
	words_fold(&words, m->q.text);
	runs = words_runs(&words);
	words_free(&words);
	return runs > WORDS_QUERY_RUNS_MAX ? -EBADMSG : 0;
}

/* Known and without effect: accounts keep no messages of rooms, rooms keep nothing else. */
static int read_groupchat(struct arena *a, const struct xml *field, struct mam_query *m)
{
	return 0;
}

static const struct field {
	const char *var, *type;
	field_fn *read;
} FIELDS[] = {
	{ "FORM_TYPE", "hidden", NULL },
	{ "with", "jid-single", read_with },
	{ "start", "text-single", read_start },
	{ "end", "text-single", read_end },
	{ "before-id", "text-single", read_before_id },
	{ "after-id", "text-single", read_after_id },
	{ "ids", "list-multi", read_ids },
	{ "include-groupchat", "boolean", read_groupchat },
	{ "{" NS_FULLTEXT "}fulltext", "text-single", read_text },
	{ "withtext", "text-single", read_text }, /* the name that came before the specification; still asked for */
};

static int read_field(struct arena *a, const struct xml *el, struct mam_query *m)
{
	struct str var = xml_get(el, "var");

	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (str_is(var, FIELDS[i].var))
			return FIELDS[i].read ? FIELDS[i].read(a, el, m) : 0;
	return -EOPNOTSUPP;
}

static int read_form(struct arena *a, const struct xml *query, struct mam_query *m)
{
	const struct xml *form = xml_child(query, "x", NS_DATA);
	int err = 0;

	if (!form)
		return 0;
	if (!form_find(query, "submit", NS_MAM))
		return -EBADMSG;
	for (struct xml *el = xml_child(form, "field", NULL); el && !err; el = xml_next_same(el))
		err = read_field(a, el, m);
	return err;
}

static int read_page(struct arena *a, const struct xml *query, struct mam_query *m)
{
	struct rsm rsm;

	if (rsm_parse(a, query, &rsm))
		return -EBADMSG;
	if (rsm.has_index) /* XEP-0059 §2.5: pages by number are optional */
		return -EOPNOTSUPP;
	if (rsm.max != UINT32_MAX)
		m->q.limit = rsm.max < MAM_PAGE_MAX ? rsm.max : MAM_PAGE_MAX;
	m->q.backward = rsm.has_before;
	if (rsm.has_after && after(m, rsm.after))
		return -ENOENT;
	if (rsm.has_before && rsm.before.n && before(m, rsm.before))
		return -ENOENT;
	m->q.want_count = m->q.limit == 0; /* XEP-0059 §2.7 */
	return 0;
}

int mam_parse(struct arena *a, const struct xml *query, struct mam_query *out)
{
	struct mam_query m = { .q = { .end_id = UINT64_MAX, .before_id = UINT64_MAX, .limit = MAM_PAGE_DEFAULT,
				       .check_bounds = true } };
	int err;

	if (xml_get(query, "queryid").n > MAM_QUERYID_MAX)
		return -EBADMSG;
	err = read_form(a, query, &m);
	if (!err)
		err = read_page(a, query, &m);
	if (err)
		return err;
	m.flip = xml_child(query, "flip-page", NULL);
	*out = m;
	return 0;
}

enum stanza_error mam_error(int err)
{
	switch (err) {
	case -EBADMSG: return ERR_BAD_REQUEST;
	case -ENOENT: return ERR_ITEM_NOT_FOUND;
	case -EOPNOTSUPP: return ERR_FEATURE_NOT_IMPLEMENTED;
	case -ENOBUFS:
	case -EBUSY: return ERR_RESOURCE_CONSTRAINT;
	default: return ERR_INTERNAL_SERVER_ERROR;
	}
}

/* ---- answering ---- */

struct pending {
	bool flip, backward;
	const struct mam_view *view;
	uint64_t extra_from;
};

/* <result><forwarded><delay/><message>…</message></forwarded></result></message>, without a tree of its parts. */
static struct blob *result_tail(struct arena *a, struct str front, struct str queryid, const struct archive_found *row,
	struct stanza *st)
{
	struct buf b = { 0 };
	struct blob *tail;

	buf_str(&b, front);
	buf_puts(&b, "<result xmlns='" NS_MAM "' ");
	if (queryid.p) {
		buf_puts(&b, "queryid='");
		xml_escape(&b, queryid);
		buf_puts(&b, "' ");
	}
	buf_printf(&b, "id='%.*s'><forwarded xmlns='" NS_FORWARD "'><delay xmlns='" NS_DELAY "' stamp='%.*s'/>",
		STR_ARG(archive_id_str(a, row->id)), STR_ARG(time_format(a, archive_id_ms(row->id))));
	stanza_write(&b, st, NS_CLIENT);
	buf_puts(&b, "</forwarded></result></message>");
	tail = blob_new(b.p, b.n);
	buf_free(&b);
	return tail;
}

/* False for a row of a later version, and for an ephemeral message whose time is over though it is still there. */
static bool is_shown(struct arena *a, const struct archive_found *row)
{
	uint64_t until;
	struct stanza st;

	if (stanza_unpack(row->stanza, &st))
		return false;
	until = ephemeral_until(&st, a, row->id);
	stanza_fini(&st);
	return !until || until > clock_wall_ms();
}

struct blob *mam_result(struct arena *a, struct str front, struct str queryid, const struct archive_found *row,
	const struct mam_view *view)
{
	struct blob *tail;
	struct stanza st;

	if (!is_shown(a, row) || stanza_unpack(row->stanza, &st))
		return NULL;
	st.extra = view && view->extra ? view->extra(a, row) : STR_NONE;
	tail = result_tail(a, front, queryid, row, &st);
	stanza_fini(&st);
	return tail;
}

static void send_row(struct iq *iq, const struct pending *p, const struct archive_found *row)
{
	const struct mam_view *view = row->id >= p->extra_from ? p->view : NULL;
	struct stanza out = { .kind = ST_MESSAGE, .type = MSG_NORMAL, .from = jid_bare(iq->st->to), .to = iq->st->from };

	out.tail = mam_result(core_arena(iq->core), STR_NONE, xml_get(iq->el, "queryid"), row, view);
	if (!out.tail)
		return;
	if (iq->session && jid_eq(iq->session->jid, out.to))
		session_send(iq->session, &out, NULL);
	else
		router_route(iq->core, &out);
	stanza_fini(&out);
}

/* Rows [*from, *to) fit into MAM_PAGE_BYTES_MAX, at least one; what is left out lies at the far end. */
static void cut(const struct archive_page *page, bool backward, size_t *from, size_t *to)
{
	size_t bytes = 0, n = 0;

	while (n < page->n) {
		bytes += page->v[backward ? page->n - 1 - n : n].stanza.n;
		if (n && bytes > MAM_PAGE_BYTES_MAX)
			break;
		n++;
	}
	*from = backward ? page->n - n : 0;
	*to = *from + n;
}

static struct xml *send_page(struct iq *iq, const struct pending *p, const struct archive_page *page)
{
	struct arena *a = core_arena(iq->core);
	struct xml *fin = xml_new(a, "fin", NS_MAM);
	struct str first = STR_NONE, last = STR_NONE;
	size_t from, to;
	bool all;

	cut(page, p->backward, &from, &to);
	for (size_t i = from; i < to; i++)
		send_row(iq, p, &page->v[p->flip ? to - 1 - (i - from) : i]);
	all = page->complete && to - from == page->n;
	while (to - from > 1 && !is_shown(a, &page->v[from]))
		from++;
	while (to - from > 1 && !is_shown(a, &page->v[to - 1]))
		to--;
	if (to > from) {
		first = archive_id_str(a, page->v[from].id);
		last = archive_id_str(a, page->v[to - 1].id);
	}
	if (all)
		xml_set(a, fin, "complete", STR("true"));
	rsm_add(a, fin, first, last, -1, page->total);
	return fin;
}

static void on_page(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct iq_held *held = arg;
	struct iq *iq = iq_wake(held);

	(void)s;
	if (held->session_id && !iq->session)
		; /* the asker left: its other sessions asked for nothing */
	else if (status)
		iq_error(iq, mam_error(status), NULL);
	else
		iq_result(iq, send_page(iq, held->arg, page));
	free(held->arg);
	iq_held_free(held);
}

static void ask(struct iq *iq, const struct archive_query *q, archive_fn *done, void *arg)
{
	struct iq_held *held = iq_hold(iq, arg);
	int err = store_query(iq->core->env->store, iq->core->shard, q, done, held);

	if (!err)
		return;
	iq_error(iq, mam_error(err), NULL);
	free(arg);
	iq_held_free(held);
}

void mam_answer(struct iq *iq, struct mam_query *m, struct str owner, const struct mam_view *view)
{
	struct pending *p = mem_alloc(sizeof(*p));

	*p = (struct pending){ m->flip, m->q.backward, view, m->extra_from };
	m->q.owner = owner;
	ask(iq, &m->q, on_page, p);
}

static void metadata_end(struct arena *a, struct xml *el, const char *name, uint64_t id)
{
	struct xml *end = xml_add(a, el, name, NULL);

	xml_set(a, end, "id", archive_id_str(a, id));
	xml_set(a, end, "timestamp", time_format(a, archive_id_ms(id)));
}

void mam_metadata_add(struct arena *a, struct xml *parent, const struct archive_page *page)
{
	struct xml *el = xml_add(a, parent, "metadata", NS_MAM);

	if (!page->last_id_all)
		return;
	metadata_end(a, el, "start", page->first_id_all);
	metadata_end(a, el, "end", page->last_id_all);
}

static void on_metadata(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct iq_held *held = arg;
	struct iq *iq = iq_wake(held);
	struct arena *a = core_arena(s->core);
	struct xml *holder = xml_new(a, "metadata", NS_MAM), *el;

	if (status) {
		iq_error(iq, mam_error(status), NULL);
	} else {
		mam_metadata_add(a, holder, page);
		el = holder->first;
		xml_detach(el);
		iq_result(iq, el);
	}
	iq_held_free(held);
}

void mam_metadata(struct iq *iq, struct str owner)
{
	struct archive_query q = { .owner = owner, .end_id = UINT64_MAX, .before_id = UINT64_MAX, .want_ends = true };

	ask(iq, &q, on_metadata, NULL);
}

void mam_form(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *query = xml_new(a, "query", NS_MAM), *form = form_new(a, query, "form", NS_MAM);

	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		struct xml *field, *validate;

		if (!FIELDS[i].read)
			continue;
		field = form_field(a, form, FIELDS[i].type, FIELDS[i].var, NULL, STR_NONE);
		if (FIELDS[i].read != read_ids)
			continue;
		validate = xml_add(a, field, "validate", NS_DATA_VALIDATE);
		xml_set(a, validate, "datatype", STR("xs:string"));
		xml_add(a, validate, "open", NULL);
	}
	iq_result(iq, query);
}
