/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One thread with a libcurl multi handle: takes requests from a bounded list, posts answers to the shards that asked. */
#include "net/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

enum { POLL_MS = 60000 };

struct transfer {
	struct mail mail;
	struct list link;
	struct fetcher *f;
	struct shard *home;
	CURL *easy;
	struct curl_slist *headers;
	char *method, *url, *host, *owner, *body;
	size_t body_n;
	struct buf answer;
	struct fetch_answer result;
	bool refused; /* the address was not allowed */
	void (*done)(struct shard *s, void *arg, const struct fetch_answer *a);
	void (*drop)(void *arg);
	void *arg;
};

struct fetcher {
	bool allow_private, stop;
	char *ca_file;
	CURLM *multi; /* NULL: not started */
	pthread_t thread;
	pthread_mutex_t lock; /* waiting, queued, stop, starting */
	struct list waiting;
	uint32_t queued; /* waiting and active */
	struct list active; /* of the thread alone */
	uint32_t active_n;
};

/* ---- URLs ---- */

static bool literal_is_public(const char *host)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	char bare[INET6_ADDRSTRLEN + 2];

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return fetch_is_public((const struct sockaddr *)&v4);
	if (host[0] != '[')
		return true;
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(host + 1, "]%"), host + 1);
	return inet_pton(AF_INET6, bare, &v6.sin6_addr) == 1 && fetch_is_public((const struct sockaddr *)&v6);
}

static int parts(const struct fetcher *f, const char *url, char **out_host, char **out_port)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *user = NULL, *host = NULL;
	int err = -EINVAL;

	must(u);
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcmp(scheme, "https") == 0 &&
		curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0])
		err = f->allow_private || literal_is_public(host) ? 0 : -EPERM;
	if (!err) {
		*out_host = host;
		host = NULL;
		*out_port = NULL;
		curl_url_get(u, CURLUPART_PORT, out_port, CURLU_NO_DEFAULT_PORT);
	}
	curl_free(scheme);
	curl_free(user);
	curl_free(host);
	curl_url_cleanup(u);
	return err;
}

int fetch_origin(const struct fetcher *f, struct arena *a, struct str url, struct str *out)
{
	char *host, *port, text[FETCH_URL_MAX + 1];
	int err;

	if (!url.n || url.n > FETCH_URL_MAX)
		return -EINVAL;
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] == 0x7f)
			return -EINVAL; /* printable ASCII: what would have to be escaped is refused */
	snprintf(text, sizeof(text), "%.*s", STR_ARG(url));
	err = parts(f, text, &host, &port);
	if (err)
		return err;
	for (char *p = host; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	*out = port && strcmp(port, "443") != 0 ? arena_printf(a, "https://%s:%s", host, port) : arena_printf(a, "https://%s", host);
	curl_free(host);
	curl_free(port);
	return 0;
}

/* ---- transfers ---- */

static void transfer_free(struct transfer *t)
{
	curl_slist_free_all(t->headers);
	free(t->method);
	free(t->url);
	free(t->host);
	free(t->owner);
	free(t->body);
	buf_free(&t->answer);
	free(t);
}

static void on_answer(struct shard *s, struct mail *m)
{
	struct transfer *t = container_of(m, struct transfer, mail);

	t->done(s, t->arg, &t->result);
	transfer_free(t);
}

static void on_nobody(struct mail *m)
{
	struct transfer *t = container_of(m, struct transfer, mail);

	if (t->drop)
		t->drop(t->arg);
	transfer_free(t);
}

static const struct mail_kind MAIL_ANSWER = {
	.name = "fetch.answer", .handle = on_answer, .discard = on_nobody, .must_arrive = true
};

/* After name resolution, before connecting: the only place where the true address is known. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = arg;

	(void)purpose;
	if (!t->f->allow_private && !fetch_is_public(&to->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (t->answer.n + size * n > FETCH_ANSWER_MAX) {
		t->result.error = -EMSGSIZE;
		return 0;
	}
	buf_put(&t->answer, p, size * n);
	return size * n;
}

static void set_up(struct transfer *t)
{
	CURL *e = t->easy = curl_easy_init();

	must(e);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_URL, t->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_PROXY, ""); /* none of the environment either */
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (t->f->ca_file[0])
		curl_easy_setopt(e, CURLOPT_CAINFO, t->f->ca_file);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)FETCH_CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)FETCH_TOTAL_MS);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "Anser/" ANSER_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	if (t->body) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_n);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->method);
}

static int error_of(const struct transfer *t, CURLcode code)
{
	if (t->result.error)
		return t->result.error;
	if (t->refused)
		return -EPERM;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)
		return -EHOSTUNREACH;
	return code == CURLE_OK ? 0 : -EPROTO;
}

static void post_result(struct transfer *t)
{
	struct fetcher *f = t->f;

	pthread_mutex_lock(&f->lock);
	f->queued--;
	pthread_mutex_unlock(&f->lock);
	t->result.body = buf_view(&t->answer);
	shard_post(t->home, &t->mail); /* t may be gone by now */
}

