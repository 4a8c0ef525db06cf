/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The JSON interface of the front door: set-up, invitations, registration, and their abuse. */
#include "http_fixture.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "account/invite.h"
#include "account/setup.h"

#define HOST "Host: example.org\r\n"

static struct reply post(struct web *w, const char *path, const char *json)
{
	return web_ask(w,
		"POST %s HTTP/1.1\r\n" HOST
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		path, strlen(json), json);
}

static struct reply get(struct web *w, const char *path)
{
	return web_ask(w, "GET %s HTTP/1.1\r\n" HOST "\r\n", path);
}

static void assert_error(struct reply r, int status, const char *word)
{
	char want[64];

	snprintf(want, sizeof(want), "{\"error\":\"%s\",\"message\":\"", word);
	if (r.status != status || !str_starts(r.body, str_of(want)))
		print_error("got %d %.*s\n", r.status, STR_ARG(r.body));
	assert_int_equal(r.status, status);
	assert_true(str_starts(r.body, str_of(want)));
	assert_field(&r, "content-type", "application/json");
}

static char code[64], token[64];

static void on_code(struct shard *s, void *arg, int status, const char *text)
{
	must(status == 1);
	snprintf(code, sizeof(code), "%s", text);
}

static void make_code(struct web *w)
{
	code[0] = 0;
	must(setup_code_new(&w->accounts, w->shard, on_code, NULL) == 0);
	while (!code[0])
		web_turn(w);
}

static void on_invite(
	struct shard *s, void *arg, int status, struct str text, const struct invite *inv)
{
	must(status == 0);
	snprintf(token, sizeof(token), "%.*s", STR_ARG(text));
}

static void make_invite(struct web *w, const char *inviter)
{
	token[0] = 0;
	must(invite_create(&w->accounts, w->shard, str_of(inviter), true, on_invite, NULL) == 0);
	while (!token[0])
		web_turn(w);
}

static char befriended[128];

static void on_registered(struct shard *s, struct str inviter, struct str jid)
{
	snprintf(befriended, sizeof(befriended), "%.*s %.*s", STR_ARG(inviter), STR_ARG(jid));
}

static char text[1024];

static const char *setup_json(const char *c, const char *name, const char *password)
{
	snprintf(text, sizeof(text), "{\"code\":\"%s\",\"name\":\"%s\",\"password\":\"%s\"}", c,
		name, password);
	return text;
}

static const char *register_json(const char *t, const char *name, const char *password)
{
	snprintf(text, sizeof(text), "{\"token\":\"%s\",\"name\":\"%s\",\"password\":\"%s\"}", t,
		name, password);
	return text;
}

TEST(the_set_up_link_makes_one_administrator)
{
	struct web w;
	struct reply r;

	web_init(&w);
	r = get(&w, "/api/v1/server");
	assert_str(r.body,
		"{\"domain\":\"example.org\",\"name\":\"Test\",\"version\":\"" ANSER_VERSION
		"\",\"setup_needed\":true,\"registration_open\":false,\"muc\":\"conference.example."
		"org\","
		"\"upload_max_bytes\":10485760,\"websocket\":\"/xmpp-websocket\"}");
	make_code(&w);
	assert_error(post(&w, "/api/v1/setup", setup_json("wrong", "alice", "correct horse")), 403,
		"bad-code");
	assert_error(post(&w, "/api/v1/setup", setup_json(code, "alice", "short")), 400,
		"weak-password");
	assert_error(post(&w, "/api/v1/setup", setup_json(code, "a b", "correct horse")), 400,
		"bad-name");
	r = post(&w, "/api/v1/setup", setup_json(code, "Alice", "correct horse"));
	assert_int_equal(r.status, 201);
	assert_str(r.body, "{\"jid\":\"alice@example.org\"}");
	assert_error(post(&w, "/api/v1/setup", setup_json(code, "mallory", "correct horse")), 409,
		"already-set-up");
	r = get(&w, "/api/v1/server");
	assert_non_null(memmem(r.body.p, r.body.n, "\"setup_needed\":false", 20));
	web_fini(&w);
}

TEST(an_invitation_is_shown_and_used_once)
{
	struct web w;
	struct reply r;
	char path[128];

	web_init(&w);
	w.cfg.on_registered = on_registered;
	http_configure(w.shard, &w.cfg);
	make_invite(&w, "alice@example.org");
	snprintf(path, sizeof(path), "/api/v1/invite/%s", token);
	r = get(&w, path);
	assert_int_equal(r.status, 200);
	assert_true(str_starts(r.body,
		STR("{\"inviter\":\"alice@example.org\",\"inviter_name\":\"alice\","
		    "\"domain\":\"example.org\",\"account\":true,\"room\":null,\"expires\":\"20")));
	r = post(&w, "/api/v1/register", register_json(token, "bob", "correct horse"));
	assert_int_equal(r.status, 201);
	assert_str(r.body, "{\"jid\":\"bob@example.org\"}");
	assert_string_equal(befriended, "alice@example.org bob@example.org");
	assert_error(get(&w, path), 404, "not-found");
	assert_error(post(&w, "/api/v1/register", register_json(token, "carol", "correct horse")),
		404, "not-found");
	web_fini(&w);
}

