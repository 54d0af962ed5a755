"""ForensicTransfer: an autoencoder of noise that a handful of new fakes can re-teach.

    pixels ── third-order residual ── encoder ── code [real half | fake half] ── decoder ── residual
                                                   └── mean magnitude of each half ── logit

Because each half must also rebuild its class, the code keeps more than the traces at hand, and a
new forgery often needs only a few examples (:meth:`ForensicTransfer.adapt`).

Source: Cozzolino et al., "ForensicTransfer: Weakly-supervised Domain Adaptation for Forgery
Detection", arXiv 1812.02510, 2018, section 3 (residual, losses, gamma 0.1) and 4.3 (few shots).
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.networks._class_split import (
    CODE_CHANNELS,
    UpBlock,
    activation_logit,
    activation_loss,
    by_class,
    class_activations,
    decoder_sides,
    encoder,
    half_of,
)
from unmask.networks._frequency import Levels, full_precision
from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

_RECONSTRUCTION_WEIGHT = 0.1
_THIRD_DIFFERENCE = (-1.0, 3.0, -3.0, 1.0)
# Brings residuals of faces to about 1; the paper leaves the scale open.
_RESIDUAL_LEVELS = 8.0
_CHUNK = 16


class ThirdOrderResidual(nn.Module):
    """Third differences along rows and along columns, a pair a colour."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        difference = torch.tensor(_THIRD_DIFFERENCE) / _RESIDUAL_LEVELS
        kernels = torch.zeros(2, 1, 4, 4)
        kernels[0, 0, 1], kernels[1, 0, :, 1] = difference, difference
        self.register_buffer("kernels", kernels.repeat(3, 1, 1, 1), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """(B, 3, S, S) RGB, 0..255 -> (B, 6, S, S) float32."""
        with full_precision(levels.device.type):
            padded = nnf.pad(levels.float(), (1, 2, 1, 2), mode="replicate")
            return nnf.conv2d(padded, self.kernels, groups=3)


@NETWORKS.register
class ForensicTransfer(DetectorNetwork):
    """Autoencoder of residuals with a code split between the classes."""

    spec: ClassVar = NetworkSpec(
        id="forensic-transfer",
        title="ForensicTransfer",
        paper="Cozzolino et al., ForensicTransfer, arXiv 1812.02510, 2018",
        family="generalising",
        input_px=256,
        differs="residuals of eight levels count as 1; the decoder normalises groups instead of "
        "the batch; few-shot training keeps the statistics of batch normalisation",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.residual = ThirdOrderResidual()
        self.encoder = encoder(6)
        sides = decoder_sides(self.input_px)
        widths = (CODE_CHANNELS, 64, 32, 16, 8)
        ups = (UpBlock(widths[n], widths[n + 1], side) for n, side in enumerate(sides))
        self.decoder = nn.Sequential(*ups, nn.Conv2d(widths[-1], 6, 3, padding=1))

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 128); in training also what was rebuilt."""
        residual = self.residual(self.levels(pixels))
        code = self.encoder(residual.to(pixels.dtype))
        features, real, fake = class_activations(code)
        logits = activation_logit(real, fake)
        if not self.training:  # nothing that is rebuilt enters the score
            return NetworkOutput(logits, features)
        extra = {
            "real_activation": real,
            "fake_activation": fake,
            "residual": residual,
            "residual_if_real": self.decoder(half_of(code, fake=False)),
            "residual_if_fake": self.decoder(half_of(code, fake=True)),
        }
        return NetworkOutput(logits, features, None, extra)

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Activation loss, and 0.1 times the mean absolute error of the rebuilt residual.

        Source:
            Section 3.1: L = gamma L_REC + L_ACT.
        """
        extra = cast("dict[str, Tensor]", output.extra)
        rebuilt = by_class(extra["residual_if_real"], extra["residual_if_fake"], batch.y_true)
        act = activation_loss(extra["real_activation"], extra["fake_activation"], batch.y_true)
        error = nnf.l1_loss(rebuilt.float(), extra["residual"])
        return {"class": act, "reconstruction": _RECONSTRUCTION_WEIGHT * error}

    def adapt(
        self, pixels: Tensor, y_true: Tensor, *, steps: int = 40, learning_rate: float = 3e-4
    ) -> list[float]:
        """Re-teach the network a forgery from a handful of faces.

        Every step sees all faces. Batch normalisation keeps the statistics of the first training,
        because a handful has none to speak of. The network ends in the mode it came in.

        Args:
            pixels: (N, 3, S, S) normalised crops, real and fake.
            y_true: (N,) 1 = fake.
            steps: Gradient steps.
            learning_rate: Of Adam.

        Returns:
            The loss before each step.

        Raises:
            UsageError: Lengths differ, or one class is missing.

        Source:
            Cozzolino et al., section 4.3: fine-tuning on few target samples of both classes.
        """
        _check_few_shots(pixels, y_true)
        was_training = self.training
        self.train()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        optimiser = torch.optim.Adam(self.parameters(), lr=learning_rate)
        try:
            return [self._few_shot_step(pixels, y_true.float(), optimiser) for _ in range(steps)]
        finally:
            self.train(was_training)

    def _few_shot_step(
        self, pixels: Tensor, y_true: Tensor, optimiser: torch.optim.Optimizer
    ) -> float:
        optimiser.zero_grad()
        total = 0.0
        for start in range(0, len(pixels), _CHUNK):
            part, labels = pixels[start : start + _CHUNK], y_true[start : start + _CHUNK]
            batch = TrainingBatch(part, labels, part[:, 0], torch.zeros_like(labels).bool())
            terms = self.loss_terms(self(part), batch)
            loss = torch.stack(list(terms.values())).sum() * (len(part) / len(pixels))
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        optimiser.step()
        return total


def _check_few_shots(pixels: Tensor, y_true: Tensor) -> None:
    if len(pixels) != len(y_true):
        raise UsageError(
            f"{len(pixels)} faces came with {len(y_true)} labels; expected as many.",
            hint="Pass one label, 0 or 1, for each face.",
        )
    fakes = int((y_true > 0.5).sum())
    if fakes in (0, len(y_true)):
        raise UsageError(
            f"{len(y_true)} faces came, {fakes} of them fake; adapting needs both classes.",
            hint="Add a few real faces of the same source as the fakes (or the other way round).",
        )
