"""The engine: resuming to the bit, pieces, SAM, averaging, failing without harm."""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
import signal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from torch import nn  # noqa: E402

from unmask.errors import CorruptMedia, EnvironmentProblem, NotFound, UsageError  # noqa: E402
from unmask.networks.base import (  # noqa: E402
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
)
from unmask.train import run_files, runs  # noqa: E402
from unmask.train.averaging import WeightAverage  # noqa: E402
from unmask.train.engine import plain_failure, rate_factor  # noqa: E402
from unmask.train.interrupts import signals_call  # noqa: E402
from unmask.train.network_recipe import Optimiser  # noqa: E402
from unmask.train.runs import load_network, train_network  # noqa: E402
from unmask.train.scoring import figures, mean_by_video, score_store  # noqa: E402
from unmask.train.sharpness_aware import at_the_worst_point_nearby  # noqa: E402
from unmask.train.strategy import STRATEGIES, StrategySpec  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


class Plain(DetectorNetwork):
    """A network without batch norm and dropout, so that pieces and devices change nothing."""

    spec = NetworkSpec("plain-test", "Plain", "none", "spatial", input_px=64, crop_margin=1.2)

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.convolution = nn.Conv2d(3, 8, 4, 4)
        self.classifier = nn.Linear(8, 1)

    def forward(self, pixels):
        features = torch.relu(self.convolution(pixels)).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)


