/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs the stages and ends a message's way with its writes. */
#include "core/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/feature.h"
#include "core/ephemeral.h"
#include "core/offline.h"
#include "core/parcel.h"
#include "core/retract.h"

/* A message whose writes are on their way to the disk: its sender is told when they are there. */
struct stored {
	struct core *core;
	struct receipt receipt;
	struct blob *packed; /* to answer the sender when the store fails */
	uint32_t rows;
};

/* A sender's transit that waits (LATER). */
struct held {
	struct transit t;
	struct parcel *parcel;
	id_t64 session;
	void *link; /* that is paused for it */
};

struct store_batch *transit_batch(struct transit *t)
{
	if (!t->batch)
		t->batch = store_batch_new();
	return t->batch;
}

static enum verdict run_stage(struct transit *t, stage_fn *const *by_feature, const char *side, int stage)
{
	enum verdict v;

	if (!*by_feature)
		return PASS;
	v = (*by_feature)(t);
	if (v != PASS && log_wants(LOG_DEBUG))
		log_debug("pipeline.stop", "side=%s stage=%d reason=\"%s\"", side, stage, t->reason ? t->reason : "");
	return v;
}

static enum verdict run_send(struct transit *t, int from)
{
	for (int stage = from; stage < SEND_STAGES; stage++) {
		for (const struct feature *const *f = t->core->env->features; *f; f++) {
			enum verdict v = run_stage(t, &(*f)->send[stage], "send", stage);

			if (v != PASS)
				return v;
		}
	}
	return PASS;
}

static void pipeline_run(struct transit *t, int from)
{
	enum verdict v = run_send(t, from);

	if (v == PASS)
		router_route_transit(t);
	else if (v == STOP)
		transit_finish(t);
}

void pipeline_send(struct transit *t)
{
	pipeline_run(t, 0);
}

struct transit *pipeline_hold(struct transit *t)
{
	struct held *h = mem_zalloc(sizeof(*h));

	h->parcel = parcel_new(t);
	h->session = t->session->id;
	h->link = t->session->link;
	h->t = h->parcel->t;
	h->t.st = &h->parcel->st;
	if (t->session->ops)
		t->session->ops->pause(t->session, true);
	return &h->t;
}

void pipeline_resume(struct transit *held, enum verdict v, enum send_stage after)
{
	struct held *h = container_of(held, struct held, t);
	struct transit *t = &h->t;
	struct core *c = t->core;
	struct session *s = session_get(c, h->session);

	t->session = s;
	t->user = s ? s->user : user_find(c, jid_bare_str(t->st->from));
	if (v == PASS && t->user)
		pipeline_run(t, (int)after + 1);
	else
		transit_finish(t);
	s = session_get(c, h->session); /* it may have ended within */
	if (s && s->ops && s->link == h->link)
		s->ops->pause(s, false);
	parcel_free(h->parcel);
	free(h);
}

void pipeline_deliver(struct transit *t)
{
	for (int stage = 0; stage < DELIVER_STAGES; stage++) {
		for (const struct feature *const *f = t->core->env->features; *f; f++) {
			if (run_stage(t, &(*f)->deliver[stage], "deliver", stage) == STOP) {
				transit_finish(t);
				return;
			}
		}
	}
	if (t->offline)
		offline_store(t);
	transit_finish(t);
}

static void on_stored(struct shard *s, void *arg, int status)
{
	struct stored *d = arg;
	struct stanza st;

	if (status == 0) {
		metric_add(M_MESSAGES_ARCHIVED, d->rows);
	} else {
		log_error("message.not_stored", "error=%d next=\"the sender gets an error and may repeat it\"", -status);
		if (!stanza_unpack(blob_view(d->packed), &st)) {
			router_error(s->core, &st, ERR_RESOURCE_CONSTRAINT,
				"The message could not be stored: the disk is full or broken. Try again later.");
			stanza_fini(&st);
		}
	}
	receipt_done(d->receipt);
	blob_unref(d->packed);
	free(d);
}

static void add_rows(struct transit *t, struct blob *packed)
{
	struct stanza *st = t->st;

	if (t->sent_id)
		store_archive(transit_batch(t), &(struct archive_row){ .owner = jid_bare_str(st->from), .id = t->sent_id,
			.with = jid_bare_str(st->to), .with_full = jid_is_bare(st->to) ? STR_NONE : st->to.full,
			.origin = st->origin_id, .outgoing = 1, .stanza = packed });
	if (t->id)
		store_archive(transit_batch(t), &(struct archive_row){ .owner = jid_bare_str(st->to), .id = t->id,
			.with = jid_bare_str(st->from), .with_full = st->from.full, .origin = st->origin_id, .stanza = packed });
	if (t->sent_id && (st->flags & SF_EPHEMERAL))
		ephemeral_note(t->core, t->batch, jid_bare_str(st->from), t->sent_id, st);
	if (t->id && (st->flags & SF_EPHEMERAL))
		ephemeral_note(t->core, t->batch, jid_bare_str(st->to), t->id, st);
}

void transit_finish(struct transit *t)
{
	struct stored *d;
	struct shard *told;

	if (!t->sent_id && !t->id && !t->batch) {
		receipt_done(t->receipt);
		t->receipt = (struct receipt){ 0 };
		return;
	}
	if (t->st->flags & SF_RETRACT)
		retract_begin(t);
	d = mem_alloc(sizeof(*d));
	*d = (struct stored){ .core = t->core, .receipt = t->receipt, .packed = stanza_pack(t->st),
		.rows = (t->sent_id != 0) + (t->id != 0) };
	add_rows(t, d->packed);
	told = t->receipt.shard ? t->receipt.shard : t->core->shard;
	if (store_commit(t->core->env->store, told, t->batch, on_stored, d)) {
		router_error(t->core, t->st, ERR_RESOURCE_CONSTRAINT, "The server is busy; try again in a moment.");
		receipt_done(d->receipt);
		blob_unref(d->packed);
		free(d);
	}
	t->batch = NULL;
	t->sent_id = t->id = 0;
	t->receipt = (struct receipt){ 0 };
}
