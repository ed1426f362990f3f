/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phases_text.c - transactions as people read them: a waterfall, and where the time went. */
#include <string.h>

#include "path/text.h"
#include "report/phases_columns.h"

#define INDENT 4
#define BAR 30    /* columns of the bars */
#define PLACES 64 /* places where time is spent: segments, server, client */

static const struct corr_row *sub_row(const struct corr_cell *cell, unsigned i)
{
    return g_ptr_array_index(cell->list, i);
}

static unsigned list_len(const struct corr_cell *cell)
{
    return cell->present ? cell->list->len : 0;
}

static void pad(GString *out, size_t from, unsigned width)
{
    for (unsigned used = corr_text_width(out->str + from); used < width; used++)
        g_string_append_c(out, ' ');
}

static void append_right(const char *text, unsigned width, GString *out)
{
    for (unsigned used = corr_text_width(text); used < width; used++)
        g_string_append_c(out, ' ');
    g_string_append(out, text);
}

static void end_line(GString *out)
{
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
}

/* A place where time was spent. */
struct place {
    char *name; /* owned */
    int64_t time_ns;
};

static void place_add(struct place *places, unsigned *n, const char *name, int64_t time_ns)
{
    unsigned i = 0;

    while (i < *n && strcmp(places[i].name, name) != 0)
        i++;
    if (i == PLACES)
        return;
    if (i == *n) {
        places[i] = (struct place){g_strdup(name), 0};
        ++*n;
    }
    places[i].time_ns += time_ns;
}

static void places_clear(struct place *places, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        g_free(places[i].name);
}

/* Adds the split of one phase. */
static void places_of(const struct corr_row *phase, struct place *places, unsigned *n)
{
    const struct corr_cell *cell = &phase->cells[C_PHASE_SPLIT];
    const struct corr_row *split;

    if (!cell->present)
        return;
    split = sub_row(cell, 0);
    for (unsigned i = 0; i < list_len(&split->cells[C_SPLIT_SEGMENTS]); i++) {
        const struct corr_row *share = sub_row(&split->cells[C_SPLIT_SEGMENTS], i);
        g_autofree char *name = g_strdup_printf("%s - %s", share->cells[C_SHARE_FROM].text,
                                                share->cells[C_SHARE_TO].text);

        place_add(places, n, name, share->cells[C_SHARE_TIME].time_ns);
    }
    if (split->cells[C_SPLIT_PROXY].present) {
        place_add(places, n, "proxy", split->cells[C_SPLIT_PROXY].time_ns);
        place_add(places, n, "behind proxy", split->cells[C_SPLIT_UPSTREAM].time_ns);
    } else {
        place_add(places, n, "server", split->cells[C_SPLIT_SERVER].time_ns);
    }
    place_add(places, n, "client", split->cells[C_SPLIT_CLIENT].time_ns);
}

static const struct place *greatest(const struct place *places, unsigned n)
{
    const struct place *best = NULL;

    for (unsigned i = 0; i < n; i++)
        if (places[i].time_ns > 0 && (best == NULL || places[i].time_ns > best->time_ns))
            best = &places[i];
    return best;
}

/* "GET www.example.com/index.html -> 200", as far as known. */
static void append_what(const struct corr_row *row, GString *out)
{
    const struct corr_cell *method = &row->cells[C_METHOD], *host = &row->cells[C_HOST];
    const struct corr_cell *path = &row->cells[C_PATH];

    if (method->present)
        g_string_append_printf(out, "%s ", method->text);
    if (host->present && !(path->present && strcmp(host->text, path->text) == 0))
        g_string_append(out, host->text);
    if (path->present)
        g_string_append(out, path->text);
    if (row->cells[C_STREAM].present)
        g_string_append_printf(out, " stream %" G_GUINT64_FORMAT, row->cells[C_STREAM].count);
    if (row->cells[C_STATUS].present)
        g_string_append_printf(out, " -> %" G_GUINT64_FORMAT, row->cells[C_STATUS].count);
}

/* Cuts a text to a width, with an ellipsis. */
static void cut(GString *text, unsigned width)
{
    if (corr_text_width(text->str) <= width)
        return;
    while (text->len > 0 && corr_text_width(text->str) > width - 3)
        g_string_truncate(text, (gsize)(g_utf8_prev_char(text->str + text->len) - text->str));
    g_string_append(text, "...");
}

static void append_head(const struct corr_row *row, GString *out)
{
    g_autoptr(GString) what = g_string_new(NULL), shown = g_string_new(NULL);
    g_autoptr(GString) total = g_string_new(NULL);
    unsigned used;

    g_string_printf(shown, "#%" G_GUINT64_FORMAT "  %s  ", row->cells[C_NUMBER].count,
                    row->cells[C_KIND].text);
    used = corr_text_width(shown->str);
    append_what(row, what);
    if (row->cells[C_TOTAL].present)
        corr_text_time(row->cells[C_TOTAL].time_ns, total);
    cut(what, 80 - used - corr_text_width(total->str) - 2);
    corr_text_printable(what->str, shown);
    g_string_append(out, shown->str);
    append_right(total->str, 80 - corr_text_width(shown->str), out);
    end_line(out);
}

