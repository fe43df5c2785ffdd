"""What others make of the same features: run by hand to write reference.json, which the tests hold ours against.

    pip install torch==2.13.0 torch-fidelity==0.4.0 torchmetrics==1.9.0 prdc==0.2 scikit-learn
    python tests/metrics/reference.py

It takes 8 s on 2 cores of an AMD EPYC. The features come from NumPy's old generator, whose streams are frozen.
"""

import json
import platform
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

FILE = Path(__file__).with_name("reference.json")
NEIGHBOURS = (3, 5)  # of precision and recall; of density and coverage
BLOCK_SIZES = {"usual": 500, "relu": 100, "duplicates": 50}  # of the kernel distance, by case
LOGITS = ((200, 10), (1000, 10), (500, 100))  # of the classifier score


def normal(seed, *shape):
    return np.random.RandomState(seed).standard_normal(shape)


def relu(seed, count, width):
    """Features as networks have them: none is negative, some are always 0, and they depend on each other."""
    mixed = normal(seed, count, width) @ normal(7, width, width) / np.sqrt(width) + 0.5
    mixed[:, :3] = 0
    return np.maximum(mixed, 0)


def lattice(seed, count, width):
    """Points whose distances are exact in floating point, so that many lie just on the rim of a ball."""
    return np.random.RandomState(seed).randint(0, 3, (count, width)).astype(float)


# Name -> the features of real images and of samples, `(count, width)` each.
CASES = {
    "small": lambda: (normal(0, 60, 8), 0.8 * normal(1, 60, 8) + 0.3),
    "unequal": lambda: (normal(2, 500, 32), 1.3 * normal(3, 300, 32) - 0.1),
    "usual": lambda: (normal(4, 2000, 128), 0.9 * normal(5, 2000, 128) + 0.05),
    "large mean": lambda: (normal(6, 400, 16) + 50, 1.1 * normal(8, 400, 16) + 50.2),
    "relu": lambda: (relu(9, 600, 64), 1.2 * relu(10, 600, 64)),
    "fewer images than features": lambda: (normal(11, 50, 64), normal(12, 40, 64) + 0.2),
    "duplicates": lambda: (np.repeat(normal(13, 100, 16), 2, axis=0), np.repeat(normal(14, 80, 16), 3, axis=0)),
}
# Here the rim counts: prdc's balls are open, ours and torch-fidelity's closed.
TIES = {"lattice": lambda: (lattice(15, 64, 4), lattice(16, 64, 4))}
# As many images as papers have, of one distribution: all that is left is bias.
SAME = {"real against real": lambda: (normal(17, 10_000, 128), normal(18, 60_000, 128))}


def blocks(real, fake, size):
    """Cut two sets as `kernel_distance(..., seed=0)` does, reimplemented here independently."""
    rng, number = np.random.default_rng(0), min(len(real), len(fake)) // size
    order = [rng.permutation(len(one))[: number * size].reshape(number, size) for one in (real, fake)]
    return [(real[a], fake[b]) for a, b in zip(*order, strict=True)]


def logits(seed, count, classes):
    return 3 * normal(seed, count, classes)


def softmax(values):
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def sum_of(*arrays):
    """A number that shows whether the features are those that the reference values belong to."""
    return float(sum(np.abs(array).sum() for array in arrays))


def main():
    # torch-fidelity reads pictures with it, of which there are none here.
    for name in ("", ".datasets", ".models", ".ops", ".transforms", ".transforms.functional"):
        sys.modules[f"torchvision{name}"] = MagicMock(__spec__=ModuleSpec(f"torchvision{name}", None))
    import torch
    from prdc import compute_prdc
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric
    from torchmetrics.image.fid import _compute_fid
    from torchmetrics.image.kid import poly_mmd

    def frechet(real, fake):
        stats = [fid_features_to_statistics(torch.from_numpy(one)) for one in (real, fake)]
        others = [torch.from_numpy(part) for one in stats for part in (one["mu"], one["sigma"])]
        return {
            "torch-fidelity": fid_statistics_to_metric(*stats, False)["frechet_inception_distance"],
            "torchmetrics": float(_compute_fid(*others)),
        }

    def kernel(real, fake):
        real, fake = (torch.from_numpy(one) for one in (real, fake))
        options = {"kid_subsets": 1, "kid_subset_size": len(real), "verbose": False}
        found = kid_features_to_metric(real, fake, **options)
        return {
            "torch-fidelity": found["kernel_inception_distance_mean"],
            "torchmetrics": float(poly_mmd(real, fake)),
        }

    def means(some):
        return {name: float(np.mean([one[name] for one in some])) for name in some[0]}

    def neighbours(real, fake):
        found = prc_features_to_metric(
            torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=NEIGHBOURS[0], verbose=False
        )
        closest = {k: compute_prdc(real, fake, k) for k in NEIGHBOURS}
        return {
            "torch-fidelity": {name: found[name] for name in ("precision", "recall")},
            "prdc": {
                name: float(closest[k][name])
                for k, names in zip(NEIGHBOURS, (("precision", "recall"), ("density", "coverage")), strict=True)
                for name in names
            },
        }

    cases = {}
    for name, make in {**CASES, **TIES, **SAME}.items():
        real, fake = make()
        case = cases[name] = {"sum": sum_of(real, fake), "frechet": frechet(real, fake)}
        if name in SAME:
            continue
        case["neighbours"] = neighbours(real, fake)
        fewest = min(len(real), len(fake))
        case["kernel of all"] = kernel(real[:fewest], fake[:fewest])
        if name in BLOCK_SIZES:
            case["kernel of blocks"] = means([kernel(*block) for block in blocks(real, fake, BLOCK_SIZES[name])])
    scores = []
    for count, classes in LOGITS:
        found = isc_features_to_metric(torch.from_numpy(logits(19, count, classes)), splits=1, shuffle=False)
        scores.append({"sum": sum_of(logits(19, count, classes)), "torch-fidelity": found["inception_score_mean"]})

    names = ("torch", "torch-fidelity", "torchmetrics", "prdc", "scikit-learn", "numpy")
    versions = {"python": platform.python_version(), **{name: version(name) for name in names}}
    about = {"command": "python tests/metrics/reference.py", "versions": versions}
    FILE.write_text(json.dumps({**about, "cases": cases, "scores": scores}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
