/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside one direction of one flow, observations of equal content meet in a
 * cell.  TCP data meets by bytes: stream.c.
 */
#include <stdlib.h>
#include <string.h>

#include "match/cells.h"
#include "match/slices.h"
#include "store/hash.h"
#include "store/index.h"
#include "store/sort.h"

/* Copies that a mirror port makes follow each other at once ... */
#define MIRROR_NS INT64_C(1000000)
/* ... while a routing loop brings a packet back with a lower TTL. */
#define PASS_NS INT64_C(2000000000)

struct flow_facts {
    uint8_t level;  /* longest prefix that every sighting has */
    bool all_resid; /* every sighting has a checksum residual */
    bool all_len;   /* every sighting tells its length: a first fragment need not */
};

static struct flow_facts *flow_facts_new(const struct corr_work *work)
{
    struct flow_facts *facts = g_new(struct flow_facts, work->result->flows->len + 1);

    for (uint32_t f = 0; f < work->result->flows->len; f++)
        facts[f] = (struct flow_facts){CORR_LEVEL_FULL, true, true};
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        struct flow_facts *flow = &facts[work->result->conv_flow[work->result->obs_conv[i]]];

        if (obs->kind == CORR_KIND_FRAGMENT)
            continue;
        if (!(obs->have & CORR_HAVE_RESID))
            flow->all_resid = false;
        if (!(obs->have & CORR_HAVE_LEN))
            flow->all_len = false;
        if ((obs->len > 0 || !(obs->have & CORR_HAVE_LEN)) && obs->cap_level < flow->level)
            flow->level = obs->cap_level;
    }
    return facts;
}

static uint64_t content_key(const struct corr_obs *obs, const struct flow_facts *facts)
{
    if (obs->have & CORR_HAVE_LEN && obs->len == 0)
        return 0;
    switch (facts->level) {
    case CORR_LEVEL_FULL:
        return obs->dfull;
    case CORR_LEVEL_128:
        return obs->d128;
    case CORR_LEVEL_32:
        return obs->d32;
    case CORR_LEVEL_8:
        return obs->d8;
    default:
        return facts->all_resid ? obs->resid : 0;
    }
}

/* Everything of the content that survives on the way; what may not survive is weighed later. */
static uint64_t cell_key(const struct corr_work *work, uint32_t i, const struct corr_obs *obs,
                         const struct flow_facts *facts)
{
    uint64_t key = corr_hash_mix(corr_work_flow_dir(work, i), obs->kind);

    if (obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_TCP) {
        uint8_t flags =
            obs->tcp_flags & (CORR_TCP_SYN | CORR_TCP_FIN | CORR_TCP_RST | CORR_TCP_ACK);

        key = corr_hash_mix(key, (uint64_t)flags << 32 | corr_work_seq(work, i));
        return corr_hash_mix(key, obs->tcp_flags & CORR_TCP_ACK ? corr_work_ack(work, i) : 0);
    }
    if (obs->kind == CORR_KIND_FRAGMENT) {
        const struct corr_frag *frag = &corr_store_extra(work->store, obs)->frag;
        uint32_t first = corr_store_first_fragment(work->store, i);

        if (first != CORR_NONE && corr_work_flow_dir(work, first) == corr_work_flow_dir(work, i))
            return cell_key(work, first, corr_store_obs(work->store, first), facts);
        return corr_hash_mix(key, (uint64_t)frag->id << 32 | frag->offset);
    }
    if (obs->kind == CORR_KIND_ICMP_ERROR && obs->have & CORR_HAVE_QUOTE) {
        const struct corr_quote *quote = &corr_store_extra(work->store, obs)->quote;

        key = corr_hash_mix(key, (uint64_t)quote->ip_id << 16 | quote->proto);
        return corr_hash_mix(key,
                             (uint64_t)quote->seq << 16 | obs->icmp_type << 8 | obs->icmp_code);
    }
    key = corr_hash_mix(key, content_key(obs, facts));
    if (obs->have & CORR_HAVE_SEQ)
        key = corr_hash_mix(key, obs->seq);
    /* ICMP types change when IP versions do: leave an echo's to its direction. */
    if (obs->kind != CORR_KIND_ECHO)
        key = corr_hash_mix(key, (uint64_t)obs->icmp_type << 8 | obs->icmp_code);
    if (facts->all_len)
        key = corr_hash_mix(key, obs->len);
    return key;
}

