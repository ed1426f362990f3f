/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content that is practically unique, and the votes that it casts for pairs of local flows. */
#include "match/link.h"
#include "store/hash.h"

/* Of a local flow with more observations than this, every 16th anchor is enough;
 * which ones depends on their content, so that all points choose the same. */
#define SAMPLE_ABOVE 256u
#define SAMPLE_MASK 15u

/* Local flows that are looked at in one run: two for each point, and more of few points ... */
#define FLOWS_MIN 64u
#define FLOWS_MAX 1024u
/* ... and that vote pair by pair. */
#define ALL_PAIRS 8u

/* Bits of evidence that an equal anchor is worth. */
enum {
    BITS_TUPLE = 40,     /* the same 5-tuple at another point */
    BITS_TUPLE_TCP = 24, /* TCP: re-used ports are common, the numbers must agree too */
    BITS_SEQ_ACK = 48,   /* two 32-bit numbers, less for their structure */
    BITS_SYN = 40,       /* one, and nothing else that is random */
    BITS_ID = 16,
    BITS_ID_CONTENT = 32,
    BITS_PAYLOAD_LONG = 40, /* 64 bytes and more, all of them compared */
    BITS_PAYLOAD = 24,
    BITS_PAYLOAD_SHORT = 16,
    BITS_STAMPS = 32, /* both TCP time stamps, whose start is random (RFC 7323, section 5.4) */
    BITS_PREFIX = 20, /* only the first bytes: starts are alike more often than wholes */
};

static void vote_add(struct corr_work *work, GArray *votes, const struct corr_keyed *x,
                     const struct corr_keyed *y, uint8_t bits)
{
    const struct corr_keyed *a = x->conv < y->conv ? x : y;
    const struct corr_keyed *b = a == x ? y : x;
    struct corr_vote vote = {
        .conv_a = a->conv,
        .conv_b = b->conv,
        .obs_a = a->obs,
        .obs_b = b->obs,
        .bits = bits,
        .flip = corr_store_obs(work->store, a->obs)->dir ^ corr_store_obs(work->store, b->obs)->dir,
    };

    g_array_append_val(votes, vote);
}

/* Two looks of one point at one packet, before and after a router (a hairpin, say)? */
static bool passed_router(const struct corr_work *work, uint32_t i, uint32_t k)
{
    const struct corr_obs *a = corr_store_obs(work->store, i), *b = corr_store_obs(work->store, k);

    return a->have & b->have & CORR_HAVE_IP && a->ttl != b->ttl;
}

/*
 * One run of equal keys: the local flows in it vote pairwise; where there are
 * many, neighbour with neighbour (edges compose).  Unless the key is `strong`, a run in which one
 * point shows two local flows proves nothing: nobody can tell which is which.
 */
static void run_vote(struct corr_work *work, GArray *votes, const struct corr_keyed *run, size_t n,
                     uint8_t bits, bool strong)
{
    const struct corr_keyed *firsts[FLOWS_MAX];
    unsigned most = CLAMP(2 * work->store->points->len, FLOWS_MIN, FLOWS_MAX), k = 0;

    for (size_t i = 0; i < n && k < most; i++) {
        unsigned at = 0;

        while (at < k && firsts[at]->conv != run[i].conv)
            at++;
        if (at == k)
            firsts[k++] = &run[i];
    }
    if (k < 2 || (!strong && k == most))
        return;
    for (unsigned i = 0; !strong && i < k; i++)
        for (unsigned j = 0; j < i; j++)
            if (corr_result_conv(work->result, firsts[i]->conv)->point ==
                    corr_result_conv(work->result, firsts[j]->conv)->point &&
                !passed_router(work, firsts[i]->obs, firsts[j]->obs))
                return;
    for (unsigned i = 1; i < k; i++)
        for (unsigned j = k <= ALL_PAIRS ? 0 : i - 1; j < i; j++)
            vote_add(work, votes, firsts[j], firsts[i], bits);
}

