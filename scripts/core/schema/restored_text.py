"""The two ways in which PostgreSQL prints an expression differently after a dump and a restore.

A cast of a whole array, as CHECK (state IN ('new')) on a varchar has it, moves to each element. If the first operand of
an AND is another AND, as BETWEEN leaves it, both become one; the same for OR. All other texts are printed as before.
"""

import re
from typing import TypeAlias

Node: TypeAlias = "str | list[Node]"
"""A token, or a pair of brackets with all between them."""
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|\w+|\s+|.""", re.DOTALL)
_NO_TYPE = re.compile(r"""[^\w\s."]""")
_CLOSE = {"(": ")", "[": "]"}
_CAST = [":", ":"]


def canonical(definition: str) -> str:
    """Return the definition as PostgreSQL prints it after a restore."""
    stack: list[list[Node]] = [[]]
    for found in _TOKEN.finditer(definition):
        token = found[0]
        if token in _CLOSE:
            stack.append([])
        stack[-1].append(token)
        if len(stack) > 1 and token == _CLOSE[str(stack[-1][0])]:
            group = _joined(_distributed(stack.pop()))
            stack[-1].append(group)
    return _text([one for group in stack for one in _distributed(group)])


def flat(definition: str) -> str:
    """Return the definition with each AND within an AND, and each OR within an OR, without its own brackets."""
    stack: list[list[Node]] = [[]]
    for token in (found[0] for found in _TOKEN.finditer(definition)):
        if token in _CLOSE:
            stack.append([])
        stack[-1].append(token)
        if len(stack) > 1 and token == _CLOSE[str(stack[-1][0])]:
            group = _spliced(stack.pop())
            stack[-1].append(group)
    return "".join(map(_text, stack))


def _spliced(group: list[Node]) -> list[Node]:
    """Return (a AND (b AND c)) as (a AND b AND c). Here, all AND and OR between the same brackets are equal."""
    word = next((one for one in group if one in ("AND", "OR")), None)
    made: list[Node] = []
    for node in group:
        made += node[1:-1] if word and isinstance(node, list) and word in node else [node]
    return made


def _distributed(nodes: list[Node]) -> list[Node]:
    """Return the nodes with (ARRAY[a, b])::type[] as ARRAY[(a)::type, (b)::type]."""
    made: list[Node] = []
    while nodes:
        node, *nodes = nodes
        end = _end_of_cast(nodes) if _is_array(node[1:-1]) else 0
        if end:
            made += _each_cast(list(node[1:-1]), nodes[:end])
            nodes = nodes[end + 1 :]
        else:
            made.append(node)
    return made


def _is_array(nodes: Node) -> bool:
    return len(nodes) == 2 and nodes[0] == "ARRAY" and len(nodes[1]) > 2


def _end_of_cast(nodes: list[Node]) -> int:
    """Return the place of the [] of a cast to an array that the nodes begin with; 0 if they do not."""
    end = nodes.index(["[", "]"]) if nodes[:2] == _CAST and ["[", "]"] in nodes else 0
    return 0 if any(isinstance(one, str) and _NO_TYPE.match(one) for one in nodes[2:end]) else end


def _each_cast(array: list[Node], cast: list[Node]) -> list[Node]:
    """Return the array with the cast at each element, in nested arrays too."""
    word, brackets = array
    opening, *elements, closing = list(brackets)
    made: list[Node] = [opening]
    element: list[Node] = []
    for node in [*elements, ","]:
        if node != ",":
            element.append(node)
            continue
        if element[0] == " ":
            made.append(element.pop(0))
        made += _each_cast(element, cast) if _is_array(element) else [["(", *element, ")"], *cast]
        made.append(",")
        element = []
    return [word, [*made[:-1], closing]]


def _joined(group: list[Node]) -> list[Node]:
    """Return ((a AND b) AND c) as (a AND b AND c). Here, all AND and OR between the same brackets are equal."""
    first = group[1]
    for word in ("AND", "OR"):
        if isinstance(first, list) and word in first and group[2:4] == [" ", word]:
            return [group[0], *first[1:-1], *group[2:]]
    return group


def _text(nodes: Node) -> str:
    return nodes if isinstance(nodes, str) else "".join(map(_text, nodes))
