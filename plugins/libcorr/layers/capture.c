/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.c - what each capture point holds, and how far to trust it. */
#include "layers/capture.h"

#include <stdlib.h>
#include <string.h>

#include "layers/coverage.h"
#include "layers/layers.h"
#include "path/nat_text.h"
#include "path/text.h"

/* Shares from which a point is to be used with care, or not trusted. */
#define LOSS_CARE 0.0001
#define LOSS_BAD 0.01
#define DUPLICATES_CARE 0.01
#define UNKNOWN_CARE 0.01
#define READDRESSED_CARE 0.05
#define OUTAGES_NAMED 5u
/* Software stamps frames this far out of order. */
#define DISORDER_CARE_NS 100000
/* Coarser stamps hide what a network adds; fewer of them end in zeros by chance. */
#define COARSE_NS 1000000
#define STAMPS_MIN 20

static void add_frames(const struct corr_result *r, const struct corr_frame_set *frames,
                       const uint8_t *matched, struct corr_capture *sums)
{
    const struct corr_store *store = r->store;

    for (uint32_t f = 1; f < store->frame_point->len; f++) {
        uint16_t point = g_array_index(store->frame_point, uint16_t, f);
        if (point == 0 || !corr_frame_set_has(frames, f))
            continue;
        struct corr_capture *at = &sums[point - 1];
        at->frames++;
        uint32_t o = g_array_index(store->frame_obs, uint32_t, f);
        if (o == CORR_NONE)
            continue;
        const struct corr_obs *obs = corr_store_obs(store, o);
        if (at->readable++ == 0) {
            at->first_ns = at->last_ns = obs->time_ns;
            at->step_ns = 1000000000;
        } else if (obs->time_ns < at->latest_ns) {
            at->disorder++;
            at->back_ns = MAX(at->back_ns, at->latest_ns - obs->time_ns);
        }
        at->latest_ns = obs->time_ns;
        at->first_ns = MIN(at->first_ns, obs->time_ns);
        at->last_ns = MAX(at->last_ns, obs->time_ns);
        while (obs->time_ns % at->step_ns)
            at->step_ns /= 10;
        at->truncated += (obs->have & CORR_HAVE_SNAPPED) != 0;
        bool hit = false, copy = false;
        for (; o < store->obs->len && corr_store_obs(store, o)->frame == f; o++) {
            for (uint32_t k = r->obs_first[o]; k < r->obs_first[o + 1]; k++) {
                const struct corr_sighting *s = corr_result_sighting(r, r->obs_sightings[k]);
                hit |= matched[s->packet];
                copy |= s->duplicate;
                at->seen += !s->duplicate;
            }
        }
        at->matched += hit;
        at->duplicates += copy;
    }
}

/*
 * One interface that shows a packet under several link or network addresses is
 * several captures in one, or a mirror of several ports.
 */
static void add_readdressed(const struct corr_result *r, const struct corr_packet *p,
                            struct corr_capture *sums)
{
    for (uint32_t i = p->first + 1; i < p->first + MIN(p->n, 16); i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));
        for (uint32_t k = p->first; k < i; k++) {
            const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, k));
            if (a->point != b->point)
                continue;
            struct corr_tuple x = corr_tuple_of(r->store, a), y = corr_tuple_of(r->store, b);
            bool macs =
                a->have & b->have & CORR_HAVE_MAC && a->l2 != b->l2 && a->context == b->context;
            if (macs || !corr_tuple_equal(&x, &y)) {
                sums[b->point].readdressed++;
                break;
            }
        }
    }
}

static void add_missed(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_capture *sums)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        const GArray *missed = corr_packet_missed(r, p);
        if (!corr_packet_counts(mask, i))
            continue;
        if (p->n > 1)
            add_readdressed(r, p, sums);
        for (unsigned m = 0; missed && m < missed->len; m++)
            sums[g_array_index(missed, uint32_t, m)].missed++;
        if (p->fate == CORR_FATE_UNDETERMINED && p->drop_before < r->store->points->len &&
            p->reason && g_str_has_prefix(p->reason, "outage"))
            sums[p->drop_before].silent++;
    }
}

