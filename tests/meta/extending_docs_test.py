#!/usr/bin/env python3
"""Checks that the code in docs/extending.md is that of tests/extending, which is compiled and run.

Run: tests/meta/extending_docs_test.py [ROOT]. After a comment <!-- tests/extending/NAME.cc --> comes all of
that file; TOKENSIM_UPDATE_GOLDEN=1 writes it anew. Other blocks of C++ are literally somewhere in one of the
files, and every example is shown.
"""
import os
import pathlib
import re
import sys

BLOCK = re.compile(r"(?:<!-- tests/extending/(\S+) -->\n)?```(\w*)\n(.*?)```", re.S)


def problems(page, files):
    """What is wrong with the page, given the files' contents by name."""
    shown = set()
    for name, language, code in BLOCK.findall(page):
        if name and name not in files:
            yield f"there is no tests/extending/{name}"
        elif name and code != files[name]:
            yield f"does not show {name} as it is; TOKENSIM_UPDATE_GOLDEN=1 writes it anew"
        elif language == "cpp" and not any(code in text for text in files.values()):
            yield f"this is nowhere in tests/extending:\n{code}"
        shown.add(name)
    for name in sorted(files):
        if name not in shown and not name.endswith("_test.cc"):
            yield f"does not show {name}"


def updated(page, files):
    return BLOCK.sub(lambda m: m.group(0) if m.group(1) not in files
                     else f"<!-- tests/extending/{m.group(1)} -->\n```cpp\n{files[m.group(1)]}```", page)


def self_test():
    files = {"a.cc": "int a;\nint b;\n", "a_test.cc": "Use(a);\nUse(b);\n"}
    shown = "<!-- tests/extending/a.cc -->\n```cpp\nint a;\nint b;\n```\n"
    good = [shown, shown + "```cpp\nUse(b);\n```\n```yaml\nx: 1\n```\n"]
    bad = ["", "```cpp\nint a;\nint b;\n```\n", shown.replace("int b", "int c"),
           shown + "```cpp\nUse(c);\n```\n", shown + "<!-- tests/extending/c.cc -->\n```cpp\n```\n"]
    wrong = [t for t in good if list(problems(t, files))] + [t for t in bad if not list(problems(t, files))]
    if updated(shown.replace("int b", "int c"), files) != shown:
        wrong.append("update")
    if wrong:
        sys.exit(f"self test: {wrong}")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    files = {p.name: p.read_text(encoding="utf-8") for p in sorted((root / "tests/extending").glob("*.cc"))}
    path = root / "docs/extending.md"
    page = path.read_text(encoding="utf-8")
    if os.environ.get("TOKENSIM_UPDATE_GOLDEN"):
        page = updated(page, files)
        path.write_text(page, encoding="utf-8")
    found = [f"docs/extending.md: {p}" for p in problems(page, files)]
    print("\n".join(found))
    print(f"{len(files)} files, {len(BLOCK.findall(page))} blocks, {len(found)} problems")
    return 1 if found or len(files) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
