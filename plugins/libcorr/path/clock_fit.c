/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pair of points: corridors between steps, and signs of steps that nobody knows yet. */
#include <math.h>
#include <stdlib.h>

#include "path/clock-int.h"
#include "path/hull.h"

/* So many packets that contradict a corridor are a clock that was set; fewer are errors. */
#define STEP_EVIDENCE 5u
/* After so many that agree, the errors before them are forgotten. */
#define STEP_FORGOTTEN 20u
/* Places at which a part is tried for a step that no single packet contradicts. */
#define PLACES 128u
/* Packets of each direction that such a step needs on both of its sides. */
#define SIDE_MIN 4u
/* It must exceed what chance does by this factor, and ... */
#define NOISES 2
/* ... this part of the round trip: less does no harm, as no path is that uneven. */
#define HARMLESS 50
/* Packets there and back are near if drift changes less than such a part of their round trip. */
#define NEAR 16
/* The drift that one-way traffic shows is believed if its halves agree to within this, ppm. */
#define DRIFT_AGREES 5.0
/* So many of them may have a clock set between them. */
#define BETWEEN 2
/* Moments at which a corridor's width is looked at. */
#define BEND_MOMENTS 16

static struct corr_clock_bounds corridor_bounds(const struct corr_corridor *corridor, int64_t t_ns)
{
    struct corr_clock_bounds bounds;

    corr_corridor_at(corridor, t_ns, &bounds.least_ns, &bounds.greatest_ns);
    if (bounds.least_ns < corridor->base_ns - CORR_CLOCK_FAR_NS)
        bounds.least_ns = -CORR_CLOCK_NO_LIMIT;
    if (bounds.greatest_ns > corridor->base_ns + CORR_CLOCK_FAR_NS)
        bounds.greatest_ns = CORR_CLOCK_NO_LIMIT;
    return bounds;
}

struct corr_clock_bounds corr_clock_bounds_at(const struct corr_clock_part *part, int64_t t_ns)
{
    struct corr_clock_bounds bounds = corridor_bounds(&part->corridor, t_ns);

    if (corr_clock_is_bounded(&bounds)) {
        bounds.least_ns -= part->bend_ns;
        bounds.greatest_ns += part->bend_ns;
    }
    return bounds;
}

int64_t corr_clock_middle(const struct corr_clock_bounds *bounds)
{
    if (corr_clock_is_bounded(bounds))
        return bounds->least_ns + (bounds->greatest_ns - bounds->least_ns) / 2;
    return bounds->least_ns > -CORR_CLOCK_NO_LIMIT ? bounds->least_ns : bounds->greatest_ns;
}

static int64_t corridor_middle(const struct corr_corridor *corridor, int64_t t_ns)
{
    struct corr_clock_bounds bounds = corridor_bounds(corridor, t_ns);

    return corr_clock_middle(&bounds);
}

struct corr_clock_part *corr_clock_part_find(const struct corr_clock_pair *pair, uint32_t epoch_p,
                                             uint32_t epoch_q)
{
    for (uint32_t i = 0; pair->parts != NULL && i < pair->parts->len; i++) {
        struct corr_clock_part *part = corr_clock_part(pair, i);

        if (part->epoch[0] == epoch_p && part->epoch[1] == epoch_q)
            return part;
    }
    return NULL;
}

uint32_t corr_clock_epoch(const struct corr_clock *clock, uint32_t p, uint32_t obs, bool *inside)
{
    const GArray *steps = clock->steps[p];
    uint32_t epoch = 0;

    *inside = false;
    for (; epoch < steps->len; epoch++) {
        const struct corr_clock_step *step = &g_array_index(steps, struct corr_clock_step, epoch);

        if (obs <= step->last)
            break;
        if (obs < step->first) {
            *inside = true;
            break;
        }
    }
    return epoch;
}

static bool sample_limit(struct corr_corridor *corridor, const struct corr_clock_sample *sample,
                         int64_t slack_ns)
{
    return corr_corridor_limit(corridor, sample->t_ns,
                               sample->d_ns + (sample->upper ? slack_ns : -slack_ns),
                               sample->upper);
}

