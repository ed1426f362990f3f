/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why were packets lost between two points?  Only what their pattern proves is said;
 * losses at random look like none of these, and keep no cause.
 *
 *     mtu      all that was longer than anything that passed, and might not be cut
 *     queue    lost exactly when the way was fullest: the delay that a packet would
 *              have met is higher for the lost ones than for those that passed
 *     policer  lost exactly when a token bucket of one rate would have been empty, and
 *              the delay did not grow
 *
 * The last two compare the lost packets with the passed ones by rank (Mann-Whitney):
 * how probable is it that a lost one meets more than a passed one?
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "path/verdict.h"
#include "store/select.h"
#include "store/sort.h"

/* One packet that was to go from point p to q. */
struct offer {
    int64_t t_ns, d_ns; /* at p; how much later at q, if it passed */
    uint32_t len, packet, flow_dir;
    bool lost, blocked; /* blocked: lost, with all of its flow */
    bool whole;         /* must not be fragmented */
    bool bare;          /* an acknowledgement alone: thinned out on purpose, perhaps */
    bool drifts;        /* the delay is by clocks that may run apart */
};

/* Packets of one pair of points, or of some of its flows. */
struct offers {
    const struct offer **of;
    uint32_t n, lost;
};

/* Offers beyond these are not asked: the pattern is clear by then. */
#define OFFERS_MAX 50000u
/* The chance that losses at random look so. */
#define UNLIKELY 1e-3
/* A queue's delay rises by this at least, and losses lie in the upper part of it. */
#define QUEUE_LOSSES 3u
#define QUEUE_RISE_NS INT64_C(500000)
#define QUEUE_HIGH 0.5
#define QUEUE_DRIFT 3e-4 /* of the time, where clocks are not known: thrice what they run apart */
#define QUEUE_RANK 0.8
#define QUEUE_SURE 2.7 /* standard deviations */
/* A policer: so many losses, and it let through so many buckets' worth meanwhile. */
#define POLICER_LOSSES 5u
#define POLICER_RANK 0.95
#define POLICER_SURE 3.5
#define POLICER_BUCKETS 3.0
#define POLICER_GROWTH_NS INT64_C(300000)
#define RATES_MAX 48u

/* A value that a packet met, for ranking. */
struct met {
    double value;
    bool lost;
};

static int compare_double(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return a < b ? -1 : a > b;
}

