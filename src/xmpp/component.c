/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stream of a component: head, handshake, move to the shard of its name, stanzas. */
#include "xmpp/component.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/delegation.h"
#include "core/privilege.h"
#include "crypto/random.h"
#include "proto/xml/reader.h"
#include "proto/xmpp/ns.h"
#include "core/throttle.h"

enum state { HEAD, HANDSHAKE, MOVING, LIVE, CLOSED };
enum { STREAM_ID_BYTES = 16, STREAM_ID_MAX = 32, NAME_TEXT_MAX = 1023 };

struct peer {
	struct conn *conn; /* NULL: gone */
	struct xml_reader *reader;
	struct core *core;
	struct core_link in_core;
	struct component *cp; /* that it says it is; proved when LIVE */
	struct timer timer;   /* handshake, then silence */
	struct deferred gone;
	uint64_t heard_ms;
	enum state state;
	bool opened, pinged;
	char id[STREAM_ID_MAX];
};

static uint64_t option_ms(const struct peer *p, const char *name)
{
	return (uint64_t)config_int(core_config(p->core), name);
}

static void on_gone(struct deferred *d)
{
	struct peer *p = container_of(d, struct peer, gone);

	xml_reader_free(p->reader);
	free(p);
}

/* The stream is over; the memory goes at the end of the turn. */
static void end(struct peer *p)
{
	if (p->state == LIVE && p->cp) {
		log_info("component.gone", "name=%.*s", STR_ARG(p->cp->name));
		component_detach(p->core, p->cp);
	}
	p->state = CLOSED;
	if (p->conn)
		conn_close(p->conn);
	p->conn = NULL;
	timer_cancel(&p->core->shard->loop, &p->timer);
	list_del(&p->in_core.in_core);
	p->gone.run = on_gone;
	loop_defer(&p->core->shard->loop, &p->gone);
}

/* ---- out ---- */

static void say(struct peer *p, struct str bytes)
{
	if (p->conn)
		conn_write(p->conn, bytes);
}

static void write_open(struct peer *p)
{
	struct str id = random_token(core_arena(p->core), STREAM_ID_BYTES);
	struct buf b = { 0 };

	must(id.n < sizeof(p->id));
	memcpy(p->id, id.p, id.n);
	p->id[id.n] = '\0';
	buf_printf(&b, "<?xml version='1.0'?><stream:stream xmlns='" NS_COMPONENT "' xmlns:stream='" NS_STREAM "' id='%s' from='", p->id);
	xml_escape(&b, p->cp ? p->cp->name : p->core->env->domain);
	buf_puts(&b, "'>");
	say(p, buf_view(&b));
	buf_free(&b);
	p->opened = true;
}

static void fail(struct peer *p, const char *condition)
{
	struct buf b = { 0 };

	if (p->state == CLOSED)
		return;
	if (!p->opened)
		write_open(p);
	buf_printf(&b, "<stream:error><%s xmlns='" NS_STREAM_ERRORS "'/></stream:error></stream:stream>", condition);
	say(p, buf_view(&b));
	buf_free(&b);
	metric_add(M_STREAM_ERRORS, 1);
	log_warning("component.error", "name=%.*s peer=%.*s condition=%s next=\"its stream is closed\"",
		STR_ARG(p->cp ? p->cp->name : STR_NONE), STR_ARG(p->conn ? conn_peer(p->conn) : STR_NONE), condition);
	end(p);
}

static void ops_send(void *link, struct str head, struct str tail)
{
	struct peer *p = link;

	say(p, head);
	say(p, tail);
}

static size_t ops_pending(void *link)
{
	struct peer *p = link;

	return p->conn ? conn_out_pending(p->conn) : 0;
}

static const struct component_ops ops = { ops_send, ops_pending };

/* ---- head and handshake ---- */

static void on_head(struct peer *p, const struct xml *head)
{
	struct arena *a = core_arena(p->core);
	struct str to = xml_get(head, "to"), name;
	const char *condition = NULL;

	if (!str_is(head->ns, NS_STREAM) || !str_is(xml_get(head, "xmlns"), NS_COMPONENT))
		condition = "invalid-namespace";
	else if (!str_is(head->name, "stream"))
		condition = "bad-format";
	else if (!to.n || to.n > NAME_TEXT_MAX || jid_nameprep(a, to, &name) || !(p->cp = component_of(p->core, jid_trust(name))))
		condition = "host-unknown";
	else if (p->cp->live)
		condition = "conflict";
	else if (!throttle_may_try(p->core, THROTTLE_ADDRESS, conn_peer(p->conn)))
		condition = "policy-violation";
	write_open(p);
	if (condition)
		fail(p, condition);
	else
		p->state = HANDSHAKE;
}

/* Lower-case hexadecimal SHA-1 of stream id and secret. */
static bool is_proof(const struct peer *p, struct str given)
{
	struct arena *a = core_arena(p->core);
	struct str text = arena_printf(a, "%s%.*s", p->id, STR_ARG(p->cp->secret));
	uint8_t digest[HASH_MAX];

	hash(HASH_SHA1, text, digest);
	wipe((void *)text.p, text.n);
	return equal_ct(given, hex_encode(a, (struct str){ (const char *)digest, hash_size(HASH_SHA1) }));
}

static void pull(struct peer *p);

