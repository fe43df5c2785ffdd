"""Lightning as a careful user has it: channels last, one forward pass for both players, fused Adam, batches by index.

Each of the four is in PyTorch's or Lightning's documentation. `torch.compile` is left out: it needs a C++ compiler.

Reference:
    https://pytorch.org/tutorials/intermediate/memory_format_tutorial.html and
    https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html
"""

from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from peers import lightning_example, reading
from peers.worker import Gate
from peers.workloads import Workload


class GAN(lightning_example.GAN):
    """The same players, updated together."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload, channels_last=True)
        self.to(memory_format=torch.channels_last)

    def training_step(self, batch: Any) -> None:
        """Update both players from one forward pass; each gradient is taken for its own player's weights alone."""
        (images,) = batch
        of_generator, of_discriminator = self.optimizers()
        latents = torch.randn(images.shape[0], self.latent_dim, device=self.device)
        valid = torch.ones(images.shape[0], 1, device=self.device)
        real, fake = self.discriminator(images), self.discriminator(self.generator(latents))
        generator_loss = self.loss(fake, valid)
        discriminator_loss = self.loss(real, valid) + self.loss(fake, torch.zeros_like(valid))

        of_generator.zero_grad()
        of_discriminator.zero_grad()
        weights = [list(network.parameters()) for network in (self.generator, self.discriminator)]
        self.manual_backward(generator_loss, inputs=weights[0], retain_graph=True)
        self.manual_backward(discriminator_loss, inputs=weights[1])
        of_generator.step()
        of_discriminator.step()
        self.log_dict({"generator_loss": generator_loss, "discriminator_loss": discriminator_loss})

    def configure_optimizers(self) -> Any:
        """Return an Adam for each player, each of which is one kernel for all weights."""
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True) for network in networks], []


def loader(workload: Workload) -> DataLoader:
    """Return the batches of a round, channels last."""
    images = torch.from_numpy(workload.images()).permute(0, 3, 1, 2)  # channels first in shape, last in memory
    dataset = TensorDataset(images.contiguous(memory_format=torch.channels_last))
    # Whole batches are taken from the tensor, where a loader's default takes image by image and stacks them.
    sampler = BatchSampler(RandomSampler(dataset), workload.batch_size, drop_last=False)
    return DataLoader(dataset, sampler=sampler, batch_size=None)


def read(workload: Workload, gate: Gate) -> None:
    """Read round after round what would be trained on."""
    reading.read(loader(workload), gate)


def train(workload: Workload, gate: Gate, precision: str = "32-true") -> None:
    """Train round after round."""
    lightning_example.fit(GAN(workload), loader(workload), gate, precision)
