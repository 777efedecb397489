#!/usr/bin/env bash
# Real packets through the sample plan in a real kernel: packets.py.
set -euo pipefail
exec python3 "$(dirname "$0")/packets.py"
