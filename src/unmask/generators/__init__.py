"""Generators of faces, one file (or folder) a paper: networks, losses, training step, use.

Everything here needs PyTorch (extra ``forge``). What they make is pixels in memory; whatever is
written for people's eyes goes through :mod:`unmask.forge`, which labels it.
"""
