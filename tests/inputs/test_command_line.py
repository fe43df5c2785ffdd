"""Command lines that cannot be meant."""

import os

import numpy as np
import pytest

SOUND = ["--dataset", "good.npz", "--run-dir", "new"]  # What stands further right on a line counts.
SMALL = ["--batch-size", "16", "--latent-dim", "8"]


@pytest.fixture(autouse=True)
def room(here, images, labels):
    """What the rows name: a sound data set, one without labels, a file, a pipe, a folder in use."""
    np.savez(here / "good.npz", images=images, labels=labels)
    np.savez(here / "unlabelled.npz", images=images)
    np.savez(here / "oblong.npz", images=images[:, :, :4], labels=labels)
    (here / "file").write_text("hello")
    os.mkfifo(here / "pipe")
    os.mkfifo(here / "pipe.npz")
    (here / "used").mkdir()
    (here / "used/thesis.txt").write_text("years of work")
    (here / "loop").symlink_to("loop")


GAN = {
    "negative batch": (["--batch-size", "-4"], "--batch-size: -4 is not positive; give a whole number of at least 1"),
    "batch of a half": (["--batch-size", "0.5"], "argument --batch-size: invalid positive value: '0.5'"),
    "batch larger than the data": (["--batch-size", "21"], "batch_size 21 is larger than the 20 images to train on"),
    "unknown option": (["--bogus"], "unrecognized arguments: --bogus (--help lists the options)"),
    "an option without its value": (["--epochs"], "argument --epochs: expected one argument"),
    "NaN rate": (["--learning-rate", "nan"], "--learning-rate: nan is no learning rate; give a number between 0 and 1"),
    "infinite rate": (["--learning-rate", "inf"], "--learning-rate: inf is no learning rate"),
    "rate 0": (["--learning-rate", "0"], "--learning-rate: 0 is no learning rate"),
    "momentum 1": (["--beta-1", "1"], "--beta-1: 1 is out of range; give a number from 0 up to 1"),
    "dropout NaN": (["--dropout", "nan"], "--dropout: nan is out of range; give a number from 0 up to 1"),
    "latent 0": (["--latent-dim", "0"], "--latent-dim: 0 is not positive; give a whole number of at least 1"),
    "latent 4e8": (["--latent-dim", "400000000"], "--latent-dim: 400000000 is too large; give a whole number of at"),
    "epochs 0": (["--epochs", "0"], "--epochs: 0 is not positive; give a whole number of at least 1"),
    "steps 0": (["--max-steps", "0"], "--max-steps: 0 is not positive; give a whole number of at least 1"),
    "seed below 0": (["--seed", "-1"], "--seed: -1 is negative; give a whole number of at least 0"),
    "seed over 32 bits": (["--seed", "4294967296"], "--seed: 4294967296 is too large; give a whole number below 429"),
    "no batch": (["--limit-train-batches", "0"], "--limit-train-batches: 0 is neither a whole number nor a fraction"),
    "batches without end": (["--limit-train-batches", "inf"], "--limit-train-batches: inf is neither a whole number"),
    "batches NaN": (["--limit-train-batches", "nan"], "--limit-train-batches: nan is neither a whole number nor"),
    "unknown precision": (["--precision", "float8"], "argument --precision: invalid choice: 'float8' (choose from"),
    "unknown loss": (["--loss", "cross"], "loss 'cross' is unknown; choose one of non_saturating"),
    "unknown recipe": (["--recipe", "cake"], "recipe 'cake' is unknown; choose one of dcgan, small_steps"),
    "a rate of another recipe": (
        ["--recipe", "hinge_sngan", "--learning-rate", "1e-4"],
        "--learning-rate is no hyperparameter of hinge_sngan, which has generator_rate, discriminator_rate, beta_1",
    ),
    "a number of another recipe": (
        ["--recipe", "lsgan", "--set", "width=64"],
        "--set width is no hyperparameter of lsgan, which has learning_rate, beta_1, dropout",
    ),
    "an option as a setting": (
        ["--set", "ema=0.999"],
        "--set ema is no hyperparameter of small_steps, which has learning_rate, beta_1, dropout; give --ema.",
    ),
    "half a channel": (["--recipe", "r3gan", "--set", "width=1.5"], "--set width=1.5 is no whole number; r3gan has 32"),
    "a setting without a number": (["--set", "width"], "--set: 'width' is no NAME=VALUE; give a name and a finite"),
    "an infinite setting": (["--set", "width=inf"], "--set: 'width=inf' is no NAME=VALUE"),
    "unknown augmentation": (["--augment", "rotation"], "policy 'rotation' names 'rotation'; choose from color"),
    "an average that stands still": (["--ema", "1"], "--ema: 1 is out of range; give a number between 0 and 1"),
    "an average of nothing": (["--ema", "0"], "--ema: 0 is out of range; give a number between 0 and 1 such as 0.999"),
    "no updates": (["--critic-steps", "0"], "--critic-steps: 0 is not positive"),
    "penalties never": (["--penalty-every", "0"], "--penalty-every: 0 is not positive"),
    "classes without labels": (
        ["--recipe", "cgan", "--batch-size", "4", "--dataset", "unlabelled.npz"],
        "unlabelled has no labels, and cgan makes images by class; choose another recipe",
    ),
    "oblong images by class": (
        ["--recipe", "cgan", "--batch-size", "4", "--dataset", "oblong.npz"],
        "image_shape is (8, 4, 1); a DCGAN makes square images",
    ),
    "measures of unknown images": (
        ["--quality-every-epochs", "1", "--dataset", "unlabelled.npz", "--batch-size", "4"],
        "no feature network is known for images of (8, 8, 1) called unlabelled; leave --quality-every-epochs out",
    ),
    "images that are not square": (["--dataset", "oblong.npz"], "image_shape is (8, 4, 1)"),
    "unknown data": (["--dataset", "mnits"], "mnits: is neither a known name nor a path; known names: digits, mnist"),
    "no data": (["--dataset", ""], "an empty name: is not an .npz file or a folder; known names: digits"),
    "data in a plain file": (["--dataset", "file"], "file: is not an .npz file or a folder; known names: digits"),
    "data from a pipe": (["--dataset", "pipe"], "pipe: is not an .npz file or a folder"),
    "data from a pipe named .npz": (["--dataset", "pipe.npz"], "pipe.npz: is not a regular file"),
    "data from a device": (["--dataset", "/dev/zero"], "/dev/zero: is not an .npz file or a folder"),
    "data in a loop": (["--dataset", "loop"], "loop: "),
    "data at the end of a long name": (["--dataset", "x" * 5000], "cannot be looked at"),
    "data of nobody": (["--dataset", "~nobody-at-all/x.npz"], "~nobody-at-all/x.npz: "),
    "a name with stars": (["--dataset", "x**[y"], "x**[y: is neither a known name nor a path"),
    "no folder of data": (
        ["--dataset", "mnist", "--data-dir", "nowhere"],
        "nowhere: data_dir names no folder; it must",
    ),
    "a folder of nobody": (["--dataset", "mnist", "--data-dir", "~nobody-at-all"], "~nobody-at-all: cannot be looked"),
    "a folder with a long name": (["--dataset", "mnist", "--data-dir", "x" * 5000], "cannot be looked at"),
    "run directory x/..": (["--run-dir", "../x/.."], "already holds a run or other files, which are never overwritten"),
    "run directory in use": (["--run-dir", "used"], "used already holds a run or other files, which are never overw"),
    "run directory is a file": (["--run-dir", "file"], "file is a file; choose a directory for the run"),
    "run directory in a file": (["--run-dir", "file/run"], "argument --run-dir: file/run cannot be used (Not a direct"),
    "run directory is a device": (["--run-dir", "/dev/null"], "/dev/null is a file; choose a directory for the run"),
    "run directory in a loop": (["--run-dir", "loop/run"], "argument --run-dir: loop/run cannot be used (Too many lev"),
    "run directory with a long name": (["--run-dir", "x" * 300], "cannot be used (File name too long); choose another"),
    "run directory not in UTF-8": (["--run-dir", os.fsdecode(b"\xff")], "'\\udcff' is not UTF-8; choose another name"),
    "resume nothing": (["--resume", "--run-dir", "new"], "new holds no run to resume; start one there without resume"),
    "resume something else": (["--resume", "--run-dir", "used"], "used holds no run to resume"),
}


