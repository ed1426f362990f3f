/* SPDX-License-Identifier: GPL-2.0-or-later */
/* coverage.c - when each capture point looked, and how well its clock ran meanwhile. */
#include "layers/coverage.h"

#include <math.h>
#include <stdlib.h>

#include "layers/layers.h"
#include "path/text.h"

#define QUARTER_NS (INT64_C(900) * 1000000000)
/* Two clocks that are right but for their time zones differ by less than this. */
#define ZONE_NS INT64_C(2000000000)
/* A silence: this long, and so many mean distances; so many packets should have come by in it. */
#define OUTAGE_NS INT64_C(1000000000)
#define OUTAGE_GAPS 20
#define OUTAGE_PACKETS 5u
/* A ping: so many requests, of which so many keep their distance to within so much. */
#define PING_MIN 10u
#define PING_STEADY 0.8
#define PING_SPREAD 0.1
/* Pings that are named; one is enough to compare clocks. */
#define PINGS_NAMED 5u
/* Crystals keep their speed to within less; NTP slews by no more. */
#define SLEW_PPM 100
/* Uneven software stamps differ by as much. */
#define STEP_TOLD_NS 20000
#define STEP_PPM 1000
/* Steps of a clock that are named. */
#define STEPS_NAMED 5u

struct span {
    int64_t from_ns, to_ns;
};

/* What all frames of a point tell of the time in which it looked. */
struct looks {
    int64_t first_ns, last_ns; /* in the order of capture */
    int64_t least_ns, greatest_ns;
    uint32_t n;
    GArray *outages; /* struct corr_outage */
};

struct corr_coverage {
    uint32_t n;
    struct looks *points;
};

/* The times between which each local flow was seen. */
static struct span *convs_seen(const struct corr_result *r)
{
    struct span *seen = g_new(struct span, r->n_convs + 1);

    for (uint32_t c = 0; c <= r->n_convs; c++)
        seen[c] = (struct span){INT64_MAX, INT64_MIN};
    for (uint32_t i = 0; i < r->store->obs->len; i++) {
        struct span *span = &seen[r->obs_conv[i]];
        int64_t t_ns = corr_store_obs(r->store, i)->time_ns;

        span->from_ns = MIN(span->from_ns, t_ns);
        span->to_ns = MAX(span->to_ns, t_ns);
    }
    return seen;
}

/* The same of each flow at one point; from > to: never. */
static struct span *flows_seen(const struct corr_result *r, const struct span *convs,
                               uint32_t point)
{
    struct span *seen = g_new(struct span, r->flows->len + 1);

    for (uint32_t f = 0; f <= r->flows->len; f++)
        seen[f] = (struct span){INT64_MAX, INT64_MIN};
    for (uint32_t c = 0; c < r->n_convs; c++) {
        uint32_t flow = r->conv_flow[c];

        if (flow < r->flows->len && corr_result_conv(r, c)->point == point) {
            seen[flow].from_ns = MIN(seen[flow].from_ns, convs[c].from_ns);
            seen[flow].to_ns = MAX(seen[flow].to_ns, convs[c].to_ns);
        }
    }
    return seen;
}

static bool was_seen_at(const struct corr_result *r, const struct corr_packet *p, uint32_t point)
{
    for (uint32_t i = p->first; i < p->first + p->n; i++)
        if (corr_sighting_point(r, corr_result_sighting(r, i)) == point)
            return true;
    return false;
}

static void looks_count(const struct corr_store *store, struct looks *points)
{
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        struct looks *at = &points[obs->point];

        if (at->n++ == 0)
            at->first_ns = at->least_ns = at->greatest_ns = obs->time_ns;
        at->last_ns = obs->time_ns;
        at->least_ns = MIN(at->least_ns, obs->time_ns);
        at->greatest_ns = MAX(at->greatest_ns, obs->time_ns);
    }
}

/* Long silences; packets are not counted yet. */
static void silences_find(const struct corr_store *store, struct corr_coverage *coverage)
{
    g_autofree int64_t *before = g_new0(int64_t, coverage->n + 1);
    g_autofree int64_t *least = g_new0(int64_t, coverage->n + 1);

    for (uint32_t p = 0; p < coverage->n; p++) {
        const struct looks *at = &coverage->points[p];

        before[p] = at->first_ns;
        least[p] = OUTAGE_NS;
        if (at->n > 1)
            least[p] = MAX(OUTAGE_NS, (at->last_ns - at->first_ns) / at->n * OUTAGE_GAPS);
    }
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        struct corr_outage silence = {before[obs->point], obs->time_ns, 0};

        if (silence.to_ns - silence.from_ns > least[obs->point])
            g_array_append_val(coverage->points[obs->point].outages, silence);
        before[obs->point] = obs->time_ns;
    }
}

