"""Identity of a user's extractor: a hash of its code and of all its data, independent of its name.

Two functions are identical if their code, constants, defaults, closures and used globals are equal, wherever they are
defined; two networks, if their classes and weights are equal. Installed packages (torch, NumPy, the standard library)
enter by name and version. A value whose content cannot be read, such as an open file, has no identity.
"""

import dis
import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from functools import partial, singledispatchmethod
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch

INSTALL_FOLDERS = {"site-packages", "dist-packages"}
NAMES_AND_PLACES = {
    "__dict__", "__weakref__", "__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__",
    "__name__", "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__abstractmethods__", "_abc_impl",
}  # fmt: skip
"""Attributes that only hold a name or a location, or that follow from other attributes."""
WORD = 8

Plain = (
    None | types.EllipsisType | int | float | complex | str | bytes | range
    | PurePath | torch.dtype | torch.device | torch.Size
)  # fmt: skip
"""Values that their text tells completely."""
FromC = (
    np.ufunc | types.MethodDescriptorType | types.WrapperDescriptorType
    | types.GetSetDescriptorType | types.MemberDescriptorType
)  # fmt: skip
"""Functions and descriptors that are written in C, whose name and version tell them completely."""


class Unidentified(Exception):
    """Raised for a value whose content cannot be read; the message names its type."""


def identity_of(value: object) -> str:
    """Return the SHA-256 of a value with all its data; the same in every process of one Python version.

    Raises:
        Unidentified: the content of some part cannot be read.
    """
    try:
        return _Hasher().digest(value).hex()
    except RecursionError:
        raise Unidentified("a value that is nested too deep") from None


