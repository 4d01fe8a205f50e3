//! The files of the repository, and Rust text without its comments and strings.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub(crate) struct File {
    /// Its path from the top of the repository.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies directly below the top of the repository")
        .to_owned()
}

/// All files whose names end in `.extension`, in order of their paths.
pub(crate) fn files(extension: &str) -> Vec<File> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "target" && name != "corpus" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no .{extension} file found");
    found
}

/// Rust text in which comments and the insides of literals are blanks; lines stay where they are.
pub(crate) fn without_comments_and_literals(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_octets(rest, kept.chars().next_back());
        if skipped == 0 {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (literal, after) = rest.split_at(skipped);
            kept.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    kept
}

/// The length of the comment or literal that `text` starts with; 0 if it starts with neither.
fn skipped_octets(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if text.starts_with('"') {
        return end_of_escaped(text, '"');
    }
    if text.starts_with('\'') {
        return character_literal(text);
    }
    let within_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !within_a_word && (text.starts_with("r\"") || text.starts_with("r#\"")) {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        let end = format!("\"{}", "#".repeat(hashes));
        let start = 2 + hashes;
        return text[start..]
            .find(&end)
            .map_or(text.len(), |at| start + at + end.len());
    }
    0
}

/// The length of the literal from its first quote to the closing one.
fn end_of_escaped(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// The length of a character literal; 0 for a lifetime.
fn character_literal(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => end_of_escaped(text, '\''),
        _ => 0,
    }
}

#[test]
fn comments_and_literals_become_blanks() {
    let text =
        "let a = \"{ // \\\" \"; // {\nlet b: &'a str = r#\"{\"{\"#; let c = '{'; /* { */ fn";
    let kept = without_comments_and_literals(text);
    assert!(!kept.contains('{'), "{kept}");
    assert_eq!(kept.len(), text.len());
    assert_eq!(kept.lines().count(), 2);
    assert!(
        kept.contains("let b: &'a str =") && kept.ends_with("fn"),
        "{kept}"
    );
}
