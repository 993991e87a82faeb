//! A CPU that a load generator shares with other programs, as with the service on a small machine.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::{Output, Program};

/// Threads that want the same CPU as the programs. Together, they leave them a third of it.
const OTHERS: usize = 2;

/// Runs programs on a CPU that two busy threads also use. The bottleneck must be in the JSON and below the table.
///
/// # Panics
///
/// Panics if it is not.
pub fn a_shared_cpu_is_named_as_the_bottleneck(program: impl Fn(&str) -> Program) {
    let allowed = sched_getaffinity(None).expect("the CPUs of this thread");
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).rfind(|cpu| allowed.is_set(*cpu)).expect("at least one CPU"));
    let ended = AtomicBool::new(false);
    let outputs = thread::scope(|scope| {
        for _ in 0..OTHERS {
            scope.spawn(|| {
                sched_setaffinity(None, &one).expect("a CPU that this thread may use");
                while !ended.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        // Programs inherit the CPUs of the thread that starts them.
        sched_setaffinity(None, &one).expect("a CPU that this thread may use");
        let runs = ["", "-p 2"].map(|line| program(&format!("-w 4 -d 1.2 --report json:- {line}")).start());
        sched_setaffinity(None, &allowed).expect("the CPUs that it had before");
        let outputs = catch_unwind(AssertUnwindSafe(|| runs.map(|running| running.wait().exited(0))));
        ended.store(true, Ordering::Relaxed);
        outputs
    });
    for Output { stdout, stderr, .. } in outputs.unwrap_or_else(|panic| resume_unwind(panic)) {
        let report: serde_json::Value = crate::report(&stdout);
        let generator = &report["generator"];
        // Other tests may fill the other CPUs meanwhile.
        let bottleneck = generator["bottleneck"].as_str();
        assert!(matches!(bottleneck, Some("cpu_wait" | "machine")), "{generator}");
        let cpu_wait = generator["cpu_wait"].as_f64().expect("a share");
        // Of the time that it needs the CPU, the others have two thirds. On a busy machine it waits for the server instead.
        assert!(cpu_wait >= 0.1, "{cpu_wait}: two thirds of the CPU are used by others");
        let text = stderr.replace('\n', " ");
        assert!(text.contains("The load generator was the bottleneck: its "), "{text}");
    }
}
