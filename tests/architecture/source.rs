//! Reads the workspace's own Rust files as code: comments, strings and unit tests removed, every path written out in full.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it is, from the workspace's root, with `/` between folders.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// Without comments, strings and modules that only exist in tests.
    pub(crate) code: String,
    /// Every path that the code names (`use a::{b, c}` gives `a::b` and `a::c`), `super` and `self` resolved to `crate`.
    pub(crate) paths: Vec<String>,
}

impl Source {
    /// Reads a file's text; `path` from the workspace's root.
    pub(crate) fn new(path: String, text: String) -> Self {
        let code = without_test_modules(&without_comments_and_strings(&text));
        let paths = paths(&tokens(&code))
            .iter()
            .map(|found| resolved(found, &module_of(&path)))
            .collect();
        Self {
            path,
            text,
            code,
            paths,
        }
    }

    /// Only built for tests or benchmarks.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
    }

    /// Lies in the folder, is the file, or is the file's folder of submodules (`src/a/b.rs` covers `src/a/b/…`).
    pub(crate) fn is_in(&self, place: &str) -> bool {
        let folder = place.trim_end_matches(".rs").trim_end_matches('/');
        self.path == place
            || self.path == format!("{folder}.rs")
            || self.path.starts_with(&format!("{folder}/"))
    }

    /// The first path that the code names at or below `wanted`.
    pub(crate) fn names(&self, wanted: &str) -> Option<&str> {
        let below = format!("{wanted}::");
        self.paths
            .iter()
            .map(String::as_str)
            .find(|path| *path == wanted || path.starts_with(&below))
    }
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below the root that people write, without what builds leave behind.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !matches!(name.as_str(), "target" | ".git") {
                    folders.push(entry.path());
                }
            } else if name != ".git" {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Every Rust file of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    files()
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .map(|file| Source::new(relative(&root(), file), fs::read_to_string(file).unwrap()))
        .collect()
}

/// A file's place from the root, with `/` between folders.
pub(crate) fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap()
        .to_string_lossy()
        .replace('\\', "/")
}

/// The module of a file: `src/boards/task.rs` is `boards`, `task`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.rsplit_once("src/").map_or("", |(_, inside)| inside);
    let mut module: Vec<String> = inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if module
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main" | ""))
    {
        module.pop();
    }
    module
}

fn resolved(path: &str, module: &[String]) -> String {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut base: Vec<&str> = module.iter().map(String::as_str).collect();
    if !matches!(parts.first(), Some(&"super" | &"self")) || parts.len() < 2 {
        return path.to_owned();
    }
    while matches!(parts.first(), Some(&"super" | &"self")) {
        if parts.remove(0) == "super" {
            base.pop();
        }
    }
    let mut whole = vec!["crate"];
    whole.extend(base);
    whole.extend(parts);
    whole.join("::")
}

/// The code with each comment and each literal's content replaced by a blank.
fn without_comments_and_strings(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < all.len() {
        let next = all.get(at + 1).copied().unwrap_or(' ');
        match all[at] {
            '/' if next == '/' => at = until(&all, at, |at| all[at] == '\n'),
            '/' if next == '*' => {
                at = until(&all, at + 2, |at| all[at] == '*' && all.get(at + 1) == Some(&'/')) + 2;
            }
            'r' if (next == '"' || next == '#') && !joined(&all, at) => {
                let hashes = all[at + 1..].iter().take_while(|one| **one == '#').count();
                if all.get(at + 1 + hashes) == Some(&'"') {
                    let end: String = format!("\"{}", "#".repeat(hashes));
                    let end: Vec<char> = end.chars().collect();
                    at = until(&all, at + 2 + hashes, |at| all[at..].starts_with(&end)) + end.len();
                    code.push_str("\"\"");
                } else {
                    code.push('r');
                    at += 1;
                }
            }
            '"' => {
                at += 1;
                while at < all.len() && all[at] != '"' {
                    at += if all[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
                code.push_str("\"\"");
            }
            '\'' if next == '\\' => at = until(&all, at + 3, |at| all[at] == '\'') + 1,
            '\'' if all.get(at + 2) == Some(&'\'') => at += 3,
            other => {
                code.push(other);
                at += 1;
            }
        }
    }
    code
}

fn until(all: &[char], from: usize, end: impl Fn(usize) -> bool) -> usize {
    (from..all.len()).find(|at| end(*at)).unwrap_or(all.len())
}

fn joined(all: &[char], at: usize) -> bool {
    at > 0 && (all[at - 1].is_alphanumeric() || all[at - 1] == '_')
}

/// The code without `#[cfg(test)] mod name { … }`.
fn without_test_modules(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        let opens = after.find('{');
        let ends = after.find(';');
        rest = match (opens, ends) {
            (Some(opens), ends) if ends.is_none_or(|ends| opens < ends) => {
                let mut depth = 0;
                let close = after[opens..].char_indices().find(|(_, one)| {
                    depth += i32::from(*one == '{') - i32::from(*one == '}');
                    depth == 0
                });
                close.map_or("", |(at, _)| &after[opens + at + 1..])
            }
            (_, Some(ends)) => &after[ends + 1..],
            (_, None) => "",
        };
    }
    kept.push_str(rest);
    kept
}

fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|one: char| !one.is_alphanumeric() && one != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn paths(tokens: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_name(tokens[at]) {
            at = path(tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path, with all of its branches, from a name at `at`; gives the place behind it.
fn path(tokens: &[&str], mut at: usize, before: &str, found: &mut Vec<String>) -> usize {
    let mut whole = before.to_owned();
    loop {
        if !whole.is_empty() {
            whole.push_str("::");
        }
        whole.push_str(tokens[at]);
        at += 1;
        match (tokens.get(at), tokens.get(at + 1)) {
            (Some(&"::"), Some(next)) if is_name(next) => at += 1,
            (Some(&"::"), Some(&"{")) => {
                at += 2;
                while at < tokens.len() && tokens[at] != "}" {
                    at = if is_name(tokens[at]) {
                        path(tokens, at, &whole, found)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
            _ => {
                found.push(whole);
                return at;
            }
        }
    }
}
