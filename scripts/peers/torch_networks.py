"""The two networks of each workload in PyTorch, weight for weight those of `keras_networks.py`.

Images are `(batch, channels, height, width)`, as PyTorch has them.
"""

import math

from torch import nn

from peers.workloads import Workload


class Generator(nn.Module):
    """The DCGAN's generator.

    Args:
        latent_dim: Length of a latent vector.
        channels_last: Whether what the dense layer makes is taken for `(7, 7, 256)`, as in Keras. Convolutions stay
            in that order then, where PyTorch's own `(256, 7, 7)` would have to be turned around first.
    """

    def __init__(self, latent_dim: int, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last
        width = 7 * 7 * 256
        self.dense = nn.Sequential(nn.Linear(latent_dim, width, bias=False), nn.BatchNorm1d(width), nn.LeakyReLU(0.3))
        like = {"kernel_size": 5, "padding": 2, "bias": False}
        self.convolutions = nn.Sequential(
            nn.ConvTranspose2d(256, 128, stride=1, **like),  # (batch, 128, 7, 7)
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.3),
            nn.ConvTranspose2d(128, 64, stride=2, output_padding=1, **like),  # (batch, 64, 14, 14)
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.3),
            nn.ConvTranspose2d(64, 1, stride=2, output_padding=1, **like),  # (batch, 1, 28, 28)
            nn.Tanh(),
        )

    def forward(self, latents):
        """Return images `(batch, 1, 28, 28)`."""
        x = self.dense(latents)
        x = x.view(-1, 7, 7, 256).permute(0, 3, 1, 2) if self.channels_last else x.view(-1, 256, 7, 7)
        return self.convolutions(x)


def build(workload: Workload, channels_last: bool) -> tuple[nn.Module, nn.Module]:
    """Return `(generator, discriminator)`."""
    if workload.name == "tiny":
        return _tiny(workload)
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 5, stride=2, padding=2),  # (batch, 64, 14, 14)
        nn.LeakyReLU(0.3),
        nn.Dropout(workload.dropout),
        nn.Conv2d(64, 128, 5, stride=2, padding=2),  # (batch, 128, 7, 7)
        nn.LeakyReLU(0.3),
        nn.Dropout(workload.dropout),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    )
    return Generator(workload.latent_dim, channels_last), discriminator


def trained_weights(*networks: nn.Module) -> int:
    """Count the numbers that training changes by gradients."""
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def _tiny(workload: Workload) -> tuple[nn.Module, nn.Module]:
    height, width, channels = workload.image_shape
    generator = nn.Sequential(
        nn.Linear(workload.latent_dim, 16, bias=False),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Linear(16, math.prod(workload.image_shape)),
        nn.Tanh(),
        nn.Unflatten(1, (channels, height, width)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(workload.image_shape), 16),
        nn.LeakyReLU(0.2),
        nn.Dropout(workload.dropout),
        nn.Linear(16, 1),
    )
    return generator, discriminator
