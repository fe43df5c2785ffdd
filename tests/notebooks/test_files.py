"""What lies in notebooks/: small diffs, nothing stale, the same beginning and the same end in each."""

import ast
import copy
import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOR_BACKENDS_ALONE = {"jax", "jaxlib", "tensorflow"}


def complaints(notebook):
    """Say what is wrong with a notebook, in words; `notebook` as its JSON has it."""
    found = []
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if (notebook["nbformat"], notebook["nbformat_minor"]) != (4, 5) or not all("id" in cell for cell in cells):
        found.append("not nbformat 4.5 with an id in every cell")
    if notebook["metadata"] != METADATA:
        found.append("other metadata than the kernel python3")
    if any(cell["outputs"] or cell["execution_count"] for cell in code):
        found.append("outputs or execution counts")
    if [cell["metadata"] for cell in code] != [{"tags": ["parameters"]}, *[{}] * (len(code) - 1)]:
        found.append("the first code cell, and it alone, must have the tag parameters, and no other metadata")
    settings = ast.parse("".join(code[0]["source"])).body
    if not all(isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) for line in settings):
        found.append("the parameters are not all plain values")
    imported = set().union(*(imports_of("".join(cell["source"])) for cell in code))
    if any(name.partition(".")[0] in FOR_BACKENDS_ALONE or name.startswith("keras.src") for name in imported):
        found.append("imports a backend, or what is private to Keras")
    found += lacks_solutions(cells)
    return found


def imports_of(source):
    """The modules that a cell imports."""
    source = re.sub(r"^( *)%.*$", r"\1pass", source, flags=re.MULTILINE)  # magics are no Python
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


def lacks_solutions(cells):
    """Complain where an exercise has no solution that runs."""
    texts = ["".join(cell["source"]) if cell["cell_type"] == "markdown" else "" for cell in cells]
    start = next((index for index, text in enumerate(texts) if text.startswith("## Exercises")), None)
    if start is None:
        return ["no exercises"]
    numbers = re.findall(r"^(\d+)\. ", texts[start], re.MULTILINE)
    solved = [
        re.match(r"### Solution (\d+)", text)[1]
        for text, following in zip(texts, cells[1:], strict=False)
        if text.startswith("### Solution") and following["cell_type"] == "code"
    ]
    return [] if numbers and solved == numbers else [f"exercises {numbers} but solutions {solved}"]


def test_there_is_one_for_each_workshop():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_as_it_should_be(name):
    nbformat.validate(NOTEBOOKS[name])
    assert complaints(NOTEBOOKS[name]) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_script_it_names_is_there(name):
    text = "".join("".join(cell["source"]) for cell in NOTEBOOKS[name]["cells"])
    assert [path for path in re.findall(r"scripts/\w+\.py", text) if not (ROOT / path).exists()] == []


# Notebooks as they must not be.


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


SPOILT = {
    "outputs": lambda notebook: code_cells(notebook)[1].update(execution_count=1),
    "nbformat": lambda notebook: notebook["cells"][0].pop("id"),
    "metadata than": lambda notebook: notebook["metadata"]["language_info"].update(version="3.11.7"),
    "tag parameters": lambda notebook: code_cells(notebook)[0].update(metadata={}),
    "no other metadata": lambda notebook: code_cells(notebook)[1].update(metadata={"collapsed": True}),
    "plain values": lambda notebook: code_cells(notebook)[0].update(source=["EPOCHS = len([])"]),
    "imports a backend": lambda notebook: code_cells(notebook)[2].update(source=["import jax.numpy as jnp"]),
    "solutions": lambda notebook: notebook["cells"].pop(),
    "no exercises": lambda notebook: notebook.update(cells=code_cells(notebook)),
}


@pytest.mark.parametrize("complaint", SPOILT)
def test_a_spoilt_notebook_is_found_out(complaint):
    notebook = copy.deepcopy(NOTEBOOKS["02_dense_mnist"])
    SPOILT[complaint](notebook)
    assert complaint in " ".join(complaints(notebook))
