/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - counts with counts below them. */
#include "report/tree.h"

#include "layers/layers.h"
#include "layers/phases.h"
#include "path/text.h"
#include "report/report-int.h"

static void tree_free(void *data)
{
    corr_tree_free(data);
}

static struct corr_tree *tree_new(const char *label)
{
    struct corr_tree *tree = g_new0(struct corr_tree, 1);

    tree->label = g_strdup(label);
    tree->children = g_ptr_array_new_with_free_func(tree_free);
    tree->by_label = g_hash_table_new(g_str_hash, g_str_equal);
    return tree;
}

void corr_tree_free(struct corr_tree *tree)
{
    if (tree == NULL)
        return;
    g_hash_table_destroy(tree->by_label);
    g_ptr_array_unref(tree->children);
    g_free(tree->label);
    g_free(tree);
}

struct corr_tree *corr_tree_find(const struct corr_tree *tree, const char *label)
{
    return g_hash_table_lookup(tree->by_label, label);
}

/* Counts one more below `tree`, and returns where. */
static struct corr_tree *count(struct corr_tree *tree, const char *label)
{
    struct corr_tree *child = corr_tree_find(tree, label);

    if (child == NULL) {
        child = tree_new(label);
        g_ptr_array_add(tree->children, child);
        g_hash_table_insert(tree->by_label, child->label, child);
    }
    child->count++;
    return child;
}

static const char *point_name(const struct corr_result *r, uint32_t point)
{
    return corr_store_point(r->store, point)->name;
}

static void count_fate(const struct corr_result *r, const struct corr_packet *p,
                       struct corr_tree *way, GString *text)
{
    const GArray *missed = corr_packet_missed(r, p);

    g_string_truncate(text, 0);
    if (corr_fate_is_drop(p->fate)) {
        g_string_printf(text, "lost before %s (%s)",
                        p->drop_before != CORR_NONE ? point_name(r, p->drop_before)
                                                    : "the next point",
                        corr_fate_word(p->fate));
        count(way, text->str);
    } else if (p->fate == CORR_FATE_UNDETERMINED) {
        g_string_assign(text, "fate unknown: ");
        corr_text_reason(r, p, text);
        count(way, text->str);
    }
    for (unsigned i = 0; missed && i < missed->len; i++) {
        g_string_printf(text, "missed by the capture at %s",
                        point_name(r, g_array_index(missed, uint32_t, i)));
        count(way, text->str);
    }
}

struct corr_tree *corr_tree_paths(const struct corr_result *r, const struct corr_frame_set *frames)
{
    g_autofree uint8_t *mask = corr_packet_mask(r, frames);
    g_autoptr(GString) text = g_string_new(NULL);
    struct corr_tree *tree = tree_new("Packets");

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);

        if (!corr_packet_counts(mask, i))
            continue;
        g_string_truncate(text, 0);
        if (!corr_packet_is_matched(r, p))
            g_string_assign(
                text, point_name(r, corr_sighting_point(r, corr_result_sighting(r, p->first))));
        else if (p->ordered && !p->ambiguous)
            corr_text_path(r, p, text);
        if (text->len == 0)
            g_string_assign(text, "order unknown");
        tree->count++;
        count_fate(r, p, count(tree, text->str), text);
    }
    return tree;
}

static const char *duration_word(int64_t ns)
{
    static const struct {
        int64_t below_ns;
        const char *word;
    } words[] = {{1000000, "below 1 ms"},
                 {10000000, "1 to 10 ms"},
                 {100000000, "10 to 100 ms"},
                 {1000000000, "100 ms to 1 s"}};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (ns < words[i].below_ns)
            return words[i].word;
    return "1 s and more";
}

/* Where the largest part of a phase's time went. */
static void most_of(const struct corr_phases *phases, const struct corr_phase *phase, GString *text)
{
    const struct corr_result *r = phases->result;
    int64_t most = MAX(phase->server_ns, phase->client_ns);

    g_string_assign(text, "most of it at the ");
    g_string_append(text, phase->server_ns >= phase->client_ns ? "server" : "client");
    for (uint32_t i = 0; i < phase->n_shares; i++) {
        const struct corr_phase_share *share =
            &g_array_index(phases->shares, struct corr_phase_share, phase->first_share + i);

        if (share->time_ns <= most)
            continue;
        most = share->time_ns;
        g_string_printf(text, "most of it between %s and %s", point_name(r, share->from),
                        point_name(r, share->to));
    }
    if (most <= 0)
        g_string_truncate(text, 0);
}

static void count_phase(const struct corr_phases *phases, const struct corr_phase *phase,
                        struct corr_tree *kind, GString *text)
{
    struct corr_tree *tree = count(kind, corr_phase_word(phase->name));

    count(tree, duration_word(phase->duration_ns));
    most_of(phases, phase, text);
    if (text->len > 0)
        count(tree, text->str);
    if (phase->retransmissions > 0)
        count(tree, "with data sent again");
    for (uint32_t i = 0; i < phase->n_stalls; i++) {
        const struct corr_phase_stall *stall =
            &g_array_index(phases->stalls, struct corr_phase_stall, phase->first_stall + i);

        g_string_printf(text, "waited: %s", corr_phase_stall_word(stall->cause));
        count(tree, text->str);
    }
}

struct corr_tree *corr_tree_phases(const struct corr_result *r, const struct corr_frame_set *frames)
{
    const struct corr_phases *phases = corr_layers_phases(r);
    g_autofree uint8_t *mask = corr_phases_selected(phases, frames);
    g_autoptr(GString) text = g_string_new(NULL);
    struct corr_tree *tree = tree_new("Transactions");

    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, i);
        struct corr_tree *kind;

        if (mask != NULL && !mask[i])
            continue;
        tree->count++;
        kind = count(tree, corr_transaction_word(t->kind));
        for (uint32_t k = 0; k < t->n_phases; k++)
            count_phase(phases,
                        &g_array_index(phases->phases, struct corr_phase, t->first_phase + k), kind,
                        text);
    }
    return tree;
}
