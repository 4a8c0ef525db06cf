/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The page on which an account's owner lets somebody else's application in (RFC 6749 §4.1.1, XEP-0493 §5.1.3): one form without scripts, in the
 * browser's language. Whoever sends it must know the password, and the code where there is a second factor; nothing is remembered here. */
#include <errno.h>
#include <stdlib.h>

#include "account/factor.h"
#include "account/grant.h"
#include "account/signin.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/throttle.h"
#include "crypto/random.h"
#include "crypto/totp.h"
#include "http/oauth.h"

enum { STATE_MAX = 1024, CHALLENGE_BYTES = 43 };

/* What the application asks for. Strings of the turn. */
struct ask {
	struct str client_id, redirect, state, challenge;
	struct grant_client client;
};

static const struct words {
	const char *lang, *title, *text, *warning, *back, *name, *password, *code, *code_hint, *allow, *deny, *wrong, *busy, *many, *bad;
} languages[] = {
	{ "en", "Allow access?", "asks for access to your account on", "It may read and write your messages until you revoke it. It cannot "
		"change your password. The name is what the application says of itself.", "You go back to", "Name", "Password", "Code",
		"Only with a second factor", "Allow", "Refuse", "Name, password or code is wrong.", "The server is busy. Try again.",
		"Too many failed attempts, or too many applications. Try again later.",
		"The application asked for something that this server does not do" },
	{ "zh-CN", "允许访问？", "请求访问您的账号，服务器：", "在您撤销之前，它可以读取和发送您的消息，但不能修改密码。应用名称由应用自己提供。",
		"之后返回", "用户名", "密码", "验证码", "仅在启用第二重验证时需要", "允许", "拒绝", "用户名、密码或验证码错误。",
		"服务器繁忙，请重试。", "尝试失败次数过多，或应用过多，请稍后再试。",
		"该应用请求了此服务器不支持的操作" },
};

static const struct words *words_for(struct str accept)
{
	return str_starts(str_trim(accept), STR("zh")) ? &languages[1] : &languages[0];
}

/* ---- the page ---- */

static const char style[] =
	":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:2rem auto;padding:0 1rem}"
	"h1{font-size:1.4rem}label{display:block;margin-top:1rem}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem}"
	"button{font:inherit;padding:.5rem 1.5rem;margin:1.5rem .5rem 0 0}.bad{color:#b00020}@media(prefers-color-scheme:dark){.bad{color:#ff8a80}}";

static void html_escape(struct buf *b, struct str s)
{
	static const struct {
		char c;
		const char *text;
	} table[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };

	for (size_t i = 0; i < s.n; i++) {
		const char *text = NULL;

		for (size_t k = 0; k < ARRAY_LEN(table); k++)
			if (table[k].c == s.p[i])
				text = table[k].text;
		if (text)
			buf_puts(b, text);
		else
			buf_putc(b, s.p[i]);
	}
}

static void hidden(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	html_escape(b, value);
	buf_puts(b, "\">");
}

static void field(struct buf *b, const char *name, const char *label, const char *rest)
{
	buf_printf(b, "<label for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" %s>", name, label, name, name, rest);
}

/* "SCHEME://HOST:PORT", or "SCHEME" where there is no host: what a reader needs to know, and nothing that looks like it. */
static struct str origin_of(struct str uri)
{
	struct str rest, host, scheme = str_cut(uri, ':', &rest);

	if (!str_starts(rest, STR("//")))
		return scheme;
	host = str_cut(str_cut((struct str){ rest.p + 2, rest.n - 2 }, '/', &(struct str){ 0 }), '?', &(struct str){ 0 });
	return (struct str){ uri.p, (size_t)(host.p - uri.p) + host.n };
}

static void page_begin(struct buf *b, const struct words *w, const char *title)
{
	buf_printf(b, "<!doctype html><html lang=\"%s\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
		"<title>%s</title><style>%s</style></head><body><main><h1>%s</h1>", w->lang, title, style, title);
}

/* Takes what b holds. */
static void page_end(struct exchange *x, int status, struct buf *b)
{
	static const struct http_field fields[] = {
		{ "Content-Security-Policy", STR("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'") },
		{ "X-Frame-Options", STR("DENY") },
		{ 0 },
	};

	buf_puts(b, "</main></body></html>");
	exchange_reply(x, status, fields, "text/html; charset=utf-8", buf_view(b));
	buf_free(b);
}

static void page(struct exchange *x, int status, const struct ask *q, const struct words *w, const char *problem)
{
	struct buf b = { 0 };

	page_begin(&b, w, w->title);
	buf_puts(&b, "<p><strong>");
	html_escape(&b, q->client.name);
	buf_printf(&b, "</strong> %s <strong>", w->text);
	html_escape(&b, x->host->domain);
	buf_printf(&b, "</strong></p><p>%s</p><p>%s <strong>", w->warning, w->back);
	html_escape(&b, origin_of(q->redirect));
	buf_puts(&b, "</strong></p>");
	if (problem)
		buf_printf(&b, "<p class=\"bad\" role=\"alert\">%s</p>", problem);
	buf_puts(&b, "<form method=\"post\" action=\"/oauth/authorize\">");
	hidden(&b, "client_id", q->client_id);
	hidden(&b, "redirect_uri", q->redirect);
	hidden(&b, "state", q->state);
	hidden(&b, "code_challenge", q->challenge);
	hidden(&b, "lang", str_of(w->lang));
	field(&b, "name", w->name, "autocomplete=\"username\" autocapitalize=\"none\"");
	field(&b, "password", w->password, "type=\"password\" autocomplete=\"current-password\"");
	field(&b, "code", w->code, "autocomplete=\"one-time-code\"");
	buf_printf(&b, "<small>%s</small><br><button name=\"answer\" value=\"allow\">%s</button><button name=\"answer\" value=\"deny\">%s</button>"
		"</form>", w->code_hint, w->allow, w->deny);
	page_end(x, status, &b);
}

/* ---- back to the application ---- */

static void add(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "%c%s=", memchr(b->p, '?', b->n) ? '&' : '?', name);
	http_percent_encode(b, value);
}

