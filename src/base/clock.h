/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Clocks. Monotonic for durations; wall clock only for what people see and for archive ids. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/arena.h"

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
uint64_t clock_wall_ms(void);	/* since 1970-01-01 UTC */
/* XEP-0082 DateTime with milliseconds: "2026-11-22T12:00:00.123Z". */
struct str time_format(struct arena *a, uint64_t wall_ms);
/* Reads XEP-0082 DateTime with any zone and fraction. Returns 0; -EBADMSG. */
int time_parse(struct str s, uint64_t *out_wall_ms);

#endif
