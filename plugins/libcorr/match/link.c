/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From votes to edges, from edges to flows. */
#include "match/link.h"

#include <stdlib.h>
#include <string.h>

#include "store/sort.h"

/* Accepting a pair takes this many bits of evidence ... */
#define BITS_NEEDED 56u
/* ... and when neither address survived, this many more. */
#define BITS_STRANGERS 40u
/* A rival for the same local flow at the same point must be this much weaker. */
#define RIVAL_FACTOR 4u
/* Partners at one point that one local flow may have one after the other. */
#define PARTNERS_MAX 64u
/* Sequence numbers of one connection at two points that share no packet: this near. */
#define NEAR_SEQUENCES (1 << 28)
/* Votes that are compared when a transform is learned. */
#define TRANSFORM_VOTES 64u

static bool vote_less(const struct corr_vote *a, const struct corr_vote *b)
{
    if (a->conv_a != b->conv_a)
        return a->conv_a < b->conv_a;
    if (a->conv_b != b->conv_b)
        return a->conv_b < b->conv_b;
    if (a->flip != b->flip)
        return a->flip < b->flip;
    return a->obs_a != b->obs_a ? a->obs_a < b->obs_a : a->obs_b < b->obs_b;
}

CORR_SORT_DEFINE(votes_sort, struct corr_vote, vote_less)

/*
 * The most frequent of some differences, and how many agree; zero wins ties: the simplest.
 * Mostly the first one is that of more than half, and no other need be counted.
 */
static uint32_t most_frequent(const uint32_t *values, unsigned n, unsigned *agree)
{
    uint32_t best = 0;
    unsigned best_count = 0;

    for (unsigned i = 0; i < n && best_count * 2 <= n; i++) {
        unsigned count = 0;

        for (unsigned k = 0; k < n; k++)
            count += values[k] == values[i];
        if (count > best_count || (count == best_count && values[i] == 0)) {
            best = values[i];
            best_count = count;
        }
    }
    *agree = best_count;
    return best;
}

/* What two observations of a vote say about being one packet. */
struct marks {
    unsigned votes, ids, ids_same, stamps, stamps_same, windows_same;
};

static void marks_add(struct marks *marks, const struct corr_obs *a, const struct corr_obs *b)
{
    marks->votes++;
    if (a->have & b->have & CORR_HAVE_IP_ID && (a->ip_id != 0 || b->ip_id != 0)) {
        marks->ids++;
        marks->ids_same += a->ip_id == b->ip_id;
    }
    if (a->have & b->have & CORR_HAVE_TS) {
        marks->stamps++;
        marks->stamps_same += a->tsval == b->tsval;
    }
    marks->windows_same += a->window == b->window;
}

/*
 * A proxy relays equal bytes in packets of its own, and then sequence numbers differ
 * as if a firewall had randomised them.  But a firewall passes packets on: they keep
 * their identification (SYN proxies) or their time stamp; where there is neither,
 * their window.
 */
static bool made_anew(const struct marks *marks)
{
    if (marks->ids_same * 2 > marks->ids || marks->stamps_same * 2 > marks->stamps)
        return false;
    return marks->stamps > 0 || marks->windows_same * 10 < marks->votes * 9;
}

static void transform_learn(struct corr_work *work, const struct corr_vote *votes, size_t n,
                            struct corr_edge *edge)
{
    uint32_t seq[2][2 * TRANSFORM_VOTES], ts[2][2 * TRANSFORM_VOTES];
    unsigned n_seq[2] = {0, 0}, n_ts[2] = {0, 0}, agree;
    struct marks marks = {0};

    for (size_t i = 0; i < n && i < TRANSFORM_VOTES; i++) {
        const struct corr_obs *a, *b;

        if (votes[i].same_tuple)
            continue;
        a = corr_store_obs(work->store, votes[i].obs_a);
        b = corr_store_obs(work->store, votes[i].obs_b);
        if (!(a->have & b->have & CORR_HAVE_TCP))
            continue;
        marks_add(&marks, a, b);
        seq[a->dir][n_seq[a->dir]++] = b->seq - a->seq;
        if (a->tcp_flags & b->tcp_flags & CORR_TCP_ACK)
            seq[!a->dir][n_seq[!a->dir]++] = b->ack - a->ack;
        if (a->have & b->have & CORR_HAVE_TS) {
            ts[a->dir][n_ts[a->dir]++] = b->tsval - a->tsval;
            if (a->tsecr != 0 && b->tsecr != 0)
                ts[!a->dir][n_ts[!a->dir]++] = b->tsecr - a->tsecr;
        }
    }
    for (unsigned dir = 0; dir < 2; dir++) {
        edge->dseq[dir] = n_seq[dir] > 0 ? most_frequent(seq[dir], n_seq[dir], &agree) : 0;
        edge->dts[dir] = n_ts[dir] > 0 ? most_frequent(ts[dir], n_ts[dir], &agree) : 0;
        /* A shift of time stamps that less than half of the votes show is no shift. */
        if (n_ts[dir] > 0 && agree * 2 <= n_ts[dir])
            edge->dts[dir] = 0;
    }
    edge->made_anew = (edge->dseq[0] != 0 || edge->dseq[1] != 0) && made_anew(&marks);
}

