/* SPDX-License-Identifier: GPL-2.0-or-later */
/* points.c - the pre-flight check: what each capture point holds and how far to trust it. */
#include <stdlib.h>
#include <string.h>

#include "report/nat_text.h"
#include "report/report-int.h"
#include "report/text.h"

/* clang-format off */
#define PIECE_COLUMNS(X)                                                                           \
    X(PIECE_FROM,   "from_s",    NULL, TIME, COLUMN, NULL, "Start of the piece")                   \
    X(PIECE_TO,     "to_s",      NULL, TIME, COLUMN, NULL, "Its end")                              \
    X(PIECE_OFFSET, "offset_s",  NULL, TIME, COLUMN, NULL, "Offset in its middle")                 \
    X(PIECE_ERROR,  "error_s",   NULL, TIME, COLUMN, NULL, "Half-width of the bound")              \
    X(PIECE_DRIFT,  "drift_ppm", NULL, PPM,  COLUMN, NULL, "Drift")

#define CLOCK_COLUMNS(X)                                                                           \
    X(REFERENCE, "reference", NULL,     TEXT,    COLUMN, NULL, "Point it is compared with")        \
    X(STATUS,    "status",    NULL,     TEXT,    COLUMN, NULL,                                     \
      "reference, bounded, drift-only (one-way traffic), same (assumed), manual, uncorrected, "    \
      "unknown")                                                                                   \
    X(OFFSET,    "offset_s",  "offset", TIME,    COLUMN, NULL,                                     \
      "This point's clock minus the reference's, at at_s")                                         \
    X(ERROR,     "error_s",   "±",      TIME,    COLUMN, NULL, "Half-width of the bound")          \
    X(AT,        "at_s",      NULL,     TIME,    COLUMN, NULL, "Middle of the overlap")            \
    X(DRIFT,     "drift_ppm", "ppm",    PPM,     COLUMN, NULL, "Drift against the reference")      \
    X(PIECES,    "pieces",    NULL,     OBJECTS, COLUMN, piece_columns,                            \
      "Several where the clock was set or slewed")

#define UNKNOWN_COLUMNS(X)                                                                         \
    X(UNKNOWN_WHAT,   "what",   NULL, TEXT,  COLUMN, NULL, "What stopped the reader")              \
    X(UNKNOWN_FRAMES, "frames", NULL, COUNT, COLUMN, NULL, "Frames")

#define COLUMNS(X)                                                                                 \
    X(NAME,       "name",         "point",      TEXT,    COLUMN, NULL, "Name: corr.point")         \
    X(FRAMES,     "frames",       "frames",     COUNT,   COLUMN, NULL, "Frames")                   \
    X(FIRST,      "first_s",      "first",      TIME,    COLUMN, NULL,                             \
      "Its first frame, from the first frame of the file")                                         \
    X(LAST,       "last_s",       "last",       TIME,    COLUMN, NULL, "Its last frame, likewise") \
    X(RESOLUTION, "resolution_s", NULL,         TIME,    COLUMN, NULL,                             \
      "Step of its time stamps, inferred from them")                                               \
    X(LINK,       "link",         NULL,         TEXT,    COLUMN, NULL, "Link-layer header type")   \
    X(MATCHED,    "matched",      "matched",    RATIO,   COLUMN, NULL,                             \
      "Share of its readable frames whose packet another frame shows, too")                        \
    X(TRUNCATED,  "truncated",    NULL,         RATIO,   COLUMN, NULL,                             \
      "Share of its readable frames that the capture cut short")                                   \
    X(MISSED,     "missed",       NULL,         COUNT,   COLUMN, NULL,                             \
      "Packets that passed this point unseen: capture loss")                                       \
    X(LOSS,       "capture_loss", NULL,         RATIO,   COLUMN, NULL, "Their share")              \
    X(DUPLICATES, "duplicates",   NULL,         COUNT,   COLUMN, NULL,                             \
      "Further copies of packets at this point")                                                   \
    X(UNKNOWN,    "unknown",      NULL,         OBJECTS, COLUMN, unknown_columns,                  \
      "Frames that could not be read, by reason (the whole file's)")                               \
    X(CLOCK,      "clock",        "clock",      OBJECT,  COLUMN, clock_columns, "Its clock")       \
    X(VERDICT,    "verdict",      "verdict",    TEXT,    COLUMN, NULL,                             \
      "trustworthy, use with care, not trustworthy")                                               \
    X(REASONS,    "reasons",      "reasons",    TEXTS,   BELOW,  NULL, "Why, and what helps")
