//! What `global_setup` decides: the options of the run, and whether there is one.

use super::Scripts;

/// A script whose `global_setup` does that.
fn doing(work: &str) -> Scripts {
    let script = format!(
        r#"
import sys
import molotov

@molotov.global_setup()
def init(args):
    {work}

@molotov.scenario()
async def one(session):
    pass

@molotov.global_teardown()
def finish():
    print("global_teardown")
"#
    );
    Scripts::new(&[("loadtest.py", &script)])
}

#[test]
fn options_that_it_changes_count() {
    for (work, line, runs) in [
        ("args.max_runs = 3", "", 3),
        ("args.max_runs = 3", "-p 2", 6),
        ("args.max_runs, args.workers = 2, 5", "-r 9", 10),
        ("args.duration, args.max_runs = 0, None", "-r 9", 1),
        ("args.duration = '1s'; args.delay = 60; args.max_runs = 0", "-r 9", 1),
        ("args.single_run = True", "-r 9 -d 60", 1),
        ("args.processes = 1", "-p 2 -r 2", 2),
        ("args.processes = 2", "-r 2", 4),
        ("del args.workers", "-w 2 -r 2", 4),
        ("args.workers, args.mine = 2.0, object()", "-w 2 -r 2", 4),
    ] {
        let output = doing(work).program(&format!("{line} -c")).run().exited(0);
        assert_eq!(output.totals(), (runs, 0), "{work}: {output:#?}");
    }
}

#[test]
fn options_that_it_cannot_change_are_refused_or_warned_about() {
    for (work, said) in [
        (
            "args.workers = 'ten'",
            "`global_setup` set `args.workers` to 'ten': `workers` has to be a number, and is a string",
        ),
        ("args.workers = 0", "`global_setup` set `args.workers` to 0: "),
        ("args.workers = 2.5", "`global_setup` set `args.workers` to 2.5: "),
        ("args.workers = None", "`global_setup` set `args.workers` to None: `workers` has to be a number, and is null"),
        ("args.max_runs = -1", "`global_setup` set `args.max_runs` to -1: "),
        ("args.duration = 'soon'", "`global_setup` set `args.duration` to 'soon': "),
        ("args.duration = float('nan')", "`global_setup` set `args.duration` to nan: "),
        ("args.delay = {1}", "`global_setup` set `args.delay` to {1}: a value of the type `set` is not an option's"),
    ] {
        for line in ["-r 1 -c", "-p 2 -r 1 -c"] {
            let output = doing(work).program(line).run().exited(1);
            assert!(output.stderr.contains(said), "{work}: {output:#?}");
            assert_eq!(output.totals(), (0, 0), "{work}: {output:#?}");
        }
    }
    let output = doing("args.quiet, args.report, args.max_runs = True, ['x.json'], 1").program("-c").run().exited(0);
    for name in ["quiet", "report"] {
        let said = format!("`global_setup` changed `args.{name}`, which has no effect: set it on the command line");
        assert!(output.stderr.contains(&said), "{output:#?}");
    }
}

#[test]
fn exits_with_the_code_it_asks_for() {
    for (work, code, said) in [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no service')", 1, "no service\n"),
        ("raise SystemExit(300)", 44, ""),
    ] {
        for line in ["-r 1 -c", "-p 2 -r 1 -c", "-r 1 -q"] {
            let output = doing(work).program(line).run().exited(code);
            assert!(!output.stdout.contains("global_teardown\n"), "{work}: {output:#?}");
            assert!(!output.stderr.contains("failed") && !output.stderr.contains("SystemExit"), "{work}: {output:#?}");
            assert!(output.stderr.contains(said), "{work}: {output:#?}");
        }
    }
}

#[test]
fn what_it_prints_is_shown_while_it_runs() {
    let work = "import os, time\n    print('waiting')\n    while not os.path.exists('go'):\n        time.sleep(0.01)";
    for (line, columns) in [("-c -r 1", None), ("-c -r 1", Some(100)), ("-r 1", Some(100)), ("-c -p 2 -r 1", None)] {
        let scripts = doing(work);
        let program = scripts.program(line);
        let running = match columns {
            None => program.start(),
            Some(columns) => program.on_terminal(columns).start(),
        };
        running.wait_for("waiting");
        std::fs::write(scripts.directory.path().join("go"), "").unwrap();
        running.wait().exited(0);
    }
}