/* What a damaged datagram still shares with its undamaged sightings. */
static uint64_t damage_key(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    uint64_t key = corr_hash_mix(corr_work_flow_dir(work, i), (uint64_t)obs->kind << 32 | obs->len);

    return corr_hash_mix(key, (uint64_t)obs->resid << 16 | obs->ip_id);
}

/*
 * A damaged datagram has no content to be found by: it takes the cell of the one
 * with the same length, checksum residual and identification, if there is but one.
 * Returns cell keys by damage key; 0 where several cells would do.
 */
static GHashTable *damaged_find(const struct corr_work *work, const struct flow_facts *facts)
{
    GHashTable *damaged = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);

    for (unsigned pass = 0; pass == 0 || (pass == 1 && g_hash_table_size(damaged) > 0); pass++)
        for (uint32_t i = 0; i < work->store->obs->len; i++) {
            const struct corr_obs *obs = corr_store_obs(work->store, i);
            bool bad = obs->have & CORR_HAVE_BAD_SUM;
            uint64_t key, cell, *found;

            if (bad == pass || corr_obs_is_range(obs) || !(obs->have & CORR_HAVE_RESID))
                continue;
            key = damage_key(work, i);
            if (bad) {
                g_hash_table_replace(damaged, g_memdup2(&key, sizeof key), g_new0(uint64_t, 1));
                continue;
            }
            found = g_hash_table_lookup(damaged, &key);
            if (found == NULL)
                continue;
            cell = cell_key(work, i, obs, &facts[corr_work_flow_dir(work, i) / 2]);
            *found = *found == 0 || *found == cell ? cell : 1;
        }
    return damaged;
}

/* An observation, to be sorted by (local flow, frame). */
struct member {
    uint32_t conv, obs;
};

static bool member_less(const struct member *a, const struct member *b)
{
    return a->conv != b->conv ? a->conv < b->conv : a->obs < b->obs;
}

CORR_SORT_DEFINE(members_sort, struct member, member_less)

static void members_sort_cell(struct corr_work *work, const struct corr_cell *cell)
{
    const uint32_t *conv = work->result->obs_conv;
    struct member few[8], *sorted = few;
    uint32_t *members;

    members = &g_array_index(work->members, uint32_t, cell->first);
    if (cell->n > 1) {
        if (cell->n > G_N_ELEMENTS(few))
            sorted = g_new(struct member, cell->n);
        for (uint32_t i = 0; i < cell->n; i++)
            sorted[i] = (struct member){conv[members[i]], members[i]};
        members_sort(sorted, cell->n);
        for (uint32_t i = 0; i < cell->n; i++)
            members[i] = sorted[i].obs;
        if (sorted != few)
            g_free(sorted);
    }
}

void corr_cell_close(struct corr_work *work, struct corr_cell *cell)
{
    cell->n = work->members->len - cell->first;
    members_sort_cell(work, cell);
    g_array_append_val(work->cells, *cell);
}

/* A member of a plain cell.  `slice`: of a super-datagram; CORR_NONE: the whole observation. */
struct entry {
    uint32_t obs, slice, cell;
};

/* The cells of all that is no TCP data, in the making. */
struct plain {
    const GArray *slices;
    GHashTable *damaged;
    struct corr_index *by_key;
    GArray *entries; /* struct entry, by observation */
    uint32_t first;  /* index of the first plain cell */
};

static void entry_add(struct corr_work *work, struct plain *plain, uint64_t key, uint32_t obs,
                      uint32_t slice)
{
    struct entry entry = {obs, slice, corr_index_find(plain->by_key, key, NULL, NULL, NULL)};
    struct corr_cell *cell;

    if (entry.cell == CORR_NONE) {
        uint32_t flow_dir = corr_work_flow_dir(work, obs);
        struct corr_cell fresh = {.flow = flow_dir / 2, .dir = flow_dir & 1};

        entry.cell = work->cells->len;
        g_array_append_val(work->cells, fresh);
        corr_index_add(plain->by_key, key, entry.cell);
    }
    cell = &g_array_index(work->cells, struct corr_cell, entry.cell);
    cell->n++;
    if (slice != CORR_NONE) {
        cell->from = g_array_index(plain->slices, struct corr_slice, slice).from;
        cell->to = g_array_index(plain->slices, struct corr_slice, slice).to;
    }
    g_array_append_val(plain->entries, entry);
}

