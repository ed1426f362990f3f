/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evidence for the order of stations, pair by pair; then its transitive closure. */
#include "path/order.h"

#include <stdlib.h>
#include <string.h>

#include "match/match.h"
#include "path/clock.h"
#include "path/order_pool.h"

/* Packets times pairs of stations that one flow is asked for. */
#define EVIDENCE_MAX 2000000u
/* Stations of one flow whose order is closed; beyond, direct evidence only. */
#define CLOSURE_MAX 256u
/* Packets that a branch shows and a point does not: the point is not before it. */
#define NOT_ON_THE_WAY 2u
/* Two clocks may run apart by one part in ten thousand between two packets. */
#define DRIFT 1e-4

/* What the packets of one flow say about stations a < b. */
struct evidence {
    int64_t last_d[2], last_t[2]; /* time at b minus time at a, by direction of the flow */
    bool has_last[2];
    uint32_t nest_for, nest_against; /* a is nearer the initiator; b is */
    uint32_t ttl_for[2], ttl_against[2];
    uint32_t origin_for[2], origin_against[2];
    uint32_t both[2], only_a[2], only_b[2], wait_a[2], wait_b[2];
    uint32_t clock_for[2], clock_against[2], clock_unsure[2];
    bool open; /* a second look asks the clock about this pair */
};

/* What the clock tells of a pair of stations: it holds for this flow alone. */
struct by_clock {
    uint32_t flow, a, b;
    unsigned dir;
    int verdict;
};

struct finder {
    struct corr_work *work;
    struct corr_orders *orders;
    uint32_t *packets, *packet_first; /* flow -> its packets, CSR */
    GArray *by_clock;                 /* struct by_clock, by flow */
    struct corr_order_pool *pool;     /* what flows tell each other */
    struct evidence *pairs;           /* for the flow in hand; with room for the largest */
    uint64_t *closed;                 /* likewise: a matrix */
};

static void pair_nest(struct evidence *e, unsigned dir, int64_t t, int64_t d)
{
    if (e->has_last[!dir]) {
        int64_t round = dir == 0 ? d - e->last_d[1] : e->last_d[0] - d;
        double noise = DRIFT * (double)llabs(t - e->last_t[!dir]);

        if ((double)round > noise)
            e->nest_for++;
        else if ((double)round < -noise)
            e->nest_against++;
    }
    e->has_last[dir] = true;
    e->last_d[dir] = d;
    e->last_t[dir] = t;
}

static void pair_add(struct evidence *e, unsigned dir, const struct corr_obs *a,
                     const struct corr_obs *b)
{
    int64_t d = b->time_ns - a->time_ns;

    pair_nest(e, dir, a->time_ns, d);
    if (a->ttl != b->ttl) {
        if (a->ttl > b->ttl)
            e->ttl_for[dir]++;
        else
            e->ttl_against[dir]++;
    }
    if ((a->have ^ b->have) & CORR_HAVE_PARTIAL) {
        if (a->have & CORR_HAVE_PARTIAL)
            e->origin_for[dir]++;
        else
            e->origin_against[dir]++;
    }
    e->both[dir]++;
    e->only_a[dir] += e->wait_a[dir];
    e->only_b[dir] += e->wait_b[dir];
    e->wait_a[dir] = e->wait_b[dir] = 0;
}

/* Asked only where nothing else tells: the clock of two points is dear. */
static void pair_clock(struct finder *f, struct evidence *e, unsigned dir, uint32_t from,
                       uint32_t to)
{
    const struct corr_obs *a = corr_store_obs(f->work->store, from);
    const struct corr_obs *b = corr_store_obs(f->work->store, to);
    int64_t d = b->time_ns - a->time_ns;
    struct corr_clock_answer clock;

    if (f->work->result->clock == NULL || a->point == b->point)
        return;
    clock = corr_result_clock_between(f->work->result, from, to);
    if (clock.status == CORR_CLOCK_BOUNDED) {
        int64_t left = d - clock.offset_ns, unsure = clock.error_ns + CORR_CLOCK_SLACK_NS;

        if (left > unsure)
            e->clock_for[dir]++;
        else if (left < -unsure)
            e->clock_against[dir]++;
        else
            e->clock_unsure[dir]++;
    }
}

