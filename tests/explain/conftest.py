"""Networks that were trained on the tiny task beside this file, once a session."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module ``tiny_task``."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    spec = spec_from_file_location("tiny_task", Path(__file__).with_name("tiny_task.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def mean_network(tiny: ModuleType):
    return tiny.trained(tiny.TinyConvolutional, seed=1)


@pytest.fixture(scope="session")
def mapped_network(tiny: ModuleType):
    return tiny.trained(tiny.TinyMapped, seed=2)


@pytest.fixture(scope="session")
def held_out(tiny: ModuleType):
    return tiny.faces(40, 7)
