/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hook_menu.h - what Wireshark's menus offer about the selected packet and the
 * display filter.
 */
#ifndef HOOK_MENU_H
#define HOOK_MENU_H

/* Tools > Correlation, and Conversation Filter in the menus of a packet. */
void hook_menu_register(int proto);

#endif /* HOOK_MENU_H */
