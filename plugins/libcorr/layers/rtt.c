/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Round trips of the path from probes: who answered at which distance, how fast, how often. */
#include "layers/rtt.h"

#include <stdlib.h>
#include <string.h>

#include "layers/layers.h"
#include "layers/tcp-int.h"

#define MS(n) (INT64_C(1000000) * (n))
#define SLOW_NS                                                                                    \
    MS(10)           /* what a handshake may take beyond twice its path before the server is slow */
#define PROBES_MIN 3 /* fewer answers of the end are no measurement */

/* One probe and its answer; ttl and times at the point nearest the prober. */
struct probe {
    uint32_t path, answer;   /* index of the path; packet that answers, CORR_NONE */
    int64_t time_ns, rtt_ns; /* -1: no answer at this point */
    struct corr_addr by;
    uint8_t ttl;
    bool end;
};

struct build {
    const struct corr_result *r;
    uint8_t *mask; /* corr_packet_mask() */
    GPtrArray *paths;
    GArray *probes;    /* struct probe, by packet */
    uint32_t *answer;  /* packet -> the packet that answers it; CORR_NONE */
    GHashTable *index; /* struct key -> path + 1 */
};

struct key {
    struct corr_addr from, to;
    uint32_t point;
};

static guint key_hash(const void *data)
{
    const uint8_t *bytes = data;
    guint hash = 2166136261u;

    for (size_t i = 0; i < sizeof(struct key); i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static gboolean key_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct key)) == 0;
}

const char *corr_rtt_verdict_text(enum corr_rtt_verdict verdict)
{
    static const char *const texts[] = {
#define CORR_ROW(id, text) text,
        CORR_RTT_VERDICTS(CORR_ROW)
#undef CORR_ROW
    };

    return texts[verdict];
}

static void path_free(void *data)
{
    struct corr_rtt_path *path = data;

    g_array_unref(path->hops);
    g_free(path);
}

static const struct corr_obs *first_obs(const struct corr_result *r, const struct corr_packet *p)
{
    return corr_result_obs(r, corr_result_sighting(r, p->first));
}

static bool is_request(const struct corr_obs *obs)
{
    return obs->kind == CORR_KIND_ECHO && (obs->icmp_type == 8 || obs->icmp_type == 128);
}

/* The last echo request of each flow and number, and what answers which packet. */
static void answers_find(struct build *b)
{
    const struct corr_result *r = b->r;
    g_autoptr(GHashTable) open = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (uint32_t p = 0; p < r->packets->len; p++)
        b->answer[p] = CORR_NONE;
    for (uint32_t p = 0; p < r->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(r, p);
        const struct corr_obs *obs = first_obs(r, packet);
        gint64 key = (gint64)((uint64_t)packet->flow << 32 | obs->seq);

        if (packet->kind == CORR_KIND_ICMP_ERROR && packet->quotes != CORR_NONE) {
            if (b->answer[packet->quotes] == CORR_NONE)
                b->answer[packet->quotes] = p;
        } else if (is_request(obs) && packet->flow != CORR_NONE) {
            g_hash_table_replace(open, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(p + 1));
        } else if (packet->kind == CORR_KIND_ECHO) {
            uint32_t request = GPOINTER_TO_UINT(g_hash_table_lookup(open, &key));
            if (request != 0 && b->answer[request - 1] == CORR_NONE)
                b->answer[request - 1] = p;
        }
    }
}

static uint32_t path_get(struct build *b, const struct corr_obs *obs)
{
    struct key key, *kept;
    struct corr_rtt_path *path;
    uint32_t found;

    memset(&key, 0, sizeof key);
    key.from = corr_store_src(b->r->store, obs)->addr;
    key.to = corr_store_dst(b->r->store, obs)->addr;
    key.point = obs->point;
    found = GPOINTER_TO_UINT(g_hash_table_lookup(b->index, &key));
    if (found != 0)
        return found - 1;
    path = g_new0(struct corr_rtt_path, 1);
    path->from = key.from;
    path->to = key.to;
    path->point = key.point;
    path->hops = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_hop));
    g_ptr_array_add(b->paths, path);
    kept = g_memdup2(&key, sizeof key);
    g_hash_table_insert(b->index, kept, GUINT_TO_POINTER(b->paths->len));
    return b->paths->len - 1;
}

