# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a scenario and writes its merged file."""
import importlib

import topo
from points import number_frames, write_pcapng
from truth import Truth

MODULES = ["scenarios_a", "scenarios_b", "scenarios_b2", "scenarios_c", "scenarios_c2",
           "scenarios_e", "scenarios_e2", "scenarios_e3", "scenarios_f",
           "scenarios_f2", "scenarios_g", "scenarios_j", "scenarios_k", "scenarios_l",
           "scenarios_l2", "scenarios_l3", "scenarios_n", "scenarios_r"]


def load():
    """All scenarios, by identifier."""
    for name in MODULES:
        importlib.import_module(name)
    return topo.SCENARIOS


def generate(make, seed, path):
    """Returns (Truth, Net); writes the file if path is given."""
    net = make(seed)
    merged = number_frames(net.sim)
    truth = Truth(net.sim, merged)
    if path:
        write_pcapng(path, net.sim, merged, collapse=net.collapse)
    return truth, net
