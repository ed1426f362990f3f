/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quality.h - grades of the layers: of the whole capture, and of each client and
 * server that talk to each other.
 *
 * A layer is as good as the worst of its figures; without any it is unknown.
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
    uint64_t n;        /* packets, bytes, transactions ... that it is made of */
    uint32_t from, to; /* points; CORR_NONE */
};

struct corr_quality {
    bool whole;                      /* the whole capture; else one pair: */
    struct corr_addr client, server; /* as their first packet showed them */
    uint32_t flows, packets;
    GArray *figures[CORR_QUALITY_LAYER_COUNT]; /* struct corr_figure */
    enum corr_grade grade[CORR_QUALITY_LAYER_COUNT];
};

/* The whole capture, then pairs: the worst first.  Linear in packets.  Unref to free. */
GPtrArray *corr_qualities_new(const struct corr_result *r, const struct corr_frame_set *frames);

/* For the makers: grades a figure and adds it. */
void corr_quality_add(struct corr_quality *quality, enum corr_quality_layer layer,
                      struct corr_figure figure);

/* quality_upper.c: adds the figures of L4 and L7; pairs[pair_of[flow]] is the pair of a flow. */
void corr_quality_upper(const struct corr_result *r, const uint8_t *flow_counts,
                        const uint32_t *pair_of, struct corr_quality *const *pairs, unsigned n,
                        struct corr_quality *whole);

#endif /* CORR_QUALITY_H */