/* RFC 6749 §4.1.2, with iss of RFC 9207. */
static void way_back(struct exchange *x, const struct ask *q, const char *what, struct str value, struct buf *out)
{
	buf_str(out, q->redirect);
	add(out, what, value);
	if (q->state.n)
		add(out, "state", q->state);
	add(out, "iss", x->host->web_url);
}

static void go_back(struct exchange *x, const struct ask *q, const char *what, struct str value)
{
	struct http_field fields[] = { { "Location", STR_NONE }, { 0 } };
	struct buf b = { 0 };

	way_back(x, q, what, value, &b);
	fields[0].value = buf_view(&b);
	exchange_reply(x, 303, fields, NULL, STR_NONE);
	buf_free(&b);
}

/* A bad question (§4.1.2.1). Anybody may register any address: so nobody is sent there unasked, the page has a link (RFC 9700 §4.11.2). */
static void refuse(struct exchange *x, const struct ask *q, const char *error)
{
	const struct words *w = words_for(x->req ? http_header_get(x->req, "accept-language") : STR_NONE);
	struct buf b = { 0 }, back = { 0 };

	way_back(x, q, "error", str_of(error), &back);
	page_begin(&b, w, w->bad);
	buf_printf(&b, "<p>%s</p><p>%s <a rel=\"noreferrer\" href=\"", error, w->back);
	html_escape(&b, buf_view(&back));
	buf_puts(&b, "\">");
	html_escape(&b, origin_of(q->redirect));
	buf_puts(&b, "</a></p>");
	buf_free(&back);
	page_end(x, 400, &b);
}

/* Reads what the application asks for. Who cannot be trusted with a redirection gets an error here (§4.1.2.1). */
static bool read_ask(struct exchange *x, struct str form, struct ask *q)
{
	struct arena *a = shard_arena(x->http->shard);

	*q = (struct ask){ .client_id = http_form_get(a, form, "client_id"), .redirect = http_form_get(a, form, "redirect_uri"),
		.state = http_form_get(a, form, "state"), .challenge = http_form_get(a, form, "code_challenge") };
	if (!q->client_id.n || grant_client_read(x->host->accounts, a, q->client_id, &q->client))
		exchange_error(x, 400, "invalid_client", "This application is not registered here.");
	else if (!grant_redirect_ok(&q->client, q->redirect))
		exchange_error(x, 400, "invalid_redirect_uri", "The application did not register this redirect_uri.");
	else if (q->state.n > STATE_MAX || q->challenge.n != CHALLENGE_BYTES)
		refuse(x, q, "invalid_request");
	else
		return true;
	return false;
}

static void show(struct exchange *x)
{
	struct arena *a = shard_arena(x->http->shard);
	struct str query = x->req->query, scope = http_form_get(a, query, "scope");
	struct ask q;

	if (!read_ask(x, query, &q))
		return;
	if (!str_is(http_form_get(a, query, "response_type"), "code"))
		refuse(x, &q, "unsupported_response_type");
	else if (!str_is(http_form_get(a, query, "code_challenge_method"), "S256"))
		refuse(x, &q, "invalid_request"); /* RFC 7636 §4.4.1 */
	else if (scope.n && !str_is(scope, OAUTH_SCOPE))
		refuse(x, &q, "invalid_scope");
	else
		page(x, 200, &q, words_for(http_header_get(x->req, "accept-language")), NULL);
}

/* ---- the owner's answer ---- */

struct answer {
	struct http *http;
	const struct host *host;
	id_t64 exchange;
	const struct words *words;
	char *form; /* as sent */
	char *node, *bare, *code;
};

