# SPDX-License-Identifier: MIT
"""What a run is told: options of the original, and the profiles and modes of this one.

A *profile* says whose policy a script assumes; a *mode* how closely packets are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from stack import Config
from stack.base import addr
from stack.base.units import KIB, MIB, MS, SECOND
from tools.drill.outcome import ScriptError, Unsupported

STRICT: Final = "strict"
SEMANTIC: Final = "semantic"
MODES: Final = (STRICT, SEMANTIC)
FAMILIES: Final = ("ipv4", "ipv6", "ipv4-mapped-ipv6")


@dataclass(frozen=True)
class Profile:
    """A system's policy, as far as the stack has knobs for it."""

    config: dict[str, Any]
    doubles_rcvbuf: bool = False  # SO_RCVBUF and SO_SNDBUF read back twice what was set
    connect_twice: bool = True  # the first connect() after success returns 0, not EISCONN
    pipe_after_fin: bool = False  # a reset behind the peer's FIN reads as EPIPE
    rounds_rcvbuf: bool = False  # ... as a multiple of the MSS once connected
    send_buffer: int = 4 * MIB
    opens_early: bool = False  # listeners need not ask for Fast Open
    defers_connect: bool = False  # connect() with Fast Open waits for the first write()
    symbols: dict[str, dict[str, str]] = field(default_factory=dict)  # by IP version


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillConfig(Config):
    """The configuration of a stack under test, and what its sockets are to be like.

    opens_early   listeners do Fast Open without being told
    """

    opens_early: bool = False


# The window scale follows from the buffer, and packets are what they were said to be.
_PLAIN: Final[dict[str, Any]] = {"tcp_autotuning": "disabled", "tcp_black_hole_detection": False}

# What the kernel's own runner of scripts defines, as far as it matters here.
_KERNEL_SYMBOLS: Final = {
    "ipv4": {"TFO_COOKIE": "3021b9d889017eeb", "CODE": "host_unreachable"},
    "ipv6": {"TFO_COOKIE": "c1d1e9742a47a9bc"},
    "ipv4-mapped-ipv6": {"TFO_COOKIE": "3021b9d889017eeb", "CODE": "host_unreachable"},
}

PROFILES: Final[dict[str, Profile]] = {
    # What the full standards say, without what a sender may do beyond them.
    "rfc": Profile(_PLAIN | {"tcp_congestion": "reno", "tcp_rack": False, "tcp_frto": False}),
    "linux": Profile(
        # A new connection acknowledges at once ("quick ACK") until it looks interactive.
        _PLAIN
        | {
            "tcp_delayed_ack": 0,
            "tcp_receive_buffer": 6 * MIB,
            "tcp_rto_max": 120 * SECOND,
            "tcp_strict_timestamps": False,
        },
        doubles_rcvbuf=True,
        pipe_after_fin=True,
        opens_early=True,
        defers_connect=True,
        symbols=_KERNEL_SYMBOLS,
    ),
    "freebsd": Profile(
        _PLAIN
        | {
            "tcp_delayed_ack": 40 * MS,
            "tcp_rto_min": 230 * MS,
            "tcp_rto_max": 64 * SECOND,
            "tcp_rack": False,
            "tcp_frto": False,
        },
        connect_twice=False,
        rounds_rcvbuf=True,
        send_buffer=2 * MIB,
    ),
}

_DEFAULTS: Final = {
    "ipv4": ("192.168.0.1", "192.0.2.1", "192.168.0.2", 16),
    "ipv6": ("fd3d:a0b:17d6::1", "fd3d:fa7b:d17d::1", "fd3d:a0b:17d6:8888::1", 32),
}
_PASSED_OVER: Final = frozenset(
    ("verbose", "v", "non_fatal", "code_command", "code_format", "code_sockopt", "speed",
     "init_scripts", "persistent_tun_dev", "wire_protocol", "dry_run", "send_omit_free")
)  # fmt: skip
"""Options that say how the original runs on a real kernel; there is none here."""


