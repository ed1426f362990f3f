/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report_text.c - figures, names of translations, and sets of frames. */
#include "builder.h"
#include "path/nat_text.h"
#include "path/text.h"
#include "test_report.h"

static void test_times_are_short(void)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "0 s"},
                 {7, "7 ns"},
                 {999, "999 ns"},
                 {1000, "1.00 µs"},
                 {204000, "204 µs"},
                 {20400, "20.4 µs"},
                 {999600, "1.00 ms"},
                 {1204000, "1.20 ms"},
                 {-3000000000, "-3.00 s"},
                 {60123456789, "60.1 s"},
                 {123456000000000, "123456 s"},
                 {INT64_MIN, "-9223372037 s"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        corr_text_time(cases[i].ns, text);
        g_assert_cmpstr(text->str, ==, cases[i].text);
    }
}

static void test_ratios_do_not_round_up_to_all(void)
{
    static const struct {
        double ratio;
        const char *text;
    } cases[] = {
        {0, "0 %"}, {1, "100 %"}, {0.99999, "99.9 %"}, {0.5, "50.0 %"}, {0.00012, "0.012 %"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        corr_text_ratio(cases[i].ratio, text);
        g_assert_cmpstr(text->str, ==, cases[i].text);
    }
}

static void test_frame_sets(void)
{
    struct corr_frame_set *set = corr_frame_set_new();
    g_assert_false(corr_frame_set_has(set, 1));
    corr_frame_set_add(set, 1);
    corr_frame_set_add(set, 100000);
    g_assert_true(corr_frame_set_has(set, 1));
    g_assert_true(corr_frame_set_has(set, 100000));
    g_assert_false(corr_frame_set_has(set, 2));
    g_assert_false(corr_frame_set_has(set, UINT32_MAX));
    g_assert_true(corr_frame_set_has(NULL, 2));
    corr_frame_set_free(set);
}

static void check_kind(const char *src, uint16_t sport, const char *dst, uint16_t dport,
                       const char *src2, uint16_t sport2, const char *dst2, uint16_t dport2,
                       const char *word, const char *text)
{
    struct corr_endpoint e[] = {{builder_addr(src), sport},
                                {builder_addr(dst), dport},
                                {builder_addr(src2), sport2},
                                {builder_addr(dst2), dport2}};
    struct corr_tuple before = {&e[0], &e[1], true, 6}, after = {&e[2], &e[3], true, 6};
    g_assert_cmpstr(corr_nat_word(corr_nat_classify(&before, &after)), ==, word);
    g_autoptr(GString) out = g_string_new(NULL);
    corr_nat_text(&before, &after, false, out);
    g_assert_cmpstr(out->str, ==, text);
}

static void test_translations_have_names(void)
{
    check_kind("10.0.0.1", 5, "1.2.3.4", 80, "10.0.0.1", 5, "1.2.3.4", 80, NULL, "");
    check_kind("10.0.0.1", 5, "1.2.3.4", 80, "9.9.9.9", 5, "1.2.3.4", 80, "snat",
               "SNAT 10.0.0.1:5 -> 9.9.9.9:5");
    check_kind("10.0.0.1", 5, "1.2.3.4", 80, "10.0.0.1", 5, "10.9.9.9", 8080, "dnat",
               "DNAT 1.2.3.4:80 -> 10.9.9.9:8080");
    check_kind("10.0.0.1", 5, "1.2.3.4", 80, "9.9.9.9", 6, "10.9.9.9", 80, "snat+dnat",
               "SNAT 10.0.0.1:5 -> 9.9.9.9:6, DNAT 1.2.3.4:80 -> 10.9.9.9:80");
    check_kind("2001:db8:0:0:0:0:0:1", 5, "64:ff9b:0:0:0:0:c633:6405", 80, "192.0.2.1", 6,
               "198.51.100.5", 80, "nat64",
               "NAT64 [2001:db8::1]:5 -> 192.0.2.1:6, "
               "NAT64 [64:ff9b::c633:6405]:80 -> 198.51.100.5:80");
    /* RFC 6296, Appendix B: the checksum of the address stays the same. */
    check_kind("fd01:203:405:1:0:0:0:1234", 5, "2001:db8:9:0:0:0:0:1", 80,
               "2001:db8:1:d550:0:0:0:1234", 5, "2001:db8:9:0:0:0:0:1", 80, "nptv6",
               "NPTv6 [fd01:203:405:1::1234]:5 -> [2001:db8:1:d550::1234]:5");
    check_kind("fd01:203:405:1:0:0:0:1234", 5, "2001:db8:9:0:0:0:0:1", 80,
               "2001:db8:1:d550:0:0:0:1234", 6, "2001:db8:9:0:0:0:0:1", 80, "snat",
               "SNAT [fd01:203:405:1::1234]:5 -> [2001:db8:1:d550::1234]:6");
}

void add_text_tests(void)
{
    g_test_add_func("/text/times-are-short", test_times_are_short);
    g_test_add_func("/text/ratios-do-not-round-up-to-all", test_ratios_do_not_round_up_to_all);
    g_test_add_func("/report/frame-sets", test_frame_sets);
    g_test_add_func("/nat/translations-have-names", test_translations_have_names);
}
