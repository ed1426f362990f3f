/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From frames to observations, local flows and contexts: append only. */
#include "store/store.h"

#include <string.h>

#include "store/hash.h"
#include "store/index.h"
#include "store/store-int.h"

static void point_free(void *data)
{
    struct corr_point *point = data;

    g_free(point->name);
    g_free((char *)point->settings.host);
    g_hash_table_destroy(point->unknown);
    g_free(point);
}

struct corr_store *corr_store_new(const struct corr_config *config)
{
    struct corr_store *store = g_new0(struct corr_store, 1);
    struct corr_context none = {0};

    if (config != NULL)
        store->config = *config;
    store->obs = g_array_new(FALSE, FALSE, sizeof(struct corr_obs));
    store->frame_obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    store->frame_point = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    store->convs = g_array_new(FALSE, FALSE, sizeof(struct corr_conv));
    store->contexts = g_array_new(FALSE, FALSE, sizeof(struct corr_context));
    store->l2s = g_array_new(FALSE, FALSE, sizeof(struct corr_l2));
    store->extras = g_array_new(FALSE, FALSE, sizeof(struct corr_extra));
    store->tokens = g_array_new(FALSE, FALSE, sizeof(struct corr_said_token));
    store->larges = g_array_new(FALSE, FALSE, sizeof(struct corr_large));
    store->large_bytes = g_byte_array_new();
    store->options = g_array_new(FALSE, FALSE, sizeof(struct corr_options));
    store->fragments = g_array_new(FALSE, FALSE, sizeof(struct corr_fragment));
    store->unusable = g_array_new(FALSE, FALSE, sizeof(struct corr_unusable));
    store->points = g_ptr_array_new_with_free_func(point_free);
    store->conv_index = corr_index_new();
    store->context_index = corr_index_new();
    store->l2_index = corr_index_new();
    store->names = g_hash_table_new(g_str_hash, g_str_equal);
    store->brokers = corr_brokers_new();
    store->l7 = corr_l7_new();
    g_array_append_val(store->contexts, none);
    return store;
}

void corr_store_free(struct corr_store *store)
{
    if (store == NULL)
        return;
    g_array_unref(store->obs);
    g_array_unref(store->frame_obs);
    g_array_unref(store->frame_point);
    g_array_unref(store->convs);
    g_array_unref(store->contexts);
    g_array_unref(store->l2s);
    g_array_unref(store->extras);
    g_array_unref(store->tokens);
    g_array_unref(store->larges);
    g_byte_array_unref(store->large_bytes);
    g_array_unref(store->options);
    g_array_unref(store->fragments);
    g_array_unref(store->unusable);
    g_hash_table_destroy(store->names);
    corr_brokers_free(store->brokers);
    corr_l7_free(store->l7);
    g_ptr_array_unref(store->points);
    corr_index_free(store->conv_index);
    corr_index_free(store->context_index);
    corr_index_free(store->l2_index);
    g_free(store);
}

/* Host and offset belong to the clock, which all points of one interface share. */
static void settings_inherit(struct corr_point *point, const struct corr_point_settings *settings)
{
    char *host = g_strdup(settings->host);

    g_free((char *)point->settings.host);
    point->settings.host = host;
    point->settings.offset_ns = settings->offset_ns;
}

uint32_t corr_store_append_point(struct corr_store *store, uint32_t section, uint32_t interface,
                                 uint32_t ifindex, const char *name)
{
    struct corr_point *point = g_new0(struct corr_point, 1);

    point->section = section;
    point->interface = interface;
    point->ifindex = ifindex;
    point->name = g_strdup(name);
    for (unsigned n = 2; g_hash_table_contains(store->names, point->name); n++) {
        g_free(point->name);
        point->name = g_strdup_printf("%s#%u", name, n);
    }
    point->unknown = g_hash_table_new(g_str_hash, g_str_equal);
    for (uint32_t i = 0; i < store->points->len; i++) {
        const struct corr_point *of = corr_store_point(store, i);

        if (of->section == section && of->interface == interface && of->ifindex == 0 &&
            of->segment == 0)
            settings_inherit(point, &of->settings);
    }
    g_hash_table_add(store->names, point->name);
    g_ptr_array_add(store->points, point);
    return store->points->len - 1;
}

static uint32_t point_find(const struct corr_store *store, uint32_t section, uint32_t interface,
                           uint32_t ifindex)
{
    for (uint32_t i = 0; i < store->points->len; i++) {
        const struct corr_point *point = corr_store_point(store, i);

        if (point->section == section && point->interface == interface &&
            point->ifindex == ifindex && point->segment == 0)
            return i;
    }
    return CORR_NONE;
}

