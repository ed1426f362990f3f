/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_again.c - segments that do not advance their stream: which one do they
 * repeat, and what made the sender do so?  Or were they only overtaken?
 */
#include "layers/tcp_step.h"

#define MS(n) (INT64_C(1000000) * (n))
#define NEAR_NS MS(20)   /* a repetition so soon after an ACK was caused by it */
#define REORDER_NS MS(3) /* overtaken by so much, where no round trip is known */
#define TIMER_NS MS(200) /* the least retransmission timer of most systems */
#define REPEATS_BACK 64  /* of the last repetitions so many are asked for an original */

/*
 * Of a segment that fills a gap: was it sent twice, and the first one lost
 * before this point, or was it overtaken?  Headers first: what was sent later
 * has the later time stamp, and of one socket's packets the later IP id.
 */
static bool fill_is_repeated(const struct corr_tcp_work *work, const struct corr_tcp_step *s,
                             uint32_t conv)
{
    const struct corr_obs *obs = s->obs;
    const struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    const struct corr_tcp_conv *c = corr_tcp_conv_of(work->tcp, conv);
    int64_t late = s->time_ns - fwd->top_time_ns;

    if (obs->have & CORR_HAVE_TS && fwd->top_has_ts && obs->tsval != fwd->top_tsval)
        return (int32_t)(obs->tsval - fwd->top_tsval) > 0;
    if (obs->have & CORR_HAVE_IP_ID && fwd->top_has_id && obs->ip_id != fwd->top_ip_id &&
        fwd->id_forward >= 8 && fwd->id_forward > 8 * fwd->id_other)
        return (int16_t)(obs->ip_id - fwd->top_ip_id) > 0;
    if (rev->dup_acks >= 2 && rev->ack == obs->seq && s->time_ns - rev->ack_time_ns < NEAR_NS)
        return true;
    return late >= (c->has_rtt_server && c->has_rtt_client ? c->rtt_server_ns + c->rtt_client_ns
                                                           : REORDER_NS) ||
           s->end == fwd->top;
}

/* What made the sender repeat: acknowledgements, the timer, or the early probe of the last one. */
static uint16_t repeat_kind(struct corr_tcp_step *s)
{
    struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    int64_t since_ack = rev->has_ack ? s->time_ns - rev->ack_time_ns : INT64_MAX;
    int64_t since_progress = s->time_ns - MAX(fwd->sent_ns, rev->new_ack_ns);
    bool soon = since_ack <= MAX(NEAR_NS, fwd->min_rtt_ns / 4 * 5);
    bool missing = fwd->sacked_to > s->end || rev->dup_acks >= 2;

    if (s->syn)
        return CORR_TCP_BIT(TIMEOUT);
    if (fwd->recovery != 0 && fwd->una < fwd->recover) {
        if (fwd->recovery == CORR_TCP_BIT(FAST) && !soon)
            fwd->recovery = CORR_TCP_BIT(TIMEOUT); /* the repeated one was lost, too */
        return fwd->recovery;
    }
    if (missing && soon)
        fwd->recovery = CORR_TCP_BIT(FAST);
    else if (s->end >= fwd->top && fwd->smooth_rtt_ns > 0 &&
             since_progress < MAX(TIMER_NS, fwd->smooth_rtt_ns * 5 / 2))
        return CORR_TCP_BIT(PROBE); /* RFC 8985, section 7 */
    else if (since_progress >= fwd->smooth_rtt_ns * 3 / 2)
        fwd->recovery = CORR_TCP_BIT(TIMEOUT);
    else
        return 0;
    fwd->recover = fwd->top;
    return fwd->recovery;
}

/* The last observation before this one that had its first byte, or overlaps it; CORR_NONE. */
static uint32_t original_of(const struct corr_tcp_end *fwd, int64_t from, int64_t to)
{
    guint low = 0, high = fwd->sent->len;

    for (guint i = fwd->again->len; i-- > 0 && fwd->again->len - i <= REPEATS_BACK;) {
        const struct corr_tcp_again *again = &g_array_index(fwd->again, struct corr_tcp_again, i);
        if (again->from < to && from < again->to)
            return again->obs;
    }
    while (low < high) { /* the first that ends above `from` */
        guint middle = low + (high - low) / 2;

        if (g_array_index(fwd->sent, struct corr_tcp_sent, middle).to <= from)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < fwd->sent->len && g_array_index(fwd->sent, struct corr_tcp_sent, low).from < to)
        return g_array_index(fwd->sent, struct corr_tcp_sent, low).obs;
    return CORR_NONE;
}

void corr_tcp_again_note(struct corr_tcp_work *work, struct corr_tcp_step *s, uint32_t conv)
{
    struct corr_tcp_end *fwd = s->fwd;
    struct corr_tcp_again again = {.obs = s->i,
                                   .original = CORR_NONE,
                                   .from = s->seq,
                                   .to = s->end,
                                   .old_to = MIN(s->end, fwd->top),
                                   .repeated = true};

    if (s->seen_as == CORR_TCP_CLASS_SEEN)
        again.original = original_of(fwd, s->seq, s->end);
    else
        again.repeated = fill_is_repeated(work, s, conv);
    if (again.repeated)
        again.kind = repeat_kind(s);
    again.needless =
        s->len > 0 && s->seen_as == CORR_TCP_CLASS_SEEN && fwd->has_una && s->end <= fwd->una;
    fwd->disturbed_ns = s->time_ns;
    g_array_append_val(fwd->again, again);
}
