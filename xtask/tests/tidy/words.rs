//! One word for one thing, and no notes to oneself.

use crate::assert_none;
use crate::source::files;

/// A word that may not be written, what to write instead, and the files that must name it.
struct Banned {
    word: &'static str,
    instead: &'static str,
    except: &'static [&'static str],
}

const RFC_WORD: &[&str] = &["docs/glossary.md", "README.md"];

const BANNED: [Banned; 6] = [
    Banned {
        word: "ENRP server",
        instead: "registrar",
        except: RFC_WORD,
    },
    Banned {
        word: "name server",
        instead: "registrar",
        except: RFC_WORD,
    },
    Banned {
        word: "TODO",
        instead: "do it, or a row in docs/compliance.md",
        except: &[],
    },
    Banned {
        word: "FIXME",
        instead: "mend it",
        except: &[],
    },
    Banned {
        word: "XXX",
        instead: "say what is meant",
        except: &[],
    },
    Banned {
        word: "blacklist",
        instead: "what the list is for",
        except: &[],
    },
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
            for Banned {
                word,
                instead,
                except,
            } in &BANNED
            {
                if line.contains(word) && !except.contains(&file.path.as_str()) {
                    let at = format!("{}:{}", file.path, number + 1);
                    problems.push(format!("{at}: `{word}`: {instead}"));
                }
            }
        }
    }
    assert_none(&problems);
}
