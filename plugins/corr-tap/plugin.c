/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin.c - corr-tap.so: the tap plug-in that makes the statistics, `-z corr,...`. */
#include "compat.h"
#include "hooks.h"

#include <epan/tap.h>

COMPAT_PLUGIN_EXPORTS(COMPAT_PLUGIN_TAP)

WS_DLL_PUBLIC void plugin_register(void);

void plugin_register(void)
{
    static const tap_plugin plugin = {.register_tap_listener = hook_tap_register};

    tap_register_plugin(&plugin);
}
