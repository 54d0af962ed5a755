"""Temporal networks: that they see time, judge frames, and say the same once exported.

What every network must be is in test_conformance.py; here the small configurations are used.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
import torch.nn.functional as nnf  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from unmask.errors import UsageError  # noqa: E402
from unmask.networks._clip_network import ClipNetwork, clip_shape, frame_loss  # noqa: E402
from unmask.networks._transformer import EncoderLayer  # noqa: E402
from unmask.networks.base import NETWORKS, TrainingBatch  # noqa: E402
from unmask.networks.stil import TemporalInconsistency  # noqa: E402
from unmask.networks.tall import lay_out  # noqa: E402

TEMPORAL = [one for one in NETWORKS.ids() if NETWORKS.get(one).spec.family == "temporal"]
JUDGES_FRAMES = {"cnn-lstm", "lrcn", "i3d", "stil", "tall", "temporal-transformer"}
QUICK_EXPORTS = {"ftcn"}
FRAMES, SIDE = 8, 96


def small(network_id: str) -> ClipNetwork:
    torch.manual_seed(0)
    entry = NETWORKS.get(network_id)
    assert issubclass(entry, ClipNetwork)
    network = entry(input_px=SIDE, **entry.small)
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():  # fresh weights say nearly the same of everything
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        for norm in norms:
            norm.momentum = 1.0
        network.train()(films(4, seed=9))
    return network.eval()


def films(count: int, seed: int) -> Tensor:
    """Smooth random pictures that change from frame to frame."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count * FRAMES, 3, 8, 8, generator=draw)
    frames = nnf.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return frames.reshape(count, FRAMES, 3, SIDE, SIDE)


def test_all_of_the_field_are_there() -> None:
    assert {*JUDGES_FRAMES, "resnet-3d-18", "ftcn"} <= set(TEMPORAL)


@pytest.mark.parametrize("network_id", TEMPORAL)
def test_small_configurations_see_time_and_judge_frames(network_id: str) -> None:
    network = small(network_id)
    assert network.spec.modality == "clip"
    assert sum(p.numel() for p in network.parameters()) < 3e6
    clips = films(2, seed=1)
    with torch.no_grad():
        whole, shuffled = network(clips), network(clips[:, torch.tensor([3, 0, 7, 5, 1, 6, 2, 4])])
        shorter = network(clips[:, :5])
    assert shorter.logits.shape == (2,)
    # The same frames in another order are another clip.
    assert float((whole.logits - shuffled.logits).abs().min()) > 1e-6
    if network_id in JUDGES_FRAMES:
        assert whole.extra["frame_logits"].shape == (2, FRAMES)
        assert shorter.extra["frame_logits"].shape == (2, 5)
        assert bool(torch.isfinite(whole.extra["frame_logits"]).all())


@pytest.mark.parametrize("network_id", ["cnn-lstm", "lrcn"])
def test_memories_judge_a_frame_by_what_came_before(network_id: str) -> None:
    network = small(network_id)
    clips = films(1, seed=2)
    changed = clips.clone()
    changed[:, 5] = changed[:, 5].flip(-1)
    with torch.no_grad():
        before, after = network(clips), network(changed)
    moved = (before.extra["frame_logits"] - after.extra["frame_logits"]).abs()[0]
    assert float(moved[:5].max()) < 1e-5
    assert float(moved[5:].min()) > 0
    expected = before.extra["frame_logits"]
    expected = expected[:, -1] if network_id == "cnn-lstm" else expected.mean(1)
    torch.testing.assert_close(before.logits, expected)


