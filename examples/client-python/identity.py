#!/usr/bin/env python3
"""Prints this program's identity; exits 1 if it has none. The socket is the first argument."""

import http.client
import json
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, with the standard library alone."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def main() -> int:
    path = sys.argv[1] if len(sys.argv) > 1 else "/run/witgate/public/api.sock"
    connection = UnixConnection(path)
    connection.request("GET", "/v1/attest")
    response = connection.getresponse()
    answer = json.load(response)
    if response.status != 200:
        print(f"{answer['title']}: {answer['detail']} ({answer.get('help', '')})", file=sys.stderr)
        return 1
    print(answer["identity"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
