import json

import numpy as np

from kerasgan.metrics.features import load_feature_network


def test_a_network_is_trained_saved_and_described(script, tmp_path):
    trained = script("train_feature_network.py", "--epochs", "1", "--batch-size", "500", "--out", "out", "--seed", "1")
    assert trained.returncode == 0, trained.stderr
    assert "out/digits.safetensors" in trained.stdout
    facts = json.loads((tmp_path / "out/digits.json").read_text())
    assert (facts["dataset"], facts["epochs"], facts["test_images"]) == ("digits", 1, 297)
    assert facts["command"].endswith("train_feature_network.py --epochs 1 --batch-size 500 --out out --seed 1")
    assert 0 <= facts["accuracy"] <= 1 and facts["seconds"] > 0
    network = load_feature_network(tmp_path / "out", "digits")
    assert network.describe(np.zeros((3, 28, 28, 1), np.uint8))[0].shape == (3, 128)