/*
 * Walks over the samples, in either direction, and begins a new corridor where one no
 * longer fits.  Appends the first sample of each new corridor.  Returns how many
 * contradicted: single ones are errors.
 */
static uint32_t cuts_find(struct corr_clock_sample **all, uint32_t n, int64_t slack_ns, bool back,
                          GArray *cuts)
{
    struct corr_corridor corridor;
    uint32_t contradicted = 0, bad = 0, good = 0, first_bad = 0;

#define SAMPLE(i) all[back ? n - 1 - (i) : (i)]
    for (uint32_t i = 0; i < n; i++) {
        struct corr_clock_sample *sample = SAMPLE(i);

        if (i == 0)
            corr_corridor_init(&corridor, sample->t_ns, sample->d_ns);
        if (sample_limit(&corridor, sample, slack_ns)) {
            /* A clock that was set breaks limits of one kind only; the others say nothing. */
            good += sample->upper == SAMPLE(first_bad)->upper;
            if (good >= STEP_FORGOTTEN)
                bad = 0;
            continue;
        }
        contradicted++;
        good = 0;
        if (bad++ == 0)
            first_bad = i;
        if (bad >= STEP_EVIDENCE) {
            uint32_t index = back ? n - 1 - first_bad : first_bad;

            g_array_append_val(cuts, index);
            corr_corridor_init(&corridor, SAMPLE(first_bad)->t_ns, SAMPLE(first_bad)->d_ns);
            i = first_bad - 1;
            bad = 0;
        }
    }
#undef SAMPLE
    return contradicted;
}

static void event_add(GArray *events, uint32_t p, uint32_t q, const struct corr_clock_sample *last,
                      const struct corr_clock_sample *first, int64_t shift_ns)
{
    struct corr_clock_event event = {.p = p, .q = q, .shift_ns = shift_ns};

    for (unsigned end = 0; end < 2; end++) {
        event.last[end] = MIN(last->at[end], first->at[end]);
        event.first[end] = MAX(last->at[end], first->at[end]);
    }
    g_array_append_val(events, event);
}

/* A corridor over samples [from, to). */
static void corridor_over(struct corr_corridor *corridor, struct corr_clock_sample **all,
                          uint32_t from, uint32_t to, int64_t slack_ns)
{
    corr_corridor_init(corridor, all[from]->t_ns, all[from]->d_ns);
    for (uint32_t i = from; i < to; i++)
        sample_limit(corridor, all[i], slack_ns);
}

static bool corridors_meet(const struct corr_corridor *a, const struct corr_corridor *b,
                           int64_t t_ns)
{
    int64_t least[2], greatest[2];

    corr_corridor_at(a, t_ns, &least[0], &greatest[0]);
    corr_corridor_at(b, t_ns, &least[1], &greatest[1]);
    return least[0] <= greatest[1] && least[1] <= greatest[0];
}

/*
 * A clock that began to run faster shows only once it is off by a round trip.  Where two
 * corridors with no drift in common still overlap the change may lie; nothing there counts.
 */
static void bend_widen(struct corr_clock_sample **all, uint32_t from, uint32_t to,
                       const struct corr_corridor *left, const struct corr_corridor *right,
                       uint32_t *last, uint32_t *first)
{
    double slow[2], fast[2];

    corr_corridor_drift(left, &slow[0], &fast[0]);
    corr_corridor_drift(right, &slow[1], &fast[1]);
    if (slow[0] <= fast[1] && slow[1] <= fast[0])
        return;
    while (*last > from && corridors_meet(left, right, all[*last]->t_ns))
        (*last)--;
    while (*first + 1 < to && corridors_meet(left, right, all[*first]->t_ns))
        (*first)++;
}

/*
 * No line fits.  Going forth, a corridor takes in as much as it can, so the change is not
 * later than its end; going back likewise, so it is not earlier.  Between both it lies.
 */
