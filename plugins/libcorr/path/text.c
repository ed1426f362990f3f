/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - words and figures as people read them, the same in every table and view. */
#include "path/text.h"

#include <math.h>
#include <string.h>

#include "store/digits.h"
#include "store/sort.h"

/* Appends value / 10^decimals with that many decimals. */
static void append_fixed(uint64_t value, int decimals, GString *text)
{
    uint64_t scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    corr_text_digits(text, value / scale, 1);
    if (decimals) {
        g_string_append_c(text, '.');
        corr_text_digits(text, value % scale, (unsigned)decimals);
    }
}

void corr_text_time(int64_t ns, GString *text)
{
    static const struct {
        const char *word;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"µs", 1000}, {"ms", 1000000}, {"s", 1000000000}};

    uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (size == 0) {
        g_string_append(text, "0 s");
        return;
    }
    if (ns < 0)
        g_string_append_c(text, '-');
    for (unsigned u = 0; u < G_N_ELEMENTS(units); u++) {
        bool last = u + 1 == G_N_ELEMENTS(units);
        /* Most decimals first; more than three digits after rounding: fewer decimals. */
        for (int decimals = units[u].ns == 1 ? 0 : 2; decimals >= 0; decimals--) {
            uint64_t step = units[u].ns;
            for (int i = 0; i < decimals; i++)
                step /= 10;
            uint64_t value = size / step + (size % step >= (step + 1) / 2 && step > 1);
            if (value < 1000 || (last && decimals == 0)) {
                append_fixed(value, decimals, text);
                g_string_append_c(text, ' ');
                g_string_append(text, units[u].word);
                return;
            }
        }
    }
}

void corr_text_latency(struct corr_latency latency, GString *text)
{
    corr_text_time(latency.ns, text);
    g_string_append(text, " ± ");
    corr_text_time(latency.error_ns, text);
}

void corr_text_ratio(double ratio, GString *text)
{
    double percent = ratio * 100;
    if (percent < 1 && percent > 0) {
        char number[32];
        g_string_append(text, g_ascii_formatd(number, sizeof number, "%.2g", percent));
    } else if (percent >= 100 || percent <= 0) {
        append_fixed((uint64_t)(percent > 0 ? percent + 0.5 : 0), 0, text);
    } else {
        int decimals = percent < 10 ? 2 : 1;
        append_fixed((uint64_t)floor(percent * (decimals == 2 ? 100 : 10)), decimals, text);
    }
    g_string_append(text, " %");
}