class _Hasher:
    """Recursive hash of one value; a stack of the enclosing values ends circular references."""

    def __init__(self) -> None:
        self._enclosing: list[int] = []

    def digest(self, value: object) -> bytes:
        """Return the hash of a value and all values inside it."""
        if id(value) in self._enclosing:
            parts: Iterable[bytes] = [b"circle", str(len(self._enclosing) - self._enclosing.index(id(value))).encode()]
            return _hash_parts(parts)
        self._enclosing.append(id(value))
        try:
            kind = type(value)
            name = kind.__qualname__.encode() if _installed(kind.__module__) else self.digest(kind)
            return _hash_parts([name, *self._parts(value), *self._named(**_attributes(value))])
        finally:
            self._enclosing.pop()

    def _named(self, /, **parts: object) -> Iterator[bytes]:
        for name, part in sorted(parts.items()):
            yield name.encode()
            yield self.digest(part)

    @singledispatchmethod
    def _parts(self, value: Any) -> Iterator[bytes]:
        """Yield the parts of a value other than its attributes; for a plain object, the hash of its class."""
        kind = type(value)
        slots = sum(isinstance(entry, types.MemberDescriptorType) for of in kind.__mro__ for entry in vars(of).values())
        if kind.__basicsize__ > object.__basicsize__ + WORD * (slots + 2):  # more than attributes and weak references
            raise Unidentified(f"a {kind.__module__}.{kind.__qualname__}")
        yield self.digest(kind)

    @_parts.register
    def _plain(self, value: Plain) -> Iterator[bytes]:
        yield repr(value).encode()

    @_parts.register(list)
    @_parts.register(tuple)
    def _sequence(self, value: Any) -> Iterator[bytes]:
        yield from map(self.digest, value)

    @_parts.register(set)
    @_parts.register(frozenset)
    def _set(self, value: Any) -> Iterator[bytes]:
        yield from sorted(map(self.digest, value))

    @_parts.register(dict)
    def _mapping(self, value: Any) -> Iterator[bytes]:
        yield from sorted(_hash_parts([self.digest(key), self.digest(entry)]) for key, entry in value.items())

    @_parts.register
    def _array(self, value: np.ndarray) -> Iterator[bytes]:
        if value.dtype.hasobject:
            yield from self._named(shape=value.shape, entries=value.ravel().tolist())
            return
        yield from (str(value.dtype).encode(), str(value.shape).encode(), np.ascontiguousarray(value).tobytes())

    @_parts.register
    def _number(self, value: np.generic) -> Iterator[bytes]:
        yield from self._array(np.asarray(value))

    @_parts.register
    def _tensor(self, value: torch.Tensor) -> Iterator[bytes]:
        if value.layout is not torch.strided or value.is_quantized:
            raise Unidentified(f"a tensor with layout {value.layout}")
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        yield from (str(value.dtype).encode(), str(tuple(value.shape)).encode(), content)

    @_parts.register
    def _generator(self, value: torch.Generator) -> Iterator[bytes]:
        yield self.digest(value.get_state())

    @_parts.register
    def _code(self, value: types.CodeType) -> Iterator[bytes]:
        """Yield all of a code object except its name, file and line numbers."""
        names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags)
        yield from (value.co_code, value.co_exceptiontable)
        yield from self._named(names=names, counts=counts, constants=value.co_consts)

    @_parts.register
    def _function(self, value: types.FunctionType) -> Iterator[bytes]:
        cells = [cell.cell_contents for cell in value.__closure__ or () if _has_content(cell)]
        yield from self._named(cells=cells, defaults=value.__defaults__, by_name=value.__kwdefaults__)
        module = str(value.__globals__.get("__name__"))
        if version := _installed(module):
            yield from self._named(module=module, name=value.__code__.co_qualname, version=version)
            return
        used = {name: value.__globals__[name] for name in _global_names(value.__code__) if name in value.__globals__}
        yield from self._named(code=value.__code__, used=used)

    @_parts.register
    def _builtin(self, value: types.BuiltinFunctionType) -> Iterator[bytes]:
        owner = None if isinstance(value.__self__, types.ModuleType) else value.__self__
        yield from self._named(module=value.__module__, name=value.__qualname__, of=owner)
        yield (_installed(value.__module__) if value.__module__ else _version(sys)).encode()

    @_parts.register
    def _c_function(self, value: FromC) -> Iterator[bytes]:
        yield from (value.__name__.encode(), _version(np).encode(), sys.version.encode())

    @_parts.register
    def _method(self, value: types.MethodType) -> Iterator[bytes]:
        yield from self._named(function=value.__func__, of=value.__self__)

    @_parts.register(staticmethod)
    @_parts.register(classmethod)
    def _wrapped(self, value: Any) -> Iterator[bytes]:
        yield self.digest(value.__func__)

    @_parts.register
    def _property(self, value: property) -> Iterator[bytes]:
        yield from self._named(get=value.fget, set=value.fset, delete=value.fdel)

    @_parts.register
    def _partial(self, value: partial) -> Iterator[bytes]:  # type: ignore[type-arg]
        yield from self._named(function=value.func, arguments=value.args, by_name=value.keywords)

    @_parts.register
    def _module(self, value: types.ModuleType) -> Iterator[bytes]:
        if not (version := _installed(value.__name__)):
            raise Unidentified(f"the module {value.__name__}, which is no installed package")
        yield from (value.__name__.encode(), version.encode())

    @_parts.register
    def _class(self, value: type) -> Iterator[bytes]:
        if version := _installed(value.__module__):
            yield from self._named(module=value.__module__, name=value.__qualname__, version=version)
            return
        yield from self._named(
            bases=value.__bases__,
            holds={name: entry for name, entry in vars(value).items() if name not in NAMES_AND_PLACES},
        )


def _attributes(value: object) -> dict[str, object]:
    """Return the attributes of an object, slots included; {} for classes and modules, which `_parts` handles."""
    if isinstance(value, type | types.ModuleType):
        return {}
    slots = (
        name
        for kind in type(value).__mro__
        for name, entry in vars(kind).items()
        if isinstance(entry, types.MemberDescriptorType) and not _installed(kind.__module__)
    )
    attributes = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
    return {name: entry for name, entry in attributes.items() if name not in NAMES_AND_PLACES}


def _hash_parts(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _has_content(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _global_names(code: types.CodeType) -> set[str]:
    """Return the names of the globals that a code object and its nested code objects use."""
    names = {
        str(instruction.argval)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= _global_names(inner)
    return names


def _installed(module: str) -> str:
    """Return the version of the package of a module; "" for a module that the user wrote and may still change."""
    package = sys.modules.get(module.partition(".")[0])
    if package is None or module == "__main__":
        return ""
    file = getattr(package, "__file__", None)
    if file is None:
        return _version(package) if package.__name__ in sys.stdlib_module_names else ""
    standard = Path(sysconfig.get_paths()["stdlib"])
    if INSTALL_FOLDERS & {*Path(file).parts} or standard in Path(file).parents:
        return _version(package)
    return ""


def _version(package: types.ModuleType) -> str:
    """Return the version of a package, or of Python where the package has none."""
    return str(getattr(package, "__version__", "") or sys.version)
