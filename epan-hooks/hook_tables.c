/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_tables.c - what `-z corr,TABLE[,FORMAT][,FILTER]` asks for, and its rendering. */
#include "compat.h"
#include "hook_tables.h"

#include <string.h>

#include "corr.h"
#include "hook_json.h"
#include "hooks.h"
#include "report/report.h"

/* The word that stands for every table. */
#define REPORT "report"

static const char *const format_words[] = {
    [HOOK_FORMAT_TEXT] = "text",
    [HOOK_FORMAT_JSON] = "json",
    [HOOK_FORMAT_CSV] = "csv",
};

/* "unknown table ... tables are ...", with every word that would be right. */
static char *explain(const char *table)
{
    GString *text = g_string_new(NULL);

    if (*table)
        g_string_printf(text, "there is no table \"%s\".", table);
    else
        g_string_assign(text, "a table is missing.");
    g_string_append(text,
                    "\nUse -z " HOOK_NAME ",TABLE[,text|json|csv][,FILTER] with TABLE one of");
    for (unsigned i = 0; i < corr_table_count; i++)
        g_string_append_printf(text, " %s,", corr_tables[i]->key);
    g_string_append(text, " " REPORT ".");
    return g_string_free(text, FALSE);
}

/* Takes the word up to the next comma off `*rest`; free it.  `*rest` is NULL after the last. */
static char *take_word(const char **rest)
{
    const char *comma = strchr(*rest, ',');
    char *word = comma ? g_strndup(*rest, (size_t)(comma - *rest)) : g_strdup(*rest);

    *rest = comma ? comma + 1 : NULL;
    return word;
}

/* A first word that is a format is the format; all else, commas included, is the filter. */
static void parse_format(struct hook_request *request, const char **rest)
{
    const char *after = *rest;
    char *word = take_word(&after);

    for (unsigned i = 0; i < G_N_ELEMENTS(format_words); i++) {
        if (g_ascii_strcasecmp(word, format_words[i]) == 0) {
            request->format = (enum hook_format)i;
            *rest = after;
            break;
        }
    }
    g_free(word);
}

char *hook_request_parse(struct hook_request *request, const char *argument)
{
    const char *rest = argument;
    char *word, *error = NULL;

    memset(request, 0, sizeof(*request));

    /* Wireshark matches by prefix: the first word may be longer than ours. */
    word = take_word(&rest);
    if (strcmp(word, HOOK_NAME) != 0)
        error =
            g_strdup_printf("there is no statistic \"%s\"; did you mean \"" HOOK_NAME "\"?", word);
    g_free(word);
    if (error)
        return error;

    word = rest ? take_word(&rest) : g_strdup("");
    request->table = corr_table_find(word);
    if (!request->table && strcmp(word, REPORT) != 0)
        error = explain(word);
    g_free(word);
    if (error)
        return error;

    if (rest)
        parse_format(request, &rest);
    if (rest && *rest)
        request->filter = g_strdup(rest);
    return NULL;
}

void hook_request_clear(struct hook_request *request)
{
    g_clear_pointer(&request->filter, g_free);
}

static void append_table(GString *out, const struct corr_report_table *built,
                         enum hook_format format)
{
    char *text = format == HOOK_FORMAT_CSV ? corr_render_csv(built) : corr_render_text(built);

    if (out->len > 0)
        g_string_append_c(out, '\n'); /* an empty line parts the tables of a report */
    g_string_append(out, text);
    g_free(text);
}

char *hook_request_render(const struct hook_request *request, struct corr_engine *engine,
                          const struct corr_frame_set *frames)
{
    struct corr_engine *empty = engine ? NULL : corr_engine_new(NULL);
    unsigned n = request->table ? 1 : corr_table_count;
    struct corr_report_table **built = g_new0(struct corr_report_table *, n);
    char *text;

    if (empty) {
        engine = empty;
        corr_engine_settle(engine);
    }
    for (unsigned i = 0; i < n; i++)
        built[i] =
            corr_report_build(engine, request->table ? request->table : corr_tables[i], frames);

    if (request->format == HOOK_FORMAT_JSON) {
        text = hook_json_render(built, n);
    } else {
        GString *out = g_string_new(NULL);

        for (unsigned i = 0; i < n; i++)
            append_table(out, built[i], request->format);
        text = g_string_free(out, FALSE);
    }

    for (unsigned i = 0; i < n; i++)
        corr_report_table_free(built[i]);
    g_free(built);
    corr_engine_free(empty);
    return text;
}
