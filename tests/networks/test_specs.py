"""What every registered network says of itself, and how it is built; see also test_conformance."""

from __future__ import annotations

import importlib.util
import itertools
import re
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.errors import ModelUnavailable, UsageError  # noqa: E402
from unmask.networks import NETWORKS, NetworkSpec  # noqa: E402

ALL = NETWORKS.ids()
FAMILIES = {"spatial", "frequency", "temporal", "generalising"}
# Parameters as the literature counts them, without the classifier of the original task.
# MesoNet: Afchar et al., table 1. Capsule: Nguyen et al. 2019, table 3. The others: timm's table
# less the 1000 classes; Chollet 2017 (22.9 M with them), He 2016 (25.6 M), Tan 2019 (5.3 and 19 M).
PARAMETERS = {
    "mesonet-4": (27_977, 0.0),
    "meso-inception-4": (28_615, 0.0),
    "capsule": (3_896_638, 0.0),
    "xception": (20.8e6, 0.002),
    "resnet-50": (23.5e6, 0.002),
    "efficientnet-b0": (4.0e6, 0.01),
    "efficientnet-b4": (17.5e6, 0.01),
    "mobilenet-v2": (2.2e6, 0.02),
    "mobilenet-v3": (4.2e6, 0.01),
    "convnext-tiny": (27.8e6, 0.002),
    "vit-small": (21.7e6, 0.005),
    "attention-map": (20.8e6, 0.002),
    "face-warping": (23.5e6, 0.002),
}


@pytest.mark.parametrize("network_id", ALL)
def test_the_spec_is_filled_in(network_id: str) -> None:
    spec = NETWORKS.get(network_id).spec
    assert isinstance(spec, NetworkSpec)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.id)
    assert spec.family in FAMILIES
    assert spec.modality in {"image", "clip"}
    assert (spec.clip_frames == 1) == (spec.modality == "image")
    assert spec.trained_by in {"gradient", "fit"}
    assert 1.0 <= spec.crop_margin <= 3.0
    assert all(0 <= mean <= 255 for mean in spec.mean)
    assert all(1 <= std <= 255 for std in spec.std)
    assert spec.title
    assert re.search(r"(19|20)\d\d", spec.paper)  # a paper has a year
    assert (NETWORKS.get(network_id).__doc__ or "").strip()


@pytest.mark.parametrize("network_id", ALL)
def test_it_builds_and_runs_at_the_size_of_the_paper(network_id: str) -> None:
    entry = NETWORKS.get(network_id)
    spec = entry.spec
    clip = (spec.clip_frames,) if spec.modality == "clip" else ()
    shape = (1, *clip, 3, spec.input_px, spec.input_px)
    try:
        with torch.device("meta"):  # shapes without the arithmetic
            network = entry().eval()
            output = network(torch.zeros(shape))
    except (NotImplementedError, RuntimeError):  # something in it must see values
        network = entry().eval()
        with torch.no_grad():
            output = network(torch.zeros(shape))
    assert network.input_px == spec.input_px
    assert output.logits.shape == (1,)
    if network_id in PARAMETERS:
        expected, tolerance = PARAMETERS[network_id]
        assert sum(p.numel() for p in network.parameters()) == pytest.approx(
            expected, rel=tolerance
        )


@pytest.mark.parametrize("side", [0, -64, 7])
@pytest.mark.parametrize("network_id", ALL)
def test_a_size_that_it_cannot_take_is_refused(network_id: str, side: int) -> None:
    with pytest.raises(UsageError) as caught:
        NETWORKS.get(network_id)(input_px=side)
    assert str(side) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("network_id", ALL)
def test_pretrained_weights_out_of_reach_are_told_at_once(
    network_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("UNMASK_OFFLINE", "1")
    began = time.process_time()
    with pytest.raises((ModelUnavailable, UsageError)) as caught:
        NETWORKS.get(network_id)(pretrained=True)
    assert caught.value.hint
    assert time.process_time() - began < 5


def test_every_network_is_on_its_page(repository: Path) -> None:
    file = repository / "docs" / "_generate.py"
    spec = importlib.util.spec_from_file_location("_generate_networks", file)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = generate.networks()
    for network_id in ALL:
        assert f"| `{network_id}`<br>{NETWORKS.get(network_id).spec.title} |" in page


def test_ids_are_unique_and_one_file_holds_one_paper() -> None:
    papers = [(NETWORKS.get(one).__module__, NETWORKS.get(one).spec.id) for one in ALL]
    assert len(set(ALL)) == len(ALL)
    for module, group in itertools.groupby(sorted(papers), key=lambda row: row[0]):
        assert len(list(group)) <= 3, module