@pytest.mark.parametrize(
    "network_id",
    [pytest.param(n, marks=[] if n in QUICK_EXPORTS else [pytest.mark.slow]) for n in TEMPORAL],
)
def test_exported_it_says_the_same(network_id: str) -> None:
    import onnxruntime

    network = small(network_id)
    clips = films(3, seed=3)
    with torch.no_grad():
        expected = network(clips).logits.numpy()
    assert np.ptp(expected) > 1e-4
    session = onnxruntime.InferenceSession(onnx_bytes(network), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        logits = session.run(["logits"], {"pixels": clips[:count].numpy()})[0]
        np.testing.assert_allclose(logits, expected[:count], atol=1e-4, rtol=1e-4)


def onnx_bytes(network: ClipNetwork) -> bytes:
    class Scores(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = network(pixels).logits
            return logits

    scores = Scores()
    scores.add_module("network", network)
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            scores.eval(),
            (torch.zeros(2, FRAMES, 3, SIDE, SIDE),),
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    data: bytes = program.model_proto.SerializeToString()
    return data


# ----------------------------------------------------------------- what they are made of


def test_a_thumbnail_holds_four_frames_in_order() -> None:
    frames = torch.arange(6.0).view(1, 6, 1, 1, 1).expand(1, 6, 3, 2, 2)
    first, second = lay_out(frames)[0]
    assert first[0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert second[0].tolist() == [[4, 4, 5, 5], [4, 4, 5, 5], [5, 5, 5, 5], [5, 5, 5, 5]]
    picture = torch.arange(4.0).view(1, 1, 1, 2, 2).expand(1, 1, 3, 2, 2)  # not turned either
    assert lay_out(picture)[0, 0, 0, :2, :2].tolist() == [[0, 1], [2, 3]]


def test_the_masked_place_is_the_same_in_all_frames() -> None:
    from unmask.networks.tall import _mask_one_place

    torch.manual_seed(4)
    masked = _mask_one_place(torch.ones(3, 4, 3, 16, 16))
    blank = masked == 0
    assert blank.flatten(1).sum(1).tolist() == [4 * 3 * 16] * 3  # 4 x 4 px in 4 frames, 3 channels
    assert torch.equal(blank[:, 0], blank[:, 3])
    assert not torch.equal(blank[0], blank[1])


def test_a_still_gives_the_temporal_module_no_difference_to_its_neighbours() -> None:
    """With filters that pass a frame on as it is, a clip that stands still draws no attention."""
    module = TemporalInconsistency(16).eval()
    still = torch.randn(1, 16, 6, 6).abs().repeat(4, 1, 1, 1)
    with torch.no_grad():
        for direction in (module.by_rows, module.by_columns):
            direction.neighbour.weight.zero_()
            direction.neighbour.weight.view(-1, 3)[:, 1] = 1
        assert torch.allclose(module(still, 4), still, atol=1e-6)
        moving = still * torch.tensor([1.0, 2.0, 1.0, 2.0]).view(4, 1, 1, 1)
        shifted_only = module(moving, 4)
    assert not torch.allclose(shifted_only, moving)


def test_the_shift_filter_looks_back_ahead_and_stays() -> None:
    module = TemporalInconsistency(16)
    assert module.over_time.sum(0).tolist() == [1] * 16
    assert module.over_time[0].nonzero().flatten().tolist() == [0, 1]
    assert module.over_time[2].nonzero().flatten().tolist() == [2, 3]


def test_the_encoder_layer_is_that_of_pytorch() -> None:
    torch.manual_seed(5)
    ours = EncoderLayer(32, 4).eval()
    theirs = nn.TransformerEncoderLayer(
        32, 4, 128, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    names = {
        "self_attn.in_proj_weight": "query_key_value.weight",
        "self_attn.in_proj_bias": "query_key_value.bias",
        "self_attn.out_proj.weight": "project.weight",
        "self_attn.out_proj.bias": "project.bias",
        "linear1.weight": "hidden.0.weight",
        "linear1.bias": "hidden.0.bias",
        "linear2.weight": "hidden.2.weight",
        "linear2.bias": "hidden.2.bias",
        "norm1.weight": "attention_norm.weight",
        "norm1.bias": "attention_norm.bias",
        "norm2.weight": "hidden_norm.weight",
        "norm2.bias": "hidden_norm.bias",
    }
    theirs.load_state_dict({name: ours.state_dict()[own] for name, own in names.items()})
    tokens = torch.randn(2, 9, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens), atol=1e-5, rtol=1e-5)


def test_the_loss_of_frames_by_hand() -> None:
    network = small("temporal-transformer")
    clips = torch.zeros(2, 2, 3, SIDE, SIDE)
    nothing = torch.zeros(2, SIDE, SIDE)
    batch = TrainingBatch(clips, torch.tensor([0.0, 1.0]), nothing, torch.ones(2, dtype=torch.bool))
    output = network(clips)._replace(
        logits=torch.zeros(2), extra={"frame_logits": torch.tensor([[0.0, 0.0], [100.0, 100.0]])}
    )
    expected = float(np.log(2)) / 2  # even odds on the real clip's frames, certainty on the fake's
    assert float(frame_loss(output, batch)) == pytest.approx(expected, abs=1e-6)
    terms = network.loss_terms(output, batch)
    assert float(terms["class"]) == pytest.approx(np.log(2), abs=1e-6)
    assert float(terms["frames"]) == pytest.approx(0.3 * expected, abs=1e-6)


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("network_id", TEMPORAL)
def test_pictures_are_refused(network_id: str) -> None:
    with pytest.raises(UsageError, match=r"\(2, 3, 96, 96\)") as caught:
        small(network_id)(torch.zeros(2, 3, SIDE, SIDE))
    assert "modality" in caught.value.hint
    with pytest.raises(UsageError):
        clip_shape(torch.zeros(2, 8, 4, SIDE, SIDE))


@pytest.mark.parametrize("network_id", ["ftcn", "temporal-transformer"])
def test_clips_longer_than_the_places_are_refused(network_id: str) -> None:
    with pytest.raises(UsageError, match="65 frames"):
        small(network_id)(torch.zeros(1, 65, 3, SIDE, SIDE))
