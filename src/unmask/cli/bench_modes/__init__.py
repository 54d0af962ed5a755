"""What ``unmask bench`` does beside measuring and comparing, one module a mode."""
