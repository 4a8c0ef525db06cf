/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Applications that ask for access: a client_id is what the application said of itself, signed; so nothing is stored for strangers. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/grant.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"
#include "crypto/random.h"

enum { MAC_BYTES = 32 };

static bool plain_text(struct str s, size_t max)
{
	if (!s.n || s.n > max || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

/* What follows "SCHEME://" up to the path; empty: none. */
static struct str authority_of(struct str uri)
{
	struct str rest, none;

	str_cut(uri, ':', &rest);
	if (!str_starts(rest, STR("//")))
		return STR_NONE;
	rest = (struct str){ rest.p + 2, rest.n - 2 };
	return str_cut(str_cut(rest, '/', &none), '?', &none);
}

/* No names in front of the host (RFC 3986 §3.2.1): who reads the address would take them for the host. */
static bool authority_ok(struct str authority)
{
	return !authority.n || !memchr(authority.p, '@', authority.n);
}

/* "http://127.0.0.1", "http://[::1]", "http://localhost", and what follows the host; p NULL: not of the loopback. */
static struct str behind_loopback(struct str uri)
{
	static const char *const hosts[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct str host = str_of(hosts[i]), rest = { uri.p + host.n, uri.n - host.n };

		if (str_starts(uri, host) && (!rest.n || rest.p[0] == ':' || rest.p[0] == '/'))
			return rest;
	}
	return STR_NONE;
}

/* RFC 8252 §7.1: a private scheme is a reversed domain name, "com.example.app:/…"; so no "javascript" and no "data". */
static bool private_scheme(struct str uri)
{
	struct str rest, scheme = str_cut(uri, ':', &rest);
	bool dot = false;

	for (size_t i = 0; i < scheme.n; i++) {
		char c = scheme.p[i];

		if (c == '.')
			dot = true;
		else if (!(c >= 'a' && c <= 'z') && !(i && ((c >= '0' && c <= '9') || c == '-')))
			return false;
	}
	return dot && rest.n && rest.p[0] == '/';
}

static struct str without_port(struct str rest)
{
	size_t i = 0;

	if (rest.n && rest.p[0] == ':')
		for (i = 1; i < rest.n && rest.p[i] >= '0' && rest.p[i] <= '9'; i++)
			;
	return (struct str){ rest.p + i, rest.n - i };
}

static bool is_path(struct str rest)
{
	return !rest.n || rest.p[0] == '/';
}

static bool uri_ok(struct str uri)
{
	struct str loopback;

	if (!plain_text(uri, GRANT_URI_MAX) || memchr(uri.p, '#', uri.n) || memchr(uri.p, ' ', uri.n) || memchr(uri.p, '"', uri.n) ||
		memchr(uri.p, '<', uri.n) || memchr(uri.p, '\\', uri.n))
		return false;
	for (size_t i = 0; i < uri.n; i++)
		if ((unsigned char)uri.p[i] >= 0x80)
			return false;
	if (!authority_ok(authority_of(uri)))
		return false;
	loopback = behind_loopback(uri);
	if (loopback.p)
		return is_path(without_port(loopback));
	return (str_starts(uri, STR("https://")) && authority_of(uri).n) || private_scheme(uri);
}

static void sign(const struct accounts *ac, struct str claims, uint8_t out[MAC_BYTES])
{
	struct str key = { (const char *)ac->secret, sizeof(ac->secret) };
	struct buf text = { 0 };

	buf_put(&text, "oauth-client", 13);
	buf_str(&text, claims);
	hmac(HASH_SHA256, key, buf_view(&text), out);
	buf_free(&text);
}

int grant_register(struct accounts *ac, struct arena *a, const struct grant_client *c, struct str *out_client_id)
{
	json_t *uris = json_array(), *j;
	struct buf id = { 0 };
	uint8_t mac[MAC_BYTES];
	char *text;
	int err = plain_text(c->name, GRANT_NAME_MAX) ? 0 : -EINVAL;

	for (size_t i = 0; i < c->uris_n && !err; i++) {
		err = uri_ok(c->uris[i]) ? 0 : -EDOM;
		json_array_append_new(uris, json_stringn(c->uris[i].p, c->uris[i].n));
	}
	if (!c->uris_n && !err)
		err = -EDOM;
	if (err) {
		json_decref(uris);
		return err;
	}
	j = json_pack("{s:s%, s:o}", "name", c->name.p, c->name.n, "redirect_uris", uris);
	text = json_dumps(j, JSON_COMPACT);
	must(text);
	sign(ac, str_of(text), mac);
	buf_put(&id, mac, sizeof(mac));
	buf_puts(&id, text);
	*out_client_id = base64url_encode(a, buf_view(&id));
	buf_free(&id);
	free(text);
	json_decref(j);
	return 0;
}

int grant_client_read(struct accounts *ac, struct arena *a, struct str client_id, struct grant_client *out)
{
	struct str raw, claims;
	uint8_t mac[MAC_BYTES];
	json_t *j, *uri;
	size_t i;

	if (client_id.n > GRANT_CLIENT_MAX || base64url_decode(a, client_id, &raw) || raw.n <= MAC_BYTES)
		return -EACCES;
	claims = (struct str){ raw.p + MAC_BYTES, raw.n - MAC_BYTES };
	sign(ac, claims, mac);
	if (!equal_ct((struct str){ raw.p, MAC_BYTES }, (struct str){ (const char *)mac, sizeof(mac) }))
		return -EACCES;
	j = json_loadb(claims.p, claims.n, 0, NULL);
	*out = (struct grant_client){ .name = arena_str(a, str_of(json_string_value(json_object_get(j, "name")))) };
	json_array_foreach(json_object_get(j, "redirect_uris"), i, uri)
		if (out->uris_n < GRANT_URIS_MAX)
			out->uris[out->uris_n++] = arena_str(a, str_of(json_string_value(uri)));
	json_decref(j);
	return 0;
}

bool grant_redirect_ok(const struct grant_client *c, struct str uri)
{
	struct str behind = uri.n <= GRANT_URI_MAX && uri.n ? behind_loopback(uri) : STR_NONE;

	for (size_t i = 0; i < c->uris_n; i++) {
		struct str known = behind_loopback(c->uris[i]);

		if (str_eq(uri, c->uris[i]))
			return true;
		if (behind.p && known.p && known.p - c->uris[i].p == behind.p - uri.p &&
			memcmp(uri.p, c->uris[i].p, (size_t)(known.p - c->uris[i].p)) == 0 && uri_ok(uri) &&
			str_eq(without_port(known), without_port(behind)))
			return true;
	}
	return false;
}
