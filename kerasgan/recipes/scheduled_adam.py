"""Adam whose second momentum changes while it trains."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("kerasgan")
class ScheduledAdam(keras.optimizers.Adam):
    """Adam that takes `beta_2` from a schedule of its own steps, as it takes the learning rate.

    Args:
        learning_rate: As in `keras.optimizers.Adam`.
        beta_2: A `keras.optimizers.schedules.LearningRateSchedule` with values in (0, 1), or a number.
        options: As in `keras.optimizers.Adam`.

    Reference:
        Huang et al., The GAN is dead; long live the GAN! (arXiv:2501.05441), appendix D.
    """

    def __init__(self, learning_rate: Any = 1e-3, *, beta_2: Any = 0.999, **options: Any) -> None:
        super().__init__(learning_rate, beta_2=beta_2, **options)

    @property
    def beta_2(self) -> Any:
        """The share of the mean square that stays at this step."""
        return self._beta_2(self.iterations) if callable(self._beta_2) else self._beta_2

    @beta_2.setter
    def beta_2(self, value: Any) -> None:
        self._beta_2 = value

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, the schedule serialized."""
        value = self._beta_2
        return {
            **super().get_config(),
            "beta_2": keras.saving.serialize_keras_object(value) if callable(value) else value,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "ScheduledAdam":
        """Rebuild from `get_config`."""
        config = dict(config)
        for name in ("learning_rate", "beta_2"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)
