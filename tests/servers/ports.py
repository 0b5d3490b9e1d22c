"""Ports on the loopback."""

from __future__ import annotations

import os
import random
import socket


def free_port():
    """Find a port that nobody listens at, and that no outgoing connection is given."""
    while True:
        port = random.randrange(20000, 32000)
        if is_free(port):
            return port


def is_free(port):
    """Tell whether a server could listen there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def chosen(directory, count):
    """Choose the ports of the server that lives in a directory, or learn which ones another process chose."""
    path = os.path.join(directory, "chosen-ports")
    try:
        with open(path, encoding="utf-8") as file:
            return [int(port) for port in file.read().split()]
    except FileNotFoundError:
        ports = [free_port() for _ in range(count)]
        with open(path, "w", encoding="utf-8") as file:
            file.write(" ".join(map(str, ports)))
        return ports
