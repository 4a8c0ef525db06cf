/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verb `import`: reads XEP-0227 1.1 files piece by piece and asks the server to write them (admin/port_import.c).
 * XInclude: relative names inside the first file's directory, for children of server-data, host and user; nothing else is fetched.
 *
 *   level 0 server-data   1 host   2 user   3 what a user has   4 items of it   5 items of a pubsub node */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/office.h"
#include "admin/port.h"
#include "base/mem.h"
#include "proto/xml/cutter.h"
#include "proto/xmpp/ns.h"

enum { LEVEL_DATA, LEVEL_HOST, LEVEL_USER, LEVEL_PART, LEVEL_ITEM };
enum { READ_BYTES = 64 << 10, INCLUDES_DEEP = 3, WARNINGS_SHOWN = 200, OPEN_MAX_LEVELS = 2 };

struct importer {
	const struct cli *cli;
	struct office office;
	char dir[PATH_MAX]; /* of the first file, resolved: nothing outside is read */
	struct source *source; /* the file that is being read */
	char *host, *name, *password;
	bool user_first, user_skip; /* nothing of this user was sent yet; the rest of it is passed over */
	uint64_t user_keys;
	struct buf piece;
	uint32_t piece_elements;
	char *box[OPEN_MAX_LEVELS], *box_end[OPEN_MAX_LEVELS]; /* tags around the items that come now */
	int boxes, opened; /* of them, those that stand open in the piece */
	char last[24], last_item[24];
	uint64_t counts[PORT_COUNTS], users, existing, refused, warnings;
	int code;
};

/* A file on its way. */
struct source {
	struct importer *im;
	const char *path;
	struct cutter *cutter;
	int base;      /* level of its root */
	int included; /* how deep */
	struct source *outer;
};

static int read_file(struct importer *im, const char *path, int base, struct source *outer);

static void complain(struct importer *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct importer *im, const char *fmt, ...)
{
	const struct source *s = im->source;
	va_list ap;

	if (++im->warnings > WARNINGS_SHOWN)
		return;
	if (s)
		fprintf(stderr, "%s:%lu: ", s->path, cutter_line(s->cutter));
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static char *text(struct str s)
{
	return s.p ? str_dup(s) : NULL;
}

/* ---- pieces ---- */

static void take_answer(struct importer *im, const json_t *answer)
{
	json_t *counts = json_object_get(answer, "counts"), *w;
	size_t i;

	for (int k = 0; k < PORT_COUNTS; k++)
		im->counts[k] += (uint64_t)json_integer_value(json_object_get(counts, port_count_names[k]));
	im->user_keys += (uint64_t)json_integer_value(json_object_get(counts, port_count_names[PORT_CREDENTIALS]));
	json_array_foreach(json_object_get(answer, "warnings"), i, w)
		complain(im, "%s@%s: %s", im->name, im->host, json_string_value(w));
	snprintf(im->last, sizeof(im->last), "%s", office_text(answer, "last"));
	snprintf(im->last_item, sizeof(im->last_item), "%s", office_text(answer, "last_item"));
	if (im->user_first && json_is_true(json_object_get(answer, "exists"))) {
		complain(im, "%s@%s exists already and is passed over (--merge adds to it)", im->name, im->host);
		im->existing++;
		im->user_skip = true;
	} else if (im->user_first) {
		im->users++;
	}
	im->user_first = false;
}

static bool is_about_the_user(const char *word)
{
	return strcmp(word, "other-host") == 0 || strcmp(word, "bad-name") == 0 || strcmp(word, "bad-xml") == 0;
}

/* Asks for what was gathered. Returns 0; -ECANCELED: no use to go on (printed). */
static int flush(struct importer *im)
{
	json_t *request, *answer;
	const char *word;
	int err = 0;

	while (im->opened)
		buf_puts(&im->piece, im->box_end[--im->opened]);
	if (im->user_skip || (!im->piece.n && !im->user_first)) {
		im->piece.n = 0;
		return 0;
	}
	buf_puts(&im->piece, "</user>");
	request = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:s, s:s}", "command", "import user", "host", im->host, "name", im->name, "first",
		(int)im->user_first, "merge", (int)im->cli->merge, "dry", (int)im->cli->dry_run, "last", im->last, "last_item", im->last_item);
	must(request);
	if (im->password)
		json_object_set_new(request, "password", json_string(im->password));
	json_object_set_new(request, "xml", json_sprintf("<user xmlns='" NS_PIE "'>%.*s", (int)im->piece.n, im->piece.p));
	im->piece.n = 0;
	im->piece_elements = 0;
	if (office_try(&im->office, request, true, &answer))
		return -ECANCELED;
	word = office_text(answer, "error");
	if (json_is_true(json_object_get(answer, "ok"))) {
		take_answer(im, answer);
	} else if (is_about_the_user(word)) {
		complain(im, "%s@%s is left out: %s", im->name, im->host, office_text(answer, "message"));
		im->refused++;
		im->user_skip = true;
	} else {
		complain(im, "%s", office_text(answer, "message"));
		err = -ECANCELED;
	}
	json_decref(answer);
	return err;
}

