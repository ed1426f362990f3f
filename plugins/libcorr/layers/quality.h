/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quality.h - grades of the layers: of the whole capture, of each segment (L3 only),
 * and of each client and server that talk to each other.
 *
 * A layer is as good as the worst of its figures; without any it is unknown.
 * The whole capture is graded by its worst segment.
 */
#ifndef CORR_QUALITY_H
#define CORR_QUALITY_H

#include "layers/capture.h"
#include "layers/grade.h"

/* Columns: id, word. */
/* clang-format off */
#define CORR_QUALITY_LAYERS(X) \
    X(CAPTURE, "capture")      \
    X(L3,      "L3")           \
    X(L4,      "L4")           \
    X(L7,      "L7")
/* clang-format on */
enum corr_quality_layer {
#define CORR_ROW(id, word) CORR_QUALITY_##id,
    CORR_QUALITY_LAYERS(CORR_ROW)
#undef CORR_ROW
        CORR_QUALITY_LAYER_COUNT
};
const char *corr_quality_word(enum corr_quality_layer layer);

struct corr_figure {
    enum corr_metric metric;
    enum corr_grade grade;
    double value;      /* in the metric's unit */
    double error;      /* the true value lies within plus or minus this; 0: exact */
    uint64_t n;        /* packets, segments, transactions ... that it is made of */
    uint32_t from, to; /* points; CORR_NONE */
};

enum corr_scope { CORR_SCOPE_CAPTURE, CORR_SCOPE_SEGMENT, CORR_SCOPE_PAIR };

struct corr_quality {
    const struct corr_limits *limits; /* NULL: the list's */
    enum corr_scope scope;
    uint32_t from, to;               /* of a segment: points */
    struct corr_addr client, server; /* of a pair: as their first packet showed them */
    uint32_t flows, packets;
    GArray *figures[CORR_QUALITY_LAYER_COUNT]; /* struct corr_figure */
    enum corr_grade grade[CORR_QUALITY_LAYER_COUNT];
};

/* The whole capture, segments, pairs: of each the worst first.  Linear in packets.  Unref to free.
 */
GPtrArray *corr_qualities_new(const struct corr_result *r, const struct corr_frame_set *frames,
                              const GPtrArray *paths);

/* For the makers: grades a figure and adds it. */
void corr_quality_add(struct corr_quality *quality, enum corr_quality_layer layer,
                      struct corr_figure figure);

/*
 * quality_upper.c: adds the figures of L4 and L7; pairs[pair_of[flow]] is the pair of a flow,
 * the last of the n + 1 is the whole capture.  `paths`: what was pinged or traced.
 */
void corr_quality_upper(const struct corr_result *r, const uint8_t *flow_counts,
                        const uint32_t *pair_of, const GPtrArray *paths,
                        struct corr_quality *const *pairs, unsigned n);

#endif /* CORR_QUALITY_H */
