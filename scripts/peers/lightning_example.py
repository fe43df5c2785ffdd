"""Lightning as its own example of a GAN is written: manual optimization, PyTorch's default layout, `Trainer` defaults.

The generator learns first and makes its fakes a second time for the discriminator, as there. Checkpoints are off, as
they are in the others: an epoch is a round here, and far shorter than epochs are.

Reference:
    https://github.com/Lightning-AI/pytorch-lightning/blob/master/examples/pytorch/domain_templates/generative_adversarial_net.py
"""

from typing import Any

import lightning
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from peers import reading, torch_networks
from peers.worker import Gate
from peers.workloads import Workload


class GAN(lightning.LightningModule):
    """A generator and a discriminator."""

    def __init__(self, workload: Workload, channels_last: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.latent_dim, self.learning_rate = workload.latent_dim, workload.learning_rate
        self.generator, self.discriminator = torch_networks.build(workload, channels_last)

    def training_step(self, batch: Any) -> None:
        """Update the generator, then the discriminator."""
        (images,) = batch
        of_generator, of_discriminator = self.optimizers()
        latents = torch.randn(images.shape[0], self.latent_dim).type_as(images)
        valid = torch.ones(images.shape[0], 1).type_as(images)

        self.toggle_optimizer(of_generator)
        generator_loss = self.loss(self.discriminator(self.generator(latents)), valid)
        of_generator.zero_grad()
        self.manual_backward(generator_loss)
        of_generator.step()
        self.untoggle_optimizer(of_generator)

        self.toggle_optimizer(of_discriminator)
        real_loss = self.loss(self.discriminator(images), valid)
        fake_loss = self.loss(self.discriminator(self.generator(latents).detach()), torch.zeros_like(valid))
        discriminator_loss = real_loss + fake_loss
        of_discriminator.zero_grad()
        self.manual_backward(discriminator_loss)
        of_discriminator.step()
        self.untoggle_optimizer(of_discriminator)
        self.log_dict({"generator_loss": generator_loss, "discriminator_loss": discriminator_loss})

    @staticmethod
    def loss(logits: Any, labels: Any) -> Any:
        """Return the cross-entropy."""
        return functional.binary_cross_entropy_with_logits(logits, labels)

    def configure_optimizers(self) -> Any:
        """Return an Adam for each player."""
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(network.parameters(), lr=self.learning_rate) for network in networks], []


class Rounds(lightning.Callback):
    """Take every epoch for a round."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Wait until the epoch may begin."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.gate.wait()


def fit(module: lightning.LightningModule, loader: DataLoader, gate: Gate, precision: str = "32-true") -> None:
    """Train round after round."""
    gate.ready(torch_networks.trained_weights(module))
    trainer = lightning.Trainer(
        max_epochs=-1, callbacks=[Rounds(gate)], precision=precision, devices=1, enable_checkpointing=False
    )
    trainer.fit(module, loader)


def loader(workload: Workload) -> DataLoader:
    """Return the batches of a round as a loader's defaults make them."""
    images = torch.from_numpy(workload.images().transpose(0, 3, 1, 2).copy())  # (images, channels, height, width)
    return DataLoader(TensorDataset(images), batch_size=workload.batch_size, shuffle=True)


def read(workload: Workload, gate: Gate) -> None:
    """Read round after round what would be trained on."""
    reading.read(loader(workload), gate)


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    fit(GAN(workload), loader(workload), gate)
