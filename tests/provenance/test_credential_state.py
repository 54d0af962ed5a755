"""What counts as a declaration: signed, unchanged, and by the picture or its original."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.provenance.conftest import write_sample

from unmask.provenance import CredentialState, CredentialStatus, Ingredient, iptc

pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from unmask.provenance import authority, credentials
from unmask.provenance.credential_state import FORGERY, state_of

pytestmark = pytest.mark.usefixtures("folder_of_identity")
CAPTURE = iptc.of_term("digitalCapture")


def signed(path: Path, source_type: str, *parents: Path, forgery: bool = False) -> CredentialState:
    write_sample(path)
    credentials.sign(
        path,
        path,
        title="t",
        action="c2pa.edited" if parents else "c2pa.created",
        digital_source_type=source_type,
        ingredients=[Ingredient(one, "parentOf", "before") for one in parents],
        assertions={FORGERY: {"method": "landmark_swap"}} if forgery else {},
    )
    return credentials.read(path)


@pytest.mark.parametrize("source_type", sorted(iptc.SYNTHETIC))
def test_a_synthetic_source_type_declares(source_type: str, tmp_path: Path) -> None:
    assert signed(tmp_path / "a.jpg", source_type).declares_synthesis


@pytest.mark.parametrize("source_type", sorted(iptc.REAL | iptc.OTHER))
def test_no_other_source_type_does(source_type: str, tmp_path: Path) -> None:
    state = signed(tmp_path / "a.jpg", source_type)
    assert state.status is CredentialStatus.VALID
    assert not state.declares_synthesis


def test_our_own_assertion_declares_whatever_the_source_type(tmp_path: Path) -> None:
    state = signed(tmp_path / "a.jpg", iptc.COMPOSITE_CAPTURE, forgery=True)
    assert state.declares_synthesis
    assert state.forgery == {"method": "landmark_swap"}


def test_what_the_original_declared_counts_for_its_edits(tmp_path: Path) -> None:
    signed(tmp_path / "first.png", iptc.TRAINED)
    signed(tmp_path / "second.jpg", CAPTURE, tmp_path / "first.png")
    state = signed(tmp_path / "third.png", CAPTURE, tmp_path / "second.jpg")
    assert state.digital_source_types == (CAPTURE,)
    assert state.history_source_types == (CAPTURE, iptc.TRAINED)
    assert state.declares_synthesis


def test_an_original_that_was_altered_declares_nothing(tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    signed(first, iptc.TRAINED)
    data = bytearray(first.read_bytes())
    data[-40] ^= 1  # picture data, just before the end chunk
    first.write_bytes(data)
    assert credentials.read(first).status is CredentialStatus.INVALID
    state = signed(tmp_path / "second.jpg", CAPTURE, first)
    assert state.history_source_types == ()
    assert not state.declares_synthesis


def test_a_part_that_was_declared_says_nothing_of_the_whole(tmp_path: Path) -> None:
    part, whole = tmp_path / "part.png", tmp_path / "whole.jpg"
    signed(part, iptc.TRAINED)
    write_sample(whole)
    credentials.sign(whole, whole, title="t", action="c2pa.created", digital_source_type=CAPTURE,
                     ingredients=[Ingredient(part, "componentOf", "a part")])  # fmt: skip
    assert not credentials.read(whole).declares_synthesis


def test_an_altered_file_declares_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    signed(path, iptc.TRAINED, forgery=True)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    state = credentials.read(path)
    assert state.status is CredentialStatus.INVALID
    assert not state.declares_synthesis


def test_the_signer_is_named(tmp_path: Path) -> None:
    state = signed(tmp_path / "a.jpg", iptc.TRAINED)
    assert state.signer == authority.describe(authority.identity()).signer
    assert state.signed_at is None  # nobody vouches for a time


class Reader:
    """A reading in which a stranger wrote whatever is worst."""

    def __init__(self, store: str) -> None:
        self.store = store

    def json(self) -> str:
        return self.store

    def get_validation_state(self) -> str:
        return "Valid"

    def get_validation_results(self) -> object:
        return None


@pytest.mark.parametrize(
    "store",
    [
        "[]",
        "{}",
        '{"active_manifest": "a", "manifests": []}',
        '{"active_manifest": "a", "manifests": {"a": 3}}',
        '{"active_manifest": "a", "manifests": {"a": {"assertions": "x", "ingredients": {}}}}',
        '{"active_manifest": "a", "manifests": {"a": {"assertions": [1, {"label": "c2pa.actions",'
        ' "data": {"actions": [7, {"digitalSourceType": {"a": []}}]}}]}}}',
        '{"active_manifest": "a", "manifests": {"a": {"claim_generator_info": [3]}}}',
        '{"active_manifest": "a", "manifests": {"a": {"ingredients": [{"relationship": "parentOf",'
        ' "active_manifest": "a"}]}}}',
    ],
)
def test_a_manifest_of_any_shape_is_read_without_a_fault(store: str) -> None:
    state = state_of(Reader(store))
    assert not state.declares_synthesis


def test_texts_of_strangers_are_cleaned_and_bounded() -> None:
    bad = "\\u001b[31m" + "x" * 3000
    actions = ",".join(f'{{"action": "{bad}{n}"}}' for n in range(90))
    store = (
        f'{{"active_manifest": "a", "manifests": {{"a": {{"signature_info": {{"issuer": "{bad}"}},'
        f'"assertions": [{{"label": "c2pa.actions.v2", "data": {{"actions": [{actions}]}}}}]}}}}}}'
    )
    state = state_of(Reader(store))
    for text in (state.signer or "", *state.actions):
        assert text.isprintable()
        assert len(text) <= 500
    assert len(state.actions) <= 64


@pytest.mark.parametrize(
    ("label", "is_ours"),
    [(FORGERY, True), (FORGERY + "__1", True), (FORGERY + ".other", False),
     (FORGERY + "s", False), ("com.example." + FORGERY, False)],
)  # fmt: skip
def test_only_our_own_label_is_ours(label: str, is_ours: bool) -> None:
    store = (
        '{"active_manifest": "a", "manifests": {"a": {"assertions": ['
        f'{{"label": "{label}", "data": {{"method": "x"}}}}]}}}}}}'
    )
    assert (state_of(Reader(store)).forgery is not None) is is_ours


@pytest.mark.parametrize(
    ("label", "counts"),
    [("c2pa.actions", True), ("c2pa.actions.v2", True), ("c2pa.actions.v2__2", True),
     ("c2pa.actionsx", False), ("c2pa.actions.metadata", False)],
)  # fmt: skip
def test_only_actions_are_actions(label: str, counts: bool) -> None:
    store = (
        '{"active_manifest": "a", "manifests": {"a": {"assertions": ['
        f'{{"label": "{label}", "data": {{"actions": [{{"action": "c2pa.created", '
        f'"digitalSourceType": "{iptc.TRAINED.replace("http:", "https:")}/"}}]}}}}]}}}}}}'
    )
    state = state_of(Reader(store))
    assert state.declares_synthesis is counts
    assert state.digital_source_types == ((iptc.TRAINED,) if counts else ())
