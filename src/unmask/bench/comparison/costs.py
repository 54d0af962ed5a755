"""What a network costs: speed, memory, size on disk, parameters, arithmetic."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unmask.bench.processes import Run, run

if TYPE_CHECKING:
    from unmask.networks import DetectorNetwork

_MODULE = "unmask.bench.comparison._cost_probe"


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one network. A clip counts as one image.

    Attributes:
        network: Network id.
        input_px: Side of the crops.
        parameters: Numbers that training sets.
        disk_bytes: Weights and statistics as stored, float32 as trained.
        flops: Floating-point operations of one forward pass on one sample; a multiplication and
            the addition after it count as two. Convolutions, matrix products and attention.
        images_per_s_1: Samples a second at batch 1 on one thread, as on a phone: median.
        images_per_s_32: The same at batch 32 on ``threads``.
        peak_bytes_1: Largest resident memory of the process at batch 1.
        peak_bytes_32: The same at batch 32.
        base_bytes: The same when the network is built and nothing is run.
        threads: Threads at batch 32.
    """

    network: str
    input_px: int
    parameters: int
    disk_bytes: int
    flops: int
    images_per_s_1: float
    images_per_s_32: float
    peak_bytes_1: int
    peak_bytes_32: int
    base_bytes: int
    threads: int


def measure_costs(
    network_id: str,
    input_px: int = 0,
    arguments: Mapping[str, Any] | None = None,
    *,
    threads: int = 1,
    seconds: float = 3.0,
) -> Costs:
    """Measure a network, speed and memory each in a process of its own.

    Args:
        network_id: Id in ``NETWORKS``.
        input_px: Side of the crops; 0: the paper's.
        arguments: The network's own arguments, where it is not that of its paper.
        threads: Threads at batch 32.
        seconds: Length of each measurement of speed; at least three runs are made.

    Raises:
        EnvironmentProblem: A process ended badly (out of memory, say).
    """
    from unmask.bench.comparison._cost_probe import build

    network = build(network_id, input_px, arguments or {})
    built = (network_id, network.input_px, json.dumps(dict(arguments or {})))
    single, many, nothing = (
        _probe(built, batch, count, seconds) for batch, count in ((1, 1), (32, threads), (0, 1))
    )
    return Costs(
        network=network_id,
        input_px=network.input_px,
        parameters=_trained_numbers(network),
        disk_bytes=_stored_bytes(network),
        flops=_flops(network),
        images_per_s_1=_rate(single),
        images_per_s_32=_rate(many),
        peak_bytes_1=single.peak_bytes,
        peak_bytes_32=many.peak_bytes,
        base_bytes=nothing.peak_bytes,
        threads=threads,
    )


def _trained_numbers(network: DetectorNetwork) -> int:
    """Parameters; of a network that is fitted at once, everything that is stored."""
    if network.spec.trained_by == "fit":
        return sum(one.numel() for one in network.state_dict().values())
    return sum(one.numel() for one in network.parameters())


def _probe(built: tuple[str, int, str], batch: int, threads: int, seconds: float) -> Run:
    words = (*built, batch, threads, seconds)
    return run([sys.executable, "-m", _MODULE, *(str(word) for word in words)])


def _rate(done: Run) -> float:
    # Libraries may greet on stdout before; what is ours is the last line.
    return float(json.loads(done.stdout.splitlines()[-1])["images_per_s"])


def _stored_bytes(network: DetectorNetwork) -> int:
    from safetensors.torch import save

    state = {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()}
    return len(save(state))


def _flops(network: DetectorNetwork) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from unmask.bench.comparison._cost_probe import example

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(example(network, 1))
    return int(counter.get_total_flops())
