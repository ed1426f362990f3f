/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_layers_rtt.c - who answered probes at which distance, and what a handshake beside it means.
 */
#include "layers/rtt.h"
#include "test_layers.h"
#include "world.h"

enum { PROBES = 5, ROUTER = 7 };

/* Ten probes in turn: TTL 1, answered by a router but once; TTL 64, answered by the end. */
static struct world *probed(int64_t handshake_ns)
{
    struct world *w = world_new();
    uint32_t nic = world_point(w, "nic");

    for (unsigned i = 0; i < PROBES; i++) {
        struct shape near = echo(1, 2, false, 9, (uint16_t)(2 * i + 1)), back;
        struct shape far = echo(1, 2, false, 9, (uint16_t)(2 * i + 2));
        struct shape reply = echo(2, 1, true, 9, (uint16_t)(2 * i + 2));

        near.ttl = 1;
        near.content = 100 + i;
        far.content = reply.content = 200 + i;
        near.len = far.len = reply.len = 56;
        world_see(w, nic, MS(100 * i), &near);
        back = (struct shape){
            .src = ip(ROUTER), .dst = ip(1), .proto = ICMP, .icmp_type = 11, .quote = &near};
        if (i != 2)
            world_see(w, nic, MS(100 * i + 2), &back);
        world_see(w, nic, MS(100 * i + 50), &far);
        world_see(w, nic, MS(100 * i + 60 + i), &reply);
    }
    struct shape syn = tcp(1, 5000, 2, 80, SYN, 1000, 0);
    struct shape syn_ack = tcp(2, 80, 1, 5000, SYN | ACK, 9000, 1001);

    world_see(w, nic, MS(900), &syn);
    world_see(w, nic, MS(900) + handshake_ns, &syn_ack);
    world_run(w);
    return w;
}

static enum corr_rtt_verdict verdict(int64_t handshake_ns)
{
    struct world *w = probed(handshake_ns);
    GPtrArray *paths = corr_rtt_paths_new(corr_engine_result(w->engine), NULL);
    enum corr_rtt_verdict v;

    g_assert_cmpuint(paths->len, ==, 1);
    v = ((const struct corr_rtt_path *)g_ptr_array_index(paths, 0))->verdict;
    g_ptr_array_unref(paths);
    world_free(w);
    return v;
}

static void hops_by_distance(void)
{
    struct world *w = probed(MS(10));
    GPtrArray *paths = corr_rtt_paths_new(corr_engine_result(w->engine), NULL);
    const struct corr_rtt_path *path = g_ptr_array_index(paths, 0);
    const struct corr_rtt_hop *hops = (const void *)path->hops->data;

    g_assert_cmpuint(path->hops->len, ==, 2);
    g_assert_cmpuint(hops[0].ttl, ==, 1);
    g_assert_cmpuint(hops[0].sent, ==, PROBES);
    g_assert_cmpuint(hops[0].answered, ==, PROBES - 1);
    g_assert_false(hops[0].end);
    g_assert_cmpuint(hops[1].sent, ==, PROBES);
    g_assert_cmpuint(hops[1].answered, ==, PROBES);
    g_assert_false(hops[0].loss_goes_on); /* the end answers all */
    g_assert_cmpint(hops[0].rtt.min_ns, ==, MS(2));
    g_assert_true(hops[1].end);
    g_assert_cmpuint(hops[1].answered, ==, PROBES);
    g_assert_cmpint(hops[1].rtt.min_ns, ==, MS(10));
    g_assert_cmpint(hops[1].rtt.max_ns, ==, MS(14));
    g_assert_cmpint(hops[1].variation_ns, ==, MS(1));
    g_assert_cmpuint(path->end.n, ==, PROBES);
    g_assert_cmpuint(path->route_changes, ==, 0);
    g_ptr_array_unref(paths);
    world_free(w);
}

