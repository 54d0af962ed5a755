"""Measuring what is promised, through the whole of scan, and writing it down.

Accuracy goes through :class:`unmask.Scanner`, file by file, as a user's files do. Speed and memory
go through the ``unmask`` executable in processes of its own. Nothing here trains, fits or chooses
anything.
"""