static bool cut_events(uint32_t p, uint32_t q, struct corr_clock_sample **all, uint32_t n,
                       int64_t slack_ns, GArray *events)
{
    g_autoptr(GArray) forth = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    cuts_find(all, n, slack_ns, false, forth);
    if (forth->len == 0)
        return false;
    cuts_find(all, n, slack_ns, true, back);
    for (uint32_t i = 0; i < forth->len; i++) {
        uint32_t first = g_array_index(forth, uint32_t, i), last = first - 1;
        uint32_t before = i > 0 ? g_array_index(forth, uint32_t, i - 1) : 0;
        uint32_t after = i + 1 < forth->len ? g_array_index(forth, uint32_t, i + 1) : n;
        struct corr_corridor left, right;
        int64_t shift_ns;

        if (back->len == forth->len && g_array_index(back, uint32_t, back->len - 1 - i) < first)
            last = MAX(g_array_index(back, uint32_t, back->len - 1 - i), before);
        corridor_over(&left, all, before, last + 1, slack_ns);
        corridor_over(&right, all, first, after, slack_ns);
        shift_ns =
            corridor_middle(&right, all[first]->t_ns) - corridor_middle(&left, all[first]->t_ns);
        bend_widen(all, before, after, &left, &right, &last, &first);
        event_add(events, p, q, all[last], all[first], shift_ns);
    }
    return true;
}

/* Moments at which both sides of a gap are compared: there, and where a bend shows most. */
enum { AT_GAP, AT_BEGIN, AT_END, MOMENTS };

/* Least and greatest offset at each: by all samples on one side, by every other one. */
struct edges {
    int64_t least[MOMENTS][3], greatest[MOMENTS][3];
    uint32_t n[2]; /* samples of each kind */
};

/* Fills edges[i] from the samples on one side of the gap between places[i] and places[i + 1]. */
static void edges_find(struct corr_clock_sample **all, uint32_t n, const uint32_t *places,
                       uint32_t n_gaps, int64_t slack_ns, bool back, struct edges *edges)
{
    struct corr_corridor corridor[3];
    uint32_t seen[2] = {0, 0}, done = 0;

    for (unsigned c = 0; c < 3; c++)
        corr_corridor_init(&corridor[c], all[0]->t_ns, all[0]->d_ns);
    for (uint32_t i = 0; i <= n; i++) {
        for (; done < n_gaps; done++) {
            uint32_t at = back ? n_gaps - 1 - done : done;
            int64_t t_ns[MOMENTS] = {all[places[at + 1]]->t_ns, all[0]->t_ns, all[n - 1]->t_ns};

            if (i != (back ? n - places[at + 1] : places[at]))
                break;
            for (unsigned m = 0; m < MOMENTS; m++)
                for (unsigned c = 0; c < 3; c++)
                    corr_corridor_at(&corridor[c], t_ns[m], &edges[at].least[m][c],
                                     &edges[at].greatest[m][c]);
            edges[at].n[0] = seen[0];
            edges[at].n[1] = seen[1];
        }
        if (i < n) {
            const struct corr_clock_sample *sample = all[back ? n - 1 - i : i];

            sample_limit(&corridor[0], sample, slack_ns);
            sample_limit(&corridor[1 + seen[sample->upper]++ % 2], sample, slack_ns);
        }
    }
}

static int64_t noise_of(const struct edges *edges, unsigned moment)
{
    return llabs(edges->least[moment][1] - edges->least[moment][2]) +
           llabs(edges->greatest[moment][1] - edges->greatest[moment][2]);
}

/* By how much both limits moved alike, and more than by chance; 0: they did not. */
static int64_t shift_of(const struct edges *left, const struct edges *right, int64_t slack_ns)
{
    int64_t most = 0;

    if (MIN(left->n[0], left->n[1]) < SIDE_MIN || MIN(right->n[0], right->n[1]) < SIDE_MIN)
        return 0;
    for (unsigned m = 0; m < MOMENTS; m++) {
        int64_t up = right->greatest[m][0] - left->greatest[m][0];
        int64_t low = right->least[m][0] - left->least[m][0];
        int64_t least = llabs(up) < llabs(low) ? up : low;

        int64_t noise = noise_of(left, m) + noise_of(right, m) + slack_ns;
        int64_t width = MIN(left->greatest[m][0] - left->least[m][0],
                            right->greatest[m][0] - right->least[m][0]);

        if ((up < 0) == (low < 0) && llabs(least) > llabs(most) &&
            llabs(least) > NOISES * noise + width / HARMLESS)
            most = least;
    }
    return most;
}

