import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import backends
from kerasgan.networks import scratch
from kerasgan.networks.scratch import BatchGenerator, ScratchDense, ScratchSequential

SHAPE = (4, 4, 1)


def some_data(count=40, shape=SHAPE, contrast=0.5):
    """Return noise around one pattern a class, which is the fainter the lower the contrast."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    patterns = rng.uniform(-contrast, contrast, (3, *shape))
    return (patterns[labels] + rng.uniform(-0.5, 0.5, (count, *shape))).astype("float32"), labels


def tiny(units=(8,), init="glorot", **options):
    return scratch.classifier(SHAPE, 3, units=units, init=init, **options)


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


# Layers and networks.


def test_a_dense_layer_is_a_product_a_sum_and_an_activation():
    layer = ScratchDense(2, 3, "relu", init=lambda shape: np.array([[1.0, 2.0, -3.0], [4.0, 5.0, -6.0]]))
    layer.bias.assign([10.0, 20.0, 14.0])
    assert numbers(layer(np.array([[1.0, 2.0]], "float32"))).tolist() == [[19.0, 32.0, 0.0]]
    assert layer.weights == [layer.kernel, layer.bias]


@pytest.mark.parametrize("activation", [*scratch.network.ACTIVATIONS, None])
def test_a_named_activation_is_that_of_keras(activation):
    x = np.linspace(-3, 3, 14, dtype="float32").reshape(2, 7)
    layer = ScratchDense(7, 7, activation, init=lambda shape: ops.eye(7))
    np.testing.assert_allclose(numbers(layer(x)), numbers(keras.activations.get(activation)(x)), rtol=1e-6)


def test_an_activation_may_be_a_function():
    layer = ScratchDense(2, 2, activation=ops.square, init=lambda shape: ops.eye(2))
    assert numbers(layer(np.array([[3.0, -2.0]], "float32"))).tolist() == [[9.0, 4.0]]


@pytest.mark.parametrize(
    ("init", "low", "high"),
    [("uniform", 0.0, 0.1), ("centred", -0.05, 0.05), ("glorot", -np.sqrt(6 / 500), np.sqrt(6 / 500))],
)
def test_a_named_start_fills_its_range_evenly(init, low, high):
    kernel, bias = (numbers(weight) for weight in ScratchDense(200, 300, init=init, seed=1).weights)
    assert low <= kernel.min() < low + 0.001 and high - 0.001 < kernel.max() <= high
    assert kernel.mean() == pytest.approx((low + high) / 2, abs=0.001)
    assert kernel.std() == pytest.approx((high - low) / np.sqrt(12), rel=0.01)
    assert not bias.any()


def test_a_seed_repeats_a_start_and_another_seed_does_not():
    kernels = [numbers(ScratchDense(4, 4, seed=seed).kernel) for seed in (1, 1, 2, None, None)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert len({kernel.tobytes() for kernel in kernels}) == 4
    # Two layers of one shape start differently.
    first, second, _ = tiny(units=(16, 16)).layers
    assert not np.array_equal(numbers(first.kernel), numbers(second.kernel))


def test_the_network_takes_images_in_minus_one_to_one_as_zero_to_one():
    network = ScratchSequential([ScratchDense(2, 1, init=ops.ones)], image_shape=(1, 2, 1))
    images = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], "float64").reshape(3, 1, 2, 1)
    assert numbers(network(images)).tolist() == [[0.0], [1.0], [2.0]]
    assert numbers(network(images.reshape(3, 2))).tolist() == [[0.0], [1.0], [2.0]]


def test_the_classifier_is_chollets():
    network = scratch.classifier()
    assert [tuple(weight.shape) for weight in network.weights] == [(784, 512), (512,), (512, 10), (10,)]
    assert [layer.activation for layer in network.layers] == ["relu", "softmax"]
    assert [layer.init for layer in network.layers] == ["uniform", "uniform"]


def test_as_keras_is_the_same_network_of_stock_layers(tmp_path):
    network, (images, _) = tiny(units=(8, 5), activation="tanh"), some_data()
    stock = network.as_keras()
    assert [type(layer).__name__ for layer in stock.layers] == ["Rescaling", "Flatten", "Dense", "Dense", "Dense"]
    assert stock.input_shape == (None, *SHAPE)
    np.testing.assert_allclose(numbers(stock(images)), numbers(network(images)), rtol=1e-5)
    stock.save(tmp_path / "stock.keras")
    loaded = keras.saving.load_model(tmp_path / "stock.keras")
    np.testing.assert_array_equal(numbers(loaded(images)), numbers(stock(images)))


def test_weights_and_velocities_are_all_the_variables_and_keras_makes_none_of_them():
    network = tiny()
    assert len(network.weights) == len(network.velocities) == 4
    assert all(type(value) is keras.Variable for value in [*network.weights, *network.velocities])
    assert not any(velocity.trainable or numbers(velocity).any() for velocity in network.velocities)
    assert not isinstance(network, keras.Layer) and not isinstance(network.layers[0], keras.Layer)


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: ScratchDense(2, 2, activation="swoosh"), "activation is 'swoosh'; choose a function or one of elu"),
        (lambda: ScratchDense(2, 2, init="he"), "init is 'he'; choose a function of the shape or one of centred"),
        (lambda: ScratchDense(2, 2, init=lambda shape: ops.ones((2, 3))), r"shape \(2, 3\); it was asked for \(2, 2\)"),
        (lambda: ScratchSequential([]), "784 numbers; let the first layer take those, not nothing"),
        (lambda: ScratchSequential([ScratchDense(16, 2)]), "784 numbers; let the first layer take those, not 16"),
        (
            lambda: ScratchSequential([ScratchDense(16, 2), ScratchDense(3, 2)], SHAPE),
            "gives 2 numbers and the next takes 3",
        ),
        (lambda: tiny()(np.zeros((2, 5, 5, 1))), r"Images are \(5, 5, 1\); this network takes \(4, 4, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()


# Batches.


def test_the_generator_counts_its_batches_and_hands_out_the_small_last_one():
    images, labels = np.arange(10.0).reshape(10, 1, 1, 1), np.arange(10)
    batches = BatchGenerator(images, labels, batch_size=4)
    assert batches.num_batches == 3
    seen = [batches.next() for _ in range(batches.num_batches)]
    assert [label.tolist() for _, label in seen] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all((image.ravel() == label).all() for image, label in seen)
    with pytest.raises(StopIteration):
        batches.next()
    assert BatchGenerator(images[:8], labels[:8], batch_size=4).num_batches == 2


def test_iterating_the_generator_starts_anew_each_time():
    batches = BatchGenerator(np.zeros((5, 1)), np.arange(5), batch_size=2)
    batches.next()
    for _ in range(2):
        assert [labels.tolist() for _, labels in batches] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("images", "labels", "batch_size", "complaint"),
    [
        (np.zeros((3, 1)), np.zeros(2), 2, "3 images but 2 labels"),
        (np.zeros((0, 1)), np.zeros(0), 2, "There are 0 images"),
        (np.zeros((2, 1), "uint8"), np.zeros(2), 2, r"uint8; bring them to \[-1, 1\], as in images / 127.5 - 1"),
        (np.zeros((2, 1)), np.zeros(2), 0, "batch_size is 0; choose at least 1"),
    ],
)
def test_malformed_data_is_refused_with_what_would_be_right(images, labels, batch_size, complaint):
    with pytest.raises(ValueError, match=complaint):
        BatchGenerator(images, labels, batch_size)


# The loss.

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "float32")


def test_cross_entropy_is_the_mean_of_minus_the_logarithms():
    expected = (np.log(2) + np.log(10)) / 2
    assert float(scratch.cross_entropy(np.array([0, 1]), PROBABILITIES[:2])) == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_is_that_of_keras_also_where_a_probability_is_zero_or_one():
    for labels in ([0, 2, 0, 1], [1, 0, 1, 2], [2, 1, 0, 2]):
        expected = ops.mean(keras.losses.sparse_categorical_crossentropy(np.array(labels), PROBABILITIES))
        assert float(scratch.cross_entropy(np.array(labels), PROBABILITIES)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_cross_entropy_of_integers_and_of_one_hot_rows_is_the_same(dtype):
    labels = np.array([1, 0, 1, 2], dtype)
    by_number = float(scratch.cross_entropy(labels, PROBABILITIES))
    assert by_number == float(scratch.cross_entropy(np.eye(3)[labels], PROBABILITIES))


@pytest.mark.parametrize("shape", [(4, 1), (1, 3), (3,), (4, 2)])
def test_cross_entropy_refuses_labels_that_would_broadcast(shape):
    with pytest.raises(ValueError, match="give labels as"):
        scratch.cross_entropy(np.zeros(shape, "int32"), PROBABILITIES)


# The update.


def test_plain_descent_goes_against_the_gradient():
    weight = keras.Variable([1.0, 2.0])
    scratch.update_weights([weight], [np.array([10.0, -20.0], "float32")], learning_rate=0.1)
    np.testing.assert_allclose(numbers(weight), [0.0, 4.0])


def test_momentum_goes_on_with_a_share_of_the_last_movement():
    weight, velocity = keras.Variable([1.0]), keras.Variable([0.0])
    for _ in range(2):
        scratch.update_weights([weight], [np.array([10.0], "float32")], 0.1, 0.5, [velocity])
    # The first step moves by -1, the second by 0.5 * -1 - 1 = -1.5.
    np.testing.assert_allclose(numbers(velocity), [-1.5])
    np.testing.assert_allclose(numbers(weight), [-1.5])


def test_momentum_without_velocities_is_refused():
    with pytest.raises(ValueError, match="needs a velocity to each of 1 weights, not 0"):
        scratch.update_weights([keras.Variable([1.0])], [np.ones(1, "float32")], 0.1, momentum=0.5)


def losses_of_keras(network, batches, learning_rate, momentum):
    """Return the loss of each batch, trained by `keras.optimizers.SGD` from the network's present weights."""
    model, losses = network.as_keras(), []
    model.compile(keras.optimizers.SGD(learning_rate, momentum), "sparse_categorical_crossentropy")
    for images, labels in batches:
        model.reset_metrics()  # or Keras returns the mean so far
        losses.append(float(model.train_on_batch(images, labels)))
    return losses, model.get_weights()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
