/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work - does the engine's work stay in proportion to what it is given?
 *
 * Time on a busy machine tells little.  This program is linked with an engine that
 * the compiler made count: one for every basic block that is entered
 * (-fsanitize-coverage=trace-pc).  Blocks and bytes are the same in every run, so
 * work that is more than linear shows in small runs already.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corr.h"
#include "report/report.h"
#include "traffic.h"
#include "view.h"

/*
 * With ten times the frames, and with four times the points, the work of one observation may
 * grow by this: sorting takes n log n steps, and a packet is compared at all pairs of stations.
 * What is quadratic grows by 10 and by 4.
 */
#define GROWTH_MAX 1.2
#define POINTS_MAX 3.0

static uint64_t blocks;

/* Called by the compiler at the beginning of every basic block of the engine. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

/*
 * Every allocation of the process passes here, GLib's and the engine's, and goes on to the C
 * library: what is held, and what was held at most.
 */
#define EXPORTED __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static size_t held, most;

static void *taken(void *memory)
{
    held += malloc_usable_size(memory);
    most = held > most ? held : most;
    return memory;
}

EXPORTED void *malloc(size_t size)
{
    return taken(__libc_malloc(size));
}

EXPORTED void *calloc(size_t n, size_t size)
{
    return taken(__libc_calloc(n, size));
}

EXPORTED void *realloc(void *memory, size_t size)
{
    held -= malloc_usable_size(memory);
    return taken(__libc_realloc(memory, size));
}

EXPORTED void free(void *memory)
{
    held -= malloc_usable_size(memory);
    __libc_free(memory);
}

/* Of one observation. */
struct work {
    double observe, settle, lookup, report; /* blocks */
    double peak;                            /* bytes */
};

static double since(uint64_t *begin, uint32_t n)
{
    double each = (double)(blocks - *begin) / n;

    *begin = blocks;
    return each;
}

static void observe_all(struct corr_engine *engine, const struct traffic_options *options,
                        uint32_t n)
{
    static uint8_t bytes[TRAFFIC_FRAME_MAX];
    struct traffic *traffic = traffic_new(options);

    for (uint32_t i = 0; i < n; i++) {
        struct traffic_frame frame;

        traffic_next(traffic, &frame, bytes);
        corr_engine_observe(engine, &(struct corr_frame){.number = i + 1,
                                                         .point = frame.point,
                                                         .time_ns = frame.time_ns,
                                                         .link = 1,
                                                         .wire_len = frame.wire_len,
                                                         .cap_len = frame.cap_len,
                                                         .data = bytes,
                                                         .has_time = true});
    }
    traffic_free(traffic);
}

static struct work work_of(const struct traffic_options *options, uint32_t n)
{
    struct corr_view *view = corr_view_new();
    struct work work = {0};
    struct corr_engine *engine;
    uint64_t begin = blocks;
    size_t before = held;

    engine = corr_engine_new(NULL);
    for (unsigned p = 0; p < options->points; p++) {
        char name[16];

        snprintf(name, sizeof name, "p%u", p + 1);
        corr_engine_add_point(engine, 0, p, name);
    }
    observe_all(engine, options, n);
    work.observe = since(&begin, n);
    most = held;
    corr_engine_settle(engine);
    work.settle = since(&begin, n);
    for (unsigned i = 0; i < corr_table_count; i++) {
        struct corr_report_table *built = corr_report_build(engine, corr_tables[i], NULL);

        g_free(corr_render_text(built));
        corr_report_table_free(built);
    }
    work.report = since(&begin, n);
    work.peak = (double)(most - before) / n;
    for (uint32_t i = 1; i <= n; i++)
        corr_engine_lookup(engine, i, CORR_WANT_ALL, view);
    work.lookup = since(&begin, n);
    corr_engine_free(engine);
    corr_view_free(view);
    return work;
}

static void work_print(const struct traffic_options *options, uint32_t n, const struct work *work)
{
    printf("%-7s %6u %8u  %7.0f %7.0f %7.0f %7.0f  %6.0f\n", traffic_words[options->shape],
           options->points, n, work->observe, work->settle, work->report, work->lookup, work->peak);
    fflush(stdout);
}

static unsigned exceeds(const char *what, double before, double now, double factor)
{
    if (now <= before * factor)
        return 0;
    printf("FAILED: %s grows from %.0f to %.0f for each observation, more than by %.1f\n", what,
           before, now, factor);
    return 1;
}

/* Ten times the frames: the same work for each. */
static unsigned frames_grow(struct traffic_options options, uint32_t few)
{
    struct work small = work_of(&options, few), large = work_of(&options, few * 10);

    work_print(&options, few, &small);
    work_print(&options, few * 10, &large);
    return exceeds("observing", small.observe, large.observe, GROWTH_MAX) +
           exceeds("settling", small.settle, large.settle, GROWTH_MAX) +
           exceeds("reporting", small.report, large.report, GROWTH_MAX) +
           exceeds("looking up", small.lookup, large.lookup, GROWTH_MAX) +
           exceeds("memory", small.peak, large.peak, GROWTH_MAX);
}

/* Four times the points: nearly the same work for each sighting, and not four times as much. */
static unsigned points_grow(uint32_t n)
{
    static const unsigned points[] = {4, 16, 64};
    struct work before = {0};
    unsigned failed = 0;

    for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
        struct traffic_options options = {TRAFFIC_MIXED, points[i], 1514, 0};
        struct work now = work_of(&options, n);

        work_print(&options, n, &now);
        if (i > 0)
            failed += exceeds("observing", before.observe, now.observe, POINTS_MAX) +
                      exceeds("settling", before.settle, now.settle, POINTS_MAX) +
                      exceeds("memory", before.peak, now.peak, POINTS_MAX);
        before = now;
    }
    return failed;
}

int main(void)
{
    static const struct {
        enum traffic_shape shape;
        unsigned points;
        uint32_t few;
    } rows[] = {
        {TRAFFIC_MIXED, 3, 20000}, {TRAFFIC_SAME, 3, 10000},   {TRAFFIC_STREAM, 2, 20000},
        {TRAFFIC_SHORT, 3, 10000}, {TRAFFIC_ERRORS, 3, 10000},
    };
    unsigned failed = 0;

    printf("                          -- blocks per observation -------   bytes\n");
    printf("shape   points   frames  observe  settle  report  lookup    peak\n");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        failed += frames_grow((struct traffic_options){rows[i].shape, rows[i].points, 1514, 0},
                              rows[i].few);
    failed += points_grow(100000);
    return failed > 0;
}
