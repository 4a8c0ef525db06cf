/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SCRAM messages of the server's side, RFC 5802 §5-§7. Keys and proofs are in scram_keys.c.
 *
 *   client-first   gs2-flag "," [ "a=" authzid ] "," [ "m=" ... ] "n=" username "," "r=" nonce *( "," extension )
 *   server-first   "r=" nonces "," "s=" salt "," "i=" iterations [ ",h=" hash ] [ ",t=" TLS version ]
 *   client-final   "c=" base64(gs2 data) "," "r=" nonces *( "," extension ) "," "p=" proof
 *   server-final   "v=" signature  or  "e=" error */
#include "crypto/scram.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/must.h"
#include "base/utf8.h"
#include "crypto/random.h"

enum { STEP_FIRST, STEP_CHALLENGE, STEP_FINAL, STEP_OVER };

static const struct {
	const char *condition; /* RFC 6120 §6.5 */
	const char *error;     /* RFC 5802 §7, server-error-value */
} statuses[SCRAM_STATUS_COUNT] = {
	[SCRAM_MALFORMED] = { "malformed-request", "other-error" },
	[SCRAM_EXTENSION] = { "malformed-request", "extensions-not-supported" },
	[SCRAM_ENCODING] = { "incorrect-encoding", "invalid-encoding" },
	[SCRAM_BINDING_FLAG] = { "malformed-request", "channel-binding-not-supported" },
	[SCRAM_DOWNGRADE] = { "not-authorized", "server-does-support-channel-binding" },
	[SCRAM_BINDING_TYPE] = { "not-authorized", "unsupported-channel-binding-type" },
	[SCRAM_BINDING_DATA] = { "not-authorized", "channel-bindings-dont-match" },
	[SCRAM_NONCE] = { "not-authorized", "other-error" },
	/* One answer for a wrong password and an unknown user. */
	[SCRAM_PROOF] = { "not-authorized", "invalid-proof" },
};

const char *scram_condition(enum scram_status status)
{
	must((unsigned)status < SCRAM_STATUS_COUNT);
	return statuses[status].condition;
}

void scram_server_init(struct scram_server *s, enum hash_alg alg, bool plus, bool plus_offered)
{
	*s = (struct scram_server){ .alg = alg, .plus = plus, .plus_offered = plus_offered };
}

void scram_server_fini(struct scram_server *s)
{
	buf_free(&s->gs2);
	buf_free(&s->auth);
	buf_free(&s->nonce);
	wipe(s, sizeof(*s));
}

/* Takes `k=value` up to the next comma off *rest. Returns false when something else stands there. */
static bool take(struct str *rest, char k, struct str *out_value)
{
	struct str field;

	if (rest->n < 2 || rest->p[0] != k || rest->p[1] != '=')
		return false;
	field = str_cut(*rest, ',', rest);
	*out_value = (struct str){ field.p + 2, field.n - 2 };
	return true;
}

/* attr-val *( "," attr-val ) with letters as names; m= only ever comes first and is not for us. */
static enum scram_status check_extensions(struct str rest)
{
	while (rest.p) {
		struct str field = str_cut(rest, ',', &rest);

		if (field.n < 3 || field.p[1] != '=' || (field.p[0] | 32) < 'a' || (field.p[0] | 32) > 'z')
			return SCRAM_MALFORMED;
		if (field.p[0] == 'm')
			return SCRAM_EXTENSION;
	}
	return SCRAM_OK;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other "=" may stand. */
static bool decode_name(struct arena *a, struct str in, struct str *out)
{
	char *p = arena_alloc(a, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '=') {
			p[n++] = in.p[i];
			continue;
		}
		if (str_starts((struct str){ in.p + i, in.n - i }, STR("=2C")))
			p[n++] = ',';
		else if (str_starts((struct str){ in.p + i, in.n - i }, STR("=3D")))
			p[n++] = '=';
		else
			return false;
		i += 2;
	}
	p[n] = 0;
	*out = (struct str){ p, n };
	return n > 0;
}

static bool is_cb_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = c | 32;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-')
			return false;
	}
	return s.n > 0;
}

