#!/usr/bin/env python3
"""Checks the layers of the source tree by its #includes.

Run: tests/meta/include_rules_test.py [ROOT]. Prints each violation and exits with 1 if there is any.
The rules are those of the architecture: data flows down, and nothing below knows what is above.
"""
import pathlib
import re
import sys

# What each folder of the engine may include, besides itself.
ENGINE = {
    "base": set(),
    "hardware": {"base"},
    "model": {"base"},
    "workload": {"base"},
    "memory": {"base", "hardware"},
    "network": {"base", "hardware"},
    "compute": {"base", "hardware", "model", "network"},
    "run": {"base", "compute", "hardware", "memory", "network", "workload"},
    "worker": {"base", "compute", "memory", "run"},
    "policy": {"base", "memory", "run", "worker"},
    "cluster": {"base", "compute", "memory", "network", "policy", "run", "worker", "workload"},
    "report": {"base", "run", "workload"},
}
ENGINE["analysis"] = {"base", "cluster", "report", "run"}
ENGINE["search"] = {"base"}
ENGINE["io"] = set(ENGINE)

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
PROTOBUF = re.compile(r"^google/|\.pb\.h$")
# Files, and formats of files.
FILES = re.compile(r"^(fstream|filesystem|nlohmann/.*|yaml-cpp/.*)$")
GRPC = re.compile(r"^grpc|\.grpc\.pb\.h$")
HTTP = re.compile(r"^boost/(asio|beast)")
# Functions whose last bit depends on the C library: engine/base/math.h has them. Square roots,
# roundings and std::fmod are exact by IEEE 754.
INEXACT = re.compile(
    r"(?<![\w:.>])(?:std::|::)?((?:exp|exp2|expm1|log|log2|log10|log1p|pow|cbrt|hypot|sin|cos|tan|asin"
    r"|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|tgamma|lgamma|erf|erfc)[fl]?)\("
    r"|std::\w+_distribution\b"
)
COMMENT = re.compile(r"//.*|\"(?:[^\"\\\n]|\\.)*\"")
# The engine is a pure library: no threads, clocks or output of its own. engine/io guards its
# lazily parsed presets with a once_flag, which is why threads are looked for and not locks.
IMPURE = re.compile(r"std::(thread|cout|cerr|system_clock|chrono::\w+_clock)\b|\bspdlog::|\bprintf\(")


def is_test(path):
    return path.stem.endswith("_test") or "test_" in path.name or "_test_" in path.name


def engine_problem(parts, target, test):
    folder = parts[1]
    if folder not in ENGINE:
        return f"engine/{folder} has no rule in {pathlib.Path(__file__).name}"
    if target.startswith("engine/"):
        other = target.split("/")[1]
        if other != folder and other not in ENGINE[folder] and not test:
            allowed = ", ".join(sorted(ENGINE[folder])) or "nothing of the engine"
            return f"engine/{folder} may include {allowed}"
    if folder != "io" and PROTOBUF.search(target):
        return "only engine/io includes protobuf"
    if folder != "io" and FILES.search(target):
        return "only engine/io knows files and their formats"
    if target.startswith(("server/", "clients/")):
        return "the engine knows neither server nor clients"
    return None


def server_problem(parts, target, test):
    if target.startswith("clients/"):
        return "the server does not know its clients"
    if GRPC.search(target) and parts[1] != "rpc" and not test:
        return "in the server only server/rpc includes gRPC"
    if HTTP.search(target) and parts[1] != "http":
        return "in the server only server/http includes Boost.Asio and Boost.Beast"
    return None


def clients_problem(parts, target, test):
    if target.startswith("server/"):
        return "clients do not know the server"
    if GRPC.search(target) and parts[1] != "cpp" and not test:
        return "of the clients only clients/cpp includes gRPC"
    return None


PROBLEMS = {"engine": engine_problem, "server": server_problem, "clients": clients_problem}


