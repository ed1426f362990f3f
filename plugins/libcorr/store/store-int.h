/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store-int.h - what the files of the store share. */
#ifndef CORR_STORE_INT_H
#define CORR_STORE_INT_H

#include "store/store.h"

uint32_t corr_store_append_point(struct corr_store *store, uint32_t section, uint32_t interface,
                                 uint32_t ifindex, const char *name);

/* The local flow with these endpoints, in either direction; created at first sight. */
uint32_t corr_store_find_conv(struct corr_store *store, const struct corr_conv *conv);

/* The encapsulations around a packet; created at first sight. */
uint32_t corr_store_find_context(struct corr_store *store, const struct corr_parsed *packet);

/* The point of a frame's link segment at a collapsed interface. */
uint32_t corr_store_segment(struct corr_store *store, uint32_t base,
                            const struct corr_parsed *packet);

/*
 * A point that is a part of another one's interface: a link segment, a broker's source.
 * CORR_NONE if there is none yet, or no room for one more.
 */
uint32_t corr_store_find_part(const struct corr_store *store, uint32_t base, uint64_t segment);
uint32_t corr_store_add_part(struct corr_store *store, uint32_t base, uint64_t segment,
                             const char *name);
/* Moves an observation, with its frame, to another point. */
void corr_store_move(struct corr_store *store, uint32_t obs, uint32_t point);

/* brokers.c: the trailer of a frame, of which `obs` is the first observation. */
struct corr_brokers *corr_brokers_new(void);
void corr_brokers_free(struct corr_brokers *brokers);
void corr_brokers_note(struct corr_store *store, const struct corr_frame *frame,
                       const struct corr_parsed *packet, uint32_t obs);
void corr_brokers_take_back(struct corr_store *store, uint32_t frame);
uint64_t corr_brokers_bytes(const struct corr_store *store);

/* The point of one interface index of an interface that shows all; CORR_NONE. */
uint32_t corr_store_find_ifindex(const struct corr_store *store, uint32_t base, uint32_t ifindex);

/* limit.c: is there no room for one more frame?  Then it is counted. */
bool corr_store_is_full(const struct corr_store *store);
void corr_store_refuse(struct corr_store *store, const struct corr_frame *frame);
void corr_store_take_back_refused(struct corr_store *store, uint32_t number);

/* Of the observation that is appended next; of those that were taken back. */
void corr_options_keep(struct corr_store *store, const struct corr_parsed *packet);
void corr_options_take_back(struct corr_store *store);

#endif /* CORR_STORE_INT_H */