static uint32_t elements_of(const struct xml *el)
{
	uint32_t n = 1;

	xml_each(child, el)
		n += elements_of(child);
	return n;
}

static int add(struct importer *im, const struct xml *el)
{
	struct buf one = { 0 };
	uint32_t n = elements_of(el);
	int err = 0;

	xml_write(&one, el, STR_NONE);
	if (im->piece.n && (im->piece.n + one.n > PORT_PIECE_BYTES || im->piece_elements + n > PORT_PIECE_ELEMENTS))
		err = flush(im);
	for (; im->opened < im->boxes; im->opened++)
		buf_puts(&im->piece, im->box[im->opened]);
	buf_str(&im->piece, buf_view(&one));
	im->piece_elements += n;
	buf_free(&one);
	return err;
}

/* ---- levels ---- */

static int begin_user(struct importer *im, const struct xml *el)
{
	free(im->name);
	free(im->password);
	im->name = text(xml_get(el, "name"));
	im->password = text(xml_get(el, "password"));
	im->user_first = true;
	im->user_keys = 0;
	snprintf(im->last, sizeof(im->last), "0");
	snprintf(im->last_item, sizeof(im->last_item), "0");
	im->user_skip = !im->name || !im->host;
	if (im->user_skip)
		complain(im, "a user has no name, or stands in no host");
	return 1;
}

static int end_user(struct importer *im)
{
	int err = flush(im);

	if (!err && !im->user_skip && !im->user_keys && !im->cli->merge)
		complain(im, "%s@%s has no password here: set one with `anser user passwd`", im->name, im->host);
	free(im->name);
	im->name = NULL;
	return err;
}

/* What is too large for one piece is cut into its children. */
static bool is_box(const struct xml *el, int level)
{
	static const struct {
		const char *name, *ns;
		int level;
	} boxes[] = {
		{ "query", NS_ROSTER, LEVEL_PART }, { "query", NS_PRIVATE, LEVEL_PART }, { "offline-messages", NS_PIE, LEVEL_PART },
		{ "archive", NS_PIE_MAM, LEVEL_PART }, { "pubsub", NS_PUBSUB, LEVEL_PART }, { "pubsub", NS_PUBSUB_OWNER, LEVEL_PART },
		{ "items", NS_PUBSUB, LEVEL_ITEM },
	};

	for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
		if (boxes[i].level == level && xml_is(el, boxes[i].name, boxes[i].ns))
			return true;
	return false;
}

static void open_box(struct importer *im, const struct xml *el)
{
	struct buf tag = { 0 };

	xml_write_open(&tag, el, STR_NONE);
	im->box[im->boxes] = str_dup(buf_view(&tag));
	tag.n = 0;
	buf_printf(&tag, "</%.*s>", STR_ARG(el->name));
	im->box_end[im->boxes++] = str_dup(buf_view(&tag));
	buf_free(&tag);
}

static void close_box(struct importer *im)
{
	int i = --im->boxes;

	if (im->opened > i)
		buf_puts(&im->piece, im->box_end[--im->opened]);
	free(im->box[i]);
	free(im->box_end[i]);
}