class Drawn(DetectorNetwork):
    """Fake where a fitted threshold says so; only buffers."""

    spec = NetworkSpec(
        "fitted-test", "Fitted", "none", "spatial", input_px=64, trained_by="fit", crop_margin=1.2
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.register_buffer("direction", torch.zeros(1))
        self.register_buffer("threshold", torch.zeros(1))

    def forward(self, pixels):
        grain = (pixels[..., 1:] - pixels[..., :-1]).abs().mean((1, 2, 3))[:, None]
        return NetworkOutput(((grain - self.threshold) * self.direction)[:, 0], grain)

    def fit(self, features, y_true):
        real, fake = features[y_true == 0].mean(0), features[y_true == 1].mean(0)
        self.threshold.copy_((real + fake) / 2)
        self.direction.copy_(torch.sign(fake - real) * 50)


class Centring:
    """Draws the means of both domains together, through a matrix trained along."""

    seen: ClassVar[list] = []
    spec = StrategySpec("centring-test", "Centring", "none", {"weight": 1.0})

    def __init__(self, network, *, weight: float = 1.0) -> None:
        del network
        self.weight, self.matrix = weight, nn.Linear(8, 4)

    def modules(self):
        return {"matrix": self.matrix}

    def loss_terms(self, network, output, batch, target_output, progress):
        assert isinstance(network, Plain)
        self.seen.append((len(batch.y_true), len(target_output.logits), progress))
        apart = self.matrix(output.features).mean(0) - self.matrix(target_output.features).mean(0)
        return {"centring": self.weight * apart.square().sum()}


@pytest.fixture(scope="module", autouse=True)
def registered():
    NETWORKS.ids()
    STRATEGIES.ids()
    for registry, cls in ((NETWORKS, Plain), (NETWORKS, Drawn), (STRATEGIES, Centring)):
        registry.register(cls)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    for registry, cls in ((NETWORKS, Plain), (NETWORKS, Drawn), (STRATEGIES, Centring)):
        del registry._entries[cls.spec.id]


def trained(recipe, folder: Path, store, **options):
    """Train, and return the checkpoint that is left."""
    options = {"workers": 0, **options}
    train_network(recipe, folder, stores={"drawn": store, "target": store}, **options)
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def stopped_after(step: int):
    """A progress callback that interrupts as Ctrl-C would, during the step after."""

    def on_progress(now) -> None:
        if now.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_progress


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


SETTINGS = {
    "adamw and averaging": ("rate = 2e-3", "rate = 2e-3\naverage_decay = 0.9"),
    "sgd and sam": ("rate = 2e-3", 'rate = 0.1\nkind = "sgd"\nsam_rho = 0.05'),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_resumed_run_is_the_unbroken_run_to_the_bit(
    network_recipe, drawn, tmp_path: Path, setting: str
) -> None:
    recipe = network_recipe(SETTINGS[setting])
    whole = trained(recipe, tmp_path / "whole", drawn)
    assert whole["step"] == 6
    broken = trained(recipe, tmp_path / "part", drawn, on_progress=stopped_after(2))
    assert broken["step"] == 3
    assert not same(broken["trained"], whole["trained"])
    # Other loader processes must not matter either.
    rest = trained(recipe, tmp_path / "part", drawn, workers=1)
    assert same(rest["trained"], whole["trained"])
    assert same(rest["average"], whole["average"])
    assert rest["best"] == whole["best"]
    table = (tmp_path / "part" / "evaluation.csv").read_text()
    assert table == (tmp_path / "whole" / "evaluation.csv").read_text()
    assert rest["means"] == whole["means"]
    kept, other = (load_network(tmp_path / name).state_dict() for name in ("part", "whole"))
    assert same(kept, other)


def killed(recipe, folder: Path, store, *, while_saving: bool, step: int) -> int:
    """Train in a child that kills itself at a step, or half-way through a checkpoint."""

    def child() -> None:
        def on_progress(now) -> None:
            if now.step == step and not while_saving:
                os.kill(os.getpid(), signal.SIGKILL)

        def half(state, handle) -> None:
            handle.write(b"\x80" * 5000)
            handle.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        real = run_files.torch.save

        def save(state, handle) -> None:
            (half if while_saving and state.get("step") == step and "trained" in state else real)(
                state, handle
            )

        run_files.torch.save = save
        train_network(recipe, folder, stores={"drawn": store}, workers=0, on_progress=on_progress)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode or 0


@pytest.mark.parametrize("while_saving", [False, True])
def test_a_kill_loses_nothing_but_the_steps_since_the_checkpoint(
    network_recipe, drawn, tmp_path: Path, while_saving: bool
) -> None:
    recipe = network_recipe(("mesonet-4", "plain-test"), added="[compute]\nsave_every = 2\n")
    whole = trained(recipe, tmp_path / "whole", drawn)
    step = 4 if while_saving else 5
    part = tmp_path / "part"
    assert killed(recipe, part, drawn, while_saving=while_saving, step=step) == -signal.SIGKILL
    left = run_files.load(part / "checkpoint.pt", {"trained", "step"})
    assert left["step"] == (3 if while_saving else 4)  # 3: the evaluation's
    rest = trained(recipe, part, drawn)
    assert same(rest["trained"], whole["trained"])
    assert sorted(path.name for path in part.iterdir()) == sorted(
        path.name for path in (tmp_path / "whole").iterdir()
    )


def test_pieces_give_what_the_whole_batch_gives(network_recipe, drawn, tmp_path: Path) -> None:
    plain = (("mesonet-4", "plain-test"), ("rate = 2e-3", 'rate = 0.1\nkind = "sgd"'))
    whole = trained(network_recipe(*plain), tmp_path / "whole", drawn)
    recipe = network_recipe(*plain, added="[compute]\naccumulate = 4\n")
    pieces = trained(recipe, tmp_path / "pieces", drawn)
    start = Plain().state_dict()
    for name, value in whole["trained"].items():
        assert torch.allclose(value, pieces["trained"][name], atol=1e-6), name
        assert not torch.allclose(value, start[name.removeprefix("network.")], atol=1e-3)


def test_it_learns_a_pattern(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(
        ("steps = 6", "steps = 40"), ("strength = 0.5", "strength = 0.0"),
        ("every = 3", "every = 20"), ("mesonet-4", "plain-test"), ("rate = 2e-3", "rate = 2e-2"),
    )  # fmt: skip
    result = train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert result.finished
    assert result.figures["image_auc"] > 0.95
    assert result.figures["video_auc"] > 0.95
    network = load_network(tmp_path)
    assert not network.training
    rows = np.flatnonzero(drawn.columns.split == "val")
    scores = score_store(network, drawn, rows)
    assert figures(scores.columns, scores.logits) == pytest.approx(result.figures)


def test_training_ends_when_nothing_gets_better(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(
        ("steps = 6", "steps = 40"), ("every = 3", "every = 2\npatience = 3"),
        ("mesonet-4", "plain-test"), ("rate = 2e-3", "rate = 1e-12"),
    )  # fmt: skip
    result = train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert (result.finished, result.stopped_early, result.step) == (True, True, 8)
    assert result.best_step == 2
    again = train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert again.step == 8
    assert again.stopped_early
    assert again.figures == result.figures


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(
    network_recipe, drawn, tmp_path: Path
) -> None:
    recipe = network_recipe(("rate = 2e-3", "rate = 1e30"), ("every = 3", "every = 0"),
                            added="[compute]\nsave_every = 1\n")  # fmt: skip
    with pytest.raises(EnvironmentProblem, match="gradient became") as caught:
        train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert "last checkpoint is kept" in caught.value.hint
    assert run_files.load(tmp_path / "checkpoint.pt", {"step"})["step"] >= 1


def test_lack_of_memory_is_said_plainly(network_recipe) -> None:
    recipe = network_recipe()
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    plain = plain_failure(caught.value, recipe, 64)
    assert isinstance(plain, EnvironmentProblem)
    assert "8 crops of 64 px" in plain.message
    assert "accumulate" in plain.hint
    other = RuntimeError("shapes differ")
    assert plain_failure(other, recipe, 64) is other


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other content", "other shapes"])
def test_damaged_files_are_typed_errors(network_recipe, drawn, tmp_path: Path, damage: str) -> None:
    recipe = network_recipe(("steps = 6", "steps = 1"))
    trained(recipe, tmp_path, drawn)
    for name in ("checkpoint.pt", "weights.pt"):
        path = tmp_path / name
        if damage == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif damage == "noise":
            path.write_bytes(np.random.default_rng(0).bytes(5000))
        elif damage == "empty":
            path.write_bytes(b"")
        elif damage == "other content":
            torch.save({"weights": torch.zeros(3)}, path)
        else:
            state = torch.load(path, weights_only=True)
            weights = state["trained" if "trained" in state else "state"]
            weights[next(iter(weights))] = torch.zeros(1, 3)
            torch.save(state, path)
    with pytest.raises(CorruptMedia) as caught:
        trained(recipe, tmp_path, drawn)
    assert "--fresh" in caught.value.hint
    with pytest.raises(CorruptMedia):
        load_network(tmp_path)
    assert trained(recipe, tmp_path, drawn, fresh=True)["step"] == 1


def test_another_recipe_or_other_faces_do_not_go_on(
    network_recipe, drawn, drawn_store, tmp_path: Path
) -> None:
    recipe = network_recipe(("steps = 6", "steps = 1"))
    trained(recipe, tmp_path, drawn)
    with pytest.raises(CorruptMedia, match="another recipe"):
        trained(dataclasses.replace(recipe, seed=9), tmp_path, drawn)
    with pytest.raises(CorruptMedia, match="other faces"):
        trained(recipe, tmp_path, drawn_store(sources=8))


def test_a_folder_without_a_run(tmp_path: Path, network_recipe) -> None:
    with pytest.raises(NotFound, match="no training run"):
        load_network(tmp_path)
    run_files.write_recipe(tmp_path, network_recipe())
    with pytest.raises(NotFound, match="no weights"):
        load_network(tmp_path)


def test_wrong_networks_and_devices(network_recipe, drawn, tmp_path: Path) -> None:
    stores = {"drawn": drawn}
    with pytest.raises(UsageError) as caught:
        train_network(network_recipe(("mesonet-4", "mesonet4")), tmp_path, stores=stores)
    assert "mesonet-4" in caught.value.hint
    with pytest.raises(UsageError, match="does not start from a file"):
        (tmp_path / "a.npz").write_bytes(b"")
        recipe = network_recipe(("seed = 5", 'seed = 5\ninit = "a.npz"'))
        train_network(recipe, tmp_path, stores=stores, data_root=tmp_path)
    if not torch.cuda.is_available():
        recipe = network_recipe(added='[compute]\naccelerator = "cuda"\n')
        with pytest.raises(EnvironmentProblem, match="cannot train on 1 x cuda"):
            train_network(recipe, tmp_path, stores=stores)


def test_a_run_starts_from_the_weights_of_another(network_recipe, drawn, tmp_path: Path) -> None:
    trained(network_recipe(("steps = 6", "steps = 3")), tmp_path / "first", drawn)
    weights = load_network(tmp_path / "first").state_dict()
    recipe = network_recipe(
        ("seed = 5", 'seed = 5\ninit = "first/weights.pt"'), ("rate = 2e-3", "rate = 1e-9"),
        ("steps = 6", "steps = 1"),
    )  # fmt: skip
    train_network(recipe, tmp_path / "second", stores={"drawn": drawn}, data_root=tmp_path)
    other = load_network(tmp_path / "second").state_dict()
    name = next(name for name, value in weights.items() if value.ndim == 4)
    assert torch.allclose(weights[name], other[name], atol=1e-6)


def test_fitted_networks(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(("mesonet-4", "fitted-test"), ("strength = 0.5", "strength = 0.0"))
    steps = []
    result = train_network(
        recipe, tmp_path, stores={"drawn": drawn}, workers=0,
        on_progress=lambda now: steps.append(now.step),
    )  # fmt: skip
    assert steps == [1, 2, 3, 4, 5, 6]
    assert result.finished
    assert result.figures["image_auc"] > 0.9
    kept = load_network(tmp_path).state_dict()
    # From features that were collected before, and from nothing at all.
    (tmp_path / "weights.pt").unlink()
    train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert same(load_network(tmp_path).state_dict(), kept)
    again = train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)
    assert again.figures == result.figures
    # Another recipe neither takes up what was collected nor harms what is there.
    for _ in range(2):
        with pytest.raises(CorruptMedia, match="another recipe"):
            trained(dataclasses.replace(recipe, seed=9), tmp_path, drawn)
    assert same(load_network(tmp_path).state_dict(), kept)
    two = dataclasses.replace(recipe.compute, devices=1, accumulate=2)
    train_network(dataclasses.replace(recipe, compute=two), tmp_path, stores={"drawn": drawn})


def test_a_strategy_sees_both_domains_and_is_saved(network_recipe, drawn, tmp_path: Path) -> None:
    added = """[adaptation]
strategy = "centring-test"
options = { weight = 0.5 }
target = [{ name = "target", path = "target" }]
"""
    plain = ("mesonet-4", "plain-test")
    Centring.seen.clear()
    whole = trained(network_recipe(plain, added=added), tmp_path / "whole", drawn)
    assert Centring.seen == [(8, 8, pytest.approx(step / 6)) for step in range(6)]
    recipe = network_recipe(plain, added=added)
    trained(recipe, tmp_path / "part", drawn, on_progress=stopped_after(3))
    rest = trained(recipe, tmp_path / "part", drawn, workers=1)
    assert same(rest["trained"], whole["trained"])
    without = trained(network_recipe(plain), tmp_path / "without", drawn)["trained"]
    assert "extras.matrix.weight" in whole["trained"].keys() - without.keys()
    name = "network.convolution.weight"
    assert not torch.equal(without[name], whole["trained"][name])
    with pytest.raises(UsageError, match="no option 'wait'"):
        trained(network_recipe(plain, added=added.replace("weight", "wait")), tmp_path, drawn)
    lonely = network_recipe(plain, added=added.split("target =", maxsplit=1)[0])
    with pytest.raises(UsageError, match="needs a target domain"):
        trained(lonely, tmp_path, drawn)


def test_clip_networks_train_and_score(network_recipe, drawn_store, tmp_path: Path) -> None:
    store = drawn_store(sources=8, frames=16)
    recipe = network_recipe(
        ("mesonet-4", "resnet-3d-18"), ("input_px = 64", "input_px = 32\nsmall = true"),
        ("batch = 8", "batch = 2"), ("steps = 6", "steps = 1"), ("every = 3", "every = 0"),
    )  # fmt: skip
    result = train_network(recipe, tmp_path, stores={"drawn": store}, workers=0)
    assert result.best_step == 1
    assert set(result.figures) == {"loss", "image_auc", "image_eer", "video_auc", "video_eer"}
    rows = np.flatnonzero(np.isin(store.columns.source_id, ["drawn00", "drawn01"]))
    scores = score_store(load_network(tmp_path), store, rows)
    assert len(scores.logits) == len(scores.columns) == 6  # one clip a film
    assert scores.features.shape[0] == 6


def test_scores_are_the_same_in_any_batch(network_recipe, drawn) -> None:
    torch.manual_seed(0)
    network = Plain().eval()
    rows = np.arange(12)
    whole = score_store(network, drawn, rows, batch=12)
    assert whole.features.shape == (12, 8)
    few = score_store(network, drawn, rows[::-1], batch=5, with_features=False)
    assert few.features is None
    assert np.allclose(whole.logits, few.logits[::-1], atol=1e-6)
    closer = score_store(network, drawn, rows, margin=1.0)
    assert not np.allclose(whole.logits, closer.logits)
    with pytest.raises(UsageError):
        score_store(network, drawn, rows[:0])


def test_video_level_is_the_mean_logit_of_a_set_and_a_film(drawn, drawn_store) -> None:
    columns = drawn.columns.take(np.arange(6))  # one source: real, swap, reenactment
    y_true, means, sources = mean_by_video(columns, np.array([0.0, 1, 2, 3, 6, 8]))
    by_name = dict(zip(np.unique(columns.video_id), zip(y_true, means, strict=True), strict=True))
    assert by_name["drawn00"] == (0, 0.5)
    assert by_name["drawn00_swap"] == (1, 2.5)
    assert by_name["drawn00_reenactment"] == (1, 7.0)
    assert set(sources) == {"drawn00"}
    one_class = drawn.columns.take(drawn.columns.y_true == 1)
    assert figures(one_class, np.zeros(len(one_class))) == {}


def test_sharpness_aware_gradients_are_those_uphill() -> None:
    x = torch.tensor([3.0, 4.0])
    module = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -1.0]]))
    before = module.weight.detach().clone()
    loss = module(x).square().sum() / 2  # gradient: (w x) x = -1 x (3, 4), of length 5
    loss.backward()
    with at_the_worst_point_nearby(module, 0.5):
        assert torch.allclose(module.weight, before - 0.5 * x / 5)
        (module(x).square().sum() / 2).backward()
    assert torch.equal(module.weight, before)
    uphill = float((before - 0.5 * x / 5) @ x)
    assert torch.allclose(module.weight.grad, uphill * x)


