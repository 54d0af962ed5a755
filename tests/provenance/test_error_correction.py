"""The convolutional code of the watermark."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.provenance import _error_correction as code


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=4, max_size=4))
def test_every_payload_comes_back(payload):
    assert code.decode(code.encode(payload)[None].astype(np.float32)) == [payload]


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=4, max_size=4), st.integers(0, 2**32 - 1))
def test_any_twenty_wrong_bits_of_192_are_mended(payload, seed):
    # Free distance 44: 21 errors are always nearer to the truth than to any other codeword
    # that a short error leads to.
    coded = code.encode(payload).astype(np.float32)
    wrong = np.random.default_rng(seed).choice(code.CODED_BITS, 20, replace=False)
    coded[wrong] *= -1
    assert code.decode(coded[None]) == [payload]


def test_lost_values_are_filled_in():
    rng = np.random.default_rng(1)
    payloads = [rng.bytes(4) for _ in range(20)]
    coded = np.stack([code.encode(payload) for payload in payloads]).astype(np.float32)
    coded[:, rng.permutation(code.CODED_BITS)[:96]] = 0
    assert code.decode(coded) == payloads


def test_soft_values_outlive_more_noise_than_signs():
    """At 2 dB a bit, the code fails on few; decided bit by bit beforehand, on many."""
    rng = np.random.default_rng(2)
    payloads = [rng.bytes(4) for _ in range(60)]
    amplitude = np.sqrt(2 * 10**0.2 * 32 / code.CODED_BITS)
    coded = np.stack([code.encode(payload) for payload in payloads])
    received = (amplitude * coded + rng.normal(size=coded.shape)).astype(np.float32)
    soft = sum(a == b for a, b in zip(code.decode(received), payloads, strict=True))
    hard = sum(a == b for a, b in zip(code.decode(np.sign(received)), payloads, strict=True))
    assert soft >= 57
    assert hard < soft


def test_codewords_of_like_payloads_are_far_apart():
    rng = np.random.default_rng(3)
    for _ in range(50):
        payload = rng.bytes(4)
        flipped = bytearray(payload)
        flipped[rng.integers(4)] ^= 1 << int(rng.integers(8))
        distance = int((code.encode(payload) != code.encode(bytes(flipped))).sum())
        assert distance >= 40


@pytest.mark.parametrize("payload", [b"", b"abc", b"abcde"])
def test_other_lengths_are_refused(payload):
    with pytest.raises(ValueError, match="4 bytes"):
        code.encode(payload)
