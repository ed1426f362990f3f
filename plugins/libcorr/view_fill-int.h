/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_fill-int.h - what the setters of the corr.* fields share. */
#ifndef CORR_VIEW_FILL_INT_H
#define CORR_VIEW_FILL_INT_H

#include "path/result.h"
#include "view.h"

/* What is looked up once per frame. */
struct corr_fill {
    const struct corr_result *r;
    struct corr_view *view;
    uint32_t frame;
    GArray *sightings;             /* uint32_t: every sighting of the frame */
    uint32_t main;                 /* the first of them */
    const struct corr_sighting *s; /* sighting `main`, */
    const struct corr_packet *p;   /* its packet, */
    const struct corr_obs *obs;    /* and its observation */
    uint32_t count;                /* frames that show the packet; 0: nobody wants to know */
    bool matched;
    GString *text;     /* for the value that is being made */
    GString *sentence; /* for the summary or the finding that is being made */
};

static inline const char *corr_fill_point_name(const struct corr_fill *f, uint32_t point)
{
    return corr_store_point(f->r->store, point)->name;
}

/* Add a value that the field does not have yet. */
void corr_fill_text_once(const struct corr_fill *f, enum corr_field field, const char *text);
void corr_fill_number_once(const struct corr_fill *f, enum corr_field field, uint32_t number);

/*
 * What became of the frame's packets: dropped, undetermined, drop.*, and the
 * findings of that.  Returns one that was lost after this frame, or NULL.
 */
const struct corr_packet *corr_fill_fate(struct corr_fill *f);

/* Packets that somebody on the way made: originated, and the finding of that. */
void corr_fill_origin(struct corr_fill *f);

/* Points that the frame's packets passed unseen: missed, and the findings of that. */
void corr_fill_missed(struct corr_fill *f);

/* All of that in few words: fate.  After the two above, of which `dropped` is the answer. */
void corr_fill_end(struct corr_fill *f, const struct corr_packet *dropped);

/* On the first frame of a capture point: the findings about the point. */
void corr_fill_point(const struct corr_fill *f);

#endif /* CORR_VIEW_FILL_INT_H */
