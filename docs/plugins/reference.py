# SPDX-License-Identifier: Apache-2.0
"""Prepares the reference pages: arguments of base classes, defaults as values, names without Sphinx roles."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator
from typing import Any

import griffe

_DEFERRABLE = "default_deferrable"
_ROLE = re.compile(r":(?:attr|class|func|meth):`~?(?:[\w.]+\.)?(\w+)`")
_OPERATIONS = {ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Add: operator.add}


class Reference(griffe.Extension):
    """Changes the objects that griffe has parsed, for the pages."""

    def on_package(self, *, pkg: griffe.Module, **more: Any) -> None:
        """Change the objects of a package after griffe has loaded it.

        :param pkg: the package
        :param more: other arguments of griffe
        """
        _unmark(pkg)
        for module in _modules(pkg):
            classes = [each for each in module.classes.values() if not each.is_alias]
            for each in classes:
                _complete(each)
            functions = [each for each in module.functions.values() if not each.is_alias]
            for function in [*functions, *filter(None, map(_init, classes))]:
                for parameter in function.parameters:
                    if isinstance(parameter.default, griffe.Expr):
                        parameter.default = _shown(module, parameter.default)


def _modules(package: griffe.Module) -> Iterator[griffe.Module]:
    """Return the modules of a package and of the packages in it."""
    for module in package.modules.values():
        if not module.is_alias:
            yield module
            yield from _modules(module)


def _unmark(each: griffe.Object) -> None:
    """Write references of docstrings as code: pages are Markdown, which has no roles."""
    if each.docstring is not None:
        each.docstring.value = _ROLE.sub(r"`\1`", each.docstring.value)
    for member in each.members.values():
        if isinstance(member, griffe.Object):
            _unmark(member)


def _init(each: griffe.Class) -> griffe.Function | None:
    own = each.members.get("__init__")
    return own if isinstance(own, griffe.Function) else None


def _complete(each: griffe.Class) -> None:
    """Add the arguments of the base class before ``**kwargs``."""
    own = _init(each)
    if own is None or "kwargs" not in own.parameters:
        return
    bases = (each.module.members.get(str(base)) for base in each.bases)
    inherited = [_init(base) for base in bases if isinstance(base, griffe.Class)]
    rest = own.parameters["kwargs"]
    del own.parameters["kwargs"]
    for parameter in (each for init in inherited if init for each in init.parameters):
        if parameter.name not in own.parameters and parameter is not rest and parameter.name != "kwargs":
            own.parameters.add(parameter)
    own.parameters.add(rest)


def _shown(module: griffe.Module, default: griffe.Expr) -> griffe.Expr | str:
    """Return the value of a default that is a constant of the package."""
    text = str(default)
    if "default_deferrable" in text:
        return _DEFERRABLE
    if text == "NOTSET":
        return text
    name = text.removesuffix(".value")
    try:
        constant = module.package[_path(module, name)]
    except (KeyError, griffe.GriffeError):
        return default
    value = getattr(constant, "value", None)
    return default if value is None else _plain(str(value))


def _path(module: griffe.Module, name: str) -> str:
    first, *others = name.split(".")
    return ".".join([module.resolve(first), *others]).removeprefix(f"{module.package.path}.")


def _plain(value: str) -> str:
    """Return the result of an arithmetic expression; any other text unchanged."""
    try:
        number = _number(ast.parse(value, mode="eval").body)
    except ValueError:
        return value
    return f"{number:g}"


def _number(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return float(_OPERATIONS[type(node.op)](_number(node.left), _number(node.right)))
    raise ValueError
