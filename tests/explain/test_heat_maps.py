"""Heat maps where the answer is known: they point, add up, and forget with the network."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("captum", reason="the extra 'train' is not installed")

import torch

from unmask.errors import UsageError
from unmask.explain.checks import energy_inside, randomised, rank_similarity
from unmask.explain.heat_maps import explain, methods_for
from unmask.networks import DetectorNetwork, NetworkOutput, NetworkSpec

CHANCE = (8 / 32) ** 2
POINTING = ("activation_map", "grad_cam", "integrated_gradients", "input_gradients")


def test_the_networks_have_learnt_the_task(mean_network, mapped_network, held_out) -> None:
    pixels, y_true, _ = held_out
    for network in (mean_network, mapped_network):
        assert ((network.scores(pixels) > 0) == (y_true > 0)).float().mean() > 0.95


def test_what_a_network_allows_follows_from_what_it_is(mean_network, mapped_network) -> None:
    assert methods_for(mean_network) == POINTING
    assert methods_for(mapped_network) == ("own_map", *POINTING[1:])


@pytest.mark.parametrize("method", ["own_map", *POINTING])
def test_a_map_has_the_shape_of_the_crop_and_leaves_the_network_alone(
    method: str, mean_network, mapped_network, held_out
) -> None:
    network = mapped_network if method == "own_map" else mean_network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    grads = [weight.grad for weight in network.parameters()]
    network.train()
    heat = explain(network, held_out[0][1].numpy(), method)
    assert network.training
    network.eval()
    assert heat.method == method
    assert heat.values.shape == (32, 32)
    assert heat.values.dtype == np.float32
    assert 0 <= heat.values.min() <= heat.values.max() <= 1
    assert heat.logit == pytest.approx(float(network.scores(held_out[0][1:2])), abs=1e-5)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [weight.grad for weight in network.parameters()] == grads
    assert network.stages[1].inplace
    again = explain(network, held_out[0][1:2], method)
    np.testing.assert_array_equal(heat.values, again.values)


@pytest.mark.parametrize("method", ["own_map", *POINTING])
def test_maps_point_to_the_manipulated_patch(
    method: str, mean_network, mapped_network, held_out
) -> None:
    network = mapped_network if method == "own_map" else mean_network
    pixels, _, masks = held_out
    rows = (1, 3, 5, 7, 9)
    maps = [explain(network, pixels[i], method).values for i in rows]
    shares = [energy_inside(one, masks[i]) for i, one in zip(rows, maps, strict=True)]
    assert np.mean(shares) > 3 * CHANCE, (method, shares)
    # The pointing game, with the middle of the highest places: probabilities reach 1 in many.
    highest = [np.argwhere(one == one.max()).mean(0).round().astype(int) for one in maps]
    assert sum(masks[i][y, x] for i, (y, x) in zip(rows, highest, strict=True)) >= 4, method


@pytest.mark.parametrize("method", POINTING)
def test_maps_change_when_the_weights_are_forgotten(method: str, mean_network, held_out) -> None:
    """The sanity check of Adebayo et al. (NeurIPS 2018), all layers at once."""
    pixels = held_out[0]
    rows = (1, 3, 5, 7)
    kept, lost = [], []
    for i in rows:
        heat = explain(mean_network, pixels[i], method)
        kept.append(rank_similarity(heat.signed, explain(mean_network, pixels[i], method).signed))
        others = [
            explain(randomised(mean_network, seed), pixels[i], method).signed for seed in (1, 2)
        ]
        lost += [abs(rank_similarity(heat.signed, other)) for other in others]
    assert min(kept) == pytest.approx(1.0)
    assert np.mean(lost) < 0.5, (method, lost)


def test_integrated_gradients_sum_to_the_difference_of_the_logits(mean_network, held_out) -> None:
    for i in (0, 1, 3):
        heat = explain(mean_network, held_out[0][i], "integrated_gradients")
        assert heat.baseline_logit is not None
        gap = heat.logit - heat.baseline_logit
        assert heat.signed.sum() == pytest.approx(gap, abs=0.02 * max(1.0, abs(gap)))


def test_grad_cam_is_the_class_activation_map_up_to_scale(mean_network, held_out) -> None:
    """Selvaraju et al., section 3.1: for a mean over places and a linear logit they are one."""
    cam = explain(mean_network, held_out[0][1], "grad_cam").signed
    with torch.no_grad():
        cells = mean_network.activation_map(held_out[0][1:2])[0] - mean_network.classifier.bias
    assert np.ptp(cam) > 0
    np.testing.assert_allclose(cam * cells.numel(), cells.numpy(), rtol=1e-3, atol=1e-4)


def test_grad_cam_passes_over_layers_that_the_logit_does_not_rest_on(mapped_network) -> None:
    from unmask.explain.feature_map import last_feature_map

    found = last_feature_map(mapped_network, torch.zeros(1, 3, 32, 32))
    assert found is mapped_network.to_map  # runs before the decoder, and feeds the logit


def test_an_activation_map_that_does_not_explain_the_logit_is_refused(
    mean_network, held_out, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = type(mean_network).activation_map
    monkeypatch.setattr(type(mean_network), "activation_map", lambda net, x: right(net, x) + 0.5)
    assert "activation_map" not in methods_for(mean_network)
    with pytest.raises(UsageError, match="mean over places"):
        explain(mean_network, held_out[0][1], "activation_map")


def test_wrong_calls_are_told_what_to_do(mean_network, held_out) -> None:
    with pytest.raises(UsageError, match="gradcam") as caught:
        explain(mean_network, held_out[0][1], "gradcam")
    assert "grad_cam" in caught.value.hint
    with pytest.raises(UsageError, match="own_map"):
        explain(mean_network, held_out[0][1], "own_map")
    with pytest.raises(UsageError, match="attention"):
        explain(mean_network, held_out[0][1], "attention_rollout")
    with pytest.raises(UsageError, match="one crop"):
        explain(mean_network, held_out[0][:2], "grad_cam")


class TinyTransformer(DetectorNetwork):
    """Two layers of attention over sixteen patches."""

    spec: ClassVar = NetworkSpec("tiny-attention", "Tiny", "none", "spatial", input_px=32)

    def __init__(self) -> None:
        from unmask.networks._timm_backbone import import_timm

        import_timm()
        from timm.models.vision_transformer import VisionTransformer

        super().__init__()
        self.backbone = VisionTransformer(
            img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=0
        )
        self.classifier = torch.nn.Linear(24, 1)

    def forward(self, pixels: torch.Tensor) -> NetworkOutput:
        features = self.backbone(pixels)
        return NetworkOutput(self.classifier(features).squeeze(1), features)


def test_attention_is_rolled_out_over_the_patches(held_out) -> None:
    from unmask.explain.attention import attention_layers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = TinyTransformer().eval()
    assert methods_for(network)[0] == "attention_rollout"
    heat = explain(network, held_out[0][1], "attention_rollout")
    assert heat.signed.shape == (4, 4)
    assert 0 < heat.signed.min() <= heat.signed.sum() < 1
    # Where every token attends to every other alike, every patch reaches the class token alike.
    with torch.no_grad():
        for layer in attention_layers(network):
            layer.qkv.weight[:48] = 0
            layer.qkv.bias[:48] = 0
    flat = explain(network, held_out[0][1], "attention_rollout").signed
    # Two layers of half identity, half 1/17: 1/4 * 2/17 + 1/4 * 17/17^2.
    assert flat == pytest.approx(np.full((4, 4), 0.75 / 17), rel=1e-5)


def test_clips_are_refused(mean_network, held_out, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = NetworkSpec("tiny-clip", "Tiny", "none", "temporal", modality="clip", clip_frames=4)
    monkeypatch.setattr(type(mean_network), "spec", clip)
    with pytest.raises(UsageError, match="clips"):
        methods_for(mean_network)
