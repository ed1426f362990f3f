/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Corridors between pairs of points, and paths over them for pairs that share no packets. */
#include "path/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match/learn.h"
#include "path/corridor.h"
#include "path/order.h"
#include "store/sort.h"

/* Software time stamps were seen up to 19 us out of order within one file. */
#define SOFTWARE_NS INT64_C(20000)
/* Times that are multiples of more than this may be so by chance. */
#define FINE_NS INT64_C(1000)
/* Slewing takes 500 ppm (NTP); crystals add some tens. */
#define RUN_OFF 600e-6
/* So many packets in a row that contradict a corridor are a clock that was set; fewer are errors.
 */
#define STEP_EVIDENCE 5u
/* Parts in which a clock is described that no line describes. */
#define SLEW_PARTS 8
/* After so many that agree, the errors before them are forgotten. */
#define STEP_FORGOTTEN 20u
/* Sightings of a packet that are compared pair by pair; beyond, neighbours on the path only. */
#define ALL_PAIRS 8u

struct sample {
    int64_t t_ns, d_ns; /* at p; q minus p */
    bool upper;         /* the packet went from p to q */
    bool refused;       /* no line of its piece respects it: an error, not a limit */
};

struct piece {
    int64_t from_ns, to_ns; /* p's clock */
    int64_t doubt_ns;       /* the clock was set between here and from_ns */
    struct corr_corridor corridor;
    uint32_t n_upper, n_lower;
};

/* Limits at the time of a sample, from all samples of its piece, if clocks only run off slowly. */
struct limits {
    int64_t t_ns, least_ns, greatest_ns;
};

struct pair {
    GArray *samples; /* struct sample; freed after fitting */
    GArray *pieces;  /* struct piece, by time; at least one if there was a sample */
    GArray *limits;  /* struct limits, by time; NULL where one line fits all samples */
    uint32_t n;
};

struct corr_clock {
    uint32_t n;
    struct pair *pairs; /* p < q: pairs[p * n + q] */
    int64_t *cost;      /* p * n + q -> half width of the best way's corridors, ns; for choosing */
    uint16_t *via;      /* p * n + q -> next point on the best way from p to q; UINT16_MAX: none */
    int64_t *resolution_ns;
};

static struct pair *pair_of(const struct corr_clock *clock, uint32_t p, uint32_t q)
{
    return &clock->pairs[(size_t)MIN(p, q) * clock->n + MAX(p, q)];
}

static void sample_add(struct corr_clock *clock, const struct corr_obs *from,
                       const struct corr_obs *to)
{
    bool upper = from->point < to->point;
    const struct corr_obs *p = upper ? from : to, *q = upper ? to : from;
    struct sample sample = {p->time_ns, q->time_ns - p->time_ns, upper, false};
    struct pair *pair;

    if (from->point == to->point)
        return;
    pair = pair_of(clock, p->point, q->point);
    if (pair->samples == NULL)
        pair->samples = g_array_new(FALSE, FALSE, sizeof(struct sample));
    g_array_append_val(pair->samples, sample);
}

static void packet_sample(struct corr_work *work, struct corr_clock *clock,
                          const struct corr_packet *packet)
{
    const struct corr_result *result = work->result;

    for (uint32_t i = packet->first; i < packet->first + packet->n; i++)
        for (uint32_t k = i + 1; k < packet->first + packet->n; k++) {
            const struct corr_sighting *a = corr_result_sighting(result, i);
            const struct corr_sighting *b = corr_result_sighting(result, k);
            int order;

            if (packet->n > ALL_PAIRS && k > i + 1)
                break;
            if (a->duplicate || b->duplicate)
                continue;
            order = corr_order_compare(result, packet->flow, packet->dir, result->obs_conv[a->obs],
                                       result->obs_conv[b->obs]);
            if (order < 0)
                sample_add(clock, corr_result_obs(result, a), corr_result_obs(result, b));
            else if (order > 0)
                sample_add(clock, corr_result_obs(result, b), corr_result_obs(result, a));
        }
}