uint32_t corr_store_add_point(struct corr_store *store, uint32_t section, uint32_t interface,
                              const char *name)
{
    uint32_t point = point_find(store, section, interface, 0);

    return point != CORR_NONE ? point : corr_store_append_point(store, section, interface, 0, name);
}

void corr_store_set_point(struct corr_store *store, uint32_t point,
                          const struct corr_point_settings *settings)
{
    struct corr_point *to;

    if (point >= store->points->len)
        return;
    to = g_ptr_array_index(store->points, point);
    settings_inherit(to, settings);
    to->settings.rank = settings->rank;
    for (uint32_t i = 0; to->ifindex == 0 && to->segment == 0 && i < store->points->len; i++) {
        struct corr_point *part = g_ptr_array_index(store->points, i);

        if (part != to && part->section == to->section && part->interface == to->interface)
            settings_inherit(part, settings);
    }
}

uint32_t corr_store_find_ifindex(const struct corr_store *store, uint32_t base, uint32_t ifindex)
{
    const struct corr_point *of = corr_store_point(store, base);

    return point_find(store, of->section, of->interface, ifindex);
}

/* `tcpdump -i any` shows every interface of a host: each is a point of its own. */
static uint32_t point_of_ifindex(struct corr_store *store, uint32_t base, uint32_t ifindex)
{
    const struct corr_point *of = corr_store_point(store, base);
    uint32_t point = corr_store_find_ifindex(store, base, ifindex);
    char *name;

    if (point != CORR_NONE)
        return point;
    name = g_strdup_printf("%s/if%u", of->name, ifindex);
    point = corr_store_append_point(store, of->section, of->interface, ifindex, name);
    g_free(name);
    return point;
}

/* Labels and tunnel endpoint ids are chosen per direction: no part of what both share. */
static bool encap_is_one_way(uint8_t kind)
{
    return kind == CORR_ENCAP_MPLS || kind == CORR_ENCAP_GTPU || kind == CORR_ENCAP_L2TP ||
           kind == CORR_ENCAP_AH || kind == CORR_ENCAP_IPSEC || kind == CORR_ENCAP_SRV6;
}

static bool context_equal(const void *key, uint32_t position, const void *user)
{
    const struct corr_store *store = user;

    return memcmp(key, &g_array_index(store->contexts, struct corr_context, position),
                  sizeof(struct corr_context)) == 0;
}

uint32_t corr_store_find_context(struct corr_store *store, const struct corr_parsed *packet)
{
    struct corr_context context;
    uint64_t hash, key = 0;
    uint32_t found;

    if (packet->n_encap == 0)
        return 0;
    memset(&context, 0, sizeof context);
    context.n = packet->n_encap;
    for (unsigned i = 0; i < packet->n_encap; i++) {
        context.encap[i].kind = packet->encap[i].kind;
        context.encap[i].id = packet->encap[i].id;
        key = corr_hash_mix(key, packet->encap[i].kind);
        if (!encap_is_one_way(packet->encap[i].kind))
            key = corr_hash_mix(key, packet->encap[i].id);
    }
    context.key = (uint32_t)key | 1; /* 0 is the key of no encapsulation */
    hash = corr_hash(&context, sizeof context);
    found = corr_index_find(store->context_index, hash, context_equal, &context, store);
    if (found == CORR_NONE) {
        found = store->contexts->len;
        g_array_append_val(store->contexts, context);
        corr_index_add(store->context_index, hash, found);
    }
    return found;
}

static bool l2_equal(const void *key, uint32_t position, const void *user)
{
    const struct corr_store *store = user;

    return memcmp(key, &g_array_index(store->l2s, struct corr_l2, position),
                  sizeof(struct corr_l2)) == 0;
}

static uint32_t l2_get(struct corr_store *store, const struct corr_parsed *packet, uint32_t context)
{
    struct corr_l2 l2 = {.context = context};
    uint64_t hash;
    uint32_t found;

    memcpy(l2.src, packet->mac_src, 6);
    memcpy(l2.dst, packet->mac_dst, 6);
    hash = corr_hash(&l2, sizeof l2);
    found = corr_index_find(store->l2_index, hash, l2_equal, &l2, store);
    if (found == CORR_NONE) {
        found = store->l2s->len;
        g_array_append_val(store->l2s, l2);
        corr_index_add(store->l2_index, hash, found);
    }
    return found;
}

static int endpoint_compare(const struct corr_endpoint *a, const struct corr_endpoint *b)
{
    int order = corr_addr_compare(&a->addr, &b->addr);

    return order != 0 ? order : (int)a->port - (int)b->port;
}

