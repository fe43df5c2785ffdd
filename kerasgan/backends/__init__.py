"""What differs between JAX and TensorFlow, behind one set of names.

These files are the only ones that import jax or tensorflow, or ask which backend runs. Each engine offers
the same functions; the rest of the package calls them here and never learns which one answered.
"""

import keras

from kerasgan.backends.peers import PeerLost, abandon

if keras.backend.backend() == "jax":
    from kerasgan.backends import jax as _engine
    from kerasgan.backends import jax_distribution as _distribution
    from kerasgan.backends import jax_processes as _processes
elif keras.backend.backend() == "tensorflow":
    from kerasgan.backends import tensorflow as _engine  # type: ignore[no-redef]
    from kerasgan.backends import tensorflow_distribution as _distribution  # type: ignore[no-redef]
    from kerasgan.backends import tensorflow_processes as _processes  # type: ignore[no-redef]
else:
    raise ImportError(
        f"kerasgan runs on jax or tensorflow, but Keras was started with {keras.backend.backend()!r}; "
        "set KERAS_BACKEND=jax or KERAS_BACKEND=tensorflow before the first import of keras."
    )

name: str = keras.backend.backend()
apply_gradients = _engine.apply_gradients
build_metrics = _engine.build_metrics
conv = _engine.conv
conv_transpose = _engine.conv_transpose
devices = _engine.devices
dropout = _engine.dropout
engine_version = _engine.engine_version
free_bytes = _engine.free_bytes
grad = _engine.grad
has_fast_convolutions = _engine.has_fast_convolutions
keep_weights = _engine.keep_weights
make_deterministic = _engine.make_deterministic
max_pool = _engine.max_pool
player_gradients = _engine.player_gradients
program = _engine.program
run_step = _engine.run_step
start_trace = _engine.start_trace
state_of = _engine.state_of
stop_trace = _engine.stop_trace
sync_variables = _engine.sync_variables
threads = _engine.threads
use_compile_cache = _engine.use_compile_cache
when = _engine.when

beside_batch = _distribution.beside_batch
built_outside = _distribution.built_outside
data_part = _distribution.data_part
distribute = _distribution.distribute
distribution = _distribution.distribution
divide_batches = _distribution.divide_batches
divides_unevenly = _distribution.divides_unevenly
global_draw = _distribution.global_draw
replicas = _distribution.replicas
undistributed = _distribution.undistributed
whole = _distribution.whole

connect = _processes.connect
exchange = _processes.exchange
peer_errors = _processes.peer_errors
process_count = _processes.process_count
process_index = _processes.process_index

__all__ = [
    "PeerLost",
    "abandon",
    "apply_gradients",
    "beside_batch",
    "build_metrics",
    "built_outside",
    "connect",
    "conv",
    "conv_transpose",
    "data_part",
    "devices",
    "distribute",
    "distribution",
    "divide_batches",
    "divides_unevenly",
    "dropout",
    "engine_version",
    "exchange",
    "free_bytes",
    "global_draw",
    "grad",
    "has_fast_convolutions",
    "keep_weights",
    "make_deterministic",
    "max_pool",
    "name",
    "peer_errors",
    "player_gradients",
    "process_count",
    "process_index",
    "program",
    "replicas",
    "run_step",
    "start_trace",
    "state_of",
    "stop_trace",
    "sync_variables",
    "threads",
    "undistributed",
    "use_compile_cache",
    "when",
    "whole",
]