/* How many of some ascending values are below one; sets how many are equal to it. */
static uint32_t values_below(const double *values, uint32_t n, double value, uint32_t *equal)
{
    uint32_t lo = 0, hi = n, end;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (values[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (end = lo; end < n && values[end] == value; end++)
        ;
    *equal = end - lo;
    return lo;
}

/*
 * Pairs of a lost and a passed packet of which the passed one met more; ties count half.
 * Stops beyond `most`.  Lost packets are few: only these are sorted.
 */
static double pairs_reversed(const struct met *met, uint32_t n, double most)
{
    g_autofree double *values = g_new(double, n + 1);
    uint32_t n_lost = 0, equal;
    double pairs = 0;

    for (uint32_t i = 0; i < n; i++)
        if (met[i].lost)
            values[n_lost++] = met[i].value;
    if (n_lost == 0)
        return 0;
    qsort(values, n_lost, sizeof *values, compare_double);
    for (uint32_t i = 0; i < n && pairs <= most; i++)
        if (!met[i].lost && met[i].value >= values[0]) {
            pairs += values_below(values, n_lost, met[i].value, &equal);
            pairs += equal / 2.0;
        }
    return pairs;
}

/*
 * The probability that a lost packet's value is above a passed one's (0.5: no
 * relation), and by how many standard deviations that differs from chance.  0 as
 * soon as it cannot reach `least`: losses at random are seen to be so by few packets.
 */
static double rank_of_lost(const struct met *met, uint32_t n, uint32_t n_lost, double least,
                           double *sure)
{
    double pairs = (double)n_lost * (n - n_lost), reversed;

    *sure = 0;
    if (n_lost == 0 || n_lost == n)
        return 0.5;
    reversed = pairs_reversed(met, n, (1 - least) * pairs);
    if (reversed > (1 - least) * pairs)
        return 0;
    *sure = (pairs / 2 - reversed) / sqrt(pairs * (n + 1) / 12);
    return (pairs - reversed) / pairs;
}

/* What so many in a hundred do not exceed; the values change their places. */
static int64_t quantile(int64_t *values, uint32_t n, unsigned percent)
{
    return corr_select(values, n, (size_t)(n - 1) * percent / 100);
}

/* The delay above the least that a packet would have met: what the last one left, at its time. */
static int64_t waiting(const struct offer *last, int64_t least_ns, int64_t t_ns)
{
    return last == NULL ? 0 : MAX(0, last->d_ns - least_ns - (t_ns - last->t_ns));
}

static int64_t least_delay(const struct offers *offers)
{
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i < offers->n; i++)
        if (!offers->of[i]->lost)
            least = MIN(least, offers->of[i]->d_ns);
    return least;
}

static uint32_t median_lost_len(const struct offers *offers)
{
    int64_t *lens = g_new(int64_t, offers->lost + 1), median;
    uint32_t n = 0;

    for (uint32_t i = 0; i < offers->n; i++)
        if (offers->of[i]->lost)
            lens[n++] = offers->of[i]->len;
    median = quantile(lens, n, 50);
    g_free(lens);
    return (uint32_t)median;
}

static bool is_queue(const struct offers *offers)
{
    int64_t least = least_delay(offers), highest = 0, *lost_ns, low, middle;
    uint32_t n = 0, n_lost = 0, size = median_lost_len(offers) / 2;
    const struct offer *last = NULL;
    struct met *met;
    double sure, rank;

    if (offers->lost < QUEUE_LOSSES || offers->n - offers->lost < QUEUE_LOSSES)
        return false;
    met = g_new(struct met, offers->n);
    lost_ns = g_new(int64_t, offers->lost);
    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];
        int64_t wait = waiting(last, least, o->t_ns);

        /* Small packets may find room where others do not: they are not compared. */
        if (o->lost || o->len >= size)
            met[n++] = (struct met){(double)wait, o->lost};
        if (o->lost) {
            lost_ns[n_lost++] = wait;
        } else {
            highest = MAX(highest, o->d_ns - least);
            last = o;
        }
    }
    rank = rank_of_lost(met, n, n_lost, QUEUE_RANK, &sure);
    middle = quantile(lost_ns, n_lost, 50);
    low = quantile(lost_ns, n_lost, 10);
    g_free(met);
    g_free(lost_ns);
    if (last->drifts && (double)highest < QUEUE_DRIFT * (double)(offers->of[offers->n - 1]->t_ns -
                                                                 offers->of[0]->t_ns))
        return false;
    return highest >= QUEUE_RISE_NS && (double)middle >= QUEUE_HIGH * (double)highest &&
           (double)low >= QUEUE_HIGH * (double)middle && rank >= QUEUE_RANK && sure >= QUEUE_SURE;
}

/*
 * Tokens used of a bucket that is refilled at `rate` per ns, as the packets met it; 0 as soon
 * as it must have been fuller than `most`.
 */
static double bucket_rank(const struct offers *offers, double rate, bool bytes, struct met *met,
                          double most, double *sure)
{
    double used = 0;
    double reversed = (1 - POLICER_RANK) * offers->lost * (offers->n - offers->lost);
    int64_t last = offers->of[0]->t_ns;

    *sure = 0;
    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];
        double size = bytes ? o->len : 1;

        if (i == offers->n / 5 * 2 && pairs_reversed(met, i, reversed) > reversed)
            return 0; /* already these few say no */
        used = MAX(0, used - rate * (double)(o->t_ns - last));
        last = o->t_ns;
        met[i] = (struct met){used + size, o->lost};
        if (o->lost)
            continue;
        used += size;
        if (used > most)
            return 0;
    }
    return rank_of_lost(met, offers->n, offers->lost, POLICER_RANK, sure);
}

/* What passed from one loss to a later one, by its rate: while losses go on, that is the policer's.
 */
