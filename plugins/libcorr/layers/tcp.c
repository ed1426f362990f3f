/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the TCP analysis, flow by flow, and answers questions about it. */
#include <stdlib.h>
#include <string.h>

#include "layers/tcp-int.h"
#include "path/order.h"

#define PROTO_TCP 6

const char *corr_tcp_event_word(enum corr_tcp_event event)
{
    static const char *const words[] = {
#define CORR_ROW(id, word, meaning) word,
        CORR_TCP_EVENTS(CORR_ROW)
#undef CORR_ROW
    };

    return words[event];
}

const char *corr_tcp_stall_word(enum corr_tcp_stall_cause cause)
{
    static const char *const words[] = {
#define CORR_ROW(id, word, meaning) word,
        CORR_TCP_STALLS(CORR_ROW)
#undef CORR_ROW
    };

    return words[cause];
}

const char *corr_tcp_handshake_word(enum corr_tcp_handshake handshake)
{
    static const char *const words[] = {
#define CORR_ROW(id, word, meaning) word,
        CORR_TCP_HANDSHAKES(CORR_ROW)
#undef CORR_ROW
    };

    return words[handshake];
}

static int rtt_compare(const void *a, const void *b)
{
    const struct corr_rtt_sample *x = a, *y = b;

    return x->rtt_ns < y->rtt_ns ? -1 : x->rtt_ns > y->rtt_ns;
}

struct corr_rtt_stat corr_rtt_stat_of(GArray *samples)
{
    struct corr_rtt_stat stat = {.n = samples->len};
    const struct corr_rtt_sample *s = (const void *)samples->data;

    if (stat.n == 0)
        return stat;
    qsort(samples->data, samples->len, sizeof *s, rtt_compare);
    stat.min_ns = s[0].rtt_ns;
    stat.p50_ns = s[(stat.n - 1) / 2].rtt_ns;
    stat.max_ns = s[stat.n - 1].rtt_ns;
    return stat;
}

/* Observations that no further copy at their point repeats; and the payload of their packets. */
static uint8_t *first_copies(struct corr_tcp_work *work)
{
    const struct corr_result *r = work->r;
    uint8_t *first = g_new0(uint8_t, r->store->obs->len + 1);
    uint32_t *seen = g_new0(uint32_t, r->n_convs + 1); /* local flow -> last packet + 1 */

    for (uint32_t p = 0; p < r->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(r, p);

        if (packet->kind != CORR_KIND_TCP)
            continue;
        for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
            const struct corr_sighting *s = corr_result_sighting(r, i);
            const struct corr_obs *obs = corr_store_obs(r->store, s->obs);
            uint32_t conv = r->obs_conv[s->obs];
            struct corr_tcp_side *side =
                &g_array_index(work->tcp->sides, struct corr_tcp_side, conv * 2 + obs->dir);

            if (s->duplicate || seen[conv] == p + 1)
                continue;
            seen[conv] = p + 1;
            first[s->obs] = 1;
            side->max_segment = MAX(side->max_segment, packet->len);
        }
    }
    g_free(seen);
    return first;
}

static bool counts(const struct corr_result *r, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(r->store, i);
    const uint32_t needed = CORR_HAVE_SEQ | CORR_HAVE_TCP | CORR_HAVE_LEN;

    return obs->kind == CORR_KIND_TCP && (obs->have & needed) == needed &&
           r->conv_flow[r->obs_conv[i]] != CORR_NONE && !corr_result_conv(r, r->obs_conv[i])->mixed;
}

/* A counting sort of what counts, by local flow; and what each side sent. */
static void sort_observations(struct corr_tcp_work *work)
{
    const struct corr_result *r = work->r;
    uint32_t n = r->store->obs->len;
    g_autofree uint8_t *first = first_copies(work);

    work->start = g_new0(uint32_t, r->n_convs + 2);
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(r->store, i);
        uint32_t conv = r->obs_conv[i];

        first[i] = first[i] && counts(r, i);
        if (!first[i])
            continue;
        struct corr_tcp_side *side =
            &g_array_index(work->tcp->sides, struct corr_tcp_side, conv * 2 + obs->dir);

        work->start[conv + 2]++;
        side->frames++;
        side->data_frames += obs->len > 0;
        side->bytes += obs->len;
    }
    for (uint32_t c = 2; c <= r->n_convs + 1; c++)
        work->start[c] += work->start[c - 1];
    work->by_conv = g_new(uint32_t, work->start[r->n_convs + 1] + 1);
    for (uint32_t i = 0; i < n; i++)
        if (first[i])
            work->by_conv[work->start[r->obs_conv[i] + 1]++] = i;
}

