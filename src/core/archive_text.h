/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an archived message can be found by. */
#ifndef CORE_ARCHIVE_TEXT_H
#define CORE_ARCHIVE_TEXT_H

#include "base/buf.h"

/* For store_config.text: appends the bodies and the subject of a stanza_pack, apart from each other; ids are the stanza's id
 * and its origin-id (XEP-0359). Any thread. */
void archive_text(struct str packed, struct buf *text, struct str ids[2]);

#endif
