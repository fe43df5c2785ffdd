import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from kerasgan.callbacks import ImageGrid, TensorBoard
from kerasgan.callbacks.events import _open_writers, open_writer

HYPERPARAMETERS = {"learning_rate": 0.1, "batch_size": 8, "loss": "mse", "shuffle": True}


def read(log_dir):
    return EventAccumulator(str(log_dir), size_guidance={"images": 0, "tensors": 0}).Reload()


def points(log_dir, tag):
    return [(event.step, event.value) for event in read(log_dir).Scalars(tag)]


def test_every_log_is_a_curve_over_steps(fit, data, tmp_path):
    history = fit([TensorBoard(tmp_path)], epochs=3, validation_data=data).history
    assert read(tmp_path).Tags()["scalars"] == ["loss", "mae", "val loss", "val mae"]
    for name, values in history.items():
        curve = points(tmp_path, name.replace("_", " "))
        assert [step for step, _value in curve] == [4, 8, 12]
        np.testing.assert_array_equal(np.float32([value for _step, value in curve]), np.float32(values))


def test_an_epoch_is_on_the_disk_when_it_ends(fit, tmp_path):
    class Reader(TensorBoard):
        seen = ()

        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            self.seen = (*self.seen, len(points(self.place, "loss")))

    reader = Reader(tmp_path)
    fit([reader], epochs=3)
    assert reader.seen == (1, 2, 3)


def test_a_resumed_fit_drops_what_was_logged_beyond_it(fit, model, tmp_path):
    fit([TensorBoard(tmp_path)], epochs=4)
    kept = points(tmp_path, "loss")[:2]
    model.optimizer.iterations.assign(8)
    fit([TensorBoard(tmp_path)], epochs=3, initial_epoch=2)
    curve = points(tmp_path, "loss")
    assert curve[:2] == kept
    assert [step for step, _value in curve] == [4, 8, 12]


def test_two_fits_within_a_second_both_stay(fit, tmp_path):
    fit([TensorBoard(tmp_path)], epochs=1)
    fit([TensorBoard(tmp_path)], epochs=2, initial_epoch=1)
    assert [step for step, _value in points(tmp_path, "loss")] == [4, 8]


def test_hyperparameters_belong_to_the_same_run(fit, tmp_path):
    fit([TensorBoard(tmp_path, hyperparameters=HYPERPARAMETERS)])
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    contents = read(tmp_path).PluginTagToContent("hparams")
    start, end = (
        plugin_data_pb2.HParamsPluginData.FromString(contents[f"_hparams_/session_{moment}_info"])
        for moment in ("start", "end")
    )
    hparams = {name: getattr(v, v.WhichOneof("kind")) for name, v in start.session_start_info.hparams.items()}
    assert hparams == HYPERPARAMETERS
    assert end.HasField("session_end_info")


def test_a_hyperparameter_that_cannot_be_shown_is_refused(fit, tmp_path):
    with pytest.raises(TypeError, match=r"hyperparameters\['betas'\] is \(0.5, 0.9\)"):
        fit([TensorBoard(tmp_path, hyperparameters={"betas": (0.5, 0.9)})])


def test_text_is_kept_as_markdown(fit, tmp_path):
    fit([TensorBoard(tmp_path, text={"config": "# A run\nof *mine*"})])
    (event,) = read(tmp_path).Tensors("config/text_summary")
    assert event.tensor_proto.string_val[0].decode() == "# A run\nof *mine*"


@pytest.mark.parametrize("order", [1, -1], ids=["images first", "scalars first"])
def test_images_and_scalars_share_one_file(fit, tmp_path, order):
    pair = [
        ImageGrid(tmp_path / "samples", count=4, log_dir=tmp_path / "tb"),
        TensorBoard(tmp_path / "tb" / "."),
    ]
    fit(pair[::order])
    assert len(list((tmp_path / "tb").iterdir())) == 1
    assert [step for step, _value in points(tmp_path / "tb", "loss")] == [4, 8]
    first, second = read(tmp_path / "tb").Images("samples")
    assert (first.step, second.step) == (4, 8)
    with Image.open(tmp_path / "samples" / "epoch-0002.png") as image:
        assert (second.width, second.height) == image.size


def test_writers_are_counted_and_closed_by_the_last_user(tmp_path):
    first, second = open_writer(tmp_path, step=0), open_writer(tmp_path / "x" / "..", step=0)
    assert first is second
    first.close()
    second.scalar("loss", 1.0, 1)
    second.close()
    assert tmp_path.resolve() not in _open_writers
    assert points(tmp_path, "loss") == [(1, 1.0)]


def test_a_deleted_log_directory_is_written_anew(tmp_path):
    left_behind = open_writer(tmp_path / "tb", step=0)
    for path in (tmp_path / "tb").iterdir():
        path.unlink()
    writer = open_writer(tmp_path / "tb", step=0)
    writer.scalar("loss", 1.0, 1)
    left_behind.close()
    writer.close()
    assert points(tmp_path / "tb", "loss") == [(1, 1.0)]
    assert _open_writers == {}


def test_the_real_server_shows_a_run(fit, tmp_path):
    log_dir = tmp_path / "runs" / "mine" / "tensorboard"
    board = TensorBoard(log_dir, hyperparameters=HYPERPARAMETERS, text={"config": "*mine*"})
    fit([ImageGrid(tmp_path, count=4, log_dir=log_dir), board])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path / "runs")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    try:
        address = f"http://127.0.0.1:{port}/data/plugin"
        until = time.monotonic() + 120
        scalars = {}
        while not scalars and time.monotonic() < until:
            assert server.poll() is None, (tmp_path / "server.log").read_text()
            scalars = get(f"{address}/scalars/tags")
            time.sleep(0.2)
        assert set(scalars["mine/tensorboard"]) == {"loss", "mae"}
        assert "samples" in get(f"{address}/images/tags")["mine/tensorboard"]
        assert get(f"{address}/text/tags")["mine/tensorboard"] == ["config/text_summary"]
        experiment = get(f"{address}/hparams/experiment", b'{"experimentName": ""}')
        assert {info["name"] for info in experiment["hparamInfos"]} == set(HYPERPARAMETERS)
        assert {info["name"]["tag"] for info in experiment["metricInfos"]} == {"loss", "mae"}
    finally:
        server.terminate()
        server.wait(30)


def get(url, body=None):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return {}  # not up yet
