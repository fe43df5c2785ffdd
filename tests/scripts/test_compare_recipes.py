import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import compare_recipes

LINE = ("compare_recipes.py", "--recipes", "acgan", "--images", "200", "--samples", "40", "--run-dir", "runs")


def rows(done):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]


def test_a_recipe_is_trained_and_measured_and_nothing_is_done_twice(script, tmp_path):
    done = script(*LINE)
    assert (done.returncode, done.stderr) == (0, "")
    run_dir = tmp_path / "runs/acgan-0"
    assert json.loads((run_dir / "results.json").read_bytes())["steps"] == 2  # 200 images, the recipe's batches of 100
    headings, _, acgan = rows(done)[-3:]
    assert headings[:3] == ["recipe", "steps", "minutes"] and acgan[:2] == ["acgan", "2"]
    trained = (run_dir / "results.json").stat().st_mtime_ns
    (run_dir / "quality.json").unlink()
    again = script(*LINE)  # measures what is missing, and trains nothing
    assert again.returncode == 0 and rows(again)[-1] == acgan
    assert (run_dir / "results.json").stat().st_mtime_ns == trained
    fewer = script(*LINE, "--images", "100")
    assert fewer.returncode == 2 and "has 2 steps, more than the 1 of --images; choose another" in fewer.stderr


def test_a_row_has_means_over_the_seeds_and_a_dash_for_what_was_not_measured():
    measures = {"precision": 0.5, "recall": 0.25, "classifier_score": 2.0, "conditional_accuracy": None}
    runs = [
        {"minutes": 2, "samples": {**measures, "frechet_distance": distance, "kernel_distance": {"mean": 0.001}}}
        for distance in (1.0, 3.0)
    ]
    assert compare_recipes.row("lsgan", runs[:1], 1000) == [
        "lsgan",
        "1,000",
        "2",
        "1.00",
        "1.00",
        "0.500",
        "0.250",
        "2.00",
        "-",
    ]
    assert compare_recipes.row("lsgan", runs, 1000)[3] == "2.00 ± 1.41"


def test_figures_of_another_number_of_samples_or_other_data_are_not_taken(monkeypatch, tmp_path):
    (tmp_path / "results.json").write_text('{"steps": 2, "wall_seconds": 60}')
    called = []

    def evaluate(script, *arguments):
        called.append((script, arguments))
        (tmp_path / "quality.json").write_text('{"step": 2, "data_fingerprint": "abc", "fakes": 40}')

    monkeypatch.setattr(compare_recipes, "call", evaluate)
    recipe = SimpleNamespace(name="acgan", batch_size=100)
    for fingerprint, samples, calls in (("abc", 40, 1), ("abc", 40, 1), ("abc", 50, 2), ("def", 40, 3)):
        args = SimpleNamespace(images=200, dataset="digits", data_dir=None, samples=samples)
        compare_recipes.run(recipe, tmp_path, 0, {"data_fingerprint": fingerprint, "fakes": samples}, args)
        assert len(called) == calls


def test_a_run_that_was_killed_before_its_first_checkpoint_goes_on(monkeypatch, tmp_path):
    called = []

    def train(script, *arguments):
        called.append(arguments)
        (tmp_path / "results.json").write_text('{"steps": 2, "wall_seconds": 60}')
        (tmp_path / "quality.json").write_text('{"step": 2}')

    monkeypatch.setattr(compare_recipes, "call", train)
    (tmp_path / "config.json").write_text("{}")
    args = SimpleNamespace(images=200, dataset="digits", data_dir=None, samples=40)
    compare_recipes.run(SimpleNamespace(name="acgan", batch_size=100), tmp_path, 0, {}, args)
    assert "--resume" in called[0]


def test_data_that_no_network_measures_are_refused_before_anything_is_trained(here, tmp_path, squares):
    refused = here("compare_recipes.py", "--dataset", squares, "--run-dir", "runs")
    assert refused.returncode == 2 and "no feature network is known for images of (8, 8, 1)" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_an_unknown_recipe_ends_it_before_anything_is_trained(here, tmp_path):
    refused = here("compare_recipes.py", "--recipes", "lsgan,cake", "--run-dir", "runs")
    assert refused.returncode == 2 and "recipe 'cake' is unknown" in refused.stderr
    refused = here("compare_recipes.py", "--recipes", "acgan, lsgan", "--images", "80", "--run-dir", "runs")
    assert "--images 80 is less than one batch of acgan, 100." in refused.stderr
    assert not (tmp_path / "runs").exists()
