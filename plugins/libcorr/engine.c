/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: the store, and the pipeline that turns it into answers. */
#include "corr.h"

#include "early.h"
#include "layers/layers.h"
#include "match/learn.h"
#include "match/match.h"
#include "match/shift.h"
#include "path/clock.h"
#include "path/hops.h"
#include "path/order.h"
#include "path/pending.h"
#include "view.h"
#include "view_fill.h"

struct corr_engine {
    struct corr_store *store;
    struct corr_result *result; /* NULL while unsettled */
    bool stale;               /* frames were observed that the result does not know: it was live */
    uint64_t wanted;          /* all that lookups asked for */
    struct corr_early *early; /* from the first live settling on; else NULL */
};

/*
 * What settling takes for each observation at its worst moment, where every one is a packet of
 * its own: the answers, what match/ works with, and sorting it.
 */
#define ANSWER_BYTES                                                                               \
    (sizeof(struct corr_packet) + sizeof(struct corr_sighting) + sizeof(struct corr_cell) +        \
     sizeof(struct corr_instance) + 4 * sizeof(struct corr_keyed) + 8 * sizeof(uint32_t))

struct corr_engine *corr_engine_new(const struct corr_config *config)
{
    struct corr_engine *engine = g_new0(struct corr_engine, 1);

    engine->store = corr_store_new(config);
    engine->store->answer_bytes = ANSWER_BYTES;
    return engine;
}

static void flow_clear(void *data)
{
    struct corr_flow *flow = data;

    if (flow->convs != NULL)
        g_array_unref(flow->convs);
}

static void result_free(struct corr_result *result)
{
    if (result == NULL)
        return;
    corr_layers_free(result->layers);
    g_array_unref(result->packets);
    g_array_unref(result->sightings);
    g_array_unref(result->groups);
    g_array_unref(result->links);
    g_array_unref(result->handed);
    g_array_unref(result->rivals);
    g_array_unref(result->injected);
    g_array_unref(result->upstream);
    g_ptr_array_unref(result->missed);
    g_array_unref(result->collapsed);
    if (result->convs != NULL)
        g_array_unref(result->convs);
    if (result->flows != NULL)
        g_array_unref(result->flows);
    g_free(result->obs_first);
    g_free(result->obs_sightings);
    g_free(result->obs_conv);
    g_free(result->conv_flow);
    g_free(result->conv_flip);
    corr_clock_free(result->clock);
    corr_orders_free(result->orders);
    g_free(result);
}

void corr_engine_free(struct corr_engine *engine)
{
    if (engine == NULL)
        return;
    result_free(engine->result);
    corr_early_free(engine->early);
    corr_store_free(engine->store);
    g_free(engine);
}

uint32_t corr_engine_add_point(struct corr_engine *engine, uint32_t section, uint32_t interface,
                               const char *name)
{
    return corr_store_add_point(engine->store, section, interface, name);
}

static void forget(struct corr_engine *engine)
{
    result_free(engine->result);
    engine->result = NULL;
    engine->stale = false;
}

void corr_engine_set_point(struct corr_engine *engine, uint32_t point,
                           const struct corr_point_settings *settings)
{
    forget(engine);
    corr_store_set_point(engine->store, point, settings);
}

void corr_engine_observe(struct corr_engine *engine, const struct corr_frame *frame)
{
    if (engine->result != NULL && engine->result->live && frame->number > engine->store->last_frame)
        engine->stale = true;
    else
        forget(engine);
    corr_store_add_frame(engine->store, frame);
}

static void missed_free(void *data)
{
    g_array_unref(data);
}

/* Interfaces that hold several link segments: files that were merged without -I none. */
static void collapsed_list(struct corr_work *work)
{
    for (uint32_t p = 0; p < work->store->points->len; p++)
        if (corr_store_point(work->store, p)->collapsed)
            g_array_append_val(work->result->collapsed, p);
}

/* What made packets: they are there, and what comes now needs the room. */
static void cells_free(struct corr_work *work)
{
    g_array_unref(work->cells);
    g_array_unref(work->members);
    g_array_unref(work->instances);
    g_array_unref(work->chosen);
    g_free(work->duplicate);
    g_free(work->pairs);
    corr_delays_free(work->delays);
}

