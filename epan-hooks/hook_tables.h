/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_tables.h - what `-z corr,TABLE[,FORMAT][,FILTER]` asks for, and its rendering. */
#ifndef HOOK_TABLES_H
#define HOOK_TABLES_H

#include <stdbool.h>

struct corr_engine;
struct corr_frame_set;
struct corr_table;

enum hook_format { HOOK_FORMAT_TEXT, HOOK_FORMAT_JSON, HOOK_FORMAT_CSV };

struct hook_request {
    const struct corr_table *table; /* NULL: every table, `report` */
    enum hook_format format;
    char *filter; /* owned; NULL: none */
};

/*
 * Reads the argument of -z, "corr,...".  On failure returns a sentence for the
 * user (free it); on success NULL, and `request` is to be cleared by the caller.
 */
char *hook_request_parse(struct hook_request *request, const char *argument);
void hook_request_clear(struct hook_request *request);

/*
 * The text to print; free it.  The engine has settled.  `engine` NULL: no frame
 * was seen, the tables are empty.  `frames` NULL: all.
 */
char *hook_request_render(const struct hook_request *request, struct corr_engine *engine,
                          const struct corr_frame_set *frames);

#endif /* HOOK_TABLES_H */
