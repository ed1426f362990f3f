/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_export.c - one copy of each packet, by Wireshark's own export.
 *
 * Which frames are kept is known after the last one only, so they are handed
 * out when they are visited again: in the second pass, or when Wireshark taps.
 */
#include "compat.h"
#include "hook_export.h"

#include <stdio.h>

#include <epan/exported_pdu.h>
#include <epan/tap.h>
#include <wiretap/wtap.h>

#include "corr.h"
#include "report/one_copy.h"

#define NAME "CORR one copy per packet"

/* One export per row; frames of any of the encapsulations go there (0: unused). */
/* clang-format off */
static struct {
    const char *name;
    int encaps[3]; /* the first one is the export's */
    int tap;
    uint64_t left; /* kept frames of this link type that nobody exported */
} exports[] = {
    {NAME,                      {WTAP_ENCAP_ETHERNET}, 0, 0},
    {NAME " (raw IP)",          {WTAP_ENCAP_RAW_IP, WTAP_ENCAP_RAW_IP4, WTAP_ENCAP_RAW_IP6}, 0, 0},
    {NAME " (Linux cooked)",    {WTAP_ENCAP_SLL}, 0, 0},
    {NAME " (Linux cooked v2)", {WTAP_ENCAP_SLL2}, 0, 0},
    {NAME " (loopback)",        {WTAP_ENCAP_NULL, WTAP_ENCAP_LOOP}, 0, 0},
    {NAME " (PPP)",             {WTAP_ENCAP_PPP}, 0, 0},
    {NAME " (802.11)",          {WTAP_ENCAP_IEEE_802_11}, 0, 0},
    {NAME " (radiotap)",        {WTAP_ENCAP_IEEE_802_11_RADIOTAP}, 0, 0},
    {NAME " (NFLOG)",           {WTAP_ENCAP_NFLOG}, 0, 0},
};
/* clang-format on */

/*
 * All link types in one file, which only Wireshark reads: each packet names its link type.  This
 * one is listed by File > Export PDUs, those above by File > Strip Headers.
 */
#define NAME_FOR_WIRESHARK NAME " (all link types, for Wireshark)"

static int tap_for_wireshark;

static struct {
    struct corr_frame_set *kept; /* NULL: not chosen yet */
    uint32_t frames;             /* of the engine when it was chosen */
    char *point;
    bool early;     /* somebody exports, but the frames are seen for the first time */
    uint64_t other; /* kept frames of a link type without an export */
} session;

void hook_export_handoff(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(exports); i++)
        exports[i].tap = register_export_pdu_tap_with_encap(exports[i].name, exports[i].encaps[0]);
    tap_for_wireshark = register_export_pdu_tap(NAME_FOR_WIRESHARK);
}

void hook_export_begin(const char *point)
{
    g_clear_pointer(&session.kept, corr_frame_set_free);
    g_free(session.point);
    session.point = g_strdup(point);
    session.early = false;
    session.other = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(exports); i++)
        exports[i].left = 0;
}

bool hook_export_has_listener(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(exports); i++)
        if (have_tap_listener(exports[i].tap))
            return true;
    return have_tap_listener(tap_for_wireshark);
}

static bool takes(unsigned row, int encap)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(exports[row].encaps) && exports[row].encaps[i]; i++)
        if (exports[row].encaps[i] == encap)
            return true;
    return false;
}

static void choose(struct corr_engine *engine)
{
    if (session.kept && session.frames == corr_engine_frame_count(engine))
        return;
    corr_engine_settle(engine);
    corr_frame_set_free(session.kept);
    session.kept = corr_one_copy_new(corr_engine_result(engine), session.point);
    session.frames = corr_engine_frame_count(engine);
}

static void queue(int tap, exp_pdu_data_t *pdu, tvbuff_t *tvb, packet_info *pinfo)
{
    pdu->tvb_captured_length = tvb_captured_length(tvb);
    pdu->tvb_reported_length = tvb_reported_length(tvb);
    pdu->pdu_tvb = tvb;
    tap_queue_packet(tap, pinfo, pdu);
}

/* The dissector that reads it again is found in Wireshark's table of link types. */
static exp_pdu_data_t *new_tagged(packet_info *pinfo, int encap)
{
    exp_pdu_data_item_t number = {exp_pdu_data_dissector_table_num_value_size,
                                  exp_pdu_data_dissector_table_num_value_populate_data,
                                  GINT_TO_POINTER(encap)};
    const exp_pdu_data_item_t *items[] = {&number, NULL};

    return export_pdu_create_tags(pinfo, "wtap_encap", EXP_PDU_TAG_DISSECTOR_TABLE_NAME, items);
}

void hook_export_frame(struct corr_engine *engine, tvbuff_t *tvb, packet_info *pinfo)
{
    int encap = pinfo->rec->rec_header.packet_header.pkt_encap;

    session.early = !PINFO_FD_VISITED(pinfo);
    if (session.early)
        return;
    choose(engine);
    if (!corr_frame_set_has(session.kept, pinfo->num))
        return;
    if (have_tap_listener(tap_for_wireshark)) {
        queue(tap_for_wireshark, new_tagged(pinfo, encap), tvb, pinfo);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(exports); i++) {
        if (!takes(i, encap))
            continue;
        if (have_tap_listener(exports[i].tap))
            queue(exports[i].tap, wmem_new0(pinfo->pool, exp_pdu_data_t), tvb, pinfo);
        else
            exports[i].left++;
        return;
    }
    session.other++;
}

void hook_export_end(void)
{
    if (session.early)
        fprintf(stderr, "corr: nothing was exported: which frames to keep is known after the last "
                        "one only. Use tshark -2.\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(exports); i++)
        if (exports[i].left)
            fprintf(stderr,
                    "corr: %" G_GUINT64_FORMAT " more packets have another link type and are in "
                    "the export \"%s\".\n",
                    exports[i].left, exports[i].name);
    if (session.other)
        fprintf(stderr,
                "corr: %" G_GUINT64_FORMAT " more packets have a link type without an export.\n",
                session.other);
    hook_export_begin(NULL);
}
