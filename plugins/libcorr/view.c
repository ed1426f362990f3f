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
    view->strings = g_string_chunk_new(STRINGS_CHUNK_BYTES);
    return view;
}

void corr_view_clear(struct corr_view *view)
{
    g_array_set_size(view->values, 0);
    g_string_chunk_clear(view->strings);
    g_clear_pointer(&view->summary, g_free);
    g_clear_pointer(&view->expert, g_free);
    view->severity = CORR_SEVERITY_NONE;
}

void corr_view_free(struct corr_view *view)
{
    if (!view)
        return;
    g_array_free(view->values, TRUE);
    g_string_chunk_free(view->strings);
    g_free(view->summary);
    g_free(view->expert);
    g_free(view);
}

/* Appends an all-zero value.  The pointer is valid until the next one is added. */
static struct corr_value *view_append(struct corr_view *view, enum corr_field field)
{
    struct corr_value value = {.field = field};

    g_array_append_val(view->values, value);
    return &g_array_index(view->values, struct corr_value, view->values->len - 1);
}

void corr_view_add_number(struct corr_view *view, enum corr_field field, uint32_t number)
{
    view_append(view, field)->u32 = number;
}

void corr_view_add_ns(struct corr_view *view, enum corr_field field, int64_t ns)
{
    view_append(view, field)->ns = ns;
}

void corr_view_add_text(struct corr_view *view, enum corr_field field, const char *text)
{
    view_append(view, field)->str = g_string_chunk_insert(view->strings, text);
}

void corr_view_add_addr(struct corr_view *view, enum corr_field field, const uint8_t *bytes,
                        unsigned len)
{
    struct corr_value *value = view_append(view, field);

    memcpy(value->addr, bytes, MIN(len, sizeof(value->addr)));
}
