"""The field of the polar benchmark: who competes on an input, the live processes, and what each has shown so far."""

import math
from dataclasses import dataclass
from pathlib import Path

from harness import Worker, alternate, head, row
from polar_inputs import Input, Store

SCRIPT = str(Path(__file__).with_name("polar_peers.py"))
STEPS = (4, 5, 6, 7, 8, 10, 12, 14)
PRODUCT = Input((2048, 2048))


def peers(given):
    """Return {label: (contender, its settings, the cheapest first)} of those that can take the input."""
    widths = ["float32", "float64"] if given.dtype == "float32" else ["float64"]
    halves = {f"{name} {dtype}": (name, [{"dtype": dtype}]) for name in ("muon",) for dtype in ("bfloat16", "float32")}
    steps = {
        f"Polar Express {dtype}": ("Polar Express", [{"dtype": dtype, "steps": count} for count in STEPS])
        for dtype in ("bfloat16", given.dtype)
    }
    single = () if len(given.shape) > 2 else ("scipy polar", "scipy eigh")
    exact = {name: (name, [{"dtype": width} for width in widths]) for name in ("torch svd", "numpy svd", *single)}
    return halves | steps | exact


@dataclass(frozen=True)
class Attempt:
    """A contender with its settings on one input: the error of the whole, of the worst item, the seconds of a call."""

    label: str
    contender: str
    settings: dict
    error: float = math.inf
    worst: float = math.inf
    seconds: float = math.inf
    failed: str = ""

    def __str__(self):
        steps = self.settings.get("steps")
        width = "" if self.settings.get("dtype", "") in self.label else self.settings["dtype"]
        return " ".join(filter(None, (self.label, width, steps and f"{steps} steps")))


class Field:
    """Live processes by label, each started when first wanted; what they showed is kept for the next class."""

    def __init__(self, folder):
        self.store, self.workers, self.known = Store(folder), {}, {}
        self.failures, self.rates, self.products = {}, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers.values():
            worker.close()

    def load(self, label, contender, given, settings, measured):
        if label not in self.workers:
            self.workers[label] = Worker(SCRIPT, contender)
        factor = str(self.store.factor(given)) if measured else None
        path = str(self.store.path(given))
        return self.workers[label].ask(do="load", path=path, factor=factor, settings=settings)

    def attempt(self, label, contender, given, settings, measured=True):
        """Return what a contender shows with these settings: cached, so that a second class need not ask again."""
        key = label, given, repr(settings), measured
        if key not in self.known:
            said = self.load(label, contender, given, settings, measured)
            if "failed" in said:
                self.failures[label] = said["failed"]
                self.known[key] = Attempt(label, contender, settings, failed=said["failed"])
            else:
                errors = said["errors"] or (math.nan, math.nan)
                self.known[key] = Attempt(label, contender, settings, *errors, said["seconds"])
        return self.known[key]

    def best(self, label, given, limit):
        """Return a peer's cheapest settings that reach the limit, or the most accurate of them."""
        contender, choices = peers(given)[label]
        fewest = 4 if limit > 0.1 else 6 if limit > 1e-4 else 8  # fewer steps leave more than this even of good spectra
        tries = []
        for settings in choices:
            if settings.get("steps", fewest) < fewest:
                continue
            tries.append(self.attempt(label, contender, given, settings))
            stuck = "steps" in settings and len(tries) > 1 and tries[-1].error > 0.99 * tries[-2].error
            if tries[-1].error <= limit or stuck or tries[-1].failed:
                break
        return min(tries, key=lambda found: found.error)

    def turns(self, attempts, given, rounds, budget=8.0):
        """Return the median seconds of attempts by label, their processes taking turns."""
        for label, chosen in attempts.items():
            self.load(label, chosen.contender, given, chosen.settings, measured=False)
        return alternate({label: self.workers[label] for label in attempts}, rounds, budget)

    def report(self, given, settings):
        """Return the operations and the precision that normkit reports; it must have this input loaded."""
        said = self.workers["normkit"].ask(do="report", settings=settings)
        if "failed" in said:
            raise RuntimeError(f"nk.polar_report on {given}: {said['failed']}")
        return said["flops"], said["precision"]

    def measure_rates(self):
        """Print and keep the rate of a large product by precision: the better one of NumPy's and torch's."""
        print("## Product rates, 2048x2048")
        head("product", "GFLOP/s")
        widths = {"numpy product": ("float32", "float64"), "torch product": ("float32", "float64", "bfloat16")}
        tries = {}
        for name, width in ((name, width) for name, some in widths.items() for width in some):
            label = f"{name} {width}"
            tries[label] = self.attempt(label, name, PRODUCT, {"dtype": width}, measured=False)
        tries = {label: found for label, found in tries.items() if not found.failed}
        for label, seconds in self.turns(tries, PRODUCT, 5).items():
            rate, width = 2 * PRODUCT.shape[0] ** 3 / seconds, tries[label].settings["dtype"]
            row(label, f"{rate / 1e9:.0f}")
            if rate > self.rates.get(width, 0.0):
                self.rates[width], self.products[width] = rate, tries[label]
        print(
            f"\nSciPy's OpenBLAS runs its kernels for {self.workers['numpy product float32'].ask(do='core')['core']}."
        )
