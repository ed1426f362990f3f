/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instances become packets.  Neighbouring byte ranges that the same frames hold
 * are one packet: what remains is the smallest unit that any point saw on its
 * own.  A datagram that was fragmented anywhere is cut in the same way.
 */
#include <string.h>

#include "match/match.h"

/* A packet in the making. */
struct draft {
    uint32_t flow, first, n; /* frames: drafted[first .. first + n) */
    int64_t from, to;
    uint32_t frame; /* lowest frame number, that of a copy, too: frames_find() */
    uint32_t len;
    uint32_t rival; /* draft of the same content; CORR_NONE */
    uint8_t dir, method, kind, candidates;
    bool ambiguous;
    bool slice; /* from and to are bytes of a super-datagram: they put its packets in order */
};

struct drafting {
    GArray *drafts;   /* struct draft */
    GArray *drafted;  /* uint32_t observations */
    uint32_t *latest; /* observation -> draft that holds its last range; CORR_NONE */
    uint32_t *next_copy, *next_piece; /* lists: duplicates of, fragments behind an observation */
};

static bool same_frames(const struct drafting *d, const struct draft *draft, const uint32_t *obs,
                        uint32_t n)
{
    return draft->n == n &&
           memcmp(&g_array_index(d->drafted, uint32_t, draft->first), obs, n * sizeof *obs) == 0;
}

static void draft_add(const struct corr_work *work, struct drafting *d, struct draft draft,
                      const uint32_t *obs, uint32_t n)
{
    draft.first = d->drafted->len;
    draft.n = n;
    draft.rival = CORR_NONE;
    draft.kind = corr_store_obs(work->store, obs[0])->kind;
    g_array_append_vals(d->drafted, obs, n);
    g_array_append_val(d->drafts, draft);
}

/* The draft that the range is a part of now. */
static uint32_t range_draft(const struct corr_work *work, struct drafting *d, struct draft draft,
                            const uint32_t *obs, uint32_t n)
{
    uint32_t before = d->latest[obs[0]];

    if (before != CORR_NONE) {
        struct draft *last = &g_array_index(d->drafts, struct draft, before);

        if (last->to == draft.from && last->ambiguous == draft.ambiguous &&
            same_frames(d, last, obs, n)) {
            last->to = draft.to;
            last->len = (uint32_t)(last->to - last->from);
            return before;
        }
    }
    draft.len = (uint32_t)(draft.to - draft.from);
    draft_add(work, d, draft, obs, n);
    for (uint32_t i = 0; i < n; i++)
        d->latest[obs[i]] = d->drafts->len - 1;
    return d->drafts->len - 1;
}

/* One frame's share of a datagram. */
struct share {
    int64_t from, to;
    uint32_t obs, conv; /* conv: station of the datagram's head */
};

static struct share share_of(const struct corr_work *work, uint32_t head, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    uint32_t elsewhere = corr_store_first_fragment(work->store, head);
    const struct corr_obs *first =
        corr_store_obs(work->store, elsewhere != CORR_NONE ? elsewhere : head);
    struct share share = {0, INT64_MAX, i, work->result->obs_conv[head]};

    if (obs->have & CORR_HAVE_FRAG) {
        const struct corr_frag *frag = &corr_store_extra(work->store, obs)->frag;
        const struct corr_frag *begin =
            first->have & CORR_HAVE_FRAG ? &corr_store_extra(work->store, first)->frag : NULL;
        /* Where a tunnel's packet and what is in it were both fragmented, each in its own space. */
        uint32_t base =
            begin != NULL && begin->id == frag->id && corr_addr_equal(&begin->src, &frag->src)
                ? begin->base
                : 0;

        share.from = MAX(0, (int64_t)frag->offset - base);
        /* Every frame gets a number, even one that claims to hold nothing. */
        share.to = MAX(share.from + 1, (int64_t)frag->offset + frag->len - base);
    }
    return share;
}

