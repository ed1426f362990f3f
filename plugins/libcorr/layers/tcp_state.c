/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_state.c - follows one local flow, frame by frame, as its point saw it.
 *
 * The rules for what a frame is are those of Wireshark's TCP analysis where they
 * can be: a user who compares a single capture with us is to find the same.  Where
 * they guess by time what a header knows, the header decides: tcp_again.c.
 */
#include <string.h>

#include "layers/tcp_step.h"

#define ACK_AHEAD_MAX (INT64_C(1) << 30) /* no window is larger: RFC 7323, section 2.3 */
#define OPTIONS_MAX 40u                  /* that a segment may be shorter than the MSS: RFC 6691 */
#define LIMIT_PAUSE_NS 1000000           /* that a host takes to fill the room that an ACK made */
#define HOLES_MAX 4096                   /* of a capture with more, the oldest are forgotten */

static bool has(const struct corr_tcp_step *s, unsigned bit)
{
    return (s->events & bit) != 0;
}

/* Most payload of a segment to this end. */
static uint32_t most_of(const struct corr_tcp_end *to)
{
    return to->mss != 0 ? to->mss : 1460;
}

/* Payload of a full segment, as far as known. */
static uint32_t segment_of(const struct corr_tcp_end *fwd, const struct corr_tcp_end *rev)
{
    return MIN(MAX(fwd->max_frame, 1), most_of(rev));
}

/* One of which nobody can say that it is full: no other one was as long, and it could be longer. */
static bool is_small(const struct corr_tcp_end *fwd, const struct corr_tcp_end *rev, uint32_t len)
{
    return len < fwd->max_frame || (fwd->n_max_frames < 2 && len + OPTIONS_MAX < most_of(rev));
}

/* Events that the window and the last numbers of both ends tell. */
static void window_events(struct corr_tcp_step *s)
{
    const struct corr_obs *obs = s->obs;
    struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    bool control = s->syn || s->fin || s->rst;
    bool next = fwd->has_top && s->seq == fwd->top;
    bool repeats_ack = s->len == 0 && !control && next && fwd->has_window && fwd->has_ack &&
                       s->ack && obs->ack == fwd->ack && obs->window != 0;
    bool same_window = obs->window == fwd->window;

    if (s->len == 1 && next && rev->has_window && rev->window == 0) {
        s->events |= CORR_TCP_BIT(WINDOW_PROBE);
        return;
    }
    if (obs->window == 0 && !control)
        s->events |= CORR_TCP_BIT(ZERO_WINDOW);
    if (fwd->has_top && s->seq > fwd->top && !s->rst)
        s->events |= CORR_TCP_BIT(LOST_SEGMENT);
    /* A byte that is outstanding is sent again, not asked about. */
    if (fwd->has_top && s->len <= 1 && s->seq == fwd->top - 1 && !control &&
        (s->len == 0 || !fwd->has_una || fwd->una >= fwd->top))
        s->events |= CORR_TCP_BIT(KEEP_ALIVE);
    if (s->len > 0 && !control && rev->window_known && rev->has_ack &&
        obs->seq + s->len == rev->ack + rev->room)
        s->events |= CORR_TCP_BIT(WINDOW_FULL);
    if (repeats_ack && same_window && rev->last_events & CORR_TCP_BIT(KEEP_ALIVE)) {
        s->events |= CORR_TCP_BIT(KEEP_ALIVE_ACK);
    } else if (repeats_ack && (same_window || obs->opt_kinds & CORR_OPT_SACK)) {
        /* One that changes the window only is none; with SACK blocks it is: RFC 6675. */
        s->events |= CORR_TCP_BIT(DUPLICATE_ACK);
        fwd->dup_acks++;
    }
}

