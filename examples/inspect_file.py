#!/usr/bin/python3
"""A handler of the kind exec: looks at one file. The payload {"file": PATH} comes on stdin, the result goes to stdout as
JSON, what is worth a log line to stderr; exit code 0 says completed. Nothing of dormouse is imported."""

import hashlib
import json
import sys

payload = json.load(sys.stdin)
with open(payload["file"], "rb") as file:
    content = file.read()
print("read", payload["file"], file=sys.stderr)
json.dump({
    "file": payload["file"],
    "bytes": len(content),
    "lines": content.count(b"\n"),
    "sha256": hashlib.sha256(content).hexdigest(),
}, sys.stdout)
