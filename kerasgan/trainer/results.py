"""What `results.json` says of a run."""

import time
from typing import Any

import keras


class Clock:
    """How long a call of `fit` took and how far it came; starts when it is made."""

    def __init__(self, module: keras.Model) -> None:
        self._began, self._first_step = time.perf_counter(), _global_step(module)

    def results(
        self, module: keras.Model, status: str, history: keras.callbacks.History, batch_size: int | None
    ) -> dict[str, Any]:
        """Return the content of `results.json`.

        Args:
            module: The module that was trained.
            status: `"done"`, `"interrupted"` or `"failed"`.
            history: Of this call.
            batch_size: To count images; None if it is not known.
        """
        seconds, step = time.perf_counter() - self._began, _global_step(module)
        images = None if batch_size is None else (step - self._first_step) * batch_size
        return {
            "status": status,
            "steps": step,
            "epochs": history.epoch[-1] + 1 if history.epoch else 0,
            "wall_seconds": round(seconds, 3),
            "images_per_second": None if images is None else round(images / seconds, 1),
            "metrics": {name: values[-1] for name, values in history.history.items()},
        }


def _global_step(module: keras.Model) -> int:
    return int(keras.ops.convert_to_numpy(module.optimizer.iterations))
