"""What every registered network must be; a new one is tested by being registered."""

from __future__ import annotations

import io
import logging
import warnings
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
import torch.nn.functional as nnf  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from unmask.errors import UsageError  # noqa: E402
from unmask.networks import (  # noqa: E402
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

ALL = NETWORKS.ids()
BY_GRADIENT = [one for one in ALL if NETWORKS.get(one).spec.trained_by == "gradient"]
PICTURES = [one for one in ALL if NETWORKS.get(one).spec.modality == "image"]
SMALL_PX = (64, 70, 96, 112, 128, 160, 224)  # the first that a network takes
STEPS, RATE = 40, 2e-3
# Seconds each: left to the slow run.
SLOW_LEARNERS = {"f3-net", "foundation-clip", "vit-small"}
QUICK_EXPORTS = {"mesonet-4", "meso-inception-4", "mobilenet-v3"}


class Judged(NamedTuple):
    """A network in evaluation mode, what it was shown, and what it said."""

    network: DetectorNetwork
    pixels: Tensor
    output: NetworkOutput


@pytest.fixture(scope="module", params=ALL)
def judged(request: pytest.FixtureRequest) -> Judged:
    network = build_small(request.param)
    pixels = odd_pictures(network)
    return Judged(network, pixels, run(network, pixels))


def build_small(network_id: str, seed: int = 0) -> DetectorNetwork:
    """The network at the smallest size of the list that it takes, fitted where that is its way.

    Networks of clips say themselves what a configuration for two cores is (``small``).
    """
    torch.manual_seed(seed)
    entry = NETWORKS.get(network_id)
    narrow = dict(getattr(entry, "small", {}))
    for side in SMALL_PX:
        try:
            return fitted(entry(input_px=side, **narrow))
        except UsageError as error:  # a size that is refused says so, and what to do
            assert str(side) in error.message
            assert error.hint
    return fitted(entry(**narrow))


def fitted(network: DetectorNetwork) -> DetectorNetwork:
    network.eval()
    if network.spec.trained_by == "fit":
        pixels, y_true = examples(network, 32)
        with torch.no_grad():
            network.fit(network(pixels).features, y_true)
    return network


def shaped(spec: NetworkSpec, pictures: Tensor) -> Tensor:
    """(N, 3, S, S) in 0..255 -> what the network takes: normalised, and a clip where it sees one.

    The frames of a clip are the picture, each a pixel further on and a little brighter.
    """
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (spec.mean, spec.std))
    if spec.modality == "clip":
        frames = [(pictures.roll(n, -1) + n).clamp(0, 255) for n in range(min(spec.clip_frames, 8))]
        pictures = torch.stack(frames, 1)
    return (pictures - mean) / std


