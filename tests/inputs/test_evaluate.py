"""Command lines of the scripts that measure, which cannot be meant."""

import os

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def room(here, images, labels):
    np.savez(here / "untested.npz", images=images, labels=labels)
    (here / "file").write_text("hello")
    (here / "file.keras").write_text("hello")
    (here / "used").mkdir()
    (here / "used/thesis.txt").write_text("years of work")
    os.mkfifo(here / "pipe.keras")


FILE = ["file.keras", "--dataset", "digits", "--trust"]
EVALUATE = {
    "nothing": ([], "the following arguments are required: RUN_DIR (--help"),
    "a file": (["file"], "file holds no run: it has no config.json; name a run directory"),
    "no run": (["used"], "used holds no run: it has no config.json; name a run directory"),
    "no file": (["missing.keras", "--dataset", "digits", "--trust"], "missing.keras: is missing; name a .keras file"),
    "a damaged file": (FILE, "file.keras: is damaged, or no .keras file"),
    "a pipe": (["pipe.keras", "--dataset", "digits", "--trust"], "pipe.keras: is not a file; name a .keras file"),
    "a file without its data": (["file.keras"], "file.keras does not say what data its network was trained on"),
    "a file's step": ([*FILE, "--step", "3"], "--step chooses a checkpoint of a run, and file.keras is one file"),
    "a file not trusted": (FILE[:-1], "file.keras: comes from elsewhere"),
    "no sample": (["used", "--samples", "0"], "--samples: 0 is not positive; give a whole number of at least 1"),
    "hardly a sample": (["used", "--samples", "5"], "--samples 5 are too few; draw at least 20, better 10,000."),
    "a billion samples": (["used", "--samples", "1000000000"], "--samples: 1000000000 is too large; give a whole"),
    "a seed below 0": (["used", "--seed", "-1"], "--seed: -1 is negative"),
    "figures over a file": (["used", "--json", "used/thesis.txt"], "thesis.txt is there already, and no file is overw"),
    "figures nowhere": (["used", "--json", "nowhere/x.json"], "nowhere/x.json: its directory is not there; make it"),
    "figures in a file": (["used", "--json", "file/x.json"], "--json: file/x.json cannot be used (Not a directory)"),
    "curves of a file": ([*FILE, "--curves"], "--curves goes over the checkpoints of a run, and not with --stacked"),
    "curves of modes": (["used", "--stacked", "--curves"], "--curves goes over the checkpoints of a run"),
    "a layer of nothing": (["used", "--layer", "x"], "--layer names a layer of a .keras file; give that with --feat"),
    "a layer of ours": (["used", "--features", "mnist", "--layer", "x"], "--layer names a layer of a .keras file"),
}


@pytest.mark.parametrize(("arguments", "said"), EVALUATE.values(), ids=EVALUATE)
def test_what_cannot_be_measured_is_refused(refused, arguments, said):
    refused(said, "evaluate_gan.py", *arguments)


@pytest.fixture
def generator(here):
    layers = [keras.Input((4,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))]
    keras.Sequential(layers).save(here / "generator.keras")
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]).save(here / "classifier.keras")
    return ["--trust", "--samples", "20"]


FILES = {
    "data of no network": (
        ["generator.keras", "--dataset", "untested.npz"],
        "no feature network is known for untested",
    ),
    "unknown features": (["generator.keras", "--dataset", "digits", "--features", "vgg"], "network 'vgg' is unknown"),
    "features in no file": (["generator.keras", "--dataset", "digits", "--features", "x.keras"], "x.keras: is missing"),
    "data without a test": (
        ["generator.keras", "--dataset", "untested.npz", "--features", "mnist"],
        "untested has no test images to hold samples against",
    ),
    "images of another size": (
        ["generator.keras", "--dataset", "digits"],
        "generator.keras makes images of (8, 8, 1), and those of digits are (28, 28, 1)",
    ),
    "no generator": (
        ["classifier.keras", "--dataset", "digits"],
        "name a network from latents, or latents and labels, to images",
    ),
    "stacked without saying so": (
        ["generator.keras", "--dataset", "stacked-mnist"],
        "images of stacked_mnist have three channels, which no network of ours sees; add --stacked.",
    ),
    "unknown data": (["generator.keras", "--dataset", "mnits"], "no feature network is known for mnits"),
}


@pytest.mark.parametrize(("arguments", "said"), FILES.values(), ids=FILES)
def test_files_that_do_not_go_together_are_refused(refused, generator, arguments, said):
    refused(said, "evaluate_gan.py", *arguments, *generator)


TRAIN = {
    "no epoch": (["--epochs", "0"], "--epochs: 0 is not positive"),
    "rate 0": (["--learning-rate", "0"], "--learning-rate: 0 is no learning rate"),
    "data without a test": (["--dataset", "untested.npz", "--batch-size", "4"], "untested has no test images with lab"),
    "unknown data": (["--dataset", "mnits"], "mnits: is neither a known name nor a path; known names: digits, mnist"),
    "figures in a file": (["--out", "file"], "file is a file; choose a directory for --out"),
}


@pytest.mark.parametrize(("arguments", "said"), TRAIN.values(), ids=TRAIN)
def test_a_feature_network_that_cannot_be_trained_is_refused(refused, arguments, said):
    refused(said, "train_feature_network.py", *arguments)


def test_a_process_of_its_own_answers_the_same(process, here):
    process("file.keras: is damaged", "evaluate_gan.py", *FILE)
