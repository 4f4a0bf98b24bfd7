"""An nbdkit plugin: a disk in memory that writes down every write and flush, in order.

Each record of the log is one byte for its kind (W or F), the offset and the length as little-endian
64-bit numbers, and the data. It is in the log before the request is answered.
"""

import os
import pathlib
import struct

API_VERSION = 2

base = None
log = None
disk = None


def config(key, value):
    global base, log
    if key == "base":
        base = value
    elif key == "log":
        log = value
    else:
        raise RuntimeError("unknown parameter " + key)


def get_ready():
    global disk, log
    # `open` is a callback here.
    disk = bytearray(pathlib.Path(base).read_bytes())
    log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def record(kind, offset, data):
    text = kind + struct.pack("<QQ", offset, len(data)) + data
    while text:
        text = text[os.write(log, text):]


def thread_model():
    import nbdkit
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    return 1


def get_size(h):
    return len(disk)


def can_flush(h):
    return True


def pread(h, buf, offset, flags):
    buf[:] = disk[offset:offset + len(buf)]


def pwrite(h, buf, offset, flags):
    data = bytes(buf)
    record(b"W", offset, data)
    disk[offset:offset + len(data)] = data


def flush(h, flags):
    record(b"F", 0, b"")