static uint32_t member_conv(const struct corr_flow *flow, unsigned i)
{
    return g_array_index(flow->convs, struct corr_member, i).conv;
}

/* What a member saw of a direction; bytes where there are any, else frames. */
static uint64_t weight(const struct corr_tcp *tcp, uint32_t conv, unsigned dir, bool bytes)
{
    const struct corr_tcp_side *side = corr_tcp_side_at(tcp, conv, dir);

    return bytes ? side->bytes : side->frames;
}

/*
 * The ends of a way: of the members that saw most of it, the first and the last
 * by the order of points.  A first one that began to capture late would tell
 * less than the next.
 */
static void way_find(struct corr_tcp_work *work, uint32_t f, unsigned dir)
{
    const struct corr_tcp *tcp = work->tcp;
    const struct corr_flow *flow = corr_result_flow(work->r, f);
    struct corr_tcp_way *way = &g_array_index(tcp->ways, struct corr_tcp_way, f * 2 + dir);
    unsigned n = flow->convs->len, most_before = 0, most_after = 0, candidates = 0;
    uint64_t most = 0;
    bool bytes = false;

    way->sender = way->receiver = CORR_NONE;
    for (unsigned i = 0; i < n; i++)
        bytes |= corr_tcp_side_at(tcp, member_conv(flow, i), dir)->bytes > 0;
    for (unsigned i = 0; i < n; i++)
        most = MAX(most, weight(tcp, member_conv(flow, i), dir, bytes));
    if (most == 0)
        return;
    for (unsigned i = 0; i < n; i++) {
        uint32_t conv = member_conv(flow, i);
        uint64_t own = weight(tcp, conv, dir, bytes);
        unsigned before = 0, after = 0; /* members that it precedes, that precede it */

        if (own * 2 < most)
            continue;
        candidates++;
        for (unsigned k = 0; k < n; k++) {
            uint32_t other = member_conv(flow, k);
            int order = k == i || weight(tcp, other, dir, bytes) * 2 < most
                            ? 0
                            : corr_order_compare(work->r, f, dir, conv, other);

            before += order < 0;
            after += order > 0;
        }
        if (own * 10 >= most * 9 && (way->sender == CORR_NONE || before > most_before)) {
            way->sender = conv;
            most_before = before;
        }
        if (way->receiver == CORR_NONE || after > most_after) {
            way->receiver = conv;
            most_after = after;
        }
    }
    way->order_known = most_before == candidates - 1 && most_after == candidates - 1;
    way->bytes = corr_tcp_side_at(tcp, way->sender, dir)->bytes;
    way->data_frames = corr_tcp_side_at(tcp, way->sender, dir)->data_frames;
}

static void ends_new(struct corr_tcp_end *end)
{
    end->holes = corr_ranges_new();
    end->sacked = corr_ranges_new();
    end->sent = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_sent));
    end->again = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_again));
    end->stamps = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_stamp));
    end->gaps = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_gap));
    end->rtts = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_sample));
    end->ts_rtts = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_sample));
    end->windows = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_window));
    end->limits = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_limit));
}

static void ends_free(struct corr_tcp_end *end)
{
    g_array_unref(end->holes);
    g_array_unref(end->sacked);
    g_array_unref(end->sent);
    g_array_unref(end->again);
    g_array_unref(end->stamps);
    g_array_unref(end->gaps);
    g_array_unref(end->rtts);
    g_array_unref(end->ts_rtts);
    g_array_unref(end->windows);
    g_array_unref(end->limits);
}

/* Round trip of the handshake from a local flow to who gets this flow direction's data. */
static int64_t handshake_of(const struct corr_tcp *tcp, uint32_t conv, unsigned dir)
{
    const struct corr_tcp_conv *c = corr_tcp_conv_of(tcp, conv);

    if (dir == 0)
        return c->has_rtt_server ? c->rtt_server_ns : 0;
    return c->has_rtt_client ? c->rtt_client_ns : 0;
}

static void flow_take(struct corr_tcp_work *work, uint32_t f)
{
    const struct corr_flow *flow = corr_result_flow(work->r, f);
    struct corr_tcp_gaps gaps[2];

    way_find(work, f, 0);
    way_find(work, f, 1);
    g_array_set_size(work->again, 0);
    g_array_set_size(work->again_start, 0);
    g_array_set_size(work->facts, 0);
    memset(gaps, 0, sizeof gaps);
    for (unsigned i = 0; i < flow->convs->len; i++) {
        uint32_t conv = member_conv(flow, i);

        corr_tcp_follow(work, conv);
        for (unsigned dir = 0; dir < 2; dir++) {
            const struct corr_tcp_end *end = &work->ends[dir ^ work->r->conv_flip[conv]];

            g_array_append_val(work->again_start, work->again->len);
            if (conv == corr_tcp_way_of(work->tcp, f, dir)->sender)
                gaps[dir] =
                    corr_tcp_gaps_take(end, handshake_of(work->tcp, conv, dir), work->again->len);
            g_array_append_vals(work->again, end->again->data, end->again->len);
        }
    }
    g_array_append_val(work->again_start, work->again->len);
    corr_tcp_facts_find(work, f);
    for (unsigned dir = 0; dir < 2; dir++)
        corr_tcp_stalls_find(work, f, dir, &gaps[dir]);
}