@dataclass(frozen=True)
class Settings:
    """Everything that may be said on the command line or at the top of a script."""

    ip_version: str = "ipv4"
    mode: str = SEMANTIC
    profile: str = "rfc"
    tolerance: int = 4 * MS
    tolerance_percent: float = 12.5
    mtu: int = 1500
    bind_port: int = 8080
    connect_port: int = 8080
    ts_tick: int = 0
    strict_segments: bool = False
    local_ip: str = ""
    remote_ip: str = ""
    gateway_ip: str = ""
    prefix: int = 0
    defines: dict[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()  # given on the command line, which overrules scripts

    @property
    def v6(self) -> bool:
        """IPv6 on the wire?"""
        return self.ip_version == "ipv6"

    @property
    def policy(self) -> Profile:
        return PROFILES[self.profile]

    def addresses(self) -> tuple[str, str, str, int]:
        """Local, remote, gateway, prefix length."""
        defaults = _DEFAULTS["ipv6" if self.v6 else "ipv4"]
        local = self.local_ip or defaults[0]
        remote = self.remote_ip or defaults[1]
        gateway = self.gateway_ip or defaults[2]
        if gateway == local:
            # A tunnel has no neighbours, so scripts do not care; this link has.
            gateway = defaults[0] if local == defaults[2] else defaults[2]
        return local, remote, gateway, self.prefix or defaults[3]

    def symbols(self) -> dict[str, str]:
        """What #ifdef knows."""
        family = {self.ip_version.upper().replace("-", "_"): "1"}
        return family | self.policy.symbols.get(self.ip_version, {}) | self.defines

    def config(self) -> DrillConfig:
        """The stack's configuration before any sysctl."""
        policy = self.policy
        quiet = DrillConfig(dad=False, multicast_reports=False, opens_early=policy.opens_early)
        return replace(quiet, **policy.config)

    def told(self, options: list[tuple[int, str, str]]) -> Settings:
        """These settings and the options of a script."""
        settings = self
        for line, name, value in options:
            try:
                changed = settings.with_option(name, value)
                settings = settings if name in self.fixed else changed
            except ValueError as error:
                raise ScriptError(line, f"--{name}={value}: {error}") from error
            except Unsupported as error:
                error.line = line
                raise
        return settings

    def with_option(self, name: str, value: str) -> Settings:
        """One option more.  ValueError if the value is wrong, Unsupported if unknown."""
        if name in _PASSED_OVER:
            return self
        if name in ("define", "D"):
            symbol, _, meaning = value.partition("=")
            return replace(self, defines={symbol: meaning, **self.defines})
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise ValueError(f"one of {', '.join(_CHOICES[name])}")
            return replace(self, **{name: value})  # type: ignore[arg-type]
        if name in _NUMBERS:
            target, scale = _NUMBERS[name]
            return replace(self, **{target: int(value) * scale})  # type: ignore[arg-type]
        if name == "tolerance_percent":
            return replace(self, tolerance_percent=float(value))
        if name == "strict_segments":
            return replace(self, strict_segments=value not in ("0", "false"))
        if name in ("local_ip", "remote_ip", "gateway_ip"):
            same_family = (":" in value) == self.v6
            addr.parse(value)
            return replace(self, **{name: value}) if same_family else self  # type: ignore[arg-type]
        if name == "netmask_ip":
            return replace(self, prefix=bin(int.from_bytes(addr.parse(value), "big")).count("1"))
        raise Unsupported(f"--{name}")


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "ip_version": FAMILIES,
    "mode": MODES,
    "profile": tuple(PROFILES),
}
_NUMBERS: Final = {
    "tolerance_usecs": ("tolerance", 1000),
    "mtu": ("mtu", 1),
    "bind_port": ("bind_port", 1),
    "connect_port": ("connect_port", 1),
    "tcp_ts_tick_usecs": ("ts_tick", 1000),
}
SEND_BUFFER_LEAST: Final = 4 * KIB
