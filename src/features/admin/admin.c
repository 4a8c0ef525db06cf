/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 1.3.1 service administration by ad-hoc commands, for administrators, at the domain.
 * Left out: get-user-password (retracted; there is nothing to get, only SCRAM keys are stored) and restart (a service manager's work). */
#include "features/admin/admin.h"

#define NODE(verb) NS_ADMIN "#" verb

static const struct form_rule account_and_name[] = {
	{ "accountjid", "The Jabber ID for the account to be added", FORM_JID_SINGLE, .required = true },
	{ "password", "The password for this account", FORM_TEXT_PRIVATE, .required = true },
	{ "password-verify", "Retype password", FORM_TEXT_PRIVATE, .required = true },
	{ "email", "Email address", FORM_TEXT_SINGLE },
	{ "given_name", "Given name", FORM_TEXT_SINGLE },
	{ "surname", "Family name", FORM_TEXT_SINGLE },
	{ NULL },
};
static const struct form_rule accounts[] = {
	{ "accountjids", "The Jabber ID(s)", FORM_JID_MULTI, .required = true },
	{ NULL },
};
static const struct form_rule account[] = {
	{ "accountjid", "The Jabber ID", FORM_JID_SINGLE, .required = true },
	{ NULL },
};
static const struct form_rule account_and_password[] = {
	{ "accountjid", "The Jabber ID for this account", FORM_JID_SINGLE, .required = true },
	{ "password", "The password for this account", FORM_TEXT_PRIVATE, .required = true },
	{ NULL },
};
static const struct form_option numbers[] = {
	{ "25", NULL }, { "50", NULL }, { "75", NULL }, { "100", NULL }, { "150", NULL }, { "200", NULL }, { "none", "None" }, { 0 },
};
static const struct form_rule max_items[] = {
	{ "max_items", "Maximum number of items to show", FORM_LIST_SINGLE, .options = numbers },
	{ NULL },
};
static const struct form_rule announcement[] = {
	{ "announcement", "Announcement", FORM_TEXT_MULTI, .required = true },
	{ NULL },
};
static const struct form_rule motd[] = { { "motd", "Message of the Day", FORM_TEXT_MULTI, .required = true }, { NULL } };
static const struct form_rule welcome[] = { { "welcome", "Welcome Message", FORM_TEXT_MULTI, .required = true }, { NULL } };
static const struct form_rule admins[] = { { "adminjids", "The admin list", FORM_JID_MULTI, .required = true }, { NULL } };
static const struct form_option delays[] = {
	{ "0", "at once" }, { "30", "30 seconds" }, { "60", "60 seconds" }, { "90", "90 seconds" }, { "120", "2 minutes" },
	{ "180", "3 minutes" }, { "240", "4 minutes" }, { "300", "5 minutes" }, { 0 },
};
static const struct form_rule shutdown[] = {
	{ "delay", "Time delay before shutting down", FORM_LIST_SINGLE, .required = true, .options = delays },
	{ "announcement", "Announcement", FORM_TEXT_MULTI },
	{ NULL },
};

#define STAGE(name, fields, title, text, fill) \
	static const struct command_stage name[] = { { fields, title, text, fill }, { 0 } }

STAGE(add_user, account_and_name, "Adding a User", "Fill out this form to add a user.", NULL);
STAGE(delete_user, accounts, "Deleting a User", "The accounts go with everything in them.", NULL);
STAGE(disable_user, accounts, "Disabling a User", "The accounts keep their data, and nobody can sign in.", NULL);
STAGE(reenable_user, accounts, "Re-Enable a User", "The accounts can be used again.", NULL);
STAGE(end_session, accounts, "Ending a User Session", "A full Jabber ID ends one session, a bare one all.", NULL);
STAGE(change_password, account_and_password, "Changing a User Password", "Fill out this form to change a user's password.", NULL);
STAGE(get_roster, accounts, "Getting a User's Roster", NULL, NULL);
STAGE(get_lastlogin, accounts, "Getting a User's Last Login Time", NULL, NULL);
STAGE(user_stats, account, "Get User Statistics", NULL, NULL);
STAGE(list_registered, max_items, "Requesting List of Registered Users", NULL, NULL);
STAGE(list_disabled, max_items, "Requesting List of Disabled Users", NULL, NULL);
STAGE(list_online, max_items, "Requesting List of Online Users", NULL, NULL);
STAGE(list_active, max_items, "Requesting List of Active Users", NULL, NULL);
STAGE(list_idle, max_items, "Requesting List of Idle Users", NULL, NULL);
STAGE(announce, announcement, "Making an Announcement", "It goes to everybody who is online now.", NULL);
STAGE(set_motd, motd, "Setting the Message of the Day", "Everybody gets it once, at the next sign-in.", NULL);
STAGE(edit_motd, motd, "Editing the Message of the Day", "Who had it does not get it again.", admin_fill_motd);
STAGE(set_welcome, welcome, "Setting the Welcome Message", "New accounts get it at their first sign-in.", admin_fill_welcome);
STAGE(edit_admin, admins, "Editing the Admin List", "Who stands here is an administrator, nobody else.", admin_fill_admins);
STAGE(shut_down, shutdown, "Shutting Down the Service", "The server ends and is not started again by itself.", NULL);

#define ROW(verb, name, run, stages) { NODE(verb), name, TO_SERVER, true, run, stages, NS_ADMIN }

static const struct command commands[] = {
	ROW("add-user", "Add User", admin_add_user, add_user),
	ROW("delete-user", "Delete User", admin_delete_user, delete_user),
	ROW("disable-user", "Disable User", admin_disable_user, disable_user),
	ROW("reenable-user", "Re-Enable User", admin_reenable_user, reenable_user),
	ROW("end-user-session", "End User Session", admin_end_session, end_session),
	ROW("change-user-password", "Change User Password", admin_change_password, change_password),
	ROW("get-user-roster", "Get User Roster", admin_get_roster, get_roster),
	ROW("get-user-lastlogin", "Get User Last Login Time", admin_get_lastlogin, get_lastlogin),
	ROW("user-stats", "Get User Statistics", admin_user_stats, user_stats),
	ROW("get-registered-users-num", "Get Number of Registered Users", admin_registered_num, NULL),
	ROW("get-disabled-users-num", "Get Number of Disabled Users", admin_disabled_num, NULL),
	ROW("get-online-users-num", "Get Number of Online Users", admin_online_num, NULL),
	ROW("get-active-users-num", "Get Number of Active Users", admin_active_num, NULL),
	ROW("get-idle-users-num", "Get Number of Idle Users", admin_idle_num, NULL),
	ROW("get-registered-users-list", "Get List of Registered Users", admin_registered_list, list_registered),
	ROW("get-disabled-users-list", "Get List of Disabled Users", admin_disabled_list, list_disabled),
	ROW("get-online-users-list", "Get List of Online Users", admin_online_list, list_online),
	ROW("get-active-users", "Get List of Active Users", admin_active_list, list_active),
	ROW("get-idle-users", "Get List of Idle Users", admin_idle_list, list_idle),
	ROW("announce", "Send Announcement to Online Users", admin_announce_run, announce),
	ROW("set-motd", "Set Message of the Day", admin_set_motd, set_motd),
	ROW("edit-motd", "Edit Message of the Day", admin_edit_motd, edit_motd),
	ROW("delete-motd", "Delete Message of the Day", admin_delete_motd, NULL),
	ROW("set-welcome", "Set Welcome Message", admin_set_welcome, set_welcome),
	ROW("delete-welcome", "Delete Welcome Message", admin_delete_welcome, NULL),
	ROW("edit-admin", "Edit Admin List", admin_edit_admin, edit_admin),
	ROW("shutdown", "Shut Down Service", admin_shutdown, shut_down),
	{ 0 },
};

static const struct spec specs[] = { { "XEP-0133", "1.3.1" }, { NULL, NULL } };

const struct feature feature_admin = {
	.name = "admin",
	.specs = specs,
	.commands = commands,
	.on_start = notices_start,
	.on_stop = notices_stop,
	.on_available = notices_available,
	.user_kind = "notice",
	.user_item = notices_item,
	.user_free = notices_user_free,
};
