#!/bin/sh
# Prints this script's identity; exits 1 if it has none. The socket is the first argument.
set -eu
socket=${1:-/run/witgate/public/api.sock}

# An answer is one line of JSON; "identity" is in it if, and only if, there is one.
answer=$(echo attest | nc -U "$socket")
identity=$(printf '%s' "$answer" | sed -n 's/.*"identity":"\([^"]*\)".*/\1/p')
if [ -z "$identity" ]; then
    printf '%s\n' "$answer" >&2
    exit 1
fi
printf '%s\n' "$identity"
