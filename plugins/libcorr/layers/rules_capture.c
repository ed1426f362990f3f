/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_capture.c - what is wrong with the captures themselves. */
#include <stdlib.h>
#include <string.h>

#include "layers/coverage.h"
#include "layers/findings-int.h"
#include "path/text.h"

/* From these shares on a rule speaks, or speaks louder. */
#define LOSS_WARNING 0.0001
#define COPIES_NOTE 0.01
#define UNREADABLE_WARNING 0.01

#define STEPS_TOLD 3
#define PAUSES_TOLD 3
#define OFFSET_NOTE_NS 1000000        /* smaller offsets disturb nobody who reads the list */
#define ZONE_NS INT64_C(900000000000) /* time zones differ by quarters of an hour */
#define ZONE_NEAR_NS INT64_C(30000000000)

static bool is_point(const struct corr_inquiry *q, uint32_t p)
{
    return !corr_capture_is_divided(q->r->store, p);
}

static unsigned count_points(const struct corr_inquiry *q)
{
    unsigned n = 0;

    for (uint32_t p = 0; p < q->r->store->points->len; p++)
        n += is_point(q, p) && q->captures[p].frames;
    return n;
}

/* Equal packets that nobody can tell apart are seen elsewhere, too. */
static bool has_group(const struct corr_inquiry *q, uint32_t p)
{
    for (unsigned i = 0; i < corr_group_count(q->r); i++) {
        const struct corr_group *group = corr_result_group(q->r, i);
        if (group->n_to && (group->from == p || group->to == p))
            return true;
    }
    return false;
}

/* Interfaces without a frame are usual where a program records all that a host has. */
static void tell_empty(struct corr_inquiry *q)
{
    struct corr_insight *insight = NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    unsigned n = 0;

    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        if (!is_point(q, p) || q->captures[p].frames)
            continue;
        if (!insight)
            insight = corr_insight_add(q, CORR_RULE_alone, CORR_WEIGHT_NOTE,
                                       CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        g_string_append_printf(names, "%s%s", n++ ? ", " : "", corr_inquiry_point(q, p));
    }
    if (!insight)
        return;
    if (n > 1)
        corr_insight_place(q, insight, CORR_NONE, CORR_NONE);
    corr_insight_say(insight,
                     "No frame was captured at %s. If one was expected: check interface and "
                     "capture filter.",
                     names->str);
}

void corr_rule_alone(struct corr_inquiry *q)
{
    unsigned n = count_points(q);

    tell_empty(q);
    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        const struct corr_capture *c = &q->captures[p];
        if (!is_point(q, p) || !c->frames || c->matched || n < 2 || !c->readable || has_group(q, p))
            continue;
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_alone, CORR_WEIGHT_WARNING,
                                                  CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_insight_say(i,
                         "No packet of %s is seen anywhere else: check interface, capture filter, "
                         "and that the captures overlap in time.",
                         corr_inquiry_point(q, p));
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(i, "corr.point == \"%s\"", name);
    }
    if (n == 1 && q->r->packets->len) {
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_alone, CORR_WEIGHT_NOTE,
                                                  CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
        corr_insight_say(i, "There is one capture point: nothing can be compared, and no place be "
                            "named. Merge the captures of several points into one file.");
    }
}

/* Frames behind the gap, per point: what shows that it missed something. */
static void prove_missed(const struct corr_inquiry *q, struct corr_insight **of)
{
    const struct corr_result *r = q->r;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        const GArray *missed = corr_packet_missed(r, p);
        for (unsigned m = 0; missed && m < missed->len; m++) {
            struct corr_insight *insight = of[g_array_index(missed, uint32_t, m)];
            if (insight)
                corr_insight_prove(
                    insight,
                    corr_result_obs(r, corr_result_sighting(r, p->first + p->n - 1))->frame);
        }
    }
}

