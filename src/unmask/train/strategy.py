"""What a training strategy is: losses, and modules trained along, beside a network's own.

Domain adaptation is the reason for it: a strategy sees labelled faces of the source domain and
unlabelled ones of the target domain, and adds what draws their features together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from unmask.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """Facts about a strategy.

    Attributes:
        id: Short name (``gradient_reversal``).
        title: Name for people.
        paper: Where it comes from.
        options: The numbers it takes, with what they are when a recipe does not say.
        needs_target: It looks at faces of a target domain.
    """

    id: str
    title: str
    paper: str
    options: dict[str, float]
    needs_target: bool = True


class Strategy(Protocol):
    """Losses beside the network's own; to be subclassed.

    A strategy is made with the options of the recipe (each key one of ``spec.options``) before
    the first step, right after the network, so that the seed fixes its weights.
    """

    spec: ClassVar[StrategySpec]

    def __init__(self, network: DetectorNetwork, **options: float) -> None: ...

    def modules(self) -> dict[str, nn.Module]:
        """Modules that are trained along (a domain classifier), by name; they are saved with it.

        Their weights move as the network's do, at the same rate. By default there are none.
        """
        return {}

    def loss_terms(
        self,
        network: DetectorNetwork,
        output: NetworkOutput,
        batch: TrainingBatch,
        target_output: NetworkOutput | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """Losses by name, already weighted; they are added to the network's own.

        Args:
            network: The network as it is trained.
            output: What it says of the labelled faces, float32, with gradients.
            batch: The labelled faces. With ``paired``, even rows are real.
            target_output: What it says of as many unlabelled faces of the target domain (None
                where ``spec.needs_target`` is false). Both went through the network together,
                so batch norm saw both.
            progress: Share of training that is done, 0..1.
        """
        ...


STRATEGIES: Registry[type[Strategy]] = Registry("training strategy", "unmask.train.adaptation")
