/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view.h - everything that can be said about one frame, as a list of values.
 *
 * Every corr.* field is one row of CORR_FIELDS, and nothing else: the row
 * makes the display-filter field that the epan plug-in registers and the line
 * of the README's table.  To add a field, add a row here and one
 * corr_view_add_*() call in view_fill.c, where the value is known.
 *
 * Columns: id, type, filter name, title in the packet details, meaning.
 * Types:   U32, U16   number
 *          FRAME      number of another frame of the file, clickable
 *          NS         nanoseconds (a relative time in Wireshark)
 *          STR        UTF-8 text
 *          TRUE       boolean that is only ever true; absent otherwise
 *          IPV4, IPV6 address
 * A field may have several values: they are in the order of being added.
 *
 * Making all values of a frame costs microseconds, most of it for texts.  Who
 * wants one field only says so, by a mask of CORR_WANT() bits: the others are
 * then neither made nor added.
 */
#ifndef CORR_VIEW_H
#define CORR_VIEW_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define CORR_FIELDS(X)                                                                             \
    X(point,         STR,   "corr.point",               "Capture point",                           \
      "Name of the capture point of this frame")                                                   \
    X(match_id,      U32,   "corr.match_id",            "Packet",                                  \
      "Number of the packet; the same on every frame that shows it")                               \
    X(match_count,   U32,   "corr.match_count",         "Sightings",                               \
      "Frames that show this packet (the first one, if the frame holds several)")                  \
    X(method,        STR,   "corr.method",              "Matched by",                              \
      "What tied the sightings together: exact, translated, range, aligned, packet-id")            \
    X(why,           STR,   "corr.why",                 "Why",                                     \
      "How the match was found, or why there is none")                                             \
    X(quotes,        U32,   "corr.quotes",              "Quotes packet",                           \
      "Number of the packet that this ICMP error quotes")                                          \
    X(ambiguous,     TRUE,  "corr.ambiguous",           "Ambiguous",                               \
      "Candidates exist, but nobody could tell which one is this packet")                          \
    X(hop,           U32,   "corr.hop",                 "Hop",                                     \
      "Position of this sighting on the packet's way, from 1")                                     \
    X(path,          STR,   "corr.path",                "Path",                                    \
      "The capture points that the packet passed, in order")                                       \
    X(first_frame,   FRAME, "corr.first_frame",         "First sighting",                          \
      "The frame that shows this packet at its first capture point")                               \
    X(prev_frame,    FRAME, "corr.prev_frame",          "Previous sighting",                       \
      "The frame that shows this packet at the capture point before this one")                     \
    X(next_frame,    FRAME, "corr.next_frame",          "Next sighting",                           \
      "The frame that shows this packet at the capture point after this one")                      \
    X(last_frame,    FRAME, "corr.last_frame",          "Last sighting",                           \
      "The frame that shows this packet at its last capture point")                                \
    X(hop_latency,   NS,    "corr.hop_latency",         "Latency since previous point",            \
      "Time from the previous capture point, clocks corrected; last byte to last byte")            \
    X(hop_latency_error, NS, "corr.hop_latency.error",  "Latency bound (+-)",                      \
      "Half-width of the bound: the true latency lies within plus or minus this")                  \
    X(path_latency,  NS,    "corr.path_latency",        "Latency since first point",               \
      "Time since the first capture point, clocks corrected")                                      \
    X(flow,          U32,   "corr.flow",                "Flow",                                    \
      "Number of the conversation: both directions, all points, all translations")                 \
    X(nat,           STR,   "corr.nat",                 "Translation",                             \
      "How addresses or ports differ from the packet's first sighting")                            \
    X(nat_src,       STR,   "corr.nat.src",             "Source elsewhere",                        \
      "Source address on the other side of a translation")                                         \
    X(nat_dst,       STR,   "corr.nat.dst",             "Destination elsewhere",                   \
      "Destination address on the other side of a translation")                                    \
    X(nat_src_port,  U16,   "corr.nat.src_port",        "Source port elsewhere",                   \
      "Source port on the other side of a translation")                                            \
    X(nat_dst_port,  U16,   "corr.nat.dst_port",        "Destination port elsewhere",              \
      "Destination port on the other side of a translation")                                       \
    X(nat_ip,        IPV4,  "corr.nat.ip",              "IPv4 address elsewhere",                  \
      "IPv4 address on the other side of a translation")                                           \
    X(nat_ip6,       IPV6,  "corr.nat.ip6",             "IPv6 address elsewhere",                  \
      "IPv6 address on the other side of a translation")                                           \
    X(change,        STR,   "corr.change",              "Changed on the way here",                 \
      "What the segment before this point changed in the packet")                                  \
    X(originated,    STR,   "corr.originated",          "Originated",                              \
      "Between which points the packet was made: no earlier point of its flow's way shows it")     \
    X(dropped,       TRUE,  "corr.dropped",             "Dropped",                                 \
      "The packet was lost after this sighting")                                                   \
    X(undetermined,  STR,   "corr.undetermined",        "Fate unknown",                            \
      "Why nobody can know what became of the packet after this sighting")                         \
    X(drop_after,    STR,   "corr.drop.after",          "Dropped after",                           \
      "The last capture point that saw the lost packet")                                           \
    X(drop_before,   STR,   "corr.drop.before",         "Dropped before",                          \
      "The capture point that should have seen the lost packet next")                              \
    X(drop_match_id, U32,   "corr.drop.match_id",       "Dropped packet",                          \
      "Which packets of this frame were lost")                                                     \
    X(drop_verdict,  STR,   "corr.drop.verdict",        "Verdict",                                 \
      "How sure the loss is: confirmed, probable, or blocked (nothing of the flow passes)")        \
    X(drop_cause,    STR,   "corr.drop.cause",          "Cause",                                   \
      "Why it was lost, if known: policy, mtu, ttl, queue, policer, corruption")                   \
    X(drop_evidence, FRAME, "corr.drop.evidence",       "Proof",                                   \
      "A frame that proves the loss")                                                              \
    X(missed,        STR,   "corr.missed",              "Missed by capture at",                    \
      "A capture point that the packet passed unseen: capture loss, not network loss")             \
    X(fate,          STR,   "corr.fate",                "Fate",                                    \
      "What became of the packet, unless it arrived: lost, unknown, missed, pending")           \
    X(duplicate,     TRUE,  "corr.duplicate",           "Duplicate",                               \
      "Second or later copy of the packet at this capture point")                                  \
    X(tcp_retransmission, TRUE, "corr.tcp.retransmission", "TCP retransmission",                   \
      "Its bytes were sent before, whether or not the first ones came here")                       \
    X(tcp_fast_retransmission, TRUE, "corr.tcp.fast_retransmission", "TCP fast retransmission",    \
      "Sent again because acknowledgements told that it was missing")                              \
    X(tcp_spurious_retransmission, TRUE, "corr.tcp.spurious_retransmission",                       \
      "TCP spurious retransmission", "Sent again although the receiver had it")                    \
    X(tcp_out_of_order, TRUE, "corr.tcp.out_of_order",     "TCP out of order",                     \
      "Overtaken by later segments of its flow, and not sent again")                               \
    X(tcp_duplicate_ack, TRUE, "corr.tcp.duplicate_ack",   "TCP duplicate ACK",                    \
      "Repeats the acknowledgement and the window before it")                                      \
    X(tcp_zero_window, TRUE, "corr.tcp.zero_window",       "TCP zero window",                      \
      "Its sender has no room for more data")                                                      \
    X(tcp_window_full, TRUE, "corr.tcp.window_full",       "TCP window full",                      \
      "Fills all the room that the receiver has announced")                                        \
    X(tcp_keep_alive, TRUE, "corr.tcp.keep_alive",         "TCP keep-alive",                       \
      "Asks whether the peer is still there")                                                      \
    X(tcp_lost_segment, TRUE, "corr.tcp.lost_segment",     "TCP previous segment not seen",        \
      "Segments before it had not passed this capture point")                                      \
    X(tcp_ack_lost_segment, TRUE, "corr.tcp.ack_lost_segment", "TCP ACK of unseen segment",        \
      "Acknowledges what had not passed this capture point")                                       \
    X(tcp_original,  FRAME, "corr.tcp.original",        "Earlier transmission",                    \
      "The frame of this capture point with the same bytes before this one")                       \
    X(tcp_lost_between, STR, "corr.tcp.lost_between",   "Earlier one lost between",                \
      "The capture points between which the earlier transmission was lost")                        \
    X(phase,         STR,   "corr.phase",               "Phase",                                   \
      "Phase of a transaction: dns, connect, proxy, starttls, tls, request, server, download")     \
    X(transaction,   U32,   "corr.transaction",         "Transaction",                             \
      "Number of the transaction, in -z corr,phases")

