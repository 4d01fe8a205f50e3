//! The help texts are those in docs/commands; `RSP_UPDATE_DOCS=1` writes them anew.

mod support;

use std::path::PathBuf;
use support::rsp;

#[test]
fn the_pages_have_the_help_of_their_subcommands() {
    let mut differing = Vec::new();
    for entry in std::fs::read_dir(pages()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let arguments: &[&str] = if name == "README" {
            &["--help"]
        } else {
            &[name, "--help"]
        };
        let output = rsp(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "rsp {arguments:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, _) = page
            .split_once("```text\n")
            .expect("each page has its help text");
        let expected = format!("{before}```text\n{}\n```\n", trimmed(&help));
        if std::env::var_os("RSP_UPDATE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        } else if page != expected {
            differing.push(format!("{}: the help is now:\n{help}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_subcommand_has_a_page() {
    let help = String::from_utf8(rsp(&["--help"]).output().unwrap().stdout).unwrap();
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let commands = rest.lines().take_while(|line| !line.is_empty());
    let mut count = 0;
    for name in commands.filter_map(|line| line.split_whitespace().next()) {
        if name != "help" {
            assert!(
                pages().join(format!("{name}.md")).exists(),
                "{name} has no page"
            );
            count += 1;
        }
    }
    assert!(count >= 8, "{help}");
}

fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands")
}

/// Without blanks at the ends of lines.
fn trimmed(help: &str) -> String {
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}
