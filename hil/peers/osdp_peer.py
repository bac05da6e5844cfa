"""One end of a line with libosdp in secure channel, as hil/peers/README.md describes: cp|pd PORT BAUD REFRESH_MS COUNT."""

import os
import sys
import threading
import time

from osdp import (
    Capability,
    CardFormat,
    Channel,
    Command,
    ControlPanel,
    Event,
    LibFlag,
    LogLevel,
    PDCapabilities,
    PDInfo,
    PeripheralDevice,
)

from kept import pause, say

KEY = bytes(range(16))
ADDRESS = 101
OUTPUT = {
    "command": Command.Output,
    "output_no": 0,
    "control_code": 5,
    "timer_count": 7,
}
CARD = {
    "event": Event.CardRead,
    "reader_no": 0,
    "direction": 0,
    "format": CardFormat.Wiegand,
    "length": 32,
    "data": bytes(range(4)),
}


class Port(Channel):
    def __init__(self, path):
        self.id = 1
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def read(self, most):
        try:
            return os.read(self.file, most)
        except BlockingIOError:
            return b""

    def write(self, bytes_):
        return os.write(self.file, bytes_)

    def flush(self):
        try:
            while os.read(self.file, 1024):
                pass
        except BlockingIOError:
            pass


def refreshed_every(seconds):
    def refresh(ended, lock, ends):
        while not ended.is_set():
            with lock:
                ends.refresh()
            time.sleep(seconds)

    return staticmethod(refresh)


def panel(info, count):
    heard = threading.Semaphore(0)

    def event(_board, what):
        if what["event"] == Event.CardRead:
            say("heard", time.monotonic_ns())
            heard.release()
        return 0

    end = ControlPanel([info], log_level=LogLevel.Critical, event_handler=event)
    end.start()
    while not end.is_sc_active(ADDRESS):
        time.sleep(0.05)
    time.sleep(1)
    for turn in range(count):
        time.sleep(pause(turn))
        say("command", time.monotonic_ns())
        end.submit_command(ADDRESS, OUTPUT)
    for _ in range(count):
        heard.acquire()
    os._exit(0)


def device(info, count):
    obeyed = threading.Semaphore(0)

    def command(_what):
        say("obeyed", time.monotonic_ns())
        obeyed.release()
        return 0, None

    capabilities = PDCapabilities(
        [
            (Capability.OutputControl, 1, 1),
            (Capability.CardDataFormat, 1, 1),
            (Capability.Readers, 1, 1),
            (Capability.CommunicationSecurity, 1, 1),
        ]
    )
    end = PeripheralDevice(
        info, capabilities, log_level=LogLevel.Critical, command_handler=command
    )
    end.start()
    for _ in range(count):
        obeyed.acquire()
    for turn in range(count):
        time.sleep(pause(turn))
        say("event", time.monotonic_ns())
        end.submit_event(CARD)
    time.sleep(60)


def main(how, path, _baud, refresh_ms, count):
    kind = {"cp": ControlPanel, "pd": PeripheralDevice}[how]
    kind.refresh = refreshed_every(int(refresh_ms) / 1000)
    info = PDInfo(ADDRESS, Port(path), scbk=KEY, flags=[LibFlag.EnforceSecure])
    {"cp": panel, "pd": device}[how](info, int(count))


main(*sys.argv[1:])
