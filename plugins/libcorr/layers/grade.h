/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grade.h - how good is a figure?  Limits, and where they come from.
 *
 * A value up to `good` is good, excellent up to half of it; up to `degraded` it
 * is degraded, above it is poor.  Times are in nanoseconds, shares from 0 to 1.
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

/* Columns: name, what it is, unit, good up to, degraded up to, source. */
/* clang-format off */
#define CORR_METRICS(X)                                                                           \
    X(capture_loss, "capture loss",          RATIO,  0.0001,        0.01,   "corr")               \
    X(rtt,          "round trip",            TIME,   CORR_MS(100),  CORR_MS(300),                 \
      "twice the one-way delay of ITU-T G.114 for interactive use, rounded down")                 \
    X(one_way,      "one-way delay",         TIME,   CORR_MS(150),  CORR_MS(400), "ITU-T G.114")  \
    X(variation,    "delay variation",       TIME,   CORR_MS(20),   CORR_MS(50),                  \
      "ITU-T Y.1541, classes 0 and 1: 50 ms")                                                     \
    X(loss,         "packet loss",           RATIO,  0.001,         0.01,                         \
      "ITU-T Y.1541: 0.1 %; above 1 % TCP crawls")                                                \
    X(efficiency,   "bytes sent again",      RATIO,  0.01,          0.03,                         \
      "RFC 6349, TCP efficiency 99 % and 97 %")                                                   \
    X(buffer_delay, "buffer delay",          FACTOR, 0.25,          1.0,                          \
      "RFC 6349: how much the mean round trip exceeds the least")                                 \
    X(handshake,    "TCP handshake",         TIME,   CORR_MS(100),  CORR_MS(300),                 \
      "as the path's round trip")                                                                 \
    X(zero_window,  "time at zero window",   TIME,   0,             CORR_MS(200),   "corr")       \
    X(dns,          "name lookup",           TIME,   CORR_MS(50),   CORR_MS(200),   "corr")       \
    X(connect,      "connect / round trip",  FACTOR, 1.2,           2.0,                          \
      "a handshake is one round trip; a SYN sent again costs a second (RFC 6298)")                \
    X(tls,          "TLS beyond its turns",  TIME,   CORR_MS(20),   CORR_MS(100),   "corr")       \
    X(server,       "server time",           TIME,   CORR_MS(200),  CORR_MS(600),   "corr")       \
    X(first_byte,   "time to first byte",    TIME,   CORR_MS(800),  CORR_MS(1800),                \
      "web.dev: from the name lookup on")                                                         \
    X(transaction,  "whole transaction",     TIME,   CORR_MS(2000), CORR_MS(4000),                \
      "ITU-T G.1010, web pages")
/* clang-format on */
enum corr_metric {
#define CORR_ROW(name, what, unit, good, degraded, source) CORR_METRIC_##name,
    CORR_METRICS(CORR_ROW)
#undef CORR_ROW
        CORR_METRIC_COUNT
};

struct corr_metric_row {
    const char *name, *what, *source;
    enum corr_unit unit;
    double good, degraded;
};
const struct corr_metric_row *corr_metric_row(enum corr_metric metric);

enum corr_grade corr_grade_value(enum corr_metric metric, double value);

static inline enum corr_grade corr_grade_time(enum corr_metric metric, int64_t ns)
{
    return corr_grade_value(metric, (double)ns);
}

#endif /* CORR_GRADE_H */