static bool sample_less(const struct sample *a, const struct sample *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->d_ns < b->d_ns;
}

CORR_SORT_DEFINE(samples_sort, struct sample, sample_less)

static void piece_begin(struct pair *pair, const struct sample *sample, int64_t doubt_ns)
{
    struct piece piece = {.from_ns = sample->t_ns, .to_ns = sample->t_ns, .doubt_ns = doubt_ns};

    corr_corridor_init(&piece.corridor, sample->t_ns, sample->d_ns);
    g_array_append_val(pair->pieces, piece);
}

static bool piece_take(struct piece *piece, const struct sample *sample, int64_t slack)
{
    int64_t limit = sample->d_ns + (sample->upper ? slack : -slack);

    if (!corr_corridor_limit(&piece->corridor, sample->t_ns, limit, sample->upper))
        return false;
    piece->to_ns = sample->t_ns;
    if (sample->upper)
        piece->n_upper++;
    else
        piece->n_lower++;
    return true;
}

/* Number of samples that no line respects. */
static uint32_t pair_fit(struct pair *pair, int64_t slack)
{
    struct sample *all = (struct sample *)pair->samples->data;
    uint32_t n = pair->samples->len, refused = 0, first_bad = 0, bad = 0, good = 0;

    g_array_set_size(pair->pieces, 0);
    for (uint32_t i = 0; i < n; i++) {
        if (pair->pieces->len == 0)
            piece_begin(pair, &all[i], all[i].t_ns);
        all[i].refused = !piece_take(
            &g_array_index(pair->pieces, struct piece, pair->pieces->len - 1), &all[i], slack);
        if (!all[i].refused) {
            /* A clock that was set breaks the limits of one kind only; the others say nothing. */
            good += all[i].upper == all[first_bad].upper;
            if (good >= STEP_FORGOTTEN)
                bad = 0;
            continue;
        }
        good = 0;
        refused++;
        if (bad++ == 0)
            first_bad = i;
        if (bad >= STEP_EVIDENCE) {
            /* Limits of the other kind fit both pieces: only the last of this kind shows that the
             * clock was not set yet. */
            uint32_t last = first_bad;

            while (last > 0 && all[last - 1].upper != all[first_bad].upper)
                last--;
            piece_begin(pair, &all[first_bad], all[last > 0 ? last - 1 : 0].t_ns);
            i = first_bad - 1;
            bad = 0;
        }
    }
    return refused;
}

static void resolutions_find(const struct corr_work *work, struct corr_clock *clock)
{
    for (uint32_t p = 0; p < clock->n; p++)
        clock->resolution_ns[p] = 1000000;
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);

        while (obs->time_ns % clock->resolution_ns[obs->point] != 0)
            clock->resolution_ns[obs->point] /= 10;
    }
}

/* Pieces that no drift has in common: not set, but slewed, and no line is the truth. */
static bool is_slewed(const struct pair *pair)
{
    double slowest = INFINITY, fastest = -INFINITY;

    for (uint32_t i = 0; i < pair->pieces->len; i++) {
        const struct piece *piece = &g_array_index(pair->pieces, struct piece, i);
        double slow, fast;

        if (piece->n_upper == 0 || piece->n_lower == 0)
            continue;
        corr_corridor_drift(&piece->corridor, &slow, &fast);
        fastest = fmax(fastest, slow);
        slowest = fmin(slowest, fast);
    }
    return fastest > slowest;
}

static int64_t drifted(int64_t from_ns, int64_t to_ns)
{
    return (int64_t)((double)llabs(to_ns - from_ns) * RUN_OFF);
}

/*
 * A clock that no line describes was set, or is being slewed.  Then only this is
 * certain: between two moments it ran off by no more than RUN_OFF.  One sweep in
 * each direction carries every limit to the samples around it.
 */
