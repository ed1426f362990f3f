/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin.c - corr.so: the epan plug-in that tags packets.  It owns the engine. */
#include "compat.h"
#include "hooks.h"

#include <epan/proto.h>

COMPAT_PLUGIN_EXPORTS(COMPAT_PLUGIN_DISSECTOR)

WS_DLL_PUBLIC void plugin_register(void);

void plugin_register(void)
{
    static proto_plugin plugin = {
        .register_protoinfo = hook_frame_register,
        .register_handoff = hook_frame_handoff,
    };

    proto_register_plugin(&plugin);
}
