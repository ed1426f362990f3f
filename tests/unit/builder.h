/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder.h - a store and its answers, put together by hand, for tests of what
 * reads them.
 *
 *     struct builder b;
 *     builder_init(&b);
 *     uint32_t lan = builder_point(&b, "lan"), wan = builder_point(&b, "wan");
 *     uint32_t c = builder_conv(&b, lan, 6, "10.0.0.1", 1234, "10.0.0.2", 80);
 *     uint32_t d = builder_conv(&b, wan, 6, "10.0.0.1", 1234, "10.0.0.2", 80);
 *     builder_flow(&b, 6, c, d, CORR_NONE);
 *     builder_obs(&b, c, 0, 0);
 *     builder_obs(&b, d, 0, 1000);
 *     builder_packet(&b, 0, 0, 0, 1, CORR_NONE);    flow 0, forward, observations 0 and 1
 *     builder_finish(&b);
 *     ... b.store, &b.result ...
 *     builder_clear(&b);
 */
#ifndef BUILDER_H
#define BUILDER_H

#include <glib.h>
#include <stdarg.h>
#include <string.h>

#include "layers/layers.h"
#include "path/result.h"
#include "report/report-int.h"

struct builder {
    struct corr_store *store;
    struct corr_result result;
};

#define BUILDER_BASE_NS INT64_C(1700000000000000000)

static inline void builder_init(struct builder *b)
{
    memset(b, 0, sizeof *b);
    b->store = corr_store_new(NULL);
    b->result.store = b->store;
    b->result.packets = g_array_new(FALSE, FALSE, sizeof(struct corr_packet));
    b->result.sightings = g_array_new(FALSE, FALSE, sizeof(struct corr_sighting));
    b->result.convs = g_array_new(FALSE, FALSE, sizeof(struct corr_conv));
    b->result.flows = g_array_new(FALSE, FALSE, sizeof(struct corr_flow));
    b->result.rivals = g_array_new(FALSE, FALSE, sizeof(struct corr_rival));
    b->result.injected = g_array_new(FALSE, FALSE, sizeof(struct corr_injected));
    b->result.upstream = g_array_new(FALSE, FALSE, sizeof(struct corr_upstream));
    b->result.groups = g_array_new(FALSE, FALSE, sizeof(struct corr_group));
    b->result.links = g_array_new(FALSE, FALSE, sizeof(struct corr_app_link));
    b->result.handed = g_array_new(FALSE, FALSE, sizeof(struct corr_handed));
    b->result.missed = g_ptr_array_new();
    b->result.collapsed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
}

static inline uint32_t builder_point(struct builder *b, const char *name)
{
    uint32_t point = corr_store_add_point(b->store, 0, b->store->points->len, name);
    ((struct corr_point *)g_ptr_array_index(b->store->points, point))->link = 1;
    return point;
}

/* Dotted quad, or groups of IPv6 in full: "2001:db8:0:0:0:0:0:1". */
static inline struct corr_addr builder_addr(const char *text)
{
    struct corr_addr addr = {0};
    bool v6 = strchr(text, ':') != NULL;
    g_auto(GStrv) parts = g_strsplit(text, v6 ? ":" : ".", -1);
    for (char **part = parts; *part; part++) {
        unsigned value = (unsigned)g_ascii_strtoull(*part, NULL, v6 ? 16 : 10);
        if (v6)
            addr.bytes[addr.len++] = (uint8_t)(value >> 8);
        addr.bytes[addr.len++] = (uint8_t)value;
    }
    return addr;
}

/* A local flow: endpoint 0 is `src`. */
static inline uint32_t builder_conv(struct builder *b, uint32_t point, uint8_t proto,
                                    const char *src, uint16_t src_port, const char *dst,
                                    uint16_t dst_port)
{
    struct corr_conv conv = {.point = point, .proto = proto, .has_ports = true};
    conv.end[0].addr = builder_addr(src);
    conv.end[0].port = src_port;
    conv.end[1].addr = builder_addr(dst);
    conv.end[1].port = dst_port;
    g_array_append_val(b->store->convs, conv);
    return b->store->convs->len - 1;
}

/* A flow of local flows, up to CORR_NONE; its initiator is endpoint 0 of each. */
static inline uint32_t builder_flow(struct builder *b, unsigned proto, ...)
{
    struct corr_flow flow = {
        .first_frame = 1, .proto = (uint8_t)proto, .has_ports = true, .initiator_known = true};
    flow.convs = g_array_new(FALSE, FALSE, sizeof(struct corr_member));
    va_list args;
    va_start(args, proto);
    for (uint32_t conv; (conv = va_arg(args, uint32_t)) != CORR_NONE;) {
        struct corr_member member = {conv, 0};
        g_array_append_val(flow.convs, member);
    }
    va_end(args);
    g_array_append_val(b->result.flows, flow);
    return b->result.flows->len - 1;
}

