/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - what one segment changed in a packet, found by comparing two of its sightings. */
#include "report/change.h"

#include "path/nat_text.h"
#include "report/report-int.h"
#include "path/text.h"

static void say(GPtrArray *texts, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void say(GPtrArray *texts, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(texts, g_strdup_vprintf(format, args));
    va_end(args);
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

static void compare_ip(const struct corr_store *store, const struct corr_obs *a,
                       const struct corr_obs *b, GPtrArray *texts)
{
    static const char *const ecn_words[] = {"not-ect", "ect1", "ect0", "ce"}; /* RFC 3168, 5 */

    if (!(a->have & b->have & CORR_HAVE_IP))
        return;
    if (a->ttl != b->ttl)
        say(texts, "ttl %+d", b->ttl - a->ttl);
    if (a->tos >> 2 != b->tos >> 2)
        say(texts, "dscp %u -> %u", a->tos >> 2, b->tos >> 2);
    if ((a->tos & 3) != (b->tos & 3))
        say(texts, "ecn %s -> %s", ecn_words[a->tos & 3], ecn_words[b->tos & 3]);

    struct corr_tuple before = corr_tuple_of(store, a), after = corr_tuple_of(store, b);
    g_autoptr(GString) text = g_string_new(NULL);
    if (!corr_tuple_src_equal(&before, &after)) {
        corr_text_endpoint(before.src, before.has_ports, before.proto, text);
        g_string_append(text, " -> ");
        corr_text_endpoint(after.src, after.has_ports, after.proto, text);
        say(texts, "src %s", text->str);
    }
    if (!corr_tuple_dst_equal(&before, &after)) {
        g_string_truncate(text, 0);
        corr_text_endpoint(before.dst, before.has_ports, before.proto, text);
        g_string_append(text, " -> ");
        corr_text_endpoint(after.dst, after.has_ports, after.proto, text);
        say(texts, "dst %s", text->str);
    }
}

static void compare_options(const struct corr_obs *a, const struct corr_obs *b, GPtrArray *texts)
{
    /* Bit order of CORR_OPT_*. */
    static const char *const words[] = {"mss",        "window-scale", "sack-permitted", "sack",
                                        "timestamps", "fast-open",    "mptcp",          "other"};

    bool mss = (a->have & b->have & CORR_HAVE_MSS) && a->mss != b->mss;
    if (mss)
        say(texts, "mss %u -> %u", a->mss, b->mss);
    if (!(a->have & b->have & CORR_HAVE_OPTIONS))
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        unsigned bit = 1u << i;
        if ((a->opt_kinds ^ b->opt_kinds) & bit)
            say(texts, "tcp option %s: %s", a->opt_kinds & bit ? "removed" : "added", words[i]);
    }
    if (!mss && a->opt_kinds == b->opt_kinds && a->opt_hash != b->opt_hash)
        say(texts, "tcp options changed");
}

/* What holds only while the packet is cut as it was. */
static void compare_whole(const struct corr_obs *a, const struct corr_obs *b, GPtrArray *texts)
{
    if ((a->have & b->have & CORR_HAVE_IP_ID) && a->ip_id != b->ip_id)
        say(texts, "ip id 0x%04x -> 0x%04x", a->ip_id, b->ip_id);
    if (a->kind != b->kind)
        return;
    if ((a->have & b->have & CORR_HAVE_SEQ) && a->seq != b->seq)
        say(texts, "seq %+d", (int32_t)(b->seq - a->seq));
    if ((a->have & b->have & CORR_HAVE_TCP)) {
        if ((a->tcp_flags & b->tcp_flags & CORR_TCP_ACK) && a->ack != b->ack)
            say(texts, "ack %+d", (int32_t)(b->ack - a->ack));
        if (a->tcp_flags != b->tcp_flags)
            say(texts, "tcp flags 0x%02x -> 0x%02x", a->tcp_flags, b->tcp_flags);
        if (a->window != b->window)
            say(texts, "tcp window %u -> %u", a->window, b->window);
        if ((a->have & b->have & CORR_HAVE_TS) && a->tsval != b->tsval)
            say(texts, "tsval %+d", (int32_t)(b->tsval - a->tsval));
    }
    compare_options(a, b, texts);

    /* Digests are of nested prefixes: the longest that both have decides. */
    uint32_t both = a->have & b->have;
    bool changed = (both & CORR_HAVE_LEN) && a->len != b->len;
    if (both & CORR_HAVE_DFULL)
        changed |= a->dfull != b->dfull;
    else if (both & CORR_HAVE_D128)
        changed |= a->d128 != b->d128;
    else if (both & CORR_HAVE_D32)
        changed |= a->d32 != b->d32;
    else if (both & CORR_HAVE_D8)
        changed |= a->d8 != b->d8;
    if (changed)
        say(texts, "payload");
}

static void say_layers(const struct corr_context *of, const struct corr_context *without, char sign,
                       GPtrArray *texts)
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
        if (kept)
            continue;
        if (e->kind == CORR_ENCAP_VLAN)
            say(texts, "vlan %c %u", sign, e->id);
        else
            say(texts, "encap %c %s %u", sign, corr_encap_word(e->kind), e->id);
    }
}

void corr_change_collect(const struct corr_result *r, uint32_t sighting, GPtrArray *texts)
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
        compare_ip(store, a, b, texts);
    if (!recut)
        compare_whole(a, b, texts);
    if (a->context != b->context) {
        const struct corr_context *ca =
            &g_array_index(store->contexts, struct corr_context, a->context);
        const struct corr_context *cb =
            &g_array_index(store->contexts, struct corr_context, b->context);
        say_layers(ca, cb, '-', texts);
        say_layers(cb, ca, '+', texts);
    }
    if (pieces > 1)
        say(texts, "%s %u", frag_b ? "fragmented" : "segmented", pieces);
    if (parts > 1)
        say(texts, "%s %u", frag_a && !frag_b ? "reassembled" : "coalesced", parts);
}