struct corr_capture *corr_captures_count(const struct corr_result *r,
                                         const struct corr_frame_set *frames)
{
    struct corr_capture *sums = g_new0(struct corr_capture, r->store->points->len + 1);
    g_autofree uint8_t *matched = g_malloc0(r->packets->len + 1);

    for (uint32_t i = 0; i < r->packets->len; i++)
        matched[i] = corr_packet_is_matched(r, corr_result_packet(r, i));
    add_frames(r, frames, matched, sums);
    add_missed(r, frames, sums);
    return sums;
}

bool corr_capture_is_divided(const struct corr_store *store, uint32_t number)
{
    const struct corr_point *point = corr_store_point(store, number);

    if (point->segment && point->frames == 0) /* a guess that later frames refuted */
        return true;
    if (point->ifindex || point->segment || point->frames)
        return false;
    for (uint32_t i = 0; i < store->points->len; i++) {
        const struct corr_point *part = corr_store_point(store, i);
        if ((part->ifindex || part->segment) && part->section == point->section &&
            part->interface == point->interface)
            return true;
    }
    return false;
}

static const char *const trust_words[] = {"trustworthy", "use with care", "not trustworthy"};

const char *corr_trust_word(enum corr_trust trust)
{
    return trust_words[trust];
}

/* A judgement that grows: every reason can only lower the trust. */
struct judgement {
    enum corr_trust trust;
    GPtrArray *reasons;
};

static void reason(struct judgement *to, enum corr_trust at_most, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void reason(struct judgement *to, enum corr_trust at_most, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(to->reasons, g_strdup_vprintf(format, args));
    va_end(args);
    to->trust = MAX(to->trust, at_most);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char **corr_capture_unknown(const struct corr_point *point, guint *n)
{
    const char **reasons = (const char **)g_hash_table_get_keys_as_array(point->unknown, n);

    qsort(reasons, *n, sizeof *reasons, compare_keys);
    return reasons;
}

static void judge_unknown(const struct corr_point *point, struct judgement *to)
{
    guint n;
    g_autofree const char **reasons = corr_capture_unknown(point, &n);

    for (guint i = 0; i < n; i++) {
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(point->unknown, reasons[i]));
        reason(to,
               (double)count > UNKNOWN_CARE * (double)point->frames ? CORR_TRUST_CARE
                                                                    : CORR_TRUST_FULL,
               "%u frame%s could not be read: %s", count, count == 1 ? "" : "s", reasons[i]);
    }
}

static bool is_collapsed(const struct corr_result *r, uint32_t point)
{
    for (unsigned i = 0; r->collapsed && i < r->collapsed->len; i++)
        if (g_array_index(r->collapsed, uint32_t, i) == point)
            return true;
    return false;
}

/* The trailers of a packet broker: what they say, and whether their times are better. */
static void judge_broker(const struct corr_point_broker *broker, struct judgement *to)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text, "a %s trailer stands behind its packets and is no part of them",
                    corr_broker_name(broker->kind));
    if (broker->has_source && corr_broker_has_device(broker->kind))
        g_string_append_printf(text, ": seen by device %u, port %u", broker->device, broker->port);
    else if (broker->has_source)
        g_string_append_printf(text, ": seen by port %u", broker->port);
    if (broker->n_time) {
        g_string_append_printf(
            text, "; its time, of a clock that %s, is off the recorded one (which is used) by ",
            broker->n_synchronised == broker->n_time ? "follows another"
                                                     : "does not say that it follows another");
        corr_text_time(broker->least_ns, text);
        g_string_append(text, " to ");
        corr_text_time(broker->greatest_ns, text);
    }
    reason(to, CORR_TRUST_FULL, "%s", text->str);
}