static int i64_compare(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* What each frame of a datagram holds of it, station by station. */
static GArray *shares_collect(const struct corr_work *work, const struct drafting *d,
                              const uint32_t *heads, uint32_t n)
{
    GArray *shares = g_array_new(FALSE, FALSE, sizeof(struct share));
    int64_t end = 0;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = heads[i]; k != CORR_NONE; k = d->next_piece[k]) {
            struct share share = share_of(work, heads[i], k);

            g_array_append_val(shares, share);
            if (share.to != INT64_MAX)
                end = MAX(end, share.to);
        }
    for (uint32_t i = 0; i < shares->len; i++) {
        struct share *share = &g_array_index(shares, struct share, i);

        if (share->to == INT64_MAX)
            share->to = MAX(end, share->from + 1);
    }
    return shares;
}

static bool same_bytes(const struct share *a, const struct share *b)
{
    return a->from == b->from && a->to == b->to;
}

/*
 * A second frame with the same bytes at the same station is a mirror copy: it leaves the
 * shares.  Do the others of some station overlap?
 */
static bool shares_overlap(const struct corr_work *work, GArray *shares)
{
    struct share *all = (struct share *)shares->data;
    uint32_t kept = 0;
    bool overlap = false;

    for (uint32_t i = 0; i < shares->len; i++) {
        uint32_t k = kept;
        bool overlaps = false;

        while (k > 0 && all[k - 1].conv == all[i].conv && !same_bytes(&all[k - 1], &all[i])) {
            k--;
            overlaps |= all[k].from < all[i].to && all[i].from < all[k].to;
        }
        if (k > 0 && all[k - 1].conv == all[i].conv) {
            work->duplicate[all[i].obs] = all[k - 1].obs;
            continue;
        }
        overlap |= overlaps;
        all[kept++] = all[i];
    }
    g_array_set_size(shares, kept);
    return overlap;
}

/*
 * Where a station shows some bytes in several frames, which of them is it that another one
 * shows?  That of the same bytes; one without such may be a part of any.
 */
static void overlapping_draft(const struct corr_work *work, struct drafting *d,
                              const struct draft *draft, const GArray *shares, uint32_t n)
{
    const struct share *all = (const struct share *)shares->data;
    GArray *obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < shares->len; i++) {
        struct draft piece = *draft;
        uint32_t k = 0;

        while (!same_bytes(&all[k], &all[i]))
            k++;
        if (k < i)
            continue; /* drafted with that one */
        g_array_set_size(obs, 0);
        for (; k < shares->len; k++)
            if (same_bytes(&all[k], &all[i]))
                g_array_append_val(obs, all[k].obs);
        piece.from = all[i].from;
        piece.to = all[i].to;
        piece.len = (uint32_t)(piece.to - piece.from);
        piece.method = obs->len > 1 ? CORR_METHOD_RANGE : CORR_METHOD_NONE;
        if (obs->len == 1 && n > 1) {
            piece.ambiguous = true;
            piece.candidates = MAX(piece.candidates, 2);
        }
        draft_add(work, d, piece, (const uint32_t *)obs->data, obs->len);
    }
    g_array_unref(obs);
}

/* Cuts a datagram where any station's frames begin or end; they do not overlap. */
static void pieces_draft(const struct corr_work *work, struct drafting *d,
                         const struct draft *draft, const GArray *shares, uint32_t n)
{
    GArray *cuts = g_array_new(FALSE, FALSE, sizeof(int64_t));
    GArray *obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < shares->len; i++) {
        const struct share *share = &g_array_index(shares, struct share, i);

        g_array_append_val(cuts, share->from);
        g_array_append_val(cuts, share->to);
    }
    g_array_sort(cuts, i64_compare);
    for (uint32_t c = 0; c + 1 < cuts->len; c++) {
        struct draft piece = *draft;

        piece.from = g_array_index(cuts, int64_t, c);
        piece.to = g_array_index(cuts, int64_t, c + 1);
        if (piece.from == piece.to)
            continue;
        g_array_set_size(obs, 0);
        for (uint32_t i = 0; i < shares->len; i++) {
            const struct share *share = &g_array_index(shares, struct share, i);

            if (share->from <= piece.from && share->to >= piece.to)
                g_array_append_val(obs, share->obs);
        }
        if (obs->len == 0)
            continue;
        if (n > 1)
            piece.method = obs->len > 1 ? CORR_METHOD_RANGE : CORR_METHOD_NONE;
        range_draft(work, d, piece, (const uint32_t *)obs->data, obs->len);
    }
    g_array_unref(cuts);
    g_array_unref(obs);
}