def check_text(relative, text):
    """Violations in one file, as (line, message)."""
    path = pathlib.PurePosixPath(relative)
    test = is_test(path)
    problem = PROBLEMS[path.parts[0]]
    for match in INCLUDE.finditer(text):
        target = match.group(1)
        line = text.count("\n", 0, match.start(1)) + 1
        if target.startswith(("./", "../")):
            yield line, "includes start at the root of the tree"
        elif target.startswith("tests/"):
            yield line, "tests/ is not a library"
        elif message := problem(path.parts, target, test):
            yield line, f"{message}: {target}"
    if path.parts[0] == "engine" and not test:
        for match in IMPURE.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, f"not in the engine: {match.group(0)}"
        for match in INEXACT.finditer(COMMENT.sub("", text)):
            line = text.count("\n", 0, match.start()) + 1
            yield line, f"use engine/base/math.h: {match.group(0)}"
    if path.suffix == ".h":
        if not text.startswith("//"):
            yield 1, "a header opens with a comment that says what it is"
        if "#pragma once" not in text:
            yield 1, "missing #pragma once"


def self_test():
    """The rules find what they are for."""
    bad = {
        "engine/base/a.cc": '#include "engine/run/plan.h"\n',
        "engine/run/a.cc": '#include "tokensim/v1/spec.pb.h"\n',
        "engine/report/b.cc": "#include <fstream>\n",
        "engine/report/b_test.cc": "#include <fstream>\n",
        "engine/run/b.cc": '#include "engine/policy/defaults.h"\n',
        "engine/worker/a.cc": '#include "engine/policy/local/registry.h"\n',
        "engine/cluster/b.cc": "auto t = std::chrono::steady_clock::now();\n",
        "engine/run/c.cc": "const double gap = -std::log(u) / rate;\n",
        "engine/run/d.cc": "const double power = (pow(2, x));\n",
        "engine/run/e.cc": "std::normal_distribution<double> noise;\n",
        "engine/report/a.cc": '#include "server/rpc/x.h"\n',
        "engine/io/a.cc": '#include "../run/plan.h"\n',
        "engine/io/a.h": "#pragma once\n",
        "engine/new/a.cc": '#include "engine/base/time.h"\n',
        "server/store/a.cc": "#include <grpcpp/grpcpp.h>\n",
        "server/rpc/a.cc": '#include "clients/cpp/client.h"\n',
        "server/rpc/b.cc": "#include <boost/asio/post.hpp>\n",
        "server/http/a.cc": "#include <grpcpp/grpcpp.h>\n",
        "clients/cli/a.cc": '#include "tokensim/v1/simulation_service.grpc.pb.h"\n',
        "clients/cli/b.cc": '#include "server/stream/stream_driver.h"\n',
    }
    good = {
        "engine/io/a.cc": '#include "tokensim/v1/spec.pb.h"\n#include "engine/run/plan.h"\n',
        "engine/run/a.cc": "y = math::Log(std::sqrt(x));  // std::log(x)\nz = b.log(x) + Flog(x);\n",
        "server/rpc/a.cc": "#include <grpcpp/grpcpp.h>\n",
        "server/http/a.cc": "#include <boost/beast/http.hpp>\n",
        "clients/cpp/a.h": "// A.\n#pragma once\n#include <grpcpp/channel.h>\n",
        "clients/cli/a.cc": '#include "engine/io/events/replay_reader.h"\n',
    }
    missed = [name for name, text in bad.items() if not list(check_text(name, text))]
    wrong = [name for name, text in good.items() if list(check_text(name, text))]
    if missed or wrong:
        sys.exit(f"self test: not found in {missed}, found in {wrong}")


def main():
    self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    files = violations = 0
    for top in sorted(PROBLEMS):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            relative = path.relative_to(root).as_posix()
            for line, message in check_text(relative, path.read_text(encoding="utf-8")):
                violations += 1
                print(f"{relative}:{line}: {message}")
    if files == 0:
        sys.exit(f"no sources below {root}")
    print(f"{files} files, {violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
