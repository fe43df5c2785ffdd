"""The workshop's CNN in Lightning as its introduction is written: automatic optimization, PyTorch's default layout.

Reference:
    https://lightning.ai/docs/pytorch/stable/starter/introduction.html
"""

from typing import Any

import lightning
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from peers import lightning_example
from peers.worker import Gate
from peers.workloads import CLASSES, Workload


class Classifier(lightning.LightningModule):
    """A network that ends in logits, and a metric beside its loss."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.learning_rate = workload.learning_rate
        self.network = nn.Sequential(
            nn.Conv2d(1, 32, 3),  # (batch, 32, 26, 26)
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),  # (batch, 64, 11, 11)
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(workload.dropout),
            nn.Flatten(),  # (batch, 64 * 5 * 5)
            nn.Linear(64 * 5 * 5, len(CLASSES)),
        )

    def training_step(self, batch: Any) -> Any:
        """Return the cross-entropy."""
        images, labels = batch
        logits = self.network(images * 0.5 + 0.5)
        loss = functional.cross_entropy(logits, labels)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        self.log_dict({"loss": loss, "accuracy": accuracy}, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    images = torch.from_numpy(workload.images().transpose(0, 3, 1, 2).copy())  # (images, channels, height, width)
    dataset = TensorDataset(images, torch.from_numpy(workload.labels()).long())
    loader = DataLoader(dataset, batch_size=workload.batch_size, shuffle=True)
    lightning_example.fit(Classifier(workload), loader, gate)