static void *sized(GArray **array, size_t size, guint n)
{
    *array = g_array_sized_new(FALSE, TRUE, (guint)size, n);
    return g_array_set_size(*array, n);
}

struct corr_tcp *corr_tcp_new(const struct corr_result *r)
{
    struct corr_tcp *tcp = g_new0(struct corr_tcp, 1);
    struct corr_tcp_work work = {.r = r, .tcp = tcp};

    tcp->result = r;
    tcp->events = g_new0(uint16_t, r->store->obs->len + 1);
    sized(&tcp->sides, sizeof(struct corr_tcp_side), r->n_convs * 2);
    sized(&tcp->convs, sizeof(struct corr_tcp_conv), r->n_convs);
    sized(&tcp->ways, sizeof(struct corr_tcp_way), r->flows->len * 2);
    sized(&tcp->flows, sizeof(struct corr_tcp_flow), r->flows->len);
    tcp->incidents = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_incident));
    tcp->stalls = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_stall));
    tcp->rtt_samples = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_sample));
    tcp->windows = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_window));
    tcp->limits = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_limit));
    tcp->repeats = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_repeat));

    work.seen_as = g_new0(uint8_t, r->store->obs->len + 1);
    work.packets = g_new0(uint8_t, r->packets->len + 1);
    work.again = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_again));
    work.again_start = g_array_new(FALSE, FALSE, sizeof(guint));
    work.facts = g_array_new(FALSE, FALSE, sizeof(struct corr_tcp_fact));
    work.fact_of = g_new(uint32_t, r->packets->len + 1);
    ends_new(&work.ends[0]);
    ends_new(&work.ends[1]);
    sort_observations(&work);
    for (uint32_t f = 0; f < r->flows->len; f++) {
        if (corr_result_flow(r, f)->proto == PROTO_TCP)
            flow_take(&work, f);
        else
            for (unsigned dir = 0; dir < 2; dir++) {
                struct corr_tcp_way *way =
                    &g_array_index(tcp->ways, struct corr_tcp_way, f * 2 + dir);
                way->sender = way->receiver = CORR_NONE;
            }
    }
    corr_tcp_repeats_sort(tcp);
    ends_free(&work.ends[0]);
    ends_free(&work.ends[1]);
    g_array_unref(work.again);
    g_array_unref(work.again_start);
    g_array_unref(work.facts);
    g_free(work.fact_of);
    g_free(work.by_conv);
    g_free(work.start);
    g_free(work.seen_as);
    g_free(work.packets);
    return tcp;
}

void corr_tcp_free(struct corr_tcp *tcp)
{
    if (tcp == NULL)
        return;
    g_free(tcp->events);
    g_array_unref(tcp->sides);
    g_array_unref(tcp->convs);
    g_array_unref(tcp->ways);
    g_array_unref(tcp->flows);
    g_array_unref(tcp->incidents);
    g_array_unref(tcp->stalls);
    g_array_unref(tcp->rtt_samples);
    g_array_unref(tcp->windows);
    g_array_unref(tcp->limits);
    g_array_unref(tcp->repeats);
    g_free(tcp);
}

/* Questions. */

/* The first of `n` that has not ended at `ns`: `end` tells when one ends, and ascends. */
static uint32_t first_after(const void *list, size_t size, uint32_t n, int64_t ns,
                            int64_t (*end)(const void *one))
{
    uint32_t from = 0, to = n;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (end((const char *)list + middle * size) > ns)
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

static int64_t incident_end(const void *one)
{
    return ((const struct corr_tcp_incident *)one)->time_ns;
}

static int64_t stall_end(const void *one)
{
    return ((const struct corr_tcp_stall *)one)->to_ns;
}

static int64_t window_begin(const void *one)
{
    return ((const struct corr_tcp_window *)one)->time_ns;
}

static int64_t limit_end(const void *one)
{
    return ((const struct corr_tcp_limit *)one)->to_ns;
}

const struct corr_tcp_incident *corr_tcp_incidents(const struct corr_tcp *tcp, uint32_t flow,
                                                   unsigned data_dir, int64_t from_ns,
                                                   int64_t to_ns, uint32_t *n)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, flow, data_dir);
    const struct corr_tcp_incident *first =
        &g_array_index(tcp->incidents, struct corr_tcp_incident, way->first_incident);
    int64_t before_ns = from_ns == INT64_MIN ? INT64_MIN : from_ns - 1;
    uint32_t from = first_after(first, sizeof *first, way->n_incidents, before_ns, incident_end);
    uint32_t to = first_after(first, sizeof *first, way->n_incidents, to_ns, incident_end);

    *n = to > from ? to - from : 0;
    return first + from;
}

