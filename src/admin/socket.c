/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command socket. Addresses go through /proc/self/fd, because a Unix address holds 107 bytes and a directory's name may be longer. */
#include "admin/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

enum { ANSWER_MAX = 16 << 20, READ_STEP = 4096 };

struct admin_socket {
	struct mail mail; /* carries itself to the shard */
	struct admin *admin;
	struct shard *shard;
	struct watch watch;
	struct list peers;
	int peers_n;
	int dir_fd;
};

struct peer {
	struct list link;
	struct admin_socket *socket;
	struct watch watch;
	struct timer idle;
	struct buf in, out;
	struct admin_call call;
	bool running; /* a command works for it */
};

static void address(int dir_fd, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir_fd, ADMIN_SOCKET_NAME);
}

/* ---- one peer ---- */

static void peer_free(struct peer *p)
{
	struct admin_socket *k = p->socket;

	loop_unwatch(&k->shard->loop, &p->watch);
	timer_cancel(&k->shard->loop, &p->idle);
	close(p->watch.fd);
	list_del(&p->link);
	k->peers_n--;
	buf_free(&p->in);
	buf_free(&p->out);
	json_decref(p->call.request);
	free(p);
}

static void on_idle(struct timer *t)
{
	peer_free(container_of(t, struct peer, idle));
}

static void peer_write(struct peer *p)
{
	struct loop *loop = &p->socket->shard->loop;

	while (p->out.n) {
		ssize_t n = send(p->watch.fd, p->out.p, p->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && loop_watch(loop, &p->watch, EPOLLOUT) == 0) {
			timer_set(loop, &p->idle, ADMIN_IDLE_MS);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&p->out, (size_t)n);
	}
	peer_free(p);
}

static void on_answer(struct admin_call *call, json_t *answer)
{
	struct peer *p = call->arg;
	char *text = json_dumps(answer, JSON_COMPACT);

	must(text);
	p->running = false;
	buf_puts(&p->out, text);
	buf_putc(&p->out, '\n');
	free(text);
	json_decref(answer);
	peer_write(p);
}

static void refuse(struct peer *p, const char *word, const char *message)
{
	p->call.arg = p;
	on_answer(&p->call, json_pack("{s:s, s:s}", "error", word, "message", message));
}

static void peer_run(struct peer *p, size_t line_n)
{
	struct loop *loop = &p->socket->shard->loop;

	loop_unwatch(loop, &p->watch); /* one request each; a hang-up is noticed when the answer is written */
	timer_cancel(loop, &p->idle);
	p->call = (struct admin_call){ .admin = p->socket->admin, .shard = p->socket->shard, .answer = on_answer, .arg = p,
		.request = json_loadb(p->in.p, line_n, JSON_REJECT_DUPLICATES, NULL) };
	if (!json_is_object(p->call.request)) {
		refuse(p, "bad-request", "A request is one line with a JSON object.");
		return;
	}
	p->running = true;
	admin_run(&p->call);
}

static void on_peer(struct watch *w, uint32_t events)
{
	struct peer *p = container_of(w, struct peer, watch);
	char *end;
	ssize_t n;

	if (events & EPOLLOUT) {
		peer_write(p);
		return;
	}
	n = recv(w->fd, buf_room(&p->in, READ_STEP), READ_STEP, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_free(p);
		return;
	}
	p->in.n += (size_t)n;
	end = memchr(p->in.p, '\n', p->in.n);
	if (end)
		peer_run(p, (size_t)(end - p->in.p));
	else if (p->in.n > ADMIN_REQUEST_MAX)
		refuse(p, "too-long", "A request is at most 64 KiB long.");
}

/* ---- the socket ---- */

static bool is_allowed(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && (cred.uid == geteuid() || cred.uid == 0);
}

