/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which two flows does a proxy join?  A proxy ends a connection and makes another,
 * so no packet is the same; what it carries over is: a PROXY header that names the
 * client's connection, the random of a ClientHello, the id of a request
 * (applink_request.c), or all bytes of both directions in order (applink_stream.c).
 */
#include <stdlib.h>

#include "match/applink.h"
#include "path/order.h"
#include "store/hash.h"

/* Addresses of a flow that are looked at. */
#define MEMBERS_MAX 8u

static bool shares(const struct corr_result *r, uint32_t front, uint32_t back)
{
    const struct corr_flow *f = corr_result_flow(r, front), *b = corr_result_flow(r, back);

    for (uint32_t i = 0; i < f->convs->len && i < MEMBERS_MAX; i++)
        for (uint32_t k = 0; k < b->convs->len && k < MEMBERS_MAX; k++) {
            const struct corr_member *x = &g_array_index(f->convs, struct corr_member, i);
            const struct corr_member *y = &g_array_index(b->convs, struct corr_member, k);

            if (corr_addr_equal(&corr_result_conv(r, x->conv)->end[!x->flip].addr,
                                &corr_result_conv(r, y->conv)->end[y->flip].addr))
                return true;
        }
    return false;
}

bool corr_app_front(const struct corr_result *r, uint32_t front, uint32_t back)
{
    return shares(r, front, back) && !shares(r, back, front);
}

/* The sighting of an observation's packet that is last, or first, on its way; CORR_NONE. */
static uint32_t end_of_way(const struct corr_result *r, uint32_t obs, bool last)
{
    const struct corr_packet *p;
    uint32_t best = CORR_NONE;

    if (r->obs_first[obs] == r->obs_first[obs + 1])
        return CORR_NONE;
    p = corr_result_packet(r, corr_result_sighting(r, r->obs_sightings[r->obs_first[obs]])->packet);
    if (p->ambiguous || (p->n > 1 && !p->ordered))
        return CORR_NONE;
    for (uint32_t s = p->first; s < p->first + p->n; s++)
        if (!corr_result_sighting(r, s)->duplicate && (best == CORR_NONE || last))
            best = corr_result_sighting(r, s)->obs;
    return best;
}

bool corr_app_residence(const struct corr_result *r, uint32_t enter, uint32_t leave,
                        int64_t *time_ns, int64_t *error_ns)
{
    uint32_t a = end_of_way(r, enter, true), b = end_of_way(r, leave, false);
    struct corr_clock_answer clock;

    if (a == CORR_NONE || b == CORR_NONE)
        return false;
    clock = corr_result_correction(r, a, b);
    if (clock.status < CORR_CLOCK_BOUNDED)
        return false;
    *time_ns = corr_store_obs(r->store, b)->time_ns - corr_store_obs(r->store, a)->time_ns -
               clock.offset_ns;
    *error_ns = clock.error_ns;
    return true;
}

bool corr_app_linked(const struct corr_applinks *links, uint32_t front, uint32_t back)
{
    for (unsigned how = 0; how < CORR_LINK_COUNT; how++) {
        uint64_t key = corr_hash_mix((uint64_t)front << 32 | back, how);

        if (g_hash_table_contains(links->by_pair, &key))
            return true;
    }
    return false;
}

static void link_add(struct corr_applinks *links, const struct corr_app_link *link)
{
    uint64_t key = corr_hash_mix((uint64_t)link->front << 32 | link->back, link->how);
    gpointer found = g_hash_table_lookup(links->by_pair, &key);
    struct corr_app_link *at;

    if (found == NULL) {
        g_array_append_vals(links->result->links, link, 1);
        g_hash_table_insert(links->by_pair, g_memdup2(&key, sizeof key),
                            GUINT_TO_POINTER(links->result->links->len));
        return;
    }
    at = &g_array_index(links->result->links, struct corr_app_link, GPOINTER_TO_UINT(found) - 1);
    at->requests += link->requests;
    if (!link->has_residence)
        return;
    if (!at->has_residence || link->residence_min_ns < at->residence_min_ns)
        at->residence_min_ns = link->residence_min_ns;
    if (!at->has_residence || link->residence_max_ns > at->residence_max_ns)
        at->residence_max_ns = link->residence_max_ns;
    at->residence_error_ns = MAX(at->residence_error_ns, link->residence_error_ns);
    at->has_residence = true;
}

void corr_app_hand(struct corr_applinks *links, struct corr_handed handed)
{
    const struct corr_result *r = links->result;
    struct corr_app_link link = {.front = handed.front,
                                 .back = handed.back,
                                 .how = handed.how,
                                 .sure = handed.sure,
                                 .requests = 1,
                                 .enter_frame = corr_store_obs(r->store, handed.enter)->frame,
                                 .leave_frame = corr_store_obs(r->store, handed.leave)->frame};

    link.has_residence = corr_app_residence(r, handed.enter, handed.leave, &link.residence_min_ns,
                                            &link.residence_error_ns);
    link.residence_max_ns = link.residence_min_ns;
    link_add(links, &link);
    g_array_append_val(links->result->handed, handed);
}

