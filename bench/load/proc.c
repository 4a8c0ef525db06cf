/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * CPU of other processes by their process clocks (nanoseconds, all threads), memory by smaps_rollup.
 * The process clock is what the scheduler charged, so short runs are not rounded to ticks.
 */
#include "proc.h"

#include "sample.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool known(const struct proc *p, pid_t pid)
{
	for (int i = 0; i < p->n; i++) {
		if (p->pids[i] == pid)
			return true;
	}
	return false;
}

static void add(struct proc *p, pid_t pid)
{
	if (pid > 0 && p->n < PROC_MAX && !known(p, pid))
		p->pids[p->n++] = pid;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[512];
	pid_t parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");

	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f)) {
		const char *p = strrchr(line, ')'); /* the name may contain anything */
		int id = 0;

		if (p && sscanf(p + 1, " %*c %d", &id) == 1)
			parent = id;
	}
	fclose(f);
	return parent;
}

/* One sweep over /proc; returns whether a child was added. */
static bool add_children(struct proc *p)
{
	int before = p->n;
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && known(p, parent_of(pid)))
			add(p, pid);
	}
	if (dir)
		closedir(dir);
	return p->n > before;
}

int proc_init(struct proc *p, const char *list)
{
	*p = (struct proc){ 0 };
	for (const char *s = list; *s;) {
		pid_t pid = (pid_t)atoi(s);

		if (pid <= 0 || kill(pid, 0) < 0)
			return -ESRCH;
		add(p, pid);
		s += strcspn(s, ",");
		s += *s == ',';
	}
	while (p->n > 0 && add_children(p))
		;
	return 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t machine_ns(void)
{
	long long user = 0, nice = 0, sys = 0, idle = 0, io = 0, irq = 0, soft = 0, steal = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (!f)
		return 0;
	int n = fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &sys, &idle, &io,
		       &irq, &soft, &steal);
	fclose(f);
	return n == 8 ? (user + nice + sys + irq + soft) * (NS_PER_S / sysconf(_SC_CLK_TCK)) : 0;
}

struct usage proc_usage(const struct proc *p)
{
	struct usage u = { .wall_ns = now_ns(), .self_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) };

	for (int i = 0; i < p->n; i++) {
		clockid_t clock;

		if (clock_getcpuclockid(p->pids[i], &clock) == 0)
			u.server_ns += clock_ns(clock);
	}
	u.busy_ns = machine_ns();
	return u;
}

struct usage usage_since(struct usage a, struct usage b)
{
	return (struct usage){
		.wall_ns = b.wall_ns - a.wall_ns,
		.server_ns = b.server_ns - a.server_ns,
		.self_ns = b.self_ns - a.self_ns,
		.busy_ns = b.busy_ns - a.busy_ns,
	};
}

double usage_other_pct(struct usage d)
{
	int64_t other = d.busy_ns - d.server_ns - d.self_ns;

	return d.wall_ns > 0 && other > 0 ? 100.0 * (double)other / (double)d.wall_ns : 0;
}

struct memory proc_memory(const struct proc *p)
{
	struct memory m = { 0 };

	for (int i = 0; i < p->n; i++) {
		char path[64], line[256];
		long long kb;

		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)p->pids[i]);
		FILE *f = fopen(path, "r");

		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "Rss: %lld", &kb) == 1)
				m.rss_kb += kb;
			else if (sscanf(line, "Pss: %lld", &kb) == 1)
				m.pss_kb += kb;
		}
		if (f)
			fclose(f);
	}
	return m;
}
