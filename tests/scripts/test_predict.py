import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kerasgan as kg
from kerasgan.testing import tiny_gan, tiny_images
from tests.inputs import commands

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def bright_squares(count, seed):
    """Images of a square in the left or in the right half, and which: two classes that are soon told apart."""
    images = ((tiny_images(count, seed=seed) + 1) * 127.5).astype("uint8")
    return images, (images[:, :, :4].sum(axis=(1, 2, 3)) < images[:, :, 4:].sum(axis=(1, 2, 3))).astype("uint8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a data set, and a run that was trained on it with the script."""
    path = tmp_path_factory.mktemp("predict")
    (images, labels), (test_images, test_labels) = bright_squares(64, seed=0), bright_squares(200, seed=1)
    np.savez(path / "squares.npz", x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    np.savez(path / "untested.npz", images=images, labels=labels)
    np.savez(path / "large.npz", x_train=np.zeros((4, 9, 9), "uint8"), x_test=np.zeros((4, 9, 9), "uint8"))
    line = ["--model", "dense", "--dataset", "squares.npz", "--val-size", "16", "--epochs", "6", "--batch-size", "16"]
    with pytest.MonkeyPatch.context() as patch, commands.signals_kept():
        patch.chdir(path)
        patch.setenv("KERAS_BACKEND", keras.config.backend())
        patch.delenv("KERASGAN_DATA_DIR", raising=False)
        patch.setattr(sys, "argv", ["train_classifier.py", *line, "--run-dir", "run"])
        runpy.run_path(str(SCRIPTS / "train_classifier.py"), run_name="__main__")
    return path


@pytest.fixture
def predict(place, monkeypatch, capsys):
    """Run the script in this process; return the exit status, and what it printed on stdout and on stderr."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("KERASGAN_DATA_DIR", raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
        try:
            runpy.run_path(str(SCRIPTS / "predict.py"), run_name="__main__")
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def probabilities(output):
    """The numbers in the table of one picture, class by class."""
    return re.findall(r"^ (\d+) +(\d\.\d{6})", output, re.MULTILINE)


def test_every_way_of_saving_gives_the_same_probabilities(predict, place):
    status, output, error = predict("run", "--index", "150", "--dataset", "squares.npz")
    assert (status, error) == (0, "")
    images, labels = bright_squares(200, seed=1)
    expected = kg.load_run(place / "run").classify(images[150:151] / 127.5 - 1)[0]
    said = probabilities(output)
    assert [name for name, _ in said] == ["0", "1"]
    np.testing.assert_allclose([float(value) for _, value in said], list(expected.probabilities.values()), atol=1e-6)
    assert 0.5 < expected.probability < 1 and expected.label == labels[150]
    assert f"test image 150 of squares: {labels[150]}, {expected.probability:.2%} (right: " in output
    for saved_as in ("keras", "json"):
        assert predict("run", "--index", "150", "--dataset", "squares.npz", "--saved-as", saved_as) == (0, output, "")


def test_a_checkpoint_is_chosen_by_its_step_or_as_the_best(predict, place):
    best = json.loads((place / "run/checkpoints/best.json").read_text())["step"]
    steps = sorted(int(path.name.removeprefix("step-")) for path in (place / "run/checkpoints").glob("step-*"))
    newest = predict("run", "--index", "150", "--dataset", "squares.npz")
    by_step = {
        step: predict("run", "--index", "150", "--dataset", "squares.npz", "--step", step) for step in steps[-2:]
    }
    assert by_step[steps[-1]] == newest != by_step[steps[-2]]
    by_name = predict("run", "--index", "150", "--dataset", "squares.npz", "--step", "best")
    assert by_name == predict("run", "--index", "150", "--dataset", "squares.npz", "--step", best)
    assert {status for status, _, _ in (*by_step.values(), by_name)} == {0}


def test_pictures_of_any_kind_get_a_line_each(place):
    images, labels = bright_squares(200, seed=1)
    expected = kg.load_run(place / "run").classify(images[:2] / 127.5 - 1)
    grey = Image.fromarray(images[0, :, :, 0])
    grey.save(place / "grey.png")
    grey.convert("RGB").save(place / "colour.bmp")
    Image.fromarray(255 - images[0, :, :, 0]).save(place / "inverted.webp", lossless=True)
    grey.resize((320, 320), Image.Resampling.NEAREST).save(place / "large.jpg")
    # A process of its own, as a user starts it, with options between the files.
    line = ["run", "grey.png", "--dataset", "squares.npz", "colour.bmp", "inverted.webp", "large.jpg"]
    command = [sys.executable, str(SCRIPTS / "predict.py"), *line, "--index", "0", "1"]
    finished = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0 and finished.stderr == ""
    found = re.findall(r"^(.*\S) +([01])  (\d\.\d{6})(.*)$", finished.stdout, re.MULTILINE)
    names = [
        "grey.png",
        "colour.bmp",
        "inverted.webp",
        "large.jpg",
        "test image 0 of squares",
        "test image 1 of squares",
    ]
    assert [name for name, _, _, _ in found] == names
    assert [int(label) for _, label, _, _ in found] == [expected[0].label] * 5 + [expected[1].label]
    said = [float(probability) for _, _, probability, _ in found]
    # The same pixels up to compression and enlargement, so the same probability.
    np.testing.assert_allclose(said[:3], expected[0].probability, atol=1e-6)
    assert said[3] == pytest.approx(expected[0].probability, abs=0.05)
    np.testing.assert_allclose(said[4:], [expected[0].probability, expected[1].probability], atol=1e-6)
    assert [f"the true class is {label}" in rest for label, (*_, rest) in zip(labels, found[4:], strict=False)] == [
        True
    ] * 2
    assert not any(rest for *_, rest in found[:4])


def test_inversion_can_be_chosen(predict, place):
    images, _ = bright_squares(200, seed=1)
    Image.fromarray(images[2, :, :, 0]).save(place / "dark.png")
    Image.fromarray(255 - images[2, :, :, 0]).save(place / "light.png")

    def said(*line):
        status, output, _ = predict("run", *line)
        assert status == 0
        return probabilities(output)

    assert said("light.png") == said("dark.png") == said("light.png", "--invert", "yes")
    assert said("light.png", "--invert", "no") == said("dark.png", "--invert", "yes") != said("light.png")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run"], "there is nothing to predict; name picture files, or --index N"),
        ([], "the following arguments are required: RUN_DIR (--help"),
        (["run", "--index", "-1"], "-1 is negative"),
        (
            ["run", "--index", "200", "--dataset", "squares.npz"],
            "--index 200 is out of range; the test set of squares has images 0 to 199.",
        ),
        (["run", "--index", "3"], "The run's data are called squares; say where they lie with --dataset."),
        (["run", "--index", "3", "--dataset", "untested.npz"], "untested has no test split to take --index from"),
        (
            ["run", "--index", "3", "--dataset", "large.npz"],
            "The images of large are (9, 9, 1), those of the run (8, 8, 1).",
        ),
        (["run", "--index", "3", "--step", "bset"], "bset is no checkpoint; give a step such as 2110, or best"),
        (
            ["run", "--index", "3", "--step", "3", "--saved-as", "json"],
            "--step names a checkpoint, and --saved-as json reads none",
        ),
        (["run", "missing.png"], "missing.png: cannot be looked at (No such file or directory)"),
        (["run", "squares.npz"], "squares.npz: is not a PNG, JPEG, BMP or WebP image"),
        ([".", "--index", "3"], "holds no run: it has no config.json"),
        (["run", "--index", "3", "--class-names", "a,b"], "--class-names is for .keras files; a run knows the names"),
        (["run/model.keras", "--index", "3", "--dataset", "squares.npz"], "run/model.keras: comes from elsewhere; "),
        (["run/model.keras", "--index", "3", "--trust"], "--index needs --dataset: run/model.keras does not say what"),
        (["run/model.keras", "x.png", "--step", "3"], "run/model.keras is one file; leave them out."),
        (["run/model.keras", "x.png", "--saved-as", "json"], "run/model.keras is one file; leave them out."),
        (["run/missing.keras", "x.png", "--trust"], "run/missing.keras: is missing; name a .keras file."),
        (["squares.npz", "x.png", "--trust"], "squares.npz: is no network; name a .keras file, or a .json file"),
        (
            ["run/model.keras", "x.png", "--trust", "--class-names", "a,b,c"],
            "class_names has 3 names, but the network tells 2 classes apart",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(predict, arguments, complaint):
    status, output, error = predict(*arguments)
    assert (status, output) == (2, "")
    assert complaint in error
    assert error.startswith("error: ") and error.count("\n") == 1


def test_the_run_of_a_gan_predicts_nothing(predict, place):
    trainer = kg.Trainer(place / "gan", max_steps=1, callbacks=[kg.callbacks.Checkpoint()])
    trainer.fit(tiny_gan(), tiny_images(8), batch_size=8)
    Image.new("L", (8, 8)).save(place / "black.png")
    status, _, error = predict("gan", "black.png")
    assert status == 2
    assert error.startswith("error: gan is the run of a GAN, not of a classifier") and error.count("\n") == 1


def test_what_an_unfinished_run_lacks_is_named(predict, place):
    shutil.copytree(place / "run", place / "unfinished", ignore=shutil.ignore_patterns("model.*"))
    Image.new("L", (8, 8)).save(place / "black.png")
    assert predict("unfinished", "black.png")[0] == 0
    for saved_as, file in (("keras", "model.keras"), ("json", "model.json")):
        status, _, error = predict("unfinished", "black.png", "--saved-as", saved_as)
        assert status == 2 and f"unfinished/{file} is not there" in error and error.count("\n") == 1


def test_other_data_of_the_same_name_are_not_taken_for_those_of_the_run(predict, place):
    shutil.copytree(place / "run", place / "renamed")
    config = json.loads((place / "renamed/config.json").read_text())
    config["data"]["name"] = "digits"
    (place / "renamed/config.json").write_text(json.dumps(config))
    status, _, error = predict("renamed", "--index", "0")
    assert status == 2 and "The data found as digits are not those of the run." in error and error.count("\n") == 1
    data = kg.data.load("digits", val_size=16)
    config["data"] |= {"fingerprint": data.fingerprint(), "image_shape": data.image_shape}
    (place / "renamed/config.json").write_text(json.dumps(config))
    assert "are not those of the run" not in predict("renamed", "--index", "0")[2]


def test_the_table_of_many_classes_with_unruly_names_fits_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    script = runpy.run_path(str(SCRIPTS / "predict.py"))
    names = ["a" * 100, "b\n\x1b[31m", "[bold]c[/bold]", *map(str, range(30))]
    shares = {name: (2.0 if name.startswith("b") else 1.0) / 34 for name in names}
    prediction = kg.Prediction(1, names[1], shares)
    script["show_one"](script["Picture"]("d\n.png", None, truth=names[0]), prediction)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(r"'d\n.png': 'b\n\x1b[31m', 5.88% (wrong: the true class is aaa")
    table = lines[1:-1]
    assert len(table) == 1 + 20 and max(map(len, table)) <= 80
    assert r"'b\n\x1b[31m'" in table[1] and "0.058824" in table[1]  # the most probable first
    assert any("[bold]c[/bold]" in line for line in table)
    assert lines[-1] == "and 13 classes that are less probable"


def test_a_keras_file_predicts_as_the_run_that_wrote_it(predict, place):
    index = ("--index", "150", "--dataset", "squares.npz")
    status, output, error = predict("run", *index)
    assert (status, error) == (0, "")
    shutil.copy(place / "run/model.keras", place / "elsewhere.keras")
    assert predict("elsewhere.keras", "--trust", *index) == (0, output, "")
    assert predict("run/model.json", "--trust", *index) == (0, output, "")
    _, named, _ = predict("elsewhere.keras", "--trust", *index, "--class-names", "left,right")
    assert re.findall(r"^ (left|right) +(\d\.\d{6})", named, re.MULTILINE) == [
        (name, probability) for name, (_, probability) in zip(("left", "right"), probabilities(output), strict=True)
    ]


def test_logits_of_a_keras_file_become_probabilities(predict, place):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer="zeros")]
    network = keras.Sequential(layers)
    network.layers[-1].bias.assign(np.log([1.0, 3.0]))
    network.save(place / "logits.keras")
    keras.Sequential([keras.Input((8, 8, 1)), network, keras.layers.Softmax()]).save(place / "softmax.keras")
    keras.Sequential([keras.Input((8, 8, 1)), keras.Sequential([network])]).save(place / "nested.keras")
    Image.new("L", (8, 8)).save(place / "black.png")
    for name in ("logits", "softmax", "nested"):
        status, output, error = predict(f"{name}.keras", "black.png", "--trust")
        assert (status, error) == (0, "")
        assert probabilities(output) == [("0", "0.250000"), ("1", "0.750000")]


def test_a_keras_file_that_is_no_classifier_of_images_is_one_line(predict, place):
    pool = keras.layers.GlobalAveragePooling2D()
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]).save(place / "texts.keras")
    keras.Sequential([keras.Input((None, None, 1)), pool]).save(place / "any_size.keras")
    for name in ("texts", "any_size"):
        status, _, error = predict(f"{name}.keras", "black.png", "--trust")
        assert status == 2 and f"{name}.keras maps (None, " in error and error.count("\n") == 1
        assert "name a network from images of one size to classes" in error


def test_code_in_a_file_or_a_run_is_refused_in_one_line(predict, place):
    canary = place / "canary.txt"
    canary.write_text("sings")
    song = str(canary)
    attack = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(song).write_text("dead"), x)[1])
    layers = [keras.Input((8, 8, 1)), attack, keras.layers.Flatten(), keras.layers.Dense(2)]
    network = keras.Sequential(layers)
    canary.write_text("sings")
    Image.new("L", (8, 8)).save(place / "black.png")
    for name in ("first", "second", "third"):
        shutil.copytree(place / "run", place / name)
    network.save(place / "first/model.keras")
    (place / "second/model.json").write_text(network.to_json())
    config = json.loads((place / "third/config.json").read_text())
    config["module"]["config"]["network"] = keras.saving.serialize_keras_object(network)
    (place / "third/config.json").write_text(json.dumps(config))
    for line in (
        ["first", "--saved-as", "keras"],
        ["first/model.keras", "--trust"],
        ["second", "--saved-as", "json"],
        ["third"],
    ):
        status, output, error = predict(*line, "black.png")
        assert (status, output) == (2, "") and error.count("\n") == 1
        assert "is a Lambda, which runs code that a file brings along; no file may have one" in error
    assert canary.read_text() == "sings"


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        ({"name": "../predict/squares.npz"}, "does not say what its data were"),
        ({"name": ["squares"]}, "does not say what its data were"),
        ({"examples": {"validation": "all"}}, "does not say what its data were"),
        ({"image_shape": [4096, 4096, 1]}, "says its images are (4096, 4096, 1), and its network takes (8, 8, 1)"),
    ],
)
def test_what_a_run_says_of_its_data_leads_nowhere_else(predict, place, tmp_path, says, complaint):
    shutil.copytree(place / "run", tmp_path / "lying")
    config = json.loads((place / "run/config.json").read_text())
    config["data"] |= says
    (tmp_path / "lying/config.json").write_text(json.dumps(config))
    status, _, error = predict(tmp_path / "lying", "--index", "0")
    assert status == 2 and complaint in error and error.count("\n") == 1
