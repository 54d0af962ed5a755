"""LRCN: a memory over frames whose every state is judged, and whose judgements are averaged.

Source: Li, Chang & Lyu, "In Ictu Oculi: Exposing AI Created Fake Videos by Detecting Eye
Blinking", WIFS 2018, section 3.2 (VGG16, LSTM of 256, a logit for each frame), after Donahue et
al., "Long-term Recurrent Convolutional Networks", CVPR 2015. What differs: it sees the face
instead of one eye and learns fake against real instead of open against closed, so it is their
architecture on the task of this toolkit, not their blink detector; the last map of VGG16 is
averaged over places instead of going through its first dense layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, frame_loss
from unmask.networks._frame_encoder import FrameEncoder
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec, TrainingBatch


@NETWORKS.register
class Lrcn(ClipNetwork):
    """The clip's logit is the mean of its frames' logits; training judges every frame.

    ``extra["frame_logits"]``: the logit of each frame, from it and those before it.

    Args:
        input_px: Side of the crops.
        pretrained: Load timm's weights of the backbone.
        backbone: As timm calls it.
        memory: Width of the LSTM.
    """

    spec: ClassVar = NetworkSpec(
        id="lrcn",
        title="LRCN (recurrent over faces)",
        paper="Li et al., In Ictu Oculi, WIFS 2018",
        family="temporal",
        modality="clip",
        input_px=224,
        clip_frames=16,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="faces and forgery labels instead of eyes and blinks; mean over places instead of "
        "VGG16's dense layers",
    )
    has_pretrained: ClassVar = True
    small: ClassVar = {"backbone": "lcnet_050", "memory": 64}

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        backbone: str = "vgg16.tv_in1k",
        memory: int = 256,
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.encoder = FrameEncoder(backbone, pretrained=pretrained)
        self.memory = nn.LSTM(self.encoder.width, memory, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(memory, 1)

    def initialise(self, path: Path) -> None:
        """Start the encoder of frames from ImageNet arrays; see :class:`FrameEncoder`."""
        self.encoder.initialise(path)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, memory), frame_logits (B, T)."""
        states, _ = self.memory(self.encoder(pixels))
        by_frame = self.classifier(self.dropout(states)).squeeze(2)
        extra = {"frame_logits": by_frame}
        return NetworkOutput(by_frame.mean(1), states.mean(1), extra=extra)

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Cross-entropy of every frame, as in the paper; that of the clip's mean is not added."""
        return {"class": frame_loss(output, batch)}
