/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbours.c - addresses by point and MAC address. */
#include "layers/neighbours.h"

#include <string.h>

enum family { IPV4, IPV6, FAMILIES };

/* Key of a MAC address at a point. */
struct place {
    uint32_t point;
    uint8_t mac[6];
};

struct host {
    struct corr_addr addr[FAMILIES]; /* len 0: none */
    bool several, far;               /* more than one of a family; a router has been on the way */
};

struct corr_neighbours {
    GHashTable *hosts;   /* struct place -> struct host */
    GHashTable *by_addr; /* struct owner -> struct host; NULL: several hosts have it */
};

/* Key of an address at a point. */
struct owner {
    uint32_t point;
    struct corr_addr addr;
};

static guint place_hash(const void *key)
{
    const struct place *p = key;
    guint hash = p->point * 31u;

    for (unsigned i = 0; i < sizeof p->mac; i++)
        hash = hash * 257u + p->mac[i];
    return hash;
}

static gboolean place_equal(const void *x, const void *y)
{
    const struct place *a = x, *b = y;

    return a->point == b->point && memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

static guint owner_hash(const void *key)
{
    const struct owner *o = key;
    guint hash = o->point * 31u + o->addr.len;

    for (unsigned i = 0; i < o->addr.len; i++)
        hash = hash * 257u + o->addr.bytes[i];
    return hash;
}

static gboolean owner_equal(const void *x, const void *y)
{
    const struct owner *a = x, *b = y;

    return a->point == b->point && corr_addr_equal(&a->addr, &b->addr);
}

/* What senders start from: RFC 1700, and what systems do. */
static bool is_initial(uint8_t ttl)
{
    return ttl == 64 || ttl == 128 || ttl == 255 || ttl == 32;
}

/* Each host has a link-local address besides (RFC 4291, section 2.5.6). */
static bool counts(const struct corr_addr *addr)
{
    return addr->len == 4 ||
           (addr->len == 16 && !(addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80));
}

static struct host *host_at(struct corr_neighbours *n, const struct corr_result *r,
                            const struct corr_obs *obs)
{
    struct place place = {.point = obs->point};
    struct host *host;

    memcpy(place.mac, g_array_index(r->store->l2s, struct corr_l2, obs->l2).src, sizeof place.mac);
    host = g_hash_table_lookup(n->hosts, &place);
    if (host == NULL) {
        host = g_new0(struct host, 1);
        g_hash_table_insert(n->hosts, g_memdup2(&place, sizeof place), host);
    }
    return host;
}

static void address_add(struct corr_neighbours *n, struct host *host, uint32_t point,
                        const struct corr_addr *addr)
{
    struct corr_addr *mine = &host->addr[addr->len == 4 ? IPV4 : IPV6];
    struct owner owner = {point, *addr};
    void *other;

    host->several |= mine->len != 0 && !corr_addr_equal(mine, addr);
    *mine = *addr;
    if (!g_hash_table_lookup_extended(n->by_addr, &owner, NULL, &other))
        g_hash_table_insert(n->by_addr, g_memdup2(&owner, sizeof owner), host);
    else if (other != host)
        g_hash_table_replace(n->by_addr, g_memdup2(&owner, sizeof owner), NULL);
}

struct corr_neighbours *corr_neighbours_new(const struct corr_result *r)
{
    struct corr_neighbours *n = g_new(struct corr_neighbours, 1);
    /* By direction of local flows: who sent its last packet, with which link header. */
    g_autofree struct host **last = g_new0(struct host *, (size_t)r->n_convs * 2 + 1);
    g_autofree uint32_t *last_l2 = g_new0(uint32_t, (size_t)r->n_convs * 2 + 1);

    n->hosts = g_hash_table_new_full(place_hash, place_equal, g_free, g_free);
    n->by_addr = g_hash_table_new_full(owner_hash, owner_equal, g_free, NULL);
    for (uint32_t i = 0; i < r->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(r->store, i);
        uint32_t at = r->obs_conv[i] * 2 + obs->dir;
        const struct corr_addr *addr;

        if (!(obs->have & CORR_HAVE_MAC) || !(obs->have & CORR_HAVE_IP))
            continue;
        addr = &corr_result_conv(r, r->obs_conv[i])->end[obs->dir].addr;
        if (!counts(addr))
            continue;
        if (last[at] == NULL || last_l2[at] != obs->l2) {
            last[at] = host_at(n, r, obs);
            last_l2[at] = obs->l2;
            address_add(n, last[at], obs->point, addr);
        }
        last[at]->far |= !is_initial(obs->ttl);
    }
    return n;
}

void corr_neighbours_free(struct corr_neighbours *neighbours)
{
    if (neighbours == NULL)
        return;
    g_hash_table_destroy(neighbours->by_addr);
    g_hash_table_destroy(neighbours->hosts);
    g_free(neighbours);
}

const struct corr_addr *corr_neighbours_other(const struct corr_neighbours *neighbours,
                                              uint32_t point, const struct corr_addr *addr)
{
    struct owner owner = {point, *addr};
    const struct host *host = g_hash_table_lookup(neighbours->by_addr, &owner);
    const struct corr_addr *other;

    if (host == NULL || host->several || host->far)
        return NULL;
    other = &host->addr[addr->len == 4 ? IPV6 : IPV4];
    return other->len != 0 ? other : NULL;
}
