/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tables of words.c: rows by code point, rising. */
#ifndef STORE_FOLD_H
#define STORE_FOLD_H

#include <stddef.h>
#include <stdint.h>

struct fold_row {
	uint16_t from, to;
};
/* Letters that are compared as several. */
struct fold_long {
	uint16_t from;
	char to[4];
};
extern const struct fold_row fold_rows[];
extern const size_t fold_rows_n;
extern const struct fold_long fold_longs[];
extern const size_t fold_longs_n;

#endif
