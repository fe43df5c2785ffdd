"""The README's code is run, only smaller."""

import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def example(first_words):
    """The block of Python that begins with these words."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if block.startswith(first_words))


def smaller(code, *changes):
    for old, new in changes:
        assert old in code, f"the README no longer says {old!r}"
        code = code.replace(old, new)
    return code


def test_both_examples_train_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("images.npz", images=rng.integers(0, 256, (48, 8, 8, 1), "uint8"))
    code = smaller(
        example("import keras"),
        ('"mnist", data_dir="data/mnist", batch_size=256, val_size=5000', '"images.npz", batch_size=8, val_size=8'),
        ("max_epochs=50", "max_steps=2"),
    )
    names = {}
    exec(code, names)
    assert names["images"].shape == (64, 8, 8, 1)
    assert (tmp_path / "runs/mnist/generator.keras").exists()

    code = smaller(
        example("from keras import ops"),
        ("range(5)", "range(2)"),
        ("generator(latent_dim=128)", "generator((8, 8, 1), latent_dim=128)"),
        ("discriminator(dropout=0.0)", "discriminator((8, 8, 1), dropout=0.0)"),
        ("epochs=5, shuffle=False", "epochs=1, shuffle=False, verbose=0"),
        ("max_epochs=5", "max_epochs=1"),
    )
    exec(code, names)
    assert set(names["wgan"].history.history) == {"critic_loss", "generator_loss", "gradient_penalty"}
    assert names["wgan"].global_step == 10
    assert (tmp_path / "runs/wgan/critic.keras").exists()


def test_the_classifier_example_trains_reports_and_names_a_class(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {
        f"{kind}_{split}": rng.integers(0, top, shape, "uint8")
        for split, count in (("train", 48), ("test", 16))
        for kind, top, shape in (("x", 256, (count, 12, 12, 1)), ("y", 3, (count,)))
    }
    np.savez("images.npz", **arrays)
    code = smaller(
        example('data = kg.data.load("fashion'),
        ('"fashion_mnist", data_dir="data/fashion-mnist", val_size=5000', '"images.npz", batch_size=8, val_size=8'),
        ("max_epochs=20", "max_epochs=2"),
    )
    exec("import keras, kerasgan as kg\n" + code, names := {})
    assert capsys.readouterr().out.splitlines()[-1] in "012"
    assert names["classifier"].global_step in (5, 10)
    assert (tmp_path / "runs/fashion/report.md").exists()


def test_every_picture_and_page_it_names_is_there():
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