void corr_rule_capture_loss(struct corr_inquiry *q)
{
    uint32_t n = q->r->store->points->len;
    g_autofree struct corr_insight **of = g_new0(struct corr_insight *, n + 1);
    bool any = false;

    for (uint32_t p = 0; p < n; p++) {
        const struct corr_capture *c = &q->captures[p];
        if (c->missed == 0)
            continue;
        double share = (double)c->missed / (double)(c->missed + c->seen);
        g_autoptr(GString) text = g_string_new(NULL);
        any = true;
        of[p] = corr_insight_add(q, CORR_RULE_capture_loss,
                                 share > LOSS_WARNING ? CORR_WEIGHT_WARNING : CORR_WEIGHT_NOTE,
                                 CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        of[p]->size = share;
        corr_inquiry_share(text, c->missed, c->missed + c->seen, "packet");
        corr_insight_say(of[p],
                         "%s did not record %s that passed it: capture loss, not network loss. A "
                         "larger buffer (dumpcap -B) or a shorter snapshot length helps.",
                         corr_inquiry_point(q, p), text->str);
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(of[p], "corr.missed == \"%s\"", name);
    }
    if (any)
        prove_missed(q, of);
}

/* The first frame of a point at or after a time of its own clock; 0. */
static uint32_t frame_from(const struct corr_inquiry *q, uint32_t point, int64_t ns)
{
    for (uint32_t o = 0; o < q->r->store->obs->len; o++) {
        const struct corr_obs *obs = corr_store_obs(q->r->store, o);
        if (obs->point == point && obs->time_ns >= ns)
            return obs->frame;
    }
    return 0;
}

void corr_rule_pause(struct corr_inquiry *q)
{
    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        g_autoptr(GArray) outages = corr_coverage_outages(q->r, p);
        g_autoptr(GString) when = g_string_new(NULL);
        uint64_t packets = outages->len ? 0 : q->captures[p].silent;
        if (!is_point(q, p) || (outages->len == 0 && packets == 0))
            continue;
        for (unsigned i = 0; i < outages->len; i++) {
            const struct corr_outage *outage = &g_array_index(outages, struct corr_outage, i);
            packets += outage->packets;
            if (i >= PAUSES_TOLD)
                continue;
            g_string_append(when, i ? ", from " : " from ");
            corr_text_time(outage->from_ns - corr_store_obs(q->r->store, 0)->time_ns, when);
            g_string_append(when, " to ");
            corr_text_time(outage->to_ns - corr_store_obs(q->r->store, 0)->time_ns, when);
        }
        if (outages->len > PAUSES_TOLD)
            g_string_append_printf(when, " and %u times more", outages->len - PAUSES_TOLD);
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_pause, CORR_WEIGHT_WARNING,
                                                  CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        i->size = (double)packets;
        for (unsigned k = 0; k < outages->len && k < PAUSES_TOLD; k++)
            corr_insight_prove(
                i, frame_from(q, p, g_array_index(outages, struct corr_outage, k).to_ns));
        corr_insight_say(i,
                         "%s recorded nothing%s while packets should have passed: what became of "
                         "%" G_GUINT64_FORMAT " of them cannot be told.",
                         corr_inquiry_point(q, p), when->str, packets);
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(i, "corr.point == \"%s\"", name);
    }
}

void corr_rule_merged(struct corr_inquiry *q)
{
    for (unsigned i = 0; i < q->r->collapsed->len; i++) {
        uint32_t p = g_array_index(q->r->collapsed, uint32_t, i);
        struct corr_insight *insight = corr_insight_add(q, CORR_RULE_merged, CORR_WEIGHT_WARNING,
                                                        CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_insight_say(insight,
                         "Several captures were merged into the interface %s; its points are "
                         "guessed from link addresses. Merge again with 'mergecap -I none'.",
                         corr_inquiry_point(q, p));
    }
}

void corr_rule_cut(struct corr_inquiry *q)
{
    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        const struct corr_capture *c = &q->captures[p];
        if (c->truncated == 0)
            continue;
        g_autoptr(GString) text = g_string_new(NULL);
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_cut, CORR_WEIGHT_NOTE,
                                                  CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_inquiry_share(text, c->truncated, c->readable, "frame");
        corr_insight_say(i,
                         "%s of %s are cut short: less of them can be compared, and what their "
                         "payload says is not known. Capture whole frames (-s 0).",
                         text->str, corr_inquiry_point(q, p));
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(i, "corr.point == \"%s\" && frame.cap_len < frame.len", name);
        corr_insight_prove(i, corr_inquiry_first_frame(q, p, CORR_HAVE_SNAPPED));
    }
}