/* Silences in which packets should have come by are outages; the others go. */
static void outages_judge(const struct corr_result *r, const struct span *convs, uint32_t point,
                          GArray *silences)
{
    g_autofree struct span *seen = flows_seen(r, convs, point);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        const struct corr_obs *obs;
        int64_t t_ns;

        if (p->flow >= r->flows->len || seen[p->flow].from_ns > seen[p->flow].to_ns ||
            was_seen_at(r, p, point))
            continue;
        obs = corr_result_obs(r, corr_result_sighting(r, p->first));
        t_ns = obs->time_ns + corr_result_clock(r, obs->point, point, obs->time_ns).offset_ns;
        for (uint32_t k = 0; k < silences->len; k++) {
            struct corr_outage *silence = &g_array_index(silences, struct corr_outage, k);

            if (t_ns > silence->from_ns && t_ns < silence->to_ns &&
                seen[p->flow].from_ns <= silence->from_ns && seen[p->flow].to_ns >= silence->to_ns)
                silence->packets++;
        }
    }
    for (uint32_t k = silences->len; k-- > 0;)
        if (g_array_index(silences, struct corr_outage, k).packets < OUTAGE_PACKETS)
            g_array_remove_index(silences, k);
}

struct corr_coverage *corr_coverage_new(const struct corr_result *r)
{
    struct corr_coverage *coverage = g_new0(struct corr_coverage, 1);
    g_autofree struct span *convs = NULL;

    coverage->n = r->store->points->len;
    coverage->points = g_new0(struct looks, coverage->n + 1);
    for (uint32_t p = 0; p < coverage->n; p++)
        coverage->points[p].outages = g_array_new(FALSE, FALSE, sizeof(struct corr_outage));
    looks_count(r->store, coverage->points);
    silences_find(r->store, coverage);
    for (uint32_t p = 0; p < coverage->n; p++) {
        if (coverage->points[p].outages->len == 0)
            continue;
        if (convs == NULL)
            convs = convs_seen(r);
        outages_judge(r, convs, p, coverage->points[p].outages);
    }
    return coverage;
}

void corr_coverage_free(struct corr_coverage *coverage)
{
    if (coverage == NULL)
        return;
    for (uint32_t p = 0; p < coverage->n; p++)
        g_array_unref(coverage->points[p].outages);
    g_free(coverage->points);
    g_free(coverage);
}

GArray *corr_coverage_outages(const struct corr_result *r, uint32_t point)
{
    return g_array_ref(corr_layers_coverage(r)->points[point].outages);
}

static int span_compare(const void *x, const void *y)
{
    const struct span *a = x, *b = y;

    return a->from_ns < b->from_ns ? -1 : a->from_ns > b->from_ns;
}

bool corr_coverage_overlap(const struct corr_result *r, uint32_t point, double *share)
{
    const struct corr_coverage *coverage = corr_layers_coverage(r);
    const struct looks *at = &coverage->points[point];
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    int64_t covered = 0, until;

    if (at->n == 0 || at->greatest_ns <= at->least_ns)
        return false;
    for (uint32_t q = 0; q < coverage->n; q++) {
        const struct looks *other = &coverage->points[q];
        int64_t from = other->least_ns, to = other->greatest_ns;
        struct span span;

        if (q == point || other->n == 0)
            continue;
        span.from_ns = from + corr_result_clock(r, q, point, from).offset_ns;
        span.to_ns = to + corr_result_clock(r, q, point, to).offset_ns;
        g_array_append_val(spans, span);
    }
    g_array_sort(spans, span_compare);
    until = at->least_ns;
    for (uint32_t i = 0; i < spans->len; i++) {
        const struct span *span = &g_array_index(spans, struct span, i);
        int64_t from = MAX(span->from_ns, until), to = MIN(span->to_ns, at->greatest_ns);

        if (to > from) {
            covered += to - from;
            until = to;
        }
    }
    *share = (double)covered / (double)(at->greatest_ns - at->least_ns);
    return true;
}

/* What the reference's clock showed when it saw its first packet. */
static int64_t reference_begins(const struct corr_result *r)
{
    uint32_t first = 0;

    while (first + 1 < r->store->obs->len &&
           corr_store_obs(r->store, first)->point != r->clock_reference)
        first++;
    return corr_store_obs(r->store, first)->time_ns;
}

/* Quarter hours by which a point's clock is ahead of the reference's; false: it is no whole number.
 */
