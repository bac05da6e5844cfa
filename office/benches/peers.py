"""The same work as `intake.rs` with other tools: paho and psycopg, which commit before they acknowledge and keep each event once, and
mosquitto_sub piped into psql's \\copy, which does neither. Neither verifies a signature.

    python3 peers.py BROKER-PORT POSTGRES-ADDRESS EVENTS (safe|unsafe)

Prints the seconds from the first event to the last row. `pip install paho-mqtt 'psycopg[binary]'`.
"""
import json
import queue
import select
import subprocess
import sys
import time

BATCH = 256
TABLE = "CREATE TABLE peer (cabinet TEXT, seq BIGINT, event TEXT, PRIMARY KEY (cabinet, seq))"
UNSAFE_TABLE = "CREATE TABLE peer (message TEXT)"


def safe(port, address, events):
    import paho.mqtt.client as mqtt
    import psycopg

    database = psycopg.connect(address)
    database.execute(TABLE)
    database.commit()
    messages = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, manual_ack=True)
    client.on_message = lambda _client, _data, message: messages.put(message)
    client.connect("127.0.0.1", port)
    client.subscribe("locker/v1/+/event", qos=1)
    client.loop_start()
    print("ready", flush=True)
    stored, began = 0, None
    while stored < events:
        batch = [messages.get()]
        began = began or time.monotonic()
        while len(batch) < BATCH and not messages.empty():
            batch.append(messages.get())
        rows = []
        for message in batch:
            cabinet = message.topic.split("/")[2]
            for event in json.loads(message.payload)["events"]:
                rows.append((cabinet, int(event["seq"]), json.dumps(event)))
        columns = [list(column) for column in zip(*rows)]
        done = database.execute(
            "INSERT INTO peer SELECT * FROM UNNEST(%s::text[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING", columns
        )
        stored += done.rowcount
        database.commit()
        for message in batch:
            client.ack(message.mid, message.qos)
    print(time.monotonic() - began, flush=True)


def unsafe(port, address, messages):
    subprocess.run(["psql", "-q", address, "-c", UNSAFE_TABLE], check=True)
    listening = subprocess.Popen(
        ["mosquitto_sub", "-V", "5", "-p", str(port), "-q", "1", "-t", "locker/v1/+/event"], stdout=subprocess.PIPE
    )
    # It does not say when it has subscribed: it has once it hears.
    probe = ["mosquitto_pub", "-V", "5", "-p", str(port), "-q", "1", "-t", "locker/v1/PROBE/event", "-m", "probe"]
    while not select.select([listening.stdout], [], [], 0.2)[0]:
        subprocess.run(probe, check=True)
    print("ready", flush=True)
    options = "WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
    copy = subprocess.Popen(["psql", "-q", address, "-c", f"\\copy peer FROM STDIN {options}"], stdin=subprocess.PIPE)
    heard, began = 0, None
    while heard < messages:
        line = listening.stdout.readline()
        if line == b"probe\n":
            continue
        began = began or time.monotonic()
        copy.stdin.write(line)
        heard += 1
    listening.terminate()
    copy.stdin.close()
    copy.wait()
    print(time.monotonic() - began, flush=True)


if __name__ == "__main__":
    port, address, count, how = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    {"safe": safe, "unsafe": unsafe}[how](port, address, count)
