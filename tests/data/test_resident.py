import numpy as np
import pytest
from keras import ops

from kerasgan import backends
from kerasgan.data import Batches
from kerasgan.data.resident import Resident

# Every value that a pixel can have.
IMAGES = np.arange(20 * 256, dtype="int64").astype("uint8").reshape(20, 16, 16, 1)
LABELS = np.arange(20) % 4


def read(batches, number, resident=None):
    """Read a batch within a compiled program, as a training step does."""
    resident = resident or Resident(batches)
    size = min(batches.batch_size, len(batches.order) - number * batches.batch_size)
    state = backends.state_of(())

    def step(*arguments):
        batch = dict(enumerate(arguments[-1]))
        return (batch, arguments[0]) if state else batch

    program = backends.program(step, resident.gather(batches, size), several=False, jit_compile=True)
    outcome = program(*state, resident.arrays(batches), number, 1)
    batch = outcome[0] if state else outcome
    return [ops.convert_to_numpy(part) for part in batch.values()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"labels": LABELS},
        {"labels": LABELS, "one_hot": True},
        {"labels": LABELS, "one_hot": True, "num_classes": 7},
    ],
)
def test_a_batch_from_the_device_is_the_batch_from_the_host_bit_for_bit(options):
    batches = Batches(IMAGES, batch_size=8, shuffle=True, seed=3, **options)
    for epoch in (0, 1):
        batches.epoch = epoch
        for number in range(len(batches)):
            expected = batches[number]
            found = read(batches, number)
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)


def test_views_share_the_images_on_the_device():
    batches = Batches(IMAGES, batch_size=4, shuffle=True)
    resident = Resident(batches)
    for view in (batches.skipping(2), batches.limited(3), batches.unshuffled(), batches.limited(4).skipping(1)):
        for number in range(len(view)):
            np.testing.assert_array_equal(read(view, number, resident)[0], view[number][0])


def test_the_order_of_an_epoch_has_what_its_batches_show():
    batches = Batches(IMAGES, batch_size=8, shuffle=True)
    assert sorted(batches.order) == list(range(20))
    assert len(batches.limited(1).order) == 8
    assert len(batches.skipping(1).order) == 12
    assert len(Batches(IMAGES, batch_size=8, drop_remainder=True).order) == 16
