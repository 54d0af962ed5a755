"""Explanation: where a detector looks, as heat maps; PyTorch lives here."""
