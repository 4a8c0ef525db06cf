/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of OAuth share. */
#ifndef HTTP_OAUTH_H
#define HTTP_OAUTH_H

#include "http/exchange.h"

#define OAUTH_SCOPE "xmpp:client:normal"

enum { OAUTH_FORM_MAX = 12 << 10 /* bytes of a form */ };

/* Takes the body of a form, then runs. Answers 415 when it is none. In handle only. */
void oauth_take_form(struct exchange *x, void (*run)(struct exchange *x, struct str form));

/* Answers 404 where the operator wants none of it (access.oauth). */
bool oauth_is_off(struct exchange *x);

#endif