/*
 * Where a clock is set by less than a round trip, one line still fits.  But then the upper
 * and the lower limits move alike, by the same amount; a path that changes moves one kind,
 * or both apart (Paxson's test: dF = -dG).  What every other packet alone would say tells
 * how far the limits stray by chance.
 */
static int64_t hidden_find(struct corr_clock_sample **all, uint32_t n, int64_t slack_ns,
                           uint32_t *last, uint32_t *first)
{
    uint32_t places[PLACES + 1], n_gaps = 0, best = 0, from, to, begin = *last, end = *first;
    struct edges left[PLACES], right[PLACES];
    int64_t shift[PLACES], most = 0;

    for (uint32_t i = 0; i <= PLACES; i++) {
        uint32_t place = begin + (uint32_t)((uint64_t)(end - begin) * i / PLACES);

        if (place > 0 && place < n && (n_gaps == 0 || places[n_gaps - 1] != place))
            places[n_gaps++] = place;
    }
    if (n_gaps < 2)
        return 0;
    n_gaps--;
    edges_find(all, n, places, n_gaps, slack_ns, false, left);
    edges_find(all, n, places, n_gaps, slack_ns, true, right);
    for (uint32_t i = 0; i < n_gaps; i++) {
        shift[i] = shift_of(&left[i], &right[i], slack_ns);
        if (llabs(shift[i]) > most) {
            most = llabs(shift[i]);
            best = i;
        }
    }
    if (most == 0)
        return 0;
    for (from = best; from > 0 && 2 * llabs(shift[from - 1]) >= most; from--)
        ;
    for (to = best; to + 1 < n_gaps && 2 * llabs(shift[to + 1]) >= most; to++)
        ;
    *last = places[from] - 1;
    *first = places[to + 1];
    return shift[best];
}

static bool hidden_event(uint32_t p, uint32_t q, struct corr_clock_sample **all, uint32_t n,
                         int64_t slack_ns, GArray *events)
{
    struct corr_corridor corridor[2];
    uint32_t last = 0, first = n;
    int64_t shift_ns, again_ns;

    if (n < 4 * SIDE_MIN)
        return false;
    shift_ns = hidden_find(all, n, slack_ns, &last, &first);
    if (shift_ns == 0)
        return false;
    again_ns = hidden_find(all, n, slack_ns, &last, &first);
    shift_ns = again_ns != 0 ? again_ns : shift_ns;
    corridor_over(&corridor[0], all, 0, last + 1, slack_ns);
    corridor_over(&corridor[1], all, first, n, slack_ns);
    bend_widen(all, 0, n, &corridor[0], &corridor[1], &last, &first);
    event_add(events, p, q, all[last], all[first], shift_ns);
    return true;
}

/* The least of many values, without the BETWEEN least of them. */
struct least {
    int64_t values[BETWEEN + 1];
};

static void least_init(struct least *least)
{
    for (unsigned k = 0; k <= BETWEEN; k++)
        least->values[k] = INT64_MAX;
}

static void least_add(struct least *least, int64_t value)
{
    for (unsigned k = 0; k <= BETWEEN; k++)
        if (value < least->values[k]) {
            int64_t next = least->values[k];

            least->values[k] = value;
            value = next;
        }
}

/*
 * The least round trip that packets show, with room for the slack; whatever the drift within
 * the corridor may add to it while they are apart, in their favour.  Packets there and back
 * that a clock was set between show less: so some of the least do not count.
 */
