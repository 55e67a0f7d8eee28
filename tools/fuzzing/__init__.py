# SPDX-License-Identifier: MIT
"""The parts of `tools/fuzz`, in the order in which they are needed.

program    what a run is: steps, and their text
layout     where the fields of a frame are; lengths and checksums put right
frames     valid frames of every protocol
seeds      conversations made of them
mutate     from a program to one a little different
apps       the programs above the stack
subject    a stack, a station on its wire, programs carried out
rules      what must hold after every step
coverage   which edges of the stack's code a run took
hunt       the search; minimising what it finds
libfuzzer  the same search led by atheris, where that is installed
"""
