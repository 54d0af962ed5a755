"""``unmask-open``: the same network, trained on openly licensed portraits alone.

For whoever may not use weights that research-only data went into. It has seen fewer people and no
forgery but those made here, and it is weaker: the model card ``weights/unmask-open.md`` says by how
much. As for :mod:`unmask.detectors.unmask_base`, this file needs no PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.detectors._packaged import PackagedOnnx
from unmask.detectors.base import DETECTORS, DetectorSpec


@DETECTORS.register
class UnmaskOpen(PackagedOnnx):
    """The open detector; see :class:`unmask.detectors._packaged.PackagedOnnx`."""

    spec: ClassVar = DetectorSpec(
        id="unmask-open",
        title="Unmask open",
        paper="own; after self-blended images (CVPR 2022) and LAA-Net (CVPR 2024)",
        modality="image",
        input_px=224,
        views=((1.2, False), (1.5, True)),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        weights="unmask-open.onnx",
        weights_sha256="b924c7a548c0982afbe81523ba1714a60d7c430e825e18fb5dd5f4a1af6da831",
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0: trained on public-domain and CC BY portraits, from Keras' "
        "ImageNet weights (Apache-2.0)",
        training_sets=("congress", "london"),
        calibration_id="unmask-open-1",
        sees="The method looks for traces of blending, warping and resampling that face swaps "
        "leave. It was trained on studio portraits: other pictures differ from those by "
        "themselves. Pictures that a generator made as a whole, lip-sync and reenactment may pass "
        "unnoticed.",
    )
