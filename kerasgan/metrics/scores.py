"""What a classifier makes of samples: are they clear and varied, and do they show what was asked for?"""

import numpy as np
import numpy.typing as npt

from kerasgan.metrics.classification import as_class_numbers, as_probabilities


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """Return the exponential of the mean Kullback-Leibler divergence between each image's classes and all images'.

    The formula of the inception score, for any classifier: high where each image is clearly of one class, and all
    classes are there. Taken over the whole sample: the mean of scores of batches is lower, for a batch has fewer
    classes. It never looks at real images, so one image of each class would do.

    Args:
        probabilities: Of every class, `(count, classes)`, rows sum to one.

    Returns:
        From 1 to the number of classes.

    Raises:
        ValueError: They are not that.

    Reference:
        Salimans et al., Improved Techniques for Training GANs (arXiv:1606.03498), section 4.
    """
    each = as_probabilities(probabilities)
    each = np.maximum(each, 0.0) / each.sum(axis=1, keepdims=True)
    overall = each.mean(axis=0)
    # Nothing is added within the logarithms: 0 log 0 is 0.
    ratio = np.divide(each, overall, out=np.ones_like(each), where=each > 0)
    return float(np.exp((each * np.log(ratio)).sum(axis=1).mean()))


def conditional_accuracy(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the share of samples that a classifier takes for what was asked for.

    Args:
        labels: Asked for, `(count,)`, integers from 0, or one-hot `(count, classes)`.
        probabilities: What the classifier makes of the samples, `(count, classes)`, rows sum to one.

    Returns:
        In [0, 1]; the classifier's own mistakes count against the generator.

    Raises:
        ValueError: An argument has another shape or values than these.
    """
    checked = as_probabilities(probabilities)
    return float((checked.argmax(axis=1) == as_class_numbers(labels, *checked.shape)).mean())
