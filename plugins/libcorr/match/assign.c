/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From cells to instances: which sightings of equal content are one packet?
 *
 * A cell in which every station has one sighting leaves no choice; it is only
 * asked whether the sightings can be one packet at all.  Otherwise the stations
 * are taken one after the other along the path, and the sightings of the next
 * one are aligned with the instances so far: order is kept, pairs score by what
 * headers and delays say, and a pair counts only if it stands in nearly all
 * alignments, weighed by their likelihood.  Where spacing is below jitter and no
 * header tells copies apart, no pair does, and the instances are ambiguous.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match/learn.h"
#include "path/clock.h"
#include "path/order.h"
#include "store/hash.h"

/* Log-likelihoods.  A sighting without partner was lost, or missed by the capture. */
#define GAP (-4.0)
#define IMPOSSIBLE (-1e3)
#define NUMBERED 50.0 /* the capture says so itself */
/* A delay that nothing learned explains, though it is within what networks do. */
#define UNUSUAL (-5.0)
#define PLAUSIBLE_NS 2e9
/* Copies can be told apart by time where their distance is so many times the jitter. */
#define RESOLVED 8
/* Least share of the alignments, by weight, that a pair must stand in. */
#define SURE 0.9
/* Payload of one segment on links without jumbo frames. */
#define SEGMENT_MAX 1460u
/* What exchanging the partners of two neighbours must cost: odds of nine to one. */
#define EXCHANGE 2.2
/* Sightings of one cell at two stations whose product is larger are not aligned. */
#define ALIGN_MAX 4000000u

/* Linux counts one IP ID per TCP segment in a super-segment: which IDs can its pieces have? */
static bool id_within(const struct corr_obs *large, const struct corr_obs *small)
{
    uint32_t pieces = large->len / 500 + 1; /* a segment size below 536 is not in use */

    return (uint16_t)(small->ip_id - large->ip_id) <= pieces;
}

static double score_id(const struct corr_work *work, uint32_t i, uint32_t k, bool range)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_pair_facts *facts = corr_pair_facts(work, a->point, b->point);
    uint32_t n = facts->id_same + facts->id_differs;

    if (!(a->have & b->have & CORR_HAVE_IP_ID) || (a->ip_id == 0 && b->ip_id == 0))
        return 0;
    if (a->point == b->point)
        n = 0;
    if (range && a->len != b->len)
        return id_within(a->len > b->len ? a : b, a->len > b->len ? b : a) ? 6
               : n >= 8 && facts->id_same * 50 >= n * 49                   ? -8
                                                                           : 0;
    if (a->ip_id == b->ip_id)
        return 8;
    if (n >= 8 && facts->id_same * 50 >= n * 49)
        return -14;
    if (n >= 8 && facts->id_same * 2 < n)
        return 0;
    return -4;
}

static double score_tcp(const struct corr_work *work, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_pair_facts *facts = corr_pair_facts(work, a->point, b->point);
    uint32_t n = facts->ts_same + facts->ts_differs;
    double score = 0;

    if (a->have & b->have & CORR_HAVE_TS) {
        if (corr_work_tsval(work, i) != corr_work_tsval(work, k))
            score += n >= 8 && facts->ts_same * 50 >= n * 49 ? -14 : -3;
        else
            score += a->tsecr == b->tsecr ? 6 : 3;
    }
    if (a->len == b->len) {
        if (a->tcp_flags & b->tcp_flags & CORR_TCP_ACK)
            score += corr_work_ack(work, i) == corr_work_ack(work, k) ? 1 : -3;
        score += a->window == b->window ? 1 : -1;
    }
    return score;
}

/*
 * Does the delay fit?  Heavy tails: a packet may wait in a queue, but not arrive
 * before it left.  `jitter` is what the cell itself shows; 0 where it is alone, and
 * then an unusual delay alone does not speak against the pair.
 */
