/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A proxy that relays bytes cuts them anew.  What remains: how many there are in
 * each direction, and their one's complement sum, which is the sum of the checksum
 * residuals of all segments, however the bytes were cut (RFC 1071, section 2).
 */
#include <stdlib.h>

#include "match/applink.h"
#include "store/hash.h"

/* Shorter conversations say little. */
#define BYTES_MIN 32u
/* Flows of equal length that are compared. */
#define ALIKE_MAX 128u

/* A flow as its bytes describe it, by direction of the flow. */
struct profile {
    uint32_t flow;
    uint32_t len[2];
    uint16_t sum[2];
    bool summed;
    int64_t from_ns, to_ns; /* first and last data, as its first member shows them */
};

static int profile_compare(const void *x, const void *y)
{
    const struct profile *a = x, *b = y;

    for (unsigned d = 0; d < 2; d++)
        if (a->len[d] != b->len[d])
            return a->len[d] < b->len[d] ? -1 : 1;
    for (unsigned d = 0; d < 2; d++)
        if (a->sum[d] != b->sum[d])
            return a->sum[d] < b->sum[d] ? -1 : 1;
    return a->flow < b->flow ? -1 : a->flow > b->flow;
}

static bool same_lengths(const struct profile *a, const struct profile *b)
{
    return a->len[0] == b->len[0] && a->len[1] == b->len[1];
}

/* Bytes in each direction, as the first member that saw both SYNs tells. */
static bool lengths_of(const struct corr_applinks *links, uint32_t flow, struct profile *profile)
{
    const GArray *convs = corr_result_flow(links->result, flow)->convs;

    for (uint32_t m = 0; m < convs->len; m++) {
        const struct corr_member *member = &g_array_index(convs, struct corr_member, m);
        const struct corr_conv_seq *seq = &links->work->conv_seq[member->conv];

        if (!seq->has_isn[0] || !seq->has_isn[1])
            continue;
        for (unsigned d = 0; d < 2; d++)
            profile->len[d ^ member->flip] = seq->end[d] - seq->isn[d] - 1;
        profile->flow = flow;
        return profile->len[0] > 0 && profile->len[1] > 0 && profile->len[0] < INT32_MAX &&
               profile->len[1] < INT32_MAX && profile->len[0] + profile->len[1] >= BYTES_MIN;
    }
    return false;
}

static uint32_t first_member(const struct corr_result *r, uint32_t flow)
{
    return g_array_index(corr_result_flow(r, flow)->convs, struct corr_member, 0).conv;
}

/* A segment, by the place of its first byte in the stream. */
struct part {
    uint32_t flow_dir, conv, at, len;
    uint16_t resid;
};

static int part_compare(const void *x, const void *y)
{
    const struct part *a = x, *b = y;

    if (a->flow_dir != b->flow_dir)
        return a->flow_dir < b->flow_dir ? -1 : 1;
    if (a->conv != b->conv)
        return a->conv < b->conv ? -1 : 1;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return a->len < b->len ? -1 : a->len > b->len;
}

static GArray *parts_collect(const struct corr_applinks *links, GArray *profiles,
                             const uint32_t *profile_of)
{
    const struct corr_work *work = links->work;
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(struct part));

    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        uint32_t conv = work->result->obs_conv[i], flow_dir = corr_work_flow_dir(work, i);
        const struct corr_conv_seq *seq = &work->conv_seq[conv];
        struct part part = {flow_dir, conv, obs->seq - seq->isn[obs->dir] - 1, obs->len,
                            obs->resid};

        if (profile_of[flow_dir / 2] == CORR_NONE)
            continue;
        if (obs->len > 0 && conv == first_member(links->result, flow_dir / 2)) {
            struct profile *profile =
                &g_array_index(profiles, struct profile, profile_of[flow_dir / 2]);

            profile->from_ns = MIN(profile->from_ns, obs->time_ns);
            profile->to_ns = MAX(profile->to_ns, obs->time_ns);
        }
        if (obs->kind == CORR_KIND_TCP && obs->len > 0 && obs->have & CORR_HAVE_RESID &&
            obs->have & CORR_HAVE_LEN && seq->has_isn[obs->dir])
            g_array_append_val(parts, part);
    }
    if (parts->len > 1)
        g_array_sort(parts, part_compare);
    return parts;
}

