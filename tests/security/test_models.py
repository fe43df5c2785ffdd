"""Configurations that would run code, read files or take memory, through every door by which they come in."""

import copy
import inspect
import json
import re
import threading

import keras
import numpy as np
import pytest

import kerasgan as kg
from kerasgan.loading.allowed import LAYERS, REFUSED
from kerasgan.loading.trust import MAX_DEPTH, MAX_LAYERS, check_config, parse_json

DOORS = ["archive", "parts", "run"]


def stock(kind, module="keras.layers", /, **config):
    """A part of a configuration as Keras writes it."""
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def function(name, module):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def dense(**config):
    return stock("Dense", **{"name": "planted", "units": 2, **config})


def lambda_layer(path):
    """The configuration of a Lambda that kills the canary when it is called, which Keras does to rebuild a network."""
    place = str(path)
    layer = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(place).write_text("dead"), x)[1], name="planted")
    return json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))


@keras.saving.register_keras_serializable("attacked")
class OwnLambda(keras.layers.Lambda):
    """What a careless project might have registered."""


@keras.saving.register_keras_serializable("attacked")
class Doubling(keras.layers.Layer):
    """A layer of a project's own, with a weight."""

    def build(self, input_shape):
        self.factor = self.add_weight((1,), keras.initializers.Constant(2.0))

    def call(self, x):
        return x * self.factor


@keras.saving.register_keras_serializable("attacked")
class Eager(keras.layers.Layer):
    """A layer that makes a weight out of values, whose size nobody can tell without taking the memory."""

    def __init__(self, size, **options):
        super().__init__(**options)
        self.table = keras.Variable(np.zeros(size, "float32"))

    def call(self, x):
        return x


def planted(config, layer):
    """The configuration of a network, with one layer more before the last."""
    config = copy.deepcopy(config)
    config["config"]["layers"].insert(2, layer)
    del config["config"]["layers"][-1]["build_config"]  # it takes what the planted one gives
    return config


@pytest.fixture
def load(request, archive, parts, run):
    """Bring a configuration of a network in through a door, as a user would who trusts its maker."""

    def through(door, config):
        if door == "run":
            return kg.load_run(run(lambda content: content["module"]["config"].update(network=config)))
        return kg.load_network({"archive": archive, "parts": parts}[door](config), trust=True)

    return through


