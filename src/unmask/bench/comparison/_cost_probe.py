"""Run a network alone in a fresh process and print its speed. ``python -m`` this module.

Arguments: network id, side of the crops, the network's own arguments as JSON, batch, threads,
seconds. With batch 0 the network is built and nothing is run, so that the memory of the framework
can be told from that of the run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from unmask.networks import NETWORKS, DetectorNetwork

LEAST_RUNS = 3


def build(network_id: str, input_px: int, arguments: Mapping[str, Any]) -> DetectorNetwork:
    """An untrained network: its weights do not change what it costs."""
    torch.manual_seed(0)
    return NETWORKS.get(network_id)(input_px=input_px or None, **arguments).eval()


def example(network: DetectorNetwork, batch: int) -> torch.Tensor:
    """Pixels of the shape that the network takes."""
    frames = (network.spec.clip_frames,) if network.spec.modality == "clip" else ()
    return torch.zeros(batch, *frames, 3, network.input_px, network.input_px)


def main() -> None:
    """Measure and print JSON."""
    network_id, input_px, arguments, batch, threads, seconds = sys.argv[1:]
    torch.set_num_threads(int(threads))
    network = build(network_id, int(input_px), json.loads(arguments))
    if not int(batch):
        print(json.dumps({"images_per_s": None}))
        return
    pixels = example(network, int(batch))
    times: list[float] = []
    with torch.inference_mode():
        network(pixels)
        end = time.perf_counter() + float(seconds)
        while len(times) < LEAST_RUNS or time.perf_counter() < end:
            started = time.perf_counter()
            network(pixels)
            times.append(time.perf_counter() - started)
    middle = sorted(times)[len(times) // 2]
    print(json.dumps({"images_per_s": int(batch) / middle}))


if __name__ == "__main__":
    main()
