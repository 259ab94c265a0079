#!/usr/bin/env python3
"""Checks that what a policy is, only its own file knows.

Run: tests/meta/policy_names_test.py [ROOT]. The name of a policy, as a literal, stands in the file of
its entry and nowhere else in production code: whoever must know something of a policy asks its traits.
Defaults are named beside the registries, and policies may name each other.
"""
import pathlib
import re
import sys

ENTRY = re.compile(r"\w+Entry k\w+ = \{\s*\{\s*\.name = \"(\w+)\"")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
COMPARED = re.compile(r'(?:[=!]=\s*|\bcase\s+)"(\w+)"|"(\w+)"\s*[=!]=')
COMMENT = re.compile(r"//[^\n]*")
# The enumerations that policies once were.
ENUM = re.compile(r"\b(?:Local|Global)Policy::|\bQueueOrder::k")
# Names that mean something else, too: only comparing with them is found out.
COMMON = {"priority", "profile", "kernels", "tiled", "affine", "trace", "uniform", "constant", "joint",
          "gamma", "poisson", "fixed", "independent", "burst", "piecewise", "closed_loop", "quantiles"}
# "roofline" is there the source of an operator's price, as a report has it.
OTHER_MEANING = {("clients/cli/report_output.cc", "roofline")}
MAY_NAME = re.compile(
    r"^engine/policy/|^engine/(network/sharing|compute/backend|workload/(arrival|length))_registry\.h$")


def is_test(path):
    return path.stem.endswith("_test") or "test_" in path.name or "_test_" in path.name


def entries(sources):
    """Of each policy's name the files of its entry: kinds may share a name."""
    found = {}
    for relative, text in sources.items():
        for name in ENTRY.findall(text):
            found.setdefault(name, set()).add(relative)
    return found


def problems(relative, text, names):
    """(line, message) of each."""
    code = COMMENT.sub("", text)
    for match in COMPARED.finditer(code):
        name = match.group(1) or match.group(2)
        if relative not in names.get(name, {relative}) and (relative, name) not in OTHER_MEANING:
            yield code.count("\n", 0, match.start()) + 1, f'compares with policy "{name}": ask its traits'
    for match in ENUM.finditer(code):
        yield code.count("\n", 0, match.start()) + 1, f"policies are no enumeration: {match.group(0)}"
    if MAY_NAME.match(relative):
        return
    for match in LITERAL.finditer(code):
        name = match.group(1)
        if name in names and name not in COMMON and relative not in names[name] and \
                (relative, name) not in OTHER_MEANING:
            yield code.count("\n", 0, match.start()) + 1, f'names policy "{name}"'


def self_test():
    sources = {
        "engine/policy/local/orca.cc": 'extern constinit const LocalSchedulerEntry kOrca = {\n    {.name = "orca",',
        "engine/policy/order/priority.cc": 'const QueueOrderEntry kPriority = {{.name = "priority"}};',
    }
    names = entries(sources)
    if sorted(names) != ["orca", "priority"]:
        sys.exit(f"self test: entries {names}")
    bad = ['if (s.policy() == "orca") return;', 'case "orca":', 'const char* p = "orca";',
           'if ("priority" != name) return;', "if (p == LocalPolicy::kOrca) return;"]
    good = ['// as "orca" does', 'check.Range("priority", 1);', 'Error("orca and others")']
    wrong = [t for t in bad if not list(problems("engine/io/a.cc", t, names))]
    wrong += [t for t in good if list(problems("engine/io/a.cc", t, names))]
    if not list(problems("engine/policy/local/static.cc", 'if (name == "orca") {', names)):
        wrong.append("a policy that compares")
    if wrong:
        sys.exit(f"self test: {wrong}")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    sources = {}
    for top in ("engine", "server", "clients"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc") and not is_test(path):
                sources[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    names = entries(sources)
    if len(names) < 20:
        sys.exit(f"only {len(names)} policies found: {sorted(names)}")
    violations = 0
    for relative, text in sources.items():
        for line, message in problems(relative, text, names):
            violations += 1
            print(f"{relative}:{line}: {message}")
    print(f"{len(names)} policies, {len(sources)} files, {violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
