/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* log lines and metrics. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

static char captured[65536];
static int saved_stderr = -1, pipe_fds[2];

static void capture(void)
{
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fds[1], STDERR_FILENO);
	close(pipe_fds[1]);
}

static const char *captured_text(void)
{
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = read(pipe_fds[0], captured, sizeof(captured) - 1);
	close(pipe_fds[0]);
	captured[n > 0 ? n : 0] = 0;
	return captured;
}

/* The line after its time stamp, which is checked here. */
static const char *after_time(const char *line)
{
	const char *space = strchr(line, ' ');
	uint64_t ms;

	assert_non_null(space);
	assert_int_equal(time_parse((struct str){ line, (size_t)(space - line) }, &ms), 0);
	return space + 1;
}

TEST(writes_one_plain_line)
{
	log_setup(LOG_INFO, LOG_TEXT);
	log_thread("shard0");
	capture();
	log_info("archive.stored", "id=%d who=\"%s\"", 7, "Anna \xe9\xb8\xbf");
	log_debug("never.seen", "x=%d", 1);
	assert_string_equal(after_time(captured_text()),
		"info shard0 archive.stored id=7 who=\"Anna \xe9\xb8\xbf\"\n");
}

TEST(a_peer_cannot_forge_a_line)
{
	log_setup(LOG_INFO, LOG_TEXT);
	capture();
	log_error("login.failed", "name=\"%s\"", "x\n2026-01-01 error\r\x1b[31m\xff\xc2\x9b\xe2\x80\xa8");
	assert_string_equal(after_time(captured_text()),
		"error shard0 login.failed name=\"x\\x0a2026-01-01 error\\x0d\\x1b[31m\\xff\\x9b\\x2028\"\n");
}

TEST(json_lines_parse)
{
	json_t *line;

	log_setup(LOG_DEBUG, LOG_JSON);
	capture();
	log_debug("login.failed", "name=\"%s\" n=%d empty= flag", "a \"quoted\" \\ \n\xff name", 5);
	line = json_loads(captured_text(), 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "level")), "debug");
	assert_string_equal(json_string_value(json_object_get(line, "event")), "login.failed");
	assert_string_equal(json_string_value(json_object_get(line, "n")), "5");
	assert_string_equal(json_string_value(json_object_get(line, "empty")), "");
	assert_non_null(json_object_get(line, "name"));
	json_decref(line);
	log_setup(LOG_INFO, LOG_TEXT);
}

TEST(long_lines_are_cut_and_stay_lines)
{
	static char big[10000];
	json_t *line;

	memset(big, '"', sizeof(big) - 1);
	for (enum log_format f = LOG_TEXT; f <= LOG_JSON; f++) {
		log_setup(LOG_INFO, f);
		capture();
		log_info("big", "a=1 b=\"%s\"", big);
		captured_text();
		assert_true(strlen(captured) < 5000);
		assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
	}
	line = json_loads(captured, 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "a")), "1");
	json_decref(line);
	log_setup(LOG_INFO, LOG_TEXT);
}

TEST(levels_have_names)
{
	enum log_level level;

	assert_int_equal(log_level_parse("warning", &level), 0);
	assert_int_equal(level, LOG_WARNING);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

static void *count_up(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		metric_add(M_STANZAS_IN, 2);
		metric_add(M_SESSIONS_ONLINE, i % 2 ? -1 : 1);
	}
	return NULL;
}

TEST(metrics_add_up_over_more_threads_than_slots)
{
	pthread_t threads[40];
	struct buf out = { 0 };

	for (int i = 0; i < 40; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 40; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_get(M_STANZAS_IN), 80000);
	assert_int_equal(metric_get(M_SESSIONS_ONLINE), 0);
	metrics_write(&out);
	buf_putc(&out, 0);
	assert_non_null(strstr(out.p, "# HELP anser_stanzas_received_total Stanzas received from clients\n"
				      "# TYPE anser_stanzas_received_total counter\n"
				      "anser_stanzas_received_total 80000\n"));
	buf_free(&out);
}

UNIT_MAIN(cmocka_unit_test(writes_one_plain_line), cmocka_unit_test(a_peer_cannot_forge_a_line),
	cmocka_unit_test(json_lines_parse), cmocka_unit_test(long_lines_are_cut_and_stay_lines),
	cmocka_unit_test(levels_have_names), cmocka_unit_test(metrics_add_up_over_more_threads_than_slots));