static double score_delay(const struct corr_work *work, uint32_t i, uint32_t k, uint32_t flow_dir,
                          double jitter)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    struct corr_expectation expect;
    double scale, x;
    int order;

    if (a->point == b->point)
        return 0;
    order = corr_order_compare(work->result, flow_dir / 2, flow_dir & 1,
                               work->result->obs_conv[i], work->result->obs_conv[k]);
    if (order != 0) {
        const struct corr_obs *from = order < 0 ? a : b, *to = order < 0 ? b : a;
        struct corr_clock_answer clock =
            corr_result_clock(work->result, from->point, to->point, from->time_ns);

        if (clock.status == CORR_CLOCK_BOUNDED &&
            to->time_ns - from->time_ns - clock.offset_ns <
                -(clock.error_ns + CORR_CLOCK_SLACK_NS))
            return IMPOSSIBLE;
    }
    if (!corr_delay_expect(work, i, k, flow_dir, &expect))
        return 0;
    /* Half a part in ten thousand: how far two clocks may drift apart since the nearest delay. */
    scale = fmax(fmax(1.5 * (double)expect.spread_ns, 50e3), jitter) +
            (double)expect.gap_ns * 50e-6;
    x = ((double)(b->time_ns - a->time_ns) - (double)expect.d_ns) / scale;
    return jitter == 0 && fabs(x) * scale < PLAUSIBLE_NS ? fmax(-log1p(x * x), UNUSUAL)
                                                         : -log1p(x * x);
}

static bool stays_on_link(const struct corr_endpoint *src, const struct corr_endpoint *dst)
{
    const uint8_t *to = dst->addr.bytes;

    if (corr_addr_is_link_local(&src->addr) || corr_addr_is_link_local(&dst->addr))
        return true;
    if (dst->addr.len == 4) /* limited broadcast, RFC 919; local network control block, RFC 5771 */
        return to[0] == 255 || (to[0] == 224 && to[1] == 0 && to[2] == 0);
    return dst->addr.len == 16 && to[0] == 0xff && (to[1] & 15) <= 2; /* scope, RFC 4291, 2.7 */
}

/*
 * A packet that no router forwards is the same packet at two points only if they
 * are on one link, and hosts of different links send the same solicitations and
 * requests.  What proves the link is the source MAC address in both MAC headers;
 * cooked captures have no MAC header, so there only looks of one capture compare.
 */
static bool left_its_link(const struct corr_work *work, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_conv *conv = corr_result_conv(work->result, work->result->obs_conv[i]);
    const struct corr_point *p, *q;

    if (conv->end[0].addr.len == 6 || !stays_on_link(&conv->end[a->dir], &conv->end[!a->dir]))
        return false;
    p = corr_store_point(work->store, a->point);
    q = corr_store_point(work->store, b->point);
    if ((a->have & b->have & CORR_HAVE_MAC) == 0 &&
        (p->section != q->section || p->interface != q->interface))
        return true;
    return memcmp(g_array_index(work->store->l2s, struct corr_l2, a->l2).src,
                  g_array_index(work->store->l2s, struct corr_l2, b->l2).src, 6) != 0;
}

/*
 * Segments that no offload made do not overlap partly: then the stream was shifted
 * between the points (a helper rewrote an address in the payload), and equal
 * numbers are other bytes.
 */
static bool shifted(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                    uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    int64_t ahead = (int32_t)(corr_work_seq(work, k) - corr_work_seq(work, i));

    if (!cell->range || a->kind != CORR_KIND_TCP || MAX(a->len, b->len) > SEGMENT_MAX)
        return false;
    return !(ahead >= 0 && ahead + b->len <= a->len) && !(ahead <= 0 && ahead + b->len >= a->len);
}

/*
 * A capture that numbers packets itself (epb_packetid) decides; `known` tells
 * whether it numbered both.  Numbers of different sections do not compare.
 */
static bool numbered_alike(const struct corr_work *work, uint32_t i, uint32_t k, bool *known)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_extra *x = corr_store_extra(work->store, a);
    const struct corr_extra *y = corr_store_extra(work->store, b);

    *known = x != NULL && y != NULL && x->has_packet_id && y->has_packet_id &&
             corr_store_point(work->store, a->point)->section ==
                 corr_store_point(work->store, b->point)->section;
    return *known && x->packet_id == y->packet_id;
}