/* clang-format on */

enum { PIECE_COLUMNS(CORR_COLUMN_ENUM) };
enum { CLOCK_COLUMNS(CORR_COLUMN_ENUM) };
enum { UNKNOWN_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column piece_columns[] = {PIECE_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column clock_columns[] = {CLOCK_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column unknown_columns[] = {UNKNOWN_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

/* Shares from which a point is to be used with care, or not trusted. */
#define LOSS_CARE 0.0001
#define LOSS_BAD 0.01
#define DUPLICATES_CARE 0.01
#define UNKNOWN_CARE 0.01
#define READDRESSED_CARE 0.05
#define RESOLUTION_MIN_STAMPS 4 /* fewer end in zeros by chance too often */

struct sums {
    uint64_t frames, readable, matched, truncated, missed, seen, duplicates;
    uint64_t readdressed; /* sightings that differ in addresses from an earlier one here */
    uint64_t silent;      /* packets whose fate is unknown because nothing was captured here then */
    int64_t first_ns, last_ns;
    int64_t step_ns; /* largest power of ten that divides every time stamp; 0: none seen */
};

static void add_frames(const struct corr_result *r, const struct corr_frame_set *frames,
                       const uint8_t *matched, struct sums *sums)
{
    const struct corr_store *store = r->store;

    for (uint32_t f = 1; f < store->frame_point->len; f++) {
        uint16_t point = g_array_index(store->frame_point, uint16_t, f);
        if (point == 0 || !corr_frame_set_has(frames, f))
            continue;
        struct sums *at = &sums[point - 1];
        at->frames++;
        uint32_t o = g_array_index(store->frame_obs, uint32_t, f);
        if (o == CORR_NONE)
            continue;
        const struct corr_obs *obs = corr_store_obs(store, o);
        if (at->readable++ == 0) {
            at->first_ns = at->last_ns = obs->time_ns;
            at->step_ns = 1000000000;
        }
        at->first_ns = MIN(at->first_ns, obs->time_ns);
        at->last_ns = MAX(at->last_ns, obs->time_ns);
        while (obs->time_ns % at->step_ns)
            at->step_ns /= 10;
        at->truncated += (obs->have & CORR_HAVE_SNAPPED) != 0;
        bool hit = false, copy = false;
        for (; o < store->obs->len && corr_store_obs(store, o)->frame == f; o++) {
            for (uint32_t k = r->obs_first[o]; k < r->obs_first[o + 1]; k++) {
                const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[k]);
                hit |= matched[s->packet];
                copy |= s->duplicate;
                at->seen += !s->duplicate;
            }
        }
        at->matched += hit;
        at->duplicates += copy;
    }
}

/*
 * One interface that shows a packet under several link or network addresses is
 * several captures in one, or a mirror of several ports.
 */
static void add_readdressed(const struct corr_result *r, const struct corr_packet *p,
                            struct sums *sums)
{
    for (uint32_t i = p->first + 1; i < p->first + MIN(p->n, 16); i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));
        for (uint32_t k = p->first; k < i; k++) {
            const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, k));
            if (a->point != b->point)
                continue;
            struct corr_tuple x = corr_tuple_of(r->store, a), y = corr_tuple_of(r->store, b);
            bool macs =
                a->have & b->have & CORR_HAVE_MAC && a->l2 != b->l2 && a->context == b->context;
            if (macs || !corr_tuple_equal(&x, &y)) {
                sums[b->point].readdressed++;
                break;
            }
        }
    }
}

static void add_missed(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct sums *sums)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        const GArray *missed = corr_packet_missed(r, p);
        if (!corr_packet_counts(mask, i))
            continue;
        if (p->n > 1)
            add_readdressed(r, p, sums);
        for (unsigned m = 0; missed && m < missed->len; m++)
            sums[g_array_index(missed, uint32_t, m)].missed++;
        if (p->fate == CORR_FATE_UNDETERMINED && p->drop_before < r->store->points->len &&
            p->reason && g_str_has_prefix(p->reason, "outage"))
            sums[p->drop_before].silent++;
    }
}

static struct sums *sum_up(const struct corr_result *r, const struct corr_frame_set *frames)
{
    struct sums *sums = g_new0(struct sums, r->store->points->len + 1);
    g_autofree uint8_t *matched = g_malloc0(r->packets->len + 1);

