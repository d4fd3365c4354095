"""The polar factor against what people use, accuracy class by accuracy class: markdown tables of medians.

Every contender is a process of its own, and the processes take turns. The error is ‖T − UVᵀ‖_F/‖UVᵀ‖_F against a
float64 SVD (of a batch: of the whole array). Every peer is tried once on every input; of those that reach the class the
fastest are timed in turns with normkit, and the ratio is to the best of them. Polar Express takes as few steps as reach
the class, and factorizations are done in float64 where float32 misses it. Roofline: operations done over the rate of a
2048x2048 product in the same precision, measured at the start. Without torch its methods are left out. Only an idle
machine gives figures worth quoting: two threads that wait for each other suffer most from a third process.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import head, row
from polar_field import Attempt, Field, peers
from polar_inputs import Input

SPECTRAL = ("torch svd", "numpy svd", "scipy polar")
SQUARE = ((256, 256), (768, 768), (1024, 1024), (2048, 2048))
WIDE = ((256, 4096), (768, 3072), (1024, 8192))
BATCHES = ((1000, 64, 64), (64, 256, 256))
GROWTH = (128, 256, 512, 1024, 2048, 4096)
QUICK = ((256, 256), (768, 768), (256, 4096), (64, 256, 256))
CLASSES = ("muon", "1e-3", "exact", "batches", "growth")


@dataclass(frozen=True)
class Class:
    """An accuracy class: its inputs, the error allowed (0: muon's own, at least 0.2), the ratio wanted, over whom."""

    title: str
    inputs: list[Input]
    limit: float
    target: Callable[[Input], float]
    rivals: tuple[str, ...] = ()  # every peer, if empty


def inputs(shapes, condition, dtype="float32"):
    return [Input(shape, kind, dtype) for shape in shapes for kind in (0.0, condition)]


def classes(name, shapes):
    """The classes that an option names, for those of their shapes that are wanted."""

    def chosen(*wanted):
        return [shape for shape in wanted if not shapes or shape in shapes]

    plain, batches = inputs(chosen(*SQUARE, *WIDE), 1e3), inputs(chosen(*BATCHES), 1e3)
    small = [shape for shape in chosen(*SQUARE, *WIDE) if min(shape) <= 1024]
    every = {
        "muon": [Class("Muon class", plain, 0, lambda g: 1.4 if g.square else 3.0)],
        "1e-3": [Class("Error 1e-3", plain, 1e-3, lambda g: 2.0 if g.square else 4.0)],
        "exact": [
            Class("Error 1e-6, float32", inputs(small, 1e4), 1e-6, lambda _: 3.0, SPECTRAL),
            Class("Error 1e-12, float64", inputs(small, 1e4, "float64"), 1e-12, lambda _: 3.0, SPECTRAL),
        ],
        "batches": [
            Class("Batches, Muon class", batches, 0, lambda _: 3.0),
            Class("Batches, error 1e-3", batches, 1e-3, lambda _: 3.0),
        ],
    }
    return every[name]


def fastest(tries, names):
    return sorted((name for name in names if name in tries), key=lambda name: tries[name].seconds)


@dataclass(frozen=True)
class Outcome:
    """What happened on one input: the error allowed, what everyone showed, the median seconds of those in turns."""

    given: Input
    limit: float
    peers: dict[str, Attempt]
    ours: Attempt
    times: dict[str, float]
    rivals: tuple[str, ...]

    def best(self, rivals=True):
        """The label of the fastest peer that took turns, among the rivals or among the others."""
        labels = [label for label in self.times if label != "normkit" and (label in self.rivals) == rivals]
        return min(labels, key=self.times.__getitem__, default=None)


def compete(field, given, kind, options):
    muon = field.attempt("muon bfloat16", "muon", given, {"dtype": "bfloat16"})
    limit = kind.limit or max(0.2, 0.0 if muon.failed else muon.error)
    shown = {label: field.best(label, given, limit) for label in peers(given)}
    reach = {label: found for label, found in shown.items() if found.error <= limit}
    rivals = kind.rivals or tuple(shown)
    timed = fastest(reach, rivals)[:3] + fastest(reach, set(shown) - set(rivals))[:1]
    ours = field.attempt("normkit", "normkit", given, {"accuracy": limit, "method": options.method})
    entries = {label: reach[label] for label in timed} | ({} if ours.failed else {"normkit": ours})
    return Outcome(given, limit, shown, ours, field.turns(entries, given, options.rounds), rivals)


def peer_cells(outcome, kind):
    best, other = outcome.best(), outcome.best(rivals=False)
    cells = ["none", "", ""]
    if best:
        found = outcome.peers[best]
        cells = [found, f"{found.error:.1e}", f"{1e3 * outcome.times[best]:.1f}"]
    if kind.rivals:
        cells.append(f"{outcome.peers[other]}: {1e3 * outcome.times[other]:.1f}" if other else "")
    return cells


def own_cells(field, outcome, kind):
    target, own = kind.target(outcome.given), outcome.times.get("normkit")
    if own is None:
        return ["", "", "", f"{target}x", "", "", ""]
    best, error = outcome.best(), outcome.ours.error
    ratio = outcome.times[best] / own if best else math.inf
    met = "yes" if ratio >= target and error <= outcome.limit else "no"
    flops, precision = field.report(outcome.given, outcome.ours.settings)
    rate = field.rates.get(precision)  # none for bfloat16 without torch
    bound = f"{1e3 * flops / rate:.1f} ({flops / rate / own:.0%})" if rate else ""
    cells = [f"{error:.1e}", f"{1e3 * own:.1f}", f"{ratio:.2f}x" if best else "", f"{target}x", met]
    return [*cells, f"{flops / 1e9:.2f}", bound]


def contest(field, kind, options):
    print(f"\n## {kind.title}")
    others = ["fastest of the others, ms"] if kind.rivals else []
    own = ["normkit's error", "its ms", "ratio", "wanted", "met", "GFLOP", "roofline, ms"]
    head("input", "limit", "best peer", "its error", "its ms", *others, *own)
    outcomes = []
    for given in kind.inputs:
        outcome = compete(field, given, kind, options)
        row(given, f"{outcome.limit:.2g}", *peer_cells(outcome, kind), *own_cells(field, outcome, kind))
        outcomes.append(outcome)
    if options.verbose:
        head("input", "contender", "error", "worst item", "ms of one call")
        for outcome in outcomes:
            details(outcome)


def details(outcome):
    """Print what every contender showed on one input, the fastest first; of those in turns, the medians."""
    found = {**outcome.peers, "normkit": outcome.ours}
    times = {label: outcome.times.get(label, entry.seconds) for label, entry in found.items() if not entry.failed}
    for label in sorted(times, key=times.__getitem__):
        entry = found[label]
        reaches = "" if entry.error <= outcome.limit else " (misses)"
        row(outcome.given, entry, f"{entry.error:.1e}{reaches}", f"{entry.worst:.1e}", f"{1e3 * times[label]:.1f}")


def growth(field, accuracy, options):
    """Print times of square matrices by size, their share of the product's rate, and the exponent fitted to them."""
    print(f"\n## Growth with the size, error {accuracy}")
    head("input", "normkit ms", "GFLOP", "GFLOP/s", "GFLOP/s of a product", "share")
    settings, times = {"accuracy": accuracy, "method": options.method}, {}
    for m in GROWTH[:4] if options.quick else GROWTH:
        given = Input((m, m))
        ours = field.attempt("normkit", "normkit", given, settings, measured=False)
        if ours.failed:
            return
        flops, precision = field.report(given, settings)
        product = field.products.get(precision)  # none for bfloat16 without torch
        others = {product.label: product} if product else {}
        found = field.turns({"normkit": ours, **others}, given, options.rounds)
        times[m], own = found["normkit"], flops / found["normkit"] / 1e9
        machine = 2 * m**3 / found[product.label] / 1e9 if product else math.nan
        speeds = f"{own:.0f}", f"{machine:.0f}", f"{own / machine:.0%}"
        row(given, f"{1e3 * times[m]:.2f}", f"{flops / 1e9:.2f}", *speeds)
    exponent = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
    print(f"\nExponent {exponent:.2f}; wanted: at most 3.05, and a share of 70 % at 2048.")


def shape(text):
    return tuple(map(int, text.split("x")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--class", dest="classes", action="append", choices=CLASSES, help="only this one; repeatable")
    parser.add_argument("--shapes", help="only these, as 256x256,64x256x256")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender; fewer where they are slow")
    parser.add_argument("--method", default="auto", help="the method that normkit is asked for")
    parser.add_argument("--verbose", action="store_true", help="list what every peer showed")
    parser.add_argument("--quick", action="store_true", help="few shapes, few rounds")
    options = parser.parse_args()
    shapes = [shape(text) for text in options.shapes.split(",")] if options.shapes else options.quick and QUICK
    options.rounds = min(options.rounds, 3) if options.quick else options.rounds
    print(f"Load of the machine before the start: {os.getloadavg()[0]:.2f}, of {os.cpu_count()} cores.\n", flush=True)
    with tempfile.TemporaryDirectory() as folder, Field(Path(folder)) as field:
        field.measure_rates()
        for name in options.classes or CLASSES:
            if name == "growth":
                for accuracy in (0.2, 1e-3):
                    growth(field, accuracy, options)
            else:
                for kind in classes(name, shapes):
                    contest(field, kind, options)
        for failure in sorted(set(field.failures.values())):
            labels = [label for label, said in field.failures.items() if said == failure]
            print(f"\nFailed: {', '.join(labels)}: {failure}")


if __name__ == "__main__":
    main()
