//! The files of a new load test, made from the templates.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use super::{
    Language,
    commands::{shell_quoted, start_service},
};

/// A file to write: its path in the directory, and its content.
type File = (&'static str, String);

/// The files of a crate in this directory.
pub(super) fn rust(dependency: &str, directory: &Path, makefile: bool) -> Vec<File> {
    let name = package_name(directory);
    let fill = |template: &str| {
        template
            .replace("{{name}}", &name)
            .replace("{{crate}}", &name.replace('-', "_"))
            .replace("{{molotov}}", dependency)
            .replace("{{service}}", start_service(Language::Rust, makefile))
    };
    let mut files = vec![
        ("Cargo.toml", fill(include_str!("../../templates/rust/manifest.toml"))),
        ("src/lib.rs", fill(include_str!("../../templates/rust/lib.rs"))),
        ("src/main.rs", fill(include_str!("../../templates/rust/main.rs"))),
        ("examples/service.rs", fill(include_str!("../../templates/rust/service.rs"))),
        ("tests/load.rs", fill(include_str!("../../templates/rust/load.rs"))),
        ("molotov.json", include_str!("../../templates/rust/molotov.json").to_owned()),
        (".gitignore", "/target\n".to_owned()),
    ];
    if makefile {
        files.push(("Makefile", include_str!("../../templates/rust/Makefile").to_owned()));
    }
    files
}

/// The files of a script.
pub(super) fn python(package: &str, makefile: bool) -> Vec<File> {
    let mut files = vec![
        (
            "loadtest.py",
            include_str!("../../templates/python/loadtest.py")
                .replace("{{service}}", start_service(Language::Python, makefile)),
        ),
        ("service.py", include_str!("../../templates/python/service.py").to_owned()),
        ("molotov.json", include_str!("../../templates/python/molotov.json").to_owned()),
        (".gitignore", "/venv\n__pycache__/\n".to_owned()),
    ];
    if makefile {
        // In a Makefile, `$` starts a variable and `#` a comment.
        let package = shell_quoted(package).replace('$', "$$").replace('#', "\\#");
        files.push(("Makefile", include_str!("../../templates/python/Makefile").replace("{{package}}", &package)));
    }
    files
}

/// Writes the files, or none of them if one exists.
///
/// # Errors
///
/// Returns an error that names the files that exist, or the file that cannot be written.
pub(super) fn write_all(directory: &Path, files: &[File], output: &mut impl Write) -> Result<(), String> {
    // A dangling link counts as existing: writing would follow it.
    let exists = |name: &str| fs::symlink_metadata(directory.join(name)).is_ok();
    let existing: Vec<_> = files.iter().map(|(name, _)| *name).filter(|name| exists(name)).collect();
    if !existing.is_empty() {
        let them = if existing.len() == 1 { "it" } else { "them" };
        return Err(format!(
            "{} already contains {}; nothing was written; remove {them} or name another directory",
            directory.display(),
            existing.join(", ")
        ));
    }
    for (name, text) in files {
        let path = directory.join(name);
        let write_error = |error: io::Error| format!("cannot write {}: {error}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(write_error)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(write_error)?;
        file.write_all(text.as_bytes()).map_err(write_error)?;
        // If standard output is closed, the files are still written.
        let _ = writeln!(output, "… {}", path.display());
    }
    Ok(())
}

/// A valid package name, derived from the name of the directory.
fn package_name(directory: &Path) -> String {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let name = directory.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    match name.trim_matches(['-', '_']) {
        "" => "loadtest".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_digit()) || is_reserved(name) => format!("loadtest-{name}"),
        name => name.to_owned(),
    }
}

/// Whether cargo rejects the name: keywords, names with a meaning to cargo, and dependencies of the load test.
fn is_reserved(name: &str) -> bool {
    const RESERVED: &str = "molotov axum tokio test core std alloc proc_macro proc-macro build deps examples incremental \
        abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl \
        in let loop macro match mod move mut override priv pub ref return self static struct super trait true try type \
        typeof unsafe unsized use virtual where while yield";
    RESERVED.split(' ').any(|reserved| reserved == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_are_valid_for_cargo() {
        for (directory, name) in [
            ("/x/shop", "shop"),
            ("/x/My Shop!", "my-shop"),
            ("/x/2fast", "loadtest-2fast"),
            ("/x/molotov", "loadtest-molotov"),
            ("/x/async", "loadtest-async"),
            ("/x/yield", "loadtest-yield"),
            ("/x/漢字", "loadtest"),
            ("/", "loadtest"),
        ] {
            assert_eq!(package_name(Path::new(directory)), name);
        }
    }
}
