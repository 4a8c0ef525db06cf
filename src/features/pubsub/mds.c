/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0490 1.0.1 §4.4.1 server assist: a <displayed/> that rides on a message is taken out of it and published for the sender's other
 * devices. The plain way, by publishing, needs nothing of its own. */
#include <stdlib.h>

#include "base/mem.h"
#include "core/inbox.h"
#include "features/pubsub/pubsub.h"

struct displayed {
	struct ps_job job;
	struct str id, payload; /* both in bytes */
	char bytes[];
};

static bool run(struct ps_host *h, struct ps_job *j)
{
	struct displayed *d = container_of(j, struct displayed, job);
	struct ps_node *n;
	struct store_batch *b;

	if (!ps_host_ready(h))
		return false;
	n = ps_node_get(h, STR(NS_MDS));
	if (n && !ps_items_ready(n))
		return false;
	if (!n && h->nodes.n >= PS_NODES_MAX)
		return true;
	b = store_batch_new();
	n = ps_node_own(h, NS_MDS, b);
	if (n->cfg.persist)
		ps_publish_own(n, d->id, d->payload, b);
	ps_commit(h, b);
	return true;
}

static void done(struct ps_job *j)
{
	free(container_of(j, struct displayed, job));
}

static void store(struct ps_host *h, struct str id, struct str payload)
{
	struct displayed *d = mem_zalloc(sizeof(*d) + id.n + payload.n);

	d->job = (struct ps_job){ .run = run, .free = done };
	memcpy(d->bytes, id.p, id.n);
	memcpy(d->bytes + id.n, payload.p, payload.n);
	d->id = (struct str){ d->bytes, id.n };
	d->payload = (struct str){ d->bytes + id.n, payload.n };
	ps_host_do(h, &d->job);
}

void mds_read(struct user *u, struct str peer, const struct xml *displayed)
{
	const struct xml *sid = displayed ? xml_child(displayed, "stanza-id", NS_SID) : NULL;

	if (sid && str_eq(xml_get(sid, "by"), u->jid.full)) /* not in a room, whose archive has ids of its own */
		inbox_displayed(u, peer, xml_get(sid, "id"));
}

enum verdict mds_send(struct transit *t)
{
	struct arena *a = core_arena(t->core);
	struct stanza *st = t->st;
	struct xml *el = st->el ? xml_child(st->el, "displayed", NS_MDS) : NULL;

	if (!el)
		return PASS;
	xml_detach(el);
	stanza_touched(st);
	if (xml_child(el, "stanza-id", NS_SID) && ps_text_ok(st->to.full, PS_ID_MAX) && st->type != MSG_ERROR) {
		mds_read(t->user, jid_bare_str(st->to), el);
		store(ps_host_of(t->user), st->to.full, ps_bytes(a, el));
	}
	return PASS;
}
