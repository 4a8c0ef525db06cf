/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* To the features, in the user's own shard. */
#include "core/unseen.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/feature.h"

struct unseen_mail {
	struct mail mail;
	struct blob *packed;
	struct str account; /* own bytes */
};

void unseen(struct user *u, struct session *s, struct stanza *st)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_unseen)
			(*f)->on_unseen(u, s, st);
}

static void mail_free(struct mail *m)
{
	struct unseen_mail *um = container_of(m, struct unseen_mail, mail);

	blob_unref(um->packed);
	free((void *)um->account.p);
	free(um);
}

static void on_user(struct user *u, void *arg)
{
	struct unseen_mail *um = arg;
	struct stanza st;

	if (u && u->state == USER_READY && !stanza_unpack(blob_view(um->packed), &st)) {
		if (!user_blocks(u, st.from))
			unseen(u, NULL, &st);
		stanza_fini(&st);
	}
	mail_free(&um->mail);
}

static void on_mail(struct shard *s, struct mail *m)
{
	struct unseen_mail *um = container_of(m, struct unseen_mail, mail);

	user_with(s->core, um->account, on_user, um);
}

static const struct mail_kind MAIL_UNSEEN = { .name = "unseen", .handle = on_mail, .discard = mail_free };

void unseen_by(struct core *c, struct jid account, struct stanza *st)
{
	struct unseen_mail *um = mem_alloc(sizeof(*um));

	*um = (struct unseen_mail){ .mail.kind = &MAIL_UNSEEN, .packed = stanza_pack(st),
		.account = { str_dup(jid_bare_str(account)), jid_bare_len(account) } };
	if (shard_post(core_shard_of(c, um->account), &um->mail))
		mail_free(&um->mail);
}
