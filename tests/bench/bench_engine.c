/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_engine - what the engine alone costs: nanoseconds of processor time per
 * observation and stage, and bytes of memory per observation.
 *
 * Every run is a process of its own, so that one run's memory is not the next
 * one's.  Frames are made ahead, in batches, outside the measured time.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "corr.h"
#include "report/report.h"
#include "traffic.h"
#include "view.h"

#define BATCH 4096u
/* Of more frames than this, so many are looked up: one costs what another does. */
#define LOOKUPS 1000000u

struct cost {
    double observe_s, settle_s, lookup_s, report_s;
    double store_bytes, settled_bytes, peak_bytes;
    uint64_t values; /* of all views: keeps the compiler from leaving them out */
};

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double held_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)info.uordblks + (double)info.hblkhd;
}

static double peak_bytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

static void observe_all(struct corr_engine *engine, const struct traffic_options *options,
                        uint32_t n, struct cost *cost)
{
    struct traffic *traffic = traffic_new(options);
    struct traffic_frame *frames = malloc(BATCH * sizeof *frames);
    size_t room = options->snaplen != 0 ? MAX(options->snaplen, TRAFFIC_FRAME_MIN) : options->size;
    uint8_t *bytes = malloc(BATCH * room + TRAFFIC_FRAME_MAX);
    double held, began;

    /* The supply's own memory does not count: it is touched and gone before the first reading. */
    memset(bytes, 0, BATCH * room + TRAFFIC_FRAME_MAX);
    held = held_bytes();
    cost->peak_bytes = peak_bytes();
    for (uint32_t done = 0, batch; done < n; done += batch) {
        batch = MIN(BATCH, n - done);
        for (uint32_t i = 0; i < batch; i++)
            traffic_next(traffic, &frames[i], bytes + i * room);
        began = cpu_s();
        for (uint32_t i = 0; i < batch; i++) {
            struct corr_frame frame = {
                .number = done + i + 1, .point = frames[i].point, .time_ns = frames[i].time_ns,
                .link = 1, .wire_len = frames[i].wire_len, .cap_len = frames[i].cap_len,
                .data = bytes + i * room, .has_time = true,
            };

            corr_engine_observe(engine, &frame);
        }
        cost->observe_s += cpu_s() - began;
    }
    cost->store_bytes = held_bytes() - held;
    began = cpu_s();
    corr_engine_settle(engine);
    cost->settle_s = cpu_s() - began;
    cost->settled_bytes = held_bytes() - held;
    cost->peak_bytes = peak_bytes() - cost->peak_bytes;
    traffic_free(traffic);
    free(frames);
    free(bytes);
}

static struct cost run(const struct traffic_options *options, uint32_t n)
{
    struct corr_engine *engine = corr_engine_new(NULL);
    struct corr_view *view = corr_view_new();
    struct cost cost = {0};
    uint32_t step = MAX(1, n / LOOKUPS);
    double began;

    for (unsigned p = 0; p < options->points; p++) {
        char name[16];

        snprintf(name, sizeof name, "p%u", p + 1);
        corr_engine_add_point(engine, 0, p, name);
    }
    observe_all(engine, options, n, &cost);
    began = cpu_s();
    for (uint32_t i = 1; i <= n; i += step) {
        corr_engine_lookup(engine, i, CORR_WANT_ALL, view);
        cost.values += view->values->len;
    }
    cost.lookup_s = (cpu_s() - began) * step;
    began = cpu_s();
    for (unsigned i = 0; i < corr_table_count; i++) {
        struct corr_report_table *built = corr_report_build(engine, corr_tables[i], NULL);

        g_free(corr_render_text(built));
        corr_report_table_free(built);
    }
    cost.report_s = cpu_s() - began;
    corr_view_free(view);
    corr_engine_free(engine);
    return cost;
}

/* False if the run was stopped at the time limit, or failed. */
static bool run_apart(const struct traffic_options *options, uint32_t n, unsigned limit_s,
                      struct cost *cost)
{
    int ends[2], status;
    pid_t child;
    bool got;

    if (pipe(ends) != 0 || (child = fork()) < 0) {
        perror("bench_engine");
        exit(1);
    }
    if (child == 0) {
        struct rlimit limit = {limit_s, limit_s + 1};

        setrlimit(RLIMIT_CPU, &limit);
        *cost = run(options, n);
        _exit(write(ends[1], cost, sizeof *cost) == (ssize_t)sizeof *cost ? 0 : 1);
    }
    close(ends[1]);
    got = read(ends[0], cost, sizeof *cost) == (ssize_t)sizeof *cost;
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!got && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)) {
        fprintf(stderr, "bench_engine: the engine failed at %s, %u points, %u frames\n",
                traffic_words[options->shape], options->points, n);
        exit(1);
    }
    return got;
}

static void row_print(const struct traffic_options *options, uint32_t n, const struct cost *cost,
                      double growth)
{
    double ns = 1e9 / n, total = cost->observe_s + cost->settle_s + cost->lookup_s;

    printf("%-7s %6u %8u  %7.0f %7.0f %7.0f %7.0f  %8.2f  %6.0f %7.0f %6.0f",
           traffic_words[options->shape], options->points, n, cost->observe_s * ns,
           cost->settle_s * ns, cost->lookup_s * ns, cost->report_s * ns, n / total * 1e-6,
           cost->store_bytes / n, cost->settled_bytes / n, cost->peak_bytes / n);
    if (growth > 0)
        printf("  %6.2f", growth);
    printf("\n");
    fflush(stdout);
}