enum corr_field {
#define CORR_ROW(id, type, name, title, meaning) CORR_FIELD_##id,
    CORR_FIELDS(CORR_ROW)
#undef CORR_ROW
    CORR_FIELD_COUNT
};

enum corr_field_type {
    CORR_TYPE_U32, CORR_TYPE_U16, CORR_TYPE_FRAME, CORR_TYPE_NS,
    CORR_TYPE_STR, CORR_TYPE_TRUE, CORR_TYPE_IPV4, CORR_TYPE_IPV6,
};
/* clang-format on */

struct corr_field_info {
    enum corr_field_type type;
    const char *name, *title, *meaning;
};

/* CORR_FIELD_COUNT rows, indexed by enum corr_field. */
extern const struct corr_field_info corr_field_infos[];

/* One value.  `str` lives until the view is filled again or freed. */
struct corr_value {
    enum corr_field field;
    union {
        uint32_t u32;     /* U32, U16, FRAME; 1 for TRUE */
        int64_t ns;       /* NS */
        const char *str;  /* STR */
        uint8_t addr[16]; /* IPV4 (first four), IPV6; network byte order */
    };
};

/* What corr_engine_lookup() is to make: a bit per field, and two for what is no field. */
#define CORR_WANT(id) (UINT64_C(1) << CORR_FIELD_##id)
#define CORR_WANT_FIELD(field) (UINT64_C(1) << (field))
#define CORR_WANT_SUMMARY (UINT64_C(1) << 62)
#define CORR_WANT_FINDINGS (UINT64_C(1) << 63)
#define CORR_WANT_ALL UINT64_MAX
_Static_assert(CORR_FIELD_COUNT <= 62, "a field's bit is taken by CORR_WANT_SUMMARY");