static void note_next(struct corr_tcp_step *s)
{
    struct corr_tcp_end *fwd = s->fwd;
    const struct corr_obs *obs = s->obs;
    struct corr_tcp_sent sent = {s->seq, s->end, s->time_ns, s->i};

    if (fwd->has_top) {
        corr_ranges_add(fwd->holes, fwd->has_una ? MAX(fwd->top, fwd->una) : fwd->top, s->seq);
        if (fwd->holes->len > HOLES_MAX)
            g_array_remove_index(fwd->holes, 0);
    }
    if (s->seen_as == CORR_TCP_CLASS_NEXT) {
        bool has_id = (obs->have & CORR_HAVE_IP_ID) && obs->ip_id != 0;

        g_array_append_val(fwd->sent, sent);
        if (has_id && fwd->top_has_id) {
            uint16_t step = (uint16_t)(obs->ip_id - fwd->top_ip_id);

            step >= 1 && step <= 256 ? fwd->id_forward++ : fwd->id_other++;
        }
        fwd->top_has_id = has_id;
        fwd->top_ip_id = obs->ip_id;
        fwd->top_has_ts = (obs->have & CORR_HAVE_TS) != 0;
        fwd->top_tsval = obs->tsval;
        fwd->top_time_ns = s->time_ns;
    }
    fwd->top = fwd->has_top ? MAX(fwd->top, s->end) : s->end;
    fwd->has_top = true;
    fwd->ref = MAX(fwd->ref, fwd->top);
}

/* What the frame's bytes are to this point, and what follows from it. */
static void take_bytes(struct corr_tcp_work *work, struct corr_tcp_step *s, uint32_t conv)
{
    struct corr_tcp_end *fwd = s->fwd;

    if (s->rst)
        return;
    if (has(s, CORR_TCP_BIT(WINDOW_PROBE))) {
        fwd->probe_to = s->end;
        return;
    }
    if (has(s, CORR_TCP_BIT(KEEP_ALIVE)))
        return;
    if (s->end == s->seq || !fwd->has_top || s->seq >= fwd->top) {
        if (s->end > s->seq)
            s->seen_as = CORR_TCP_CLASS_NEXT;
        if (!fwd->has_top || s->end > fwd->top)
            note_next(s);
        return;
    }
    int64_t old_to = MIN(s->end, fwd->top);
    bool fills = corr_ranges_overlap(fwd->holes, s->seq, old_to) == old_to - s->seq;

    s->seen_as = fills ? CORR_TCP_CLASS_FILL : CORR_TCP_CLASS_SEEN;
    corr_tcp_again_note(work, s, conv);
    corr_ranges_remove(fwd->holes, s->seq, old_to);
    fwd->top = MAX(fwd->top, s->end);
}

/* Room for more data of `fwd`; false if nobody knows. */
static bool room_left(const struct corr_tcp_end *fwd, const struct corr_tcp_end *rev, int64_t *left)
{
    if (!rev->window_known || !fwd->has_una || !fwd->has_top)
        return false;
    *left = fwd->una + rev->room - fwd->top;
    return true;
}

/* Whether the window is closed, from now on. */
static void watch_window(struct corr_tcp_end *fwd, const struct corr_tcp_end *rev, int64_t now)
{
    int64_t left;
    bool closed = room_left(fwd, rev, &left) && left < segment_of(fwd, rev);

    if (closed && fwd->closed_from_ns == 0)
        fwd->closed_from_ns = now;
    if (!closed && fwd->closed_from_ns != 0) {
        fwd->closed_ns += now - fwd->closed_from_ns;
        fwd->closed_from_ns = 0;
    }
}

static void limit_close(struct corr_tcp_end *fwd, int64_t to_ns)
{
    struct corr_tcp_limit limit = {fwd->limited_from_ns, to_ns};

    if (fwd->limited_from_ns != 0 && fwd->min_rtt_ns > 0 && to_ns - limit.from_ns > fwd->min_rtt_ns)
        g_array_append_val(fwd->limits, limit);
    fwd->limited_from_ns = fwd->limited_to_ns = 0;
}

/* Does the window limit the sender?  Each acknowledgement makes room, for as long as it takes
 * to fill it. */
static void watch_limit(struct corr_tcp_end *fwd, const struct corr_tcp_end *rev, int64_t now)
{
    int64_t left;
    bool limited = room_left(fwd, rev, &left) && left * 10 <= rev->room;

    if (fwd->limited_to_ns != 0 &&
        now - fwd->limited_to_ns > MAX(LIMIT_PAUSE_NS, fwd->min_rtt_ns / 4))
        limit_close(fwd, fwd->limited_to_ns);
    if (!limited && fwd->limited_from_ns != 0 && fwd->limited_to_ns == 0)
        fwd->limited_to_ns = now;
    if (limited)
        fwd->limited_to_ns = 0;
    if (limited && fwd->limited_from_ns == 0)
        fwd->limited_from_ns = now;
}

