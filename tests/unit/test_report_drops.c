/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report_drops.c - lost packets, groups of them, and what proves a loss. */
#include "path/text.h"
#include "test_report.h"

static void test_drops_say_what_happened(void)
{
    struct builder b;
    build_lossy(&b);
    struct corr_packet *p = builder_get_packet(&b, 0);
    p->fate = CORR_FATE_UNDETERMINED;
    p->reason = "not covered at";
    p->drop_after = p->first + 3;
    p->drop_before = 3;
    builder_finish(&b);
    struct corr_report_table *t = BUILD(drops, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    const struct corr_packet *lost = corr_result_packet(&b.result, 6);
    g_assert_cmpuint(
        cell(t, 0, "frame")->count, ==,
        corr_result_obs(&b.result, corr_result_sighting(&b.result, lost->drop_after))->frame);
    g_assert_cmpuint(cell(t, 0, "match_id")->count, ==, 7);
    g_assert_cmpstr(cell(t, 0, "protocol")->text, ==, "tcp");
    g_assert_cmpstr(cell(t, 0, "src")->text, ==, "203.0.113.7");
    g_assert_cmpuint(cell(t, 0, "dst_port")->count, ==, 80);
    g_assert_cmpstr(cell(t, 0, "after")->text, ==, "wan");
    g_assert_cmpstr(cell(t, 0, "before")->text, ==, "server");
    g_assert_cmpstr(cell(t, 0, "verdict")->text, ==, "confirmed");
    g_assert_cmpstr(cell(t, 0, "cause")->text, ==, "queue");
    g_assert_cmpuint(g_array_index(cell(t, 0, "evidence")->frames, uint32_t, 0), ==,
                     lost->evidence);
    g_autofree char *what = g_strdup_printf(
        "TCP 203.0.113.7:18311 > 198.51.100.5:80 seq 0 len 100: seen at client, lan and wan, "
        "never at server; retransmitted in frame %u; 7 later packets of the flow arrived",
        lost->evidence);
    g_assert_cmpstr(cell(t, 0, "what")->text, ==, what);
    g_assert_cmpuint(t->notes->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(t->notes, 0), "(not covered at server: 1)"));
    g_autofree char *text = corr_render_text(t);
    check_width(text);
    corr_report_table_free(t);
    builder_clear(&b);
}

/* What the frame that proves a loss is said to do. */
static char *evidence_of(uint8_t proto,
                         void (*change)(struct corr_obs *lost, struct corr_obs *proof))
{
    struct builder b;
    GString *text = g_string_new(NULL);
    builder_init(&b);
    uint32_t c = builder_conv(&b, builder_point(&b, "lan"), proto, "10.0.0.1", 1, "10.0.0.2", 2);
    uint32_t flow = builder_flow(&b, proto, c, CORR_NONE);
    builder_obs(&b, c, 0, 0);
    builder_obs(&b, c, 0, 1000);
    change(builder_get_obs(&b, 0), builder_get_obs(&b, 1));
    builder_packet(&b, flow, 0, 0, CORR_NONE);
    builder_packet(&b, flow, builder_get_obs(&b, 1)->dir, 1, CORR_NONE);
    builder_get_packet(&b, 0)->evidence = 2;
    builder_finish(&b);
    corr_text_evidence(&b.result, 0, text);
    builder_clear(&b);
    return g_string_free(text, FALSE);
}

static void as_syn(struct corr_obs *lost, struct corr_obs *proof)
{
    lost->tcp_flags = proof->tcp_flags = CORR_TCP_SYN;
}

static void as_reset(struct corr_obs *lost, struct corr_obs *proof)
{
    lost->tcp_flags = CORR_TCP_SYN;
    proof->tcp_flags = CORR_TCP_RST | CORR_TCP_ACK;
    proof->dir = 1;
}

static void as_question(struct corr_obs *lost, struct corr_obs *proof)
{
    lost->len = proof->len = 30;
}

static void as_time_exceeded(struct corr_obs *lost, struct corr_obs *proof)
{
    lost->ttl = 1;
    proof->kind = CORR_KIND_ICMP_ERROR;
    proof->icmp_type = 11;
}

static void as_anything(struct corr_obs *lost, struct corr_obs *proof)
{
    lost->seq = 1;
    proof->dir = 1;
}

static void test_evidence_says_what_the_frame_does(void)
{
    static const struct {
        uint8_t proto;
        void (*change)(struct corr_obs *lost, struct corr_obs *proof);
        const char *text;
    } cases[] = {{6, as_syn, "frame 2 tries again"},
                 {6, as_reset, "frame 2 resets it"},
                 {17, as_question, "frame 2 asks again"},
                 {17, as_time_exceeded, "frame 2 reports it (ICMP time exceeded)"},
                 {6, as_anything, "frame 2 proves it"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = evidence_of(cases[i].proto, cases[i].change);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_groups_are_counted_without_a_frame(void)
{
    struct builder b;
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    for (int i = 0; i < 8; i++)
        builder_send(&b, &net, 0, i * 1000, i / 5, i / 5)->ambiguous = true;
    struct corr_group group = {net.flow, 0, net.client, net.lan, 5, 3, 1};
    g_array_append_val(b.result.groups, group);
    group = (struct corr_group){net.flow, 0, net.lan, net.wan, 3, 3, 6};
    g_array_append_val(b.result.groups, group);
    builder_finish(&b);
    struct corr_report_table *t = BUILD(drops, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 1);
    g_assert_false(cell(t, 0, "frame")->present);
    g_assert_false(cell(t, 0, "match_id")->present);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 2);
    g_assert_cmpstr(cell(t, 0, "after")->text, ==, "client");
    g_assert_cmpstr(cell(t, 0, "before")->text, ==, "lan");
    g_assert_cmpstr(cell(t, 0, "verdict")->text, ==, "probable");
    g_assert_cmpstr(cell(t, 0, "what")->text, ==,
                    "2 of 5 equal packets (the first in frame 1) seen at client never reached "
                    "lan; nobody can tell which");
    corr_report_table_free(t);
    t = BUILD(segments, &b, NULL);
    g_assert_cmpuint(t->rows->len, ==, 2);
    g_assert_cmpuint(cell(t, 0, "packets")->count, ==, 3);
    g_assert_cmpuint(cell(t, 0, "lost")->count, ==, 2);
    g_assert_cmpuint(cell(t, 1, "packets")->count, ==, 3);
    g_assert_cmpuint(cell(t, 1, "lost")->count, ==, 0);
    corr_report_table_free(t);
    t = BUILD(flows, &b, NULL);
    g_assert_cmpuint(cell(t, 0, "lost")->count, ==, 2);
    g_assert_cmpuint(inner(t, 0, "segments", 0, "lost")->count, ==, 2);
    corr_report_table_free(t);

    struct corr_frame_set *set = corr_frame_set_new();
    corr_frame_set_add(set, 6); /* the second group's first frame */
    t = BUILD(drops, &b, set);
    g_assert_cmpuint(t->rows->len, ==, 0);
    corr_report_table_free(t);
    t = BUILD(segments, &b, set);
    g_assert_cmpuint(t->rows->len, ==, 1);
    corr_report_table_free(t);
    corr_frame_set_free(set);
    builder_clear(&b);
}

void add_drops_tests(void)
{
    g_test_add_func("/drops/say-what-happened", test_drops_say_what_happened);
    g_test_add_func("/drops/groups", test_groups_are_counted_without_a_frame);
    g_test_add_func("/drops/evidence", test_evidence_says_what_the_frame_does);
}
