//! Holds who may import whom: the layout shows the architecture only while imports follow it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A folder or file under `src/`, and all that it may import from the crate.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &["model"]),
    ("config", &["model"]),
    ("personas", &["model", "config"]),
    ("prompt", &["model"]),
    ("lexicon", &["model"]),
    ("tokens", &["model"]),
    ("forecast", &["model"]),
    ("provider", &["model"]),
    ("limiter", &["model"]),
    ("store", &["model"]),
    ("cache", &["model"]),
    ("export", &["model", "store"]),
    ("batch", &["model"]),
    (
        "engine",
        &[
            "model", "protocol", "config", "personas", "prompt", "provider", "limiter", "store",
            "tokens", "cache", "lexicon", "batch",
        ],
    ),
    ("simulator", &["model"]),
    ("link", &["protocol", "model"]),
    ("advice", &["model", "protocol"]),
    ("headless", &["model", "protocol", "link", "advice"]),
    ("ui", &["model", "protocol", "link", "config", "advice"]),
    ("error.rs", &["model"]),
    ("logging.rs", &["model"]),
    ("signals.rs", &["model"]),
    ("cli.rs", &[]),
    ("cli", &["config", "model", "simulator"]),
];

/// These put everything together and see every layer.
const SEE_ALL: &[&str] = &["launch.rs", "launch", "commands", "lib.rs", "main.rs"];

#[test]
fn every_folder_imports_only_what_its_layer_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&src).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if SEE_ALL.contains(&name.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(folder, _)| *folder == name) else {
            wrong.push(format!("src/{name} has no row in the table of layers"));
            continue;
        };
        for file in rust_files(&entry.path()) {
            for import in imports(&fs::read_to_string(&file).unwrap()) {
                if import != name && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{} imports crate::{import}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::model::A;\nuse crate::{\n    link::B,\n    ui::{C, d::E},\n    config::layers::F,\n};\n\
                fn f(x: crate::store::X) {} // crate::nowhere\n/// crate::prose";
    let found: Vec<_> = imports(text).into_iter().collect();
    assert_eq!(found, ["config", "link", "model", "store", "ui"]);
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| rust_files(&path));
    files.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

/// The first segment of every path that begins with `crate::`, comments left out.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0_u32;
            let mut segment = String::new();
            let mut first = true;
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        segment.clear();
                        first = true;
                    }
                    ':' if first && depth == 0 => {
                        found.insert(std::mem::take(&mut segment));
                        first = false;
                    }
                    c if first && depth == 0 && (c.is_alphanumeric() || c == '_') => {
                        segment.push(c);
                    }
                    _ => {}
                }
            }
        } else {
            let word: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(word);
        }
    }
    found
}
