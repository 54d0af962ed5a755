"""Statistics of the spectrum with a linear classifier that is fitted at once.

The oldest finding of the field, and its cheapest test: what generators and blends do to the
frequencies of a picture can be told apart by a line. Nothing is learnt by gradient.

Sources: Frank et al., "Leveraging Frequency Analysis for Deep Fake Image Recognition", ICML 2020,
section 4 (ridge regression on the log DCT); Durall et al., "Watch your Up-Convolution", CVPR 2020
(a linear classifier on the ring-averaged spectrum). What differs: see
:mod:`unmask.networks._spectrum_statistics`; logistic regression with an L2 penalty, so that the
score is a logit, with both classes given the same weight.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.networks._frequency import Levels
from unmask.networks._spectrum_statistics import SMALLEST_PX, STATISTICS, SpectrumStatistics
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec

# Inverse strength of the penalty beside the mean loss of a face. Cross-validation over sources on
# DFDC training faces found it best, or within 0.002 of the best AUC, for 1,500 and 4,000 faces.
INVERSE_PENALTY = 12.0


def check_training_set(features: Tensor, y_true: Tensor) -> None:
    """Refuse what no classifier can be fitted to.

    Args:
        features: (N, D).
        y_true: (N,) 1 = fake.

    Raises:
        UsageError: Lengths differ, a value is not finite, or one class is missing.
    """
    if features.ndim != 2 or len(features) != len(y_true):
        raise UsageError(
            f"Features of shape {tuple(features.shape)} came with {len(y_true)} labels; expected "
            "one row of features for each label.",
            hint="Pass the features and labels of the same faces.",
        )
    if not bool(torch.isfinite(features).all()):
        raise UsageError(
            "Some features are not finite.", hint="Check the pixels that they were made from."
        )
    fakes = int((y_true > 0.5).sum())
    if fakes in (0, len(y_true)):
        raise UsageError(
            f"All {len(y_true)} faces are {'fake' if fakes else 'real'}; a classifier needs both.",
            hint="Check the labels of the training set.",
        )


@NETWORKS.register
class DctStatistics(DetectorNetwork):
    """Spectrum statistics, standardised, times one weight each."""

    spec: ClassVar = NetworkSpec(
        id="dct-statistics",
        title="DCT statistics, linear",
        paper="Frank et al., Leveraging Frequency Analysis, ICML 2020; "
        "Durall et al., Watch your Up-Convolution, CVPR 2020",
        family="frequency",
        input_px=128,
        differs="cells, rings and 8-pixel blocks in YCbCr instead of every coefficient; "
        "logistic instead of ridge regression",
        trained_by="fit",
    )
    smallest_px: ClassVar = SMALLEST_PX
    centre: Tensor
    scale: Tensor

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.statistics = SpectrumStatistics(self.input_px)
        self.register_buffer("centre", torch.zeros(STATISTICS))
        self.register_buffer("scale", torch.ones(STATISTICS))
        self.classifier = nn.Linear(STATISTICS, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, STATISTICS): log10 powers, not standardised."""
        features = self.statistics(self.levels(pixels))
        return NetworkOutput(
            self.classifier((features - self.centre) * self.scale).squeeze(1), features
        )

    def fit(self, features: Tensor, y_true: Tensor) -> None:
        """Standardise, and fit a logistic regression; see the base class.

        Raises:
            UsageError: One class only, or features that are not finite.
        """
        from sklearn.linear_model import LogisticRegression

        check_training_set(features, y_true)
        features = features.double().cpu()
        deviation, centre = torch.std_mean(features, dim=0, correction=0)
        scale = 1 / deviation.clamp_min(1e-3)
        model = LogisticRegression(
            C=INVERSE_PENALTY / len(features), class_weight="balanced", max_iter=2000
        )
        model.fit(((features - centre) * scale).numpy(), (y_true > 0.5).cpu().numpy())
        with torch.no_grad():
            self.centre.copy_(centre)
            self.scale.copy_(scale)
            self.classifier.weight.copy_(torch.from_numpy(model.coef_))
            self.classifier.bias.copy_(torch.from_numpy(model.intercept_))
