# SPDX-License-Identifier: MIT
"""`tools/wsk ip`: addr, route, neigh, maddr and link of a running stack, as iproute2's ip has them.

Arguments are read as ip reads them: options first, any beginning of a word that is unambiguous
enough for ip, `dev` before an interface's name where one likes.  With -j the keys are ip's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tools.inspect_stack import FOREVER

Ask = Callable[..., Any]
Row = dict[str, Any]

USAGE: Final = """\
usage: tools/wsk ip [-4|-6] [-j [-p]] [-s] [-br] [-n STACK] OBJECT [COMMAND]
  addr  [show] [dev NAME]        addr add|del PREFIX dev NAME
  route [show] [dev NAME]        route get ADDRESS
                                 route add|del PREFIX [via ADDRESS] [dev NAME] [metric N]
  neigh [show] [dev NAME]        neigh del ADDRESS dev NAME | neigh flush [dev NAME]
  maddr [show] [dev NAME]
  link  [show] [dev NAME]        link set [dev] NAME up|down"""

# In the order in which ip itself resolves beginnings.
_OBJECTS: Final = (
    ("address", "address"),
    ("addr", "address"),
    ("route", "route"),
    ("neighbor", "neighbor"),
    ("neighbour", "neighbor"),
    ("link", "link"),
    ("maddress", "maddress"),
)
_COMMANDS: Final = ("show", "list", "lst", "add", "delete", "flush", "get", "set")


class Usage(Exception):
    """The words make no sense, and why."""


@dataclass(slots=True)
class Words:
    """What was asked for."""

    family: int = 0
    json: bool = False
    pretty: bool = False
    statistics: bool = False
    brief: bool = False
    stack: str = ""
    thing: str = ""
    command: str = "show"
    rest: list[str] = field(default_factory=list)


def parse(words: list[str]) -> Words:
    """Read the arguments.  Raises Usage."""
    said = Words()
    words = list(words)
    while words and words[0].startswith("-"):
        option = words.pop(0).replace("--", "-")
        if option in ("-4", "-6"):
            said.family = int(option[1])
        elif option in ("-j", "-json"):
            said.json = True
        elif option in ("-p", "-pretty"):
            said.pretty = True
        elif option in ("-s", "-stats", "-statistics"):
            said.statistics = True
        elif option in ("-br", "-brief"):
            said.brief = True
        elif option in ("-n", "-netns") and words:
            said.stack = words.pop(0)
        elif option in ("-f", "-family") and words:
            said.family = {"inet": 4, "inet6": 6}.get(words.pop(0), 0)
        elif option not in ("-o", "-oneline", "-d", "-details", "-c", "-color", "-N", "-a"):
            raise Usage(f'Option "{option}" is unknown, try "ip -help".')
    if not words:
        raise Usage(USAGE)
    said.thing = _among(words.pop(0), _OBJECTS, "Object")
    if words and (found := _command(words[0])):
        said.command = found
        words.pop(0)
    said.rest = words
    return said


def _among(word: str, names: tuple[tuple[str, str], ...], what: str) -> str:
    for name, meaning in names:
        if word and name.startswith(word):
            return meaning
    raise Usage(f'{what} "{word}" is unknown, try "ip help".')


def _command(word: str) -> str:
    """A command by its beginning; "" if it is something else, as a name may be."""
    if word in ("dev", "up") or not word:
        return ""
    for name in _COMMANDS:
        if name.startswith(word):
            return "show" if name in ("list", "lst") else name
    return ""


def run(words: Words, ask: Ask) -> str:
    """What to print."""
    if words.command != "show":
        return _change(words, ask)
    dev, only_up = _device(words.rest)
    rows = _SHOWN[words.thing].ask(words, ask)
    known = {str(row.get("ifname", row.get("dev"))) for row in ask("links")}
    if dev and dev not in known:
        raise Usage(f'Device "{dev}" does not exist.')
    if dev:
        rows = [row for row in rows if dev in (row.get("ifname"), row.get("dev"))]
    if only_up:
        rows = [row for row in rows if "UP" in row.get("flags", ["UP"])]
    if words.json:
        return json.dumps(rows, indent=4 if words.pretty else None)
    return "\n".join(line for row in rows for line in _SHOWN[words.thing].lines(row, words))


def _device(rest: list[str]) -> tuple[str, bool]:
    dev, only_up = "", False
    words = list(rest)
    while words:
        word = words.pop(0)
        if word == "up":
            only_up = True
        elif word == "dev":
            if not words:
                raise Usage('Command line is not complete. Try option "help"')
            dev = words.pop(0)
        else:
            dev = word
    return dev, only_up


# Changes.


def _change(words: Words, ask: Ask) -> str:
    rest = list(words.rest)
    said: Row = {"family": words.family}
    if words.thing == "link":
        if words.command != "set":
            raise Usage(USAGE)
        plain = [word for word in rest if word != "dev"]
        if len(plain) != 2 or plain[1] not in ("up", "down"):
            raise Usage(USAGE)
        ask("link-set", dev=plain[0], up=plain[1] == "up")
        return ""
    first = rest.pop(0) if rest and rest[0] not in ("dev", "via") else ""
    if first == "to" and rest:
        first = rest.pop(0)
    while len(rest) >= 2:
        key, value = rest.pop(0), rest.pop(0)
        if key not in ("dev", "via", "metric", "proto"):
            raise Usage(f'"{key}" is not understood.')
        said[key] = int(value) if key == "metric" else value
    if rest:
        raise Usage('Command line is not complete. Try option "help"')
    what = _CHANGES.get((words.thing, words.command))
    if what is None:
        raise Usage(USAGE)
    if what == "route-get":
        row = ask(what, address=first)
        if row is None:
            raise Usage("RTNETLINK answers: Network is unreachable")
        return json.dumps([row]) if words.json else _got(row)
    if what != "neighbor-flush" and not first:
        raise Usage('Command line is not complete. Try option "help"')
    if what.startswith(("address", "neighbor-del")) and "dev" not in said:
        raise Usage('Not enough information: "dev" argument is required.')
    key = "address" if what == "neighbor-del" else "prefix"
    ask(what, **said, **({key: first} if first else {}))
    return ""


_CHANGES: Final = {
    ("address", "add"): "address-add",
    ("address", "delete"): "address-del",
    ("route", "add"): "route-add",
    ("route", "delete"): "route-del",
    ("route", "get"): "route-get",
    ("neighbor", "delete"): "neighbor-del",
    ("neighbor", "flush"): "neighbor-flush",
}


def _got(row: Row) -> str:
    via = f" via {row['gateway']}" if "gateway" in row else ""
    return f"{row['dst']}{via} dev {row['dev']} src {row['prefsrc']} mtu {row['metrics'][0]['mtu']}"


# Looking.


class Shown:
    """One kind of thing: how it is asked for, and how it looks."""

    def __init__(
        self,
        ask: Callable[[Words, Ask], list[Row]],
        lines: Callable[[Row, Words], Iterator[str]],
    ) -> None:
        self.ask = ask
        self.lines = lines


def _is_of(family: int, row: Row) -> bool:
    return not family or row["family"] == ("inet" if family == 4 else "inet6")


def _addresses(words: Words, ask: Ask) -> list[Row]:
    rows = ask("addresses")
    for row in rows:
        row["addr_info"] = [one for one in row["addr_info"] if _is_of(words.family, one)]
    return [row for row in rows if row["addr_info"] or not words.family]


def _head(row: Row) -> str:
    flags = ",".join(row["flags"])
    return f"{row['ifindex']}: {row['ifname']}: <{flags}> mtu {row['mtu']} state {row['operstate']}"


def _brief(row: Row, what: str) -> str:
    return f"{row['ifname']:<16} {row['operstate']:<14} {what} "


def _hardware(row: Row) -> str:
    return f"    link/{row['link_type']} {row['address']} brd {row['broadcast']}"


def _address_lines(row: Row, words: Words) -> Iterator[str]:
    if words.brief:
        yield _brief(row, " ".join(f"{a['local']}/{a['prefixlen']}" for a in row["addr_info"]))
        return
    yield _head(row)
    yield _hardware(row)
    for one in row["addr_info"]:
        broadcast = f" brd {one['broadcast']}" if "broadcast" in one else ""
        marks = ("tentative", "deprecated", "dadfailed", "temporary", "dynamic")
        flags = "".join(f" {mark}" for mark in marks if one.get(mark))
        protocol = f" proto {one['protocol']}" if "protocol" in one else ""
        name = f" {one['label']}" if "label" in one else ""
        yield (
            f"    {one['family']} {one['local']}/{one['prefixlen']}{broadcast} "
            f"scope {one['scope']}{flags}{protocol}{name}"
        )
        yield (
            f"       valid_lft {_lifetime(one['valid_life_time'])} "
            f"preferred_lft {_lifetime(one['preferred_life_time'])}"
        )


def _lifetime(seconds: int) -> str:
    return "forever" if seconds == FOREVER else f"{seconds}sec"


def _routes(words: Words, ask: Ask) -> list[Row]:
    """Of IPv4, unless -6 is given: as ip has it."""
    six = words.family == 6
    return [row for row in ask("routes") if ("pref" in row) == six]


def _route_lines(row: Row, words: Words) -> Iterator[str]:
    line = row["dst"]
    if "gateway" in row:
        line += f" via {row['gateway']}"
    line += f" dev {row['dev']} proto {row['protocol']}"
    for key in ("scope", "metric", "expires", "pref"):
        if key in row:
            line += f" {key} {row[key]}"
    yield line + "".join(f" {flag}" for flag in row["flags"]) + " "


def _neighbors(words: Words, ask: Ask) -> list[Row]:
    wanted = {0: "", 4: ".", 6: ":"}[words.family]
    return [row for row in ask("neighbors") if wanted in row["dst"]]


def _neighbor_lines(row: Row, words: Words) -> Iterator[str]:
    lladdr = f" lladdr {row['lladdr']}" if "lladdr" in row else ""
    router = " router" if "router" in row else ""
    yield f"{row['dst']} dev {row['dev']}{lladdr}{router} {' '.join(row['state'])} "


def _groups(words: Words, ask: Ask) -> list[Row]:
    rows = ask("groups")
    for row in rows:
        row["maddr"] = [one for one in row["maddr"] if _is_of(words.family, one)]
    return list(rows)


def _group_lines(row: Row, words: Words) -> Iterator[str]:
    yield f"{row['ifindex']}:\t{row['ifname']}"
    for one in row["maddr"]:
        users = f" users {one['users']}" if "users" in one else ""
        sources = f" {one['mode']} {' '.join(one['sources'])}" if "mode" in one else ""
        yield f"\t{one['family']:<5} {one['address']}{users}{sources}"


def _links(words: Words, ask: Ask) -> list[Row]:
    rows: list[Row] = ask("links")
    if not words.statistics:
        for row in rows:
            row.pop("stats64")
    return rows


def _link_lines(row: Row, words: Words) -> Iterator[str]:
    if words.brief:
        yield _brief(row, f"{row['address']} <{','.join(row['flags'])}>")
        return
    yield _head(row)
    yield _hardware(row)
    for name in ("rx", "tx") if words.statistics else ():
        counts = row["stats64"][name]
        widths = [max(len(key), len(str(value))) for key, value in counts.items()]
        heads = " ".join(f"{key:>{width}}" for key, width in zip(counts, widths, strict=True))
        values = counts.values()
        figures = " ".join(f"{one:>{width}}" for one, width in zip(values, widths, strict=True))
        yield f"    {name.upper()}: {heads}"
        yield f"        {figures}"


_SHOWN: Final = {
    "address": Shown(_addresses, _address_lines),
    "route": Shown(_routes, _route_lines),
    "neighbor": Shown(_neighbors, _neighbor_lines),
    "maddress": Shown(_groups, _group_lines),
    "link": Shown(_links, _link_lines),
}
