"""GPT-2 small by its shapes, (out, in), with random weights and gradients: 124 M parameters of float32."""

from __future__ import annotations

import numpy as np

WIDTH, LAYERS, WORDS, PLACES = 768, 12, 50257, 1024


def shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (WORDS, WIDTH),
        "transformer.wpe.weight": (PLACES, WIDTH),
    }
    for layer in range(LAYERS):
        start = f"transformer.h.{layer}."
        for name, sides in {
            "ln_1": (WIDTH,),
            "attn.c_attn": (3 * WIDTH, WIDTH),
            "attn.c_proj": (WIDTH, WIDTH),
            "ln_2": (WIDTH,),
            "mlp.c_fc": (4 * WIDTH, WIDTH),
            "mlp.c_proj": (WIDTH, 4 * WIDTH),
        }.items():
            found[f"{start}{name}.weight"] = sides
            found[f"{start}{name}.bias"] = sides[:1]
    return found | {"transformer.ln_f.weight": (WIDTH,), "transformer.ln_f.bias": (WIDTH,)}


def matrices() -> dict[str, tuple[int, ...]]:
    """The matrices of the blocks: what Muon steps, 85 M parameters."""
    return {name: sides for name, sides in shapes().items() if ".h." in name and len(sides) == 2}


def draw(sides: dict[str, tuple[int, ...]], kind: str, seed: int) -> dict[str, np.ndarray]:
    """Return arrays of float32: `gaussian`, or `graded`, whose singular values fall from 1 to 1/100 as powers."""
    source = np.random.default_rng(seed)
    made = {name: source.standard_normal(shape, dtype=np.float32) for name, shape in sides.items()}
    if kind == "graded":
        for name, array in made.items():
            if array.ndim == 2 and max(array.shape) < 10_000:
                made[name] = _graded(array)
    return made


def _graded(array: np.ndarray) -> np.ndarray:
    """Give a Gaussian matrix other singular values, by its own singular vectors."""
    wide = array if len(array) <= array.shape[1] else array.T
    values, vectors = np.linalg.eigh((wide @ wide.T).astype(np.float64))
    wanted = np.geomspace(1e-2, 1, len(values)) / np.sqrt(np.maximum(values, 1e-3))
    made = ((vectors * wanted) @ vectors.T).astype(np.float32) @ wide
    return np.ascontiguousarray(made if wide is array else made.T)
