"""Every error that a user can meet, as one tree.

    UnmaskError
    ├── UsageError            exit 2   the call itself is wrong
    │   ├── UnknownEntry               an id that no registry knows
    │   └── ConsentMissing             a forgery of a person without a statement of consent
    ├── InputError            exit 3   this input could not be analysed
    │   ├── NotFound                   no such file
    │   ├── NotAFile                   a directory, device or socket
    │   ├── PermissionRefused          the file may not be read
    │   ├── EmptyInput                 zero bytes
    │   ├── UnsupportedMedia           not a picture or film that can be read
    │   ├── CorruptMedia               recognised, but broken or cut short
    │   ├── NoFrames                   readable, but nothing to see inside
    │   ├── LimitExceeded              larger than a limit allows
    │   ├── InputChanged               the bytes changed while being read
    │   ├── InvalidReport              JSON that is not a report of this schema
    │   └── InvalidProof               a proof or tree head of a log that is malformed
    ├── EnvironmentProblem    exit 4   this machine lacks something
    │   ├── ModelUnavailable           a model file is absent or was altered
    │   ├── MissingExtra               an optional dependency is not installed
    │   ├── OutputRefused              a result could not be written
    │   ├── LogUnusable                the provenance log cannot be read or written
    │   └── LabelFailed                a forgery could not be labelled, so none was written
    │       └── IdentityUnusable       the signing identity is absent in part or malformed
    │           └── IdentityExpired    its certificate is not valid today
    └── InternalFault         exit 70  Unmask itself failed on one input

Messages say what came and what was expected; ``hint`` says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class UnmaskError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable machine-readable name, unique per class (``limit_exceeded``).
        message: One sentence: what came, what was expected.
        hint: One sentence: what to do about it. May be empty.
        exit_code: The exit status of the command line when nothing else happened.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (decoding runs in a child); keyword
        # arguments are lost by the default pickling of exceptions.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(cls: type[UnmaskError], message: str, hint: str) -> UnmaskError:
    return cls(message, hint=hint)


class UsageError(UnmaskError):
    """The call itself is wrong: an option, a value, a combination."""

    code = "usage"
    exit_code = 2


class UnknownEntry(UsageError):
    """An id that is in no registry."""

    code = "unknown_entry"


class ConsentMissing(UsageError):
    """A person's face would be forged, and nobody is said to have agreed to it."""

    code = "consent_missing"


class InputError(UnmaskError):
    """One input could not be analysed; the others of the call go on."""

    code = "input"
    exit_code = 3


class NotFound(InputError):
    """There is no such file."""

    code = "not_found"


class NotAFile(InputError):
    """A directory, device, pipe or socket where a file was expected."""

    code = "not_a_file"


class PermissionRefused(InputError):
    """The operating system does not let this user read the file."""

    code = "permission_refused"


class EmptyInput(InputError):
    """The file has zero bytes."""

    code = "empty_input"


class UnsupportedMedia(InputError):
    """The bytes are not a picture or film that can be read (or a playlist)."""

    code = "unsupported_media"


class CorruptMedia(InputError):
    """The format was recognised but the bytes are broken or cut short."""

    code = "corrupt_media"


class NoFrames(InputError):
    """The file could be opened but holds no picture at all."""

    code = "no_frames"


class LimitExceeded(InputError):
    """The input is larger than one of the limits; the hint names the flag."""

    code = "limit_exceeded"


class InputChanged(InputError):
    """The file's bytes were not the same after reading as before."""

    code = "input_changed"


class InvalidReport(InputError):
    """The bytes are not a report, or one of another major schema version."""

    code = "invalid_report"


class InvalidProof(InputError):
    """The bytes are no proof or tree head that ``unmask provenance log`` wrote."""

    code = "invalid_proof"


class EnvironmentProblem(UnmaskError):
    """This machine lacks something that the call needs."""

    code = "environment"
    exit_code = 4


class ModelUnavailable(EnvironmentProblem):
    """A model file is absent, could not be fetched, or its SHA-256 is wrong."""

    code = "model_unavailable"


class MissingExtra(EnvironmentProblem):
    """An optional dependency is not installed; the hint gives the pip line."""

    code = "missing_extra"

    @classmethod
    def named(cls, extra: str, needed_for: str) -> MissingExtra:
        """Build the error for the extra ``extra``."""
        return cls(
            f"{needed_for} needs packages that are not installed.",
            hint=f"Install them with: pip install 'unmask[{extra}]'",
        )


class OutputRefused(EnvironmentProblem):
    """A result could not be written (full disk, read-only place, no such folder)."""

    code = "output_refused"


class LogUnusable(EnvironmentProblem):
    """The provenance log cannot be opened, is no log, or was altered."""

    code = "log_unusable"


class LabelFailed(EnvironmentProblem):
    """A forged picture or film could not be given its labels, so no file was written."""

    code = "label_failed"


class IdentityUnusable(LabelFailed):
    """The key or certificates that sign are absent in part, malformed or may not be read."""

    code = "identity_unusable"


class IdentityExpired(IdentityUnusable):
    """The signing certificate has run out, or is not valid yet."""

    code = "identity_expired"


class InternalFault(UnmaskError):
    """Unmask itself failed on one input; the others of the call go on."""

    code = "internal_fault"
    exit_code = 70