static double pair_score(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                         uint32_t k, double jitter)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    double score;
    bool known;

    if (numbered_alike(work, i, k, &known))
        return NUMBERED;
    if (known || left_its_link(work, i, k) || shifted(work, cell, i, k))
        return IMPOSSIBLE;
    score = score_delay(work, i, k, cell->flow * 2 + cell->dir, jitter);
    if (score <= IMPOSSIBLE)
        return IMPOSSIBLE;
    score += score_id(work, i, k, cell->range);
    if (a->kind == CORR_KIND_TCP)
        score += score_tcp(work, i, k);
    /* What an ICMP error quotes is translated with it (RFC 5508). */
    if (a->kind != CORR_KIND_ICMP_ERROR && !corr_obs_same_content(a, b, &known))
        score -= 12;
    return score;
}

/* --- alignment --------------------------------------------------------------------------- */

static double log_add(double a, double b)
{
    double hi = a > b ? a : b, lo = a > b ? b : a;

    return lo == -INFINITY ? hi : hi + log1p(exp(lo - hi));
}

/*
 * Probability of each pair over all order-preserving alignments.  Three states
 * (pair, gap in a, then gap in b) so that each alignment is counted once.
 * `score` is m x n; `pair` receives the probabilities.
 */
static void align(const double *score, uint32_t m, uint32_t n, double *pair)
{
    size_t w = n + 1, size = (size_t)(m + 1) * w;
    double *f = g_new(double, 6 * size), *fm = f, *fa = f + size, *fb = f + 2 * size;
    double *bm = f + 3 * size, *ba = f + 4 * size, *bb = f + 5 * size, total;

    for (size_t c = 0; c < 6 * size; c++)
        f[c] = -INFINITY;
    fm[0] = 0;
    for (uint32_t i = 0; i <= m; i++)
        for (uint32_t k = 0; k <= n; k++) {
            size_t at = i * w + k;

            if (i > 0 && k > 0)
                fm[at] = score[(size_t)(i - 1) * n + k - 1] +
                         log_add(fm[at - w - 1], log_add(fa[at - w - 1], fb[at - w - 1]));
            if (i > 0)
                fa[at] = GAP + log_add(fm[at - w], fa[at - w]);
            if (k > 0)
                fb[at] = GAP + log_add(fm[at - 1], log_add(fa[at - 1], fb[at - 1]));
        }
    total = log_add(fm[size - 1], log_add(fa[size - 1], fb[size - 1]));
    /* bX[at]: weight of all completions from state X at this place */
    bm[size - 1] = ba[size - 1] = bb[size - 1] = 0;
    for (uint32_t i = m + 1; i-- > 0;)
        for (uint32_t k = n + 1; k-- > 0;) {
            size_t at = i * w + k;
            double p = -INFINITY, a = -INFINITY, b = -INFINITY;

            if (at == size - 1)
                continue;
            if (i < m && k < n)
                p = score[(size_t)i * n + k] + bm[at + w + 1];
            if (i < m)
                a = GAP + ba[at + w];
            if (k < n)
                b = GAP + bb[at + 1];
            bm[at] = ba[at] = log_add(p, log_add(a, b));
            bb[at] = log_add(p, b);
        }
    for (uint32_t i = 1; i <= m; i++)
        for (uint32_t k = 1; k <= n; k++)
            pair[(size_t)(i - 1) * n + k - 1] = exp(fm[i * w + k] + bm[i * w + k] - total);
    g_free(f);
}

/*
 * Alignments keep order, networks need not.  Where time does not tell neighbours
 * apart, a pair counts only if exchanging partners with a neighbour is clearly
 * worse by what the headers say; otherwise both pairs lose their certainty.
 */
static void exchanges_refuse(const double *score, uint32_t m, uint32_t n, double *pair)
{
    uint32_t last_i = 0, last_k = 0;
    bool has_last = false;
    GArray *doubt = g_array_new(FALSE, FALSE, sizeof(size_t));

    for (uint32_t i = 0; i < m; i++)
        for (uint32_t k = 0; k < n; k++) {
            size_t at = (size_t)i * n + k, before = (size_t)last_i * n + last_k;

            if (pair[at] < SURE)
                continue;
            if (has_last && score[at] + score[before] - score[(size_t)last_i * n + k] -
                                    score[(size_t)i * n + last_k] <
                                EXCHANGE) {
                g_array_append_val(doubt, at);
                g_array_append_val(doubt, before);
            }
            last_i = i;
            last_k = k;
            has_last = true;
        }
    for (uint32_t d = 0; d < doubt->len; d++)
        pair[g_array_index(doubt, size_t, d)] = SURE / 2;
    g_array_unref(doubt);
}

