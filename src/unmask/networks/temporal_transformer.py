"""Temporal transformer: a convolutional look at each frame, attention over their order.

Source: Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021, section 3.3, model 2 (a
spatial encoder for each frame, then a temporal encoder); convolutional tokens as in Wodajo &
Atnafu, "Deepfake Video Detection Using Convolutional Vision Transformer", 2021. What differs: the
spatial encoder is a timm network, EfficientNet-B0 unless another is chosen; the tokens of frames
are judged too, with a small loss of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, clip_shape, require_frames
from unmask.networks._frame_encoder import FrameEncoder
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD
from unmask.networks._transformer import EncoderLayer, small_start
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_MOST_FRAMES = 64


@NETWORKS.register
class TemporalTransformer(ClipNetwork):
    """A class token and one token a frame, with learnt places in time.

    ``extra["frame_logits"]``: the logit of each frame's token, which has seen all the others.

    Args:
        input_px: Side of the crops.
        pretrained: Load timm's weights of the backbone.
        backbone: As timm calls it.
        tokens: Channels of a token.
        layers: Layers of the encoder.
        heads: Attention heads; must divide ``tokens``.
    """

    spec: ClassVar = NetworkSpec(
        id="temporal-transformer",
        title="Temporal transformer",
        paper="Arnab et al., ViViT (factorised encoder), ICCV 2021",
        family="temporal",
        modality="clip",
        input_px=224,
        clip_frames=16,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="a convolutional network instead of a ViT looks at each frame; a loss on the "
        "tokens of frames",
    )
    has_pretrained: ClassVar = True
    small: ClassVar = {"backbone": "lcnet_050", "tokens": 64, "layers": 2, "heads": 2}
    frame_loss_weight: ClassVar = 0.3

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        backbone: str = "efficientnet_b0.ra_in1k",
        tokens: int = 256,
        layers: int = 4,
        heads: int = 8,
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.encoder = FrameEncoder(backbone, pretrained=pretrained)
        self.to_tokens = nn.Linear(self.encoder.width, tokens)
        self.whole = nn.Parameter(torch.empty(1, 1, tokens))
        self.positions = nn.Parameter(torch.empty(1, _MOST_FRAMES + 1, tokens))
        nn.init.trunc_normal_(self.whole, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.transformer = nn.Sequential(
            *(EncoderLayer(tokens, heads, dropout=0.1) for _ in range(layers))
        )
        self.norm = nn.LayerNorm(tokens)
        self.classifier = nn.Linear(tokens, 1)
        self.frame_classifier = nn.Linear(tokens, 1)
        for classifier in (self.classifier, self.frame_classifier):
            small_start(classifier)

    def initialise(self, path: Path) -> None:
        """Start the encoder of frames from ImageNet arrays; see :class:`FrameEncoder`."""
        self.encoder.initialise(path)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S), T at most 64 -> logits (B,), features (B, tokens), frame_logits."""
        _, frames = clip_shape(pixels)
        require_frames(frames, _MOST_FRAMES, self.spec.id)
        tokens = self.to_tokens(self.encoder(pixels))
        tokens = torch.cat([self.whole.expand(tokens.shape[0], -1, -1), tokens], 1)
        tokens = self.norm(self.transformer(tokens + self.positions[:, : frames + 1]))
        features = tokens[:, 0]
        extra = {"frame_logits": self.frame_classifier(tokens[:, 1:]).squeeze(2)}
        return NetworkOutput(self.classifier(features).squeeze(1), features, extra=extra)
