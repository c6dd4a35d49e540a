r"""Names of database objects as people can type them in ACCEPT, RENAME and FILL: U&"two\000alines" has no line end."""

import re

_QUOTED = re.compile(r'(U&)?"((?:[^"]|"")*)"')
_ESCAPE = re.compile(r"\\(?:(\\)|\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")


def typed(name: str) -> str:
    """Return a name with the escapes of SQL where it has characters that cannot be seen or typed."""
    return name if name.isprintable() else _QUOTED.sub(lambda one: f'U&"{"".join(map(_escaped, one[2]))}"', name)


def plain(text: str) -> str:
    """Return a text in which all names have their characters."""
    return _QUOTED.sub(lambda one: f'"{_ESCAPE.sub(_character, one[2])}"' if one[1] else one[0], text)


def _escaped(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    return f"\\{ord(character):04x}" if ord(character) < 0x10000 else f"\\+{ord(character):06x}"


def _character(escape: re.Match[str]) -> str:
    return escape[1] or chr(int(escape[2] or escape[3], 16))
