//! How `molostart` and `moloslave` start: they are the program `molotov` under another name, so that only one program is linked.

use std::{env, os::unix::process::CommandExt, process::Command};

/// Becomes the program `molotov` beside this one, under the name `name`. Returns the exit code if that fails.
pub(crate) fn launch(name: &str) -> u8 {
    let beside = env::current_exe().map(|program| program.with_file_name("molotov"));
    let (program, error) = match beside {
        Ok(program) => {
            let error = Command::new(&program).arg0(name).args(env::args_os().skip(1)).exec();
            (program.display().to_string(), error)
        }
        Err(error) => ("molotov".to_owned(), error),
    };
    eprintln!("error: `{name}` is a part of `{program}`, which does not start: {error}; install all commands again");
    1
}
