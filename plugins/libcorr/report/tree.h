/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - counts with counts below them: what can be shown as a tree.
 *
 * To add a tree: a row in CORR_TREES, a function corr_tree_<key>().
 */
#ifndef CORR_TREE_H
#define CORR_TREE_H

#include "path/frames.h"

/* Children are in the order in which they were first counted. */
struct corr_tree {
    char *label;
    uint64_t count;
    GPtrArray *children;  /* struct corr_tree * */
    GHashTable *by_label; /* of the children */
};

/* Columns: key, title. */
#define CORR_TREES(X)                                                                              \
    X(paths, "Paths and losses")                                                                   \
    X(phases, "Phases of transactions")

/* The ways that packets took, and what became of them.  Only what passed the filter counts. */
struct corr_tree *corr_tree_paths(const struct corr_result *r,
                                  const struct corr_frame_set *frames);

/* Transactions by kind, their phases, how long these took, and where most of that time went. */
struct corr_tree *corr_tree_phases(const struct corr_result *r,
                                   const struct corr_frame_set *frames);

void corr_tree_free(struct corr_tree *tree);

/* The child of that label, or NULL. */
struct corr_tree *corr_tree_find(const struct corr_tree *tree, const char *label);

#endif /* CORR_TREE_H */
