/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passes between stations and points, and what they make expect of others. */
#include "path/expect.h"

#include <stdlib.h>
#include <string.h>

#include "match/learn.h"
#include "store/hash.h"
#include "store/sort.h"

/* So many packets of flows that pass should have passed before silence is called an outage. */
#define OUTAGE_EXPECTED 3

/* One packet in so many that goes to another point makes several ways of a class. */
#define OTHERS 20u

/* What a key of `classes` is made of: all of point and one of these. */
enum { CLASS_BOTH, CLASS_DST, CLASS_SRC, CLASS_KINDS };

/* Flows of one class, and where they go on to. */
struct class
{
    struct corr_class_way way;
    uint32_t flows, packets, last_flow;
    uint32_t others; /* packets that went on to another point than way.q */
    uint32_t dst;    /* hash of a destination; CLASS_SRC wants two different ones */
    bool two_dst;
};

static uint64_t class_key(const struct corr_work *work, uint32_t obs_index, unsigned kind)
{
    const struct corr_obs *obs = corr_store_obs(work->store, obs_index);
    const struct corr_conv *conv =
        corr_result_conv(work->result, work->result->obs_conv[obs_index]);
    uint64_t key = corr_hash_mix(obs->point + 1, kind);

    if (kind != CLASS_DST)
        key = corr_hash_mix(key, corr_hash(conv->end[obs->dir].addr.bytes, 16));
    if (kind != CLASS_SRC) {
        key = corr_hash_mix(key, corr_hash(conv->end[!obs->dir].addr.bytes, 16));
    } else {
        /* Off-link traffic goes to the router's MAC address. */
        key = corr_hash_mix(
            key, corr_hash(g_array_index(work->store->l2s, struct corr_l2, obs->l2).dst, 6));
    }
    return key;
}

static uint64_t address_key(uint32_t point, const struct corr_addr *addr)
{
    return corr_hash_mix(point, corr_hash(addr->bytes, 16));
}

/*
 * A flow that nobody saw pass, but that was answered, went on where no point looks: the class has
 * another way.
 */
static void classes_doubt(const struct corr_work *work, struct corr_expect *expect)
{
    for (uint32_t c = 0; c < work->result->n_convs; c++)
        for (unsigned dir = 0; dir < 2; dir++) {
            uint32_t there = expect->run[c][dir], back = expect->run[c][!dir];
            const struct corr_obs *answer;

            if (there == CORR_NONE || back == CORR_NONE || expect->way[c][dir].to != CORR_NONE)
                continue;
            answer = corr_store_obs(work->store,
                                    g_array_index(expect->stands, struct corr_stand, back).obs);
            if (answer->have & CORR_HAVE_TCP && answer->tcp_flags & CORR_TCP_RST)
                continue;
            for (unsigned kind = 0; kind < CLASS_KINDS; kind++) {
                uint64_t key = class_key(
                    work, g_array_index(expect->stands, struct corr_stand, there).obs, kind);
                struct class *class = g_hash_table_lookup(expect->classes, GSIZE_TO_POINTER(key));

                if (class != NULL) {
                    class->others++;
                    class->way.several = true;
                }
            }
        }
}

static void class_tell(const struct corr_work *work, struct corr_expect *expect, uint32_t obs,
                       uint32_t q, uint32_t flow)
{
    const struct corr_conv *conv = corr_result_conv(work->result, work->result->obs_conv[obs]);
    uint32_t dst =
        (uint32_t)corr_hash(conv->end[!corr_store_obs(work->store, obs)->dir].addr.bytes, 16);

    g_hash_table_add(expect->onward, GSIZE_TO_POINTER(address_key(
                                         corr_store_obs(work->store, obs)->point,
                                         &conv->end[!corr_store_obs(work->store, obs)->dir].addr)));
    for (unsigned kind = 0; kind < CLASS_KINDS; kind++) {
        gpointer key = GSIZE_TO_POINTER(class_key(work, obs, kind));
        struct class *class = g_hash_table_lookup(expect->classes, key);

        if (class == NULL) {
            class = g_new0(struct class, 1);
            class->way = (struct corr_class_way){
                .q = q, .obs = obs, .beside = CORR_NONE, .beside_obs = CORR_NONE};
            class->last_flow = CORR_NONE;
            class->dst = dst;
            g_hash_table_insert(expect->classes, key, class);
        }
        if (class->way.q != q) {
            if (class->way.beside == CORR_NONE) {
                class->way.beside = q;
                class->way.beside_obs = obs;
            }
            class->way.several |= class->way.beside != q;
            class->others++;
            continue;
        }
        class->packets++;
        class->flows += class->last_flow != flow;
        class->last_flow = flow;
        class->two_dst |= class->dst != dst;
    }
}

