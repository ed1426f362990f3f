/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat_text.c - what a translation between two sightings of one packet is called. */
#include "path/nat_text.h"

#include <string.h>

#include "path/text.h"

static const struct {
    const char *word, *src, *dst;
} nats[] = {{NULL, NULL, NULL},
#define CORR_ROW(id, word, src, dst) {word, src, dst},
            CORR_NATS(CORR_ROW)
#undef CORR_ROW
};

const char *corr_nat_word(enum corr_nat_kind kind)
{
    return nats[kind].word;
}

struct corr_tuple corr_tuple_of(const struct corr_store *store, const struct corr_obs *obs)
{
    const struct corr_conv *conv = corr_store_conv(store, obs->conv);
    return (struct corr_tuple){&conv->end[obs->dir], &conv->end[!obs->dir], conv->has_ports,
                               conv->proto};
}

struct corr_tuple corr_tuple_reversed(const struct corr_tuple *tuple)
{
    return (struct corr_tuple){tuple->dst, tuple->src, tuple->has_ports, tuple->proto};
}

static bool end_equal(const struct corr_endpoint *a, const struct corr_endpoint *b, bool ports)
{
    return a == b || (corr_addr_equal(&a->addr, &b->addr) && (!ports || a->port == b->port));
}

bool corr_tuple_src_equal(const struct corr_tuple *a, const struct corr_tuple *b)
{
    return end_equal(a->src, b->src, a->has_ports && b->has_ports);
}

bool corr_tuple_dst_equal(const struct corr_tuple *a, const struct corr_tuple *b)
{
    return end_equal(a->dst, b->dst, a->has_ports && b->has_ports);
}

bool corr_tuple_equal(const struct corr_tuple *a, const struct corr_tuple *b)
{
    return corr_tuple_src_equal(a, b) && corr_tuple_dst_equal(a, b);
}

/* One's complement sum of an address: RFC 6296 keeps it, so that checksums stay right. */
static uint16_t addr_sum(const struct corr_addr *addr)
{
    uint32_t sum = 0;
    for (int i = 0; i < 16; i += 2)
        sum += (uint32_t)(addr->bytes[i] << 8 | addr->bytes[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff ? 0 : (uint16_t)sum;
}

/*
 * RFC 6296: the prefix changes and the interface identifier stays, but for at
 * most one 16-bit word that keeps the sum (prefixes longer than /48, 3.2).
 */
static bool is_prefix_change(const struct corr_endpoint *a, const struct corr_endpoint *b,
                             bool has_ports)
{
    if (a->addr.len != 16 || b->addr.len != 16 || (has_ports && a->port != b->port) ||
        memcmp(a->addr.bytes, b->addr.bytes, 8) == 0)
        return false;
    unsigned words = 0;
    for (int i = 8; i < 16; i += 2)
        words += memcmp(a->addr.bytes + i, b->addr.bytes + i, 2) != 0;
    return words == 0 || (words == 1 && addr_sum(&a->addr) == addr_sum(&b->addr));
}

enum corr_nat_kind corr_nat_classify(const struct corr_tuple *before,
                                     const struct corr_tuple *after)
{
    bool ports = before->has_ports && after->has_ports;
    bool src = !corr_tuple_src_equal(before, after);
    bool dst = !corr_tuple_dst_equal(before, after);
    if (!src && !dst)
        return CORR_NAT_NONE;
    if (before->src->addr.len == 16 && after->src->addr.len == 4)
        return CORR_NAT_NAT64;
    if (before->src->addr.len == 4 && after->src->addr.len == 16)
        return CORR_NAT_NAT46;
    if ((!src || is_prefix_change(before->src, after->src, ports)) &&
        (!dst || is_prefix_change(before->dst, after->dst, ports)))
        return CORR_NAT_NPTV6;
    return src && dst ? CORR_NAT_BOTH : src ? CORR_NAT_SNAT : CORR_NAT_DNAT;
}

static void append_rewrite(const char *word, const struct corr_endpoint *first,
                           const struct corr_tuple *a, const struct corr_endpoint *now,
                           const struct corr_tuple *b, GString *text)
{
    g_string_append(text, text->len ? ", " : "");
    g_string_append(text, word);
    g_string_append_c(text, ' ');
    corr_text_endpoint(first, a->has_ports, a->proto, text);
    g_string_append(text, " -> ");
    corr_text_endpoint(now, b->has_ports, b->proto, text);
}

void corr_nat_text(const struct corr_tuple *first, const struct corr_tuple *now, bool reply,
                   GString *text)
{
    /* On the way back the first sighting shows what the initiator's packets become. */
    struct corr_tuple first_back = corr_tuple_reversed(first), now_back = corr_tuple_reversed(now);
    enum corr_nat_kind kind =
        reply ? corr_nat_classify(&now_back, &first_back) : corr_nat_classify(first, now);
    if (kind == CORR_NAT_NONE)
        return;
    g_autoptr(GString) own = g_string_new(NULL);
    if (!corr_tuple_src_equal(first, now))
        append_rewrite(reply ? nats[kind].dst : nats[kind].src, first->src, first, now->src, now,
                       own);
    if (!corr_tuple_dst_equal(first, now))
        append_rewrite(reply ? nats[kind].src : nats[kind].dst, first->dst, first, now->dst, now,
                       own);
    g_string_append(text, own->str);
    g_string_append(text, reply ? " (reply)" : "");
}
