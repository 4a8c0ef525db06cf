/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SCRAM, the server's side: RFC 5802, RFC 7677 (SHA-256), the same for SHA-512; -PLUS with any channel binding; XEP-0474 0.5.0,
 * XEP-0515 0.1.0.
 * Sans-I/O: nonce, keys and channel-binding data are arguments. State survives the arena, so that keys may be looked up meanwhile.
 * Left out on purpose: extensions that are mandatory for the client (m=).
 *
 *   scram_server_init → client-first → scram_server_first → (caller looks keys up) → scram_server_challenge → server-first
 *                     → client-final → scram_server_final → server-final → scram_server_fini */
#ifndef CRYPTO_SCRAM_H
#define CRYPTO_SCRAM_H

#include "base/buf.h"
#include "base/arena.h"
#include "crypto/hash.h"

enum {
	SCRAM_SALT_BYTES = 16,	  /* of keys that are made here */
	SCRAM_SALT_MAX = 64,	  /* of keys that another server made */
	SCRAM_MESSAGE_MAX = 4096, /* bytes of a client's message */
	SCRAM_NONCE_MAX = 512,	  /* bytes of the client's nonce */
	SCRAM_NONCE_BYTES = 18,	  /* random bytes for ours */
};

/* What is stored of a password. Plain data: may be copied and compared. */
struct scram_keys {
	enum hash_alg alg;
	uint32_t iterations;
	uint8_t salt_n; /* bytes of salt; 0: SCRAM_SALT_BYTES */
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[HASH_MAX], server_key[HASH_MAX]; /* hash_size(alg) bytes used, the rest zero */
};

static inline struct str scram_salt(const struct scram_keys *k)
{
	return (struct str){ (const char *)k->salt, k->salt_n ? k->salt_n : SCRAM_SALT_BYTES };
}

/* Makes keys of a SASLprep'ed password with a fresh salt. Slow: call it in the pool. */
void scram_keys_derive(enum hash_alg alg, uint32_t iterations, struct str password, struct scram_keys *out);
/* The same with hash, iterations and salt of other keys. */
void scram_keys_derive_like(const struct scram_keys *like, struct str password, struct scram_keys *out);
/* The same with a given salt of SCRAM_SALT_BYTES. */
void scram_keys_derive_with(enum hash_alg alg, uint32_t iterations, struct str password, const uint8_t *salt, struct scram_keys *out);
/* The same from SaltedPassword (RFC 5802 §3), hash_size(alg) bytes, which a client sent (XEP-0480). Fast. */
void scram_keys_of_salted(enum hash_alg alg, uint32_t iterations, const uint8_t *salt, const uint8_t *salted, struct scram_keys *out);
/* Keys that no password opens, always the same for a name: an unknown user looks like a known one. */
void scram_keys_fake(enum hash_alg alg, uint32_t iterations, struct str secret, struct str username, struct scram_keys *out);
/* Checks a plain password against keys (SASL PLAIN). Slow: call it in the pool. */
bool scram_keys_match(const struct scram_keys *k, struct str password);
/* Checks ClientProof over an AuthMessage; writes hash_size bytes of ServerSignature if it is right. */
bool scram_proof_check(const struct scram_keys *k, struct str auth_message, struct str proof, uint8_t *out_signature);

enum scram_status {
	SCRAM_OK,
	SCRAM_MALFORMED,       /* not a SCRAM message, too long, or out of order */
	SCRAM_EXTENSION,       /* m= asks for an extension */
	SCRAM_ENCODING,	       /* bad base64 */
	SCRAM_BINDING_FLAG,    /* flag against the mechanism: p without -PLUS, n or y with it */
	SCRAM_DOWNGRADE,       /* y although -PLUS was offered: somebody removed it on the way */
	SCRAM_BINDING_TYPE,    /* a channel-binding type that has no data here */
	SCRAM_BINDING_DATA,    /* header or data are not those of this channel */
	SCRAM_NONCE,	       /* not our nonce */
	SCRAM_PROOF,	       /* wrong password, or unknown user */
	SCRAM_STATUS_COUNT
};

/* The SASL failure condition of RFC 6120 §6.5 ("malformed-request", "not-authorized", "incorrect-encoding"), NULL for SCRAM_OK. */
const char *scram_condition(enum scram_status status);

/* Another password of the same account, with the salt and iterations of the first: one challenge serves all. */
struct scram_other {
	uint8_t stored_key[HASH_MAX], server_key[HASH_MAX];
};

struct scram_server {
	enum hash_alg alg;
	bool plus, plus_offered;
	const char *tls_version;	  /* XEP-0515: "0304"; NULL: none is told. Set before the challenge, borrowed */
	const struct scram_other *others; /* set before client-final, borrowed */
	size_t others_n;
	size_t matched;			  /* after SCRAM_OK: 0 the keys of the challenge, else 1 + index of others */
	uint8_t step;		 /* 0 new, 1 client-first read, 2 challenge sent, 3 over */
	char cb_type[32];	 /* channel-binding type that the client chose ("tls-exporter"); empty without -PLUS */
	struct buf gs2;		 /* the client's header, to be repeated in c= */
	struct buf auth;	 /* AuthMessage as far as exchanged */
	struct buf nonce;	 /* the client's, then both */
	struct scram_keys keys;
};

/* plus: a -PLUS mechanism was chosen. plus_offered: this stream offered at least one. */
void scram_server_init(struct scram_server *s, enum hash_alg alg, bool plus, bool plus_offered);
void scram_server_fini(struct scram_server *s); /* wipes keys; takes a zeroed one too */

/* Reads client-first. The names are decoded, in the arena, as the client wrote them: authzid is NONE when absent. */
enum scram_status scram_server_first(struct scram_server *s, struct arena *a, struct str message, struct str *out_username, struct str *out_authzid);
/* Writes server-first into the arena. nonce: SCRAM_NONCE_BYTES or more random bytes as base64url. keys: copied; real or fake ones.
 * advertised: XEP-0474's string of mechanisms and channel-binding types as scram_advertised makes it, or NONE for no h=. */
enum scram_status scram_server_challenge(struct scram_server *s, struct arena *a, struct str nonce, const struct scram_keys *keys,
	struct str advertised, struct str *out_message);
/* Checks client-final. cb_data: data of s->cb_type, NONE when this channel has none. On SCRAM_OK out is server-final; on failure
 * it is the `e=` form, for profiles that send it. */
enum scram_status scram_server_final(struct scram_server *s, struct arena *a, struct str message, struct str cb_data, struct str *out_message);

/* XEP-0474 §5.1 steps 1-4. Both lists end with NULL; cb_types is NULL when the stream did not advertise any (XEP-0440). */
struct str scram_advertised(struct arena *a, const char *const *mechanisms, const char *const *cb_types);

#endif
