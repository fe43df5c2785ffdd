"""What makes equal runs on TensorFlow give equal bits, read from the graph: races show once in hundreds of steps."""

from contextlib import nullcontext

import pytest

from kerasgan import backends
from kerasgan.testing import TinyWassersteinGAN, tiny_images

if backends.name != "tensorflow":
    pytest.skip("there is no TensorFlow graph on another backend", allow_module_level=True)

import tensorflow as tf

from kerasgan.backends import tensorflow as engine


def terms_of_sums():
    """Return how many terms each sum of gradients in a step has."""
    module = TinyWassersteinGAN()
    module._logs.phase = "training"
    step = tf.function(module.train_step, autograph=False)
    graph = step.get_concrete_function(tf.constant(tiny_images(8))).graph
    return {len(operation.inputs) for operation in graph.get_operations() if operation.type == "AddN"}


def test_gradients_are_added_two_by_two():
    assert terms_of_sums() == {2}


def test_without_that_threads_choose_the_order_of_some(monkeypatch):
    monkeypatch.setattr(engine, "_sums_in_order", nullcontext)
    assert max(terms_of_sums()) > 2


def test_plain_graphs_keep_the_order_of_reads_updates_and_sums():
    options = tf.config.optimizer.get_experimental_options()
    assert not options["dependency_optimization"]
    assert not options["arithmetic_optimization"]
