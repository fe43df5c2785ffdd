"""What runs have logged, and how far two of them differ."""

import csv
from pathlib import Path

Rows = list[dict[str, float]]


def rows(run_dir: Path) -> Rows:
    """What a run has logged, without the time it took."""
    with (run_dir / "metrics.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if name != "wall_seconds"}
            for row in csv.DictReader(file)
        ]


def difference(ones: Rows, others: Rows) -> float:
    """The largest difference in anything that was logged."""
    assert len(ones) == len(others)
    assert all(one.keys() == other.keys() for one, other in zip(ones, others, strict=True))
    return max(abs(one[name] - other[name]) for one, other in zip(ones, others, strict=True) for name in one)