static void limits_sweep(struct pair *pair, int64_t slack)
{
    const struct sample *all = (const struct sample *)pair->samples->data;
    uint32_t n = pair->samples->len, piece = 0;
    uint32_t *of = g_new(uint32_t, n + 1);
    struct limits *limits;

    pair->limits = g_array_sized_new(FALSE, FALSE, sizeof(struct limits), n);
    g_array_set_size(pair->limits, n);
    limits = (struct limits *)pair->limits->data;
    for (uint32_t i = 0; i < n; i++) {
        while (piece + 1 < pair->pieces->len &&
               g_array_index(pair->pieces, struct piece, piece + 1).from_ns <= all[i].t_ns)
            piece++;
        of[i] = piece;
        limits[i] = (struct limits){all[i].t_ns, INT64_MIN / 4, INT64_MAX / 4};
        if (all[i].refused)
            continue;
        if (all[i].upper)
            limits[i].greatest_ns = all[i].d_ns + slack;
        else
            limits[i].least_ns = all[i].d_ns - slack;
    }
    for (unsigned back = 0; back < 2; back++)
        for (uint32_t step = 1; step < n; step++) {
            uint32_t i = back ? n - 1 - step : step, before = back ? i + 1 : i - 1;
            int64_t more = drifted(limits[before].t_ns, limits[i].t_ns);

            if (of[i] != of[before])
                continue;
            limits[i].least_ns = MAX(limits[i].least_ns, limits[before].least_ns - more);
            limits[i].greatest_ns = MIN(limits[i].greatest_ns, limits[before].greatest_ns + more);
        }
    g_free(of);
}

/* What the nearest limits leave at t; false if they leave nothing, or one side only. */
static bool limits_at(const GArray *all, int64_t t_ns, int64_t *least, int64_t *greatest)
{
    const struct limits *limits = (const struct limits *)all->data;
    uint32_t lo = 0, hi = all->len;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (limits[mid].t_ns < t_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo > 0 && (lo == all->len || t_ns - limits[lo - 1].t_ns < limits[lo].t_ns - t_ns))
        lo--;
    *least = limits[lo].least_ns - drifted(limits[lo].t_ns, t_ns);
    *greatest = limits[lo].greatest_ns + drifted(limits[lo].t_ns, t_ns);
    return limits[lo].least_ns > INT64_MIN / 4 && limits[lo].greatest_ns < INT64_MAX / 4 &&
           *least <= *greatest;
}

/* Cheapest ways between points over pairs with a two-sided corridor (Floyd and Warshall). */
static void ways_find(struct corr_clock *clock)
{
    uint32_t n = clock->n;
    int64_t *cost = clock->cost = g_new(int64_t, (size_t)n * n + 1);

    for (size_t i = 0; i < (size_t)n * n; i++) {
        cost[i] = INT64_MAX / 4;
        clock->via[i] = UINT16_MAX;
    }
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t q = p + 1; q < n; q++) {
            const struct pair *pair = pair_of(clock, p, q);

            for (uint32_t i = 0; pair->pieces != NULL && i < pair->pieces->len; i++) {
                const struct piece *piece = &g_array_index(pair->pieces, struct piece, i);
                int64_t least, greatest;

                if (piece->n_upper == 0 || piece->n_lower == 0)
                    continue;
                corr_corridor_at(&piece->corridor,
                                 piece->from_ns + (piece->to_ns - piece->from_ns) / 2, &least,
                                 &greatest);
                cost[p * n + q] = cost[q * n + p] =
                    MIN(cost[p * n + q], MAX(greatest - least, 0) / 2 + 1);
                clock->via[p * n + q] = (uint16_t)q;
                clock->via[q * n + p] = (uint16_t)p;
            }
        }
    for (uint32_t v = 0; v < n; v++)
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t q = 0; p != v && q < n; q++)
                if (q != p && cost[p * n + v] + cost[v * n + q] < cost[p * n + q] &&
                    /* a direct corridor is the better witness unless it is far wider */
                    (clock->via[p * n + q] != q ||
                     2 * (cost[p * n + v] + cost[v * n + q]) < cost[p * n + q])) {
                    cost[p * n + q] = cost[p * n + v] + cost[v * n + q];
                    clock->via[p * n + q] = clock->via[p * n + v];
                }
}

