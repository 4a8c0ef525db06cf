/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 1.6.1 §4: counters of handled stanzas. */
#include "proto/xmpp/sm.h"

#include <errno.h>

uint32_t sm_distance(uint32_t from, uint32_t to)
{
	return to - from;
}

int sm_ack(uint32_t acked, uint32_t sent, uint32_t h, uint32_t *out_n)
{
	uint32_t n = sm_distance(acked, h);

	if (n > sm_distance(acked, sent))
		return -ERANGE;
	*out_n = n;
	return 0;
}
