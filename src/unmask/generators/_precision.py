"""Half precision where it is quicker: matrix units that multiply bfloat16."""

from __future__ import annotations

from functools import cache

import torch


@cache
def _multiplies_bfloat16(kind: str) -> bool:
    if kind != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def quick_precision(device: torch.device) -> torch.autocast:
    """A context in which convolutions run in bfloat16 if the device has units for it.

    Losses belong outside it: differences of nearly equal pixels drown in eight bits of mantissa.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=_multiplies_bfloat16(device.type))
