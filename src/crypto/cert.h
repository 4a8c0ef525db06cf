/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The self-signed certificate of the first start, and tls-server-end-point of RFC 5929 §4.1. Any thread. */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "base/arena.h"
#include "crypto/hash.h"

enum { CERT_YEARS = 10 };

/* Makes an ECDSA P-256 key and a certificate for domain and its services (conference., upload., pubsub.);
 * localhost also gets the loopback addresses, an address as domain only itself.
 * Returns 0 and both as PEM in the arena; -EINVAL a domain that no certificate can hold; -EIO. */
int cert_self_signed(struct arena *a, struct str domain, struct str *out_cert_pem, struct str *out_key_pem);
/* Channel-binding data of a DER certificate. Returns 0 and up to HASH_MAX bytes; -EBADMSG no certificate;
 * -ENOTSUP when its signature has no single hash (Ed25519), so that this type must not be offered. */
int cert_end_point_hash(struct str der, uint8_t *out, size_t *out_n);

#endif
