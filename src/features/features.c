/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The list of features. */
#include "features/features.h"

extern const struct feature feature_admin, feature_archive, feature_blocking, feature_carbons, feature_commands, feature_contact, feature_disco, feature_extdisco, feature_invite,
	feature_keep, feature_messaging, feature_muc, feature_ping, feature_register, feature_reports, feature_roster, feature_session_legacy,
	feature_small, feature_upload;

const struct feature *const features[] = {
	&feature_messaging,
	&feature_roster,
	&feature_ping,
	&feature_session_legacy,
	&feature_carbons,
	&feature_archive,
	&feature_blocking,
	&feature_disco,
	&feature_small,
	&feature_keep,
	&feature_commands,
	&feature_admin,
	&feature_reports,
	&feature_contact,
	&feature_extdisco,
	&feature_invite,
	&feature_register,
	&feature_upload,
	&feature_muc,
	NULL,
};
