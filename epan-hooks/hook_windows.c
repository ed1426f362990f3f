/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_windows.c - every table of the report as a window of Wireshark's Statistics menu.
 *
 * Wireshark's own table windows show rows that the tap callback puts into a
 * structure; ours does that when Wireshark draws (hook_drawer.h).
 *
 * The window shows what `-z corr,TABLE` prints: same rows, same numbers.  Wireshark sorts rows by
 * the first column, so that is their number: the table's own order, the worst finding first.
 */
#include "compat.h"
#include "hook_windows.h"

#include <string.h>

#include "corr.h"
#include "hook_columns.h"
#include "hook_drawer.h"
#include "hooks.h"
#include "report/report.h"

#define NUMBER "#"

struct window {
    stat_tap_table_ui ui; /* first: Wireshark hands out a pointer to it */
    const struct corr_table *table;
    GArray *columns;  /* struct hook_column; the window's second and later ones */
    GPtrArray *notes; /* char *; titles of tables without rows */
    struct hook_drawer drawer;
};

static struct window *windows;

/*
 * Rows that a second window of the same table may still point at live until it
 * is closed, or the last one reads again.
 */
static GPtrArray *old_rows;

static void row_free(void *data)
{
    g_free(data);
}

static void item_free(stat_tap_table_item_type *item)
{
    if (item->type == TABLE_ITEM_STRING)
        g_free(item->user_data.ptr_value);
    item->user_data.ptr_value = NULL;
    item->value.string_value = "";
}

static void table_reset(stat_tap_table *table)
{
    bool shared = false;

    for (unsigned w = 0; w < corr_table_count; w++) {
        struct window *window = &windows[w];

        for (unsigned t = 0; window->ui.tables && t < window->ui.tables->len; t++)
            if (g_array_index(window->ui.tables, stat_tap_table *, t) == table)
                shared = window->ui.refcount > 1;
    }
    if (!shared)
        g_ptr_array_set_size(old_rows, 0);
    for (unsigned i = 0; i < table->num_elements; i++) {
        for (unsigned k = 0; !shared && k < table->num_fields; k++)
            item_free(&table->elements[i][k]);
        if (shared)
            g_ptr_array_add(old_rows, table->elements[i]);
        else
            g_free(table->elements[i]);
    }
    g_clear_pointer(&table->elements, g_free);
    table->num_elements = 0;
}

static void table_free_item(stat_tap_table *table G_GNUC_UNUSED, unsigned row G_GNUC_UNUSED,
                            unsigned column G_GNUC_UNUSED, stat_tap_table_item_type *item)
{
    item_free(item);
}

static stat_tap_table *table_add(struct window *window, const char *title)
{
    stat_tap_table *table = stat_tap_init_table(title, (int)window->ui.nfields, 0, NULL);

    stat_tap_add_table(&window->ui, table);
    return table;
}

static stat_tap_table *table_get(struct window *window)
{
    if (window->ui.tables && window->ui.tables->len > 0)
        return g_array_index(window->ui.tables, stat_tap_table *, 0);
    return table_add(window, window->table->title);
}

static void window_begin(stat_tap_table_ui *ui)
{
    struct window *window = (struct window *)(void *)ui;

    /* A window that reads again has a new listener; ours has to be younger once more. */
    hook_drawer_stop(&window->drawer);
    table_get(window);
}

static void set_text(stat_tap_table_item_type *item, char *text)
{
    item->type = TABLE_ITEM_STRING;
    item->value.string_value = text;
    item->user_data.ptr_value = text;
}

/*
 * All cells of a column are of one type, by which Wireshark sorts.  There is no
 * number for "unknown": a column that has absent cells holds texts, numbers
 * among them padded so that they sort as such.
 */
static void fill_column(struct window *window, unsigned c, const struct corr_report_table *built,
                        stat_tap_table_item_type **items)
{
    const struct hook_column *at = &g_array_index(window->columns, struct hook_column, c - 1);
    stat_tap_table_item *field = &window->ui.fields[c];
    bool as_text = !at->is_number;
    int width = 0;

    for (unsigned i = 0; i < built->rows->len; i++) {
        const struct corr_cell *cell = hook_column_cell(at, g_ptr_array_index(built->rows, i));

        if (!cell || (at->is_whole && cell->count > UINT_MAX))
            as_text = true;
    }
    for (unsigned i = 0; i < built->rows->len; i++) {
        const struct corr_cell *cell = hook_column_cell(at, g_ptr_array_index(built->rows, i));
        stat_tap_table_item_type *item = &items[i][c];

        if (as_text) {
            set_text(item, cell ? hook_column_text(at, cell) : g_strdup(""));
            width = MAX(width, (int)strlen(item->value.string_value));
        } else if (at->is_whole) {
            item->type = TABLE_ITEM_UINT;
            item->value.uint_value = (unsigned)cell->count;
        } else {
            item->type = TABLE_ITEM_FLOAT;
            item->value.float_value = hook_column_number(at, cell);
        }
    }
    for (unsigned i = 0; as_text && at->is_number && i < built->rows->len; i++) {
        char *text = items[i][c].user_data.ptr_value;

        if (*text)
            set_text(&items[i][c], g_strdup_printf("%*s", width, text));
        if (*text)
            g_free(text);
    }
    field->field_format = as_text ? "%s" : at->is_whole ? "%u" : "%.6f";
    field->type = as_text ? TABLE_ITEM_STRING : at->is_whole ? TABLE_ITEM_UINT : TABLE_ITEM_FLOAT;
}

