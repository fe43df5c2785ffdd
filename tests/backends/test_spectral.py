import numpy as np
import pytest

from kerasgan.backends.spectral import Axis, Plan

# A 5x5 kernel at stride 1 over 7x7 pixels, and at stride 2 over 14x14, both padded to "same": those of a DCGAN.
SMALL, HALVING = Axis(7, 5, 7, 1, 2), Axis(14, 5, 7, 2, 1)


def test_the_circle_is_as_short_as_the_padding_allows():
    assert SMALL.period == 9  # 7 pixels and 2 zeros: what wraps on either side meets a zero
    assert Axis(7, 5, 3, 1, 0).period == 7  # "valid" looks at no pixel beyond the edge


def test_a_strided_axis_is_one_of_blocks():
    # A zero before the five taps makes three blocks of two, of which the first reaches one block beyond the edge.
    assert (HALVING.shift, HALVING.blocks) == (1, Axis(7, 3, 7, 1, 1))
    assert HALVING.blocks.period == 8


@pytest.mark.parametrize(("axis", "points"), [(SMALL, 1 + 3 * 40), (HALVING, 4 + 3 * 30)])
def test_a_pair_of_conjugate_frequencies_takes_three_products(axis, points):
    plan = Plan(axis, axis)
    assert plan.points == points
    assert {len(matrix) for matrix in plan.matrices} == {points}


def test_the_points_of_one_axis_give_the_convolution_worked_by_hand():
    of_input, of_kernel, of_output = Plan(Axis(3, 3, 3, 1, 1), Axis(1, 1, 1, 1, 0)).matrices
    outputs = of_output.T @ ((of_input @ [1.0, 2.0, 4.0]) * (of_kernel @ [1.0, 10.0, 100.0]))
    np.testing.assert_allclose(outputs, [10 + 200, 1 + 20 + 400, 2 + 40])


def test_spectra_pay_for_many_channels_in_small_pictures():
    assert Plan(SMALL, SMALL).saves(256, 128, 256)
    assert Plan(HALVING, HALVING).saves(256, 64, 128)
    assert not Plan(SMALL, SMALL).saves(1, 128, 256)  # the kernel's transform is as long for one picture
    assert not Plan(SMALL, SMALL).saves(256, 1, 64)  # nothing to sum over
    first = Axis(28, 5, 14, 2, 1)
    assert not Plan(first, first).saves(256, 1, 64)
    large = Axis(64, 5, 64, 1, 2)
    assert not Plan(large, large).saves(256, 128, 256)  # transforms as plain matrices grow with the square
