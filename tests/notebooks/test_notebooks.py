"""Every notebook is run from top to bottom, only smaller, and must leave behind what it says."""

import ast
from pathlib import Path

import nbclient
import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# What the settings of a notebook become. RUNS stays what it is: `../runs`, seen from a temporary directory.
SMALL = {"DATASET": "digits", "EXERCISE": "digits", "EPOCHS": 1, "LIMIT": 2, "INDEX": 7, "SHOW_TENSORBOARD": False}
SECONDS_FOR_A_CELL = 300
# Pictures shown, and files left in `runs/`.
LEFT_BEHIND = {
    "01_from_scratch": (6, ["scratch-digits-001/model.keras"]),
    "02_dense_mnist": (8, ["digits.png", "dense-digits-001/report.md"]),
    "03_cnn_tensorboard": (
        6,
        [
            "cnn-digits-001/model.json",
            "cnn-digits-001/model.weights.h5",
            "cnn-digits-001/model.keras",
            "cnn-digits-001/report/confusion.png",
            "cnn-digits-001/seven.png",
            "cnn-digits-no-dropout-001/metrics.csv",
        ],
    ),
    "04_low_level_cnn": (3, ["low-level-digits-001/model.keras"]),
    "05_dcgan": (
        8,
        [
            "dcgan-digits-001/checkpoints/step-000000004/manifest.json",
            "dcgan-digits-001/samples/epoch-0001.png",
            "dcgan-digits-001/samples/epoch-0002.png",
            "dcgan-digits-001/generator.keras",
        ],
    ),
}


@pytest.fixture(autouse=True)
def own_jupyter(tmp_path, monkeypatch):
    """Have the kernel run on this interpreter, whatever kernels and settings this user has."""
    write_kernel_spec(tmp_path / "jupyter" / "kernels" / "python3")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))  # looked at before all other places
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel sets its own, which shows figures


def smaller(notebook):
    """Replace the settings of a notebook by small ones."""
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    names = {statement.targets[0].id for statement in ast.parse(cell.source).body}
    assert names <= {"RUNS", *SMALL}, "say in SMALL what a new setting becomes"
    cell.source += "\n" + "\n".join(f"{name} = {SMALL[name]!r}" for name in sorted(names - {"RUNS"}))
    return notebook


def run(notebook, folder):
    """Run a notebook as if it lay in the folder; its outputs are then in its cells."""
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=SECONDS_FOR_A_CELL, resources=resources).execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_every_notebook_is_run():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(LEFT_BEHIND)


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_notebook_runs_from_top_to_bottom(name, tmp_path):
    outputs = run(smaller(nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)), tmp_path / "notebooks")
    pictures, files = LEFT_BEHIND[name]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == pictures
    missing = [file for file in files if not (tmp_path / "runs" / file).is_file()]
    assert missing == []
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "Warning: " not in said


def test_an_error_in_a_cell_is_an_error_here(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        run(notebook, tmp_path / "notebooks")


def test_a_setting_without_a_small_value_is_an_error_here():
    settings = nbformat.v4.new_code_cell("LARGE = 10", metadata={"tags": ["parameters"]})
    with pytest.raises(AssertionError, match="say in SMALL"):
        smaller(nbformat.v4.new_notebook(cells=[settings]))
