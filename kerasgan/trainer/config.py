"""What `config.json` says of a run, and what may not change when it is resumed."""

import hashlib
import json
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from kerasgan.checkpoints import environment
from kerasgan.data import DataModule

TYPED = ("learning_rate", "batch_size", "loss", "seed", "data")  # What people change, and want to read first.
LENGTHS = ("max_epochs", "max_steps")
_OF_A_PROCESS = ("backend", "versions", "devices", "distribution", "threads")


def describe_run(
    module: keras.Model, data: Any, trainer_options: dict[str, Any], checkpoints: Path | None
) -> dict[str, Any]:
    """Return the content of `config.json`.

    Args:
        module: Compiled.
        data: What `Trainer.fit` was given.
        trainer_options: The arguments of the trainer.
        checkpoints: Where they go; None if there are none.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        **environment(),
        "precision": keras.config.dtype_policy().name,
        "trainer": trainer_options,
        "checkpoints": None if checkpoints is None else str(checkpoints),
        "data": _describe_data(data),
        "module": _describe_module(module),
    }


def going_on(earlier: dict[str, Any], config: dict[str, Any], step: int, changed: list[str]) -> dict[str, Any]:
    """Return the content of `config.json` of a run that goes on.

    What has begun the run stays on top: when, by which command, with what, and how long it was to take. `resumes` has
    the same of each call that was not like the one before it, with the step from which it holds.

    Args:
        earlier: The configuration of the run so far, as a file holds it.
        config: What `describe_run` says of the present call.
        step: The training step it goes on from.
        changed: Its `differences`, which `changes` lists with that step.
    """
    began, now = _call(earlier), _call(json.loads(json.dumps(config, default=str)))
    changes, resumes = list(earlier.get("changes", [])), list(earlier.get("resumes", []))
    if not all(isinstance(item, dict) for item in (*changes, *resumes)):
        raise TypeError("its changes and resumes are no lists of objects")
    before = resumes[-1] if resumes else began
    if changed:
        changes.append({"step": step, "differences": changed})
    # Settings that were changed are in the command, so that this is noted for their sake too.
    if changed or any(now[name] != before.get(name) for name in now if name not in ("created", "command")):
        resumes.append({"step": step, **now})
    lengths = {name: began.pop(name) for name in LENGTHS}
    lists = {"changes": changes, "resumes": resumes}
    return {
        **config,
        **began,
        "trainer": {**config["trainer"], **lengths},
        **{name: items for name, items in lists.items() if items},
    }


def noted(config: dict[str, Any]) -> tuple[Any, Any]:
    """Return what resumes have added to a configuration."""
    return config.get("changes"), config.get("resumes")


def fingerprints(config: dict[str, Any]) -> dict[str, Any]:
    """Return what the manifest of a checkpoint says of the run it belongs to: the configuration, and its digest."""
    config = json.loads(json.dumps(config, default=str))
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return {"config": config, "config_sha256": digest, "data_fingerprint": config["data"].get("fingerprint")}


def hyperparameters(config: dict[str, Any]) -> dict[str, str | int | float | bool]:
    """Pick from a configuration what TensorBoard's HPARAMS tab compares between runs."""
    chosen: dict[str, Any] = {"backend": config["backend"], "precision": config["precision"]}
    chosen |= {name: config["data"].get(name) for name in ("name", "batch_size", "seed")}
    compiled = (config["module"] or {}).get("compile_config") or {}
    for player, optimizer in _optimizers(compiled.get("optimizer")).items():
        optimizer = optimizer["config"].get("inner_optimizer", optimizer)  # what a loss scale is wrapped around
        settings = {**optimizer["config"], "optimizer": optimizer["class_name"]}
        for name in ("optimizer", "learning_rate", "beta_1", "beta_2"):
            chosen[f"{player} {name}"] = settings.get(name)
    return {name: _shown(value) for name, value in chosen.items() if isinstance(value, str | int | float | bool)}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Name what differs between two configurations and would make a resumed run another run.

    The backend may change, and how long to train may too.
    """
    # As a file holds it: tuples are lists there.
    one, other = _settings(old), _settings(json.loads(json.dumps(new, default=str)))
    changed = sorted((name for name in one.keys() | other.keys() if one.get(name) != other.get(name)), key=_place)
    if "data" in changed:  # It is compared by its digest, which tells nobody anything.
        one["data"], other["data"] = old["data"]["name"], new["data"]["name"]
    return [
        "data is not the same (other images, labels or splits)"
        if name == "data" and one[name] == other[name]
        else f"{name} was {one.get(name)} and is {other.get(name)}"
        for name in changed
    ]


def kind_of(config: dict[str, Any]) -> str | None:
    """Return the name of the class of a run's module; None where it cannot be rebuilt from its configuration."""
    module = config["module"] or {}
    return module.get("class_name")


