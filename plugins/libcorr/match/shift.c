/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers that rewrite addresses in a payload (FTP, SIP) change its length: from
 * there on, the stream's sequence numbers are shifted.  What is added to them is
 * constant in pieces; where pieces meet lies the segment that was rewritten.
 *
 * Segments of equal content at two local flows tell the difference of their
 * numbers.  A new difference counts if two segments in a row show it, or if the
 * rewritten segment is found: its length changed by as much.  Where nothing follows
 * the rewritten segment, other bytes at the same place give it away.
 */
#include <stdlib.h>

#include "match/shift.h"
#include "store/hash.h"

/* Payload of one segment on links without jumbo frames. */
#define SEGMENT_MAX 1460
/* A helper adds or removes some digits of an address, not more than a segment. */
#define SHIFT_MAX 65536
/* Shorter content says little. */
#define CONTENT_MIN 4u
/* Breaks in one stream that are looked for, right ones and others. */
#define BREAKS_MAX 64u

struct corr_break {
    uint32_t at;    /* from this sequence number on, as the local flow shows it ... */
    uint32_t delta; /* ... so much is to be subtracted */
};

/* Where the stream of a local flow's direction is shifted, by position. */
struct corr_shift {
    uint32_t first, n; /* breaks[first .. first + n) */
};

struct corr_shifts {
    GArray *breaks;     /* struct corr_break */
    GHashTable *by_way; /* local flow * 2 + direction -> index + 1 into shifts */
    GArray *shifts;     /* struct corr_shift */
};

void corr_shifts_free(struct corr_shifts *shifts)
{
    if (shifts == NULL)
        return;
    g_array_unref(shifts->breaks);
    g_array_unref(shifts->shifts);
    g_hash_table_destroy(shifts->by_way);
    g_free(shifts);
}

uint32_t corr_shift_place(const struct corr_work *work, uint32_t conv, unsigned dir, uint32_t seq)
{
    const struct corr_shifts *all = work->shifts;
    uint32_t index =
        GPOINTER_TO_UINT(g_hash_table_lookup(all->by_way, GUINT_TO_POINTER(conv * 2 + dir)));
    uint32_t place = seq - work->dseq[conv][dir];
    const struct corr_shift *shift;

    if (index == 0)
        return place;
    shift = &g_array_index(all->shifts, struct corr_shift, index - 1);
    for (uint32_t b = shift->first; b < shift->first + shift->n; b++) {
        const struct corr_break *at = &g_array_index(all->breaks, struct corr_break, b);

        if ((int32_t)(seq - at->at) < 0) {
            /* Inside a segment that grew, nothing lies behind its end. */
            uint32_t end = at->at - at->delta;

            return (int32_t)(place - end) > 0 ? end : place;
        }
        place = seq - at->delta;
    }
    return place;
}

/* Do two segments begin with other bytes, as far as both prefixes tell? */
static bool beginnings_differ(const struct corr_obs *a, const struct corr_obs *b)
{
    uint32_t both = a->have & b->have, len = MIN(a->len, b->len);

    return (both & CORR_HAVE_D8 && len >= 8 && a->d8 != b->d8) ||
           (both & CORR_HAVE_D32 && len >= 32 && a->d32 != b->d32) ||
           (both & CORR_HAVE_D128 && len >= 128 && a->d128 != b->d128);
}

bool corr_shift_suspected(const struct corr_work *work, const struct corr_range *ranges, uint32_t n)
{
    const struct corr_range *widest = &ranges[0];

    for (uint32_t i = 1; i < n; i++) {
        const struct corr_range *range = &ranges[i];

        if (range->from < widest->to && range->to > widest->to &&
            range->to - range->from <= SEGMENT_MAX &&
            work->result->obs_conv[range->obs] != work->result->obs_conv[widest->obs] &&
            (range->from > widest->from ||
             beginnings_differ(corr_store_obs(work->store, range->obs),
                               corr_store_obs(work->store, widest->obs))))
            return true;
        if (range->to > widest->to)
            widest = range;
    }
    return false;
}

/* A segment by its content. */
struct token {
    uint64_t key;
    uint32_t conv, range;
};

static int token_compare(const void *x, const void *y)
{
    const struct token *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->conv != b->conv)
        return a->conv < b->conv ? -1 : 1;
    return a->range < b->range ? -1 : a->range > b->range;
}

/* Equal segments of the reference and of another local flow. */
struct link {
    uint32_t conv;
    uint32_t delta; /* number there minus place */
    int64_t from, to;
};

static int link_compare(const void *x, const void *y)
{
    const struct link *a = x, *b = y;

    if (a->conv != b->conv)
        return a->conv < b->conv ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->delta < b->delta ? -1 : a->delta > b->delta;
}

struct learning {
    struct corr_work *work;
    const struct corr_range *ranges;
    uint32_t n, reference;
    GArray *links; /* struct link, by (conv, from) */
};

static const struct corr_obs *obs_of(const struct learning *l, uint32_t range)
{
    return corr_store_obs(l->work->store, l->ranges[range].obs);
}

