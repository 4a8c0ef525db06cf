/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the main thread looks after once a second. */
#include "app/tick.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"

void tick_init(struct tick *t, const char *data_dir, uint64_t wall_ms, uint64_t mono_ms)
{
	*t = (struct tick){ .data_dir = data_dir, .offset_ms = (int64_t)(wall_ms - mono_ms) };
}

int64_t tick_clock(struct tick *t, uint64_t wall_ms, uint64_t mono_ms)
{
	int64_t offset_ms = (int64_t)(wall_ms - mono_ms), by_ms = offset_ms - t->offset_ms;

	t->offset_ms = offset_ms; /* small steps are the clock being set right slowly */
	if (by_ms > -TICK_JUMP_MS && by_ms < TICK_JUMP_MS)
		return 0;
	log_warning("clock.jump", "by_ms=%" PRId64 " next=\"%s\"", by_ms,
		by_ms < 0 ? "the archive keeps its order; times of new messages go on from the latest one"
			  : "tokens, invitations and certificates may have run out meanwhile; check the system clock");
	return by_ms;
}

void tick_disk(struct tick *t, uint64_t free_mib)
{
	bool low = free_mib < TICK_DISK_LOW_MIB;

	if (low && !t->disk_low)
		log_error("disk.low", "dir=\"%s\" free_mib=%" PRIu64 " next=\"messages are refused once it is full; make room\"",
			t->data_dir, free_mib);
	else if (!low && t->disk_low)
		log_info("disk.room", "dir=\"%s\" free_mib=%" PRIu64, t->data_dir, free_mib);
	t->disk_low = low;
}

void tick(struct tick *t)
{
	struct statvfs fs;

	tick_clock(t, clock_wall_ms(), clock_mono_ms());
	if (t->count++ % TICK_DISK_EVERY == 0 && statvfs(t->data_dir, &fs) == 0)
		tick_disk(t, (uint64_t)fs.f_bavail * fs.f_frsize >> 20);
}
