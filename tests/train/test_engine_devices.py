"""Two processes that share each batch, real ones, give what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

# Fabric starts the script again for the second device, so it must be a script.
SCRIPT = '''
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, sys.argv[4])
from conftest import DrawnStore

from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec
from unmask.train.network_recipe import read_network_recipe
from unmask.train.runs import train_network


@NETWORKS.register
class Plain(DetectorNetwork):
    """No batch norm, whose statistics would be those of one device."""

    spec = NetworkSpec("plain-test", "Plain", "none", "spatial", input_px=64, crop_margin=1.2)

    def __init__(self, *, input_px=None, pretrained=False):
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.convolution = nn.Conv2d(3, 8, 4, 4)
        self.unused = nn.Linear(2, 2)
        self.classifier = nn.Linear(8, 1)

    def forward(self, pixels):
        features = torch.relu(self.convolution(pixels)).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)


if __name__ == "__main__":
    NETWORKS._loaded = True
    recipe = read_network_recipe(Path(sys.argv[1]))
    result = train_network(
        recipe, Path(sys.argv[2]), stores={"drawn": DrawnStore()}, workers=0, threads=1,
        on_progress=lambda now: print("step", now.step, flush=True),
    )
    print("auc", result.figures["image_auc"], flush=True)
'''


@pytest.mark.slow
def test_two_devices_train_as_one(network_recipe, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    said, weights = {}, {}
    for devices in (1, 2):
        network_recipe(
            ("mesonet-4", "plain-test"), ("rate = 2e-3", 'rate = 0.1\nkind = "sgd"'),
            added=f'[compute]\naccelerator = "cpu"\ndevices = {devices}\naccumulate = 2\n',
        )  # fmt: skip
        folder = tmp_path / f"run{devices}"
        done = subprocess.run(
            [sys.executable, "train.py", "tiny.toml", str(folder), str(devices),
             str(Path(__file__).parent)],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said[devices] = done.stdout.splitlines()
        weights[devices] = torch.load(folder / "checkpoint.pt", weights_only=True)
    # One process reports progress; both know how it ended.
    steps = [f"step {step}" for step in range(1, 7)]
    assert [[line for line in said[n] if line.startswith("step")] for n in (1, 2)] == [steps] * 2
    aucs = [float(line.split()[1]) for n in (1, 2) for line in said[n] if line.startswith("auc")]
    assert len(aucs) == 3
    assert aucs == pytest.approx([aucs[0]] * 3, abs=1e-6)
    for name, value in weights[1]["trained"].items():
        assert torch.allclose(value, weights[2]["trained"][name], atol=1e-6), name
    rows = [(tmp_path / f"run{n}" / "evaluation.csv").read_text() for n in (1, 2)]
    for one, two in zip(*(row.splitlines()[1:] for row in rows), strict=True):
        first, second = ([float(v) for v in line.split(",")] for line in (one, two))
        assert np.allclose(first, second, atol=1e-4)
