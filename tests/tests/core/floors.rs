//! The architecture: the modules of `src/` form floors, and imports point downward.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// From the bottom up. A file may import from lower floors and from its own module.
const FLOORS: [&[&str]; 14] = [
    &["clock", "error", "meter"],
    &["token"],
    &["certificate", "policy"],
    &["config"],
    &["tenant"],
    &["redis"],
    &["dpop", "introspection"],
    &["validator"],
    &["protect"],
    &["doctor"],
    &["mcp"],
    &["openapi"],
    &["axum", "poem", "salvo"],
    &["poem_openapi"],
];

/// The modules that each module imports; all are paths within the crate.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn imports() -> Imports {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut texts = BTreeMap::new();
    visit(&src, &mut Vec::new(), &mut texts);
    let modules: BTreeSet<_> = texts.keys().cloned().collect();
    let of = |(module, text): (&Vec<String>, &String)| {
        let uses = text.split(";\n").filter_map(|item| item.split_once("use ").map(|it| it.1));
        let paths = uses.flat_map(|tree| leaves(tree, module));
        // The longest prefix that is a file.
        let files = paths.filter_map(|path| {
            (1..=path.len())
                .rev()
                .map(|length| path[..length].to_vec())
                .find(|it| modules.contains(it))
        });
        (module.clone(), files.filter(|file| file != module).collect())
    };
    texts.iter().map(of).collect()
}

/// Reads the code of every file, without comments and unit tests.
fn visit(folder: &Path, module: &mut Vec<String>, texts: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "manual" && name != "tests" {
            module.push(name);
            visit(&path, module, texts);
            module.pop();
        } else if path.extension().is_some_and(|it| it == "rs") && name != "lib" {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = lines.collect::<Vec<_>>().join("\n");
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = code.split("#[cfg(test)]\npub(super) mod tests {").next().unwrap();
            let own =
                if name == "mod" { module.clone() } else { [module.clone(), vec![name]].concat() };
            texts.insert(own, code.to_owned());
        }
    }
}

/// The paths of a `use` tree that are within the crate.
fn leaves(tree: &str, module: &[String]) -> Vec<Vec<String>> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((root, rest)) = tree.split_once("::") else { return Vec::new() };
    let prefix = match root {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().saturating_sub(1)].to_vec(),
        _ => return Vec::new(),
    };
    let mut paths = Vec::new();
    grow(rest, prefix, &mut paths);
    paths
}

fn grow(tree: &str, prefix: Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree.trim().split_once("::") {
        _ if tree.trim().starts_with('{') => {
            let inner = tree.trim().trim_start_matches('{');
            let inner = inner.strip_suffix('}').unwrap_or(inner);
            let (mut depth, mut start) = (0, 0);
            for (at, char) in inner.char_indices().chain([(inner.len(), ',')]) {
                match char {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        grow(&inner[start..at], prefix.clone(), paths);
                        start = (at + 1).min(inner.len());
                    }
                    _ => {}
                }
            }
        }
        Some((name, rest)) => grow(rest, [prefix, vec![name.trim().to_owned()]].concat(), paths),
        // After the last comma.
        None if tree.trim().is_empty() => {}
        None => paths.push([prefix, vec![tree.trim().to_owned()]].concat()),
    }
}

#[test]
fn imports_point_downward() {
    let floor = |module: &[String]| {
        let has_module = |names: &&[&str]| names.contains(&module[0].as_str());
        FLOORS.iter().position(has_module).unwrap_or_else(|| panic!("no floor: {module:?}"))
    };
    for (module, imports) in imports() {
        for import in imports.iter().filter(|import| import[0] != module[0]) {
            assert!(floor(import) < floor(&module), "{module:?} imports {import:?}");
        }
    }
}

#[test]
fn there_is_no_circle_of_imports() {
    let mut left = imports();
    // A module that imports none of the others, or that none of them imports, is not in a circle.
    while let Some(done) = left.iter().find_map(|(module, imports)| {
        let is_imported = left.values().any(|imports| imports.contains(module));
        let imports_any = imports.iter().any(|import| left.contains_key(import));
        (!is_imported || !imports_any).then(|| module.clone())
    }) {
        left.remove(&done);
    }
    let circle: Vec<_> = left
        .iter()
        .map(|(module, imports)| {
            let imports = imports.iter().filter(|import| left.contains_key(*import));
            let imports: Vec<_> = imports.map(|import| import.join("::")).collect();
            format!("{} imports {}", module.join("::"), imports.join(", "))
        })
        .collect();
    assert!(circle.is_empty(), "{circle:#?}");
}

#[test]
fn known_imports_are_found() {
    let imports = imports();
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let has = |one: &str, other: &str| imports[&module(one)].contains(&module(other));
    assert!(has("protect::guard", "protect::api") && has("validator", "tenant"));
    assert!(has("introspection", "introspection::calls") && has("axum", "protect::bearer"));
    assert!(imports.len() > 80, "{}", imports.len());
}