static bool scoped(const struct corr_conv *conv)
{
    for (unsigned e = 0; e < 2; e++)
        if (corr_addr_is_multicast(&conv->end[e].addr) ||
            corr_addr_is_link_local(&conv->end[e].addr))
            return true;
    return false;
}

unsigned corr_shared_addresses(const struct corr_conv *a, const struct corr_conv *b, bool flip)
{
    return (unsigned)corr_addr_equal(&a->end[0].addr, &b->end[flip].addr) +
           (unsigned)corr_addr_equal(&a->end[1].addr, &b->end[!flip].addr);
}

/*
 * TCP with equal 5-tuples but no packet in common: one conversation if it began
 * with the same SYN, or if its numbers are near each other.
 */
static bool sequences_agree(const struct corr_work *work, const struct corr_edge *edge)
{
    const struct corr_conv_seq *a = &work->conv_seq[edge->conv_a];
    const struct corr_conv_seq *b = &work->conv_seq[edge->conv_b];
    bool near = false;

    for (unsigned d = 0; d < 2; d++) {
        unsigned e = d ^ edge->flip;

        if (a->has_isn[d] && b->has_isn[e] && a->isn[d] != b->isn[e])
            return false;
        if (a->has_first[d] && b->has_first[e]) {
            int32_t gap = (int32_t)(a->first[d] - b->first[e]);

            if (gap > NEAR_SEQUENCES || gap < -NEAR_SEQUENCES)
                return false;
            near = true;
        }
    }
    return near;
}

/* Did one conversation begin with two handshakes?  A SYN proxy answers in the server's name. */
static bool handshakes_differ(const struct corr_work *work, const struct corr_edge *edge)
{
    const struct corr_conv_seq *a = &work->conv_seq[edge->conv_a];
    const struct corr_conv_seq *b = &work->conv_seq[edge->conv_b];

    for (unsigned d = 0; d < 2; d++) {
        unsigned e = d ^ edge->flip;
        int32_t gap = (int32_t)(a->first[d] - b->first[e]);

        if (a->has_isn[d] && b->has_isn[e] && a->isn[d] != b->isn[e])
            return true;
        if (a->has_first[d] && b->has_first[e] && (gap > NEAR_SEQUENCES || gap < -NEAR_SEQUENCES))
            return true;
    }
    return false;
}

static bool edge_acceptable(struct corr_work *work, const struct corr_edge *edge)
{
    const struct corr_conv *a = corr_result_conv(work->result, edge->conv_a);
    const struct corr_conv *b = corr_result_conv(work->result, edge->conv_b);
    unsigned shared = corr_shared_addresses(a, b, edge->flip);
    uint32_t bits = edge->bits + (shared > 0 ? 16 : 0);

    if (a->proto != b->proto &&
        !((a->proto == 1 && b->proto == 58) || (a->proto == 58 && b->proto == 1)))
        return false;
    /* Equal SYNs are not enough: what was added to the other direction is still to be learned. */
    if (edge->same_tuple)
        return a->proto != 6 || (edge->votes > 0 && !handshakes_differ(work, edge)) ||
               sequences_agree(work, edge);
    if (edge->votes == 0 || edge->made_anew)
        return false;
    /* Nothing translates multicast, broadcast and link-local addresses. */
    if (shared < 2 && (scoped(a) || scoped(b)))
        return false;
    return bits >= BITS_NEEDED + (shared == 0 ? BITS_STRANGERS : 0);
}