/* Packets that one station saw and the other did not; they count when both see again. */
static void pair_miss(struct evidence *e, unsigned dir, bool at_a)
{
    if (e->both[dir] == 0)
        return;
    if (at_a)
        e->wait_a[dir]++;
    else
        e->wait_b[dir]++;
}

static int majority(uint32_t yes, uint32_t no)
{
    return yes > 3 * no ? -1 : no > 3 * yes ? 1 : 0;
}

/* -1: a before b in this direction; 1: b before a; 0: not known. */
static int judge(const struct evidence *e, unsigned dir)
{
    int nest = majority(e->nest_for, e->nest_against) * (dir == 0 ? 1 : -1);
    int ttl = majority(e->ttl_for[dir], e->ttl_against[dir]);
    int origin = majority(e->origin_for[dir], e->origin_against[dir]);

    if (nest != 0 && ttl != 0 && nest != ttl)
        return e->nest_for + e->nest_against >= 3 ? nest : ttl;
    if (nest != 0)
        return nest;
    if (ttl != 0)
        return ttl;
    if (origin != 0)
        return origin;
    if (e->only_a[dir] >= 3 && e->only_b[dir] == 0 && e->both[dir] >= 10)
        return -1;
    if (e->only_b[dir] >= 3 && e->only_a[dir] == 0 && e->both[dir] >= 10)
        return 1;
    return 0;
}

/*
 * In a multicast tree, what one branch shows and another does not is loss, no order;
 * and a point that missed what another shows is not on the way to it, whatever the TTL.
 */
static int judge_fanned(const struct evidence *e, unsigned dir)
{
    struct evidence plain = *e;
    int verdict;

    plain.only_a[dir] = plain.only_b[dir] = 0;
    verdict = judge(&plain, dir);
    if ((verdict < 0 ? e->only_b[dir] : e->only_a[dir]) >= NOT_ON_THE_WAY)
        return 0;
    return verdict;
}

static int judge_clock(const struct evidence *e, unsigned dir)
{
    if (e->clock_unsure[dir] > 0 || (e->clock_for[dir] > 0 && e->clock_against[dir] > 0))
        return 0;
    return e->clock_for[dir] > 0 ? -1 : e->clock_against[dir] > 0 ? 1 : 0;
}

static void packets_by_flow(struct finder *f)
{
    const struct corr_result *result = f->work->result;
    uint32_t n_flows = result->flows->len, *place;

    f->packet_first = g_new0(uint32_t, n_flows + 2);
    f->packets = g_new(uint32_t, result->packets->len + 1);
    for (uint32_t p = 0; p < result->packets->len; p++)
        f->packet_first[corr_result_packet(result, p)->flow + 1]++;
    for (uint32_t i = 0; i < n_flows; i++)
        f->packet_first[i + 1] += f->packet_first[i];
    place = g_memdup2(f->packet_first, sizeof *place * (n_flows + 1));
    for (uint32_t p = 0; p < result->packets->len; p++)
        f->packets[place[corr_result_packet(result, p)->flow]++] = p;
    g_free(place);
}

