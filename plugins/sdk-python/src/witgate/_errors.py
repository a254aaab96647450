"""How a call can end without a report, and why a fact is not there."""


class Failure(Exception):
    """Why there is no report. Raise one of its subclasses in ``attest``."""


class NotApplicable(Failure):
    """Not this plugin's kind of process: none of its keys holds. Means *no*."""

    def __init__(self) -> None:
        super().__init__("not applicable")


class Retry(Failure):
    """Ask again after so many milliseconds; the instance is freed meanwhile."""

    def __init__(self, milliseconds: int) -> None:
        if type(milliseconds) is not int or not 0 <= milliseconds < 1 << 32:
            raise TypeError(f"a pause is an int from 0 to 4294967295, not {milliseconds!r}")
        super().__init__(f"asks to be asked again in {milliseconds} ms")
        self.milliseconds = milliseconds


class Unavailable(Failure):
    """Something the plugin needs is not there now. Means *unknown*."""

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))


class Failed(Failure):
    """The plugin cannot tell. Means *unknown*."""

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))


class InvalidSettings(Exception):
    """What is wrong with the settings, for the operator. Raise it in ``validate``."""


class Foreseen(Exception):
    """An error of the host that an attestor may let pass: it ends the call as ``failure`` says."""

    def failure(self) -> Failure:
        return Failed(self)


class FactError(Foreseen):
    """Why a fact is not there. It is never a reason to guess."""

    words = ""

    def __str__(self) -> str:
        return self.words


class Gone(FactError):
    """The process has exited. The request ends whatever the plugin makes of it."""

    words = "the process has exited"


class Denied(FactError):
    """The kernel does not let the daemon read it."""

    words = "the kernel does not let the daemon read it"


class Unsupported(FactError):
    """This kernel, host or configuration does not have it."""

    words = "this host does not have it"


class TooLarge(FactError):
    """It is there, and larger than the limit."""

    words = "it is larger than the limit"


class IoError(FactError):
    """Anything else."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.words = message


class NotRequested(Exception):
    """An interface is used that ``plugin.toml`` does not ask for."""

    def __init__(self, interface: str, word: str) -> None:
        super().__init__(
            f'plugin.toml does not ask for `{interface}`; add to its requests: "{word}"'
        )
