"""The forge: labelled face forgeries, from the film that comes to the film that goes out.

Extraction and alignment, training of :mod:`unmask.generators`, merging, converting, measuring.
Whatever it writes for people's eyes goes through :mod:`unmask.provenance`, which labels it or
writes nothing.
"""