static int64_t round_trip(struct corr_clock_sample **all, uint32_t n, int64_t slack_ns,
                          const struct corr_corridor *corridor)
{
    struct least most, least;
    double slow, fast, unsure;

    corr_corridor_drift(corridor, &slow, &fast);
    unsure = (fast - slow) / 2 * 1e-6;
    least_init(&most);
    least_init(&least);
    for (unsigned pass = 0; pass < 2; pass++) {
        const struct corr_clock_sample *last[2] = {NULL, NULL};

        for (uint32_t i = 0; i < n; i++) {
            int64_t apart_ns, sum, run;

            last[all[i]->upper] = all[i];
            if (last[false] == NULL || last[true] == NULL)
                continue;
            apart_ns = last[true]->t_ns - last[false]->t_ns;
            sum = last[true]->d_ns - last[false]->d_ns -
                  (int64_t)((slow + fast) / 2 * 1e-6 * (double)apart_ns);
            run = (int64_t)(unsure * (double)llabs(apart_ns));
            if (pass == 0)
                least_add(&most, sum + run);
            else if (run <= most.values[BETWEEN] / NEAR)
                least_add(&least, sum - run);
        }
    }
    return least.values[BETWEEN] == INT64_MAX ? 0 : least.values[BETWEEN] + 2 * slack_ns;
}

/*
 * If a clock runs straight, its corridor has room for the least round trip: the line through
 * the truth, and all lines above it by less than the least delay there, or below it by less
 * than that back, respect all limits.  A clock that bends, or was set, by a part of a round
 * trip may still leave room for a line, but then for less: what is missing is the height of
 * the bend, and by that much the truth may lie outside.
 */
static int64_t bend_find(const struct corr_corridor *corridor, struct corr_clock_sample **all,
                         uint32_t n, int64_t slack_ns)
{
    int64_t width = INT64_MAX, from_ns = all[0]->t_ns, to_ns = all[n - 1]->t_ns;

    for (unsigned i = 0; i <= BEND_MOMENTS; i++) {
        int64_t t_ns = from_ns + (to_ns - from_ns) / BEND_MOMENTS * i;
        struct corr_clock_bounds bounds = corridor_bounds(corridor, t_ns);

        if (!corr_clock_is_bounded(&bounds))
            return 0;
        width = MIN(width, bounds.greatest_ns - bounds.least_ns);
    }
    return MAX(round_trip(all, n, slack_ns, corridor) - width, 0);
}

int64_t corr_clock_misfit(struct corr_clock_sample **all, uint32_t n, int64_t slack_ns)
{
    struct corr_corridor corridor;
    int64_t beyond_ns = 0;

    corr_corridor_init(&corridor, all[0]->t_ns, all[0]->d_ns);
    for (uint32_t i = 0; i < n; i++) {
        struct corr_clock_bounds bounds;

        if (sample_limit(&corridor, all[i], slack_ns))
            continue;
        bounds = corridor_bounds(&corridor, all[i]->t_ns);
        beyond_ns = MAX(beyond_ns, all[i]->upper ? bounds.least_ns - all[i]->d_ns
                                                 : all[i]->d_ns - bounds.greatest_ns);
    }
    return beyond_ns + bend_find(&corridor, all, n, slack_ns);
}

/*
 * Traffic in one direction shows how the clocks drift: the line below its delays.  Each half of
 * the time must show the same, else it is chance, or the way has changed.
 */
static void part_drift(struct corr_clock_part *part, struct corr_clock_sample **all, uint32_t n)
{
    g_autofree struct corr_delay *delays = g_new(struct corr_delay, n);
    double ppm[3];
    uint32_t half = 0;

    if (n < 2 * SIDE_MIN)
        return;
    for (uint32_t i = 0; i < n; i++)
        delays[i] = (struct corr_delay){all[i]->t_ns, all[i]->upper ? all[i]->d_ns : -all[i]->d_ns};
    corr_delays_sort(delays, n);
    while (delays[half].t_ns < delays[0].t_ns + (delays[n - 1].t_ns - delays[0].t_ns) / 2)
        half++;
    for (unsigned i = 0; i < 3; i++) {
        struct corr_delay edge[2];
        uint32_t from = i == 2 ? half : 0, to = i == 1 ? half : n;

        if (to - from < SIDE_MIN || !corr_hull_edge(delays + from, to - from, edge))
            return;
        ppm[i] = corr_hull_slope(edge) * (all[0]->upper ? 1e6 : -1e6);
    }
    part->has_drift =
        fabs(ppm[1] - ppm[0]) <= DRIFT_AGREES && fabs(ppm[2] - ppm[0]) <= DRIFT_AGREES;
    part->drift_ppm = ppm[0];
}