static void flow_gather(struct finder *f, uint32_t flow, struct evidence *pairs, uint32_t k,
                        bool *doubtful, bool clocks)
{
    const struct corr_result *result = f->work->result;
    uint32_t first = f->packet_first[flow], n = f->packet_first[flow + 1] - first;
    uint32_t *at = g_new(uint32_t, k + 1);

    n = MIN(n, EVIDENCE_MAX / (k * k) + 64);
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_packet *packet = corr_result_packet(result, f->packets[first + i]);

        if (packet->ambiguous) {
            uint32_t conv = result->obs_conv[corr_result_sighting(result, packet->first)->obs];

            if (result->conv_flow[conv] == flow)
                doubtful[f->orders->station[conv]] = true;
            continue;
        }
        memset(at, 0xff, sizeof *at * k);
        for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
            uint32_t obs = corr_result_sighting(result, s)->obs;
            uint32_t conv = result->obs_conv[obs];

            /* Later fragments are members of other local flows. */
            if (result->conv_flow[conv] == flow && at[f->orders->station[conv]] == CORR_NONE)
                at[f->orders->station[conv]] = obs;
        }
        for (uint32_t a = 0; a < k; a++)
            for (uint32_t b = a + 1; b < k; b++) {
                struct evidence *e = &pairs[a * k + b];

                if (clocks) {
                    if (e->open && at[a] != CORR_NONE && at[b] != CORR_NONE)
                        pair_clock(f, e, packet->dir, at[a], at[b]);
                } else if (at[a] != CORR_NONE && at[b] != CORR_NONE)
                    pair_add(e, packet->dir, corr_store_obs(f->work->store, at[a]),
                             corr_store_obs(f->work->store, at[b]));
                else if (at[a] != CORR_NONE || at[b] != CORR_NONE)
                    pair_miss(e, packet->dir, at[a] != CORR_NONE);
            }
    }
    g_free(at);
}

/* A matrix is k rows of whole words, a bit per column: row passes before column. */
static inline size_t words_of(uint32_t k)
{
    return (k + 63) / 64;
}

static inline bool is_before(const uint64_t *matrix, uint32_t k, uint32_t a, uint32_t b)
{
    return matrix[a * words_of(k) + b / 64] >> b % 64 & 1;
}

static void set_bit(uint64_t *matrix, uint32_t k, uint32_t a, uint32_t b, bool before)
{
    uint64_t *word = &matrix[a * words_of(k) + b / 64], bit = (uint64_t)1 << b % 64;

    *word = before ? *word | bit : *word & ~bit;
}

static void set_before(uint64_t *matrix, uint32_t k, uint32_t a, uint32_t b, int verdict)
{
    if (verdict < 0)
        set_bit(matrix, k, a, b, true);
    else if (verdict > 0)
        set_bit(matrix, k, b, a, true);
}

/*
 * What follows from what (Warshall); contradictions are taken back on both sides: what
 * precedes and follows another precedes itself.  True if there was none and all is closed.
 */
static bool closure(uint64_t *m, uint32_t k)
{
    size_t words = words_of(k);
    bool sound = true;

    if (k > CLOSURE_MAX)
        return false;
    for (uint32_t via = 0; via < k; via++)
        for (uint32_t a = 0; a < k; a++)
            for (size_t w = 0; is_before(m, k, a, via) && w < words; w++)
                m[a * words + w] |= m[via * words + w];
    for (uint32_t a = 0; a < k; a++)
        sound &= !is_before(m, k, a, a);
    for (uint32_t a = 0; !sound && a < k; a++) {
        set_bit(m, k, a, a, false);
        for (uint32_t b = 0; b < a; b++)
            if (is_before(m, k, a, b) && is_before(m, k, b, a)) {
                set_bit(m, k, a, b, false);
                set_bit(m, k, b, a, false);
            }
    }
    return sound;
}

/* Is every pair in order?  None is in both. */
static bool is_total(const uint64_t *m, uint32_t k)
{
    size_t n = 0;

    for (size_t i = 0; i < k * words_of(k); i++)
        n += (size_t)__builtin_popcountll(m[i]);
    return n == (size_t)k * (k - 1) / 2;
}

static uint64_t *matrix_of(const struct corr_orders *orders, uint32_t flow, unsigned dir,
                           uint32_t k)
{
    return orders->before + orders->matrix[flow] + dir * k * words_of(k);
}

/* Stations that show equal packets which nobody can pair: their TTLs tell the order all the same.
 */
