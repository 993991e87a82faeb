//! Repositories: which names are safe to hand to git, and how they are cloned.

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    Problem,
    children::{Children, Failed},
};

/// Transports that only transport. Others, such as `ext::`, run commands that the address holds.
const TRANSPORTS: [&str; 5] = ["file", "git", "http", "https", "ssh"];

/// Checks that an address is one, and neither an option nor a command.
pub(super) fn check(address: &str) -> Result<(), String> {
    plain("the repository", address)?;
    let scheme = |separator: &str| {
        let (scheme, _) = address.split_once(separator)?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
        (!scheme.is_empty() && scheme.bytes().all(named)).then_some(scheme)
    };
    let refused = |scheme: &str| {
        format!(
            "`{address}`: the transport `{scheme}` is not taken; write an address of {}, or a path",
            TRANSPORTS.join("://, ") + "://"
        )
    };
    match (scheme("::"), scheme("://")) {
        (Some(helper), _) => Err(refused(helper)),
        (None, Some(scheme)) if !TRANSPORTS.contains(&scheme) => Err(refused(scheme)),
        _ => Ok(()),
    }
}

/// Checks that a branch or a revision is a name.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    plain(what, name)
}

fn plain(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.starts_with('-') {
        return Err(format!("{what} `{text}` begins with a dash, as options do"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} {text:?} holds control characters"));
    }
    Ok(())
}

fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_ALLOW_PROTOCOL", TRANSPORTS.join(":"))
        // Its words are looked at.
        .env("LC_ALL", "C")
        .env("GIT_DIR", directory.join(".git"))
        .env("GIT_WORK_TREE", directory)
        .stdin(Stdio::null());
    if !io::stdin().is_terminal() {
        command.env("GIT_TERMINAL_PROMPT", "0");
    }
    command
}

/// `git clone` makes the directory itself.
fn cloning() -> Command {
    let mut command = git(Path::new("."));
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").args(["clone", "--quiet"]);
    command
}

/// Runs git; gives what it wrote.
fn run(children: &mut Children, command: &mut Command) -> Result<Result<String, String>, Problem> {
    let (ended, told) = children.listen(command).map_err(not_there)?;
    match ended {
        Ok(()) => Ok(Ok(told)),
        Err(Failed::Ended(_)) => Ok(Err(told.trim().to_owned())),
        Err(failed) => Err(not_there(failed)),
    }
}

fn not_there(failed: Failed) -> Problem {
    match failed {
        Failed::Start(error) if error.kind() == io::ErrorKind::NotFound => {
            Problem::Told("git is not installed, or not on the PATH".to_owned())
        }
        Failed::Start(error) => Problem::Told(format!("git does not start: {error}")),
        Failed::Ended(status) => Problem::Told(format!("git has ended: {status}")),
        Failed::Stopped(signal) => Problem::Stopped(signal),
    }
}

/// Clones a repository into a directory that is empty, or not there yet; only its newest commit where the transport can.
pub(super) fn clone(
    children: &mut Children,
    address: &str,
    into: &Path,
    branch: Option<&str>,
    revision: Option<&str>,
) -> Result<(), Problem> {
    let failed = |told: String| Problem::Told(format!("`{address}` cannot be cloned:\n{told}"));
    let Some(revision) = revision else {
        return take_branch(children, address, into, branch)?.map_err(failed);
    };
    // Any commit: servers give those that have a name by themselves, others only with all the rest.
    if run(children, git(into).args(["init", "--quiet"]).arg("--").arg(into))?.is_ok()
        && run(children, git(into).args(["fetch", "--quiet", "--depth=1", "--"]).args([address, revision]))?.is_ok()
    {
        return check_out(children, into, "FETCH_HEAD")?.map_err(failed);
    }
    empty(into)?;
    run(children, cloning().args(["--no-checkout", "--", address]).arg(into))?.map_err(failed)?;
    let commit = format!("{revision}^{{commit}}");
    let parse = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    match run(children, git(into).args(parse).arg(commit))? {
        Ok(commit) => check_out(children, into, commit.trim())?.map_err(failed),
        Err(_) => Err(Problem::Told(format!("`{address}` has no revision `{revision}`"))),
    }
}

fn check_out(children: &mut Children, into: &Path, commit: &str) -> Result<Result<(), String>, Problem> {
    let done = run(children, git(into).args(["checkout", "--quiet", "--detach", commit, "--"]))?;
    Ok(done.map(drop))
}

fn take_branch(
    children: &mut Children,
    address: &str,
    into: &Path,
    branch: Option<&str>,
) -> Result<Result<(), String>, Problem> {
    let clone = |shallow: bool| {
        let mut command = cloning();
        if shallow {
            command.args(["--depth=1", "--no-tags"]);
        }
        command.args(branch.map(|branch| format!("--branch={branch}"))).arg("--").arg(address).arg(into);
        command
    };
    match run(children, &mut clone(true))? {
        // A server of mere files has no shallow clones.
        Err(told) if told.contains("shallow") => {
            empty(into)?;
            Ok(run(children, &mut clone(false))?.map(drop))
        }
        done => Ok(done.map(drop)),
    }
}

/// Removes what a clone that failed has left.
fn empty(directory: &Path) -> Result<(), Problem> {
    let all = || -> io::Result<()> {
        if !directory.exists() {
            return Ok(());
        }
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            }?;
        }
        Ok(())
    };
    all().map_err(|error| Problem::Told(format!("{} cannot be emptied: {error}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_commands_and_options_are_not() {
        for address in [
            "https://example.com/shop.git",
            "http://127.0.0.1:8000/shop",
            "ssh://git@example.com:2222/shop",
            "git@example.com:team/shop.git",
            "git@[::1]:team/shop.git",
            "https://[::1]/shop.git",
            "git://example.com/shop",
            "file:///srv/shop;rm -rf x",
            "/srv/shop",
            "../shop",
            "shop with $(spaces) and ;",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for (address, why) in [
            ("", "is empty"),
            ("--upload-pack=touch /tmp/x", "begins with a dash"),
            ("-u", "begins with a dash"),
            ("ext::sh -c touch% /tmp/x", "the transport `ext` is not taken"),
            ("fd::17", "the transport `fd` is not taken"),
            ("my_helper::x", "the transport `my_helper` is not taken"),
            ("ftp://example.com/x", "the transport `ftp` is not taken"),
            ("ext://x", "the transport `ext` is not taken"),
            ("https://example.com/x\n--upload-pack=y", "control characters"),
            ("a\0b", "control characters"),
        ] {
            let told = check(address).expect_err(address);
            assert!(told.contains(why), "{told}");
        }
    }
}
