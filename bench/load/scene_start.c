/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Start-up: executes the command after "--", tries to connect until the server accepts, logs the
 * first account in, reads the server's memory, and ends it with SIGTERM.
 */
#include "client.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY_US 500

static const struct scene scene = { 0 };

static pid_t launch(char *const *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);

		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	return pid;
}

/* Connects again until the login is answered. Returns 0 or -EIO. */
static int login(struct fleet *f, pid_t pid)
{
	struct client *c = &f->clients[0];

	client_start(c);
	while (c->state != CLIENT_READY) {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			fprintf(stderr, "start: the server ended\n");
			return -EIO;
		}
		if (c->state == CLIENT_FAILED) {
			usleep(RETRY_US);
			client_start(c);
		}
		if (fleet_poll(f, NS_PER_S / 1000) < 0)
			return -ETIME;
	}
	return 0;
}

static void finish(pid_t pid, int64_t *stop_ns)
{
	int64_t from = now_ns();

	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0 && now_ns() - from < 10 * NS_PER_S)
		usleep(RETRY_US);
	*stop_ns = now_ns() - from;
	kill(pid, SIGKILL);
}

int scene_start(const struct opts *o)
{
	char pids[32];
	struct proc server = { 0 };
	int64_t stop_ns = 0;

	if (!o->command || !o->command[0]) {
		fprintf(stderr, "start: no command after --\n");
		return -EINVAL;
	}
	struct fleet *f = fleet_new(o, &scene, 1);
	int64_t from = now_ns();
	pid_t pid = launch(o->command);

	snprintf(pids, sizeof(pids), "%d", (int)pid);
	int r = pid > 0 ? login(f, pid) : -EIO;

	if (r == 0) {
		const struct client *c = &f->clients[0];

		proc_init(&server, pids);
		report_begin("start");
		report_num("exec_to_accept_ms", (double)(c->started_ns - from) / 1e6);
		report_num("exec_to_login_ms", (double)(c->ready_ns - from) / 1e6);
		report_int("rss_kb", proc_memory(&server).rss_kb);
		report_num("server_cpu_ms", (double)proc_usage(&server).server_ns / 1e6);
		fleet_logout(f);
		finish(pid, &stop_ns);
		report_num("stop_ms", (double)stop_ns / 1e6);
		report_end();
	} else if (pid > 0) {
		finish(pid, &stop_ns);
	}
	fleet_free(f);
	return r;
}
