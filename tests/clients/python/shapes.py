"""Checks JSON against the types that a vendor's SDK describes its API with.

The SDKs describe requests as ``TypedDict``: what must be there, what may be,
and which words a text may be. They do not check them; here it is done, member
by member, and a member that the description does not have is a fault.
"""

import collections.abc
import types
import typing

from typing_extensions import NotRequired, Required, is_typeddict

# What a description says with these is beyond it: any JSON will do.
OPAQUE = (object, typing.Any)
LISTS = (list, collections.abc.Iterable, collections.abc.Sequence)
MAPS = (dict, collections.abc.Mapping)


def faults(value, kind, path="") -> list[str]:
    """What is wrong with ``value`` if it is to be a ``kind``."""
    kind = bare(kind)
    origin = typing.get_origin(kind)
    if kind in OPAQUE:
        return []
    if is_typeddict(kind):
        return of_members(value, kind, path)
    if origin in (typing.Union, types.UnionType):
        return of_any(value, typing.get_args(kind), path)
    if origin is typing.Literal:
        words = typing.get_args(kind)
        return [] if value in words else [f"{path}: {value!r} is none of {words}"]
    if origin in LISTS:
        return of_items(value, typing.get_args(kind)[0], path)
    if origin in MAPS or kind in MAPS:
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no object"]
        inner = (typing.get_args(kind) or (str, object))[1]
        return [fault for name, one in value.items() for fault in faults(one, inner, f"{path}.{name}")]
    return of_plain(value, kind, path)


def bare(kind):
    """A type without what only says how it is used."""
    while typing.get_origin(kind) in (Required, NotRequired, typing.Annotated, typing.Required, typing.NotRequired):
        kind = typing.get_args(kind)[0]
    if isinstance(kind, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        return bare(kind.__value__)
    return kind


def of_plain(value, kind, path):
    if kind is type(None):
        fits = value is None
    elif kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif kind is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif kind in (str, bool):
        fits = isinstance(value, kind)
    elif isinstance(kind, type) and hasattr(kind, "model_validate"):
        try:
            kind.model_validate(value)
            fits = True
        except ValueError:
            fits = False
    else:
        # Bytes, files, times: nothing that JSON has.
        fits = False
    return [] if fits else [f"{path}: {value!r} is no {getattr(kind, '__name__', kind)}"]


def of_items(value, kind, path):
    if not isinstance(value, list):
        return [f"{path}: {value!r} is no list"]
    return [fault for at, one in enumerate(value) for fault in faults(one, kind, f"{path}[{at}]")]


def of_any(value, kinds, path):
    """The faults by the kind that comes nearest."""
    found = [faults(value, kind, path) for kind in kinds]
    return min(found, key=lambda faults: (len(faults), -max((fault.count(".") for fault in faults), default=0)))


def of_members(value, kind, path):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    known = typing.get_type_hints(kind, include_extras=True)
    found = [f"{path}.{name}: is nothing that {kind.__name__} has" for name in value if name not in known]
    found += [f"{path}.{name}: is missing" for name in kind.__required_keys__ if name not in value]
    for name, one in value.items():
        if name in known:
            found += faults(one, known[name], f"{path}.{name}")
    return found
