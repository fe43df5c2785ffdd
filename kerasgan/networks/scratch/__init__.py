"""A classifier and its training with no Keras layer and no Keras optimizer: `keras.Variable` and `keras.ops` only.

Made to be read and changed. Another start, activation, rate or momentum is one argument:

    network = kg.networks.scratch.classifier(activation="tanh", init="glorot")
    losses = kg.networks.scratch.fit(network, images, labels, epochs=5, learning_rate=0.1, momentum=0.9)
    matplotlib.pyplot.plot(losses.batches)

Reference:
    Chollet, Deep Learning with Python, 2nd edition, section 2.5.1: the same example in TensorFlow.
"""

from kerasgan.networks.scratch.batches import BatchGenerator
from kerasgan.networks.scratch.network import ScratchDense, ScratchSequential, classifier
from kerasgan.networks.scratch.training import (
    LossHistory,
    accuracy,
    cross_entropy,
    fit,
    one_training_step,
    update_weights,
)

__all__ = [
    "BatchGenerator",
    "LossHistory",
    "ScratchDense",
    "ScratchSequential",
    "accuracy",
    "classifier",
    "cross_entropy",
    "fit",
    "one_training_step",
    "update_weights",
]