static uint32_t rates_guess(const struct offers *offers, bool bytes, double *rates, double *passed)
{
    uint32_t *at = g_new(uint32_t, offers->lost), n = 0, found = 0;
    double *sum = g_new(double, offers->n + 1);

    sum[0] = 0;
    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];

        sum[i + 1] = sum[i] + (o->lost ? 0 : bytes ? o->len : 1);
        if (o->lost)
            at[n++] = i;
    }
    *passed = sum[at[n - 1]] - sum[at[0]];
    for (uint32_t step = n - 1; step > 0 && found < RATES_MAX; step /= 2)
        for (uint32_t i = 0; i + step < n && found < RATES_MAX; i += step) {
            uint32_t from = at[i], to = at[i + step];
            int64_t ns = offers->of[to]->t_ns - offers->of[from]->t_ns;

            if (ns > 0 && to - from >= 3 + step)
                rates[found++] = (sum[to] - sum[from]) / (double)ns;
        }
    g_free(at);
    g_free(sum);
    return found;
}

/* Did the lost packets meet more delay than the others?  Then it was a queue, or something else. */
static bool delay_grew(const struct offers *offers)
{
    int64_t *near = g_new(int64_t, offers->n), *all = g_new(int64_t, offers->n), growth, spread;
    const struct offer *last = NULL;
    uint32_t n_near = 0, n_all = 0;

    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];

        if (!o->lost)
            all[n_all++] = (last = o)->d_ns;
        else if (last != NULL)
            near[n_near++] = last->d_ns;
    }
    growth = n_near == 0 ? 0 : quantile(near, n_near, 50) - quantile(all, n_all, 50);
    spread = quantile(all, n_all, 75) - quantile(all, n_all, 25);
    g_free(near);
    g_free(all);
    return growth > MAX(POLICER_GROWTH_NS, spread / 2);
}

static bool is_policer(const struct offers *offers)
{
    double rates[RATES_MAX], passed, sure;
    struct met *met;
    bool found = false;

    if (offers->lost < POLICER_LOSSES || offers->n - offers->lost < POLICER_LOSSES ||
        delay_grew(offers))
        return false;
    met = g_new(struct met, offers->n);
    for (unsigned bytes = 0; bytes < 2 && !found; bytes++) {
        uint32_t n = rates_guess(offers, bytes, rates, &passed);

        for (uint32_t i = 0; i < n && !found; i++)
            found = bucket_rank(offers, rates[i], bytes, met, passed / POLICER_BUCKETS, &sure) >=
                        POLICER_RANK &&
                    sure >= POLICER_SURE;
    }
    g_free(met);
    return found;
}

static void set_cause(struct corr_judge *j, const struct offer *o, enum corr_cause cause)
{
    struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, o->packet);

    if (packet->cause == CORR_CAUSE_UNKNOWN)
        packet->cause = (uint8_t)cause;
}

/*
 * Only what is too long for the next link and must not be cut is lost, never less
 * (RFC 2923).  Unless an ICMP error said so, chance must be excluded: by so many
 * losses, with passes of shorter ones in between, at the rate at which these are lost.
 */
static void mtu_find(struct corr_judge *j, const struct offers *offers)
{
    uint32_t longest = 0, small = 0, small_lost = 0, episodes = 0;
    bool told = false, in_episode = false;

    for (uint32_t i = 0; i < offers->n; i++)
        if (!offers->of[i]->lost)
            longest = MAX(longest, offers->of[i]->len);
    if (longest == 0)
        return;
    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];
        bool large = o->lost && o->len > longest;

        told |= large && corr_result_packet(j->result, o->packet)->cause == CORR_CAUSE_MTU;
        small += !large;
        small_lost += o->lost && !large;
        episodes += large && !in_episode;
        in_episode = large || (in_episode && o->lost);
    }
    if (!told && (episodes < 2 || pow((small_lost + 1.0) / (small + 2.0), episodes) > UNLIKELY))
        return;
    for (uint32_t i = 0; i < offers->n; i++)
        if (offers->of[i]->lost && offers->of[i]->len > longest && offers->of[i]->whole)
            set_cause(j, offers->of[i], CORR_CAUSE_MTU);
}

static uint32_t unexplained(const struct corr_judge *j, const struct offers *offers)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < offers->n; i++)
        n += offers->of[i]->lost &&
             corr_result_packet(j->result, offers->of[i]->packet)->cause == CORR_CAUSE_UNKNOWN;
    return n;
}

static void set_all(struct corr_judge *j, const struct offers *offers, enum corr_cause cause)
{
    for (uint32_t i = 0; i < offers->n; i++)
        if (offers->of[i]->lost)
            set_cause(j, offers->of[i], cause);
}

