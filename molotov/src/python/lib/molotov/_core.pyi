from typing import Any

# Written in Rust, and no interface of the package.
def __getattr__(name: str) -> Any: ...
