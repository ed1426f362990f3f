/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grade.h - how good is a figure?  Limits, and where they come from.
 *
 * A value up to `good` is good, excellent up to half of it; up to `degraded` it
 * is degraded, above it is poor.  Times are in nanoseconds, shares from 0 to 1.
 * A figure that is made of fewer than `enough` things has no grade: one packet
 * lost of three says nothing of a link.
 */
#ifndef CORR_GRADE_H
#define CORR_GRADE_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of merit, so that the worst is the greatest; UNKNOWN never is. */
enum corr_grade {
    CORR_GRADE_UNKNOWN,
    CORR_GRADE_EXCELLENT,
    CORR_GRADE_GOOD,
    CORR_GRADE_DEGRADED,
    CORR_GRADE_POOR,
};
const char *corr_grade_word(enum corr_grade grade); /* "excellent" ... */

enum corr_unit { CORR_UNIT_TIME, CORR_UNIT_RATIO, CORR_UNIT_FACTOR };

#define CORR_MS(n) ((n)*1e6)

/* Columns: name, what it is, unit, good up to, degraded up to, of how many things, source. */
/* clang-format off */
#define CORR_METRICS(X)                                                                           \
    X(capture_loss, "capture loss",          RATIO,  0.0001,        0.01,   10,                   \
      "corr: capture loss hides what the network does")                                           \
    X(rtt,          "round trip",            TIME,   CORR_MS(100),  CORR_MS(300),   1,            \
      "ITU-T G.114 for interactive use, there and back, rounded down")                            \
    X(one_way,      "one-way delay",         TIME,   CORR_MS(150),  CORR_MS(400),   1,            \
      "ITU-T G.114")                                                                              \
    X(variation,    "delay variation",       TIME,   CORR_MS(20),   CORR_MS(50),    10,           \
      "ITU-T Y.1541, classes 0 and 1: 50 ms")                                                     \
    X(loss,         "packet loss",           RATIO,  0.001,         0.01,   10,                   \
      "ITU-T Y.1541: 0.1 %; above 1 % TCP crawls (Mathis)")                                       \
    X(efficiency,   "bytes sent again",      RATIO,  0.01,          0.03,   10,                   \
      "RFC 6349, TCP efficiency 99 % and 97 %")                                                   \
    X(buffer_delay, "buffer delay",          FACTOR, 0.25,          1.0,    20,                   \
      "RFC 6349: how much the mean round trip exceeds the least; told from 5 ms on")   \
    X(handshake,    "TCP handshake",         TIME,   CORR_MS(100),  CORR_MS(300),   1,            \
      "ITU-T G.114 for interactive use, there and back, rounded down")                            \
    X(zero_window,  "time at zero window",   TIME,   0,             CORR_MS(200),   1,            \
      "corr: a receiver that keeps up never closes its window")                                   \
    X(waiting,      "waiting for TCP",       RATIO,  0.05,          0.2,    1,                    \
      "corr: share of the transactions' time until losses were repaired, or there was room")      \
    X(dns,          "name lookup",           TIME,   CORR_MS(50),   CORR_MS(200),   1,            \
      "corr: Nielsen, 0.1 s feels instantaneous")                                                 \
    X(connect,      "connect beyond a turn", TIME,   CORR_MS(20),   CORR_MS(200),   1,            \
      "corr: its time without the round trip that it needs; a SYN again costs 1 s (RFC 6298)")    \
    X(tls,          "TLS beyond its turns",  TIME,   CORR_MS(20),   CORR_MS(100),   1,            \
      "corr: its time without the round trips that it needs (RFC 5246, RFC 8446)")                \
    X(server,       "server time",           TIME,   CORR_MS(200),  CORR_MS(600),   1,            \
      "corr: Nielsen, 0.1 s feels instantaneous, 1 s breaks the flow of thought")                 \
    X(first_byte,   "time to first byte",    TIME,   CORR_MS(800),  CORR_MS(1800),  1,            \
      "web.dev: from the name lookup on")                                                         \
    X(transaction,  "whole transaction",     TIME,   CORR_MS(2000), CORR_MS(4000),  1,            \
      "ITU-T G.1010, web pages; of responses up to 1 MB")
/* clang-format on */
enum corr_metric {
#define CORR_ROW(name, what, unit, good, degraded, enough, source) CORR_METRIC_##name,
    CORR_METRICS(CORR_ROW)
#undef CORR_ROW
        CORR_METRIC_COUNT
};

struct corr_metric_row {
    const char *name, *what, *source;
    enum corr_unit unit;
    double good, degraded;
    uint64_t enough;
};

/* All limits: the list's, or what the user set in their place (corr_config.limits). */
struct corr_limits {
    struct corr_metric_row rows[CORR_METRIC_COUNT];
};
extern const struct corr_limits corr_limits_default;

/* `limits` NULL: the list's. */
const struct corr_metric_row *corr_metric_row(const struct corr_limits *limits,
                                              enum corr_metric metric);

enum corr_grade corr_grade_value(const struct corr_limits *limits, enum corr_metric metric,
                                 double value);

static inline enum corr_grade corr_grade_time(const struct corr_limits *limits,
                                              enum corr_metric metric, int64_t ns)
{
    return corr_grade_value(limits, metric, (double)ns);
}

#endif /* CORR_GRADE_H */
