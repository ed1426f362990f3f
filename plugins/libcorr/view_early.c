/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_early.c - the fields of a frame that came after the last settling: what the past tells. */
#include "path/nat_text.h"
#include "path/pending.h"
#include "path/text.h"
#include "view_fill.h"

struct filling {
    const struct corr_store *store;
    struct corr_view *view;
    uint32_t frame, obs;
    uint32_t sightings[CORR_EARLY_MAX]; /* observations */
    unsigned n, at;                     /* sightings[at] is obs */
    bool ordered;
};

static uint32_t frame_of(const struct filling *f, unsigned i)
{
    return corr_store_obs(f->store, f->sightings[i])->frame;
}

static const char *point_of(const struct filling *f, unsigned i)
{
    return corr_store_point(f->store, corr_store_obs(f->store, f->sightings[i])->point)->name;
}

static struct corr_tuple tuple_of(const struct filling *f, unsigned i)
{
    return corr_tuple_of(f->store, corr_store_obs(f->store, f->sightings[i]));
}

/* A sighting whose addresses or ports differ from this one's. */
static bool is_translated(const struct filling *f)
{
    struct corr_tuple now = tuple_of(f, f->at);

    for (unsigned i = 0; i < f->n; i++) {
        struct corr_tuple other = tuple_of(f, i);

        if (!corr_tuple_equal(&now, &other))
            return true;
    }
    return false;
}

static void fill_match(const struct filling *f)
{
    corr_view_add_number(f->view, CORR_FIELD_match_count, f->n);
    if (f->n > 1)
        corr_view_add_word(
            f->view, CORR_FIELD_method,
            corr_method_word(is_translated(f) ? CORR_METHOD_TRANSLATED : CORR_METHOD_EXACT));
}

static void fill_way(const struct filling *f)
{
    if (f->n < 2 || !f->ordered)
        return;
    corr_view_add_number(f->view, CORR_FIELD_hop, f->at + 1);
    g_string_truncate(f->view->text, 0);
    for (unsigned i = 0; i < f->n; i++)
        g_string_append_printf(f->view->text, "%s%s", i ? " > " : "", point_of(f, i));
    corr_view_add_text(f->view, CORR_FIELD_path, f->view->text->str);
    corr_view_add_number(f->view, CORR_FIELD_first_frame, frame_of(f, 0));
    if (f->at > 0)
        corr_view_add_number(f->view, CORR_FIELD_prev_frame, frame_of(f, f->at - 1));
    if (f->at + 1 < f->n)
        corr_view_add_number(f->view, CORR_FIELD_next_frame, frame_of(f, f->at + 1));
}

/* Adds to the sentence, too. */
static void fill_latency(const struct filling *f, const struct corr_early *early,
                         const struct corr_result *result, GString *sentence)
{
    struct corr_latency took, since;

    if (f->at == 0 || !f->ordered)
        return;
    took = corr_early_latency(early, result, f->sightings[f->at - 1], f->obs);
    since = corr_early_latency(early, result, f->sightings[0], f->obs);
    if (took.known) {
        corr_view_add_ns(f->view, CORR_FIELD_hop_latency, took.ns);
        corr_view_add_ns(f->view, CORR_FIELD_hop_latency_error, took.error_ns);
        g_string_append(sentence, ": ");
        corr_text_latency(took, sentence);
        g_string_append_printf(sentence, " after %s", point_of(f, f->at - 1));
    }
    if (since.known)
        corr_view_add_ns(f->view, CORR_FIELD_path_latency, since.ns);
}

static void fill_nat(const struct filling *f, GString *sentence)
{
    struct corr_tuple first, now;

    if (f->at == 0 || !f->ordered)
        return;
    first = tuple_of(f, 0);
    now = tuple_of(f, f->at);
    g_string_truncate(f->view->text, 0);
    /* Who sent the first packet of a local flow began the conversation, as far as is known. */
    corr_nat_text(&first, &now, corr_store_obs(f->store, f->sightings[0])->dir, f->view->text);
    if (f->view->text->len == 0)
        return;
    corr_view_add_text(f->view, CORR_FIELD_nat, f->view->text->str);
    g_string_append_printf(sentence, ", %s", f->view->text->str);
}

void corr_view_fill_early(const struct corr_store *store, const struct corr_early *early,
                          const struct corr_result *result, uint32_t frame, struct corr_view *view)
{
    struct filling f = {.store = store, .view = view, .frame = frame};
    GString *sentence = view->sentence;

    f.obs = g_array_index(store->frame_obs, uint32_t, frame);
    if (corr_early_number(early, f.obs) == 0)
        return;
    f.n = corr_early_sightings(early, store, result, f.obs, f.sightings, &f.ordered);
    while (f.at < f.n && f.sightings[f.at] != f.obs)
        f.at++;
    if (f.at == f.n) /* more sightings than are told apart */
        return;
    for (uint32_t obs = f.obs; obs < store->obs->len && corr_store_obs(store, obs)->frame == frame;
         obs++)
        if (corr_early_number(early, obs) != 0)
            corr_view_add_number(view, CORR_FIELD_match_id, corr_early_number(early, obs));
    g_string_printf(sentence, "Packet %u", corr_early_number(early, f.obs));
    if (f.n > 1 && f.ordered)
        g_string_append_printf(sentence, ", hop %u", f.at + 1);
    g_string_append_printf(sentence, " at %s", point_of(&f, f.at));
    fill_match(&f);
    fill_way(&f);
    fill_latency(&f, early, result, sentence);
    fill_nat(&f, sentence);
    if (corr_early_expects(early, store, result, f.obs)) {
        corr_view_add_word(view, CORR_FIELD_undetermined, corr_pending_word);
        corr_view_add_word(view, CORR_FIELD_fate, corr_pending_word);
        g_string_append(sentence, ", fate pending");
    }
    if (corr_view_wants(view, CORR_WANT_SUMMARY))
        view->summary = g_string_chunk_insert(view->strings, sentence->str);
}
