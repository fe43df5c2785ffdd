"""How good are the predictions, and how good the samples: figures in numbers, and figures to look at."""

from kerasgan.metrics.classification import Assessment, assess
from kerasgan.metrics.confusion import draw_confusion
from kerasgan.metrics.contact_sheet import draw_contact_sheet
from kerasgan.metrics.curves import draw_curves
from kerasgan.metrics.features import (
    FEATURE_NETWORKS,
    FEATURES_OF,
    LEAST_IMAGES,
    FeatureNetwork,
    FeatureNetworkError,
    feature_network,
    feature_network_of,
    has_feature_network,
    save_feature_network,
)
from kerasgan.metrics.frechet import frechet_distance
from kerasgan.metrics.kernel import KernelDistance, kernel_distance
from kerasgan.metrics.mistakes import draw_mistakes
from kerasgan.metrics.modes import (
    STACKED_MODES,
    STACKED_SAMPLES,
    ModeCoverage,
    divergence_floor,
    mode_coverage,
    stacked_modes,
)
from kerasgan.metrics.neighbours import (
    DensityCoverage,
    NearestNeighbours,
    PrecisionRecall,
    density_coverage,
    nearest_neighbours,
    precision_recall,
)
from kerasgan.metrics.quality import Measures, Quality, evaluate
from kerasgan.metrics.quality_curves import draw_quality_curves
from kerasgan.metrics.scores import classifier_score, conditional_accuracy
from kerasgan.metrics.trials import Trial, draw_trials
from kerasgan.metrics.yardstick import QUICK_MEASURES, Yardstick, yardstick

__all__ = [
    "FEATURES_OF",
    "FEATURE_NETWORKS",
    "LEAST_IMAGES",
    "QUICK_MEASURES",
    "STACKED_MODES",
    "STACKED_SAMPLES",
    "Assessment",
    "DensityCoverage",
    "FeatureNetwork",
    "FeatureNetworkError",
    "KernelDistance",
    "Measures",
    "ModeCoverage",
    "NearestNeighbours",
    "PrecisionRecall",
    "Quality",
    "Trial",
    "Yardstick",
    "assess",
    "classifier_score",
    "conditional_accuracy",
    "density_coverage",
    "divergence_floor",
    "draw_confusion",
    "draw_contact_sheet",
    "draw_curves",
    "draw_mistakes",
    "draw_quality_curves",
    "draw_trials",
    "evaluate",
    "feature_network",
    "feature_network_of",
    "frechet_distance",
    "has_feature_network",
    "kernel_distance",
    "mode_coverage",
    "nearest_neighbours",
    "precision_recall",
    "save_feature_network",
    "stacked_modes",
    "yardstick",
]