    for (uint32_t i = 0; i < r->packets->len; i++)
        matched[i] = corr_packet_is_matched(r, corr_result_packet(r, i));
    add_frames(r, frames, matched, sums);
    add_missed(r, frames, sums);
    return sums;
}

void corr_points_fill_clock(struct corr_row *row, const struct corr_result *r, uint32_t point,
                            enum corr_clock_status status, const GArray *pieces, int64_t base_ns)
{
    bool bounded = corr_clock_has_offset(status);

    corr_cell_set_text(row, C_STATUS, corr_clock_status_word(status));
    if (r->clock_reference < r->store->points->len)
        corr_cell_set_text(row, C_REFERENCE, corr_store_point(r->store, r->clock_reference)->name);
    if (status == CORR_CLOCK_REFERENCE || point == r->clock_reference) {
        corr_cell_set_time(row, C_OFFSET, 0);
        corr_cell_set_time(row, C_ERROR, 0);
        return;
    }
    if (!pieces || pieces->len == 0)
        return;
    const struct corr_clock_piece *first = &g_array_index(pieces, struct corr_clock_piece, 0);
    const struct corr_clock_piece *last = first + pieces->len - 1;
    int64_t at_ns = first->from_ns + (last->to_ns - first->from_ns) / 2;
    const struct corr_clock_piece *middle = first;
    for (unsigned i = 0; i < pieces->len; i++) {
        const struct corr_clock_piece *piece = first + i;
        struct corr_row *sub = corr_cell_add_row(row, C_PIECES, piece_columns);
        corr_cell_set_time(sub, C_PIECE_FROM, piece->from_ns - base_ns);
        corr_cell_set_time(sub, C_PIECE_TO, piece->to_ns - base_ns);
        if (bounded) {
            corr_cell_set_time(sub, C_PIECE_OFFSET, piece->offset_ns);
            corr_cell_set_time(sub, C_PIECE_ERROR, piece->error_ns);
        }
        if (piece->has_drift)
            corr_cell_set_number(sub, C_PIECE_DRIFT, piece->drift_ppm);
        if (piece->from_ns <= at_ns)
            middle = piece;
    }
    corr_cell_set_time(row, C_AT, at_ns - base_ns);
    if (middle->has_drift)
        corr_cell_set_number(row, C_DRIFT, middle->drift_ppm);
    if (!bounded)
        return;
    /* The piece's middle need not be the overlap's: drift carries its offset there. */
    int64_t piece_ns = middle->from_ns + (middle->to_ns - middle->from_ns) / 2;
    double moved = middle->has_drift ? (double)(at_ns - piece_ns) * middle->drift_ppm * 1e-6 : 0;
    corr_cell_set_time(row, C_OFFSET, middle->offset_ns + (int64_t)moved);
    corr_cell_set_time(row, C_ERROR, middle->error_ns);
}

enum verdict { TRUSTWORTHY, WITH_CARE, NOT_TRUSTWORTHY };

static void reason(struct corr_row *row, enum verdict *verdict, enum verdict at_least,
                   const char *format, ...) G_GNUC_PRINTF(4, 5);

static void reason(struct corr_row *row, enum verdict *verdict, enum verdict at_least,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    corr_cell_add_text(row, C_REASONS, text);
    *verdict = MAX(*verdict, at_least);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Unreadable frames by reason, in fixed order. */
static void fill_unknown(const struct corr_point *point, struct corr_row *row,
                         enum verdict *verdict)
{
    guint n;
    g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(point->unknown, &n);

    qsort(keys, n, sizeof *keys, compare_keys);
    for (guint i = 0; i < n; i++) {
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(point->unknown, keys[i]));
        struct corr_row *sub = corr_cell_add_row(row, C_UNKNOWN, unknown_columns);
        corr_cell_set_text(sub, C_UNKNOWN_WHAT, keys[i]);
        corr_cell_set_count(sub, C_UNKNOWN_FRAMES, count);
        reason(row, verdict,
               (double)count > UNKNOWN_CARE * (double)point->frames ? WITH_CARE : TRUSTWORTHY,
               "%u frame%s could not be read: %s", count, count == 1 ? "" : "s", keys[i]);
    }
}

static bool is_collapsed(const struct corr_result *r, uint32_t point)
{
    for (unsigned i = 0; r->collapsed && i < r->collapsed->len; i++)
        if (g_array_index(r->collapsed, uint32_t, i) == point)
            return true;
    return false;
}

