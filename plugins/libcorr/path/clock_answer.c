/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offsets at a moment, and the pieces in which the points table shows a clock. */
#include <stdlib.h>

#include "path/clock-int.h"

/* A change that is known to within so little of the overlap is shown as a moment. */
#define MOMENT_SHARE 0.025

/* What several parts leave: any of them may hold. */
struct hull {
    struct corr_clock_bounds bounds;
    unsigned n;
};

static void hull_add(struct hull *hull, const struct corr_clock_part *part, int64_t t_ns)
{
    struct corr_clock_bounds bounds;

    if (part == NULL)
        return;
    bounds = corr_clock_bounds_at(part, t_ns);
    if (hull->n++ > 0) {
        bounds.least_ns = MIN(bounds.least_ns, hull->bounds.least_ns);
        bounds.greatest_ns = MAX(bounds.greatest_ns, hull->bounds.greatest_ns);
    }
    hull->bounds = bounds;
}

/* By time alone: the parts that have evidence for it, else those on both sides. */
static struct hull hull_by_time(const struct corr_clock_pair *pair, int64_t t_ns)
{
    const struct corr_clock_part *before = NULL, *after = NULL;
    struct hull hull = {.n = 0};

    for (uint32_t i = 0; pair->parts != NULL && i < pair->parts->len; i++) {
        const struct corr_clock_part *part = corr_clock_part(pair, i);

        if (part->from_ns <= t_ns && t_ns <= part->to_ns)
            hull_add(&hull, part, t_ns);
        else if (part->to_ns < t_ns && (before == NULL || part->to_ns > before->to_ns))
            before = part;
        else if (part->from_ns > t_ns && (after == NULL || part->from_ns < after->from_ns))
            after = part;
    }
    if (hull.n == 0) {
        hull_add(&hull, before, t_ns);
        hull_add(&hull, after, t_ns);
    }
    return hull;
}

static struct corr_clock_answer answer_of(const struct corr_clock_pair *pair, struct hull hull)
{
    struct corr_clock_answer answer = {CORR_CLOCK_UNKNOWN, 0, 0};

    if (hull.n > 0 && corr_clock_is_bounded(&hull.bounds)) {
        int64_t width = hull.bounds.greatest_ns - hull.bounds.least_ns;

        answer.status = CORR_CLOCK_BOUNDED;
        answer.offset_ns = hull.bounds.least_ns + width / 2;
        answer.error_ns = (MAX(width, 0) + 1) / 2;
    } else if (hull.n > 0 || pair->n > 0) {
        answer.status = CORR_CLOCK_DRIFT_ONLY;
    }
    return answer;
}

struct corr_clock_answer corr_result_clock(const struct corr_result *r, uint32_t from, uint32_t to,
                                           int64_t t_ns)
{
    struct corr_clock_answer answer = {CORR_CLOCK_REFERENCE, 0, 0};
    const struct corr_clock_pair *pair;
    uint32_t p, q;

    if (from == to)
        return answer;
    answer.status = CORR_CLOCK_UNKNOWN;
    if (r->clock == NULL)
        return answer;
    p = r->clock->rank[from];
    q = r->clock->rank[to];
    pair = corr_clock_pair(r->clock, p, q);
    if (p < q)
        return answer_of(pair, hull_by_time(pair, t_ns));
    /* Corridors are in the other point's time then: the offset itself leads there. */
    for (unsigned again = 0; again < 3; again++)
        answer = answer_of(pair, hull_by_time(pair, t_ns - answer.offset_ns));
    answer.offset_ns = -answer.offset_ns;
    return answer;
}

