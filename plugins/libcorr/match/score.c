/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What headers and delays say for and against two observations being one packet. */
#include <math.h>
#include <string.h>

#include "match/assign.h"
#include "match/learn.h"
#include "path/clock.h"
#include "path/order.h"

/* A delay that nothing learned explains, though it is within what networks do. */
#define UNUSUAL (-5.0)
#define PLAUSIBLE_NS 2e9
/* Payload of one segment on links without jumbo frames. */
#define SEGMENT_MAX 1460u

/* Linux counts one IP ID per TCP segment in a super-segment: which IDs can its pieces have? */
static bool id_within(const struct corr_obs *large, const struct corr_obs *small)
{
    uint32_t pieces = large->len / 500 + 1; /* a segment size below 536 is not in use */

    return (uint16_t)(small->ip_id - large->ip_id) <= pieces;
}

/* Is a field kept between two points?  One exception may be the very pair that is asked about. */
static bool is_kept(uint32_t same, uint32_t differs)
{
    return same >= 8 && differs <= 1 + (same + differs) / 50;
}

static double score_id(const struct corr_work *work, uint32_t i, uint32_t k, bool range)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_pair_facts *facts = corr_pair_facts(work, a->point, b->point);
    uint32_t n = facts->id_same + facts->id_differs;
    bool kept = a->point != b->point && is_kept(facts->id_same, facts->id_differs);

    if (!(a->have & b->have & CORR_HAVE_IP_ID) || (a->ip_id == 0 && b->ip_id == 0))
        return 0;
    if (range && a->len != b->len)
        return id_within(a->len > b->len ? a : b, a->len > b->len ? b : a) ? 6 : kept ? -8 : 0;
    if (a->ip_id == b->ip_id)
        return 8;
    if (kept)
        return -14;
    return a->point != b->point && n >= 8 && facts->id_same * 2 < n ? 0 : -4;
}

static double score_tcp(const struct corr_work *work, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_pair_facts *facts = corr_pair_facts(work, a->point, b->point);
    double score = 0;

    if (a->have & b->have & CORR_HAVE_TS) {
        if (corr_work_tsval(work, i) != corr_work_tsval(work, k))
            score += is_kept(facts->ts_same, facts->ts_differs) ? -14 : -3;
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
    order = corr_order_compare(work->result, flow_dir / 2, flow_dir & 1, work->result->obs_conv[i],
                               work->result->obs_conv[k]);
    if (order != 0) {
        const struct corr_obs *from = order < 0 ? a : b, *to = order < 0 ? b : a;
        struct corr_clock_answer clock =
            corr_result_clock_between(work->result, order < 0 ? i : k, order < 0 ? k : i);

        if (clock.status == CORR_CLOCK_BOUNDED &&
            to->time_ns - from->time_ns - clock.offset_ns < -(clock.error_ns + CORR_CLOCK_SLACK_NS))
            return CORR_SCORE_IMPOSSIBLE;
    }
    if (!corr_delay_expect(work, i, k, flow_dir, &expect))
        return 0;
    /* Half a part in ten thousand: how far two clocks may drift apart since the nearest delay. */
    scale =
        fmax(fmax(1.5 * (double)expect.spread_ns, 50e3), jitter) + (double)expect.gap_ns * 50e-6;
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
bool corr_pair_left_link(const struct corr_work *work, uint32_t i, uint32_t k)
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
bool corr_pair_shifted(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                       uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    int64_t ahead = (int32_t)(corr_work_seq(work, k) - corr_work_seq(work, i)), len_a, len_b;

    if (!cell->range || a->kind != CORR_KIND_TCP || MAX(a->len, b->len) > SEGMENT_MAX)
        return false;
    len_a = corr_work_len(work, i);
    len_b = corr_work_len(work, k);
    return !(ahead >= 0 && ahead + len_b <= len_a) && !(ahead <= 0 && ahead + len_b >= len_a);
}

/*
 * A SYN proxy shifts the numbers of one direction, because it made the handshake on
 * one side before that on the other: SYN and SYN-ACK of both sides are different
 * packets though their numbers agree.  Identification, options or a window of 0 show
 * it; a firewall that shifts one direction passes them on as they are.
 */
bool corr_pair_split_handshake(const struct corr_work *work, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);

    if (a->kind != CORR_KIND_TCP || !(a->tcp_flags & b->tcp_flags & CORR_TCP_SYN) ||
        !corr_work_split_handshake(work, work->result->obs_conv[i], work->result->obs_conv[k]))
        return false;
    if (a->have & b->have & CORR_HAVE_IP_ID && (a->ip_id != 0 || b->ip_id != 0))
        return a->ip_id != b->ip_id;
    return (a->window == 0) != (b->window == 0) ||
           (a->have & b->have & CORR_HAVE_OPTIONS && a->opt_hash != b->opt_hash);
}

/*
 * A capture that numbers packets itself (epb_packetid) decides; `known` tells
 * whether it numbered both.  Numbers of different sections do not compare.
 */
bool corr_pair_numbered(const struct corr_work *work, uint32_t i, uint32_t k, bool *known)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    const struct corr_extra *x = corr_store_extra(work->store, a);
    const struct corr_extra *y = corr_store_extra(work->store, b);

    *known = x != NULL && y != NULL && x->has_packet_id && y->has_packet_id &&
             corr_store_point(work->store, a->point)->section ==
                 corr_store_point(work->store, b->point)->section;
    return *known && x->packet_id == y->packet_id;
}

double corr_pair_score(const struct corr_work *work, const struct corr_cell *cell, uint32_t i,
                       uint32_t k, double jitter)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);
    double score;
    bool known;

    if (corr_pair_numbered(work, i, k, &known))
        return CORR_SCORE_NUMBERED;
    if (known || corr_pair_left_link(work, i, k) || corr_pair_shifted(work, cell, i, k) ||
        corr_pair_split_handshake(work, i, k))
        return CORR_SCORE_IMPOSSIBLE;
    score = score_delay(work, i, k, cell->flow * 2 + cell->dir, jitter);
    if (score <= CORR_SCORE_IMPOSSIBLE)
        return CORR_SCORE_IMPOSSIBLE;
    score += score_id(work, i, k, cell->to > cell->from);
    if (a->kind == CORR_KIND_TCP)
        score += score_tcp(work, i, k);
    /* What an ICMP error quotes is translated with it (RFC 5508).  A wrong checksum says that the
     * payload was damaged; the residual still tells what it was. */
    if (a->kind != CORR_KIND_ICMP_ERROR && a->kind == b->kind &&
        !corr_obs_same_content(a, b, &known) &&
        !((a->have | b->have) & CORR_HAVE_BAD_SUM && a->have & b->have & CORR_HAVE_RESID &&
          a->resid == b->resid))
        score -= 12;
    return score;
}
