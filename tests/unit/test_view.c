/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_view.c - the corr.* fields of a frame, from answers that were put together by hand. */
#include "builder.h"
#include "view_fill.h"

/* All values of a field, joined by "|"; NULL if it is absent. */
static char *values(const struct corr_view *view, enum corr_field field)
{
    GString *text = NULL;
    for (unsigned i = 0; i < view->values->len; i++) {
        const struct corr_value *v = &g_array_index(view->values, struct corr_value, i);
        if (v->field != field)
            continue;
        if (text)
            g_string_append_c(text, '|');
        else
            text = g_string_new(NULL);
        switch (corr_field_infos[field].type) {
        case CORR_TYPE_STR:
            g_string_append(text, v->str);
            break;
        case CORR_TYPE_NS:
            g_string_append_printf(text, "%" G_GINT64_FORMAT, v->ns);
            break;
        case CORR_TYPE_IPV4:
        case CORR_TYPE_IPV6: {
            struct corr_addr addr = {corr_field_infos[field].type == CORR_TYPE_IPV4 ? 4 : 16, {0}};
            char buffer[CORR_ADDR_TEXT];
            memcpy(addr.bytes, v->addr, addr.len);
            g_string_append(text, corr_addr_text(&addr, buffer));
            break;
        }
        default:
            g_string_append_printf(text, "%u", v->u32);
        }
    }
    return text ? g_string_free(text, FALSE) : NULL;
}

static char *joined(const struct corr_view *view)
{
    GString *text = g_string_new(view->summary);

    for (unsigned field = 0; field < CORR_FIELD_COUNT; field++) {
        g_autofree char *all = values(view, (enum corr_field)field);

        if (all)
            g_string_append_printf(text, "\n%s %s", corr_field_infos[field].name, all);
    }
    for (unsigned i = 0; i < view->findings->len; i++) {
        const struct corr_finding *finding = &g_array_index(view->findings, struct corr_finding, i);

        g_string_append_printf(text, "\n%d %s", (int)finding->kind,
                               finding->sentence ? finding->sentence : "");
    }
    return g_string_free(text, FALSE);
}

/* What is asked for alone is what it is among all, and nothing comes with it. */
static void look_for_each(const struct builder *b, uint32_t frame, const struct corr_view *whole)
{
    struct corr_view *view = corr_view_new();
    GString *parts = g_string_new(NULL);
    g_autofree char *wanted = joined(whole);

    corr_view_fill(b->store, &b->result, frame, CORR_WANT_SUMMARY, view);
    g_assert_cmpuint(view->values->len + view->findings->len, ==, 0);
    g_string_append(parts, view->summary ? view->summary : "");
    for (unsigned field = 0; field <= CORR_FIELD_COUNT; field++) {
        bool is_field = field < CORR_FIELD_COUNT;
        g_autofree char *text = NULL;

        corr_view_fill(b->store, &b->result, frame,
                       is_field ? CORR_WANT_FIELD(field) : CORR_WANT_FINDINGS, view);
        g_assert_null(view->summary);
        g_assert_cmpuint(is_field ? view->findings->len : view->values->len, ==, 0);
        text = joined(view);
        g_string_append(parts, text);
    }
    g_assert_cmpstr(parts->str, ==, wanted);
    corr_view_fill(b->store, &b->result, frame, 0, view);
    g_assert_cmpuint(view->values->len + view->findings->len, ==, 0);
    g_string_free(parts, TRUE);
    corr_view_free(view);
}

/* Fills the view of a frame, with the values in the order of the list of fields. */
static void look(const struct builder *b, uint32_t frame, struct corr_view *view)
{
    corr_view_fill(b->store, &b->result, frame, CORR_WANT_ALL, view);
    for (unsigned i = 1; i < view->values->len; i++)
        g_assert_cmpint(g_array_index(view->values, struct corr_value, i - 1).field, <=,
                        g_array_index(view->values, struct corr_value, i).field);
    look_for_each(b, frame, view);
}

