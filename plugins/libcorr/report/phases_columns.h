/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phases_columns.h - the columns of the table `phases`, for its builder and for its text. */
#ifndef CORR_PHASES_COLUMNS_H
#define CORR_PHASES_COLUMNS_H

#include "report/report-int.h"

/* clang-format off */
#define CORR_SHARE_COLUMNS(X)                                                                      \
    X(SHARE_FROM, "from",   NULL, TEXT, COLUMN, NULL, "Point nearer to the client")                \
    X(SHARE_TO,   "to",     NULL, TEXT, COLUMN, NULL, "Point nearer to the server")                \
    X(SHARE_TIME, "time_s", NULL, TIME, COLUMN, NULL, "Time spent between them, both ways")

#define CORR_SPLIT_COLUMNS(X)                                                                      \
    X(SPLIT_SEGMENTS, "segments", NULL, OBJECTS, COLUMN, corr_share_columns, "Between two points") \
    X(SPLIT_SERVER, "server_s", NULL, TIME, COLUMN, NULL,                                          \
      "At the server, and behind the last point")                                                  \
    X(SPLIT_PROXY, "proxy_s", NULL, TIME, COLUMN, NULL,                                            \
      "Of server_s: at a proxy, with the request and with the response")                           \
    X(SPLIT_UPSTREAM, "upstream_s", NULL, TIME, COLUMN, NULL,                                      \
      "Of server_s: the rest, that the proxy waited for")                                          \
    X(SPLIT_CLIENT, "client_s", NULL, TIME, COLUMN, NULL,                                          \
      "At the client, and before the first point")                                                 \
    X(SPLIT_MERGED, "merged", NULL, TRUE, COLUMN, NULL,                                            \
      "A point did not see all of it: the segments around it are taken as one")

#define CORR_EVENT_COLUMN(id, word, about)                                                         \
    {word, NULL, CORR_CELL_COUNT, about, NULL, CORR_PLACE_COLUMN},

#define CORR_STALL_COLUMNS(X)                                                                      \
    X(STALL_CAUSE,  "cause",       NULL, TEXT,  COLUMN, NULL,                                      \
      "application (nothing to send), receiver (no room), loss (repairing it), congestion "        \
      "(its window), delayed-ack, host")                                                           \
    X(STALL_TIME,   "time_s",      NULL, TIME,  COLUMN, NULL, "All of them together")              \
    X(STALL_N,      "stalls",      NULL, COUNT, COLUMN, NULL, "How many")                          \
    X(STALL_FRAME,  "frame",       NULL, FRAME, COLUMN, NULL, "Frame that ended the first one")    \
    X(STALL_AFTER,  "lost_after",  NULL, TEXT,  COLUMN, NULL, "Loss: between this point ...")      \
    X(STALL_BEFORE, "lost_before", NULL, TEXT,  COLUMN, NULL, "... and this one")

#define CORR_ROOM_COLUMNS(X)                                                                       \
    X(ROOM_MIN,     "min_bytes", NULL, COUNT, COLUMN, NULL, "The smallest")                        \
    X(ROOM_MAX,     "max_bytes", NULL, COUNT, COLUMN, NULL, "The largest")                         \
    X(ROOM_ZERO,    "zero_s",    NULL, TIME,  COLUMN, NULL, "How long it was closed")              \
    X(ROOM_LIMITED, "limited_s", NULL, TIME,  COLUMN, NULL,                                        \
      "How long it limited the sender: at least 90 % of it outstanding, for over a round trip")

#define CORR_PHASE_COLUMNS(X)                                                                      \
    X(PHASE_NAME,     "name",       NULL, TEXT,   COLUMN, NULL,                                    \
      "dns, connect, proxy, starttls, tls, request, server, download: corr.phase")                 \
    X(PHASE_FRAME,    "frame",      NULL, FRAME,  COLUMN, NULL,                                    \
      "Frame that begins it, at `point`")                                                          \
    X(PHASE_POINT,    "point",      NULL, TEXT,   COLUMN, NULL,                                    \
      "Where it was measured: the point nearest the client that saw it all")                       \
    X(PHASE_START,    "start_s",    NULL, TIME,   COLUMN, NULL,                                    \
      "Its begin, from the begin of the transaction")                                              \
    X(PHASE_DURATION, "duration_s", NULL, TIME,   COLUMN, NULL, "How long it took")                \
    X(PHASE_SHARE,    "share",      NULL, RATIO,  COLUMN, NULL, "Of the transaction's time")       \
    X(PHASE_RETRANS,  "retransmissions", NULL, COUNT, COLUMN, NULL,                                \
      "Transmissions of what had been sent before")                                                \
    X(PHASE_EVENTS,   "events",     NULL, OBJECT, COLUMN, corr_event_columns,                      \
      "TCP events of its connection while it lasted, at the point nearest their sender")           \
    X(PHASE_SHARED,   "shared",     NULL, TRUE,   COLUMN, NULL,                                    \
      "Other transactions were under way on the connection, too")                                  \
    X(PHASE_STALLS,   "stalls",     NULL, OBJECTS, COLUMN, corr_stall_columns,                     \
      "Why the sender of its data waited")                                                         \
    X(PHASE_ROOM,     "window",     NULL, OBJECT, COLUMN, corr_room_columns,                       \
      "Window of the receiver of its data, at the point nearest the sender")                       \
    X(PHASE_SPLIT,    "split",      NULL, OBJECT, COLUMN, corr_split_columns,                      \
      "Where the time went, exact without any clock: the sum is the duration")