# Faint enough that no loss is near zero: one of 1e-4 has no five digits, since float32 has few numbers next to 1.
# Slow enough that none reaches 16.1, where we clip and Keras on TensorFlow, which goes round the softmax, does not.
@pytest.mark.parametrize(
    ("shape", "units", "contrast", "rate"), [(SHAPE, (8, 5), 0.5, 0.1), ((28, 28, 1), (512,), 0.1, 0.03)]
)
def test_a_hundred_steps_give_the_losses_of_keras(shape, units, contrast, rate, momentum):
    rate, data = rate * (1 - momentum), some_data(400, shape, contrast)

    def losses_by_hand(data, rate):
        network = scratch.classifier(shape, 3, units=units, init="glorot")
        options = {"batch_size": 4, "learning_rate": rate, "momentum": momentum, "verbose": False}
        return scratch.fit(network, *data, epochs=1, **options).batches, network.weights

    network = scratch.classifier(shape, 3, units=units, init="glorot")
    expected, expected_weights = losses_of_keras(network, BatchGenerator(*data, 4), rate, momentum)
    assert len(expected) == 100 and np.mean(expected[-10:]) < 0.9 * np.mean(expected[:10])
    losses, weights = losses_by_hand(data, rate)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for weight, same in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(numbers(weight), same, rtol=1e-4, atol=1e-6)
    # The control: a rate larger by a thousandth is seen within 20 steps.
    others, _ = losses_by_hand([part[:80] for part in data], 1.001 * rate)
    assert others[0] == pytest.approx(expected[0], rel=1e-5)
    assert not np.allclose(others, expected[:20], rtol=1e-5, atol=0)