/* One datagram, of which `heads` are the whole or first frames, one per station. */
static void datagram_draft(const struct corr_work *work, struct drafting *d,
                           const struct draft *draft, const uint32_t *heads, uint32_t n)
{
    GArray *shares = shares_collect(work, d, heads, n);

    if (shares_overlap(work, shares))
        overlapping_draft(work, d, draft, shares, n);
    else
        pieces_draft(work, d, draft, shares, n);
    g_array_unref(shares);
}

/* The draft that the instance is (a part of) now; of several the first. */
static uint32_t instance_draft(const struct corr_work *work, struct drafting *d,
                               const struct corr_instance *instance)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, instance->cell);
    const uint32_t *obs = &g_array_index(work->chosen, uint32_t, instance->first);
    struct draft draft = {
        .flow = cell->flow,
        .dir = cell->dir,
        .from = cell->from,
        .to = cell->to,
        .method = instance->method,
        .ambiguous = instance->ambiguous,
        .candidates = instance->candidates,
        .len = corr_store_obs(work->store, obs[0])->len,
        .slice = !cell->range && cell->to > cell->from,
    };
    uint32_t at = d->drafts->len;
    bool fragmented = false;

    if (draft.slice)
        draft.len = (uint32_t)(cell->to - cell->from);
    for (uint32_t i = 0; i < instance->n; i++)
        fragmented |= d->next_piece[obs[i]] != CORR_NONE ||
                      corr_store_first_fragment(work->store, obs[i]) != CORR_NONE;
    if (fragmented)
        datagram_draft(work, d, &draft, obs, instance->n);
    else if (cell->range)
        at = range_draft(work, d, draft, obs, instance->n);
    else
        draft_add(work, d, draft, obs, instance->n);
    return MIN(at, d->drafts->len - 1);
}

/* Every instance of a cell has the content of the others: a ring leads through their drafts. */
static void instances_draft(const struct corr_work *work, struct drafting *d)
{
    uint32_t cell = CORR_NONE, first = CORR_NONE, last = CORR_NONE;

    for (uint32_t i = 0; i <= work->instances->len; i++) {
        const struct corr_instance *at = &g_array_index(work->instances, struct corr_instance, i);
        uint32_t draft;

        if (i == work->instances->len || at->cell != cell) {
            if (first != last && g_array_index(d->drafts, struct draft, first).rival == CORR_NONE)
                g_array_index(d->drafts, struct draft, first).rival = last;
            if (i == work->instances->len)
                break;
            cell = at->cell;
            first = last = instance_draft(work, d, at);
            continue;
        }
        draft = instance_draft(work, d, at);
        if (draft != last && g_array_index(d->drafts, struct draft, draft).rival == CORR_NONE)
            g_array_index(d->drafts, struct draft, draft).rival = last;
        last = draft;
    }
}

static void rivals_find(struct corr_result *result, const GArray *drafts, const uint32_t *order)
{
    uint32_t *place = g_new(uint32_t, drafts->len + 1);

    g_array_set_size(result->rivals, 0);
    for (uint32_t i = 0; i < drafts->len; i++)
        place[order[i]] = i;
    for (uint32_t i = 0; i < drafts->len; i++) {
        uint32_t next = g_array_index(drafts, struct draft, order[i]).rival;
        struct corr_rival rival = {i, next == CORR_NONE ? CORR_NONE : place[next]};

        if (next != CORR_NONE)
            g_array_append_val(result->rivals, rival);
    }
    g_free(place);
}

uint32_t corr_result_rival(const struct corr_result *r, uint32_t packet)
{
    uint32_t lo = 0, hi = r->rivals->len;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (g_array_index(r->rivals, struct corr_rival, mid).packet < packet)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == r->rivals->len || g_array_index(r->rivals, struct corr_rival, lo).packet != packet)
        return CORR_NONE;
    return g_array_index(r->rivals, struct corr_rival, lo).next;
}

