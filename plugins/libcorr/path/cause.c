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

/* One packet that was to go from p to q. */
struct offer {
    uint32_t p, q;
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

/* A value that lost packets met, and how many met it, or less than it but more than the last. */
struct rank {
    double value;
    uint32_t lost, equal, below; /* lost ones; passed ones */
};

/* The values of lost packets, ascending, each once; returns their number. */
static uint32_t ranks_begin(const struct met *met, uint32_t n, uint32_t lost, struct rank *ranks)
{
    g_autofree double *values = g_new(double, lost + 1);
    uint32_t n_values = 0, n_ranks = 0;

    for (uint32_t i = 0; i < n; i++)
        if (met[i].lost)
            values[n_values++] = met[i].value;
    qsort(values, n_values, sizeof *values, compare_double);
    for (uint32_t i = 0; i < n_values; i++) {
        if (n_ranks == 0 || ranks[n_ranks - 1].value != values[i])
            ranks[n_ranks++] = (struct rank){.value = values[i]};
        ranks[n_ranks - 1].lost++;
    }
    return n_ranks;
}

/*
 * The probability that a lost packet's value is above a passed one's (0.5: no
 * relation), and by how many standard deviations that differs from chance.  Lost
 * packets are few: only these are sorted.
 */
static double rank_of_lost(const struct met *met, uint32_t n, double *sure)
{
    uint32_t n_lost = 0, n_ranks, before = 0;
    g_autofree struct rank *ranks = NULL;
    double sum = 0, lost, passed;

    for (uint32_t i = 0; i < n; i++)
        n_lost += met[i].lost;
    lost = n_lost;
    passed = n - n_lost;
    *sure = 0;
    if (n_lost == 0 || n_lost == n)
        return 0.5;
    ranks = g_new(struct rank, n_lost);
    n_ranks = ranks_begin(met, n, n_lost, ranks);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t lo = 0, hi = n_ranks;

        while (!met[i].lost && lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;

            if (ranks[mid].value < met[i].value)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (met[i].lost || lo == n_ranks)
            continue;
        if (ranks[lo].value == met[i].value)
            ranks[lo].equal++;
        else
            ranks[lo].below++;
    }
    for (uint32_t i = 0; i < n_ranks; i++) {
        uint32_t begin = before + ranks[i].below, end = begin + ranks[i].equal + ranks[i].lost;

        /* Ranks count from 1. */
        sum += ranks[i].lost * ((double)(begin + end + 1) / 2);
        before = end;
    }
    sum -= lost * (lost + 1) / 2;
    *sure = (sum - lost * passed / 2) / sqrt(lost * passed * (n + 1) / 12);
    return sum / (lost * passed);
}

static int compare_ns(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

static int64_t quantile(int64_t *values, uint32_t n, unsigned percent)
{
    qsort(values, n, sizeof *values, compare_ns);
    return values[(uint64_t)(n - 1) * percent / 100];
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
    rank = rank_of_lost(met, n, &sure);
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

/* Tokens used of a bucket that is refilled at `rate` per ns, as the packets met it. */
static double bucket_rank(const struct offers *offers, double rate, bool bytes, struct met *met,
                          double *sure, double *fullest)
{
    double used = 0;
    int64_t last = offers->of[0]->t_ns;

    *fullest = 0;
    for (uint32_t i = 0; i < offers->n; i++) {
        const struct offer *o = offers->of[i];
        double size = bytes ? o->len : 1;

        used = MAX(0, used - rate * (double)(o->t_ns - last));
        last = o->t_ns;
        met[i] = (struct met){used + size, o->lost};
        if (o->lost)
            continue;
        used += size;
        *fullest = MAX(*fullest, used);
    }
    return rank_of_lost(met, offers->n, sure);
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
    double rates[RATES_MAX], passed, sure, fullest;
    struct met *met;
    bool found = false;

    if (offers->lost < POLICER_LOSSES || offers->n - offers->lost < POLICER_LOSSES ||
        delay_grew(offers))
        return false;
    met = g_new(struct met, offers->n);
    for (unsigned bytes = 0; bytes < 2 && !found; bytes++) {
        uint32_t n = rates_guess(offers, bytes, rates, &passed);

        for (uint32_t i = 0; i < n && !found; i++)
            found = bucket_rank(offers, rates[i], bytes, met, &sure, &fullest) >= POLICER_RANK &&
                    sure >= POLICER_SURE && passed >= POLICER_BUCKETS * fullest;
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
    found = is_policer(&some) || is_policer(all);
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

static int compare_offers(const void *x, const void *y)
{
    const struct offer *a = x, *b = y;

    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    if (a->q != b->q)
        return a->q < b->q ? -1 : 1;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    return a->packet < b->packet ? -1 : a->packet > b->packet;
}

static bool is_loss(const struct corr_packet *packet)
{
    return (packet->fate == CORR_FATE_CONFIRMED || packet->fate == CORR_FATE_PROBABLE ||
            packet->fate == CORR_FATE_BLOCKED) &&
           packet->drop_before != CORR_NONE && packet->cause != CORR_CAUSE_CORRUPTION;
}

static struct offer offer_of(const struct corr_judge *j, uint32_t index, const struct corr_obs *at,
                             uint32_t q)
{
    const struct corr_packet *packet = corr_result_packet(j->result, index);

    return (struct offer){.p = at->point,
                          .q = q,
                          .t_ns = at->time_ns,
                          .len = at->ip_len,
                          .packet = index,
                          .flow_dir = packet->flow * 2 + packet->dir,
                          .bare = packet->kind == CORR_KIND_TCP && at->len == 0 &&
                                  !(at->tcp_flags & (CORR_TCP_SYN | CORR_TCP_FIN)),
                          .whole = at->have & CORR_HAVE_DF || !(at->have & CORR_HAVE_IP_ID)};
}

/* Everything that went, or was to go, between two points that lost something. */
static GArray *offers_collect(const struct corr_judge *j)
{
    GArray *offers = g_array_new(FALSE, FALSE, sizeof(struct offer));
    GHashTable *pairs = g_hash_table_new(NULL, NULL);

    for (uint32_t i = 0; i < j->result->packets->len; i++) {
        const struct corr_packet *packet = corr_result_packet(j->result, i);
        const struct corr_obs *at;
        struct offer offer;

        if (!is_loss(packet))
            continue;
        at = corr_result_obs(j->result, corr_result_sighting(j->result, packet->drop_after));
        offer = offer_of(j, i, at, packet->drop_before);
        offer.lost = true;
        offer.blocked = packet->fate == CORR_FATE_BLOCKED;
        g_array_append_val(offers, offer);
        g_hash_table_add(pairs, GUINT_TO_POINTER(offer.p << 16 | offer.q));
    }
    for (uint32_t s = 0; s < j->result->sightings->len && g_hash_table_size(pairs) > 0; s++) {
        const struct corr_sighting *to = corr_result_sighting(j->result, s);
        const struct corr_obs *a, *b;
        struct corr_clock_answer clock;
        struct offer offer;

        if (to->prev == CORR_NONE || to->duplicate || to->corrupt)
            continue;
        a = corr_result_obs(j->result, corr_result_sighting(j->result, to->prev));
        b = corr_result_obs(j->result, to);
        if (!g_hash_table_contains(pairs, GUINT_TO_POINTER((uint32_t)a->point << 16 | b->point)))
            continue;
        offer = offer_of(j, to->packet, a, b->point);
        offer.d_ns = b->time_ns - a->time_ns;
        clock = corr_result_clock(j->result, a->point, b->point, a->time_ns);
        if (corr_clock_has_offset(clock.status))
            offer.d_ns -= clock.offset_ns; /* takes drift and steps out of the delays */
        offer.drifts = !corr_clock_has_offset(clock.status);
        g_array_append_val(offers, offer);
    }
    g_hash_table_destroy(pairs);
    g_array_sort(offers, compare_offers);
    return offers;
}

void corr_causes_find(struct corr_judge *j)
{
    GArray *offers = offers_collect(j);
    const struct offer *all = (const struct offer *)(void *)offers->data;

    for (uint32_t i = 0, end; i < offers->len; i = end) {
        for (end = i; end < offers->len && all[end].p == all[i].p && all[end].q == all[i].q;)
            end++;
        pair_judge(j, &all[i], end - i);
    }
    g_array_unref(offers);
}
