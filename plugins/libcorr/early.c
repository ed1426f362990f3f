/* SPDX-License-Identifier: GPL-2.0-or-later */
/* early.c - what the past tells about a frame of a live capture when it comes. */
#include "early.h"

#include <string.h>

#include "match/link.h"
#include "path/nat_text.h"
#include "path/order.h"
#include "store/hash.h"

#define MASK (CORR_EARLY_WINDOW - 1)
#define HEADS (2 * CORR_EARLY_WINDOW)

/* Candidates with equal numbers that are looked at; more are a storm of equal packets. */
#define CANDIDATES 16u

/* Evidence that one equal packet is worth, in bits: as in match/anchors.c. */
enum {
    BITS_TUPLE = 40,
    BITS_TUPLE_TCP = 24,
    BITS_SEQ_ACK = 48,
    BITS_SYN = 40,
    BITS_STAMPS = 32,
    BITS_ID = 16,
    BITS_LONG = 40,
    BITS_MIDDLE = 24,
    BITS_SHORT = 16,
    BITS_NEEDED = 56,
    BITS_NEEDED_ELSEWHERE = 96, /* neither address survived */
};

/* How long clocks that were compared are taken to go on as they did. */
#define CLOCK_KEEPS_NS INT64_C(10000000000)

/* An observation in the window. */
struct entry {
    uint64_t key;    /* of what no translation changes; 0: not compared */
    uint32_t older;  /* observation whose key has the same head; CORR_NONE */
    uint32_t same;   /* the packet's sighting before this one; CORR_NONE */
    uint32_t number; /* of the packet; 0: unknown */
};

/* Order of two points for packets from, or to, a host: 1 p before q, -1 after, 0 both occur. */
struct order_key {
    uint32_t p, q;
    struct corr_addr host;
    uint8_t to;
};

struct corr_early {
    struct entry *entries; /* of observation i: [i & MASK] */
    uint32_t *heads;
    uint32_t fed;     /* observations that were taken in */
    uint32_t numbers; /* the highest number */

    /* of the last result: */
    uint32_t *conv_last; /* local flow of the store -> its newest one after splitting */
    uint32_t n_convs, n_points;
    int64_t *until_ns;  /* point -> its newest time */
    GHashTable *orders; /* struct order_key -> int + 2 */
};

static guint order_hash(const void *key)
{
    return (guint)corr_hash(key, sizeof(struct order_key));
}

static gboolean order_equal(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct order_key)) == 0;
}

struct corr_early *corr_early_new(void)
{
    struct corr_early *early = g_new0(struct corr_early, 1);

    early->entries = g_new0(struct entry, CORR_EARLY_WINDOW);
    early->heads = g_new(uint32_t, HEADS);
    for (uint32_t i = 0; i < HEADS; i++)
        early->heads[i] = CORR_NONE;
    early->orders = g_hash_table_new_full(order_hash, order_equal, g_free, NULL);
    return early;
}

void corr_early_free(struct corr_early *early)
{
    if (early == NULL)
        return;
    g_hash_table_destroy(early->orders);
    g_free(early->entries);
    g_free(early->heads);
    g_free(early->conv_last);
    g_free(early->until_ns);
    g_free(early);
}

/* -- which earlier frame shows the same packet ------------------------------------------------- */

/* What stays the same on the way; 0: too little, or of a kind that is joined by settling only. */
static uint64_t key_of(const struct corr_obs *obs)
{
    uint64_t key = (uint64_t)obs->kind << 32 | obs->len;

    if (!(obs->have & CORR_HAVE_LEN) || obs->have & CORR_HAVE_FRAG)
        return 0;
    switch (obs->kind) {
    case CORR_KIND_TCP:
        if (!(obs->have & CORR_HAVE_TCP))
            return 0;
        key = corr_hash_mix(key, (uint64_t)obs->seq << 32 | obs->ack);
        key = corr_hash_mix(key, (uint64_t)obs->tcp_flags << 16 | obs->window);
        if (obs->have & CORR_HAVE_TS)
            key = corr_hash_mix(key, (uint64_t)obs->tsval << 32 | obs->tsecr);
        break;
    case CORR_KIND_UDP:
        if (obs->len == 0 || !(obs->have & CORR_HAVE_D8))
            return 0;
        key = corr_hash_mix(key, obs->d8);
        break;
    case CORR_KIND_ECHO:
        key = corr_hash_mix(key, (uint64_t)obs->seq << 8 | obs->icmp_type);
        break;
    default:
        return 0;
    }
    return key != 0 ? key : 1;
}

