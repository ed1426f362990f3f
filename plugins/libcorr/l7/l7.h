/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * l7.h - the few bytes of application protocols that mark where a phase begins
 * or ends: read from the payload while a frame is at hand, kept as marks.
 *
 * Why not Wireshark's dissectors: in a merged file they see a stream once per
 * pair of addresses, with the copies as retransmissions, and asking them for
 * fields costs more than all the rest of the engine.  What a phase needs is
 * little: TLS record headers and handshake types (RFC 8446, RFC 5246), HTTP
 * start lines and framing (RFC 9112), HTTP/2 frame headers (RFC 9113), DNS
 * headers (RFC 1035), QUIC long headers (RFC 9000), the PROXY header.
 *
 * Each local flow is read by itself, in the order of its sequence numbers.
 * Readers know the length of what they read and skip most of it unseen; so
 * they cost little, and lost, repeated or cut bytes do no harm unless a header
 * stands in them.  Then the reader finds the next header by itself, or says
 * nothing: a mark that is there is right, a missing one means "unknown".
 *
 * A mark speaks of bytes, not of times: the times at which they passed each
 * capture point are found later, from the observations (layers/passing.h).
 */
#ifndef CORR_L7_H
#define CORR_L7_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/parse.h"

/* Kinds of marks; the columns: id, word in dumps. */
/* clang-format off */
#define CORR_MARKS(X)                                                                              \
    X(HTTP_REQUEST,  "http-request")  /* value: bytes of the head; text: method, target, host */   \
    X(HTTP_RESPONSE, "http-response") /* value: status                                        */   \
    X(H2_HEADERS,    "h2-headers")    /* id: stream; value: status, 0 if not known; text: method */\
    X(H2_DATA,       "h2-data")       /* id: stream                                           */   \
    X(H2_RESET,      "h2-reset")      /* id: stream; value: error code                        */   \
    X(TLS_CLIENT,    "tls-client-hello")  /* value: highest version offered; text: server name */  \
    X(TLS_SERVER,    "tls-server-hello")  /* value: version; id: group that a retry asks for  */   \
    X(TLS_HANDSHAKE, "tls-handshake") /* value: bit n set: holds a message of type n          */   \
    X(TLS_CCS,       "tls-ccs")       /* change cipher spec                                   */   \
    X(TLS_DATA,      "tls-data")      /* id: length of the first record; value: records       */   \
    X(TLS_ALERT,     "tls-alert")                                                                  \
    X(DNS,           "dns")           /* id; value: type, code << 16; text: name              */   \
    X(PROXY,         "proxy-header")                                                               \
    X(QUIC,          "quic")          /* value: bit n set: holds a packet of type n; id: version */
/* clang-format on */
enum corr_mark_kind {
#define CORR_ROW(id, word) CORR_MARK_##id,
    CORR_MARKS(CORR_ROW)
#undef CORR_ROW
        CORR_MARK_COUNT
};
const char *corr_mark_word(enum corr_mark_kind kind);

enum corr_mark_flag {
    CORR_MARK_OPEN = 1 << 0, /* `end` is as far as it could be read: the message may go on */

    CORR_MARK_EXPECT = 1 << 1,  /* HTTP: waits for 100 (Continue) */
    CORR_MARK_UPGRADE = 1 << 2, /* asks for, or grants (101), another protocol */
    CORR_MARK_WEBSOCKET = 1 << 3,
    CORR_MARK_CLOSE = 1 << 4,  /* the response ends where the connection ends */
    CORR_MARK_TUNNEL = 1 << 5, /* response that makes the connection a tunnel: CONNECT */

    CORR_MARK_END = 1 << 1, /* HTTP/2: END_STREAM */

    CORR_MARK_PSK = 1 << 1,      /* hello: offers, or accepts, a pre-shared key (RFC 8446) */
    CORR_MARK_EARLY = 1 << 2,    /* client hello: early data */
    CORR_MARK_H2 = 1 << 3,       /* ALPN: offers (client) or chose (server) h2 */
    CORR_MARK_H1 = 1 << 4,       /* ALPN: http/1.1 */
    CORR_MARK_RETRY = 1 << 5,    /* server hello: HelloRetryRequest */
    CORR_MARK_RESUMED = 1 << 6,  /* server hello before TLS 1.3: the client's session goes on */
    CORR_MARK_CIPHERED = 1 << 7, /* handshake record after change cipher spec: Finished */
    CORR_MARK_WHOLE = 1 << 8,    /* hello: all of it was read */

    CORR_MARK_ANSWER = 1 << 1,    /* DNS */
    CORR_MARK_TRUNCATED = 1 << 2, /* DNS: ask again over TCP */
};

/*
 * A mark.  `begin` and `end` count bytes from the first payload byte of
 * observation `obs`, which is the one in which the mark was made; its first
 * byte may lie far before.  For datagrams: 0 and the length.
 */
struct corr_mark {
    int64_t begin, end;
    uint32_t obs;
    uint32_t text; /* for corr_l7_text(); 0: none */
    uint32_t id, value;
    uint16_t flags;
    uint8_t kind;
    uint8_t dir; /* of the local flow */
};

/* An address that a DNS answer gives. */
struct corr_l7_answer {
    uint32_t obs; /* of the mark */
    struct corr_addr addr;
};

struct corr_l7;

struct corr_l7 *corr_l7_new(void);
void corr_l7_free(struct corr_l7 *l7);

/*
 * Reads one packet, that will be observation `obs` of local flow `conv`.
 * `obs` ascends.  Other packets than TCP and UDP are no concern.
 */
void corr_l7_read(struct corr_l7 *l7, uint32_t conv, uint8_t dir, uint32_t obs,
                  const struct corr_parsed *packet);

/*
 * Observations from `obs` on do not count.  Their marks go; what was read of
 * their streams stays read.
 */
void corr_l7_take_back(struct corr_l7 *l7, uint32_t obs);

/* No packet will follow, for now: what waited for lost bytes is read without them. */
void corr_l7_finish(struct corr_l7 *l7);

/* Memory that it holds. */
uint64_t corr_l7_bytes(const struct corr_l7 *l7);

/* struct corr_mark and struct corr_l7_answer, both in the order in which they were read. */
const GArray *corr_l7_marks(const struct corr_l7 *l7);
const GArray *corr_l7_answers(const struct corr_l7 *l7);

/* A mark's text: lines, of which `line` (from 0) is copied; NULL if there is none.  g_free(). */
char *corr_l7_text(const struct corr_l7 *l7, const struct corr_mark *mark, unsigned line);

#endif /* CORR_L7_H */
