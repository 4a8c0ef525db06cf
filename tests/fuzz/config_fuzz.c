/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a configuration file: no crash, and what was taken can be explained and read again. */
#include <stdint.h>

#include "app/config_file.h"
#include "app/options.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = options_new();
	struct buf out = { 0 };
	char err[400];

	if (config_file_parse(c, "fuzz", (struct str){ (const char *)data, size }, err, sizeof(err)) == 0) {
		struct config *again = options_new();

		config_explain(c, &out);
		must(config_file_parse(again, "explained", buf_view(&out), err, sizeof(err)) == 0);
		config_free(again);
		buf_free(&out);
	}
	config_free(c);
	return 0;
}
