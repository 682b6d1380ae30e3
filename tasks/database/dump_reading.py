"""One pass over a dump on its host, with bounded memory: the lines that say what is in it."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import Command, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell

# grep keeps a line in memory, some 200 MiB of it within that. awk takes long lines ever more slowly (mawk from 8 MiB on): it gets
# less, and a time in which any awk has read a dump whose lines are a megabyte each.
_MEMORY_KIB, _AWK_MEMORY_KIB = 512 * 1024, 64 * 1024

# Printed of each line that begins as one of these, outside of routines' bodies: its first byte, its kind, its beginning. A table's
# INSERTs are one line. Of a body the line that names it is printed and no other: between `DELIMITER ;;` and `DELIMITER ;`
# the client sees no statement either. A row has no line break, which mysqldump writes as \n, and begins with a bracket.
_PRINT_CONTENTS = r"""
function found(kind) { end_inserts(); printf "%.0f\t%s\t%s\n", at, kind, line }
function end_inserts() {
  if (inserts) printf "%.0f\tI\t%d\t%s\n", first, inserts, into
  inserts = 0; into = ""
}
{
  if (filtered) {
    colon = index($0, ":"); at = substr($0, 1, colon - 1); line = substr($0, colon + 1, 600)
  } else {
    at = next_at; next_at += length($0) + 1; line = substr($0, 1, 600)
  }
  begin = substr(line, 1, 1)
  if (index("-CUIRD/mwWE", begin) == 0) next
  sub(/\r$/, "", line)
  if (body) {
    if (line ~ /^(DELIMITER|delimiter) +;$/) { body = 0; next }
    if (body == 1 && line ~ /^(CREATE |\/\*!50(003|106) CREATE)/) { body = 2; found("C") }
    next
  }
  if (begin == "I" || begin == "R") {
    if (inserts && substr(line, 1, length(into)) == into) { inserts++; next }
    if (line !~ /^(INSERT|REPLACE) +(IGNORE +)?INTO /) next
    end_inserts()
    first = at; inserts = 1
    into = line
    if (match(line, /`[^`]*`(\.`[^`]*`)?/)) into = substr(line, 1, RSTART + RLENGTH - 1)
    else if (match(line, / (VALUES|\()/)) into = substr(line, 1, RSTART)
    next
  }
  if (line ~ /^(DELIMITER|delimiter) /) { body = 1; next }
  if (line ~ /^-- (MariaDB|MySQL) dump /) found("B")
  else if (line ~ /^-- Dump completed/) found("E")
  else if (line ~ /^-- Server version/) found("V")
  else if (line ~ /^-- Current Database: `.*`$/) found("M")
  else if (line ~ /^CREATE /) found("C")
  else if (line ~ /^USE /) found("U")
  else if (line ~ /^\/\*!50001 (CREATE )?VIEW /) found("C")
  else if (line ~ /^\/\*!50(003|106) CREATE/) found("C")
  else if (line ~ /^\/\*M?!999999/) found("Z")
  else if (line ~ /^((mysqldump|mariadb-dump|mysql|mariadb)(\.exe)?: |Warning: |WARNING: |ERROR [0-9])/) found("F")
}
END { end_inserts(); print "end" }
"""
# The same beginnings for grep.
_BEGINNINGS = (
    r"-- (Current Database: |MariaDB dump |MySQL dump |Dump completed|Server version)|CREATE |USE |DELIMITER |delimiter "
    r"|/\*!50(001|003|106) |/\*M?!999999|(mysqldump|mariadb-dump|mysql|mariadb)(\.exe)?: |Warning: |WARNING: |ERROR [0-9]"
)
_WHOLE_LINES = f"^({_BEGINNINGS}|INSERT |REPLACE )"
_CUT_LINES = f"^(({_BEGINNINGS}).*|(INSERT|REPLACE) [^(]*)"
# Where each row has a line of its own (mysqldump from MariaDB 10.5 on), grep is quicker than awk; where a statement has one of a
# megabyte, awk is, since grep hands it on whole. Of longer ones grep hands on the beginning alone, which takes it four times as
# long; and what is too long for grep, cut cuts, which takes it fifty times as long.
_READ_DUMP = r"""
export LC_ALL=C
dump=$1 program=$2 whole=$3 cut=$4 memory=$5 awk_memory=$6
seconds=$((10 + $(stat -Lc %s "$dump") / 20000000))
first_insert() { { grep -a -m 1 '^INSERT ' "$dump" || :; } | { head -c 4096; cat >/dev/null; }; }
by_lines() { ulimit -v "$awk_memory"; timeout "$seconds" awk -v filtered=0 "$program" "$dump"; }
by_rows() { ulimit -v "$memory"; grep -ab -E "$whole" "$dump" | awk -v filtered=1 "$program"; }
by_beginnings() { ulimit -v "$memory"; grep -abo -E "$cut" "$dump" | awk -v filtered=1 "$program"; }
rows=$(ulimit -v "$memory"; first_insert 2>/dev/null | { grep -c 'VALUES.\?$' || :; }) || rows=0
if [ "$rows" = 0 ]; then ways="by_lines by_beginnings"; else ways="by_rows by_beginnings"; fi
for way in $ways; do
  found=$($way 2>/dev/null) || continue
  printf '%s\n' exact "$found"
  exit
done
echo cut
cut -b -600 "$dump" | awk -v filtered=0 "$program"
"""


@dataclass(frozen=True)
class Line:
    """A line of a dump.

    Attributes:
        at: Its first byte in the dump; of a dump with lines too long for memory, a number that only grows.
        kind: `B` where a dump begins and `E` where it ends, `V` its server's version, `M` the comment that begins a database, `U` a
            USE, `C` a CREATE, `I` INSERTs, `Z` the sandbox mode, `F` what a program has written among the SQL.
        text: How it begins, 600 bytes at most.
        count: How many INSERTs into one table came one after the other.
    """

    at: int
    kind: str
    text: str
    count: int = 1


@dataclass(frozen=True)
class Reading:
    """What the pass told.

    Attributes:
        lines: In their order.
        exact: Whether `at` is a byte's number.
    """

    lines: tuple[Line, ...]
    exact: bool


def parse_reading(text: str) -> Reading | None:
    """Read what the pass printed; None where it did not come to its end."""
    exactness, _, rest = text.partition("\n")
    rows = rest.splitlines()
    if not rows or rows[-1] != "end":
        return None
    lines: list[Line] = []
    for row in rows[:-1]:
        at, kind, line = row.split("\t", 2)
        if kind == "I":
            count, _, line = line.partition("\t")
            lines.append(Line(int(at), kind, line, int(count)))
        else:
            lines.append(Line(int(at), kind, line))
    return Reading(tuple(lines), exactness == "exact")


def reading_command(path: str) -> Command:
    """The command that reads a dump."""
    limits = (str(_MEMORY_KIB), str(_AWK_MEMORY_KIB))
    arguments = (path, _PRINT_CONTENTS, _WHOLE_LINES, _CUT_LINES, *limits)
    return script(_READ_DUMP, *arguments, quiet=True, changes=False, timeout_s=3600, ok=tuple(range(256)))


def read_dump(shell: Shell, path: str) -> Reading:
    """Read a dump once, from its beginning to its end.

    Raises:
        HostError: It can't be read.
    """
    done = shell.run(reading_command(path))
    reading = parse_reading(done.stdout)
    if reading is None:
        raise HostError(shell.name, f"dump {path} cannot be read to its end: {done.stderr.strip()[:300]}")
    return reading
