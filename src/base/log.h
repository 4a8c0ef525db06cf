/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One line per event: time, level, thread, dotted event, key=value. Text or JSON, to standard error. Any thread.
 * Never bodies, passwords or tokens. Values with spaces are quoted by LOG_Q in the format's place: use %s on safe words only. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Sets the sink; may be called again at reload. */
void log_setup(enum log_level level, enum log_format format);
/* Names the calling thread in its lines ("shard0", "store"). The string must be static. */
void log_thread(const char *name);
bool log_wants(enum log_level level);
/* fmt yields `key=value key="value with spaces"`; control bytes are escaped, so that a peer cannot forge a line. */
void log_line(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int log_level_parse(const char *name, enum log_level *out); /* 0; -EINVAL */

#define log_error(event, ...) log_line(LOG_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_line(LOG_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) (log_wants(LOG_INFO) ? log_line(LOG_INFO, event, __VA_ARGS__) : (void)0)
#define log_debug(event, ...) (log_wants(LOG_DEBUG) ? log_line(LOG_DEBUG, event, __VA_ARGS__) : (void)0)

#endif
