/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phases.c - words, and which phases a frame belongs to.  They are made in talk.c. */
#include "layers/phases.h"

#include <stdlib.h>

const char *corr_phase_word(enum corr_phase_name name)
{
    static const char *const words[] = {
#define CORR_ROW(id, word, about) [CORR_PHASE_##id] = word,
        CORR_PHASES(CORR_ROW)
#undef CORR_ROW
    };

    return words[name];
}

const char *corr_transaction_word(enum corr_transaction_kind kind)
{
    static const char *const words[] = {
#define CORR_ROW(id, word) [CORR_TRANSACTION_##id] = word,
        CORR_TRANSACTIONS(CORR_ROW)
#undef CORR_ROW
    };

    return words[kind];
}

const char *corr_phase_stall_word(enum corr_tcp_stall_cause cause)
{
    static const char *const words[] = {
#define CORR_ROW(id, word) [CORR_TCP_STALL_##id] = word,
        CORR_PHASE_STALLS(CORR_ROW)
#undef CORR_ROW
    };

    return words[cause];
}

static void intervals_clear(struct corr_intervals *intervals)
{
    if (intervals->list != NULL)
        g_array_unref(intervals->list);
    g_free(intervals->start);
}

void corr_phases_free(struct corr_phases *phases)
{
    if (phases == NULL)
        return;
    for (unsigned i = 0; i < phases->transactions->len; i++) {
        struct corr_transaction *t =
            &g_array_index(phases->transactions, struct corr_transaction, i);

        g_free(t->method);
        g_free(t->path);
        g_free(t->host);
    }
    g_array_unref(phases->transactions);
    g_array_unref(phases->phases);
    g_array_unref(phases->shares);
    g_array_unref(phases->spans);
    g_array_unref(phases->stalls);
    intervals_clear(&phases->times);
    intervals_clear(&phases->bytes);
    g_free(phases);
}

static int interval_compare(const void *x, const void *y)
{
    const struct corr_interval *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->phase < b->phase ? -1 : a->phase > b->phase;
}

static void intervals_sort(struct corr_intervals *intervals, uint32_t n_keys)
{
    struct corr_interval *list = (struct corr_interval *)intervals->list->data;
    uint32_t n = intervals->list->len;

    if (n > 1)
        qsort(list, n, sizeof *list, interval_compare);
    intervals->start = g_new0(uint32_t, (size_t)n_keys + 2);
    for (uint32_t i = 0; i < n; i++) {
        bool first = i == 0 || list[i - 1].key != list[i].key;

        intervals->start[list[i].key + 1]++;
        list[i].latest = first ? list[i].end : MAX(list[i - 1].latest, list[i].end);
    }
    for (uint32_t k = 0; k < n_keys; k++)
        intervals->start[k + 1] += intervals->start[k];
}

/* The key's intervals that may touch [from, to]: list[*first .. returned). */
static uint32_t intervals_near(const struct corr_intervals *intervals, uint32_t key, int64_t from,
                               int64_t to, uint32_t *first)
{
    const struct corr_interval *list = (const struct corr_interval *)intervals->list->data;
    uint32_t lo = intervals->start[key], hi = intervals->start[key + 1], begin = lo, end;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (list[mid].begin <= to)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (end = lo; lo > begin && list[lo - 1].latest >= from; lo--)
        ;
    *first = lo;
    return end;
}

void corr_phases_index(struct corr_phases *phases)
{
    GArray *times = g_array_new(FALSE, FALSE, sizeof(struct corr_interval));
    GArray *bytes = g_array_new(FALSE, FALSE, sizeof(struct corr_interval));

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);

        for (uint32_t k = phase->first_span; k < phase->first_span + phase->n_spans; k++) {
            const struct corr_phase_span *span =
                &g_array_index(phases->spans, struct corr_phase_span, k);
            struct corr_interval one = {span->conv, i, span->begin.time_ns, span->end.time_ns, 0};

            if (span->begin.frame != 0 && span->end.frame != 0)
                g_array_append_val(times, one);
        }
        for (unsigned dir = 0; dir < 2; dir++) {
            const struct corr_phase_bytes *b = &phase->bytes[dir];
            struct corr_interval one = {phase->flow * 2 + dir, i, b->from, b->to - 1, 0};

            if (b->from < b->to)
                g_array_append_val(bytes, one);
        }
    }
    phases->times.list = times;
    phases->bytes.list = bytes;
    intervals_sort(&phases->times, phases->result->n_convs);
    intervals_sort(&phases->bytes, phases->result->flows->len * 2);
}

