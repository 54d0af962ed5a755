"""Which families of forgeries a detector sees, on faces that it was not trained on."""