static int on_open(void *arg, const struct xml *el, int depth)
{
	struct source *s = arg;
	struct importer *im = s->im;
	int level = s->base + depth;

	if (level == LEVEL_DATA) {
		if (xml_is(el, "server-data", NS_PIE))
			return 1;
		complain(im, "this is no export of accounts: its root is not <server-data xmlns='%s'>", NS_PIE);
		return -ECANCELED;
	}
	if (level == LEVEL_HOST && xml_is(el, "host", NS_PIE)) {
		free(im->host);
		im->host = text(xml_get(el, "jid"));
		return 1;
	}
	if (level == LEVEL_USER && xml_is(el, "user", NS_PIE))
		return begin_user(im, el);
	if (im->boxes < OPEN_MAX_LEVELS && is_box(el, level)) {
		open_box(im, el);
		return 1;
	}
	return 0;
}

static int on_close(void *arg, int depth)
{
	struct source *s = arg;
	int level = s->base + depth;

	if (level == LEVEL_USER)
		return end_user(s->im);
	if (level >= LEVEL_PART)
		close_box(s->im);
	return 0;
}

/* ---- XInclude ---- */

/* The file that href names, as a path; the answer is malloc'ed. Returns 0; -EACCES outside; -errno. */
static int resolve(struct importer *im, const char *from, struct str href, char **out)
{
	char path[PATH_MAX];
	const char *slash = strrchr(from, '/');
	size_t n = 0, dir_n = strlen(im->dir);
	char *real;

	if (!href.n || href.p[0] == '/' || memchr(href.p, ':', href.n) || memchr(href.p, '\0', href.n))
		return -EACCES;
	if (slash)
		n = (size_t)(slash + 1 - from);
	if (n + href.n >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, from, n);
	for (size_t i = 0; i < href.n; i++) { /* RFC 3986 §2.1 */
		unsigned byte;

		if (href.p[i] == '%' && i + 2 < href.n && sscanf(href.p + i + 1, "%2x", &byte) == 1 && byte) {
			path[n++] = (char)byte;
			i += 2;
		} else {
			path[n++] = href.p[i];
		}
	}
	path[n] = '\0';
	real = realpath(path, NULL);
	if (!real)
		return -errno;
	if (strncmp(real, im->dir, dir_n) != 0 || real[dir_n] != '/') {
		free(real);
		return -EACCES;
	}
	*out = real;
	return 0;
}

static int include(struct source *s, const struct xml *el, int level)
{
	struct importer *im = s->im;
	struct str href = xml_get(el, "href");
	char *path;
	int err;

	if (xml_get(el, "parse").p || xml_get(el, "xpointer").p || s->included >= INCLUDES_DEEP) {
		complain(im, "this kind of include is not taken");
		return -ECANCELED;
	}
	err = resolve(im, s->path, href, &path);
	if (err) {
		complain(im, "the include of %.*s is not taken: %s", STR_ARG(href),
			err == -EACCES ? "only files in the directory of the first one are read" : strerror(-err));
		return -ECANCELED;
	}
	err = read_file(im, path, level, s);
	free(path);
	return err ? -ECANCELED : 0;
}

static int on_whole(void *arg, struct xml *el, int depth)
{
	struct source *s = arg;
	struct importer *im = s->im;
	int level = s->base + depth;

	if (el && xml_is(el, "include", NS_XINCLUDE) && level <= LEVEL_PART)
		return include(s, el, level);
	if (im->user_skip && level >= LEVEL_PART)
		return 0;
	if (!el) {
		complain(im, "an element of more than %d bytes is left out", CUTTER_WHOLE_BYTES_MAX);
		return 0;
	}
	if (level >= LEVEL_PART)
		return add(im, el);
	complain(im, "<%.*s xmlns='%.*s'> is not known and left out", STR_ARG(el->name), STR_ARG(el->ns));
	return 0;
}

/* ---- files ---- */

static const struct cutter_handler handler = { on_open, on_whole, on_close };

