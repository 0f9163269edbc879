"""
What the standard library alone can do: all cores read and hash the pieces of a file.  Run as a script::

    raw_recheck.py FILE PIECE_LENGTH

Prints, as JSON, the seconds that took.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from itertools import count
from threading import Thread


def main() -> None:
    """Hash it all."""
    path, pieceLength = sys.argv[1], int(sys.argv[2])
    size = os.stat(path).st_size
    pieces = -(-size // pieceLength)
    digests: list[bytes] = [b""] * pieces
    next_ = count().__next__
    begun = time.perf_counter()

    def work() -> None:
        fd = os.open(path, os.O_RDONLY)
        buffer = memoryview(bytearray(pieceLength))
        while (index := next_()) < pieces:
            length = os.preadv(fd, [buffer], index * pieceLength)
            digests[index] = hashlib.sha1(buffer[:length]).digest()
        os.close(fd)

    threads = [Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
