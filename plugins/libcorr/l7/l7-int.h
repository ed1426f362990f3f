/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * l7-int.h - what the readers share.
 *
 * stream.c puts the bytes of a local flow in order and hands them to the
 * reader of its protocol.  A reader is a step function: it is given the bytes
 * at the stream's position and returns how many it took, at least one.  It may
 * set `skip`: so many bytes pass without being looked at.  When they have
 * passed, `skipped` is called; when bytes that it had to see are missing,
 * `lost` is.
 */
#ifndef CORR_L7_INT_H
#define CORR_L7_INT_H

#include "l7/l7.h"

enum corr_l7_protocol {
    CORR_L7_DETECT, /* the first bytes of a message decide */
    CORR_L7_OTHER,  /* unknown: each segment that begins like a known protocol is tried */
    CORR_L7_HTTP,
    CORR_L7_HTTP2,
    CORR_L7_TLS,
    CORR_L7_DNS,
    CORR_L7_PROXY,
};

/* What an HTTP reader has found in the head of the message that it reads. */
struct corr_l7_http {
    uint64_t length; /* Content-Length; valid if has_length */
    uint32_t status; /* 0: a request */
    uint32_t head;   /* bytes of the head so far */
    bool has_length, chunked, close;
    uint16_t flags; /* of the mark */
    GString *text;  /* of the mark; NULL outside of heads */
};

struct corr_l7_tls {
    uint32_t left;      /* bytes of the record that were not read yet */
    uint32_t wanted;    /* bytes of the handshake message that are still to come */
    uint8_t type;       /* of the handshake message */
    bool ciphered;      /* change cipher spec was sent */
    bool check;         /* the header was guessed: the next one must confirm it */
    bool blind;         /* handshake messages cannot be followed any more */
    uint32_t hello;     /* mark + 1 of the hello that is being read */
    uint32_t data;      /* mark + 1 of the data records that may still grow ... */
    uint32_t data_turn; /* ... in this turn, */
    uint32_t data_n;    /* which has so many marks */
};

/* Bytes that came too early. */
struct corr_l7_late {
    int64_t at;
    int64_t start;          /* of the segment that they came in */
    uint32_t obs, len, cap; /* len bytes were sent, cap of them were captured */
    uint8_t *data;
};

/* One direction of a local flow. */
struct corr_l7_stream {
    int64_t at;       /* stream position that is read next */
    uint32_t seq;     /* its sequence number */
    uint64_t skip;    /* bytes that need not be looked at */
    bool begun;       /* `at` and `seq` are valid */
    bool from_start;  /* the SYN was seen */
    uint8_t protocol; /* enum corr_l7_protocol */
    uint8_t state;    /* the reader's own */
    bool known;       /* a protocol was recognised before */
    GByteArray *buf;  /* bytes of a header or line so far; NULL if none */
    int64_t begin;    /* position at which the message began */
    uint32_t mark;    /* mark + 1 of the message; 0: none yet */
    struct corr_l7_http http;
    struct corr_l7_tls tls;
    uint32_t body; /* DNS: bytes of the message; HTTP/2: of the frame */
    GArray *late;  /* struct corr_l7_late, by position; NULL if none */
    uint32_t late_bytes;
};

#define CORR_L7_ASKED 64 /* requests that wait for their response, at most */

/* A local flow. */
struct corr_l7_pair {
    struct corr_l7_stream stream[2];
    bool dns;                     /* by its port */
    uint8_t last_dir;             /* who sent data last ... */
    uint32_t turn;                /* ... and how often that changed */
    uint8_t asked[CORR_L7_ASKED]; /* what the requests were that wait: enum corr_l7_asked */
    uint32_t asked_first, asked_n;
    bool retry;          /* TLS: a HelloRetryRequest was sent */
    uint8_t session_len; /* TLS: session id of the client hello */
    uint8_t session[32];
};

enum corr_l7_asked { CORR_L7_ASKED_BODY, CORR_L7_ASKED_HEAD, CORR_L7_ASKED_CONNECT };

