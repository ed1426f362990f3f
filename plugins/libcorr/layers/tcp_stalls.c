/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_stalls.c - why a sender waited.
 *
 * A gap lies between two frames with data at the sender-most point.  Whatever
 * its length, it counts for what limited the sender; where it is longer than
 * its flow's usual ones and than a part of a round trip, it is a stall.  The
 * causes are asked in the order of what is surest: that nothing was outstanding
 * or that the window was closed is seen; that the congestion window held the
 * sender back only follows from an acknowledgement that ended it.
 */
#include <stdlib.h>

#include "layers/tcp-int.h"

#define MS(n) (INT64_C(1000000) * (n))
#define AFTER_ACK_NS MS(1)     /* a sender that waited for an ACK sends so soon after it */
#define DELAYED_NS MS(25)      /* an ACK that comes so much after its round trip was delayed, */
#define DELAYED_MAX_NS MS(550) /* but no longer: RFC 9293, section 3.8.6.3 */
#define STALL_MIN_NS MS(1)     /* shorter waits are noise of hosts */

static int gap_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int64_t median_gap(const GArray *gaps)
{
    g_autofree int64_t *lengths = g_new(int64_t, gaps->len + 1);

    for (guint i = 0; i < gaps->len; i++) {
        const struct corr_tcp_gap *gap = &g_array_index(gaps, struct corr_tcp_gap, i);
        lengths[i] = gap->to_ns - gap->from_ns;
    }
    qsort(lengths, gaps->len, sizeof *lengths, gap_compare);
    return gaps->len > 0 ? lengths[(gaps->len - 1) / 2] : 0;
}

struct corr_tcp_gaps corr_tcp_gaps_take(const struct corr_tcp_end *end, guint again_start)
{
    struct corr_tcp_gaps taken = {.min_rtt_ns = end->min_rtt_ns};

    taken.gaps = g_array_sized_new(FALSE, FALSE, sizeof(struct corr_tcp_gap), end->gaps->len);
    g_array_append_vals(taken.gaps, end->gaps->data, end->gaps->len);
    for (guint i = 0; i < taken.gaps->len; i++) {
        struct corr_tcp_gap *gap = &g_array_index(taken.gaps, struct corr_tcp_gap, i);
        if (gap->again != CORR_NONE)
            gap->again += again_start;
    }
    return taken;
}

/* The cause of a gap's part in which something was outstanding. */
static enum corr_tcp_stall_cause cause_of(const struct corr_tcp_gap *gap, int64_t waited_ns,
                                          int64_t rtt_ns)
{
    bool after_ack = gap->since_ack_ns >= 0 && gap->since_ack_ns <= AFTER_ACK_NS;
    int64_t late_ns = waited_ns - rtt_ns;

    if (gap->closed_ns * 2 >= waited_ns)
        return CORR_TCP_STALL_RECEIVER;
    if (gap->recovery == CORR_TCP_BIT(FAST))
        return CORR_TCP_STALL_FAST;
    if (gap->recovery != 0)
        return CORR_TCP_STALL_TIMEOUT;
    if (gap->small && after_ack && rtt_ns > 0 && late_ns >= DELAYED_NS && late_ns <= DELAYED_MAX_NS)
        return CORR_TCP_STALL_DELAYED_ACK;
    if (after_ack)
        return CORR_TCP_STALL_CONGESTION;
    return gap->pushed ? CORR_TCP_STALL_APPLICATION : CORR_TCP_STALL_HOST;
}

static void stall_add(struct corr_tcp_work *work, uint32_t flow, unsigned dir,
                      const struct corr_tcp_gap *gap, int64_t from_ns, int64_t to_ns,
                      enum corr_tcp_stall_cause cause)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(work->tcp, flow, dir);
    struct corr_tcp_stall stall = {
        .from_ns = from_ns,
        .to_ns = to_ns,
        .flow = flow,
        .point = corr_result_conv(work->r, way->sender)->point,
        .data_dir = (uint8_t)dir,
        .cause = (uint8_t)cause,
        .frame = gap->frame,
        .original = CORR_NONE,
        .lost_after = CORR_NONE,
        .lost_before = CORR_NONE,
    };

    if ((cause == CORR_TCP_STALL_FAST || cause == CORR_TCP_STALL_TIMEOUT) &&
        gap->again != CORR_NONE) {
        uint32_t obs = g_array_index(work->again, struct corr_tcp_again, gap->again).obs;
        struct corr_tcp_repeat repeat = corr_tcp_repeat_make(work, obs);

        stall.original = repeat.original;
        stall.lost_after = repeat.lost_after;
        stall.lost_before = repeat.lost_before;
    }
    g_array_append_val(work->tcp->stalls, stall);
}

void corr_tcp_stalls_find(struct corr_tcp_work *work, uint32_t flow, unsigned dir,
                          struct corr_tcp_gaps *taken)
{
    struct corr_tcp_way *way = &g_array_index(work->tcp->ways, struct corr_tcp_way, flow * 2 + dir);

    way->first_stall = work->tcp->stalls->len;
    if (taken->gaps == NULL)
        return;
    int64_t least = MAX(3 * median_gap(taken->gaps), taken->min_rtt_ns / 4);

    least = MAX(least, STALL_MIN_NS);
    for (guint i = 0; i < taken->gaps->len; i++) {
        const struct corr_tcp_gap *gap = &g_array_index(taken->gaps, struct corr_tcp_gap, i);
        /* Behind a closed window nothing is outstanding either. */
        bool closed = gap->closed_ns * 2 >= gap->to_ns - gap->from_ns;
        bool idle = gap->idle_ns > AFTER_ACK_NS && !closed;
        int64_t waited = gap->to_ns - gap->from_ns - (idle ? gap->idle_ns : 0);
        enum corr_tcp_stall_cause cause = cause_of(gap, waited, taken->min_rtt_ns);

        /* Who has nothing to send does not wait for the last acknowledgement either. */
        if (idle && cause != CORR_TCP_STALL_RECEIVER && gap->recovery == 0) {
            cause = CORR_TCP_STALL_APPLICATION;
            waited = gap->to_ns - gap->from_ns;
        }
        int64_t rest = gap->to_ns - gap->from_ns - waited;

        way->active_ns += waited + rest;
        way->limited_ns[cause] += waited;
        way->limited_ns[CORR_TCP_STALL_APPLICATION] += rest;
        if (waited > least)
            stall_add(work, flow, dir, gap, gap->from_ns, gap->from_ns + waited, cause);
        if (rest > least)
            stall_add(work, flow, dir, gap, gap->from_ns + waited, gap->to_ns,
                      CORR_TCP_STALL_APPLICATION);
    }
    way->n_stalls = work->tcp->stalls->len - way->first_stall;
    g_array_unref(taken->gaps);
    taken->gaps = NULL;
}