static void keys_vote(struct corr_work *work, GArray *keys, GArray *votes, uint8_t bits,
                      bool strong)
{
    const struct corr_keyed *items = (const struct corr_keyed *)keys->data;

    corr_keyed_sort((struct corr_keyed *)keys->data, keys->len);
    for (size_t i = 0, end; i < keys->len; i = end) {
        for (end = i + 1; end < keys->len && items[end].key == items[i].key; end++)
            ;
        if (end - i > 1)
            run_vote(work, votes, &items[i], end - i, bits, strong);
    }
    g_array_set_size(keys, 0);
}

static void key_add(GArray *keys, uint64_t key, uint32_t obs, uint32_t conv)
{
    struct corr_keyed item = {key, obs, conv};

    g_array_append_val(keys, item);
}

static void tuple_vote(const struct corr_work *work, GArray *votes, const struct corr_keyed *x,
                       const struct corr_keyed *y)
{
    const struct corr_conv *a = corr_result_conv(work->result, x->conv);
    struct corr_vote vote = {
        .conv_a = MIN(x->conv, y->conv),
        .conv_b = MAX(x->conv, y->conv),
        .same_tuple = true,
        .flip = x->obs != y->obs,
        .bits = a->proto == 6 ? BITS_TUPLE_TCP : BITS_TUPLE,
    };

    if (a->point != corr_result_conv(work->result, y->conv)->point)
        g_array_append_val(votes, vote);
}

/* Local flows with equal 5-tuples at different points; within a point, contexts tell them apart. */
static void tuples_vote(struct corr_work *work, GArray *votes)
{
    const struct corr_result *result = work->result;
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    struct corr_keyed *items;

    for (uint32_t c = 0; c < result->n_convs; c++) {
        const struct corr_conv *conv = corr_result_conv(result, c);
        uint64_t ends[2];

        for (unsigned e = 0; e < 2; e++)
            ends[e] = corr_hash_mix(corr_hash(conv->end[e].addr.bytes, 16),
                                    (uint64_t)conv->end[e].addr.len << 16 | conv->end[e].port);
        key_add(keys,
                corr_hash_mix(MIN(ends[0], ends[1]) + 3 * MAX(ends[0], ends[1]),
                              (uint64_t)conv->ethertype << 16 | conv->proto << 1 | conv->has_ports),
                ends[0] <= ends[1], c);
    }
    corr_keyed_sort((struct corr_keyed *)keys->data, keys->len);
    items = (struct corr_keyed *)keys->data;
    for (size_t i = 0, end; i < keys->len; i = end) {
        for (end = i + 1; end < keys->len && items[end].key == items[i].key; end++)
            for (size_t k = end - i < ALL_PAIRS ? i : end - 1; k < end; k++)
                tuple_vote(work, votes, &items[k], &items[end]);
    }
    g_array_unref(keys);
}

static uint32_t *conv_sizes(const struct corr_work *work)
{
    uint32_t *sizes = g_new0(uint32_t, work->result->n_convs + 1);

    for (uint32_t i = 0; i < work->store->obs->len; i++)
        sizes[work->result->obs_conv[i]]++;
    return sizes;
}

void corr_anchors_plain(struct corr_work *work, GArray *votes)
{
    const struct corr_store *store = work->store;
    GArray *both = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    GArray *syns = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    uint32_t *sizes = conv_sizes(work);

    tuples_vote(work, votes);
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        uint32_t conv = work->result->obs_conv[i];
        uint64_t key;

        if (!(obs->have & CORR_HAVE_TCP))
            continue;
        key = corr_hash_mix((uint64_t)obs->seq << 32 | obs->ack, obs->tcp_flags & CORR_TCP_SYN);
        if (sizes[conv] > SAMPLE_ABOVE && (key & SAMPLE_MASK) != 0 &&
            !(obs->tcp_flags & CORR_TCP_SYN))
            continue;
        if (obs->tcp_flags & CORR_TCP_ACK)
            key_add(both, key, i, conv);
        else if (obs->tcp_flags & CORR_TCP_SYN)
            key_add(syns, key, i, conv);
    }
    keys_vote(work, both, votes, BITS_SEQ_ACK, true);
    keys_vote(work, syns, votes, BITS_SYN, true);
    g_free(sizes);
    g_array_unref(both);
    g_array_unref(syns);
}

