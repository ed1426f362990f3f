# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the scorer: the truth must pass, and every kind of damage must be noticed."""
from answer import oracle
from generate import generate
from metrics import measure

# A scenario in which the damage is possible.
MUTATIONS = {}


def mutation(*idents):
    def register(fn):
        MUTATIONS[fn.__name__] = (idents, fn)
        return fn
    return register


def first(answer, test):
    return next(f for f in answer.frames[1:] if test(f))


@mutation("A02", "B01")
def one_pair_missing(answer):
    first(answer, lambda f: f.ids).ids = [10**6]


@mutation("A02", "C08")
def two_packets_merged(answer):
    ids = sorted({i for f in answer.frames[1:] for i in f.ids})
    for f in answer.frames[1:]:
        f.ids = [ids[5] if i == ids[9] else i for i in f.ids]


@mutation("A03", "C08")
def one_drop_forgotten(answer):
    first(answer, lambda f: f.dropped).dropped = False


@mutation("A03")
def drop_at_the_wrong_place(answer):
    first(answer, lambda f: f.dropped).after = "nic"


@mutation("A02", "A03")
def false_confirmed_drop(answer):
    f = first(answer, lambda f: not f.dropped)
    f.dropped, f.verdict, f.after, f.before = True, "confirmed", "nic", "sw"


@mutation("A02", "A05")
def hop_wrong(answer):
    fs = [f for f in answer.frames[1:] if f.hop]
    for f in fs:
        f.hop = 4 - f.hop


@mutation("A02")
def one_hop_wrong(answer):
    first(answer, lambda f: f.hop == 2).hop = 3


@mutation("A02")
def latencies_off(answer):
    for f in answer.frames[1:]:
        if f.latency is not None:
            f.latency += 5000


@mutation("A01")
def latency_invented(answer):
    f = answer.frames[2]
    f.latency, f.error = 100, 100


@mutation("A01")
def order_invented(answer):
    for n, f in enumerate(answer.frames[1:]):
        f.hop = n % 3 + 1


def clock(answer, point=1):
    return answer.report["points"][point]["clock"]


@mutation("A05")
def clock_wrong(answer):
    clock(answer)["offset_s"] += 0.001


@mutation("A05", "E18")
def clock_wrong_at_the_end(answer):
    last = clock(answer)["pieces"][-1]
    last["offset_s"] += 50e-6 * (last["to_s"] - last["from_s"]) / 2
    last["drift_ppm"] += 50


@mutation("A05", "E23")
def clock_bound_too_wide(answer):
    for piece in clock(answer)["pieces"]:
        piece["error_s"] = 0.01


@mutation("A05")
def latency_bounds_too_wide(answer):
    for f in answer.frames[1:]:
        if f.error is not None:
            f.error = 500_000


@mutation("E18")
def drift_wrong(answer):
    piece = clock(answer)["pieces"][0]
    piece["drift_ppm"] += 0.5


@mutation("E18", "E19", "E27")
def step_forgotten(answer):
    del clock(answer)["pieces"][1:]


@mutation("A05")
def step_invented(answer):
    pieces = clock(answer)["pieces"]
    pieces.append(dict(pieces[-1], from_s=pieces[-1]["to_s"]))


@mutation("E21", "A01")
def offset_invented(answer):
    clock(answer).update(status="bounded", offset_s=0, error_s=1, at_s=1)


@mutation("E21")
def one_way_drift_wrong(answer):
    clock(answer)["pieces"] = [{"from_s": 0, "to_s": 2, "drift_ppm": 80}]


@mutation("A05", "E23")
def offset_withheld(answer):
    clock(answer).update(status="unknown")
    del clock(answer)["offset_s"]


@mutation("B01")
def mapping_missing(answer):
    answer.report["nat"].pop()


@mutation("B01")
def mapping_wrong(answer):
    answer.report["nat"][0]["after"]["src_port"] += 1


@mutation("B01")
def nat_field_missing(answer):
    first(answer, lambda f: f.nat).nat = None


@mutation("E06")
def duplicate_missing(answer):
    first(answer, lambda f: f.duplicate).duplicate = False


@mutation("E14")
def capture_loss_missing(answer):
    first(answer, lambda f: f.missed).missed = []


@mutation("E14")
def capture_loss_called_drop(answer):
    f = first(answer, lambda f: f.hop == 1)
    f.dropped, f.verdict, f.after, f.before = True, "probable", "nic", "sw"


@mutation("A02")
def ambiguous_without_need(answer):
    answer.frames[1].ambiguous = True


@mutation("A03")
def segment_count_wrong(answer):
    answer.report["segments"][0]["lost"] += 1


@mutation("A03", "C21")
def finding_missing(answer):
    answer.report["findings"].pop()


@mutation("A02", "C21")
def finding_invented(answer):
    answer.report["findings"].append(dict(answer.report["findings"][0], rule="loop"))


@mutation("A03")
def finding_at_the_wrong_place(answer):
    answer.report["findings"][0]["where"] = "nic > sw"


def phase(answer, name, row=0):
    return next(p for p in answer.report["phases"][row]["phases"] if p["name"] == name)


@mutation("L01", "L11")
def phase_missing(answer):
    answer.report["phases"][0]["phases"].pop(0)


@mutation("L01")
def phase_invented(answer):
    answer.report["phases"][1]["phases"].insert(0, dict(phase(answer, "connect")))


@mutation("L01", "L09")
def phase_too_long(answer):
    phase(answer, "server")["duration_s"] += 0.0002


@mutation("L01", "L06")
def time_given_to_another_segment(answer):
    a, b = phase(answer, "dns")["split"]["segments"]
    a["time_s"], b["time_s"] = a["time_s"] + 2e-5, b["time_s"] - 2e-5


@mutation("L01")
def server_time_given_to_the_client(answer):
    split = phase(answer, "tls")["split"]
    split["server_s"], split["client_s"] = split["client_s"], split["server_s"]


@mutation("L01", "L10")
def transaction_missing(answer):
    answer.report["phases"].pop()


@mutation("L01")
def transaction_invented(answer):
    answer.report["phases"].append(dict(answer.report["phases"][-1]))


@mutation("L01", "L19")
def frame_without_transaction(answer):
    first(answer, lambda f: f.transactions).transactions = []


@mutation("L09", "L13")
def repetition_forgotten(answer):
    for p in answer.report["phases"][0]["phases"]:
        p["retransmissions"] = 0


def selftest(scenarios, seed, only):
    """Prints a line per test; returns the exit status."""
    bad = 0
    cache = {}

    def truth_of(ident):
        if ident not in cache:
            cache[ident] = generate(scenarios[ident], seed, None)
        truth, net = cache[ident]
        return truth, dict(scenarios[ident].expect, **net.expect, ident=ident)

    for name, (idents, damage) in MUTATIONS.items():
        for ident in idents:
            if ident not in scenarios or (only and ident not in only):
                continue
            truth, expect = truth_of(ident)
            answer = oracle(truth, expect)
            damage(answer)
            before = measure(truth, oracle(truth, expect), dict(expect, verdicts={}, checks=()))[1]
            after = measure(truth, answer, dict(expect, verdicts={}, checks=()))[1]
            good = not before and after
            bad += not good
            print("%s %s in %s: %s" % ("ok" if good else "FAILED", name, ident,
                                       (after or ["not noticed"])[0] if not before else
                                       "the truth itself fails: " + before[0]))
    return 1 if bad else 0