struct corr_clock_answer corr_result_clock_between(const struct corr_result *r, uint32_t from,
                                                   uint32_t to)
{
    const struct corr_obs *a = corr_store_obs(r->store, from), *b = corr_store_obs(r->store, to);
    struct corr_clock_answer answer = {CORR_CLOCK_REFERENCE, 0, 0};
    const struct corr_clock_pair *pair;
    struct hull hull = {.n = 0};
    uint32_t p, q, epoch[2];
    bool inside[2], swap;
    int64_t t_ns;

    if (a->point == b->point || r->clock == NULL)
        return corr_result_clock(r, a->point, b->point, a->time_ns);
    p = r->clock->rank[a->point];
    q = r->clock->rank[b->point];
    swap = p > q;
    t_ns = swap ? b->time_ns : a->time_ns;
    pair = corr_clock_pair(r->clock, p, q);
    epoch[swap] = corr_clock_epoch(r->clock, p, from, &inside[swap]);
    epoch[!swap] = corr_clock_epoch(r->clock, q, to, &inside[!swap]);
    for (unsigned i = 0; i <= inside[0]; i++)
        for (unsigned k = 0; k <= inside[1]; k++)
            hull_add(&hull, corr_clock_part_find(pair, epoch[0] + i, epoch[1] + k), t_ns);
    /* A packet under way while a clock was set: no other packets tell of just that. */
    if (hull.n == 0)
        hull = hull_by_time(pair, t_ns);
    answer = answer_of(pair, hull);
    if (swap)
        answer.offset_ns = -answer.offset_ns;
    return answer;
}

/* A straight line with a bound that holds from its one end to the other. */
static struct corr_clock_piece piece_of(int64_t from_ns, int64_t to_ns, struct hull begin,
                                        struct hull end)
{
    struct corr_clock_piece piece = {.from_ns = from_ns, .to_ns = to_ns};
    int64_t first = corr_clock_middle(&begin.bounds), last = corr_clock_middle(&end.bounds);

    piece.offset_ns = first + (last - first) / 2;
    piece.error_ns = (MAX(begin.bounds.greatest_ns - begin.bounds.least_ns,
                          end.bounds.greatest_ns - end.bounds.least_ns) +
                      1) /
                     2;
    piece.has_drift = to_ns > from_ns;
    if (piece.has_drift)
        piece.drift_ppm = (double)(last - first) / (double)(to_ns - from_ns) * 1e6;
    return piece;
}

static bool part_is_bounded(const struct corr_clock_part *part)
{
    struct corr_clock_bounds begin = corr_clock_bounds_at(part, part->from_ns);
    struct corr_clock_bounds end = corr_clock_bounds_at(part, part->to_ns);

    return corr_clock_is_bounded(&begin) && corr_clock_is_bounded(&end);
}

static int part_compare(const void *x, const void *y)
{
    const struct corr_clock_part *a = *(struct corr_clock_part *const *)x;
    const struct corr_clock_part *b = *(struct corr_clock_part *const *)y;
    uint32_t m = a->epoch[0] + a->epoch[1], n = b->epoch[0] + b->epoch[1];

    return m != n ? (m < n ? -1 : 1) : a->epoch[0] < b->epoch[0] ? -1 : a->epoch[0] > b->epoch[0];
}

/* Parts in the order of time; without those of packets under way while a clock was set. */
static GPtrArray *parts_in_order(const struct corr_clock_pair *pair, bool bounded)
{
    GPtrArray *parts = g_ptr_array_new();
    uint32_t at[2] = {0, 0};

    for (uint32_t i = 0; i < pair->parts->len; i++)
        if (part_is_bounded(corr_clock_part(pair, i)) == bounded)
            g_ptr_array_add(parts, corr_clock_part(pair, i));
    g_ptr_array_sort(parts, part_compare);
    for (uint32_t i = 0; i < parts->len;) {
        const struct corr_clock_part *part = g_ptr_array_index(parts, i);

        if (part->epoch[0] < at[0] || part->epoch[1] < at[1]) {
            g_ptr_array_remove_index(parts, i);
        } else {
            at[0] = part->epoch[0];
            at[1] = part->epoch[1];
            i++;
        }
    }
    return parts;
}

static void drift_piece(const struct corr_clock_part *part, GArray *pieces)
{
    struct corr_clock_piece piece = {.from_ns = part->from_ns, .to_ns = part->to_ns};
    double slow, fast;

    corr_corridor_drift(&part->corridor, &slow, &fast);
    piece.has_drift = part->has_drift || fast - slow < 200;
    piece.drift_ppm = part->has_drift ? part->drift_ppm : (slow + fast) / 2;
    g_array_append_val(pieces, piece);
}

