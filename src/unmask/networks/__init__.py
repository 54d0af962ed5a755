"""Networks: one file a paper, in PyTorch. What is trained and compared; never loaded by a scan.

``detectors/`` runs what was exported from here without PyTorch
(docs/decisions/0008-networks-and-detectors.md).
"""

from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

__all__ = ["NETWORKS", "DetectorNetwork", "NetworkOutput", "NetworkSpec", "TrainingBatch"]