void corr_rule_copies(struct corr_inquiry *q)
{
    g_autofree struct corr_insight **of =
        g_new0(struct corr_insight *, q->r->store->points->len + 1);

    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        const struct corr_capture *c = &q->captures[p];
        if ((double)c->duplicates <= COPIES_NOTE * (double)c->frames)
            continue;
        g_autoptr(GString) text = g_string_new(NULL);
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_copies, CORR_WEIGHT_NOTE,
                                                  CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_inquiry_share(text, c->duplicates, c->frames, "frame");
        corr_insight_say(i,
                         "%s at %s are further copies, left out of every count: a mirror port "
                         "that copies both directions, or an interface that sees packets twice.",
                         text->str, corr_inquiry_point(q, p));
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(i, "corr.duplicate && corr.point == \"%s\"", name);
        of[p] = i;
    }
    for (uint32_t k = 0; k < q->r->sightings->len; k++) {
        const struct corr_sighting *s = corr_result_sighting(q->r, k);
        uint32_t p = corr_sighting_point(q->r, s);
        if (s->duplicate && of[p])
            corr_insight_prove(of[p], corr_result_obs(q->r, s)->frame);
    }
}

/* Points whose frames could not be read for one reason. */
struct unreadable {
    const char *reason;
    GString *points; /* "20 at nic, 3 at fw" */
    uint64_t n;
    uint32_t point;
    bool several;
};

void corr_rule_unreadable(struct corr_inquiry *q)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct unreadable));

    for (uint32_t p = 0; p < q->r->store->points->len; p++) {
        const struct corr_point *point = corr_store_point(q->r->store, p);
        guint n;
        g_autofree const char **reasons = corr_capture_unknown(point, &n);
        for (guint k = 0; k < n; k++) {
            unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(point->unknown, reasons[k]));
            unsigned i = 0;
            if ((double)count <= UNREADABLE_WARNING * (double)point->frames)
                continue;
            while (i < found->len &&
                   strcmp(g_array_index(found, struct unreadable, i).reason, reasons[k]) != 0)
                i++;
            if (i == found->len) {
                struct unreadable made = {reasons[k], g_string_new(NULL), 0, p, false};
                g_array_append_val(found, made);
            }
            struct unreadable *u = &g_array_index(found, struct unreadable, i);
            u->several = u->n > 0;
            g_string_append_printf(u->points, "%s%u at %s", u->n ? ", " : "", count, point->name);
            u->n += count;
        }
    }
    for (unsigned i = 0; i < found->len; i++) {
        const struct unreadable *u = &g_array_index(found, struct unreadable, i);
        struct corr_insight *insight = corr_insight_add(
            q, CORR_RULE_unreadable, CORR_WEIGHT_WARNING, CORR_CONFIDENCE_CONFIRMED,
            u->several ? CORR_NONE : u->point, CORR_NONE);
        insight->size = (double)u->n;
        corr_insight_say(insight,
                         "%" G_GUINT64_FORMAT " frame%s could not be read (%s): %s. What became of "
                         "their packets is not known.",
                         u->n, CORR_PLURAL(u->n), u->reason, u->points->str);
        corr_insight_filter(insight, "corr.point && !corr.match_id");
        g_string_free(u->points, TRUE);
    }
}