/* printable: %x21-2B / %x2D-7E; a comma never gets here. */
static bool is_nonce(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0 && s.n <= SCRAM_NONCE_MAX;
}

/* gs2-cbind-flag, RFC 5802 §6: which flag fits which mechanism. */
static enum scram_status read_flag(struct scram_server *s, struct str flag)
{
	struct str type;

	if (str_is(flag, "n") || str_is(flag, "y")) {
		if (s->plus)
			return SCRAM_BINDING_FLAG;
		return flag.p[0] == 'y' && s->plus_offered ? SCRAM_DOWNGRADE : SCRAM_OK;
	}
	if (!take(&flag, 'p', &type) || !is_cb_name(type))
		return SCRAM_MALFORMED;
	if (!s->plus)
		return SCRAM_BINDING_FLAG;
	if (type.n >= sizeof(s->cb_type))
		return SCRAM_BINDING_TYPE;
	memcpy(s->cb_type, type.p, type.n);
	s->cb_type[type.n] = 0;
	return SCRAM_OK;
}

enum scram_status scram_server_first(struct scram_server *s, struct arena *a, struct str message, struct str *out_username,
	struct str *out_authzid)
{
	struct str rest, flag, field, username, nonce, authzid = STR_NONE, bare;
	enum scram_status status;

	if (s->step != STEP_FIRST || message.n > SCRAM_MESSAGE_MAX || !utf8_valid(message) ||
		!message.n || memchr(message.p, 0, message.n))
		return SCRAM_MALFORMED;
	flag = str_cut(message, ',', &rest);
	status = read_flag(s, flag);
	if (status)
		return status;
	if (!rest.p)
		return SCRAM_MALFORMED;
	field = str_cut(rest, ',', &bare);
	if (!bare.p || (field.n && (!str_starts(field, STR("a=")) ||
		!decode_name(a, (struct str){ field.p + 2, field.n - 2 }, &authzid))))
		return SCRAM_MALFORMED;
	if (str_starts(bare, STR("m=")))
		return SCRAM_EXTENSION;
	rest = bare;
	if (!take(&rest, 'n', &field) || !decode_name(a, field, &username) || !take(&rest, 'r', &nonce) || !is_nonce(nonce))
		return SCRAM_MALFORMED;
	status = check_extensions(rest);
	if (status)
		return status;
	buf_put(&s->gs2, message.p, (size_t)(bare.p - message.p));
	buf_str(&s->auth, bare);
	buf_str(&s->nonce, nonce);
	s->step = STEP_CHALLENGE;
	*out_username = username;
	*out_authzid = authzid;
	return SCRAM_OK;
}

enum scram_status scram_server_challenge(struct scram_server *s, struct arena *a, struct str nonce, const struct scram_keys *keys,
	struct str advertised, struct str *out_message)
{
	struct str salt, first;
	uint8_t digest[HASH_MAX];

	must(s->step == STEP_CHALLENGE && keys->alg == s->alg && nonce.n);
	s->keys = *keys;
	salt = base64_encode(a, scram_salt(keys));
	buf_str(&s->nonce, nonce);
	first = arena_printf(a, "r=%.*s,s=%.*s,i=%u", STR_ARG(buf_view(&s->nonce)), STR_ARG(salt), keys->iterations);
	if (advertised.p) {
		hash(s->alg, advertised, digest);
		first = arena_printf(a, "%.*s,h=%s", STR_ARG(first),
			base64_encode(a, (struct str){ (char *)digest, hash_size(s->alg) }).p);
	}
	if (s->tls_version)
		first = arena_printf(a, "%.*s,t=%s", STR_ARG(first), s->tls_version);
	buf_putc(&s->auth, ',');
	buf_str(&s->auth, first);
	s->step = STEP_FINAL;
	*out_message = first;
	return SCRAM_OK;
}

/* c= must repeat the gs2 header and, for -PLUS, the data of this very channel. */
static enum scram_status check_binding(struct scram_server *s, struct arena *a, struct str c, struct str cb_data)
{
	struct str got, want = buf_view(&s->gs2);

