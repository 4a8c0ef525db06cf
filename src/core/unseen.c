/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* To the features, in the user's own shard. */
#include "core/unseen.h"

#include "core/feature.h"

void unseen(struct user *u, struct session *s, struct stanza *st)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_unseen)
			(*f)->on_unseen(u, s, st);
}