#define assert_field(view, id, expected)                                                           \
    do {                                                                                           \
        g_autofree char *text_ = values(view, CORR_FIELD_##id);                                    \
        g_assert_cmpstr(text_, ==, expected);                                                      \
    } while (0)

/* Findings about the packet; those about its point, or the whole, are of no interest here. */
static const struct corr_finding *find(const struct corr_view *view, unsigned *n)
{
    const struct corr_finding *found = NULL;

    *n = 0;
    for (unsigned i = 0; i < view->findings->len; i++) {
        const struct corr_finding *finding = &g_array_index(view->findings, struct corr_finding, i);

        if (finding->kind == CORR_FINDING_care || finding->kind == CORR_FINDING_distrust ||
            finding->kind == CORR_FINDING_finding || finding->kind == CORR_FINDING_insight)
            continue;
        found = finding;
        ++*n;
    }
    return found;
}

static void assert_no_finding(const struct corr_view *view)
{
    unsigned n;

    find(view, &n);
    g_assert_cmpuint(n, ==, 0);
}

static void assert_finding(const struct corr_view *view, enum corr_finding_kind kind,
                           const char *sentence)
{
    unsigned n;
    const struct corr_finding *finding = find(view, &n);

    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpint(finding->kind, ==, kind);
    g_assert_cmpstr(finding->sentence, ==, sentence);
}

/* The frame that proves a finding of the table `findings` tells it, too. */
static void assert_told(const struct corr_view *view, const char *begin)
{
    for (unsigned i = 0; i < view->findings->len; i++) {
        const struct corr_finding *finding = &g_array_index(view->findings, struct corr_finding, i);

        if (finding->kind == CORR_FINDING_finding && g_str_has_prefix(finding->sentence, begin))
            return;
    }
    g_assert_not_reached();
}

static void test_unsettled_shows_the_point_only(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_send(&b, &net, 0, 0, 0, 3);
    builder_finish(&b);
    corr_view_fill(b.store, NULL, 2, CORR_WANT_ALL, view);
    assert_field(view, point, "lan");
    g_assert_cmpuint(view->values->len, ==, 1);
    g_assert_null(view->summary);
    corr_view_fill(b.store, &b.result, 99, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 0);
    corr_view_fill(b.store, &b.result, 0, CORR_WANT_ALL, view);
    g_assert_cmpuint(view->values->len, ==, 0);
    corr_view_free(view);
    builder_clear(&b);
}

static void test_request_and_reply(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_send(&b, &net, 0, 0, 0, 3);       /* frames 1 to 4 */
    builder_send(&b, &net, 1, 9000000, 3, 0); /* frames 5 to 8 */
    builder_finish(&b);

    look(&b, 3, view);
    assert_field(view, point, "wan");
    assert_field(view, match_id, "1");
    assert_field(view, match_count, "4");
    assert_field(view, method, "exact");
    assert_field(
        view, why,
        "exact: same TCP sequence numbers and length (100 bytes, not captured everywhere) at 4 "
        "points, and no other packet like it; undone: SNAT "
        "192.168.1.10:54321 -> 203.0.113.7:18311");
    assert_field(view, ambiguous, NULL);
    assert_field(view, hop, "3");
    assert_field(view, path, "client > lan > wan > server");
    assert_field(view, first_frame, "1");
    assert_field(view, prev_frame, "2");
    assert_field(view, next_frame, "4");
    assert_field(view, last_frame, "4");
    assert_field(view, hop_latency, "1000000");
    assert_field(view, hop_latency_error, "20000");
    assert_field(view, flow, "1");
    assert_field(view, nat, "SNAT 192.168.1.10:54321 -> 203.0.113.7:18311");
    assert_field(view, nat_src, "192.168.1.10");
    assert_field(view, nat_dst, NULL);
    assert_field(view, nat_src_port, "54321");
    assert_field(view, nat_ip, "192.168.1.10");
    assert_field(view, nat_ip6, NULL);
    assert_field(view, change, "ttl -1|src 192.168.1.10:54321 -> 203.0.113.7:18311");
    assert_field(view, dropped, NULL);
    g_assert_cmpstr(view->summary, ==,
                    "Packet 1, hop 3 of 4 at wan: 1.00 ms ± 20.0 µs after lan, "
                    "SNAT 192.168.1.10:54321 -> 203.0.113.7:18311");
    assert_no_finding(view);

    /* Before the translation there is no corr.nat, but the other side is found, too. */
    look(&b, 1, view);
    assert_field(view, hop, "1");
    assert_field(view, prev_frame, NULL);
    assert_field(view, hop_latency, NULL);
    assert_field(view, nat, NULL);
    assert_field(view, nat_src, "203.0.113.7");
    assert_field(view, nat_src_port, "18311");
    assert_field(view, change, NULL);

    look(&b, 8, view);
    assert_field(view, nat, "SNAT 203.0.113.7:18311 -> 192.168.1.10:54321 (reply)");
    assert_field(view, nat_src, NULL);
    assert_field(view, nat_dst, "203.0.113.7");
    assert_field(view, nat_dst_port, "18311");
    assert_field(view, path, "server > wan > lan > client");
    corr_view_free(view);
    builder_clear(&b);
}

static void test_seen_once(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_send(&b, &net, 0, 0, 0, 0);
    builder_finish(&b);
    look(&b, 1, view);
    assert_field(view, match_id, "1");
    assert_field(view, match_count, "1");
    assert_field(view, method, NULL);
    assert_field(view, why,
                 "no copy at any other point: its flow was seen at lan, wan, server, this packet "
                 "was not");
    assert_field(view, hop, NULL);
    assert_field(view, path, NULL);
    assert_field(view, nat_src, NULL);
    assert_field(view, flow, "1");
    corr_view_free(view);
    builder_clear(&b);
}

static void test_losses(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    struct corr_packet *p = builder_send(&b, &net, 0, 0, 0, 2); /* frames 1 to 3 */
    p->fate = CORR_FATE_PROBABLE;
    p->drop_after = p->first + 2;
    p->drop_before = net.server;
    p->cause = CORR_CAUSE_MTU;
    p->evidence = 5;
    p = builder_send(&b, &net, 0, 9000000, 0, 1); /* frames 4 and 5 */
    p->fate = CORR_FATE_UNDETERMINED;
    p->reason = "tail";
    p->drop_before = net.wan;
    p->drop_after = p->first + 1;
    builder_finish(&b);

    look(&b, 3, view);
    assert_field(view, dropped, "1");
    assert_field(view, drop_after, "wan");
    assert_field(view, drop_before, "server");
    assert_field(view, drop_match_id, NULL);
    assert_field(view, drop_verdict, "probable");
    assert_field(view, fate, "lost before server (probable, mtu)");
    assert_field(view, drop_cause, "mtu");
    assert_field(view, drop_evidence, "5");
    assert_finding(view, CORR_FINDING_lost_probably,
                   "packet 1 after wan, before server; cause: mtu; frame 5 proves it");
    assert_told(view, "L3, wan > server: 1 ");
    g_assert_true(g_str_has_suffix(view->summary, ", dropped before server (probable)"));
    look(&b, 2, view);
    assert_field(view, dropped, NULL);
    assert_field(view, drop_after, NULL);

    look(&b, 5, view);
    assert_field(view, dropped, NULL);
    assert_field(view, undetermined, "tail");
    assert_field(view, fate, "unknown: tail");
    corr_view_free(view);
    builder_clear(&b);
}

/* a > {b, c}, and a mirror copy at b. */
static void test_branches_and_copies(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    uint32_t c[3];
    builder_init(&b);
    for (uint32_t i = 0; i < 3; i++) {
        builder_point(&b, (const char *[]){"a", "b", "c"}[i]);
        c[i] = builder_conv(&b, i, 17, "10.0.0.1", 1, "239.1.1.1", 2);
    }
    uint32_t flow = builder_flow(&b, 17, c[0], c[1], c[2], CORR_NONE);
    builder_obs(&b, c[0], 0, 0);
    builder_obs(&b, c[1], 0, 1000);
    builder_obs(&b, c[1], 0, 1003);
    builder_obs(&b, c[2], 0, 2000);
    builder_packet(&b, flow, 0, 0, 1, 2, 3, CORR_NONE);
    for (uint32_t i = 1; i < 4; i++) {
        builder_sighting(&b, i)->prev = 0;
        builder_sighting(&b, i)->hop = 2;
        builder_latency(&b, i, 1000, 10);
    }
    builder_sighting(&b, 2)->duplicate = true;
    builder_sighting(&b, 2)->prev = CORR_NONE; /* its original has one */
    builder_finish(&b);

    look(&b, 1, view);
    assert_field(view, path, "a > {b, c}");
    assert_field(view, match_count, "4");
    assert_field(view, next_frame, NULL);
    look(&b, 2, view);
    assert_field(view, hop, "2");
    assert_field(view, prev_frame, "1");
    assert_field(view, hop_latency, "1000");
    look(&b, 3, view);
    assert_field(view, hop, "2");
    assert_field(view, duplicate, "1");
    assert_field(view, prev_frame, "1");
    assert_field(view, hop_latency, NULL);
    corr_view_free(view);
    builder_clear(&b);
}

static void test_unknown_order_claims_nothing(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    struct corr_packet *p = builder_send(&b, &net, 0, 0, 1, 2);
    p->ordered = false;
    for (uint32_t i = 0; i < 2; i++) {
        memset(&builder_sighting(&b, i)->prev, 0xff, sizeof(uint32_t));
        builder_sighting(&b, i)->hop = 0;
    }
    builder_finish(&b);
    look(&b, 2, view);
    assert_field(view, match_count, "2");
    assert_field(view, hop, NULL);
    assert_field(view, path, NULL);
    assert_field(view, first_frame, NULL);
    assert_field(view, prev_frame, NULL);
    assert_field(view, nat, NULL);
    assert_field(view, nat_src, "192.168.1.10");
    assert_field(view, path_latency, NULL);
    corr_view_free(view);
    builder_clear(&b);
}

/* One frame of three segments at lan, three frames at wan; the last is lost afterwards. */
static void test_super_segments(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_obs(&b, net.convs[1], 0, 0);
    for (uint32_t i = 0; i < 3; i++) {
        builder_obs(&b, net.convs[2], 0, 1000 * (i + 1));
        struct corr_packet *p = builder_packet(&b, net.flow, 0, 0, i + 1, CORR_NONE);
        p->method = CORR_METHOD_RANGE;
        if (i == 2) {
            p->fate = CORR_FATE_PROBABLE;
            p->drop_after = p->first;
            p->drop_before = net.server;
        }
    }
    builder_finish(&b);

    look(&b, 1, view);
    assert_field(view, match_id, "1|2|3");
    assert_field(view, next_frame, "2|3|4");
    assert_field(view, drop_match_id, "3");
    assert_field(view, dropped, "1");
    look(&b, 3, view);
    assert_field(view, match_id, "2");
    assert_field(view, prev_frame, "1");
    assert_field(view, change, "src 192.168.1.10:54321 -> 203.0.113.7:18311|segmented 3");
    g_assert_true(g_str_has_prefix(view->summary, "Packet 2, hop 2 of 2 at wan: "));
    corr_view_free(view);
    builder_clear(&b);
}

static void test_changes(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    uint32_t c[2];
    for (uint32_t i = 0; i < 2; i++) {
        builder_point(&b, i ? "out" : "in");
        c[i] = builder_conv(&b, i, 6, "10.0.0.1", 1, "10.0.0.2", 2);
    }
    uint32_t flow = builder_flow(&b, 6, c[0], c[1], CORR_NONE);
    struct corr_context vlan = {1, 1, {{CORR_ENCAP_VLAN, 100}}};
    struct corr_context vxlan = {2, 1, {{CORR_ENCAP_VXLAN, 77}}};
    g_array_append_val(b.store->contexts, vlan);
    g_array_append_val(b.store->contexts, vxlan);
    builder_obs(&b, c[0], 0, 0);
    builder_obs(&b, c[1], 0, 9);
    for (uint32_t i = 0; i < 2; i++) {
        struct corr_obs *o = builder_get_obs(&b, i);
        o->have |=
            CORR_HAVE_IP_ID | CORR_HAVE_TCP | CORR_HAVE_MSS | CORR_HAVE_OPTIONS | CORR_HAVE_D32;
        o->have |= i ? 0 : CORR_HAVE_DF;
        o->window = i ? 800 : 500;
        o->tcp_flags = i ? CORR_TCP_ACK : CORR_TCP_ACK | CORR_TCP_PSH;
        o->context = i + 1;
        o->ttl = i ? 65 : 64;
        o->tos = i ? 0x03 : 0xba; /* EF with ECT(0); then CE */
        o->ip_id = i ? 0x5678 : 0x1234;
        o->mss = i ? 1300 : 1460;
        o->opt_kinds = i ? CORR_OPT_MSS : CORR_OPT_MSS | CORR_OPT_SACKPERM;
        o->seq = i ? 812345 : 0;
        o->d32 = i;
    }
    builder_packet(&b, flow, 0, 0, 1, CORR_NONE);
    builder_finish(&b);
    look(&b, 2, view);
    assert_field(view, change,
                 "ttl +1|dscp 46 -> 0|ecn ect0 -> ce|df cleared|ip id 0x1234 -> 0x5678|seq +812345|"
                 "tcp flags PSH+ACK -> ACK|tcp window 500 -> 800|mss 1460 -> 1300|tcp option "
                 "removed: sack-permitted|payload|vlan - 100|"
                 "encap + vxlan 77");
    corr_view_free(view);
    builder_clear(&b);
}

static void test_changes_of_ipv6(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    uint32_t c[2];
    for (uint32_t i = 0; i < 2; i++) {
        builder_point(&b, i ? "out" : "in");
        c[i] = builder_conv(&b, i, 17, "2001:db8:0:0:0:0:0:1", 1, "2001:db8:0:0:0:0:0:2", 2);
    }
    uint32_t flow = builder_flow(&b, 17, c[0], c[1], CORR_NONE);
    for (uint32_t i = 0; i < 2; i++) {
        struct corr_obs *o = builder_obs(&b, c[i], 0, i);
        o->ttl = (uint8_t)(64 - i);
        o->flow_label = i ? 0xabcde : 0x12345;
    }
    builder_packet(&b, flow, 0, 0, 1, CORR_NONE);
    builder_finish(&b);
    look(&b, 2, view);
    assert_field(view, change, "hop limit -1|flow label 0x12345 -> 0xabcde");
    corr_view_free(view);
    builder_clear(&b);
}

static void test_notes(void)
{
    struct builder b;
    struct corr_view *view = corr_view_new();
    builder_init(&b);
    struct snat_net net = builder_snat_net(&b);
    builder_obs(&b, net.convs[1], 0, 0);
    builder_obs(&b, net.convs[3], 0, 10);
    builder_packet(&b, net.flow, 0, 0, 1, CORR_NONE);
    builder_missed(&b, 0, net.wan);
    builder_obs(&b, net.convs[0], 0, 20);
    struct corr_packet *p = builder_packet(&b, net.flow, 0, 2, CORR_NONE);
    p->ambiguous = true;
    p->candidates = 7;
    p->fate = CORR_FATE_PROBABLE;
    p->drop_after = p->first;
    p->quotes = 0;
    builder_finish(&b);
    look(&b, 2, view);
    assert_field(view, missed, "wan");
    assert_field(view, fate, "missed by the capture at wan");
    assert_finding(view, CORR_FINDING_missed, "packet 1 passed wan");
    look(&b, 1, view);
    assert_field(view, missed, NULL);
    assert_no_finding(view);
    look(&b, 3, view);
    assert_field(view, ambiguous, "1");
    assert_field(view, why,
                 "ambiguous: 7 equal packets at one point, nobody could tell which is which");
    assert_field(view, hop, NULL);
    assert_field(view, path, NULL);
    assert_field(view, quotes, "1");
    assert_field(view, dropped, NULL);
    assert_finding(view, CORR_FINDING_ambiguous, NULL);
    corr_view_free(view);
    builder_clear(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/view/unsettled-shows-the-point-only", test_unsettled_shows_the_point_only);
    g_test_add_func("/view/request-and-reply", test_request_and_reply);
    g_test_add_func("/view/seen-once", test_seen_once);
    g_test_add_func("/view/losses", test_losses);
    g_test_add_func("/view/branches-and-copies", test_branches_and_copies);
    g_test_add_func("/view/unknown-order-claims-nothing", test_unknown_order_claims_nothing);
    g_test_add_func("/view/super-segments", test_super_segments);
    g_test_add_func("/view/changes", test_changes);
    g_test_add_func("/view/changes-of-ipv6", test_changes_of_ipv6);
    g_test_add_func("/view/notes", test_notes);
    return g_test_run();
}