/* Kind and ICMP type; ICMPv6 counts as ICMP, since translators change one into the other. */
static uint64_t kind_key(const struct corr_work *work, const struct corr_obs *obs, uint32_t conv)
{
    uint8_t proto = corr_result_conv(work->result, conv)->proto;

    if (obs->kind == CORR_KIND_ECHO)
        return (uint64_t)CORR_KIND_ECHO << 40 | (uint64_t)obs->dir << 32;
    if (proto == 58)
        proto = 1;
    return (uint64_t)obs->kind << 40 | (uint64_t)proto << 32 | (uint64_t)obs->icmp_type << 8 |
           obs->icmp_code;
}

/* What an ICMP error quotes, as far as no translator changes it. */
static uint64_t quote_key(const struct corr_store *store, const struct corr_obs *obs)
{
    const struct corr_quote *quote = &corr_store_extra(store, obs)->quote;

    return corr_hash_mix((uint64_t)quote->ip_id << 16 | quote->proto,
                         (uint64_t)quote->ip_len << 32 | quote->seq);
}

void corr_anchors_payload(struct corr_work *work, const bool *wanted, GArray *votes)
{
    const struct corr_store *store = work->store;
    enum { ID, ID_CONTENT, LONG, MIDDLE, SHORT, PREFIX, STAMPS, N };
    static const uint8_t bits[N] = {BITS_ID,      BITS_ID_CONTENT,    BITS_PAYLOAD_LONG,
                                    BITS_PAYLOAD, BITS_PAYLOAD_SHORT, BITS_PREFIX,
                                    BITS_STAMPS};
    GArray *keys[N];
    uint32_t *sizes = conv_sizes(work);

    for (unsigned k = 0; k < N; k++)
        keys[k] = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        uint32_t conv = work->result->obs_conv[i];
        uint64_t kind;
        bool sampled = sizes[conv] > SAMPLE_ABOVE;

        if (!wanted[conv] || obs->kind == CORR_KIND_L2 || obs->kind == CORR_KIND_FRAGMENT)
            continue;
        kind = kind_key(work, obs, conv);
        if (obs->kind == CORR_KIND_ECHO)
            kind = corr_hash_mix(kind, obs->seq);
        if (obs->kind == CORR_KIND_ICMP_ERROR && obs->have & CORR_HAVE_QUOTE) {
            /* The quoted addresses are translated too (RFC 5508): leave them out. */
            kind = corr_hash_mix(kind, quote_key(store, obs));
            key_add(keys[ID_CONTENT], corr_hash_mix(kind, obs->ip_id), i, conv);
            key_add(keys[MIDDLE], kind, i, conv);
            continue;
        }
        if (obs->have & CORR_HAVE_TS && obs->tsecr != 0 &&
            (!sampled || (corr_hash_mix(obs->tsval, obs->tsecr) & SAMPLE_MASK) == 0))
            key_add(keys[STAMPS],
                    corr_hash_mix(corr_hash_mix(kind, obs->len),
                                  (uint64_t)obs->tsval << 32 | obs->tsecr),
                    i, conv);
        if (obs->len == 0 || !(obs->have & CORR_HAVE_D8))
            continue;
        kind = corr_hash_mix(kind, obs->have & CORR_HAVE_LEN ? obs->len : 0);
        if (sampled && (corr_hash_mix(kind, obs->d8) & SAMPLE_MASK) != 0)
            continue;
        if (obs->have & CORR_HAVE_IP_ID && obs->ip_id != 0)
            key_add(keys[obs->len >= 8 && !obs->weak ? ID_CONTENT : ID],
                    corr_hash_mix(corr_hash_mix(kind, obs->ip_id), obs->d8), i, conv);
        if (obs->weak)
            continue;
        if (obs->cap_level == CORR_LEVEL_FULL && obs->len >= 8)
            key_add(keys[obs->len >= 64   ? LONG
                         : obs->len >= 16 ? MIDDLE
                                          : SHORT],
                    corr_hash_mix(kind, obs->dfull), i, conv);
        if (obs->have & CORR_HAVE_D32 && obs->len > 32)
            key_add(keys[PREFIX], corr_hash_mix(kind, obs->d32), i, conv);
    }
    for (unsigned k = 0; k < N; k++) {
        keys_vote(work, keys[k], votes, bits[k], false);
        g_array_unref(keys[k]);
    }
    g_free(sizes);
}
