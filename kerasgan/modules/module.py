"""The base of everything that is trained: players, one training step, and what it logs."""

from collections.abc import Callable
from threading import local
from typing import Any

import keras
from keras import ops

from kerasgan import backends
from kerasgan.modules.health import Health
from kerasgan.modules.logs import LogMeans
from kerasgan.modules.players import PlayerOptimizers, as_loss, networks_of, optimizers_by_player, with_loss_scale

# How many examples the step at hand is about. TensorFlow traces it for several devices by turns, a thread for each.
_step = local()


@keras.saving.register_keras_serializable("kerasgan")
class Module(keras.Model):
    """A `keras.Model` that says in one `training_step` how any number of networks learn.

    The step is written in `keras.ops` once and runs on every backend under plain `model.fit` or a `Trainer`.
    A *player* is the name of an attribute that holds a network; it owns that network's trainable variables
    and one optimizer, given by name in `compile`.

    Example:
        >>> class WassersteinGAN(kg.Module):
        ...     def __init__(self, latent_dim=128):
        ...         super().__init__()
        ...         self.generator, self.critic = build_generator(latent_dim), build_critic()
        ...
        ...     def training_step(self, images):
        ...         for _ in range(5):
        ...             self.minimize(lambda: {"critic": self.critic_loss(images)})
        ...         self.minimize(lambda: {"generator": self.generator_loss(ops.shape(images)[0])})
        >>> model = WassersteinGAN()
        >>> model.compile(optimizer={"generator": keras.optimizers.Adam(1e-4), "critic": keras.optimizers.Adam(4e-4)})
        >>> model.fit(images, epochs=10)
    """

    # Keras has no types; mypy needs to be told what its base classes set.
    built: bool
    train_function: Any
    test_function: Any
    predict_function: Any
    health: Health
    jit_compile: bool
    judges: bool  # whether compile() was given a loss or metrics, which Keras builds by the first batch
    _programs: dict[tuple[Any, bool], Callable[..., Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Keras orders the list that `evaluate` returns by the names of the metrics.
        self._logs = LogMeans(name="loss")
        self._label_shape: tuple[int | None, ...] | None = None
        self._has_minimized = False
        self._leaves_out_layer_losses = False

    # What a subclass writes.

    def training_step(self, batch: Any) -> None:
        """Train on one batch: call `minimize` once or more, `log` what should be seen. Override this.

        What it returns is ignored.

        Args:
            batch: What Keras would hand over: `x` alone, or the tuple `(x, y)`. A `DataModule` yields
                `(images, labels)`, or images alone where it has no labels.
        """
        raise TypeError(f"{type(self).__name__} defines no training_step(batch), so it cannot be trained.")

    def validation_step(self, batch: Any) -> None:
        """Judge one batch without training: `log` what should be seen, with a `val_` prefix in `fit`."""
        raise TypeError(f"{type(self).__name__} defines no validation_step(batch), so it cannot be evaluated.")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Map inputs to outputs, where a module has such a thing. Override this to use `predict`."""
        raise TypeError(
            f"{type(self).__name__} defines no call(inputs). `predict` needs one. If this came from `fit`: a "
            "network was not built when compile() was called; start each with keras.Input(...)."
        )

    # What a subclass calls.

    def minimize(self, losses: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Update each player named in `losses()` once, all from one shared forward pass.

        Each player's gradient is taken of its own loss with respect to its own variables only; all gradients come
        from the same weights; then each optimizer applies. One call with two players updates them simultaneously,
        two calls alternate. Regularizers of a player's layers are part of its loss. The epoch means of the losses
        are logged as `generator_loss`, `critic_loss`, ...; as `loss` if the module has a single player. What is not
        finite is noted in `health`, and the log of that loss is NaN then.

        Args:
            losses: Takes nothing, returns `{player: scalar loss}`.

        Returns:
            The losses, as float32 scalars.

        Raises:
            ValueError: A loss is not scalar, belongs to no player or to a network without an optimizer, or comes from
                none of its player's variables: it was computed before, and not in `losses`.
            RuntimeError: Called in `validation_step`.
        """
        if self._logs.phase != "training":
            raise RuntimeError("minimize() was called in validation_step; only training_step may train.")
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        players = self.optimizer.by_player

        def forward() -> tuple[dict[str, Any], dict[str, Any]]:
            values = {player: as_loss(self, player, loss) for player, loss in losses().items()}
            values = {player: value + self.layer_losses(player) for player, value in values.items()}
            return {player: players[player].scale_loss(value) for player, value in values.items()}, values

        variables = {player: self._variables_of(player) for player in players}
        values, gradients = backends.player_gradients(forward, variables)
        for player in values:
            backends.apply_gradients(players[player], gradients[player], variables[player])
        for player, value in self.health.look(self, values, gradients).items():
            self.log("loss" if len(players) == 1 else f"{player}_loss", value)
        self._has_minimized = True
        return values

    def layer_losses(self, player: str) -> Any:
        """Sum up what Keras adds to any loss: a network's weight regularizers, and what its layers `add_loss`."""
        return sum((ops.sum(ops.cast(loss, "float32")) for loss in getattr(self, player).losses), ops.zeros(()))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """As in Keras, the loss given to `compile`, but without `layer_losses`: `minimize` adds those."""
        self._leaves_out_layer_losses = True
        try:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        finally:
            self._leaves_out_layer_losses = False

    @property
    def losses(self) -> list[Any]:
        """As in Keras: what the layers add to the loss, one scalar each."""
        return [] if self._leaves_out_layer_losses else super().losses

    def log(self, name: str, value: Any, weight: Any = None) -> None:
        """Log a value whose mean over the epoch reaches `history`, the progress bar and every logger.

        Args:
            name: As it shall appear, for example `"gradient_penalty"`.
            value: Number or tensor; the mean is taken of a tensor that is not scalar.
            weight: How much this step counts in the mean; the number of examples in the batch if left out.

        Raises:
            ValueError: More than 64 names were logged.
        """
        self._logs.update_state(name, ops.mean(value), getattr(_step, "examples", 1.0) if weight is None else weight)

    @property
    def players(self) -> list[str]:
        """Names of the players, in the order of `compile`."""
        return list(self.optimizer.by_player) if self.compiled else []

    @property
    def validates(self) -> bool:
        """Whether a `validation_step` is defined."""
        return type(self).validation_step is not Module.validation_step

    def networks_to_export(self) -> dict[str, keras.Model]:
        """Return `{file name: network}` of what a `Trainer` writes as `<file name>.keras` at the end of a run."""
        return {player: getattr(self, player) for player in self.players}

    @property
    def global_step(self) -> int:
        """Number of training steps taken; during `fit` on JAX, up to date at the ends of epochs."""
        return int(ops.convert_to_numpy(self.optimizer.iterations))

    # How Keras is told.

    def compile(self, optimizer: Any, loss: Any = None, metrics: Any = None, **options: Any) -> None:
        """Give every player its optimizer.

        Args:
            optimizer: `{player: optimizer}`, or a single optimizer where the module holds a single network.
                Clipping, accumulation, EMA and schedules are options of each optimizer. `{}` for a module that holds
                no network and changes its variables by hand.
            loss: As in Keras, for modules that use `compute_loss`.
            metrics: As in Keras, for modules that use `compute_metrics`.
            options: Further options of `keras.Model.compile`, such as `steps_per_execution`.

        Raises:
            ValueError: A player is no attribute or no network, or two players share an optimizer.
        """
        players = optimizers_by_player(self, networks_of(self), optimizer)
        if self.dtype_policy.name == "mixed_float16":
            players = {player: with_loss_scale(part) for player, part in players.items()}
        if options.get("jit_compile", "auto") == "auto" and not self.loops_well and backends.has_fast_convolutions():
            options["jit_compile"] = False  # about half the time of what XLA makes of them
        slot = PlayerOptimizers(players)
        slot.attach(self._variables_of)
        # Past Keras, which would go on tracking the one of an earlier compile().
        object.__setattr__(self, "health", Health(list(players)))
        object.__setattr__(self, "_programs", {})
        super().compile(optimizer=slot, loss=loss, metrics=metrics, auto_scale_loss=False, **options)
        self._label_shape = None
        self.judges = loss is not None or bool(metrics)
        # Keras asks whether the model itself is built; one without a call() is as built as its networks.
        self.built = self.built or all(getattr(self, player).built for player in slot.by_player)
        if self.built:
            # Now, not at the first step: weight files and checkpoints can be loaded before it.
            slot.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved module was."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, *arguments: Any) -> Any:
        """Run `training_step`; Keras calls this with `(state, data)` on JAX and `(data)` on TensorFlow."""
        return backends.run_step(self._train, arguments, self.step_variables)

    def test_step(self, *arguments: Any) -> Any:
        """Run `validation_step`; see `train_step`."""
        return backends.run_step(self._validate, arguments, self._validation_variables)

    def make_train_function(self, force: bool = False) -> None:
        """Build the function that `fit` calls for each step."""
        if not self.optimizer.built and all(getattr(self, player).built for player in self.players):
            # Keras on TensorFlow would leave this to the first step, too late for more than one optimizer.
            self.optimizer.build(self.trainable_variables)
        if force or self.train_function is None:
            super().make_train_function(force)
            self.train_function = self._in_phase("training", self.train_function, self.step_variables)

    def program(self, read: Callable[[Any, Any], Any], *, several: bool) -> Callable[..., Any]:
        """Return a compiled program that reads batches and trains on them; it is kept until the next `compile`.

        Args:
            read: Takes `(arrays, index)`, returns a batch. Equal ones share a program.
            several: Whether the program can take more than one step.

        Returns:
            `run(arrays, first, count)`, on JAX `run(state, arrays, first, count)`: trains on the batches `first` to
            `first + count - 1`, and returns what Keras's train function returns.
        """
        if (read, several) not in self._programs:
            steps = backends.program(self.train_step, read, several=several, jit_compile=self.jit_compile)
            self._programs[read, several] = self._in_phase("training", steps, self.step_variables)
        return self._programs[read, several]

    @property
    def loops_well(self) -> bool:
        """Whether many steps as one program are sure to take no longer than one by one.

        XLA compiles convolutions, which have kernels of four axes, otherwise within a loop than outside of it, on a CPU
        up to fifty times slower.
        """
        return not any(len(variable.shape) > 3 for variable in self.trainable_variables)

    def make_test_function(self, force: bool = False) -> None:
        """Build the function that `evaluate` calls for each step."""
        if force or self.test_function is None:
            super().make_test_function(force)
            self.test_function = self._in_phase("validation", self.test_function, self._validation_variables)

    def make_predict_function(self, force: bool = False) -> None:
        """Build the function that `predict` calls for each step."""
        if force or self.predict_function is None:
            super().make_predict_function(force)
            self.predict_function = backends.keep_weights(self.predict_function, self._prediction_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of Keras, with the means of what was logged in place of its loss tracker, and `health`."""
        own = [self.health] if self.players else []
        return [self._logs, *(metric for metric in super().metrics if metric.name != "loss"), *own]

    def _train(self, data: Any) -> dict[str, Any]:
        self._has_minimized = False
        batch, label_shape = self._unpack(data)
        self.training_step(batch)
        if self.players and not self._has_minimized:
            raise ValueError(f"{type(self).__name__}.training_step called no self.minimize(...), so nothing trains.")
        self.optimizer.iterations.assign_add(1)
        self._label_shape = label_shape
        return self.get_metrics_result()

    def _validate(self, data: Any) -> dict[str, Any]:
        batch, self._label_shape = self._unpack(data)
        self.validation_step(batch)
        return self.get_metrics_result()

    def _unpack(self, data: Any) -> tuple[Any, Any]:
        """Return `x` alone or the tuple, and the shape of the labels; note how many examples there are."""
        label_shape = self._label_shape
        if isinstance(data, tuple | list):
            data = tuple(data)
            while len(data) > 1 and data[-1] is None:
                data = data[:-1]
            if len(data) > 1:
                label_shape = self._checked_label_shape(data[1])
            else:
                (data,) = data
        _step.examples = ops.shape(keras.tree.flatten(data)[0])[0]
        return data, label_shape

    def _checked_label_shape(self, labels: Any) -> Any:
        shape = tuple(getattr(labels, "shape", ()))[1:]
        if self._label_shape is not None and shape != self._label_shape:
            raise ValueError(
                f"Labels of shape {('batch', *shape)} came to a module that was built on labels of shape "
                f"{('batch', *self._label_shape)}; give the same kind (class numbers, or one-hot), or compile() again."
            )
        return shape

    def _in_phase(self, phase: str, function: Any, variables: Callable[[], Any]) -> Any:
        kept, logs = backends.keep_weights(function, variables), self._logs

        def run(*arguments: Any) -> Any:
            logs.phase = phase
            return kept(*arguments)

        return run

    # The groups of variables in the order in which Keras's JAX trainer packs its state.

    def step_variables(self) -> Any:
        """Return all variables that a training step may change, in the groups of Keras's JAX trainer."""
        return (*self._prediction_variables(), self.optimizer.variables, self.metrics_variables)

    def _validation_variables(self) -> Any:
        return (*self._prediction_variables(), self.metrics_variables)

    def _prediction_variables(self) -> Any:
        return self.trainable_variables, self.non_trainable_variables

    # Players.

    def _variables_of(self, player: str) -> list[Any]:
        return list(getattr(self, player).trainable_variables)
