/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Counters and gauges in Prometheus text format. Each metric is one row of metrics.c; adding is relaxed and per thread slot. Any thread. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"

/* Name, type, help. Labels are part of the name where a row needs them. */
#define METRICS(X)                                                                                 \
	X(CONNECTIONS_OPEN, "anser_connections_open", "gauge", "Open client connections")          \
	X(CONNECTIONS_TOTAL, "anser_connections_total", "counter", "Accepted connections")         \
	X(TLS_HANDSHAKES_FAILED, "anser_tls_handshakes_failed_total", "counter", "TLS handshakes that failed") \
	X(SESSIONS_ONLINE, "anser_sessions_online", "gauge", "Bound sessions, resumable ones included") \
	X(LOGINS_TOTAL, "anser_logins_total", "counter", "Successful authentications")              \
	X(LOGINS_FAILED, "anser_logins_failed_total", "counter", "Failed authentications")          \
	X(STANZAS_IN, "anser_stanzas_received_total", "counter", "Stanzas received from clients")   \
	X(STANZAS_OUT, "anser_stanzas_sent_total", "counter", "Stanzas sent to clients")            \
	X(STANZA_ERRORS, "anser_stanza_errors_total", "counter", "Stanza errors answered")          \
	X(STREAM_ERRORS, "anser_stream_errors_total", "counter", "Streams closed with an error")    \
	X(MESSAGES_ARCHIVED, "anser_messages_archived_total", "counter", "Archive rows committed")  \
	X(MESSAGES_OFFLINE, "anser_messages_offline_total", "counter", "Messages kept for offline delivery") \
	X(STORE_COMMITS, "anser_store_commits_total", "counter", "Transactions committed")          \
	X(STORE_BATCHES, "anser_store_batches_total", "counter", "Write batches committed")         \
	X(STORE_ERRORS, "anser_store_errors_total", "counter", "Failed store requests")             \
	X(STORE_QUEUE, "anser_store_queue", "gauge", "Write batches that wait for a commit")        \
	X(ROOMS_LIVE, "anser_rooms_live", "gauge", "Rooms in memory")                               \
	X(ROOM_OCCUPANTS, "anser_room_occupants", "gauge", "Occupants of all rooms")                \
	X(HTTP_REQUESTS, "anser_http_requests_total", "counter", "HTTP requests")                   \
	X(UPLOAD_BYTES, "anser_upload_bytes_total", "counter", "Bytes of uploaded files")           \
	X(CSI_HELD, "anser_csi_held_total", "counter", "Stanzas held back for inactive clients")     \
	X(CSI_REPLACED, "anser_csi_replaced_total", "counter", "Of them, presences that a newer one replaced") \
	X(PUSHES, "anser_push_notifications_total", "counter", "Push notifications sent")            \
	X(PUSHES_FAILED, "anser_push_failed_total", "counter", "Push notifications that a service refused or did not take") \
	X(RATE_LIMITED, "anser_rate_limited_total", "counter", "Times that a rate limit held")      \
	X(SLOW_TURNS, "anser_slow_turns_total", "counter", "Turns of a shard over 10 ms")           \
	X(MAILBOX_REFUSED, "anser_mailbox_refused_total", "counter", "Messages refused by a full mailbox")

#define METRIC_ENUM(id, name, type, help) M_##id,
enum metric { METRICS(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

void metric_add(enum metric m, int64_t n);
int64_t metric_get(enum metric m);
void metrics_write(struct buf *out); /* Prometheus text format 0.0.4 */

#endif
