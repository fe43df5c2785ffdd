"""What no file of the project may contain: means of running what a file brings along, and open servers."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("kerasgan/**/*.py"), *ROOT.glob("scripts/**/*.py")])
TEXTS = sorted(
    [*SOURCES, *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb"), ROOT / "Dockerfile"]
)
HERE = ("127.0.0.1", "localhost")

DANGEROUS = re.compile(
    r"\b(?:pickle|cPickle|dill|joblib|marshal|shelve|cloudpickle)\b(?=[.\s,]|$)(?<!allow_pickle)"
    r"|(?<![\w.])(?:eval|exec|__import__)\s*\("
    r"|\byaml\.(?:load|unsafe_load|full_load)\b"
    r"|\ballow_pickle\s*=\s*(?!False\b)"
    r"|\bextractall\b|\bunpack_archive\b|\bfunc_load\b"
    r"|\bos\.(?:system|popen)\b|\bshell\s*=\s*(?!False\b)"
    r"|\bsafe_mode\s*=\s*(?!True\b)|\benable_unsafe_deserialization\s*\("
)


def dangers(source):
    """The lines of a source that could run what a file brings along; prose about it, in comments and strings, may."""
    code = re.sub(r'("""|\'\'\')(?:.|\n)*?\1', lambda text: "\n" * text[0].count("\n"), source)
    lines = [re.sub(r"#.*", "", line) for line in code.splitlines()]
    return [line.strip() for line in lines if DANGEROUS.search(line)]


def test_no_source_can_run_what_a_file_brings_along():
    assert len(SOURCES) > 50
    found = {path.relative_to(ROOT).as_posix(): dangers(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "x = pickle.load(file)",
        "x = joblib.load(path)",
        "eval(text)",
        "x = eval (text)",
        "exec(code)",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle = flag)",
        "archive.extractall(place)",
        "shutil.unpack_archive(path)",
        "os.system(command)",
        "subprocess.run(command, shell=True)",
        "keras.saving.load_model(path, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
    ],
)
def test_the_rule_objects_to(line):
    assert dangers(f"def f():\n    {line}\n") == [line]


@pytest.mark.parametrize(
    "line",
    [
        '"""A pickle would be read by eval(...)."""',
        "# no pickle, no eval(",
        "model.evaluate(x)",
        "network.eval(x)",
        "retrieval(x)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "subprocess.run(command, shell=False)",
        "load_model(path, safe_mode=True)",
    ],
)
def test_the_rule_lets_pass(line):
    assert dangers(f"def f():\n    {line}\n") == []


def open_servers(text):
    """The lines in which a TensorBoard is started for other machines too; without `--host` it is for this one."""
    started = [line for line in text.splitlines() if re.search(r"tensorboard\b.*--(?:host|bind_all|logdir)", line)]
    hosts = re.compile(r"--host[=\s\"',]+([^\s\"',\\\]]+)")
    return [
        line.strip()
        for line in started
        if "--bind_all" in line or any(host not in HERE for host in hosts.findall(line))
    ]


def exposed_services(compose):
    """The services of compose.yaml that run TensorBoard and can be reached from other machines.

    Inside its container it must listen on all addresses, or Docker could not pass anything on. What counts is where its
    ports are published.
    """
    exposed = []
    for name, service in compose["services"].items():
        command = service.get("command", "")
        words = command.split() if isinstance(command, str) else command
        published = [str(port) for port in service.get("ports", [])]
        here = all(port.startswith(tuple(f"{host}:" for host in HERE)) for port in published)
        if any("tensorboard" in word for word in words) and (not here or service.get("network_mode") == "host"):
            exposed.append(name)
    return exposed


def test_tensorboard_is_started_for_this_machine_only():
    found = {path.relative_to(ROOT).as_posix(): open_servers(path.read_text(encoding="utf-8")) for path in TEXTS}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert any("%tensorboard" in path.read_text(encoding="utf-8") for path in TEXTS)


def test_the_container_publishes_tensorboard_on_this_machine_only():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert any("tensorboard" in str(service.get("command")) for service in compose["services"].values())
    assert exposed_services(compose) == []


@pytest.mark.parametrize(
    "line",
    [
        "tensorboard --logdir runs --host 0.0.0.0",
        "tensorboard --logdir runs --bind_all",
        '"    %tensorboard --logdir {RUNS} --host=0.0.0.0"',
        '["tensorboard", "--logdir=runs", "--host", "192.168.0.2"]',
        "tensorboard --host :: --logdir runs",
    ],
)
def test_an_open_tensorboard_is_found(line):
    assert open_servers(f"text\n{line}\n") == [line]


def test_a_closed_tensorboard_is_let_pass():
    assert (
        open_servers("tensorboard --logdir runs\n%tensorboard --logdir runs --host 127.0.0.1\n--host 0.0.0.0\n") == []
    )


@pytest.mark.parametrize(
    "service",
    [
        {"command": ["tensorboard", "--host=0.0.0.0"], "ports": ["6006:6006"]},
        {"command": "tensorboard --host=0.0.0.0", "ports": ["0.0.0.0:6006:6006"]},
        {"command": ["tensorboard"], "ports": [6006]},
        {"command": ["tensorboard"], "ports": ["127.0.0.1:6006:6006"], "network_mode": "host"},
        {"command": ["tensorboard"], "ports": [{"target": 6006, "published": 6006}]},
    ],
)
def test_an_exposed_service_is_found(service):
    assert exposed_services({"services": {"board": service, "lab": {"ports": ["80:80"]}}}) == ["board"]