TEST(a_taken_name_leaves_the_invitation_usable)
{
	struct web w;

	web_init(&w);
	make_invite(&w, "alice@example.org");
	assert_int_equal(
		post(&w, "/api/v1/register", register_json(token, "bob", "correct horse")).status,
		201);
	make_invite(&w, "alice@example.org");
	assert_error(post(&w, "/api/v1/register", register_json(token, "bob", "correct horse")),
		409, "exists");
	assert_int_equal(
		post(&w, "/api/v1/register", register_json(token, "bobby", "correct horse")).status,
		201);
	web_fini(&w);
}

TEST(registration_without_an_invitation_needs_the_option)
{
	static const char json[] = "{\"name\":\"dave\",\"password\":\"correct horse\"}";
	struct web w;

	web_init(&w);
	assert_error(post(&w, "/api/v1/register", json), 403, "invitation-needed");
	w.cfg.registration_open = true;
	http_configure(w.shard, &w.cfg);
	assert_int_equal(post(&w, "/api/v1/register", json).status, 201);
	web_fini(&w);
}

TEST(odd_requests_get_errors)
{
	static const char *const bad[] = { "", "[]", "{", "\"x\"", "{\"name\":1}{",
		"{\"a\":1,\"a\":2}", "null" };
	struct web w;

	web_init(&w);
	w.cfg.limits = false;
	w.cfg.registration_open = true;
	http_configure(w.shard, &w.cfg);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_error(post(&w, "/api/v1/register", bad[i]), 400, "bad-json");
	assert_error(post(&w, "/api/v1/register", "{\"name\":1,\"password\":[]}"), 400, "bad-name");
	assert_error(post(&w, "/api/v1/register", "{\"name\":\"eve\",\"password\":7}"), 400,
		"weak-password");
	/* A form of another site can send this type, but not JSON's. */
	assert_error(web_ask(&w,
			     "POST /api/v1/register HTTP/1.1\r\n" HOST
			     "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
		415, "not-json");
	assert_error(get(&w, "/api/v1/invite/"), 404, "not-found");
	assert_error(get(&w, "/api/v1/invite/unknown"), 404, "not-found");
	web_fini(&w);
}

TEST(guessing_is_held_back_per_address)
{
	struct web w;
	int refused = 0;

	web_init(&w);
	make_code(&w);
	for (int i = 0; i < 12; i++)
		refused += post(&w, "/api/v1/setup", setup_json("guess", "alice", "correct horse"))
				   .status == 429;
	assert_int_equal(refused, 2);
	net_skip(&w.net, 30000);
	assert_int_equal(
		post(&w, "/api/v1/setup", setup_json(code, "alice", "correct horse")).status, 201);
	web_fini(&w);
}

static void on_info(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms)
{
	*(int *)arg = status;
}

static bool is_account(struct web *w, const char *node)
{
	int status = 1;

	must(account_info(&w->accounts, w->shard, str_of(node), on_info, &status) == 0);
	while (status == 1)
		web_turn(w);
	return status == 0;
}

TEST(a_peer_that_goes_before_its_answer_harms_nobody)
{
	struct web w;
	struct peer p;

	web_init(&w);
	w.cfg.registration_open = true;
	http_configure(w.shard, &w.cfg);
	web_connect(&w, &p);
	web_send(&w, &p,
		"POST /api/v1/register HTTP/1.1\r\n" HOST
		"Content-Type: application/json\r\nContent-Length: 43\r\n\r\n"
		"{\"name\":\"frank\",\"password\":\"correct horse\"}");
	net_turn(&w.net);
	peer_fini(&p);
	while (!is_account(&w, "frank"))
		web_turn(&w);
	assert_error(
		post(&w, "/api/v1/register", "{\"name\":\"frank\",\"password\":\"correct horse\"}"),
		409, "exists");
	web_fini(&w);
}

UNIT_MAIN(cmocka_unit_test(the_set_up_link_makes_one_administrator),
	cmocka_unit_test(an_invitation_is_shown_and_used_once),
	cmocka_unit_test(a_taken_name_leaves_the_invitation_usable),
	cmocka_unit_test(registration_without_an_invitation_needs_the_option),
	cmocka_unit_test(odd_requests_get_errors),
	cmocka_unit_test(guessing_is_held_back_per_address),
	cmocka_unit_test(a_peer_that_goes_before_its_answer_harms_nobody));
