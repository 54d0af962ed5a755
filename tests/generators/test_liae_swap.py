"""LIAE: one decoder, and a middle that only the second person goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators.liae_swap import LiaeSwap, SharedDecoder  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import Material


@pytest.fixture
def painter() -> SharedDecoder:
    torch.manual_seed(0)
    return SharedDecoder(LiaeSwap.config_class(**LiaeSwap.small))


def touched(painter: SharedDecoder, painted: torch.Tensor) -> set[str]:
    """Names of the parts that a painted picture depends on."""
    painter.zero_grad()
    painted.sum().backward()
    return {
        name
        for name, part in painter.named_children()
        if any(p.grad is not None and bool(p.grad.any()) for p in part.parameters())
    }


def test_the_second_middle_serves_the_second_person_only(painter: SharedDecoder) -> None:
    faces = torch.rand(2, 3, 32, 32)
    shared = {"encoder", "of_both", "decoder"}
    assert touched(painter, painter.paint(faces, second=False)) == shared
    assert touched(painter, painter.paint(faces, second=True)) == {*shared, "of_second"}


def test_training_paints_as_use_does(painter: SharedDecoder) -> None:
    first, second = torch.rand(2, 2, 3, 32, 32)
    together = painter(torch.cat([first, second]))
    torch.testing.assert_close(together[:2], painter.paint(first, second=False))
    torch.testing.assert_close(together[2:], painter.paint(second, second=True))
    assert not torch.allclose(together[:2], painter.paint(first, second=True))


def test_it_is_smaller_than_two_decoders(material_for: Callable[[str], Material]) -> None:
    from unmask.generators.autoencoder_swap import AutoencoderSwap

    material = material_for("two_people")
    sizes = [
        sum(p.numel() for p in cls(cls.config_class(size_px=32), material).networks.parameters())
        for cls in (LiaeSwap, AutoencoderSwap)
    ]
    assert sizes[0] < sizes[1]
