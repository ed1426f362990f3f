/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hook_windows.h - every table of the report as a window of Wireshark's Statistics menu. */
#ifndef HOOK_WINDOWS_H
#define HOOK_WINDOWS_H

/* One window per row of CORR_TABLES, `-z corrtable,TABLE[,FILTER]` on the command line. */
void hook_windows_register(void);

#endif /* HOOK_WINDOWS_H */
