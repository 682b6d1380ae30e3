"""What differs between that which was backed up and that which a restore has brought back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from tasks.database.contents import AccountContents, SchemaContents, SequenceContents, ServerContents, TableContents

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that is not as expected, or that could not be compared.

    Attributes:
        where: What it is about: `table nova.instances`, `account 'nova'@'%'`.
        what: What is the matter with it.
        about: The rows of a table, that something can't be read, or anything else: that it is there, and how it is defined.
    """

    where: str
    what: str
    about: Literal["definition", "rows", "reading"] = "definition"

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to.

    Attributes:
        differences: What is not as expected.
        not_compared: What nothing can be said of, with the reason.
    """

    differences: tuple[Difference, ...]
    not_compared: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs in all that was compared."""
        return not self.differences


def compare(expected: ServerContents, found: ServerContents, *, dumped: bool = True) -> Comparison:
    """Compare what was read while the dump was taken with what a server holds that has loaded it.

    Args:
        expected: The backed-up server's.
        found: The restored server's.
        dumped: Whether it was restored from a dump, which may have tables without transactions as they were later.
    """
    differences = [*_versions(expected, found)]
    for name in _names(expected.schemas, found.schemas):
        there = _both(f"schema {name}", expected.schemas.get(name), found.schemas.get(name))
        if isinstance(there, Difference):
            differences.append(there)
        else:
            differences += _schema(name, *there, dumped)
    for name in _names(expected.accounts, found.accounts):
        where = name if name.startswith("role ") else f"account {name}"
        account = _both(where, expected.accounts.get(name), found.accounts.get(name))
        differences += [account] if isinstance(account, Difference) else _account(where, *account)
    differences += [
        Difference(what, f"can't be read: {why}", "reading") for what, why in _newly_unreadable(expected, found)
    ]
    return Comparison(tuple(differences), tuple(_not_compared(expected, found)))


def _versions(expected: ServerContents, found: ServerContents) -> Iterator[Difference]:
    if expected.series != found.series:
        yield Difference(
            "server", f"is MariaDB {found.version}, not {expected.version}; definitions can differ in words alone"
        )


def _newly_unreadable(expected: ServerContents, found: ServerContents) -> list[tuple[str, str]]:
    return sorted(found.unreadable.items() - expected.unreadable.items())


def _not_compared(expected: ServerContents, found: ServerContents) -> Iterator[Difference]:
    for what, why in sorted(expected.unreadable.items()):
        yield Difference(what, f"not compared: it could not be read: {why}")
    for schema, there in sorted(expected.schemas.items()):
        for name, table in sorted(there.tables.items()):
            back = found.schemas[schema].tables.get(name) if schema in found.schemas else None
            why = table.left_out or (back.left_out if back else "")
            if why:
                yield Difference(f"table {schema}.{name}", f"rows not compared: {why}")
            if table.versioned:
                yield Difference(f"table {schema}.{name}", "history not compared: the rows of today alone are read")


