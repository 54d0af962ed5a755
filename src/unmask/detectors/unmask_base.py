"""``unmask-base``: the detector that comes with the package.

MobileNetV2 with a feature pyramid and a residual stem, trained on self-blended faces, landmark
swaps, swaps and reconstructions that passed through an autoencoder, and DFDC pairs; a class logit
and a manipulation map. How it was trained, what it reaches and what it cannot see: the model card
``weights/unmask-base.md``. The network itself is in ``_unmask_base_network``; this file runs its
ONNX export and needs no PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.detectors._packaged import PackagedOnnx
from unmask.detectors.base import DETECTORS, DetectorSpec


@DETECTORS.register
class UnmaskBase(PackagedOnnx):
    """The bundled detector; see :class:`unmask.detectors._packaged.PackagedOnnx`."""

    spec: ClassVar = DetectorSpec(
        id="unmask-base",
        title="Unmask base",
        paper="own; after self-blended images (CVPR 2022) and LAA-Net (CVPR 2024)",
        modality="image",
        input_px=224,
        views=((1.2, False), (1.5, True)),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        weights="unmask-base.onnx",
        weights_sha256="0bd8250fed9de60837fe3758b0cfb878de682497496b42e82d5f0846d1809d2a",
        code_licence="Apache-2.0",
        weights_licence="research use: trained in part on DFDC (Kaggle terms) and CelebA",
        training_sets=(
            "dfdc_faces/train",
            "congress",
            "london",
            "man_unsplash",
            "celeba",
            "clips/real (21 films)",
        ),
        calibration_id="unmask-base-2",
        sees="The method looks for traces of blending, warping and resampling that face swaps "
        "leave. Pictures that a generator made as a whole, lip-sync and reenactment leave other "
        "traces and may pass unnoticed.",
    )