	if (base64_decode(a, c, &got) < 0)
		return SCRAM_ENCODING;
	if (s->plus) {
		if (!cb_data.n)
			return SCRAM_BINDING_TYPE;
		buf_str(&s->gs2, cb_data);
		want = buf_view(&s->gs2);
	}
	return equal_ct(got, want) ? SCRAM_OK : SCRAM_BINDING_DATA;
}

/* Tries every password of the account, also when one fits already: the time says nothing. */
static bool check_proofs(struct scram_server *s, struct str proof, uint8_t *out_signature)
{
	struct scram_keys k = s->keys;
	uint8_t signature[HASH_MAX];
	bool right = scram_proof_check(&k, buf_view(&s->auth), proof, out_signature);

	s->matched = 0;
	for (size_t i = 0; i < s->others_n; i++) {
		memcpy(k.stored_key, s->others[i].stored_key, sizeof(k.stored_key));
		memcpy(k.server_key, s->others[i].server_key, sizeof(k.server_key));
		if (!scram_proof_check(&k, buf_view(&s->auth), proof, signature) || right)
			continue;
		memcpy(out_signature, signature, sizeof(signature));
		s->matched = i + 1;
		right = true;
	}
	wipe(&k, sizeof(k));
	return right;
}

/* Splits client-final at its last field, which must be the proof. */
static bool cut_proof(struct str message, struct str *out_without, struct str *out_proof)
{
	const char *at = message.n ? memrchr(message.p, ',', message.n) : NULL;
	size_t n;

	if (!at)
		return false;
	n = (size_t)(at - message.p);
	*out_without = (struct str){ message.p, n };
	*out_proof = (struct str){ at + 1, message.n - n - 1 };
	return take(out_proof, 'p', out_proof);
}

static enum scram_status check_final(struct scram_server *s, struct arena *a, struct str message, struct str cb_data, uint8_t *out_signature)
{
	struct str without, proof_text, proof, rest, c, r;
	enum scram_status status;

	if (s->step != STEP_FINAL || message.n > SCRAM_MESSAGE_MAX || !utf8_valid(message) ||
		!cut_proof(message, &without, &proof_text))
		return SCRAM_MALFORMED;
	rest = without;
	if (str_starts(rest, STR("m=")))
		return SCRAM_EXTENSION;
	if (!take(&rest, 'c', &c) || !take(&rest, 'r', &r))
		return SCRAM_MALFORMED;
	status = check_extensions(rest);
	if (!status)
		status = check_binding(s, a, c, cb_data);
	if (status)
		return status;
	if (!equal_ct(r, buf_view(&s->nonce)))
		return SCRAM_NONCE;
	if (base64_decode(a, proof_text, &proof) < 0)
		return SCRAM_ENCODING;
	buf_putc(&s->auth, ',');
	buf_str(&s->auth, without);
	return check_proofs(s, proof, out_signature) ? SCRAM_OK : SCRAM_PROOF;
}

enum scram_status scram_server_final(struct scram_server *s, struct arena *a, struct str message, struct str cb_data, struct str *out_message)
{
	uint8_t signature[HASH_MAX];
	enum scram_status status = check_final(s, a, message, cb_data, signature);

	s->step = STEP_OVER;
	if (status)
		*out_message = arena_printf(a, "e=%s", statuses[status].error);
	else
		*out_message = arena_printf(a, "v=%s", base64_encode(a, (struct str){ (char *)signature, hash_size(s->alg) }).p);
	return status;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends a sorted copy of the list, joined by %x1E. */
static void put_sorted(struct arena *a, struct buf *out, const char *const *list)
{
	const char **sorted;
	size_t n = 0;

	while (list[n])
		n++;
	sorted = arena_alloc(a, (n + 1) * sizeof(*sorted));
	memcpy(sorted, list, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_bytes);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(out, '\x1e');
		buf_puts(out, sorted[i]);
	}
}

struct str scram_advertised(struct arena *a, const char *const *mechanisms, const char *const *cb_types)
{
	struct buf out = { 0 };
	struct str s;

	put_sorted(a, &out, mechanisms);
	if (cb_types) {
		buf_putc(&out, '\x1f');
		put_sorted(a, &out, cb_types);
	}
	s = arena_str(a, buf_view(&out));
	buf_free(&out);
	return s;
}