/* The packet's first observation at a point; NULL. */
static const struct corr_obs *obs_at_point(const struct corr_result *r,
                                           const struct corr_packet *packet, uint32_t point)
{
    for (uint32_t i = packet->first; i < packet->first + packet->n; i++) {
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, i));
        if (obs->point == point)
            return obs;
    }
    return NULL;
}

/* Time exceeded: who probes wants it.  Of other errors only the destination's own is an answer. */
static bool is_answer(const struct corr_obs *obs, const struct corr_addr *by,
                      const struct corr_addr *to)
{
    bool v6 = by->len == 16;

    if (obs->kind == CORR_KIND_ECHO)
        return true;
    return obs->icmp_type == (v6 ? 3 : 11) ||
           (obs->icmp_type == (v6 ? 1 : 3) && corr_addr_equal(by, to));
}

static void probes_collect(struct build *b)
{
    const struct corr_result *r = b->r;

    for (uint32_t p = 0; p < r->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(r, p);
        const struct corr_obs *obs = first_obs(r, packet), *back = NULL;
        struct probe probe = {
            .answer = b->answer[p], .time_ns = obs->time_ns, .rtt_ns = -1, .ttl = obs->ttl};

        if (packet->kind == CORR_KIND_ICMP_ERROR || !(obs->have & CORR_HAVE_IP) ||
            (!is_request(obs) && (probe.answer == CORR_NONE || packet->kind == CORR_KIND_ECHO)))
            continue;
        if (!corr_packet_counts(b->mask, p) &&
            (probe.answer == CORR_NONE || !corr_packet_counts(b->mask, probe.answer)))
            continue;
        if (probe.answer != CORR_NONE)
            back = obs_at_point(r, corr_result_packet(r, probe.answer), obs->point);
        if (back != NULL) {
            probe.by = corr_store_src(r->store, back)->addr;
            if (!is_answer(back, &probe.by, &corr_store_dst(r->store, obs)->addr))
                back = NULL;
        }
        if (back == NULL && !is_request(obs))
            continue;
        if (back != NULL && back->time_ns >= obs->time_ns) {
            probe.rtt_ns = back->time_ns - obs->time_ns;
            probe.end = back->kind == CORR_KIND_ECHO ||
                        corr_addr_equal(&probe.by, &corr_store_dst(r->store, obs)->addr);
        } else {
            memset(&probe.by, 0, sizeof probe.by);
        }
        probe.path = path_get(b, obs);
        g_array_append_val(b->probes, probe);
    }
}