static uint32_t conv_of(const struct learning *l, uint32_t range)
{
    return l->work->result->obs_conv[l->ranges[range].obs];
}

/* The local flow with most segments: its numbers are the measure. */
static uint32_t reference_of(const struct learning *l)
{
    GHashTable *counts = g_hash_table_new(g_direct_hash, g_direct_equal);
    uint32_t best = CORR_NONE, most = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        gpointer conv = GUINT_TO_POINTER(conv_of(l, i));

        g_hash_table_replace(
            counts, conv,
            GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(counts, conv)) + 1));
    }
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t conv = conv_of(l, i);
        uint32_t count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GUINT_TO_POINTER(conv)));

        if (count > most || (count == most && conv < best)) {
            best = conv;
            most = count;
        }
    }
    g_hash_table_destroy(counts);
    return best;
}

static uint64_t content_of(const struct corr_obs *obs, uint8_t level)
{
    switch (level) {
    case CORR_LEVEL_FULL:
        return obs->dfull;
    case CORR_LEVEL_128:
        return obs->d128;
    case CORR_LEVEL_32:
        return obs->d32;
    default:
        return obs->d8;
    }
}

#define EQUAL_MAX 64u /* equal segments of one local flow that are told apart by their order */

/* Segments of one local flow among equal tokens, in stream order; copies of one count once. */
static unsigned occurrences(const struct learning *l, const struct token *tokens, size_t n,
                            uint32_t conv, const struct token *found[EQUAL_MAX])
{
    unsigned count = 0;

    for (size_t i = 0; i < n; i++) {
        if (tokens[i].conv != conv || (count > 0 && obs_of(l, found[count - 1]->range)->seq ==
                                                        obs_of(l, tokens[i].range)->seq))
            continue;
        if (count == EQUAL_MAX)
            return 0;
        found[count++] = &tokens[i];
    }
    return count;
}

/* Equal segments correspond in their order, if both local flows show as many. */
static void run_link(struct learning *l, const struct token *tokens, size_t n)
{
    const struct token *reference[EQUAL_MAX], *here[EQUAL_MAX];
    unsigned count = occurrences(l, tokens, n, l->reference, reference);

    for (size_t i = 0; i < n && count > 0; i++) {
        if (tokens[i].conv == l->reference || (i > 0 && tokens[i - 1].conv == tokens[i].conv) ||
            occurrences(l, tokens, n, tokens[i].conv, here) != count)
            continue;
        for (unsigned k = 0; k < count; k++) {
            const struct corr_range *at = &l->ranges[reference[k]->range];
            struct link link = {.conv = tokens[i].conv, .from = at->from, .to = at->to};

            link.delta = obs_of(l, here[k]->range)->seq - (uint32_t)at->from;
            g_array_append_val(l->links, link);
        }
    }
}

static void links_find(struct learning *l)
{
    struct token *tokens = g_new(struct token, l->n + 1);
    uint8_t level = CORR_LEVEL_FULL;
    size_t n = 0;

    for (uint32_t i = 0; i < l->n; i++)
        level = MIN(level, obs_of(l, i)->cap_level);
    for (uint32_t i = 0; i < l->n && level > CORR_LEVEL_NONE; i++) {
        const struct corr_obs *obs = obs_of(l, i);

        if (obs->len >= CONTENT_MIN && !obs->weak)
            tokens[n++] =
                (struct token){corr_hash_mix(content_of(obs, level), obs->len), conv_of(l, i), i};
    }
    if (n > 1)
        qsort(tokens, n, sizeof *tokens, token_compare);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && tokens[end].key == tokens[i].key; end++)
            ;
        if (end - i > 1)
            run_link(l, &tokens[i], end - i);
    }
    if (l->links->len > 1)
        g_array_sort(l->links, link_compare);
    g_free(tokens);
}

/*
 * The segment of local flow `conv` that was rewritten: it begins where one of the
 * reference does, at or behind `from`, and is longer by `grown`.  Its end, or false.
 */
static bool rewritten_find(const struct learning *l, uint32_t conv, int64_t from, int64_t to,
                           uint32_t delta, int32_t grown, uint32_t *end)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const struct corr_range *a = &l->ranges[i];

        if (a->from < from || a->to > to || conv_of(l, i) != l->reference)
            continue;
        for (uint32_t k = 0; k < l->n; k++) {
            const struct corr_obs *b = obs_of(l, k);

            if (conv_of(l, k) == conv && b->seq - delta == (uint32_t)a->from &&
                (int64_t)b->len - (a->to - a->from) == grown) {
                *end = b->seq + b->len;
                return true;
            }
        }
    }
    return false;
}

/* The last segment of local flow `conv`, if it was rewritten.  Its end and growth, or false. */
static bool last_rewritten(const struct learning *l, uint32_t conv, int64_t from, uint32_t delta,
                           struct corr_break *at)
{
    const struct corr_obs *last = NULL;