void corr_votes_judge(struct corr_work *work, GArray *votes, GArray *edges)
{
    const struct corr_vote *all = (const struct corr_vote *)votes->data;

    votes_sort((struct corr_vote *)votes->data, votes->len);
    for (size_t i = 0, end; i < votes->len; i = end) {
        struct corr_edge edge = {.conv_a = all[i].conv_a,
                                 .conv_b = all[i].conv_b,
                                 .flip = all[i].flip,
                                 .first = {CORR_NONE, CORR_NONE}};
        uint32_t last = CORR_NONE;

        for (end = i; end < votes->len && all[end].conv_a == edge.conv_a &&
                      all[end].conv_b == edge.conv_b && all[end].flip == edge.flip;
             end++) {
            edge.bits += all[end].bits;
            if (all[end].same_tuple) {
                edge.same_tuple = true;
                continue;
            }
            edge.first[0] = MIN(edge.first[0], all[end].obs_a);
            edge.first[1] = MIN(edge.first[1], all[end].obs_b);
            edge.last[0] = MAX(edge.last[0], all[end].obs_a);
            edge.last[1] = MAX(edge.last[1], all[end].obs_b);
            if (all[end].obs_a != last) {
                edge.votes++;
                last = all[end].obs_a;
            }
        }
        transform_learn(work, &all[i], end - i, &edge);
        if (edge_acceptable(work, &edge))
            g_array_append_val(edges, edge);
    }
    g_array_set_size(votes, 0);
}

/*
 * Of edges that payloads alone proposed, one local flow keeps at each other
 * point the best, if it is clearly the best: twin clients that ask the same of
 * the same server look alike.  Rivals whose votes lie in different times are
 * none: a translator gave the flow another port meanwhile.
 */
struct claim {
    uint32_t conv, point, edge, bits;
    uint32_t first, last; /* observations of `conv` that voted */
};

static int claim_compare(const void *x, const void *y)
{
    const struct claim *a = x, *b = y;

    if (a->conv != b->conv)
        return a->conv < b->conv ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    return a->edge < b->edge ? -1 : a->edge > b->edge;
}

static void rivals_refuse(struct corr_work *work, GArray *edges, uint32_t from)
{
    uint32_t n = edges->len - from;
    struct claim *claims = g_new(struct claim, 2 * (size_t)n + 1);
    bool *refused = g_new0(bool, n + 1);
    uint32_t kept = from;

    for (uint32_t i = 0; i < n; i++) {
        const struct corr_edge *edge = &g_array_index(edges, struct corr_edge, from + i);

        claims[2 * i] = (struct claim){edge->conv_a,
                                       corr_result_conv(work->result, edge->conv_b)->point,
                                       i,
                                       edge->bits,
                                       edge->first[0],
                                       edge->last[0]};
        claims[2 * i + 1] = (struct claim){edge->conv_b,
                                           corr_result_conv(work->result, edge->conv_a)->point,
                                           i,
                                           edge->bits,
                                           edge->first[1],
                                           edge->last[1]};
    }
    qsort(claims, 2 * (size_t)n, sizeof *claims, claim_compare);
    for (size_t i = 0, end; i < 2 * (size_t)n; i = end) {
        for (end = i + 1; end < 2 * (size_t)n && claims[end].conv == claims[i].conv &&
                          claims[end].point == claims[i].point;
             end++)
            ;
        /* Best first; a run is short, for a local flow has few partners at a point. */
        for (size_t k = i; k < MIN(end, i + PARTNERS_MAX); k++)
            for (size_t j = i; j < k; j++) {
                if (claims[k].first > claims[j].last || claims[k].last < claims[j].first)
                    continue;
                refused[claims[k].edge] = true;
                if (claims[j].bits < RIVAL_FACTOR * claims[k].bits)
                    refused[claims[j].edge] = true;
            }
        for (size_t k = i + PARTNERS_MAX; k < end; k++)
            refused[claims[k].edge] = true;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!refused[i])
            g_array_index(edges, struct corr_edge, kept++) =
                g_array_index(edges, struct corr_edge, from + i);
    g_array_set_size(edges, kept);
    g_free(claims);
    g_free(refused);
}

/* Union-find whose links carry the direction and the transform to the parent. */
struct node {
    uint32_t parent;
    uint8_t flip;             /* direction d here is direction d ^ flip of the parent */
    uint32_t dseq[2], dts[2]; /* here minus parent, by direction here */
};

static uint32_t node_find(struct node *nodes, uint32_t at, struct node *sum)
{
    struct node total = {.parent = at};

    while (nodes[at].parent != at) {
        const struct node *up = &nodes[at];

        for (unsigned d = 0; d < 2; d++) {
            total.dseq[d] += up->dseq[d ^ total.flip];
            total.dts[d] += up->dts[d ^ total.flip];
        }
        total.flip ^= up->flip;
        at = up->parent;
    }
    total.parent = at;
    *sum = total;
    return at;
}

