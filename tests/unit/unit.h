/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What every unit test includes: cmocka and a few assertions on our own types.
 * A test file is `<noun>_test.c`; it ends with UNIT_MAIN(cmocka_unit_test(does_this), ...). Names are sentences. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"

/* `static void` with cmocka's unused parameter. */
#define TEST(name) static void name(void **test_state __attribute__((unused)))

/* Compares a struct str with a C string and shows both on failure. */
#define assert_str(got, want) unit_assert_str((got), (want), __FILE__, __LINE__)
void unit_assert_str(struct str got, const char *want, const char *file, int line);

/* The bytes of a hexadecimal string (white space ignored), in the arena. */
struct str unit_hex(struct arena *a, const char *hex);

/* Makes a fresh directory and returns its path; every one of them is removed at exit. */
const char *unit_tmpdir(void);

#define UNIT_MAIN(...)                                                                             \
	int main(void)                                                                             \
	{                                                                                          \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                   \
												   \
		cmocka_set_test_filter(getenv("UNIT_ONLY")); /* a pattern with * and ?, for debugging */ \
		return cmocka_run_group_tests(tests, NULL, NULL);                                    \
	}                                                                                          \
	_Static_assert(1, "")

#endif
