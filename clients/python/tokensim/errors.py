"""What goes wrong, as exceptions. Every one is a `TokensimError`.

    try:
        client.run(spec)
    except tokensim.SpecInvalid as error:
        for violation in error.violations: print(violation.field, violation.description)
"""

import dataclasses
import typing


class TokensimError(Exception):
    """Base class. `str(error)` is for people; the fields are for programs."""


class NotFound(TokensimError):
    """A file, the `tokensim` binary, or an optional package is not there."""


class UsageError(TokensimError, ValueError):
    """An argument makes no sense: the message says which and what is allowed."""


@dataclasses.dataclass(frozen=True)
class Violation:
    field: str  # path in the spec, as workers[0].count; empty: not known
    description: str


class SpecInvalid(TokensimError, ValueError):
    """The spec is wrong. `violations` holds every mistake that was found."""

    def __init__(self, message: str, violations: typing.Sequence[Violation] = ()):
        super().__init__(message)
        self.violations = tuple(violations)

    def __reduce__(self):
        return SpecInvalid, (str(self), self.violations)


class RunFailed(TokensimError):
    """A simulation failed or was cancelled."""


class AssertionMissed(TokensimError):
    """The runs are complete, and what was asserted does not hold. `result` holds them, where there is one."""

    def __init__(self, message: str, result: typing.Any = None):
        super().__init__(message)
        self.result = result


class ServerError(TokensimError):
    """The server refused a call, or could not be reached (docs/errors.md)."""

    def __init__(self, code: str, reason: str, message: str, violations: typing.Sequence[Violation] = (),
                 metadata: typing.Optional[typing.Mapping[str, str]] = None,
                 retry_after: typing.Optional[float] = None):
        super().__init__(f"{code} ({reason}): {message}" if reason else f"{code}: {message}")
        self.code = code  # as NOT_FOUND
        self.reason = reason  # as SIMULATION_NOT_FOUND; empty when the server did not answer
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after  # seconds the server asks to wait; None: it does not

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code == "UNAVAILABLE" or (self.code == "RESOURCE_EXHAUSTED" and self.retry_after is not None)
