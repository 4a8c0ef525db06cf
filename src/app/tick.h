/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the main thread looks after once a second: jumps of the clock and room on the disk. */
#ifndef APP_TICK_H
#define APP_TICK_H

#include <stdbool.h>
#include <stdint.h>

enum { TICK_JUMP_MS = 2000, TICK_DISK_EVERY = 10 /* ticks */, TICK_DISK_LOW_MIB = 64 };

struct tick {
	const char *data_dir;
	int64_t offset_ms; /* wall clock less monotonic clock at the last tick */
	bool disk_low;
	unsigned count;
};

void tick_init(struct tick *t, const char *data_dir, uint64_t wall_ms, uint64_t mono_ms);
/* Returns by how much the wall clock jumped since the last tick (ms), 0 when by less than TICK_JUMP_MS; a jump is logged. */
int64_t tick_clock(struct tick *t, uint64_t wall_ms, uint64_t mono_ms);
/* Logs when the disk gets nearly full, and when it has room again. */
void tick_disk(struct tick *t, uint64_t free_mib);
/* Both, with the clocks and the disk as they are. */
void tick(struct tick *t);

#endif
