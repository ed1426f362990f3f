/* SPDX-License-Identifier: GPL-2.0-or-later */
/* points.c - the pre-flight check: what each capture point holds and how far to trust it. */
#include "layers/capture.h"
#include "layers/coverage.h"
#include "layers/layers.h"
#include "report/report-int.h"
#include "path/text.h"

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

#define OUTAGE_COLUMNS(X)                                                                          \
    X(OUTAGE_FROM,    "from_s",  NULL, TIME,  COLUMN, NULL, "The last frame before")               \
    X(OUTAGE_TO,      "to_s",    NULL, TIME,  COLUMN, NULL, "The first frame after")               \
    X(OUTAGE_PACKETS, "packets", NULL, COUNT, COLUMN, NULL,                                        \
      "Packets whose fate cannot be told therefore")

#define UNKNOWN_COLUMNS(X)                                                                         \
    X(UNKNOWN_WHAT,   "what",   NULL, TEXT,  COLUMN, NULL, "What stopped the reader")              \
    X(UNKNOWN_FRAMES, "frames", NULL, COUNT, COLUMN, NULL, "Frames")

#define COLUMNS(X)                                                                                 \
    X(NAME,       "name",         "point",      TEXT,    COLUMN, NULL, "Name: corr.point")         \
    X(FRAMES,     "frames",       "frames",     COUNT,   COLUMN, NULL, "Frames")                   \
    X(FIRST,      "first_s",      "first",      TIME,    COLUMN, NULL,                             \
      "Its first frame, from the first frame of the file")                                         \
    X(LAST,       "last_s",       "last",       TIME,    COLUMN, NULL, "Its last frame, likewise") \
    X(OVERLAP,    "overlap",      NULL,         RATIO,   COLUMN, NULL,                             \
      "Share of this time in which another point captured, too")                                   \
    X(DISORDER,   "disorder",     NULL,         COUNT,   COLUMN, NULL,                             \
      "Frames that are stamped earlier than the one before them here")                             \
    X(OUTAGES,    "outages",      NULL,         OBJECTS, COLUMN, outage_columns,                   \
      "When nothing was captured although packets should have passed")                             \
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
enum { OUTAGE_COLUMNS(CORR_COLUMN_ENUM) };
enum { UNKNOWN_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column piece_columns[] = {PIECE_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column clock_columns[] = {CLOCK_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column outage_columns[] = {OUTAGE_COLUMNS(CORR_COLUMN_INIT)
                                                        CORR_COLUMN_END};
static const struct corr_column unknown_columns[] = {UNKNOWN_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

#define RESOLUTION_MIN_STAMPS 4 /* fewer end in zeros by chance too often */

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
    /* A piece's bound holds from its one end to the other; at one moment it is tighter. */
    struct corr_clock_answer now = corr_result_clock(r, r->clock_reference, point, at_ns);
    if (status != CORR_CLOCK_BOUNDED || now.status != CORR_CLOCK_BOUNDED) {
        /* The piece's middle need not be the overlap's: drift carries its offset there. */
        int64_t piece_ns = middle->from_ns + (middle->to_ns - middle->from_ns) / 2;
        double moved =
            middle->has_drift ? (double)(at_ns - piece_ns) * middle->drift_ppm * 1e-6 : 0;
        now.offset_ns = middle->offset_ns + (int64_t)moved;
        now.error_ns = middle->error_ns;
    }
    corr_cell_set_time(row, C_OFFSET, now.offset_ns);
    corr_cell_set_time(row, C_ERROR, now.error_ns);
}

static void fill_unknown(const struct corr_point *point, struct corr_row *row)
{
    guint n;
    g_autofree const char **reasons = corr_capture_unknown(point, &n);

    for (guint i = 0; i < n; i++) {
        struct corr_row *sub = corr_cell_add_row(row, C_UNKNOWN, unknown_columns);
        corr_cell_set_text(sub, C_UNKNOWN_WHAT, reasons[i]);
        corr_cell_set_count(sub, C_UNKNOWN_FRAMES,
                            GPOINTER_TO_UINT(g_hash_table_lookup(point->unknown, reasons[i])));
    }
}

static void fill_coverage(const struct corr_result *r, uint32_t point, int64_t base_ns,
                          struct corr_row *row)
{
    g_autoptr(GArray) outages = corr_coverage_outages(r, point);
    double overlap;

    if (corr_coverage_overlap(r, point, &overlap))
        corr_cell_set_number(row, C_OVERLAP, overlap);
    for (unsigned i = 0; i < outages->len; i++) {
        const struct corr_outage *outage = &g_array_index(outages, struct corr_outage, i);
        struct corr_row *sub = corr_cell_add_row(row, C_OUTAGES, outage_columns);
        corr_cell_set_time(sub, C_OUTAGE_FROM, outage->from_ns - base_ns);
        corr_cell_set_time(sub, C_OUTAGE_TO, outage->to_ns - base_ns);
        corr_cell_set_count(sub, C_OUTAGE_PACKETS, outage->packets);
    }
}

static void add_row(const struct corr_result *r, uint32_t number, const struct corr_capture *shown,
                    const struct corr_capture *captures, int64_t base_ns,
                    struct corr_report_table *out)
{
    const struct corr_capture *all = &captures[number];
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
    if (shown->readable)
        corr_cell_set_count(row, C_DISORDER, shown->disorder);
    fill_coverage(r, number, base_ns, row);
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
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
    enum corr_trust trust = corr_capture_judge(r, number, captures, status, reasons);
    corr_cell_set_text(row, C_VERDICT, corr_trust_word(trust));
    for (unsigned i = 0; i < reasons->len; i++)
        corr_cell_add_text(row, C_REASONS, g_ptr_array_index(reasons, i));
    fill_unknown(point, row);
}

/* Nothing matches: the captures have nothing in common, or there is but one. */
static void note_unmatched(const struct corr_store *store, const struct corr_capture *all,
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
    const struct corr_capture *all = corr_layers_captures(r);
    g_autofree struct corr_capture *some = frames ? corr_captures_count(r, frames) : NULL;
    int64_t base_ns = store->obs->len ? corr_store_obs(store, 0)->time_ns : 0;
    unsigned n_points = 0;

    for (uint32_t i = 0; i < store->points->len; i++)
        n_points += !corr_capture_is_divided(store, i);
    for (uint32_t i = 0; i < store->points->len; i++)
        if (!corr_capture_is_divided(store, i))
            add_row(r, i, some ? &some[i] : &all[i], all, base_ns, out);
    note_unmatched(store, all, n_points, out);
    g_autoptr(GPtrArray) pings = g_ptr_array_new_with_free_func(g_free);
    corr_coverage_pings(r, pings);
    for (unsigned i = 0; i < pings->len; i++)
        corr_report_note(out, "%s", (const char *)g_ptr_array_index(pings, i));
    if (store->points->len == 0)
        corr_report_note(out, "No frame was given.");
}

CORR_TABLE_DEFINE(points, "Capture points: the pre-flight check",
                  "capture points: what they hold, and how far to trust them", columns);