/*
 * The point that most others can be compared with, and of those the one that knows
 * them best; where nothing compares, that shares packets with most; else the first
 * that has frames.
 */
static uint32_t reference_choose(const struct corr_work *work, const struct corr_clock *clock)
{
    uint32_t best = 0;
    uint64_t best_score = 0;
    int64_t best_cost = 0;

    for (uint32_t p = 0; p < clock->n; p++) {
        uint64_t score = corr_store_point(work->store, p)->frames > 0;
        int64_t cost = 0;

        for (uint32_t q = 0; q < clock->n; q++) {
            bool known = clock->via[p * clock->n + q] != UINT16_MAX;

            score += (uint64_t)known << 32;
            score += (uint64_t)(p != q && !known && pair_of(clock, p, q)->n > 0) << 8;
            cost += known ? clock->cost[p * clock->n + q] : 0;
        }
        if (score > best_score || (score == best_score && cost < best_cost)) {
            best = p;
            best_score = score;
            best_cost = cost;
        }
    }
    return best;
}

void corr_clock_fit(struct corr_work *work)
{
    struct corr_result *result = work->result;
    struct corr_clock *clock = g_new0(struct corr_clock, 1);
    size_t squared = (size_t)work->store->points->len * work->store->points->len;

    clock->n = work->store->points->len;
    clock->pairs = g_new0(struct pair, squared + 1);
    clock->via = g_new(uint16_t, squared + 1);
    clock->resolution_ns = g_new(int64_t, clock->n + 1);
    resolutions_find(work, clock);
    for (uint32_t p = 0; p < result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);

        /* What fans out or stays on its link says nothing of two hosts' clocks. */
        if (packet->n > 1 && !packet->ambiguous && packet->flow != CORR_NONE &&
            !corr_conv_scoped(corr_result_conv(
                result, result->obs_conv[corr_result_sighting(result, packet->first)->obs])))
            packet_sample(work, clock, packet);
    }
    for (uint32_t p = 0; p < clock->n; p++)
        for (uint32_t q = p + 1; q < clock->n; q++) {
            struct pair *pair = pair_of(clock, p, q);
            int64_t coarse = clock->resolution_ns[p] + clock->resolution_ns[q];
            int64_t fine =
                MIN(clock->resolution_ns[p], FINE_NS) + MIN(clock->resolution_ns[q], FINE_NS);

            if (pair->samples == NULL)
                continue;
            pair->n = pair->samples->len;
            pair->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
            samples_sort((struct sample *)pair->samples->data, pair->n);
            /* The least slack that the samples allow. */
            if (pair_fit(pair, fine) > 0 && pair_fit(pair, fine + SOFTWARE_NS) > 0 && coarse > fine)
                pair_fit(pair, coarse + SOFTWARE_NS);
            if (is_slewed(pair))
                limits_sweep(pair, fine + SOFTWARE_NS);
            g_array_unref(pair->samples);
            pair->samples = NULL;
        }
    ways_find(clock);
    corr_clock_free(result->clock);
    result->clock = clock;
    result->clock_reference = reference_choose(work, clock);
}

void corr_clock_free(struct corr_clock *clock)
{
    if (clock == NULL)
        return;
    for (size_t i = 0; i < (size_t)clock->n * clock->n; i++) {
        if (clock->pairs[i].pieces != NULL)
            g_array_unref(clock->pairs[i].pieces);
        if (clock->pairs[i].limits != NULL)
            g_array_unref(clock->pairs[i].limits);
    }
    g_free(clock->pairs);
    g_free(clock->via);
    g_free(clock->cost);
    g_free(clock->resolution_ns);
    g_free(clock);
}

