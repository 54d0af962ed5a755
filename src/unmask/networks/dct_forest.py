"""Statistics of the spectrum with boosted trees, evaluated as tensors.

The trees are grown by scikit-learn and then written into tensors: all of them step down one level
at a time by comparing a gathered feature with a gathered threshold, so that the network exports
and runs like any other.

Sources: features as in :mod:`unmask.networks._spectrum_statistics` (Frank et al., ICML 2020;
Durall et al., CVPR 2020); Friedman, "Stochastic Gradient Boosting", 2002 (the trees); Nakandala
et al., "A Tensor Compiler for Unified Machine Learning Prediction Serving", OSDI 2020, section 4
(trees as tensors). What differs from the first two: trees instead of a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unmask.networks._frequency import Levels
from unmask.networks._spectrum_statistics import SMALLEST_PX, SpectrumStatistics
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec
from unmask.networks.dct_statistics import check_training_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREES = 300
DEPTH = 4
NODES = 2 ** (DEPTH + 1) - 1
_SEED = 0


@NETWORKS.register
class DctForest(DetectorNetwork):
    """Three hundred small trees over spectrum statistics.

    The score is a step function of the pixels: it has no gradient, so attacks and explanations
    that need one do not apply.
    """

    spec: ClassVar = NetworkSpec(
        id="dct-forest",
        title="DCT statistics, boosted trees",
        paper="Frank et al., Leveraging Frequency Analysis, ICML 2020; "
        "Friedman, Stochastic Gradient Boosting, 2002",
        family="frequency",
        input_px=128,
        differs="boosted trees instead of a linear classifier",
        trained_by="fit",
    )
    smallest_px: ClassVar = SMALLEST_PX
    feature: Tensor
    threshold: Tensor
    child: Tensor
    value: Tensor

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.statistics = SpectrumStatistics(self.input_px)
        # One row a tree; child holds the node to the left, the one to the right follows it.
        self.register_buffer("feature", torch.zeros(TREES, NODES, dtype=torch.long))
        self.register_buffer("threshold", torch.full((TREES, NODES), torch.inf))
        self.register_buffer("child", torch.arange(NODES).repeat(TREES, 1))
        self.register_buffer("value", torch.zeros(TREES, NODES))
        # A parameter in name: whoever asks where a network lies asks its parameters.
        self.prior = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, STATISTICS): log10 powers."""
        features = self.statistics(self.levels(pixels))
        return NetworkOutput(self.descend(features), features)

    def descend(self, features: Tensor) -> Tensor:
        """(B, D) features -> (B,) sum of the leaves that they reach."""
        node = torch.zeros(features.shape[0], TREES, dtype=torch.long, device=features.device)
        trees = torch.arange(TREES, device=features.device) * NODES
        feature, threshold = self.feature.flatten(), self.threshold.flatten()
        child = self.child.flatten()
        for _ in range(DEPTH):
            place = node + trees
            seen = features.gather(1, feature[place])
            node = child[place] + (seen > threshold[place]).long()
        return self.prior + self.value.flatten()[node + trees].sum(1)

    def fit(self, features: Tensor, y_true: Tensor) -> None:
        """Grow the trees; see the base class.

        Raises:
            UsageError: One class only, or features that are not finite.
        """
        from sklearn.ensemble import GradientBoostingClassifier

        check_training_set(features, y_true)
        features, fake = features.float().cpu(), (y_true > 0.5).cpu().numpy()
        share = fake.mean()
        model = GradientBoostingClassifier(
            n_estimators=TREES,
            max_depth=DEPTH,
            learning_rate=0.1,
            subsample=0.5,
            max_features="sqrt",
            min_samples_leaf=max(1, min(20, len(fake) // 20)),
            random_state=_SEED,
        )
        # Both classes weigh the same, so that a logit of 0 means even odds.
        weights = np.where(fake, 0.5 / share, 0.5 / (1 - share))
        inputs = features.numpy()
        model.fit(inputs, fake, sample_weight=weights)
        for row, (estimator,) in enumerate(model.estimators_):
            self._write_tree(row, estimator.tree_, model.learning_rate)
        # The score is the prior odds plus the leaves; scikit-learn keeps the former to itself.
        self.prior.zero_()
        leaves = float(self.descend(features[:1].to(self.value.device)))
        self.prior.fill_(float(model.decision_function(inputs[:1])[0]) - leaves)

    def _write_tree(self, row: int, tree: Any, learning_rate: float) -> None:
        """Copy one grown tree, siblings side by side."""
        feature: NDArray[np.int64] = np.zeros(NODES, np.int64)
        threshold = np.full(NODES, np.inf, np.float32)
        child, value = np.arange(NODES), np.zeros(NODES, np.float32)
        places, free = {0: 0}, 1
        for node in range(tree.node_count):  # parents come before their children
            place = places[node]
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            if left == right:  # a leaf: no threshold is passed, so it leads to itself
                value[place] = learning_rate * tree.value[node, 0, 0]
                continue
            feature[place] = tree.feature[node]
            threshold[place] = _not_above(float(tree.threshold[node]))
            child[place] = free
            places[left], places[right] = free, free + 1
            free += 2
        for name, column in (
            ("feature", feature), ("threshold", threshold), ("child", child), ("value", value),
        ):  # fmt: skip
            getattr(self, name)[row] = torch.from_numpy(column)


def _not_above(value: float) -> np.float32:
    """The largest float32 that is not above ``value``: comparisons come out as in float64."""
    single = np.float32(value)
    return np.nextafter(single, np.float32(-np.inf)) if float(single) > value else single