/* The frame has data: how long did its sender send none, and in which state was it then? */
static void note_gap(struct corr_tcp_step *s)
{
    struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    int64_t now = s->time_ns;
    bool again = s->seen_as != CORR_TCP_CLASS_NEXT;

    if (s->len == 0 || s->seen_as == CORR_TCP_CLASS_NONE)
        return;
    if (fwd->sent_ns != 0 && now > fwd->sent_ns) {
        struct corr_tcp_gap gap = {
            .from_ns = fwd->sent_ns,
            .to_ns = now,
            .since_ack_ns = rev->new_ack_ns >= fwd->sent_ns ? now - rev->new_ack_ns : -1,
            .closed_ns = fwd->closed_ns + (fwd->closed_from_ns ? now - fwd->closed_from_ns : 0),
            .frame = s->obs->frame,
            .again = CORR_NONE,
            .recovery = fwd->una < fwd->recover ? fwd->recovery : 0,
            .answered = rev->sent_ns >= fwd->sent_ns && fwd->idle_from_ns != 0,
            .pushed = fwd->pushed,
            .small = fwd->small,
        };

        if (fwd->idle_from_ns != 0)
            gap.idle_ns = now - MAX(fwd->idle_from_ns, fwd->sent_ns);
        if ((again || gap.recovery != 0) && fwd->again->len > 0)
            gap.again = fwd->again->len - 1;
        if (again && gap.recovery == 0)
            gap.recovery = g_array_index(fwd->again, struct corr_tcp_again, gap.again).kind;
        g_array_append_val(fwd->gaps, gap);
    } else if (fwd->sent_ns != 0) {
        fwd->together++;
    }
    fwd->together += (s->len - 1) / most_of(rev);
    fwd->n_max_frames = s->len > fwd->max_frame    ? 1
                        : s->len == fwd->max_frame ? MIN(fwd->n_max_frames + 1, 2)
                                                   : fwd->n_max_frames;
    fwd->max_frame = MAX(fwd->max_frame, s->len);
    fwd->sent_ns = now;
    fwd->idle_from_ns = fwd->closed_from_ns = fwd->closed_ns = 0;
    fwd->pushed = (s->obs->tcp_flags & CORR_TCP_PSH) != 0;
    fwd->small = is_small(fwd, rev, s->len);
    watch_window(fwd, rev, now);
    if (fwd->has_una && fwd->top > fwd->una)
        fwd->flight_max =
            MAX(fwd->flight_max, (uint64_t)(fwd->top - fwd->una - corr_ranges_bytes(fwd->sacked)));
}

static void note_rtt(struct corr_tcp_end *rev, int64_t now, const struct corr_tcp_sent *sent)
{
    struct corr_rtt_sample sample = {now, now - sent->time_ns};

    if (sample.rtt_ns < 0)
        return; /* the recording was out of order */
    g_array_append_val(rev->rtts, sample);
    if (rev->min_rtt_ns == 0 || sample.rtt_ns < rev->min_rtt_ns)
        rev->min_rtt_ns = MAX(sample.rtt_ns, 1);
    rev->smooth_rtt_ns = rev->smooth_rtt_ns == 0
                             ? MAX(sample.rtt_ns, 1)
                             : rev->smooth_rtt_ns + (sample.rtt_ns - rev->smooth_rtt_ns) / 8;
}