static int judge_ttl(const struct corr_work *work, const struct corr_member *a,
                     const struct corr_member *b, unsigned dir)
{
    uint8_t x = work->conv_seq[a->conv].ttl[dir ^ a->flip];
    uint8_t y = work->conv_seq[b->conv].ttl[dir ^ b->flip];

    return x == 0 || y == 0 || x == y ? 0 : x > y ? -1 : 1;
}

/* What a flow's evidence says tells of other flows of its hosts. */
static void flow_tell(struct finder *f, uint32_t flow, uint32_t k)
{
    corr_order_pool_begin(f->pool, flow);
    if (!corr_order_pool_is_wanted(f->pool))
        return;
    for (unsigned dir = 0; dir < 2; dir++) {
        const uint64_t *matrix = matrix_of(f->orders, flow, dir, k);

        for (uint32_t a = 0; a < k; a++)
            for (uint32_t b = a + 1; b < k; b++) {
                int verdict = is_before(matrix, k, a, b) ? -1 : is_before(matrix, k, b, a) ? 1 : 0;

                if (verdict != 0)
                    corr_order_pool_tell(f->pool, a, b, dir, verdict);
            }
    }
}

/* Direct evidence, else the clock. */
static void flow_judge(struct finder *f, uint32_t flow)
{
    const struct corr_flow *of = corr_result_flow(f->work->result, flow);
    uint32_t k = of->convs->len;
    struct evidence *pairs = f->pairs;
    bool *doubtful = g_new0(bool, k), open = false;
    bool fans_out = corr_conv_scoped(
        corr_result_conv(f->work->result, g_array_index(of->convs, struct corr_member, 0).conv));

    memset(pairs, 0, sizeof *pairs * k * k);
    flow_gather(f, flow, pairs, k, doubtful, false);
    for (uint32_t i = 0; i < k * k; i++) {
        for (unsigned dir = 0; dir < 2; dir++)
            pairs[i].open |= pairs[i].both[dir] > 0 && judge(&pairs[i], dir) == 0;
        open |= pairs[i].open;
    }
    if (open && f->work->result->clock != NULL)
        flow_gather(f, flow, pairs, k, doubtful, true);
    for (unsigned dir = 0; dir < 2; dir++) {
        uint64_t *matrix = matrix_of(f->orders, flow, dir, k);

        for (uint32_t a = 0; a < k; a++)
            for (uint32_t b = a + 1; b < k; b++) {
                const struct evidence *e = &pairs[a * k + b];
                int verdict = fans_out ? judge_fanned(e, dir) : judge(e, dir);

                if (verdict == 0 && e->both[dir] == 0 && doubtful[a] && doubtful[b])
                    verdict = judge_ttl(f->work, &g_array_index(of->convs, struct corr_member, a),
                                        &g_array_index(of->convs, struct corr_member, b), dir);
                set_before(matrix, k, a, b, verdict);
                if (verdict == 0 && judge_clock(e, dir) != 0) {
                    struct by_clock clock = {flow, a, b, dir, judge_clock(e, dir)};

                    g_array_append_val(f->by_clock, clock);
                }
            }
    }
    g_free(doubtful);
}

static uint32_t rank_of(const struct finder *f, const struct corr_flow *flow, uint32_t station)
{
    uint32_t conv = g_array_index(flow->convs, struct corr_member, station).conv;

    return corr_store_point(f->work->store, corr_result_conv(f->work->result, conv)->point)
        ->settings.rank;
}

/*
 * What the user knows of the order goes before all evidence.  Ranks say nothing of which
 * end of the way a flow begins at: that most pairs tell, else its initiator has the low ranks.
 */
