//! A load test that succeeds, with three scenarios of one request each, and every fixture.

mod data;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use molotov::{prelude::*, statsd::prelude::*};
use molotov_tests::{asked, note, target};

/// When scenarios received their responses. Noted at the end, because a note makes a scenario longer.
static RECEIVED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[global_setup]
fn global_setup() {
    note("global_setup");
    set_var("made", std::process::id());
    if asked("leave-a-thread") {
        std::thread::Builder::new().name("left-behind".to_owned()).spawn(std::thread::park).expect("it starts");
    }
}

#[events]
async fn events(event: &Event<'_>) {
    if asked("workers")
        && let Event::CurrentWorkers { workers, .. } = event
    {
        note(&format!("workers {workers} {}", std::process::id()));
    }
}

#[setup]
async fn setup(worker: WorkerId) -> Result<SessionOptions> {
    note(&format!("setup {worker}"));
    if asked("slow-setup") {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    Ok(SessionOptions::new())
}

#[setup_session]
async fn setup_session(worker: WorkerId, _session: &Session) {
    note(&format!("setup_session {worker}"));
}

#[teardown_session]
async fn teardown_session(worker: WorkerId, _session: &Session) {
    note(&format!("teardown_session {worker}"));
}

#[teardown]
fn teardown(worker: WorkerId) {
    note(&format!("teardown {worker}"));
    RECEIVED.lock().expect("no panic").drain(..).for_each(|received| note(&received));
}

#[global_teardown]
fn global_teardown() {
    note("global_teardown");
}

#[events(extension = "witness")]
async fn witness(event: &Event<'_>) {
    if let Event::ScenarioSuccess { .. } = event {
        note("witnessed");
    }
}

async fn hit(session: &Session, ctx: &Context) -> Result<()> {
    let scenario = ctx.scenario();
    if asked("note") {
        note(&format!("{} {scenario} {}", ctx.worker_id(), ctx.step()));
    }
    if asked("process") {
        note(&format!("process {} {} {}", ctx.process(), std::process::id(), ctx.worker_id()));
    }
    if asked("random") {
        note(&format!("random {} {} {}", ctx.process(), ctx.worker_id(), ctx.random_below(1 << 40)));
    }
    if asked("variable") {
        note(&format!("variable {:?}", get_var::<u32>("made")));
    }
    if asked("metrics")
        && let Some(statsd) = ctx.statsd()
    {
        statsd.count_with_tags("bought", 2).with_tag("kind", "tea").send();
        statsd.gauge("stock", 3.5).expect("a gauge is taken");
    }
    if asked("write") {
        println!("written to stdout by {scenario}");
        eprintln!("written to stderr by {scenario}");
    }
    if asked("exit") && ctx.step() == 20 {
        std::process::exit(7);
    }
    if asked("panic") && ctx.step() == 3 {
        // One panic on a thread of the user, and one that the engine catches.
        let _ = std::thread::spawn(|| panic!("a thread of the user's own")).join();
        panic!("a scenario panics");
    }
    if asked("threads") {
        note(&format!("{:?}", std::thread::current().id()));
    }
    if asked("print") {
        ctx.print(format!("printed by {scenario}"));
    }
    if asked("odd") {
        session.get(target("/ok/a%20b:c%7Cd@e%23f%0Ag/{x}?q=1")).send().await?.bytes().await?;
    }
    let mut request = session.get(target(&format!("/ok/{scenario}")));
    let number = asked("number").then(|| {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        format!("{} {}", STARTED.fetch_add(1, Ordering::Relaxed), std::process::id())
    });
    if let Some(number) = &number {
        request = request.header("start", number);
    }
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    if let Some(number) = number {
        let received = SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
        RECEIVED.lock().expect("no panic").push(format!("received {number} {received}"));
    }
    if asked("custom") {
        custom(session, ctx).await?;
    }
    if asked("think") {
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    Ok(())
}

/// Checks half of the steps, and records numbers that follow from the step.
async fn custom(session: &Session, ctx: &Context) -> Result<()> {
    let step = ctx.step();
    ctx.check("even", step.is_multiple_of(2).then_some(()).context("the step is odd"));
    ctx.count("items", 3);
    ctx.record("basket", step as f64 / 2.0);
    ctx.gauge("queue", if step == 4 { -4.0 } else { step as f64 });
    ctx.group("checkout", async {
        let response = session.get(target("/ok/order")).tag("region", "eu").send().await?;
        response.check("is found", |response| response.status() == 200);
        response.bytes().await?;
        Ok(())
    })
    .await
}

#[scenario(weight = 70)]
async fn browse(session: &Session, ctx: &Context) -> Result<()> {
    hit(session, ctx).await
}

#[scenario(weight = 20, name = "cart")]
async fn fill_the_cart(session: &Session, ctx: &Context) -> Result<()> {
    hit(session, ctx).await
}

#[scenario(weight = 10)]
async fn admire(session: &Session, ctx: &Context) -> Result<()> {
    hit(session, ctx).await
}

#[scenario(weight = 0)]
async fn retired(session: &Session, ctx: &Context) -> Result<()> {
    hit(session, ctx).await
}

fn main() -> ExitCode {
    molotov::main()
}