def shared_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return `{name: value}` of what all processes of one run must have in common."""
    # As a file holds it: what two processes build differs in names that Keras counts up.
    config = json.loads(json.dumps(config, default=str))
    lengths = {name: config["trainer"].get(name) for name in LENGTHS}
    versions = {name: config["versions"][name] for name in ("engine", "keras", "kerasgan")}
    return dict(sorted(_settings(config).items(), key=lambda item: _place(item[0]))) | lengths | versions


def rates(config: dict[str, Any]) -> dict[str, Any]:
    """Return `{player: learning rate}` of a configuration; a schedule is a dictionary."""
    optimizers = _optimizers(((config["module"] or {}).get("compile_config") or {}).get("optimizer"))
    inner = {player: optimizer["config"].get("inner_optimizer", optimizer) for player, optimizer in optimizers.items()}
    return {player: _shown(optimizer["config"].get("learning_rate")) for player, optimizer in inner.items()}


def _call(config: dict[str, Any]) -> dict[str, Any]:
    """Pick what a configuration says of the call that trained, rather than of what was trained."""
    call = {name: config.get(name) for name in ("created", "command", *_OF_A_PROCESS)}
    return call | {name: config["trainer"].get(name) for name in LENGTHS}


def _place(name: str) -> tuple[int, str]:
    """Order names of settings: what people type, then the rest, then layers, of which there are many."""
    typed = next((place for place, word in enumerate(TYPED) if word in name), len(TYPED))
    return len(TYPED) + 1 if "layer" in name else typed, name


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Flatten what makes a run the run it is into `{name: value}`."""
    data, module = config["data"], config["module"] or {}
    settings = {name: data.get(name) for name in ("batch_size", "one_hot", "drop_remainder")}
    # Where an epoch ends, and so the order of all that follows. Runs of another length are the same run.
    settings |= {name: config["trainer"].get(name) for name in ("limit_train_batches", "overfit_batches")}
    settings |= {
        "module": module.get("registered_name") or module.get("class_name"),
        "data seed": data.get("seed"),
        "data": data.get("fingerprint", data["name"]),
        "precision": config["precision"],
    }
    for name, value in module.get("config", {}).items():
        if isinstance(value, str | float | int):
            settings[name] = value
        elif isinstance(value, dict):
            settings |= _layers(name, value)
        elif name == "layers" and value and "class_name" in value[0]:  # of a stock model, which is its own network
            settings |= _layers("network", {"config": {"layers": value}})
        elif isinstance(value, list) and value and isinstance(value[0], dict):  # the layers of a network from scratch
            settings |= {f"{name} {place}": str(item) for place, item in enumerate(value)}
    loss = (module.get("compile_config") or {}).get("loss")
    settings |= _flat("loss function", loss)
    for player, optimizer in _optimizers((module.get("compile_config") or {}).get("optimizer")).items():
        settings |= _flat(player, optimizer)
    settings.pop("name", None)
    return settings


def _layers(name: str, network: dict[str, Any]) -> dict[str, Any]:
    """Flatten the settings of every layer of a network, and of those within it."""
    if "layers" not in network.get("config", {}):
        return _flat(name, network)
    settings: dict[str, Any] = {}
    layers = network["config"]["layers"]
    places = {layer["config"].get("name"): place for place, layer in enumerate(layers)}
    for place, layer in enumerate(layers):
        title = f"{name} layer {place} {layer['class_name']}"
        settings |= _layers(title, {key: item for key, item in layer.items() if key != "inbound_nodes"})
        if sources := _sources(layer.get("inbound_nodes"), places):
            settings[f"{title} inputs"] = ", ".join(f"layer {source}" for source in sources)
    return settings


def _sources(nodes: Any, places: dict[str, int]) -> list[int]:
    """Return the places of the layers that feed a layer of a functional network; their names are generated."""
    if isinstance(nodes, dict) and "keras_history" in nodes:
        return [places[nodes["keras_history"][0]]]
    items = nodes.values() if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else ()
    return [source for item in items for source in _sources(item, places)]


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    """Flatten nested dictionaries; Keras's generated names and seeds, and places of classes, are no settings."""
    if not isinstance(value, dict):
        return {prefix: _shown(value)}
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if name not in ("name", "module", "registered_name", "build_config", "seed"):
            flat |= _flat(prefix if name == "config" else f"{prefix} {name}", item)
    return flat


def _shown(value: Any) -> Any:
    # Rates come out of float32 variables: 0.001, not 0.0010000000474974513.
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _optimizers(optimizer: Any) -> dict[str, Any]:
    if not isinstance(optimizer, dict):
        return {}
    return dict(optimizer["config"].get("optimizers", {"model": optimizer}))


def _describe_data(data: Any) -> dict[str, Any]:
    if not isinstance(data, DataModule):
        return {"name": type(data).__name__}
    return {
        "name": data.name,
        "image_shape": data.image_shape,
        "num_classes": data.num_classes,
        "background": data.background,
        "batch_size": data.batch_size,
        "seed": data.seed,
        "one_hot": data.train.one_hot,
        "drop_remainder": data.train.drop_remainder,
        "examples": {name: split.num_examples for name, split in data.splits.items()},
        "fingerprint": data.fingerprint(),
    }


def _describe_module(module: keras.Model) -> dict[str, Any] | None:
    """Return the serialized module, compile options included; None if its class has no get_config."""
    with warnings.catch_warnings():
        # Keras warns where it had to guess a config; a guess would not load.
        warnings.simplefilter("error", UserWarning)
        try:
            return dict(keras.saving.serialize_keras_object(module))
        except (NotImplementedError, UserWarning, TypeError):
            return None
