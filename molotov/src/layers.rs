//! Tests the layers of the crate: a module uses only modules of its own layer and of those below, and modules with the same
//! parent form no cycle. Tests may use anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The layers, the highest first.
const LAYERS: &[&[&str]] = &[
    &["prelude", "private"],
    &["cli"],
    &["cluster"],
    &["python"],
    &["blocking", "load_test"],
    &["engine"],
    &["ui"],
    &["report"],
    &["run"],
    &["registry"],
    &["event"],
    &["session"],
    &["data"],
    &["failure", "statsd"],
    &["http"],
    &["load", "metrics"],
    &["backtrace", "format", "missing", "notice", "options", "queue", "secrets", "suggest", "vars"],
];

#[test]
fn modules_name_only_those_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    read(&root, &root, &mut files);
    let house = House::new(&files);
    assert_eq!(house.upward(), Vec::<String>::new());
    assert_eq!(house.cycles(), BTreeMap::new());
}

#[test]
fn a_planted_violation_is_found() {
    let files = |files: &[(&str, &str)]| {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let upward = files(&[
        ("lib.rs", "pub use engine::{Plan, run};"),
        ("engine/mod.rs", "pub struct Plan;"),
        ("ui/mod.rs", ""),
        ("metrics.rs", "use std::fmt;\nuse crate::{options::Args, // crate::cli\n    ui::Screen};"),
        ("http/mod.rs", "fn f() { super::report::write(\"crate::cli\") }\nfn g(_: crate::Plan) {}"),
        ("report.rs", "/// As [`crate::engine`].\n#[cfg(test)]\nmod tests {\n    use crate::engine::Plan;\n}"),
        ("ui/tests.rs", "use crate::engine::Plan;"),
        ("options.rs", ""),
        ("new.rs", ""),
    ]);
    assert_eq!(
        House::new(&upward).upward(),
        [
            "http/mod.rs:1: `http` names `report`, which is above it",
            "http/mod.rs:2: `http` names `engine`, which is above it",
            "metrics.rs:3: `metrics` names `ui`, which is above it",
            "new.rs:1: `new` is in no layer",
        ]
    );
    let cycle = files(&[
        ("engine/mod.rs", ""),
        ("engine/shard.rs", "use super::{worker::Worker, clock::Clock};"),
        ("engine/worker.rs", "use super::plan::{self, Plan};"),
        ("engine/plan/mod.rs", ""),
        ("engine/plan/part.rs", "\nuse crate::engine::shard::Shard;"),
        ("engine/clock.rs", ""),
    ]);
    let found = House::new(&cycle).cycles();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["engine"]);
    assert_eq!(
        found["engine"],
        [
            "engine/plan/part.rs:2: `plan` names `shard`",
            "engine/shard.rs:1: `shard` names `worker`",
            "engine/worker.rs:1: `worker` names `plan`",
        ]
    );
}

/// Modules, and what each names of the others.
struct House {
    files: BTreeMap<Vec<String>, String>,
    named: Vec<Named>,
}

/// A reference from one module to another.
struct Named {
    by: Vec<String>,
    module: Vec<String>,
    line: usize,
}

impl House {
    /// Returns the modules of files, given as paths relative to `src` and text.
    fn new(files: &BTreeMap<String, String>) -> House {
        let tests = |path: &str| path.split(['/', '.']).any(|part| part == "tests" || part.ends_with("_tests"));
        let texts: BTreeMap<_, _> = (files.iter())
            .filter(|(path, _)| !tests(path))
            .map(|(path, text)| (module_of(path), (path.clone(), code(text))))
            .collect();
        // Items that the root of the crate re-exports belong to their modules.
        let mut root = BTreeMap::new();
        if let Some((_, text)) = texts.get(&Vec::new()) {
            for (at, _) in text.match_indices("pub use ") {
                let mut handed_on = Vec::new();
                read_path(text, at + "pub use ".len(), &[], &mut handed_on);
                root.extend(handed_on.into_iter().map(|(path, _)| (path[path.len() - 1].clone(), path[..1].to_vec())));
            }
        }
        let mut named = Vec::new();
        for (by, (_, text)) in texts.iter().filter(|(by, _)| !by.is_empty() && by[0] != "layers") {
            for (at, start) in starts(text) {
                let mut base = if start == "crate" { Vec::new() } else { by.clone() };
                base.truncate(base.len() - usize::from(start == "super"));
                let mut written = Vec::new();
                read_path(text, at + start.len() + 2, &[], &mut written);
                for (mut path, at) in written {
                    let mut base = base.clone();
                    while path.first().is_some_and(|first| first == "super") {
                        base.pop();
                        path.remove(0);
                    }
                    if base.is_empty() && path.first().is_some_and(|first| root.contains_key(first)) {
                        base = root[&path[0]].clone();
                    }
                    base.extend(path);
                    while !texts.contains_key(&base) {
                        base.pop();
                    }
                    let line = text[..at].matches('\n').count() + 1;
                    named.push(Named { by: by.clone(), module: base, line });
                }
            }
        }
        House { files: texts.into_iter().map(|(module, (path, _))| (module, path)).collect(), named }
    }