static bool endpoint_equal(const struct corr_endpoint *a, const struct corr_endpoint *b)
{
    return a->port == b->port && corr_addr_equal(&a->addr, &b->addr);
}

static bool conv_equal(const void *key, uint32_t position, const void *user)
{
    const struct corr_conv *a = key;
    const struct corr_conv *b = corr_store_conv(user, position);

    return a->point == b->point && a->context_key == b->context_key && a->proto == b->proto &&
           a->has_ports == b->has_ports && a->ethertype == b->ethertype &&
           ((endpoint_equal(&a->end[0], &b->end[0]) && endpoint_equal(&a->end[1], &b->end[1])) ||
            (endpoint_equal(&a->end[0], &b->end[1]) && endpoint_equal(&a->end[1], &b->end[0])));
}

static uint64_t conv_hash(const struct corr_conv *conv)
{
    bool swap = endpoint_compare(&conv->end[0], &conv->end[1]) > 0;
    struct {
        uint32_t point, context;
        uint8_t lo[16], hi[16];
        uint16_t lo_port, hi_port, ethertype;
        uint8_t proto, has_ports;
    } key;

    memset(&key, 0, sizeof key);
    key.point = conv->point;
    key.context = conv->context_key;
    memcpy(key.lo, conv->end[swap].addr.bytes, 16);
    memcpy(key.hi, conv->end[!swap].addr.bytes, 16);
    key.lo_port = conv->end[swap].port;
    key.hi_port = conv->end[!swap].port;
    key.ethertype = conv->ethertype;
    key.proto = conv->proto;
    key.has_ports = conv->has_ports;
    return corr_hash(&key, sizeof key);
}

uint32_t corr_store_find_conv(struct corr_store *store, const struct corr_conv *conv)
{
    uint64_t hash = conv_hash(conv);
    uint32_t found = corr_index_find(store->conv_index, hash, conv_equal, conv, store);

    if (found == CORR_NONE) {
        found = store->convs->len;
        g_array_append_val(store->convs, *conv);
        corr_index_add(store->conv_index, hash, found);
    }
    return found;
}

static uint32_t conv_get(struct corr_store *store, const struct corr_parsed *packet, uint32_t point,
                         uint32_t context, uint8_t *dir)
{
    struct corr_conv conv = {
        .point = point,
        .context_key = g_array_index(store->contexts, struct corr_context, context).key,
        .end = {{packet->src, packet->src_port}, {packet->dst, packet->dst_port}},
        .proto = packet->proto,
        .has_ports = (packet->have & CORR_HAVE_PORTS) != 0,
    };
    uint32_t found;

    if (packet->kind == CORR_KIND_L2) {
        /* Level-2 flows run between MAC addresses. */
        conv.ethertype = packet->ethertype;
        conv.proto = 0;
        conv.end[0].addr.len = conv.end[1].addr.len = 6;
        memcpy(conv.end[0].addr.bytes, packet->mac_src, 6);
        memcpy(conv.end[1].addr.bytes, packet->mac_dst, 6);
    }
    if (!conv.has_ports)
        conv.end[0].port = conv.end[1].port = 0;
    found = corr_store_find_conv(store, &conv);
    *dir = !endpoint_equal(&corr_store_conv(store, found)->end[0], &conv.end[0]);
    return found;
}

static uint8_t level_of(const struct corr_parsed *packet)
{
    return packet->have & CORR_HAVE_DFULL  ? CORR_LEVEL_FULL
           : packet->have & CORR_HAVE_D128 ? CORR_LEVEL_128
           : packet->have & CORR_HAVE_D32  ? CORR_LEVEL_32
           : packet->have & CORR_HAVE_D8   ? CORR_LEVEL_8
                                           : CORR_LEVEL_NONE;
}

static void large_keep(struct corr_store *store, const struct corr_obs *obs,
                       const struct corr_parsed *packet)
{
    struct corr_large large = {store->obs->len, store->large_bytes->len};
    uint32_t room = corr_obs_is_large(obs) ? CORR_LARGE_KEPT : 0;

    if (obs->kind != CORR_KIND_UDP || !(obs->have & CORR_HAVE_DFULL) || obs->have & CORR_HAVE_FRAG)
        return;
    if (obs->have & CORR_HAVE_PARTIAL && obs->len > CORR_LARGE_MAYBE_ABOVE && room == 0)
        room = CORR_LARGE_MAYBE_KEPT;
    if ((uint64_t)store->large_bytes->len + obs->len > room)
        return;
    g_byte_array_append(store->large_bytes, packet->payload, obs->len);
    g_array_append_val(store->larges, large);
}