static void flow_rank(struct finder *f, uint32_t flow)
{
    const struct corr_flow *of = corr_result_flow(f->work->result, flow);
    uint32_t k = of->convs->len;
    int votes[2] = {0, 0};

    for (unsigned dir = 0; dir < 2; dir++) {
        const uint64_t *matrix = matrix_of(f->orders, flow, dir, k);

        for (uint32_t a = 0; a < k; a++)
            for (uint32_t b = 0; b < k; b++) {
                uint32_t x = rank_of(f, of, a), y = rank_of(f, of, b);

                if (is_before(matrix, k, a, b) && x != 0 && y != 0 && x != y)
                    votes[dir] += x < y ? 1 : -1;
            }
    }
    f->orders->sound[flow] = 0;
    for (unsigned dir = 0; dir < 2; dir++) {
        uint64_t *matrix = matrix_of(f->orders, flow, dir, k);
        int vote = votes[dir] != 0 ? votes[dir] : votes[!dir] != 0 ? -votes[!dir] : dir ? -1 : 1;

        for (unsigned again = 0; again < 2; again++) {
            for (uint32_t a = 0; a < k; a++)
                for (uint32_t b = 0; b < k; b++) {
                    uint32_t x = rank_of(f, of, a), y = rank_of(f, of, b);

                    if (x != 0 && y != 0 && x != y)
                        set_bit(matrix, k, a, b, (x < y) == (vote > 0));
                }
            /* What follows is added, and may contradict evidence but not the user. */
            if (again == 0)
                closure(matrix, k);
        }
    }
}

/*
 * Pairs of points that a flow leaves open, whatever follows from its evidence.  What the clock
 * tells of the flow begins at `from`; returns where it ends.
 */
static uint32_t flow_open(struct finder *f, uint32_t flow, uint32_t k, uint32_t from)
{
    uint32_t end = from;

    corr_order_pool_begin(f->pool, flow);
#define CLOCK(i) g_array_index(f->by_clock, struct by_clock, i)
    while (end < f->by_clock->len && CLOCK(end).flow == flow)
        end++;
    for (unsigned dir = 0; dir < 2; dir++) {
        memcpy(f->closed, matrix_of(f->orders, flow, dir, k), sizeof *f->closed * k * words_of(k));
        for (uint32_t i = from; i < end; i++)
            if (CLOCK(i).dir == dir)
                set_before(f->closed, k, CLOCK(i).a, CLOCK(i).b, CLOCK(i).verdict);
        closure(f->closed, k);
        for (uint32_t a = 0; !is_total(f->closed, k) && a < k; a++)
            for (uint32_t b = a + 1; b < k; b++)
                if (!is_before(f->closed, k, a, b) && !is_before(f->closed, k, b, a))
                    corr_order_pool_want(f->pool, a, b, dir);
    }
#undef CLOCK
    return end;
}

/* Pairs that the flow itself leaves open are ordered as other flows of its hosts were. */
static void flow_borrow(struct finder *f, uint32_t flow)
{
    uint32_t k = corr_result_flow(f->work->result, flow)->convs->len;

    corr_order_pool_begin(f->pool, flow);
    for (unsigned dir = 0; dir < 2; dir++) {
        uint64_t *matrix = matrix_of(f->orders, flow, dir, k);
        bool sound = closure(matrix, k);

        if (!is_total(matrix, k)) {
            for (uint32_t a = 0; a < k; a++)
                for (uint32_t b = a + 1; b < k; b++)
                    if (!is_before(matrix, k, a, b) && !is_before(matrix, k, b, a))
                        set_before(matrix, k, a, b, corr_order_pool_ask(f->pool, a, b, dir));
            sound = closure(matrix, k);
        }
        if (sound)
            f->orders->sound[flow] |= 1 << dir;
    }
}

