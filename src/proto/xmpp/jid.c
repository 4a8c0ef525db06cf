/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Addresses: RFC 7622 §3 with the stringprep profiles of RFC 6122 (nodeprep, nameprep, resourceprep) by libidn.
 * ASCII needs no table of Unicode and never reaches libidn. */
#include "proto/xmpp/jid.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idna.h>
#include <stdlib.h>
#include <stringprep.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

enum {
	LABEL_MAX = 63, /* RFC 1035 §2.3.4 */
	PREP_ROOM = 4 * JID_PART_MAX, /* normalising may lengthen before it is refused */
};

enum {
	NODE = 1 << 0, /* stays as it is in a localpart */
	LDH = 1 << 1, /* stays as it is in a domain label */
	RESOURCE = 1 << 2, /* stays as it is in a resource */
	UPPER = 1 << 3, /* is folded in localpart and domain */
};

/* RFC 6122 appendix A.5: the localpart has none of "&'/:<>@ nor a space. */
static const unsigned char CLASS[256] = {
	[' '] = RESOURCE,
	['!'] = NODE | RESOURCE,
	['"'] = RESOURCE,
	['#' ... '%'] = NODE | RESOURCE,
	['&' ... '\''] = RESOURCE,
	['(' ... ','] = NODE | RESOURCE,
	['-'] = NODE | LDH | RESOURCE,
	['.'] = NODE | RESOURCE,
	['/'] = RESOURCE,
	['0' ... '9'] = NODE | LDH | RESOURCE,
	[':'] = RESOURCE,
	[';'] = NODE | RESOURCE,
	['<'] = RESOURCE,
	['='] = NODE | RESOURCE,
	['>'] = RESOURCE,
	['?'] = NODE | RESOURCE,
	['@'] = RESOURCE,
	['A' ... 'Z'] = RESOURCE | UPPER,
	['[' ... '`'] = NODE | RESOURCE,
	['a' ... 'z'] = NODE | LDH | RESOURCE,
	['{' ... '~'] = NODE | RESOURCE,
};

static unsigned char class_of(char c)
{
	return CLASS[(unsigned char)c];
}

static bool all_of(struct str s, unsigned char mask)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(class_of(s.p[i]) & mask))
			return false;
	return true;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] & 0x80)
			return false;
	return true;
}

static struct str lower(struct arena *a, struct str in)
{
	char *p = arena_alloc(a, in.n + 1);

	for (size_t i = 0; i < in.n; i++)
		p[i] = (char)(class_of(in.p[i]) & UPPER ? in.p[i] | 0x20 : in.p[i]);
	p[in.n] = 0;
	return (struct str){ p, in.n };
}

static bool fits(struct str s)
{
	return s.n > 0 && s.n <= JID_PART_MAX;
}

/* One profile over non-ASCII text. The result must be stable, so that equal addresses are equal bytes for ever. */
static int prep(struct arena *a, struct str in, const Stringprep_profile *profile, struct str *out)
{
	char once[PREP_ROOM], twice[PREP_ROOM];

	if (!fits(in) || !in.p || memchr(in.p, 0, in.n) || !utf8_valid(in))
		return -EBADMSG;
	memcpy(once, in.p, in.n);
	once[in.n] = 0;
	if (stringprep(once, sizeof(once), 0, profile) != STRINGPREP_OK)
		return -EBADMSG;
	memcpy(twice, once, strlen(once) + 1);
	if (stringprep(twice, sizeof(twice), 0, profile) != STRINGPREP_OK ||
		strcmp(once, twice) != 0)
		return -EBADMSG;
	if (!fits(str_of(once)))
		return -EBADMSG;
	*out = arena_str(a, str_of(once));
	return 0;
}

int jid_nodeprep(struct arena *a, struct str in, struct str *out)
{
	if (!is_ascii(in))
		return prep(a, in, stringprep_xmpp_nodeprep, out);
	if (!fits(in) || !all_of(in, NODE | UPPER))
		return -EBADMSG;
	*out = lower(a, in);
	return 0;
}

int jid_resourceprep(struct arena *a, struct str in, struct str *out)
{
	if (!is_ascii(in))
		return prep(a, in, stringprep_xmpp_resourceprep, out);
	if (!fits(in) || !all_of(in, RESOURCE))
		return -EBADMSG;
	*out = arena_str(a, in);
	return 0;
}

