/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Upload slots (XEP-0363 1.1): a signed, dated URL path, so that no state is kept between the IQ and the PUT. */
#ifndef ACCOUNT_SLOT_H
#define ACCOUNT_SLOT_H

#include "account/account.h"

enum { SLOT_MINUTES = 60, SLOT_NAME_MAX = 200 };

struct slot {
	struct str id;	   /* random, base64url, 32 characters: names the file in its URL */
	struct str name;   /* file name as cleaned for a URL segment (not encoded) */
	struct str owner;  /* node of the uploader, or bare JID when it is not of the main domain; for the quota */
	struct str type;   /* media type asked for, may be empty */
	uint64_t size;	   /* exact bytes */
	uint64_t expires_ms;
};

/* Makes id and token for name, owner, type and size. The token goes into the PUT URL or the Authorization header ("Bearer TOKEN"). */
void slot_make(struct accounts *ac, struct arena *a, struct slot *io, struct str *out_token);
/* Checks a token against the id and name of the URL. Returns 0 and the slot; -EACCES forged or not of this URL; -ETIME expired. */
int slot_check(struct accounts *ac, struct arena *a, struct str token, struct str id, struct str name, uint64_t now_wall_ms, struct slot *out);

#endif
