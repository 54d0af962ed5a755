"""Where pretrained weights come from, and what is said where they cannot be had."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from huggingface_hub import constants  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from unmask.errors import ModelUnavailable  # noqa: E402
from unmask.networks import NETWORKS  # noqa: E402
from unmask.networks._timm_backbone import build_backbone, import_timm  # noqa: E402

NAME = "mobilenetv2_100.ra_in1k"


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("UNMASK_OFFLINE", raising=False)
    return tmp_path


def test_timm_and_torchvision_can_be_imported_and_nms_is_declared() -> None:
    import_timm()
    import torchvision

    assert torchvision.ops.nms
    assert hasattr(torch.ops.torchvision, "nms")


def test_weights_in_the_cache_of_the_hub_are_taken(empty_caches: Path) -> None:
    torch.manual_seed(11)
    kept = build_backbone(NAME, pretrained=False)
    store = empty_caches / "hub" / "models--timm--mobilenetv2_100.ra_in1k"
    (store / "refs").mkdir(parents=True)
    (store / "refs" / "main").write_text("0" * 40)
    (store / "snapshots" / ("0" * 40)).mkdir(parents=True)
    file = store / "snapshots" / ("0" * 40) / "model.safetensors"
    save_file({**kept.state_dict(), "classifier.weight": torch.zeros(1000, 1280)}, file)
    torch.manual_seed(12)
    loaded = build_backbone(NAME, pretrained=True)
    for key, value in kept.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


@pytest.mark.parametrize("setting", ["UNMASK_OFFLINE", "HF_HUB_OFFLINE"])
def test_where_the_network_may_not_be_used(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting, "1")
    with pytest.raises(ModelUnavailable, match="may not be used") as caught:
        NETWORKS.get("mobilenet-v2")(pretrained=True)
    assert NAME in caught.value.message
    assert "pretrained = false" in caught.value.hint


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def refusing_server() -> Iterator[str]:
    """Answers everything with 404."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def nobody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("hub", [silent_server, nobody])
def test_a_hub_that_does_not_answer_is_given_up_within_seconds(
    hub: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        began = time.monotonic()
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            build_backbone(NAME, pretrained=True)
        assert time.monotonic() - began < 5


def test_a_hub_that_has_no_such_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_server() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        with pytest.raises(ModelUnavailable, match="did not serve"):
            build_backbone(NAME, pretrained=True)