static int feed_all(struct source *s, int fd)
{
	char *bytes = mem_alloc(READ_BYTES);
	int err = 0;

	for (;;) {
		ssize_t n = read(fd, bytes, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		else
			err = cutter_feed(s->cutter, (struct str){ bytes, (size_t)n }, n == 0);
		if (err || n <= 0)
			break;
	}
	free(bytes);
	return err;
}

static const char *why(int err)
{
	return err == -EBADMSG ? "this is not well-formed XML" : err == -EPERM ? "a document type is not taken" :
		err == -EMSGSIZE ? "elements are nested too deep, or a tag is too long" : strerror(-err);
}

/* Returns 0; -ECANCELED (printed). */
static int read_file(struct importer *im, const char *path, int base, struct source *outer)
{
	struct source s = { .im = im, .path = path, .base = base, .outer = outer, .included = outer ? outer->included + 1 : 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		complain(im, "cannot read %s: %s", path, fd < 0 ? strerror(errno) : "it is no file");
		if (fd >= 0)
			close(fd);
		return -ECANCELED;
	}
	s.cutter = cutter_new(&handler, &s);
	im->source = &s;
	err = feed_all(&s, fd);
	if (err && err != -ECANCELED)
		complain(im, "%s", why(err));
	im->source = outer;
	cutter_free(s.cutter);
	close(fd);
	return err ? -ECANCELED : 0;
}

static int set_dir(struct importer *im, const char *path, bool is_dir)
{
	char *real = realpath(path, NULL), *slash;

	if (!real) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		return -ECANCELED;
	}
	if (!is_dir && (slash = strrchr(real, '/')))
		*slash = '\0';
	snprintf(im->dir, sizeof(im->dir), "%s", real);
	free(real);
	return 0;
}

static int is_xml(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && d->d_name[0] != '.' && strcmp(d->d_name + n - 4, ".xml") == 0;
}

/* A directory of whole exports, as Prosody writes them: one file per account. */
static int read_dir(struct importer *im, const char *path)
{
	struct dirent **v;
	int n = scandir(path, &v, is_xml, alphasort), err = n < 0 ? -errno : 0;

	if (err || !n) {
		cli_error("there are no .xml files in %s", path);
		err = -ECANCELED;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		if (!err && snprintf(file, sizeof(file), "%s/%s", path, v[i]->d_name) < (int)sizeof(file))
			err = read_file(im, file, LEVEL_DATA, NULL);
		free(v[i]);
	}
	if (n >= 0)
		free(v);
	return err;
}

static void summary(const struct importer *im)
{
	printf("%s%" PRIu64 " accounts", im->cli->dry_run ? "would import " : "imported ", im->users);
	if (im->existing)
		printf(", %" PRIu64 " existed already", im->existing);
	if (im->refused)
		printf(", %" PRIu64 " left out", im->refused);
	putchar('\n');
	for (int k = 0; k < PORT_COUNTS; k++)
		if (im->counts[k])
			printf("  %-12s %" PRIu64 "\n", port_count_names[k], im->counts[k]);
	if (im->warnings)
		printf("%" PRIu64 " warnings\n", im->warnings);
}

int verb_import(const struct cli *c)
{
	struct importer *im = mem_zalloc(sizeof(*im));
	struct stat st;
	int err;

	im->cli = c;
	im->office.cli = c;
	err = stat(c->words[0], &st) ? -errno : 0;
	if (err)
		cli_error("cannot read %s: %s", c->words[0], strerror(-err));
	else
		err = set_dir(im, c->words[0], S_ISDIR(st.st_mode));
	if (!err)
		err = S_ISDIR(st.st_mode) ? read_dir(im, c->words[0]) : read_file(im, c->words[0], LEVEL_DATA, NULL);
	if (im->dir[0])
		summary(im);
	if (err)
		cli_error("the import ended early; what is counted was %s", c->dry_run ? "read" : "written");
	office_close(&im->office);
	while (im->boxes)
		close_box(im);
	free(im->host);
	free(im->name);
	free(im->password);
	buf_free(&im->piece);
	free(im);
	return err ? CLI_FAILED : CLI_OK;
}
