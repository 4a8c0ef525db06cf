/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Authentication exchanges: mechanisms in one table; two profiles wrap them, RFC 6120 §6 and XEP-0388 1.0.4.
 *   sasl.c        mechanisms and the exchange
 *   sasl_offer.c  what a stream offers before authentication; XEP-0440, XEP-0474, XEP-0509
 *   sasl_task.c   tasks between the mechanism and success (SASL2): the second factor, XEP-0480
 *   sasl1.c, sasl2.c  the profiles */
#ifndef XMPP_SASL_H
#define XMPP_SASL_H

#include "account/signin.h"
#include "crypto/scram.h"
#include "xmpp/stream.h"

/* How a profile says things. All base64 is done by the exchange. */
struct sasl_profile {
	void (*challenge)(struct stream *st, struct str base64);
	void (*success)(struct stream *st, struct str base64); /* base64.p NULL: no additional data. In the user's shard */
	void (*failure)(struct stream *st, const char *condition, const char *text);
	bool tasks; /* more may be asked for after the mechanism */
};

enum binding { BIND_NONE, BIND_EXPORTER, BIND_END_POINT };

struct mechanism {
	const char *name;
	enum hash_alg alg;
	bool plus;	       /* SCRAM with channel binding */
	bool fast;	       /* token mechanism */
	enum binding binding; /* of a token mechanism */
	void (*first)(struct stream *st, struct str message);
	void (*next)(struct stream *st, struct str message); /* NULL: one message only */
	bool grants;	       /* for what an owner granted: the operator may want none */
};
extern const struct mechanism sasl_table[]; /* strongest first; ends with name NULL */

/* What was shown. */
enum sasl_shown { SHOWN_NOTHING, SHOWN_PASSWORD, SHOWN_APP_PASSWORD, SHOWN_TOKEN, SHOWN_GRANT };

struct task;

/* An exchange; lives until success or failure. */
struct auth {
	const struct mechanism *mech;
	const struct sasl_profile *profile;
	struct scram_server scram;
	struct signin *in; /* SCRAM: what the account can sign in with; NULL */
	char *name;	 /* localpart that wants to be authenticated */
	char *request;	 /* SASL2: the whole <authenticate/>, for its inline parts */
	char *additional; /* base64 of the last server message; NULL: none, or it was sent */
	bool fast_invalidate, fast_rotate; /* XEP-0484: the token is to die; a new one is due */
	enum sasl_shown shown; /* not SHOWN_NOTHING: the mechanism is through */
	bool refused;	       /* OAUTHBEARER: the client was told why, and has to say that it heard */
	bool code_due;	       /* the second factor */
	uint8_t upgrades;      /* XEP-0480: tasks still to come, 1 << enum hash_alg */
	const struct task *task; /* under way; NULL */
};

/* Begins an exchange. initial.p NULL: the client sends nothing first. fast: only token mechanisms are allowed. Takes request. */
void sasl_start(struct stream *st, const struct sasl_profile *p, struct str mechanism, struct str initial_base64, char *request, bool fast);
void sasl_response(struct stream *st, struct str base64);
void sasl_abort(struct stream *st);
void sasl_auth_free(struct auth *a);
/* Ends the exchange with an RFC 6120 §6.5 condition; counts it. */
/* Bare JID of who signs in, in the turn's arena. */
struct str sasl_account(const struct stream *st);
void sasl_fail(struct stream *st, const char *condition, const char *text);
/* Bare JID of who signs in, before success. */
struct str sasl_account(const struct stream *st);
/* Everything that was asked for is there: on to the user's shard and success. */
void sasl_finish(struct stream *st);

/* ---- what is offered ---- */

/* Writes the features of a fresh stream; first it looks up which hashes the account that the head names has. */
void sasl_offer(struct stream *st);
/* Adds all about authentication to stream features. */
void sasl_features(struct stream *st, struct arena *a, struct xml *features);
/* XEP-0509: adds the version of these features, which must be all; call it last. */
void sasl_config_version(struct stream *st, struct arena *a, struct xml *features);
bool sasl_offered(struct stream *st, const struct mechanism *m, bool fast);
bool sasl_fast_known(struct str mechanism);
/* XEP-0474 §5.1: the string that is hashed. */
struct str sasl_advertised(struct stream *st, struct arena *a);
bool sasl_has_binding(struct stream *st);
/* Data of a channel-binding type. Returns 0; -ENOTSUP. */
int sasl_binding_data(struct stream *st, const char *type, struct str *out);

/* ---- tasks ---- */

/* The mechanism is through (auth->shown says with what): asks for the next task, or finishes. */
void sasl_tasks(struct stream *st);
/* Adds <upgrade/> elements to <authentication/>. */
void sasl_upgrades(struct stream *st, struct arena *a, struct xml *authentication);
/* Notes which upgrades <authenticate/> asks for. */
void sasl_upgrades_wanted(struct stream *st, const struct xml *authenticate);
void sasl_task_next(struct stream *st, struct xml *el); /* <next/> */
void sasl_task_data(struct stream *st, struct xml *el);

/* Elements. */
void sasl1_element(struct stream *st, struct xml *el);
void sasl2_element(struct stream *st, struct xml *el);

#endif