/* Observations with equal keys meet; a super-datagram goes where its slices do. */
static void entries_collect(struct corr_work *work, const struct flow_facts *facts,
                            struct plain *plain)
{
    uint32_t s = 0;

    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        const struct flow_facts *flow;
        uint64_t key;

        if (corr_obs_is_range(obs) || work->head[i] != CORR_NONE)
            continue;
        flow = &facts[corr_work_flow_dir(work, i) / 2];
#define SLICE(s) g_array_index(plain->slices, struct corr_slice, s)
        if (s < plain->slices->len && SLICE(s).obs == i) {
            for (; s < plain->slices->len && SLICE(s).obs == i; s++)
                entry_add(work, plain, cell_key(work, i, &SLICE(s).as, flow), i, s);
            continue;
        }
#undef SLICE
        key = cell_key(work, i, obs, flow);
        if (obs->have & CORR_HAVE_BAD_SUM) {
            uint64_t damage = damage_key(work, i);
            const uint64_t *cell = g_hash_table_lookup(plain->damaged, &damage);

            if (cell != NULL && *cell > 1)
                key = *cell;
        }
        entry_add(work, plain, key, i, CORR_NONE);
    }
}

static void plain_cells(struct corr_work *work, const struct flow_facts *facts)
{
    GArray *slices = corr_slices_find(work);
    struct plain plain = {.slices = slices,
                          .damaged = damaged_find(work, facts),
                          .by_key = corr_index_new(),
                          .entries = g_array_new(FALSE, FALSE, sizeof(struct entry)),
                          .first = work->cells->len};
    uint32_t at = work->members->len, *place;

    entries_collect(work, facts, &plain);
    corr_index_free(plain.by_key);
    g_hash_table_destroy(plain.damaged);
    g_array_set_size(work->members, at + plain.entries->len);
    place = g_new(uint32_t, work->cells->len - plain.first + 1);
    for (uint32_t c = plain.first; c < work->cells->len; c++) {
        struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        cell->first = place[c - plain.first] = at;
        at += cell->n;
    }
    for (uint32_t i = 0; i < plain.entries->len; i++) {
        const struct entry *entry = &g_array_index(plain.entries, struct entry, i);

        g_array_index(work->members, uint32_t, place[entry->cell - plain.first]++) = entry->obs;
    }
    for (uint32_t c = plain.first; c < work->cells->len; c++)
        members_sort_cell(work, &g_array_index(work->cells, struct corr_cell, c));
    g_free(place);
    g_array_unref(plain.entries);
    g_array_unref(slices);
}

/*
 * Puts all cells in the order of their first observations: later stages go through
 * the cells again and again, and then they go through the store in its own order.
 * Ranges that the same frames hold stay neighbours, in stream order.
 */
static void cells_order(struct corr_work *work)
{
    uint32_t n = work->cells->len, at = 0;
    uint32_t *place = g_new0(uint32_t, (size_t)work->store->obs->len + 1);
    uint32_t *lowest = g_new(uint32_t, n + 1);
    GArray *cells = g_array_sized_new(FALSE, FALSE, sizeof(struct corr_cell), n);
    GArray *members = g_array_sized_new(FALSE, FALSE, sizeof(uint32_t), work->members->len);

    g_array_set_size(cells, n);
    for (uint32_t c = 0; c < n; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        lowest[c] = CORR_NONE;
        for (uint32_t i = cell->first; i < cell->first + cell->n; i++)
            lowest[c] = MIN(lowest[c], g_array_index(work->members, uint32_t, i));
        place[lowest[c]]++;
    }
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        uint32_t count = place[i];

        place[i] = at;
        at += count;
    }
    for (uint32_t c = 0; c < n; c++)
        g_array_index(cells, struct corr_cell, place[lowest[c]]++) =
            g_array_index(work->cells, struct corr_cell, c);
    g_free(place);
    g_free(lowest);
    g_array_unref(work->cells);
    work->cells = cells;
    for (uint32_t c = 0; c < n; c++) {
        struct corr_cell *cell = &g_array_index(cells, struct corr_cell, c);
        uint32_t first = members->len;

        g_array_append_vals(members, &g_array_index(work->members, uint32_t, cell->first), cell->n);
        cell->first = first;
    }
    g_array_unref(work->members);
    work->members = members;
}

