"""Back from disk: the module of a run, or a network of anybody's, built only of what is known to be harmless."""

from kerasgan.loading.generators import SavedGenerator, load_generator
from kerasgan.loading.networks import load_network
from kerasgan.loading.runs import load_run
from kerasgan.loading.trust import TrustError

__all__ = ["SavedGenerator", "TrustError", "load_generator", "load_network", "load_run"]
