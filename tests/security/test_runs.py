"""Runs of others: what their config.json and their list of checkpoints may say."""

import json
import re

import keras
import numpy as np
import pytest

import kerasgan as kg


def stock(kind, module, /, **config):
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def compiled_with(**arguments):
    return lambda config: config["module"]["compile_config"].update(arguments)


def module(**arguments):
    return lambda config: config["module"].update(arguments)


CHANGES = {
    "a metric of a gigabyte": (
        compiled_with(metrics=[stock("AUC", "keras.metrics", num_thresholds=400_000_000)]),
        "has 'num_thresholds' = 400,000,000; at most 1,024",
    ),
    "metrics without number": (
        compiled_with(metrics=[stock("MeanIoU", "keras.metrics", num_classes=1000)] * 101),
        "has 101 metrics; at most 100",
    ),
    "an optimizer of another package": (
        compiled_with(optimizer=stock("Adam", "elsewhere")),
        "names the class 'Adam' of 'elsewhere'",
    ),
    "a function that writes": (
        compiled_with(loss={**stock("function", "keras.utils"), "config": "save_img"}),
        "names the function 'save_img' of 'keras.utils'",
    ),
    "a network from scratch": (
        module(
            class_name="ScratchClassifier",
            registered_name="kerasgan>ScratchClassifier",
            compile_config=None,
            config={
                "layers": [{"inputs": 64, "outputs": 10_000_000, "activation": None, "init": "uniform"}],
                "image_shape": [8, 8, 1],
                "augmentation": None,
            },
        ),
        "declares a network of 650,000,000 weights, and 130 numbers were saved with it",
    ),
    "a layer for a module": (module(**stock("Dense", "keras.layers", units=2)), "'Dense', not a module"),
    "a list for a module": (lambda config: config.update(module=[]), "'module' is not what a run says"),
    "no module": (lambda config: config.pop("module"), "'module' is not what a run says"),
    "numbers for checkpoints": (lambda config: config.update(checkpoints=3), "'checkpoints' is not what a run says"),
    "a text for data": (lambda config: config.update(data="mnist"), "'data' is not what a run says"),
    "no data": (lambda config: config.clear(), "is not what a run says"),
    "images without end": (
        lambda config: config["data"].update(image_shape=[100_000, 100_000, 1]),
        "is no shape of images such as [28, 28, 1]",
    ),
    "images of text": (lambda config: config["data"].update(image_shape=["8", "8", "1"]), "is no shape of images"),
    "a module that is unfinished": (module(config={}), "the module cannot be rebuilt: "),
    "a module that is not known": (
        module(module="elsewhere", class_name="Own", registered_name="elsewhere>Own"),
        "names the class 'Own' of 'elsewhere'",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_run_may_not_say_is_one_line(run, change, growth):
    make, complaint = CHANGES[change]
    path = run(make)

    def attempt():
        with pytest.raises(kg.RunDirectoryError, match=re.escape(complaint)) as info:
            kg.load_run(path)
        assert "\n" not in str(info.value) and str(path / "config.json") in str(info.value)

    assert growth(attempt) < 200


def test_an_unbuilt_network_is_measured_for_the_images_of_the_run(run, growth):
    layers = [stock("Flatten", "keras.layers"), stock("Dense", "keras.layers", units=2)]

    def change(config):
        config["module"]["config"]["network"] = stock("Sequential", "keras", name="unbuilt", layers=layers)
        config["data"]["image_shape"] = [4096, 4096, 1]

    path = run(change)

    def attempt():
        with pytest.raises(kg.RunDirectoryError, match="declares a network of 33,554,434 weights, and 130 numbers"):
            kg.load_run(path)

    assert growth(attempt) < 100


def test_a_run_that_was_not_changed_is_loaded_and_other_data_are_no_matter(run):
    path = run(lambda config: config.update(command=["rm"], devices=[{"a": [1]}]))
    assert kg.load_run(path).global_step == 1


@pytest.mark.parametrize("content", ["", "[]", "{" * 100_000, '{"module": ' + "[" * 100_000, "\x00", "{}"])
def test_a_damaged_config_is_one_line(run, content):
    path = run()
    (path / "config.json").write_text(content)
    with pytest.raises(kg.RunDirectoryError, match=r"config\.json: ") as info:
        kg.load_run(path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"step": []}', '{"step": "x"}', '{"step": ' + "[" * 100_000])
def test_a_damaged_note_of_the_best_checkpoint_is_one_line(run, content):
    path = run()
    (path / "checkpoints/best.json").write_text(content)
    with pytest.raises(kg.checkpoints.CheckpointError, match=r"best\.json: does not name a step"):
        kg.load_run(path, step="best")


def test_a_module_of_the_callers_own_needs_nothing_of_the_config(run, network):
    path = run(lambda config: config.update(module=stock("Lambda", "keras.layers")))
    classifier = kg.Classifier(keras.models.clone_model(network))
    classifier.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    assert kg.load_run(path, module=classifier).global_step == 1
    with pytest.raises(kg.RunDirectoryError, match=r"or build and compile the module and pass it as load_run"):
        kg.load_run(path)


def test_measuring_leaves_nothing_behind(run):
    path = run()
    one = kg.load_run(path)
    keras.utils.clear_session()
    images = np.linspace(-1, 1, 64, dtype="float32").reshape(1, 8, 8, 1)
    other = kg.load_run(path)
    assert all(variable.value is not None for variable in other.variables)
    np.testing.assert_array_equal(one.probabilities(images), other.probabilities(images))
    assert json.loads((path / "config.json").read_text())["module"]["class_name"] == "Classifier"