int64_t corr_clock_resolution(const struct corr_clock *clock, uint32_t point)
{
    return MIN(clock->resolution_ns[point], FINE_NS);
}

/* Least and greatest offset of a pair at p's t; false if one direction only bounds it. */
static bool pair_at(const struct pair *pair, int64_t t_ns, int64_t *least, int64_t *greatest)
{
    const struct piece *pieces = (const struct piece *)pair->pieces->data;
    uint32_t n = pair->pieces->len, at = 0;

    while (at + 1 < n && pieces[at + 1].from_ns <= t_ns)
        at++;
    if (pieces[at].n_upper == 0 || pieces[at].n_lower == 0)
        return false;
    if (pair->limits == NULL || !limits_at(pair->limits, t_ns, least, greatest))
        corr_corridor_at(&pieces[at].corridor, t_ns, least, greatest);
    /* Around the moment at which a clock was set nobody knows which piece holds. */
    for (uint32_t other = at > 0 ? at - 1 : 0; other <= at + 1 && other < n; other++) {
        const struct piece *later = &pieces[MAX(at, other)];
        int64_t l, g, jump;

        if (other == at || pieces[other].n_upper == 0 || pieces[other].n_lower == 0)
            continue;
        corr_corridor_at(&pieces[other].corridor, t_ns, &l, &g);
        jump = MAX(llabs(g - *least), llabs(*greatest - l));
        if (t_ns >= later->doubt_ns - jump && t_ns <= later->from_ns + jump) {
            *least = MIN(*least, l);
            *greatest = MAX(*greatest, g);
        }
    }
    return true;
}

/* q minus p at p's t, from the corridor of the pair itself. */
static struct corr_clock_answer direct(const struct corr_clock *clock, uint32_t p, uint32_t q,
                                       int64_t t_ns)
{
    struct corr_clock_answer answer = {CORR_CLOCK_UNKNOWN, 0, 0};
    const struct pair *pair = pair_of(clock, p, q);
    int64_t least, greatest;

    if (pair->pieces == NULL || pair->pieces->len == 0)
        return answer;
    if (p > q) {
        /* Pieces are in q's time then: the offset itself leads there. */
        struct corr_clock_answer there = direct(clock, q, p, t_ns);

        if (there.status == CORR_CLOCK_BOUNDED)
            there = direct(clock, q, p, t_ns - there.offset_ns);
        there.offset_ns = -there.offset_ns;
        return there;
    }
    if (!pair_at(pair, t_ns, &least, &greatest)) {
        answer.status = CORR_CLOCK_DRIFT_ONLY;
        return answer;
    }
    answer.status = CORR_CLOCK_BOUNDED;
    answer.offset_ns = least + (greatest - least) / 2;
    answer.error_ns = (greatest - least + 1) / 2;
    return answer;
}

struct corr_clock_answer corr_result_clock(const struct corr_result *r, uint32_t p, uint32_t q,
                                           int64_t t_ns)
{
    struct corr_clock_answer total = {CORR_CLOCK_REFERENCE, 0, 0};
    const struct corr_clock *clock = r->clock;
    uint32_t at = p;

    if (p == q)
        return total;
    if (clock == NULL || clock->via[p * clock->n + q] == UINT16_MAX) {
        total.status = clock == NULL || pair_of(clock, p, q)->n == 0 ? CORR_CLOCK_UNKNOWN
                                                                     : CORR_CLOCK_DRIFT_ONLY;
        return total;
    }
    while (at != q) {
        uint32_t next = clock->via[at * clock->n + q];
        struct corr_clock_answer step = direct(clock, at, next, t_ns + total.offset_ns);

        if (step.status != CORR_CLOCK_BOUNDED) {
            step.offset_ns = step.error_ns = 0;
            return step;
        }
        total.offset_ns += step.offset_ns;
        total.error_ns += step.error_ns;
        at = next;
    }
    total.status = CORR_CLOCK_BOUNDED;
    return total;
}

