# SPDX-License-Identifier: MIT
"""The packetdrill laboratory: the language, the outcomes, and every script of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.drill.batch import collect, run_all
from tools.drill.constants import CONSTANTS
from tools.drill.expressions import expression
from tools.drill.outcome import FAIL, PASS, UNSUPPORTED, Result, ScriptError, Unsupported
from tools.drill.packet_text import packet
from tools.drill.parser import options_of, parse
from tools.drill.runner import run_text
from tools.drill.scanner import Scanner
from tools.drill.script import (
    ABSOLUTE,
    ANY,
    IGNORED,
    RELATIVE,
    IcmpPacket,
    Option,
    Struct,
    SystemCall,
    TcpPacket,
    UdpPacket,
    When,
)
from tools.drill.settings import Settings

SCRIPTS = Path(__file__).resolve().parent.parent / "packetdrill"
MS = 1_000_000
V4 = Settings()
V6 = Settings(ip_version="ipv6", mtu=1520)  # so that the MSS is 1460 here as well

SERVER = """\
 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""


def run(text: str, **settings: object) -> Result:
    return run_text("t", text, Settings(**settings))  # type: ignore[arg-type]


def served(text: str, **settings: object) -> Result:
    """A script that goes on in line 8 with an established connection."""
    return run(SERVER + text, **settings)


def name_of(path: Path) -> str:
    return str(path.relative_to(SCRIPTS).with_suffix(""))


def runs() -> list[Any]:
    """Every script in both families, but for those that say which one is theirs."""
    found = []
    for path in collect([str(SCRIPTS)]):
        chooses = any(name == "ip_version" for _, name, _ in options_of(path.read_text()))
        for settings in (V4,) if chooses else (V4, V6):
            name = f"{settings.ip_version}-{name_of(path)}"
            found.append(pytest.param(path, settings, id=name))
    return found


@pytest.mark.parametrize(("path", "settings"), runs())
def test_script(path: Path, settings: Settings) -> None:
    result = run_text(name_of(path), path.read_text(), settings)
    assert result.verdict == PASS, str(result)


@pytest.mark.parametrize("path", collect([str(SCRIPTS)]), ids=name_of)
def test_scripts_say_what_they_are_about(path: Path) -> None:
    licence, title = path.read_text().split("\n")[:2]
    assert licence == "// SPDX-License-Identifier: MIT"
    assert title.startswith(("// ", "/* "))
    assert len(title) > 20


# Text.


def when(text: str) -> When:
    return parse(f"{text} > . 1:1(0) ack 1", {}).events[0].when


def test_times() -> None:
    assert when("0.5") == When(ABSOLUTE, 500 * MS, 500 * MS)
    assert when("+.1") == When(RELATIVE, 100 * MS, 100 * MS)
    assert when("+0") == When(RELATIVE, 0, 0)
    assert when("*") == When(ANY)
    assert when("0.1~0.3") == When(ABSOLUTE, 100 * MS, 300 * MS)
    assert when("+0~+.01") == When(RELATIVE, 0, 10 * MS)


def test_blocking_calls_have_an_end() -> None:
    call = parse("0.1...0.2 read(4, ..., 1000) = 1000", {}).events[0].action
    assert isinstance(call, SystemCall)
    assert call.end == When(ABSOLUTE, 200 * MS, 200 * MS)
    assert call.arguments == [4, IGNORED, 1000]


def test_calls_have_results_errors_and_notes() -> None:
    script = parse(
        "0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)\n"
        "0 read(3, ..., 1) = -1 EAGAIN (Resource temporarily unavailable)\n"
        "+0 close(3) = 0",
        {},
    )
    calls = [event.action for event in script.events]
    assert all(isinstance(call, SystemCall) for call in calls)
    found = [(c.result, c.errno) for c in calls if isinstance(c, SystemCall)]
    assert found == [(2, None), (-1, "EAGAIN"), (0, None)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17", 17),
        ("-1", -1),
        ("0x10", 16),
        ('"a\\"b"', 'a"b'),
        ("O_RDWR|O_NONBLOCK", 2 | CONSTANTS["O_NONBLOCK"]),
        ("[1, 2]", [1, 2]),
        ("[]", []),
        ("htons(8080)", 8080),
        ('inet_addr("1.2.3.4")', "1.2.3.4"),
        ("...", IGNORED),
        ("{onoff=1, linger=5}", Struct({"onoff": 1, "linger": 5})),
        ("{..., 1000}", Struct({"0": IGNORED, "1": 1000})),
        ("{msg_name(...)=..., msg_flags=0}", Struct({"msg_name": IGNORED, "msg_flags": 0})),
    ],
)
def test_expressions(text: str, value: object) -> None:
    assert expression(Scanner(text)) == value