/* The filter selects the probes, by the frames of either way; handshakes by their flows. */
static void filter_selects(void)
{
    struct world *w = probed(MS(10));
    const struct corr_result *r = corr_engine_result(w->engine);
    struct corr_frame_set *frames = corr_frame_set_new();
    GPtrArray *paths = corr_rtt_paths_new(r, frames);
    const struct corr_rtt_path *path;

    g_assert_cmpuint(paths->len, ==, 0);
    g_ptr_array_unref(paths);
    corr_frame_set_add(frames, 1); /* the first probe */
    corr_frame_set_add(frames, 4); /* the reply to the second */
    paths = corr_rtt_paths_new(r, frames);
    g_assert_cmpuint(paths->len, ==, 1);
    path = g_ptr_array_index(paths, 0);
    g_assert_cmpuint(path->hops->len, ==, 2);
    g_assert_cmpuint(path->end.n, ==, 1);
    g_assert_cmpuint(path->handshake.n, ==, 0);
    g_ptr_array_unref(paths);
    corr_frame_set_free(frames);
    world_free(w);
}

/* Probes of three distances; what a router adds to its answers is no jitter of the path. */
static void jitter_goes_on(void)
{
    struct world *w = world_new();
    uint32_t nic = world_point(w, "nic");
    GPtrArray *paths;
    const struct corr_rtt_path *path;
    const struct corr_rtt_hop *hops;

    for (unsigned i = 0; i < 6; i++) {
        for (uint8_t ttl = 1; ttl <= 3; ttl++) {
            struct shape probe = echo(1, 2, false, 9, (uint16_t)(3 * i + ttl)), back;
            /* The first router is slow to answer now and then; from the second on the path is. */
            int64_t more = (ttl == 1 ? MS(9) : MS(4)) * (i & 1);

            probe.ttl = ttl == 3 ? 64 : ttl;
            probe.content = 100 + 10 * i + ttl;
            probe.len = 56;
            back = (struct shape){.src = ip(6 + ttl),
                                  .dst = ip(1),
                                  .proto = ICMP,
                                  .icmp_type = 11,
                                  .quote = &probe};
            if (ttl == 3) {
                back = echo(2, 1, true, 9, (uint16_t)(3 * i + ttl));
                back.content = probe.content;
                back.len = 56;
            }
            world_see(w, nic, MS(100 * i + 20 * ttl), &probe);
            world_see(w, nic, MS(100 * i + 20 * ttl + 2 * ttl) + more, &back);
        }
    }
    world_run(w);
    paths = corr_rtt_paths_new(corr_engine_result(w->engine), NULL);
    path = g_ptr_array_index(paths, 0);
    hops = (const void *)path->hops->data;
    g_assert_cmpuint(path->hops->len, ==, 3);
    g_assert_cmpint(hops[0].variation_ns, ==, MS(9));
    g_assert_false(hops[0].variation_goes_on);
    g_assert_cmpint(hops[1].variation_ns, ==, MS(4));
    g_assert_true(hops[1].variation_goes_on);
    g_assert_false(hops[2].variation_goes_on); /* nothing is beyond */
    g_ptr_array_unref(paths);
    world_free(w);
}

static void handshake_beside_path(void)
{
    g_assert_cmpint(verdict(MS(11)), ==, CORR_RTT_VERDICT_AGREE);
    g_assert_cmpint(verdict(MS(2)), ==, CORR_RTT_VERDICT_NEARER);
    g_assert_cmpint(verdict(MS(80)), ==, CORR_RTT_VERDICT_SERVER);
}

void test_layers_rtt(void)
{
    g_test_add_func("/layers/rtt/hops", hops_by_distance);
    g_test_add_func("/layers/rtt/filter", filter_selects);
    g_test_add_func("/layers/rtt/jitter of a path", jitter_goes_on);
    g_test_add_func("/layers/rtt/handshake", handshake_beside_path);
}
