"""Hardening rounds: forge what a detector misses, train it on that, and see what it gained.

The search reads scores and nothing else: no gradient goes from the detector to a forgery, no
generator is trained, and no forged picture is written. What is searched are the settings of the
package's own forgeries, on faces that are there to train detectors with.
"""
