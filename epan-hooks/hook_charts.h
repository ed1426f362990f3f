/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_charts.h - what is shown in Wireshark's windows of other kinds than tables. */
#ifndef HOOK_CHARTS_H
#define HOOK_CHARTS_H

/* Statistics > Flow Graph, `-z flow,corr,standard`: packets between the capture points. */
void hook_ladder_register(void);

/* Trees at the end of the Statistics menu: `-z corr_paths,tree`, `-z corr_phases,tree`. */
void hook_trees_register(void);

/* Statistics > Service Response Time, `-z corr,srt`: latencies by segment. */
void hook_srt_register(void);

#endif /* HOOK_CHARTS_H */