@pytest.mark.parametrize(("arguments", "said"), GAN.values(), ids=GAN)
def test_a_gan_that_cannot_be_trained_is_refused(refused, arguments, said):
    refused(said, "train_gan.py", *SOUND, *SMALL, *arguments)


CLASSIFIER = {
    "no labels": (["--dataset", "unlabelled.npz"], "unlabelled: one_hot is True, but there are no labels"),
    "validate on all": (["--val-size", "20"], "val_size is 20 of 20 training images; choose fewer"),
    "validate on nothing": (["--val-size", "0.01"], "val_size is 0.01, which is no image at all of 20"),
    "validate on infinity": (["--val-size", "inf"], "--val-size: inf is neither a whole number nor a fraction below 1"),
    "validate on less": (["--val-size", "-3"], "--val-size: -3 is neither a whole number nor a fraction below 1"),
    "unknown model": (["--model", "transformer"], "transformer"),
    "unknown augmentation": (["--augment", "blur"], "blur"),
    "unknown start": (["--model", "scratch", "--init", "zero"], "zero"),
    "wait for no validation": (["--val-size", "0", "--early-stopping", "2"], "go by val_loss, and there is none with"),
    "lower the rate of nothing": (["--model", "scratch", "--reduce-lr", "2"], "--model scratch has none; leave it out"),
}


