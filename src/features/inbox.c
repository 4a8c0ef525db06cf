/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0430 0.2.0 Inbox: the query, paged by XEP-0059 (newest conversation first; the id of an entry is its place). */
#include "core/inbox.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/feature.h"
#include "core/mam.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = STORE_PAGE_MAX };

/* What was asked, and the page that answers it while its messages are read. */
struct asked {
	bool unread_only, messages;
	bool backward; /* the last of the range */
	uint32_t max;
	uint64_t after, before; /* ids; 0: none */
	struct conversation *page; /* own, with their JIDs */
	size_t n;
	size_t index; /* of the first in all */
	uint64_t total, unread, all_unread;
};

static void asked_free(struct asked *q)
{
	for (size_t i = 0; i < q->n; i++)
		free((void *)q->page[i].jid.p);
	free(q->page);
	free(q);
}

/* ---- reading ---- */

static int read_bool(struct str v, bool *out)
{
	if (!v.p)
		return 0;
	if (!str_is(v, "true") && !str_is(v, "1") && !str_is(v, "false") && !str_is(v, "0"))
		return -1;
	*out = str_is(v, "true") || str_is(v, "1");
	return 0;
}

/* Returns 0 or the error to answer. */
static int read_query(struct arena *a, const struct xml *el, struct asked *out)
{
	struct rsm rsm;

	out->messages = true;
	out->max = PAGE_DEFAULT;
	if (read_bool(xml_get(el, "unread-only"), &out->unread_only) || read_bool(xml_get(el, "messages"), &out->messages) ||
		rsm_parse(a, el, &rsm))
		return ERR_BAD_REQUEST;
	if (rsm.has_index)
		return ERR_FEATURE_NOT_IMPLEMENTED;
	if (rsm.max != UINT32_MAX)
		out->max = rsm.max < PAGE_MAX ? rsm.max : PAGE_MAX;
	if (rsm.has_after && archive_id_parse(rsm.after, &out->after))
		return ERR_ITEM_NOT_FOUND;
	if (rsm.has_before && rsm.before.n && archive_id_parse(rsm.before, &out->before))
		return ERR_ITEM_NOT_FOUND;
	out->backward = rsm.has_before;
	return -1;
}

/* ---- answering ---- */

static struct str entry_bytes(struct arena *a, const struct conversation *c)
{
	struct buf b = { 0 };
	struct str out;

	buf_printf(&b, "<entry xmlns='" NS_INBOX "' unread='%u' jid='", c->unread);
	xml_escape(&b, c->jid);
	buf_printf(&b, "' id='%llu'/>", (unsigned long long)c->last_id);
	out = arena_str(a, buf_view(&b));
	buf_free(&b);
	return out;
}

static void send_entry(struct iq *iq, const struct conversation *c, const struct archive_found *row)
{
	struct arena *a = core_arena(iq->core);
	struct str entry = entry_bytes(a, c);
	struct stanza out = { .kind = ST_MESSAGE, .type = MSG_NORMAL, .from = iq->user->jid, .to = iq->st->from };
	struct buf b = { 0 };

	out.tail = row ? mam_result(a, entry, iq->st->id, row, NULL) : NULL;
	if (!out.tail) {
		buf_str(&b, entry);
		buf_puts(&b, "</message>");
		out.tail = blob_new(b.p, b.n);
		buf_free(&b);
	}
	session_send(iq->session, &out, NULL);
	stanza_fini(&out);
}

static const struct archive_found *row_of(const struct archive_page *rows, uint64_t id)
{
	for (size_t i = 0; rows && id && i < rows->n; i++)
		if (rows->v[i].id == id)
			return &rows->v[i];
	return NULL;
}

