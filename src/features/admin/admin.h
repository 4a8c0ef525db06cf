/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 inside its folder: the rows of commands, and what they share. */
#ifndef FEATURES_ADMIN_H
#define FEATURES_ADMIN_H

#include "core/command.h"
#include "core/feature.h"
#include "core/visit.h"
#include "proto/xmpp/ns.h"

enum {
	ADMIN_LIST_MAX = 2000,	    /* addresses of one list; what is more is left out and said so */
	ADMIN_SCAN_PAGE = 500,	    /* accounts of one question to the store */
	ADMIN_ACTIVE_MS = 10 * 60000, /* a client that sent nothing for so long is idle */
	NOTICE_BYTES_MAX = 16 << 10,
};

/* The normalised node of an account of the domain that was asked; without a resource. Returns false after answering the error. */
bool admin_account(struct iq *iq, struct str jid, struct str *out_node);
/* Answers the error of an account_* call. */
void admin_failed(struct iq *iq, int status);
/* The accounts of the host that was asked. */
struct accounts *admin_accounts(const struct iq *iq);
struct accounts *admin_held_accounts(const struct iq_held *h);
/* "node@domain" of the domain that was asked. */
struct str admin_bare(struct iq *iq, struct str node);
/* A result form of XEP-0133. */
struct xml *admin_result(struct iq *iq);

/* Does something to each account of the field accountjids, one after the other: first all must exist (else item-not-found and nothing
 * is done), then act runs for each and calls admin_next with the status. When all are done, finish answers. */
struct admin_each;
typedef void admin_act_fn(struct admin_each *e, struct iq *iq, struct jid jid);
struct admin_each_ops {
	admin_act_fn *act;
	void (*finish)(struct admin_each *e, struct iq *iq); /* NULL: completed */
	bool not_oneself; /* refused when the asker is among them */
	bool full;	   /* addresses may have a resource */
};
struct admin_each {
	struct iq_held *held;
	const struct admin_each_ops *ops;
	char **jids;
	size_t n, i;
	bool acting;
	struct buf out; /* the acts' own */
};
void admin_each_run(struct iq *iq, struct xml *form, const struct admin_each_ops *ops);
void admin_next(struct admin_each *e, int status);
void admin_each_free(struct admin_each *e); /* when an act will never call admin_next: the process ends */

/* Walks all accounts. want NULL: all are meant. */
struct admin_scan;
typedef bool admin_want_fn(const struct account_row *row);
typedef void admin_scanned_fn(struct iq *iq, const struct admin_scan *scan, void *arg);
struct admin_scan {
	struct iq_held *held;
	admin_want_fn *want;
	admin_scanned_fn *done;
	void *arg;
	uint32_t limit; /* nodes that are kept */
	uint64_t count; /* of all that are wanted */
	int status;	/* not 0: the store failed; done answers admin_failed */
	struct buf nodes; /* a line each */
	char *after;
};
/* done runs once, with scan->nodes in order. */
void admin_scan_run(struct iq *iq, admin_want_fn *want, uint32_t limit, admin_scanned_fn *done, void *arg);

/* A line of text to all who are online now, from the domain. */
void admin_announce(struct core *c, struct str domain, struct str text);

/* Handlers of the rows. */
typedef void admin_run_fn(struct iq *iq, struct xml *form);
admin_run_fn admin_add_user, admin_delete_user, admin_disable_user, admin_reenable_user, admin_end_session, admin_change_password;
admin_run_fn admin_get_roster, admin_get_lastlogin, admin_user_stats;
admin_run_fn admin_registered_num, admin_disabled_num, admin_online_num, admin_active_num, admin_idle_num;
admin_run_fn admin_registered_list, admin_disabled_list, admin_online_list, admin_active_list, admin_idle_list;
admin_run_fn admin_announce_run, admin_set_motd, admin_edit_motd, admin_delete_motd, admin_set_welcome, admin_delete_welcome;
admin_run_fn admin_edit_admin, admin_shutdown;
void admin_fill_motd(struct iq *iq, struct xml *form, struct xml *answers);
void admin_fill_welcome(struct iq *iq, struct xml *form, struct xml *answers);
void admin_fill_admins(struct iq *iq, struct xml *form, struct xml *answers);

/* When the server is to end. */
struct timer *admin_stop_timer(struct core *c);

/* Hooks of the notices. */
void notices_start(struct core *c);
void notices_stop(struct core *c);
void notices_available(struct session *s);
void notices_item(struct user *u, struct str key, struct str value);
void notices_user_free(struct user *u);

#endif
