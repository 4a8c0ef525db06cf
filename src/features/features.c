/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The list of features, in the order in which a stage asks them. */
#include "features/features.h"

extern const struct feature feature_access;
extern const struct feature feature_admin;
extern const struct feature feature_archive;
extern const struct feature feature_blocking;
extern const struct feature feature_carbons;
extern const struct feature feature_commands;
extern const struct feature feature_component;
extern const struct feature feature_contact;
extern const struct feature feature_csi;
extern const struct feature feature_disco;
extern const struct feature feature_ephemeral;
extern const struct feature feature_extdisco;
extern const struct feature feature_federation;
extern const struct feature feature_inbox;
extern const struct feature feature_invite;
extern const struct feature feature_messaging;
extern const struct feature feature_moved;
extern const struct feature feature_muc;
extern const struct feature feature_ping;
extern const struct feature feature_pubsub;
extern const struct feature feature_push;
extern const struct feature feature_register;
extern const struct feature feature_reports;
extern const struct feature feature_retention;
extern const struct feature feature_retract;
extern const struct feature feature_roster;
extern const struct feature feature_second_factor;
extern const struct feature feature_serverinfo;
extern const struct feature feature_session_legacy;
extern const struct feature feature_small;
extern const struct feature feature_strangers;
extern const struct feature feature_upload;

const struct feature *const features[] = {
	&feature_messaging,
	&feature_roster,
	&feature_ping,
	&feature_session_legacy,
	&feature_carbons,
	&feature_archive,
	&feature_retract,
	&feature_ephemeral,
	&feature_retention,
	&feature_inbox,
	&feature_blocking,
	&feature_strangers,
	&feature_federation,
	&feature_disco,
	&feature_small,
	&feature_pubsub,
	&feature_commands,
	&feature_admin,
	&feature_reports,
	&feature_moved,
	&feature_contact,
	&feature_serverinfo,
	&feature_extdisco,
	&feature_invite,
	&feature_register,
	&feature_access,
	&feature_second_factor,
	&feature_upload,
	&feature_muc,
	&feature_component,
	&feature_csi,
	&feature_push,
	NULL,
};
