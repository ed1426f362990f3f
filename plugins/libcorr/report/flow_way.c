/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow_way.c - a flow direction's points as text: a partial order, taken apart step by step. */
#include "report/flow_way.h"

#include "path/order.h"

/* Stations of one flow that are told apart; more than any flow passes. */
#define STATIONS_MAX 256u

struct corr_flow_ways {
    const struct corr_result *r;
    struct corr_flow_way way;
    uint32_t *index;    /* local flow -> its place among its flow's members */
    uint32_t flow, dir; /* whose way this is */
    uint32_t n;         /* members */
    int8_t *order;      /* n x n: -1 row before column, 1 after, 0 unknown */
    bool *together;     /* n x n: a packet passed both, and their order is not known */
    uint32_t *convs;    /* by member */
};

struct corr_flow_ways *corr_flow_ways_new(const struct corr_result *r)
{
    struct corr_flow_ways *ways = g_new0(struct corr_flow_ways, 1);

    ways->r = r;
    ways->index = g_new0(uint32_t, r->n_convs + 1);
    for (uint32_t f = 0; f < r->flows->len; f++) {
        const GArray *members = corr_result_flow(r, f)->convs;
        for (uint32_t i = 0; i < members->len; i++)
            ways->index[g_array_index(members, struct corr_member, i).conv] = i;
    }
    ways->way.points = g_ptr_array_new_with_free_func(g_free);
    ways->way.text = g_string_new(NULL);
    return ways;
}

void corr_flow_ways_free(struct corr_flow_ways *ways)
{
    g_ptr_array_unref(ways->way.points);
    g_string_free(ways->way.text, TRUE);
    g_free(ways->way.begins);
    g_free(ways->way.ends);
    g_free(ways->index);
    g_free(ways->order);
    g_free(ways->together);
    g_free(ways->convs);
    g_free(ways);
}

/* Those of `set` that hang together by a relation: known order, or unknown order. */
struct parts {
    unsigned n;
    uint8_t of[STATIONS_MAX]; /* by place in the set */
};

static struct parts parts_find(const struct corr_flow_ways *ways, const uint32_t *set, unsigned n,
                               bool known)
{
    struct parts parts = {0};
    uint32_t queue[STATIONS_MAX];
    bool done[STATIONS_MAX] = {false};

    for (unsigned first = 0; first < n; first++) {
        unsigned head = 0, tail = 0;
        if (done[first])
            continue;
        queue[tail++] = first;
        done[first] = true;
        while (head < tail) {
            unsigned at = queue[head++];
            parts.of[at] = (uint8_t)parts.n;
            for (unsigned k = 0; k < n; k++) {
                if (done[k] || (ways->order[set[at] * ways->n + set[k]] != 0) != known)
                    continue;
                done[k] = true;
                queue[tail++] = k;
            }
        }
        parts.n++;
    }
    return parts;
}

static unsigned part_members(const uint32_t *set, unsigned n, const struct parts *parts,
                             unsigned part, uint32_t *out)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++)
        if (parts->of[i] == part)
            out[count++] = set[i];
    return count;
}

static uint32_t point_of(const struct corr_flow_ways *ways, uint32_t member)
{
    return corr_result_conv(ways->r, ways->convs[member])->point;
}

static const char *name_of(const struct corr_flow_ways *ways, uint32_t member)
{
    return corr_store_point(ways->r->store, point_of(ways, member))->name;
}

static bool any_together(const struct corr_flow_ways *ways, const uint32_t *set, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n; k++)
            if (ways->together[set[i] * ways->n + set[k]])
                return true;
    return false;
}

static void write_part(const struct corr_flow_ways *ways, const uint32_t *set, unsigned n,
                       GString *text, GPtrArray *points);