/* `live`: NULL if no frame will follow. */
static void settle(struct corr_engine *engine, const struct corr_live *live)
{
    struct corr_work work = {.store = engine->store};
    struct corr_result *result;

    forget(engine);
    result = work.result = g_new0(struct corr_result, 1);
    result->store = engine->store;
    result->n_obs = engine->store->obs->len;
    result->packets = g_array_new(FALSE, FALSE, sizeof(struct corr_packet));
    result->sightings = g_array_new(FALSE, FALSE, sizeof(struct corr_sighting));
    result->groups = g_array_new(FALSE, FALSE, sizeof(struct corr_group));
    result->links = g_array_new(FALSE, FALSE, sizeof(struct corr_app_link));
    result->handed = g_array_new(FALSE, FALSE, sizeof(struct corr_handed));
    result->collapsed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    result->rivals = g_array_new(FALSE, FALSE, sizeof(struct corr_rival));
    result->injected = g_array_new(FALSE, FALSE, sizeof(struct corr_injected));
    result->upstream = g_array_new(FALSE, FALSE, sizeof(struct corr_upstream));
    result->missed = g_ptr_array_new_with_free_func(missed_free);

    corr_l7_finish(engine->store->l7);
    corr_store_split_brokers(engine->store);
    corr_store_split_collapsed(engine->store);
    corr_store_join_fragments(engine->store);
    corr_convs_split(&work);
    corr_fragments_join(&work);
    corr_flows_link(&work);
    g_array_set_clear_func(result->flows, flow_clear);
    corr_cells_build(&work);
    corr_cells_learn(&work);
    /* First what leaves no choice; from it the order and the clocks, which then decide the rest.
     * The clock settles an order that nothing else could, so both are asked again at the end. */
    corr_cells_assign(&work, false);
    corr_packets_build(&work);
    corr_orders_find(&work);
    corr_clock_fit(&work);
    corr_delays_pool(&work);
    corr_cells_assign(&work, true);
    corr_packets_build(&work);
    corr_orders_find(&work);
    corr_clock_fit(&work);
    corr_groups_count(&work);
    cells_free(&work);
    corr_hops_number(&work);
    corr_quotes_find(&work);
    corr_applinks_find(&work);
    corr_fates_decide(&work);
    if (live != NULL)
        corr_pending_decide(result, live);
    collapsed_list(&work);

    g_free(work.head);
    g_free(work.conv_seq);
    g_free(work.doubts);
    g_free(work.dseq);
    g_free(work.dts);
    corr_shifts_free(work.shifts);
    engine->result = result;
}

void corr_engine_settle(struct corr_engine *engine)
{
    if (engine->result == NULL || engine->stale || engine->result->n_pending > 0)
        settle(engine, NULL);
    engine->result->live = false;
}

uint32_t corr_engine_settle_live(struct corr_engine *engine, const struct corr_live *live)
{
    settle(engine, live);
    /* What is made when somebody asks for it would see later frames, too. */
    corr_view_prepare(engine->result, engine->wanted);
    if (engine->early == NULL)
        engine->early = corr_early_new();
    corr_early_learn(engine->early, engine->result, live->renumber);
    return engine->result->n_pending;
}

bool corr_engine_is_settled(const struct corr_engine *engine)
{
    return engine->result != NULL && !engine->stale;
}

uint32_t corr_engine_pending(const struct corr_engine *engine)
{
    return corr_engine_is_settled(engine) ? engine->result->n_pending : 0;
}

uint32_t corr_engine_full_at(const struct corr_engine *engine)
{
    return engine->store->full_at;
}

const char *corr_engine_point_name(const struct corr_engine *engine, const struct corr_frame *frame)
{
    return corr_store_point(engine->store, corr_store_point_of(engine->store, frame))->name;
}

uint64_t corr_engine_bytes(const struct corr_engine *engine)
{
    return corr_store_bytes(engine->store);
}

uint32_t corr_engine_frame_count(const struct corr_engine *engine)
{
    return engine->store->n_frames;
}

uint32_t corr_engine_last_frame(const struct corr_engine *engine)
{
    return engine->store->last_frame;
}

const struct corr_result *corr_engine_result(const struct corr_engine *engine)
{
    return engine->stale ? NULL : engine->result;
}

/* Did the frame come after the last settling, in a live capture? */
static bool is_early(const struct corr_engine *engine, uint32_t frame)
{
    const struct corr_store *store = engine->store;
    uint32_t obs;

    if (engine->early == NULL || frame == 0 || frame >= store->frame_obs->len)
        return false;
    obs = g_array_index(store->frame_obs, uint32_t, frame);
    return obs != CORR_NONE && (engine->result == NULL || obs >= engine->result->n_obs);
}

void corr_engine_lookup(struct corr_engine *engine, uint32_t frame, uint64_t wanted,
                        struct corr_view *view)
{
    uint64_t known = engine->stale ? corr_view_prepared(engine->result) : CORR_WANT_ALL;

    engine->wanted |= wanted;
    corr_view_fill(engine->store, engine->result, frame, wanted & known, view);
    if (!is_early(engine, frame) || !(wanted & ~CORR_WANT(point)))
        return;
    view->wanted = wanted;
    corr_early_feed(engine->early, engine->store, engine->result);
    corr_view_fill_early(engine->store, engine->early, engine->result, frame, view);
}