static void judge_outages(const struct corr_result *r, uint32_t number,
                          const struct corr_capture *sums, struct judgement *to)
{
    g_autoptr(GArray) outages = corr_coverage_outages(r, number);
    g_autoptr(GString) from = g_string_new(NULL), until = g_string_new(NULL);

    for (unsigned i = 0; i < MIN(outages->len, OUTAGES_NAMED); i++) {
        const struct corr_outage *outage = &g_array_index(outages, struct corr_outage, i);
        int64_t base_ns = corr_store_obs(r->store, 0)->time_ns;

        g_string_truncate(from, 0);
        g_string_truncate(until, 0);
        corr_text_time(outage->from_ns - base_ns, from);
        corr_text_time(outage->to_ns - base_ns, until);
        reason(to, CORR_TRUST_CARE,
               "the capture paused from %s to %s: what became of %u packets that should have come "
               "by then cannot be told",
               from->str, until->str, outage->packets);
    }
    if (sums->silent && outages->len == 0)
        reason(to, CORR_TRUST_CARE,
               "the capture paused: what became of %" G_GUINT64_FORMAT " packet%s that should have "
               "come by cannot be told",
               sums->silent, sums->silent == 1 ? "" : "s");
}

static void judge_clock(const struct corr_result *r, uint32_t number,
                        const struct corr_capture *sums, struct judgement *to)
{
    uint32_t told = to->reasons->len;

    corr_coverage_clock(r, number, to->reasons);
    if (to->reasons->len > told)
        to->trust = MAX(to->trust, CORR_TRUST_CARE);
    if (sums->readable >= STAMPS_MIN && sums->step_ns >= COARSE_NS) {
        g_autoptr(GString) step = g_string_new(NULL);
        corr_text_time(sums->step_ns, step);
        reason(to, CORR_TRUST_CARE,
               "its time stamps come in steps of %s: no latency is known better; capture with "
               "dumpcap or tcpdump, and keep the file's own resolution when converting it",
               step->str);
    }
    if (sums->disorder) {
        g_autoptr(GString) back = g_string_new(NULL);
        corr_text_time(sums->back_ns, back);
        reason(to, sums->back_ns > DISORDER_CARE_NS ? CORR_TRUST_CARE : CORR_TRUST_FULL,
               "%" G_GUINT64_FORMAT " frame%s %s earlier than the one before, by up to %s: time "
               "stamps of several processors, or a clock that was set; bounds allow for it",
               sums->disorder, sums->disorder == 1 ? "" : "s",
               sums->disorder == 1 ? "is stamped" : "are stamped", back->str);
    }
}

enum corr_trust corr_capture_judge(const struct corr_result *r, uint32_t number,
                                   const struct corr_capture *captures,
                                   enum corr_clock_status status, GPtrArray *reasons)
{
    const struct corr_point *point = corr_store_point(r->store, number);
    const struct corr_capture *sums = &captures[number];
    struct judgement out = {CORR_TRUST_FULL, reasons};
    unsigned n_points = 0;
    double overlap;
    g_autoptr(GString) share = g_string_new(NULL);

    for (uint32_t i = 0; i < r->store->points->len; i++)
        n_points += !corr_capture_is_divided(r->store, i);