/* Branches, or points whose order is unknown: side by side. */
static void write_aside(const struct corr_flow_ways *ways, const uint32_t *set, unsigned n,
                        GString *text)
{
    struct parts parts = parts_find(ways, set, n, true);
    bool unknown = parts.n == 1 || any_together(ways, set, n);
    uint32_t members[STATIONS_MAX];

    g_string_append_c(text, unknown ? '(' : '{');
    /* An order that is known in part only, and that no series of branches would show. */
    for (unsigned i = 0; parts.n == 1 && i < n; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", name_of(ways, set[i]));
    for (unsigned part = 0; parts.n > 1 && part < parts.n; part++) {
        unsigned count = part_members(set, n, &parts, part, members);
        g_string_append(text, part ? ", " : "");
        write_part(ways, members, count, text, NULL);
    }
    g_string_append(text, unknown ? " in unknown order)" : "}");
}

/* `points`, if wanted, takes each step of the series. */
static void write_part(const struct corr_flow_ways *ways, const uint32_t *set, unsigned n,
                       GString *text, GPtrArray *points)
{
    struct parts parts = parts_find(ways, set, n, false);
    uint32_t members[STATIONS_MAX];
    bool written[STATIONS_MAX] = {false};

    /* Between two parts every order is known: the next is the one that no other precedes. */
    for (unsigned step = 0; step < parts.n; step++) {
        unsigned next = parts.n;
        for (unsigned part = 0; part < parts.n; part++) {
            uint32_t mine, theirs;
            if (written[part])
                continue;
            if (next < parts.n) {
                part_members(set, n, &parts, part, members);
                mine = members[0];
                part_members(set, n, &parts, next, members);
                theirs = members[0];
                if (ways->order[mine * ways->n + theirs] > 0)
                    continue;
            }
            next = part;
        }
        written[next] = true;
        unsigned count = part_members(set, n, &parts, next, members);
        if (step)
            g_string_append(text, " > ");
        gsize start = text->len;
        if (count == 1)
            g_string_append(text, name_of(ways, members[0]));
        else
            write_aside(ways, members, count, text);
        if (points)
            g_ptr_array_add(points, g_strdup(text->str + start));
    }
}

/* Members that a packet of the direction was seen at, by point; pairs of them without an order. */
static unsigned stations_collect(struct corr_flow_ways *ways, const struct corr_by_flow *by,
                                 uint32_t *set)
{
    const struct corr_result *r = ways->r;
    g_autofree bool *seen = g_new0(bool, ways->n + 1);
    unsigned count = 0;

    for (uint32_t i = by->start[ways->flow]; i < by->start[ways->flow + 1]; i++) {
        const struct corr_packet *p = corr_result_packet(r, by->packets[i]);
        bool scoped;
        if ((p->dir & 1) != ways->dir)
            continue;
        scoped = corr_conv_scoped(
            corr_result_conv(r, r->obs_conv[corr_result_sighting(r, p->first)->obs]));
        for (uint32_t k = p->first; k < p->first + p->n; k++) {
            uint32_t conv = r->obs_conv[corr_result_sighting(r, k)->obs];
            if (r->conv_flow[conv] != ways->flow)
                continue; /* a later fragment's */
            uint32_t me = ways->index[conv];
            seen[me] = true;
            for (uint32_t m = p->first; !p->ordered && !scoped && m < k; m++) {
                uint32_t other = r->obs_conv[corr_result_sighting(r, m)->obs];
                if (r->conv_flow[other] != ways->flow ||
                    ways->order[me * ways->n + ways->index[other]] != 0)
                    continue;
                ways->together[me * ways->n + ways->index[other]] = true;
            }
        }
    }
    for (uint32_t i = 0; i < ways->n && count < STATIONS_MAX; i++) {
        unsigned at = count;
        if (!seen[i])
            continue;
        for (; at > 0 && point_of(ways, set[at - 1]) > point_of(ways, i); at--)
            set[at] = set[at - 1];
        set[at] = i;
        count++;
    }
    return count;
}

static void orders_copy(struct corr_flow_ways *ways)
{
    const GArray *members = corr_result_flow(ways->r, ways->flow)->convs;
    uint32_t n = ways->n = members->len;

    ways->convs = g_renew(uint32_t, ways->convs, n + 1);
    ways->order = g_renew(int8_t, ways->order, (size_t)n * n + 1);
    ways->together = g_renew(bool, ways->together, (size_t)n *n + 1);
    ways->way.begins = g_renew(bool, ways->way.begins, n + 1);
    ways->way.ends = g_renew(bool, ways->way.ends, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        ways->convs[i] = g_array_index(members, struct corr_member, i).conv;
        /* A station that is not drawn is neither end. */
        ways->way.begins[i] = ways->way.ends[i] = false;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++) {
            ways->order[i * n + k] = (int8_t)corr_order_compare(ways->r, ways->flow, ways->dir,
                                                                ways->convs[i], ways->convs[k]);
            ways->together[i * n + k] = false;
        }
}

const struct corr_flow_way *corr_flow_way_find(struct corr_flow_ways *ways,
                                               const struct corr_by_flow *by, uint32_t flow,
                                               unsigned dir)
{
    uint32_t set[STATIONS_MAX];
    unsigned count;

    ways->flow = flow;
    ways->dir = dir;
    orders_copy(ways);
    count = stations_collect(ways, by, set);
    g_string_truncate(ways->way.text, 0);
    g_ptr_array_set_size(ways->way.points, 0);
    if (count > 0)
        write_part(ways, set, count, ways->way.text, ways->way.points);
    for (unsigned i = 0; i < count; i++) {
        ways->way.begins[set[i]] = ways->way.ends[set[i]] = true;
        for (unsigned k = 0; k < count; k++) {
            int order = ways->order[set[i] * ways->n + set[k]];
            ways->way.begins[set[i]] &= order <= 0;
            ways->way.ends[set[i]] &= order >= 0;
        }
    }
    return &ways->way;
}

bool corr_flow_way_is_whole(const struct corr_flow_ways *ways, const struct corr_packet *packet)
{
    const struct corr_result *r = ways->r;
    uint32_t first = r->obs_conv[corr_result_sighting(r, packet->first)->obs];
    uint32_t last = r->obs_conv[corr_result_sighting(r, packet->first + packet->n - 1)->obs];

    return packet->ordered && packet->n > 1 && r->conv_flow[first] == ways->flow &&
           r->conv_flow[last] == ways->flow && ways->way.begins[ways->index[first]] &&
           ways->way.ends[ways->index[last]];
}
