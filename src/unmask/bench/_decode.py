"""Decode a film to RGB with PyAV alone and print how long the loop took. Run by path.

``python _decode.py FILM`` prints JSON: frames and wall_s (the loop only, without start-up).
"""

from __future__ import annotations

import json
import sys
import time

import av


def main() -> None:
    """Decode every frame of ``sys.argv[1]`` to an RGB array and drop it."""
    started = time.perf_counter()
    frames = 0
    with av.open(sys.argv[1]) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24")
            frames += 1
    print(json.dumps({"frames": frames, "wall_s": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
