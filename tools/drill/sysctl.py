# SPDX-License-Identifier: MIT
"""Shell commands that are settings: Linux's and FreeBSD's sysctls as fields of `Config`.

Three kinds: a setting the stack has; one that must be at the value the stack always has; and
one without meaning here, which is passed over.  Everything else is not supported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from stack.base.units import MS, SECOND
from stack.tcp.congestion import ALGORITHMS
from tools.drill.constants import CONSTANTS
from tools.drill.info import SOCKSTAT
from tools.drill.outcome import Unsupported
from tools.drill.script import Command, Script, SystemCall
from tools.drill.settings import DrillConfig, Settings

Change = dict[str, Any]
Setting = Callable[[list[int]], Change]


def _flag(field: str) -> Setting:
    return lambda v: {field: v[0] != 0}


def _scaled(field: str, scale: int) -> Setting:
    return lambda v: {field: v[0] * scale}


def _at(*values: int) -> Setting:
    """Only these values are what the stack does."""

    def check(given: list[int]) -> Change:
        if given[0] not in values:
            raise Unsupported("")
        return {}

    return check


def _named(field: str, *names: str) -> Setting:
    """The value is an index of names; an IndexError is a value we do not know."""
    return lambda v: {field: names[v[0]]}


def _middle(field: str) -> Setting:
    """Of "least default most" the default."""
    return lambda v: {field: v[1] if len(v) > 2 else v[0]}


def _nothing(given: list[int]) -> Change:
    return {}


def _fast_open(bits: int) -> Change:
    """Client 1, server 2; without cookies 4 and 0x200, which the stack does not do."""
    if bits & 0x204:
        raise Unsupported("")
    return {"tcp_fast_open": bits & 3 != 0, "opens_early": bits & 0xC02 > 2}


_LINUX: Final[dict[str, Setting]] = {
    "tcp_sack": _flag("tcp_sack"),
    "tcp_timestamps": _flag("tcp_timestamps"),
    "tcp_window_scaling": _flag("tcp_window_scaling"),
    "tcp_synack_retries": _scaled("tcp_syn_ack_retries", 1),
    "tcp_rto_min_us": _scaled("tcp_rto_min", 1000),
    "tcp_rmem": _middle("tcp_receive_buffer"),
    "ip_local_port_range": lambda v: {"port_low": v[0], "port_high": v[1]},
    "ip_default_ttl": _scaled("hop_limit", 1),
    # 4 and 5 answer accurately, which this stack does whenever it is asked to.
    "tcp_ecn": _named("tcp_ecn", "off", "on", "passive", "accurate", "on", "passive"),
    "tcp_ecn_option": _at(2),
    "tcp_ecn_option_beacon": _nothing,
    "tcp_ecn_fallback": _nothing,
    "tcp_early_retrans": lambda v: {} if v[0] else {"tcp_rack": False},
    "tcp_recovery": _flag("tcp_rack"),
    "tcp_frto": _flag("tcp_frto"),
    "tcp_fack": _at(0),
    "tcp_dsack": _at(1),
    "tcp_thin_linear_timeouts": _at(0),
    "tcp_fastopen": lambda v: _fast_open(v[0]),
    "tcp_fastopen_blackhole_timeout_sec": _nothing,
    "tcp_mtu_probing": _named("tcp_mtu_probing", "off", "black-hole", "always"),
    "tcp_base_mss": _scaled("tcp_base_mss", 1),
    "tcp_mtu_probe_floor": _scaled("tcp_mtu_probe_floor", 1),
    "tcp_probe_interval": _scaled("tcp_mtu_probe_interval", SECOND),
    "tcp_probe_threshold": _nothing,
    "tcp_moderate_rcvbuf": lambda v: {"tcp_autotuning": "normal" if v[0] else "disabled"},
    "tcp_autocorking": _at(0),
    "tcp_slow_start_after_idle": _at(1),
    "tcp_reordering": _at(3),
    "tcp_max_reordering": _nothing,
    "tcp_syncookies": _flag("tcp_syn_cookies"),
    "tcp_abort_on_overflow": _at(0),
    "tcp_rfc1337": _at(1),
    "ip_no_pmtu_disc": _at(0),
    "tcp_no_metrics_save": _nothing,
    "tcp_min_tso_segs": _nothing,
    "tcp_tso_win_divisor": _nothing,
    "tcp_limit_output_bytes": _nothing,
    "tcp_invalid_ratelimit": _nothing,
    "tcp_pacing_ss_ratio": _nothing,
    "tcp_pacing_ca_ratio": _nothing,
    "tcp_notsent_lowat": _nothing,
    "tcp_wmem": _nothing,
    "tcp_tw_reuse": _nothing,
    "tcp_keepalive_time": _scaled("tcp_keepalive_time", SECOND),
    "tcp_keepalive_intvl": _scaled("tcp_keepalive_interval", SECOND),
    "tcp_keepalive_probes": _scaled("tcp_keepalive_count", 1),
    "somaxconn": _nothing,
    "netdev_max_backlog": _nothing,
    "optmem_max": _nothing,
    "wmem_max": _nothing,
    "rmem_max": _nothing,
}
_BSD: Final[dict[str, Setting]] = {
    "sack.enable": _flag("tcp_sack"),
    "rfc1323": lambda v: {"tcp_timestamps": v[0] in (1, 3), "tcp_window_scaling": v[0] in (1, 2)},
    "delayed_ack": lambda v: {} if v[0] else {"tcp_delayed_ack": 0},
    "delacktime": _scaled("tcp_delayed_ack", MS),
    "rexmit_min": _scaled("tcp_rto_min", MS),
    "rexmit_initial": _scaled("tcp_rto_initial", MS),
    "initcwnd_segments": _scaled("tcp_initial_window", 1),
    "msl": _scaled("tcp_time_wait", 2 * MS),
    "keepinit": _scaled("tcp_syn_timeout", MS),
    "recvspace": _scaled("tcp_receive_buffer", 1),
    "ecn.enable": _named("tcp_ecn", "off", "on", "passive", "accurate", "passive"),
    "syncookies": _at(0, 1),
    "blackhole": _at(0),
    "drop_synfin": _at(0),
    "path_mtu_discovery": _at(1),
    "path_mtu_blackhole_detection": _at(0),
    "pmtud_blackhole_detection": _at(0),
    "rexmit_slop": _at(200),
    "insecure_rst": _at(0),
    "insecure_syn": _at(0),
    "insecure_ack": _at(0),
    "tolerate_missing_ts": lambda v: {"tcp_strict_timestamps": v[0] == 0},
    "always_keepalive": _at(0),
    "rfc3390": _nothing,
    "rfc3465": _at(1),
    "rfc3042": _at(0),
    "rfc6675_pipe": _at(1),
    "do_prr": _at(0),
    "do_lrd": _at(0),
    "abc_l_var": _at(2),
    "fast_finwait2_recycle": _at(0),
    "fastopen.server_enable": _nothing,  # the sockets say
    "fastopen.client_enable": _nothing,
    "reass.new_limit": _nothing,
    "reass.maxqueuelen": _nothing,
    "tso": _nothing,
    "sendspace": _nothing,
    "recvbuf_auto": _nothing,
    "sendbuf_auto": _nothing,
    "hostcache.enable": _nothing,
    "hostcache.purgenow": _nothing,
    "hostcache.purge": _nothing,
    "nolocaltimewait": _nothing,
    "minmss": _nothing,
    "log_in_vain": _nothing,
    "log_debug": _nothing,
    "keepidle": _scaled("tcp_keepalive_time", MS),
    "keepintvl": _scaled("tcp_keepalive_interval", MS),
    "keepcnt": _scaled("tcp_keepalive_count", 1),
    "rexmit_drop_options": _at(0),
}
_PATHS: Final = (
    ("net.ipv4.", _LINUX),
    ("net.ipv6.", _LINUX),
    ("net.core.", _LINUX),
    ("net.inet.tcp.", _BSD),
    ("net.inet6.tcp6.", _BSD),
    ("kern.ipc.", {"maxsockbuf": _nothing}),
)
_PROC: Final = re.compile(r"/proc/sys/([\w/.]+)")


def apply(config: DrillConfig, command: str) -> DrillConfig:
    """The configuration after a shell command.  Raises Unsupported."""
    for part in re.split(r"\n|;|&&|\|\|", command.replace("\\\n", " ")):
        for name, value in _settings(part.strip()):
            config = _changed(config, name, value)
    return config


def _settings(command: str) -> list[tuple[str, str]]:
    """What a simple command sets; nothing for one that only prepares a real machine."""
    if not command or command.startswith("#") or command in ("true", ":"):
        return []
    words = command.split()
    if words[0].endswith("defaults.sh") or words[0] in ("kldload", "kldunload"):
        return []
    if words[0].endswith("sysctl"):
        return _sysctl(command, words[1:])
    found = re.fullmatch(r"echo\s+(?:-n\s+)?[\"']?([^\"'>]*?)[\"']?\s*>\s*(\S+)", command)
    if found and _PROC.fullmatch(found[2]):
        return [(_dotted(found[2]), found[1])]
    if words[0].endswith("set_sysctls.py"):
        pairs = re.findall(r"(/proc/sys/[\w/.]+)=(\"[^\"]*\"|'[^']*'|\S+)", command)
        return [(_dotted(path), value.strip("\"'")) for path, value in pairs]
    raise Unsupported(f"command {words[0]}")


def _sysctl(command: str, words: list[str]) -> list[tuple[str, str]]:
    text = re.sub(r"^\S*sysctl\s+(?:-\w+\s+)*", "", command)
    text = re.sub(r"\s*>\s*/dev/null.*$", "", text)
    pairs = re.findall(r"([\w./]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"']+(?:\s+\d+(?!\S))*)", text)
    if not pairs:
        raise Unsupported(f"command sysctl {' '.join(words)}")
    return [(name.replace("/", "."), value.strip("\"'")) for name, value in pairs]


def _dotted(path: str) -> str:
    return path.removeprefix("/proc/sys/").replace("/", ".")


def _changed(config: DrillConfig, name: str, value: str) -> DrillConfig:
    if name.endswith(("congestion_control", "cc.algorithm", "default_qdisc")):
        if name.endswith("default_qdisc"):
            return config
        if value in ALGORITHMS:
            return replace(config, tcp_congestion=value)
        raise Unsupported(f"congestion control {value}")
    if name.endswith("tcp_fastopen_key"):
        return config  # cookies are translated
    if name == "net.inet.tcp.functions_default" and value == "freebsd":
        return config
    for prefix, table in _PATHS:
        setting = table.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if setting is None:
            continue
        try:
            numbers = [int(word, 0) for word in value.split()]
            return replace(config, **setting(numbers))
        except (ValueError, IndexError, Unsupported):
            raise Unsupported(f"sysctl {name}={value}") from None
    raise Unsupported(f"sysctl {name}={value}")


def foresee(settings: Settings, script: Script) -> DrillConfig:
    """The configuration for a script: its commands, and what its calls will ask for later.

    The stack's configuration is fixed when it is built, so commands before the first packet or
    call, the listener's backlog and the receive buffer are taken from ahead.
    """
    config = settings.config()
    commands = list(script.commands)
    for event in script.events:
        if not isinstance(event.action, Command):
            break
        if SOCKSTAT.fullmatch(event.action.text.strip()) is None:
            commands.append((event.line, event.action.text))
    for line, command in commands:
        try:
            config = apply(config, command)
        except Unsupported as error:
            error.line = line
            raise
    opened = False
    for event in script.events:
        action = event.action
        if not isinstance(action, SystemCall):
            continue
        arguments = action.arguments
        opened |= action.name in ("connect", "listen")
        if action.name == "setsockopt" and arguments[2:3] == [CONSTANTS["TCP_MAXSEG"]]:
            given = arguments[3][0] if isinstance(arguments[3], list) else arguments[3]
            if not opened and arguments[1] == CONSTANTS["SOL_TCP"] and isinstance(given, int):
                config = replace(config, tcp_mss_clamp=min(max(given, 48), 0xFFFF))
        if action.name == "setsockopt" and arguments[2:3] == [CONSTANTS["SO_RCVBUF"]]:
            given = arguments[3][0] if isinstance(arguments[3], list) else arguments[3]
            if isinstance(given, int) and arguments[1] == CONSTANTS["SOL_SOCKET"]:
                config = replace(config, tcp_receive_buffer=max(given, 256))
        elif action.name == "listen" and isinstance(arguments[1], int):
            config = replace(config, tcp_backlog=min(max(arguments[1], 0) + 1, 4096))
    return config
