"""Any image network as a file: says what PyTorch says, and what it is."""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'train' is not installed")

import torch
from torch import Tensor, nn

from unmask import cli
from unmask.detectors.onnx_network import OnnxNetwork
from unmask.detectors.weights_file import read_facts
from unmask.errors import CorruptMedia, EnvironmentProblem, NotFound, UsageError
from unmask.export.from_run import deployed_run, is_network_run
from unmask.export.network_file import DeployedNetwork, Origin, export_network, network_bytes
from unmask.export.parity import check_network_parity, probe_pixels
from unmask.networks import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec
from unmask.networks._own_map import map_kind_of

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)


class Pooled(DetectorNetwork):
    """Ends in a mean over places and a linear logit."""

    spec: ClassVar = NetworkSpec(
        "pooled", "Pooled", "Nobody, 2000", "spatial", input_px=32, crop_margin=1.4, mean=MEAN,
        std=STD,
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3, 2, 1)
        )
        self.classifier = nn.Linear(6, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        features = self.stages(pixels).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor | None:
        planes = self.stages(pixels)
        return torch.einsum("bchw,c->bhw", planes, self.classifier.weight[0]) + (
            self.classifier.bias
        )


class Mapped(Pooled):
    """Has a map of its own."""

    spec: ClassVar = NetworkSpec("mapped", "Mapped", "Nobody, 2000", "spatial", input_px=32)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        planes = self.stages(pixels)
        features = planes.mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features, planes[:, 0])


class Curved(Pooled):
    """Bends its features behind the mean, so that no map of places explains the logit."""

    def forward(self, pixels: Tensor) -> NetworkOutput:
        features = self.stages(pixels).mean((2, 3)).square()
        return NetworkOutput(self.classifier(features).squeeze(1), features)


class Undecided(Pooled):
    """Looks at the pixels to choose what to do, which no graph can hold."""

    def forward(self, pixels: Tensor) -> NetworkOutput:
        sign = 1.0 if float(pixels.sum()) > 0 else -1.0
        features = self.stages(pixels * sign).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor | None:
        del pixels
        return None


class Moving(Pooled):
    """Scores clips."""

    spec: ClassVar = NetworkSpec(
        "moving", "Moving", "Nobody, 2000", "temporal", modality="clip", clip_frames=4
    )


def made(cls: type[DetectorNetwork], seed: int = 4) -> DetectorNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cls().train()


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeployedNetwork, Path, str]:
    deployed = DeployedNetwork(made(Pooled))
    path = tmp_path_factory.mktemp("pooled") / "new" / "net.onnx"
    origin = Origin(("some_faces/train",), "for tests", "ab" * 32, 7, crop_margin=1.35)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return deployed, path, export_network(deployed, path, origin)


def test_every_engine_agrees_with_pytorch_on_scores_and_maps(pooled) -> None:
    deployed, path, _ = pooled
    found = check_network_parity(deployed, path)
    assert found[0].engine == "openvino"
    assert all(max(one.logits, one.maps) < 1e-4 for one in found)
    with torch.no_grad():
        deployed.network.classifier.bias += 0.01
        try:
            with pytest.raises(EnvironmentProblem, match="differs"):
                check_network_parity(deployed, path)
        finally:
            deployed.network.classifier.bias -= 0.01


def test_the_generic_detector_gives_what_the_network_gives(pooled) -> None:
    deployed, path, digest = pooled
    detector = OnnxNetwork(path)
    assert detector.weights_sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    pixels = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    output = detector.predict(pixels)
    logits = deployed.network.scores(torch.from_numpy(pixels)).numpy()
    assert np.ptp(logits) > 1e-3
    assert output.logits == pytest.approx(logits, abs=1e-5)
    assert output.maps is not None
    cells = np.log(output.maps / (1 - output.maps))  # the logit of each place
    assert cells.shape == (3, 8, 8)
    assert cells.mean((1, 2)) == pytest.approx(logits, abs=1e-4)


def test_the_file_says_what_it_is(pooled) -> None:
    facts = read_facts(pooled[1])
    assert facts is not None
    assert (facts.id, facts.title, facts.paper) == ("pooled", "Pooled", "Nobody, 2000")
    assert (facts.input_px, facts.views) == (32, ((1.35, False),))
    assert (facts.mean, facts.std) == (MEAN, STD)
    assert facts.map_kind == "class_activation"
    assert facts.training_sets == ("some_faces/train",)
    assert (facts.weights_licence, facts.code_licence) == ("for tests", "Apache-2.0")
    assert (facts.recipe_sha256, facts.steps) == ("ab" * 32, 7)


def test_the_same_weights_give_the_same_bytes_without_a_trace_of_the_machine(pooled) -> None:
    import onnx

    deployed, path, digest = pooled
    facts = read_facts(path)
    assert facts is not None
    origin = Origin(("some_faces/train",), "for tests", "ab" * 32, 7, crop_margin=1.35)
    again = network_bytes(deployed, origin)
    assert hashlib.sha256(again).hexdigest() == digest
    for trace in (str(Path(__file__).resolve().parents[2]), str(Path.home()), "site-packages"):
        assert len(trace) < 6 or trace.encode() not in again
    graph = onnx.load(path).graph
    assert [one.name for one in graph.output] == ["logits", "maps"]
    shape = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["batch", 3, 32, 32]
    onnx.checker.check_model(str(path), full_check=True)


