"""Which options a trainer may be given."""

from typing import Any

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
ON_NAN = ("stop", "restore")
_ANY_NUMBER = ("seed", "deterministic", "fast_dev_run", "compile_cache")


def check_options(options: dict[str, Any]) -> None:
    """Refuse what would fail later, or mean nothing.

    Args:
        options: By the names of the trainer's arguments.

    Raises:
        ValueError: One is out of range; the line names it, what it is, and what would be right.
    """
    for name, value in options.items():
        if isinstance(value, int | float) and name not in _ANY_NUMBER and not value > 0:
            raise ValueError(f"{name} is {value}; choose a positive number.")
    steps = options["steps_per_execution"]
    if not isinstance(steps, int) and steps != "auto":
        raise ValueError(f'steps_per_execution is {steps!r}; choose a positive number of steps, or "auto".')
    for name, choices in (("precision", (None, *PRECISIONS)), ("on_nan", ON_NAN)):
        if options[name] not in choices:
            names = ", ".join(choice for choice in choices if choice is not None)
            raise ValueError(f"{name} is {options[name]!r}; choose one of {names}.")
