/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_state.c - boxes that keep state of connections, and forget it, or have no room for more. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "path/text.h"

#define IDLE_NS INT64_C(10000000000) /* no state of a connection is kept for less */
#define EXPIRED_TRIES 2              /* one lost packet says nothing */
#define EXHAUSTED_FLOWS 3

static void expired_free(void *data)
{
    struct corr_expired *expired = data;

    g_array_unref(expired->packets);
    g_free(expired);
}

/* Time of a packet at a point; false: it did not pass there. */
static bool time_at(const struct corr_result *r, const struct corr_packet *p, uint32_t point,
                    int64_t *ns)
{
    for (uint32_t k = p->first; k < p->first + p->n; k++) {
        const struct corr_obs *obs = corr_result_obs(r, corr_result_sighting(r, k));
        if (obs->point == point) {
            *ns = obs->time_ns;
            return true;
        }
    }
    return false;
}

static bool is_lost_at(const struct corr_result *r, const struct corr_packet *p, uint32_t after,
                       uint32_t before)
{
    return corr_fate_is_drop(p->fate) && p->drop_after != CORR_NONE && p->drop_before == before &&
           corr_sighting_point(r, corr_result_sighting(r, p->drop_after)) == after;
}

/* The flow of a lost packet had passed there, and then been silent for long. */
static struct corr_expired *expired_begin(const struct corr_result *r, const struct corr_packet *p,
                                          uint32_t last)
{
    int64_t now_ns, then_ns, ignored_ns;

    if (!corr_fate_is_drop(p->fate) || p->drop_after == CORR_NONE || p->drop_before == CORR_NONE ||
        p->ambiguous || last == CORR_NONE)
        return NULL;
    const struct corr_packet *before = corr_result_packet(r, last);
    uint32_t after = corr_sighting_point(r, corr_result_sighting(r, p->drop_after));
    if (!time_at(r, before, after, &then_ns) || !time_at(r, before, p->drop_before, &ignored_ns) ||
        !time_at(r, p, after, &now_ns) || now_ns - then_ns < IDLE_NS)
        return NULL;
    struct corr_expired *made = g_new0(struct corr_expired, 1);
    *made = (struct corr_expired){.flow = p->flow,
                                  .after = after,
                                  .before = p->drop_before,
                                  .idle_ns = now_ns - then_ns,
                                  .last = last,
                                  .packets = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
    return made;
}

void corr_expired_collect(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autofree uint32_t *last = g_new(uint32_t, r->flows->len + 1);
    g_autofree struct corr_expired **open = g_new0(struct corr_expired *, r->flows->len + 1);
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (uint32_t f = 0; f < r->flows->len; f++)
        last[f] = CORR_NONE;
    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        int64_t ignored_ns;
        if (p->flow >= r->flows->len)
            continue;
        struct corr_expired *e = open[p->flow];
        if (e && is_lost_at(r, p, e->after, e->before)) {
            g_array_append_val(e->packets, i);
        } else if (e && time_at(r, p, e->after, &ignored_ns) &&
                   time_at(r, p, e->before, &ignored_ns)) {
            g_array_set_size(e->packets, 0); /* it passes again: these were losses */
            open[p->flow] = NULL;
        } else if (!e && (e = expired_begin(r, p, last[p->flow])) != NULL) {
            g_array_append_val(e->packets, i);
            g_ptr_array_add(all, e);
            open[p->flow] = e;
        }
        if (!corr_fate_is_drop(p->fate))
            last[p->flow] = i;
    }
    q->expired = g_ptr_array_new_with_free_func(expired_free);
    for (unsigned i = 0; i < all->len; i++) {
        struct corr_expired *e = g_ptr_array_index(all, i);
        if (e->packets->len < EXPIRED_TRIES) {
            expired_free(e);
            continue;
        }
        g_ptr_array_add(q->expired, e);
        for (unsigned k = 0; k < e->packets->len; k++)
            q->is_expired[g_array_index(e->packets, uint32_t, k)] = 1;
    }
}

/* Does the box between the two points rewrite the flow's addresses? */
static bool is_translated(const struct corr_inquiry *q, const struct corr_expired *e)
{
    const struct corr_packet *p = corr_result_packet(q->r, e->last);
    const struct corr_endpoint *ends[2][2] = {{NULL}};

    for (uint32_t k = p->first; k < p->first + p->n; k++) {
        const struct corr_obs *obs = corr_result_obs(q->r, corr_result_sighting(q->r, k));
        if (obs->point == e->after || obs->point == e->before) {
            ends[obs->point == e->before][0] = corr_store_src(q->r->store, obs);
            ends[obs->point == e->before][1] = corr_store_dst(q->r->store, obs);
        }
    }
    for (unsigned i = 0; i < 2; i++)
        if (ends[0][i] && ends[1][i] &&
            (!corr_addr_equal(&ends[0][i]->addr, &ends[1][i]->addr) ||
             ends[0][i]->port != ends[1][i]->port))
            return true;
    return false;
}

