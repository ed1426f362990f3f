/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path_loss.c - losses of special kinds: damage, branches, ends, causes; and near misses. */
#include "test_path.h"
#include "world.h"

struct stage {
    struct world *w;
    uint32_t a, b, c;
    struct way way;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = world_new()};

    s.a = world_point(s.w, "a");
    s.b = world_point(s.w, "b");
    s.c = world_point(s.w, "c");
    s.way = way_of((uint32_t[]){s.a, s.b, s.c}, 3, MS(1));
    return s;
}

static struct shape datagram(unsigned i)
{
    struct shape p = udp(1, 5000, 2, 80, i + 1);

    p.ip_id = (uint16_t)(100 + i);
    p.len = 500;
    return p;
}

static void no_drops_but(const struct stage *s, uint32_t one)
{
    for (uint32_t i = 0; i < s->w->seen->len; i++)
        if (i != one)
            assert_world_field(s->w, i, dropped, NULL);
}

static void damaged_is_lost(void)
{
    struct stage s = stage_new();
    uint32_t damaged = 0, at_c = 0;

    for (unsigned i = 0; i < 40; i++) {
        struct shape p = datagram(i);
        uint32_t first = walk(s.w, &s.way, MS(10) * i, p, 2);

        p.ttl = 62;
        p.damage = i == 20 ? 21 : 0;
        at_c = world_see(s.w, s.c, MS(10) * i + MS(2), &p);
        damaged = i == 20 ? first + 1 : damaged;
    }
    world_run(s.w);
    assert_world_field(s.w, damaged, dropped, "1");
    assert_world_field(s.w, damaged, drop_verdict, "confirmed");
    assert_world_field(s.w, damaged, drop_cause, "corruption");
    assert_world_field(s.w, damaged, drop_after, "b");
    assert_world_field(s.w, damaged, drop_before, "c");
    g_autofree char *proof = g_strdup_printf("%u", world_number(s.w, damaged + 1));
    assert_world_field(s.w, damaged, drop_evidence, proof);
    assert_world_field(s.w, at_c, dropped, NULL);
    no_drops_but(&s, damaged);
    world_free(s.w);
}

/* Whole again further on: b's capture shows it so, the network did not do it. */
static void whole_again_is_not_lost(void)
{
    struct stage s = stage_new();

    for (unsigned i = 0; i < 40; i++) {
        struct shape p = datagram(i);

        world_see(s.w, s.a, MS(10) * i, &p);
        p.ttl = 63;
        p.damage = i == 20 ? 21 : 0;
        world_see(s.w, s.b, MS(10) * i + MS(1), &p);
        p.ttl = 62;
        p.damage = 0;
        world_see(s.w, s.c, MS(10) * i + MS(2), &p);
    }
    world_run(s.w);
    no_drops_but(&s, CORR_NONE);
    world_free(s.w);
}

/* root > left > {l1, l2} and root > right. */
struct tree {
    struct world *w;
    uint32_t root, left, l1, l2, right;
};

static struct tree tree_new(void)
{
    struct tree t = {.w = world_new()};

    t.root = world_point(t.w, "root");
    t.left = world_point(t.w, "left");
    t.l1 = world_point(t.w, "l1");
    t.l2 = world_point(t.w, "l2");
    t.right = world_point(t.w, "right");
    return t;
}

/* One datagram to 239.1.2.3; bits of `shown`: left, l1, l2, right.  Returns the sighting at root.
 */
static uint32_t cast(struct tree *t, unsigned i, unsigned shown)
{
    struct shape p = datagram(i);
    uint32_t first, points[] = {t->left, t->l1, t->l2, t->right};

    p.dst = 0xef010203;
    first = world_see(t->w, t->root, MS(10) * i, &p);
    for (unsigned k = 0; k < 4; k++) {
        p.ttl = k == 1 || k == 2 ? 62 : 63;
        if (shown >> k & 1)
            world_see(t->w, points[k], MS(10) * i + MS(1) + US(100) * k, &p);
    }
    return first;
}

/* Two losses on each branch: what left and right do not share tells which of them leads to l1. */
static void a_branch_loses(void)
{
    struct tree t = tree_new();
    uint32_t lost[6], n = 0;

    for (unsigned i = 0; i < 80; i++) {
        unsigned kind = i % 10 == 5 && i < 60 ? i / 20 + 1 : 0;
        uint32_t first = cast(&t, i, kind == 1 ? 11 : kind == 2 ? 7 : kind == 3 ? 8 : 15);

        if (kind > 0)
            lost[n++] = kind == 1 ? first + 1 : first; /* left saw what l2 lost */
    }
    world_run(t.w);
    for (unsigned i = 0; i < 6; i++) {
        assert_world_field(t.w, lost[i], drop_verdict, "probable");
        assert_world_field(t.w, lost[i], drop_after, i < 2 ? "left" : "root");
        assert_world_field(t.w, lost[i], drop_before, i < 2 ? "l2" : i < 4 ? "right" : "left");
    }
    for (uint32_t i = 0; i < t.w->seen->len; i++) {
        bool known = false;

        for (unsigned k = 0; k < 6; k++)
            known |= lost[k] == i;
        if (!known)
            assert_world_field(t.w, i, dropped, NULL);
    }
    world_free(t.w);
}

/* Joined late, left for three seconds, left for good: nothing was lost. */
static void a_branch_joins_and_leaves(void)
{
    struct tree t = tree_new();

    for (unsigned i = 0; i < 900; i++)
        cast(&t, i, i < 100 || (i > 300 && i < 600) || i > 800 ? 7 : 15);
    world_run(t.w);
    for (uint32_t i = 0; i < t.w->seen->len; i++)
        assert_world_field(t.w, i, dropped, NULL);
    world_free(t.w);
}

void add_loss_tests(void)
{
    g_test_add_func("/path/loss/what arrived damaged is lost where it was damaged",
                    damaged_is_lost);
    g_test_add_func("/path/loss/whole again further on: not lost", whole_again_is_not_lost);
    g_test_add_func("/path/loss/multicast: each branch by itself", a_branch_loses);
    g_test_add_func("/path/loss/multicast: who joins late or leaves loses nothing",
                    a_branch_joins_and_leaves);
}
