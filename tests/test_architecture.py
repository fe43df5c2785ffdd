"""Who may import whom: the imports of every file, read from its source and held against the plan.

`violations` takes source text, not files: the tests at the end feed it bad houses and see it object.
"""

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[1]

# Room -> what it may import besides itself and third parties. A name stands for everything below it, so
# "data.images" lets in that file and not the rest of data. "kerasgan" is the front door, __init__.py.
ALLOWED = {
    "losses": set(),
    "data": set(),
    "backends": set(),
    "checkpoints.format": set(),
    "checkpoints.files": set(),
    # The store and its means know third parties only.
    "checkpoints.moves": {"checkpoints.files"},
    "checkpoints.store": {"checkpoints.format", "checkpoints.files", "checkpoints.moves"},
    "layers": {"backends"},
    "networks": {"layers", "networks.scratch"},
    # Takes its gradients itself, having no optimizer; the other networks need none.
    "networks.scratch": {"backends"},
    "checkpoints.state": {"backends", "losses", "networks", "layers"},
    "checkpoints.provenance": {"backends"},
    "modules": {"backends", "losses", "networks", "layers"},
    "recipes": {"modules", "networks", "layers", "losses"},
    "metrics": {"networks", "modules"},
    "checkpoints": {"checkpoints.state", "checkpoints.store", "checkpoints.files", "checkpoints.provenance"},
    "callbacks": {"checkpoints", "metrics", "data.images"},
    "testing": {"modules", "data", "networks"},
}
ALLOWED["trainer"] = set(ALLOWED) - {"testing"}
# Opens what the trainer has written; the trainer does not know it.
ALLOWED["loading"] = {*ALLOWED} - {"testing", "tuning"}
# Trains one run after another, and is trained by none.
ALLOWED["tuning"] = set(ALLOWED) - {"testing"}
ALLOWED["kerasgan"] = set(ALLOWED)
ALLOWED["scripts"] = {"kerasgan"}

# Third parties that one file may import, and those beside it whose names go on with an underscore; or none.
GUARDED = {
    "jax": "kerasgan.backends.jax",
    "jaxlib": "kerasgan.backends.jax",
    "tensorflow": "kerasgan.backends.tensorflow",
    "keras.src": None,  # private to Keras: moves without notice
}
# Holds what others write in JAX and TensorFlow themselves, against which ours is measured.
PEERS = "scripts.peers"
WHICH_BACKEND = {"keras.backend.backend", "keras.config.backend"}


class Import(NamedTuple):
    line: int
    target: str  # absolute: `from ..data import load` in kerasgan/callbacks is "kerasgan.data.load"


def violations(sources: Mapping[str, str]) -> list[str]:
    """Return one line for every import that the plan of the house does not allow.

    Args:
        sources: `{path: source text}`, paths as in `kerasgan/losses/adversarial.py`.
    """
    found, file_arrows, room_arrows = [], {}, {}
    modules = set(map(module_of, sources))
    for path, source in sources.items():
        module = module_of(path)
        room = room_of(module)
        if room == "kerasgan" and module != "kerasgan":
            found.append(f"{path}:1 is in no room of the house; the rooms are {listed(ALLOWED)}.")
            continue
        arrows = file_arrows[module] = set()
        for line, target in imports_of(source, module, is_package=path.endswith("__init__.py")):
            complaint = complaint_about(target, module, room)
            if complaint:
                found.append(f"{path}:{line} imports {target}: not allowed; {complaint}.")
            arrows |= {file_of(target, modules)} - {None}
            room_arrows.setdefault(room, set()).add(room_of(target) or room)
        arrows.discard(module)
        found += [
            f"{path}:{line} asks which backend runs: not allowed; only backends may."
            for line in backend_questions(source)
            if room != "backends"
        ]
    for arrows in (file_arrows, room_arrows):
        circle = first_circle(arrows)
        if circle:
            found.append(f"circle: {' imports '.join(circle)}.")
    return found