/* --- growing instances along the path ------------------------------------------------------ */

/* An instance while its cell is being assigned. */
struct growing {
    GArray *obs; /* uint32_t, one per station */
    bool ambiguous;
    int64_t when; /* expected time at the station that is asked next */
    int64_t spread_ns; /* how far other packets of the flow are from theirs; 0 unknown */
};

static uint32_t growing_last(const struct growing *g)
{
    return g_array_index(g->obs, uint32_t, g->obs->len - 1);
}

static int growing_compare(const void *x, const void *y)
{
    const struct growing *a = *(struct growing *const *)x, *b = *(struct growing *const *)y;

    if (a->when != b->when)
        return a->when < b->when ? -1 : 1;
    return growing_last(a) < growing_last(b) ? -1 : growing_last(a) > growing_last(b);
}

static void growing_add(GPtrArray *instances, uint32_t obs)
{
    struct growing *g = g_new0(struct growing, 1);

    g->obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(g->obs, obs);
    g_ptr_array_add(instances, g);
}

static void growing_free(void *data)
{
    struct growing *g = data;

    g_array_unref(g->obs);
    g_free(g);
}

static void expect_at(const struct corr_work *work, struct growing *g, uint32_t next,
                      uint32_t flow_dir)
{
    const struct corr_obs *last = corr_store_obs(work->store, growing_last(g));
    const struct corr_obs *at = corr_store_obs(work->store, next);
    struct corr_expectation expect;

    g->when = last->time_ns;
    if (last->point != at->point &&
        corr_delay_expect(work, growing_last(g), next, flow_dir, &expect)) {
        g->when += expect.d_ns;
        g->spread_ns = expect.spread_ns;
    }
}

/*
 * Copies that an IP ID (or time stamp) names are paired first: they may have
 * been reordered, which an order-preserving alignment could not say.
 */
static uint64_t name_of(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    const struct corr_extra *extra = corr_store_extra(work->store, obs);

    if (extra != NULL && extra->has_packet_id)
        return extra->packet_id + 1;

    if (!(obs->have & CORR_HAVE_IP_ID) || obs->ip_id == 0)
        return 0;
    return (uint64_t)obs->ip_id + 1;
}

static void named_pair(const struct corr_work *work, const struct corr_cell *cell,
                       GPtrArray *instances, const uint32_t *next, uint32_t n, bool *taken)
{
    GHashTable *by_name = g_hash_table_new(g_direct_hash, g_direct_equal);
    GHashTable *mine = g_hash_table_new(g_direct_hash, g_direct_equal);

    for (uint32_t k = 0; k < n; k++) {
        gpointer name = GSIZE_TO_POINTER(name_of(work, next[k]));

        if (name != NULL)
            g_hash_table_replace(by_name, name,
                                 GSIZE_TO_POINTER(g_hash_table_contains(by_name, name) ? 0
                                                                                       : k + 1));
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        gpointer name = GSIZE_TO_POINTER(
            name_of(work, growing_last(g_ptr_array_index(instances, i))));

        g_hash_table_replace(mine, name,
                             GSIZE_TO_POINTER(GPOINTER_TO_SIZE(g_hash_table_lookup(mine, name)) + 1));
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        struct growing *g = g_ptr_array_index(instances, i);
        gpointer name = GSIZE_TO_POINTER(name_of(work, growing_last(g)));
        size_t k = GPOINTER_TO_SIZE(g_hash_table_lookup(by_name, name));

        if (name == NULL || k == 0 || GPOINTER_TO_SIZE(g_hash_table_lookup(mine, name)) != 1)
            continue;
        if (pair_score(work, cell, growing_last(g), next[k - 1], 0) > 2 * GAP + 6) {
            g_array_append_val(g->obs, next[k - 1]);
            taken[k - 1] = true;
        }
    }
    g_hash_table_destroy(by_name);
    g_hash_table_destroy(mine);
}

static int double_compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return a < b ? -1 : a > b;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, double_compare);
    return n > 0 ? values[n / 2] : 0;
}

/*
 * How far arrivals are from the nearest expected time, in the middle: the jitter,
 * as long as it is small beside the distance of the copies.  Otherwise the nearest
 * is not the right one, and time must not tell: the scale becomes that wide.
 */
