import csv

import numpy as np
import pytest

from kerasgan.callbacks import CSVLogger


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_per_epoch_gives_back_the_history(fit, data, tmp_path):
    history = fit([CSVLogger(tmp_path / "metrics.csv")], epochs=3, validation_data=data).history
    rows = read(tmp_path / "metrics.csv")
    assert list(rows[0]) == ["epoch", "step", "wall_seconds", "loss", "mae", "val_loss", "val_mae"]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "4"), ("2", "8"), ("3", "12")]
    for name, values in history.items():
        np.testing.assert_array_equal(np.float32([row[name] for row in rows]), np.float32(values))
    seconds = [float(row["wall_seconds"]) for row in rows]
    assert 0 < seconds[0] <= seconds[1] <= seconds[2]


def test_a_column_that_comes_later_is_empty_before(fit, data, tmp_path):
    fit([CSVLogger(tmp_path / "metrics.csv")], epochs=3, validation_data=data, validation_freq=2)
    assert [row["val_loss"] == "" for row in read(tmp_path / "metrics.csv")] == [True, False, True]


def test_nan_and_infinity_are_written_as_such(fit, model, tmp_path):
    logger = CSVLogger(tmp_path / "metrics.csv")
    logger.set_model(model)
    fit([], epochs=1)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": float("nan"), "mae": float("-inf")})
    (row,) = read(tmp_path / "metrics.csv")
    assert (row["loss"], row["mae"]) == ("nan", "-inf")


def test_losses_follow_their_players_and_others_follow_losses(fit, model, tmp_path, monkeypatch):
    monkeypatch.setitem(vars(model), "players", ["generator", "critic"])
    fit([], epochs=1)
    logger = CSVLogger(tmp_path / "metrics.csv")
    logger.set_model(model)
    logger.on_train_begin()
    names = ["accuracy", "critic_loss", "generator_loss", "loss", "val_accuracy", "val_generator_loss"]
    logger.on_epoch_end(0, dict.fromkeys(names, 0.0))
    assert list(read(tmp_path / "metrics.csv")[0])[3:] == [
        "generator_loss", "critic_loss", "loss", "accuracy", "val_generator_loss", "val_accuracy",
    ]  # fmt: skip


def test_append_keeps_the_rows_before_the_resumed_epoch_only(fit, tmp_path):
    path = tmp_path / "metrics.csv"
    fit([CSVLogger(path)], epochs=3)
    first, second, _dropped = read(path)
    fit([CSVLogger(path, append=True)], epochs=4, initial_epoch=2)
    rows = read(path)
    assert rows[:2] == [first, second]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[2]["wall_seconds"]) > float(second["wall_seconds"])


def test_without_append_a_new_fit_replaces_the_file(fit, tmp_path):
    for epochs in (3, 1):
        fit([CSVLogger(tmp_path / "metrics.csv")], epochs=epochs)
    assert len(read(tmp_path / "metrics.csv")) == 1


def test_append_with_nothing_to_append_to_is_a_fresh_start(fit, tmp_path):
    fit([CSVLogger(tmp_path / "metrics.csv", append=True)], epochs=1)
    assert len(read(tmp_path / "metrics.csv")) == 1


def test_append_refuses_a_file_of_another_kind(fit, tmp_path):
    (tmp_path / "metrics.csv").write_text("name,price\nbread,3\n")
    with pytest.raises(ValueError, match=r"metrics\.csv has no column 'epoch'"):
        fit([CSVLogger(tmp_path / "metrics.csv", append=True)])
    assert (tmp_path / "metrics.csv").read_text() == "name,price\nbread,3\n"


def test_missing_directories_are_made_and_nothing_else_is_left(fit, tmp_path):
    fit([CSVLogger(tmp_path / "runs" / "new" / "metrics.csv")])
    assert [path.name for path in (tmp_path / "runs" / "new").iterdir()] == ["metrics.csv"]