def test_what_map_a_network_has() -> None:
    assert map_kind_of(made(Pooled)) == "class_activation"
    assert map_kind_of(made(Mapped)) == "manipulated_pixels"
    assert map_kind_of(made(Curved)) == "none"
    network = made(Pooled)
    map_kind_of(network)
    assert network.training


def test_a_map_of_its_own_is_exported_as_shares(tmp_path: Path) -> None:
    deployed = DeployedNetwork(made(Mapped))
    path = tmp_path / "mapped.onnx"
    export_network(deployed, path, Origin())
    assert all(one.maps < 1e-4 for one in check_network_parity(deployed, path))
    pixels = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    detector = OnnxNetwork(path)
    assert detector.spec.map_kind == "manipulated_pixels"
    assert detector.spec.crop_margin == Mapped.spec.crop_margin
    with torch.no_grad():
        wanted = deployed.network(torch.from_numpy(pixels)).maps.sigmoid().numpy()
    maps = detector.predict(pixels).maps
    assert maps is not None
    np.testing.assert_allclose(maps, wanted, atol=1e-5)


def test_what_no_graph_can_hold_and_what_scores_clips_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be written as ONNX"):
        network_bytes(DeployedNetwork(made(Undecided)), Origin())
    with pytest.raises(UsageError, match="clips of 4"):
        DeployedNetwork(made(Moving))


# ------------------------------------------------------------------------- from a run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """The folder of a run of MesoNet-4, as the engine leaves it."""
    from unmask.train import run_files
    from unmask.train.network_recipe import network_recipe_from
    from unmask.train.trained_network import build_network, save_weights

    table = {
        "network": "mesonet-4",
        "input_px": 32,
        "steps": 5,
        "data": {"stores": [
            {"name": "a", "path": "a", "data_sets": ["dfdc_faces"], "split": "train"},
            {"name": "portraits", "path": "b"},
        ]},
        "crops": {"margin": [1.0, 1.4]},
    }  # fmt: skip
    recipe = network_recipe_from(table, "test")
    folder = tmp_path / "run"
    folder.mkdir()
    run_files.write_recipe(folder, recipe)
    with torch.random.fork_rng(devices=[]):
        save_weights(folder / run_files.WEIGHTS, build_network(recipe), 5, {})
    yield folder


def test_a_run_is_exported_by_one_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_network_run(run)
    assert is_network_run(run / "weights.pt")
    out = tmp_path / "deep" / "meso.onnx"
    assert cli.main(["export", "--run", str(run), "--out", str(out)]) == 0
    printed, said = capsys.readouterr()
    assert printed.strip() == hashlib.sha256(out.read_bytes()).hexdigest()
    assert "openvino: logits within" in said
    assert "mesonet-4, step 5, with no map" in said
    facts = read_facts(out)
    assert facts is not None
    assert facts.training_sets == ("dfdc_faces/train", "portraits")
    assert "dfdc_faces" in facts.weights_licence
    assert (facts.views, facts.steps, facts.input_px) == (((1.2, False),), 5, 32)
    _, origin = deployed_run(run, "CC0")
    assert origin.licence == "CC0"
    pixels = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    output = OnnxNetwork(out).predict(pixels)
    assert output.maps is None
    from unmask.train.trained_network import load_network

    wanted = load_network(run).scores(torch.from_numpy(pixels)).numpy()
    assert output.logits == pytest.approx(wanted, abs=1e-5)


def test_a_run_that_is_not_whole_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no training run"):
        deployed_run(tmp_path)
    (run / "weights.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(CorruptMedia):
        deployed_run(run)
    (run / "weights.pt").unlink()
    with pytest.raises(NotFound, match="no weights yet"):
        deployed_run(run)
    assert not is_network_run(tmp_path)
    assert cli.main(["export", "--run", str(tmp_path), "--out", str(tmp_path / "x.onnx")]) == 3
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "network_id", [network.spec.id for network in NETWORKS if network.spec.modality == "image"]
)
def test_every_image_network_can_be_exported(network_id: str, tmp_path: Path) -> None:
    cls = NETWORKS.get(network_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = small(cls)
        # What it is compared on, too: elsewhere an untrained network's scores run into hundreds,
        # and PyTorch itself differs by 1e-3 from what it gives in double precision.
        probe = probe_pixels(network.input_px, mean=cls.spec.mean, std=cls.spec.std)
        pixels = torch.from_numpy(np.concatenate(probe))
        wake(network, pixels)
        if cls.spec.trained_by == "fit":
            with torch.no_grad():
                network.fit(network.eval()(pixels).features, (torch.arange(8) % 2).float())
    deployed = DeployedNetwork(network)
    path = tmp_path / "net.onnx"
    export_network(deployed, path, Origin())
    check_network_parity(deployed, path)
    detector = OnnxNetwork(path)
    assert detector.spec.id == network_id
    assert np.ptp(detector.predict(pixels.numpy()).logits) > 1e-3


def small(cls: type[DetectorNetwork]) -> DetectorNetwork:
    """The network for the smallest crops that it takes."""
    for side in (64, 96, 112, 128, 160):
        with contextlib.suppress(UsageError):
            return cls(input_px=side)
    return cls()


def wake(network: DetectorNetwork, pixels: Tensor) -> None:
    """Give batch normalisation the statistics of these pixels.

    With those it starts from, signals fade on their way and all scores are next to 0, so that any
    two engines agree.
    """
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels)