static double jitter_of(const struct corr_work *work, const GPtrArray *open, const uint32_t *rest,
                        uint32_t n, bool *resolved)
{
    double *off = g_new(double, n + 1), *gaps = g_new(double, open->len + n + 1), jitter, spacing, spread;
    uint32_t at = 0, n_gaps = 0;

    for (uint32_t k = 0; k < n; k++) {
        int64_t t = corr_store_obs(work->store, rest[k])->time_ns;

#define WHEN(i) (((const struct growing *)g_ptr_array_index(open, i))->when)
        while (at + 1 < open->len && WHEN(at + 1) <= t)
            at++;
        off[k] = fabs((double)(t - WHEN(at)));
        if (at + 1 < open->len)
            off[k] = fmin(off[k], fabs((double)(WHEN(at + 1) - t)));
        if (k > 0)
            gaps[n_gaps++] = fabs(
                (double)(t - corr_store_obs(work->store, rest[k - 1])->time_ns));
    }
    for (uint32_t i = 1; i < open->len; i++)
        gaps[n_gaps++] = (double)(WHEN(i) - WHEN(i - 1));
#undef WHEN
    jitter = fmax(1.5 * median(off, n), 1);
    spacing = median(gaps, n_gaps);
    g_free(off);
    g_free(gaps);
    spread = 1.5 * (double)((const struct growing *)g_ptr_array_index(open, 0))->spread_ns;
    *resolved = n_gaps == 0 || fmax(jitter, spread) * RESOLVED <= spacing;
    return *resolved ? jitter : fmax(fmax(jitter, spread), 4 * spacing);
}

/* The sightings of one more station join the instances. */
static void station_join(const struct corr_work *work, const struct corr_cell *cell,
                         GPtrArray *instances, const uint32_t *next, uint32_t n)
{
    bool *taken = g_new0(bool, n + 1);
    GPtrArray *open = g_ptr_array_new();
    GArray *rest = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    uint32_t conv = work->result->obs_conv[next[0]];

    named_pair(work, cell, instances, next, n, taken);
    for (uint32_t i = 0; i < instances->len; i++) {
        struct growing *g = g_ptr_array_index(instances, i);

        if (work->result->obs_conv[growing_last(g)] == conv)
            continue;
        expect_at(work, g, next[0], cell->flow * 2 + cell->dir);
        g_ptr_array_add(open, g);
    }
    for (uint32_t k = 0; k < n; k++)
        if (!taken[k])
            g_array_append_val(rest, next[k]);
    g_ptr_array_sort(open, growing_compare);
    if (open->len > 0 && rest->len > 0) {
        uint32_t m = open->len, w = rest->len;
        bool too_many = (uint64_t)m * w > ALIGN_MAX;
        double *score = g_new(double, too_many ? 1 : 2 * (size_t)m * w), *pair = score;
        bool resolved;
        double jitter = jitter_of(work, open, (const uint32_t *)rest->data, w, &resolved);

        if (!too_many) {
            pair = score + (size_t)m * w;
            for (uint32_t i = 0; i < m; i++)
                for (uint32_t k = 0; k < w; k++)
                    score[(size_t)i * w + k] =
                        pair_score(work, cell, growing_last(g_ptr_array_index(open, i)),
                                   g_array_index(rest, uint32_t, k), jitter);
            align(score, m, w, pair);
            if (!resolved)
                exchanges_refuse(score, m, w, pair);
        }
        for (uint32_t k = 0; k < w; k++) {
            uint32_t obs = g_array_index(rest, uint32_t, k);
            double best = 0, sum = 0;
            uint32_t who = 0;

            for (uint32_t i = 0; !too_many && i < m; i++) {
                double p = pair[(size_t)i * w + k];

                sum += p;
                if (p > best) {
                    best = p;
                    who = i;
                }
            }
            if (best >= SURE) {
                g_array_append_val(((struct growing *)g_ptr_array_index(open, who))->obs, obs);
                continue;
            }
            growing_add(instances, obs);
            if (too_many || sum > 1 - SURE)
                ((struct growing *)g_ptr_array_index(instances, instances->len - 1))->ambiguous =
                    true;
        }
        for (uint32_t i = 0; i < m; i++) {
            struct growing *g = g_ptr_array_index(open, i);
            double best = 0, sum = 0;

            for (uint32_t k = 0; !too_many && k < w; k++) {
                best = fmax(best, pair[(size_t)i * w + k]);
                sum += pair[(size_t)i * w + k];
            }
            if (too_many || (best < SURE && sum > 1 - SURE))
                g->ambiguous = true;
        }
        g_free(score);
    } else {
        for (uint32_t k = 0; k < rest->len; k++)
            growing_add(instances, g_array_index(rest, uint32_t, k));
    }
    g_ptr_array_unref(open);
    g_array_unref(rest);
    g_free(taken);
}