const struct corr_tcp_stall *corr_tcp_stalls(const struct corr_tcp *tcp, uint32_t flow,
                                             unsigned data_dir, int64_t from_ns, int64_t to_ns,
                                             uint32_t *n)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, flow, data_dir);
    const struct corr_tcp_stall *first =
        &g_array_index(tcp->stalls, struct corr_tcp_stall, way->first_stall);
    uint32_t from = first_after(first, sizeof *first, way->n_stalls, from_ns, stall_end), to;

    for (to = from; to < way->n_stalls && first[to].from_ns < to_ns;)
        to++;
    *n = to - from;
    return first + from;
}

/* How long of [from, to] the window limited a side's sender. */
static int64_t limited_in(const struct corr_tcp *tcp, const struct corr_tcp_side *side,
                          int64_t from_ns, int64_t to_ns)
{
    const struct corr_tcp_limit *limits =
        &g_array_index(tcp->limits, struct corr_tcp_limit, side->first_limit);
    int64_t sum = 0;

    for (uint32_t i = first_after(limits, sizeof *limits, side->n_limits, from_ns, limit_end);
         i < side->n_limits && limits[i].from_ns < to_ns; i++)
        sum += MIN(limits[i].to_ns, to_ns) - MAX(limits[i].from_ns, from_ns);
    return sum;
}

/* The windows that a side's sender advertised in [from, to]. */
static struct corr_tcp_room room_of(const struct corr_tcp *tcp, const struct corr_tcp_side *side,
                                    int64_t from_ns, int64_t to_ns)
{
    struct corr_tcp_room room = {.known = false};
    const struct corr_tcp_window *w =
        &g_array_index(tcp->windows, struct corr_tcp_window, side->first_window);
    /* From the one that holds at `from`, if any, to the last one that begins before `to`. */
    uint32_t i = first_after(w, sizeof *w, side->n_windows, from_ns, window_begin);

    for (i = i > 0 ? i - 1 : 0; i < side->n_windows && w[i].time_ns <= to_ns; i++) {
        int64_t end = i + 1 < side->n_windows ? MIN(w[i + 1].time_ns, to_ns) : to_ns;

        if (!w[i].known)
            return (struct corr_tcp_room){.known = false};
        room.min_bytes = room.known ? MIN(room.min_bytes, w[i].bytes) : w[i].bytes;
        room.max_bytes = MAX(room.max_bytes, w[i].bytes);
        room.known = true;
        if (w[i].bytes == 0)
            room.zero_ns += end - MAX(w[i].time_ns, from_ns);
    }
    return room;
}

struct corr_tcp_room corr_tcp_room(const struct corr_tcp *tcp, uint32_t flow, unsigned data_dir,
                                   int64_t from_ns, int64_t to_ns)
{
    uint32_t conv = corr_tcp_way_of(tcp, flow, data_dir)->sender;
    struct corr_tcp_room room = {.known = false};

    if (conv == CORR_NONE)
        return room;
    room = room_of(tcp, corr_tcp_side_at(tcp, conv, !data_dir), from_ns, to_ns);
    if (room.known)
        room.limited_ns = limited_in(tcp, corr_tcp_side_at(tcp, conv, data_dir), from_ns, to_ns);
    return room;
}

int64_t corr_tcp_closed(const struct corr_tcp *tcp, uint32_t conv, unsigned dir, int64_t from_ns,
                        int64_t to_ns)
{
    return room_of(tcp, corr_tcp_side_at(tcp, conv, dir), from_ns, to_ns).zero_ns;
}

const struct corr_tcp_repeat *corr_tcp_repeat_of(const struct corr_tcp *tcp, uint32_t obs)
{
    guint from = 0, to = tcp->repeats->len;

    while (from < to) {
        guint middle = from + (to - from) / 2;
        const struct corr_tcp_repeat *repeat =
            &g_array_index(tcp->repeats, struct corr_tcp_repeat, middle);

        if (repeat->obs == obs)
            return repeat;
        if (repeat->obs < obs)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