/* Adds up the segments of one local flow; false if some bytes are not there. */
static bool parts_sum(const struct part *parts, size_t n, uint32_t len, uint16_t *sum)
{
    uint32_t total = 0, at = 0;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].at + parts[i].len <= at)
            continue; /* sent again */
        if (parts[i].at != at)
            return false;
        /* At an odd place the bytes of each word change places. */
        total += at & 1 ? (uint16_t)(parts[i].resid << 8 | parts[i].resid >> 8) : parts[i].resid;
        total = (total & 0xffff) + (total >> 16);
        at += parts[i].len;
    }
    *sum = total == 0xffff ? 0 : (uint16_t)total;
    return at == len;
}

static void profiles_sum(const struct corr_applinks *links, GArray *profiles)
{
    uint32_t *profile_of = g_new(uint32_t, links->result->flows->len + 1);
    uint8_t *done = g_new0(uint8_t, profiles->len + 1);
    GArray *parts;
    const struct part *all;

    memset(profile_of, 0xff, sizeof *profile_of * (links->result->flows->len + 1));
    for (uint32_t i = 0; i < profiles->len; i++)
        profile_of[g_array_index(profiles, struct profile, i).flow] = i;
    parts = parts_collect(links, profiles, profile_of);
    all = (const struct part *)parts->data;
    for (uint32_t i = 0, end; i < parts->len; i = end) {
        uint32_t at = profile_of[all[i].flow_dir / 2];
        unsigned dir = all[i].flow_dir & 1;
        struct profile *profile = &g_array_index(profiles, struct profile, at);

        for (end = i + 1; end < parts->len && all[end].flow_dir == all[i].flow_dir &&
                          all[end].conv == all[i].conv;
             end++)
            ;
        if (!(done[at] & 1 << dir) &&
            parts_sum(&all[i], end - i, profile->len[dir], &profile->sum[dir]))
            done[at] |= (uint8_t)(1 << dir);
        profile->summed = done[at] == 3;
    }
    g_array_unref(parts);
    g_free(profile_of);
    g_free(done);
}

static void streams_pair(struct corr_applinks *links, uint32_t front, uint32_t back, bool sure)
{
    uint32_t enter = links->first_data[front], leave = links->first_data[back];

    if (enter != CORR_NONE && leave != CORR_NONE && !corr_app_linked(links, front, back))
        corr_app_hand(links,
                      (struct corr_handed){front, back, enter, leave, CORR_LINK_STREAM, sure});
}

/* Did b's first data leave after a's came in, as far as clocks tell? */
static bool follows(const struct corr_applinks *links, uint32_t a, uint32_t b)
{
    uint32_t enter = links->first_data[a], leave = links->first_data[b];
    int64_t time_ns, error_ns;

    return enter != CORR_NONE && leave != CORR_NONE &&
           corr_app_residence(links->result, enter, leave, &time_ns, &error_ns) &&
           time_ns > -error_ns;
}

/* Does one conversation's data begin when that of the one before has ended, at one point? */
static bool take_turns(const struct corr_applinks *links, const struct profile *const *flows,
                       unsigned n)
{
    const struct corr_result *r = links->result;

    for (unsigned i = 1; i < n; i++)
        if (corr_result_conv(r, first_member(r, flows[i]->flow))->point !=
                corr_result_conv(r, first_member(r, flows[i - 1]->flow))->point ||
            flows[i]->from_ns <= flows[i - 1]->to_ns)
            return false;
    return true;
}

/* Does each second part lie between its first part and the next one's? */
static bool interleave(const struct corr_applinks *links, const struct profile *const *fronts,
                       const struct profile *const *backs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!follows(links, fronts[i]->flow, backs[i]->flow) ||
            (i + 1 < n && follows(links, fronts[i + 1]->flow, backs[i]->flow)))
            return false;
    return true;
}

/* Initiator's (0) or responder's (1) address, as the first member shows it. */
static const struct corr_addr *address_of(const struct corr_result *r, uint32_t flow, unsigned end)
{
    const struct corr_member *member =
        &g_array_index(corr_result_flow(r, flow)->convs, struct corr_member, 0);

    return &corr_result_conv(r, member->conv)->end[end ^ member->flip].addr;
}

static bool same_hosts(const struct corr_result *r, uint32_t a, uint32_t b)
{
    return corr_addr_equal(address_of(r, a, 0), address_of(r, b, 0)) &&
           corr_addr_equal(address_of(r, a, 1), address_of(r, b, 1));
}

static bool strangers(const struct corr_result *r, uint32_t a, uint32_t b)
{
    for (unsigned x = 0; x < 2; x++)
        for (unsigned y = 0; y < 2; y++)
            if (corr_addr_equal(address_of(r, a, x), address_of(r, b, y)))
                return false;
    return true;
}