static void on_connect(struct watch *w, uint32_t events)
{
	struct admin_socket *k = container_of(w, struct admin_socket, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p;

	if (fd < 0)
		return;
	if (k->peers_n >= ADMIN_PEERS_MAX || !is_allowed(fd)) {
		log_warning("admin.refused", "reason=%s", k->peers_n >= ADMIN_PEERS_MAX ? "busy" : "other-user");
		close(fd);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	p->socket = k;
	p->watch = (struct watch){ .on_ready = on_peer, .fd = fd };
	p->idle.on_time = on_idle;
	list_push(&k->peers, &p->link);
	k->peers_n++;
	if (loop_watch(&k->shard->loop, &p->watch, EPOLLIN)) {
		peer_free(p);
		return;
	}
	timer_set(&k->shard->loop, &p->idle, ADMIN_IDLE_MS);
}

int admin_socket_open(const char *dir, struct admin_socket **out, char *err, size_t err_n)
{
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
	struct sockaddr_un addr;
	struct admin_socket *k;

	address(dir_fd, &addr);
	unlinkat(dir_fd, ADMIN_SOCKET_NAME, 0);
	if (dir_fd < 0 || fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		fchmodat(dir_fd, ADMIN_SOCKET_NAME, 0600, 0) || listen(fd, ADMIN_PEERS_MAX))
		error = errno;
	if (error) {
		snprintf(err, err_n, "cannot make the command socket %s/%s: %s", dir, ADMIN_SOCKET_NAME, strerror(error));
		if (fd >= 0)
			close(fd);
		if (dir_fd >= 0)
			close(dir_fd);
		return -error;
	}
	k = mem_zalloc(sizeof(*k));
	k->dir_fd = dir_fd;
	k->watch = (struct watch){ .on_ready = on_connect, .fd = fd };
	list_init(&k->peers);
	*out = k;
	return 0;
}

static void begin(struct shard *s, struct mail *m)
{
	struct admin_socket *k = container_of(m, struct admin_socket, mail);
	int err = loop_watch(&s->loop, &k->watch, EPOLLIN);

	if (err)
		log_error("admin.socket", "error=\"%s\" next=\"commands cannot reach the server\"", strerror(-err));
}

static void keep_mail(struct mail *m)
{
	(void)m; /* admin_socket_free frees it */
}

static const struct mail_kind mail_serve = { "admin.serve", begin, keep_mail, true };

void admin_socket_serve(struct admin_socket *k, struct admin *admin, struct shard *s)
{
	k->admin = admin;
	k->shard = s;
	k->mail.kind = &mail_serve;
	must(shard_post(s, &k->mail) == 0);
}

void admin_socket_free(struct admin_socket *k)
{
	struct list *node;

	if (!k)
		return;
	while ((node = list_shift(&k->peers)))
		peer_free(list_entry(node, struct peer, link));
	if (k->shard)
		loop_unwatch(&k->shard->loop, &k->watch);
	unlinkat(k->dir_fd, ADMIN_SOCKET_NAME, 0);
	close(k->watch.fd);
	close(k->dir_fd);
	free(k);
}

/* ---- the client's side ---- */

static int send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

static int receive_line(int fd, struct buf *in)
{
	while (!in->n || in->p[in->n - 1] != '\n') {
		ssize_t n = recv(fd, buf_room(in, READ_STEP), READ_STEP, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		in->n += (size_t)n;
		if (in->n > ANSWER_MAX)
			return -EMSGSIZE;
	}
	return 0;
}

static int exchange(int fd, const json_t *request, json_t **out)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct buf in = { 0 };
	json_t *answer = NULL;
	int err;

	must(text);
	err = send_all(fd, text, strlen(text));
	if (!err)
		err = send_all(fd, "\n", 1);
	if (!err)
		err = receive_line(fd, &in);
	if (!err && !(answer = json_loadb(in.p, in.n, 0, NULL)))
		err = -EBADMSG;
	free(text);
	buf_free(&in);
	if (!err)
		*out = answer;
	return err;
}

int admin_socket_ask(const char *dir, const json_t *request, json_t **out)
{
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, err = 0;
	struct sockaddr_un addr;

	if (dir_fd < 0)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address(dir_fd, &addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	if (!err)
		err = exchange(fd, request, out);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return err;
}