def complaint_about(target: str, module: str, room: str) -> str | None:
    """Return what would be allowed instead, or None where the import is fine."""
    for guarded, home in GUARDED.items():
        if is_in(target, guarded):
            return (
                None
                if home and (module == home or module.startswith(f"{home}_") or is_in(module, PEERS))
                else f"only {home} may"
                if home
                else "it is private to Keras"
            )
    target_room = room_of(target)
    if target_room is None or target_room == room:
        return None
    if room == "scripts":
        names = target.split(".")[1:]
        if len(names) > 1 or any(name.startswith("_") for name in names):
            return "scripts import public names only, as in `from kerasgan import GAN`"
        return None
    inside = target.removeprefix("kerasgan.")
    if any(is_in(inside, allowed) for allowed in ALLOWED[room]):
        return None
    return f"the allowed rooms are {listed(ALLOWED[room]) or 'none'}"


def imports_of(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Yield all imports of a file, those inside functions and those through importlib included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            parents = parts[: len(parts) + is_package - node.level] if node.level else []
            for alias in node.names:
                name = [] if alias.name == "*" else [alias.name]
                yield Import(node.lineno, ".".join([*parents, *filter(None, [node.module]), *name]))
        elif isinstance(node, ast.Call) and dotted_name(node.func).endswith(("import_module", "__import__")):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(node.lineno, node.args[0].value)
        elif isinstance(node, ast.Attribute) and dotted_name(node) == "keras.src":
            yield Import(node.lineno, "keras.src")


def backend_questions(source: str) -> Iterator[int]:
    """Yield the lines that ask Keras for the name of its backend."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and dotted_name(node) in WHICH_BACKEND:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from (node.lineno for name in node.names if f"{node.module}.{name.name}" in WHICH_BACKEND)


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` for that expression, and an empty string for what is not a dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return ""


def module_of(path: str) -> str:
    """Return `kerasgan.data` for kerasgan/data/__init__.py."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(dotted: str) -> str | None:
    """Return the room in which a module, or a name inside it, lives; None for third parties."""
    root, *names = dotted.split(".")
    if root == "scripts":
        return "scripts"
    if root != "kerasgan":
        return None
    for room in (".".join(names[:2]), ".".join(names[:1])):
        if room in ALLOWED and room not in ("kerasgan", "scripts"):
            return room
    return "kerasgan"  # `from kerasgan import GAN` knocks at the front door, and so does what is no room


def is_in(dotted: str, parent: str) -> bool:
    return dotted == parent or dotted.startswith(f"{parent}.")


def file_of(target: str, modules: Set[str]) -> str | None:
    """Return the module in whose file `target` lies, the one whose name covers most of it; None for third parties."""
    names = target.split(".")
    beginnings = (".".join(names[:length]) for length in range(len(names), 0, -1))
    return next((name for name in beginnings if name in modules), None)


def first_circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Return the names along one circle, the first again at the end; an empty list if there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for following in sorted(arrows.get(name, set()) - {name}):
            circle = walk(following, [*way, name])
            if circle:
                return circle
        done.add(name)
        return []

    return next((circle for circle in (walk(name, []) for name in sorted(arrows)) if circle), [])


def listed(names) -> str:
    return ", ".join(sorted(names))


# The house as it stands.


def test_every_import_of_the_house_follows_the_plan():
    files = [*REPOSITORY.glob("kerasgan/**/*.py"), *REPOSITORY.glob("scripts/**/*.py")]
    sources = {file.relative_to(REPOSITORY).as_posix(): file.read_text(encoding="utf-8") for file in files}
    assert {"kerasgan", "modules", "backends"} <= {room_of(module_of(path)) for path in sources}
    assert "\n".join(violations(sources)) == ""


def test_plan_has_no_circle():
    assert first_circle({room: {name for name in ALLOWED[room] if name in ALLOWED} for room in ALLOWED}) == []


# Houses that the rules must accept, and houses they must not.

GAN = "kerasgan/modules/gan.py"
CALLBACK = "kerasgan/callbacks/checkpoint.py"
STATE, STORE, FORMAT, FILES, MOVES = (
    f"kerasgan/checkpoints/{name}.py" for name in ("state", "store", "format", "files", "moves")
)
TRAINER = "kerasgan/trainer/trainer.py"
SEARCH = "kerasgan/tuning/search.py"
BACKEND, JAX, TENSORFLOW = (f"kerasgan/backends/{name}.py" for name in ("__init__", "jax", "tensorflow"))
SCRIPT = "scripts/train_gan.py"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kerasgan/__init__.py", "from kerasgan import callbacks\nfrom kerasgan.modules import GAN"),
        ("kerasgan/checkpoints/__init__.py", "from .state import f\nfrom kerasgan.checkpoints import store"),
        (STORE, "import safetensors\nfrom kerasgan.checkpoints.files import explain\nfrom . import format, moves"),
        (FORMAT, "import ml_dtypes\nimport safetensors.numpy"),
        ("kerasgan/data/digits.py", "def load():\n    from sklearn.datasets import load_digits"),
        (JAX, "import jax.numpy as jnp\nfrom jax import lax"),
        (TENSORFLOW, "import tensorflow as tf"),
        (BACKEND, "import keras\nif keras.backend.backend() == 'jax':\n    from . import jax"),
        (GAN, "from kerasgan.modules.module import Module\nfrom ..losses import adversarial"),
        (CALLBACK, "from kerasgan.data import images\nfrom ..checkpoints import Store"),
        ("kerasgan/networks/scratch/training.py", "from kerasgan import backends"),
        (SEARCH, "from kerasgan.trainer import Trainer\nfrom kerasgan.callbacks import Checkpoint\nimport optuna"),
        (SCRIPT, "import kerasgan as kg\nfrom kerasgan import GAN, data"),
        (SCRIPT, "from importlib.util import find_spec\nhas_jax = find_spec('jax') is not None"),
    ],
)
def test_rules_accept(path, source):
    assert violations({path: source}) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        # A backend outside its file, however it is imported.
        (GAN, "import jax", "modules/gan.py:1 imports jax: not allowed; only kerasgan.backends.jax may."),
        (GAN, "\nimport jax.numpy as jnp", ":2 imports jax.numpy: not allowed"),
        (GAN, "from tensorflow import nn", "only kerasgan.backends.tensorflow may"),
        (GAN, "def f():\n    import tensorflow as tf", ":2 imports tensorflow"),
        (GAN, "if TYPE_CHECKING:\n    import jax", ":2 imports jax"),
        (GAN, "import importlib\nimportlib.import_module('jax')", ":2 imports jax"),
        (GAN, "from importlib import import_module\nimport_module('jax.numpy')", ":2 imports jax.numpy"),
        (GAN, "__import__('jax')", ":1 imports jax"),
        (TENSORFLOW, "import jax", "only kerasgan.backends.jax may"),
        (BACKEND, "import jax", "only kerasgan.backends.jax may"),
        (SCRIPT, "import jax", "only kerasgan.backends.jax may"),
        # What is private to Keras, and asking it for its backend.
        (JAX, "from keras.src import tree", "private to Keras"),
        (GAN, "from keras import src", "private to Keras"),
        (GAN, "import keras\nx = keras.src.ops.numpy.abs", ":2 imports keras.src"),
        (TRAINER, "import keras\nname = keras.backend.backend()", ":2 asks which backend runs"),
        (TRAINER, "from keras.config import backend", ":1 asks which backend runs"),
        # Arrows that the plan does not have.
        (
            CALLBACK,
            "from kerasgan.trainer import Trainer",
            "callbacks/checkpoint.py:1 imports kerasgan.trainer.Trainer: not allowed; "
            "the allowed rooms are checkpoints, data.images, metrics.",
        ),
        (CALLBACK, "from kerasgan.modules import Module", "imports kerasgan.modules.Module: not allowed"),
        (CALLBACK, "from ..data import load", "imports kerasgan.data.load: not allowed"),
        (CALLBACK, "from .. import trainer", "imports kerasgan.trainer: not allowed"),
        (CALLBACK, "from ..trainer import *", "imports kerasgan.trainer: not allowed"),
        (
            "kerasgan/callbacks/__init__.py",
            "from ..trainer import Trainer",
            "imports kerasgan.trainer.Trainer",
        ),
        (CALLBACK, "import kerasgan as kg", "imports kerasgan: not allowed"),
        (CALLBACK, "from kerasgan import Module", "imports kerasgan.Module: not allowed"),
        ("kerasgan/losses/hinge.py", "from kerasgan import layers", "the allowed rooms are none."),
        (
            "kerasgan/networks/dense.py",
            "from kerasgan import backends",
            "imports kerasgan.backends: not allowed; the allowed rooms are layers, networks.scratch.",
        ),
        (STATE, "from . import store", "imports kerasgan.checkpoints.store: not allowed"),
        (STATE, "from .files import write_new", "imports kerasgan.checkpoints.files.write_new: not allowed"),
        (STORE, "from .state import capture", "are checkpoints.files, checkpoints.format, checkpoints.moves."),
        (STORE, "from kerasgan import backends", "imports kerasgan.backends: not allowed"),
        (FORMAT, "from kerasgan import backends", "the allowed rooms are none."),
        (FORMAT, "from . import files", "the allowed rooms are none."),
        (FILES, "from kerasgan import backends", "the allowed rooms are none."),
        (FILES, "from .store import CheckpointError", "the allowed rooms are none."),
        (MOVES, "from kerasgan import backends", "the allowed rooms are checkpoints.files."),
        # The search stands above the trainer, and nobody inside knows of it.
        (TRAINER, "from kerasgan.tuning import Search", "imports kerasgan.tuning.Search: not allowed"),
        (CALLBACK, "def f():\n    from ..tuning import study", ":2 imports kerasgan.tuning.study: not allowed"),
        ("kerasgan/testing.py", "from kerasgan import tuning", "imports kerasgan.tuning: not allowed"),
        (SEARCH, "import kerasgan as kg", "imports kerasgan: not allowed"),
        (SEARCH, "from kerasgan.testing import tiny_images", "imports kerasgan.testing.tiny_images: not allowed"),
        (SCRIPT, "from kerasgan.tuning import Search", "scripts import public names only"),
        (TRAINER, "from scripts import train_gan", "imports scripts.train_gan: not allowed"),
        (SCRIPT, "from kerasgan.trainer import Trainer", "scripts import public names only"),
        (SCRIPT, "from kerasgan import _private", "scripts import public names only"),
        ("scripts/benchmark.py", "import jax", "imports jax: not allowed; only kerasgan.backends.jax may."),
        ("scripts/peers/by_hand_jax.py", "from keras.src import ops", "it is private to Keras"),
        # Files that the plan does not have.
        ("kerasgan/utils.py", "", "utils.py:1 is in no room of the house"),
        ("kerasgan/utils/strings.py", "", "utils/strings.py:1 is in no room of the house"),
    ],
)
def test_rules_object(path, source, complaint):
    (found,) = violations({path: source})
    assert complaint in found


def test_rules_object_to_a_circle_of_rooms():
    found = violations(
        {
            "kerasgan/layers/stock.py": "from kerasgan.networks import dcgan",
            "kerasgan/networks/dcgan.py": "from kerasgan.layers import convolution",
        }
    )
    assert "circle: layers imports networks imports layers." in found


def test_rules_object_to_a_circle_of_files_inside_a_room():
    (found,) = violations(
        {
            "kerasgan/modules/__init__.py": "from kerasgan.modules.gan import GAN",
            "kerasgan/modules/gan.py": "from kerasgan.modules.module import Module",
            "kerasgan/modules/module.py": "def f():\n    from . import gan",
        }
    )
    assert found == "circle: kerasgan.modules.gan imports kerasgan.modules.module imports kerasgan.modules.gan."
