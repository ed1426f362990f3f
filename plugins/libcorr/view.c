/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c - the list of fields as data, and the container that holds one frame's values. */
#include "view.h"

#include <string.h>

const struct corr_field_info corr_field_infos[CORR_FIELD_COUNT] = {
#define CORR_ROW(id, type, name, title, meaning) {CORR_TYPE_##type, name, title, meaning},
    CORR_FIELDS(CORR_ROW)
#undef CORR_ROW
};

/* Views are filled once per shown frame: a chunk holds the texts of a typical one. */
#define STRINGS_CHUNK_BYTES 1024

struct corr_view *corr_view_new(void)
{
    struct corr_view *view = g_new0(struct corr_view, 1);

    view->values = g_array_new(FALSE, TRUE, sizeof(struct corr_value));
    view->findings = g_array_new(FALSE, TRUE, sizeof(struct corr_finding));
    view->strings = g_string_chunk_new(STRINGS_CHUNK_BYTES);
    view->text = g_string_new(NULL);
    view->sentence = g_string_new(NULL);
    view->sightings = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    view->wanted = CORR_WANT_ALL;
    return view;
}

void corr_view_clear(struct corr_view *view)
{
    g_array_set_size(view->values, 0);
    g_array_set_size(view->findings, 0);
    g_array_set_size(view->sightings, 0);
    g_string_chunk_clear(view->strings);
    view->summary = NULL;
}

void corr_view_free(struct corr_view *view)
{
    if (!view)
        return;
    g_array_free(view->values, TRUE);
    g_array_free(view->findings, TRUE);
    g_array_free(view->sightings, TRUE);
    g_string_chunk_free(view->strings);
    g_string_free(view->text, TRUE);
    g_string_free(view->sentence, TRUE);
    g_free(view);
}

static void view_append(struct corr_view *view, const struct corr_value *value)
{
    if (corr_view_wants(view, CORR_WANT_FIELD(value->field)))
        g_array_append_vals(view->values, value, 1);
}

void corr_view_add_number(struct corr_view *view, enum corr_field field, uint32_t number)
{
    view_append(view, &(struct corr_value){.field = field, .u32 = number});
}

void corr_view_add_ns(struct corr_view *view, enum corr_field field, int64_t ns)
{
    view_append(view, &(struct corr_value){.field = field, .ns = ns});
}

void corr_view_add_word(struct corr_view *view, enum corr_field field, const char *word)
{
    view_append(view, &(struct corr_value){.field = field, .str = word});
}

void corr_view_add_text(struct corr_view *view, enum corr_field field, const char *text)
{
    if (corr_view_wants(view, CORR_WANT_FIELD(field)))
        corr_view_add_word(view, field, g_string_chunk_insert(view->strings, text));
}

void corr_view_add_addr(struct corr_view *view, enum corr_field field, const uint8_t *bytes,
                        unsigned len)
{
    struct corr_value value = {.field = field};

    memcpy(value.addr, bytes, MIN(len, sizeof(value.addr)));
    view_append(view, &value);
}

void corr_view_add_finding(struct corr_view *view, enum corr_finding_kind kind,
                           const char *sentence)
{
    struct corr_finding finding = {kind, NULL};

    if (!corr_view_wants(view, CORR_WANT_FINDINGS))
        return;
    if (sentence)
        finding.sentence = g_string_chunk_insert(view->strings, sentence);
    g_array_append_val(view->findings, finding);
}
