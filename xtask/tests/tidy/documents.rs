//! What the documents name exists: links, modules, tests.

use crate::assert_none;
use crate::source::{File, files, root};
use std::path::Path;

#[test]
fn links_between_documents_resolve() {
    let mut problems = Vec::new();
    for document in files("md") {
        let folder = root().join(&document.path).parent().unwrap().to_owned();
        for target in links(&document.text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if path.contains("://") {
                continue;
            }
            let file = if path.is_empty() {
                root().join(&document.path)
            } else {
                folder.join(path)
            };
            if !file.exists() {
                problems.push(format!("{}: {target} does not exist", document.path));
            } else if !anchor.is_empty() && !anchor_exists(&file, anchor) {
                problems.push(format!(
                    "{}: {target} has no such heading or line",
                    document.path
                ));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn compliance_names_modules_that_exist() {
    let mut problems = Vec::new();
    for row in compliance_rows() {
        for path in row.modules() {
            if !root().join("crates").join(path).exists() {
                problems.push(format!(
                    "{} {}: crates/{path} does not exist",
                    row.section, row.rule
                ));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn compliance_names_tests_that_exist() {
    let sources = files("rs");
    let mut problems = Vec::new();
    for row in compliance_rows() {
        for test in row.tests() {
            if !sources.iter().any(|file| has_test(file, test)) {
                problems.push(format!(
                    "{} {}: there is no test {test}",
                    row.section, row.rule
                ));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn compliance_says_yes_only_with_a_module_and_a_test() {
    let mut problems = Vec::new();
    for row in compliance_rows() {
        let Row {
            section,
            rule,
            status,
            ..
        } = &row;
        match status.as_str() {
            "yes" | "partly" => {
                if row.modules().is_empty() || row.tests().is_empty() {
                    problems.push(format!("{section} {rule}: {status} without module or test"));
                }
            }
            "no" | "n/a" => {}
            other => problems.push(format!("{section} {rule}: status `{other}`")),
        }
    }
    assert_none(&problems);
}

/// The library's own README is compiled with its documentation; this one is not.
#[test]
fn the_readme_shows_code_that_is_compiled() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let compiled = std::fs::read_to_string(root().join("crates/rserpool/README.md")).unwrap();
    let blocks: Vec<&str> = readme
        .split("```rust")
        .skip(1)
        .filter_map(|after| after.split("```").next())
        .filter_map(|block| block.split_once('\n'))
        .map(|(_, code)| code)
        .collect();
    assert_eq!(blocks.len(), 2, "a pool element and a pool user");
    for block in blocks {
        assert!(
            compiled.contains(block),
            "not in crates/rserpool/README.md:\n{block}"
        );
    }
}

#[test]
fn the_readme_is_at_most_150_lines() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.lines().count() <= 150,
        "{} lines",
        readme.lines().count()
    );
}

/// One row of docs/compliance.md: RFC section | rule | module | test | status.
struct Row {
    section: String,
    rule: String,
    module: String,
    test: String,
    status: String,
}

impl Row {
    fn modules(&self) -> Vec<&str> {
        in_backticks(&self.module)
    }

    fn tests(&self) -> Vec<&str> {
        in_backticks(&self.test)
    }
}

fn compliance_rows() -> Vec<Row> {
    let path = root().join("docs/compliance.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        let Ok([section, rule, module, test, status]) = <[String; 5]>::try_from(cells) else {
            panic!("docs/compliance.md: not five cells: {line}");
        };
        if section != "RFC section" && !section.starts_with('-') {
            rows.push(Row {
                section,
                rule,
                module,
                test,
                status,
            });
        }
    }
    assert!(
        rows.len() > 50,
        "docs/compliance.md has only {} rows",
        rows.len()
    );
    rows
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a file has the test that is named as `file::function`.
fn has_test(file: &File, name: &str) -> bool {
    let Some((stem, function)) = name.split_once("::") else {
        return false;
    };
    let path = Path::new(&file.path);
    path.file_stem().is_some_and(|found| found == stem)
        && file.text.contains(&format!("fn {function}("))
}

/// The targets of `[text](target)`, outside code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            if let Some(end) = target.find(')') {
                found.push(&target[..end]);
            }
        }
    }
    found
}

/// Whether a document has a heading with this anchor, or a source file this line (`L12`).
fn anchor_exists(file: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap();
    if let Some(line) = anchor
        .strip_prefix('L')
        .and_then(|number| number.parse::<usize>().ok())
    {
        return (1..=text.lines().count()).contains(&line);
    }
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| heading_anchor(line.trim_start_matches('#')) == anchor)
}

/// The anchor that a heading gets: lower case, blanks to hyphens, no other punctuation.
fn heading_anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_are_found_outside_code_blocks() {
    let text = "see [a](b.md) and [c](d.md#e)\n```\n[x](y)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
    assert_eq!(
        heading_anchor(" What is `not` supported, yet"),
        "what-is-not-supported-yet"
    );
}