ATTACKS = {
    "lambda": (lambda path: lambda_layer(path), "is a Lambda, which runs code that a file brings along"),
    "lambda without a module": (
        lambda path: {key: value for key, value in lambda_layer(path).items() if key != "module"},
        "is a Lambda, which runs code",
    ),
    "lambda by its private place": (
        lambda path: {**lambda_layer(path), "module": "keras.src.layers.core.lambda_layer"},
        "is a Lambda, which runs code",
    ),
    "lambda by a dotted name": (
        lambda path: {**lambda_layer(path), "module": "keras", "class_name": "layers.Lambda"},
        "names the class 'layers.Lambda' of 'keras'",
    ),
    "lambda as a functional model": (
        lambda path: {**lambda_layer(path), "module": "keras.src.models.functional"},
        "is a Lambda, which runs code",
    ),
    "lambda of one's own": (
        lambda path: {**lambda_layer(path), "class_name": "OwnLambda", "registered_name": "attacked>OwnLambda"},
        "is a 'OwnLambda', a kind of layer that no file may have",
    ),
    "lambda as an argument": (
        lambda path: dense(activation=lambda_layer(path)["config"]["function"]),
        "config.activation is a __lambda__, which runs code",
    ),
    "lambda in a wrapper": (
        lambda path: stock("TimeDistributed", layer=lambda_layer(path)),
        "config.layer is a Lambda, which runs code",
    ),
    "saved model": (lambda path: stock("TFSMLayer", filepath=str(path)), "is a TFSMLayer, which runs code"),
    "torch module": (lambda path: stock("TorchModuleWrapper", module="gASV"), "is a TorchModuleWrapper, which runs"),
    "jax function": (lambda path: stock("JaxLayer", call_fn="f"), "is a JaxLayer, which runs code"),
    "flax module": (lambda path: stock("FlaxLayer", module="f"), "is a FlaxLayer, which runs code"),
    "vocabulary": (lambda path: stock("StringLookup", vocabulary=str(path)), "is a StringLookup, which reads files"),
    "numbers of a vocabulary": (lambda path: stock("IntegerLookup", vocabulary=str(path)), "which reads files"),
    "text": (lambda path: stock("TextVectorization", vocabulary=str(path)), "which reads files"),
    "switch of the safe mode": (
        lambda path: dense(activation=function("enable_unsafe_deserialization", "keras.config")),
        "names the function 'enable_unsafe_deserialization' of 'keras.config', which is not known to be harmless",
    ),
    "download": (lambda path: dense(activation=function("get_file", "keras.utils")), "names the function 'get_file'"),
    "deserializer": (lambda path: dense(activation=function("deserialize", "builtins")), "the function 'deserialize'"),
    "shell": (lambda path: dense(activation=function("system", "os")), "names the function 'system' of 'os'"),
    "process": (lambda path: stock("Popen", "subprocess", args=["rm", str(path)]), "names the class 'Popen'"),
    "import": (lambda path: stock("Layer", "this"), "names the class 'Layer' of 'this'"),
    "import beneath keras": (lambda path: stock("KerasSaveable", "keras.src.saving.keras_saveable"), "is not known"),
    "writer": (lambda path: stock("CSVLogger", "keras.callbacks", filename=str(path)), "names the class 'CSVLogger'"),
    "specification": (
        lambda path: {"class_name": "__typespec__", "config": [], "module": "x", "spec_name": "y"},
        "names the class '__typespec__' of 'x'",
    ),
    "name that is none": (lambda path: {**dense(), "class_name": ["Dense"]}, "by something that is no name"),
    "module that is none": (lambda path: {**dense(), "module": {"a": 1}}, "by something that is no name"),
    "no configuration": (lambda path: {**dense(), "config": None}, "has no configuration"),
    "letter of a gigabyte": (
        lambda path: dense(x={"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "S1000000000"}}),
        "has the dtype 'S1000000000', which is not one of numbers",
    ),
    "terminal": (lambda path: stock("\x1b[2J\n", "\x07"), r"names the class '\x1b[2J\n' of '\x07'"),
    "400 million units": (lambda path: dense(units=400_000_000), "has 'units' = 400,000,000; at most 16,777,216"),
    "as many as a number may say": (
        lambda path: dense(units=2**24),
        "declares a network of 1,124,073,474 weights, and ",
    ),
    "many units one after the other": (
        lambda path: stock(
            "TimeDistributed", layer=stock("Bidirectional", layer=stock("LSTM", units=2**20, return_sequences=True))
        ),
        "cannot be built",
    ),
    "pictures without end": (
        lambda path: stock("RepeatVector", name="planted", n=2**22),
        "the layer 'planted' gives 268,435,456 numbers for one image",
    ),
    "a loop as long as the input": (
        lambda path: stock("LSTM", units=2, unroll=True),
        "unrolls its loop, which may be of any length",
    ),
    "a loop of many changes": (
        lambda path: stock("RandAugment", num_ops=10**6),
        "has 'num_ops' = 1,000,000; at most 100 is read",
    ),
    "a tensor for every slice": (
        lambda path: stock("Split", "keras.src.ops.numpy", indices_or_sections=10**6),
        "has 'indices_or_sections' = 1,000,000; at most 1,024 is read",
    ),
    "parts without number": (
        lambda path: {
            **stock("LowLevelNetwork", None, num_classes=2, parts=["conv"] * 500_000),
            "registered_name": "kerasgan>LowLevelNetwork",
        },
        "layers; at most 2,000 are read",
    ),
    "filters without end": (
        lambda path: {
            **stock("LowLevelNetwork", None, num_classes=2, parts=["conv"] * 1_900),
            "registered_name": "kerasgan>LowLevelNetwork",
        },
        "cannot be built",
    ),
    "digits without end": (lambda path: dense(units=10**4000), "has 'units' = over a thousand million million"),
    "values at once": (
        lambda path: {**stock("Eager", None, size=2**33), "registered_name": "attacked>Eager"},
        "cannot be built",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("door", DOORS)
def test_what_could_do_harm_is_refused(door, attack, canary, config, load, growth):
    make, complaint = ATTACKS[attack]
    attacked = planted(config, make(canary))

    def attempt():
        with pytest.raises(
            kg.RunDirectoryError if door == "run" else kg.TrustError, match=re.escape(complaint)
        ) as info:
            load(door, attacked)
        assert "\n" not in str(info.value) and str(info.value).isprintable()
        assert {"archive": "attack.keras", "parts": "attack.json", "run": "config.json"}[door] in str(info.value)

    assert growth(attempt) < 200


@pytest.mark.parametrize("door", DOORS)
def test_the_same_network_without_an_attack_is_loaded(door, config, load, network):
    images = np.linspace(-1, 1, 128, dtype="float32").reshape(2, 8, 8, 1)
    loaded = load(door, config)
    if door != "run":
        np.testing.assert_allclose(loaded.predict(images, verbose=0), network.predict(images, verbose=0), atol=1e-6)
        assert not loaded.compiled
    assert loaded.predict(images, verbose=0).shape == (2, 2)


def test_a_lambda_would_run_in_plain_keras(canary, dies, config, archive):
    path = archive(planted(config, lambda_layer(canary)))
    dies(lambda: keras.saving.load_model(path, safe_mode=False))


def test_a_keras_that_was_told_to_be_unsafe_is_held_back_too(canary, dies, config, archive):
    path, outcome = archive(planted(config, lambda_layer(canary))), []

    def told():
        keras.config.enable_unsafe_deserialization()
        dies(lambda: keras.saving.load_model(path))
        try:
            kg.load_network(path, trust=True)
        except kg.TrustError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=told)  # The switch holds for one thread, and cannot be turned back.
    thread.start()
    thread.join()
    assert "is a Lambda" in outcome[0]


def test_a_vocabulary_would_be_read_in_plain_keras(canary):
    pytest.importorskip("tensorflow")  # the layer needs it on every backend
    layer = keras.saving.deserialize_keras_object(
        stock("StringLookup", vocabulary=str(canary), num_oov_indices=0, output_mode="int"), safe_mode=False
    )
    assert "I sing." in layer.get_vocabulary()


def test_declared_weights_would_be_allocated_in_plain_keras(config, archive, growth):
    path = archive(planted(config, dense(units=600_000)))  # 40 million weights, 153 MiB

    def plain():
        with pytest.raises(ValueError, match="could not be loaded"):
            keras.saving.load_model(path)

    def ours():
        with pytest.raises(kg.TrustError, match="declares a network of 40,200,002 weights"):
            kg.load_network(path, trust=True)

    assert growth(ours) < 50 < 140 < growth(plain)
    with keras.StatelessScope():  # Keras fills in at its end what waits for values
        pass
    assert growth(lambda: keras.layers.Dense(2).build((None, 2))) < 50


def test_a_registered_class_is_let_in_and_a_stranger_named(tmp_path, archive, config, load):
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), Doubling()])
    network.save(tmp_path / "own.keras")
    images = np.ones((1, 8, 8, 1), "float32")
    loaded = kg.load_network(tmp_path / "own.keras", trust=True)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), np.full((1, 64), 2.0))
    stranger = {**stock("Doubling", "elsewhere"), "registered_name": "stranger>Doubling"}
    with pytest.raises(kg.TrustError, match=r"'Doubling' of 'elsewhere'.*; if it is yours, register it"):
        load("archive", planted(config, stranger))
    with keras.saving.custom_object_scope({"stranger>Doubling": Doubling}):
        check_config(planted(config, stranger), "here")


