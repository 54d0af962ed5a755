"""The commands of ``unmask provenance``, a module each."""
