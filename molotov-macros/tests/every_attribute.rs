//! All attributes, with and without parameters, by name and by path, and with a type alias.
#![deny(warnings, unsafe_code)]
use molotov::prelude::*;

/// Documented.
pub struct Connection(usize);
type Http<'a> = &'a Session;
const WEIGHT: u32 = 3;

#[global_setup]
fn init(args: &Args) -> Result<()> {
    let _ = args.workers;
    Ok(())
}

#[setup]
async fn options(_: WorkerId, _: &Args, _: &Context) -> Result<SessionOptions> {
    Ok(SessionOptions::new())
}

#[setup_session]
async fn open(_: WorkerId, _: &Session) {}

#[setup_session]
async fn open_connection(connection: &mut Connection) -> Result {
    connection.0 += 1;
    Ok(())
}

/// Documented.
#[molotov::scenario(weight = 40, delay = 0.5, name = "browse")]
pub async fn scenario_one(session: Http<'_>, ctx: &Context, args: &Args, worker: WorkerId, step: StepId) -> Result<()> {
    let _ = (session, ctx, args, worker, step);
    Ok(())
}

#[scenario(rate = "30/m")]
async fn steady() {}

#[scenario(rate = " .5 / hour", name = "rare")]
async fn seldom() {}

#[scenario(weight = WEIGHT, delay = 1..3, pacing = "1m30s")]
async fn r#match() {}

#[scenario(crate = ::molotov, extension = "more", delay = "exp(250ms)", pacing = 2)]
async fn talk(connection: &mut Connection) -> std::result::Result<(), String> {
    connection.0 += 1;
    Ok(())
}

#[cfg(any())]
#[scenario]
async fn left_out(_: Missing) {}

#[session_factory]
async fn connect(worker: WorkerId) -> Result<Connection> {
    Ok(Connection(worker.0))
}

#[session_factory]
async fn number() -> u64 {
    7
}

#[scenario_picker]
fn pick(_: WorkerId, _: StepId) -> &'static str {
    "browse"
}

#[events]
async fn on_event(_: &Event<'_>) {}

#[teardown_session]
async fn close(_: &Session) {}

#[teardown]
fn gone(_: WorkerId) {}

#[global_teardown]
fn over() {}

#[test]
fn all_are_registered() {
    // The function is still one that can be called.
    drop(r#match());
    let registry = molotov::registry::Registry::collect();
    let names: Vec<&str> = registry.scenarios().iter().map(|scenario| scenario.name()).collect();
    assert_eq!(names, ["browse", "steady", "rare", "match", "talk"]);
    let rates: Vec<_> = registry.scenarios().iter().filter_map(|scenario| scenario.rate()).collect();
    assert_eq!(rates, ["30/m", " .5 / hour"].map(|text| text.parse::<Rate>().unwrap()));
    let selection = registry.validate(&Args::default()).unwrap();
    assert_eq!(selection.scenarios.len(), 4);
    let times = |name: &str| {
        let scenarios = registry.scenarios();
        let scenario = scenarios.iter().find(|scenario| scenario.name() == name).unwrap();
        (scenario.delay().to_string(), scenario.pacing().map(|pacing| pacing.as_secs_f64()))
    };
    assert_eq!(times("browse"), ("0.5s".to_owned(), None));
    assert_eq!(times("match"), ("1s..3s".to_owned(), Some(90.0)));
    assert_eq!(times("talk"), ("exp(0.25s)".to_owned(), Some(2.0)));
    let listed = molotov::registry::list(&selection);
    let columns: Vec<Vec<&str>> = listed.lines().take(5).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns[0], ["SCENARIO", "WEIGHT", "SHARE", "RATE", "PLACE"]);
    assert_eq!(columns[1][..4], ["browse", "40", "93.0", "%"]);
    assert_eq!((columns[3][..2].to_vec(), columns[4][..2].to_vec()), (vec!["rare", "0.5/h"], vec!["steady", "30/m"]));
    assert!(selection.http && selection.factories.is_empty());
    let mut args = Args::default();
    args.use_extension = vec!["more".to_owned()];
    let selection = registry.validate(&args).unwrap();
    assert_eq!((selection.scenarios.len(), selection.factories.len(), selection.setup_sessions.len()), (5, 1, 2));
}