/* --- cells -------------------------------------------------------------------------------- */

static uint8_t method_of(const struct corr_work *work, const struct corr_cell *cell,
                         const uint32_t *obs, uint32_t n)
{
    const struct corr_conv *first = corr_result_conv(work->result, work->result->obs_conv[obs[0]]);
    bool flip = work->result->conv_flip[work->result->obs_conv[obs[0]]];
    bool translated = false, numbered = true, known;

    if (n < 2)
        return CORR_METHOD_NONE;
    for (uint32_t i = 1; i < n && numbered; i++)
        numbered = numbered_alike(work, obs[i - 1], obs[i], &known);
    if (numbered)
        return CORR_METHOD_PACKET_ID;
    if (cell->choice)
        return CORR_METHOD_ALIGNED;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t c = work->result->obs_conv[obs[i]];
        const struct corr_conv *conv = corr_result_conv(work->result, c);
        bool other = flip ^ work->result->conv_flip[c];

        if (cell->range && corr_store_obs(work->store, obs[i])->len !=
                               corr_store_obs(work->store, obs[0])->len)
            return CORR_METHOD_RANGE;
        for (unsigned e = 0; e < 2; e++)
            translated |= !corr_addr_equal(&first->end[e].addr, &conv->end[e ^ other].addr) ||
                          first->end[e].port != conv->end[e ^ other].port;
        for (unsigned d = 0; d < 2; d++)
            translated |= work->dseq[c][d] != work->dseq[work->result->obs_conv[obs[0]]][d ^ other];
    }
    return translated ? CORR_METHOD_TRANSLATED : CORR_METHOD_EXACT;
}

static void instance_add(struct corr_work *work, uint32_t cell_index, const uint32_t *obs,
                         uint32_t n, bool ambiguous, uint32_t candidates)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, cell_index);
    struct corr_instance instance = {
        .cell = cell_index, .first = work->chosen->len, .n = n, .ambiguous = ambiguous,
        .method = method_of(work, cell, obs, n), .candidates = (uint8_t)MIN(candidates, 255),
    };
    uint32_t *chosen;

    g_array_append_vals(work->chosen, obs, n);
    /* In one order wherever they come from, so that neighbouring ranges compare. */
    chosen = &g_array_index(work->chosen, uint32_t, instance.first);
    for (uint32_t i = 1; i < n; i++) {
        uint32_t one = chosen[i], k = i;

        for (; k > 0 && chosen[k - 1] > one; k--)
            chosen[k] = chosen[k - 1];
        chosen[k] = one;
    }
    g_array_append_val(work->instances, instance);
}

/* One sighting per station: taken as one packet, unless something speaks against it. */
static void cell_take(struct corr_work *work, uint32_t c, const uint32_t *obs, uint32_t n,
                      bool informed)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);
    bool fits = true;

    for (uint32_t i = 1; i < n && fits; i++) {
        const struct corr_obs *a = corr_store_obs(work->store, obs[i - 1]);
        const struct corr_obs *b = corr_store_obs(work->store, obs[i]);

        if (!informed || shifted(work, cell, obs[i - 1], obs[i]))
            fits = !left_its_link(work, obs[i - 1], obs[i]) &&
                   !shifted(work, cell, obs[i - 1], obs[i]);
        else if (!(a->have & b->have & CORR_HAVE_IP_ID && a->ip_id == b->ip_id && a->ip_id != 0 &&
                   a->dfull == b->dfull) || left_its_link(work, obs[i - 1], obs[i]))
            fits = pair_score(work, cell, obs[i - 1], obs[i], 0) > 2 * GAP;
    }
    if (fits) {
        instance_add(work, c, obs, n, false, 1);
        return;
    }
    {
        GPtrArray *instances = g_ptr_array_new_with_free_func(growing_free);

        growing_add(instances, obs[0]);
        for (uint32_t i = 1; i < n; i++)
            station_join(work, cell, instances, &obs[i], 1);
        for (uint32_t i = 0; i < instances->len; i++) {
            const struct growing *g = g_ptr_array_index(instances, i);

            instance_add(work, c, (const uint32_t *)g->obs->data, g->obs->len, false, 1);
        }
        g_ptr_array_unref(instances);
    }
}