static bool label_is_ldh(struct str label)
{
	return label.n > 0 && label.n <= LABEL_MAX && all_of(label, LDH) && label.p[0] != '-' &&
		label.p[label.n - 1] != '-';
}

/* The A-label of a U-label that went through nameprep; malloc'ed, NULL if it has none (too long, not LDH). */
static char *to_a_label(const char *label)
{
	char *out = NULL;

	if (idna_to_ascii_8z(label, &out, IDNA_USE_STD3_ASCII_RULES | IDNA_ALLOW_UNASSIGNED) !=
			IDNA_SUCCESS ||
		!label_is_ldh(str_of(out))) {
		free(out);
		return NULL;
	}
	return out;
}

/* RFC 7622 §3.2.1: an A-label is turned into its U-label; one that does not come back the same is no A-label. */
static int from_a_label(struct arena *a, struct str label, struct str *out)
{
	char *u = NULL, *back = NULL;
	int err = -EBADMSG;

	label = arena_str(a, label);
	if (idna_to_unicode_8z8z(label.p, &u, IDNA_USE_STD3_ASCII_RULES | IDNA_ALLOW_UNASSIGNED) ==
			IDNA_SUCCESS &&
		!is_ascii(str_of(u)) && utf8_valid(str_of(u)))
		back = to_a_label(u);
	if (back && strcmp(back, label.p) == 0)
		err = prep(a, str_of(u), stringprep_nameprep, out);
	free(u);
	free(back);
	return err;
}

static int label_prep(struct arena *a, struct str label, struct str *out)
{
	char *ascii;
	int err;

	if (!is_ascii(label)) {
		err = prep(a, label, stringprep_nameprep, &label);
		if (err)
			return err;
	}
	if (is_ascii(label)) {
		label = lower(a, label);
		if (!label_is_ldh(label))
			return -EBADMSG;
		*out = label;
		return str_starts(label, STR("xn--")) ? from_a_label(a, label, out) : 0;
	}
	for (size_t i = 0; i < label.n; i++)
		if (!(label.p[i] & 0x80) && !(class_of(label.p[i]) & LDH))
			return -EBADMSG;
	ascii = to_a_label(label.p);
	if (!ascii)
		return -EBADMSG;
	free(ascii);
	*out = label;
	return 0;
}

/* Bytes of the label separator at s[at]: the full stop, and the three that RFC 3490 §3.1 counts as one; 0 for others. */
static size_t separator(struct str s, size_t at)
{
	static const char *const wide[] = { "\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1" };

	if (s.p[at] == '.')
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if (s.n - at >= 3 && memcmp(s.p + at, wide[i], 3) == 0)
			return 3;
	return 0;
}

static int ipv6_prep(struct arena *a, struct str in, struct str *out)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (in.n < 4 || in.n - 2 >= sizeof(text) || in.p[in.n - 1] != ']')
		return -EBADMSG;
	memcpy(text, in.p + 1, in.n - 2);
	text[in.n - 2] = 0;
	if (strlen(text) != in.n - 2 || inet_pton(AF_INET6, text, &address) != 1)
		return -EBADMSG;
	must(inet_ntop(AF_INET6, &address, text, sizeof(text)));
	*out = arena_printf(a, "[%s]", text);
	return 0;
}

int jid_nameprep(struct arena *a, struct str in, struct str *out)
{
	char text[PREP_ROOM];
	size_t n = 0, from = 0, sep;
	struct str label;

	if (!fits(in))
		return -EBADMSG;
	if (in.p[0] == '[')
		return ipv6_prep(a, in, out);
	for (size_t at = 0; at <= in.n; at++) {
		sep = at < in.n ? separator(in, at) : 0;
		if (at < in.n && !sep)
			continue;
		/* RFC 7622 §3.2: a final separator is not part of the name. */
		if (at == in.n && from == in.n && n)
			break;
		if (label_prep(a, (struct str){ in.p + from, at - from }, &label) != 0)
			return -EBADMSG;
		if (n + 1 + label.n > JID_PART_MAX)
			return -EBADMSG;
		if (n)
			text[n++] = '.';
		memcpy(text + n, label.p, label.n);
		n += label.n;
		from = at + sep;
		at = sep ? from - 1 : at;
	}
	*out = arena_str(a, (struct str){ text, n });
	return 0;
}

