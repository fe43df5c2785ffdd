"""The workshop's CNN in stock Keras, on either backend: its layers, its `compile` and its `fit` with their defaults.

Reference:
    https://keras.io/examples/vision/mnist_convnet/
"""

import keras
from keras import layers

from peers.keras_networks import trained_weights
from peers.keras_rounds import Rounds
from peers.worker import Gate
from peers.workloads import CLASSES, Workload


def build(workload: Workload) -> keras.Model:
    """Return the network; its images are in [-1, 1], as everybody's."""
    return keras.Sequential(
        [
            keras.Input(workload.image_shape),
            layers.Rescaling(0.5, 0.5),
            layers.Conv2D(32, 3, activation="relu"),  # (batch, 26, 26, 32)
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),  # (batch, 11, 11, 64)
            layers.MaxPooling2D(2),
            layers.Dropout(workload.dropout),
            layers.Flatten(),  # (batch, 5 * 5 * 64)
            layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )


def train(workload: Workload, gate: Gate) -> None:
    """Train round after round."""
    network = build(workload)
    network.compile(
        keras.optimizers.Adam(workload.learning_rate), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    gate.ready(trained_weights(network))
    labels = keras.utils.to_categorical(workload.labels(), len(CLASSES))
    network.fit(workload.images(), labels, batch_size=workload.batch_size, epochs=10**9, callbacks=[Rounds(gate)])