/*
 * What is worth a look, as expert information.  Columns: id, severity, group,
 * filter name, text.  Severities and groups are Wireshark's: SEQUENCE is what it
 * gives to TCP's losses, ASSUMPTION to what limits the analysis.
 */
/* clang-format off */
#define CORR_FINDINGS(X)                                                                           \
    X(lost,           WARN, SEQUENCE,   "corr.expert.lost",                                        \
      "Packet lost (confirmed)")                                                                   \
    X(lost_probably,  WARN, SEQUENCE,   "corr.expert.lost_probably",                               \
      "Packet lost (probable)")                                                                    \
    X(blocked,        WARN, SEQUENCE,   "corr.expert.blocked",                                     \
      "Packet lost (blocked: nothing of its flow passes)")                                         \
    X(missed,         NOTE, SEQUENCE,   "corr.expert.missed",                                      \
      "Packet missed by the capture at a point that it passed")                                    \
    X(originated,     NOTE, SEQUENCE,   "corr.expert.originated",                                  \
      "Packet made on the way: no earlier point shows it")                                         \
    X(retransmission, NOTE, SEQUENCE,   "corr.expert.retransmission",                              \
      "Retransmission of a segment that was lost in sight")                                        \
    X(ambiguous,      NOTE, ASSUMPTION, "corr.expert.ambiguous",                                   \
      "Equal packets: nobody could tell which of them this frame shows")                           \
    X(finding,        WARN, SEQUENCE,   "corr.expert.finding",                                     \
      "Finding: something is wrong")                                                               \
    X(insight,        NOTE, SEQUENCE,   "corr.expert.insight",                                     \
      "Finding: worth knowing")                                                                    \
    X(care,           NOTE, ASSUMPTION, "corr.expert.care",                                        \
      "Capture point to be used with care")                                                        \
    X(distrust,       WARN, ASSUMPTION, "corr.expert.distrust",                                    \
      "Capture point not trustworthy")                                                             \
    X(collapsed,      WARN, ASSUMPTION, "corr.expert.collapsed",                                   \
      "Several interfaces were merged into one")                                                   \
    X(limit,          WARN, UNDECODED,  "corr.expert.limit",                                       \
      "Limit of memory reached: later packets are not compared")
/* clang-format on */

enum corr_finding_kind {
#define CORR_ROW(id, severity, group, name, text) CORR_FINDING_##id,
    CORR_FINDINGS(CORR_ROW)
#undef CORR_ROW
    CORR_FINDING_COUNT
};

/* `sentence` says it of this frame; NULL: there is no more to say than the text of its kind. */
struct corr_finding {
    enum corr_finding_kind kind;
    const char *sentence;
};

/*
 * The values of one frame, in the order of the list, and its findings.
 * `summary` is the sentence at the top of the packet details, or NULL.
 */
struct corr_view {
    GArray *values;   /* struct corr_value */
    GArray *findings; /* struct corr_finding */
    const char *summary;
    uint64_t wanted; /* of the last lookup */

    /* For the filler: memory that is used again for the next frame. */
    GStringChunk *strings;
    GString *text, *sentence;
    GArray *sightings;
};

struct corr_view *corr_view_new(void);
void corr_view_clear(struct corr_view *view);
void corr_view_free(struct corr_view *view);

/*
 * Append a value, if it is wanted.  The text is copied; a word is not, and must
 * outlive the view's contents.
 */
void corr_view_add_number(struct corr_view *view, enum corr_field field, uint32_t number);
void corr_view_add_ns(struct corr_view *view, enum corr_field field, int64_t ns);
void corr_view_add_text(struct corr_view *view, enum corr_field field, const char *text);
void corr_view_add_word(struct corr_view *view, enum corr_field field, const char *word);
void corr_view_add_addr(struct corr_view *view, enum corr_field field, const uint8_t *bytes,
                        unsigned len);

/* Appends a finding, if they are wanted.  `sentence` is copied; or NULL. */
void corr_view_add_finding(struct corr_view *view, enum corr_finding_kind kind,
                           const char *sentence);

/* Whether one of the bits in `mask` was asked for. */
static inline bool corr_view_wants(const struct corr_view *view, uint64_t mask)
{
    return (view->wanted & mask) != 0;
}

#endif /* CORR_VIEW_H */
