/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_phases.c - the fields corr.phase and corr.transaction of one frame. */
#include "layers/layers.h"
#include "layers/phases.h"
#include "view_fill.h"

struct adding {
    struct corr_view *view;
    uint32_t phase, transaction; /* added last; CORR_NONE */
};

/* Phases come by transaction, and each of its phases once; a field says each thing once. */
static void add_phase(const struct corr_phase *phase, void *user)
{
    struct adding *adding = user;

    if (phase->name != adding->phase)
        corr_view_add_word(adding->view, CORR_FIELD_phase, corr_phase_word(phase->name));
    adding->phase = phase->name;
}

static void add_transaction(const struct corr_phase *phase, void *user)
{
    struct adding *adding = user;

    if (phase->transaction != adding->transaction)
        corr_view_add_number(adding->view, CORR_FIELD_transaction, phase->transaction + 1);
    adding->transaction = phase->transaction;
}

void corr_view_fill_phases(const struct corr_result *result, uint32_t obs, struct corr_view *view)
{
    struct adding adding = {view, CORR_NONE, CORR_NONE};

    if (!corr_view_wants(view, CORR_WANT_PHASES))
        return;
    corr_phases_at(corr_layers_phases(result), obs, add_phase, &adding);
    corr_phases_at(corr_layers_phases(result), obs, add_transaction, &adding);
}
