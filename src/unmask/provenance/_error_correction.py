"""Error correction for 32 bits that arrive as soft values: a tail-biting convolutional code.

Rate 1/6, memory 10, decoded by the Viterbi algorithm run round the ring (1,024 states). Between
noise and the limit of what can be told apart there is little left for it to gain, and it needs
nothing but numpy.

Source: Viterbi, "Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding
Algorithm", IEEE Trans. Information Theory 1967; tail-biting after Ma and Wolf, "On Tail Biting
Convolutional Codes", IEEE Trans. Communications 1986. The polynomials are the best of a random
search by free distance.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

PAYLOAD_BYTES = 4
_BITS = 8 * PAYLOAD_BYTES
_MEMORY = 10
_STATES = 1 << _MEMORY
_POLYNOMIALS = (0o2117, 0o2253, 0o2465, 0o3663, 0o3675, 0o3733)  # free distance 44
CODED_BITS = _BITS * len(_POLYNOMIALS)
# Bits by which a payload is flipped first, so that one of all zeros is as balanced as any other.
_WHITENING = np.frombuffer(bytes.fromhex("b5c3961e"), np.uint8)


class _Trellis(NamedTuple):
    """What leads where. A state is the last ten bits, the newest uppermost."""

    before: NDArray[np.int64]  # (states, 2): from where a state is reached
    output: Floats  # (states, 2, 6): +1 or -1 sent on the way there


@cache
def _trellis() -> _Trellis:
    register = np.arange(2 * _STATES)  # the new bit above the state it meets
    polynomials = np.array(_POLYNOMIALS)
    parity = np.bitwise_count(register[:, None] & polynomials) & 1
    # A state is reached by the registers 2 * state and 2 * state + 1.
    before = register.reshape(_STATES, 2) & (_STATES - 1)
    output = (1 - 2 * parity.astype(np.float32)).reshape(_STATES, 2, len(_POLYNOMIALS))
    return _Trellis(before, output)


def encode(payload: bytes) -> NDArray[np.int8]:
    """4 bytes -> (192,) of +1 and -1.

    Raises:
        ValueError: Not 4 bytes.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise ValueError(f"a payload has {PAYLOAD_BYTES} bytes, not {len(payload)}")
    bits = np.unpackbits(np.frombuffer(payload, np.uint8) ^ _WHITENING)
    taps = np.array(
        [[p >> (_MEMORY - back) & 1 for back in range(_MEMORY + 1)] for p in _POLYNOMIALS]
    )
    ring = np.stack([np.roll(bits, back) for back in range(_MEMORY + 1)])  # (11, 32)
    parity = (taps @ ring) & 1  # (6, 32)
    coded: NDArray[np.int8] = (1 - 2 * parity.T.reshape(-1).astype(np.int8)).astype(np.int8)
    return coded


def decode(soft: Floats) -> list[bytes]:
    """The likeliest payloads.

    Args:
        soft: (N, 192) values, positive where +1 is likelier, each in proportion to how sure it is.

    Returns:
        N payloads of 4 bytes; something is always decoded, whether or not anything was sent.
    """
    trellis = _trellis()
    count = len(soft)
    steps = soft.reshape(count, _BITS, len(_POLYNOMIALS))
    # Three times round the ring: the first lap forgets where it began, the last where it ends.
    laps = 3 * _BITS
    score = np.zeros((count, _STATES), np.float32)
    choices = np.empty((laps, count, _STATES), np.bool_)
    for step in range(laps):
        gain = steps[:, step % _BITS] @ trellis.output.reshape(2 * _STATES, -1).T
        reached = score[:, trellis.before] + gain.reshape(count, _STATES, 2)
        choices[step] = reached[..., 1] > reached[..., 0]
        score = np.maximum(reached[..., 0], reached[..., 1])
    return _walk_back(score.argmax(-1), choices)


def _walk_back(state: NDArray[np.int64], choices: NDArray[np.bool_]) -> list[bytes]:
    before = _trellis().before
    which = np.arange(len(state))
    bits = np.empty((len(state), len(choices)), np.uint8)
    for step in range(len(choices) - 1, -1, -1):
        bits[:, step] = state >> (_MEMORY - 1)
        state = before[state, choices[step, which, state].astype(np.int64)]
    middle = np.packbits(bits[:, _BITS : 2 * _BITS], axis=1)
    return [bytes(row ^ _WHITENING) for row in middle]