class Compiled(keras.Model):
    """Takes the step by hand inside Keras's compiled train step."""

    def __init__(self, network, learning_rate, momentum):
        super().__init__()
        self.network, self.rates = network, (learning_rate, momentum)
        self.by_hand = [*network.weights, *network.velocities]  # so that Keras knows them
        self.mean = keras.metrics.Mean("loss")
        self.compile(keras.optimizers.SGD())
        self.built = True

    def train_step(self, *arguments):
        return backends.run_step(self.step, arguments, self.groups)

    def step(self, data):
        self.mean.update_state(scratch.one_training_step(self.network, *data, *self.rates))
        return {"loss": self.mean.result()}

    def groups(self):
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )


def test_a_compiled_train_step_of_keras_gives_the_losses_of_the_explicit_loop():
    images, labels = some_data()
    model = Compiled(tiny(), 0.1, 0.9)
    compiled = model.fit(images, labels, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    network = tiny()
    by_hand = scratch.fit(network, images, labels, epochs=3, batch_size=8, learning_rate=0.1, momentum=0.9)
    np.testing.assert_allclose(compiled, by_hand, rtol=1e-5)
    for weight, same in zip(model.by_hand, [*network.weights, *network.velocities], strict=True):
        np.testing.assert_allclose(numbers(weight), numbers(same), rtol=1e-4, atol=1e-6)


def test_another_loss_can_be_given():
    def squares(labels, probabilities):
        return ops.mean(ops.square(ops.one_hot(labels, 3) - probabilities))

    (images, labels), network = some_data(), tiny()
    losses = [float(scratch.one_training_step(network, images, labels, 1.0, loss=squares)) for _ in range(40)]
    assert losses[0] == pytest.approx(float(squares(labels, tiny()(images))), rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]


# Training.


def test_training_makes_the_loss_fall_and_the_classes_right(capsys):
    (images, labels), network = some_data(), tiny()
    history = scratch.fit(network, images, labels, epochs=20, batch_size=16, learning_rate=0.1, momentum=0.9)
    assert history[-1] < 0.1 * history[0]
    assert scratch.accuracy(network, images, labels) == 1.0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20 and lines[0] == f"epoch 1/20: loss {history[0]:.4f}"


def test_the_history_holds_the_loss_of_each_epoch_and_of_each_batch(capsys):
    images, labels = some_data(count=10)
    history = scratch.fit(tiny(), images, labels, epochs=2, batch_size=4, verbose=False)
    assert len(history) == 2 and len(history.batches) == 6
    # The last batch of two images counts half as much as those of four.
    assert history[0] == pytest.approx(np.dot(history.batches[:3], [0.4, 0.4, 0.2]), rel=1e-6)
    assert capsys.readouterr().out == ""


def test_one_hot_labels_train_the_same_network():
    images, labels = some_data()
    by_number = scratch.fit(tiny(), images, labels, epochs=1, learning_rate=0.1, verbose=False)
    one_hot = np.eye(3)[labels]
    network = tiny()
    assert scratch.fit(network, images, one_hot, epochs=1, learning_rate=0.1, verbose=False) == by_number
    assert scratch.accuracy(network, images, one_hot) == scratch.accuracy(network, images, labels)


@pytest.mark.parametrize("labels", [[0, 1, 3], [-1, 0, 1]])
def test_a_label_that_is_no_class_is_refused(labels):
    with pytest.raises(ValueError, match="a network of 3 classes takes 0 to 2"):
        scratch.fit(tiny(), np.zeros((3, *SHAPE)), labels, epochs=1)


def test_accuracy_is_the_share_of_right_classes():
    network = ScratchSequential([ScratchDense(2, 2, init=lambda shape: ops.eye(2))], image_shape=(1, 2, 1))
    # The brighter pixel is the class: 0, 1, 1, 0, 1.
    images = np.array([[0.5, 0.1], [0.2, 0.3], [-0.9, 0.9], [0.1, 0.0], [0.0, 0.1]]).reshape(5, 1, 2, 1)
    for batch_size in (2, 5, 100):
        assert scratch.accuracy(network, images, [0, 1, 0, 0, 0], batch_size) == 3 / 5
