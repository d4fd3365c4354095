"""Weight gradients of a small network on scikit-learn's digits, in plain NumPy.

Pixel levels 0..16 are tokens: embedding -> 3x3 convolution -> two hidden layers -> ten classes, tanh between,
mean cross entropy. After a few steps of gradient descent the gradients of one batch are stored as float32.

    python examples/data/make_gradients.py            write the files
    python examples/data/make_gradients.py --check    backward pass against finite differences
    python examples/data/make_gradients.py --verify   the committed files against a fresh computation
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]
Parameters = dict[str, Array]

HERE = Path(__file__).parent
SEED, STEPS, BATCH, RATE = 20250719, 20, 256, 0.1
LEVELS, WIDTH, CHANNELS, HIDDEN, NARROW, CLASSES = 17, 8, 16, 128, 64, 10
SINGLES = ("embedding", "conv", "hidden")  # also stored as one .npy file each


def initial(rng: np.random.Generator) -> Parameters:
    """Gaussian weights of variance 1/fan-in; biases zero."""
    flat = CHANNELS * 6 * 6
    scale = {"conv": (WIDTH * 9) ** -0.5, "hidden": flat**-0.5, "narrow": HIDDEN**-0.5, "head": NARROW**-0.5}
    return {
        "embedding": rng.standard_normal((WIDTH, LEVELS)),
        "conv": scale["conv"] * rng.standard_normal((CHANNELS, WIDTH, 3, 3)),
        "conv_bias": np.zeros(CHANNELS),
        "hidden": scale["hidden"] * rng.standard_normal((HIDDEN, flat)),
        "hidden_bias": np.zeros(HIDDEN),
        "narrow": scale["narrow"] * rng.standard_normal((NARROW, HIDDEN)),
        "narrow_bias": np.zeros(NARROW),
        "head": scale["head"] * rng.standard_normal((CLASSES, NARROW)),
        "head_bias": np.zeros(CLASSES),
    }


def loss_and_gradient(p: Parameters, tokens: Tokens, labels: Tokens) -> tuple[float, Parameters]:
    """Mean cross entropy of a batch, and its gradient in every parameter."""
    size = len(tokens)
    image = p["embedding"][:, tokens].transpose(1, 0, 2, 3)  # (batch, width, 8, 8)
    windows = sliding_window_view(image, (3, 3), axis=(2, 3))  # (batch, width, 6, 6, 3, 3)
    sums = np.tensordot(windows, p["conv"], ([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2)
    maps = np.tanh(sums + p["conv_bias"][:, None, None])  # (batch, channels, 6, 6)
    x0 = maps.reshape(size, -1)
    x1 = np.tanh(x0 @ p["hidden"].T + p["hidden_bias"])
    x2 = np.tanh(x1 @ p["narrow"].T + p["narrow_bias"])
    scores = x2 @ p["head"].T + p["head_bias"]
    scores -= scores.max(axis=1, keepdims=True)
    log_share = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -float(log_share[np.arange(size), labels].mean())

    g3 = (np.exp(log_share) - np.eye(CLASSES)[labels]) / size
    g2 = (g3 @ p["head"]) * (1 - x2**2)
    g1 = (g2 @ p["narrow"]) * (1 - x1**2)
    g0 = ((g1 @ p["hidden"]) * (1 - x0**2)).reshape(maps.shape)
    spread = np.zeros_like(image)  # gradient of the embedded image: each kernel position adds its share
    for i in range(3):
        for j in range(3):
            share = np.tensordot(g0, p["conv"][:, :, i, j], ([1], [0]))  # (batch, 6, 6, width)
            spread[:, :, i : i + 6, j : j + 6] += share.transpose(0, 3, 1, 2)
    one_hot = np.eye(LEVELS)[tokens]  # (batch, 8, 8, levels)
    gradient = {
        "embedding": np.tensordot(spread, one_hot, ([0, 2, 3], [0, 1, 2])),
        "conv": np.tensordot(g0, windows, ([0, 2, 3], [0, 2, 3])),
        "conv_bias": g0.sum(axis=(0, 2, 3)),
        "hidden": g1.T @ x0,
        "hidden_bias": g1.sum(axis=0),
        "narrow": g2.T @ x1,
        "narrow_bias": g2.sum(axis=0),
        "head": g3.T @ x2,
        "head_bias": g3.sum(axis=0),
    }
    return loss, gradient


def train() -> tuple[Parameters, Tokens, Tokens, list[float]]:
    """Parameters after a few steps, the batch that follows them, and the losses on the way."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    tokens, labels = digits.images.astype(np.int64), digits.target.astype(np.int64)
    rng = np.random.default_rng(SEED)
    parameters, losses = initial(rng), []
    for _ in range(STEPS):
        batch = rng.choice(len(labels), BATCH, replace=False)
        loss, gradient = loss_and_gradient(parameters, tokens[batch], labels[batch])
        parameters = {name: value - RATE * gradient[name] for name, value in parameters.items()}
        losses.append(loss)
    batch = rng.choice(len(labels), BATCH, replace=False)
    return parameters, tokens[batch], labels[batch], losses


