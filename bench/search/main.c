/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Search in a large archive: fills a fresh SQLite store with messages of random Chinese, waits until all is indexed, then asks for
 * two-character words that occur, single characters, and words of rare and frequent characters. Prints one line of JSON.
 *
 * anser-search [--rows N] [--owners N] [--queries N] [--no-index] [--dir DIR]
 *
 * Characters are drawn with the frequencies of a Zipf law over 3,500, eight to twenty-four to a message. CPU is that of the whole
 * process, the index's thread included. */
#include <getopt.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "core/archive_text.h"
#include "proto/xmpp/stanza.h"
#include "store/store.h"

enum { CHARS = 3500, PER_BATCH = 64, PEERS = 200, IN_FLIGHT = 32 };

static struct {
	uint64_t rows, owners, queries;
	bool no_index;
	const char *dir;
} opt = { 1000000, 1, 1000, false, NULL };

static struct shards shards;
static struct shard *shard;
static struct store *store;
static double sums[CHARS];
static uint64_t seed = 88172645463325252ull;
static uint64_t waiting, done_n;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static uint32_t draw_char(void)
{
	double x = (double)(draw() >> 11) / (double)(1ull << 53) * sums[CHARS - 1];
	int lo = 0, hi = CHARS - 1;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (sums[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0x4e00 + (uint32_t)lo * 5; /* spread, as real ones are */
}

static void put_char(struct buf *b, uint32_t c)
{
	buf_putc(b, (char)(0xe0 | c >> 12));
	buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void turn(void)
{
	must(loop_turn(&shard->loop, -1) == 0);
}

static void on_done(struct shard *s, void *arg, int status)
{
	(void)s;
	(void)arg;
	must(status == 0);
	waiting--;
}

static struct blob *message(uint64_t i)
{
	struct buf tail = { 0 };
	char from[64], to[64], id[32];
	struct stanza st = { .kind = ST_MESSAGE, .type = MSG_CHAT, .flags = SF_BODY };
	struct blob *packed;

	snprintf(from, sizeof(from), "peer%llu@example.org", (unsigned long long)(i % PEERS));
	snprintf(to, sizeof(to), "owner%llu@example.org", (unsigned long long)(i % opt.owners));
	snprintf(id, sizeof(id), "message-%llu", (unsigned long long)i);
	st.from = jid_trust(str_of(from));
	st.to = jid_trust(str_of(to));
	st.id = str_of(id);
	buf_puts(&tail, "<body>");
	for (uint64_t n = 8 + draw() % 17; n; n--)
		put_char(&tail, draw_char());
	buf_puts(&tail, "</body></message>");
	st.tail = blob_new(tail.p, tail.n);
	packed = stanza_pack(&st);
	stanza_fini(&st);
	buf_free(&tail);
	return packed;
}

static void fill(void)
{
	for (uint64_t i = 0; i < opt.rows;) {
		struct store_batch *b = store_batch_new();

		for (int k = 0; k < PER_BATCH && i < opt.rows; k++, i++) {
			char owner[64], peer[64];
			struct blob *stanza = message(i);

			snprintf(owner, sizeof(owner), "owner%llu@example.org", (unsigned long long)(i % opt.owners));
			snprintf(peer, sizeof(peer), "peer%llu@example.org", (unsigned long long)(i % PEERS));
			store_archive(b, &(struct archive_row){ .owner = str_of(owner), .id = (i + 1) << 15, .with = str_of(peer),
				.stanza = stanza });
			blob_unref(stanza);
		}
		must(store_commit(store, shard, b, on_done, NULL) == 0);
		for (waiting++; waiting > IN_FLIGHT;)
			turn();
	}
	while (waiting)
		turn();
}

static int64_t number(sqlite3 *db, const char *text)
{
	sqlite3_stmt *st;
	int64_t n = 0;

	must(sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Until nothing happens in the index any more. Returns the bytes of its blocks. */
static int64_t settle(void)
{
	struct timespec pause = { 0, 200000000 };
	char path[4200];
	sqlite3 *db;
	int64_t at, last = -1, same = 0, bytes;

	snprintf(path, sizeof(path), "%s/anser.db", opt.dir);
	must(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	while (same < 5) {
		at = number(db, "SELECT coalesce(sum(part*1000+level),0) FROM text_part");
		same = at == last ? same + 1 : 0;
		last = at;
		nanosleep(&pause, NULL);
	}
	bytes = number(db, "SELECT coalesce(sum(length(data)),0) FROM text_block");
	sqlite3_close(db);
	return bytes;
}

static void on_page(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	(void)s;
	must(status == 0);
	*(uint64_t *)arg += page->n;
	done_n++;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct figures {
	double p50, p95, max;
	double hits; /* of a page, on average */
};

/* kind 0: two neighbours drawn as the texts are; 1: one character; 2: two rare ones; 3: two of the most frequent; 4: as 0, with a peer */
static void ask(struct buf *text, int kind)
{
	text->n = 0;
	if (kind == 2) {
		put_char(text, 0x4e00 + (uint32_t)(2000 + draw() % 1500) * 5);
		put_char(text, 0x4e00 + (uint32_t)(2000 + draw() % 1500) * 5);
	} else if (kind == 3) {
		put_char(text, 0x4e00 + (uint32_t)(draw() % 20) * 5);
		put_char(text, 0x4e00 + (uint32_t)(draw() % 20) * 5);
	} else {
		put_char(text, draw_char());
		if (kind != 1)
			put_char(text, draw_char());
	}
}

static struct figures measure(int kind)
{
	double *ms = mem_alloc(opt.queries * sizeof(*ms));
	struct buf text = { 0 };
	uint64_t hits = 0;
	struct figures f;

	for (uint64_t i = 0; i < opt.queries; i++) {
		uint64_t from = clock_mono_us(), want = done_n + 1;
		char owner[64], peer[64];

		ask(&text, kind);
		snprintf(owner, sizeof(owner), "owner%llu@example.org", (unsigned long long)(draw() % opt.owners));
		snprintf(peer, sizeof(peer), "peer%llu@example.org", (unsigned long long)(draw() % PEERS));
		must(store_query(store, shard, &(struct archive_query){ .owner = str_of(owner), .text = buf_view(&text),
			.with = kind == 4 ? str_of(peer) : STR_NONE, .end_id = UINT64_MAX, .before_id = UINT64_MAX, .backward = true,
			.limit = 50 }, on_page, &hits) == 0);
		while (done_n < want)
			turn();
		ms[i] = (double)(clock_mono_us() - from) / 1e3;
	}
	qsort(ms, opt.queries, sizeof(*ms), by_value);
	f = (struct figures){ ms[opt.queries / 2], ms[opt.queries * 95 / 100], ms[opt.queries - 1], (double)hits / (double)opt.queries };
	free(ms);
	buf_free(&text);
	return f;
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = { { "rows", 1, NULL, 'r' }, { "owners", 1, NULL, 'o' }, { "queries", 1, NULL, 'q' },
		{ "no-index", 0, NULL, 'n' }, { "dir", 1, NULL, 'd' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'r': opt.rows = strtoull(optarg, NULL, 10); break;
		case 'o': opt.owners = strtoull(optarg, NULL, 10); break;
		case 'q': opt.queries = strtoull(optarg, NULL, 10); break;
		case 'n': opt.no_index = true; break;
		case 'd': opt.dir = optarg; break;
		default: exit(2);
		}
	}
	must(opt.rows && opt.owners && opt.queries && opt.dir);
}

static const char *const KINDS[] = { "word", "character", "rare", "frequent", "word_and_peer" };

int main(int argc, char **argv)
{
	char err[300];
	double begin, wrote, indexed;
	struct stat st = { 0 };
	int64_t bytes;

	read_options(argc, argv);
	for (int i = 0; i < CHARS; i++)
		sums[i] = (i ? sums[i - 1] : 0) + 1 / pow(i + 3, 1.0);
	must(shards_init(&shards, 1) == 0);
	shard = shards.v[0];
	if (store_open(&(struct store_config){ .backend = "sqlite", .dir = opt.dir, .readers = 1,
		.text = opt.no_index ? NULL : archive_text }, &store, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	begin = cpu_us();
	fill();
	wrote = cpu_us();
	bytes = opt.no_index ? 0 : settle();
	indexed = cpu_us();
	printf("{\"rows\":%llu,\"owners\":%llu,\"fill_cpu_us_per_row\":%.2f,\"after_fill_cpu_us_per_row\":%.2f,\"index_bytes_per_row\":%.1f",
		(unsigned long long)opt.rows, (unsigned long long)opt.owners, (wrote - begin) / (double)opt.rows,
		(indexed - wrote) / (double)opt.rows, (double)bytes / (double)opt.rows);
	for (size_t k = 0; k < ARRAY_LEN(KINDS) && !opt.no_index; k++) {
		struct figures f = measure((int)k);

		printf(",\"%s_ms\":{\"p50\":%.2f,\"p95\":%.2f,\"max\":%.2f,\"hits\":%.1f}", KINDS[k], f.p50, f.p95, f.max, f.hits);
	}
	store_close(store);
	snprintf(err, sizeof(err), "%s/anser.db", opt.dir);
	stat(err, &st);
	printf(",\"file_bytes_per_row\":%.1f}\n", (double)st.st_size / (double)opt.rows);
	shards_stop(&shards);
	shards_fini(&shards);
	return 0;
}
