/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The list of features, in the order in which a stage asks them. */
#include "features/features.h"

extern const struct feature feature_access, feature_archive, feature_blocking, feature_carbons, feature_commands,
	feature_component, feature_csi, feature_disco, feature_ephemeral, feature_inbox, feature_invite, feature_messaging,
	feature_muc, feature_ping, feature_pubsub, feature_push, feature_register, feature_retention, feature_retract,
	feature_roster, feature_second_factor, feature_session_legacy, feature_small, feature_upload;

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
	&feature_disco,
	&feature_small,
	&feature_pubsub,
	&feature_commands,
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
