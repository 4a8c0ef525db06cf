/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0059 1.0.1 result set management. */
#include "proto/xmpp/rsm.h"

#include <errno.h>
#include <inttypes.h>

#include "proto/xmpp/ns.h"

/* A number too large to count with asks for more than there is. */
static int number(struct arena *a, const struct xml *el, uint32_t *out)
{
	uint64_t n;
	int err = str_u64(str_trim(xml_text_of(a, el)), UINT32_MAX, &n);

	if (err == -EBADMSG)
		return err;
	*out = err ? UINT32_MAX : (uint32_t)n;
	return 0;
}

int rsm_parse(struct arena *a, const struct xml *query, struct rsm *out)
{
	const struct xml *set = xml_child(query, "set", NS_RSM), *el;
	struct rsm r = { .max = UINT32_MAX };

	if (!set) {
		*out = r;
		return 0;
	}
	r.present = true;
	el = xml_child(set, "max", NULL);
	if (el && number(a, el, &r.max) != 0)
		return -EBADMSG;
	el = xml_child(set, "index", NULL);
	r.has_index = el;
	if (el && number(a, el, &r.index) != 0)
		return -EBADMSG;
	el = xml_child(set, "before", NULL);
	r.has_before = el;
	if (el)
		r.before = xml_text_of(a, el);
	el = xml_child(set, "after", NULL);
	r.has_after = el;
	if (el)
		r.after = xml_text_of(a, el);
	*out = r;
	return 0;
}

void rsm_add(struct arena *a, struct xml *parent, struct str first, struct str last, int64_t index,
	int64_t count)
{
	struct xml *set = xml_add(a, parent, "set", NS_RSM), *el;

	if (first.n) {
		el = xml_add_text(a, set, "first", first);
		if (index >= 0)
			xml_setf(a, el, "index", "%" PRId64, index);
	}
	if (last.n)
		xml_add_text(a, set, "last", last);
	if (count >= 0)
		xml_add_text(a, set, "count", arena_printf(a, "%" PRId64, count));
}