/* A policer may mean all flows, those that it met, or one of them. */
static void policer_find(struct corr_judge *j, const struct offers *all)
{
    GHashTable *met = g_hash_table_new(NULL, NULL);
    struct offers some = {g_new(const struct offer *, all->n), 0, all->lost};
    bool found;

    for (uint32_t i = 0; i < all->n; i++)
        if (all->of[i]->lost)
            g_hash_table_add(met, GUINT_TO_POINTER(all->of[i]->flow_dir + 1));
    for (uint32_t i = 0; i < all->n; i++)
        if (g_hash_table_contains(met, GUINT_TO_POINTER(all->of[i]->flow_dir + 1)))
            some.of[some.n++] = all->of[i];
    found = is_policer(&some) || (some.n < all->n && is_policer(all));
    if (found)
        set_all(j, all, CORR_CAUSE_POLICER);
    if (!found && g_hash_table_size(met) > 1) {
        /* By flow, in the order in which their losses come. */
        for (uint32_t i = 0; i < all->n; i++) {
            uint32_t flow_dir = all->of[i]->flow_dir;

            if (!all->of[i]->lost || !g_hash_table_remove(met, GUINT_TO_POINTER(flow_dir + 1)))
                continue;
            some.n = some.lost = 0;
            for (uint32_t k = 0; k < all->n; k++)
                if (all->of[k]->flow_dir == flow_dir) {
                    some.of[some.n++] = all->of[k];
                    some.lost += all->of[k]->lost;
                }
            if (some.lost >= POLICER_LOSSES && is_policer(&some))
                set_all(j, &some, CORR_CAUSE_POLICER);
        }
    }
    g_free(some.of);
    g_hash_table_destroy(met);
}

static void pair_judge(struct corr_judge *j, const struct offer *offers, uint32_t n)
{
    struct offers all = {g_new(const struct offer *, n), 0, 0};

    for (uint32_t i = 0; i < n; i++) {
        all.of[all.n++] = &offers[i];
        all.lost += offers[i].lost;
    }
    mtu_find(j, &all);
    all.n = all.lost = 0;
    for (uint32_t i = 0; i < n && all.n < OFFERS_MAX; i++)
        if (!offers[i].blocked && !offers[i].bare) {
            all.of[all.n++] = &offers[i];
            all.lost += offers[i].lost;
        }
    if (all.lost < all.n && unexplained(j, &all) >= QUEUE_LOSSES) {
        if (is_queue(&all))
            set_all(j, &all, CORR_CAUSE_QUEUE);
        else
            policer_find(j, &all);
    }
    g_free(all.of);
}

static bool offer_less(const struct offer *a, const struct offer *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->packet < b->packet;
}

CORR_SORT_DEFINE(offers_sort, struct offer, offer_less)

static bool is_loss(const struct corr_packet *packet)
{
    return (packet->fate == CORR_FATE_CONFIRMED || packet->fate == CORR_FATE_PROBABLE ||
            packet->fate == CORR_FATE_BLOCKED) &&
           packet->drop_before != CORR_NONE && packet->cause != CORR_CAUSE_CORRUPTION;
}

/* All that went, or was to go, between two points that lost something. */
struct pair {
    uint32_t p, q;
    bool routed;    /* what passes has a smaller TTL behind it */
    GArray *offers; /* struct offer */
};

struct pairs {
    GPtrArray *all;    /* struct pair *, by (p, q) in the end */
    GHashTable *index; /* p << 16 | q -> struct pair * */
};

static gpointer pair_key(uint32_t p, uint32_t q)
{
    return GUINT_TO_POINTER(p << 16 | q);
}

static void pair_free(void *data)
{
    struct pair *pair = data;

    g_array_unref(pair->offers);
    g_free(pair);
}

static int compare_pairs(const void *x, const void *y)
{
    const struct pair *a = *(struct pair *const *)x, *b = *(struct pair *const *)y;

    return a->p != b->p ? (a->p < b->p ? -1 : 1) : a->q < b->q ? -1 : a->q > b->q;
}

