"""Import this before timm: it lets a torchvision without its compiled operators be imported.

The torchvision wheel of the package index is built against another PyTorch than the CPU build:
its library does not load, and its import stops at ``operator torchvision::nms does not exist``.
timm imports torchvision but never calls that operator, so a declaration without a body will do.
Where torchvision's own library loads, nothing is declared here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_LIBRARY_NAMES = ("_C.so", "_C.dylib", "_C.pyd")


def _own_library_loads() -> bool:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return False
    folder = Path(found.origin).parent
    for path in (folder / name for name in _LIBRARY_NAMES):
        if path.is_file():
            try:
                torch.ops.load_library(path)  # type: ignore[no-untyped-call]
            except OSError:
                return False
            return True
    return False


def _declare_absent() -> torch.library.Library | None:
    """Declare what torchvision's import looks up; the library lives as long as it is kept."""
    if hasattr(torch.ops.torchvision, "nms") or _own_library_loads():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SCHEMA)  # type: ignore[no-untyped-call]
    return library


DECLARED = _declare_absent()
