"""One step of GPT-2 small by the muon rules, against torch.optim.Muon on the same arrays: time and memory.

    python tests/bench/bench_model_step.py [--rounds 7] [--kinds gaussian,graded]

Both step the matrices of the blocks in place, with Nesterov momentum 0.95 and weight decay, each in a process of its
own, in turns. normkit is asked for the accuracy of the Muon class: 0.2, or what the five steps of torch leave of that
input, if that is more. Memory is that of the whole model, as a share of weights and gradients.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

import numpy as np
from harness import Worker, alternate, head, process, row, seconds, serve
from model_inputs import draw, matrices, shapes

HERE = Path(__file__)
SPEC = "spectral/sqrt(Max(1, m/n))"


class Torch:
    def __init__(self, kind: str) -> None:
        import torch

        self.gradients = draw(matrices(), kind, 1)
        self.weights = {
            name: torch.nn.Parameter(torch.from_numpy(w)) for name, w in draw(matrices(), "gaussian", 0).items()
        }
        for name, weight in self.weights.items():
            weight.grad = torch.from_numpy(self.gradients[name])
        self.optimizer = torch.optim.Muon(self.weights.values(), lr=0.02, momentum=0.95, weight_decay=0.1)

    def step(self) -> None:
        self.optimizer.step()

    def leaves(self) -> float:
        """What five steps leave of the worst kind of matrix, as an accuracy."""
        from torch.optim._muon import _zeropower_via_newtonschulz

        worst = 0.0
        for name in list(self.weights)[:4]:
            G = self.gradients[name]
            made = _zeropower_via_newtonschulz(self.weights[name].grad, (3.4445, -4.7750, 2.0315), 5, 1e-7)
            left, _, right = np.linalg.svd(G.astype(np.float64), full_matrices=False)
            missed = np.linalg.norm(made.float().numpy() - left @ right) / np.sqrt(min(G.shape))
            worst = max(worst, float(missed))
        return worst


class Normkit:
    def __init__(self, kind: str, accuracy: float, momentum: bool) -> None:
        import normkit as nk
        from normkit.optim import EMA, SteepestDescent

        self.gradients, self.weights = draw(matrices(), kind, 1), draw(matrices(), "gaussian", 0)
        form = EMA(0.95, nesterov=True) if momentum else None
        norm = nk.Modular(dict.fromkeys(self.weights, SPEC))
        self.optimizer = SteepestDescent(norm, lr=0.02, momentum=form, weight_decay=0.1, accuracy=accuracy)

    def step(self) -> None:
        self.optimizer.step(self.weights, self.gradients, out=self.weights)


def contender(question: dict) -> dict:
    global RUN
    if question["do"] == "go":
        return {"seconds": seconds(RUN.step)}
    if question["do"] == "leaves":
        return {"leaves": RUN.leaves()}
    RUN = Torch(question["kind"]) if question["who"] == "torch" else Normkit(question["kind"], *question["how"])
    RUN.step()
    return {}


def times(rounds: int, kinds: list[str]) -> None:
    head("gradients", "accuracy", "torch ms", "normkit ms", "ratio", "without momentum ms", "ratio")
    for kind in kinds:
        workers = {name: Worker(str(HERE), "serve") for name in ("torch", "normkit", "plain")}
        workers["torch"].ask(do="make", who="torch", kind=kind)
        accuracy = max(0.2, workers["torch"].ask(do="leaves")["leaves"])
        for name, momentum in (("normkit", True), ("plain", False)):
            workers[name].ask(do="make", who="normkit", kind=kind, how=[accuracy, momentum])
        found = alternate(workers, rounds)
        for worker in workers.values():
            worker.close()
        base = found["torch"]
        row(
            kind, f"{accuracy:.2f}", f"{1e3 * base:.0f}",
            f"{1e3 * found['normkit']:.0f}", f"{base / found['normkit']:.2f}x",
            f"{1e3 * found['plain']:.0f}", f"{base / found['plain']:.2f}x",
        )  # fmt: skip


def memory(how: str) -> None:
    """Print the peak of a process that steps the whole model, as a share of its weights and gradients."""
    import normkit as nk
    from normkit.optim import SteepestDescent

    blocks = matrices()
    norm = nk.Modular(
        {name: SPEC if name in blocks else "max" if len(sides) == 2 else "linf" for name, sides in shapes().items()}
    )
    optimizer = SteepestDescent(norm, lr=0.02, accuracy=0.2)
    tiny = {name: np.ones([min(side, 256) for side in sides], np.float32) for name, sides in shapes().items()}
    optimizer.step(
        tiny, {name: np.random.default_rng(0).standard_normal(w.shape, dtype=np.float32) for name, w in tiny.items()}
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights, gradients = draw(shapes(), "gaussian", 0), draw(shapes(), "gaussian", 1)
    size = 2 * sum(w.nbytes for w in weights.values()) / 1024
    made = optimizer.step(weights, gradients, out=weights if how == "out=" else None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert made.keys() == weights.keys()
    row(how, f"{size / 1024:.0f}", f"{peak / 1024:.0f}", f"{peak / size:.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kinds", default="gaussian,graded")
    asked = parser.parse_args()
    head("memory", "weights and gradients MiB", "peak MiB", "share")
    for how in ("out=", "new weights"):
        print(process(str(HERE), "memory", how)(), end="", flush=True)
    times(asked.rounds, asked.kinds.split(","))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(contender)
    elif sys.argv[1:2] == ["memory"]:
        memory(sys.argv[2])
    else:
        main()
