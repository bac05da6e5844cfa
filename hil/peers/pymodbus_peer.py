"""Polls boards with pymodbus, as hil/peers/README.md describes: PORT BAUD BOARDS FILE commands|quiet."""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusException

from kept import ALL_RELAYS, INPUTS, Kept, pause, say


async def command(port, boards):
    turn = 0
    while True:
        await asyncio.sleep(pause(turn))
        queued = time.monotonic_ns()
        try:
            await port.write_coil(ALL_RELAYS, False, device_id=1 + turn % boards)
        except ModbusException:
            pass
        say("command", queued)
        turn += 1


async def main(path, baud, boards, file, how):
    port = AsyncModbusSerialClient(path, baudrate=int(baud))
    if not await port.connect():
        sys.exit(66)
    boards, kept = int(boards), Kept(file)
    commands = asyncio.create_task(command(port, boards)) if how == "commands" else None
    while True:
        for board in range(1, boards + 1):
            try:
                answer = await port.read_discrete_inputs(0, count=INPUTS, device_id=board)
            except ModbusException:
                if not port.connected:
                    await port.connect()
                continue
            if not answer.isError():
                kept.note(board, answer.bits)


asyncio.run(main(*sys.argv[1:]))