def tcp(text: str) -> TcpPacket:
    found = packet(Scanner(text))
    assert isinstance(found, TcpPacket)
    return found


def test_segments() -> None:
    found = tcp("> P. 1:1001(1000) ack 5 win 257 urg 3 <nop,nop,TS val 1 ecr 2>")
    assert not found.inbound
    assert (found.flags, found.seq, found.length) == (0x18, 1, 1000)
    assert (found.ack, found.win, found.urg) == (5, 257, 3)
    assert found.options == (Option("nop"), Option("nop"), Option("TS", (1, 2)))


def test_segments_may_say_less() -> None:
    assert tcp("> S. 0:0(0) ack 1 <...>").options is None
    assert tcp("< S 0:0(0) win 100").options == ()
    assert tcp("< - 0:10(10)").flags == 0
    assert tcp("< SEW 0:0(0)").flags == 0xC2
    assert tcp("< 5000 > 80 S 0:0(0)").ports == (5000, 80)
    assert tcp("< . ...(7) ack 1").seq is None
    assert tcp("< R 7:7(0)!").absolute


def test_every_option() -> None:
    found = tcp(
        "< S 0:0(0) <mss 1460, sackOK, eol, wscale 7, sack 1:2 3:4, FO 0a0b, md5 00, "
        "ECN e1b 1 ceb 2 e0b 3>"
    )
    assert found.options is not None
    assert [option.name for option in found.options[:5]] == [
        "mss",
        "sackok",
        "eol",
        "wscale",
        "sack",
    ]
    assert found.options[4].value == ((1, 2), (3, 4))
    assert found.options[5] == Option("FO", b"\n\v")
    assert found.options[6].value[0] == 19
    assert found.options[7] == Option("ECN", (174, (1, 2, 3)))


def test_other_packets() -> None:
    assert packet(Scanner("< udp (1000)")).length == 1000
    assert isinstance(packet(Scanner("> [tos 0x4] udp (0)")), UdpPacket)
    found = packet(Scanner("< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]"))
    assert isinstance(found, IcmpPacket)
    assert (found.kind, found.code, found.mtu) == ("unreachable", "frag_needed", 1200)
    assert found.quoted == ("tcp", 1, 1460)


def test_ip_information() -> None:
    ip = tcp("< [ect0, tos 0x10, ttl 3, flowlabel 0x5] . 1:1(0)").ip
    assert (ip.ecn, ip.tos, ip.ttl, ip.label) == ("ect0", 16, 3, 5)
    assert tcp("< (hlim 3) . 1:1(0)").ip.ttl == 3


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("// fine\n\n0 socket(... = 3", 3, "','"),
        ("0 close(3) = 0\nnonsense", 2, "a time expected"),
        ("0 > S 0:5(3)", 1, "0:5 is not a span of 3"),
        ("0 > X 0:0(0)", 1, "TCP flags"),
        ("0 > S 0:0(0) <mss>", 1, "the value of mss"),
        ("0 close(3) = 0\n/* no end", 2, "does not end"),
        ("#ifdef A\n0 close(3) = 0", 2, "#endif"),
        ("#endif", 1, "without #ifdef"),
        ("--nonsense!", 1, "not an option"),
    ],
)
def test_errors_have_line_numbers(text: str, line: int, words: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, {})
    assert caught.value.line == line
    assert words in str(caught.value)
    result = run(text)
    assert (result.verdict, result.line) == (FAIL, line)


