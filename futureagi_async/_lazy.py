"""Public names that are imported when they are first used: unused ones cost nothing."""

TYPE_CHECKING = False  # type checkers take it as true; `typing` takes long to import

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_exports(
    namespace: "dict[str, object]", exports: "Mapping[str, tuple[str, ...]]"
) -> "tuple[Callable[[str], object], Callable[[], list[str]], list[str]]":
    """Return `__getattr__`, `__dir__` and `__all__` of a module.

    Args:
        namespace: the `globals()` of the module.
        exports: names by the module that defines them, which is relative to the package;
            with an empty tuple, that module itself is the name.
    """
    origins = {
        name or module.rpartition(".")[2]: (module, name)
        for module, names in exports.items()
        for name in names or ("",)
    }

    def get_attribute(name: str) -> object:
        if name not in origins:
            raise AttributeError(
                f"module {namespace['__name__']!r} has no attribute {name!r}"
            )
        import importlib  # noqa: PLC0415 - costs more than the import of the package

        module, attribute = origins[name]
        value: object = importlib.import_module(module, str(namespace["__package__"]))
        if attribute:
            value = getattr(value, attribute)
        namespace[name] = value
        return value

    def list_names() -> "list[str]":
        return sorted({*namespace, *origins})

    return get_attribute, list_names, sorted(origins)