static bool quarters_of(const struct corr_result *r, uint32_t point, int64_t t_ns,
                        int64_t *quarters)
{
    struct corr_clock_answer clock = corr_result_clock(r, r->clock_reference, point, t_ns);

    if (!corr_clock_has_offset(clock.status))
        return false;
    *quarters = (clock.offset_ns + (clock.offset_ns < 0 ? -1 : 1) * (QUARTER_NS / 2)) / QUARTER_NS;
    return llabs(clock.offset_ns - *quarters * QUARTER_NS) <= ZONE_NS;
}

/* The first point whose quarter hours most points share; of as many, the reference's. */
static uint32_t zone_usual(const struct corr_result *r, int64_t t_ns)
{
    uint32_t usual = r->clock_reference, most = 0, n = r->store->points->len;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = (r->clock_reference + i) % n, same = 0;
        int64_t mine, other;

        if (!quarters_of(r, p, t_ns, &mine))
            continue;
        for (uint32_t q = 0; q < n; q++)
            same += quarters_of(r, q, t_ns, &other) && other == mine;
        if (same > most) {
            most = same;
            usual = p;
        }
    }
    return usual;
}

static void zone_tell(const struct corr_result *r, uint32_t point, GPtrArray *reasons)
{
    int64_t mine, theirs, minutes, t_ns = reference_begins(r);
    uint32_t usual = zone_usual(r, t_ns);

    if (!quarters_of(r, point, t_ns, &mine) || !quarters_of(r, usual, t_ns, &theirs) ||
        mine == theirs)
        return;
    minutes = llabs(mine - theirs) * 15;
    g_ptr_array_add(reasons,
                    g_strdup_printf("its clock is %d:%02d hours %s %s's, a whole number of quarter "
                                    "hours: a wrong time zone? All times are corrected",
                                    (int)(minutes / 60), (int)(minutes % 60),
                                    mine < theirs ? "behind" : "ahead of",
                                    corr_store_point(r->store, usual)->name));
}

/* How fast a clock runs faster and slower, at most; what is too fast for NTP was a step. */
static double speeds_of(const GArray *pieces)
{
    double slow = INFINITY, fast = -INFINITY;

    for (uint32_t i = 0; i < pieces->len; i++) {
        const struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, i);

        if (piece->has_drift && fabs(piece->drift_ppm) < STEP_PPM) {
            slow = fmin(slow, piece->drift_ppm);
            fast = fmax(fast, piece->drift_ppm);
        }
    }
    return fast > slow ? fast - slow : 0;
}

static bool step_tell(const struct corr_clock_piece *before, const struct corr_clock_piece *after,
                      int64_t base_ns, GPtrArray *reasons)
{
    int64_t end = before->offset_ns + (int64_t)(before->drift_ppm * 1e-6 *
                                                (double)(before->to_ns - before->from_ns) / 2);
    int64_t begin = after->offset_ns - (int64_t)(after->drift_ppm * 1e-6 *
                                                 (double)(after->to_ns - after->from_ns) / 2);
    g_autoptr(GString) by = g_string_new(NULL), at = g_string_new(NULL);

    /* A clock that only began or ceased to be slewed, or software stamps that are uneven. */
    if (llabs(begin - end) < STEP_TOLD_NS)
        return false;
    corr_text_time(before->to_ns - base_ns, at);
    corr_text_time(begin - end, by);
    g_ptr_array_add(reasons, g_strdup_printf("its clock was set by %s%s at %s: latencies of just "
                                             "then are uncertain; let NTP or PTP slew clocks, not "
                                             "set them",
                                             begin > end ? "+" : "", by->str, at->str));
    return true;
}

/* Steps, between the pieces that are no steps themselves. */
static void steps_tell(const GArray *pieces, int64_t base_ns, GPtrArray *reasons)
{
    const struct corr_clock_piece *before = NULL;
    uint32_t told = 0;

    for (uint32_t i = 0; i < pieces->len && told < STEPS_NAMED; i++) {
        const struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, i);

        if (fabs(piece->drift_ppm) >= STEP_PPM)
            continue;
        told += before != NULL && step_tell(before, piece, base_ns, reasons);
        before = piece;
    }
}

/* An offset that the user gave, or no correction, where packets would have arrived before they
 * left. */
static void given_tell(const struct corr_result *r, uint32_t point,
                       const struct corr_clock_piece *given, GPtrArray *reasons)
{
    struct corr_clock_answer shown =
        corr_result_clock(r, r->clock_reference, point, reference_begins(r));
    g_autoptr(GString) used = g_string_new(NULL), offset = g_string_new(NULL);

    if (shown.status != CORR_CLOCK_BOUNDED ||
        llabs(shown.offset_ns - given->offset_ns) <= shown.error_ns + given->error_ns)
        return;
    corr_text_time(given->offset_ns, used);
    corr_text_time(shown.offset_ns, offset);
    g_string_append(offset, " ± ");
    corr_text_time(shown.error_ns, offset);
    g_ptr_array_add(reasons,
                    g_strdup_printf("its clock is taken to be %s off %s's, as the "
                                    "preferences say, but packets show %s: latencies are "
                                    "wrong by the rest, or absent; let clocks be "
                                    "corrected automatically, or give that offset",
                                    used->str, corr_store_point(r->store, r->clock_reference)->name,
                                    offset->str));
}

