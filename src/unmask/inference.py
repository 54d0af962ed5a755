"""Running networks without PyTorch: OpenVINO behind one small class.

OpenVINO reads both formats that the project uses (ONNX for its own detectors, TFLite for the
face models) and was the fastest on every network tried; see decision 0002.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@cache
def openvino_core() -> Any:
    """The one OpenVINO runtime of this process, which reports to nobody."""
    # By itself `import openvino` reports to an analytics service and writes a client id into the
    # user's home. With this name blocked it falls back to its own silent stub.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


@cache
def _compilers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="unmask-compile")


def runtime_name() -> str:
    """Name and version of the engine, for the report."""
    from importlib.metadata import version

    return f"OpenVINO {version('openvino')}"


class Session:
    """One compiled network on the CPU, usable from several threads.

    Args:
        model: Path of an ONNX or TFLite file.
        precision: ``f32`` gives the same bits on every machine with the same instruction set;
            ``bf16`` is faster where the processor has it.
        threads: Threads to use; None takes the setting ``UNMASK_THREADS``.
        wait: Return when the network is compiled. Otherwise it is compiled in the background and
            the first run waits for it: for files whose digest was checked, since it is then that
            a bad one is noticed.

    Raises:
        RuntimeError: OpenVINO cannot read the file.
    """

    def __init__(
        self,
        model: Path,
        *,
        precision: str = "f32",
        threads: int | None = None,
        wait: bool = True,
    ) -> None:
        count = threads or settings.threads()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": str(count),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._future = _compilers().submit(
            openvino_core().compile_model, str(model), "CPU", options
        )
        self._local = threading.local()
        if wait:
            self._future.result()

    @property
    def _compiled(self) -> Any:
        return self._future.result()

    def run(self, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run one batch and return every output, in the model's own order, as copies."""
        return self._infer([inputs])

    def run_named(self, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """As :meth:`run`, for a network with several inputs, by name."""
        return self._infer(dict(inputs))

    def _infer(self, inputs: Any) -> list[NDArray[np.float32]]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer(inputs, share_inputs=True)
        return [request.get_output_tensor(i).data.copy() for i in range(self.outputs)]

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self._compiled.outputs)