/* One packet in a frame of its own, the next; `at_ns` counts from the file's start. */
static inline struct corr_obs *builder_obs(struct builder *b, uint32_t conv, uint8_t dir,
                                           int64_t at_ns)
{
    struct corr_store *store = b->store;
    const struct corr_conv *c = corr_store_conv(store, conv);
    struct corr_obs obs = {
        .time_ns = BUILDER_BASE_NS + at_ns,
        .frame = ++store->last_frame,
        .conv = conv,
        .have = CORR_HAVE_IP | CORR_HAVE_PORTS | CORR_HAVE_LEN | CORR_HAVE_SEQ,
        .extra = CORR_NONE,
        .point = (uint16_t)c->point,
        .ttl = 64,
        .dir = dir,
        .len = 100,
        .kind = c->proto == 6 ? CORR_KIND_TCP : CORR_KIND_UDP,
    };
    uint32_t none = CORR_NONE, index = store->obs->len;
    uint16_t zero = 0, point = (uint16_t)(c->point + 1);
    while (store->frame_obs->len < obs.frame) {
        g_array_append_val(store->frame_obs, none);
        g_array_append_val(store->frame_point, zero);
    }
    g_array_append_val(store->frame_obs, index);
    g_array_append_val(store->frame_point, point);
    ((struct corr_point *)g_ptr_array_index(store->points, c->point))->frames++;
    store->n_frames++;
    g_array_append_val(store->obs, obs);
    return &g_array_index(store->obs, struct corr_obs, index);
}

static inline struct corr_obs *builder_get_obs(struct builder *b, uint32_t i)
{
    return &g_array_index(b->store->obs, struct corr_obs, i);
}

static inline struct corr_sighting *builder_sighting(struct builder *b, uint32_t i)
{
    return &g_array_index(b->result.sightings, struct corr_sighting, i);
}

static inline struct corr_packet *builder_get_packet(struct builder *b, uint32_t i)
{
    return &g_array_index(b->result.packets, struct corr_packet, i);
}

/* A packet and its observations in path order, each after the one before. */
static inline struct corr_packet *builder_packet_of(struct builder *b, uint32_t flow, uint8_t dir,
                                                    const uint32_t *obs, uint32_t n)
{
    uint32_t first = b->result.sightings->len, index = b->result.packets->len;
    for (uint32_t i = 0; i < n; i++) {
        struct corr_sighting s = {.obs = obs[i],
                                  .packet = index,
                                  .prev = i ? first + i - 1 : CORR_NONE,
                                  .hop = (uint16_t)(i + 1)};
        g_array_append_val(b->result.sightings, s);
    }
    struct corr_packet p = {
        .first = first,
        .n = n,
        .flow = flow,
        .dir = dir,
        .method = n > 1 ? CORR_METHOD_EXACT : CORR_METHOD_NONE,
        .ordered = true,
        .fate = CORR_FATE_ARRIVED,
        .drop_after = CORR_NONE,
        .drop_before = CORR_NONE,
        .original = CORR_NONE,
        .quotes = CORR_NONE,
        .candidates = 1,
    };
    p.len = builder_get_obs(b, obs[0])->len;
    p.kind = builder_get_obs(b, obs[0])->kind;
    g_array_append_val(b->result.packets, p);
    return builder_get_packet(b, index);
}

/* The same with the observations as arguments, up to CORR_NONE. */
static inline struct corr_packet *builder_packet(struct builder *b, uint32_t flow, unsigned dir,
                                                 ...)
{
    uint32_t obs[64], n = 0;
    va_list args;
    va_start(args, dir);
    for (uint32_t o; (o = va_arg(args, uint32_t)) != CORR_NONE && n < G_N_ELEMENTS(obs);)
        obs[n++] = o;
    va_end(args);
    return builder_packet_of(b, flow, (uint8_t)dir, obs, n);
}

/* Clocks tell nothing here: from the first call on, only told latencies are known. */
static inline void builder_latency(struct builder *b, uint32_t sighting, int64_t ns, int64_t error)
{
    struct corr_latency latency = {true, ns, error};
    GArray **latencies = &b->result.latencies;

    if (*latencies == NULL)
        *latencies = g_array_new(FALSE, TRUE, sizeof latency);
    if ((*latencies)->len <= sighting)
        g_array_set_size(*latencies, sighting + 1);
    g_array_index(*latencies, struct corr_latency, sighting) = latency;
}

/* The packet passed `point` unseen. */
static inline void builder_missed(struct builder *b, uint32_t packet, uint32_t point)
{
    GArray *points = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(points, point);
    g_ptr_array_add(b->result.missed, points);
    builder_get_packet(b, packet)->missed = b->result.missed->len;
}

