"""What a user waits for: imports, help, a warm command, derivations. Processes are timed from outside, in turns."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import head, medians, process, row

ROUNDS = 15
COMMAND = ("-m", "normkit")


def imports():
    found = medians(
        {
            "python": process("-c", ""),
            "numpy": process("-c", "import numpy"),
            "both": process("-c", "import numpy, normkit"),
            "normkit": process("-c", "import normkit"),
            "help": process(*COMMAND, "--help"),
        },
        ROUNDS,
    )
    head("process", "ms")
    row("`python -c 'import numpy'`", f"{1e3 * found['numpy']:.0f}")
    row("`python -c 'import normkit'`", f"{1e3 * found['normkit']:.0f}")
    row("`import normkit` beyond `import numpy`", f"{1e3 * (found['both'] - found['numpy']):.0f}")
    row("`normkit --help`", f"{1e3 * found['help']:.0f}")


def command():
    """``normkit dualize`` on a 768x3072 float32 file, cache warm, against one SVD of that matrix."""
    with tempfile.TemporaryDirectory() as folder:
        grad = Path(folder, "grad.npy")
        g = np.random.default_rng(0).standard_normal((768, 3072), dtype=np.float32)
        np.save(grad, g)
        args = (*COMMAND, "dualize", "--norm", "rms->rms", str(grad), "-o", f"{folder}/t.npy", "--force")
        contenders = {
            "command": process(*args, NORMKIT_CACHE_DIR=f"{folder}/cache"),
            "svd": lambda: np.linalg.svd(g, full_matrices=False),
        }
        found = medians(contenders, 5)
    head("`normkit dualize --norm 'rms->rms'`, 768x3072 float32, warm", "s")
    row("the whole command", f"{found['command']:.2f}")
    row("one `numpy.linalg.svd`", f"{found['svd']:.2f}")
    row("the command beyond one SVD", f"{found['command'] - found['svd']:.2f}")


def derivations():
    import sympy  # noqa: F401  (not counted)

    import normkit as nk

    examples = [(cls.__name__, example) for cls in nk.norms().values() for example in cls.examples()]
    times = []
    for _, example in examples:
        start = time.perf_counter()
        nk.derive(example).text()
        times.append(time.perf_counter() - start)
    slowest = int(np.argmax(times))
    head(f"`derive(N).text()`, {len(times)} examples of all norms, each once", "ms")
    row("median", f"{1e3 * statistics.median(times):.0f}")
    row(f"slowest, `{examples[slowest][1]}`", f"{1e3 * times[slowest]:.0f}")


if __name__ == "__main__":
    imports()
    command()
    derivations()