/* Dots between labels, hyphens not at their ends: enough for a domain that is lower-case ASCII already. */
static bool domain_is_plain(struct str s)
{
	size_t label = 0;

	if (!fits(s))
		return false;
	for (size_t i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (!(class_of(s.p[i]) & LDH))
				return false;
			continue;
		}
		if (!label_is_ldh((struct str){ s.p + label, i - label }) ||
			(i - label > 4 && memcmp(s.p + label, "xn--", 4) == 0))
			return false;
		label = i + 1;
	}
	return true;
}

/* RFC 7622 §3.1: the resource begins at the first slash; before it, the localpart ends at the first at-sign. */
static struct jid split(struct str full, bool *out_slash)
{
	const char *slash = full.n ? memchr(full.p, '/', full.n) : NULL;
	size_t bare = slash ? (size_t)(slash - full.p) : full.n;
	const char *sign = bare ? memchr(full.p, '@', bare) : NULL;
	size_t node = sign ? (size_t)(sign - full.p) : 0;

	*out_slash = slash;
	return (struct jid){ full, (uint16_t)node, (uint16_t)(bare - (sign ? node + 1 : 0)) };
}

int jid_parse(struct arena *a, struct str text, struct jid *out)
{
	struct str node = STR_NONE, domain, resource = STR_NONE;
	struct jid j;
	bool slash;

	if (!text.n || text.n > 3 * JID_PART_MAX + 2)
		return -EBADMSG;
	j = split(text, &slash);
	node = jid_node(j);
	domain = jid_domain(j);
	/* "@domain" leaves a domain that begins with the sign, which is refused below. */
	if (slash)
		resource = (struct str){ domain.p + domain.n + 1, text.n - jid_bare_len(j) - 1 };
	if (node.n <= JID_PART_MAX && all_of(node, NODE) && domain_is_plain(domain) &&
		(!slash || fits(resource)) && all_of(resource, RESOURCE)) {
		j.full = arena_str(a, text);
		*out = j;
		return 0;
	}
	if ((node.n && jid_nodeprep(a, node, &node) != 0) ||
		jid_nameprep(a, domain, &domain) != 0 ||
		(slash && jid_resourceprep(a, resource, &resource) != 0))
		return -EBADMSG;
	*out = jid_make(a, node, domain, resource);
	return 0;
}

struct jid jid_trust(struct str full)
{
	bool slash;

	return split(full, &slash);
}

struct jid jid_make(struct arena *a, struct str node, struct str domain, struct str resource)
{
	size_t n = (node.n ? node.n + 1 : 0) + domain.n + (resource.n ? resource.n + 1 : 0);
	char *full, *p;

	must(domain.n && node.n <= JID_PART_MAX && domain.n <= JID_PART_MAX &&
		resource.n <= JID_PART_MAX);
	full = p = arena_alloc(a, n + 1);
	if (node.n) {
		p = mempcpy(p, node.p, node.n);
		*p++ = '@';
	}
	p = mempcpy(p, domain.p, domain.n);
	if (resource.n) {
		*p++ = '/';
		p = mempcpy(p, resource.p, resource.n);
	}
	*p = 0;
	return (struct jid){ { full, n }, (uint16_t)node.n, (uint16_t)domain.n };
}

struct jid jid_dup(struct jid j)
{
	j.full.p = mem_dup(j.full.p, j.full.n);
	return j;
}

struct jid jid_copy(struct arena *a, struct jid j)
{
	j.full = arena_str(a, j.full);
	return j;
}

int jid_domain_to_ascii(struct arena *a, struct str domain, struct str *out)
{
	struct str text = arena_str(a, domain);
	bool ascii = true;
	char *label;

	for (size_t i = 0; i < text.n; i++)
		ascii = ascii && (unsigned char)text.p[i] < 0x80;
	if (ascii) {
		*out = text;
		return 0;
	}
	if (idna_to_ascii_8z(text.p, &label, IDNA_USE_STD3_ASCII_RULES | IDNA_ALLOW_UNASSIGNED) != IDNA_SUCCESS)
		return -EBADMSG;
	*out = arena_str(a, str_of(label));
	free(label);
	return 0;
}
