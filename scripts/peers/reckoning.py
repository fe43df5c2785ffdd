"""How far data parallelism goes, reckoned: the sum of the gradients over a network, beside the step's computation.

    KERAS_BACKEND=jax python scripts/peers/reckoning.py

prints the tables of docs/scaling.md. Nothing is measured here. What is reckoned: each device computes its part of a
step, then a ring all-reduce sums the gradients in float32. Nothing of both is done at once, and there is no latency.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import keras

from kerasgan import networks

NETWORKS = {  # with the number of gradient penalties in their recipe
    "dcgan 28x28x1": (networks.dcgan, (28, 28, 1), 0),
    "dcgan 64x64x3": (networks.dcgan, (64, 64, 3), 0),
    "dcgan 128x128x3": (networks.dcgan, (128, 128, 3), 0),
    "r3gan 64x64x3": (networks.residual, (64, 64, 3), 2),
    "r3gan 128x128x3": (networks.residual, (128, 128, 3), 2),
}
BANDWIDTHS = {"1 GbE": 0.125e9, "10 GbE": 1.25e9, "100 GbE": 12.5e9, "NVLink": 300e9}  # bytes/s, one way
RATES = {"2 cores": 0.2e12, "accelerator": 20e12}  # FLOP/s: measured with the DCGAN at 28x28; assumed
EFFICIENCY = 0.8  # share of the time in which devices compute
BATCH = 256
ROUNDING = 1e-9  # errors of floats, which are not to cost a whole image or device


@dataclass(frozen=True)
class Cost:
    """What a training step costs.

    Attributes:
        weights: Trained, of both players.
        multiply_adds: For each image.
    """

    weights: int
    multiply_adds: float

    @property
    def gradient_bytes(self) -> int:
        """What is summed over all devices, in float32."""
        return 4 * self.weights

    def compute_seconds(self, batch: float, rate: float) -> float:
        """Return what a device with so many FLOP/s takes for its part of a batch."""
        return 2 * batch * self.multiply_adds / rate

    def batch_per_device(self, rate: float, bandwidth: float, efficiency: float = EFFICIENCY) -> int:
        """Return how many images a device needs, of any number of devices, to compute that share of the time."""
        needed = ring_seconds(self.gradient_bytes, bandwidth) * efficiency / (1 - efficiency)
        return math.ceil(needed / self.compute_seconds(1, rate) - ROUNDING)

    def devices(self, batch: int, rate: float, bandwidth: float, efficiency: float = EFFICIENCY) -> int:
        """Return how many devices may share a batch, all of them computing that share of the time; at most `batch`."""
        # compute / n = efficiency / (1 - efficiency) * 2 (n - 1) / n * bytes / bandwidth, solved for n
        spent = ring_seconds(self.gradient_bytes, bandwidth) * efficiency / (1 - efficiency)
        return min(batch, int(1 + self.compute_seconds(batch, rate) / spent + ROUNDING))


def ring_seconds(size: float, bandwidth: float, devices: float = math.inf) -> float:
    """Return what a ring all-reduce takes: each device sends and receives `2 (n - 1) / n` times what is summed.

    Args:
        size: Bytes to sum.
        bandwidth: Bytes a second of each device, one way.
        devices: How many; the time hardly grows beyond some.
    """
    return 2 * (1 - 1 / devices) * size / bandwidth


def multiply_adds(network: keras.Model) -> int:
    """Return the multiplications of a forward pass for one example, in direct convolutions that pad with zeros."""
    total = 0
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        pixels = 1
        if isinstance(layer, keras.layers.Conv2DTranspose):
            pixels = math.prod(layer.input.shape[1:3])
        elif isinstance(layer, keras.layers.Conv2D):
            pixels = math.prod(layer.output.shape[1:3])
        total += pixels * math.prod(layer.kernel.shape)
    return total


def cost(generator: keras.Model, discriminator: keras.Model, penalties: int = 0) -> Cost:
    """Return what a step of `kg.GAN` costs.

    A pass backward takes each layer twice, by its inputs and by its kernel. The generator goes forward and backward
    once. The discriminator goes forward over images and fakes, backward by its own loss over both, and by the
    generator's loss over the fakes, where its kernels do not matter. A penalty, of images or of fakes, goes backward by
    the inputs once, and backward through all of it; XLA takes the forward pass that is there.
    """
    players = (generator, discriminator)
    weights = sum(math.prod(weight.shape) for player in players for weight in player.trainable_weights)
    return Cost(weights, 3 * multiply_adds(generator) + (7 + 5 * penalties) * multiply_adds(discriminator))


def costs() -> dict[str, Cost]:
    """Return the cost of each network."""
    with keras.StatelessScope(initialize_variables=False):  # Their shapes are enough.
        return {
            name: cost(family.generator(shape), family.discriminator(shape), penalties)
            for name, (family, shape, penalties) in NETWORKS.items()
        }


def tables(found: dict[str, Cost]) -> Iterable[str]:
    """Yield the lines of the tables, in Markdown."""
    yield from _head("", "weights", "gradients, MB", "GFLOP an image", *(f"{name}, ms" for name in BANDWIDTHS))
    for name, one in found.items():
        times = [three(1000 * ring_seconds(one.gradient_bytes, bandwidth)) for bandwidth in BANDWIDTHS.values()]
        size, work = three(one.gradient_bytes / 1e6), three(2 * one.multiply_adds / 1e9)
        yield _row(name, f"{one.weights:,}", size, work, *times)
    for device, rate in RATES.items():
        yield ""
        yield from _head(f"{device}, {rate / 1e12:g} TFLOP/s", *BANDWIDTHS)
        for name, one in found.items():
            needed = [one.batch_per_device(rate, bandwidth) for bandwidth in BANDWIDTHS.values()]
            most = [one.devices(BATCH, rate, bandwidth) for bandwidth in BANDWIDTHS.values()]
            yield _row(name, *(f"{batch:,} / {count}" for batch, count in zip(needed, most, strict=True)))


def three(number: float) -> str:
    """Write a number with three digits that count."""
    return f"{float(f'{number:.3g}'):,g}"


def _head(*cells: str) -> Iterable[str]:
    yield _row(*cells)
    yield "|---" * len(cells) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(*tables(costs()), sep="\n")