/* Pieces of q's clock against p's, in p's time; `from`, `to`: what both points cover. */
static void pieces_make(const struct corr_clock_pair *pair, int64_t from_ns, int64_t to_ns,
                        bool bounded, GArray *pieces)
{
    g_autoptr(GPtrArray) parts = parts_in_order(pair, bounded);
    int64_t brief = (int64_t)((double)MAX(to_ns - from_ns, 0) * MOMENT_SHARE);
    int64_t begin_ns = from_ns;

    for (uint32_t i = 0; i < parts->len; i++) {
        const struct corr_clock_part *part = g_ptr_array_index(parts, i);
        const struct corr_clock_part *next =
            i + 1 < parts->len ? g_ptr_array_index(parts, i + 1) : NULL;
        int64_t end_ns = next == NULL ? MAX(to_ns, part->to_ns) : part->to_ns;
        int64_t gap = next == NULL ? 0 : next->from_ns - part->to_ns;
        struct hull hull[2] = {{.n = 0}, {.n = 0}};
        struct corr_clock_piece piece;

        if (!bounded) {
            drift_piece(part, pieces);
            continue;
        }
        begin_ns = i == 0 ? MIN(begin_ns, part->from_ns) : begin_ns;
        if (next != NULL && gap <= brief && gap > 0)
            end_ns += gap / 2;
        hull_add(&hull[0], part, begin_ns);
        hull_add(&hull[1], part, end_ns);
        piece = piece_of(begin_ns, end_ns, hull[0], hull[1]);
        g_array_append_val(pieces, piece);
        begin_ns = next == NULL  ? 0
                   : gap > brief ? next->from_ns
                                 : MAX(end_ns, next->from_ns - gap);
        if (next != NULL && gap <= 0)
            begin_ns = next->from_ns;
        if (gap <= brief)
            continue;
        /* Somewhere in here it changed. */
        for (unsigned end = 0; end < 2; end++) {
            hull[end].n = 0;
            hull_add(&hull[end], part, end ? next->from_ns : part->to_ns);
            hull_add(&hull[end], next, end ? next->from_ns : part->to_ns);
        }
        piece = piece_of(part->to_ns, next->from_ns, hull[0], hull[1]);
        g_array_append_val(pieces, piece);
    }
}

/* What both points cover, by the first one's clock. */
static void overlap_find(const struct corr_result *r, const uint32_t points[2], int64_t *from_ns,
                         int64_t *to_ns)
{
    const struct corr_clock_span *a = &r->clock->spans[points[0]];
    const struct corr_clock_span *b = &r->clock->spans[points[1]];
    int64_t first = b->first_ns, last = b->last_ns;

    first += corr_result_clock(r, points[1], points[0], first).offset_ns;
    last += corr_result_clock(r, points[1], points[0], last).offset_ns;
    *from_ns = MAX(a->first_ns, first);
    *to_ns = MIN(a->last_ns, last);
}

/* The same pieces of p's clock against q's, in q's time. */
static void pieces_turn(GArray *pieces)
{
    for (uint32_t i = 0; i < pieces->len; i++) {
        struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, i);
        double run = piece->has_drift ? piece->drift_ppm * 1e-6 : 0;
        int64_t half = (int64_t)(run * (double)(piece->to_ns - piece->from_ns) / 2);

        piece->from_ns += piece->offset_ns - half;
        piece->to_ns += piece->offset_ns + half;
        piece->offset_ns = -piece->offset_ns;
        piece->drift_ppm = 0 - piece->drift_ppm / (1 + run);
    }
}

GArray *corr_result_clock_pieces(const struct corr_result *r, uint32_t point,
                                 enum corr_clock_status *status)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_piece));
    uint32_t reference = r->clock_reference, points[2];
    const struct corr_clock_pair *pair;
    int64_t from_ns, to_ns;
    bool turned;

    *status = point == reference ? CORR_CLOCK_REFERENCE : CORR_CLOCK_UNKNOWN;
    if (point == reference || r->clock == NULL ||
        corr_correction_pieces(r, reference, point, status, pieces))
        return pieces;
    pair = corr_clock_pair(r->clock, r->clock->rank[reference], r->clock->rank[point]);
    if (pair->parts == NULL || pair->parts->len == 0)
        return pieces;
    turned = r->clock->rank[reference] > r->clock->rank[point];
    points[turned] = reference;
    points[!turned] = point;
    overlap_find(r, points, &from_ns, &to_ns);
    pieces_make(pair, from_ns, to_ns, true, pieces);
    *status = pieces->len > 0 ? CORR_CLOCK_BOUNDED : CORR_CLOCK_DRIFT_ONLY;
    if (pieces->len == 0)
        pieces_make(pair, from_ns, to_ns, false, pieces);
    if (turned)
        pieces_turn(pieces);
    return pieces;
}
