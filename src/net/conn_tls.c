/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TLS of a connection on OpenSSL, straight on the socket. Read-ahead takes many records in one system call; bytes that
 * stay inside OpenSSL are asked for by conn_tls_has_more wherever reading stops or the connection changes its shard. */
#include <errno.h>
#include <openssl/err.h>

#include "base/log.h"
#include "net/conn_priv.h"
#include "net/tls_priv.h"

/* Errors of an earlier call on this thread must not be taken for ours. */
static void clear_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* Turns the end of an SSL call into -errno; 0 is an orderly close. */
static int ssl_result(struct conn *c, int rc)
{
	int saved = errno, err = SSL_get_error(c->ssl, rc);

	switch (err) {
	case SSL_ERROR_WANT_READ: return -EAGAIN;
	case SSL_ERROR_WANT_WRITE: c->in_blocked = true; return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: ERR_clear_error(); return saved ? -saved : -ECONNRESET;
	default:
		err = ERR_GET_REASON(ERR_peek_error());
		log_debug("tls.error", "peer=%.*s reason=%d", STR_ARG(conn_peer(c)), err);
		ERR_clear_error();
		return err == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -ECONNRESET : -EPROTO;
	}
}

int conn_tls_begin(struct conn *c)
{
	bool as_client = c->client != NULL;
	SSL *ssl = as_client ? c->client : SSL_new(c->tls->ssl);

	c->client = NULL;
	if (!ssl || SSL_set_fd(ssl, c->watch.fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return -ENOMEM;
	}
	if (as_client)
		c->in_blocked = true; /* we speak first: as soon as the socket takes it */
	else
		SSL_set_accept_state(ssl);
	c->ssl = ssl;
	return 0;
}

int conn_tls_handshake(struct conn *c)
{
	const unsigned char *alpn;
	unsigned int alpn_n;
	int rc;

	clear_errors();
	errno = 0;
	rc = SSL_do_handshake(c->ssl);
	if (rc != 1) {
		rc = ssl_result(c, rc);
		return rc ? rc : -ECONNRESET;
	}
	SSL_get0_alpn_selected(c->ssl, &alpn, &alpn_n);
	c->alpn = (uint8_t)tls_alpn((struct str){ (const char *)alpn, alpn_n });
	return 0;
}

ssize_t conn_tls_read(struct conn *c, char *p, size_t n)
{
	size_t got;

	clear_errors();
	errno = 0;
	if (SSL_read_ex(c->ssl, p, n, &got) == 1)
		return (ssize_t)got;
	return ssl_result(c, 0);
}

ssize_t conn_tls_write(struct conn *c, const char *p, size_t n)
{
	bool in_blocked = c->in_blocked;
	size_t took;
	int rc;

	clear_errors();
	errno = 0;
	if (SSL_write_ex(c->ssl, p, n, &took) == 1)
		return (ssize_t)took;
	rc = ssl_result(c, 0);
	c->in_blocked = in_blocked; /* the output waits, not the input */
	return rc ? rc : -EPIPE;
}

bool conn_tls_has_more(const struct conn *c)
{
	return SSL_has_pending(c->ssl) == 1;
}

void conn_tls_shutdown(struct conn *c)
{
	clear_errors();
	SSL_shutdown(c->ssl);
	clear_errors();
}

void conn_tls_free(struct conn *c)
{
	SSL_free(c->ssl);
	SSL_free(c->client);
	c->ssl = c->client = NULL;
	tls_ctx_unref(c->tls);
	c->tls = NULL;
}

/* ---- public ---- */

int conn_start_tls(struct conn *c, struct tls_ctx *ctx)
{
	if (c->ssl || c->tls_wanted || c->move)
		return -EALREADY;
	if (c->dead || c->state != CONN_OPEN)
		return -ENOTCONN;
	c->tls = tls_ctx_ref(ctx);
	if (conn_has_out(c)) {
		c->tls_wanted =
			true; /* the plain <proceed/> leaves first; nothing is read meanwhile */
		conn_work(c);
	} else {
		int rc = conn_tls_begin(c);

		if (rc)
			return rc;
		c->handshaking = true;
	}
	conn_arm(c);
	if (!c->calls)
		conn_rewatch(c);
	return 0;
}

bool conn_is_tls(const struct conn *c)
{
	return c->ssl && !c->handshaking;
}

enum conn_alpn conn_tls_alpn(const struct conn *c)
{
	return c->alpn;
}

const char *conn_tls_version(const struct conn *c)
{
	return conn_is_tls(c) ? SSL_get_version(c->ssl) : NULL;
}

const char *conn_tls_sni(const struct conn *c)
{
	return c->ssl ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
}

/* Does the handshake's transcript go into the keys (RFC 9266 §2)? */
static bool is_bindable(const struct conn *c)
{
	return conn_is_tls(c) &&
		(SSL_version(c->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(c->ssl) == 1);
}

int conn_tls_unique(struct conn *c, struct arena *a, struct str *out)
{
	char finished[EVP_MAX_MD_SIZE];
	size_t n = is_bindable(c) ? SSL_get_peer_finished(c->ssl, finished, sizeof(finished)) : 0;

	if (!n || n > sizeof(finished))
		return -ENOTSUP;
	*out = arena_str(a, (struct str){ finished, n });
	return 0;
}

int conn_tls_exporter(struct conn *c, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	int rc;

	if (!is_bindable(c))
		return -ENOTSUP;
	rc = SSL_export_keying_material(c->ssl, out, 32, label, sizeof(label) - 1, NULL, 0, 1);
	clear_errors();
	return rc == 1 ? 0 : -ENOTSUP;
}

int conn_tls_end_point(struct conn *c, struct arena *a, struct str *out)
{
	const struct tls_ctx *ctx = conn_is_tls(c) ? tls_presented(c->ssl) : NULL;

	if (!ctx || !ctx->end_point_n)
		return -ENOTSUP;
	*out = arena_str(a, (struct str){ (const char *)ctx->end_point, ctx->end_point_n });
	return 0;
}
