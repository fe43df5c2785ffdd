"""The zip archive around a .keras file: names, doubles, sizes, passwords, and tables of contents."""

import json
import os
import re
import struct
import zipfile

import pytest

import kerasgan as kg


def refused(path, complaint):
    with pytest.raises(kg.TrustError, match=re.escape(complaint)) as info:
        kg.load_network(path, trust=True)
    assert "\n" not in str(info.value) and str(path) in str(info.value)


@pytest.mark.parametrize(
    "name", ["../canary.txt", "/tmp/canary.txt", "assets/../../canary.txt", "assets/vocabulary.txt"]
)
def test_other_members_are_refused_by_name(archive, config, canary, tmp_path, name):
    inside = tmp_path / "inside"
    path = archive(config, **{name: b"dead"})
    refused(path, f"holds {name!r}, which no network of stock layers needs")
    if name.startswith(".."):  # what a careless reader would do with it
        inside.mkdir()
        with zipfile.ZipFile(path) as file:
            assert (inside / file.namelist()[-1]).resolve() == canary


def test_a_member_that_is_there_twice_is_refused(archive, config):
    path = archive(config)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("config.json", "{}")
    refused(path, "holds config.json twice")


def test_a_compressed_member_is_refused_before_it_is_unpacked(archive, config, growth):
    path = archive(config, weights=bytes(128 * 2**20), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    assert growth(lambda: refused(path, "is compressed, which Keras never does")) < 50
    assert growth(lambda: zipfile.ZipFile(path).read("model.weights.h5")) > 100


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("promised", 2**31, "is compressed"),  # more than is stored
        ("both", 2**31, "is damaged, or no .keras file (model.weights.h5 ends before its 2,147,483,648 bytes)"),
        ("flags", 1, "metadata.json is encrypted"),
        ("method", 99, "is compressed"),
    ],
)
def test_a_table_of_contents_that_lies_is_refused(archive, config, field, value, complaint, growth):
    path = archive(config)
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    last = data.rindex(b"PK\x01\x02")
    if field in ("promised", "both"):
        struct.pack_into("<I", data, last + 24, value)
    if field == "both":
        struct.pack_into("<I", data, last + 20, value)
    if field == "flags":
        struct.pack_into("<H", data, first + 8, value)
    if field == "method":
        struct.pack_into("<H", data, last + 10, value)
    path.write_bytes(data)
    assert growth(lambda: refused(path, complaint)) < 200


def test_a_table_of_contents_without_end_is_refused(tmp_path, growth):
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    table = entry * 400_000
    path = tmp_path / "long.keras"
    path.write_bytes(table + b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", 0, 0, len(table), 0, 0))
    assert growth(lambda: refused(path, "its table of contents has more than 4,194,304 bytes")) < 20
    assert growth(lambda: zipfile.ZipFile(path)) > 50


def test_a_large_configuration_is_not_read(archive, growth):
    path = archive(" " * 2**27)
    assert growth(lambda: refused(path, "config.json has 134,217,728 bytes; at most 4,194,304 are read")) < 50


def test_every_cut_of_an_archive_is_refused_in_one_line(archive, config):
    path = archive(config)
    data = path.read_bytes()
    for length in range(0, len(data), 701):
        path.write_bytes(data[:length])
        refused(path, "attack.keras")


def test_a_flipped_bit_is_an_error_of_ours_or_harmless(archive, config):
    path = archive(config)
    data = path.read_bytes()
    outcomes = set()
    for place in range(5, len(data), 997):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            kg.load_network(path, trust=True)
            outcomes.add("loaded")
        except kg.TrustError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_member_is_missing(tmp_path, config):
    for name, rest in (("config.json", "model.weights.h5"), ("model.weights.h5", "config.json")):
        with zipfile.ZipFile(tmp_path / "less.keras", "w") as file:
            file.writestr(rest, json.dumps(config))
        refused(tmp_path / "less.keras", f"lacks {name}")


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    refused(tmp_path / "pipe.keras", "is not a file")
    (tmp_path / "text.keras").write_text("hello")
    refused(tmp_path / "text.keras", "is damaged, or no .keras file (File is not a zip file)")


def test_weights_beside_an_architecture_must_be_there(parts, config, tmp_path):
    path = parts(config)
    (tmp_path / "attack.weights.h5").unlink()
    with pytest.raises(kg.TrustError, match=r"attack\.weights\.h5: is not there, and attack\.json is the architecture"):
        kg.load_network(path, trust=True)


def test_bytes_before_the_archive_do_no_harm(archive, config, network):
    path = archive(config)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert kg.load_network(path, trust=True).count_params() == network.count_params()
