"""The packet filter as it was: a Docker that ends leaves its chains, and a policy of DROP."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: What Docker's own rules name; everything else is somebody else's.
_DOCKERS = ("DOCKER", "docker0", " br-")


@dataclass
class _Table:
    policies: dict[str, str] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)


@contextmanager
def packet_filter_kept() -> Iterator[None]:
    """Undo in the end what Docker has done to the packet filter, and nothing else."""
    programs = [name for name in ("iptables", "ip6tables") if shutil.which(name)]
    before = {name: _tables(name) for name in programs}
    try:
        yield
    finally:
        for name in programs:
            for table, found in _tables(name).items():
                _restore([name, "-t", table], before[name].get(table, _Table()), found)


def _restore(program: list[str], before: _Table, found: _Table) -> None:
    new = [rule for rule in found.rules if rule not in before.rules]
    for rule in new:
        if any(word in rule for word in _DOCKERS):
            subprocess.run([*program, *shlex.split(rule.replace("-A", "-D", 1))], check=False)
    for chain, policy in found.policies.items():
        if chain not in before.policies and chain.startswith("DOCKER"):
            subprocess.run([*program, "-X", chain], check=False)
        elif policy not in ("-", before.policies.get(chain, "ACCEPT")):
            subprocess.run(
                [*program, "-P", chain, before.policies.get(chain, "ACCEPT")], check=False
            )


def _tables(program: str) -> dict[str, _Table]:
    saved = subprocess.run([f"{program}-save"], capture_output=True, text=True, check=False).stdout
    tables: dict[str, _Table] = {}
    table = _Table()
    for line in saved.splitlines():
        match line[:1]:
            case "*":
                table = tables[line[1:]] = _Table()
            case ":":
                chain, policy, *_ = line[1:].split()
                table.policies[chain] = policy
            case "-":
                table.rules.append(line)
    return tables
