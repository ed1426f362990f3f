/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_fields.c - the rows of view.h as Wireshark's header fields and items. */
#include "compat.h"
#include "hook_fields.h"

#include <string.h>

#include "view.h"

#define NS_PER_S 1000000000

/* How a row's type is registered; indexed by enum corr_field_type. */
/* clang-format off */
static const struct {
    enum ftenum type;
    int display;
} field_types[] = {
    [CORR_TYPE_U32] = {FT_UINT32, BASE_DEC},
    [CORR_TYPE_U16] = {FT_UINT16, BASE_DEC},
    [CORR_TYPE_FRAME] = {FT_FRAMENUM, BASE_NONE},
    [CORR_TYPE_NS] = {FT_RELATIVE_TIME, BASE_NONE},
    [CORR_TYPE_STR] = {FT_STRING, BASE_NONE},
    [CORR_TYPE_TRUE] = {FT_BOOLEAN, BASE_NONE},
    [CORR_TYPE_IPV4] = {FT_IPv4, BASE_NONE},
    [CORR_TYPE_IPV6] = {FT_IPv6, BASE_NONE},
};
/* clang-format on */

static int field_ids[CORR_FIELD_COUNT];
static hf_register_info field_rows[CORR_FIELD_COUNT];
static const header_field_info *field_infos[CORR_FIELD_COUNT]; /* as registered */
static int subtree = -1; /* 4.0 aborts on anything else before registration */

void hook_fields_register(int proto)
{
    static int *const subtrees[] = {&subtree};

    for (unsigned i = 0; i < CORR_FIELD_COUNT; i++) {
        const struct corr_field_info *info = &corr_field_infos[i];

        field_ids[i] = -1;
        field_rows[i] = (hf_register_info){
            &field_ids[i],
            {info->title, info->name, field_types[info->type].type, field_types[info->type].display,
             NULL, 0, info->meaning, HFILL},
        };
    }
    proto_register_field_array(proto, field_rows, CORR_FIELD_COUNT);
    for (unsigned i = 0; i < CORR_FIELD_COUNT; i++)
        field_infos[i] = proto_registrar_get_nth((unsigned)field_ids[i]);
    proto_register_subtree_array(subtrees, G_N_ELEMENTS(subtrees));
}

static proto_item *add_time(proto_tree *tree, int hf, tvbuff_t *tvb, int64_t ns)
{
    nstime_t time = NSTIME_INIT_SECS_NSECS(ns / NS_PER_S, (int)(ns % NS_PER_S));

    return proto_tree_add_time(tree, hf, tvb, 0, 0, &time);
}

/* None of them covers bytes of the frame: all are computed. */
static proto_item *add_value(const struct corr_value *value, tvbuff_t *tvb, proto_tree *tree)
{
    int hf = field_ids[value->field];
    uint32_t ipv4;
    ws_in6_addr ipv6;

    switch (corr_field_infos[value->field].type) {
    case CORR_TYPE_U32:
    case CORR_TYPE_U16:
    case CORR_TYPE_FRAME:
        return proto_tree_add_uint(tree, hf, tvb, 0, 0, value->u32);
    case CORR_TYPE_NS:
        return add_time(tree, hf, tvb, value->ns);
    case CORR_TYPE_STR:
        return proto_tree_add_string(tree, hf, tvb, 0, 0, value->str);
    case CORR_TYPE_TRUE:
        return proto_tree_add_boolean(tree, hf, tvb, 0, 0, 1);
    case CORR_TYPE_IPV4:
        memcpy(&ipv4, value->addr, sizeof(ipv4));
        return proto_tree_add_ipv4(tree, hf, tvb, 0, 0, ipv4);
    case CORR_TYPE_IPV6:
        memcpy(&ipv6, value->addr, sizeof(ipv6));
        return proto_tree_add_ipv6(tree, hf, tvb, 0, 0, &ipv6);
    }
    return NULL;
}

/*
 * proto_field_is_referenced() is also true of every protocol when a listener
 * wants the tree, as `-z io,phs` does; its list of protocols shall stay as it is.
 */
bool hook_field_is_wanted(int hf, proto_tree *tree)
{
    return tree && (PTREE_DATA(tree)->visible ||
                    proto_registrar_get_nth((unsigned)hf)->ref_type != HF_REF_TYPE_NONE);
}

uint64_t hook_fields_referenced(void)
{
    uint64_t referenced = 0;

    for (unsigned i = 0; i < CORR_FIELD_COUNT; i++)
        if (field_infos[i]->ref_type != HF_REF_TYPE_NONE)
            referenced |= CORR_WANT_FIELD(i);
    return referenced;
}

uint64_t hook_fields_wanted(int proto, proto_tree *tree)
{
    uint64_t wanted;

    /* A field that is referenced makes its protocol so. */
    if (!hook_field_is_wanted(proto, tree))
        return 0;
    if (PTREE_DATA(tree)->visible)
        return CORR_WANT_ALL;
    wanted = CORR_WANT(point) | CORR_WANT_SUMMARY; /* the protocol's own item, by filter "corr" */
    if (proto_registrar_get_nth((unsigned)proto)->ref_type != HF_REF_TYPE_DIRECT)
        wanted = CORR_WANT(point);
    return wanted | hook_fields_referenced();
}

/* The same addresses stand there as text: these two are for filters that compare networks. */
static bool is_hidden(enum corr_field field)
{
    return field == CORR_FIELD_nat_ip || field == CORR_FIELD_nat_ip6;
}

proto_item *hook_fields_add(const struct corr_view *view, int proto, tvbuff_t *tvb,
                            proto_tree *tree)
{
    proto_item *top;
    proto_tree *under;

    if (view->summary)
        top = proto_tree_add_protocol_format(tree, proto, tvb, 0, 0, "Correlation: %s",
                                             view->summary);
    else
        top = proto_tree_add_protocol_format(tree, proto, tvb, 0, 0, "Correlation");
    under = proto_item_add_subtree(top, subtree);

    for (unsigned i = 0; i < view->values->len; i++) {
        const struct corr_value *value = &g_array_index(view->values, struct corr_value, i);

        proto_item *item = add_value(value, tvb, under);

        proto_item_set_generated(item);
        if (is_hidden(value->field))
            proto_item_set_hidden(item);
    }
    return top;
}
