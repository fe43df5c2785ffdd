import io
import re
import time

import keras
import numpy as np
import pytest
from rich.console import Console

from kerasgan.callbacks import ProgressBar


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False, _environ={})


def drawn(terminal):
    """Everything ever drawn, line by line, without colours; `\r` separates what was drawn over."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.file.getvalue()).split("\n")


def test_without_a_terminal_there_is_one_plain_line_an_epoch(fit, data, capsys):
    fit([ProgressBar(images_per_step=8)], epochs=3, validation_data=data)
    lines = capsys.readouterr().out.splitlines()
    pattern = "epoch {}/3  loss #  mae #  val_loss #  val_mae #  # images/s  # s".replace("#", r"[\d.e+]+")
    assert len(lines) == 3
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(pattern.format(epoch), line), line


def test_without_the_batch_size_steps_are_counted(fit, capsys):
    fit([ProgressBar()], epochs=1)
    assert " steps/s  " in capsys.readouterr().out


def test_on_a_terminal_every_finished_epoch_leaves_one_line(fit, terminal):
    fit([ProgressBar(console=terminal)], epochs=3)
    lines = drawn(terminal)
    assert lines.pop() == ""
    assert [line.split("\r")[-1][:9] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert not any("left" in line.split("\r")[-1] for line in lines)


def test_nothing_drawn_is_wider_than_the_terminal(fit, terminal):
    fit([ProgressBar(console=terminal)], epochs=3)
    assert max(len(part) for line in drawn(terminal) for part in line.split("\r")) < 80


def test_it_draws_at_most_ten_times_a_second(fit, data, terminal):
    clock = Seconds()
    fit(
        [ProgressBar(console=terminal), clock],
        epochs=1,
        x=np.tile(data[0], (50, 1)),
        y=np.tile(data[1], (50, 1)),
    )
    assert terminal.file.getvalue().count("\r") <= 10 * clock.seconds + 2


def test_steps_that_arrive_out_of_order_never_go_back(terminal, model, monkeypatch):
    monkeypatch.setattr("kerasgan.callbacks.progress_bar.SECONDS_BETWEEN_DRAWS", 0.0)
    bar = ProgressBar(console=terminal)
    bar.set_model(model)
    bar.set_params({"epochs": 1, "steps": 10})
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    for batch in (4, 2, 3):
        bar.on_train_batch_end(batch, {"loss": float(batch)})
    assert "━━━━━" in terminal.file.getvalue()
    assert "  5/10  loss 4.0000" in drawn(terminal)[-1]
    assert "loss 2.0000" not in drawn(terminal)[-1]
    bar.close()


def test_a_fit_that_raises_leaves_the_cursor_on_a_line_of_its_own_after_close(fit, terminal):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    bar = ProgressBar(console=terminal)
    with pytest.raises(KeyboardInterrupt):
        fit([bar, Interrupt()])
    bar.close()
    bar.close()
    assert terminal.file.getvalue().endswith("\n")
    assert not terminal.file.getvalue().endswith("\n\n")


def test_the_number_of_steps_is_learnt_where_the_data_cannot_tell(fit, data, terminal, model):
    def batches():
        while True:
            yield data[0][:8], data[1][:8]

    bar = ProgressBar(console=terminal, images_per_step=8)
    model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0, shuffle=False, callbacks=[bar])
    assert "images/s" in drawn(terminal)[1]


class Seconds(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.began = time.perf_counter()

    def on_train_end(self, logs=None):
        self.seconds = time.perf_counter() - self.began
