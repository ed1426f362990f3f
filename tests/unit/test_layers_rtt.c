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
    GPtrArray *paths = corr_rtt_paths_new(corr_engine_result(w->engine));
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
    GPtrArray *paths = corr_rtt_paths_new(corr_engine_result(w->engine));
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

static void handshake_beside_path(void)
{
    g_assert_cmpint(verdict(MS(11)), ==, CORR_RTT_VERDICT_AGREE);
    g_assert_cmpint(verdict(MS(2)), ==, CORR_RTT_VERDICT_NEARER);
    g_assert_cmpint(verdict(MS(80)), ==, CORR_RTT_VERDICT_SERVER);
}

void test_layers_rtt(void)
{
    g_test_add_func("/layers/rtt/hops", hops_by_distance);
    g_test_add_func("/layers/rtt/handshake", handshake_beside_path);
}