    if (sums->frames == 0) {
        reason(&out, CORR_TRUST_NONE,
               "no frame was captured here: check interface and capture filter");
        return out.trust;
    }
    if (is_collapsed(r, number))
        reason(&out, CORR_TRUST_CARE,
               "several captures were merged into this one interface, their points are guessed "
               "from addresses: merge again with 'mergecap -I none'");
    else if (point->segment && !point->broker.is)
        reason(&out, CORR_TRUST_CARE,
               "one of several captures that were merged into one interface, told apart by link "
               "addresses: merge again with 'mergecap -I none'");
    else if ((double)sums->readdressed > READDRESSED_CARE * (double)sums->frames)
        reason(&out, CORR_TRUST_CARE,
               "%" G_GUINT64_FORMAT " frames show a packet of this point again under other "
               "addresses: were several captures merged into this one interface? Then merge "
               "again with 'mergecap -I none'. A mirror of several ports and a router that sends "
               "packets back where they came from look the same",
               sums->readdressed);
    if (point->broker.is)
        judge_broker(&point->broker, &out);
    if (n_points == 1)
        reason(&out, CORR_TRUST_CARE,
               "the file has one capture point only: merge captures of several points into it, "
               "with 'mergecap -I none'");
    else if (sums->readable && sums->matched == 0 && corr_coverage_overlap(r, number, &overlap) &&
             overlap == 0)
        reason(&out, CORR_TRUST_NONE,
               "no other capture covers its time, as the clocks tell it: capture at all points at "
               "the same time, or set the clock that is wrong");
    else if (sums->readable && sums->matched == 0)
        reason(&out, CORR_TRUST_NONE,
               "no packet of this point is seen anywhere else: check interface, capture filter "
               "and that the captures overlap in time");
    if (sums->missed) {
        double loss = (double)sums->missed / (double)(sums->missed + sums->seen);
        corr_text_ratio(loss, share);
        reason(&out,
               loss > LOSS_BAD    ? CORR_TRUST_NONE
               : loss > LOSS_CARE ? CORR_TRUST_CARE
                                  : CORR_TRUST_FULL,
               "%" G_GUINT64_FORMAT " packet%s (%s) passed this point unseen: the capture lost "
               "them; use a larger buffer (dumpcap -B), a shorter snapshot length or a filter",
               sums->missed, sums->missed == 1 ? "" : "s", share->str);
    }
    judge_outages(r, number, sums, &out);
    if (sums->duplicates) {
        double copies = (double)sums->duplicates / (double)sums->frames;
        g_string_truncate(share, 0);
        corr_text_ratio(copies, share);
        reason(&out, copies > DUPLICATES_CARE ? CORR_TRUST_CARE : CORR_TRUST_FULL,
               "%" G_GUINT64_FORMAT " frames (%s) are further copies and left out: a mirror port "
               "that copies both directions, or an interface that sees packets twice",
               sums->duplicates, share->str);
    }
    if (sums->truncated) {
        double cut = (double)sums->truncated / (double)sums->readable;
        g_string_truncate(share, 0);
        corr_text_ratio(cut, share);
        reason(&out, CORR_TRUST_CARE,
               "%s of the frames are cut short, less of them can be compared: capture with full "
               "length (-s 0)",
               share->str);
    }
    if (n_points > 1 && sums->matched) {
        if (status == CORR_CLOCK_UNKNOWN)
            reason(&out, CORR_TRUST_CARE,
                   "its clock cannot be compared with the others': no latencies from or to here");
        else if (status == CORR_CLOCK_DRIFT_ONLY)
            reason(&out, CORR_TRUST_CARE,
                   "traffic in one direction only: the clock's offset, and so latency, is not "
                   "known, only its variation");
    }
    judge_clock(r, number, sums, &out);
    judge_unknown(point, &out);
    return out.trust;
}

struct corr_capture_verdict *corr_capture_verdicts_new(const struct corr_result *r)
{
    const struct corr_store *store = r->store;
    uint32_t n = store->points->len;
    struct corr_capture_verdict *verdicts = g_new0(struct corr_capture_verdict, n + 1);
    const struct corr_capture *captures = corr_layers_captures(r);

    for (uint32_t p = 0; p < n; p++) {
        g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
        enum corr_clock_status status = CORR_CLOCK_UNKNOWN;
        GArray *pieces = r->clock ? corr_result_clock_pieces(r, p, &status) : NULL;

        if (pieces)
            g_array_unref(pieces);
        verdicts[p].trust = corr_capture_judge(r, p, captures, status, reasons);
        g_ptr_array_add(reasons, NULL);
        verdicts[p].reasons = g_strjoinv("; ", (char **)reasons->pdata);
        verdicts[p].collapsed =
            corr_store_point(store, p)->segment != 0 && !corr_store_point(store, p)->broker.is;
    }
    for (uint32_t i = 0; i < store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);

        if (verdicts[obs->point].first_frame == 0)
            verdicts[obs->point].first_frame = obs->frame;
    }
    return verdicts;
}

void corr_capture_verdicts_free(struct corr_capture_verdict *verdicts, uint32_t n)
{
    for (uint32_t p = 0; verdicts && p < n; p++)
        g_free(verdicts[p].reasons);
    g_free(verdicts);
}
