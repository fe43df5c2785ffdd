"""A folder of pictures as stock Keras streams it: `image_dataset_from_directory`, a pipeline of `tf.data`.

Reference:
    https://keras.io/examples/vision/image_classification_from_scratch/
"""

import keras
import tensorflow as tf

from peers import reading
from peers.pictures import written
from peers.worker import Gate
from peers.workloads import Workload


def read(workload: Workload, gate: Gate) -> None:
    """Read round after round, float32 in [-1, 1], decoded by as many threads as `tf.data` finds good."""
    dataset = keras.utils.image_dataset_from_directory(
        written(workload),
        label_mode=None,
        color_mode="grayscale",
        image_size=workload.image_shape[:2],
        batch_size=workload.batch_size,
    )
    reading.read(dataset.map(lambda images: images / 127.5 - 1.0).prefetch(tf.data.AUTOTUNE), gate)
