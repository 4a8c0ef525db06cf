/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 §16.4.4 pubsub#node_config: the settings of a node. Private to features/pubsub. */
#ifndef FEATURES_PUBSUB_CONFIG_H
#define FEATURES_PUBSUB_CONFIG_H

#include "proto/xmpp/form.h"

enum ps_access { ACCESS_OPEN, ACCESS_PRESENCE, ACCESS_ROSTER, ACCESS_AUTHORIZE, ACCESS_WHITELIST };
enum ps_publish_model { PUBLISH_PUBLISHERS, PUBLISH_SUBSCRIBERS, PUBLISH_OPEN };
enum ps_send_last { LAST_NEVER, LAST_ON_SUB, LAST_ON_SUB_AND_PRESENCE };
enum ps_notification { NOTIFY_HEADLINE, NOTIFY_NORMAL };
enum ps_reply { REPLY_NONE, REPLY_PUBLISHER };
enum ps_full { FULL_RETRACT_OLDEST, FULL_DISCARD_OLDEST, FULL_REJECT };

enum {
	PS_ITEMS_MAX = 5000,	       /* of one node; also what "max" stands for */
	PS_ITEM_BYTES_MAX = 240 << 10, /* of one payload */
	PS_TEXT_MAX = 1024,	       /* bytes of a text setting */
	PS_VALUES_MAX = 50,	       /* of a setting with several values */
};
#define PS_MAX UINT32_MAX /* "max" */

struct ps_config {
	char *title, *description, *type, *language;
	char *contact, *groups, *dataform_xslt; /* contact, groups: several values, a line feed between */
	uint8_t access, publish, send_last, notification, reply, full, node_type;
	bool deliver_notifications, deliver_payloads, persist, subscribe, presence_based;
	bool notify_config, notify_delete, notify_retract, notify_sub, purge_offline;
	uint32_t max_items, item_expire /* seconds */, max_payload;
};

/* Defaults of a node of that name, in an account (pep) or at the service. Strings are malloc'ed. */
void ps_config_init(struct ps_config *c, bool pep, struct str node);
void ps_config_copy(struct ps_config *to, const struct ps_config *from);
void ps_config_fini(struct ps_config *c);
/* Applies a submitted form. A field that is not known is passed over, unless strict. Returns 0; -EINVAL a value that cannot be;
 * -EOPNOTSUPP an access model that this place does not have; -ENOENT (strict) an unknown field. c is changed as far as read. */
int ps_config_read(struct arena *a, const struct xml *form, bool pep, bool strict, struct ps_config *c);
bool ps_config_eq(const struct ps_config *a, const struct ps_config *b);
/* Adds all fields: with labels, types and options for people, or the values alone. */
void ps_config_write(struct arena *a, struct xml *form, bool pep, bool people, const struct ps_config *c);
const char *ps_access_name(const struct ps_config *c);
const char *ps_publish_name(const struct ps_config *c);
/* Adds the number, or "max". */
struct str ps_number(struct arena *a, uint32_t n);
/* Is value one of the lines? */
bool ps_lines_have(const char *lines, struct str value);
/* Items that the node keeps at most. */
uint32_t ps_config_items(const struct ps_config *c);

#endif
