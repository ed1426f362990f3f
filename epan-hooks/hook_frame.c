/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_frame.c - the post-dissector: frame bytes to the engine, answers to the tree.
 *
 * A frame that Wireshark has not visited yet is given to the engine as raw
 * bytes; asking Wireshark for dissected fields would cost more than all the
 * rest.  No callback tells in every program that the last frame was read, so
 * the engine is settled when somebody looks at a visited frame (or when a tap
 * draws, see hook_tap.c); in a live capture as hook_live.h says.  Nothing but
 * observing is done unless somebody looks.
 */
#include "compat.h"
#include "hooks.h"

#include <stdio.h>
#include <string.h>

#include <epan/tap.h>
#include <wiretap/wtap.h>

#include "corr.h"
#include "hook_expert.h"
#include "hook_export.h"
#include "hook_fields.h"
#include "hook_live.h"
#include "hook_menu.h"
#include "hook_points.h"
#include "hook_prefs.h"
#include "hook_session.h"
#include "view.h"

#define NS_PER_S 1000000000

static int proto = -1;
static int tap;

/* What belongs to the open file; all NULL between files. */
static struct {
    struct corr_engine *engine;
    struct corr_view *view; /* used again for every frame */
    struct hook_points *points;
    struct hook_live live;
    uint64_t early; /* wanted fields of frames that were read for the first time */
    bool visited;   /* frames were looked at again */
    bool told;      /* a tap has said that one pass is not enough */
} session;

struct corr_engine *hook_session_engine(void)
{
    return session.engine;
}

void hook_session_settle(void)
{
    hook_live_settle(&session.live, session.engine);
}

static void session_free(void)
{
    hook_points_free(session.points);
    corr_view_free(session.view);
    corr_engine_free(session.engine);
    memset(&session, 0, sizeof(session));
}

/* Runs for every file, reload and redissection. */
static void session_new(void)
{
    struct corr_config config = {0};

    session_free();
    hook_prefs_config(&config);
    session.live.grace_ns = hook_prefs_grace_ns();
    session.engine = corr_engine_new(&config);
    session.view = corr_view_new();
    session.points = hook_points_new(session.engine);
    hook_export_begin(hook_prefs_export_point());
}

/*
 * tshark without -2 looks at each frame once, before anybody can know its fate: a field
 * that is asked for is silently absent.  Only the end of the file tells that no second
 * pass followed; in Wireshark one always does.
 */
static void session_tell(void)
{
    if (session.visited || session.told || session.live.is_live || !hook_live_is_tshark())
        return;
    for (unsigned i = 0; i < CORR_FIELD_COUNT; i++)
        if (session.early & CORR_WANT_FIELD(i)) {
            fprintf(stderr,
                    "corr: %s is known after the last frame only; in one pass it is absent. "
                    "Use tshark -2 -r FILE, with filters after -Y.\n",
                    corr_field_infos[i].name);
            return;
        }
}

/* Wireshark has read the file to its end, or the capture has ended. */
static void session_complete(void)
{
    hook_live_end(&session.live);
}

static void session_end(void)
{
    session_tell();
    hook_export_end();
    session_free();
}

static struct corr_frame frame_of(tvbuff_t *tvb, const packet_info *pinfo)
{
    /* Seconds beyond this do not fit into 64 bits of nanoseconds: years 1677 to 2262. */
    const int64_t max_s = INT64_MAX / NS_PER_S - 1;
    const nstime_t *time = &pinfo->abs_ts;
    const wtap_rec *rec = pinfo->rec;
    struct corr_frame frame = {
        .number = pinfo->num,
        .point = hook_points_get(session.points, pinfo),
        .link = hook_points_link(rec->rec_header.packet_header.pkt_encap),
        .wire_len = pinfo->fd->pkt_len,
        .cap_len = tvb_captured_length(tvb),
        .data = (const uint8_t *)"",
        .has_time = pinfo->fd->has_ts && time->secs >= -max_s && time->secs <= max_s,
    };
    uint64_t packet_id;

