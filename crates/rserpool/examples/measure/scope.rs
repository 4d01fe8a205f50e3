//! What all measurements begin with: registrars that agree, and the truth about pool elements.

use crate::Failure;
use crate::child::Child;
use crate::registrar::Registrar;
use crate::users::Report;
use crate::view::{Element, View, all_agree};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// When a pool element was registered, and when it left.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
}

/// The pool elements of a process, as it has told.
pub(crate) fn lives(host: &Child) -> BTreeMap<Element, Life> {
    let mut lives = BTreeMap::new();
    for line in host.journal() {
        let words: Vec<&str> = line.split(' ').collect();
        let [sign, pool, id, .., time] = words[..] else {
            continue;
        };
        let element = (pool.to_owned(), id.to_owned());
        let Ok(time) = time.parse() else { continue };
        match sign {
            "+" => {
                let life = Life {
                    from: time,
                    to: None,
                };
                lives.insert(element, life);
            }
            "-" => {
                lives
                    .entry(element)
                    .and_modify(|life: &mut Life| life.to = Some(time));
            }
            _ => {}
        }
    }
    lives
}

/// What all registrars know.
pub(crate) fn views<'a>(
    registrars: impl IntoIterator<Item = &'a Registrar>,
) -> Result<Vec<View>, Failure> {
    registrars.into_iter().map(Registrar::view).collect()
}

/// Waits until something is so, and asks so often.
pub(crate) fn wait<T>(
    what: &str,
    within: Duration,
    every: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let end = Instant::now() + within;
    loop {
        let next = Instant::now() + every;
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > end {
            return Err(format!("not within {} s: {what}", within.as_secs()).into());
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Waits until all registrars know the same, so many pool elements.
pub(crate) fn wait_for_agreement(
    registrars: &[Registrar],
    elements: usize,
) -> Result<Vec<View>, Failure> {
    let what = "all registrars know the same";
    let result = wait(what, PATIENCE, Duration::from_millis(100), || {
        let views = views(registrars)?;
        let complete = views[0].elements.len() == elements && all_agree(&views);
        Ok(complete.then_some(views))
    });
    if result.is_err() {
        for view in views(registrars)? {
            eprintln!("{view}");
        }
    }
    result
}

/// What users noticed from one time to another, when the registrar at this UDP port was lost.
pub(crate) fn report(users: &mut Child, span: (u64, u64), lost: u16) -> Result<Report, Failure> {
    users.tell(&format!("report {} {} {lost}", span.0, span.1))?;
    let line = users.answer("report ", PATIENCE)?;
    let report: Report = serde_json::from_str(line.trim_start_matches("report "))?;
    if let Some(failure) = &report.failure {
        eprintln!("the first resolution that failed: {failure}");
    }
    Ok(report)
}
