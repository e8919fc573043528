"""`python -m retort_client push FILE|- --url URL`; the key comes from the variable RETORT_KEY alone."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from pathlib import Path

from retort_client import Client, RetortError


def main() -> int:
    """Push a file and print the counts as JSON; 0 when nothing was rejected, 1 otherwise, 2 when used wrongly."""
    parser = argparse.ArgumentParser(prog="python -m retort_client", description="Send findings to Retort.")
    push = parser.add_subparsers(required=True).add_parser("push", help="send NDJSON, one finding a line")
    push.add_argument("file", metavar="FILE", help="NDJSON; - for standard input")
    push.add_argument("--url", required=True, help="where Retort is, such as https://retort.example.org")
    push.add_argument("--ca", metavar="PEM", default=True, help="certificate authorities, instead of the system's")
    push.add_argument("--give-up-after", type=float, default=300.0, metavar="SECONDS", help="for a batch (300)")
    asked, message = parser.parse_args(), ""
    try:
        made = Client(asked.url, os.environ.get("RETORT_KEY", ""), verify=asked.ca, give_up_after=asked.give_up_after)
        stdin = contextlib.nullcontext(sys.stdin.buffer)
        with made as client, stdin if asked.file == "-" else Path(asked.file).open("rb") as lines:
            result = client.push(lines)
    except RetortError as error:
        result, message = error.result, f"{error}\n"
    except (ValueError, OSError) as error:
        parser.error(f"{error} (the key is read from RETORT_KEY)")
    sys.stderr.writelines([*(f"{refusal}\n" for refusal in result.errors), message])
    counts = {name: value for name, value in dataclasses.asdict(result).items() if name != "errors"}
    sys.stdout.write(json.dumps(counts) + "\n")
    return 1 if message or result.rejected else 0


if __name__ == "__main__":
    sys.exit(main())
