/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_live.c - when to settle while frames go on coming. */
#include "hook_live.h"

#include <glib.h>
#include <string.h>

#include "corr.h"

#define US_PER_S INT64_C(1000000)
#define NS_PER_US 1000

/* A frame that is no older when it comes is being captured. */
#define FRESH_US (10 * US_PER_S)
/* Settling takes at most 1/(1 + PAUSE) of the time ... */
#define PAUSE 4
/* ... and where it takes so long that a user would notice, frames must have become more by this
 * part, so that all of it together takes a bounded time for each frame. */
#define LONG_US (US_PER_S / 2)
#define GROWTH 0.5
/* So short that nobody notices when it happens each second. */
#define QUICK_US (20 * INT64_C(1000))
/* Nothing came for so long: there is time for it. */
#define SILENCE_US US_PER_S

void hook_live_came(struct hook_live *live, int64_t time_ns, bool looked)
{
    bool fresh = ABS(g_get_real_time() - time_ns / NS_PER_US) <= FRESH_US;

    live->last_came_us = fresh ? g_get_monotonic_time() : 0;
    live->looked |= looked;
    live->is_live |= looked || fresh;
}

void hook_live_end(struct hook_live *live)
{
    live->has_ended = true;
}

bool hook_live_is_tshark(void)
{
    const char *program = g_get_prgname();

    return program && strcmp(program, "tshark") == 0;
}

static int64_t silence_us(const struct hook_live *live, int64_t now)
{
    return live->last_came_us ? now - live->last_came_us : 0;
}

static bool may_settle(const struct hook_live *live, const struct corr_engine *engine, int64_t now)
{
    int64_t since = now - live->settled_at_us;
    uint32_t n = corr_engine_frame_count(engine);

    if (live->n_frames == 0)
        return true;
    if (since < PAUSE * live->took_us)
        return false;
    /* Nothing new came, but verdicts that were pending may have become due. */
    if (corr_engine_is_settled(engine))
        return corr_engine_pending(engine) > 0 && since > SILENCE_US;
    return silence_us(live, now) > SILENCE_US || live->took_us * n / live->n_frames < LONG_US ||
           n >= live->n_frames * (1 + GROWTH);
}

static void settle(struct hook_live *live, struct corr_engine *engine, int64_t now)
{
    struct corr_live state = {.grace_ns = live->grace_ns,
                              .silence_ns = silence_us(live, now) * NS_PER_US,
                              .renumber = live->looked};

    corr_engine_settle_live(engine, &state);
    live->settled_at_us = g_get_monotonic_time();
    live->took_us = live->settled_at_us - now;
    live->n_frames = corr_engine_frame_count(engine);
}

bool hook_live_settle(struct hook_live *live, struct corr_engine *engine)
{
    int64_t now;

    if (live->has_ended || !live->is_live) {
        corr_engine_settle(engine);
        return true;
    }
    now = g_get_monotonic_time();
    if (may_settle(live, engine, now))
        settle(live, engine, now);
    return corr_engine_is_settled(engine);
}

void hook_live_learn(struct hook_live *live, struct corr_engine *engine)
{
    uint32_t n = corr_engine_frame_count(engine);
    int64_t now;

    if (!live->is_live || (n > 0 && corr_engine_is_settled(engine)))
        return;
    now = g_get_monotonic_time();
    if (n >= live->n_frames * (1 + GROWTH) ||
        (live->took_us < QUICK_US && now - live->settled_at_us > US_PER_S))
        settle(live, engine, now);
}
