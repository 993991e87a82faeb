//! Reports of runs on several agents, and of several processes.

use std::time::Duration;

use super::{json, markdown, text::table};
use crate::{
    metrics::{HTTP, Health, Limits, OperationSample, Outcome, Recorder, Snapshot, Status},
    run::{Incomplete, MemberLabel, MemberSummary, Summary},
};

/// A second of a member whose threads are busy for this share of it, and whose event loop is this late.
fn second(cpu: f64, lag: Duration) -> Snapshot {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    for n in 0..40 {
        recorder.scenario(browse, if n == 0 { Outcome::Failed } else { Outcome::Ok }, Duration::from_millis(30 + n));
        let sample = OperationSample {
            outcome: Outcome::Ok,
            status: Some(Status::Code(200)),
            connect: None,
            first_byte: None,
            total: Duration::from_millis(10 + n),
            bytes_in: 100,
            bytes_out: 50,
            retried: 0,
        };
        recorder.operation(HTTP, "GET /", &sample);
    }
    let wall = Duration::from_secs(2);
    let health = Health {
        threads_cpu: wall.mul_f64(cpu),
        threads_wall: wall,
        saturated: if cpu > 0.9 { wall } else { Duration::ZERO },
        process_cpu: wall.mul_f64(cpu),
        process_wall: wall / 2,
        lag: [lag; 40].into_iter().collect(),
        ..Health::default()
    };
    Snapshot { until: Duration::from_secs(1), health, ..recorder.take() }
}

/// A run of members with these labels and shares of CPU.
fn run(members: impl IntoIterator<Item = (MemberLabel, f64)>) -> Summary {
    let mut summary = Summary::default();
    for (label, cpu) in members {
        let measures = second(cpu, Duration::from_millis(1));
        let warm_up = Snapshot { warm_up: true, ..measures.clone() };
        let member = MemberSummary::of(&mut summary.members, &label);
        member.add(&warm_up);
        member.add(&measures);
        [7, 12, 3].into_iter().for_each(|workers| member.ran(workers));
        summary.snapshot.merge(&measures);
    }
    summary.totals.elapsed = Duration::from_secs(1);
    summary
}

fn agent(name: &str) -> MemberLabel {
    MemberLabel::Agent(name.into())
}

fn on_agents() -> Summary {
    let mut summary = run([(agent("load-10"), 0.3), (agent("load-9"), 0.97), (agent("load-\x1b[31m1"), 0.2)]);
    let since = Duration::from_secs(12);
    summary.incomplete.push(Incomplete { agent: Some("load-10".into()), process: 0, pid: None, thread: None, since });
    summary
}

#[test]
fn tables_have_a_row_for_each_agent() {
    let table = table(&on_agents(), 100, false);
    insta::assert_snapshot!(table[table.find("Agents").unwrap()..]);
    let text = markdown(&on_agents());
    assert!(text.contains("### Agents\n\n| Name |"), "{text}");
    assert!(text.contains("| `load-9` | 12 | 40 | 1 | 40 |"), "{text}");
}

#[test]
fn json_has_every_member() {
    let summary = on_agents();
    let report: serde_json::Value = serde_json::from_str(&json(&summary)).unwrap();
    let members = report["members"].as_array().unwrap();
    let names: Vec<_> = members.iter().map(|member| member["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["load-9", "load-10", "load-\x1b[31m1"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&members[0]).unwrap());
    assert_eq!(members[1]["incomplete_since_s"], 12.0);
    assert_eq!(report["incomplete"][0]["agent"], "load-10");
    let none: serde_json::Value = serde_json::from_str(&json(&Summary::default())).unwrap();
    assert_eq!(none["members"], serde_json::json!([]));
}

#[cfg(feature = "html-report")]
#[test]
fn page_has_rows_for_agents_and_processes() {
    let page = super::html(&on_agents());
    assert!(page.contains("<section id=\"agents\">") && page.contains("load-10 (incomplete since 12.0 s)"), "{page}");
    assert!(page.contains("load-\\u{1b}[31m1") && !page.contains('\x1b'), "names are harmless");
    let processes = run([(MemberLabel::Process(7), 0.3), (MemberLabel::Process(8), 0.3)]);
    assert!(super::html(&processes).contains("<section id=\"processes\">"));
}

#[test]
fn short_reports_compare_processes_only_if_they_differ() {
    let process = |pid, cpu| (MemberLabel::Process(pid), cpu);
    let shown =
        |summary: &Summary| (table(summary, 80, false).contains("Processes"), markdown(summary).contains("Processes"));
    assert_eq!(shown(&run([process(1, 0.3), process(2, 0.4)])), (false, false));
    assert_eq!(shown(&run([process(1, 0.97), process(2, 0.98)])), (false, false), "all were the bottleneck");
    assert_eq!(shown(&run([process(1, 0.97), process(2, 0.3)])), (true, true));
    let mut lost = run([process(1, 0.3), process(2, 0.4)]);
    let loss = Incomplete { agent: None, process: 1, pid: Some(2), thread: None, since: Duration::from_secs(3) };
    lost.incomplete.push(loss);
    assert_eq!(shown(&lost), (true, true));
    assert_eq!(shown(&run([(agent("only"), 0.3)])), (false, false), "one agent has nothing to be compared with");
}

#[test]
fn the_bottleneck_names_its_member() {
    let advice = |members: Vec<(MemberLabel, f64)>| run(members).generator_limit().map(|limit| limit.to_string());
    let cpu = |percent: u32| {
        format!(
            "its threads were busy {percent} % of the time; use more threads, processes or machines, or fewer workers."
        )
    };
    let agents = |shares: &[f64]| {
        shares.iter().enumerate().map(|(index, share)| (agent(&format!("load-{index}")), *share)).collect::<Vec<_>>()
    };
    assert_eq!(advice(agents(&[0.3; 20])), None);
    let mut shares = [0.3; 20];
    shares[12] = 0.95;
    let one = format!("The load generator was the bottleneck on agent load-12: {}", cpu(95));
    assert_eq!(advice(agents(&shares)), Some(one), "the average of all agents hides it");
    (shares[3], shares[4], shares[5]) = (0.97, 0.91, 0.92);
    let several =
        "The load generator was the bottleneck on 4 of 20 agents (load-3, load-12, load-5 and 1 more): on load-3, ";
    assert_eq!(advice(agents(&shares)), Some(format!("{several}{}", cpu(97))));
    let all = "The load generator was the bottleneck on all 2 agents (load-1, load-0): on load-1, ";
    assert_eq!(advice(agents(&[0.95, 0.96])), Some(format!("{all}{}", cpu(96))));

    let processes = |shares: &[f64]| {
        shares.iter().zip(4711..).map(|(share, pid)| (MemberLabel::Process(pid), *share)).collect::<Vec<_>>()
    };
    let one = format!("The load generator was the bottleneck in process 4712: {}", cpu(95));
    assert_eq!(advice(processes(&[0.3, 0.95, 0.3])), Some(one));
    let all = format!("The load generator was the bottleneck: {}", cpu(96));
    assert_eq!(advice(processes(&[0.95, 0.97])), Some(all));
}