static void append_fact(GString *text, const char *fact)
{
    g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", fact);
}

/* What a proxy made of it, or for what it was made. */
static void append_proxied(const struct corr_row *row, GString *text)
{
    g_string_truncate(text, 0);
    if (row->cells[C_DOWNSTREAM].present)
        g_string_append_printf(text, "made by a proxy for #%" G_GUINT64_FORMAT,
                               row->cells[C_DOWNSTREAM].count);
    if (!row->cells[C_UPSTREAM].present)
        return;
    append_fact(text, "");
    if (row->cells[C_PROXY_TIME].present) {
        g_string_append(text, "a proxy kept it for ");
        corr_text_time(row->cells[C_PROXY_TIME].time_ns, text);
        if (row->cells[C_PROXY_ERROR].time_ns > 0) {
            g_string_append(text, " ± ");
            corr_text_time(row->cells[C_PROXY_ERROR].time_ns, text);
        }
        g_string_append(text, ", then asked");
    } else {
        g_string_append(text, "a proxy asked");
    }
    g_string_append_printf(text, " #%" G_GUINT64_FORMAT " (%s%s)", row->cells[C_UPSTREAM].count,
                           strcmp(row->cells[C_PROXY_SURE].text, "possible") == 0 ? "possible, "
                                                                                  : "",
                           row->cells[C_PROXY_HOW].text);
}

static void append_ends(const struct corr_row *row, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (row->cells[C_CLIENT].present)
        g_string_printf(text, "%s > %s", row->cells[C_CLIENT].text, row->cells[C_SERVER].text);
    g_string_append_printf(text, ", flow %" G_GUINT64_FORMAT, row->cells[C_FLOW].count);
    if (row->cells[C_TLS].present) {
        append_fact(text, "TLS ");
        g_string_append(text, row->cells[C_TLS].text);
    }
    if (row->cells[C_RESUMED].present)
        append_fact(text, "resumed");
    if (row->cells[C_EARLY].present)
        append_fact(text, "early data");
    if (row->cells[C_RETRY].present)
        append_fact(text, "hello retried");
    if (row->cells[C_FAST_OPEN].present)
        append_fact(text, "fast open");
    if (row->cells[C_INTERIM].present)
        append_fact(text, "waited for 100 (Continue)");
    if (row->cells[C_DNS_TRIES].present) {
        append_fact(text, "");
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " DNS queries sent again",
                               row->cells[C_DNS_TRIES].count);
    }
    if (row->cells[C_DNS_TCP].present)
        append_fact(text, "DNS over TCP");
    if (row->cells[C_DNS_CODE].present) {
        append_fact(text, "");
        g_string_append_printf(text, "DNS code %" G_GUINT64_FORMAT, row->cells[C_DNS_CODE].count);
    }
    corr_text_paragraph(text->str, INDENT, out);
    if (row->cells[C_BLOCKED].present) {
        g_string_printf(text, "waited ");
        corr_text_time(row->cells[C_BLOCKED_TIME].time_ns, text);
        g_string_append_printf(text, " for the response of #%" G_GUINT64_FORMAT,
                               row->cells[C_BLOCKED].count);
        corr_text_paragraph(text->str, INDENT, out);
    }
    append_proxied(row, text);
    if (text->len > 0)
        corr_text_paragraph(text->str, INDENT, out);
    if (row->cells[C_NOTE].present)
        corr_text_paragraph(row->cells[C_NOTE].text, INDENT, out);
}

static void append_bar(const struct corr_row *phase, int64_t total_ns, GString *out)
{
    size_t from = out->len;
    int64_t start = phase->cells[C_PHASE_START].time_ns;
    int64_t end = start + phase->cells[C_PHASE_DURATION].time_ns;

    if (phase->cells[C_PHASE_START].present && total_ns > 0) {
        unsigned a = (unsigned)(start * BAR / total_ns), b = (unsigned)(end * BAR / total_ns);

        a = MIN(a, BAR - 1);
        for (unsigned i = 0; i < a; i++)
            g_string_append_c(out, ' ');
        if (b <= a)
            g_string_append_c(out, '|');
        for (unsigned i = a; i < MIN(b, BAR); i++)
            g_string_append_c(out, '=');
    }
    pad(out, from, BAR);
}

