/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_stalls.c - why a sender waited.
 *
 * A gap lies between two frames with data at the sender-most point.  Whatever
 * its length, it counts for what limited the sender; where it is longer than
 * usual between two segments and than a part of a round trip, it is a stall.
 * The causes are asked in the order of what is surest: that nothing was
 * outstanding or that the window was closed is seen; that the congestion window
 * held the sender back only follows from an acknowledgement that ended it.
 *
 * While acknowledgements come, nothing has gone wrong yet: waiting for the timer
 * begins with the last one, as the timer does (RFC 6298, section 5.3).  Of the
 * wait for a delayed acknowledgement the round trip is no delay.
 */
#include <stdlib.h>

#include "layers/tcp-int.h"

#define MS(n) (INT64_C(1000000) * (n))
#define AFTER_ACK_NS MS(1)     /* a sender that waited for an ACK sends so soon after it */
#define DELAYED_NS MS(25)      /* an ACK that comes so much after its round trip was delayed, */
#define DELAYED_MAX_NS MS(550) /* but no longer: RFC 9293, section 3.8.6.3 */
#define STALL_MIN_NS MS(1)     /* shorter waits are noise of hosts */
#define USUAL_MIN 8u           /* from so many gaps on one knows what is usual */

static int gap_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* What is usual between two segments of a stream; most are sent at once.  0: too few to tell. */
static int64_t median_gap(const struct corr_tcp_gaps *taken)
{
    g_autofree int64_t *lengths = g_new(int64_t, taken->gaps->len + 1);
    uint64_t n, middle;
    guint kept = 0;

    for (guint i = 0; i < taken->gaps->len; i++) {
        const struct corr_tcp_gap *gap = &g_array_index(taken->gaps, struct corr_tcp_gap, i);
        if (gap->idle_ns == 0)
            lengths[kept++] = gap->to_ns - gap->from_ns;
    }
    n = (uint64_t)kept + taken->together;
    if (n < USUAL_MIN)
        return 0;
    middle = (n - 1) / 2;
    qsort(lengths, kept, sizeof *lengths, gap_compare);
    return middle >= taken->together ? lengths[middle - taken->together] : 0;
}

struct corr_tcp_gaps corr_tcp_gaps_take(const struct corr_tcp_end *end, int64_t handshake_ns,
                                        guint again_start)
{
    struct corr_tcp_gaps taken = {.min_rtt_ns = end->min_rtt_ns, .together = end->together};

    if (handshake_ns > 0 && (taken.min_rtt_ns == 0 || handshake_ns < taken.min_rtt_ns))
        taken.min_rtt_ns = handshake_ns;
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

/* A part of a gap, and its cause. */
struct part {
    int64_t from_ns, to_ns;
    enum corr_tcp_stall_cause cause;
    bool usual; /* what goes before every acknowledgement is no stall */
};

/* Who was not ready to send, or was ready but for an acknowledgement that then came. */
static enum corr_tcp_stall_cause cause_without_loss(const struct corr_tcp_gap *gap)
{
    return gap->pushed ? CORR_TCP_STALL_APPLICATION : CORR_TCP_STALL_CONGESTION;
}

/* One or two parts, in order. */
static unsigned parts_of(const struct corr_tcp_gap *gap, int64_t rtt_ns, struct part parts[2])
{
    int64_t length = gap->to_ns - gap->from_ns;
    /* Behind a closed window nothing is outstanding either. */
    bool closed = gap->closed_ns * 2 >= length;
    bool idle = (gap->idle_ns > AFTER_ACK_NS || gap->answered) && !closed;
    int64_t middle = gap->to_ns - (idle ? gap->idle_ns : 0);
    enum corr_tcp_stall_cause cause = cause_of(gap, middle - gap->from_ns, rtt_ns);

    parts[0] = (struct part){gap->from_ns, gap->to_ns, cause, false};
    parts[1] = parts[0];
    if (idle && cause != CORR_TCP_STALL_RECEIVER && gap->recovery == 0) {
        /* Who has nothing to send does not wait for the last acknowledgement either. */
        parts[0].cause = CORR_TCP_STALL_APPLICATION;
        return 1;
    }
    if (idle) {
        parts[1].cause = CORR_TCP_STALL_APPLICATION;
    } else if (cause == CORR_TCP_STALL_TIMEOUT && gap->since_ack_ns > 0) {
        middle = gap->to_ns - gap->since_ack_ns;
        parts[0].cause = cause_without_loss(gap);
        parts[0].usual = true;
    } else if (cause == CORR_TCP_STALL_DELAYED_ACK) {
        middle = gap->from_ns + rtt_ns;
        parts[0].cause = CORR_TCP_STALL_CONGESTION;
        parts[0].usual = true;
    } else {
        return 1;
    }
    parts[0].to_ns = parts[1].from_ns = middle;
    return 2;
}

void corr_tcp_stalls_find(struct corr_tcp_work *work, uint32_t flow, unsigned dir,
                          struct corr_tcp_gaps *taken)
{
    struct corr_tcp_way *way = &g_array_index(work->tcp->ways, struct corr_tcp_way, flow * 2 + dir);
    int64_t least;

    way->first_stall = work->tcp->stalls->len;
    if (taken->gaps == NULL)
        return;
    least = MAX(MAX(3 * median_gap(taken), taken->min_rtt_ns / 4), STALL_MIN_NS);
    for (guint i = 0; i < taken->gaps->len; i++) {
        const struct corr_tcp_gap *gap = &g_array_index(taken->gaps, struct corr_tcp_gap, i);
        struct part parts[2];
        unsigned n = parts_of(gap, taken->min_rtt_ns, parts);

        for (unsigned k = 0; k < n; k++) {
            int64_t length = parts[k].to_ns - parts[k].from_ns;

            way->active_ns += length;
            way->limited_ns[parts[k].cause] += length;
            if (length > least && !parts[k].usual)
                stall_add(work, flow, dir, gap, parts[k].from_ns, parts[k].to_ns, parts[k].cause);
        }
    }
    way->n_stalls = work->tcp->stalls->len - way->first_stall;
    g_array_unref(taken->gaps);
    taken->gaps = NULL;
}