def _names(expected: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return sorted({*expected, *found})


def _both(where: str, expected: T | None, found: T | None) -> tuple[T, T] | Difference:
    if expected is None:
        return Difference(where, "is there, and was not backed up")
    return Difference(where, "is missing") if found is None else (expected, found)


def _schema(name: str, expected: SchemaContents, found: SchemaContents, dumped: bool) -> Iterator[Difference]:
    where = f"schema {name}"
    if (expected.charset, expected.collation) != (found.charset, found.collation):
        yield Difference(
            where, f"has the default {found.charset}, {found.collation}, not {expected.charset}, {expected.collation}"
        )
    for one in _names(expected.tables, found.tables):
        table = _both(f"table {name}.{one}", expected.tables.get(one), found.tables.get(one))
        yield from [table] if isinstance(table, Difference) else _table(f"table {name}.{one}", *table, dumped)
    for one in _names(expected.sequences, found.sequences):
        where = f"sequence {name}.{one}"
        sequence = _both(where, expected.sequences.get(one), found.sequences.get(one))
        yield from [sequence] if isinstance(sequence, Difference) else _sequence(where, *sequence)
    for kind in _names(expected.programs, found.programs):
        yield from _programs(kind, name, expected.programs.get(kind, {}), found.programs.get(kind, {}))


def _programs(kind: str, schema: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Difference]:
    for name in _names(expected, found):
        where = f"{kind} {schema}.{name}"
        program = _both(where, expected.get(name), found.get(name))
        if isinstance(program, Difference):
            yield program
        elif program[0] != program[1]:
            yield Difference(where, "has another definition, definer or SQL mode")


def _table(where: str, expected: TableContents, found: TableContents, dumped: bool) -> Iterator[Difference]:
    if expected.engine != found.engine:
        yield Difference(where, f"has the engine {found.engine}, not {expected.engine}")
    parts = [*_parts(where, expected.parts, found.parts)]
    if not parts and expected.definition != found.definition:
        parts = [Difference(where, "has another definition: its columns or indexes are in another order")]
    yield from parts
    if expected.left_out or found.left_out or expected.content is None or found.content is None:
        return
    written = (
        ""
        if expected.transactional or not dumped
        else (f"; no snapshot holds rows of {expected.engine}: they may have been written while the dump was taken")
    )
    more = (found.rows or 0) - (expected.rows or 0)
    if more:
        rows = "one row" if abs(more) == 1 else f"{abs(more)} rows"
        told = f"has {rows} {'more' if more > 0 else 'fewer'}: {found.rows}, not {expected.rows}{written}"
        yield Difference(where, told, "rows")
    elif expected.content != found.content:
        yield Difference(where, f"has as many rows, {found.rows}, and other values in them{written}", "rows")


def _parts(where: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Difference]:
    for name in _names(expected, found):
        part = _both(name, expected.get(name), found.get(name))
        if isinstance(part, Difference):
            yield Difference(where, str(part))
        elif part[0] != part[1]:
            yield Difference(where, f"{name}: is defined in another way")


def _sequence(where: str, expected: SequenceContents, found: SequenceContents) -> Iterator[Difference]:
    if expected.definition != found.definition:
        yield Difference(where, "is defined in another way")
    if expected.next_value is None or found.next_value is None:
        return
    # Further on is as good: the dump has read it later, and no number is given twice.
    if (found.next_value - expected.next_value) * (-1 if expected.increment < 0 else 1) < 0:
        yield Difference(where, f"goes on at {found.next_value}, not at {expected.next_value}")


def _account(where: str, expected: AccountContents, found: AccountContents) -> Iterator[Difference]:
    if expected.login != found.login:
        yield Difference(where, "logs in with something else (another password, or another plugin)")
    if expected.limits != found.limits:
        yield Difference(where, "has other limits, other demands on TLS, or is locked or expired in another way")
    if expected.default_role != found.default_role:
        yield Difference(
            where, f"has the default role {found.default_role or 'none'}, not {expected.default_role or 'none'}"
        )
    yield from _grants(where, expected.grants, found.grants)
    yield from _roles(where, expected.roles, found.roles)


def _grants(
    where: str, expected: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]
) -> Iterator[Difference]:
    for what in _names(expected, found):
        wanted, held = set(expected.get(what, ())), set(found.get(what, ()))
        if wanted - held:
            yield Difference(where, f"has not on {what}: {', '.join(sorted(wanted - held))}")
        if held - wanted:
            yield Difference(where, f"has on {what} what it had not: {', '.join(sorted(held - wanted))}")


def _roles(where: str, expected: Mapping[str, bool], found: Mapping[str, bool]) -> Iterator[Difference]:
    for role in _names(expected, found):
        if role not in found:
            yield Difference(where, f"has not the role {role}")
        elif role not in expected:
            yield Difference(where, f"has the role {role}, which it had not")
        elif expected[role] != found[role]:
            yield Difference(where, f"may {'' if found[role] else 'not '}give on the role {role}")