bool corr_obs_same_content(const struct corr_obs *a, const struct corr_obs *b, bool *known)
{
    uint8_t level = MIN(a->cap_level, b->cap_level);

    *known = a->len == b->len && level > CORR_LEVEL_NONE && a->len > 0;
    if (!*known)
        return true;
    switch (level) {
    case CORR_LEVEL_FULL:
        return a->dfull == b->dfull;
    case CORR_LEVEL_128:
        return a->d128 == b->d128;
    case CORR_LEVEL_32:
        return a->d32 == b->d32;
    default:
        return a->d8 == b->d8;
    }
}

/* Everything that a sender could have changed is equal. */
static bool same_bits(const struct corr_obs *a, const struct corr_obs *b)
{
    bool known;

    return a->len == b->len && a->seq == b->seq && a->ack == b->ack && a->tsval == b->tsval &&
           a->tsecr == b->tsecr && a->window == b->window && a->tcp_flags == b->tcp_flags &&
           a->ip_id == b->ip_id && a->opt_hash == b->opt_hash && a->tos == b->tos &&
           a->ip_len == b->ip_len && corr_obs_same_content(a, b, &known);
}

/* Does a second identical frame prove a copy, because a sender would have counted on? */
static bool numbered(const struct corr_obs *obs)
{
    return (obs->have & CORR_HAVE_IP_ID && obs->ip_id != 0) ||
           (obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_TS && obs->len > 0);
}

struct copies {
    uint64_t numbered, copied;
    uint64_t pairs, alone; /* unnumbered frames twice at once here; of these, once elsewhere */
};

/* Frames in one run that may be copies of one frame; more are a stream of equal packets. */
#define COPIES_MAX 4u

/*
 * Equal frames without a number, at once at one point.  An application that sends
 * everything twice shows it at every point; a mirror shows it at its own.
 */
static void pairs_count(struct corr_work *work, const struct corr_cell *cell, struct copies *points)
{
    const uint32_t *members = &g_array_index(work->members, uint32_t, cell->first);
    const uint32_t *conv = work->result->obs_conv;
    bool single = false;

    for (unsigned pass = 0; pass < 2; pass++)
        for (uint32_t i = 0, end; i < cell->n; i = end) {
            const struct corr_obs *obs = corr_store_obs(work->store, members[i]);
            const struct corr_obs *last;

            for (end = i + 1; end < cell->n && conv[members[end]] == conv[members[i]]; end++)
                ;
            if (pass == 0) {
                single |= end - i == 1;
                continue;
            }
            last = corr_store_obs(work->store, members[end - 1]);
            if (end - i == 1 || end - i > COPIES_MAX || numbered(obs) || !same_bits(obs, last) ||
                obs->ttl != last->ttl || llabs(last->time_ns - obs->time_ns) > MIRROR_NS)
                continue;
            points[obs->point].pairs++;
            points[obs->point].alone += single;
        }
}

/* Does a point copy even what has no number?  `run`: how many at once; 0: at the best. */
static bool mirrors(const struct copies *at, uint32_t run)
{
    return at->copied * 4 > at->numbered ||
           (run <= COPIES_MAX && at->pairs >= 3 && at->alone * 10 >= at->pairs * 9);
}

static bool any_mirrors(const struct copies *points, uint32_t n)
{
    for (uint32_t p = 0; p < n; p++)
        if (mirrors(&points[p], 0))
            return true;
    return false;
}

