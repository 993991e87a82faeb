"""A load test for type checkers, which is never run: `mypy --strict` accepts it with the package's stubs."""
from typing import Any

import aiohttp
import molotov
from molotov import run, util
from molotov.session import ClientSession, Context, LoggedClientRequest, SessionTracer, get_eventer
from typing_extensions import assert_type


@molotov.global_setup()
def prepare(args: molotov.Args) -> None:
    args.max_runs = 3
    assert_type(args.workers, int)
    assert_type(args.single_mode, str | None)
    molotov.set_var("token", molotov.json_request("http://localhost/login", "POST", json={"a": 1})["content"]["token"])
    assert_type(molotov.request("http://localhost/")["status"], int)


@molotov.setup()
async def options(worker_id: int, args: molotov.Args) -> dict[str, Any]:
    return {"headers": {"X-Worker": str(worker_id)}}


@molotov.setup_session()
async def opened(worker_id: int, session: aiohttp.ClientSession) -> None:
    context = molotov.get_context(session)
    assert_type(context, Context)
    assert_type(context.worker_id, int)
    context.attach("basket", [])
    context.basket.append(context.step)
    if context.statsd is not None:
        context.statsd.incr("opened")


@molotov.scenario(weight=2.5, delay=(0.1, 0.2), name="a scenario", pacing="10s")
async def one(session: ClientSession) -> None:
    async with session.get("http://localhost/", params={"a": 1}) as response:
        assert_type(response.status, int)
        assert_type(await response.text(), str)


async def stream(response: aiohttp.ClientResponse) -> None:
    async for event in molotov.server_sent_events(response):
        assert_type(event, molotov.ServerSentEvent)
        assert_type(event.data, str)
        assert_type(event.since_start, float)


@molotov.scenario
async def two(session: aiohttp.ClientSession, session_factory: str = "http") -> None:
    assert_type(molotov.get_var("count", factory=lambda: 7), int)
    util.stop("enough")
    assert_type(util.is_stopped(), bool)


@molotov.events()
async def listen(event: str, **info: Any) -> None:
    if event == "sending_request":
        request: LoggedClientRequest = info["request"]
        assert_type(request.method, str)


async def measure(session: ClientSession) -> None:
    async with molotov.operation("LINE", "echo") as operation:
        assert_type(operation, molotov.Operation)
        operation.status = 200
    assert_type(molotov.check("is known", operation.status, "there is no status"), bool)
    molotov.count("operations")
    await molotov.think(1, 3)
    await molotov.think("exp(2s)")
    molotov.record("size", 3)
    molotov.gauge("queue", 1.5)
    with molotov.group("sync") as outer:
        assert_type(outer, molotov.Group)
    async with molotov.group("checkout"):
        assert_type(molotov.unique() + molotov.worker_number() + molotov.get_context(session).worker_number, int)
        assert_type((operation.protocol, operation.name), tuple[str, str])
        operation.add_sent(1)
        operation.add_received(1)
        operation.mark_first_byte()
        operation.fail()
    async with molotov.get_context(session).operation("LINE", "echo") as operation:
        print(operation.status)


@molotov.scenario_picker()
def pick(worker_id: int, step_id: int) -> str:
    return "two"


@molotov.teardown
def end(worker_id: int) -> None:
    print(worker_id)


@molotov.global_teardown()
def finish() -> None:
    assert_type(run.run(molotov.Args(max_runs=1))["OK"], float)
    assert_type(run.main(["-r", "1"]), int)


assert_type(get_eventer(None), SessionTracer | None)


# A type checker must reject these lines, because an unused `ignore` is an error.
@molotov.scenario()  # type: ignore[type-var]
def not_a_coroutine(session: ClientSession) -> None: ...


@molotov.scenario_picker()  # type: ignore[type-var]
def no_name(worker_id: int, step_id: int) -> int:
    return 1


@molotov.setup()  # type: ignore[type-var]
async def no_arguments() -> None: ...


molotov.scenario(wieght=2)  # type: ignore[call-overload]