static void send_page(struct iq *iq, const struct asked *q, const struct archive_page *rows)
{
	struct arena *a = core_arena(iq->core);
	struct xml *fin = xml_new(a, "fin", NS_INBOX);
	struct str first = STR_NONE, last = STR_NONE;

	for (size_t i = 0; i < q->n; i++)
		send_entry(iq, &q->page[i], row_of(rows, q->page[i].msg_id));
	xml_setf(a, fin, "total", "%llu", (unsigned long long)q->total);
	xml_setf(a, fin, "unread", "%llu", (unsigned long long)q->unread);
	xml_setf(a, fin, "all-unread", "%llu", (unsigned long long)q->all_unread);
	if (q->n) {
		first = archive_id_str(a, q->page[0].last_id);
		last = archive_id_str(a, q->page[q->n - 1].last_id);
	}
	rsm_add(a, fin, first, last, q->n ? (int64_t)q->index : -1, (int64_t)(q->unread_only ? q->unread : q->total));
	iq_result(iq, fin);
}

static void end(struct iq_held *h)
{
	asked_free(h->arg);
	iq_held_free(h);
}

static void on_rows(struct shard *s, void *arg, int status, const struct archive_page *rows)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (!iq->session || !iq->user)
		; /* the asker left */
	else if (status)
		iq_error(iq, mam_error(status), NULL);
	else
		send_page(iq, h->arg, rows);
	end(h);
}

/* ---- choosing the page ---- */

static bool is_asked_for(const struct asked *q, const struct conversation *c)
{
	return (!q->unread_only || c->unread) && (!q->after || c->last_id < q->after) && (!q->before || c->last_id > q->before);
}

static void choose(struct asked *q, const struct conversation *v, size_t n)
{
	size_t matching = 0, skip, at = 0, seen = 0;

	for (size_t i = 0; i < n; i++) {
		q->total++;
		q->unread += v[i].unread != 0;
		q->all_unread += v[i].unread;
		matching += is_asked_for(q, &v[i]);
	}
	skip = q->backward && matching > q->max ? matching - q->max : 0;
	q->page = mem_alloc((q->max + 1) * sizeof(*q->page));
	for (size_t i = 0; i < n && q->n < q->max; i++) {
		bool wanted = is_asked_for(q, &v[i]);

		if (wanted && seen++ >= skip) {
			if (!q->n)
				q->index = at;
			q->page[q->n] = v[i];
			q->page[q->n++].jid = (struct str){ str_dup(v[i].jid), v[i].jid.n };
		}
		at += !q->unread_only || v[i].unread;
	}
}

static void on_inbox(struct core *c, void *arg, int status, const struct conversation *v, size_t n)
{
	struct iq_held *h = arg;
	struct asked *q = h->arg;
	struct iq *iq = iq_wake(h);
	uint64_t ids[PAGE_MAX];
	struct archive_query rows = { .end_id = UINT64_MAX, .before_id = UINT64_MAX, .ids = ids, .limit = PAGE_MAX };

	if (status || !iq->session || !iq->user) {
		if (iq->session && iq->user)
			iq_error(iq, mam_error(status), NULL);
		end(h);
		return;
	}
	choose(q, v, n);
	for (size_t i = 0; i < q->n && q->messages; i++)
		if (q->page[i].msg_id)
			ids[rows.ids_n++] = q->page[i].msg_id;
	rows.owner = iq->user->jid.full;
	if (!rows.ids_n || store_query(c->env->store, c->shard, &rows, on_rows, h))
		on_rows(c->shard, h, rows.ids_n ? -EBUSY : 0, NULL);
}

static void query(struct iq *iq)
{
	struct asked *q = mem_zalloc(sizeof(*q));
	int err = read_query(core_arena(iq->core), iq->el, q);
	struct iq_held *h;

	if (err >= 0 || !iq->session) {
		iq_error(iq, err >= 0 ? (enum stanza_error)err : ERR_FORBIDDEN, NULL);
		asked_free(q);
		return;
	}
	h = iq_hold(iq, q);
	if (inbox_with(iq->user, on_inbox, h)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		end(h);
	}
}

static const struct spec specs[] = { { "XEP-0430", "0.2.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_INBOX, NULL };
static const struct iq_route routes[] = { { NS_INBOX, "inbox", IQ_ROUTE_GET, TO_SELF, query }, { 0 } };

const struct feature feature_inbox = {
	.name = "inbox",
	.specs = specs,
	.disco_account = disco,
	.iq = routes,
	.user_free = inbox_free,
};
