"""Runs in the client's own environment: a call as a line of JSON on standard input, its outcome as one on standard output.

The client insists on https and on a host that begins with `api-`. So every name leads to the emulator here, whose
certificate is made out to `localhost`. Argument: the emulator's port. The first line says who calls.
"""

from __future__ import annotations

import functools
import json
import socket
import sys

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
    """Answer calls until there are no more."""
    socket.getaddrinfo = to_the_emulator
    requests.adapters.HTTPAdapter.init_poolmanager = for_localhost
    from cortex_xdr_client.api.authentication import Authentication, AuthenticationType
    from cortex_xdr_client.api.version import APIVersion
    from cortex_xdr_client.client import CortexXDRClient

    who = json.loads(sys.stdin.readline())
    auth = Authentication(who["key"], int(who["keyId"]), AuthenticationType[who["level"].upper()])
    client = CortexXDRClient(auth, "acme.xdr.us.paloaltonetworks.com", api_version=APIVersion.V5)
    for line in sys.stdin:
        call, kwargs = json.loads(line)
        try:
            outcome = {"result": functools.reduce(getattr, call.split("."), client)(**kwargs)}
        except requests.HTTPError as error:
            outcome = {"status": error.response.status_code, "body": error.response.json()}
        print(json.dumps(outcome), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
