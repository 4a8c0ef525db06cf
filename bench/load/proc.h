/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the server's processes cost: CPU clocks and memory, from the kernel's accounting. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdint.h>
#include <sys/types.h>

#define PROC_MAX 64

struct proc {
	pid_t pids[PROC_MAX];
	int n;
};

struct usage {
	int64_t wall_ns;
	int64_t server_ns; /* CPU of the server's processes, all threads, finished ones included */
	int64_t self_ns;   /* CPU of the generator */
	int64_t busy_ns;   /* CPU of the whole machine (10 ms resolution) */
};

struct memory {
	int64_t rss_kb, pss_kb; /* from smaps_rollup */
};

/* Takes "1,2,3" and adds all children. Returns 0; -ESRCH when one does not exist. */
int proc_init(struct proc *p, const char *list);

struct usage proc_usage(const struct proc *p);

/* b - a, field by field. */
struct usage usage_since(struct usage a, struct usage b);

/* Other work on the machine in the interval, in percent of one core. */
double usage_other_pct(struct usage d);

struct memory proc_memory(const struct proc *p);

#endif
