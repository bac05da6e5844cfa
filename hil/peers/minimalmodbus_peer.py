"""Polls boards with minimalmodbus, as hil/peers/README.md describes: PORT BAUD BOARDS FILE commands|quiet."""

import sys
import threading
import time

import minimalmodbus

from kept import ALL_RELAYS, INPUTS, Kept, pause, say

wire = threading.Lock()


def command(instruments):
    turn = 0
    while True:
        time.sleep(pause(turn))
        queued = time.monotonic_ns()
        with wire:
            try:
                instruments[turn % len(instruments)].write_bit(ALL_RELAYS, 0)
            except (minimalmodbus.ModbusException, OSError):
                pass
        say("command", queued)
        turn += 1


def main(path, baud, boards, file, how):
    instruments = [minimalmodbus.Instrument(path, board) for board in range(1, int(boards) + 1)]
    for instrument in instruments:
        instrument.serial.baudrate = int(baud)
    kept = Kept(file)
    if how == "commands":
        threading.Thread(target=command, args=(instruments,), daemon=True).start()
    while True:
        for board, instrument in enumerate(instruments, 1):
            with wire:
                try:
                    bits = instrument.read_bits(0, INPUTS)
                except (minimalmodbus.ModbusException, OSError):
                    continue
            kept.note(board, bits)


main(*sys.argv[1:])
