"""The game between painter and judges: who is trained by what, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._adversarial_losses import mixed_loss, mixing_share  # noqa: E402
from unmask.generators._patch_discriminator import PatchDiscriminator  # noqa: E402
from unmask.generators.adversarial_swap import (  # noqa: E402
    AdversarialSwap,
    AdversarialSwapConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import Material


@pytest.fixture
def build(material_for: Callable[[str], Material]) -> Callable[..., AdversarialSwap]:
    def make(**changed: object) -> AdversarialSwap:
        config = AdversarialSwapConfig(**{**AdversarialSwap.small, **changed})
        return AdversarialSwap(config, material_for("two_people"), seed=2)

    return make


def one_step(swap: AdversarialSwap, step: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(step)
    swap.training_step(swap.draw_batch(np.random.default_rng(step)), step)
    return {key: value.clone() for key, value in swap.networks.state_dict().items()}


def of(state: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return torch.cat([v.flatten() for k, v in state.items() if k.startswith(name)])


def test_judges_have_no_word_before_the_warm_up_ends(
    build: Callable[..., AdversarialSwap],
) -> None:
    quiet = one_step(build(warm_up=5, adversarial_loss=0.0, feature_loss=0.0), 5)
    loud = one_step(build(warm_up=5, adversarial_loss=1e3, feature_loss=1e3), 5)
    assert torch.equal(of(quiet, "generator"), of(loud, "generator"))
    heard = one_step(build(warm_up=4, adversarial_loss=1e3, feature_loss=1e3), 5)
    assert not torch.equal(of(loud, "generator"), of(heard, "generator"))


def test_the_painters_loss_does_not_move_the_judges(
    build: Callable[..., AdversarialSwap],
) -> None:
    still = build(judge_rate=0.0)
    before = {name: value.clone() for name, value in still.networks["judge_a"].named_parameters()}
    one_step(still, 9)
    for name, value in still.networks["judge_a"].named_parameters():
        assert torch.equal(value, before[name]), name


def test_the_painters_loss_leaves_no_gradient_in_the_judges(
    build: Callable[..., AdversarialSwap], monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = build(judge_rate=0.0)
    monkeypatch.setattr(swap, "_train_judges", lambda _pairs: 0.0)
    one_step(swap, 9)
    for name in ("judge_a", "judge_b"):
        assert all(one.grad is None for one in swap.networks[name].parameters()), name
        assert all(one.requires_grad for one in swap.networks[name].parameters()), name
    assert any(one.grad is not None for one in swap.networks["generator"].parameters())


def test_eyes_and_mouth_may_count_more(build: Callable[..., AdversarialSwap]) -> None:
    plain, more = (one_step(build(parts=parts), 1) for parts in (0.0, 5.0))
    assert not torch.equal(of(plain, "generator"), of(more, "generator"))


def test_a_judge_learns_to_tell_real_from_painted() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(3, 8)
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3)
    real, forged = torch.rand(4, 3, 32, 32), 0.5 + 0.2 * torch.rand(4, 3, 32, 32)
    for _ in range(60):
        loss = mixed_loss(judge, real, forged, mixing_share(), fooling=False)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    judge.eval()
    whole = torch.tensor(1.0)
    with torch.no_grad():
        assert float(judge(real).mean()) > float(judge(forged).mean()) + 0.5
        assert float(mixed_loss(judge, real, forged, whole, fooling=False)) < 0.1
        assert float(mixed_loss(judge, real, forged, whole, fooling=True)) > 0.2


def test_the_painted_mask_is_kept_from_shrinking(build: Callable[..., AdversarialSwap]) -> None:
    swap = build(learning_rate=3e-3)
    figures = []
    for step in range(1, 31):
        torch.manual_seed(step)
        batch = swap.draw_batch(np.random.default_rng(step))
        figures.append(swap.training_step(batch, step)["cover"])
    assert figures[0] > 0.2
    assert figures[-1] < figures[0] - 0.1
