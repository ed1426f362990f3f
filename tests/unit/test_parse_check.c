/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parse_check.c - the checks that the parser's tests share. */
#include "test_parse.h"

unsigned parse_cut(const struct frame *frame, uint32_t cap, struct corr_parsed *out)
{
    uint8_t *copy = g_memdup2(frame->bytes, cap); /* NULL if cap is 0 */
    struct corr_frame f = {
        .number = 1, .link = frame->link, .wire_len = frame->len, .cap_len = cap, .data = copy};
    unsigned n = corr_parse(&f, 0, out);

    g_assert_cmpuint(n, >=, 1);
    g_assert_cmpuint(n, <=, CORR_PARSE_MAX);
    for (unsigned i = 0; i < n; i++) {
        check_parsed(&out[i], copy, cap);
        if (out[i].payload != NULL) /* the copy goes away */
            out[i].payload = frame->bytes + (out[i].payload - copy);
    }
    g_free(copy);
    return n;
}

struct corr_parsed parse(const struct frame *frame)
{
    struct corr_parsed out[CORR_PARSE_MAX];

    g_assert_cmpuint(parse_cut(frame, frame->len, out), ==, 1);
    return out[0];
}

struct corr_parsed parse_text(uint32_t link, const char *layers)
{
    static struct frame frames[8]; /* payload pointers outlive the call, for a while */
    static unsigned next;
    struct frame *frame = &frames[next++ % G_N_ELEMENTS(frames)];

    build(frame, layers);
    frame->link = link;
    return parse(frame);
}

char *encap_text(const struct corr_parsed *p)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < p->n_encap; i++)
        g_string_append_printf(text, "%s%s %u", i > 0 ? ", " : "",
                               corr_encap_word(p->encap[i].kind), p->encap[i].id);
    return g_string_free(text, FALSE);
}

void check_parsed(const struct corr_parsed *p, const uint8_t *data, uint32_t cap)
{
    g_assert_cmpuint(p->kind, <=, CORR_KIND_IP);
    g_assert_cmpuint(p->n_encap, <=, CORR_ENCAP_MAX);
    for (unsigned i = 0; i < p->n_encap; i++)
        g_assert_cmpuint(p->encap[i].kind, <, CORR_ENCAP_COUNT);
    if (p->kind == CORR_KIND_UNKNOWN)
        g_assert_nonnull(p->unknown);
    g_assert((p->payload == NULL) == (p->payload_cap == 0));
    if (p->payload != NULL) {
        g_assert(p->payload >= data);
        g_assert_cmpuint((uint32_t)(p->payload - data), <=, cap);
        g_assert_cmpuint(p->payload_cap, <=, cap - (uint32_t)(p->payload - data));
    }
    if (p->have & CORR_HAVE_LEN)
        g_assert_cmpuint(p->payload_cap, <=, p->payload_len);
    if (p->have & CORR_HAVE_DFULL)
        g_assert_cmpuint(p->payload_cap, ==, p->payload_len);
    if (p->have & CORR_HAVE_IP) {
        g_assert(p->src.len == 4 || p->src.len == 16);
        g_assert_cmpuint(p->dst.len, ==, p->src.len);
    }
    g_assert_false((p->have & CORR_HAVE_RESID) && (p->have & CORR_HAVE_PARTIAL));
    g_assert_true((p->have & CORR_HAVE_FRAG) || p->kind != CORR_KIND_FRAGMENT);
    g_assert_true(!(p->have & CORR_HAVE_QUOTE) || p->kind == CORR_KIND_ICMP_ERROR);
}