static bool stand_less(const struct corr_stand *a, const struct corr_stand *b)
{
    if (a->conv != b->conv)
        return a->conv < b->conv;
    if (a->dir != b->dir)
        return a->dir < b->dir;
    return a->obs != b->obs ? a->obs < b->obs : a->packet < b->packet;
}

CORR_SORT_DEFINE(stands_sort, struct corr_stand, stand_less)

/* What the passes of one station and direction have told already. */
struct told {
    uint32_t q, flow, l2;
    unsigned packets;
};

/* Three alike are told: nobody asks whether there were more. */
#define TOLD_MAX 3u

static void pass_tell(const struct corr_work *work, struct corr_expect *expect, struct told *told,
                      const struct corr_stand *stand, uint32_t q, uint32_t flow)
{
    const struct corr_obs *obs = corr_store_obs(work->store, stand->obs);

    if (told->q != q || told->flow != flow || told->l2 != obs->l2)
        *told = (struct told){.q = q, .flow = flow, .l2 = obs->l2};
    /* Later fragments may be those of a tunnel, which ends where the packet goes on. */
    if (obs->kind != CORR_KIND_FRAGMENT && told->packets < TOLD_MAX) {
        told->packets++;
        class_tell(work, expect, stand->obs, q, flow);
    }
}

/* Sightings that follow a packet's sighting on the way: the first and the last of the list. */
struct followers {
    uint32_t first, last;
};

static void packet_followers(const struct corr_result *result, const struct corr_packet *packet,
                             GArray *followers)
{
    struct followers *of;

    if (followers->len < packet->n)
        g_array_set_size(followers, packet->n);
    of = (struct followers *)followers->data;
    memset(of, 0xff, sizeof *of * packet->n);
    for (uint32_t k = packet->first; k < packet->first + packet->n; k++) {
        uint32_t prev = corr_result_sighting(result, k)->prev;

        if (prev == CORR_NONE)
            continue;
        if (of[prev - packet->first].first == CORR_NONE)
            of[prev - packet->first].first = k;
        of[prev - packet->first].last = k;
    }
}

static bool has_stand(const struct corr_result *result, const struct corr_sighting *s)
{
    return !s->duplicate && !corr_result_packet(result, s->packet)->ambiguous;
}

/* Where the stands of each station and direction begin: `place` by local flow * 2 + direction. */
static uint32_t *stands_count(const struct corr_work *work, uint32_t *n)
{
    const struct corr_result *result = work->result;
    uint32_t *place = g_new0(uint32_t, 2 * (size_t)result->n_convs + 2), at = 0;

    for (uint32_t i = 0; i < result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(result, i);

        if (has_stand(result, s))
            place[result->obs_conv[s->obs] * 2 + corr_store_obs(work->store, s->obs)->dir]++;
    }
    for (uint32_t i = 0; i < 2 * result->n_convs; i++) {
        uint32_t count = place[i];

        place[i] = at;
        at += count;
    }
    *n = at;
    return place;
}

/* Of several sightings that follow one, those beside the first: branches. */
static void branch_collect(const struct corr_result *result, struct corr_expect *expect,
                           uint32_t from, uint32_t to)
{
    const struct corr_obs *a = corr_result_obs(result, corr_result_sighting(result, from));
    const struct corr_obs *b = corr_result_obs(result, corr_result_sighting(result, to));
    struct corr_pass pass = {a->point, b->point, a->time_ns, b->time_ns - a->time_ns};

    if (corr_result_sighting(result, to)->prev == from && a->point != b->point)
        g_array_append_val(expect->passes, pass);
}

