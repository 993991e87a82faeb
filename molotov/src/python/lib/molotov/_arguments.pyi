import argparse
from typing import Any

class Args(argparse.Namespace):
    scenario: str
    single_run: bool
    single_mode: str | None
    config: str | None
    debug: bool
    verbose: int
    workers: int
    ramp_up: float
    sizing: bool
    sizing_tolerance: float
    delay: float
    console_update: float
    processes: int
    duration: float
    max_runs: int | None
    quiet: bool
    exception: bool
    fail: int | None
    console: bool
    statsd: bool
    statsd_address: str
    uvloop: bool
    use_extension: list[str] | None
    force_shutdown: bool
    threads: int | None
    seed: int | None
    timeout: float
    show_secrets: bool

def line_of(args: object, config: bool = False) -> list[str]: ...

class given:
    def __init__(self, args: object) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

def complete(namespace: Any) -> None: ...
