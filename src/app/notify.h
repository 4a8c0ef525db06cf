/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The service manager's readiness protocol, sd_notify(3): one datagram to $NOTIFY_SOCKET. */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

/* Sends "READY=1" or the like; does nothing without a service manager. */
void notify(const char *state);

#endif
