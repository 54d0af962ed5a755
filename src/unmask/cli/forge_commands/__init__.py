"""The commands of ``unmask forge``, one module each."""
