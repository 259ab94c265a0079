"""The `tokensim` command: where it is, and one call of it.

It is `tokensim` in the folder that TOKENSIM_BIN_DIR names, else in PATH, else the release build of the source tree
that this package lies in.
"""

import os
import pathlib
import shutil
import subprocess
import typing

from tokensim import specs
from tokensim.errors import (NotFound, RunFailed, ServerError, SpecInvalid, TokensimError, UsageError,
                             Violation)

_OK, _FAILED, _USAGE, _SPEC_INVALID, _ASSERTION, _UNREACHABLE, _REFUSED = 0, 1, 2, 3, 4, 5, 6


def path() -> str:
    """NotFound when there is none."""
    folder = os.environ.get("TOKENSIM_BIN_DIR")
    if folder:
        found = shutil.which("tokensim", path=folder)
        if not found:
            raise NotFound(f"TOKENSIM_BIN_DIR is {folder}, which has no tokensim")
        return found
    built = pathlib.Path(__file__).resolve().parents[3] / "build/release/bin"
    found = shutil.which("tokensim") or shutil.which("tokensim", path=str(built))
    if not found:
        raise NotFound("the command `tokensim` was not found: put it into PATH, or its folder into TOKENSIM_BIN_DIR")
    return found


class Done(typing.NamedTuple):
    stdout: str
    warnings: typing.Tuple[str, ...]  # lines of stderr
    holds: bool  # False: complete, and an assertion is missed


def call(*args: str, stdin: typing.Optional[str] = None, cwd: typing.Union[None, str, os.PathLike] = None,
         timeout: typing.Optional[float] = None) -> Done:
    """Runs `tokensim ARGS`. What it refuses is an exception with what it said.

    `timeout` in seconds of wall time: RunFailed after that.
    """
    command = [path(), *args]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"tokensim {args[0]} took longer than {timeout} s") from error
    lines = tuple(done.stderr.splitlines())
    if done.returncode in (_OK, _ASSERTION):
        return Done(done.stdout, lines, done.returncode == _OK)
    raise _error(done.returncode, args[0], lines)


def spec_call(command: str, spec: specs.Spec, *args: str, cwd: typing.Union[None, str, os.PathLike] = None,
              timeout: typing.Optional[float] = None) -> Done:
    """`tokensim COMMAND SPEC ARGS`; files that a spec without a file of its own names are relative to `cwd`."""
    if isinstance(spec, (str, os.PathLike)):
        if specs.is_path(spec):
            return call(command, os.fspath(spec), *args, cwd=cwd, timeout=timeout)
        return call(command, "-", *args, stdin=str(spec), cwd=cwd, timeout=timeout)
    return call(command, "-", *args, stdin=specs.to_text(spec), cwd=cwd, timeout=timeout)


def set_options(changes: typing.Optional[typing.Mapping[str, typing.Any]],
                seed: typing.Optional[int]) -> typing.List[str]:
    options = [f"--set={name}={value_text(value)}" for name, value in (changes or {}).items()]
    return options if seed is None else [*options, f"--seed={seed}"]


def value_text(value: typing.Any) -> str:
    """As `--set` reads it."""
    if isinstance(value, str):
        return value
    return specs.to_text({"v": value})[len('{"v": '):-1]


def _violation(line: str) -> Violation:
    """Of "<stdin>:3: workers[0].count: is 0; allowed are ..."."""
    parts = line.split(": ", 2)
    if len(parts) == 3 and " " not in parts[1]:
        return Violation(parts[1], parts[2])
    return Violation("", ": ".join(parts[1:]) or line)


def _error(code: int, command: str, lines: typing.Sequence[str]) -> TokensimError:
    text = "\n".join(line.removeprefix("tokensim: ") for line in lines) or f"tokensim {command} ended with {code}"
    if code == _SPEC_INVALID:
        wrong = [line for line in lines if ": warning: " not in line]
        return SpecInvalid("\n".join(wrong), [_violation(line) for line in wrong])
    if code == _USAGE:
        return NotFound(text) if "No such file" in text else UsageError(text)
    if code in (_UNREACHABLE, _REFUSED):
        return ServerError("UNAVAILABLE" if code == _UNREACHABLE else "FAILED_PRECONDITION", "", text)
    return RunFailed(text)
