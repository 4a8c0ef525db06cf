/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The scenes: each runs one load, prints one line of JSON and returns 0, or -errno after saying why. */
#ifndef BENCH_SCENES_H
#define BENCH_SCENES_H

#include "opts.h"

int scene_chat(const struct opts *o);
int scene_idle(const struct opts *o);
int scene_room(const struct opts *o);
int scene_login(const struct opts *o);
int scene_archive(const struct opts *o);
int scene_durable_send(const struct opts *o);
int scene_durable_check(const struct opts *o);
int scene_pep(const struct opts *o);
int scene_presence(const struct opts *o);
int scene_start(const struct opts *o);

#endif