def test_networks_of_every_recipe_and_operations_come_through(tmp_path):
    networks = [kg.GAN.dcgan().generator, kg.GAN.dcgan().discriminator, kg.networks.low_level.classifier((28, 28, 1))]
    networks += [kg.networks.convnet.classifier((28, 28, 1), 10), kg.networks.dense.classifier((28, 28, 1), 10)]
    x = keras.Input((6,))
    y = keras.layers.Dense(6, activation="relu", kernel_regularizer="l2")(x)
    z = keras.ops.concatenate([x + y, keras.ops.relu(y)], axis=-1)[:, 1:]
    networks.append(keras.Model(x, keras.layers.Normalization(mean=[1.0] * 11, variance=[2.0] * 11)(z)))
    networks.append(keras.Model(x, keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])(y)))
    networks[-1].compile("adam", keras.losses.MeanSquaredError(), [keras.metrics.AUC(), "mse"])
    for number, network in enumerate(networks):
        network.save(tmp_path / f"{number}.keras")
        loaded = kg.load_network(tmp_path / f"{number}.keras", trust=True)
        for one, other in zip(loaded.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_stock_layer_was_decided_upon():
    classes = {name: found for name, found in vars(keras.layers).items() if inspect.isclass(found)}
    decided = {classes[name] for name in LAYERS | REFUSED.keys() if name in classes}
    of_no_use = {classes[name] for name in ("InputSpec", "Layer", "MaxNumBoundingBoxes", "Wrapper")}
    assert set(classes.values()) == decided | of_no_use
    assert not decided & of_no_use and not LAYERS & REFUSED.keys() and classes.keys() >= LAYERS


@pytest.mark.parametrize("door", DOORS)
def test_networks_that_are_nested_without_end_are_refused(door, config, load):
    for _ in range(40):
        config = stock("Sequential", "keras", name="outer", layers=[config])
    with pytest.raises(ValueError, match=f"is nested too deep; at most {MAX_DEPTH} levels are read"):
        load(door, config)


def test_json_that_is_100_000_deep_is_refused(archive, parts):
    text = '{"class_name":' + "[" * 100_000 + "]" * 100_000 + "}"
    for path in (archive(text), parts(text)):
        with pytest.raises(kg.TrustError, match="is nested too deep"):
            kg.load_network(path, trust=True)


def test_layers_without_number_are_refused(config, load, growth):
    config["config"]["layers"] += [dense(name=f"planted_{number}") for number in range(MAX_LAYERS)]

    def attempt():
        with pytest.raises(kg.TrustError, match=r"has 2,004 layers; at most 2,000 are read"):
            load("archive", config)

    assert growth(attempt) < 200


def test_json_of_nothing_but_brackets_takes_little_memory(growth):
    text = b'{"class_name":[' + b"[]," * 1_390_000 + b"[]]}"
    assert growth(lambda: parse_json(text, "here")) < 200
    with pytest.raises(kg.TrustError, match=r"has 4,500,\d\d\d bytes; at most 4,194,304 are read"):
        parse_json(text + b" " * 329_984 + b" " * (4_500_000 - len(text) - 329_984), "here")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[1]", "holds a list where an object belongs"),
        ("null", "holds a NoneType where an object belongs"),
        ("{}", "describes no network"),
        ('{"class_name": "Dense", "config": {}}', "names the class 'Dense' of None"),
        ('{"class_name": "Dense", "module": "keras.layers", "config": {"units": 2}}', "not a network"),
        ('{"class_name": "Sequential", "module": "keras", "config": {}}', "cannot be built"),
        (b"\xff\xfe{", "it is not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "it is not JSON"),
    ],
)
def test_a_damaged_configuration_is_one_line(content, complaint, archive):
    with pytest.raises(kg.TrustError, match=re.escape(complaint)) as info:
        kg.load_network(archive(content), trust=True)
    assert "\n" not in str(info.value)