void corr_phases_during(const struct corr_phases *phases, uint32_t conv, int64_t time_ns,
                        corr_phase_found *found, void *user)
{
    uint32_t i, end = intervals_near(&phases->times, conv, time_ns, time_ns, &i);

    for (; i < end; i++) {
        const struct corr_interval *one =
            &g_array_index(phases->times.list, struct corr_interval, i);
        const struct corr_phase *phase = corr_phases_phase(phases, one->phase);
        /* What passes where one phase ends and the next begins is of a message, not of the
         * waiting for it. */
        bool waiting = phase->name == CORR_PHASE_SERVER;

        if (one->end >= time_ns && !(waiting && (one->begin == time_ns || one->end == time_ns)))
            found(phase, user);
    }
}

/* The bytes that an observation holds, and their flow * 2 + direction; false: none. */
static bool bytes_of(const struct corr_result *r, uint32_t obs, uint32_t *key,
                     struct corr_phase_bytes *bytes)
{
    uint32_t flow = r->conv_flow[r->obs_conv[obs]];
    int64_t from = INT64_MAX, to = INT64_MIN;
    unsigned dir = 0;

    for (uint32_t k = r->obs_first[obs]; k < r->obs_first[obs + 1]; k++) {
        const struct corr_packet *packet =
            corr_result_packet(r, corr_result_sighting(r, r->obs_sightings[k])->packet);

        if (packet->kind == CORR_KIND_TCP && packet->from < packet->to) {
            from = MIN(from, packet->from);
            to = MAX(to, packet->to);
            dir = packet->dir & 1;
        }
    }
    *key = flow * 2 + dir;
    *bytes = (struct corr_phase_bytes){from, to};
    return flow != CORR_NONE && from < to;
}

static bool bytes_find(const struct corr_phases *phases, uint32_t obs, corr_phase_found *found,
                       void *user)
{
    struct corr_phase_bytes bytes;
    uint32_t key, i, end;
    bool any = false;

    if (!bytes_of(phases->result, obs, &key, &bytes))
        return false;
    end = intervals_near(&phases->bytes, key, bytes.from, bytes.to - 1, &i);
    for (; i < end; i++) {
        const struct corr_interval *one =
            &g_array_index(phases->bytes.list, struct corr_interval, i);

        if (one->end < bytes.from)
            continue;
        any = true;
        found(corr_phases_phase(phases, one->phase), user);
    }
    return any;
}

const struct corr_phase *corr_phases_request_at(const struct corr_phases *phases, uint32_t obs)
{
    struct corr_phase_bytes bytes;
    uint32_t key, i, end;

    if (!bytes_of(phases->result, obs, &key, &bytes))
        return NULL;
    end = intervals_near(&phases->bytes, key, bytes.from, bytes.to - 1, &i);
    for (; i < end; i++) {
        const struct corr_interval *one =
            &g_array_index(phases->bytes.list, struct corr_interval, i);
        const struct corr_phase *phase = corr_phases_phase(phases, one->phase);

        if (one->begin >= bytes.from && phase->name == CORR_PHASE_REQUEST)
            return phase;
    }
    return NULL;
}

const struct corr_phase *corr_phases_named(const struct corr_phases *phases,
                                           const struct corr_transaction *transaction,
                                           enum corr_phase_name name)
{
    for (uint32_t i = 0; i < transaction->n_phases; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, transaction->first_phase + i);

        if (phase->name == name)
            return phase;
    }
    return NULL;
}

bool corr_phases_span(const struct corr_phases *phases, const struct corr_phase *phase,
                      uint32_t conv, struct corr_phase_span *span)
{
    for (uint32_t i = phase->first_span; i < phase->first_span + phase->n_spans; i++) {
        *span = g_array_index(phases->spans, struct corr_phase_span, i);
        if (span->conv == conv && span->begin.frame != 0 && span->end.frame != 0)
            return true;
    }
    return false;
}

void corr_phases_at(const struct corr_phases *phases, uint32_t obs, corr_phase_found *found,
                    void *user)
{
    uint32_t conv = phases->result->obs_conv[obs];

    if (phases->result->conv_flow[conv] == CORR_NONE || bytes_find(phases, obs, found, user))
        return;
    corr_phases_during(phases, conv, corr_store_obs(phases->result->store, obs)->time_ns, found,
                       user);
}