static int said_compare(const void *x, const void *y)
{
    const struct corr_app_said *a = x, *b = y;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->obs < b->obs ? -1 : a->obs > b->obs;
}

/* Local flows by the connection that a PROXY header would call them. */
static GHashTable *names_of_flows(const struct corr_result *r)
{
    GHashTable *names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (uint32_t c = 0; c < r->n_convs; c++) {
        const struct corr_conv *conv = corr_result_conv(r, c);
        unsigned from = r->conv_flip[c];
        uint64_t name;

        if (conv->proto != 6 || r->conv_flow[c] == CORR_NONE)
            continue;
        name = corr_token_of_tuple(&conv->end[from].addr, conv->end[from].port,
                                   &conv->end[!from].addr, conv->end[!from].port);
        g_hash_table_insert(names, g_memdup2(&name, sizeof name), GUINT_TO_POINTER(c + 1));
    }
    return names;
}

static void proxied_link(struct corr_applinks *links, const struct corr_app_said *said,
                         GHashTable *names)
{
    const struct corr_result *r = links->result;
    uint32_t conv = GPOINTER_TO_UINT(g_hash_table_lookup(names, &said->value)), front, enter;

    if (conv == 0)
        return;
    front = r->conv_flow[conv - 1];
    enter = links->first_data[front];
    if (front == said->flow || enter == CORR_NONE)
        return;
    corr_app_hand(links,
                  (struct corr_handed){front, said->flow, enter, said->obs, CORR_LINK_PROXY, true});
}

static void tokens_link(struct corr_applinks *links)
{
    const struct corr_result *r = links->result;
    const GArray *tokens = r->store->tokens;
    struct corr_app_said *said = g_new(struct corr_app_said, tokens->len + 1);
    GHashTable *names = NULL, *proxied = g_hash_table_new(g_direct_hash, g_direct_equal);

    for (uint32_t i = 0; i < tokens->len; i++) {
        const struct corr_said_token *token = &g_array_index(tokens, struct corr_said_token, i);
        uint32_t flow = r->conv_flow[r->obs_conv[token->obs]];

        said[i] = (struct corr_app_said){token->token.value, flow, token->obs, token->token.kind};
    }
    if (tokens->len > 1)
        qsort(said, tokens->len, sizeof *said, said_compare);
    for (uint32_t i = 0, end; i < tokens->len; i = end) {
        for (end = i + 1; end < tokens->len && said[end].kind == said[i].kind &&
                          said[end].value == said[i].value;
             end++)
            ;
        if (said[i].kind != CORR_TOKEN_PROXY) {
            corr_app_run_link(links, &said[i], end - i);
            continue;
        }
        if (names == NULL)
            names = names_of_flows(r);
        /* One connection, one header: further sightings of it are copies. */
        for (uint32_t k = i; k < end; k++)
            if (g_hash_table_add(proxied, GUINT_TO_POINTER(said[k].flow)))
                proxied_link(links, &said[k], names);
    }
    if (names != NULL)
        g_hash_table_destroy(names);
    g_hash_table_destroy(proxied);
    g_free(said);
}

/* The first data of each flow's initiator, as the first frame shows it. */
static void first_data_find(struct corr_applinks *links)
{
    const struct corr_result *r = links->result;

    links->first_data = g_new(uint32_t, r->flows->len + 1);
    memset(links->first_data, 0xff, sizeof *links->first_data * (r->flows->len + 1));
    for (uint32_t p = 0; p < r->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(r, p);

        if (packet->kind == CORR_KIND_TCP && packet->len > 0 && packet->dir == 0 &&
            packet->flow != CORR_NONE && links->first_data[packet->flow] == CORR_NONE)
            links->first_data[packet->flow] = corr_result_sighting(r, packet->first)->obs;
    }
}

static int link_compare(const void *x, const void *y)
{
    const struct corr_app_link *a = x, *b = y;

    if (a->front != b->front)
        return a->front < b->front ? -1 : 1;
    if (a->back != b->back)
        return a->back < b->back ? -1 : 1;
    return a->how < b->how ? -1 : a->how > b->how;
}

static int handed_compare(const void *x, const void *y)
{
    const struct corr_handed *a = x, *b = y;

    if (a->leave != b->leave)
        return a->leave < b->leave ? -1 : 1;
    return a->enter < b->enter ? -1 : a->enter > b->enter;
}

void corr_applinks_find(struct corr_work *work)
{
    struct corr_applinks links = {
        .work = work,
        .result = work->result,
        .by_pair = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
    };

    first_data_find(&links);
    tokens_link(&links);
    corr_app_streams_link(&links);
    if (work->result->links->len > 1)
        g_array_sort(work->result->links, link_compare);
    if (work->result->handed->len > 1)
        g_array_sort(work->result->handed, handed_compare);
    g_hash_table_destroy(links.by_pair);
    g_free(links.first_data);
}