static void pairs_collect(const struct corr_judge *j, struct pairs *pairs)
{
    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);
        struct pair pair = {0};

        if (!is_loss(packet))
            continue;
        pair.p =
            corr_result_obs(j->result, corr_result_sighting(j->result, packet->drop_after))->point;
        pair.q = packet->drop_before;
        if (g_hash_table_contains(pairs->index, pair_key(pair.p, pair.q)))
            continue;
        pair.offers = g_array_new(FALSE, FALSE, sizeof(struct offer));
        g_ptr_array_add(pairs->all, g_memdup2(&pair, sizeof pair));
        g_hash_table_insert(pairs->index, pair_key(pair.p, pair.q),
                            g_ptr_array_index(pairs->all, pairs->all->len - 1));
    }
    g_ptr_array_sort(pairs->all, compare_pairs);
}

static struct offer offer_of(const struct corr_packet *packet, uint32_t index,
                             const struct corr_obs *at)
{
    return (struct offer){.t_ns = at->time_ns,
                          .len = at->ip_len,
                          .packet = index,
                          .flow_dir = packet->flow * 2 + packet->dir,
                          .bare = packet->kind == CORR_KIND_TCP && at->len == 0 &&
                                  !(at->tcp_flags & (CORR_TCP_SYN | CORR_TCP_FIN)),
                          .whole = at->have & CORR_HAVE_DF || !(at->have & CORR_HAVE_IP_ID)};
}

/* What a sighting shows to have passed from the point before it, if anything was lost there. */
static void passed_add(const struct corr_judge *j, const struct pairs *pairs,
                       const struct corr_packet *packet, const struct corr_sighting *to)
{
    const struct corr_obs *a, *b;
    struct corr_clock_answer clock;
    struct pair *pair;
    struct offer offer;

    if (to->prev == CORR_NONE || to->duplicate || to->corrupt)
        return;
    a = corr_result_obs(j->result, corr_result_sighting(j->result, to->prev));
    b = corr_result_obs(j->result, to);
    pair = g_hash_table_lookup(pairs->index, pair_key(a->point, b->point));
    if (pair == NULL)
        return;
    pair->routed |= a->have & b->have & CORR_HAVE_IP && a->ttl > b->ttl;
    offer = offer_of(packet, to->packet, a);
    offer.d_ns = b->time_ns - a->time_ns;
    clock = corr_result_clock(j->result, a->point, b->point, a->time_ns);
    if (corr_clock_has_offset(clock.status))
        offer.d_ns -= clock.offset_ns; /* takes drift and steps out of the delays */
    offer.drifts = !corr_clock_has_offset(clock.status);
    g_array_append_val(pair->offers, offer);
}

/* The router that it reached must not send it on; whether it says so, it decides itself: RFC 1812.
 */
static bool has_expired(const struct pair *pair, const struct corr_obs *at)
{
    return pair->routed && at->have & CORR_HAVE_IP && at->ttl <= 1;
}

static void offers_collect(const struct corr_judge *j, const struct pairs *pairs)
{
    for (uint32_t s = 0; s < j->result->sightings->len; s++) {
        const struct corr_sighting *to = corr_result_sighting(j->result, s);

        passed_add(j, pairs, corr_result_packet(j->result, to->packet), to);
    }
    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        struct corr_packet *packet = &g_array_index(j->result->packets, struct corr_packet, i);

        if (is_loss(packet)) {
            const struct corr_obs *at =
                corr_result_obs(j->result, corr_result_sighting(j->result, packet->drop_after));
            const struct pair *pair =
                g_hash_table_lookup(pairs->index, pair_key(at->point, packet->drop_before));
            struct offer offer = offer_of(packet, i, at);

            if (packet->cause == CORR_CAUSE_UNKNOWN && has_expired(pair, at)) {
                packet->cause = CORR_CAUSE_TTL;
                continue;
            }
            offer.lost = true;
            offer.blocked = packet->fate == CORR_FATE_BLOCKED;
            g_array_append_val(pair->offers, offer);
        }
    }
}

void corr_causes_find(struct corr_judge *j)
{
    struct pairs pairs = {g_ptr_array_new_with_free_func(pair_free), g_hash_table_new(NULL, NULL)};

    pairs_collect(j, &pairs);
    if (pairs.all->len > 0)
        offers_collect(j, &pairs);
    for (uint32_t i = 0; i < pairs.all->len; i++) {
        const struct pair *pair = g_ptr_array_index(pairs.all, i);

        offers_sort((struct offer *)pair->offers->data, pair->offers->len);
        pair_judge(j, (const struct offer *)pair->offers->data, pair->offers->len);
    }
    g_ptr_array_unref(pairs.all);
    g_hash_table_destroy(pairs.index);
}
