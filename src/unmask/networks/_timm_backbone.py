"""Networks that are a timm backbone, a mean over places and one linear logit.

A file beside this one names the backbone and the paper; what such networks share is here: how they
are built, how weights are fetched from a hub, and what is said where no hub can be reached.
"""

from __future__ import annotations

import importlib
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from unmask import settings
from unmask.errors import MissingExtra, ModelUnavailable
from unmask.networks.base import DetectorNetwork, NetworkOutput

if TYPE_CHECKING:
    from types import ModuleType

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
_PATIENCE_S = 3.0


class TimmNetwork(DetectorNetwork):
    """A timm backbone with one linear logit on its pooled features.

    Subclasses give a spec and ``backbone_name``; see :class:`DetectorNetwork` for the arguments.

    Attributes:
        backbone_name: Architecture and weights as timm calls them (``resnet50.a1_in1k``).
        sized: The backbone is built for one size of picture (transformers).

    Raises:
        UsageError: ``input_px`` is a side that the backbone does not take.
        ModelUnavailable: ``pretrained`` and no hub can be reached.
        MissingExtra: timm is not installed.
    """

    backbone_name: ClassVar[str]
    sized: ClassVar[bool] = False
    has_pretrained: ClassVar[bool] = True

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        size = {"img_size": self.input_px} if self.sized else {}
        self.backbone = build_backbone(self.backbone_name, pretrained=pretrained, **size)
        self.classifier = nn.Linear(int(cast("Any", self.backbone).head_hidden_size), 1)

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, D): what the linear classifier sees."""
        pooled: Tensor = self.backbone(pixels)
        return pooled

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, D)."""
        features = self.features(pixels)
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor | None:
        """Logits of places; None where the backbone ends in tokens or in more than a mean."""
        cells: Tensor = cast("Any", self.backbone).forward_features(pixels)
        linear = self.classifier
        if cells.ndim != 4 or cells.shape[1] != linear.in_features:
            return None
        weighted = torch.einsum("bchw,c->bhw", cells, linear.weight[0])
        return weighted + linear.bias


def build_backbone(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
    """Build a timm backbone that ends in pooled features.

    Args:
        name: Architecture and weights as timm calls them (``resnet50.a1_in1k``).
        pretrained: Load those weights instead of drawing random ones.
        options: Passed on to ``timm.create_model``.

    Raises:
        ModelUnavailable: The weights are neither in the cache nor within reach.
        MissingExtra: timm is not installed.
    """
    timm = import_timm()
    if pretrained:
        # custom_load speaks of the original file; what the hub keeps is converted already.
        overlay = {"file": str(weights_file(name)), "custom_load": False}
        options |= {"pretrained": True, "pretrained_cfg_overlay": overlay}
    backbone: nn.Module = timm.create_model(name, num_classes=0, **options)
    return backbone


def pretrained_state(name: str) -> dict[str, Tensor]:
    """The pretrained weights by name, for networks that take a part of a backbone only.

    Raises:
        ModelUnavailable: They are neither in the cache nor within reach.
        MissingExtra: timm is not installed.
    """
    import_timm()
    from timm.models import load_state_dict

    state: dict[str, Tensor] = load_state_dict(str(weights_file(name)))
    return state


def import_timm() -> ModuleType:
    """timm, or the error that says how to get it.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        importlib.import_module("unmask.networks._torchvision_operators")  # must come first
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", "This network") from error


def weights_file(name: str) -> Path:
    """Where the pretrained weights lie, fetched from their hub where need be.

    Args:
        name: Architecture and weights as timm calls them.

    Raises:
        ModelUnavailable: They are neither in the cache nor within reach; said within seconds.
    """
    config = import_timm().get_pretrained_cfg(name)
    if config.hf_hub_id:
        return _from_hub(name, config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    return _from_address(name, config.url)


def _from_hub(name: str, repository: str, file: str) -> Path:
    import huggingface_hub as hub

    try:
        return Path(hub.hf_hub_download(repository, file, local_files_only=True))
    except hub.errors.LocalEntryNotFoundError:
        pass  # not fetched before
    _demand_network(name, hub.constants.ENDPOINT)
    try:
        return Path(hub.hf_hub_download(repository, file))
    except (hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError, OSError) as error:
        raise _unavailable(name, f"{hub.constants.ENDPOINT} did not serve them") from error


def _from_address(name: str, address: str) -> Path:
    from torch.hub import download_url_to_file, get_dir

    path = Path(get_dir()) / "checkpoints" / Path(address).name
    if path.is_file():
        return path
    _demand_network(name, address)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The end of the name is the beginning of the file's SHA-256.
    digest = path.stem.rpartition("-")[2]
    try:
        download_url_to_file(address, str(path), hash_prefix=digest, progress=False)
    except (OSError, RuntimeError) as error:
        raise _unavailable(name, f"{address} did not serve them") from error
    return path


def _demand_network(name: str, address: str) -> None:
    if settings.offline() or os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "ON"}:
        raise _unavailable(name, "the network may not be used")
    if not _answers(address):
        raise _unavailable(name, f"{address} cannot be reached")


def _answers(address: str) -> bool:
    """Whether a server answers at all; the hub's own client tries for half a minute."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (a fixed https host)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S):  # noqa: S310
                answered.set()
        except urllib.error.HTTPError:
            answered.set()  # a refusal is an answer
        except OSError:
            pass

    # In a thread, because looking up a name knows no time limit.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_PATIENCE_S + 0.5)
    return answered.is_set()


def _unavailable(name: str, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The pretrained weights {name} are not in the cache of this machine, and {why}.",
        hint="Fetch them once where the network may be used, or train with pretrained = false.",
    )