static void node_compress(struct node *nodes, uint32_t at)
{
    struct node sum;

    node_find(nodes, at, &sum);
    if (sum.parent != at)
        nodes[at] = sum;
}

static void nodes_join(struct node *nodes, uint32_t *sizes, const struct corr_edge *edge)
{
    struct node a, b, *moved;
    uint32_t root_a = node_find(nodes, edge->conv_a, &a),
             root_b = node_find(nodes, edge->conv_b, &b);
    bool keep_a;

    if (root_a == root_b)
        return;
    /*
     * value(b) in direction d of a: x_b = x_a + delta(d).  With x_a = root_a + a(d) and
     * x_b = root_b + b(d ^ flip):  root_b - root_a = a(d) + delta(d) - b(d ^ flip).
     */
    keep_a = sizes[root_a] > sizes[root_b] || (sizes[root_a] == sizes[root_b] && root_a < root_b);
    moved = &nodes[keep_a ? root_b : root_a];
    moved->parent = keep_a ? root_a : root_b;
    moved->flip = a.flip ^ edge->flip ^ b.flip;
    for (unsigned d = 0; d < 2; d++) {
        uint8_t at_a = d ^ a.flip, at_b = d ^ edge->flip ^ b.flip;
        uint32_t seq = a.dseq[d] + edge->dseq[d] - b.dseq[d ^ edge->flip];
        uint32_t ts = a.dts[d] + edge->dts[d] - b.dts[d ^ edge->flip];

        if (keep_a) {
            moved->dseq[at_b] = seq;
            moved->dts[at_b] = ts;
        } else {
            moved->dseq[at_a] = -seq;
            moved->dts[at_a] = -ts;
        }
    }
    sizes[keep_a ? root_a : root_b] += sizes[keep_a ? root_b : root_a];
}

static int edge_compare(const void *x, const void *y)
{
    const struct corr_edge *a = x, *b = y;

    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    if (a->conv_a != b->conv_a)
        return a->conv_a < b->conv_a ? -1 : 1;
    return a->conv_b < b->conv_b ? -1 : a->conv_b > b->conv_b;
}

static void edges_join(GArray *edges, struct node *nodes, uint32_t *sizes, uint32_t n_convs)
{
    if (edges->len > 1)
        g_array_sort(edges, edge_compare);
    for (uint32_t i = 0; i < edges->len; i++)
        nodes_join(nodes, sizes, &g_array_index(edges, struct corr_edge, i));
    for (uint32_t c = 0; c < n_convs; c++)
        node_compress(nodes, c);
}

/* Local flows whose flow is not yet seen at every point are worth a closer look. */
static bool *incomplete(struct corr_work *work, struct node *nodes)
{
    const struct corr_result *result = work->result;
    uint32_t n_points = work->store->points->len, n = result->n_convs;
    struct corr_keyed *keys = g_new(struct corr_keyed, n + 1);
    bool *wanted = g_new0(bool, n + 1);

    for (uint32_t c = 0; c < n; c++)
        keys[c] = (struct corr_keyed){
            (uint64_t)nodes[c].parent << 32 | corr_result_conv(result, c)->point, 0, c};
    corr_keyed_sort(keys, n);
    for (uint32_t i = 0, end; i < n; i = end) {
        uint32_t points = 1;

        for (end = i + 1; end < n && keys[end].key >> 32 == keys[i].key >> 32; end++)
            points += keys[end].key != keys[end - 1].key;
        /* Complete flows of other protocols than TCP too: a hairpin shows one flow twice at a
         * point, and only TCP's own numbers have told so by now. */
        for (uint32_t k = i; k < end; k++)
            wanted[keys[k].conv] =
                points < n_points || corr_result_conv(result, keys[k].conv)->proto != 6;
    }
    g_free(keys);
    return wanted;
}

/* Who began?  0 or 1: direction of the local flow; -1: this packet does not tell. */
static int initiator_of(const struct corr_obs *obs)
{
    if (obs->have & CORR_HAVE_TCP && obs->tcp_flags & CORR_TCP_SYN)
        return obs->tcp_flags & CORR_TCP_ACK ? !obs->dir : obs->dir;
    return -1;
}