    /// Returns the places where a module names one of a higher layer, and the modules that are in no layer.
    fn upward(&self) -> Vec<String> {
        let layer = |module: &[String]| LAYERS.iter().position(|layer| layer.contains(&module[0].as_str()));
        let mut found = BTreeSet::new();
        for (module, path) in self.files.iter().filter(|(module, _)| !module.is_empty() && module[0] != "layers") {
            if layer(module).is_none() {
                found.insert(format!("{path}:1: `{}` is in no layer", module[0]));
            }
        }
        for Named { by, module, line } in self.named.iter().filter(|named| !named.module.is_empty()) {
            if layer(module) < layer(by) {
                let path = &self.files[by];
                found.insert(format!("{path}:{line}: `{}` names `{}`, which is above it", by[0], module[0]));
            }
        }
        found.into_iter().collect()
    }

    /// Returns the modules whose children form cycles, and the places where the children name each other.
    fn cycles(&self) -> BTreeMap<String, Vec<String>> {
        let mut siblings: BTreeMap<&[String], Vec<(&str, &str, &Named)>> = BTreeMap::new();
        for named in &self.named {
            let common = named.by.iter().zip(&named.module).take_while(|(one, other)| one == other).count();
            if let (Some(by), Some(module)) = (named.by.get(common), named.module.get(common)) {
                siblings.entry(&named.by[..common]).or_default().push((by, module, named));
            }
        }
        let mut found = BTreeMap::new();
        for (parent, mut edges) in siblings {
            // A module that names no other, or that no other names, is in no cycle.
            loop {
                let before = edges.len();
                let by: BTreeSet<_> = edges.iter().map(|(by, ..)| *by).collect();
                let of: BTreeSet<_> = edges.iter().map(|(_, of, _)| *of).collect();
                edges.retain(|(one, other, _)| of.contains(one) && by.contains(other));
                if edges.len() == before {
                    break;
                }
            }
            let told = edges.iter().map(|(one, other, named)| {
                format!("{}:{}: `{one}` names `{other}`", self.files[&named.by], named.line)
            });
            let told: BTreeSet<_> = told.collect();
            let parent = if parent.is_empty() { "crate".to_owned() } else { parent.join("::") };
            if !told.is_empty() {
                found.insert(parent, told.into_iter().collect());
            }
        }
        found
    }
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

/// The text without comments, strings and the module of tests at its end. Line numbers do not change.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => {
            let mut parts = line.replace("\\\"", "").split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
            parts.truncate(parts.find("//").unwrap_or(parts.len()));
            parts
        }
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    let tests = text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|at| {
        let mut lines = text[*at..].lines().skip(1).skip_while(|line| line.starts_with("#["));
        lines.next().is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    });
    text.truncate(tests.unwrap_or(text.len()));
    text
}

/// The offsets of paths that name modules of this crate.
fn starts(text: &str) -> Vec<(usize, &'static str)> {
    let within = |at: usize| text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let starts = ["crate", "super", "self"].into_iter();
    let found = starts.flat_map(|word| text.match_indices(word).map(move |(at, _)| (at, word)));
    found.filter(|(at, word)| text[at + word.len()..].starts_with("::") && !within(*at)).collect()
}

/// Parses the path at an offset of the text, adds its targets with their offsets to `found`, and returns the offset of its end.
fn read_path(text: &str, mut at: usize, before: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut path = before.to_vec();
    let skip = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    loop {
        at = skip(at);
        if text[at..].starts_with('{') {
            at = skip(at + 1);
            while at < text.len() && !text[at..].starts_with('}') {
                // The name may be followed by `as`.
                at = read_path(text, at, &path, found);
                at += text[at..].find([',', '}']).unwrap_or(text[at..].len());
                at = skip(at + usize::from(text[at..].starts_with(',')));
            }
            return (at + 1).min(text.len());
        }
        let start = at;
        at += text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text[at..].len());
        if &text[start..at] != "self" {
            path.push(text[start..at].to_owned());
        }
        if !text[at..].starts_with("::") {
            found.push((path, start));
            return at;
        }
        at += 2;
    }
}