/* Unknown fates by the point that should have seen the packet next; a tail is no defect. */
void corr_rule_window(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    g_autoptr(GHashTable) by_reason = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) text = g_string_new(NULL);

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        if (p->fate != CORR_FATE_UNDETERMINED || p->drop_before >= r->store->points->len ||
            !p->reason || !corr_packet_counts(q->mask, i) || corr_packet_is_thinned(p) ||
            g_str_has_prefix(p->reason, "outage") || !g_str_has_suffix(p->reason, " at"))
            continue;
        g_string_truncate(text, 0);
        corr_text_reason(r, p, text);
        struct corr_insight *insight = g_hash_table_lookup(by_reason, text->str);
        if (!insight) {
            insight = corr_insight_add(q, CORR_RULE_window, CORR_WEIGHT_NOTE,
                                       CORR_CONFIDENCE_CONFIRMED, p->drop_before, CORR_NONE);
            g_autofree char *name = corr_inquiry_quoted(q, p->drop_before);
            corr_insight_filter(insight, "corr.undetermined == \"%s %s\"", p->reason, name);
            corr_insight_say(insight, "%s", text->str);
            g_hash_table_insert(by_reason, g_strdup(text->str), insight);
        }
        insight->size++;
        if (p->drop_after != CORR_NONE)
            corr_insight_prove(insight,
                               corr_result_obs(r, corr_result_sighting(r, p->drop_after))->frame);
    }
    for (unsigned i = 0; i < q->out->list->len; i++) {
        struct corr_insight *insight = g_ptr_array_index(q->out->list, i);
        if (insight->rule != CORR_RULE_window)
            continue;
        g_autofree char *reason = g_strdup(insight->what);
        corr_insight_say(insight,
                         "What became of %.0f packet%s cannot be told (%s): not counted as lost.",
                         insight->size, CORR_PLURAL(insight->size), reason);
    }
}

void corr_rule_ambiguous(struct corr_inquiry *q)
{
    uint64_t n = 0, first = 0;

    for (uint32_t i = 0; i < q->r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(q->r, i);
        if (!p->ambiguous || !corr_packet_counts(q->mask, i))
            continue;
        if (n++ == 0)
            first = corr_result_obs(q->r, corr_result_sighting(q->r, p->first))->frame;
    }
    if (n == 0)
        return;
    struct corr_insight *i = corr_insight_add(q, CORR_RULE_ambiguous, CORR_WEIGHT_NOTE,
                                              CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    corr_insight_say(i,
                     "%" G_GUINT64_FORMAT " sightings are of equal packets that nobody can tell "
                     "apart: which is which stays open, counts of losses are exact.",
                     n);
    corr_insight_filter(i, "corr.ambiguous");
    corr_insight_prove(i, (uint32_t)first);
}

/* Clocks. */

/* The first packet that two points saw: two frames whose times can be compared. */
static void prove_offset(const struct corr_inquiry *q, struct corr_insight *insight, uint32_t a,
                         uint32_t b)
{
    const struct corr_result *r = q->r;

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        uint32_t at_a = 0, at_b = 0;
        for (uint32_t k = p->first; k < p->first + p->n && p->n > 1; k++) {
            const struct corr_obs *o = corr_result_obs(r, corr_result_sighting(r, k));
            at_a = o->point == a ? o->frame : at_a;
            at_b = o->point == b ? o->frame : at_b;
        }
        if (at_a && at_b) {
            corr_insight_prove(insight, at_a);
            corr_insight_prove(insight, at_b);
            return;
        }
    }
}

static int64_t offset_at(const struct corr_clock_piece *piece, int64_t t_ns)
{
    double from_middle = (double)(t_ns - piece->from_ns - (piece->to_ns - piece->from_ns) / 2);

    return piece->offset_ns +
           (piece->has_drift ? (int64_t)(from_middle * piece->drift_ppm * 1e-6) : 0);
}