/* In the home shard. */
static void on_moved(struct shard *s, struct conn *conn, void *owner)
{
	struct peer *p = owner;

	(void)conn;
	p->core = s->core;
	p->state = HANDSHAKE;
	list_push(&p->core->links, &p->in_core.in_core);
	if (p->core->closing) {
		fail(p, "system-shutdown");
		return;
	}
	if (component_attach(p->core, p->cp, &ops, p)) {
		fail(p, "conflict");
		return;
	}
	p->state = LIVE;
	p->heard_ms = p->core->shard->loop.now_ms;
	xml_reader_limits(p->reader, &XML_LIMITS_STREAM);
	timer_set(&p->core->shard->loop, &p->timer, option_ms(p, "limits.idle"));
	say(p, STR("<handshake/>"));
	log_info("component.connected", "name=%.*s peer=%.*s", STR_ARG(p->cp->name), STR_ARG(conn_peer(p->conn)));
	privilege_attached(p->core, p->cp);
	delegation_attached(p->core, p->cp);
	pull(p);
}

static void on_handshake(struct peer *p, const struct xml *el)
{
	if (!xml_is(el, "handshake", NS_COMPONENT) || !is_proof(p, str_trim(xml_text_of(core_arena(p->core), el)))) {
		throttle_failed(THROTTLE_ADDRESS, conn_peer(p->conn));
		metric_add(M_LOGINS_FAILED, 1);
		fail(p, "not-authorized");
		return;
	}
	p->state = MOVING;
	timer_cancel(&p->core->shard->loop, &p->timer);
	list_del(&p->in_core.in_core);
	conn_move(p->conn, p->cp->home, on_moved);
}

/* ---- in ---- */

static void on_element(struct peer *p, struct xml *el)
{
	static const struct {
		int error;
		const char *condition;
	} table[] = {
		{ -EINVAL, "unsupported-stanza-type" },
		{ -EACCES, "invalid-from" },
		{ -EDESTADDRREQ, "improper-addressing" },
	};
	int err;

	if (p->state == HANDSHAKE) {
		on_handshake(p, el);
		return;
	}
	err = component_receive(p->core, p->cp, el);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (err == table[i].error)
			fail(p, table[i].condition);
}

static void on_xml_error(struct peer *p, int error)
{
	static const struct {
		int error;
		const char *condition;
	} table[] = {
		{ -EBADMSG, "not-well-formed" }, { -EPERM, "restricted-xml" }, { -EMSGSIZE, "policy-violation" },
		{ -EILSEQ, "unsupported-encoding" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].error == error)
			fail(p, table[i].condition);
	fail(p, "bad-format"); /* the first of them counts */
}

static void handle(struct peer *p, const struct xml_event *ev)
{
	switch (ev->kind) {
	case XML_STREAM_OPEN: on_head(p, ev->el); break;
	case XML_STANZA: on_element(p, ev->el); break;
	case XML_STREAM_CLOSE:
		say(p, STR("</stream:stream>"));
		end(p);
		break;
	case XML_ERROR: on_xml_error(p, ev->error); break;
	case XML_SPACE:
	case XML_NONE: break;
	}
}

/* Takes events until the input is used up, the stream ends, or the connection moves: then what is left goes along in the reader. */
static void pull(struct peer *p)
{
	struct arena *a = core_arena(p->core);
	struct xml_event ev = { .kind = XML_SPACE };

	while (ev.kind != XML_NONE && p->state != CLOSED && p->state != MOVING) {
		struct arena_mark mark = arena_mark(a);

		xml_reader_next(p->reader, a, &ev);
		handle(p, &ev);
		arena_release(a, mark);
	}
	if (p->state == MOVING)
		xml_reader_keep_input(p->reader);
}

static void on_data(struct conn *conn, struct str bytes)
{
	struct peer *p = conn_owner(conn);

	p->heard_ms = p->core->shard->loop.now_ms;
	p->pinged = false;
	xml_reader_feed(p->reader, bytes);
	pull(p);
}

static void on_close(struct conn *conn, int err)
{
	struct peer *p = conn_owner(conn);

	(void)err;
	p->conn = NULL;
	end(p);
}

static const struct conn_handler handler = { .on_data = on_data, .on_close = on_close };

/* ---- silence ---- */

/* Every entity answers a request, with an error at least (RFC 6120 §8.2.3). */
static void ping(struct peer *p)
{
	struct arena *a = core_arena(p->core);
	struct stanza st;

	stanza_new(a, ST_IQ, IQ_GET, &st);
	st.id = random_token(a, 9);
	st.from = jid_trust(p->cp->host->domain);
	xml_add(a, st.el, "ping", NS_PING);
	component_tell(p->core, p->cp, &st);
	stanza_fini(&st);
	p->pinged = true;
}

static void on_timer(struct timer *t)
{
	struct peer *p = container_of(t, struct peer, timer);
	uint64_t quiet = p->core->shard->loop.now_ms - p->heard_ms, idle = option_ms(p, "limits.idle");

	if (p->state != LIVE || p->pinged) {
		fail(p, "connection-timeout");
	} else if (quiet + idle / 100 < idle) {
		timer_set(&p->core->shard->loop, t, idle - quiet);
	} else {
		ping(p);
		timer_set(&p->core->shard->loop, t, option_ms(p, "limits.idle_grace"));
	}
}

static void on_shutdown(struct core_link *l)
{
	fail(container_of(l, struct peer, in_core), "system-shutdown");
}

void component_accept(struct shard *s, struct conn *conn)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	p->conn = conn;
	p->core = s->core;
	p->reader = xml_reader_new(&XML_LIMITS_UNAUTH);
	p->timer.on_time = on_timer;
	p->in_core.shutdown = on_shutdown;
	list_push(&p->core->links, &p->in_core.in_core);
	timer_set(&s->loop, &p->timer, option_ms(p, "limits.auth_timeout"));
	conn_handler_set(conn, &handler, p);
}