@pytest.mark.parametrize(("arguments", "said"), CLASSIFIER.values(), ids=CLASSIFIER)
def test_a_classifier_that_cannot_be_trained_is_refused(refused, arguments, said):
    refused(said, "train_classifier.py", *SOUND, "--batch-size", "4", *arguments)


OTHERS = {
    "resume what": (["train_gan.py", "--resume"], "--resume needs --run-dir, the directory of the run to go on with"),
    "no trial": (["tune_classifier.py", "--trials", "0"], "--trials: 0 is not positive"),
    "NaN minutes": (["tune_classifier.py", "--timeout", "nan"], "--timeout: nan is no time; give a number of minutes"),
    "a search in use": (
        ["tune_classifier.py", "--dataset", "good.npz", "--run-dir", "used"],
        "used already holds other",
    ),
    "a search in x/..": (["tune_classifier.py", "--run-dir", "../x/.."], "already holds other files, which are never"),
    "sample from nothing": (["sample.py"], "the following arguments are required: RUN_DIR (--help"),
    "sample from a file": (["sample.py", "file"], "file holds no run: it has no config.json; name a run directory"),
    "sample from no run": (["sample.py", "used"], "used holds no run: it has no config.json; name a run directory"),
    "no sample": (["sample.py", "used", "--count", "0"], "--count: 0 is not positive"),
    "a billion samples": (["sample.py", "used", "--count", "1000000000"], "--count: 1000000000 is too large; give a"),
    "a checkpoint before the first": (["sample.py", "used", "--step", "-1"], "--step: -1 is negative"),
    "predict from a file": (["predict.py", "file", "--index", "0"], "file holds no run: it has no config.json"),
    "predict nothing": (["predict.py", "used"], "there is nothing to predict; name picture files, or --index N"),
    "predict an image before the first": (["predict.py", "used", "--index", "-1"], "--index: -1 is negative"),
}


@pytest.mark.parametrize(("line", "said"), OTHERS.values(), ids=OTHERS)
def test_the_other_scripts_refuse_what_cannot_be_meant(refused, line, said):
    refused(said, *line)


def test_a_sensible_command_line_trains_where_it_leads(accepted, here):
    line = ["--dataset", "good.npz", "--model", "dense", "--batch-size", "4", "--epochs", "1"]
    accepted("train_classifier.py", *line, "--run-dir", "nowhere/../runs/mine")
    assert (here / "runs/mine/results.json").exists() and not (here / "nowhere").exists()
