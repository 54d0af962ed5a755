"""The cross-distribution study: a preliminary network against the same network, adapted.

Run it with ``python -m unmask.train.adaptation.cross_distribution RECIPE``; see
``docs/studies/cross-distribution.md``.
"""