static void packet_append(struct corr_store *store, const struct corr_frame *frame,
                          const struct corr_parsed *packet, uint32_t point)
{
    uint32_t context = corr_store_find_context(store, packet);
    struct corr_obs obs = {
        .time_ns = frame->time_ns,
        .dfull = packet->dfull,
        .frame = frame->number,
        .have = packet->have,
        .context = context,
        .l2 = l2_get(store, packet, context),
        .len = packet->payload_len,
        .ip_len = packet->ip_len,
        .seq = packet->seq,
        .ack = packet->ack,
        .tsval = packet->tsval,
        .tsecr = packet->tsecr,
        .d8 = packet->d8,
        .d32 = packet->d32,
        .d128 = packet->d128,
        .opt_hash = packet->opt_hash,
        .flow_label = packet->flow_label,
        .extra = CORR_NONE,
        .point = (uint16_t)point,
        .window = packet->window,
        .ip_id = packet->ip_id,
        .resid = packet->resid,
        .mss = packet->mss,
        .kind = (uint8_t)packet->kind,
        .ttl = packet->ttl,
        .tos = packet->tos,
        .tcp_flags = (uint8_t)packet->tcp_flags,
        .opt_kinds = packet->opt_kinds,
        .icmp_type = packet->icmp_type,
        .icmp_code = packet->icmp_code,
        .weak = packet->l7_bytes_constant,
        .cap_level = level_of(packet),
    };

    obs.conv = conv_get(store, packet, point, context, &obs.dir);
    corr_l7_read(store->l7, obs.conv, obs.dir, store->obs->len, packet);
    if ((packet->have & (CORR_HAVE_FRAG | CORR_HAVE_QUOTE)) || frame->has_packet_id) {
        struct corr_extra extra = {.frag = packet->frag,
                                   .quote = packet->quote,
                                   .packet_id = frame->packet_id,
                                   .has_packet_id = frame->has_packet_id};

        obs.extra = store->extras->len;
        g_array_append_val(store->extras, extra);
    }
    for (unsigned i = 0; i < packet->n_tokens; i++) {
        struct corr_said_token token = {packet->tokens[i], store->obs->len};

        g_array_append_val(store->tokens, token);
    }
    large_keep(store, &obs, packet);
    corr_options_keep(store, packet);
    g_array_append_val(store->obs, obs);
}

/* Counts a packet that cannot be observed, and remembers that it did. */
static void unusable_add(struct corr_store *store, uint32_t frame, uint32_t at, const char *why)
{
    struct corr_unusable unusable = {.frame = frame, .point = at, .why = why};
    GHashTable *unknown = corr_store_point(store, at)->unknown;

    g_hash_table_replace(
        unknown, (void *)why,
        GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(unknown, why)) + 1));
    g_array_append_val(store->unusable, unusable);
}

static void unusable_remove(struct corr_store *store, const struct corr_unusable *unusable)
{
    GHashTable *unknown = corr_store_point(store, unusable->point)->unknown;
    unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(unknown, unusable->why));

    if (count > 1)
        g_hash_table_replace(unknown, (void *)unusable->why, GUINT_TO_POINTER(count - 1));
    else
        g_hash_table_remove(unknown, unusable->why);
}

/*
 * Forgets the frames from `number` on, and what they added to counts.  Their
 * points, contexts and local flows stay: without members they answer nothing.
 */
static void take_back(struct corr_store *store, uint32_t number)
{
    corr_store_take_back_refused(store, number);
    while (store->obs->len > 0 && corr_store_obs(store, store->obs->len - 1)->frame >= number)
        g_array_set_size(store->obs, store->obs->len - 1);
    while (store->tokens->len > 0 &&
           g_array_index(store->tokens, struct corr_said_token, store->tokens->len - 1).obs >=
               store->obs->len)
        g_array_set_size(store->tokens, store->tokens->len - 1);
    while (store->larges->len > 0) {
        const struct corr_large *last =
            &g_array_index(store->larges, struct corr_large, store->larges->len - 1);

        if (last->obs < store->obs->len)
            break;
        g_byte_array_set_size(store->large_bytes, last->at);
        g_array_set_size(store->larges, store->larges->len - 1);
    }
    corr_options_take_back(store);
    corr_brokers_take_back(store, number);
    corr_l7_take_back(store->l7, store->obs->len);
    while (store->unusable->len > 0) {
        const struct corr_unusable *last =
            &g_array_index(store->unusable, struct corr_unusable, store->unusable->len - 1);

        if (last->frame < number)
            break;
        unusable_remove(store, last);
        g_array_set_size(store->unusable, store->unusable->len - 1);
    }
    for (uint32_t i = number; i < store->frame_point->len; i++) {
        uint16_t point = g_array_index(store->frame_point, uint16_t, i);

        if (point == 0)
            continue;
        ((struct corr_point *)g_ptr_array_index(store->points, point - 1u))->frames--;
        store->n_frames--;
    }
    if (number < store->frame_obs->len)
        g_array_set_size(store->frame_obs, number);
    if (number < store->frame_point->len)
        g_array_set_size(store->frame_point, number);
    store->last_frame = number - 1;
}