    if (frame.cap_len)
        frame.data = tvb_get_ptr(tvb, 0, (int)frame.cap_len);
    if (frame.has_time)
        frame.time_ns = (int64_t)time->secs * NS_PER_S + time->nsecs;
    if (rec->block && wtap_block_get_uint64_option_value(rec->block, OPT_PKT_PACKETID,
                                                         &packet_id) == WTAP_OPTTYPE_SUCCESS) {
        frame.packet_id = packet_id;
        frame.has_packet_id = true;
    }
    return frame;
}

static void observe(tvbuff_t *tvb, const packet_info *pinfo)
{
    struct corr_frame frame = frame_of(tvb, pinfo);

    if (frame.has_time)
        hook_live_came(&session.live, frame.time_ns, session.visited);
    corr_engine_observe(session.engine, &frame);
    /* A user who captures for hours should hear of it then, not in the end. */
    if (session.live.is_live && hook_live_is_tshark() &&
        corr_engine_full_at(session.engine) == frame.number)
        fprintf(stderr,
                "corr: the limit of memory is reached: packets from frame %u on are counted, but "
                "not compared (-o corr.memory:MB changes the limit).\n",
                frame.number);
}

/* A frame above the limit of memory has a capture point all the same. */
static void look_up(tvbuff_t *tvb, const packet_info *pinfo, uint64_t wanted)
{
    uint32_t full_at = corr_engine_full_at(session.engine);
    struct corr_frame frame;

    corr_engine_lookup(session.engine, pinfo->num, wanted, session.view);
    if (full_at == 0 || pinfo->num < full_at)
        return;
    frame = frame_of(tvb, pinfo);
    corr_view_add_word(session.view, CORR_FIELD_point,
                       corr_engine_point_name(session.engine, &frame));
}

static void queue_tap_record(packet_info *pinfo)
{
    struct hook_tap_record *record = wmem_new(pinfo->pool, struct hook_tap_record);

    record->abi = hook_tap_abi();
    record->frame = pinfo->num;
    record->engine = session.engine;
    record->live = &session.live;
    record->told = &session.told;
    tap_queue_packet(tap, pinfo, record);
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data G_GNUC_UNUSED)
{
    bool visited = PINFO_FD_VISITED(pinfo);
    uint64_t wanted = hook_fields_wanted(proto, tree);
    bool items = visited && hook_expert_is_referenced(tree); /* in the tree, to be found there */
    bool expert = items || (visited && hook_expert_has_listener());
    proto_item *item = NULL;

    if (!session.engine || !pinfo->rec || pinfo->rec->rec_type != REC_TYPE_PACKET)
        return 0;

    session.visited |= visited;
    if (!visited) {
        if (wanted & ~CORR_WANT(point))
            hook_live_learn(&session.live, session.engine);
        observe(tvb, pinfo);
        if (wanted)
            session.early |= hook_fields_referenced() & ~CORR_WANT(point);
    }

    if (items)
        wanted |= CORR_WANT(point); /* the item that they hang on */
    if (wanted || expert) {
        if (visited)
            hook_session_settle();
        look_up(tvb, pinfo, expert ? wanted | CORR_WANT_FINDINGS : wanted);
        if (wanted && session.view->values->len > 0)
            item = hook_fields_add(session.view, proto, tvb, tree);
        if (expert)
            hook_expert_add(session.view, pinfo, item);
    }
    if (hook_export_has_listener())
        hook_export_frame(session.engine, tvb, pinfo);
    if (have_tap_listener(tap))
        queue_tap_record(pinfo);
    return (int)tvb_captured_length(tvb);
}

void hook_frame_register(void)
{
    proto = proto_register_protocol("Packet Correlation", "CORR", HOOK_NAME);
    hook_fields_register(proto);
    hook_expert_register(proto);
    hook_prefs_register(proto);
    hook_menu_register(proto);
    tap = register_tap(HOOK_NAME);
    register_init_routine(session_new);
    register_postseq_cleanup_routine(session_complete);
    register_cleanup_routine(session_end);
}

void hook_frame_handoff(void)
{
    register_postdissector(create_dissector_handle(dissect, proto));
    hook_export_handoff();
}
