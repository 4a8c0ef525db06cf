/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* From authenticated to bound: RFC 6120 §7, XEP-0386 1.1.0, XEP-0198 1.6.3 elements. */
#ifndef XMPP_BIND_H
#define XMPP_BIND_H

#include "core/user.h"
#include "xmpp/stream.h"

extern const struct session_ops stream_session_ops;

/* <iq><bind/></iq> of an authenticated stream; other elements are answered as RFC 6120 §7.1 says. */
void bind_element(struct stream *st, struct xml *el);
/* <resume/> on its own. */
void bind_resume_element(struct stream *st, struct xml *el);
/* XEP-0198 elements of a bound stream. */
void bind_sm_element(struct stream *st, struct xml *el);
/* Inline parts of SASL2 for a loaded user: adds <resumed/>, <failed/>, <bound/> to success. ends: first and last
 * archive ids, for <bound/>. Returns the session now attached or NULL;
 * *out_replay is set when unacknowledged stanzas are to be sent again after success. */
struct session *bind_inline(struct stream *st, struct user *u, const struct xml *request, struct xml *success,
	const struct archive_page *ends, bool *out_replay);
/* The session that a request wants to resume, or NULL: its received stanzas must be on disk before bind_inline (the caller waits). */
struct session *bind_resumable(struct user *u, const struct xml *resume);

#endif