/* Members of one cell at the local flow of member i; more than COPIES_MAX need not be counted. */
static uint32_t run_length(const struct corr_work *work, const uint32_t *members, uint32_t n,
                           uint32_t i)
{
    const uint32_t *conv = work->result->obs_conv;
    uint32_t from = i, to = i + 1;

    while (from > 0 && i - from <= COPIES_MAX && conv[members[from - 1]] == conv[members[i]])
        from--;
    while (to < n && to - i <= COPIES_MAX && conv[members[to]] == conv[members[i]])
        to++;
    return to - from;
}

/*
 * Finds copies within one cell.  Without a number that proves it, identical
 * frames are copies only at a point that is known to see most frames twice.
 */
static void copies_mark(struct corr_work *work, const struct corr_cell *cell, struct copies *points,
                        bool counting)
{
    const uint32_t *members = &g_array_index(work->members, uint32_t, cell->first);
    const uint32_t *conv = work->result->obs_conv;

    for (uint32_t i = 0; i < cell->n; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, members[i]);
        struct copies *at = &points[obs->point];
        bool numbers = numbered(obs);
        uint32_t run;

        if (i == 0 || conv[members[i - 1]] != conv[members[i]] ||
            work->duplicate[members[i]] != CORR_NONE)
            continue;
        run = run_length(work, members, cell->n, i);
        for (uint32_t k = i; k-- > 0 && i - k <= 16 && conv[members[k]] == conv[members[i]];) {
            const struct corr_obs *before = corr_store_obs(work->store, members[k]);
            int64_t gap = llabs(obs->time_ns - before->time_ns);
            uint32_t original = work->duplicate[members[k]];

            if (!same_bits(before, obs) || corr_result_conv(work->result, conv[members[i]])->mixed)
                continue;
            if (gap > (before->ttl == obs->ttl ? MIRROR_NS : PASS_NS))
                continue;
            if (numbers ? before->ttl != obs->ttl && !(obs->have & CORR_HAVE_IP_ID)
                        : counting || before->ttl != obs->ttl || !mirrors(at, run))
                continue;
            work->duplicate[members[i]] = original != CORR_NONE ? original : members[k];
            if (counting)
                at->copied++;
            break;
        }
    }
}

static bool has_choice(const struct corr_work *work, const struct corr_cell *cell)
{
    const uint32_t *members = &g_array_index(work->members, uint32_t, cell->first);
    uint32_t last = CORR_NONE;

    for (uint32_t i = 0; i < cell->n; i++) {
        uint32_t conv = work->result->obs_conv[members[i]];

        if (work->duplicate[members[i]] != CORR_NONE)
            continue;
        if (conv == last)
            return true;
        last = conv;
    }
    return false;
}

void corr_cells_build(struct corr_work *work)
{
    struct flow_facts *facts = flow_facts_new(work);
    struct copies *points = g_new0(struct copies, work->store->points->len + 1);

    work->cells = g_array_new(FALSE, FALSE, sizeof(struct corr_cell));
    work->members = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    /* Streams first: where they are found shifted, acknowledgements follow. */
    corr_stream_cells(work);
    plain_cells(work, facts);
    g_free(facts);
    cells_order(work);
    work->duplicate = g_new(uint32_t, work->store->obs->len + 1);
    memset(work->duplicate, 0xff, sizeof *work->duplicate * (work->store->obs->len + 1));
    for (uint32_t i = 0; i < work->store->obs->len; i++) /* not by cell: a frame may be in many */
        points[corr_store_obs(work->store, i)->point].numbered +=
            work->head[i] == CORR_NONE && numbered(corr_store_obs(work->store, i));
    for (uint32_t c = 0; c < work->cells->len; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        if (cell->n > 2 && !cell->range)
            pairs_count(work, cell, points);
        copies_mark(work, cell, points, true);
    }
    if (any_mirrors(points, work->store->points->len))
        for (uint32_t c = 0; c < work->cells->len; c++)
            copies_mark(work, &g_array_index(work->cells, struct corr_cell, c), points, false);
    for (uint32_t c = 0; c < work->cells->len; c++) {
        struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        cell->choice = has_choice(work, cell);
    }
    g_free(points);
}