/* Indexes what was put in.  Nothing may be added afterwards. */
static inline void builder_finish(struct builder *b)
{
    struct corr_result *r = &b->result;
    uint32_t n = b->store->obs->len, n_convs = b->store->convs->len;

    g_array_append_vals(r->convs, b->store->convs->data, n_convs);
    r->n_convs = n_convs;
    r->n_obs = n;
    if (r->latencies != NULL)
        g_array_set_size(r->latencies, r->sightings->len);
    r->obs_first = g_new0(uint32_t, n + 2);
    r->obs_sightings = g_new0(uint32_t, r->sightings->len + 1);
    r->obs_conv = g_new0(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++)
        r->obs_conv[i] = corr_store_obs(b->store, i)->conv;
    for (uint32_t i = 0; i < r->sightings->len; i++)
        r->obs_first[corr_result_sighting(r, i)->obs + 2]++;
    for (uint32_t i = 2; i <= n + 1; i++)
        r->obs_first[i] += r->obs_first[i - 1];
    for (uint32_t i = 0; i < r->sightings->len; i++)
        r->obs_sightings[r->obs_first[corr_result_sighting(r, i)->obs + 1]++] = i;
    r->conv_flow = g_new(uint32_t, n_convs + 1);
    r->conv_flip = g_new0(uint8_t, n_convs + 1);
    for (uint32_t i = 0; i < n_convs; i++)
        r->conv_flow[i] = CORR_NONE;
    for (uint32_t f = 0; f < r->flows->len; f++) {
        const GArray *convs = corr_result_flow(r, f)->convs;
        for (unsigned i = 0; i < convs->len; i++)
            r->conv_flow[g_array_index(convs, struct corr_member, i).conv] = f;
    }
}

static inline void builder_clear(struct builder *b)
{
    struct corr_result *r = &b->result;
    corr_layers_free(r->layers);
    for (uint32_t f = 0; f < r->flows->len; f++)
        g_array_free(g_array_index(r->flows, struct corr_flow, f).convs, TRUE);
    for (unsigned i = 0; i < r->missed->len; i++)
        g_array_free(g_ptr_array_index(r->missed, i), TRUE);
    g_ptr_array_free(r->missed, TRUE);
    g_array_free(r->packets, TRUE);
    g_array_free(r->sightings, TRUE);
    if (r->latencies != NULL)
        g_array_free(r->latencies, TRUE);
    g_array_free(r->convs, TRUE);
    g_array_free(r->flows, TRUE);
    g_array_free(r->rivals, TRUE);
    g_array_free(r->groups, TRUE);
    g_array_free(r->links, TRUE);
    g_array_free(r->handed, TRUE);
    g_array_free(r->injected, TRUE);
    g_array_free(r->upstream, TRUE);
    g_array_free(r->collapsed, TRUE);
    g_free(r->obs_first);
    g_free(r->obs_sightings);
    g_free(r->obs_conv);
    g_free(r->conv_flow);
    g_free(r->conv_flip);
    corr_store_free(b->store);
}

/*
 * The network of most tests: client > lan > wan > server, with a SNAT between
 * lan and wan.  Conversation: 192.168.1.10:54321 to 198.51.100.5:80.
 */
struct snat_net {
    uint32_t client, lan, wan, server;
    uint32_t convs[4]; /* local flow at each point */
    uint32_t flow;
};

static inline struct snat_net builder_snat_net(struct builder *b)
{
    struct snat_net net;
    net.client = builder_point(b, "client");
    net.lan = builder_point(b, "lan");
    net.wan = builder_point(b, "wan");
    net.server = builder_point(b, "server");
    for (uint32_t i = 0; i < 4; i++)
        net.convs[i] = builder_conv(b, i, 6, i < 2 ? "192.168.1.10" : "203.0.113.7",
                                    i < 2 ? 54321 : 18311, "198.51.100.5", 80);
    net.flow =
        builder_flow(b, 6, net.convs[0], net.convs[1], net.convs[2], net.convs[3], CORR_NONE);
    return net;
}

/* Sends one packet past the points `from` to `to` of the network, a millisecond apart. */
static inline struct corr_packet *builder_send(struct builder *b, const struct snat_net *net,
                                               uint8_t dir, int64_t at_ns, int from, int to)
{
    uint32_t obs[4], n = 0;
    for (int i = from; dir ? i >= to : i <= to; i += dir ? -1 : 1) {
        uint32_t hops = n;
        obs[n++] = b->store->obs->len;
        struct corr_obs *o = builder_obs(b, net->convs[i], dir, at_ns + hops * 1000000);
        o->ttl = (uint8_t)(64 - hops);
    }
    struct corr_packet *p = builder_packet_of(b, net->flow, dir, obs, n);
    for (uint32_t i = 1; i < n; i++)
        builder_latency(b, p->first + i, 1000000, 20000);
    return p;
}

#endif /* BUILDER_H */