/* A run of one station's sightings in the list of a cell. */
struct run {
    uint32_t first, n, conv;
};

struct run_order {
    const struct corr_result *result;
    uint32_t flow;
    unsigned dir;
};

/* Stations along the path: each after all that are known to precede it (n is small). */
static void runs_sort(struct run *runs, uint32_t n, const struct run_order *by)
{
    for (uint32_t done = 0; done < n; done++) {
        uint32_t pick = done;

        for (uint32_t i = done; i < n; i++) {
            bool first = true;

            for (uint32_t k = done; k < n && first; k++)
                first = corr_order_compare(by->result, by->flow, by->dir, runs[k].conv,
                                           runs[i].conv) >= 0;
            if (first) {
                pick = i;
                break;
            }
        }
        {
            struct run run = runs[pick];

            memmove(&runs[done + 1], &runs[done], (pick - done) * sizeof *runs);
            runs[done] = run;
        }
    }
}

static void cell_divide(struct corr_work *work, uint32_t c, const uint32_t *obs, uint32_t n)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct run));
    GPtrArray *instances = g_ptr_array_new_with_free_func(growing_free);
    struct run_order by = {work->result, cell->flow, cell->dir};
    uint32_t most = 0;

    for (uint32_t i = 0, end; i < n; i = end) {
        struct run run = {i, 0, work->result->obs_conv[obs[i]]};

        for (end = i + 1; end < n && work->result->obs_conv[obs[end]] == run.conv; end++)
            ;
        run.n = end - i;
        most = MAX(most, run.n);
        g_array_append_val(runs, run);
    }
    runs_sort((struct run *)runs->data, runs->len, &by);
    for (uint32_t r = 0; r < runs->len; r++) {
        const struct run *run = &g_array_index(runs, struct run, r);

        if (r == 0)
            for (uint32_t i = 0; i < run->n; i++)
                growing_add(instances, obs[run->first + i]);
        else
            station_join(work, cell, instances, &obs[run->first], run->n);
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        const struct growing *g = g_ptr_array_index(instances, i);

        if (!g->ambiguous) {
            instance_add(work, c, (const uint32_t *)g->obs->data, g->obs->len, false, most);
            continue;
        }
        /* Where one link of the chain is in doubt, each sighting keeps a number of its own. */
        for (uint32_t k = 0; k < g->obs->len; k++)
            instance_add(work, c, &g_array_index(g->obs, uint32_t, k), 1, true, most);
    }
    g_array_unref(runs);
    g_ptr_array_unref(instances);
}

void corr_cells_assign(struct corr_work *work, bool informed)
{
    GArray *obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (work->instances == NULL) {
        work->instances = g_array_new(FALSE, FALSE, sizeof(struct corr_instance));
        work->chosen = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    }
    g_array_set_size(work->instances, 0);
    g_array_set_size(work->chosen, 0);
    for (uint32_t c = 0; c < work->cells->len; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        g_array_set_size(obs, 0);
        for (uint32_t i = 0; i < cell->n; i++) {
            uint32_t o = g_array_index(work->members, uint32_t, cell->first + i);

            if (work->duplicate[o] == CORR_NONE)
                g_array_append_val(obs, o);
        }
        if (!cell->choice)
            cell_take(work, c, (const uint32_t *)obs->data, obs->len, informed);
        else if (informed)
            cell_divide(work, c, (const uint32_t *)obs->data, obs->len);
        else
            for (uint32_t i = 0; i < obs->len; i++)
                instance_add(work, c, &g_array_index(obs, uint32_t, i), 1, true, 1);
    }
    g_array_unref(obs);
}