def finite_difference_errors(p: Parameters, gradient: Parameters, tokens: Tokens, labels: Tokens) -> dict[str, float]:
    """Error of <gradient, d> against central differences: the worst of three directions, per parameter.

    Directions d have Frobenius norm one; the error is relative to the Frobenius norm of that gradient.
    """
    rng, step = np.random.default_rng(SEED), 1e-5
    worst = dict.fromkeys(p, 0.0)
    for name, value in p.items():
        for _ in range(3):
            d = rng.standard_normal(value.shape)
            d /= np.linalg.norm(d)
            ahead, _ = loss_and_gradient({**p, name: value + step * d}, tokens, labels)
            behind, _ = loss_and_gradient({**p, name: value - step * d}, tokens, labels)
            error = abs((ahead - behind) / (2 * step) - np.vdot(gradient[name], d))
            worst[name] = max(worst[name], float(error / np.linalg.norm(gradient[name])))
    return worst


def difference(arrays: dict[str, NDArray[np.float32]], folder: Path) -> float:
    """Worst relative difference (Frobenius norm) between arrays and the files of a folder."""
    with np.load(folder / "gradients.npz") as archive:
        assert set(archive.files) == set(arrays), f"names differ: {sorted(archive.files)}"
        pairs = [(archive[name], fresh) for name, fresh in arrays.items()]
    pairs += [(np.load(folder / f"{name}.npy"), arrays[name]) for name in SINGLES]
    for stored, fresh in pairs:
        assert (stored.shape, stored.dtype) == (fresh.shape, fresh.dtype)
    return max(float(np.linalg.norm(stored - fresh) / np.linalg.norm(fresh)) for stored, fresh in pairs)


def main(arguments: list[str] | None = None) -> None:
    """Write the files, or check what they claim."""
    parser = argparse.ArgumentParser(description="Weight gradients of a small network on the digits data.")
    parser.add_argument("--check", action="store_true", help="backward pass against finite differences")
    parser.add_argument("--verify", action="store_true", help="stored files against a fresh computation")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the files are")
    options = parser.parse_args(arguments)

    parameters, tokens, labels, losses = train()
    loss, gradient = loss_and_gradient(parameters, tokens, labels)
    arrays = {name: value.astype(np.float32) for name, value in gradient.items()}
    if options.check:
        error = max(finite_difference_errors(parameters, gradient, tokens, labels).values())
        print(f"loss {losses[0]:.3f} -> {loss:.3f}; gradient against central differences: {error:.1e}")
        assert error < 1e-7, f"backward pass is wrong: relative error {error:.1e}"
    if options.verify:
        error = difference(arrays, options.folder)
        print(f"stored files against a fresh computation: {error:.1e}")
        assert error < 1e-5, f"stored files differ from the script's: relative difference {error:.1e}"
    if not (options.check or options.verify):
        np.savez(options.folder / "gradients.npz", allow_pickle=False, **arrays)
        for name in SINGLES:
            np.save(options.folder / f"{name}.npy", arrays[name])


if __name__ == "__main__":
    main()