/* Which of them end at a host that begins others, and which begin there? */
static void sides_by_host(const struct corr_applinks *links, const struct profile *run, size_t n,
                          const struct profile **sides[2], unsigned count[2])
{
    for (size_t i = 0; i < n; i++) {
        bool is_front = false, is_back = false;

        for (size_t k = 0; k < n; k++) {
            is_front |= k != i && corr_app_front(links->result, run[i].flow, run[k].flow);
            is_back |= k != i && corr_app_front(links->result, run[k].flow, run[i].flow);
        }
        if (is_front != is_back)
            sides[is_back][count[is_back]++] = &run[i];
    }
}

/* A proxy may have an address on each side: then there are two pairs of hosts, all different. */
static void sides_by_pair(const struct corr_applinks *links, const struct profile *run, size_t n,
                          const struct profile **sides[2], unsigned count[2])
{
    for (size_t i = 0; i < n; i++) {
        bool other = !same_hosts(links->result, run[0].flow, run[i].flow);

        if (other &&
            (!strangers(links->result, run[0].flow, run[i].flow) ||
             (count[1] > 0 && !same_hosts(links->result, sides[1][0]->flow, run[i].flow)))) {
            count[0] = count[1] = 0;
            return;
        }
        sides[other][count[other]++] = &run[i];
    }
    if (count[1] > 0 && follows(links, sides[1][0]->flow, sides[0][0]->flow) &&
        !follows(links, sides[0][0]->flow, sides[1][0]->flow)) {
        const struct profile **swap = sides[0];
        unsigned swapped = count[0];

        sides[0] = sides[1];
        sides[1] = swap;
        count[0] = count[1];
        count[1] = swapped;
    }
}

/*
 * Equal conversations: as many must end at the proxy as begin there, and their times
 * must leave no choice which belongs to which.  Sure if one host shows to be the
 * proxy; where it has two addresses, it is only possible.
 */
static void run_link(struct corr_applinks *links, const struct profile *run, size_t n)
{
    const struct profile *fronts[ALIKE_MAX], *backs[ALIKE_MAX], **sides[2] = {fronts, backs};
    unsigned count[2] = {0, 0};
    bool sure;

    if (n > ALIKE_MAX)
        return;
    sides_by_host(links, run, n, sides, count);
    sure = count[0] + count[1] > 0;
    if (!sure)
        sides_by_pair(links, run, n, sides, count);
    /* Flows are numbered by their first frames, so both lists are in order of time. */
    if (count[0] != count[1] || count[0] + count[1] != n ||
        !((take_turns(links, sides[0], count[0]) && take_turns(links, sides[1], count[1])) ||
          interleave(links, sides[0], sides[1], count[0])))
        return;
    for (unsigned i = 0; i < count[0]; i++)
        streams_pair(links, sides[0][i]->flow, sides[1][i]->flow, sure);
}

/* Keeps what is not alone: profiles are sorted. */
static void lonely_remove(GArray *profiles)
{
    uint32_t kept = 0;

    for (uint32_t i = 0, end; i < profiles->len; i = end) {
        struct profile *all = (struct profile *)profiles->data;

        for (end = i + 1; end < profiles->len && same_lengths(&all[i], &all[end]); end++)
            ;
        if (end - i < 2 || end - i > 4 * ALIKE_MAX)
            continue;
        memmove(&all[kept], &all[i], (end - i) * sizeof *all);
        kept += end - i;
    }
    g_array_set_size(profiles, kept);
}

void corr_app_streams_link(struct corr_applinks *links)
{
    GArray *profiles = g_array_new(FALSE, FALSE, sizeof(struct profile));
    const struct profile *all;

    for (uint32_t f = 0; f < links->result->flows->len; f++) {
        struct profile profile = {.from_ns = INT64_MAX, .to_ns = INT64_MIN};

        if (corr_result_flow(links->result, f)->proto == 6 && lengths_of(links, f, &profile))
            g_array_append_val(profiles, profile);
    }
    g_array_sort(profiles, profile_compare);
    lonely_remove(profiles);
    if (profiles->len > 1) {
        profiles_sum(links, profiles);
        g_array_sort(profiles, profile_compare);
    }
    all = (const struct profile *)profiles->data;
    for (uint32_t i = 0, end; i < profiles->len; i = end) {
        for (end = i + 1; end < profiles->len && same_lengths(&all[i], &all[end]) &&
                          all[end].sum[0] == all[i].sum[0] && all[end].sum[1] == all[i].sum[1] &&
                          all[end].summed == all[i].summed;
             end++)
            ;
        if (all[i].summed && end - i > 1)
            run_link(links, &all[i], end - i);
    }
    g_array_unref(profiles);
}