static void flows_number(struct corr_work *work, struct node *nodes)
{
    struct corr_result *result = work->result;
    uint32_t n = result->n_convs;
    uint32_t *flow_of_root = g_new(uint32_t, n + 1);
    uint8_t *root_flip = g_new0(uint8_t, n + 1);
    bool *told = g_new0(bool, n + 1);

    result->conv_flow = g_new(uint32_t, n + 1);
    result->conv_flip = g_new0(uint8_t, n + 1);
    result->flows = g_array_new(FALSE, FALSE, sizeof(struct corr_flow));
    memset(flow_of_root, 0xff, sizeof *flow_of_root * (n + 1));
    memset(result->conv_flow, 0xff, sizeof *result->conv_flow * (n + 1));
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        uint32_t conv = result->obs_conv[i], root = nodes[conv].parent;
        const struct corr_conv *c = corr_result_conv(result, conv);
        int began = initiator_of(obs);

        if (flow_of_root[root] == CORR_NONE) {
            struct corr_flow flow = {
                .first_frame = obs->frame, .proto = c->proto, .has_ports = c->has_ports};

            flow_of_root[root] = result->flows->len;
            g_array_append_val(result->flows, flow);
            /* An echo request has the identifier on its source's side; between well-known and
             * ephemeral ports the server has the lower one; else the first packet began. */
            root_flip[root] = obs->dir ^ nodes[conv].flip;
            if (c->has_ports && c->end[obs->dir].port < 1024 && c->end[!obs->dir].port >= 1024)
                root_flip[root] ^= 1;
            if (obs->kind == CORR_KIND_ECHO) {
                root_flip[root] =
                    (c->end[obs->dir].port != 0 ? obs->dir : !obs->dir) ^ nodes[conv].flip;
                told[root] = true;
            }
        }
        if (began >= 0 && !told[root]) {
            told[root] = true;
            root_flip[root] = (uint8_t)began ^ nodes[conv].flip;
        }
        result->conv_flow[conv] = flow_of_root[root];
    }
    for (uint32_t c = 0; c < n; c++) {
        uint32_t root = nodes[c].parent;
        struct corr_member member = {.conv = c};
        struct corr_flow *flow;

        if (result->conv_flow[c] == CORR_NONE)
            continue;
        member.flip = nodes[c].flip ^ root_flip[root];
        result->conv_flip[c] = member.flip;
        flow = &g_array_index(result->flows, struct corr_flow, result->conv_flow[c]);
        flow->initiator_known = told[root];
        if (flow->convs == NULL)
            flow->convs = g_array_new(FALSE, FALSE, sizeof(struct corr_member));
        g_array_append_val(flow->convs, member);
    }
    g_free(flow_of_root);
    g_free(root_flip);
    g_free(told);
}

void corr_flows_link(struct corr_work *work)
{
    uint32_t n = work->result->n_convs;
    GArray *votes = g_array_new(FALSE, FALSE, sizeof(struct corr_vote));
    GArray *edges = g_array_new(FALSE, FALSE, sizeof(struct corr_edge));
    struct node *nodes = g_new0(struct node, n + 1);
    uint32_t *sizes = g_new(uint32_t, n + 1);
    uint32_t plain;
    bool *wanted;

    work->doubts = g_new0(struct corr_doubt, n + 1);
    for (uint32_t c = 0; c < n; c++) {
        nodes[c].parent = c;
        sizes[c] = 1;
        work->doubts[c].mixed = CORR_NONE;
    }
    corr_anchors_plain(work, votes);
    corr_votes_judge(work, votes, edges);
    corr_tenants_refuse(work, edges);
    edges_join(edges, nodes, sizes, n);
    wanted = incomplete(work, nodes);
    plain = edges->len;
    corr_anchors_payload(work, wanted, votes);
    corr_votes_judge(work, votes, edges);
    rivals_refuse(work, edges, plain);
    g_array_remove_range(edges, 0, plain);
    corr_tenants_refuse(work, edges);
    edges_join(edges, nodes, sizes, n);

    work->dseq = g_malloc0(sizeof *work->dseq * (n + 1));
    work->dts = g_malloc0(sizeof *work->dts * (n + 1));
    for (uint32_t c = 0; c < n; c++) {
        memcpy(work->dseq[c], nodes[c].dseq, sizeof nodes[c].dseq);
        memcpy(work->dts[c], nodes[c].dts, sizeof nodes[c].dts);
    }
    flows_number(work, nodes);
    g_array_unref(votes);
    g_array_unref(edges);
    g_free(nodes);
    g_free(sizes);
    g_free(wanted);
}
