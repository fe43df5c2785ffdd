"""The training of a `ScratchSequential`, every step of it in sight."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from kerasgan import backends
from kerasgan.networks.scratch.batches import BatchGenerator
from kerasgan.networks.scratch.network import ScratchSequential


class LossHistory(list[float]):
    """The mean loss of each epoch.

    Attributes:
        batches: The loss of each batch of all epochs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[float] = []


def cross_entropy(labels: Any, probabilities: Any) -> Any:
    """Penalise probability that did not go to the right class.

    Args:
        labels: `(batch,)` integers from 0, or `(batch, num_classes)` one-hot.
        probabilities: `(batch, num_classes)`, each row with the sum 1. Kept away from 0 and 1 by
            `keras.config.epsilon()`, as Keras does, so that the logarithm is finite; beyond that there is no gradient,
            so an example that is wrong with such certainty teaches nothing.

    Returns:
        Scalar mean over the batch; `-log(probability of the right class)` for each example.

    Raises:
        ValueError: The shapes do not belong together, so the product would broadcast silently.
    """
    probabilities = ops.convert_to_tensor(probabilities)
    targets = ops.convert_to_tensor(labels)
    if len(targets.shape) == 1:
        targets = ops.one_hot(targets, probabilities.shape[-1], dtype=probabilities.dtype)
    # Where Keras compiles a step it may leave the batch size open, as None.
    if len(targets.shape) != 2 or any(
        a != b for a, b in zip(targets.shape, probabilities.shape, strict=True) if a and b
    ):
        raise ValueError(
            f"Labels have shape {tuple(labels.shape)} and probabilities {tuple(probabilities.shape)}; "
            "give labels as (batch,) integers or (batch, num_classes) one-hot."
        )
    epsilon = keras.config.epsilon()
    log_probabilities = ops.log(ops.clip(probabilities, epsilon, 1 - epsilon))
    return -ops.mean(ops.sum(ops.cast(targets, probabilities.dtype) * log_probabilities, axis=-1))


def one_training_step(
    network: ScratchSequential,
    images: Any,
    labels: Any,
    learning_rate: float,
    momentum: float = 0.0,
    loss: Callable[[Any, Any], Any] = cross_entropy,
) -> Any:
    """Run the network forward, differentiate its loss, and move its weights.

    Works eagerly, and inside a compiled train step of Keras that knows the network's weights and velocities.

    Args:
        network: Is changed: its weights, and with momentum its velocities.
        images: `(batch, height, width, channels)`, in [-1, 1].
        labels: `(batch,)` integers, or `(batch, num_classes)` one-hot.
        learning_rate: How far the weights move along the gradient.
        momentum: Share of the last step's movement that goes on, in [0, 1).
        loss: Takes the labels and what the network gives, returns a scalar.

    Returns:
        Scalar loss, before the weights moved.
    """

    def forward() -> tuple[dict[str, Any], dict[str, Any]]:
        losses = {"network": loss(labels, network(images))}
        return losses, losses

    losses, gradients = backends.player_gradients(forward, {"network": network.weights})
    update_weights(network.weights, gradients["network"], learning_rate, momentum, network.velocities)
    return losses["network"]


def update_weights(
    weights: Sequence[keras.Variable],
    gradients: Sequence[Any],
    learning_rate: float,
    momentum: float = 0.0,
    velocities: Sequence[keras.Variable] = (),
) -> None:
    """Move each weight against its gradient, with the formulas of `keras.optimizers.SGD`.

    Args:
        weights: What moves.
        gradients: One to a weight, of its shape.
        learning_rate: How far the weights move along the gradient.
        momentum: Share of the last step's movement that goes on, in [0, 1).
        velocities: One to a weight, the last step's movement; with momentum they change too.

    Raises:
        ValueError: There is momentum, and not a velocity to each weight.
    """
    if momentum == 0:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign(weight - learning_rate * gradient)
        return
    if len(velocities) != len(weights):
        raise ValueError(
            f"momentum is {momentum}, which needs a velocity to each of {len(weights)} weights, not {len(velocities)}; "
            "pass velocities=network.velocities."
        )
    for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
        velocity.assign(momentum * velocity - learning_rate * gradient)
        weight.assign(weight + velocity)


def fit(
    network: ScratchSequential,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    momentum: float = 0.0,
    verbose: bool = True,
) -> LossHistory:
    """Train in an explicit loop, the images in the same order every epoch.

    Args:
        network: Is changed. A second call goes on where the first one stopped.
        images: `(count, height, width, channels)`, floats in [-1, 1].
        labels: `(count,)` integers, or `(count, num_classes)` one-hot.
        epochs: How often every image is seen.
        batch_size: Images a step.
        learning_rate: How far the weights move along the gradient.
        momentum: Share of the last step's movement that goes on, in [0, 1).
        verbose: Whether to print a line an epoch.

    Returns:
        The mean loss of each epoch, every image counting alike, and as `.batches` the loss of each batch.

    Raises:
        ValueError: Images and labels do not belong together, or not to this network.
    """
    batches, history = BatchGenerator(images, labels, batch_size), LossHistory()
    least, most, classes = batches.labels.min(), batches.labels.max(), network.layers[-1].outputs
    if not 0 <= least <= most < classes:
        raise ValueError(f"Labels span {least} to {most}; a network of {classes} classes takes 0 to {classes - 1}.")
    for epoch in range(epochs):
        total = 0.0
        for image_batch, label_batch in batches:
            loss = float(one_training_step(network, image_batch, label_batch, learning_rate, momentum))
            history.batches.append(loss)
            total += loss * len(image_batch)
        history.append(total / len(batches.images))
        if verbose:
            print(f"epoch {epoch + 1}/{epochs}: loss {history[-1]:.4f}")
    return history


def accuracy(network: ScratchSequential, images: npt.ArrayLike, labels: npt.ArrayLike, batch_size: int = 1024) -> float:
    """Return the share of images whose most probable class is the right one.

    Args:
        network: Gives probabilities `(batch, num_classes)`.
        images: `(count, height, width, channels)`, floats in [-1, 1].
        labels: `(count,)` integers, or `(count, num_classes)` one-hot.
        batch_size: Images judged at a time.
    """
    batches, right = BatchGenerator(images, labels, batch_size), 0
    for image_batch, label_batch in batches:
        classes = label_batch if label_batch.ndim == 1 else label_batch.argmax(axis=-1)
        predicted = ops.convert_to_numpy(network(image_batch)).argmax(axis=-1)
        right += int((predicted == classes).sum())
    return right / len(batches.images)
