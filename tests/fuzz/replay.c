/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs a fuzz target over its committed corpus, and over every prefix of each small file, as one TAP test per file. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, PREFIXES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const int fuzz_whole_files_only __attribute__((weak)); /* a target whose runs take long defines it */

/* The input gets a heap block of its exact size, so that ASan sees the first byte read past it. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		return -1;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	feed(data, size);
	if (size <= PREFIXES_MAX && !&fuzz_whole_files_only)
		for (size_t n = 0; n < size; n++)
			feed(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int n, done = 0, failed = 0;

	if (argc != 2 || (n = scandir(argv[1], &names, NULL, alphasort)) < 0) {
		printf("1..1\nnot ok 1 - no corpus at %s\n", argc > 1 ? argv[1] : "?");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char path[4096];

		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
			int rc = replay(path);

			failed += rc != 0;
			printf("%s %d - %s\n", rc ? "not ok" : "ok", ++done, names[i]->d_name);
			fflush(stdout);
		}
		free(names[i]);
	}
	free(names);
	printf("1..%d\n", done);
	return failed || !done;
}