void corr_rule_clock_offset(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;

    for (uint32_t p = 0; r->clock && p < r->store->points->len; p++) {
        enum corr_clock_status status;
        g_autoptr(GArray) pieces = corr_result_clock_pieces(r, p, &status);
        if (status != CORR_CLOCK_BOUNDED || p == r->clock_reference || !pieces || !pieces->len)
            continue;
        const struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, 0);
        int64_t size = llabs(piece->offset_ns);
        if (size <= piece->error_ns + OFFSET_NOTE_NS)
            continue;
        g_autoptr(GString) text = g_string_new(NULL);
        struct corr_insight *i = corr_insight_add(q, CORR_RULE_clock_offset, CORR_WEIGHT_NOTE,
                                                  CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
        corr_text_latency((struct corr_latency){true, size, piece->error_ns}, text);
        int64_t zone = (size + ZONE_NS / 2) / ZONE_NS * ZONE_NS;
        corr_insight_say(i,
                         "The clock of %s is %s %s that of %s%s: times and order in the packet "
                         "list are wrong by as much, latencies here are corrected.",
                         corr_inquiry_point(q, p), text->str,
                         piece->offset_ns < 0 ? "behind" : "ahead of",
                         corr_inquiry_point(q, r->clock_reference),
                         zone && llabs(size - zone) < ZONE_NEAR_NS
                             ? " (about a time zone: was local time recorded as UTC?)"
                             : "");
        g_autofree char *name = corr_inquiry_quoted(q, p);
        corr_insight_filter(i, "corr.point == \"%s\"", name);
        prove_offset(q, i, r->clock_reference, p);
        i->size = (double)size;
    }
}

/* One finding per point: a clock that is slewed makes many pieces. */
static void tell_steps(struct corr_inquiry *q, uint32_t p, const GArray *pieces, int64_t base_ns)
{
    g_autoptr(GString) text = g_string_new(NULL);
    uint32_t frames[STEPS_TOLD];
    unsigned steps = 0;
    int64_t least = INT64_MAX, most = INT64_MIN, error = 0;

    for (unsigned k = 0; k < pieces->len; k++) {
        const struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, k);
        least = MIN(least, piece->offset_ns);
        most = MAX(most, piece->offset_ns);
        error = MAX(error, piece->error_ns);
    }
    for (unsigned k = 1; k < pieces->len; k++) {
        const struct corr_clock_piece *b = &g_array_index(pieces, struct corr_clock_piece, k);
        const struct corr_clock_piece *a = b - 1;
        int64_t at_ns = a->to_ns + (b->from_ns - a->to_ns) / 2;
        int64_t jump = offset_at(b, at_ns) - offset_at(a, at_ns);
        if (llabs(jump) <= a->error_ns + b->error_ns || ++steps > STEPS_TOLD)
            continue;
        frames[steps - 1] = frame_from(q, p, b->from_ns + offset_at(b, b->from_ns));
        g_string_append_printf(text, "%s %s by ", steps > 1 ? "," : "",
                               jump < 0 ? "back" : "forward");
        corr_text_time(llabs(jump), text);
        g_string_append(text, " at ");
        corr_text_time(at_ns - base_ns, text);
    }
    /* Pieces that differ by less than the bounds need not be more than one clock's drift. */
    if (steps == 0 && most - least <= 2 * error)
        return;
    struct corr_insight *i = corr_insight_add(q, CORR_RULE_clock_step, CORR_WEIGHT_WARNING,
                                              CORR_CONFIDENCE_CONFIRMED, p, CORR_NONE);
    i->size = pieces->len;
    for (unsigned k = 0; k < MIN(steps, STEPS_TOLD); k++)
        corr_insight_prove(i, frames[k]);
    if (steps > STEPS_TOLD)
        g_string_append_printf(text, ", and %u times more", steps - STEPS_TOLD);
    if (steps)
        corr_insight_say(i, "The clock of %s was set:%s.", corr_inquiry_point(q, p), text->str);
    else
        corr_insight_say(i, "The clock of %s was slewed: it ran at different rates.",
                         corr_inquiry_point(q, p));
    g_autofree char *name = corr_inquiry_quoted(q, p);
    corr_insight_filter(i, "corr.point == \"%s\"", name);
}

void corr_rule_clock_step(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    int64_t base_ns = r->store->obs->len ? corr_store_obs(r->store, 0)->time_ns : 0;

    for (uint32_t p = 0; r->clock && p < r->store->points->len; p++) {
        enum corr_clock_status status;
        g_autoptr(GArray) pieces = corr_result_clock_pieces(r, p, &status);
        if (pieces && pieces->len > 1 && corr_clock_has_offset(status))
            tell_steps(q, p, pieces, base_ns);
    }
}
