/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The list of features. */
#include "features/features.h"

extern const struct feature feature_carbons, feature_messaging, feature_ping, feature_roster, feature_session_legacy;

const struct feature *const features[] = {
	&feature_messaging,
	&feature_roster,
	&feature_ping,
	&feature_session_legacy,
	&feature_carbons,
	NULL,
};