/* Many connections that one box forgot are one finding. */
void corr_rule_expired(struct corr_inquiry *q)
{
    for (unsigned i = 0; i < q->expired->len; i++) {
        const struct corr_expired *e = g_ptr_array_index(q->expired, i);
        if (e->flow >= q->r->flows->len || !q->flow_counts[e->flow])
            continue;
        struct corr_insight *insight = corr_inquiry_find(q, CORR_RULE_expired, e->after, e->before);
        if (!insight) {
            g_autoptr(GString) ends = g_string_new(NULL), idle = g_string_new(NULL);
            insight = corr_insight_add(q, CORR_RULE_expired, CORR_WEIGHT_ERROR,
                                       CORR_CONFIDENCE_PROBABLE, e->after, e->before);
            corr_inquiry_append_ends(q, e->flow, ends);
            corr_text_time(e->idle_ns, idle);
            corr_insight_say(insight,
                             "%s: after %s of silence nothing passes between %s and %s any more "
                             "(%u packet%s): the %s of this connection had expired there. "
                             "Keep-alives more often than that, or a longer timeout, help.",
                             ends->str, idle->str, corr_inquiry_point(q, e->after),
                             corr_inquiry_point(q, e->before), e->packets->len,
                             CORR_PLURAL(e->packets->len),
                             is_translated(q, e) ? "translation" : "firewall's state");
            corr_insight_filter(insight, "corr.flow == %u && corr.dropped", e->flow + 1);
        }
        insight->size++;
        corr_insight_prove(
            insight, corr_result_obs(
                         q->r, corr_result_sighting(q->r, corr_result_packet(q->r, e->last)->first))
                         ->frame);
        for (unsigned k = 0; k < e->packets->len; k++)
            corr_insight_prove(insight,
                               corr_inquiry_lost_frame(q, g_array_index(e->packets, uint32_t, k)));
    }
    for (unsigned i = 0; i < q->out->list->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(q->out->list, i);
        if (insight->rule != CORR_RULE_expired || insight->size < 2)
            continue;
        g_autofree char *first = g_steal_pointer(&insight->what);
        corr_insight_say(insight, "%s So it is with %.0f more connection%s.", first,
                         insight->size - 1, CORR_PLURAL(insight->size - 1));
    }
}

/* A client and a service, as one point shows them, behind which the flow goes on to another. */
struct service {
    uint32_t at, on;
    struct corr_addr client, server;
    uint16_t port;
    uint8_t proto;
};

static GBytes *service_key(const struct corr_inquiry *q, uint32_t conv, uint32_t on)
{
    const struct corr_conv *local = corr_result_conv(q->r, conv);
    unsigned flip = q->r->conv_flip[conv] & 1;
    struct service key;

    memset(&key, 0, sizeof key); /* padding must not tell keys apart */
    key.at = local->point;
    key.on = on;
    memcpy(&key.client, &local->end[flip].addr, sizeof key.client);
    memcpy(&key.server, &local->end[!flip].addr, sizeof key.server);
    key.port = local->end[!flip].port;
    key.proto = local->proto;
    return g_bytes_new(&key, sizeof key);
}

static uint32_t conv_at(const struct corr_result *r, uint32_t flow, uint32_t point)
{
    const GArray *convs = corr_result_flow(r, flow)->convs;

    for (unsigned m = 0; m < convs->len; m++)
        if (corr_result_conv(r, g_array_index(convs, struct corr_member, m).conv)->point == point)
            return g_array_index(convs, struct corr_member, m).conv;
    return CORR_NONE;
}

/* Client and service -> first frame of the first flow that passes from `at` to `on`. */
static GHashTable *passing_services(const struct corr_inquiry *q)
{
    GHashTable *services =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);

    for (uint32_t f = 0; f < q->r->flows->len; f++) {
        const struct corr_flow *flow = corr_result_flow(q->r, f);
        for (unsigned a = 0; a < flow->convs->len && flow->convs->len > 1; a++)
            for (unsigned b = 0; b < flow->convs->len; b++) {
                uint32_t on = g_array_index(flow->convs, struct corr_member, b).conv;
                if (a == b)
                    continue;
                GBytes *key = service_key(q, g_array_index(flow->convs, struct corr_member, a).conv,
                                          corr_result_conv(q->r, on)->point);
                if (g_hash_table_contains(services, key))
                    g_bytes_unref(key);
                else
                    g_hash_table_insert(services, key, GUINT_TO_POINTER(flow->first_frame));
            }
    }
    return services;
}

