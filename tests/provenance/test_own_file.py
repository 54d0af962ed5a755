"""What one's own file may be declared as, and what its declaration tells of its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.provenance.conftest import drawn, write_sample

from unmask.errors import UsageError
from unmask.provenance import ForgeryLabel, iptc, read_credentials, write_labelled_picture

pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from unmask.provenance import credentials
from unmask.provenance.credential_state import FORGERY
from unmask.provenance.own_file import declare_own_file

pytestmark = pytest.mark.usefixtures("folder_of_identity", "log_file")
CAPTURE = iptc.of_term("digitalCapture")


def test_a_forgery_of_captures_only_may_say_so(tmp_path: Path) -> None:
    forged, signed = tmp_path / "forged.png", tmp_path / "signed.png"
    label = ForgeryLabel("A test", "landmark_swap", iptc.COMPOSITE_CAPTURE,
                         consent="The one who is drawn")  # fmt: skip
    write_labelled_picture(forged, drawn(), label)
    declare_own_file(forged, signed, iptc.COMPOSITE_CAPTURE, "A test")
    state = read_credentials(signed)
    assert state.digital_source_types == (iptc.COMPOSITE_CAPTURE,)
    assert state.declares_synthesis  # its statement stays in the history
    for lie in (CAPTURE, iptc.of_term("composite"), iptc.of_term("humanEdits")):
        with pytest.raises(UsageError, match="synthetic"):
            declare_own_file(forged, tmp_path / "lie.png", lie, "A test")
    assert not (tmp_path / "lie.png").exists()


@pytest.mark.parametrize("stated", [CAPTURE, iptc.COMPOSITE_CAPTURE])
def test_only_a_forgerys_own_statement_opens_that_way(stated: str, tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.jpg")
    credentials.sign(
        path, path, title="t", action="c2pa.created", digital_source_type=stated,
        assertions={FORGERY: {"method": "x", "digital_source_type": CAPTURE}},
    )  # fmt: skip
    for source_type in (CAPTURE, iptc.COMPOSITE_CAPTURE):
        with pytest.raises(UsageError, match="synthetic"):
            declare_own_file(path, tmp_path / "b.jpg", source_type, "t")