static struct corr_clock_part *part_get(struct corr_clock_pair *pair,
                                        const struct corr_clock_sample *sample,
                                        const uint32_t epoch[2])
{
    struct corr_clock_part *found = corr_clock_part_find(pair, epoch[0], epoch[1]);
    struct corr_clock_part part = {
        .epoch = {epoch[0], epoch[1]}, .from_ns = sample->t_ns, .to_ns = sample->t_ns};

    if (found != NULL)
        return found;
    corr_corridor_init(&part.corridor, sample->t_ns, sample->d_ns);
    g_array_append_val(pair->parts, part);
    return corr_clock_part(pair, pair->parts->len - 1);
}

/* Samples of the pair's part number `index`, in order; the number of them. */
static uint32_t part_samples(const struct corr_clock_pair *pair, const uint32_t *part_of,
                             uint32_t index, struct corr_clock_sample **all)
{
    struct corr_clock_sample *samples = (struct corr_clock_sample *)pair->samples->data;
    uint32_t n = 0;

    for (uint32_t i = 0; i < pair->n; i++)
        if (part_of[i] == index)
            all[n++] = &samples[i];
    return n;
}

void corr_clock_pair_fit(struct corr_clock *clock, uint32_t p, uint32_t q, GArray *events)
{
    struct corr_clock_pair *pair = corr_clock_pair(clock, p, q);
    struct corr_clock_sample *samples = (struct corr_clock_sample *)pair->samples->data;
    g_autofree uint32_t *part_of = g_new(uint32_t, pair->n + 1);
    g_autofree struct corr_clock_sample **all = g_new(struct corr_clock_sample *, pair->n + 1);

    g_array_set_size(pair->parts, 0);
    for (uint32_t i = 0; i < pair->n; i++) {
        uint32_t points[2] = {p, q}, epoch[2];
        bool inside[2];

        for (unsigned end = 0; end < 2; end++)
            epoch[end] = corr_clock_epoch(clock, points[end], samples[i].at[end], &inside[end]);
        part_of[i] = inside[0] || inside[1]
                         ? CORR_NONE
                         : (uint32_t)(part_get(pair, &samples[i], epoch) -
                                      (struct corr_clock_part *)pair->parts->data);
    }
    for (uint32_t i = 0; i < pair->parts->len; i++) {
        struct corr_clock_part *part = corr_clock_part(pair, i);
        uint32_t n = part_samples(pair, part_of, i, all);
        bool changed = cut_events(p, q, all, n, pair->slack_ns, events);

        for (uint32_t k = 0; k < n; k++) {
            part->from_ns = MIN(part->from_ns, all[k]->t_ns);
            part->to_ns = MAX(part->to_ns, all[k]->t_ns);
            if (!sample_limit(&part->corridor, all[k], pair->slack_ns))
                continue;
            part->n_upper += all[k]->upper;
            part->n_lower += !all[k]->upper;
        }
        /* Samples that no line respects count here: they may be what shows the step. */
        if ((part->n_upper == 0) != (part->n_lower == 0))
            part_drift(part, all, n);
        part->bend_ns = bend_find(&part->corridor, all, n, pair->slack_ns);
        if (!changed && part->bend_ns > 0)
            hidden_event(p, q, all, n, pair->slack_ns, events);
    }
    pair->dirty = false;
}

int64_t corr_clock_slack(struct corr_clock_pair *pair, const int64_t *slacks, unsigned n_slacks)
{
    struct corr_clock_sample *samples = (struct corr_clock_sample *)pair->samples->data;
    g_autofree struct corr_clock_sample **all = g_new(struct corr_clock_sample *, pair->n + 1);
    g_autoptr(GArray) cuts = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < pair->n; i++)
        all[i] = &samples[i];
    for (unsigned i = 0; i < n_slacks; i++)
        if (cuts_find(all, pair->n, slacks[i], false, cuts) == 0)
            return slacks[i];
    /* Not noise, then: clocks that were set, or wrong pairs. */
    return slacks[MIN(1, n_slacks - 1)];
}
