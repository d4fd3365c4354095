"""Peak memory of dualize beyond its input, in sizes of the input: the output, and work arrays.

Every map runs in a process of its own on a warm cache. The peak is the kernel's own account of resident memory
(Linux, ``VmHWM``), reset after a small call has brought in the imports and the compiled loops.
"""

import sys

from harness import head, process, row

MAPS = {
    "max": (4096, 4096),
    "rows(linf, l2)": (4096, 4096),
    "cols(linf, l2)": (4096, 4096),
    "lp(3)": (10**7,),
    "topk(100000)": (10**7,),
    "dual(topk(100000))": (10**7,),
    "ksupport(100000)": (10**7,),
    "owl": (10**7,),
    "dual(owl)": (10**7,),
    "l1 + l2": (10**7,),
    "linf + l2": (10**7,),
    "max(linf, 1/100*l2)": (10**7,),
    "orlicz(cosh(x) - 1)": (10**7,),
    "rows(linf, l1 + l2)": (2048, 2048),
    "lovasz(sqrt(n))": (10**7,),
    "topk(1000) + l2": (10**6,),
    "lp(3) + 1/2*lp(3/2)": (10**6,),
    "rms->rms": (2048, 2048),
    "nuclear": (2048, 2048),
    "numpy.linalg.svd": (2048, 2048),
}

CHILD = """
import sys
import numpy as np
import normkit as nk

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

spec, dtype, shape = sys.argv[1], np.dtype(sys.argv[2]), tuple(map(int, sys.argv[3].split(",")))
g = np.random.default_rng(0).standard_normal(shape, dtype=dtype)
little = g[tuple(slice(max(2, length // 64)) for length in shape)]

def made(size):
    # the weights are part of the norm, and are not counted
    if "owl" not in spec:
        return spec
    norm = nk.OWL(np.linspace(1.0, 0.1, size))
    return norm if spec == "owl" else norm.dual

norms = {x.size: made(x.size) for x in (little, g)}

def run(x):
    return np.linalg.svd(x, full_matrices=False) if "svd" in spec else nk.dualize(norms[x.size], x)

run(little)
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
before = status("VmRSS")
t = run(g)
print((status("VmHWM") - before) / g.nbytes)
"""


def main():
    dtypes = sys.argv[1:] or ["float32", "float64"]
    head("map", "shape", *(f"{dtype}: peak beyond the input, in inputs" for dtype in dtypes))
    for spec, shape in MAPS.items():
        size = ",".join(map(str, shape))
        peaks = [float(process("-c", CHILD, spec, dtype, size)()) for dtype in dtypes]
        row(f"`{spec}`", "x".join(map(str, shape)), *(f"{peak:.2f}" for peak in peaks))


if __name__ == "__main__":
    main()