/* "2 retransmissions; waited 212 ms for loss (nic - fw)": what is worth a line of its own. */
static void append_troubles(const struct corr_row *phase, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const struct corr_cell *stalls = &phase->cells[C_PHASE_STALLS];
    uint64_t count = phase->cells[C_PHASE_RETRANS].count;
    int64_t least = phase->cells[C_PHASE_DURATION].time_ns / 20;

    if (phase->cells[C_PHASE_RETRANS].present && count > 0)
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " retransmission%s", count,
                               count > 1 ? "s" : "");
    for (unsigned i = 0; i < list_len(stalls); i++) {
        const struct corr_row *stall = sub_row(stalls, i);

        if (stall->cells[C_STALL_TIME].time_ns < least)
            continue;
        g_string_append(text, text->len > 0 ? "; waited " : "waited ");
        corr_text_time(stall->cells[C_STALL_TIME].time_ns, text);
        g_string_append_printf(text, ": %s", stall->cells[C_STALL_CAUSE].text);
        if (stall->cells[C_STALL_AFTER].present && stall->cells[C_STALL_BEFORE].present)
            g_string_append_printf(text, " %s > %s", stall->cells[C_STALL_AFTER].text,
                                   stall->cells[C_STALL_BEFORE].text);
    }
    if (phase->cells[C_PHASE_ROOM].present) {
        int64_t zero_ns = sub_row(&phase->cells[C_PHASE_ROOM], 0)->cells[C_ROOM_ZERO].time_ns;

        if (zero_ns > 0) {
            g_string_append(text, text->len > 0 ? "; window closed for " : "window closed for ");
            corr_text_time(zero_ns, text);
        }
    }
    if (text->len > 0) {
        g_autoptr(GString) shown = g_string_new(NULL);

        corr_text_printable(text->str, shown);
        corr_text_paragraph(shown->str, INDENT + 10, out);
    }
}

static void append_phase(const struct corr_row *phase, int64_t total_ns, GString *out)
{
    struct place places[PLACES];
    unsigned n = 0;
    const struct place *most;
    g_autoptr(GString) text = g_string_new(NULL);
    size_t from;

    for (unsigned i = 0; i < INDENT; i++)
        g_string_append_c(out, ' ');
    from = out->len;
    g_string_append(out, phase->cells[C_PHASE_NAME].text);
    pad(out, from, 8);
    corr_text_time(phase->cells[C_PHASE_DURATION].time_ns, text);
    append_right(text->str, 9, out);
    g_string_truncate(text, 0);
    if (phase->cells[C_PHASE_SHARE].present)
        corr_text_ratio(phase->cells[C_PHASE_SHARE].number, text);
    append_right(text->str, 8, out);
    g_string_append(out, "  ");
    append_bar(phase, total_ns, out);
    places_of(phase, places, &n);
    most = greatest(places, n);
    if (most != NULL) {
        double share =
            (double)most->time_ns / (double)MAX(phase->cells[C_PHASE_DURATION].time_ns, 1);

        g_string_printf(text, " %s", most->name);
        if (share < 0.995)
            g_string_append_printf(text, " %.0f %%", share * 100);
        cut(text, 80 - INDENT - 8 - 9 - 8 - 2 - BAR);
        corr_text_printable(text->str, out);
    }
    end_line(out);
    append_troubles(phase, out);
    places_clear(places, n);
}

static int place_compare(const void *x, const void *y)
{
    const struct place *a = x, *b = y;

    return a->time_ns > b->time_ns ? -1 : a->time_ns < b->time_ns;
}

/* All phases together: "server 80.0 ms, fw - srv 60.0 ms, ...". */
static void append_sum(const struct corr_row *row, GString *out)
{
    struct place places[PLACES];
    unsigned n = 0;
    int64_t sum = 0;
    g_autoptr(GString) text = g_string_new("in all: ");
    const char *join = "";

    for (unsigned i = 0; i < list_len(&row->cells[C_PHASES]); i++)
        places_of(sub_row(&row->cells[C_PHASES], i), places, &n);
    /* Stable for equal times: bubbles of few places. */
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && place_compare(&places[k - 1], &places[k]) > 0; k--) {
            struct place swap = places[k];

            places[k] = places[k - 1];
            places[k - 1] = swap;
        }
    for (unsigned i = 0; i < n; i++)
        sum += places[i].time_ns;
    for (unsigned i = 0; i < n && sum > 0; i++) {
        if (places[i].time_ns <= 0)
            break;
        g_string_append_printf(text, "%s%s ", join, places[i].name);
        corr_text_time(places[i].time_ns, text);
        g_string_append(text, " (");
        corr_text_ratio((double)places[i].time_ns / (double)sum, text);
        g_string_append_c(text, ')');
        join = ", ";
    }
    if (n > 2 && *join != '\0') {
        g_autoptr(GString) shown = g_string_new(NULL);

        corr_text_printable(text->str, shown);
        corr_text_paragraph(shown->str, INDENT, out);
    }
    places_clear(places, n);
}

void corr_phases_text(const struct corr_report_table *built, GString *out)
{
    for (unsigned i = 0; i < built->rows->len; i++) {
        const struct corr_row *row = g_ptr_array_index(built->rows, i);

        if (i > 0)
            g_string_append_c(out, '\n');
        append_head(row, out);
        append_ends(row, out);
        for (unsigned k = 0; k < list_len(&row->cells[C_PHASES]); k++)
            append_phase(sub_row(&row->cells[C_PHASES], k), row->cells[C_TOTAL].time_ns, out);
        append_sum(row, out);
    }
}
