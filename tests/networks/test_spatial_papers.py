"""What single papers say of their networks, beyond what every network must be."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
from torch import Tensor  # noqa: E402

from unmask.networks import NETWORKS, NetworkOutput, TrainingBatch  # noqa: E402
from unmask.networks.attention_map import AttentionMap  # noqa: E402
from unmask.networks.capsule import Capsule  # noqa: E402
from unmask.networks.face_warping import FaceWarping, _random_regions  # noqa: E402
from unmask.networks.foundation import FoundationDino  # noqa: E402


def batch(y_true: Tensor, masks: Tensor, known: list[bool]) -> TrainingBatch:
    pixels = torch.zeros(len(y_true), 3, 64, 64)
    return TrainingBatch(pixels, y_true, masks, torch.tensor(known))


def noise(count: int, side: int = 64) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1


# ---------------------------------------------------------------- attention map


@pytest.fixture(scope="module")
def attention() -> AttentionMap:
    torch.manual_seed(0)
    return AttentionMap(input_px=64).eval()


@torch.no_grad()
def test_the_map_gates_the_features(attention: AttentionMap) -> None:
    pixels = noise(2)
    bias = attention.to_map[1].bias
    kept = bias.clone()
    try:
        bias.fill_(-60.0)  # nothing passes: every picture looks alike
        shut = attention(pixels).features
        bias.fill_(60.0)  # everything passes: plain Xception
        open_ = attention(pixels).features
    finally:
        bias.copy_(kept)
    assert torch.allclose(shut[0], shut[1], atol=1e-5)
    assert torch.allclose(open_, attention.features(pixels), atol=1e-4)


def test_the_map_is_compared_where_the_mask_is_known(attention: AttentionMap) -> None:
    maps = torch.tensor([[[50.0, -50.0], [-50.0, -50.0]]]).repeat(2, 1, 1)  # a quarter is foreign
    output = NetworkOutput(torch.zeros(2), torch.zeros(2, 1), maps)
    masks = torch.zeros(2, 64, 64)
    masks[0, :32, :32] = 1
    masks[1] = 0.5
    y_true = torch.tensor([0.0, 1.0])

    def term(known: list[bool]) -> Tensor | None:
        return attention.loss_terms(output, batch(y_true, masks, known)).get("map")

    assert float(term([True, False])) == pytest.approx(0.0, abs=1e-6)
    assert float(term([False, True])) == pytest.approx(0.5)
    assert float(term([True, True])) == pytest.approx(0.25)
    assert term([False, False]) is None


# ---------------------------------------------------------------------- capsule


@torch.no_grad()
def test_the_score_is_the_mean_softmax_over_the_dimensions() -> None:
    torch.manual_seed(0)
    network = Capsule(input_px=32).eval()
    output = network(noise(3, 32))
    votes = output.extra["votes"]
    assert votes.shape == (3, 4)
    assert float(votes.abs().max()) < 2  # output capsules are at most one long
    two = torch.stack([torch.zeros_like(votes), votes], -1).softmax(-1)[..., 1].mean(1)
    torch.testing.assert_close(output.logits.sigmoid(), two)
    lengths = output.features.view(3, 10, 8).norm(dim=2)
    assert float(lengths.max()) < 1


def test_with_imagenet_weights_vgg_is_fixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants
    from safetensors.torch import save_file

    donor = Capsule(input_px=32)
    store = tmp_path / "models--timm--vgg19.tv_in1k"
    (store / "refs").mkdir(parents=True)
    (store / "refs" / "main").write_text("0" * 40)
    (store / "snapshots" / ("0" * 40)).mkdir(parents=True)
    state = {f"features.{key}": value for key, value in donor.vgg.state_dict().items()}
    save_file(state, store / "snapshots" / ("0" * 40) / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    network = Capsule(input_px=32, pretrained=True)
    for one, other in zip(network.vgg.parameters(), donor.vgg.parameters(), strict=True):
        assert torch.equal(one, other)
        assert not one.requires_grad
    assert all(p.requires_grad for p in network.capsules.parameters())
    assert all(p.requires_grad for p in donor.vgg.parameters())


# ----------------------------------------------------------------- face warping


@torch.no_grad()
def test_analysis_averages_three_regions() -> None:
    torch.manual_seed(0)
    network = FaceWarping(input_px=64).eval()
    pixels = noise(2)
    whole = network.classifier(network.features(pixels)).squeeze(1)
    logits = network(pixels).logits
    assert not torch.allclose(logits, whole, atol=1e-6)
    flat = torch.full((1, 3, 64, 64), 0.3)  # all regions of it are the same
    torch.testing.assert_close(
        network(flat).logits, network.classifier(network.features(flat)).squeeze(1)
    )


def test_training_regions_lie_inside_the_crop_and_differ() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(64.0).expand(32, 3, 64, 64)
    regions = _random_regions(ramp)
    left, right = regions[:, 0, 0, 0], regions[:, 0, 0, -1]
    assert float(left.min()) >= 0
    assert float(right.max()) <= 63
    spans = (right - left) / 63
    assert float(spans.min()) > 0.78
    assert float(spans.max()) < 1.001
    assert float(spans.std()) > 0.02
    assert float(left.std()) > 0.5


# ------------------------------------------------------------------- foundation


@pytest.mark.parametrize(
    ("network_id", "tuned"),
    # two normalisations in each of twelve blocks and one behind them (CLIP: one before), of a
    # weight and a bias each; and a classifier
    [("foundation-clip", 26 * 2 * 768 + 769), ("foundation-dino", 25 * 2 * 384 + 385)],
)
def test_only_normalisations_and_the_classifier_are_tuned(network_id: str, tuned: int) -> None:
    with torch.device("meta"):
        network = NETWORKS.get(network_id)()
    names = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert sum(p.numel() for p in names.values()) == tuned
    assert all("norm" in name or name.startswith("classifier.") for name in names)
    assert tuned < 0.002 * sum(p.numel() for p in network.parameters())


def test_features_lie_on_a_sphere_and_the_terms_are_those_of_the_paper() -> None:
    torch.manual_seed(0)
    network = FoundationDino(input_px=56).eval()
    with torch.no_grad():
        features = network(noise(2, 56)).features
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    axes = torch.eye(3)
    # two alike reals, two fakes at right angles: squared distances 0 within and 2 elsewhere
    output = NetworkOutput(torch.zeros(4), axes[[0, 0, 1, 2]])
    masks = torch.zeros(4, 64, 64)
    known = [False] * 4
    y_true = torch.tensor([0.0, 0.0, 1.0, 1.0])
    terms = network.loss_terms(output, batch(y_true, masks, known))
    uniform = torch.log((1 + 5 * torch.exp(torch.tensor(-4.0))) / 6)
    assert float(terms["uniformity"]) == pytest.approx(0.5 * float(uniform), rel=1e-5)
    assert float(terms["alignment"]) == pytest.approx(0.1 * 1.0)
    single = network.loss_terms(
        NetworkOutput(torch.zeros(1), axes[:1]), batch(y_true[:1], masks[:1], [False])
    )
    assert set(single) == {"class"}