/* What a step works with. */
struct corr_l7_reader {
    struct corr_l7 *l7;
    struct corr_l7_pair *pair;
    struct corr_l7_stream *s;
    uint8_t dir;
    uint32_t obs;   /* for which marks are made, */
    int64_t obs_at; /* and the position of its first byte */
    int64_t start;  /* where the segment began whose bytes are read */
};
#define CORR_L7_NO_OBS UINT32_MAX

/* stream.c: marks from positions; change one later; give it a text. */
struct corr_mark *corr_l7_mark(struct corr_l7_reader *r, enum corr_mark_kind kind, int64_t begin,
                               int64_t end);
struct corr_mark *corr_l7_mark_get(const struct corr_l7_reader *r, uint32_t mark_plus_1);
uint32_t corr_l7_mark_last(const struct corr_l7_reader *r); /* the last one made, + 1 */
/* Makes it once more, from s->begin to `end`, not open any more: of equal ones the longest counts.
 */
void corr_l7_mark_again(struct corr_l7_reader *r, uint32_t mark_plus_1, int64_t end);
void corr_l7_mark_text(struct corr_l7_reader *r, struct corr_mark *mark, const char *text,
                       size_t len);
void corr_l7_answer(struct corr_l7_reader *r, const struct corr_addr *addr);

/*
 * Gathers bytes in s->buf until it has `want`; returns how many it took.
 * corr_l7_have() tells whether that is all.
 */
uint32_t corr_l7_gather(struct corr_l7_stream *s, const uint8_t *d, uint32_t n, uint32_t want);
static inline bool corr_l7_have(const struct corr_l7_stream *s, uint32_t want)
{
    return s->buf != NULL && s->buf->len >= want;
}
void corr_l7_forget(struct corr_l7_stream *s); /* empties s->buf */

/* From the next byte on, the stream is of this protocol. */
void corr_l7_switch(struct corr_l7_stream *s, enum corr_l7_protocol protocol);

/* The readers: step, after a skip, after a loss.  See above. */
uint32_t corr_l7_http_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);
void corr_l7_http_skipped(struct corr_l7_reader *r);
void corr_l7_http_lost(struct corr_l7_reader *r);
uint32_t corr_l7_http2_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);
void corr_l7_http2_lost(struct corr_l7_reader *r);
uint32_t corr_l7_tls_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);
void corr_l7_tls_lost(struct corr_l7_reader *r, uint64_t bytes);
uint32_t corr_l7_dns_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);
uint32_t corr_l7_proxy_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);

/* detect.c: which protocol begins with these bytes?  `more`: too few to tell. */
enum corr_l7_protocol corr_l7_detect(const struct corr_l7_reader *r, const uint8_t *d, uint32_t n,
                                     bool *more);
/* Whether an HTTP/2 frame header, or a TLS record header, could stand here. */
bool corr_l7_http2_plausible(const uint8_t *d);
bool corr_l7_tls_plausible(const uint8_t *d);

/* dns.c: one message of `n` captured of `len` bytes; false: it is none. */
bool corr_l7_dns_message(struct corr_l7_reader *r, const uint8_t *d, uint32_t n, uint32_t len,
                         bool by_port);
/* quic.c: one datagram. */
bool corr_l7_quic_datagram(struct corr_l7_reader *r, const uint8_t *d, uint32_t n, uint32_t len);

/* hello.c: what a hello says, as far as it was captured. */
void corr_l7_hello_client(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                          uint32_t n);
void corr_l7_hello_server(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                          uint32_t n);

static inline uint32_t corr_l7_be16(const uint8_t *d)
{
    return (uint32_t)d[0] << 8 | d[1];
}

static inline uint32_t corr_l7_be24(const uint8_t *d)
{
    return (uint32_t)d[0] << 16 | corr_l7_be16(d + 1);
}

static inline uint32_t corr_l7_be32(const uint8_t *d)
{
    return corr_l7_be16(d) << 16 | corr_l7_be16(d + 2);
}

#endif /* CORR_L7_INT_H */
