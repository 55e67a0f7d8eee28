# SPDX-License-Identifier: MIT
"""`tools/packetdrill`: run packetdrill scripts against the stack, in virtual time, without root."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tools.drill.batch import collect, run_all
from tools.drill.outcome import FAIL, PASS, UNSUPPORTED, ScriptError, Unsupported
from tools.drill.settings import FAMILIES, MODES, PROFILES, Settings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="tools/packetdrill",
        description="Run packetdrill scripts against the stack, in virtual time, without root. "
        "Exit status: the number of scripts that failed, 100 at most.",
    )
    made.add_argument("scripts", nargs="+", metavar="FILE", help="scripts, or directories of them")
    made.add_argument("--ip_version", choices=FAMILIES, help="what is on the wire (ipv4)")
    made.add_argument("--mode", choices=MODES, help="how closely to compare (semantic)")
    made.add_argument("--profile", choices=list(PROFILES), help="whose policy (rfc)")
    made.add_argument("--tolerance_usecs", type=int, metavar="N", help="(4000)")
    made.add_argument("--tolerance_percent", type=float, metavar="N", help="(12.5)")
    made.add_argument("--mtu", type=int, metavar="N", help="(1500)")
    made.add_argument("--tcp_ts_tick_usecs", type=int, metavar="N", help="compare timestamps")
    made.add_argument("--strict_segments", action="store_const", const="1", help="merge nothing")
    made.add_argument("--define", "-D", action="append", metavar="SYMBOL=VALUE", default=[])
    made.add_argument("--pcap", type=Path, metavar="DIR", help="write a capture of each run there")
    made.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (one a core)")
    made.add_argument("--quiet", "-q", action="store_true", help="only what did not pass")
    return made


def settings_of(options: argparse.Namespace) -> Settings:
    """What the command line says."""
    settings = Settings()
    given = vars(options)
    for name in (
        "ip_version", "mode", "profile", "tolerance_usecs", "tolerance_percent", "mtu",
        "tcp_ts_tick_usecs", "strict_segments",
    ):  # fmt: skip
        if given[name] is not None:
            settings = settings.with_option(name, str(given[name]))
            settings = replace(settings, fixed=settings.fixed | {name})
    for define in options.define:
        settings = settings.with_option("define", define)
    return settings


def main() -> None:
    options = parser().parse_args()
    try:
        settings = settings_of(options)
    except (ValueError, ScriptError, Unsupported) as error:
        parser().error(str(error))
    paths = collect(options.scripts)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    for result in run_all(paths, settings, options.pcap, options.jobs):
        counts[result.verdict] += 1
        if result.verdict != PASS or not options.quiet:
            print(result, flush=True)
    if len(paths) != 1:
        print(
            f"{counts[PASS]} passed, {counts[FAIL]} failed, {counts[UNSUPPORTED]} unsupported "
            f"in {time.monotonic() - began:.2f} s"
        )
    sys.exit(min(counts[FAIL], 100))


if __name__ == "__main__":
    main()