def test_sharpness_aware_leaves_statistics_alone() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    data = torch.randn(8, 4)
    module(data).square().sum().backward()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with at_the_worst_point_nearby(module, 0.1):
        module(data).square().sum().backward()
    assert same(before, dict(module.state_dict()))


def test_the_average_follows_its_formula() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 0.0)
    average = WeightAverage(module, 0.5)
    expected = 0.0
    for step, value in enumerate((1.0, 2.0, 3.0), start=1):
        nn.init.constant_(module.weight, value)
        average.update(module, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.state["weight"].item() == pytest.approx(expected)
    with average.lent_to(module):
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 3.0


def test_the_rate_rises_then_falls() -> None:
    settings = Optimiser(warm_up_steps=2)
    factors = [rate_factor(step, 8, settings) for step in range(9)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[2:] == sorted(factors[2:], reverse=True)
    assert factors[-1] == pytest.approx(0.01)
    flat = Optimiser(warm_up_steps=0, schedule="constant")
    assert [rate_factor(step, 8, flat) for step in (0, 5)] == [1.0, 1.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number: int) -> None:
    asked, ended = [], []
    before = signal.signal(number, lambda *_: ended.append(True))
    try:
        with signals_call(lambda: asked.append(True)):
            os.kill(os.getpid(), number)
            assert (asked, ended) == ([True], [])
            os.kill(os.getpid(), number)
            assert (asked, ended) == ([True], [True])
    finally:
        signal.signal(number, before)


def test_numbers_are_tracked_here_and_nowhere_else(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(("tensorboard = false", "tensorboard = true\nmlflow = true"))
    folder = tmp_path / "run"
    trained(recipe, folder, drawn, on_progress=stopped_after(3))
    trained(recipe, folder, drawn)
    assert (folder / "log.csv").read_text().splitlines()[0] == "step,rate,images_per_s,class"
    rows = (folder / "evaluation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "3", "6"]
    assert list((folder / "tb").glob("events*"))
    metric = list((folder / "mlruns").rglob("validation.image_auc"))
    assert len(metric) == 1  # the resumed run went on in the same record
    assert [int(line.split()[2]) for line in metric[0].read_text().splitlines()] == [3, 6]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "tiny.toml"]
    assert json.loads((folder / "recipe.json").read_text())["network"] == "mesonet-4"


def test_half_precision_trains_and_remembers_it(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(added='[compute]\nprecision = "bf16-mixed"\n')
    state = trained(recipe, tmp_path, drawn)
    assert all(v.dtype != torch.bfloat16 for v in state["trained"].values())
    assert all(math.isfinite(v.float().sum()) for v in state["trained"].values())
    assert runs.RECIPE == "recipe.json"