#define CORR_PHASES_TABLE_COLUMNS(X)                                                               \
    X(NUMBER,  "transaction", "transaction", COUNT, COLUMN, NULL, "Its number: corr.transaction")  \
    X(KIND,    "kind",        "kind",        TEXT,  COLUMN, NULL,                                  \
      "http, https, h2, websocket, encrypted, tcp, quic; alone: dns, connect, tls")                \
    X(FLOW,    "flow",        "flow",        COUNT, COLUMN, NULL, "Conversation: corr.flow")       \
    X(FRAME,   "frame",       "frame",       FRAME, COLUMN, NULL, "Frame that begins it")          \
    X(CLIENT,  "client",      "client",      TEXT,  COLUMN, NULL,                                  \
      "Who asks, as the point nearest to it sees it")                                              \
    X(SERVER,  "server",      "server",      TEXT,  COLUMN, NULL, "Who answers, likewise")         \
    X(METHOD,  "method",      NULL,          TEXT,  COLUMN, NULL, "Method of the request")         \
    X(HOST,    "host",        "host",        TEXT,  COLUMN, NULL,                                  \
      "Name of the server: Host, TLS server name, or the name looked up")                          \
    X(PATH,    "path",        NULL,          TEXT,  COLUMN, NULL, "Target of the request")         \
    X(STATUS,  "status",      "status",      COUNT, COLUMN, NULL, "Status of the response")        \
    X(STREAM,  "stream",      NULL,          COUNT, COLUMN, NULL, "HTTP/2: number of the stream")  \
    X(TLS,     "tls",         NULL,          TEXT,  COLUMN, NULL, "Version of TLS")                \
    X(RESUMED, "tls_resumed", NULL,          TRUE,  COLUMN, NULL, "An earlier session goes on")    \
    X(EARLY,   "tls_early_data", NULL,       TRUE,  COLUMN, NULL,                                  \
      "The request went along with the handshake, which it overlaps")                              \
    X(RETRY,   "tls_retry",   NULL,          TRUE,  COLUMN, NULL,                                  \
      "The server asked for another hello: a turn more")                                           \
    X(GROUP,   "tls_retry_group", NULL,      COUNT, COLUMN, NULL,                                  \
      "Key exchange group that it asked for (IANA number)")                                        \
    X(FAST_OPEN, "fast_open", NULL,          TRUE,  COLUMN, NULL, "The SYN held data: RFC 7413")   \
    X(INTERIM, "waited_for_100", NULL,       TRUE,  COLUMN, NULL,                                  \
      "The request's body waited for 100 (Continue)")                                              \
    X(DNS_TRIES, "dns_retries", NULL,        COUNT, COLUMN, NULL, "Queries that were sent again")  \
    X(DNS_TCP, "dns_tcp",     NULL,          TRUE,  COLUMN, NULL,                                  \
      "The answer was too long for UDP, and asked for over TCP")                                   \
    X(DNS_CODE, "dns_code",   NULL,          COUNT, COLUMN, NULL,                                  \
      "Code of the answer, if it is an error (3: no such name)")                                   \
    X(BLOCKED, "blocked_by",  NULL,          COUNT, COLUMN, NULL,                                  \
      "Transaction of the same connection whose response had to go first")                         \
    X(BLOCKED_TIME, "blocked_s", NULL,       TIME,  COLUMN, NULL,                                  \
      "From the end of this request to the end of that response")                                  \
    X(DOWNSTREAM, "downstream", NULL,        COUNT, COLUMN, NULL,                                  \
      "Transaction for which a proxy made this one")                                               \
    X(UPSTREAM, "upstream",   NULL,          COUNT, COLUMN, NULL,                                  \
      "Transaction that a proxy made for this one")                                                \
    X(PROXY_HOW, "upstream_by", NULL,        TEXT,  COLUMN, NULL,                                  \
      "How that is known: proxy-header, tls-hello, request-id, byte-stream")                       \
    X(PROXY_SURE, "upstream_confidence", NULL, TEXT, COLUMN, NULL, "confirmed, possible")          \
    X(PROXY_TIME, "proxy_s",  NULL,          TIME,  COLUMN, NULL,                                  \
      "How long the proxy kept the request: its last byte in, the other one's first byte out")     \
    X(PROXY_ERROR, "proxy_error_s", NULL,    TIME,  COLUMN, NULL,                                  \
      "Half-width of its bound; 0: one clock measured both")                                       \
    X(TOTAL,   "total_s",     "total",       TIME,  COLUMN, NULL,                                  \
      "Begin of its first phase to end of its last one")                                           \
    X(PHASES,  "phases",      NULL,          OBJECTS, COLUMN, corr_phase_columns,                  \
      "Its phases, in order; one that cannot be known is absent")                                  \
    X(NOTE,    "note",        NULL,          TEXT,  COLUMN, NULL, "What is missing")
/* clang-format on */

enum { CORR_SHARE_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_SPLIT_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_STALL_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_ROOM_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_PHASE_COLUMNS(CORR_COLUMN_ENUM) };
enum { CORR_PHASES_TABLE_COLUMNS(CORR_COLUMN_ENUM) };

/* phases_text.c: the table as text, a waterfall for each transaction. */
void corr_phases_text(const struct corr_report_table *built, GString *out);

#endif /* CORR_PHASES_COLUMNS_H */
