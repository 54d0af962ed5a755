"""Training detectors: recipes, face caches, pairs and the loop. Needs the extra ``train``."""
