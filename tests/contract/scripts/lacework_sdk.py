"""Runs in the SDK's own environment: a call as a line of JSON on standard input, its outcome as one on standard output.

The SDK makes up its host name and insists on https. So the name leads to the emulator here, whose certificate is made out
to `localhost`. Arguments: the emulator's port, and a JSON object with what `LaceworkClient` takes.
"""

from __future__ import annotations

import functools
import json
import socket
import sys
from collections.abc import Iterator

import requests

_resolve = socket.getaddrinfo
_init_poolmanager = requests.adapters.HTTPAdapter.init_poolmanager


def to_the_emulator(host, port, *args, **kwargs):
    """Every name is the emulator's."""
    return _resolve("127.0.0.1", int(sys.argv[1]), *args, **kwargs)


def for_localhost(self, *args, **kwargs):
    """The certificate is checked, for the name that it has."""
    return _init_poolmanager(self, *args, **kwargs, assert_hostname="localhost", server_hostname="localhost")


def main():
    socket.getaddrinfo = to_the_emulator
    requests.adapters.HTTPAdapter.init_poolmanager = for_localhost
    from laceworksdk import LaceworkClient, exceptions  # only now, for names must lead to the emulator

    client = None
    for line in sys.stdin:
        call, args, kwargs = json.loads(line)
        try:
            if client is None:
                client = LaceworkClient(**json.loads(sys.argv[2]))
            done = functools.reduce(getattr, call.split("."), client)(*args, **kwargs)
            if isinstance(done, requests.Response):
                outcome = {"status": done.status_code}
            else:
                outcome = {"result": list(done) if isinstance(done, Iterator) else done}
        except exceptions.ApiError as error:
            outcome = {"error": type(error).__name__, "status": error.status_code, "message": error.message}
        print(json.dumps(outcome), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