/* One line as one piece; a clock that is slewed in parts, each as the limits show it. */
static void piece_describe(const struct pair *pair, uint32_t index, int sign, GArray *pieces,
                           enum corr_clock_status *status)
{
    const struct piece *from = &g_array_index(pair->pieces, struct piece, index);
    bool both = from->n_upper > 0 && from->n_lower > 0;
    int64_t parts = pair->limits != NULL && both ? SLEW_PARTS : 1;
    int64_t length = (from->to_ns - from->from_ns) / parts;

    for (int64_t part = 0; part < parts; part++) {
        struct corr_clock_piece piece = {.from_ns = from->from_ns + part * length, .error_ns = -1};
        int64_t middle, least, greatest, begin[2], end[2];

        piece.to_ns = part + 1 == parts ? from->to_ns : piece.from_ns + length;
        middle = piece.from_ns + (piece.to_ns - piece.from_ns) / 2;
        if (both && pair_at(pair, middle, &least, &greatest)) {
            piece.offset_ns = (least + (greatest - least) / 2) * sign;
            piece.error_ns = (greatest - least + 1) / 2;
            *status = CORR_CLOCK_BOUNDED;
        }
        if (parts == 1) {
            double slow, fast;

            corr_corridor_drift(&from->corridor, &slow, &fast);
            piece.has_drift = fast - slow < 200;
            piece.drift_ppm = (slow + fast) / 2 * sign;
        } else if (length > 0 && pair_at(pair, piece.from_ns, &begin[0], &begin[1]) &&
                   pair_at(pair, piece.to_ns, &end[0], &end[1])) {
            piece.has_drift = true;
            piece.drift_ppm = ((double)(end[0] + end[1]) - (double)(begin[0] + begin[1])) / 2 /
                              (double)length * 1e6 * sign;
        }
        g_array_append_val(pieces, piece);
    }
}

GArray *corr_result_clock_pieces(const struct corr_result *r, uint32_t q,
                                 enum corr_clock_status *status)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(struct corr_clock_piece));
    const struct corr_clock *clock = r->clock;
    uint32_t p = r->clock_reference;
    const struct pair *pair;

    *status = p == q ? CORR_CLOCK_REFERENCE : CORR_CLOCK_UNKNOWN;
    if (p == q || clock == NULL)
        return pieces;
    if (corr_correction_pieces(r, p, q, status, pieces))
        return pieces;
    pair = pair_of(clock, p, q);
    *status = corr_result_clock(r, p, q, 0).status;
    if (pair->pieces == NULL) {
        /* No packet in common: the offset over other points, where the file has frames of q. */
        for (uint32_t i = 0; i < r->store->obs->len && *status == CORR_CLOCK_BOUNDED; i++) {
            const struct corr_obs *obs = corr_store_obs(r->store, i);
            struct corr_clock_answer at;

            if (obs->point != p)
                continue;
            at = corr_result_clock(r, p, q, obs->time_ns);
            if (at.status == CORR_CLOCK_BOUNDED) {
                struct corr_clock_piece piece = {
                    obs->time_ns, obs->time_ns, at.offset_ns, at.error_ns, 0, false};

                g_array_append_val(pieces, piece);
            }
            break;
        }
        return pieces;
    }
    for (uint32_t i = 0; i < pair->pieces->len; i++)
        piece_describe(pair, i, p < q ? 1 : -1, pieces, status);
    if (*status == CORR_CLOCK_UNKNOWN && pieces->len > 0)
        *status = CORR_CLOCK_DRIFT_ONLY;
    return pieces;
}
