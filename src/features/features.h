/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* All features, one row each; the order is that of disco lists, nothing else. */
#ifndef FEATURES_FEATURES_H
#define FEATURES_FEATURES_H

#include "core/feature.h"

extern const struct feature *const features[]; /* NULL-terminated */

#endif