void corr_coverage_clock(const struct corr_result *r, uint32_t point, GPtrArray *reasons)
{
    enum corr_clock_status status;
    g_autoptr(GArray) pieces = NULL;
    int64_t base_ns;

    if (r->clock == NULL || r->store->obs->len == 0)
        return;
    if (r->store->config.correction == CORR_CORRECTION_AUTO)
        zone_tell(r, point, reasons);
    if (point == r->clock_reference)
        return;
    pieces = corr_result_clock_pieces(r, point, &status);
    if (corr_clock_has_offset(status) && status != CORR_CLOCK_BOUNDED && pieces->len > 0)
        given_tell(r, point, &g_array_index(pieces, struct corr_clock_piece, 0), reasons);
    if (status != CORR_CLOCK_BOUNDED || pieces->len == 0)
        return;
    base_ns = corr_store_obs(r->store, 0)->time_ns;
    if (speeds_of(pieces) >= SLEW_PPM)
        g_ptr_array_add(reasons,
                        g_strdup_printf("its clock does not keep its speed (%.0f ppm between fast "
                                        "and slow), as when NTP slews it: its bounds are wider",
                                        speeds_of(pieces)));
    else
        steps_tell(pieces, base_ns, reasons);
}

static int i64_compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* The usual distance of times; 0: there is none. */
static int64_t rhythm_of(GArray *times)
{
    g_autoptr(GArray) gaps = g_array_new(FALSE, FALSE, sizeof(int64_t));
    int64_t median;
    uint32_t steady = 0;

    if (times->len < PING_MIN)
        return 0;
    for (uint32_t i = 1; i < times->len; i++) {
        int64_t gap = g_array_index(times, int64_t, i) - g_array_index(times, int64_t, i - 1);

        g_array_append_val(gaps, gap);
    }
    g_array_sort(gaps, i64_compare);
    median = g_array_index(gaps, int64_t, gaps->len / 2);
    for (uint32_t i = 0; i < gaps->len; i++)
        steady +=
            (double)llabs(g_array_index(gaps, int64_t, i) - median) <= PING_SPREAD * (double)median;
    return median > 0 && steady >= PING_STEADY * gaps->len ? median : 0;
}

/* The times at which requests of an echo flow passed its first point; answers only count. */
struct ping {
    GArray *requests;
    uint32_t answers;
    uint32_t packet; /* one that was seen most often */
};

void corr_coverage_pings(const struct corr_result *r, GPtrArray *notes)
{
    g_autofree struct ping *pings = g_new0(struct ping, r->flows->len + 1);
    uint32_t named = 0;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        struct ping *ping = p->flow < r->flows->len ? &pings[p->flow] : NULL;
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, p->first));

        if (ping == NULL || p->kind != CORR_KIND_ECHO || p->n < 2 || p->ambiguous)
            continue;
        if (p->dir != 0) {
            ping->answers++;
            continue;
        }
        if (ping->requests == NULL) {
            ping->requests = g_array_new(FALSE, FALSE, sizeof(int64_t));
            ping->packet = i;
        }
        if (p->n > corr_result_packet(r, ping->packet)->n)
            ping->packet = i;
        g_array_append_val(ping->requests, obs->time_ns);
    }
    for (uint32_t f = 0; f < r->flows->len; f++) {
        int64_t rhythm;

        if (pings[f].requests == NULL)
            continue;
        rhythm = rhythm_of(pings[f].requests);
        if (rhythm > 0 && 2 * pings[f].answers >= pings[f].requests->len && named < PINGS_NAMED) {
            const struct corr_packet *p = corr_result_packet(r, pings[f].packet);
            g_autoptr(GString) every = g_string_new(NULL), seen = g_string_new(NULL);

            for (uint32_t i = p->first; i < p->first + p->n; i++)
                if (!corr_result_sighting(r, i)->duplicate)
                    g_string_append_printf(
                        seen, "%s%s", seen->len > 0 ? ", " : "",
                        corr_store_point(r->store,
                                         corr_sighting_point(r, corr_result_sighting(r, i)))
                            ->name);
            corr_text_time(rhythm, every);
            g_ptr_array_add(notes,
                            g_strdup_printf("A steady ping (flow %u, every %s) passes %s: it "
                                            "calibrates their clocks.",
                                            f + 1, every->str, seen->str));
            named++;
        }
        g_array_unref(pings[f].requests);
    }
}