def test_conditions_and_definitions() -> None:
    text = "#ifdef A\n0 close(N) = 0\n#else\n0 close(1) = 0\n#endif\n"
    found = parse(text, {"A": "1", "N": "9"}).events
    assert [(e.line, e.action.arguments) for e in found if isinstance(e.action, SystemCall)] == [
        (2, [9])
    ]
    other = parse(text, {}).events
    assert [event.line for event in other] == [4]


# What comes of a script.


def test_a_pass() -> None:
    result = served("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n")
    assert str(result) == "t: PASS"


def test_a_wrong_packet_is_told_with_both_sides() -> None:
    result = served("+0 write(4, ..., 10) = 10\n+0 > P. 1:21(20) ack 1\n")
    assert str(result) == (
        "t:9: error handling packet: live packet field tcp_payload_length: "
        "expected: 20 vs actual: 10\n"
        "script packet: +0 > P. 1:21(20) ack 1\n"
        "actual packet: 0.100000 P. 1:11(10) ack 1 win 65535"
    )


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        ("F. 1:11(10) ack 1", "tcp_flags"),
        ("P. 2:12(10) ack 1", "tcp_seq"),
        ("P. 1:11(10) ack 2", "tcp_ack_seq"),
        ("P. 1:11(10) ack 1 urg 4", "tcp_urg_ptr"),
        ("P. 1:11(10) ack 1 <nop,nop,sack 1:2>", "tcp_options"),
        ("[ttl 3] P. 1:11(10) ack 1", "ip_ttl"),
        ("[tos 0x4] P. 1:11(10) ack 1", "ip_tos"),
        ("udp (10)", "protocol"),
        ("icmp echo_reply", "protocol"),
    ],
)
def test_each_field_counts(expected: str, field: str) -> None:
    result = served(f"+0 write(4, ..., 10) = 10\n+0 > {expected}\n")
    assert (result.verdict, result.line) == (FAIL, 9)
    assert field in result.text


def test_a_packet_that_is_late() -> None:
    result = served("+0 < P. 1:11(10) ack 1 win 65535\n+.01 > . 1:1(0) ack 11\n")
    assert result.text.splitlines()[0] == (
        "error handling packet: timing error: expected outbound packet at 0.110000 sec "
        "but happened at 0.140000 sec; tolerance 0.004000 sec"
    )


def test_tolerance_is_settable() -> None:
    late = "+0 < P. 1:11(10) ack 1 win 65535\n+.01 > . 1:1(0) ack 11\n"
    assert run("--tolerance_usecs=35000\n" + SERVER + late).verdict == PASS
    assert served(late, tolerance=35 * MS).verdict == PASS


def test_a_packet_that_never_comes() -> None:
    assert served("+0 > . 1:1(0) ack 1\n").text == "timed out waiting for packet"


def test_nobody_asks_for_leftovers() -> None:
    assert served("+0 write(4, ..., 10) = 10\n").verdict == PASS


def test_a_call_that_returns_something_else() -> None:
    assert served("+0 write(4, ..., 10) = 11\n").text == (
        "runtime error in write call: expected 11 but got 10"
    )
    assert served("+0 read(9, ..., 10) = 5\n").text == (
        "runtime error in read call: expected 5 but got -1 with EBADF (Bad file descriptor)"
    )


def test_a_call_that_blocks_for_ever() -> None:
    result = served("+0 read(4, ..., 10) = 5\n+1 close(4) = 0\n")
    assert (result.line, result.text) == (8, "runtime error in read call: it does not return")


def test_a_call_that_returns_at_another_time() -> None:
    result = served("+0...0.5 read(4, ..., 10) = 10\n+.1 < P. 1:11(10) ack 1 win 65535\n")
    assert result.text.startswith("timing error in read call: expected to end at 0.600000 sec")


def test_code_blocks() -> None:
    good = "+0 %{ half = tcpi_snd_cwnd // 2\nassert half == 5, half }%\n"
    assert served(good).verdict == PASS
    result = served("+0 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%\n")
    assert result.text.startswith("code: assertion failed: 1 in: assert tcpi_state")
    assert "NameError" in served("+0 %{ assert nothing_known }%\n").text


