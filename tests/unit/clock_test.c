/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0082 DateTime. */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "base/must.h"

static const struct {
	const char *text;
	uint64_t ms;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1969-07-21T02:56:15Z", UINT64_MAX }, /* before the epoch: refused */
	{ "2000-02-29T23:59:59.999Z", 951868799999 },
	{ "2002-09-10T23:41:07Z", 1031701267000 },
	{ "2002-09-10T17:41:07-06:00", 1031701267000 },
	{ "2002-09-11T05:11:07+05:30", 1031701267000 },
	{ "2002-09-10T23:41:07.1234567Z", 1031701267123 },
	{ "2002-09-10T23:41:07.5+00:00", 1031701267500 },
	{ "2016-12-31T23:59:60Z", 1483228800000 },
	{ "2100-03-01T00:00:00Z", 4107542400000 },
	{ "9999-12-31T23:59:59.999Z", 253402300799999 },
};

TEST(reads_any_zone_and_fraction)
{
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t ms = 0;

		if (times[i].ms == UINT64_MAX) {
			assert_int_equal(time_parse(str_of(times[i].text), &ms), -EBADMSG);
		} else {
			assert_int_equal(time_parse(str_of(times[i].text), &ms), 0);
			assert_int_equal(ms, times[i].ms);
		}
	}
}

TEST(refuses_what_is_no_time)
{
	static const char *const bad[] = { "", "2002", "2002-09-10", "2002-09-10T23:41:07", "2002-09-10 23:41:07Z",
		"2002-9-10T23:41:07Z", "2002-13-10T23:41:07Z", "2002-00-10T23:41:07Z", "2002-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2002-04-31T00:00:00Z", "2002-09-00T00:00:00Z", "2002-09-10T24:00:00Z",
		"2002-09-10T23:60:00Z", "2002-09-10T23:41:61Z", "2002-09-10T23:41:07.Z", "2002-09-10T23:41:07z",
		"2002-09-10T23:41:07Z ", "2002-09-10T23:41:07+0530", "2002-09-10T23:41:07+24:00",
		"-002-09-10T23:41:07Z", "20020910T23:41:07", "2002-09-10T23:41:0" };
	uint64_t ms = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_parse(str_of(bad[i]), &ms), -EBADMSG);
	assert_int_equal(ms, 7);
}

TEST(writes_what_it_reads)
{
	struct arena a = { 0 };
	uint64_t back;

	assert_str(time_format(&a, 0), "1970-01-01T00:00:00.000Z");
	assert_str(time_format(&a, 1031701267007), "2002-09-10T23:41:07.007Z");
	assert_str(time_format(&a, UINT64_MAX), "9999-12-31T23:59:59.999Z");
	for (uint64_t ms = 1; ms < 253402300799999; ms += 86399999 * 7ULL) {
		assert_int_equal(time_parse(time_format(&a, ms), &back), 0);
		assert_int_equal(back, ms);
		arena_reset(&a);
	}
	arena_fini(&a);
}

TEST(monotonic_clock_never_goes_back)
{
	uint64_t us = clock_mono_us(), ms = clock_mono_ms();

	for (int i = 0; i < 1000; i++) {
		assert_true(clock_mono_us() >= us);
		us = clock_mono_us();
	}
	assert_true(clock_mono_ms() >= ms);
	assert_true(clock_wall_ms() > 1600000000000);
}

UNIT_MAIN(cmocka_unit_test(reads_any_zone_and_fraction), cmocka_unit_test(refuses_what_is_no_time),
	cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(monotonic_clock_never_goes_back));