void corr_store_add_frame(struct corr_store *store, const struct corr_frame *frame)
{
    struct corr_parsed packets[CORR_PARSE_MAX];
    struct corr_point *point;
    uint32_t at = frame->point, first = CORR_NONE;
    /* Damaged times would overflow every difference: before 1970 and after 2100 is no time. */
    bool has_time =
        frame->has_time && frame->time_ns >= 0 && frame->time_ns <= INT64_C(4102444800000000000);
    unsigned n;

    if (frame->number == 0 || frame->point >= store->points->len)
        return;
    if (frame->number <= store->last_frame)
        take_back(store, frame->number);
    if (corr_store_is_full(store)) {
        corr_store_refuse(store, frame);
        return;
    }
    n = corr_parse(frame, store->config.closed_tunnels, packets);
    if (packets[0].have & CORR_HAVE_IFINDEX && store->points->len < UINT16_MAX - 1)
        at = point_of_ifindex(store, at, packets[0].ifindex);
    if (corr_store_point(store, at)->collapsed)
        at = corr_store_segment(store, at, &packets[0]);
    point = g_ptr_array_index(store->points, at);
    if (point->frames++ == 0)
        point->link = frame->link;
    while (store->frame_obs->len <= frame->number) {
        uint32_t none = CORR_NONE;
        uint16_t zero = 0;

        g_array_append_val(store->frame_obs, none);
        g_array_append_val(store->frame_point, zero);
    }
    for (unsigned i = 0; i < n; i++) {
        if (packets[i].kind == CORR_KIND_UNKNOWN || !has_time) {
            const char *why = packets[i].kind != CORR_KIND_UNKNOWN
                                  ? "frame without a usable time stamp"
                              : packets[i].unknown != NULL ? packets[i].unknown
                                                           : "not recognised";

            unusable_add(store, frame->number, at, why);
        } else {
            if (first == CORR_NONE)
                first = store->obs->len;
            packet_append(store, frame, &packets[i], at);
        }
    }
    corr_brokers_note(store, frame, &packets[0], first);
    g_array_index(store->frame_obs, uint32_t, frame->number) = first;
    g_array_index(store->frame_point, uint16_t, frame->number) = (uint16_t)(at + 1);
    store->last_frame = frame->number;
    store->n_frames++;
}

bool corr_conv_scoped(const struct corr_conv *conv)
{
    for (unsigned e = 0; e < 2; e++)
        if (conv->end[e].addr.len == 6 || corr_addr_is_multicast(&conv->end[e].addr) ||
            corr_addr_is_link_local(&conv->end[e].addr))
            return true;
    return false;
}

char *corr_store_check(const struct corr_store *store)
{
    uint32_t last_frame = 0;

    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);

        if (obs->frame < last_frame)
            return g_strdup_printf("observation %u: frame %u after %u", i, obs->frame, last_frame);
        last_frame = obs->frame;
        if (obs->frame > store->last_frame)
            return g_strdup_printf("observation %u: frame %u is above the last", i, obs->frame);
        if (obs->conv >= store->convs->len || obs->point >= store->points->len ||
            obs->context >= store->contexts->len || obs->l2 >= store->l2s->len)
            return g_strdup_printf("observation %u: an index is out of range", i);
        if (corr_store_conv(store, obs->conv)->point != obs->point)
            return g_strdup_printf("observation %u: its local flow is at another point", i);
        if (obs->extra != CORR_NONE && obs->extra >= store->extras->len)
            return g_strdup_printf("observation %u: no extra %u", i, obs->extra);
    }
    for (uint32_t f = 1; f < store->frame_obs->len; f++) {
        uint32_t first = g_array_index(store->frame_obs, uint32_t, f);

        if (first != CORR_NONE &&
            (first >= store->obs->len || corr_store_obs(store, first)->frame != f))
            return g_strdup_printf("frame %u: its first observation is not of it", f);
    }
    return NULL;
}
