"""What the peers in Python share: a durable line for each change, and lines on standard output."""

import os
import time

INPUTS = 8
ALL_RELAYS = 0x00FF


def say(*words):
    print(*words, flush=True)


def pause(turn):
    """Seconds until the next command."""
    return 0.2 + turn * 37717 % 100000 / 1e6


class Kept:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.known = {}

    def note(self, board, bits):
        bits = tuple(bool(bit) for bit in bits[:INPUTS])
        if self.known.get(board) == bits:
            return
        os.write(self.file, f"{board} {bits}\n".encode())
        os.fdatasync(self.file)
        say("kept", time.monotonic_ns(), board)
        self.known[board] = bits
