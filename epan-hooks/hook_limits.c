/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_limits.c - the preference by which figures are graded: a table of limits. */
#include "hook_limits.h"

#include <string.h>

#include "hooks.h"
#include "layers/grade.h"

/* A row of the table, as the user wrote it. */
struct limit_row {
    char *figure, *good, *degraded;
};

static struct limit_row *rows;
static unsigned n_rows;

UAT_CSTRING_CB_DEF(limit, figure, struct limit_row)
UAT_CSTRING_CB_DEF(limit, good, struct limit_row)
UAT_CSTRING_CB_DEF(limit, degraded, struct limit_row)

static void *row_copy(void *to, const void *from, size_t length G_GNUC_UNUSED)
{
    const struct limit_row *source = from;
    struct limit_row *row = to;

    row->figure = g_strdup(source->figure);
    row->good = g_strdup(source->good);
    row->degraded = g_strdup(source->degraded);
    return to;
}

static void row_free(void *data)
{
    struct limit_row *row = data;

    g_free(row->figure);
    g_free(row->good);
    g_free(row->degraded);
}

/* The metric of that name; CORR_METRIC_COUNT if there is none. */
static unsigned find_metric(const char *name)
{
    unsigned m = 0;

    while (m < CORR_METRIC_COUNT && strcmp(corr_limits_default.rows[m].name, name ? name : "") != 0)
        m++;
    return m;
}

/* Units that may follow a number, and what one of them is; the first one is taken if none does. */
static const struct {
    const char *word;
    double value;
} unit_words[][4] = {
    [CORR_UNIT_TIME] = {{"ms", 1e6}, {"s", 1e9}, {"us", 1e3}, {NULL, 0}},
    [CORR_UNIT_RATIO] = {{"%", 0.01}, {NULL, 0}},
    [CORR_UNIT_FACTOR] = {{"", 1}, {NULL, 0}},
};

/* "150 ms", "0.5 %", "1.2".  False if the text is no such thing. */
static bool read_limit(const char *text, enum corr_unit unit, double *value)
{
    char *end;
    double number = g_ascii_strtod(text ? text : "", &end);

    if (!text || end == text || !(number >= 0 && number < 1e9))
        return false;
    while (g_ascii_isspace(*end))
        end++;
    for (unsigned i = 0; unit_words[unit][i].word; i++) {
        if (*end && strcmp(end, unit_words[unit][i].word) != 0)
            continue;
        *value = number * unit_words[unit][i].value;
        return true;
    }
    return false;
}

static bool read_row(const struct limit_row *row, struct corr_metric_row *metric)
{
    return read_limit(row->good, metric->unit, &metric->good) &&
           read_limit(row->degraded, metric->unit, &metric->degraded) &&
           metric->good <= metric->degraded;
}

static char *all_names(void)
{
    GString *names = g_string_new(NULL);

    for (unsigned m = 0; m < CORR_METRIC_COUNT; m++)
        g_string_append_printf(names, "%s%s", m ? ", " : "", corr_limits_default.rows[m].name);
    return g_string_free(names, FALSE);
}

static compat_bool row_check(void *data, char **error)
{
    const struct limit_row *row = data;
    unsigned m = find_metric(row->figure);
    struct corr_metric_row metric;

    *error = NULL;
    if (m == CORR_METRIC_COUNT) {
        g_autofree char *names = all_names();

        *error =
            g_strdup_printf("Figure: \"%s\" is none of %s", row->figure ? row->figure : "", names);
        return FALSE;
    }
    metric = corr_limits_default.rows[m];
    if (!read_row(row, &metric))
        *error =
            g_strdup_printf("Limits of %s: \"%s\" and \"%s\" are not two ascending %s", row->figure,
                            row->good ? row->good : "", row->degraded ? row->degraded : "",
                            metric.unit == CORR_UNIT_TIME    ? "times, such as 100 ms and 1.5 s"
                            : metric.unit == CORR_UNIT_RATIO ? "shares, such as 0.1 % and 2 %"
                                                             : "numbers, such as 0.25 and 1");
    return *error == NULL;
}

uat_t *hook_limits_table(void)
{
    static uat_field_t fields[] = {
        UAT_FLD_CSTRING(limit, figure, "Figure",
                        "Which one: a name of the table of layers, such as rtt, loss, server, dns"),
        UAT_FLD_CSTRING(limit, good, "Good up to",
                        "With its unit: 100 ms, 0.1 %; up to half of it the figure is excellent"),
        UAT_FLD_CSTRING(limit, degraded, "Degraded up to", "Likewise; above it the figure is poor"),
        UAT_END_FIELDS,
    };

    return uat_new("Correlation: limits of grades", sizeof(struct limit_row), HOOK_NAME "_limits",
                   TRUE, (void *)&rows, &n_rows, UAT_AFFECTS_DISSECTION, NULL, row_copy, row_check,
                   row_free, NULL, NULL, fields);
}

const struct corr_limits *hook_limits_get(void)
{
    static struct corr_limits limits;

    limits = corr_limits_default;
    for (unsigned i = 0; i < n_rows; i++) {
        unsigned m = find_metric(rows[i].figure);
        struct corr_metric_row changed;

        if (m == CORR_METRIC_COUNT)
            continue;
        changed = limits.rows[m];
        changed.source = "preference";
        if (read_row(&rows[i], &changed))
            limits.rows[m] = changed;
    }
    return &limits;
}