static void stands_collect(const struct corr_work *work, struct corr_expect *expect)
{
    const struct corr_result *result = work->result;
    GArray *followers = g_array_new(FALSE, FALSE, sizeof(struct followers));
    struct told *told = g_new(struct told, 2 * (size_t)result->n_convs + 1);
    uint32_t n, *place = stands_count(work, &n);
    struct corr_stand *stands;

    memset(told, 0xff, sizeof *told * 2 * result->n_convs);
    g_array_set_size(expect->stands, n);
    stands = (struct corr_stand *)expect->stands->data;
    for (uint32_t i = 0; i < result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(result, i);
        const struct corr_packet *packet = corr_result_packet(result, s->packet);
        struct corr_stand stand = {.conv = result->obs_conv[s->obs],
                                   .obs = s->obs,
                                   .sighting = i,
                                   .packet = s->packet,
                                   .to = CORR_NONE,
                                   .before = CORR_NONE,
                                   .after = CORR_NONE,
                                   .dir = corr_store_obs(work->store, s->obs)->dir};
        const struct followers *next;

        if (i == packet->first)
            packet_followers(result, packet, followers);
        if (!has_stand(result, s))
            continue;
        next = &g_array_index(followers, struct followers, i - packet->first);
        if (next->last != CORR_NONE) {
            const struct corr_obs *a = corr_store_obs(work->store, s->obs);
            const struct corr_obs *b =
                corr_result_obs(result, corr_result_sighting(result, next->first));
            struct corr_pass pass = {a->point, b->point, a->time_ns, b->time_ns - a->time_ns};

            stand.to = result->obs_conv[corr_result_sighting(result, next->last)->obs];
            for (uint32_t k = next->first + 1; k <= next->last; k++)
                branch_collect(result, expect, i, k);
            if (a->point != b->point) {
                g_array_append_val(expect->passes, pass);
                pass_tell(work, expect, &told[stand.conv * 2 + stand.dir], &stand, b->point,
                          packet->flow);
            }
        }
        stands[place[stand.conv * 2 + stand.dir]++] = stand;
    }
    stands_sort(stands, n);
    corr_passes_sort(expect->passes);
    g_array_unref(followers);
    g_free(told);
    g_free(place);
}

static void stands_link(const struct corr_work *work, struct corr_expect *expect)
{
    struct corr_stand *stands = (struct corr_stand *)expect->stands->data;
    uint32_t n = expect->stands->len, last = CORR_NONE;

    expect->stand_of = g_new(uint32_t, work->result->sightings->len + 1);
    memset(expect->stand_of, 0xff, sizeof(uint32_t) * work->result->sightings->len);
    expect->run = g_malloc(sizeof *expect->run * (work->result->n_convs + 1));
    memset(expect->run, 0xff, sizeof *expect->run * (work->result->n_convs + 1));
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || stands[i].conv != stands[i - 1].conv || stands[i].dir != stands[i - 1].dir) {
            expect->run[stands[i].conv][stands[i].dir] = i;
            last = CORR_NONE;
        }
        expect->stand_of[stands[i].sighting] = i;
        stands[i].before = last;
        if (stands[i].to != CORR_NONE)
            last = i;
    }
    for (uint32_t i = n; i-- > 0;) {
        if (i + 1 == n || stands[i].conv != stands[i + 1].conv ||
            stands[i].dir != stands[i + 1].dir)
            last = CORR_NONE;
        stands[i].after = last;
        if (stands[i].to != CORR_NONE)
            last = i;
    }
}

/* The stations that most packets of a run went on to: all, and without those that came back. */
static struct corr_way_on way_find(const struct corr_expect *expect, uint32_t first, uint32_t end)
{
    struct {
        uint32_t to, n;
    } ways[8] = {{CORR_NONE, 0}};
    struct corr_way_on way = {CORR_NONE, CORR_NONE, 0};
    unsigned n = 0, best = 0, out = G_N_ELEMENTS(ways);

    for (uint32_t i = first; i < end; i++) {
        const struct corr_stand *stand = &g_array_index(expect->stands, struct corr_stand, i);
        unsigned k = 0;

        if (stand->to == CORR_NONE)
            continue;
        way.passed++;
        while (k < n && ways[k].to != stand->to)
            k++;
        if (k == G_N_ELEMENTS(ways))
            continue;
        if (k == n) {
            ways[n].to = stand->to;
            ways[n++].n = 0;
        }
        ways[k].n++;
    }
    for (unsigned k = 0; k < n; k++) {
        uint32_t conv = g_array_index(expect->stands, struct corr_stand, first).conv;

        if (ways[k].n > ways[best].n)
            best = k;
        if (ways[k].to != conv && (out == G_N_ELEMENTS(ways) || ways[k].n > ways[out].n))
            out = k;
    }
    if (n > 0)
        way.to = ways[best].to;
    if (out < n)
        way.out = ways[out].to;
    return way;
}

