"""Comparing detectors: score tables in; tables, curves and one page out.

Everything is derived from a **score table** (:mod:`unmask.bench.comparison.scores`), so the
detectors may be ours or anybody's. A study (:mod:`unmask.bench.comparison.study`) trains networks
at an equal budget, makes their score tables, and writes the page.
"""