/* New bytes of `rev` are acknowledged: round trips (Karn), and what is outstanding. */
static void advance(const struct corr_tcp_work *work, struct corr_tcp_step *s, int64_t ack)
{
    struct corr_tcp_end *rev = s->rev;
    const struct corr_tcp_sent *last = NULL;

    while (rev->oldest < rev->sent->len) {
        const struct corr_tcp_sent *sent =
            &g_array_index(rev->sent, struct corr_tcp_sent, rev->oldest);
        if (sent->to > ack)
            break;
        last = sent;
        rev->oldest++;
    }
    if (last != NULL && corr_store_obs(work->r->store, last->obs)->len > 0 &&
        (rev->disturbed_ns == 0 || last->time_ns > rev->disturbed_ns) &&
        corr_ranges_overlap(rev->sacked, last->from, last->to) == 0)
        note_rtt(rev, s->time_ns, last);
    corr_ranges_remove(rev->sacked, rev->has_una ? MIN(rev->una, ack) : ack - ACK_AHEAD_MAX, ack);
    rev->una = ack;
    rev->has_una = true;
    rev->ref = MAX(rev->ref, ack);
    if (rev->recovery != 0 && rev->una >= rev->recover)
        rev->recovery = 0;
    s->fwd->new_ack_ns = s->time_ns;
    if (rev->has_top && rev->una >= rev->top && rev->idle_from_ns == 0)
        rev->idle_from_ns = s->time_ns;
}

/* The first block says what came twice if it lies below what is acknowledged, or within the
 * second: RFC 2883, section 4. */
static bool is_duplicate_sack(const struct corr_options *options, uint32_t ack)
{
    const struct corr_sack *b = options->sack;

    return (int32_t)(ack - b[0].right) >= 0 ||
           (options->n_sack > 1 && (int32_t)(b[0].left - b[1].left) >= 0 &&
            (int32_t)(b[1].right - b[0].right) >= 0);
}

static void take_sack(const struct corr_tcp_work *work, struct corr_tcp_step *s)
{
    const struct corr_options *options = corr_store_options(work->r->store, s->i);
    struct corr_tcp_end *rev = s->rev;
    unsigned first = 0;

    if (options == NULL || options->n_sack == 0 || !rev->has_top || !rev->has_una)
        return;
    if (is_duplicate_sack(options, s->obs->ack)) {
        int64_t from = corr_tcp_unwrap(rev, options->sack[0].left),
                to = corr_tcp_unwrap(rev, options->sack[0].right);

        first = 1;
        for (guint i = rev->again->len; i-- > 0;) {
            struct corr_tcp_again *again = &g_array_index(rev->again, struct corr_tcp_again, i);
            if (again->from < to && from < again->to) {
                again->needless = again->repeated;
                break;
            }
        }
    }
    for (unsigned i = first; i < options->n_sack; i++) {
        int64_t from = corr_tcp_unwrap(rev, options->sack[i].left),
                to = corr_tcp_unwrap(rev, options->sack[i].right);

        if (from < rev->una || to > rev->top || from >= to)
            continue; /* not of these numbers: a middlebox that forgot to translate them */
        corr_ranges_add(rev->sacked, from, to);
        rev->sacked_to = MAX(rev->sacked_to, to);
    }
}

static void take_ack(const struct corr_tcp_work *work, struct corr_tcp_step *s)
{
    struct corr_tcp_end *rev = s->rev;
    int64_t ack = corr_tcp_unwrap(rev, s->obs->ack);

    if (s->rst || (rev->has_top && ack - rev->top > ACK_AHEAD_MAX))
        return;
    if (rev->probe_to == ack && rev->has_top && ack == rev->top + 1)
        rev->top = ack; /* the probe's byte was taken */
    if (rev->has_top && ack > rev->top && ack > rev->unseen_to) {
        s->events |= CORR_TCP_BIT(ACK_LOST_SEGMENT);
        rev->unseen_to = ack;
    }
    if (rev->holes->len > 0 && g_array_index(rev->holes, struct corr_range, 0).from < ack) {
        s->events |= CORR_TCP_BIT(ACK_LOST_SEGMENT);
        corr_ranges_remove(rev->holes, g_array_index(rev->holes, struct corr_range, 0).from, ack);
    }
    if (!rev->has_una || ack > rev->una)
        advance(work, s, ack);
    if (s->obs->opt_kinds & CORR_OPT_SACK)
        take_sack(work, s);
}

