/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_prefs.h - Preferences > Protocols > CORR, and `-o corr.NAME:VALUE`.
 *
 * Wireshark reads the file anew when one of them changes, so whoever needs a
 * value asks for it when a file is opened.
 */
#ifndef HOOK_PREFS_H
#define HOOK_PREFS_H

#include <stdbool.h>
#include <stdint.h>

struct corr_config;
struct corr_point_settings;

void hook_prefs_register(int proto);

/* The engine's settings. */
void hook_prefs_config(struct corr_config *config);

/* The point that exports show; "": each conversation's best one. */
const char *hook_prefs_export_point(void);

/* How long verdicts wait, beyond the longest latency, while a capture runs. */
int64_t hook_prefs_grace_ns(void);

/*
 * What the table of capture points says of an interface.  `names`: how it may
 * be called (interface name, description, file), up to NULL.  False if no row
 * matches.  `name` is "" where the row has none; it and the settings' texts
 * live until a preference changes.
 */
bool hook_prefs_point(unsigned section, unsigned interface, const char *const *names,
                      const char **name, struct corr_point_settings *settings);

#endif /* HOOK_PREFS_H */
