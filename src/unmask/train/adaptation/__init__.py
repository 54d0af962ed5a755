"""Training strategies beside a network's own losses, one file each.

A file here registers a class with :data:`unmask.train.strategy.STRATEGIES`; a recipe names it
under ``adaptation.strategy``.
"""

from unmask.train import adversarial as _adversarial  # noqa: F401 - registers its strategy
