"""Heat maps: which places of a crop speak for manipulation, by several methods.

Each method answers another question, and none proves a manipulation:

- ``own_map``: the share of manipulated pixels that the network was trained to tell.
- ``activation_map``: the logit of each place, for networks that end in a mean over places and a
  linear logit (Zhou et al., CVPR 2016).
- ``grad_cam``: places of the last feature map whose channels raise the logit (Selvaraju et al.,
  ICCV 2017).
- ``attention_rollout``: where a transformer's class token draws from, whatever the class (Abnar &
  Zuidema, ACL 2020).
- ``integrated_gradients``: the share of each pixel in the difference of the logit to that of a
  crop of the mean colour (Sundararajan et al., ICML 2017).
- ``input_gradients``: how steeply the logit follows each pixel (Simonyan et al., ICLR workshop
  2014), times the pixel's distance from the mean colour.

Example:
    >>> heat = explain(network, pixels, "grad_cam")  # doctest: +SKIP
    >>> heat.values.shape  # doctest: +SKIP
    (224, 224)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.explain.attention import attention_layers, rollout
from unmask.explain.feature_map import last_feature_map
from unmask.networks._own_map import explains, map_kind_of

if TYPE_CHECKING:
    from unmask.networks import DetectorNetwork
    from unmask.types import Floats

_IG_STEPS = 64
_IG_BATCH = 8
_STRONG = 0.995


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """What a method says about one crop.

    Attributes:
        method: Its name, one of :data:`METHODS`.
        values: (S, S) float32 in 0..1 over the crop, higher = speaks more for manipulation. Of
            ``own_map`` and ``activation_map`` a probability; of the others relative to the
            strongest places of this crop (1 from the 99.5th percentile on), so that two crops
            cannot be compared by it.
        signed: (h, w) float32 as the method gives it: logits of places (``own_map``,
            ``activation_map``), parts of the logit that sum to ``logit - baseline_logit``
            (``integrated_gradients``), or in units of the method.
        logit: The network's score of the crop.
        baseline_logit: Its score of the baseline; None for methods without one.
    """

    method: str
    values: Floats
    signed: Floats
    logit: float
    baseline_logit: float | None = None


def explain(network: DetectorNetwork, pixels: Tensor | Floats, method: str) -> HeatMap:
    """Make the heat map of one crop.

    Args:
        network: An image network; its mode and gradients are left as they were.
        pixels: (3, S, S) or (1, 3, S, S) float32, normalised by the network's spec.
        method: One of :func:`methods_for`.

    Raises:
        UsageError: There is no such method, the network does not have what it needs, or the
            pixels are of another shape.
    """
    make = _METHODS.get(method)
    if make is None:
        near = difflib.get_close_matches(method, _METHODS, n=1, cutoff=0.4)
        raise UsageError(
            f"There is no heat map called {method!r}.",
            hint=f"Did you mean {near[0]}?" if near else f"There is: {', '.join(METHODS)}.",
        )
    crop = _one_crop(network, pixels)
    with _explainable(network), torch.enable_grad():
        signed, relative, baseline_logit = make(network, crop)
        with torch.no_grad():
            logit = float(network(crop).logits)
    return HeatMap(
        method=method,
        values=_spread(signed, relative=relative, side=crop.shape[-1]),
        signed=np.asarray(signed.detach().float().cpu().numpy(), np.float32),
        logit=logit,
        baseline_logit=baseline_logit,
    )


def methods_for(network: DetectorNetwork) -> tuple[str, ...]:
    """The methods that this network allows, the most telling first."""
    _demand_image(network)
    kind = map_kind_of(network)
    found = ["own_map"] if kind == "manipulated_pixels" else []
    found += ["activation_map"] if kind == "class_activation" else []
    side = network.input_px
    device = next(network.parameters()).device
    blank = torch.zeros(1, 3, side, side, device=device)
    with _explainable(network), torch.enable_grad():
        if network(blank.requires_grad_()).logits.requires_grad:
            if attention_layers(network):
                found.append("attention_rollout")
            elif last_feature_map(network, blank) is not None:
                found.append("grad_cam")
            found += ["integrated_gradients", "input_gradients"]
    return tuple(found)


# signed (h, w); whether it is relative or holds logits of places; the baseline's logit
_Made = tuple[Tensor, bool, float | None]


def _own_map(network: DetectorNetwork, crop: Tensor) -> _Made:
    with torch.no_grad():
        maps = network(crop).maps
    if maps is None:
        raise _lacks(network, "own_map", "gives no map of its own")
    return maps[0], False, None


def _activation_map(network: DetectorNetwork, crop: Tensor) -> _Made:
    with torch.no_grad():
        cells, whole = network.activation_map(crop), network(crop).logits
    # Its mean must be the logit, or it explains something else.
    if cells is None or not explains(cells, whole):
        raise _lacks(network, "activation_map", "does not end in a mean over places")
    return cells[0], False, None


def _grad_cam(network: DetectorNetwork, crop: Tensor) -> _Made:
    from captum.attr import LayerGradCam

    layer = last_feature_map(network, crop)
    if layer is None:
        raise _lacks(network, "grad_cam", "has no feature map that its logit depends on")
    cam = LayerGradCam(_logits_of(network), layer).attribute(crop.requires_grad_())
    return cam[0, 0], True, None


def _attention_rollout(network: DetectorNetwork, crop: Tensor) -> _Made:
    if not attention_layers(network):
        raise _lacks(network, "attention_rollout", "has no attention layers that can be read")
    return rollout(network, crop), True, None


def _integrated_gradients(network: DetectorNetwork, crop: Tensor) -> _Made:
    from captum.attr import IntegratedGradients

    baseline = torch.zeros_like(crop)  # the mean colour: pixels are normalised
    method = IntegratedGradients(_logits_of(network))
    shares = method.attribute(
        crop, baselines=baseline, n_steps=_IG_STEPS, internal_batch_size=_IG_BATCH
    )
    with torch.no_grad():
        baseline_logit = float(network(baseline).logits)
    return shares[0].sum(0), True, baseline_logit


def _input_gradients(network: DetectorNetwork, crop: Tensor) -> _Made:
    from captum.attr import InputXGradient

    shares = InputXGradient(_logits_of(network)).attribute(crop.requires_grad_())
    return shares[0].sum(0), True, None


_METHODS: dict[str, Callable[[DetectorNetwork, Tensor], _Made]] = {
    "own_map": _own_map,
    "activation_map": _activation_map,
    "grad_cam": _grad_cam,
    "attention_rollout": _attention_rollout,
    "integrated_gradients": _integrated_gradients,
    "input_gradients": _input_gradients,
}
METHODS = tuple(_METHODS)


class _Logits(nn.Module):
    """A network that returns its logits only, as captum wants it."""

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels).logits
        return logits


def _logits_of(network: DetectorNetwork) -> _Logits:
    return _Logits(network).eval()


@contextmanager
def _explainable(network: DetectorNetwork) -> Iterator[None]:
    """Evaluation mode, and nothing computed in place: hooks would see what came after."""
    was_training = network.training
    in_place: list[Any] = [one for one in network.modules() if getattr(one, "inplace", False)]
    network.eval()
    for module in in_place:
        module.inplace = False
    try:
        yield
    finally:
        for module in in_place:
            module.inplace = True
        network.train(was_training)


def _one_crop(network: DetectorNetwork, pixels: Tensor | Floats) -> Tensor:
    _demand_image(network)
    crop = torch.as_tensor(pixels, dtype=torch.float32).detach().clone()
    crop = crop[None] if crop.ndim == 3 else crop
    side = network.input_px
    if crop.shape != (1, 3, side, side):
        raise UsageError(
            f"Pixels of the shape {tuple(crop.shape)} came; {network.spec.id} takes one crop of "
            f"(3, {side}, {side}).",
            hint="Cut the crops with unmask.detectors.views, and explain them one by one.",
        )
    return crop.to(next(network.parameters()).device)


def _demand_image(network: DetectorNetwork) -> None:
    if network.spec.modality != "image":
        raise UsageError(
            f"{network.spec.id} scores clips; heat maps are made of single crops.",
            hint="Choose an image network.",
        )


def _spread(signed: Tensor, *, relative: bool, side: int) -> Floats:
    """Evidence for manipulation as 0..1 over the crop."""
    evidence = signed.detach().float()
    if relative:
        evidence = evidence.clamp(min=0)
        # Not the highest place: single pixels would hide all others.
        strong = torch.quantile(evidence, _STRONG)
        top = strong if strong > 0 else evidence.max()
        evidence = evidence / top.clamp(min=torch.finfo(torch.float32).tiny)
    else:
        evidence = evidence.sigmoid()
    if evidence.shape != (side, side):
        evidence = nnf.interpolate(
            evidence[None, None], size=(side, side), mode="bilinear", align_corners=False
        )[0, 0]
    return np.asarray(evidence.clamp(0, 1).cpu().numpy(), np.float32)


def _lacks(network: DetectorNetwork, method: str, what: str) -> UsageError:
    return UsageError(
        f"{method} cannot be made of {network.spec.id}: it {what}.",
        hint="methods_for(network) names those that can.",
    )
