//! The house's one-way layers: which module may name which, and which may name the packages that do I/O.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules of the crate that it may name, from the ground up. `cli` is the command's own and sees everything.
const LAYERS: &[(&str, &[&str])] = &[
    ("target", &[]),
    ("message", &["target"]),
    ("smtp", &["message", "target"]),
    ("settings", &["message", "smtp", "target"]),
    ("policy", &["smtp", "target"]),
    ("knowledge", &["smtp"]),
    ("route", &["policy", "settings", "smtp", "target"]),
    ("sender", &["knowledge", "route", "settings", "smtp", "target"]),
    ("transport", &["policy", "settings", "smtp", "target"]),
    ("annotation", &["knowledge", "smtp"]),
    ("reading", &["knowledge", "smtp"]),
    ("probe", &["knowledge", "message", "policy", "reading", "route", "sender", "settings", "smtp", "target", "transport"]),
    ("diagnosis", &["annotation", "knowledge", "message", "policy", "probe", "route", "sender", "settings", "smtp", "target"]),
    (
        "bulk",
        &["diagnosis", "knowledge", "message", "policy", "probe", "reading", "route", "sender", "settings", "smtp", "target", "transport"],
    ),
    (
        "report",
        &[
            "annotation",
            "bulk",
            "diagnosis",
            "knowledge",
            "message",
            "policy",
            "probe",
            "reading",
            "route",
            "sender",
            "settings",
            "smtp",
            "target",
        ],
    ),
    ("demo", &["message", "settings", "smtp", "target"]),
];

/// Packages that touch network, runtime or command line, with the modules that may name them.
const PACKAGES: &[(&str, &[&str])] = &[
    ("tokio", &["bulk", "cli", "demo", "probe", "route", "transport"]),
    ("tokio_rustls", &["demo", "transport"]),
    ("hickory_resolver", &["demo", "route"]),
    ("hyper", &["transport"]),
    ("http_body_util", &["transport"]),
    ("lettre", &["message", "smtp", "target"]),
    ("clap", &["cli"]),
    ("socket2", &["demo", "transport"]),
    ("nix", &["cli", "transport"]),
    ("rpassword", &["cli"]),
    ("fs4", &["bulk"]),
    ("async_nats", &["bulk"]),
    ("stringprep", &["smtp"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each source file with the module that it belongs to, comments and tests left out.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let is_test =
        |path: &Path| path.file_name().is_some_and(|name| name == "tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    found
        .into_iter()
        .filter(|path| !is_test(path))
        .filter_map(|path| {
            let module = path.strip_prefix(&root).ok()?.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).ok()?;
            let code = text.split("#[cfg(test)]").next()?.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            Some((module, path, code))
        })
        .collect()
}

/// The words that follow each `prefix` in `code`.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    code.split(prefix).skip(1).map(word).filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_module_names_only_what_lies_below_it() {
    for (module, path, code) in modules() {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            assert!(matches!(module.as_str(), "lib" | "main" | "cli"), "{module} has no place in the layers");
            continue;
        };
        for named in named_after(&code, "crate::") {
            assert!(named == module || allowed.contains(&named.as_str()), "{} names {named}", path.display());
        }
    }
}

#[test]
fn the_layers_go_one_way() {
    let mut below: Vec<&str> = Vec::new();
    for (module, allowed) in LAYERS {
        assert!(allowed.iter().all(|other| below.contains(other)), "{module} names what stands above it");
        below.push(module);
    }
}

#[test]
fn the_broker_is_known_to_the_queue_alone() {
    let queue = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bulk/queue");
    for (_, path, code) in modules() {
        assert!(path.starts_with(&queue) || !code.contains("async_nats"), "{} names async_nats", path.display());
    }
}

#[test]
fn packages_stay_where_they_belong() {
    for (module, path, code) in modules() {
        for (package, allowed) in PACKAGES {
            let names = [format!("use {package}::"), format!(" {package}::"), format!("({package}::"), format!("<{package}::")];
            let used = names.iter().any(|name| code.contains(name.as_str()));
            assert!(!used || allowed.contains(&module.as_str()), "{} names {package}", path.display());
        }
    }
}
