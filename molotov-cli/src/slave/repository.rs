//! Checks the address of a repository, and clones it.

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::{Command, Stdio},
};

use molotov::python::environment::{ChildError, Error, Runner};

use super::children::Children;

/// The supported transports. Others, such as `ext::`, run commands from the address.
const TRANSPORTS: [&str; 5] = ["file", "git", "http", "https", "ssh"];

/// Checks that an address has a supported transport, and is not an option.
pub(super) fn check(address: &str) -> Result<(), String> {
    plain("the repository", address)?;
    let scheme = |separator: &str| {
        let (scheme, _) = address.split_once(separator)?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
        (!scheme.is_empty() && scheme.bytes().all(named)).then_some(scheme)
    };
    let refused = |scheme: &str| {
        format!(
            "`{address}`: the transport `{scheme}` is not supported; use a path, or an address with {}",
            TRANSPORTS.join("://, ") + "://"
        )
    };
    match (scheme("::"), scheme("://")) {
        (Some(helper), _) => Err(refused(helper)),
        (None, Some(scheme)) if !TRANSPORTS.contains(&scheme) => Err(refused(scheme)),
        _ => Ok(()),
    }
}

/// Checks the name of a branch or revision.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    plain(what, name)
}

fn plain(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.starts_with('-') {
        return Err(format!("{what} `{text}` starts with a dash, like an option"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} {text:?} contains control characters"));
    }
    Ok(())
}

fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_ALLOW_PROTOCOL", TRANSPORTS.join(":"))
        // `clone_branch` looks for a word in the output.
        .env("LC_ALL", "C")
        .env("GIT_DIR", directory.join(".git"))
        .env("GIT_WORK_TREE", directory)
        .stdin(Stdio::null());
    if !io::stdin().is_terminal() {
        command.env("GIT_TERMINAL_PROMPT", "0");
    }
    command
}

/// `git clone`, which creates the directory.
fn git_clone() -> Command {
    let mut command = git(Path::new("."));
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").args(["clone", "--quiet"]);
    command
}

/// Runs git. Returns its output, or the output of a git that failed.
fn run(children: &mut Children, command: &mut Command) -> Result<Result<String, String>, Error> {
    let (result, output) = children.output(command).map_err(git_error)?;
    match result {
        Ok(()) => Ok(Ok(output)),
        Err(ChildError::Failed(_)) => Ok(Err(output.trim().to_owned())),
        Err(error) => Err(git_error(error)),
    }
}

fn git_error(error: ChildError) -> Error {
    match error {
        ChildError::Start(error) if error.kind() == io::ErrorKind::NotFound => {
            Error::Message("git is not installed, or not on the PATH; install it".to_owned())
        }
        ChildError::Start(error) => Error::Message(format!("cannot start git: {error}")),
        ChildError::Failed(status) => Error::Message(format!("git failed with {status}")),
        ChildError::Stopped(signal) => Error::Stopped(signal),
    }
}

/// Clones a repository into a directory that is empty or does not exist. Fetches a single commit if the transport supports it.
pub(super) fn clone(
    children: &mut Children,
    address: &str,
    into: &Path,
    branch: Option<&str>,
    revision: Option<&str>,
) -> Result<(), Error> {
    let failed = |output: String| Error::Message(format!("cannot clone `{address}`:\n{output}"));
    let Some(revision) = revision else {
        return clone_branch(children, address, into, branch)?.map_err(failed);
    };
    // All servers send a commit that has a name. Some send others only as part of the complete history.
    if run(children, git(into).args(["init", "--quiet"]).arg("--").arg(into))?.is_ok()
        && run(children, git(into).args(["fetch", "--quiet", "--depth=1", "--"]).args([address, revision]))?.is_ok()
    {
        return check_out(children, into, "FETCH_HEAD")?.map_err(failed);
    }
    empty(into)?;
    run(children, git_clone().args(["--no-checkout", "--", address]).arg(into))?.map_err(failed)?;
    let commit = format!("{revision}^{{commit}}");
    let parse = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    match run(children, git(into).args(parse).arg(commit))? {
        Ok(commit) => check_out(children, into, commit.trim())?.map_err(failed),
        Err(_) => Err(Error::Message(format!("`{address}` has no revision `{revision}`"))),
    }
}

fn check_out(children: &mut Children, into: &Path, commit: &str) -> Result<Result<(), String>, Error> {
    let done = run(children, git(into).args(["checkout", "--quiet", "--detach", commit, "--"]))?;
    Ok(done.map(drop))
}

fn clone_branch(
    children: &mut Children,
    address: &str,
    into: &Path,
    branch: Option<&str>,
) -> Result<Result<(), String>, Error> {
    let clone = |shallow: bool| {
        let mut command = git_clone();
        if shallow {
            command.args(["--depth=1", "--no-tags"]);
        }
        command.args(branch.map(|branch| format!("--branch={branch}"))).arg("--").arg(address).arg(into);
        command
    };
    match run(children, &mut clone(true))? {
        // The dumb HTTP protocol does not support shallow clones.
        Err(output) if output.contains("shallow") => {
            empty(into)?;
            Ok(run(children, &mut clone(false))?.map(drop))
        }
        result => Ok(result.map(drop)),
    }
}

/// Removes the files of a failed clone.
fn empty(directory: &Path) -> Result<(), Error> {
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
    all().map_err(|error| Error::Message(format!("cannot empty the directory {}: {error}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses_and_rejects_options_and_commands() {
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
            ("--upload-pack=touch /tmp/x", "starts with a dash"),
            ("-u", "starts with a dash"),
            ("ext::sh -c touch% /tmp/x", "the transport `ext` is not supported"),
            ("fd::17", "the transport `fd` is not supported"),
            ("my_helper::x", "the transport `my_helper` is not supported"),
            ("ftp://example.com/x", "the transport `ftp` is not supported"),
            ("ext://x", "the transport `ext` is not supported"),
            ("https://example.com/x\n--upload-pack=y", "control characters"),
            ("a\0b", "control characters"),
        ] {
            let error = check(address).expect_err(address);
            assert!(error.contains(why), "{error}");
        }
    }
}
