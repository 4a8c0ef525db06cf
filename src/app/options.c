/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options of the process as a whole, and those of the features with them. */
#include "app/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "features/features.h"
#include "loop/shard.h"
#include "xmpp/s2s.h"

enum { OPTION_TABLES_MAX = 100 };

const struct option app_options[] = {
	{ "shards", OPT_INT, "0", 0, SHARDS_MAX, NULL, "Threads that serve connections; 0 is one per processor." },
	{ "server.domain", OPT_STRING, "localhost", 0, 0, NULL,
		"The domain of all addresses: the part behind the @. Set it once, before the first account." },
	{ "hosts", OPT_STRING, "", 0, 0, NULL,
		"Further domains of this server, each with accounts and services of its own: `b.example,c.example`." },
	{ "server.name", OPT_STRING, "Anser", 0, 0, NULL, "What people call this server; shown by the web client." },
	{ "listen.c2s", OPT_STRING, "*:5222", 0, 0, NULL,
		"ADDRESS:PORT for XMPP clients with STARTTLS; * is every address, empty is off." },
	{ "listen.c2s_tls", OPT_STRING, "*:5223", 0, 0, NULL, "ADDRESS:PORT for XMPP clients with direct TLS; empty is off." },
	{ "listen.https", OPT_STRING, "*:8443", 0, 0, NULL,
		"ADDRESS:PORT for the web client, WebSocket, uploads and API; empty is off." },
	{ "listen.component", OPT_STRING, "", 0, 0, NULL,
		"ADDRESS:PORT for components (XEP-0114), without TLS: keep it on this machine, as 127.0.0.1:5347; empty is off." },
	{ "listen.s2s", OPT_STRING, "", 0, 0, NULL,
		"ADDRESS:PORT for other servers (usually *:5269); empty: no federation, in neither direction." },
	{ "listen.s2s_tls", OPT_STRING, "", 0, 0, NULL, "ADDRESS:PORT for other servers with direct TLS (usually *:5270)." },
	{ "tls.certificate", OPT_STRING, "", 0, 0, NULL,
		"PEM file with the certificate chain; empty makes a self-signed one in the data directory." },
	{ "tls.key", OPT_STRING, "", 0, 0, NULL, "PEM file with the private key of tls.certificate." },
	{ "tls.directory", OPT_STRING, "", 0, 0, NULL,
		"Directory with HOST.crt and HOST.key of further hosts; without them tls.certificate if it covers the name, else a "
		"self-signed one." },
	{ "log.level", OPT_ENUM, "info", 0, 0, "error warning info debug", "What goes to the log: this level and worse." },
	{ "log.format", OPT_ENUM, "text", 0, 0, "text json", "Form of a log line." },
	{ "limits.enabled", OPT_BOOL, "true", 0, 0, NULL,
		"Rate limits per address and account. Limits of size always hold." },
	{ "limits.auth_timeout", OPT_TIME, "60s", 1000, 600000, NULL,
		"How long a client may take to sign in; then its connection is closed." },
	{ "limits.idle", OPT_TIME, "10m", 1000, 86400000, NULL,
		"Silence after which a client is asked for a sign of life." },
	{ "limits.idle_grace", OPT_TIME, "60s", 1000, 3600000, NULL,
		"How long the client may take to give it; then its session waits to be resumed, or ends." },
	{ "registration.open", OPT_BOOL, "false", 0, 0, NULL, "Anybody may create an account, without an invitation." },
	{ "upload.max_bytes", OPT_SIZE, "100M", 1 << 10, 1LL << 40, NULL, "Largest file that may be uploaded." },
	{ "upload.quota_bytes", OPT_SIZE, "2G", 1 << 10, 1LL << 50, NULL, "All uploaded files of one account together." },
	{ "metrics.public", OPT_BOOL, "false", 0, 0, NULL,
		"Everybody may read /metrics; otherwise only this machine (loopback addresses)." },
	{ "web.public_url", OPT_STRING, "", 0, 0, NULL,
		"https://HOST[:PORT] where browsers reach this server; empty derives it from domain and listen.https." },
	{ "web.addresses", OPT_STRING, "", 0, 0, NULL,
		"IP addresses under which the internet reaches this server, with spaces between: host-meta.json tells them (XEP-0487)." },
	{ "bosh.enabled", OPT_BOOL, "true", 0, 0, NULL, "XMPP over HTTP requests (BOSH) at /http-bind of listen.https." },
	{ "bosh.origins", OPT_STRING, "*", 0, 0, NULL,
		"Origins (https://HOST) whose pages may use BOSH in browsers, with spaces between; * is every one, empty is the server's own." },
	{ "bosh.inactivity", OPT_TIME, "60s", 1000, 600000, NULL,
		"How long a BOSH client may leave no request open; then its session waits to be resumed, or ends." },
	{ "fetch.allow_private", OPT_BOOL, "false", 0, 0, NULL,
		"Let the server ask push services and hooks at loopback and private addresses." },
	{ "fetch.ca", OPT_STRING, "", 0, 0, NULL, "PEM file with more authorities that such services may be certified by." },
	{ "store.backend", OPT_ENUM, "sqlite", 0, 0, "sqlite memory",
		"Where data is kept; memory forgets everything at the end." },
	{ NULL },
};