static bool has_id(const struct corr_obs *obs)
{
    return obs->have & CORR_HAVE_IP_ID && obs->ip_id != 0;
}

/* What equal content is worth, however the addresses differ. */
static unsigned content_bits(const struct corr_obs *obs, const struct corr_obs *other)
{
    unsigned bits = 0;

    if (obs->kind == CORR_KIND_TCP) {
        bits = obs->tcp_flags & CORR_TCP_ACK ? BITS_SEQ_ACK : BITS_SYN;
        if (obs->have & CORR_HAVE_TS && obs->tsecr != 0)
            bits += BITS_STAMPS;
    }
    if (has_id(obs) && has_id(other))
        bits += BITS_ID;
    if (!obs->weak && MIN(obs->cap_level, other->cap_level) == CORR_LEVEL_FULL)
        bits += obs->len >= 64   ? BITS_LONG
                : obs->len >= 16 ? BITS_MIDDLE
                : obs->len >= 8  ? BITS_SHORT
                                 : 0;
    return bits;
}

static uint32_t flow_of(const struct corr_early *early, const struct corr_result *result,
                        const struct corr_obs *obs)
{
    if (result == NULL || obs->conv >= early->n_convs || early->conv_last[obs->conv] == CORR_NONE)
        return CORR_NONE;
    return result->conv_flow[early->conv_last[obs->conv]];
}

static bool is_evidence(const struct corr_early *early, const struct corr_store *store,
                        const struct corr_result *result, const struct corr_obs *obs,
                        const struct corr_obs *other)
{
    uint32_t flow = flow_of(early, result, obs), flow_other = flow_of(early, result, other);
    struct corr_tuple a = corr_tuple_of(store, obs), b = corr_tuple_of(store, other);
    unsigned bits = content_bits(obs, other), needed = BITS_NEEDED;

    if (flow != CORR_NONE && flow_other != CORR_NONE)
        return flow == flow_other && bits > 0;
    if (corr_conv_scoped(corr_store_conv(store, obs->conv)))
        return false;
    if (corr_tuple_equal(&a, &b))
        bits += obs->kind == CORR_KIND_TCP ? BITS_TUPLE_TCP : BITS_TUPLE;
    else if (!corr_addr_equal(&a.src->addr, &b.src->addr) &&
             !corr_addr_equal(&a.dst->addr, &b.dst->addr))
        needed = BITS_NEEDED_ELSEWHERE;
    return bits >= needed;
}

/*
 * The newest earlier sighting of the packet, or CORR_NONE; *sure tells whether that is all there
 * is to say.  Of equal packets, those that the sender numbered otherwise are other ones.
 */
static uint32_t find_same(const struct corr_early *early, const struct corr_store *store,
                          const struct corr_result *result, uint32_t i, uint64_t key, bool *sure)
{
    const struct corr_obs *obs = corr_store_obs(store, i);
    uint32_t at = early->heads[key % HEADS], best = CORR_NONE, points[CANDIDATES], n = 0;

    *sure = true;
    for (; at != CORR_NONE && at + CORR_EARLY_WINDOW > i; at = early->entries[at & MASK].older) {
        const struct entry *entry = &early->entries[at & MASK];
        const struct corr_obs *other = corr_store_obs(store, at);
        bool known;

        if (entry->key != key || !corr_obs_same_content(obs, other, &known))
            continue;
        if (has_id(obs) && has_id(other) && obs->ip_id != other->ip_id) {
            /* A translator that writes identifications anew would look the same. */
            *sure &= other->point == obs->point;
            continue;
        }
        *sure &= n < CANDIDATES && other->point != obs->point &&
                 is_evidence(early, store, result, obs, other) && entry->number != 0 &&
                 (best == CORR_NONE || entry->number == early->entries[best & MASK].number);
        for (uint32_t k = 0; k < n && *sure; k++)
            *sure &= points[k] != other->point;
        if (!*sure)
            return CORR_NONE;
        points[n++] = other->point;
        if (best == CORR_NONE)
            best = at;
    }
    return best;
}