static void take_frame(struct corr_tcp_work *work, uint32_t conv, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->r->store, i);
    struct corr_tcp_end *fwd = &work->ends[obs->dir], *rev = &work->ends[!obs->dir];
    struct corr_tcp_step s = {
        .obs = obs,
        .i = i,
        .len = obs->len,
        .fwd = fwd,
        .rev = rev,
        .time_ns = obs->time_ns,
        .syn = (obs->tcp_flags & CORR_TCP_SYN) != 0,
        .fin = (obs->tcp_flags & CORR_TCP_FIN) != 0,
        .rst = (obs->tcp_flags & CORR_TCP_RST) != 0,
        .ack = (obs->tcp_flags & CORR_TCP_ACK) != 0,
        .seen_as = CORR_TCP_CLASS_NONE,
    };

    s.seq = corr_tcp_unwrap(fwd, obs->seq);
    s.end = s.seq + s.len + s.syn + s.fin;
    if (s.syn)
        corr_tcp_take_syn(work, &s);
    corr_tcp_take_handshake(work, &s, conv);
    window_events(&s);
    if (s.ack && fwd->has_ack && obs->ack != fwd->ack)
        fwd->dup_acks = 0;
    if (s.ack)
        take_ack(work, &s);
    take_bytes(work, &s, conv);
    note_gap(&s);
    corr_tcp_take_stamps(&s);
    corr_tcp_take_window(&s);
    watch_window(rev, fwd, s.time_ns);
    watch_limit(fwd, rev, s.time_ns);
    watch_limit(rev, fwd, s.time_ns);
    if (s.ack) {
        fwd->has_ack = true;
        fwd->ack = obs->ack;
        fwd->ack_time_ns = s.time_ns;
    }
    fwd->last_events = s.events;
    work->tcp->events[i] = s.events;
    work->seen_as[i] = (uint8_t)s.seen_as;
}

static void end_reset(struct corr_tcp_end *end)
{
    struct corr_tcp_end empty = {
        .holes = end->holes,
        .sacked = end->sacked,
        .sent = end->sent,
        .again = end->again,
        .stamps = end->stamps,
        .gaps = end->gaps,
        .rtts = end->rtts,
        .ts_rtts = end->ts_rtts,
        .windows = end->windows,
        .limits = end->limits,
    };

    *end = empty;
    g_array_set_size(end->holes, 0);
    g_array_set_size(end->sacked, 0);
    g_array_set_size(end->sent, 0);
    g_array_set_size(end->again, 0);
    g_array_set_size(end->stamps, 0);
    g_array_set_size(end->gaps, 0);
    g_array_set_size(end->rtts, 0);
    g_array_set_size(end->ts_rtts, 0);
    g_array_set_size(end->windows, 0);
    g_array_set_size(end->limits, 0);
}

static void finish_side(struct corr_tcp_work *work, uint32_t conv, unsigned dir, int64_t last_ns)
{
    struct corr_tcp *tcp = work->tcp;
    struct corr_tcp_end *end = &work->ends[dir];
    struct corr_tcp_side *side = &g_array_index(tcp->sides, struct corr_tcp_side, conv * 2 + dir);

    limit_close(end, end->limited_to_ns != 0 ? end->limited_to_ns : last_ns);
    side->has_scale = end->scale_known;
    side->scale = end->scale;
    side->has_mss = end->mss != 0;
    side->mss = end->mss;
    side->flight_max = end->flight_max;
    side->first_window = tcp->windows->len;
    side->n_windows = end->windows->len;
    g_array_append_vals(tcp->windows, end->windows->data, end->windows->len);
    side->first_limit = tcp->limits->len;
    side->n_limits = end->limits->len;
    g_array_append_vals(tcp->limits, end->limits->data, end->limits->len);
    side->first_sample = tcp->rtt_samples->len;
    side->n_samples = end->rtts->len;
    g_array_append_vals(tcp->rtt_samples, end->rtts->data, end->rtts->len);
    side->data_rtt = corr_rtt_stat_of(end->rtts);
    side->ts_rtt = corr_rtt_stat_of(end->ts_rtts);
}

void corr_tcp_follow(struct corr_tcp_work *work, uint32_t conv)
{
    int64_t last_ns = 0;

    end_reset(&work->ends[0]);
    end_reset(&work->ends[1]);
    memset(&work->shake, 0, sizeof work->shake);
    for (uint32_t k = work->start[conv]; k < work->start[conv + 1]; k++) {
        take_frame(work, conv, work->by_conv[k]);
        last_ns = corr_store_obs(work->r->store, work->by_conv[k])->time_ns;
    }
    finish_side(work, conv, 0, last_ns);
    finish_side(work, conv, 1, last_ns);
}