/* The trust in a point does not depend on the display filter: `sums` are of all frames. */
static enum verdict judge(const struct corr_result *r, uint32_t number, const struct sums *sums,
                          unsigned n_points, enum corr_clock_status status, struct corr_row *row)
{
    const struct corr_point *point = corr_store_point(r->store, number);
    enum verdict verdict = TRUSTWORTHY;
    g_autoptr(GString) share = g_string_new(NULL);

    if (sums->frames == 0) {
        reason(row, &verdict, NOT_TRUSTWORTHY,
               "no frame was captured here: check interface and capture filter");
        return verdict;
    }
    if (is_collapsed(r, number))
        reason(row, &verdict, WITH_CARE,
               "several captures were merged into this one interface, their points are guessed "
               "from addresses: merge again with 'mergecap -I none'");
    else if (point->segment)
        reason(row, &verdict, WITH_CARE,
               "one of several captures that were merged into one interface, told apart by link "
               "addresses: merge again with 'mergecap -I none'");
    else if ((double)sums->readdressed > READDRESSED_CARE * (double)sums->frames)
        reason(row, &verdict, WITH_CARE,
               "%" G_GUINT64_FORMAT " frames show a packet of this point again under other "
               "addresses: were several captures merged into this one interface? Then merge "
               "again with 'mergecap -I none'. A mirror of several ports and a router that sends "
               "packets back where they came from look the same",
               sums->readdressed);
    if (n_points == 1)
        reason(row, &verdict, WITH_CARE,
               "the file has one capture point only: merge captures of several points into it, "
               "with 'mergecap -I none'");
    else if (sums->readable && sums->matched == 0)
        reason(row, &verdict, NOT_TRUSTWORTHY,
               "no packet of this point is seen anywhere else: check interface, capture filter "
               "and that the captures overlap in time");
    if (sums->missed) {
        double loss = (double)sums->missed / (double)(sums->missed + sums->seen);
        corr_text_ratio(loss, share);
        reason(row, &verdict,
               loss > LOSS_BAD    ? NOT_TRUSTWORTHY
               : loss > LOSS_CARE ? WITH_CARE
                                  : TRUSTWORTHY,
               "%" G_GUINT64_FORMAT " packet%s (%s) passed this point unseen: the capture lost "
               "them; use a larger buffer (dumpcap -B), a shorter snapshot length or a filter",
               sums->missed, sums->missed == 1 ? "" : "s", share->str);
    }
    if (sums->silent)
        reason(row, &verdict, WITH_CARE,
               "the capture paused: what became of %" G_GUINT64_FORMAT " packet%s that should have "
               "come by cannot be told",
               sums->silent, sums->silent == 1 ? "" : "s");
    if (sums->duplicates) {
        double copies = (double)sums->duplicates / (double)sums->frames;
        g_string_truncate(share, 0);
        corr_text_ratio(copies, share);
        reason(row, &verdict, copies > DUPLICATES_CARE ? WITH_CARE : TRUSTWORTHY,
               "%" G_GUINT64_FORMAT " frames (%s) are further copies and left out: a mirror port "
               "that copies both directions, or an interface that sees packets twice",
               sums->duplicates, share->str);
    }
    if (sums->truncated) {
        double cut = (double)sums->truncated / (double)sums->readable;
        g_string_truncate(share, 0);
        corr_text_ratio(cut, share);
        reason(row, &verdict, WITH_CARE,
               "%s of the frames are cut short, less of them can be compared: capture with full "
               "length (-s 0)",
               share->str);
    }
    if (n_points > 1 && sums->matched) {
        if (status == CORR_CLOCK_UNKNOWN)
            reason(row, &verdict, WITH_CARE,
                   "its clock cannot be compared with the others': no latencies from or to here");
        else if (status == CORR_CLOCK_DRIFT_ONLY)
            reason(row, &verdict, WITH_CARE,
                   "traffic in one direction only: the clock's offset, and so latency, is not "
                   "known, only its variation");
    }
    fill_unknown(point, row, &verdict);
    return verdict;
}

static void add_row(const struct corr_result *r, uint32_t number, const struct sums *shown,
                    const struct sums *all, unsigned n_points, int64_t base_ns,
                    struct corr_report_table *out)
{
    static const char *const words[] = {"trustworthy", "use with care", "not trustworthy"};
    const struct corr_point *point = corr_store_point(r->store, number);
    struct corr_row *row = corr_report_row(out);
    enum corr_clock_status status = CORR_CLOCK_UNKNOWN;
    g_autoptr(GString) text = g_string_new(NULL);

