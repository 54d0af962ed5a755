"""Explanation: where a network looks, as heat maps. PyTorch lives here; a scan loads none of it.

Modules are imported by name (``unmask.explain.heat_maps``), so that nothing heavy is loaded here.
"""
