/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * brokers.c - trailers of packet brokers, and the points that they name.
 *
 * One frame's trailer is a guess (parse/broker.c).  That nearly all frames of an interface
 * have one, of the same kind, and from few sources, is none: padding, frame check
 * sequences and trailers of other make do not come near.
 */
#include <string.h>

#include "store/hash.h"
#include "store/store-int.h"

#define FRAMES_MIN 8u    /* with fewer frames nothing is said */
#define SHARE_MIN 0.95   /* of an interface's frames have the trailer: others were cut or damaged */
#define SOURCES_MAX 256u /* more than a broker has ports: numbers at random */
#define FORMATS (2u * CORR_BROKER_COUNT) /* with and without a frame check sequence behind */

struct trailed {
    int64_t ahead_ns; /* the trailer's time minus the recorded one; valid with has_time */
    uint32_t frame, port;
    uint16_t base, device; /* base: point of the whole interface */
    uint8_t format;
    bool has_source, has_time, synchronised;
};

/* What an observation says of its payload. */
struct content {
    uint64_t dfull;
    uint32_t have, len, d8, d32, d128;
    uint8_t weak, cap_level;
};

/* A packet that does not tell its length. */
struct bare {
    struct content content; /* without the trailer; if applied, with it */
    uint32_t obs;
    uint16_t base;
    uint8_t format;
    bool applied; /* the observation is without the trailer */
};

struct corr_brokers {
    GArray *trailed; /* struct trailed, in frame order */
    GArray *bare;    /* struct bare, in frame order */
};

struct corr_brokers *corr_brokers_new(void)
{
    struct corr_brokers *brokers = g_new0(struct corr_brokers, 1);

    brokers->trailed = g_array_new(FALSE, FALSE, sizeof(struct trailed));
    brokers->bare = g_array_new(FALSE, FALSE, sizeof(struct bare));
    return brokers;
}

void corr_brokers_free(struct corr_brokers *brokers)
{
    g_array_unref(brokers->trailed);
    g_array_unref(brokers->bare);
    g_free(brokers);
}

void corr_brokers_note(struct corr_store *store, const struct corr_frame *frame,
                       const struct corr_parsed *packet, uint32_t obs)
{
    struct corr_trailer trailer;
    struct trailed at = {.frame = frame->number, .base = (uint16_t)frame->point};

    if (obs == CORR_NONE || !corr_parse_trailer(frame, packet, &trailer))
        return;
    at.format = (uint8_t)(2 * trailer.kind + trailer.fcs);
    at.device = trailer.device;
    at.port = trailer.port;
    at.has_source = trailer.has_source;
    at.has_time = trailer.has_time;
    at.synchronised = trailer.synchronised;
    at.ahead_ns = trailer.time_ns - frame->time_ns;
    g_array_append_val(store->brokers->trailed, at);
    if (packet->outer_end == frame->wire_len) {
        struct corr_parsed cut = *packet;
        struct bare bare = {.obs = obs, .base = at.base, .format = at.format};
        uint32_t begin = (uint32_t)(packet->payload - frame->data);
        uint32_t len = corr_parse_unpadded(frame->data, begin, trailer.start) - begin;

        cut.have &= ~(uint32_t)(CORR_HAVE_D8 | CORR_HAVE_D32 | CORR_HAVE_D128 | CORR_HAVE_DFULL);
        corr_parse_digests(&cut, packet->payload, len);
        bare.content = (struct content){.dfull = cut.dfull,
                                        .have = cut.have,
                                        .len = len,
                                        .d8 = cut.d8,
                                        .d32 = cut.d32,
                                        .d128 = cut.d128,
                                        .weak = packet->l7_bytes_constant,
                                        .cap_level = CORR_LEVEL_FULL};
        g_array_append_val(store->brokers->bare, bare);
    }
}

uint64_t corr_brokers_bytes(const struct corr_store *store)
{
    return (uint64_t)store->brokers->trailed->len * sizeof(struct trailed) +
           (uint64_t)store->brokers->bare->len * sizeof(struct bare);
}

void corr_brokers_take_back(struct corr_store *store, uint32_t frame)
{
    struct corr_brokers *brokers = store->brokers;

    while (brokers->trailed->len > 0 &&
           g_array_index(brokers->trailed, struct trailed, brokers->trailed->len - 1).frame >=
               frame)
        g_array_set_size(brokers->trailed, brokers->trailed->len - 1);
    while (brokers->bare->len > 0 &&
           g_array_index(brokers->bare, struct bare, brokers->bare->len - 1).obs >= store->obs->len)
        g_array_set_size(brokers->bare, brokers->bare->len - 1);
}

/* What is counted of an interface, by its base point. */
struct tally {
    uint32_t by_format[FORMATS];
    uint64_t frames; /* of the interface, wherever they are now */
    GHashTable *sources;
    unsigned format; /* the commonest one */
};

static uint64_t source_of(const struct trailed *at)
{
    return corr_hash_mix((uint64_t)at->format << 32 | at->device, at->port) | 1;
}

static void tally_clear(struct tally *tallies, uint32_t n)
{
    for (uint32_t p = 0; p < n; p++)
        if (tallies[p].sources != NULL)
            g_hash_table_destroy(tallies[p].sources);
    g_free(tallies);
}

/* The point that stands for a whole interface. */
static uint32_t base_of(const struct corr_store *store, uint32_t point)
{
    return corr_store_point(store, point)->segment == 0 ? point
                                                        : corr_store_find_part(store, point, 0);
}