/* The last frame that passed from one point to another. */
static uint32_t last_passed(const struct corr_inquiry *q, uint32_t from, uint32_t to)
{
    const struct corr_result *r = q->r;

    for (uint32_t i = r->packets->len; i-- > 0;) {
        const struct corr_packet *p = corr_result_packet(r, i);
        int64_t ignored_ns;
        if (p->n > 1 && time_at(r, p, from, &ignored_ns) && time_at(r, p, to, &ignored_ns))
            return corr_result_obs(r, corr_result_sighting(r, p->first))->frame;
    }
    return 0;
}

/* Who refuses says so, by an ICMP error or a reset: that is a rule, not a shortage. */
static bool is_refused(const struct corr_inquiry *q, const struct corr_blocked *b)
{
    const struct corr_store *store = q->r->store;

    for (unsigned k = 0; k < b->packets->len; k++) {
        uint32_t frame = corr_result_packet(q->r, g_array_index(b->packets, uint32_t, k))->evidence;
        for (uint32_t o = frame ? g_array_index(store->frame_obs, uint32_t, frame) : CORR_NONE;
             o < store->obs->len && corr_store_obs(store, o)->frame == frame; o++) {
            const struct corr_obs *obs = corr_store_obs(store, o);
            if (obs->have & CORR_HAVE_QUOTE ||
                (obs->have & CORR_HAVE_TCP && obs->tcp_flags & CORR_TCP_RST))
                return true;
        }
    }
    return false;
}

/* Blocked flows to services that their clients reached before, at one place. */
struct shortage {
    uint32_t after, before, last_passed;
    GArray *blocked; /* uint32_t: indices in q->blocked */
};

static void shortage_tell(struct corr_inquiry *q, const struct shortage *s)
{
    struct corr_insight *insight = corr_insight_add(q, CORR_RULE_exhausted, CORR_WEIGHT_ERROR,
                                                    CORR_CONFIDENCE_PROBABLE, s->after, s->before);
    g_autofree char *after = corr_inquiry_quoted(q, s->after);

    insight->size = s->blocked->len;
    corr_insight_say(insight,
                     "%u new connections do not pass between %s and %s, to services that their "
                     "clients reached before, while older ones go on: no port, or no room for a "
                     "connection, is left in the box there (NAT port range, connection table).",
                     s->blocked->len, corr_inquiry_point(q, s->after),
                     corr_inquiry_point(q, s->before));
    corr_insight_filter(insight, "corr.drop.verdict == \"blocked\" && corr.drop.after == \"%s\"",
                        after);
    for (unsigned k = 0; k < s->blocked->len; k++) {
        const struct corr_blocked *b =
            g_ptr_array_index(q->blocked, g_array_index(s->blocked, uint32_t, k));
        corr_insight_prove(insight,
                           corr_inquiry_lost_frame(q, g_array_index(b->packets, uint32_t, 0)));
    }
}

void corr_rule_exhausted(struct corr_inquiry *q)
{
    g_autoptr(GHashTable) services = NULL;
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct shortage));

    for (unsigned k = 0; k < q->blocked->len; k++) {
        const struct corr_blocked *b = g_ptr_array_index(q->blocked, k);
        uint32_t first = corr_result_flow(q->r, b->flow)->first_frame;
        uint32_t conv = conv_at(q->r, b->flow, b->after);
        if (b->before == CORR_NONE || conv == CORR_NONE || is_refused(q, b))
            continue;
        services = services ? services : passing_services(q);
        g_autoptr(GBytes) key = service_key(q, conv, b->before);
        uint32_t earlier = GPOINTER_TO_UINT(g_hash_table_lookup(services, key));
        if (earlier == 0 || earlier >= first)
            continue;
        struct shortage *s = NULL;
        for (unsigned i = 0; i < places->len && !s; i++) {
            struct shortage *old = &g_array_index(places, struct shortage, i);
            if (old->after == b->after && old->before == b->before)
                s = old;
        }
        if (!s) {
            struct shortage made = {b->after, b->before, last_passed(q, b->after, b->before),
                                    g_array_new(FALSE, FALSE, sizeof(uint32_t))};
            g_array_append_val(places, made);
            s = &g_array_index(places, struct shortage, places->len - 1);
        }
        if (s->last_passed > first)
            g_array_append_val(s->blocked, k);
    }
    for (unsigned i = 0; i < places->len; i++) {
        struct shortage *s = &g_array_index(places, struct shortage, i);
        if (s->blocked->len >= EXHAUSTED_FLOWS)
            shortage_tell(q, s);
        g_array_unref(s->blocked);
    }
}
