"""The generic detector: runs what a file says it is, and refuses files that contradict it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from unmask.detectors.choice import open_detector
from unmask.detectors.onnx_network import OnnxNetwork
from unmask.detectors.unmask_base import UnmaskBase
from unmask.detectors.views import to_pixels
from unmask.detectors.weights_file import METADATA_KEY, facts_json, read_facts
from unmask.errors import ModelUnavailable, UnknownEntry, UsageError


@pytest.fixture(scope="module")
def plain(network_file, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_file(tmp_path_factory.mktemp("plain") / "plain.onnx")


def test_the_spec_is_what_the_file_says(network_file, tmp_path: Path) -> None:
    path = network_file(
        tmp_path / "mine.onnx",
        views=[[1.2, False], [1.5, True]],
        mean=[120.0, 110.0, 100.0],
        std=[60.0, 50.0, 40.0],
    )
    detector = OnnxNetwork(path)
    spec = detector.spec
    assert (spec.id, spec.title, spec.modality) == ("plain-mean", "Plain mean", "image")
    assert (spec.input_px, spec.crop_margin) == (64, 1.2)
    assert spec.views == ((1.2, False), (1.5, True))
    assert (spec.mean, spec.std) == ((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    assert spec.training_sets == ("some_faces/train",)
    assert (spec.weights, spec.weights_licence) == ("mine.onnx", "for tests")
    assert spec.map_kind == "class_activation"
    assert spec.calibration_id == ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert spec.weights_sha256 == detector.weights_sha256 == digest


def test_it_computes_what_the_graph_says_with_the_pixels_that_the_facts_ask_for(
    network_file, tmp_path: Path
) -> None:
    path = network_file(tmp_path / "a.onnx", mean=[100.0] * 3, std=[50.0] * 3)
    detector = OnnxNetwork(path)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(5)]
    output = detector.predict(to_pixels(crops, detector.spec))
    expected = [4 * (crop.astype(np.float64).mean() - 100) / 50 for crop in crops]
    assert output.logits == pytest.approx(expected, abs=1e-4)
    assert output.logits.dtype == np.float32
    assert output.maps is not None
    cells = (crops[2].astype(np.float64).mean(2) - 100) / 50
    cells = cells.reshape(8, 8, 8, 8).mean((1, 3))
    np.testing.assert_allclose(output.maps[2], 1 / (1 + np.exp(-cells)), atol=1e-5)
    alone = detector.predict(to_pixels(crops[3:4], detector.spec))
    assert alone.logits[0] == pytest.approx(output.logits[3], abs=1e-5)
    assert alone.maps is not None
    np.testing.assert_allclose(alone.maps[0], output.maps[3], atol=1e-6)


def test_a_network_without_a_map_gives_none(network_file, tmp_path: Path) -> None:
    detector = OnnxNetwork(network_file(tmp_path / "a.onnx", outputs=1))
    output = detector.predict(np.ones((3, 3, 64, 64), np.float32))
    assert output.maps is None
    assert output.logits == pytest.approx([4.0] * 3)


# --------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"outputs": 1, "map_kind": "class_activation"}, "1 outputs, not 2"),
        ({"map_kind": "none"}, "2 outputs, not 1"),
        ({"input_px": 96}, "crops of 96 px"),
        ({"version": 2}, "version 2"),
        ({"version": "one"}, "damaged"),
        ({"id": "../escape"}, "damaged"),
        ({"views": []}, "damaged"),
        ({"views": [[1.3, True]]}, "mirrored"),
        ({"views": [[99.0, False]]}, "damaged"),
        ({"std": [1.0, 0.0, 1.0]}, "damaged"),
        ({"mean": [1.0]}, "damaged"),
        ({"input_px": 10**9}, "damaged"),
        ({"map_kind": "tea_leaves"}, "damaged"),
        ({"facts": None}, "does not say which network"),
    ],
    ids=str,
)
def test_files_that_contradict_themselves_are_refused(
    changed: dict[str, object], match: str, network_file, tmp_path: Path
) -> None:
    path = network_file(tmp_path / "bad.onnx", **changed)
    with pytest.raises(ModelUnavailable, match=match) as caught:
        OnnxNetwork(path)
    assert "bad.onnx" in caught.value.message
    assert caught.value.hint


def test_maps_outside_their_range_and_scores_of_another_shape_are_refused(
    network_file, tmp_path: Path
) -> None:
    import onnx

    model = onnx.load(network_file(tmp_path / "a.onnx"))
    sigmoid = model.graph.node[-1]
    sigmoid.op_type = "Cos"  # 1 at the mean colour
    model.graph.node[-1].CopyFrom(sigmoid)
    model.graph.node.insert(
        5, onnx.helper.make_node("Add", ["flat", "four"], ["moved"])
    )  # cos 4 < 0
    model.graph.node[-1].input[0] = "moved"
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ModelUnavailable, match=r"maps reach from -0\.654"):
        OnnxNetwork(tmp_path / "b.onnx")
    model = onnx.load(network_file(tmp_path / "a.onnx", outputs=1))
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array([2, 3]), "all"))
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 3
    onnx.save(model, tmp_path / "c.onnx")
    with pytest.raises(ModelUnavailable, match=r"shape \(2, 3\)"):
        OnnxNetwork(tmp_path / "c.onnx")


@pytest.mark.parametrize("what", ["absent", "a folder", "empty", "text", "zeros", "zip"])
def test_what_is_no_onnx_file_is_told(what: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    if what == "a folder":
        path.mkdir()
    elif what != "absent":
        path.write_bytes({"empty": b"", "text": b"not a network\n" * 50, "zeros": bytes(999),
                          "zip": b"PK\x03\x04" + bytes(range(256))}[what])  # fmt: skip
    with pytest.raises(ModelUnavailable) as caught:
        read_facts(path)
    assert caught.value.hint


def test_a_file_cut_short_anywhere_is_told_or_read_whole(plain: Path, tmp_path: Path) -> None:
    data = plain.read_bytes()
    facts = read_facts(plain)
    cut = tmp_path / "cut.onnx"
    for end in range(0, len(data), 13):
        cut.write_bytes(data[:end])
        try:
            assert read_facts(cut) in {None, facts}
        except ModelUnavailable:
            continue
    for position in range(0, len(data), 7):
        altered = bytearray(data)
        altered[position] ^= 0x5A
        cut.write_bytes(bytes(altered))
        try:
            OnnxNetwork(cut)
        except ModelUnavailable:
            continue


def test_facts_are_read_as_onnx_reads_them(plain: Path) -> None:
    import onnx

    entries = {one.key: one.value for one in onnx.load(plain).metadata_props}
    facts = read_facts(plain)
    assert facts is not None
    assert json.loads(facts_json(facts)).items() >= json.loads(entries[METADATA_KEY]).items()
    assert facts_json(facts) == facts_json(facts)


# ------------------------------------------------------------------ which one runs


def test_what_is_named_and_what_the_file_says_must_agree(plain: Path) -> None:
    assert isinstance(open_detector(None, plain), OnnxNetwork)
    assert isinstance(open_detector("plain-mean", plain), OnnxNetwork)
    with pytest.raises(UsageError, match="'plain-mean', not of 'unmask-base'") as caught:
        open_detector("unmask-base", plain)
    assert "--detector" in caught.value.hint


def test_without_weights_it_is_the_one_in_the_package() -> None:
    assert isinstance(open_detector(), UnmaskBase)
    with pytest.raises(UnknownEntry, match="unmask-bass"):
        open_detector("unmask-bass")


def test_a_network_without_weights_says_how_to_get_some() -> None:
    with pytest.raises(UnknownEntry, match="brings no weights") as caught:
        open_detector("mesonet-4")
    for word in ("unmask train", "unmask export", "--weights"):
        assert word in caught.value.hint


def test_a_file_without_facts_runs_if_its_detector_is_known(network_file, tmp_path: Path) -> None:
    from importlib.resources import files

    bundled = tmp_path / "renamed.onnx"
    packaged = files("unmask.detectors").joinpath("weights", UnmaskBase.spec.weights)
    bundled.write_bytes(packaged.read_bytes())
    assert isinstance(open_detector(None, bundled), UnmaskBase)  # known by its digest
    assert isinstance(open_detector("unmask-base", bundled), UnmaskBase)
    anonymous = network_file(tmp_path / "anonymous.onnx", facts=None)
    with pytest.raises(ModelUnavailable, match="does not say which") as caught:
        open_detector(None, anonymous)
    assert "unmask export" in caught.value.hint


def test_the_list_of_networks_that_is_read_as_text_is_the_registry() -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from unmask.detectors.network_cards import network_cards
    from unmask.networks import NETWORKS

    cards = {card.id: card for card in network_cards()}
    assert sorted(cards) == NETWORKS.ids()
    for network in NETWORKS:
        card, spec = cards[network.spec.id], network.spec
        for name in ("title", "paper", "family", "modality", "input_px", "differs"):
            assert getattr(card, name) == getattr(spec, name), (
                f"{spec.id}: write {name} as a constant in its NetworkSpec, so that it can be "
                "listed without PyTorch"
            )