static void answer_free(struct answer *w)
{
	http_drop(w->http);
	if (w->form)
		wipe(w->form, strlen(w->form));
	free(w->form);
	free(w->node);
	free(w->bare);
	free(w->code);
	free(w);
}

/* The exchange and what was asked, read again; NULL: the browser has gone. */
static struct exchange *answer_wake(struct answer *w, struct ask *q)
{
	struct exchange *x = exchange_get(w->http, w->exchange);

	return x && read_ask(x, str_of(w->form), q) ? x : NULL;
}

static void answer_fail(struct answer *w, int status)
{
	struct ask q;
	struct exchange *x = answer_wake(w, &q);

	if (x)
		page(x, status == -EACCES ? 403 : status == -EDEADLK || status == -EDQUOT ? 429 : 503, &q, w->words,
			status == -EACCES ? w->words->wrong : status == -EDEADLK || status == -EDQUOT ? w->words->many : w->words->busy);
	answer_free(w);
}

static void on_granted(struct shard *s, void *arg, int status, struct str code)
{
	struct answer *w = arg;
	struct exchange *x;
	struct ask q;

	(void)s;
	if (status) {
		answer_fail(w, status);
		return;
	}
	log_info("account.grant", "account=%s made=1", w->bare);
	x = answer_wake(w, &q);
	if (x)
		go_back(x, &q, "code", code);
	answer_free(w);
}

static void grant(struct shard *s, struct answer *w)
{
	struct ask q;
	struct exchange *x = answer_wake(w, &q);

	if (!x)
		answer_free(w);
	else if (grant_create(w->host->accounts, s,
			 &(struct grant_new){ str_of(w->node), q.client_id, q.client.name, q.redirect, q.challenge }, on_granted, w))
		answer_fail(w, -EBUSY);
}

static void on_code(struct shard *s, void *arg, int status)
{
	struct answer *w = arg;

	if (status) {
		answer_fail(w, status);
		return;
	}
	throttle_forgive(THROTTLE_CODE, str_of(w->bare));
	grant(s, w);
}

static void on_password(struct shard *s, void *arg, int status, const struct signin *in, const char *app)
{
	struct answer *w = arg;
	struct str code = str_of(w->code);
	size_t digits = 0;

	if (!status && *app) /* it may not give away what it has not */
		status = -EACCES;
	if (status == -EACCES)
		throttle_failed(THROTTLE_ACCOUNT, str_of(w->bare));
	if (!status && in->totp && !throttle_may_try(s->core, THROTTLE_CODE, str_of(w->bare)))
		status = -EDEADLK;
	if (status) {
		answer_fail(w, status);
		return;
	}
	if (!in->totp) {
		grant(s, w);
		return;
	}
	throttle_failed(THROTTLE_CODE, str_of(w->bare));
	for (size_t i = 0; i < code.n; i++)
		digits += code.p[i] >= '0' && code.p[i] <= '9';
	if ((digits == TOTP_DIGITS && code.n <= TOTP_DIGITS + 2 ? factor_check : factor_recover)(w->host->accounts, s, str_of(w->node), code,
		    on_code, w))
		answer_fail(w, -EBUSY);
}

static void answered(struct exchange *x, struct str form)
{
	struct arena *a = shard_arena(x->http->shard);
	struct str name = str_trim(http_form_get(a, form, "name")), domain, node;
	struct answer *w;
	struct ask q;
	int err;

	if (!read_ask(x, form, &q))
		return;
	if (!str_is(http_form_get(a, form, "answer"), "allow")) {
		go_back(x, &q, "error", STR("access_denied"));
		return;
	}
	name = str_cut(name, '@', &domain);
	if (account_name_check(a, name, &node) || (domain.p && !str_eq_nocase(domain, x->host->domain)))
		node = STR("?"); /* nobody's: the answer is that of a wrong password, and comes as late */
	w = mem_zalloc(sizeof(*w));
	*w = (struct answer){ .http = x->http, .host = x->host, .exchange = exchange_id(x), .words = words_for(http_form_get(a, form, "lang")),
		.form = str_dup(form), .node = str_dup(node), .code = str_dup(str_trim(http_form_get(a, form, "code"))),
		.bare = str_dup(arena_printf(a, "%.*s@%.*s", STR_ARG(node), STR_ARG(x->host->domain))) };
	http_hold(w->http);
	if (!throttle_may_try(x->http->shard->core, THROTTLE_ACCOUNT, str_of(w->bare)) || !limiter_take(x, LIMIT_SETUP))
		err = -EDEADLK;
	else
		err = signin_check(w->host->accounts, x->http->shard, node, http_form_get(a, form, "password"), on_password, w);
	if (err)
		answer_fail(w, err);
}

void oauth_authorize(struct exchange *x)
{
	if (oauth_is_off(x))
		return;
	if (x->method & (HTTP_M_GET | HTTP_M_HEAD))
		show(x);
	else
		oauth_take_form(x, answered);
}
