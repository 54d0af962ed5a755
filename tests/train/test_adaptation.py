"""Adaptation strategies against known answers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.networks.base import NetworkOutput, TrainingBatch
from unmask.networks.forensic_transfer import ForensicTransfer
from unmask.networks.mesonet_4 import MesoNet4
from unmask.train.adaptation.correlation_alignment import CorrelationAlignment, coral_distance
from unmask.train.adaptation.cross_distribution.heads import FeatureHead, Labelled, train_on
from unmask.train.adaptation.cross_distribution.recipe import Training
from unmask.train.adaptation.few_shot import LastLayers, adapt_to_few
from unmask.train.adaptation.forward_probe import feature_width, last_layers
from unmask.train.adaptation.gradient_reversal import (
    GradientReversalStrategy,
    ramp,
    reversed_gradient,
)
from unmask.train.adaptation.maximum_mean_discrepancy import (
    BANDWIDTHS,
    MaximumMeanDiscrepancy,
    squared_mmd,
)
from unmask.train.strategy import STRATEGIES

PIXELS = 32


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_reversal_passes_on_and_turns_the_gradient() -> None:
    values = torch.tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
    passed = reversed_gradient(values, 0.3)
    assert torch.equal(passed, values)
    weights = torch.tensor([[1.0, 2.0], [-4.0, 0.0]])
    (passed * weights).sum().backward()
    assert values.grad is not None
    assert torch.allclose(values.grad, -0.3 * weights)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0.0), (0.1, 2 / (1 + math.exp(-1)) - 1), (1.0, 0.9999092)]
)
def test_ramp_is_the_papers(progress: float, expected: float) -> None:
    assert ramp(progress) == pytest.approx(expected, abs=1e-6)


def test_domain_loss_teaches_classifier_and_network_opposite_things() -> None:
    strategy = GradientReversalStrategy(MesoNet4(input_px=PIXELS), hidden=4)
    source = torch.randn(6, 16, requires_grad=True)
    target = torch.randn(6, 16, requires_grad=True)
    loss = _domain_loss(strategy, source, target, progress=1.0)
    loss.backward()
    plain = _plain_domain_loss(strategy, source, target)
    (straight,) = torch.autograd.grad(plain, source, retain_graph=True)
    assert loss.item() == pytest.approx(plain.item())
    assert source.grad is not None
    assert torch.allclose(source.grad, -ramp(1.0) * straight)
    first = strategy.domain_classifier.layers[0].weight
    assert isinstance(first, nn.Parameter)
    (own,) = torch.autograd.grad(plain, first)
    assert torch.allclose(first.grad, own)  # the classifier itself learns at full strength


def test_nothing_reaches_the_network_at_the_start() -> None:
    strategy = GradientReversalStrategy(MesoNet4(input_px=PIXELS))
    source = torch.randn(4, 16, requires_grad=True)
    _domain_loss(strategy, source, torch.randn(4, 16), progress=0.0).backward()
    assert source.grad is not None
    assert not source.grad.any()


def test_mmd_of_the_same_sample_is_zero_and_of_another_is_not(generator: torch.Generator) -> None:
    first = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    assert squared_mmd(first, first.clone()).item() == pytest.approx(0.0, abs=1e-12)
    near = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    distances = [squared_mmd(first, near + shift).item() for shift in (0.0, 0.5, 2.0)]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_mmd_equals_a_slow_one(generator: torch.Generator) -> None:
    first = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    second = torch.randn(9, 3, generator=generator, dtype=torch.float64) * 2 + 1
    points = [*first, *second]
    pairs = [(a, b) for a in points for b in points]
    mean = sum(float(((a - b) ** 2).sum()) for a, b in pairs) / (len(points) * (len(points) - 1))

    def kernel(a: Tensor, b: Tensor) -> float:
        squared = float(((a - b) ** 2).sum())
        return sum(math.exp(-squared / (width * mean)) for width in BANDWIDTHS) / len(BANDWIDTHS)

    def average(one: Tensor, other: Tensor) -> float:
        return sum(kernel(a, b) for a in one for b in other) / (len(one) * len(other))

    slow = average(first, first) + average(second, second) - 2 * average(first, second)
    assert squared_mmd(first, second).item() == pytest.approx(slow, rel=1e-9)


def test_mmd_survives_points_that_coincide() -> None:
    same = torch.ones(4, 3, requires_grad=True)
    loss = squared_mmd(same, torch.ones(4, 3))
    loss.backward()
    assert loss.item() == 0
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_coral_equals_its_definition(generator: torch.Generator) -> None:
    first = torch.randn(11, 4, generator=generator, dtype=torch.float64)
    second = torch.randn(8, 4, generator=generator, dtype=torch.float64) * 3
    gap = torch.cov(first.T) - torch.cov(second.T)
    expected = torch.linalg.matrix_norm(gap, "fro").item() ** 2 / (4 * 4**2)
    assert coral_distance(first, second).item() == pytest.approx(expected, rel=1e-12)
    assert coral_distance(first, first + 5).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("cls", [MaximumMeanDiscrepancy, CorrelationAlignment])
def test_weight_scales_the_alignment(
    cls: type[MaximumMeanDiscrepancy | CorrelationAlignment], generator: torch.Generator
) -> None:
    network = MesoNet4(input_px=PIXELS)
    source = torch.randn(8, 16, generator=generator)
    target = torch.randn(8, 16, generator=generator) * 2
    once, thrice = (
        _terms(cls(network, weight=weight), network, source, target, 0.5) for weight in (1.0, 3.0)
    )
    assert list(once) == [cls.spec.id]
    assert once[cls.spec.id].item() > 0
    assert thrice[cls.spec.id].item() == pytest.approx(3 * once[cls.spec.id].item())


@pytest.mark.parametrize(
    ("name", "options"),
    [("gradient_reversal", {"hidden": 64}), ("mmd", {}), ("coral", {"weight": 3.0})],
)
def test_adaptation_helps_where_one_feature_misleads(name: str, options: dict[str, float]) -> None:
    """The label shifts one coordinate alike everywhere; another one betrays it at home only."""
    source, target, truth = _misleading_domains()
    found = {}
    for adapts in (False, True):
        torch.manual_seed(0)
        head = FeatureHead(12, 16, 0.0)
        strategy = STRATEGIES.get(name)(head, **options) if adapts else None
        training = Training(steps=400, batch=64, rate=5e-3)
        unlabelled = target if adapts else None
        train_on(head, source, training, 0, strategy=strategy, unlabelled=unlabelled)
        found[adapts] = float(((head.see(target).logits > 0) == truth).float().mean())
    assert found[True] > found[False] + 0.05
    assert found[True] > 0.75


def test_every_strategy_names_its_defaults() -> None:
    network = MesoNet4(input_px=PIXELS)
    ids = {"gradient_reversal", "mmd", "coral", "last_layers"}
    assert ids <= set(STRATEGIES.ids())
    for name in ids:
        cls = STRATEGIES.get(name)
        assert cls.spec.paper
        cls(network, **cls.spec.options)


def test_probe_leaves_no_trace() -> None:
    torch.manual_seed(3)
    network = MesoNet4(input_px=PIXELS).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    assert feature_width(network) == 16
    layers = last_layers(network, 2)
    assert layers == [network.head.hidden, network.head.classifier]
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_few_shots_move_the_last_layer_alone() -> None:
    torch.manual_seed(0)
    network = MesoNet4(input_px=PIXELS).eval()
    pixels, y_true = _few_faces()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses = adapt_to_few(network, pixels, y_true, layers=1, steps=60, learning_rate=0.01)
    moved = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {"head.classifier.weight", "head.classifier.bias"}
    assert len(losses) == 60
    assert losses[-1] < losses[0]
    assert not network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_few_shots_count_both_classes_alike() -> None:
    torch.manual_seed(0)
    network = MesoNet4(input_px=PIXELS).eval()
    pixels, _ = _few_faces()
    y_true = torch.tensor([0.0, 1, 1, 1, 1, 1])
    with torch.no_grad():
        terms = nnf.binary_cross_entropy_with_logits(
            network(pixels[:6]).logits, y_true, reduction="none"
        )
    expected = (terms[0] + terms[1:].mean()) / 2
    (loss,) = adapt_to_few(network, pixels[:6], y_true, steps=1)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_a_network_with_its_own_scheme_uses_it() -> None:
    network = ForensicTransfer(input_px=PIXELS)
    pixels, y_true = _few_faces()
    first = network.encoder.state_dict()
    before = {name: value.clone() for name, value in first.items()}
    losses = adapt_to_few(network, pixels, y_true, steps=2)
    assert len(losses) == 2
    after = network.encoder.state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)


def test_few_shots_refuse_one_class_and_other_lengths() -> None:
    network = MesoNet4(input_px=PIXELS)
    pixels, y_true = _few_faces()
    with pytest.raises(UsageError, match="both classes"):
        adapt_to_few(network, pixels, torch.ones(len(pixels)))
    with pytest.raises(UsageError, match="as many"):
        adapt_to_few(network, pixels, y_true[:-1])


def test_last_layers_keeps_everything_else_still_in_training() -> None:
    torch.manual_seed(0)
    network = MesoNet4(input_px=PIXELS)
    strategy = LastLayers(network, layers=2)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert trained == {
        f"head.{n}.{k}" for n in ("hidden", "classifier") for k in ("weight", "bias")
    }
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    pixels, _ = _few_faces()
    said = network(pixels).logits
    assert torch.equal(said, network(pixels).logits)  # no dropout
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert strategy.modules() == {}


def _domain_loss(
    strategy: GradientReversalStrategy, source: Tensor, target: Tensor, progress: float
) -> Tensor:
    network = MesoNet4(input_px=PIXELS)
    return _terms(strategy, network, source, target, progress)["domain"]


def _plain_domain_loss(
    strategy: GradientReversalStrategy, source: Tensor, target: Tensor
) -> Tensor:
    logits = strategy.domain_classifier(torch.cat([source, target]))
    return nnf.binary_cross_entropy_with_logits(logits, torch.tensor([0.0] * 6 + [1.0] * 6))


def _terms(
    strategy: GradientReversalStrategy | MaximumMeanDiscrepancy | CorrelationAlignment,
    network: MesoNet4,
    source: Tensor,
    target: Tensor,
    progress: float,
) -> dict[str, Tensor]:
    zeros = torch.zeros(len(source))
    batch = TrainingBatch(source, zeros, torch.zeros(len(source), 1, 1), zeros.bool())
    here, there = NetworkOutput(zeros, source), NetworkOutput(torch.zeros(len(target)), target)
    return strategy.loss_terms(network, here, batch, there, progress)


def _few_faces() -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    pixels = torch.rand(8, 3, PIXELS, PIXELS, generator=drawn)
    y_true = torch.tensor([0.0, 1.0] * 4)
    pixels[y_true == 1, 0] += 0.5
    return pixels, y_true


def _misleading_domains() -> tuple[Labelled, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(0)

    def noise(count: int) -> Tensor:
        return torch.randn(count, 12, generator=drawn)

    y_source = (torch.arange(600) % 2).float()
    y_target = (torch.arange(600) % 2).float()
    source, target = noise(600), noise(600)
    source[:, 0] += 3.0 * (y_source - 0.5)
    target[:, 0] += 3.0 * (y_target - 0.5)
    source[:, 1] = 6.0 * (y_source - 0.5) + 0.3 * source[:, 1]
    target[:, 1] = 3.0 + 0.3 * target[:, 1]  # says "fake" of everything
    return Labelled(source, y_source), target, y_target == 1
