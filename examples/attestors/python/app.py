"""The operating system of the workload's own root, as os-release(5) names it.

`witgate plugin build` imports this module, and what is in memory then is the component: code that
stands outside of functions runs at build time and never again. Import here whatever is needed, for
there are no files to import from later, and do not read a clock, the environment or a file here.
"""

from witgate import Attestor, Key, NotApplicable, Report, export, files

PATHS = ["/etc/os-release", "/usr/lib/os-release"]

VARIABLES = {b"ID": "id", b"VERSION_ID": "version", b"VARIANT_ID": "variant"}
"""The key that each variable of the file is reported as."""


class Os(Attestor):
    keys = [
        Key(
            "id",
            "the operating system, as os-release(5) names it",
            example="debian",
            derived_from=["files.workload"],
            single=True,
        ),
        Key(
            "version",
            "its version",
            example="12",
            derived_from=["files.workload"],
            single=True,
        ),
        Key(
            "variant",
            "its variant",
            example="server",
            derived_from=["files.workload"],
            single=True,
        ),
    ]

    def attest(self) -> Report:
        for path in PATHS:
            content = files.workload.read(path)
            if content is not None:
                return report(content)
        raise NotApplicable


def report(content: bytes) -> Report:
    """What the file says. A value that no selector can have makes its key unknown."""
    found = Report()
    for key, value in values(content).items():
        found.selector(key, value)
    return found


def values(content: bytes) -> dict[str, str]:
    """The values of our keys; a later line wins, and one that is not UTF-8 is skipped."""
    found = {"id": "linux"}
    for line in content.split(b"\n"):
        variable, equals, value = line.partition(b"=")
        key = VARIABLES.get(variable)
        if key and equals:
            try:
                found[key] = unquoted(value.decode().strip(" \t\r"))
            except UnicodeDecodeError:
                continue
    return found


def unquoted(value: str) -> str:
    """A value without its quotes; inside double quotes a backslash escapes."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return value
    inside = value[1:-1]
    if value[0] == "'" or "\\" not in inside:
        return inside
    plain = ""
    rest = iter(inside)
    for char in rest:
        if char == "\\":
            escaped = next(rest, "")
            char = escaped if escaped and escaped in '"\\$`' else "\\" + escaped
        plain += char
    return plain


export(Os)