/* All packets of flows that are known to pass: what a point should have seen, and when. */
static void ways_collect(const struct corr_work *work, struct corr_expect *expect)
{
    uint32_t n = expect->stands->len, convs = work->result->n_convs;

    expect->way = g_malloc(sizeof *expect->way * (convs + 1));
    for (uint32_t c = 0; c < convs; c++)
        expect->way[c][0] = expect->way[c][1] = (struct corr_way_on){CORR_NONE, CORR_NONE, 0};
    for (uint32_t i = 0, end; i < n; i = end) {
        const struct corr_stand *first = &g_array_index(expect->stands, struct corr_stand, i);

        for (end = i + 1; end < n; end++) {
            const struct corr_stand *s = &g_array_index(expect->stands, struct corr_stand, end);

            if (s->conv != first->conv || s->dir != first->dir)
                break;
        }
        expect->way[first->conv][first->dir] = way_find(expect, i, end);
    }
    /* In the order of packets, which is nearly that of time. */
    for (uint32_t i = 0; i < work->result->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(work->result, i);
        const struct corr_obs *obs = corr_store_obs(work->store, s->obs);
        uint32_t to = expect->way[work->result->obs_conv[s->obs]][obs->dir].to;
        struct corr_pass due = {obs->point, 0, obs->time_ns, 0};

        if (to == CORR_NONE || !has_stand(work->result, s))
            continue;
        due.q = corr_result_conv(work->result, to)->point;
        g_array_append_val(expect->dues, due);
    }
    corr_passes_sort(expect->dues);
}

static bool time_less(const int64_t *a, const int64_t *b)
{
    return *a < *b;
}

CORR_SORT_DEFINE(times_sort, int64_t, time_less)

static void coverage_find(const struct corr_work *work, struct corr_expect *expect)
{
    uint32_t points = work->store->points->len, n = work->store->obs->len, *place, (*seen)[2];

    expect->first_ns = g_new0(int64_t, points + 1);
    expect->last_ns = g_new0(int64_t, points + 1);
    expect->snapped = g_new0(bool, points + 1);
    expect->gap_ns = g_new0(int64_t, points + 1);
    expect->protos = g_malloc0(sizeof *expect->protos * (points + 1));
    expect->times_first = g_new0(uint32_t, points + 2);
    expect->times = g_new(int64_t, n + 1);
    seen = g_malloc0(sizeof *seen * (work->result->n_convs + 1));
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);

        expect->times_first[obs->point + 1]++;
        expect->snapped[obs->point] |= (obs->have & CORR_HAVE_SNAPPED) != 0;
        seen[work->result->obs_conv[i]][obs->dir]++;
    }
    for (uint32_t c = 0; c < work->result->n_convs; c++) {
        const struct corr_conv *conv = corr_result_conv(work->result, c);

        for (unsigned dir = 0; dir < 2; dir++) {
            expect->protos[conv->point][conv->proto] += seen[c][dir];
            if (seen[c][dir] > 0)
                g_hash_table_add(expect->sources,
                                 GSIZE_TO_POINTER(address_key(conv->point, &conv->end[dir].addr)));
        }
    }
    g_free(seen);
    for (uint32_t p = 0; p < points; p++)
        expect->times_first[p + 1] += expect->times_first[p];
    place = g_memdup2(expect->times_first, sizeof *place * (points + 1));
    for (uint32_t i = 0; i < n; i++)
        expect->times[place[corr_store_obs(work->store, i)->point]++] =
            corr_store_obs(work->store, i)->time_ns;
    g_free(place);
    for (uint32_t p = 0; p < points; p++) {
        uint32_t first = expect->times_first[p], count = expect->times_first[p + 1] - first;

        if (count == 0)
            continue;
        times_sort(&expect->times[first], count);
        expect->first_ns[p] = expect->times[first];
        expect->last_ns[p] = expect->times[first + count - 1];
        expect->gap_ns[p] = (expect->last_ns[p] - expect->first_ns[p]) / count;
    }
}

struct corr_expect *corr_expect_new(const struct corr_work *work)
{
    struct corr_expect *expect = g_new0(struct corr_expect, 1);

