"""How good are the predictions of a classifier: accuracy, confusion, the figures of every class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.tables import escape, table

_TOLERANCE = 1e-3  # How far the sum of a row may be from one: float16 does no better.

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What predictions are worth, held against the true labels. `assess` makes it.

    The figures of a class that was never predicted, or that no example belongs to, are 0 where they would be 0/0.

    Attributes:
        class_names: One a class.
        confusion: Examples by true (row) and predicted (column) class, `(classes, classes)`.
        precision: Of what was predicted to be a class, the part that is, `(classes,)`, in [0, 1].
        recall: Of the examples of a class, the part that was found, `(classes,)`, in [0, 1].
        f1: Harmonic mean of the two, `(classes,)`, in [0, 1].
        support: Examples of each class, `(classes,)`.
        predicted: The predicted label of every example, `(count,)`.
        probability: What the predicted label was given, `(count,)`, in [0, 1].
        mistakes: Positions of the wrong predictions, the most confident first, `(wrong,)`.
    """

    class_names: tuple[str, ...]
    confusion: Integers
    precision: Floats
    recall: Floats
    f1: Floats
    support: Integers
    predicted: Integers
    probability: Floats
    mistakes: Integers

    @property
    def count(self) -> int:
        """Number of examples."""
        return len(self.predicted)

    @property
    def accuracy(self) -> float:
        """Part of the examples whose prediction is right, in [0, 1]."""
        return 1 - len(self.mistakes) / self.count

    @property
    def macro_precision(self) -> float:
        """Mean precision of the classes, each counting the same however many examples it has."""
        return float(self.precision.mean())

    @property
    def macro_recall(self) -> float:
        """Mean recall of the classes."""
        return float(self.recall.mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes."""
        return float(self.f1.mean())

    def as_markdown(self) -> str:
        """Return a table of the figures of every class; its columns are also straight in a terminal."""
        rows = [
            [escape(name), f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}", f"{support:,}"]
            for name, precision, recall, f1, support in zip(
                self.class_names, self.precision, self.recall, self.f1, self.support, strict=True
            )
        ]
        means = [f"{value:.4f}" for value in (self.macro_precision, self.macro_recall, self.macro_f1)]
        return table(
            ["class", "precision", "recall", "F1", "examples"],
            [*rows, ["**macro average**", *means, f"{self.count:,}"]],
        )


def assess(labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]) -> Assessment:
    """Hold predictions against the true labels.

    Args:
        labels: `(count,)`, integers from 0, or one-hot `(count, classes)`.
        probabilities: Of every class, `(count, classes)`, rows sum to one. The largest is the prediction, the
            first of several.
        class_names: One a class.

    Returns:
        The figures.

    Raises:
        ValueError: An argument has another shape or values than these.

    Example:
        >>> assessment = kg.metrics.assess(data.test.labels, classifier.probabilities(data.test), data.class_names)
        >>> print(assessment.as_markdown())
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    checked = as_probabilities(probabilities)
    count, classes = checked.shape
    if len(class_names) != classes:
        raise ValueError(f"class_names has {len(class_names)} names for {classes} classes; give one a class.")
    true = as_class_numbers(labels, count, classes)
    predicted = checked.argmax(axis=1)
    probability = checked[np.arange(count), predicted]
    wrong = np.flatnonzero(predicted != true)
    numbers = np.arange(classes)
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted, labels=numbers, zero_division=0)
    return Assessment(
        class_names=tuple(class_names),
        confusion=confusion_matrix(true, predicted, labels=numbers).astype(np.int64),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support.astype(np.int64),
        predicted=predicted.astype(np.int64),
        probability=probability,
        # Stable, so that mistakes of equal confidence keep their order in every run.
        mistakes=wrong[np.argsort(-probability[wrong], kind="stable")].astype(np.int64),
    )


def as_class_numbers(labels: npt.ArrayLike, count: int, classes: int) -> Integers:
    """Check labels, and turn one-hot ones into integers.

    Args:
        labels: `(count,)`, integers from 0, or one-hot `(count, classes)` of any number type.
        count: How many there must be.
        classes: How many classes there are.

    Returns:
        Integers from 0, `(count,)`.

    Raises:
        ValueError: They are not that.
    """
    array: npt.NDArray[Any] = np.asarray(labels)
    if array.shape == (count, classes) and array.dtype.kind in "buif":
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            raise ValueError("labels has rows that are not one-hot; give each a single 1, or give integers (count,).")
        return array.argmax(axis=1).astype(np.int64)
    if array.shape != (count,) or array.dtype.kind not in "ui":
        raise ValueError(
            f"labels is {array.dtype} of shape {array.shape}; for these probabilities give integers ({count},) or "
            f"one-hot ({count}, {classes})."
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= classes:
        raise ValueError(f"labels span {low} to {high}; with {classes} classes they must lie in 0..{classes - 1}.")
    return array.astype(np.int64)


def as_probabilities(probabilities: npt.ArrayLike) -> Floats:
    """Check probabilities, `(count, classes)`, and bring them to float64.

    Raises:
        ValueError: They are of another shape, not finite, negative, or a row does not sum to one.
    """
    try:
        array = np.asarray(probabilities, np.float64)
    except (TypeError, ValueError):
        raise ValueError("probabilities is no array of numbers; give floats (count, classes).") from None
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(
            f"probabilities has shape {array.shape}; give (count, classes) with an example and two classes at least."
        )
    if not np.isfinite(array).all():
        raise ValueError("probabilities holds NaN or infinity; the network has diverged, so judge an earlier one.")
    sums = array.sum(axis=1)
    if array.min() < -_TOLERANCE or np.abs(sums - 1).max() > _TOLERANCE:
        raise ValueError(
            f"probabilities span {array.min():.4g} to {array.max():.4g} and rows sum to {sums.min():.4g} to "
            f"{sums.max():.4g}, where none may be negative and each row must sum to 1; end the network in a float32 "
            "softmax, or use kg.Classifier."
        )
    return array
