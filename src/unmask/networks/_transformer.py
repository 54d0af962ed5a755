"""A transformer's encoder layer in plain operations, which export as they are."""

from __future__ import annotations

import torch.nn.functional as nnf
from torch import Tensor, nn


def small_start(linear: nn.Module) -> None:
    """Weights of deviation 0.02 and no bias, without which large rates throw a transformer off."""
    assert isinstance(linear, nn.Linear)  # noqa: S101
    nn.init.trunc_normal_(linear.weight, std=0.02)
    nn.init.zeros_(linear.bias)


class EncoderLayer(nn.Module):
    """Self-attention and a hidden layer, each after a normalisation and beside a shortcut.

    Args:
        width: Channels of a token.
        heads: Attention heads; must divide ``width``.
        hidden: Width of the hidden layer over ``width``.
        dropout: Share of values dropped after attention and hidden layer.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, equations 2 and 3.
    """

    def __init__(
        self, width: int, heads: int, *, hidden: float = 4.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(
            nn.Linear(width, round(width * hidden)),
            nn.GELU(),
            nn.Linear(round(width * hidden), width),
        )
        self.dropout = nn.Dropout(dropout)
        for module in (self.query_key_value, self.project, self.hidden[0], self.hidden[2]):
            small_start(module)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) -> the same."""
        tokens = tokens + self.dropout(self._attend(self.attention_norm(tokens)))
        mixed: Tensor = tokens + self.dropout(self.hidden(self.hidden_norm(tokens)))
        return mixed

    def _attend(self, tokens: Tensor) -> Tensor:
        count, width = tokens.shape[1:]
        split = self.query_key_value(tokens).reshape(-1, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nnf.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.project(mixed.transpose(1, 2).reshape(-1, count, width))
        return projected
