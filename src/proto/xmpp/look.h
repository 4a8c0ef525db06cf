/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a nickname looks like: two names with the same look are taken for each other by people (XEP-0045, "Denial of Service", 7). Pure. */
#ifndef PROTO_XMPP_LOOK_H
#define PROTO_XMPP_LOOK_H

#include "base/arena.h"

/* Case, width, spaces, invisible characters and accents that stand alone are dropped; letters of other scripts that are drawn as
 * Latin ones become these. nick went through resourceprep. In the arena; never empty for a nick that is not. */
struct str nick_look(struct arena *a, struct str nick);

#endif
