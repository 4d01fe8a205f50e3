//! A line fits 100 columns, a function a screen, a file one thing.

use crate::assert_none;
use crate::source::{files, without_comments_and_literals};

const LINE_COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
/// From here on a file is named in the output: a place to ask whether two things live in it.
const FILE_LINES_WARN: usize = 600;
const FILE_LINES_MAX: usize = 800;

/// Functions that may be longer, each with its reason.
const LONG_FUNCTIONS: [(&str, &str, &str); 0] = [];

#[test]
fn lines_are_at_most_100_columns() {
    let mut problems = Vec::new();
    for file in files("rs") {
        for (number, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            // An address cannot be broken.
            if columns > LINE_COLUMNS_MAX && !line.contains("://") {
                problems.push(format!("{}:{}: {columns} columns", file.path, number + 1));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn files_are_at_most_800_lines() {
    let mut problems = Vec::new();
    for file in files("rs") {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{}: {lines} lines", file.path));
        } else if lines > FILE_LINES_WARN {
            println!(
                "warning: {}: {lines} lines; does it hold two things?",
                file.path
            );
        }
    }
    assert_none(&problems);
}

#[test]
fn functions_are_at_most_70_lines() {
    let mut problems = Vec::new();
    let mut allowed_and_seen = Vec::new();
    for file in files("rs") {
        for function in functions(&without_comments_and_literals(&file.text)) {
            if function.lines <= FUNCTION_LINES_MAX {
                continue;
            }
            let Function { name, line, lines } = function;
            if LONG_FUNCTIONS
                .iter()
                .any(|(path, long, _)| *path == file.path && *long == name)
            {
                allowed_and_seen.push((file.path.clone(), name));
            } else {
                problems.push(format!("{}:{line}: fn {name} has {lines} lines", file.path));
            }
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        if !allowed_and_seen.iter().any(|(p, n)| p == path && n == name) {
            problems.push(format!(
                "{path}: fn {name} is short by now: take it off the list"
            ));
        }
    }
    assert_none(&problems);
}

/// A function in a file: from its `fn` to its closing brace.
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions with a body in Rust text without comments and literals.
fn functions(text: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("fn ") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let after = &text[at + 3..];
        let name: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            continue;
        }
        if let Some(body_octets) = octets_to_closing_brace(after) {
            let line = text[..at].matches('\n').count() + 1;
            let lines = after[..body_octets].lines().count();
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// From the function's name to the end of its body; `None` if it has none.
fn octets_to_closing_brace(text: &str) -> Option<usize> {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.checked_sub(1)?,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn a_function_is_measured_from_its_name_to_its_closing_brace() {
    let text = "trait T { fn none(&self, a: [u8; 4]); }\nfn two(a: [u8; 2]) {\n  if a {} }\nfn_x";
    let found = functions(text);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].line, found[0].lines),
        ("two", 2, 2)
    );
}
