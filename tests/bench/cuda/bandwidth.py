"""Duality maps on a GPU as shares of the bandwidth of a copy, by python -m tests.bench.cuda --maps."""

from __future__ import annotations

from typing import Any

from tests.bench.cuda.timing import timed

SHAPES = [(4096, 4096), (8192, 28672)]
SPECS = {"max": 2, "rows(linf, l2)": 2, "cols(l1, l2)": 3, "entries(l2)": 3}
"""Norms, and how often their maps move a byte: read, read again where one pass does not do, written."""


def bandwidths(copy: float) -> list[dict[str, Any]]:
    """One line for every map, shape and type; a wait for nothing but the device: no NaN is looked for on the CPU."""
    import torch

    from normkit.backends.cuda import interop
    from normkit.backends.cuda.device_kernel import device_kernel, queue
    from normkit.programs import program, required

    lines = []
    for shape in SHAPES:
        for name in ("float32", "bfloat16"):
            x = torch.randn(1, *shape, device="cuda").to(getattr(torch, name))
            out = torch.full_like(x, float("nan"))
            for spec, passes in SPECS.items():
                kernel = device_kernel(required(program(spec).dual), name).inner
                given, target = interop.view(x), interop.view(out)

                def call(kernel: Any = kernel, given: Any = given, target: Any = target) -> None:
                    with queue(given.device, given.stream) as stream:
                        kernel.map(given.numba(), target.numba(), stream)

                us, spread = timed([call])
                if bool(torch.isnan(out).any()):
                    raise RuntimeError(f"{spec} left entries unwritten")
                share = passes * x.nbytes / us / 1e6 / copy
                lines.append({"spec": spec, "shape": shape, "dtype": name, "us": us, "spread": spread, "share": share})
                print(f"  {spec:16s} {shape} {name:9s} {us:10.1f} us (iqr {spread:.1f}), {share:5.2f} of a copy")
    return lines
