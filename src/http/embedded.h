/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of the web client inside the binary. The table is written by tools/embed at build time and sorted by path. Any thread. */
#ifndef HTTP_EMBEDDED_H
#define HTTP_EMBEDDED_H

#include "base/str.h"

struct embedded_file {
	const char *path; /* absolute, as in the URL: "/index.html", "/assets/app-1a2b.js" */
	const char *type; /* value of Content-Type */
	const char *etag; /* strong, with its quotes; the encodings append nothing: vary it per encoding */
	bool immutable;	  /* the name holds a hash of the contents: cache for ever */
	struct str plain, gzip, brotli; /* gzip and brotli are NONE when they would not be smaller */
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_files_count;

#endif