void corr_text_proto(uint8_t proto, GString *text)
{
    /* IANA protocol numbers. */
    static const struct {
        uint8_t number;
        const char *word;
    } words[] = {{0, "level-2"}, {1, "icmp"},   {2, "igmp"},  {6, "tcp"},
                 {17, "udp"},    {47, "gre"},   {50, "esp"},  {58, "icmpv6"},
                 {89, "ospf"},   {112, "vrrp"}, {132, "sctp"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (words[i].number == proto) {
            g_string_append(text, words[i].word);
            return;
        }
    }
    g_string_append_printf(text, "ip-proto-%u", proto);
}

void corr_text_link(uint32_t link, GString *text)
{
    /* LINKTYPE_ values, pcap-linktype(7). */
    static const struct {
        uint32_t link;
        const char *word;
    } words[] = {{0, "BSD loopback"},   {1, "Ethernet"},          {9, "PPP"},
                 {101, "raw IP"},       {105, "802.11"},          {108, "OpenBSD loopback"},
                 {113, "Linux cooked"}, {127, "802.11 radiotap"}, {228, "raw IPv4"},
                 {229, "raw IPv6"},     {276, "Linux cooked v2"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (words[i].link == link) {
            g_string_append(text, words[i].word);
            return;
        }
    }
    g_string_append_printf(text, "link type %u", link);
}

static bool key_less(const uint64_t *a, const uint64_t *b)
{
    return *a < *b;
}

CORR_SORT_DEFINE(keys_sort, uint64_t, key_less)

void corr_text_path(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    /* hop << 32 | point: sorting groups the branches of one hop, in file order. */
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        uint64_t key = (uint64_t)s->hop << 32 | corr_sighting_point(r, s);
        if (s->hop && !s->duplicate)
            g_array_append_val(keys, key);
    }
    keys_sort((uint64_t *)(void *)keys->data, keys->len); /* mostly in order already */
    for (unsigned i = 0, end; i < keys->len; i = end) {
        uint64_t hop = g_array_index(keys, uint64_t, i) >> 32;
        unsigned names = 0;
        uint64_t last = UINT64_MAX;
        for (end = i; end < keys->len && g_array_index(keys, uint64_t, end) >> 32 == hop; end++) {
            names += g_array_index(keys, uint64_t, end) != last;
            last = g_array_index(keys, uint64_t, end);
        }
        g_string_append(text, i ? " > " : "");
        g_string_append(text, names > 1 ? "{" : "");
        last = UINT64_MAX;
        for (unsigned k = i; k < end; k++) {
            uint64_t key = g_array_index(keys, uint64_t, k);
            if (key == last)
                continue;
            g_string_append(text, last == UINT64_MAX ? "" : ", ");
            g_string_append(text, corr_store_point(r->store, (uint32_t)key)->name);
            last = key;
        }
        g_string_append(text, names > 1 ? "}" : "");
    }
}

void corr_text_endpoint(const struct corr_endpoint *end, bool has_ports, uint8_t proto,
                        GString *text)
{
    const uint8_t *mac = end->addr.bytes;
    bool echo = proto == 1 || proto == 58;

    if (end->addr.len == 6) /* level-2 flows run between MAC addresses */
        g_string_append_printf(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                               mac[3], mac[4], mac[5]);
    else
        corr_endpoint_text(end, has_ports && !(echo && end->port == 0), text);
}

void corr_text_ends(const struct corr_result *r, const struct corr_obs *obs, GString *text)
{
    const struct corr_conv *conv = corr_store_conv(r->store, obs->conv);
    if (conv->end[0].addr.len == 0)
        return;
    corr_text_endpoint(&conv->end[obs->dir], conv->has_ports, conv->proto, text);
    g_string_append(text, " > ");
    corr_text_endpoint(&conv->end[!obs->dir], conv->has_ports, conv->proto, text);
}

/* RFC 792, RFC 4443: the messages that tell why a packet was not forwarded. */
static const char *icmp_word(uint8_t type, uint8_t code, bool v6)
{
    static const struct {
        bool v6;
        uint8_t type;
        int code; /* -1: any other */
        const char *word;
    } words[] = {
        {false, 3, 3, "port unreachable"},
        {false, 3, 4, "fragmentation needed"},
        {false, 3, 9, "administratively prohibited"},
        {false, 3, 10, "administratively prohibited"},
        {false, 3, 13, "administratively prohibited"},
        {false, 3, -1, "destination unreachable"},
        {false, 11, -1, "time exceeded"},
        {false, 12, -1, "parameter problem"},
        {true, 1, 1, "administratively prohibited"},
        {true, 1, 4, "port unreachable"},
        {true, 1, 5, "source address failed policy"},
        {true, 1, -1, "destination unreachable"},
        {true, 2, -1, "packet too big"},
        {true, 3, -1, "time exceeded"},
        {true, 4, -1, "parameter problem"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (words[i].v6 == v6 && words[i].type == type &&
            (words[i].code == code || words[i].code < 0))
            return words[i].word;
    return NULL;
}

/* A packet may be lost several times: any later transmission of it counts. */
static bool is_again(const struct corr_result *r, const struct corr_packet *p, uint32_t lost)
{
    uint32_t original = p->original;
    for (int depth = 0; depth < 64 && original != CORR_NONE && original != lost; depth++)
        original = corr_result_packet(r, original)->original;
    return original == lost;
}

/* What the frame's packet does about the lost one; NULL if that is not to be seen. */
static const char *evidence_verb(const struct corr_result *r, const struct corr_packet *p,
                                 const struct corr_obs *obs, uint32_t lost)
{
    const struct corr_packet *l = corr_result_packet(r, lost);
    const struct corr_obs *first = corr_result_obs(r, corr_result_sighting(r, l->first));
    bool same_way = p->flow == l->flow && p->dir == l->dir && p->flow != CORR_NONE;

    if (obs->kind == CORR_KIND_TCP && obs->tcp_flags & CORR_TCP_RST)
        return "resets it";
    if (p->kind != l->kind || !(same_way || is_again(r, p, lost)))
        return NULL;
    if (l->kind != CORR_KIND_TCP)
        return "asks again";
    if (first->tcp_flags & CORR_TCP_SYN)
        return "tries again";
    return is_again(r, p, lost) || (p->from < l->to && l->from < p->to) ? "retransmits it" : NULL;
}

void corr_text_evidence(const struct corr_result *r, uint32_t packet, GString *text)
{
    const struct corr_store *store = r->store;
    uint32_t frame = corr_result_packet(r, packet)->evidence;
    uint32_t o = frame < store->frame_obs->len ? g_array_index(store->frame_obs, uint32_t, frame)
                                               : CORR_NONE;
    const char *verb = NULL;

    if (corr_result_packet(r, packet)->cause == CORR_CAUSE_CORRUPTION) {
        g_string_append_printf(text, "its checksum is wrong in frame %u", frame);
        return;
    }
    for (; o < store->obs->len && corr_store_obs(store, o)->frame == frame; o++) {
        const struct corr_obs *obs = corr_store_obs(store, o);
        for (uint32_t k = r->obs_first[o]; k < r->obs_first[o + 1]; k++) {
            const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[k]);
            const struct corr_packet *p = corr_result_packet(r, s->packet);
            if (p->kind == CORR_KIND_ICMP_ERROR) {
                bool v6 = corr_store_conv(store, obs->conv)->end[0].addr.len == 16;
                const char *word = icmp_word(obs->icmp_type, obs->icmp_code, v6);
                g_string_append_printf(text, "frame %u reports it (ICMP%s%s)", frame,
                                       word ? " " : "", word ? word : "");
                return;
            }
            if (!verb)
                verb = evidence_verb(r, p, obs, packet);
        }
    }
    if (verb && strcmp(verb, "retransmits it") == 0)
        g_string_append_printf(text, "retransmitted in frame %u", frame);
    else
        g_string_append_printf(text, "frame %u %s", frame, verb ? verb : "proves it");
}

void corr_text_reason(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    const char *reason = p->reason ? p->reason : "unknown";
    g_string_append(text, reason);
    /* "not covered at" names the point; "tail" needs none. */
    if (p->drop_before != CORR_NONE && g_str_has_suffix(reason, " at"))
        g_string_append_printf(text, " %s", corr_store_point(r->store, p->drop_before)->name);
}
