"""One optimizer slot of a Keras model, shared by the optimizers of all players."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kerasgan")
class PlayerOptimizers(keras.optimizers.MultiOptimizer):
    """The optimizers of all players in the one place where Keras looks for an optimizer.

    Keras packs, donates, shards and saves exactly `model.optimizer.variables`. `MultiOptimizer` joins the
    variables of its parts there, so every player's moments take part in all of that unmodified. Which
    variable belongs to which part is decided here by player, not by variable path, which is not unique.

    `iterations` is the module's global step: one for each `training_step`, however many updates it makes.

    Args:
        optimizers: `{player: optimizer}`, each optimizer an instance of its own.
    """

    def __init__(self, optimizers: dict[str, keras.optimizers.Optimizer], name: str = "player_optimizers") -> None:
        # MultiOptimizer overwrites its parts' loss scales with its own; a player's is the player's business.
        loss_scales = {player: optimizer.loss_scale_factor for player, optimizer in optimizers.items()}
        super().__init__(dict(optimizers), name=name)
        for player, optimizer in optimizers.items():
            optimizer.loss_scale_factor = loss_scales[player]
        self.by_player = optimizers
        self._variables_of: Callable[[str], list[Any]] | None = None

    def attach(self, variables_of: Callable[[str], list[Any]]) -> None:
        """Say which variables each player trains. A function, so that no network is saved a second time."""
        self._variables_of = variables_of

    def build(self, variables: list[Any]) -> None:
        """Make every player's slots.

        Args:
            variables: All trainable variables of the module; those of no player stay untrained.

        Raises:
            ValueError: A player has no trainable variable.
        """
        if self.built:
            return
        if self._variables_of is None:
            raise ValueError("PlayerOptimizers belongs to a kg.Module; pass it to compile() of one before use.")
        for player, optimizer in self.by_player.items():
            owned = self._variables_of(player)
            if not owned:
                raise ValueError(
                    f"Player {player!r} has no trainable variables: build the network (start it with "
                    "keras.Input) and leave its `trainable` on, or give it no optimizer."
                )
            optimizer.build(owned)
        super(keras.optimizers.MultiOptimizer, self).build(variables)

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Refuse: gradients belong to players, and `Module.minimize` hands them out."""
        raise TypeError("PlayerOptimizers.apply has no meaning; train through Module.minimize in training_step.")

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Overwrite weights with their moving average where a player's optimizer was made with `use_ema`.

        Keras calls this at the end of every `fit`.
        """
        for player, optimizer in self.by_player.items():
            averages = getattr(optimizer, "inner_optimizer", optimizer).use_ema
            if averages and self._variables_of is not None:
                owned = self._variables_of(player)
                optimizer.finalize_variable_values(owned)
                for variable in owned:
                    # On JAX weight and average are one buffer now, which the next fit could not donate twice.
                    variable.assign(keras.ops.copy(variable.value))

    @property
    def learning_rate(self) -> Any:
        """The only player's learning rate, so that stock callbacks work; several players have no common one."""
        return self._only().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._only().learning_rate = value

    def _only(self) -> keras.optimizers.Optimizer:
        # by_player is set last in __init__, and Keras sets a learning rate of its own before that.
        optimizers = list(getattr(self, "by_player", {}).values())
        if len(optimizers) != 1:
            raise AttributeError(
                f"There is no one learning rate among the players {list(getattr(self, 'by_player', {}))}; "
                "ask the optimizer of a player: module.optimizer.by_player[player].learning_rate."
            )
        return optimizers[0]

    def save_own_variables(self, store: Any) -> None:
        """Save the global step; the parts, which Keras visits on its own, save theirs."""
        store["iterations"] = keras.ops.convert_to_numpy(self.iterations)

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` saved."""
        self.iterations.assign(store["iterations"])

    def get_config(self) -> dict[str, Any]:
        """Return the configuration; the variables of each player come from the module again."""
        optimizers = {p: keras.saving.serialize_keras_object(o) for p, o in self.by_player.items()}
        return {"optimizers": optimizers, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "PlayerOptimizers":
        """Rebuild from `get_config`."""
        optimizers = {
            player: keras.saving.deserialize_keras_object(optimizer, custom_objects=custom_objects)
            for player, optimizer in config["optimizers"].items()
        }
        return cls(optimizers, name=config["name"])


def optimizers_by_player(
    module: keras.Model, networks: list[str], optimizer: Any
) -> dict[str, keras.optimizers.Optimizer]:
    """Read what `compile(optimizer=...)` was given.

    Args:
        module: Whose attributes the players are.
        networks: Names of the attributes that hold networks.
        optimizer: `{player: optimizer}`, or a single one where there is a single network; `{}` where there is none.

    Raises:
        ValueError: A player is no attribute or no network, there is none, or two share an optimizer.
    """
    name = type(module).__name__
    if isinstance(optimizer, PlayerOptimizers):
        optimizer = optimizer.by_player
    if not isinstance(optimizer, dict):
        if len(networks) != 1:
            example = ", ".join(f"{network!r}: 'adam'" for network in networks)
            raise ValueError(
                f"{name} holds the networks {networks}; compile(optimizer=...) needs a dict that names which "
                f"optimizer trains which, such as {{{example}}}."
            )
        optimizer = {networks[0]: optimizer}
    if not optimizer and networks:
        raise ValueError(f"compile(optimizer={{}}) leaves {name} without a player; name at least one of {networks}.")
    for player in optimizer:
        if not hasattr(module, player):
            raise ValueError(f"Player {player!r} is no attribute of {name}; its networks are {networks}.")
        if not isinstance(getattr(module, player), keras.Layer):
            kind = type(getattr(module, player)).__name__
            raise ValueError(f"Player {player!r} of {name} is a {kind}, not a network; its networks are {networks}.")
    players = {player: keras.optimizers.get(part) for player, part in optimizer.items()}
    if len({id(part) for part in players.values()}) < len(players):
        raise ValueError(f"Players {list(players)} share an optimizer; each needs an instance of its own.")
    return players


def with_loss_scale(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Wrap an optimizer so that float16 gradients neither vanish nor overflow for good."""
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer if scaled else keras.optimizers.LossScaleOptimizer(optimizer)


def has_loss_scale(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer tries larger and larger loss scales, and skips the updates whose gradients overflow."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def networks_of(module: keras.Model) -> list[str]:
    """Return the names of the attributes that hold networks: whatever may be a player."""
    return [name for name, value in vars(module).items() if isinstance(value, keras.Layer) and not name.startswith("_")]


def as_loss(module: keras.Model, player: str, loss: Any) -> Any:
    """Return what `minimize` was given for a player as a float32 scalar.

    Raises:
        ValueError: It is not scalar, or belongs to no player or to a network without an optimizer.
    """
    name, players = type(module).__name__, list(module.optimizer.by_player)
    if player not in players:
        if player in networks_of(module):
            raise ValueError(
                f"{name} has a loss for {player!r}, which has no optimizer; add it to compile(optimizer=...), "
                f"which names {players}."
            )
        raise ValueError(f"{name} has a loss for {player!r}, which is no player; its players are {players}.")
    loss = ops.convert_to_tensor(loss)
    if len(loss.shape) != 0:
        raise ValueError(
            f"The loss of {player!r} has shape {tuple(loss.shape)}, not (); reduce it, for example with ops.mean."
        )
    return ops.cast(loss, "float32")
