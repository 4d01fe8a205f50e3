//! One word for one thing, and no notes to oneself.

use crate::assert_none;
use crate::source::files;

/// Where the RFCs' own words may stand: where they are explained, and in comments that quote.
const RFC_WORDS: [(&str, &str); 2] = [("ENRP server", "registrar"), ("name server", "registrar")];
const RFC_WORDS_IN: [&str; 2] = ["docs/glossary.md", "README.md"];

const BANNED: [(&str, &str); 4] = [
    ("TODO", "do it, or a row in docs/compliance.md"),
    ("FIXME", "mend it"),
    ("XXX", "say what is meant"),
    ("blacklist", "what the list is for"),
];

#[test]
fn the_banned_words_do_not_occur() {
    let mut problems = Vec::new();
    for file in files("rs")
        .into_iter()
        .chain(files("md"))
        .chain(files("toml"))
    {
        if file.path.starts_with("xtask/tests/tidy/") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            let may_quote = is_comment || RFC_WORDS_IN.contains(&file.path.as_str());
            let rfc_words = RFC_WORDS.iter().filter(|_| !may_quote);
            for (word, instead) in BANNED.iter().chain(rfc_words) {
                if line.contains(word) {
                    let at = format!("{}:{}", file.path, number + 1);
                    problems.push(format!("{at}: `{word}`: {instead}"));
                }
            }
        }
    }
    assert_none(&problems);
}