def test_trust_is_asked_for_in_one_line(archive, config, parts):
    for path in (archive(config), parts(config)):
        with pytest.raises(kg.TrustError, match=r"comes from elsewhere; .*trust=True \(--trust\)") as info:
            kg.load_network(path)
        assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("model.h5", "is a whole model in the HDF5 format of older versions of Keras, which may hold code"),
        ("model.hdf5", "is a whole model in the HDF5 format"),
        ("model.weights.h5", "is no network; name a .keras file, or a .json file"),
        ("model.pkl", "is no network"),
        ("missing.keras", "is missing; name a .keras file"),
        (".", "is not a file; name a .keras file"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, name, complaint):
    if name.startswith("model"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(kg.TrustError, match=complaint):
        kg.load_network(tmp_path / name, trust=True)


def test_networks_that_call_each_other_ever_more_often_are_refused(growth):
    x = keras.Input((2,))
    network = keras.Model(x, keras.layers.Dense(2)(x))
    twice = json.loads(json.dumps(keras.saving.serialize_keras_object(keras.Model(x, network(network(x))))))

    def around(inner):
        outer = copy.deepcopy(twice)
        seat = outer["config"]["layers"][1]
        outer["config"]["layers"][1] = {
            **copy.deepcopy(inner),
            "name": seat["name"],
            "inbound_nodes": seat["inbound_nodes"],
        }
        return outer

    check_config(around(around(twice)), "here")
    assert keras.saving.deserialize_keras_object(around(around(twice))).count_params() == 6
    attack = twice
    for _ in range(18):
        attack = around(attack)

    def attempt():
        with pytest.raises(kg.TrustError, match="networks that call each other too often"):
            check_config(attack, "here")

    assert growth(attempt) < 200
