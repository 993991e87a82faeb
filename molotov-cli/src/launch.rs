//! Starts `molostart` and `moloslave`, which are the program `molotov` under another name, so that only one program is linked.

use std::{env, os::unix::process::CommandExt, process::Command};

/// Replaces this process by the program `molotov` in the same directory, with `name` as its name. Returns an exit code if that fails.
pub(crate) fn launch(name: &str) -> u8 {
    let path = env::current_exe().map(|program| program.with_file_name("molotov"));
    let (program, error) = match path {
        Ok(program) => {
            let error = Command::new(&program).arg0(name).args(env::args_os().skip(1)).exec();
            (program.display().to_string(), error)
        }
        Err(error) => ("molotov".to_owned(), error),
    };
    eprintln!("error: cannot start `{program}`, which contains `{name}`: {error}; reinstall the commands");
    1
}