void corr_early_feed(struct corr_early *early, const struct corr_store *store,
                     const struct corr_result *result)
{
    uint32_t n = store->obs->len;

    if (n < early->fed) { /* frames were taken back */
        for (uint32_t i = 0; i < HEADS; i++)
            early->heads[i] = CORR_NONE;
        early->fed = n;
    }
    if (n - early->fed > CORR_EARLY_WINDOW)
        early->fed = n - CORR_EARLY_WINDOW;
    for (uint32_t i = early->fed; i < n; i++) {
        struct entry *entry = &early->entries[i & MASK];
        uint64_t key = key_of(corr_store_obs(store, i));
        uint32_t *head = &early->heads[key % HEADS];
        bool sure = key != 0;

        *entry = (struct entry){.key = key, .older = CORR_NONE, .same = CORR_NONE};
        if (key == 0)
            continue;
        entry->same = find_same(early, store, result, i, key, &sure);
        if (entry->same != CORR_NONE)
            entry->number = early->entries[entry->same & MASK].number;
        else if (sure)
            entry->number = ++early->numbers;
        entry->older = *head;
        *head = i;
    }
    early->fed = n;
}

/* -- what settling knows ----------------------------------------------------------------------- */

static void learn_order(struct corr_early *early, uint32_t p, uint32_t q,
                        const struct corr_addr *host, bool to, int order)
{
    struct order_key key;
    void *known;

    memset(&key, 0, sizeof key); /* padding is hashed */
    key.p = MIN(p, q);
    key.q = MAX(p, q);
    key.host.len = host->len;
    memcpy(key.host.bytes, host->bytes, sizeof key.host.bytes);
    key.to = to;
    if (p > q)
        order = -order;
    known = g_hash_table_lookup(early->orders, &key);
    if (known == NULL)
        g_hash_table_insert(early->orders, g_memdup2(&key, sizeof key), GINT_TO_POINTER(order + 2));
    else if (GPOINTER_TO_INT(known) != order + 2)
        g_hash_table_insert(early->orders, g_memdup2(&key, sizeof key), GINT_TO_POINTER(2));
}

/* 1: packets from (`to`: to) the host pass p before q. */
static int order_known(const struct corr_early *early, uint32_t p, uint32_t q,
                       const struct corr_addr *host, bool to)
{
    struct order_key key;
    int order;

    memset(&key, 0, sizeof key);
    key.p = MIN(p, q);
    key.q = MAX(p, q);
    key.host.len = host->len;
    memcpy(key.host.bytes, host->bytes, sizeof key.host.bytes);
    key.to = to;
    order = GPOINTER_TO_INT(g_hash_table_lookup(early->orders, &key));
    order = order == 0 ? 0 : order - 2;
    return p > q ? -order : order;
}

static void learn_flow(struct corr_early *early, const struct corr_result *result, uint32_t flow)
{
    const GArray *members = corr_result_flow(result, flow)->convs;

    if (members->len > CORR_EARLY_MAX)
        return;
    for (unsigned i = 0; i < members->len; i++)
        for (unsigned k = 0; k < i; k++) {
            const struct corr_member *a = &g_array_index(members, struct corr_member, i);
            const struct corr_member *b = &g_array_index(members, struct corr_member, k);
            const struct corr_conv *at = corr_result_conv(result, a->conv);
            const struct corr_conv *by = corr_result_conv(result, b->conv);

            for (unsigned dir = 0; dir < 2 && at->point != by->point; dir++) {
                int order = corr_order_compare(result, flow, dir, a->conv, b->conv);
                unsigned d = dir ^ a->flip, e = dir ^ b->flip;

                if (order == 0)
                    continue;
                learn_order(early, at->point, by->point, &at->end[d].addr, false, -order);
                learn_order(early, at->point, by->point, &at->end[!d].addr, true, -order);
                learn_order(early, at->point, by->point, &by->end[e].addr, false, -order);
                learn_order(early, at->point, by->point, &by->end[!e].addr, true, -order);
            }
        }
}

static void take_numbers(struct corr_early *early, const struct corr_result *result)
{
    uint32_t n = MIN(early->fed, result->n_obs);

    for (uint32_t i = n - MIN(n, CORR_EARLY_WINDOW); i < n; i++) {
        struct entry *entry = &early->entries[i & MASK];

        if (entry->key != 0 && result->obs_first[i] < result->obs_first[i + 1])
            entry->number =
                corr_result_sighting(result, result->obs_sightings[result->obs_first[i]])->packet +
                1;
    }
    early->numbers = result->packets->len;
}

void corr_early_learn(struct corr_early *early, const struct corr_result *result, bool renumber)
{
    const struct corr_store *store = result->store;

    g_hash_table_remove_all(early->orders);
    early->n_convs = store->convs->len;
    early->n_points = store->points->len;
    g_free(early->conv_last);
    g_free(early->until_ns);
    early->conv_last = g_new(uint32_t, early->n_convs + 1);
    early->until_ns = g_new(int64_t, early->n_points + 1);
    for (uint32_t i = 0; i < early->n_convs; i++)
        early->conv_last[i] = CORR_NONE;
    for (uint32_t i = 0; i < early->n_points; i++)
        early->until_ns[i] = INT64_MIN;
    for (uint32_t i = 0; i < result->n_obs; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);

        early->conv_last[obs->conv] = result->obs_conv[i];
        early->until_ns[obs->point] = MAX(early->until_ns[obs->point], obs->time_ns);
    }
    for (uint32_t flow = 0; flow < result->flows->len; flow++)
        learn_flow(early, result, flow);
    if (renumber) {
        corr_early_feed(early, store, result);
        take_numbers(early, result);
    }
}

