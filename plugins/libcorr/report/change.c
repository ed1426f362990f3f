/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - what one segment changed in a packet, found by comparing two of its sightings. */
#include "report/change.h"

#include "path/nat_text.h"
#include "report/report-int.h"
#include "path/text.h"

#define CORR_ROW(id, word) word,
static const char *const words[] = {CORR_CHANGES(CORR_ROW)};
#undef CORR_ROW

/* Bit order of CORR_OPT_*. */
static const char *const option_words[] = {"mss",        "window-scale", "sack-permitted", "sack",
                                           "timestamps", "fast-open",    "mptcp",          "other"};

/*
 * Members a and b of struct corr_change:
 *
 *     TTL, HOP_LIMIT, SEQ, ACK, TSVAL  b: the difference, modulo 2^32
 *     SRC, DST                         local flow * 2 + direction, before and after
 *     VLAN, ENCAP                      a: 1 if the layer was added; b: its id
 *     TCP_OPTION                       a: 1 if the option was added
 *     SEGMENTED ... REASSEMBLED        b: how many
 *     PAYLOAD, TCP_OPTIONS             unused
 *     all others                       the field's value, before and after
 */
static void add(GArray *changes, enum corr_change_kind kind, uint32_t a, uint32_t b)
{
    struct corr_change change = {(uint8_t)kind, 0, a, b};

    g_array_append_val(changes, change);
}

static void add_option(GArray *changes, enum corr_change_kind kind, unsigned option, bool added,
                       uint32_t id)
{
    struct corr_change change = {(uint8_t)kind, (uint8_t)option, added, id};

    g_array_append_val(changes, change);
}

static void add_if(GArray *changes, enum corr_change_kind kind, uint32_t a, uint32_t b)
{
    if (a != b)
        add(changes, kind, a, b);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static unsigned count_distinct(GArray *frames)
{
    g_array_sort(frames, compare_u32);
    unsigned n = 0;
    for (unsigned i = 0; i < frames->len; i++)
        n += i == 0 || g_array_index(frames, uint32_t, i) != g_array_index(frames, uint32_t, i - 1);
    return n;
}

/* Frames at this point that share the bytes of the frame before: 1 unless it was cut. */
static unsigned count_pieces(const struct corr_result *r, uint32_t prev_obs, uint32_t point)
{
    uint32_t from = r->obs_first[prev_obs], end = r->obs_first[prev_obs + 1];
    if (end - from < 2)
        return 1;
    g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t k = from; k < end; k++) {
        uint32_t before = r->obs_sightings[k];
        const struct corr_packet *p =
            corr_result_packet(r, corr_result_sighting(r, before)->packet);
        for (uint32_t i = 0; i < p->n; i++) {
            const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
            const struct corr_obs *o = corr_result_obs(r, s);
            if (s->prev == before && !s->duplicate && o->point == point)
                g_array_append_val(frames, o->frame);
        }
    }
    return count_distinct(frames);
}

/* Frames at the point before whose bytes this frame holds: 1 unless they were joined. */
static unsigned count_parts(const struct corr_result *r, uint32_t obs, uint32_t point)
{
    uint32_t from = r->obs_first[obs], end = r->obs_first[obs + 1];
    if (end - from < 2)
        return 1;
    g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t k = from; k < end; k++) {
        const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[k]);
        if (s->prev == CORR_NONE)
            continue;
        const struct corr_obs *o = corr_result_obs(r, corr_result_sighting(r, s->prev));
        if (o->point == point)
            g_array_append_val(frames, o->frame);
    }
    return count_distinct(frames);
}

static unsigned ip_version(const struct corr_store *store, const struct corr_obs *obs)
{
    return corr_store_conv(store, obs->conv)->end[0].addr.len == 16 ? 6 : 4;
}

static void compare_ip(const struct corr_store *store, const struct corr_obs *a,
                       const struct corr_obs *b, GArray *changes)
{
    if (!(a->have & b->have & CORR_HAVE_IP))
        return;
    unsigned version = ip_version(store, a);
    bool same_version = version == ip_version(store, b);

    if (a->ttl != b->ttl)
        add(changes, same_version && version == 6 ? CORR_CHANGE_HOP_LIMIT : CORR_CHANGE_TTL, 0,
            (uint32_t)b->ttl - a->ttl);
    add_if(changes, CORR_CHANGE_DSCP, a->tos >> 2, b->tos >> 2);
    add_if(changes, CORR_CHANGE_ECN, a->tos & 3, b->tos & 3);
    if (same_version && version == 6)
        add_if(changes, CORR_CHANGE_FLOW_LABEL, a->flow_label, b->flow_label);
    if (same_version && version == 4)
        add_if(changes, CORR_CHANGE_DF, !!(a->have & CORR_HAVE_DF), !!(b->have & CORR_HAVE_DF));

    struct corr_tuple before = corr_tuple_of(store, a), after = corr_tuple_of(store, b);
    uint32_t from = a->conv * 2 + a->dir, to = b->conv * 2 + b->dir;
    if (!corr_tuple_src_equal(&before, &after))
        add(changes, CORR_CHANGE_SRC, from, to);
    if (!corr_tuple_dst_equal(&before, &after))
        add(changes, CORR_CHANGE_DST, from, to);
}

