/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is stored, as users read it. */
#include "store/digits.h"
#include "store/store.h"

void corr_context_text(const struct corr_store *store, uint32_t context, GString *text)
{
    const struct corr_context *c = &g_array_index(store->contexts, struct corr_context, context);

    for (unsigned i = 0; i < c->n; i++)
        g_string_append_printf(text, "%s%s %u", i > 0 ? ", " : "",
                               corr_encap_word(c->encap[i].kind), c->encap[i].id);
}

void corr_endpoint_text(const struct corr_endpoint *end, bool has_ports, GString *text)
{
    bool bracket = has_ports && end->addr.len == 16;
    char addr[CORR_ADDR_TEXT];

    if (bracket)
        g_string_append_c(text, '[');
    g_string_append(text, corr_addr_text(&end->addr, addr));
    if (bracket)
        g_string_append_c(text, ']');
    if (has_ports) {
        g_string_append_c(text, ':');
        corr_text_digits(text, end->port, 1);
    }
}