static int probe_compare(const void *a, const void *b)
{
    const struct probe *x = a, *y = b;

    if (x->path != y->path)
        return x->path < y->path ? -1 : 1;
    if (x->ttl != y->ttl)
        return x->ttl < y->ttl ? -1 : 1;
    return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static void hop_stats(struct corr_rtt_hop *hop, const struct probe *probes, uint32_t n,
                      GArray *samples)
{
    int64_t last = -1, differences = 0;

    g_array_set_size(samples, 0);
    for (uint32_t i = 0; i < n; i++) {
        struct corr_rtt_sample sample = {probes[i].time_ns, probes[i].rtt_ns};

        if (probes[i].rtt_ns < 0 || !corr_addr_equal(&probes[i].by, &hop->by))
            continue;
        differences += last < 0 ? 0 : ABS(sample.rtt_ns - last);
        last = sample.rtt_ns;
        hop->answered++;
        hop->end |= probes[i].end;
        g_array_append_val(samples, sample);
    }
    hop->variation_ns = samples->len > 1 ? differences / (int64_t)(samples->len - 1) : 0;
    hop->rtt = corr_rtt_stat_of(samples);
}

static bool hop_known(const struct corr_rtt_path *path, uint8_t ttl, const struct corr_addr *by)
{
    for (guint i = path->hops->len; i-- > 0;) {
        const struct corr_rtt_hop *hop = &g_array_index(path->hops, struct corr_rtt_hop, i);
        if (hop->ttl != ttl)
            return false;
        if (corr_addr_equal(&hop->by, by))
            return true;
    }
    return false;
}

/* The probes of one path and TTL, by time. */
static void ttl_take(struct corr_rtt_path *path, const struct probe *probes, uint32_t n,
                     GArray *samples)
{
    const struct probe *before = NULL;
    guint first = path->hops->len;

    for (uint32_t i = 0; i < n; i++) {
        struct corr_rtt_hop hop = {.ttl = probes[i].ttl, .by = probes[i].by, .sent = n};

        if (probes[i].rtt_ns < 0)
            continue;
        path->route_changes += before != NULL && !corr_addr_equal(&before->by, &probes[i].by);
        before = &probes[i];
        if (hop_known(path, hop.ttl, &hop.by))
            continue;
        hop_stats(&hop, probes, n, samples);
        g_array_append_val(path->hops, hop);
    }
    if (path->hops->len == first) { /* nobody answered */
        struct corr_rtt_hop hop = {.ttl = probes[0].ttl, .sent = n};
        g_array_append_val(path->hops, hop);
    }
}

/* Loss at a hop is loss on the path only if no later one answers all: else its router is busy. */
static void losses_judge(struct corr_rtt_path *path)
{
    uint32_t answered = 0;
    bool all_lose = true;

    for (guint i = path->hops->len; i-- > 0;) {
        struct corr_rtt_hop *hop = &g_array_index(path->hops, struct corr_rtt_hop, i);
        bool last = i == 0 || g_array_index(path->hops, struct corr_rtt_hop, i - 1).ttl != hop->ttl;

        hop->loss_goes_on = all_lose && hop->answered < hop->sent;
        answered += hop->answered;
        if (last) { /* of this TTL */
            all_lose = all_lose && answered < hop->sent;
            answered = 0;
        }
    }
}

/* One byte per flow: whether a packet of it counts. */
static uint8_t *flows_that_count(const struct build *b)
{
    uint8_t *flows = g_malloc0((size_t)b->r->flows->len + 1);

    for (uint32_t p = 0; p < b->r->packets->len; p++) {
        uint32_t flow = corr_result_packet(b->r, p)->flow;

        if (flow != CORR_NONE && corr_packet_counts(b->mask, p))
            flows[flow] = 1;
    }
    return flows;
}

/* Likewise: what varies at a hop and less beyond is how its router answers. */
static void variations_judge(struct corr_rtt_path *path)
{
    int64_t least = INT64_MAX, least_here = INT64_MAX;

    for (guint i = path->hops->len; i-- > 0;) {
        struct corr_rtt_hop *hop = &g_array_index(path->hops, struct corr_rtt_hop, i);
        bool last = i == 0 || g_array_index(path->hops, struct corr_rtt_hop, i - 1).ttl != hop->ttl;

        if (hop->rtt.n > 1) {
            hop->variation_goes_on = least != INT64_MAX && least >= hop->variation_ns / 2;
            least_here = MIN(least_here, hop->variation_ns);
        }
        if (last)
            least = MIN(least, least_here);
    }
}

static void handshakes_take(const struct build *b)
{
    const struct corr_result *r = b->r;
    const struct corr_tcp *tcp = corr_layers_tcp(r);
    g_autofree GArray **samples = g_new0(GArray *, b->paths->len + 1);
    g_autofree uint8_t *flows = flows_that_count(b);

    for (uint32_t conv = 0; conv < r->n_convs; conv++) {
        const struct corr_tcp_conv *c = corr_tcp_conv_of(tcp, conv);
        const struct corr_conv *at = corr_result_conv(r, conv);
        struct key key;
        uint32_t found;

        if (!c->has_rtt_server || r->conv_flow[conv] == CORR_NONE || !flows[r->conv_flow[conv]])
            continue;
        memset(&key, 0, sizeof key);
        key.from = at->end[r->conv_flip[conv]].addr;
        key.to = at->end[!r->conv_flip[conv]].addr;
        key.point = at->point;
        found = GPOINTER_TO_UINT(g_hash_table_lookup(b->index, &key));
        if (found == 0)
            continue;
        struct corr_rtt_sample sample = {0, c->rtt_server_ns};
        if (samples[found - 1] == NULL)
            samples[found - 1] = g_array_new(FALSE, FALSE, sizeof sample);
        g_array_append_val(samples[found - 1], sample);
    }
    for (guint i = 0; i < b->paths->len; i++) {
        struct corr_rtt_path *path = g_ptr_array_index(b->paths, i);
        if (samples[i] == NULL)
            continue;
        path->handshake = corr_rtt_stat_of(samples[i]);
        g_array_unref(samples[i]);
    }
}

static enum corr_rtt_verdict verdict_of(const struct corr_rtt_path *path)
{
    int64_t end = path->end.min_ns, handshake = path->handshake.min_ns;

    if (path->end.n < PROBES_MIN || path->handshake.n == 0)
        return CORR_RTT_VERDICT_UNKNOWN;
    if (handshake < end / 2 && end - handshake > MS(1))
        return CORR_RTT_VERDICT_NEARER;
    if (handshake > 2 * end && handshake - end > SLOW_NS)
        return CORR_RTT_VERDICT_SERVER;
    return CORR_RTT_VERDICT_AGREE;
}

GPtrArray *corr_rtt_paths_new(const struct corr_result *r, const struct corr_frame_set *frames)
{
    struct build b = {.r = r, .paths = g_ptr_array_new_with_free_func(path_free)};
    GArray *samples = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_sample));
    GArray *ends = g_array_new(FALSE, FALSE, sizeof(struct corr_rtt_sample));

    b.mask = corr_packet_mask(r, frames);
    b.probes = g_array_new(FALSE, FALSE, sizeof(struct probe));
    b.answer = g_new(uint32_t, r->packets->len + 1);
    b.index = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    answers_find(&b);
    probes_collect(&b);
    g_array_sort(b.probes, probe_compare);
    for (guint i = 0, n; i < b.probes->len; i += n) {
        const struct probe *first = &g_array_index(b.probes, struct probe, i);

        for (n = 1;
             i + n < b.probes->len && first[n].path == first->path && first[n].ttl == first->ttl;
             n++)
            ;
        ttl_take(g_ptr_array_index(b.paths, first->path), first, n, samples);
    }
    for (guint i = 0, at = 0; i < b.paths->len; i++) {
        g_array_set_size(ends, 0);
        for (; at < b.probes->len; at++) {
            const struct probe *probe = &g_array_index(b.probes, struct probe, at);
            struct corr_rtt_sample sample = {probe->time_ns, probe->rtt_ns};
            if (probe->path != i)
                break;
            if (probe->end)
                g_array_append_val(ends, sample);
        }
        ((struct corr_rtt_path *)g_ptr_array_index(b.paths, i))->end = corr_rtt_stat_of(ends);
    }
    if (b.paths->len > 0)
        handshakes_take(&b);
    for (guint i = 0; i < b.paths->len; i++) {
        struct corr_rtt_path *path = g_ptr_array_index(b.paths, i);
        losses_judge(path);
        variations_judge(path);
        path->verdict = verdict_of(path);
    }
    g_array_unref(samples);
    g_array_unref(ends);
    g_array_unref(b.probes);
    g_free(b.answer);
    g_free(b.mask);
    g_hash_table_destroy(b.index);
    return b.paths;
}

const struct corr_rtt_path *corr_rtt_path_find(const GPtrArray *paths, const struct corr_addr *from,
                                               const struct corr_addr *to)
{
    for (guint i = 0; i < paths->len; i++) {
        const struct corr_rtt_path *path = g_ptr_array_index(paths, i);
        if (corr_addr_equal(&path->from, from) && corr_addr_equal(&path->to, to))
            return path;
    }
    return NULL;
}