struct config *options_new(void)
{
	const struct option *tables[OPTION_TABLES_MAX + 1] = { app_options, s2s_options };
	size_t n = 2;

	for (const struct feature *const *f = features; *f; f++) {
		if (!(*f)->options)
			continue;
		must(n < OPTION_TABLES_MAX);
		tables[n++] = (*f)->options;
	}
	return config_new(tables);
}

static int refuse(char *err, size_t err_n, const char *sentence)
{
	snprintf(err, err_n, "%s", sentence);
	return -EINVAL;
}

/* Does each word begin with a URI's scheme (RFC 3986 §3.1)? */
static bool are_uris(const char *words)
{
	while (*words) {
		size_t word = strcspn(words, " "), scheme = strspn(words, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

		if (word && (scheme == 0 || scheme + 1 >= word || words[scheme] != ':'))
			return false;
		words += word + (words[word] == ' ');
	}
	return true;
}

static bool are_addresses(const char *list)
{
	struct str rest = str_of(list);
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN];

	while (rest.n) {
		struct str one = str_cut(rest, ' ', &rest);

		if (one.n >= sizeof(text))
			return false;
		snprintf(text, sizeof(text), "%.*s", STR_ARG(one));
		if (one.n && inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
			return false;
	}
	return true;
}

static const char *const uri_options[] = {
	"contact.abuse", "contact.admin", "contact.feedback", "contact.sales", "contact.security", "contact.status", "contact.support",
	"contact.outage",
};

int options_check(const struct config *c, char *err, size_t err_n)
{
	const char *url = config_str(c, "web.public_url");

	for (size_t i = 0; i < ARRAY_LEN(uri_options); i++) {
		if (are_uris(config_str(c, uri_options[i])))
			continue;
		snprintf(err, err_n, "%s holds URIs such as mailto:NAME@HOST or https://HOST/, separated by spaces", uri_options[i]);
		return -EINVAL;
	}
	if (!config_str(c, "server.domain")[0])
		return refuse(err, err_n, "server.domain must not be empty");
	if (!config_str(c, "tls.certificate")[0] != !config_str(c, "tls.key")[0])
		return refuse(err, err_n, "tls.certificate and tls.key go together: set both or none");
	if (!are_addresses(config_str(c, "web.addresses")))
		return refuse(err, err_n, "web.addresses must be IP addresses with spaces between");
	if (url[0] && (strncmp(url, "https://", 8) != 0 || !url[8] || url[strlen(url) - 1] == '/'))
		return refuse(err, err_n, "web.public_url must be https://HOST or https://HOST:PORT, without a / at its end");
	return 0;
}
