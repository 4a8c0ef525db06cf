/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Authentication exchanges: mechanisms in one table; two profiles wrap them, RFC 6120 §6 and XEP-0388 1.0.4. */
#ifndef XMPP_SASL_H
#define XMPP_SASL_H

#include "crypto/scram.h"
#include "xmpp/stream.h"

/* How a profile says things. All base64 is done by the exchange. */
struct sasl_profile {
	void (*challenge)(struct stream *st, struct str base64);
	void (*success)(struct stream *st, struct str base64); /* base64.p NULL: no additional data. In the user's shard */
	void (*failure)(struct stream *st, const char *condition, const char *text);
};

struct mechanism;

/* An exchange; lives until success or failure. */
struct auth {
	const struct mechanism *mech;
	const struct sasl_profile *profile;
	struct scram_server scram;
	char *name;	 /* localpart that wants to be authenticated */
	char *request;	 /* SASL2: the whole <authenticate/>, for its inline parts */
	char *additional; /* base64 of the last server message; NULL: none */
	bool fast_invalidate, fast_rotate; /* XEP-0484: the token is to die; a new one is due */
};

/* Begins an exchange. initial.p NULL: the client sends nothing first. fast: only token mechanisms are allowed. Takes request. */
void sasl_start(struct stream *st, const struct sasl_profile *p, struct str mechanism, struct str initial_base64, char *request, bool fast);
void sasl_response(struct stream *st, struct str base64);
void sasl_abort(struct stream *st);
void sasl_auth_free(struct auth *a);

/* Names offered on this stream, strongest first. fast: the token mechanisms. */
void sasl_mechanisms(struct stream *st, struct arena *a, struct xml *parent, const char *ns, bool fast);
void sasl_channel_bindings(struct stream *st, struct arena *a, struct xml *features);
bool sasl_fast_known(struct str mechanism);

/* Elements. */
void sasl1_element(struct stream *st, struct xml *el);
void sasl2_element(struct stream *st, struct xml *el);

#endif
