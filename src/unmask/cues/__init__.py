"""Hand-made and physiological signs, one file each. None is built yet."""