static void heading_print(bool growth)
{
    printf("                          -- ns per observation ---------  million  "
           "- bytes per observ. -%s\n", growth ? "  growth" : "");
    printf("shape   points   frames  observe  settle  lookup  report  per second  "
           "store settled   peak%s\n", growth ? "  at x 2" : "");
}

/* How the whole run's time grows when there is twice as much: 2 is linear, 4 quadratic. */
static void shape_run(struct traffic_options options, uint32_t n, unsigned limit_s)
{
    double before = 0;

    for (uint32_t at = n / 4; at <= n; at *= 2) {
        struct cost cost;
        double total;

        if (!run_apart(&options, at, limit_s, &cost)) {
            printf("%-7s %6u %8u  took more than %u s\n", traffic_words[options.shape],
                   options.points, at, limit_s);
            return;
        }
        total = cost.observe_s + cost.settle_s + cost.lookup_s + cost.report_s;
        row_print(&options, at, &cost, before > 0 ? total / before : 0);
        before = total;
    }
}

/* What could be more than linear, at `n` frames where nothing smaller is enough. */
static void shapes_run(struct traffic_options options, uint32_t n, unsigned limit_s)
{
    static const struct {
        enum traffic_shape shape;
        unsigned points;
        uint32_t most;
    } rows[] = {
        {TRAFFIC_MIXED, 3, UINT32_MAX},   {TRAFFIC_MIXED, 64, UINT32_MAX},
        {TRAFFIC_SAME, 3, 600000},        {TRAFFIC_STREAM, 2, UINT32_MAX},
        {TRAFFIC_SHORT, 3, UINT32_MAX},   {TRAFFIC_AGAIN, 3, 12000},
        {TRAFFIC_ERRORS, 3, UINT32_MAX},
    };

    heading_print(true);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        options.shape = rows[i].shape;
        options.points = rows[i].points;
        shape_run(options, MIN(n, rows[i].most), limit_s);
    }
}

static void grid_run(struct traffic_options options, uint32_t n, unsigned limit_s)
{
    static const unsigned points[] = {2, 4, 16, 64};

    heading_print(false);
    for (uint32_t at = n / 10; at <= n; at *= 10)
        for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
            struct cost cost;

            options.points = points[i];
            if (run_apart(&options, at, limit_s, &cost))
                row_print(&options, at, &cost, 0);
            else
                printf("%-7s %6u %8u  took more than %u s\n", traffic_words[options.shape],
                       options.points, at, limit_s);
        }
}

static const char usage_text[] =
    "usage: bench_engine [OPTION...]\n"
    "\n"
    "Measures the engine alone.  Without --points: a tenth of N and N frames at 2, 4, 16 and 64\n"
    "capture points.\n"
    "\n"
    "  --frames N    frames (each is one observation); default 1000000\n"
    "  --points K    one run with K points\n"
    "  --shapes      every shape of traffic at N/4, N/2 and N frames, and how the time grows\n"
    "  --shape WORD  mixed, same, stream, short, again, errors; default mixed\n"
    "  --size BYTES  largest frame; default 1514, about 1 kB on average\n"
    "  --snaplen N   bytes kept of a frame; default all\n"
    "  --limit S     stop a run after S seconds of processor time; default 120\n"
    "\n"
    "Example:\n"
    "  bench_engine --frames 1000000 --points 4 --snaplen 128\n";

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"frames", required_argument, NULL, 'f'}, {"points", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 's'},   {"snaplen", required_argument, NULL, 'n'},
        {"shape", required_argument, NULL, 'a'},  {"shapes", no_argument, NULL, 'A'},
        {"limit", required_argument, NULL, 'l'},  {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct traffic_options options = {TRAFFIC_MIXED, 0, 1514, 0};
    uint32_t frames = 1000000;
    unsigned limit_s = 120;
    bool shapes = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        switch (option) {
        case 'f':
            frames = (uint32_t)traffic_number("--frames", optarg, 20000000);
            break;
        case 'p':
            options.points = (unsigned)traffic_number("--points", optarg, 999);
            break;
        case 's':
            options.size = (unsigned)traffic_number("--size", optarg, TRAFFIC_FRAME_MAX);
            break;
        case 'n':
            options.snaplen = (unsigned)traffic_number("--snaplen", optarg, TRAFFIC_FRAME_MAX);
            break;
        case 'l':
            limit_s = (unsigned)traffic_number("--limit", optarg, 86400);
            break;
        case 'A':
            shapes = true;
            break;
        case 'a':
            options.shape = traffic_shape_find(optarg);
            if (options.shape != TRAFFIC_SHAPE_COUNT)
                break;
            fprintf(stderr, "bench_engine: no shape \"%s\"\n", optarg);
            return 2;
        case 'h':
            fputs(usage_text, stdout);
            return 0;
        default:
            return 2;
        }
    if (optind != argc || options.size < TRAFFIC_FRAME_MIN || frames < 100) {
        fputs(usage_text, stderr);
        return 2;
    }
    if (shapes) {
        shapes_run(options, frames, limit_s);
    } else if (options.points != 0) {
        struct cost cost;

        heading_print(false);
        if (!run_apart(&options, frames, limit_s, &cost)) {
            printf("%-7s %6u %8u  took more than %u s\n", traffic_words[options.shape],
                   options.points, frames, limit_s);
            return 1;
        }
        row_print(&options, frames, &cost, 0);
    } else {
        grid_run(options, frames, limit_s);
    }
    return 0;
}
