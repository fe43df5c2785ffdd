import threading

import keras
import numpy as np
import pytest

from kerasgan.data import Batches, DataError


@pytest.fixture
def numbered() -> np.ndarray:
    """Images that are recognised by their value."""
    return np.broadcast_to(np.arange(23, dtype=np.uint8)[:, None, None, None], (23, 4, 4, 1))


class Recorder(keras.layers.Layer):
    """Nothing to learn; shows which images arrived."""

    def call(self, images):
        return images


class Watching(Batches):
    """Keeps which images each epoch handed out."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = {}

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        self.seen.setdefault(self.epoch, {})[index] = values(batch)
        return batch


def values(batch):
    return np.rint((batch[0][:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def order(batches):
    return [value for batch in batches for value in values(batch)]


def test_pixels_become_float32_from_minus_one_to_one():
    images = np.array([0, 127, 255], np.uint8).reshape(3, 1, 1, 1)
    (batch,) = Batches(images)[0]
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch.ravel(), [-1, 127 / 127.5 - 1, 1], rtol=1e-6)


def test_the_same_seed_and_epoch_give_the_same_batches(numbered):
    first, second = (Batches(numbered, batch_size=5, seed=3, shuffle=True) for _ in range(2))
    assert order(first) == order(second)
    first.epoch = second.epoch = 7
    assert order(first) == order(second)
    assert sorted(order(first)) == list(range(23))


def test_another_seed_or_epoch_gives_another_order(numbered):
    batches = Batches(numbered, batch_size=5, seed=3, shuffle=True)
    first = order(batches)
    assert order(Batches(numbered, batch_size=5, seed=4, shuffle=True)) != first
    batches.on_epoch_end()
    assert batches.epoch == 1 and order(batches) != first
    batches.epoch = 0
    assert order(batches) == first


def test_without_shuffle_the_order_is_that_of_the_arrays(numbered):
    batches = Batches(numbered, batch_size=5)
    batches.on_epoch_end()
    assert order(batches) == list(range(23))


def test_images_and_labels_stay_together(numbered):
    batches = Batches(numbered, np.arange(23), batch_size=5, shuffle=True)
    for batch in batches:
        assert batch[1].dtype == np.int32
        np.testing.assert_array_equal(batch[1], values(batch))


def test_one_hot_labels_have_a_column_a_class(numbered):
    batches = Batches(numbered, np.arange(23) % 3, batch_size=4, one_hot=True, num_classes=5)
    np.testing.assert_array_equal(batches[0][1], np.eye(5, dtype=np.float32)[[0, 1, 2, 0]])
    assert batches[0][1].dtype == np.float32
    np.testing.assert_array_equal(batches.labels, np.arange(23) % 3)


def test_the_remainder_is_kept_or_dropped_as_asked(numbered):
    kept, dropped = (Batches(numbered, batch_size=5, drop_remainder=drop) for drop in (False, True))
    assert (len(kept), len(dropped)) == (5, 4)
    assert len(kept[4][0]) == len(kept[-1][0]) == 3
    with pytest.raises(IndexError, match="batch 4 of 4"):
        dropped[4]


def test_a_limited_view_is_the_start_of_the_whole(numbered):
    whole = Batches(numbered, batch_size=5, shuffle=True)
    view = whole.limited(2)
    assert order(view) == order(whole)[:10]
    assert (len(view), len(whole), len(whole.limited(99)), view.num_examples) == (2, 5, 5, 23)
    view.on_epoch_end()
    assert (view.epoch, whole.epoch) == (1, 0)


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_a_limit_below_one_is_refused(numbered, count):
    with pytest.raises(DataError, match=r"count is .*at least 1"):
        Batches(numbered).limited(count)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 24, "drop_remainder": True}, "batch_size 24 is larger than the 23 images"),
        ({"seed": -1}, "seed is -1"),
        ({"one_hot": True}, "there are no labels"),
        ({"labels": np.arange(23), "num_classes": 10}, r"label 22 lies outside 0\.\.9"),
    ],
)
def test_options_that_will_not_do_are_named_with_their_value(numbered, options, said):
    with pytest.raises(DataError, match=said):
        Batches(numbered, **options)


def test_threads_that_read_while_the_epoch_changes_see_whole_permutations(numbered):
    batches = Batches(numbered, batch_size=23, shuffle=True)
    wrong = []

    def read():
        for _ in range(300):
            if sorted(values(batches[0])) != list(range(23)):
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for epoch in range(300):
        batches.epoch = epoch
    for thread in threads:
        thread.join()
    assert not wrong


def classifier():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("built", [True, False])
def test_plain_fit_sees_each_epoch_in_its_own_order_from_the_first(numbered, built):
    def watching():
        return Watching(numbered, np.arange(23) % 3, batch_size=5, shuffle=True, drop_remainder=True)

    batches, model = watching(), classifier()
    if built:
        model.build((None, 4, 4, 1))
    validation = Batches(numbered, np.arange(23) % 3, batch_size=5)
    history = model.fit(batches, validation_data=validation, epochs=2, shuffle=False, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    model.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert batches.epoch == 4
    expected = watching()
    for epoch in range(4):
        expected.epoch = epoch
        assert batches.seen[epoch] == {index: values(expected[index]) for index in range(4)}


def test_two_fits_of_two_epochs_equal_one_of_four(numbered):
    def losses(*epochs, shuffle=True):
        keras.utils.set_random_seed(0)
        batches = Batches(numbered, np.arange(23) % 3, batch_size=5, shuffle=shuffle)
        model, history = classifier(), []
        for count in epochs:
            history += model.fit(batches, epochs=count, shuffle=False, verbose=0).history["loss"]
        return history

    np.testing.assert_allclose(losses(2, 2), losses(4), rtol=1e-6)
    assert not np.allclose(losses(4, shuffle=False), losses(4), rtol=1e-6)  # The order does show in the losses.


def test_evaluate_and_predict_see_every_image(numbered):
    model = keras.Sequential([Recorder()])
    predicted = model.predict(Batches(numbered, batch_size=5), verbose=0)
    np.testing.assert_allclose(predicted, numbered / 127.5 - 1, atol=1e-6)


def test_a_view_that_skips_goes_on_with_the_very_next_batch():
    whole = Batches(np.arange(10 * 16, dtype="uint8").reshape(10, 4, 4), batch_size=2, seed=3, shuffle=True)
    whole.epoch = 5
    rest = whole.skipping(2)
    assert len(rest) == 3
    for index in range(3):
        np.testing.assert_array_equal(rest[index][0], whole[index + 2][0])
    with pytest.raises(DataError, match="count is 5; of 5 batches 0 to 4"):
        whole.skipping(5)


def test_parts_put_together_are_the_batches_of_the_whole(numbered):
    labels = np.arange(23) % 3
    whole = Batches(numbered, labels, batch_size=6, seed=3, shuffle=True, one_hot=True, drop_remainder=True)
    for view in (whole, whole.skipping(1), whole.limited(2)):
        parts = [view.share(index, 3) for index in range(3)]
        for epoch in (0, 5):
            for batches in (view, *parts):
                batches.epoch = epoch
            assert [len(part) for part in parts] == [len(view)] * 3
            for index in range(len(view)):
                for side in (0, 1):
                    joined = np.concatenate([part[index][side] for part in parts])
                    np.testing.assert_array_equal(joined, view[index][side])
            joined = np.concatenate([np.reshape(part.order, (-1, 2)) for part in parts], axis=1)
            np.testing.assert_array_equal(joined.ravel(), view.order)


def test_a_last_batch_that_cannot_be_divided_is_whole_in_every_part(numbered):
    whole = Batches(numbered, batch_size=4)  # 5 batches of 4, and one of 3
    for index in range(2):
        part = whole.share(index, 2)
        assert [len(values(batch)) for batch in part] == [2] * 5 + [3]
        assert values(part[5]) == values(whole[5])
        assert part.order.tolist() == order(part)


def test_a_part_of_a_part_is_a_smaller_one(numbered):
    whole = Batches(numbered, batch_size=12, seed=3, shuffle=True)
    assert order(whole.share(1, 2).share(1, 3)) == order(whole.share(4, 6))


@pytest.mark.parametrize(
    ("index", "count", "said"),
    [(2, 2, "index is 2; of 2 parts 0 to 1"), (0, 4, "batch_size is 6, which does not go into 4 equal parts")],
)
def test_parts_that_cannot_be_are_refused(numbered, index, count, said):
    with pytest.raises(DataError, match=said):
        Batches(numbered, batch_size=6).share(index, count)


def test_an_unshuffled_view_keeps_the_order_of_the_images_in_every_epoch():
    images = np.arange(10 * 16, dtype="uint8").reshape(10, 4, 4)
    shuffled = Batches(images, batch_size=10, seed=3, shuffle=True)
    shuffled[0]
    view = shuffled.unshuffled()
    view.epoch = 4
    np.testing.assert_array_equal(view[0][0], Batches(images, batch_size=10)[0][0])


def test_a_reshuffle_gives_every_epoch_another_order_and_none_the_old_one():
    images = np.arange(64, dtype="uint8").reshape(64, 1, 1, 1)

    def order(epoch, reshuffles, **options):
        batches = Batches(images, batch_size=64, seed=3, **{"shuffle": True, **options})
        batches.epoch, batches.reshuffles = epoch, reshuffles
        return tuple(np.rint((batches[0][0].ravel() + 1) * 127.5).astype(int))

    orders = {order(epoch, reshuffles) for epoch in range(3) for reshuffles in range(3)}
    assert len(orders) == 9
    assert all(sorted(one) == list(range(64)) for one in orders)
    assert order(1, 2) == order(1, 2)
    assert order(1, 0) == tuple(np.random.default_rng([3, 1]).permutation(64))
    assert order(1, 2, shuffle=False) == tuple(range(64))


@pytest.mark.parametrize("count", [2, 3])
def test_uneven_shares_of_any_batch_put_together_are_the_batch(count):
    whole = Batches(np.arange(9, dtype="uint8").reshape(9, 1, 1, 1), np.arange(9), batch_size=4, shuffle=True)
    shares = [whole.share(index, count, evenly=False) for index in range(count)]
    for number in range(len(whole)):
        parts = [share[number] for share in shares]
        sizes = [len(images) for images, _ in parts]
        assert max(sizes) - min(sizes) <= 1
        for together, of_whole in zip(zip(*parts, strict=True), whole[number], strict=True):
            assert np.array_equal(np.concatenate(together), of_whole)
    # The control: an even share of the last batch, of one image, is all of it.
    assert [len(whole.share(index, 2)[2][0]) for index in range(2)] == [1, 1]