/* Flows tell each other only what some flow of the same hosts leaves open. */
static void flows_pool(struct finder *f)
{
    const struct corr_result *result = f->work->result;
    uint32_t n = result->flows->len, clock = 0;

#define STATIONS(flow) corr_result_flow(result, flow)->convs->len
    for (uint32_t i = 0; i < n; i++)
        clock = flow_open(f, i, STATIONS(i), clock);
    for (uint32_t i = 0; i < n; i++)
        flow_tell(f, i, STATIONS(i));
    for (uint32_t i = 0; i < f->by_clock->len; i++) {
        const struct by_clock *one = &g_array_index(f->by_clock, struct by_clock, i);
        uint32_t k = STATIONS(one->flow);

        set_before(matrix_of(f->orders, one->flow, one->dir, k), k, one->a, one->b, one->verdict);
    }
    for (uint32_t i = 0; i < n; i++)
        if (STATIONS(i) > 1)
            flow_borrow(f, i);
#undef STATIONS
}

static bool any_rank(const struct corr_store *store)
{
    for (uint32_t p = 0; p < store->points->len; p++)
        if (corr_store_point(store, p)->settings.rank != 0)
            return true;
    return false;
}

void corr_orders_find(struct corr_work *work)
{
    struct corr_result *result = work->result;
    struct finder f = {.work = work, .orders = g_new0(struct corr_orders, 1)};
    size_t size = 0;
    uint32_t most = 0;

    f.by_clock = g_array_new(FALSE, FALSE, sizeof(struct by_clock));
    f.orders->station = g_new0(uint32_t, result->n_convs + 1);
    f.orders->matrix = g_new0(size_t, result->flows->len + 1);
    for (uint32_t i = 0; i < result->flows->len; i++) {
        const struct corr_flow *flow = corr_result_flow(result, i);
        uint32_t k = flow->convs->len;

        f.orders->matrix[i] = size;
        size += 2 * k * words_of(k);
        most = MAX(most, k);
        for (uint32_t s = 0; s < k; s++)
            f.orders->station[g_array_index(flow->convs, struct corr_member, s).conv] = s;
    }
    f.orders->sound = g_new0(uint8_t, result->flows->len + 1);
    f.orders->before = g_new0(uint64_t, size + 1);
    f.pool = corr_order_pool_new(result, most);
    f.pairs = g_new(struct evidence, (size_t)most * most + 1);
    f.closed = g_new(uint64_t, most * words_of(most) + 1);
    packets_by_flow(&f);
    for (uint32_t i = 0; i < result->flows->len; i++)
        if (corr_result_flow(result, i)->convs->len > 1)
            flow_judge(&f, i);
    flows_pool(&f);
    for (uint32_t i = 0; any_rank(work->store) && i < result->flows->len; i++)
        if (corr_result_flow(result, i)->convs->len > 1)
            flow_rank(&f, i);
    corr_orders_free(result->orders);
    result->orders = f.orders;
    g_free(f.packets);
    g_free(f.packet_first);
    g_array_unref(f.by_clock);
    g_free(f.pairs);
    g_free(f.closed);
    corr_order_pool_free(f.pool);
}

void corr_orders_free(struct corr_orders *orders)
{
    if (orders == NULL)
        return;
    g_free(orders->station);
    g_free(orders->matrix);
    g_free(orders->before);
    g_free(orders->sound);
    g_free(orders);
}

int corr_order_compare(const struct corr_result *result, uint32_t flow, unsigned dir,
                       uint32_t conv_a, uint32_t conv_b)
{
    const struct corr_orders *orders = result->orders;
    uint32_t k, a, b;
    const uint64_t *matrix;

    if (orders == NULL || flow == CORR_NONE || conv_a == conv_b ||
        result->conv_flow[conv_a] != flow || result->conv_flow[conv_b] != flow)
        return 0;
    k = corr_result_flow(result, flow)->convs->len;
    a = orders->station[conv_a];
    b = orders->station[conv_b];
    matrix = matrix_of(orders, flow, dir, k);
    return is_before(matrix, k, a, b) ? -1 : is_before(matrix, k, b, a) ? 1 : 0;
}

bool corr_order_is_sound(const struct corr_result *result, uint32_t flow, unsigned dir)
{
    return result->orders != NULL && flow != CORR_NONE && result->orders->sound[flow] >> dir & 1;
}