static struct tally *tally_all(const struct corr_store *store)
{
    struct tally *tallies = g_new0(struct tally, store->points->len + 1);
    const GArray *trailed = store->brokers->trailed;

    for (uint32_t i = 0; i < trailed->len; i++) {
        const struct trailed *at = &g_array_index(trailed, struct trailed, i);

        tallies[at->base].by_format[at->format]++;
    }
    for (uint32_t p = 0; p < store->points->len; p++) {
        uint32_t base = base_of(store, p);

        if (base != CORR_NONE)
            tallies[base].frames += corr_store_point(store, p)->frames;
        for (unsigned f = 1; f < FORMATS; f++)
            if (tallies[p].by_format[f] > tallies[p].by_format[tallies[p].format])
                tallies[p].format = f;
    }
    for (uint32_t i = 0; i < trailed->len; i++) {
        const struct trailed *at = &g_array_index(trailed, struct trailed, i);
        struct tally *tally = &tallies[at->base];

        if (at->format != tally->format || !at->has_source)
            continue;
        if (tally->sources == NULL)
            tally->sources = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        if (g_hash_table_size(tally->sources) <= SOURCES_MAX) {
            uint64_t source = source_of(at);

            g_hash_table_add(tally->sources, g_memdup2(&source, sizeof source));
        }
    }
    return tallies;
}

static bool is_broker(const struct tally *tally)
{
    uint32_t n = tally->by_format[tally->format];

    return n >= FRAMES_MIN && (double)n >= SHARE_MIN * (double)tally->frames &&
           (tally->sources == NULL || g_hash_table_size(tally->sources) <= SOURCES_MAX);
}

/* The point of one source; the base, if the interface has but one. */
static uint32_t source_point(struct corr_store *store, const struct trailed *at, bool several)
{
    const char *of = corr_store_point(store, at->base)->name;
    enum corr_broker_kind kind = at->format / 2;
    uint32_t point = at->base;
    char *name;

    if (several && at->has_source) {
        point = corr_store_find_part(store, at->base, source_of(at));
        if (point == CORR_NONE) {
            name = corr_broker_has_device(kind)
                       ? g_strdup_printf("%s/dev%u-port%u", of, at->device, at->port)
                       : g_strdup_printf("%s/port%u", of, at->port);
            point = corr_store_add_part(store, at->base, source_of(at), name);
            g_free(name);
        }
        if (point == CORR_NONE)
            point = at->base;
    }
    return point;
}

static void source_count(struct corr_store *store, uint32_t point, const struct trailed *at)
{
    struct corr_point_broker *broker =
        &((struct corr_point *)g_ptr_array_index(store->points, point))->broker;

    broker->is = true;
    broker->kind = at->format / 2;
    broker->has_source = at->has_source;
    broker->device = at->device;
    broker->port = at->port;
    broker->n++;
    if (!at->has_time)
        return;
    broker->n_synchronised += at->synchronised;
    if (broker->n_time++ == 0)
        broker->least_ns = broker->greatest_ns = at->ahead_ns;
    broker->least_ns = MIN(broker->least_ns, at->ahead_ns);
    broker->greatest_ns = MAX(broker->greatest_ns, at->ahead_ns);
}

static void content_swap(struct corr_store *store, struct bare *bare)
{
    struct corr_obs *obs = &g_array_index(store->obs, struct corr_obs, bare->obs);
    struct content former = {obs->dfull, obs->have, obs->len,  obs->d8,
                             obs->d32,   obs->d128, obs->weak, obs->cap_level};

    obs->dfull = bare->content.dfull;
    obs->have = bare->content.have;
    obs->len = bare->content.len;
    obs->d8 = bare->content.d8;
    obs->d32 = bare->content.d32;
    obs->d128 = bare->content.d128;
    obs->weak = bare->content.weak;
    obs->cap_level = bare->content.cap_level;
    bare->content = former;
    bare->applied = !bare->applied;
}

void corr_store_split_brokers(struct corr_store *store)
{
    const struct corr_brokers *brokers = store->brokers;
    uint32_t n_points = store->points->len;
    struct tally *tallies;

    if (brokers->trailed->len == 0)
        return;
    tallies = tally_all(store);
    for (uint32_t p = 0; p < n_points; p++)
        memset(&((struct corr_point *)g_ptr_array_index(store->points, p))->broker, 0,
               sizeof(struct corr_point_broker));
    for (uint32_t i = 0; i < brokers->trailed->len; i++) {
        const struct trailed *at = &g_array_index(brokers->trailed, struct trailed, i);
        struct tally *tally = &tallies[at->base];
        bool is = is_broker(tally) && at->format == tally->format;
        bool several = tally->sources != NULL && g_hash_table_size(tally->sources) > 1;
        uint32_t obs = g_array_index(store->frame_obs, uint32_t, at->frame);
        uint32_t to = is ? source_point(store, at, several) : at->base;

        corr_store_move(store, obs, to);
        if (is)
            source_count(store, to, at);
    }
    for (uint32_t i = 0; i < brokers->bare->len; i++) {
        struct bare *bare = &g_array_index(brokers->bare, struct bare, i);
        const struct tally *tally = &tallies[bare->base];

        if ((is_broker(tally) && bare->format == tally->format) != bare->applied)
            content_swap(store, bare);
    }
    tally_clear(tallies, n_points);
}
