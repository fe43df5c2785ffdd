"""The end of a search: its best settings, trained longer and judged once on the test split."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgan.callbacks import Checkpoint, ClassificationReport
from kerasgan.data import DataModule
from kerasgan.metrics import Trial
from kerasgan.tuning.conditions import Conditions
from kerasgan.tuning.report import counted
from kerasgan.tuning.space import build

if TYPE_CHECKING:
    import optuna


def finished(study: "optuna.Study", directory: Path, best: Trial, epochs: int) -> dict[str, Any] | None:
    """Return what the final training came to; None if there is something left to train.

    Raises:
        ValueError: The directory holds the training of another trial, or of another length.
    """
    begun: dict[str, Any] | None = study.user_attrs.get("final")
    if begun is None or not directory.exists():
        return None
    if (begun["trial"], begun["epochs"]) != (best.number, epochs):
        raise ValueError(
            f"{directory} holds trial {begun['trial']}, trained for {counted(begun['epochs'], 'epoch')}, and now "
            f"trial {best.number} is to be trained for {epochs}; move it away and --resume."
        )
    return begun if "accuracy" in begun else None


def train(
    study: "optuna.Study", directory: Path, best: Trial, epochs: int, conditions: Conditions, data: DataModule
) -> dict[str, Any]:
    """Train the settings of a trial into a directory, or go on with that, and tell the study what came of it.

    Args:
        study: To be told, when it begins and when it ends.
        directory: Of the run.
        best: Trial of these settings.
        epochs: Epochs to train for, counted over all resumes.
        conditions: Those of every trial.
        data: In batches of the size that was chosen.

    Returns:
        As `Search.train_final`.
    """
    wanted = {"trial": best.number, "epochs": epochs}
    study.set_user_attr("final", wanted)
    report = ClassificationReport()
    trainer = conditions.trainer(directory, epochs, [Checkpoint(monitor="val_accuracy", mode="max"), report])
    steps = conditions.steps(data, epochs)
    classifier = build(dict(best.settings), data, steps=steps, augment=conditions.augment)
    trainer.fit(classifier, data, resume=(directory / "config.json").exists())
    if report.assessment is None:
        # It was killed between its last epoch and the report, and had nothing left to train.
        report.bind(directory)
        report.describe(data)
        report.write(classifier)
    assert report.assessment is not None
    found = {
        "validation": trainer.validate(classifier, data)["accuracy"],
        "split": "validation" if data.test is None else "test",
        "accuracy": report.assessment.accuracy,
        "images": report.assessment.count,
    }
    study.set_user_attr("final", {**wanted, **found})
    return {**wanted, **found}
