/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h - what each capture point holds, and how far to trust it. */
#ifndef CORR_CAPTURE_H
#define CORR_CAPTURE_H

#include "path/frames.h"

/* What a point recorded, and what it should have recorded. */
struct corr_capture {
    uint64_t frames, readable, matched, truncated, missed, seen, duplicates;
    uint64_t readdressed; /* sightings that differ in addresses from an earlier one here */
    uint64_t silent;      /* packets whose fate is unknown because nothing was captured here then */
    uint64_t disorder;    /* frames whose time is before that of the frame before them here */
    int64_t back_ns;      /* the farthest of these steps back */
    int64_t latest_ns;    /* time of the last frame in the order of capture */
    int64_t first_ns, last_ns;
    int64_t step_ns; /* largest power of ten that divides every time stamp; 0: none seen */
};

/* One for each point of the store; only of the frames in the set.  Free with g_free(). */
struct corr_capture *corr_captures_count(const struct corr_result *r,
                                         const struct corr_frame_set *frames);

/*
 * An interface that was divided (`tcpdump -i any`, mergecap) has its frames at its
 * parts and is no point that anybody asks for.
 */
bool corr_capture_is_divided(const struct corr_store *store, uint32_t point);

/* Why frames of the point could not be read, sorted; free the array, not the texts. */
const char **corr_capture_unknown(const struct corr_point *point, guint *n);

enum corr_trust { CORR_TRUST_FULL, CORR_TRUST_CARE, CORR_TRUST_NONE };
const char *corr_trust_word(enum corr_trust trust); /* "trustworthy", "use with care" ... */

/*
 * How far a point can be trusted; `captures` are those of all frames: a filter
 * makes no capture better or worse.  Appends why not, and what helps (char *,
 * g_free()), to `reasons`.
 */
enum corr_trust corr_capture_judge(const struct corr_result *r, uint32_t point,
                                   const struct corr_capture *captures,
                                   enum corr_clock_status status, GPtrArray *reasons);

/* How far a point can be trusted, and where to say so. */
struct corr_capture_verdict {
    enum corr_trust trust;
    char *reasons;        /* joined by "; "; owned */
    uint32_t first_frame; /* 0: no frame of this point was understood */
    bool collapsed;       /* one of several that a merge had united */
};

/* One for each point of the store; of all frames. */
struct corr_capture_verdict *corr_capture_verdicts_new(const struct corr_result *r);
void corr_capture_verdicts_free(struct corr_capture_verdict *verdicts, uint32_t n);

#endif /* CORR_CAPTURE_H */