static void compare_options(const struct corr_obs *a, const struct corr_obs *b, GArray *changes)
{
    bool mss = (a->have & b->have & CORR_HAVE_MSS) && a->mss != b->mss;

    if (mss)
        add(changes, CORR_CHANGE_MSS, a->mss, b->mss);
    if (!(a->have & b->have & CORR_HAVE_OPTIONS))
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(option_words); i++) {
        unsigned bit = 1u << i;
        if ((a->opt_kinds ^ b->opt_kinds) & bit)
            add_option(changes, CORR_CHANGE_TCP_OPTION, i, b->opt_kinds & bit, 0);
    }
    if (!mss && a->opt_kinds == b->opt_kinds && a->opt_hash != b->opt_hash)
        add(changes, CORR_CHANGE_TCP_OPTIONS, 0, 0);
}

/* Digests are of nested prefixes: the longest that both have decides. */
static bool payload_differs(const struct corr_obs *a, const struct corr_obs *b)
{
    uint32_t both = a->have & b->have;

    if ((both & CORR_HAVE_LEN) && a->len != b->len)
        return true;
    if (both & CORR_HAVE_DFULL)
        return a->dfull != b->dfull;
    if (both & CORR_HAVE_D128)
        return a->d128 != b->d128;
    if (both & CORR_HAVE_D32)
        return a->d32 != b->d32;
    return both & CORR_HAVE_D8 && a->d8 != b->d8;
}

/* What holds only while the packet is cut as it was. */
static void compare_whole(const struct corr_obs *a, const struct corr_obs *b, GArray *changes)
{
    uint32_t both = a->have & b->have;

    if (both & CORR_HAVE_IP_ID)
        add_if(changes, CORR_CHANGE_IP_ID, a->ip_id, b->ip_id);
    if (a->kind != b->kind)
        return;
    if (both & CORR_HAVE_SEQ)
        add_if(changes, CORR_CHANGE_SEQ, 0, b->seq - a->seq);
    if (both & CORR_HAVE_TCP) {
        if (a->tcp_flags & b->tcp_flags & CORR_TCP_ACK)
            add_if(changes, CORR_CHANGE_ACK, 0, b->ack - a->ack);
        add_if(changes, CORR_CHANGE_TCP_FLAGS, a->tcp_flags, b->tcp_flags);
        add_if(changes, CORR_CHANGE_TCP_WINDOW, a->window, b->window);
        if (both & CORR_HAVE_TS)
            add_if(changes, CORR_CHANGE_TSVAL, 0, b->tsval - a->tsval);
    }
    compare_options(a, b, changes);
    if (payload_differs(a, b))
        add(changes, CORR_CHANGE_PAYLOAD, 0, 0);
}

static void add_layers(const struct corr_context *of, const struct corr_context *without,
                       bool added, GArray *changes)
{
    bool used[CORR_ENCAP_MAX] = {false};
    for (unsigned i = 0; i < of->n; i++) {
        const struct corr_encap *e = &of->encap[i];
        bool kept = false;
        for (unsigned k = 0; k < without->n && !kept; k++) {
            const struct corr_encap *f = &without->encap[k];
            kept = !used[k] && f->kind == e->kind && f->id == e->id;
            used[k] |= kept;
        }
        if (!kept)
            add_option(changes, e->kind == CORR_ENCAP_VLAN ? CORR_CHANGE_VLAN : CORR_CHANGE_ENCAP,
                       e->kind, added, e->id);
    }
}

void corr_change_collect(const struct corr_result *r, uint32_t sighting, GArray *changes)
{
    const struct corr_store *store = r->store;
    const struct corr_sighting *s = corr_result_sighting(r, sighting);
    if (s->prev == CORR_NONE)
        return;
    uint32_t before = corr_result_sighting(r, s->prev)->obs;
    const struct corr_obs *a = corr_store_obs(store, before);
    const struct corr_obs *b = corr_store_obs(store, s->obs);
    unsigned pieces = count_pieces(r, before, b->point);
    unsigned parts = count_parts(r, s->obs, a->point);
    bool frag_a = a->have & CORR_HAVE_FRAG, frag_b = b->have & CORR_HAVE_FRAG;
    bool recut = pieces > 1 || parts > 1 || frag_a != frag_b;

    /* A later fragment may be one of a tunnel's: its IP header is not the packet's. */
    if ((a->kind == CORR_KIND_FRAGMENT) == (b->kind == CORR_KIND_FRAGMENT))
        compare_ip(store, a, b, changes);
    if (!recut)
        compare_whole(a, b, changes);
    if (a->context != b->context) {
        const struct corr_context *ca =
            &g_array_index(store->contexts, struct corr_context, a->context);
        const struct corr_context *cb =
            &g_array_index(store->contexts, struct corr_context, b->context);
        add_layers(ca, cb, false, changes);
        add_layers(cb, ca, true, changes);
    }
    if (pieces > 1)
        add(changes, frag_b ? CORR_CHANGE_FRAGMENTED : CORR_CHANGE_SEGMENTED, 0, pieces);
    if (parts > 1)
        add(changes, frag_a && !frag_b ? CORR_CHANGE_REASSEMBLED : CORR_CHANGE_COALESCED, 0, parts);
}