/* Copies, too: of a first fragment and a later one that repeats it, either may come first. */
static void frames_find(const struct corr_work *work, const struct drafting *d)
{
    for (uint32_t i = 0; i < d->drafts->len; i++) {
        struct draft *draft = &g_array_index(d->drafts, struct draft, i);

        draft->frame = UINT32_MAX;
        for (uint32_t k = draft->first; k < draft->first + draft->n; k++)
            for (uint32_t obs = g_array_index(d->drafted, uint32_t, k); obs != CORR_NONE;
                 obs = d->next_copy[obs])
                draft->frame = MIN(draft->frame, corr_store_obs(work->store, obs)->frame);
    }
}

/* Drafts by (lowest frame, first byte); a bucket per frame, and few drafts in each. */
static uint32_t *drafts_order(const struct corr_work *work, const GArray *drafts)
{
    const struct draft *all = (const struct draft *)drafts->data;
    uint32_t *order = g_new(uint32_t, drafts->len + 1), at = 0;
    uint32_t *place = g_new0(uint32_t, (size_t)work->store->last_frame + 1);

    for (uint32_t i = 0; i < drafts->len; i++)
        place[all[i].frame]++;
    for (uint32_t f = 0; f <= work->store->last_frame; f++) {
        uint32_t n = place[f];

        place[f] = at;
        at += n;
    }
    for (uint32_t i = 0; i < drafts->len; i++)
        order[place[all[i].frame]++] = i;
    for (uint32_t i = 1; i < drafts->len; i++) {
        uint32_t one = order[i], k = i;

        for (; k > 0 && all[order[k - 1]].frame == all[one].frame &&
               all[order[k - 1]].from > all[one].from;
             k--)
            order[k] = order[k - 1];
        order[k] = one;
    }
    g_free(place);
    return order;
}

static void sighting_add(struct corr_result *result, uint32_t packet, uint32_t obs, bool duplicate)
{
    struct corr_sighting s = {
        .obs = obs, .packet = packet, .prev = CORR_NONE, .duplicate = duplicate};

    g_array_append_val(result->sightings, s);
}

/*
 * Was the packet damaged on its way to this sighting?  The checksum alone does not
 * tell: receive offload keeps the first segment's, and some senders' offload leaves
 * anything there.  Another point must show other bytes that are right.
 */
static bool is_damaged(const struct corr_result *result, const struct corr_packet *packet,
                       const struct corr_obs *obs)
{
    if (!(obs->have & CORR_HAVE_BAD_SUM))
        return false;
    for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
        const struct corr_obs *other = corr_result_obs(result, corr_result_sighting(result, s));
        bool known;

        if (other->have & CORR_HAVE_BAD_SUM || other->point == obs->point)
            continue;
        if (!corr_obs_same_content(obs, other, &known))
            return true;
    }
    return false;
}

static void packet_add(struct corr_work *work, const struct drafting *d, const struct draft *draft)
{
    struct corr_result *result = work->result;
    struct corr_packet packet = {
        .first = result->sightings->len,
        .flow = draft->flow,
        .dir = draft->dir,
        .kind = draft->kind,
        .method = draft->method,
        .ambiguous = draft->ambiguous,
        .candidates = draft->candidates,
        .len = draft->len,
        .drop_after = CORR_NONE,
        .drop_before = CORR_NONE,
        .original = CORR_NONE,
        .quotes = CORR_NONE,
        .from = draft->slice ? 0 : draft->from,
        .to = draft->slice ? 0 : draft->to,
    };
    uint32_t index = result->packets->len;

    for (uint32_t i = 0; i < draft->n; i++) {
        uint32_t obs = g_array_index(d->drafted, uint32_t, draft->first + i);
        uint8_t ttl = corr_store_obs(work->store, obs)->ttl;

        sighting_add(result, index, obs, false);
        for (uint32_t k = d->next_copy[obs]; k != CORR_NONE; k = d->next_copy[k])
            sighting_add(result, index, k, corr_store_obs(work->store, k)->ttl == ttl);
    }
    packet.n = result->sightings->len - packet.first;
    if (packet.n > 1 && packet.method == CORR_METHOD_NONE)
        packet.method = CORR_METHOD_EXACT;
    for (uint32_t s = packet.first; packet.n > 1 && s < packet.first + packet.n; s++) {
        struct corr_sighting *sighting = &g_array_index(result->sightings, struct corr_sighting, s);

        sighting->corrupt = is_damaged(result, &packet, corr_result_obs(result, sighting));
    }
    g_array_append_val(result->packets, packet);
}