static void fill_table(struct window *window, const struct corr_report_table *built)
{
    unsigned n = built->rows->len, n_columns = window->ui.nfields;
    stat_tap_table *table = table_get(window);
    stat_tap_table_item_type **items = g_new(stat_tap_table_item_type *, n + 1);

    table_reset(table);
    for (unsigned i = 0; i < n; i++) {
        items[i] = g_new0(stat_tap_table_item_type, n_columns);
        items[i][0].type = TABLE_ITEM_UINT;
        items[i][0].value.uint_value = i + 1;
    }
    for (unsigned c = 1; c < n_columns; c++)
        fill_column(window, c, built, items);
    for (unsigned i = 0; i < n; i++) {
        stat_tap_init_table_row(table, i, n_columns, items[i]);
        g_free(items[i]);
    }
    g_free(items);
}

/*
 * What was set aside.  A cell's text would widen its column and push the figures out of sight; the
 * title of a table may be as wide as the window, so each note is a table without rows.
 */
static void fill_notes(struct window *window, const struct corr_report_table *built)
{
    GArray *tables = window->ui.tables;

    for (unsigned i = 1; i < tables->len; i++)
        g_free(g_array_index(tables, stat_tap_table *, i));
    g_array_set_size(tables, 1);
    g_ptr_array_set_size(window->notes, 0);
    for (unsigned i = 0; i < built->notes->len; i++) {
        char *note = g_strconcat("Note: ", g_ptr_array_index(built->notes, i), NULL);

        g_ptr_array_add(window->notes, note); /* a table does not own its title */
        table_add(window, note);
    }
}

static void draw(void *data)
{
    struct window *window = data;
    const struct corr_frame_set *frames;
    struct corr_report_table *built;

    if (!hook_drawer_settle(&window->drawer, &frames))
        return;
    built = corr_report_build(window->drawer.engine, window->table, frames);
    fill_table(window, built);
    fill_notes(window, built);
    corr_report_table_free(built);
}

static tap_packet_status window_packet(void *data, packet_info *pinfo G_GNUC_UNUSED,
                                       epan_dissect_t *edt G_GNUC_UNUSED, const void *tapped,
                                       tap_flags_t flags G_GNUC_UNUSED)
{
    struct window *window = (struct window *)(void *)((stat_data_t *)data)->stat_tap_data;

    return hook_drawer_note(&window->drawer, tapped);
}

/* Wireshark matches by prefix: "corrtable,dropsX" would be the table "drops". */
static void check_filter(const char *argument, const char **filter G_GNUC_UNUSED, char **error)
{
    for (unsigned i = 0; i < corr_table_count; i++) {
        const char *name = windows[i].ui.cli_string;
        size_t length = strlen(name);

        if (strncmp(argument, name, length) == 0 && argument[length] && argument[length] != ',') {
            *error = g_strdup_printf("corr: there is no table \"%s\"; did you mean \"%s\"?",
                                     argument, name);
            return;
        }
    }
}

static void window_register(struct window *window, const struct corr_table *table)
{
    static tap_param parameters[] = {{PARAM_FILTER, "filter", "Filter", NULL, TRUE}};
    stat_tap_table_item *fields;
    g_autofree char *key = g_strdup(table->key);

    window->table = table;
    window->columns = hook_columns_new(table->columns);
    window->notes = g_ptr_array_new_with_free_func(g_free);
    window->drawer.draw = draw;
    window->drawer.window = window;
    fields = g_new0(stat_tap_table_item, window->columns->len + 1);
    fields[0] = (stat_tap_table_item){
        .type = TABLE_ITEM_UINT,
        .align = TAP_ALIGN_RIGHT,
        .column_name = NUMBER,
        .field_format = "%u",
    };
    for (unsigned i = 0; i < window->columns->len; i++) {
        const struct hook_column *at = &g_array_index(window->columns, struct hook_column, i);

        fields[i + 1] = (stat_tap_table_item){
            .type = TABLE_ITEM_STRING,
            .align = at->is_number ? TAP_ALIGN_RIGHT : TAP_ALIGN_LEFT,
            .column_name = at->heading,
            .field_format = "%s",
        };
    }
    key[0] = g_ascii_toupper(key[0]);
    window->ui = (stat_tap_table_ui){
        .group = REGISTER_PACKET_STAT_GROUP_UNSORTED,
        .title = g_strdup_printf("Correlation: %s", key),
        .tap_name = HOOK_NAME,
        .cli_string = g_strdup_printf(HOOK_NAME "table,%s", table->key),
        .stat_tap_init_cb = window_begin,
        .packet_func = window_packet,
        .stat_tap_reset_table_cb = table_reset,
        .stat_tap_free_table_item_cb = table_free_item,
        .stat_filter_check_cb = check_filter,
        .nfields = window->columns->len + 1,
        .fields = fields,
        .nparams = G_N_ELEMENTS(parameters),
        .params = parameters,
    };
    register_stat_tap_table_ui(&window->ui);
}

void hook_windows_register(void)
{
    old_rows = g_ptr_array_new_with_free_func(row_free);
    windows = g_new0(struct window, corr_table_count);
    for (unsigned i = 0; i < corr_table_count; i++)
        window_register(&windows[i], corr_tables[i]);
}
