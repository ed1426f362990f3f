/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_json.h - built tables as one JSON document. */
#ifndef HOOK_JSON_H
#define HOOK_JSON_H

struct corr_report_table;

/*
 * Renders `n` built tables as one object: "schema", one member per table
 * (named by its key) and "notes".  Ends in a newline; free with g_free().
 */
char *hook_json_render(struct corr_report_table *const *tables, unsigned n);

#endif /* HOOK_JSON_H */