    expect->stands = g_array_new(FALSE, FALSE, sizeof(struct corr_stand));
    expect->passes = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    expect->dues = g_array_new(FALSE, FALSE, sizeof(struct corr_pass));
    expect->classes = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    expect->sources = g_hash_table_new(g_direct_hash, g_direct_equal);
    expect->onward = g_hash_table_new(g_direct_hash, g_direct_equal);
    coverage_find(work, expect);
    stands_collect(work, expect);
    stands_link(work, expect);
    ways_collect(work, expect);
    classes_doubt(work, expect);
    return expect;
}

void corr_expect_free(struct corr_expect *expect)
{
    g_array_unref(expect->stands);
    g_array_unref(expect->passes);
    g_array_unref(expect->dues);
    g_free(expect->way);
    g_hash_table_destroy(expect->classes);
    g_hash_table_destroy(expect->sources);
    g_hash_table_destroy(expect->onward);
    g_free(expect->stand_of);
    g_free(expect->run);
    g_free(expect->first_ns);
    g_free(expect->last_ns);
    g_free(expect->gap_ns);
    g_free(expect->snapped);
    g_free(expect->protos);
    g_free(expect->times);
    g_free(expect->times_first);
    g_free(expect);
}

bool corr_expect_lives(const struct corr_expect *expect, uint32_t p, const struct corr_addr *addr)
{
    return g_hash_table_contains(expect->sources, GSIZE_TO_POINTER(address_key(p, addr)));
}

bool corr_expect_goes_on(const struct corr_expect *expect, uint32_t p, const struct corr_addr *addr)
{
    return g_hash_table_contains(expect->onward, GSIZE_TO_POINTER(address_key(p, addr)));
}

/* Too few flows, or other ones, say nothing about this observation's. */
static bool class_holds(const struct corr_work *work, const struct corr_expect *expect,
                        const struct class *class, unsigned kind, uint32_t obs, bool unanswered)
{
    const struct corr_obs *at = corr_store_obs(work->store, obs);
    const struct corr_conv *conv = corr_result_conv(work->result, work->result->obs_conv[obs]);

    if (kind == CLASS_BOTH)
        return class->flows >= 2 || class->packets >= 3;
    if (kind == CLASS_DST)
        return class->flows >= 2;
    /* To a host that nothing else goes to: only if it never spoke here, and nobody answered. */
    return class->flows >= 2 && class->two_dst && unanswered && at->have & CORR_HAVE_MAC &&
           !corr_expect_lives(expect, at->point, &conv->end[!at->dir].addr);
}

bool corr_expect_class(const struct corr_work *work, const struct corr_expect *expect, uint32_t obs,
                       bool unanswered, struct corr_class_way *way)
{
    if (corr_conv_scoped(corr_result_conv(work->result, work->result->obs_conv[obs])))
        return false;
    for (unsigned kind = 0; kind < CLASS_KINDS; kind++) {
        const struct class *class =
            g_hash_table_lookup(expect->classes, GSIZE_TO_POINTER(class_key(work, obs, kind)));

        if (class == NULL || !class_holds(work, expect, class, kind, obs, unanswered))
            continue;
        *way = class->way;
        if (class->others * OTHERS <= class->packets) { /* exceptions */
            way->beside = CORR_NONE;
            way->several = false;
        }
        return true;
    }
    return false;
}

static uint32_t times_below(const struct corr_expect *expect, uint32_t point, int64_t t_ns)
{
    uint32_t lo = expect->times_first[point], hi = expect->times_first[point + 1];

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (expect->times[mid] < t_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool corr_expect_silence(const struct corr_expect *expect, uint32_t q, int64_t t_ns, int64_t *from,
                         int64_t *to)
{
    uint32_t at = times_below(expect, q, t_ns);

    if (at == expect->times_first[q] || at == expect->times_first[q + 1])
        return false; /* before the first or after the last frame: not covered, another case */
    *from = expect->times[at - 1];
    *to = expect->times[at];
    return true;
}

bool corr_expect_outage(const struct corr_expect *expect, uint32_t p, uint32_t q, int64_t t_ns,
                        int64_t d_ns, int64_t long_ns)
{
    int64_t from, to, edge;

    if (!corr_expect_silence(expect, q, t_ns, &from, &to) || to - from <= long_ns)
        return false;
    /* Without the packets that begin and end the silence: they were seen. */
    edge = MAX((to - from) / 50, 1000000);
    return corr_passes_count(expect->dues, p, q, from - d_ns + edge, to - d_ns - edge) >=
           OUTAGE_EXPECTED;
}