@pytest.mark.parametrize(
    ("script", "line", "feature"),
    [
        ("--so_filename=x\n0 close(3) = 0", 1, "--so_filename"),
        ("`tc qdisc show`\n0 close(3) = 0", 1, "command tc"),
        ("`sysctl -q net.ipv4.tcp_ecn=9`\n0 close(3) = 0", 1, "sysctl net.ipv4.tcp_ecn=9"),
        (" 0 epoll_create(1) = 3", 1, "system call epoll_create"),
        (" 0 < gre: . 1:1(0)", 1, "gre packets"),
        ("`sysctl -q net.ipv4.tcp_fastopen=0x204`\n0 close(3) = 0", 1, "tcp_fastopen=0x204"),
        (SERVER + "+0 send(4, ..., 1, MSG_ZEROCOPY) = 1", 8, "MSG_ZEROCOPY"),
        (SERVER + "+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0", 8, "TCP_CORK = 1"),
        (SERVER + "+0 setsockopt(4, SOL_TCP, TCP_NEW, [1], 4) = 0", 8, "socket option TCP_NEW"),
        (SERVER + "+0 %{ assert tcpi_reordering == 3 }%", 8, "tcpi_reordering"),
        (SERVER + "+0 `sysctl -q net.ipv4.tcp_sack=0`", 8, "changing a setting"),
    ],
)
def test_what_is_not_supported_is_said(script: str, line: int, feature: str) -> None:
    result = run(script)
    assert (result.verdict, result.line) == (UNSUPPORTED, line), result
    assert feature in result.text


def test_unsupported_options_of_packets_have_lines() -> None:
    with pytest.raises(Unsupported) as caught:
        parse("0 close(3) = 0\n0 > S 0:0(0) <mptcp>", {})
    assert caught.value.line == 2


# Modes, profiles, settings.


ACTIVE = """\
 0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
"""


def test_semantic_mode_leaves_policy_to_the_sender() -> None:
    bsd = "+0 > S 0:0(0) win 1 <mss 1460,nop,wscale 9,sackOK,TS val 100 ecr 0>\n"
    assert run(ACTIVE + bsd).verdict == PASS
    assert run(ACTIVE + bsd, mode="strict").verdict == FAIL
    linux = "+0 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6>\n"
    assert run(ACTIVE + linux, mode="strict").verdict == PASS


def test_semantic_mode_misses_nothing_else() -> None:
    without = "+0 > S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 6>\n"
    assert run(ACTIVE + without).verdict == FAIL


def test_a_script_may_choose_and_the_command_line_overrules() -> None:
    script = "--mode=strict\n" + ACTIVE + "+0 > S 0:0(0) win 1 <...>\n"
    assert run(script).verdict == FAIL
    assert run(script, fixed=frozenset(["mode"])).verdict == PASS


def test_profiles() -> None:
    quick = "+0 < P. 1:11(10) ack 1 win 65535\n+0 > . 1:1(0) ack 11\n"
    assert served(quick, profile="linux").verdict == PASS
    assert served(quick, profile="freebsd").verdict == FAIL
    scaled = "+0 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>\n"
    assert run(ACTIVE + scaled, profile="linux", mode="strict").verdict == PASS


def test_segments_are_merged_unless_forbidden() -> None:
    script = "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n"
    assert served(script).verdict == PASS
    assert run("--strict_segments\n" + SERVER + script).verdict == FAIL


def test_many_at_once_and_captures(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"s{number:02}.pkt").write_text(SERVER if number else " 0 close(3) = 0")
    results = list(run_all(collect([str(tmp_path)]), V4, tmp_path / "pcap", 2))
    assert [result.verdict for result in results] == [FAIL] + [PASS] * 19
    capture = (tmp_path / "pcap" / tmp_path.name / "s01.pcapng").read_bytes()
    assert capture[:4] == b"\n\r\r\n"
    assert len(capture) > 400


def test_a_file_that_is_not_there() -> None:
    (result,) = run_all(collect(["/nowhere.pkt"]), V4, None, 1)
    assert result.verdict == FAIL
    assert "cannot be read" in result.text