static void append_end(const struct corr_store *store, uint32_t conv_dir, bool src, GString *text)
{
    const struct corr_conv *conv = corr_store_conv(store, conv_dir / 2);
    unsigned end = conv_dir % 2 ^ !src;

    corr_text_endpoint(&conv->end[end], conv->has_ports, conv->proto, text);
}

/* "SYN+ACK"; RFC 9293 names them so. */
static void append_flags(uint32_t flags, GString *text)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    gsize start = text->len;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (flags & 1u << i)
            g_string_append_printf(text, "%s%s", text->len > start ? "+" : "", names[i]);
    if (text->len == start)
        g_string_append(text, "none");
}

void corr_change_value(const struct corr_result *r, const struct corr_change *change, GString *text)
{
    static const char *const ecn_words[] = {"not-ect", "ect1", "ect0", "ce"}; /* RFC 3168, 5 */
    bool src = change->kind == CORR_CHANGE_SRC;

    switch (change->kind) {
    case CORR_CHANGE_TTL:
    case CORR_CHANGE_HOP_LIMIT:
    case CORR_CHANGE_SEQ:
    case CORR_CHANGE_ACK:
    case CORR_CHANGE_TSVAL:
        g_string_append_printf(text, "%+d", (int32_t)change->b);
        break;
    case CORR_CHANGE_ECN:
        g_string_append_printf(text, "%s -> %s", ecn_words[change->a & 3],
                               ecn_words[change->b & 3]);
        break;
    case CORR_CHANGE_DF:
        g_string_append(text, change->b ? "set" : "cleared");
        break;
    case CORR_CHANGE_SRC:
    case CORR_CHANGE_DST:
        append_end(r->store, change->a, src, text);
        g_string_append(text, " -> ");
        append_end(r->store, change->b, src, text);
        break;
    case CORR_CHANGE_IP_ID:
        g_string_append_printf(text, "0x%04x -> 0x%04x", change->a, change->b);
        break;
    case CORR_CHANGE_FLOW_LABEL:
        g_string_append_printf(text, "0x%05x -> 0x%05x", change->a, change->b);
        break;
    case CORR_CHANGE_TCP_FLAGS:
        append_flags(change->a, text);
        g_string_append(text, " -> ");
        append_flags(change->b, text);
        break;
    case CORR_CHANGE_TCP_OPTION:
        g_string_append(text, change->a ? "added" : "removed");
        break;
    case CORR_CHANGE_TCP_OPTIONS:
        g_string_append(text, "changed");
        break;
    case CORR_CHANGE_PAYLOAD:
        break;
    case CORR_CHANGE_VLAN:
        g_string_append_printf(text, "%c %u", change->a ? '+' : '-', change->b);
        break;
    case CORR_CHANGE_ENCAP:
        g_string_append_printf(text, "%c %s %u", change->a ? '+' : '-',
                               corr_encap_word(change->option), change->b);
        break;
    case CORR_CHANGE_SEGMENTED:
    case CORR_CHANGE_FRAGMENTED:
    case CORR_CHANGE_COALESCED:
    case CORR_CHANGE_REASSEMBLED:
        g_string_append_printf(text, "%u", change->b);
        break;
    default:
        g_string_append_printf(text, "%u -> %u", change->a, change->b);
    }
}

void corr_change_field(const struct corr_change *change, GString *text)
{
    g_string_append(text, words[change->kind]);
    if (change->kind == CORR_CHANGE_TCP_OPTION)
        g_string_append_printf(text, " %s", option_words[change->option]);
}

void corr_change_text(const struct corr_result *r, const struct corr_change *change, GString *text)
{
    g_string_append(text, words[change->kind]);
    if (change->kind == CORR_CHANGE_PAYLOAD)
        return;
    g_string_append_c(text, ' ');
    corr_change_value(r, change, text);
    if (change->kind == CORR_CHANGE_TCP_OPTION)
        g_string_append_printf(text, ": %s", option_words[change->option]);
}
