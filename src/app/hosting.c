/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Further domains of this server. */
#include "app/hosting.h"

#include <errno.h>
#include <stdio.h>

#include "app/certificate.h"
#include "base/log.h"
#include "base/must.h"
#include "features/features.h"
#include "proto/xmpp/jid.h"

/* Is name the address of a service of host? */
static bool is_service_of(struct str name, struct str host)
{
	struct str rest, label = str_cut(name, '.', &rest);

	if (!str_eq(rest, host))
		return false;
	for (const struct feature *const *f = features; *f; f++)
		if ((*f)->service && str_is(label, (*f)->service->label))
			return true;
	return false;
}

/* Why the name cannot stand beside the others; NULL when it can. */
static const char *objection(struct str name, const struct str *others, int n)
{
	if (!name.n || memchr(name.p, '@', name.n) || memchr(name.p, '/', name.n) || name.p[0] == '.')
		return "is not a domain name";
	for (int i = 0; i < n; i++) {
		if (str_eq(name, others[i]))
			return "is there twice; server.domain is a host without being named there";
		if (is_service_of(name, others[i]) || is_service_of(others[i], name))
			return "is the address of another host's service, or one of its services is a host";
	}
	return NULL;
}

int hosting_list(const struct config *c, struct arena *a, struct str *out, char *err, size_t err_n)
{
	struct str rest = str_of(config_str(c, "hosts")), v[HOSTS_MAX + 1] = { str_of(config_str(c, "server.domain")) };
	int n = 1;

	while (rest.n) {
		struct str text = str_trim(str_cut(rest, ',', &rest)), name, unused;
		const char *why;

		if (n > HOSTS_MAX - 1) {
			snprintf(err, err_n, "hosts names more than %d domains", HOSTS_MAX - 1);
			return -EINVAL;
		}
		why = jid_nameprep(a, text, &name) ? "is not a domain name" : objection(name, v, n);
		if (why) {
			snprintf(err, err_n, "hosts: \"%.*s\" %s", (int)(text.n < 100 ? text.n : 100), text.p, why);
			return -EINVAL;
		}
		if (jid_domain_to_ascii(a, name, &unused)) {
			snprintf(err, err_n, "hosts: \"%.*s\" has no form in ASCII", (int)(text.n < 100 ? text.n : 100), text.p);
			return -EINVAL;
		}
		v[n++] = arena_str(a, name);
	}
	memcpy(out, v + 1, (size_t)(n - 1) * sizeof(*v));
	return n - 1;
}

int hosting_certificates(const struct config *c, const char *data_dir, struct tls_ctx **out, char *err, size_t err_n)
{
	struct str names[HOSTS_MAX], main = str_of(config_str(c, "server.domain")), name;
	struct tls_ctx *ctx = NULL, *other;
	struct arena a;
	int status, n;

	arena_init(&a);
	n = hosting_list(c, &a, names, err, err_n);
	if (!jid_domain_to_ascii(&a, main, &name))
		main = name;
	status = n < 0 ? n : certificate_load(c, data_dir, main, &ctx, err, err_n);
	if (!status && n)
		tls_ctx_add_name(ctx, main, ctx);
	for (int i = 0; !status && i < n; i++) {
		must(jid_domain_to_ascii(&a, names[i], &name) == 0);
		status = certificate_load_other(c, data_dir, name, ctx, &other, err, err_n);
		if (!status) {
			tls_ctx_add_name(ctx, name, other);
			tls_ctx_unref(other);
		}
	}
	arena_fini(&a);
	if (status)
		tls_ctx_unref(ctx);
	else
		*out = ctx;
	return status;
}

/* The main host's URL with another name in it: "https://main:8443" → "https://NAME:8443". */
static struct str url_of(struct arena *a, struct str main_url, struct str name)
{
	struct str ascii = name;
	const char *colon = main_url.n > 8 ? memrchr(main_url.p + 8, ':', main_url.n - 8) : NULL;
	struct str port = colon ? (struct str){ colon, main_url.n - (size_t)(colon - main_url.p) } : STR_NONE;

	jid_domain_to_ascii(a, name, &ascii);
	return arena_printf(a, "https://%.*s%.*s", STR_ARG(ascii), STR_ARG(port));
}

static void warn_removed(const struct hosts *h, const struct str *names, int n)
{
	for (int i = 1; i < h->n; i++) {
		bool named = false;

		for (int k = 0; k < n; k++)
			named = named || str_eq(h->v[i]->domain, names[k]);
		if (!named)
			log_warning("config.reload", "host=%.*s next=\"is served until the next start\"", STR_ARG(h->v[i]->domain));
	}
}

void hosting_add(struct hosts *h, const struct config *c)
{
	struct str names[HOSTS_MAX];
	char err[300];
	struct arena a;
	int n;

	arena_init(&a);
	n = hosting_list(c, &a, names, err, sizeof(err));
	must(n >= 0); /* the certificates were loaded by it */
	for (int i = 0; i < n; i++) {
		int status = hosts_add(h, names[i], url_of(&a, h->v[0]->web_url, names[i]));

		if (!status)
			log_info("host.added", "host=%.*s", STR_ARG(names[i]));
		else if (status != -EEXIST)
			log_error("host.refused", "host=%.*s error=%d next=\"it is not served; remove others and restart\"",
				STR_ARG(names[i]), -status);
	}
	warn_removed(h, names, n);
	arena_fini(&a);
}

void hosting_keep(const struct hosts *h, struct store *store, struct shard *s)
{
	struct store_batch *b = store_batch_new();
	struct buf list = { 0 };

	for (int i = 1; i < h->n; i++)
		buf_printf(&list, "%s%.*s", i > 1 ? "," : "", STR_ARG(h->v[i]->domain));
	if (list.n)
		store_put(b, STR_NONE, STR("server"), STR("hosts"), buf_view(&list));
	else
		store_del(b, STR_NONE, STR("server"), STR("hosts"));
	if (store_commit(store, s, b, NULL, NULL))
		log_warning("host.list_not_kept", "next=\"commands without a running server do not know the hosts\"");
	buf_free(&list);
}
