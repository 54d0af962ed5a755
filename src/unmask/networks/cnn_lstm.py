"""CNN + LSTM: features of each frame, and a memory that reads them in order.

Source: Guera & Delp, "Deepfake Video Detection Using Recurrent Neural Networks", AVSS 2018,
section 4 (InceptionV3 without its classifier, an LSTM of 2048, a layer of 512, dropout 0.5).
What differs: faces instead of whole frames; one logit instead of two; the backbone and the widths
can be chosen; the state after every frame is judged too, by the same layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork
from unmask.networks._frame_encoder import FrameEncoder
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec


@NETWORKS.register
class CnnLstm(ClipNetwork):
    """The clip's logit is that of the state after its last frame.

    ``extra["frame_logits"]``: the logit after each frame, from that frame and those before it.

    Args:
        input_px: Side of the crops.
        pretrained: Load timm's weights of the backbone.
        backbone: As timm calls it.
        memory: Width of the LSTM.
        hidden: Width of the layer after it.
    """

    spec: ClassVar = NetworkSpec(
        id="cnn-lstm",
        title="CNN + LSTM",
        paper="Guera & Delp, Deepfake Video Detection Using Recurrent Neural Networks, AVSS 2018",
        family="temporal",
        modality="clip",
        input_px=299,
        clip_frames=20,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="faces instead of whole frames; pixels normalised as for ImageNet",
    )
    has_pretrained: ClassVar = True
    smallest_px: ClassVar = 75
    small: ClassVar = {"backbone": "lcnet_050", "memory": 64, "hidden": 32}

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        backbone: str = "inception_v3.tv_in1k",
        memory: int = 2048,
        hidden: int = 512,
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.encoder = FrameEncoder(backbone, pretrained=pretrained)
        self.memory = nn.LSTM(self.encoder.width, memory, batch_first=True)
        self.hidden = nn.Linear(memory, hidden)
        self.classifier = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(0.5)

    def initialise(self, path: Path) -> None:
        """Start the encoder of frames from ImageNet arrays; see :class:`FrameEncoder`."""
        self.encoder.initialise(path)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, hidden), frame_logits (B, T)."""
        states, _ = self.memory(self.encoder(pixels))
        features = nnf.relu(self.hidden(self.dropout(states)))
        by_frame = self.classifier(self.dropout(features)).squeeze(2)
        extra = {"frame_logits": by_frame}
        return NetworkOutput(by_frame[:, -1], features[:, -1], extra=extra)