    corr_cell_set_text(row, C_NAME, point->name);
    corr_cell_set_count(row, C_FRAMES, shown->frames);
    if (shown->readable) {
        corr_cell_set_time(row, C_FIRST, shown->first_ns - base_ns);
        corr_cell_set_time(row, C_LAST, shown->last_ns - base_ns);
        corr_cell_set_number(row, C_MATCHED, (double)shown->matched / (double)shown->readable);
        corr_cell_set_number(row, C_TRUNCATED, (double)shown->truncated / (double)shown->readable);
    }
    if (all->readable >= RESOLUTION_MIN_STAMPS)
        corr_cell_set_time(row, C_RESOLUTION, all->step_ns);
    if (point->frames) {
        corr_text_link(point->link, text);
        corr_cell_set_text(row, C_LINK, text->str);
    }
    corr_cell_set_count(row, C_MISSED, shown->missed);
    if (shown->seen + shown->missed)
        corr_cell_set_number(row, C_LOSS,
                             (double)shown->missed / (double)(shown->missed + shown->seen));
    corr_cell_set_count(row, C_DUPLICATES, shown->duplicates);
    GArray *pieces = r->clock ? corr_result_clock_pieces(r, number, &status) : NULL;
    corr_points_fill_clock(corr_cell_add_row(row, C_CLOCK, clock_columns), r, number, status,
                           pieces, base_ns);
    if (pieces)
        g_array_free(pieces, TRUE);
    corr_cell_set_text(row, C_VERDICT, words[judge(r, number, all, n_points, status, row)]);
}

/* An interface that was divided (`tcpdump -i any`, mergecap) has its frames at its parts. */
static bool is_divided(const struct corr_store *store, uint32_t number)
{
    const struct corr_point *point = corr_store_point(store, number);

    if (point->ifindex || point->segment || point->frames)
        return false;
    for (uint32_t i = 0; i < store->points->len; i++) {
        const struct corr_point *part = corr_store_point(store, i);
        if ((part->ifindex || part->segment) && part->section == point->section &&
            part->interface == point->interface)
            return true;
    }
    return false;
}

/* Nothing matches: the captures have nothing in common, or there is but one. */
static void note_unmatched(const struct corr_store *store, const struct sums *all,
                           unsigned n_points, struct corr_report_table *out)
{
    int64_t begin_ns = INT64_MIN, end_ns = INT64_MAX; /* what all captures cover */
    unsigned with_frames = 0;

    for (uint32_t i = 0; i < store->points->len; i++) {
        if (all[i].matched)
            return;
        if (all[i].readable == 0)
            continue;
        with_frames++;
        begin_ns = MAX(begin_ns, all[i].first_ns);
        end_ns = MIN(end_ns, all[i].last_ns);
    }
    if (with_frames == 0)
        return;
    if (n_points == 1)
        corr_report_note(out, "Nothing can match: there is one capture point. Merge the captures "
                              "of several points into one file with 'mergecap -I none'.");
    else if (with_frames > 1 && begin_ns > end_ns)
        corr_report_note(out, "Nothing matches: the captures do not overlap in time, as their "
                              "clocks tell it. Were they taken at the same time, of the same "
                              "path?");
    else
        corr_report_note(out, "Nothing matches: does another capture overlap in time, and is it "
                              "of the same path? Compare addresses, interfaces and capture "
                              "filters.");
}

void corr_build_points(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_report_table *out)
{
    const struct corr_store *store = r->store;
    g_autofree struct sums *all = sum_up(r, NULL);
    g_autofree struct sums *some = frames ? sum_up(r, frames) : NULL;
    int64_t base_ns = store->obs->len ? corr_store_obs(store, 0)->time_ns : 0;
    unsigned n_points = 0;

    for (uint32_t i = 0; i < store->points->len; i++)
        n_points += !is_divided(store, i);
    for (uint32_t i = 0; i < store->points->len; i++)
        if (!is_divided(store, i))
            add_row(r, i, some ? &some[i] : &all[i], &all[i], n_points, base_ns, out);
    note_unmatched(store, all, n_points, out);
    if (store->n_refused)
        corr_report_note(out,
                         "%" G_GUINT64_FORMAT " packets are above the limit of %u and were "
                         "left out of every answer.",
                         store->n_refused, store->config.max_observations);
    if (store->points->len == 0)
        corr_report_note(out, "No frame was given.");
}

CORR_TABLE_DEFINE(points, "Capture points: the pre-flight check",
                  "capture points: what they hold, and how far to trust them", columns);