/* -1: a was passed first; 1: b; 0: unknown. */
static int compare(const struct corr_early *early, const struct corr_store *store,
                   const struct corr_result *result, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(store, i), *b = corr_store_obs(store, k);
    uint32_t flow = flow_of(early, result, a);
    int from, to, order = 0;

    if (flow != CORR_NONE && flow == flow_of(early, result, b)) {
        uint32_t conv = early->conv_last[a->conv];

        order = corr_order_compare(result, flow, a->dir ^ result->conv_flip[conv], conv,
                                   early->conv_last[b->conv]);
    }
    if (order != 0)
        return order;
    from = order_known(early, a->point, b->point, &corr_store_src(store, a)->addr, false);
    to = order_known(early, a->point, b->point, &corr_store_dst(store, a)->addr, true);
    if (from != 0 && to != 0 && from != to)
        return 0;
    return from != 0 ? -from : -to;
}

/* -- answers ----------------------------------------------------------------------------------- */

static const struct entry *entry_of(const struct corr_early *early, uint32_t obs)
{
    return obs < early->fed && obs + CORR_EARLY_WINDOW >= early->fed ? &early->entries[obs & MASK]
                                                                     : NULL;
}

uint32_t corr_early_number(const struct corr_early *early, uint32_t obs)
{
    const struct entry *entry = entry_of(early, obs);

    return entry != NULL ? entry->number : 0;
}

unsigned corr_early_sightings(const struct corr_early *early, const struct corr_store *store,
                              const struct corr_result *result, uint32_t obs,
                              uint32_t sightings[CORR_EARLY_MAX], bool *ordered)
{
    unsigned n = 0;

    *ordered = true;
    for (const struct entry *entry;
         obs != CORR_NONE && n < CORR_EARLY_MAX && (entry = entry_of(early, obs)) != NULL;
         obs = entry->same)
        sightings[n++] = obs;
    for (unsigned i = 0; i < n / 2; i++) {
        uint32_t swap = sightings[i];

        sightings[i] = sightings[n - 1 - i];
        sightings[n - 1 - i] = swap;
    }
    for (unsigned i = 1; i < n && *ordered; i++) { /* by insertion: there are few */
        uint32_t own = sightings[i];
        unsigned k = i;

        for (; k > 0 && compare(early, store, result, own, sightings[k - 1]) < 0; k--)
            sightings[k] = sightings[k - 1];
        sightings[k] = own;
        for (k = 1; k <= i; k++)
            *ordered &= compare(early, store, result, sightings[k - 1], sightings[k]) < 0;
    }
    return n;
}

bool corr_early_expects(const struct corr_early *early, const struct corr_store *store,
                        const struct corr_result *result, uint32_t obs)
{
    const struct corr_obs *own = corr_store_obs(store, obs);
    uint32_t flow = flow_of(early, result, own), conv;
    const GArray *members;

    if (flow == CORR_NONE)
        return false;
    conv = early->conv_last[own->conv];
    members = corr_result_flow(result, flow)->convs;
    for (unsigned i = 0; i < members->len; i++)
        if (corr_order_compare(result, flow, own->dir ^ result->conv_flip[conv], conv,
                               g_array_index(members, struct corr_member, i).conv) < 0)
            return true;
    return false;
}

struct corr_latency corr_early_latency(const struct corr_early *early,
                                       const struct corr_result *result, uint32_t from, uint32_t to)
{
    const uint32_t both[] = {from, to};

    if (result == NULL)
        return (struct corr_latency){0};
    for (unsigned i = 0; i < 2; i++) {
        const struct corr_obs *obs = corr_store_obs(result->store, both[i]);

        if (obs->point >= early->n_points || early->until_ns[obs->point] == INT64_MIN)
            return (struct corr_latency){0};
        if (corr_result_correction(result, from, to).status == CORR_CLOCK_BOUNDED &&
            obs->time_ns - early->until_ns[obs->point] > CLOCK_KEEPS_NS)
            return (struct corr_latency){0};
    }
    return corr_result_delay(result, from, to);
}
