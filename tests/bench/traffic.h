/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic.h - an endless supply of frames: the same conversations, seen at
 * several capture points of one path, in the order of their time stamps.
 *
 * Points 1 ... K stand on one line from clients to servers; between points 2
 * and 3 (1 and 2, if there are only two) a router translates source addresses
 * and ports.  Every router counts the TTL down.  Equal options give equal
 * bytes: there is no clock and no chance in it.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

/* What the conversations are.  Columns: id, word of --shape, meaning. */
/* clang-format off */
#define TRAFFIC_SHAPES(X)                                                          \
    X(MIXED,  "mixed",  "200 conversations at a time, TCP and UDP, 1 in 1000 lost") \
    X(SAME,   "same",   "identical UDP datagrams, 10 us apart, 1 in 100 lost")      \
    X(STREAM, "stream", "one TCP connection")                                       \
    X(SHORT,  "short",  "TCP connections of 5 packets")                             \
    X(AGAIN,  "again",  "retransmissions of one TCP segment, 1 in 10 lost")         \
    X(ERRORS, "errors", "ICMP errors, without what they quote")
/* clang-format on */
enum traffic_shape {
#define TRAFFIC_ROW(id, word, meaning) TRAFFIC_##id,
    TRAFFIC_SHAPES(TRAFFIC_ROW)
#undef TRAFFIC_ROW
    TRAFFIC_SHAPE_COUNT
};
extern const char *const traffic_words[];

struct traffic_options {
    enum traffic_shape shape;
    unsigned points;  /* from 1 */
    unsigned size;    /* bytes of the largest frame; 1514 makes about 1 kB on average */
    unsigned snaplen; /* bytes kept of a frame; 0: all */
};

#define TRAFFIC_FRAME_MAX 9014u
#define TRAFFIC_FRAME_MIN 128u

struct traffic_frame {
    unsigned point;   /* from 0 */
    int64_t time_ns;  /* since the epoch */
    uint32_t wire_len, cap_len;
};

struct traffic;

struct traffic *traffic_new(const struct traffic_options *options);
void traffic_free(struct traffic *traffic);

/* Writes the next frame into `bytes[TRAFFIC_FRAME_MAX]`.  Only cap_len of them count. */
void traffic_next(struct traffic *traffic, struct traffic_frame *frame, uint8_t *bytes);

/* A number from 0 for a word of --shape; TRAFFIC_SHAPE_COUNT if there is no such word. */
enum traffic_shape traffic_shape_find(const char *word);

/* A positive number in decimal, up to `most`; exits with status 2 if it is none. */
uint64_t traffic_number(const char *option, const char *text, uint64_t most);

#endif /* BENCH_TRAFFIC_H */