static void finish(struct transfer *t, CURLcode code)
{
	struct fetcher *f = t->f;
	curl_off_t retry_s = 0;
	long status = 0;

	t->result.error = error_of(t, code);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_s);
	t->result.status = (int)status;
	t->result.retry_ms = retry_s > 0 ? (uint64_t)retry_s * 1000 : 0;
	curl_multi_remove_handle(f->multi, t->easy);
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
	list_del(&t->link);
	f->active_n--;
	post_result(t);
}

/* ---- the thread ---- */

static bool has_to_wait(struct fetcher *f, const struct transfer *next)
{
	struct transfer *t;
	int of_host = 0, of_owner = 0;

	list_each(t, &f->active, link) {
		of_host += strcmp(t->host, next->host) == 0;
		of_owner += next->owner[0] && strcmp(t->owner, next->owner) == 0;
	}
	return of_host >= FETCH_PER_HOST_MAX || of_owner >= FETCH_PER_OWNER_MAX;
}

/* The next request whose host and owner have room; NULL: none. */
static struct transfer *next_waiting(struct fetcher *f)
{
	struct transfer *t, *found = NULL;

	pthread_mutex_lock(&f->lock);
	list_each(t, &f->waiting, link) {
		if (has_to_wait(f, t))
			continue;
		list_del(&t->link);
		found = t;
		break;
	}
	pthread_mutex_unlock(&f->lock);
	return found;
}

static void begin_waiting(struct fetcher *f)
{
	struct transfer *t;

	while (f->active_n < FETCH_ACTIVE_MAX && (t = next_waiting(f))) {
		set_up(t);
		list_push(&f->active, &t->link);
		f->active_n++;
		if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK)
			finish(t, CURLE_FAILED_INIT);
	}
}

static void take_finished(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left))) {
		struct transfer *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(t, code);
	}
}

static bool stopping(struct fetcher *f)
{
	bool stop;

	pthread_mutex_lock(&f->lock);
	stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	int running;

	log_thread("fetch");
	while (!stopping(f)) {
		begin_waiting(f);
		curl_multi_perform(f->multi, &running);
		take_finished(f);
		begin_waiting(f);
		curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
	}
	return NULL;
}

struct fetcher *fetcher_new(const struct fetch_config *cfg)
{
	struct fetcher *f = mem_zalloc(sizeof(*f));

	f->allow_private = cfg->allow_private;
	f->ca_file = mem_strdup(cfg->ca_file ? cfg->ca_file : "");
	list_init(&f->waiting);
	list_init(&f->active);
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

/* With the first request: a server that asks nobody has neither the thread nor what libcurl needs. The lock is held. */
static bool start(struct fetcher *f)
{
	if (f->multi)
		return true;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	f->multi = curl_multi_init();
	must(f->multi);
	if (!pthread_create(&f->thread, NULL, run, f))
		return true;
	curl_multi_cleanup(f->multi);
	f->multi = NULL;
	curl_global_cleanup();
	return false;
}

static void cancel_all(struct list *l, struct fetcher *f)
{
	struct transfer *t;

	list_each(t, l, link) {
		t->result.error = -ECANCELED;
		if (t->easy) {
			finish(t, CURLE_OK);
		} else {
			list_del(&t->link);
			post_result(t);
		}
	}
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_mutex_unlock(&f->lock);
	if (f->multi) {
		curl_multi_wakeup(f->multi);
		pthread_join(f->thread, NULL);
		cancel_all(&f->active, f);
		cancel_all(&f->waiting, f);
		curl_multi_cleanup(f->multi);
		curl_global_cleanup();
	}
	pthread_mutex_destroy(&f->lock);
	free(f->ca_file);
	free(f);
}

int fetch(struct fetcher *f, struct shard *home, const struct fetch_request *r)
{
	struct str origin;
	struct transfer *t;
	int err = fetch_origin(f, shard_arena(home), r->url, &origin);

	if (err)
		return err;
	if (r->body.n > FETCH_BODY_MAX)
		return -EMSGSIZE;
	t = mem_zalloc(sizeof(*t));
	*t = (struct transfer){ .mail.kind = &MAIL_ANSWER, .f = f, .home = home, .method = mem_strdup(r->method), .url = str_dup(r->url),
		.host = str_dup(origin), .owner = str_dup(r->owner.n ? r->owner : STR("")), .done = r->done, .drop = r->drop, .arg = r->arg };
	if (r->body.p) {
		t->body = str_dup(r->body);
		t->body_n = r->body.n;
	}
	for (const char *const *h = r->headers; h && *h; h++)
		t->headers = curl_slist_append(t->headers, *h);
	pthread_mutex_lock(&f->lock);
	if (f->stop || f->queued >= FETCH_QUEUE_MAX || !start(f)) {
		pthread_mutex_unlock(&f->lock);
		transfer_free(t);
		return -EBUSY;
	}
	f->queued++;
	list_push(&f->waiting, &t->link);
	pthread_mutex_unlock(&f->lock);
	curl_multi_wakeup(f->multi);
	return 0;
}