def examples(network: DetectorNetwork, count: int) -> tuple[Tensor, Tensor]:
    """Distinct smooth random pictures of which every other is called fake."""
    draw = torch.Generator().manual_seed(7)
    coarse = torch.rand(count, 3, 8, 8, generator=draw) * 255
    side = network.input_px
    pictures = nnf.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 255)
    return shaped(network.spec, pictures), torch.tensor([0.0, 1.0]).repeat(count // 2)


def traced(network: DetectorNetwork, count: int) -> tuple[Tensor, Tensor]:
    """The same, with a grid of period two in the fakes: a penalised fit does not learn by heart."""
    pixels, y_true = examples(network, count)
    grid = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(*(2 * (network.input_px // 2,)))
    return pixels + 0.05 * y_true.view(-1, 1, 1, 1) * grid, y_true


def odd_pictures(network: DetectorNetwork) -> Tensor:
    """Black, white, noise, and one that is like a picture."""
    side = network.input_px
    noise = torch.rand(3, side, side, generator=torch.Generator().manual_seed(3)) * 255
    flat = [torch.zeros(3, side, side), torch.full((3, side, side), 255.0), noise]
    return torch.cat([shaped(network.spec, torch.stack(flat)), examples(network, 2)[0][:1]])


def batch_of(pixels: Tensor, y_true: Tensor, *, masks_known: bool = True) -> TrainingBatch:
    """Fakes are foreign in the middle of the picture."""
    side = pixels.shape[-1]
    masks = torch.zeros(len(pixels), side, side)
    if masks_known:
        masks[y_true > 0.5, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    known = torch.full((len(pixels),), masks_known)
    return TrainingBatch(pixels, y_true, masks, known | (y_true < 0.5), paired=True)


@torch.no_grad()
def run(network: DetectorNetwork, pixels: Tensor) -> NetworkOutput:
    output: NetworkOutput = network.eval()(pixels)
    return output


def assert_close(one: Tensor | None, other: Tensor | None) -> None:
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


# ------------------------------------------------------------------- evaluation


def test_outputs_have_their_shapes_and_are_finite(judged: Judged) -> None:
    output, count = judged.output, len(judged.pixels)
    assert output.logits.shape == (count,)
    assert output.features.ndim == 2
    assert len(output.features) == count
    if output.maps is not None:
        assert output.maps.ndim == 3
        assert len(output.maps) == count
        assert min(output.maps.shape[1:]) >= 2
    for one in (output.logits, output.features, output.maps):
        assert one is None or bool(torch.isfinite(one).all())
    assert float(output.features.std(0).max()) > 0  # it looks at its input


def test_the_same_pictures_give_the_same_in_any_batch(judged: Judged) -> None:
    network, pixels, whole = judged
    assert torch.equal(run(network, pixels.clone()).logits, whole.logits)
    alone = [run(network, pixels[i : i + 1]) for i in range(len(pixels))]
    assert_close(torch.cat([one.logits for one in alone]), whole.logits)
    assert_close(torch.cat([one.features for one in alone]), whole.features)
    if whole.maps is not None:
        assert_close(torch.cat([one.maps for one in alone if one.maps is not None]), whole.maps)


def test_scores_leave_the_mode_as_it_was(judged: Judged) -> None:
    network = judged.network.train()
    scores = network.scores(judged.pixels[-1:])
    assert network.training
    assert not scores.requires_grad
    assert_close(scores, judged.output.logits[-1:].float())
    network.eval()


def test_weights_that_are_kept_and_loaded_say_the_same(judged: Judged) -> None:
    network, pixels, output = judged
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    torch.manual_seed(99)
    narrow = dict(getattr(network, "small", {}))
    fresh = type(network)(input_px=network.input_px, **narrow)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(run(fresh, pixels).logits, output.logits)


# --------------------------------------------------------------------- training


@pytest.mark.parametrize("network_id", BY_GRADIENT)
def test_losses_are_finite_and_every_parameter_feels_them(network_id: str) -> None:
    """For one of four draws of the weights: that a ReLU is dead at first is no fault in wiring."""
    unreached: set[str] = set()
    for seed in range(4):
        network = build_small(network_id, seed).train()
        reached, tuned = parameters_reached(network, seed)
        assert tuned
        unreached = (unreached or tuned) - reached
        if not unreached:
            return
    pytest.fail(f"no gradient comes to {', '.join(sorted(unreached))}")


def parameters_reached(network: DetectorNetwork, seed: int) -> tuple[set[str], set[str]]:
    """Names of the parameters with a gradient, and of those that ask for one."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # layers that start at zero hide those below them
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=draw))
    pixels, y_true = examples(network, 4)
    output = network(pixels)
    for labels in (y_true, torch.zeros(4), torch.ones(4)):  # and without masks
        terms = network.loss_terms(output, batch_of(pixels, labels, masks_known=False))
        assert "class" in terms
        assert all(term.ndim == 0 and bool(torch.isfinite(term)) for term in terms.values())
    sum(network.loss_terms(output, batch_of(pixels, y_true)).values()).backward()
    reached, tuned = set(), set()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, name
            continue
        tuned.add(name)
        if parameter.grad is not None and bool(parameter.grad.any()):
            assert bool(torch.isfinite(parameter.grad).all()), name
            reached.add(name)
    return reached, tuned


@pytest.mark.parametrize(
    "network_id",
    [
        pytest.param(one, marks=[pytest.mark.slow] if one in SLOW_LEARNERS else [])
        for one in BY_GRADIENT
    ],
)
def test_it_learns_eight_pictures(network_id: str) -> None:
    """Until the class loss is below 0.1, or all eight are told apart in evaluation mode."""
    network = build_small(network_id)
    pixels, y_true = examples(network, 8)
    batch = batch_of(pixels, y_true)
    tuned = [p for p in network.parameters() if p.requires_grad]
    rate = RATE * (5 if len(tuned) < len(list(network.parameters())) else 1)
    optimiser = torch.optim.Adam(tuned, lr=rate)
    first = None
    for step in range(STEPS):
        network.train()
        terms = network.loss_terms(network(pixels), batch)
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
        loss = float(terms["class"].detach())
        first = loss if first is None else first
        if loss < 0.1 or (step % 5 == 4 and tells_apart(network, pixels, y_true)):
            return
    pytest.fail(f"after {STEPS} steps the class loss went from {first:.3f} to {loss:.3f}")


def tells_apart(network: DetectorNetwork, pixels: Tensor, y_true: Tensor) -> bool:
    """Whether every fake scores above zero and every real below, with fresh batch statistics."""
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    return bool(((network.scores(pixels) > 0) == (y_true > 0.5)).all())


@pytest.mark.parametrize("network_id", sorted(set(ALL) - set(BY_GRADIENT)))
def test_what_is_fitted_at_once_tells_its_pictures_apart(network_id: str) -> None:
    network = build_small(network_id)
    pixels, y_true = traced(network, 32)
    with torch.no_grad():
        network.fit(network(pixels).features, y_true)
    assert tells_apart(network, pixels, y_true)


def test_what_is_trained_by_gradient_cannot_be_fitted() -> None:
    with pytest.raises(NotImplementedError, match="gradient"):
        build_small("mesonet-4").fit(torch.zeros(2, 16), torch.tensor([0.0, 1.0]))


# ----------------------------------------------------------------------- export


@pytest.mark.parametrize(
    "network_id",
    [
        pytest.param(one, marks=[] if one in QUICK_EXPORTS else [pytest.mark.slow])
        for one in PICTURES
    ],
)
def test_exported_it_says_the_same(network_id: str) -> None:
    import onnxruntime

    network = build_small(network_id)
    pixels = odd_pictures(network)
    expected = run(network, pixels)
    session = onnxruntime.InferenceSession(onnx_bytes(network), providers=["CPUExecutionProvider"])
    for count in (1, len(pixels)):
        logits = session.run(["logits"], {"pixels": pixels[:count].numpy()})[0]
        np.testing.assert_allclose(logits, expected.logits[:count].numpy(), atol=1e-4, rtol=1e-4)


def onnx_bytes(network: DetectorNetwork) -> bytes:
    class Scores(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = network(pixels).logits
            return logits

    scores = Scores()
    scores.add_module("network", network)
    side = network.input_px
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            scores.eval(),
            (torch.zeros(2, 3, side, side),),
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    data: bytes = program.model_proto.SerializeToString()
    return data