    for (uint32_t k = 0; k < l->n; k++)
        if (conv_of(l, k) == conv &&
            (last == NULL || (int32_t)(obs_of(l, k)->seq - last->seq) >= 0))
            last = obs_of(l, k);
    for (uint32_t i = 0; i < l->n && last != NULL; i++) {
        const struct corr_range *a = &l->ranges[i];

        if (a->from < from || (uint32_t)a->from != last->seq - delta ||
            conv_of(l, i) != l->reference || obs_of(l, i)->len == last->len ||
            !beginnings_differ(obs_of(l, i), last))
            continue;
        at->at = last->seq + last->len;
        at->delta = delta + last->len - obs_of(l, i)->len;
        return true;
    }
    return false;
}

/* What was added at the start, by the SYNs; else the first segment tells, or the linked flows. */
static uint32_t base_of(const struct learning *l, uint32_t conv, const struct link *links, size_t n)
{
    const struct corr_work *work = l->work;
    unsigned dir = 2, dir_reference = 2;

    for (uint32_t i = 0; i < l->n && (dir == 2 || dir_reference == 2); i++) {
        if (conv_of(l, i) == conv)
            dir = obs_of(l, i)->dir;
        if (conv_of(l, i) == l->reference)
            dir_reference = obs_of(l, i)->dir;
    }
    if (dir == 2 || dir_reference == 2 || !work->conv_seq[conv].has_isn[dir] ||
        !work->conv_seq[l->reference].has_isn[dir_reference])
        return n > 0 ? links[0].delta : work->dseq[conv][dir & 1];
    return work->conv_seq[conv].isn[dir] - (work->conv_seq[l->reference].isn[dir_reference] -
                                            work->dseq[l->reference][dir_reference]);
}

static void shift_add(struct corr_work *work, uint32_t conv, unsigned dir, uint32_t base,
                      const GArray *breaks)
{
    struct corr_shift shift;

    if (work->shifts == NULL) {
        work->shifts = g_new0(struct corr_shifts, 1);
        work->shifts->breaks = g_array_new(FALSE, FALSE, sizeof(struct corr_break));
        work->shifts->shifts = g_array_new(FALSE, FALSE, sizeof(struct corr_shift));
        work->shifts->by_way = g_hash_table_new(g_direct_hash, g_direct_equal);
    }
    shift.first = work->shifts->breaks->len;
    shift.n = breaks->len;
    g_array_append_vals(work->shifts->breaks, breaks->data, breaks->len);
    g_array_append_val(work->shifts->shifts, shift);
    g_hash_table_replace(work->shifts->by_way, GUINT_TO_POINTER(conv * 2 + dir),
                         GUINT_TO_POINTER(work->shifts->shifts->len));
    work->dseq[conv][dir] = base;
}

/* The links of one local flow, in stream order: where does the difference change? */
static bool pieces_find(struct learning *l, uint32_t conv, const struct link *links, size_t n)
{
    GArray *breaks = g_array_new(FALSE, FALSE, sizeof(struct corr_break));
    uint32_t base = base_of(l, conv, links, n), delta = base;
    struct corr_break end;
    int64_t behind = l->ranges[0].from;
    unsigned tries = 0;
    bool any;

    for (size_t i = 0; i < n && tries < BREAKS_MAX; i++) {
        int32_t grown = (int32_t)(links[i].delta - delta);
        struct corr_break at = {(uint32_t)links[i].from + links[i].delta, links[i].delta};
        bool again = i + 1 < n && links[i + 1].delta == links[i].delta;

        if (grown != 0) {
            tries++;
            if (grown > SHIFT_MAX || grown < -SHIFT_MAX ||
                (!rewritten_find(l, conv, behind, links[i].from, delta, grown, &at.at) && !again))
                continue;
            g_array_append_val(breaks, at);
            delta = links[i].delta;
        }
        behind = MAX(behind, links[i].to);
    }
    if (last_rewritten(l, conv, behind, delta, &end))
        g_array_append_val(breaks, end);
    any = breaks->len > 0;
    for (uint32_t i = 0; any && i < l->n; i++)
        if (conv_of(l, i) == conv) {
            shift_add(l->work, conv, obs_of(l, i)->dir, base, breaks);
            break;
        }
    g_array_unref(breaks);
    return any;
}

bool corr_shift_learn(struct corr_work *work, const struct corr_range *ranges, uint32_t n)
{
    struct learning l = {.work = work, .ranges = ranges, .n = n};
    const GArray *convs =
        corr_result_flow(work->result, corr_work_flow_dir(work, ranges[0].obs) / 2)->convs;
    const struct link *links;
    bool any = false;

    l.reference = reference_of(&l);
    l.links = g_array_new(FALSE, FALSE, sizeof(struct link));
    links_find(&l);
    links = (const struct link *)l.links->data;
    for (uint32_t m = 0, at = 0; m < convs->len; m++) {
        uint32_t conv = g_array_index(convs, struct corr_member, m).conv, end;

        /* Members and links are both in the order of local flows. */
        for (end = at; end < l.links->len && links[end].conv == conv; end++)
            ;
        if (conv != l.reference)
            any |= pieces_find(&l, conv, &links[at], end - at);
        at = end;
    }
    g_array_unref(l.links);
    return any;
}