/*
 * Which sightings does an observation have?  One per packet that it holds a part of, in
 * the order of their bytes.
 */
static void sightings_index(struct corr_work *work, const GArray *drafts, const uint32_t *order)
{
    struct corr_result *result = work->result;
    uint32_t n = work->store->obs->len, *place;

    g_free(result->obs_first);
    g_free(result->obs_sightings);
    result->obs_first = g_new0(uint32_t, n + 2);
    result->obs_sightings = g_new(uint32_t, result->sightings->len + 1);
    for (uint32_t s = 0; s < result->sightings->len; s++)
        result->obs_first[corr_result_sighting(result, s)->obs + 1]++;
    for (uint32_t i = 0; i < n; i++)
        result->obs_first[i + 1] += result->obs_first[i];
    place = g_memdup2(result->obs_first, sizeof *place * (n + 1));
    for (uint32_t s = 0; s < result->sightings->len; s++)
        result->obs_sightings[place[corr_result_sighting(result, s)->obs]++] = s;
    g_free(place);
#define FROM(i)                                                                                    \
    g_array_index(drafts, struct draft,                                                            \
                  order[corr_result_sighting(result, result->obs_sightings[i])->packet])           \
        .from
    for (uint32_t o = 0; o < n; o++)
        for (uint32_t i = result->obs_first[o] + 1; i < result->obs_first[o + 1]; i++)
            for (uint32_t k = i; k > result->obs_first[o] && FROM(k - 1) > FROM(k); k--) {
                uint32_t one = result->obs_sightings[k];

                result->obs_sightings[k] = result->obs_sightings[k - 1];
                result->obs_sightings[k - 1] = one;
            }
#undef FROM
}

/* What a copy is a copy of, in the end; anything else is itself. */
static uint32_t original_of(const struct corr_work *work, uint32_t obs)
{
    while (work->duplicate[obs] != CORR_NONE)
        obs = work->duplicate[obs];
    return obs;
}

static void list_add(uint32_t *next, uint32_t head, uint32_t obs)
{
    next[obs] = next[head];
    next[head] = obs;
}

void corr_packets_build(struct corr_work *work)
{
    struct corr_result *result = work->result;
    uint32_t n = work->store->obs->len, *order;
    struct drafting d = {
        .drafts = g_array_new(FALSE, FALSE, sizeof(struct draft)),
        .drafted = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .latest = g_new(uint32_t, n + 1),
        .next_copy = g_new(uint32_t, n + 1),
        .next_piece = g_new(uint32_t, n + 1),
    };

    memset(d.latest, 0xff, sizeof *d.latest * (n + 1));
    memset(d.next_copy, 0xff, sizeof *d.next_copy * (n + 1));
    memset(d.next_piece, 0xff, sizeof *d.next_piece * (n + 1));
    for (uint32_t i = n; i-- > 0;)
        if (work->head[i] != CORR_NONE)
            list_add(d.next_piece, original_of(work, work->head[i]), i);
    instances_draft(work, &d);
    for (uint32_t i = n; i-- > 0;)
        if (work->duplicate[i] != CORR_NONE)
            list_add(d.next_copy, original_of(work, i), i);
    frames_find(work, &d);
    order = drafts_order(work, d.drafts);
    /* Room is made at once: growing bit by bit would copy both several times. */
    g_array_set_size(result->packets, d.drafts->len);
    g_array_set_size(result->packets, 0);
    g_array_set_size(result->sightings, d.drafted->len);
    g_array_set_size(result->sightings, 0);
    for (uint32_t i = 0; i < d.drafts->len; i++)
        packet_add(work, &d, &g_array_index(d.drafts, struct draft, order[i]));
    sightings_index(work, d.drafts, order);
    rivals_find(result, d.drafts, order);
    g_free(order);
    g_free(d.latest);
    g_free(d.next_copy);
    g_free(d.next_piece);
    g_array_unref(d.drafts);
    g_array_unref(d.drafted);
}
