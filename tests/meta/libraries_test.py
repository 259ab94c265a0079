#!/usr/bin/env python3
"""Checks that binaries do not load as shared libraries what is linked into them from archives.

Run: tests/meta/libraries_test.py BINARY ... A library that was left out of cmake/Dependencies.cmake
and uses gRPC, protobuf or Abseil would bring second copies of them into the process, and 50 libraries
to load at each start. Prints each one found and exits with 1 if there is any.
"""
import re
import subprocess
import sys

ARCHIVED = re.compile(r"lib(grpc|gpr|upb|protobuf|absl_|address_sorting|yaml-cpp)")


def loaded(binary):
    output = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in output.splitlines() if line.strip()]


def main(binaries):
    failed = False
    for binary in binaries:
        names = loaded(binary)
        if not any(name.startswith("libc.so") for name in names):
            print(f"{binary}: ldd does not list libc: it cannot be trusted here")
            failed = True
        for name in names:
            if ARCHIVED.match(name):
                print(f"{binary}: loads {name}, which is linked into it")
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
