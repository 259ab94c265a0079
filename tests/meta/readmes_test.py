#!/usr/bin/env python3
"""Checks that every folder says what it is: a README.md in each with a CMakeLists.txt.

Run: tests/meta/readmes_test.py [ROOT]. The first line is the folder's name, what it must not know is said,
relative links lead somewhere, and no page names a folder of the tree that is not there.
"""
import pathlib
import re
import sys

TOPS = ("engine", "server", "clients", "profiler", "tests")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
# engine/base/math.h, server/rpc: at the beginning of a word.
PATH = re.compile(r"(?<![\w/.<-])((?:%s)/[\w/-]+(?:\.(?:h|cc|py|sh|proto|md))?)" % "|".join(TOPS))


def folder_problems(folder, name):
    readme = folder / "README.md"
    if not readme.is_file():
        yield "has no README.md"
        return
    text = readme.read_text(encoding="utf-8")
    if text.split("\n", 1)[0] != f"# {name}":
        yield f"README.md does not begin with '# {name}'"
    if not re.search(r"(?i)\b(must|may)\s+(not|include)\b", text):
        yield "README.md does not say what the folder must not know"


def page_problems(root, page):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if not (page.parent / target).exists():
            yield f"a link leads nowhere: {target}"
    for path in PATH.findall(text):
        if not (root / path).exists() and not list((root / path).parent.glob(pathlib.Path(path).name + "*")):
            yield f"there is no {path}"


def self_test():
    found = PATH.findall("see `engine/core/worker.cc`, engine/io. tokensim/engine/x <server/y>")
    if found != ["engine/core/worker.cc", "engine/io"]:
        sys.exit(f"self test: {found}")
    if LINK.findall("[a](b.md) [c](d.md#e) [f](https://g)") != ["b.md", "d.md"]:
        sys.exit("self test: links")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    folders = sorted(path.parent for top in TOPS for path in (root / top).rglob("CMakeLists.txt"))
    pages = sorted(root.glob("*.md")) + sorted(root.glob("docs/*.md"))
    pages += [f / "README.md" for f in folders if (f / "README.md").is_file()]
    problems = []
    for folder in folders:
        name = folder.relative_to(root).as_posix()
        problems += [f"{name}: {p}" for p in folder_problems(folder, name)]
    for page in pages:
        problems += [f"{page.relative_to(root)}: {p}" for p in page_problems(root, page)]
    print("\n".join(problems))
    if len(folders) < 30:
        sys.exit(f"only {len(folders)} folders found")
    print(f"{len(folders)} folders, {len(pages)} pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
