//! Showing the demo: lines as things happen, on a terminal a picture that is drawn again and
//! again, or JSON; and the summary.

use super::model::{Condition, Fault, Model, Moment};
use super::registrars::{Registrar, RegistrarFault};
use crate::output::{self, table, table_text};
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// How the demo is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    Lines,
    Screen,
    Json,
}

/// How many past lines the picture shows.
const SCREEN_LINES: usize = 12;

/// What has been shown, for drawing over it.
pub(super) struct Shown {
    view: View,
    lines: Vec<String>,
    drawn: usize,
}

impl Shown {
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            lines: Vec::new(),
            drawn: 0,
        }
    }

    /// Something happened.
    pub(super) fn event(&mut self, at: Moment, what: &str) -> io::Result<()> {
        let line = format!("{:>7.3} s  {what}", at.as_secs_f64());
        match self.view {
            View::Lines => output::line(line),
            View::Json => output::json(&json!({"at_ms": milliseconds(at), "what": what})),
            View::Screen => {
                self.lines.push(line);
                Ok(())
            }
        }
    }

    /// Draws the picture over the one before.
    pub(super) fn draw(&mut self, model: &Model, now: Moment) -> io::Result<()> {
        if self.view != View::Screen {
            return Ok(());
        }
        let mut text = String::new();
        if self.drawn > 0 {
            // Up to the picture's first line, and clear from there on.
            text.push_str(&format!("\x1b[{}F\x1b[J", self.drawn));
        }
        let picture = picture(model, now, &self.lines);
        self.drawn = picture.lines().count();
        text.push_str(&picture);
        output::line(text)
    }

    /// What it came to.
    pub(super) fn summary(&mut self, model: &Model, now: Moment, lost: usize) -> io::Result<()> {
        if self.view == View::Json {
            return output::json(&summary_json(model, lost));
        }
        self.draw(model, now)?;
        output::line(format!(
            "\n{}\n\n{}\n\n{}\n",
            sessions_table(model),
            faults_table(model),
            registrars_table(model)
        ))?;
        let sessions = model.sessions.len();
        output::line(match lost {
            0 => format!("All {sessions} sessions went on to the end."),
            lost => format!("{lost} of {sessions} sessions were lost."),
        })?;
        output::line(match model.missed {
            0 => "No running element was ever missing from its pool.".to_owned(),
            missed => format!("Running elements were missing from their pools {missed} times."),
        })?;
        output::line(match model.registrars.agree() {
            true => "All registrars agree on who owns what.",
            false => "The registrars do NOT agree on who owns what.",
        })
    }
}

fn picture(model: &Model, now: Moment, lines: &[String]) -> String {
    let mut text = format!("{:>7.1} s\n", now.as_secs_f64());
    for registrar in &model.registrars.all {
        let _ = writeln!(text, "{}", registrar_line(registrar));
    }
    text.push('\n');
    for element in &model.elements {
        let Some(id) = &element.id else { continue };
        let users: Vec<String> = model
            .served_by(id)
            .iter()
            .map(|session| format!("user {}", session + 1))
            .collect();
        let listed = if element.listed {
            "in the pool"
        } else {
            "gone"
        };
        let (pool, condition) = (element.pool, condition(element.condition));
        let _ = writeln!(
            text,
            "{pool:<6} {id}  {condition:<8} {listed:<12} {}",
            users.join(", ")
        );
    }
    text.push('\n');
    for line in lines.iter().rev().take(SCREEN_LINES).rev() {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn registrar_line(registrar: &Registrar) -> String {
    let (id, condition) = (&registrar.id, condition(registrar.condition));
    let home = match registrar.condition {
        Condition::Running => format!("home of {}", registrar.owned()),
        Condition::Killed | Condition::Stopped | Condition::Hanging => String::new(),
    };
    let peers = registrar.status.iter().flat_map(|status| &status.peers);
    let peers: Vec<String> = peers
        .filter_map(|peer| {
            let equal = match peer.checksums_equal {
                Some(false) => ", other checksum",
                Some(true) | None => "",
            };
            let id = peer.registrar.as_ref()?;
            Some(format!("{id} {}{equal}", peer.status))
        })
        .collect();
    let peers = match registrar.condition {
        Condition::Running => peers.join("; "),
        Condition::Killed | Condition::Stopped | Condition::Hanging => String::new(),
    };
    format!("registrar {id}  {condition:<8} {home:<12} {peers}")
        .trim_end()
        .to_owned()
}

fn sessions_table(model: &Model) -> String {
    let mut table = table([
        "SESSION",
        "POOL",
        "ANSWERS",
        "FAILOVERS",
        "LONGEST GAP",
        "SERVED BY",
    ]);
    for (index, session) in model.sessions.iter().enumerate() {
        table.add_row([
            format!("user {}", index + 1),
            session.pool.to_owned(),
            session.answers.to_string(),
            session.failovers.to_string(),
            shown(Some(session.longest_gap)),
            session.served_by.clone().unwrap_or_default(),
        ]);
    }
    table_text(&table)
}

fn faults_table(model: &Model) -> String {
    let mut table = table([
        "ELEMENT",
        "WAS",
        "AT",
        "NOTICED AFTER",
        "ALL ANSWERED AFTER",
        "REMOVED AFTER",
    ]);
    for fault in &model.faults {
        table.add_row([
            fault.element.clone(),
            condition(fault.what).to_owned(),
            format!("{:.1} s", fault.at.as_secs_f64()),
            shown(fault.noticed),
            shown(fault.resumed),
            shown(fault.removed),
        ]);
    }
    table_text(&table)
}

fn registrars_table(model: &Model) -> String {
    let mut table = table([
        "REGISTRAR",
        "WAS",
        "AT",
        "OWNED",
        "NOTICED AFTER",
        "NEW HOMES AFTER",
        "BACK AT",
        "INITIALISED AFTER",
        "AGREED AFTER",
    ]);
    for fault in &model.registrars.faults {
        let back = fault
            .returned_at
            .map(|at| format!("{:.1} s", at.as_secs_f64()));
        table.add_row([
            fault.registrar.clone(),
            condition(Condition::Killed).to_owned(),
            format!("{:.1} s", fault.at.as_secs_f64()),
            fault.owned.to_string(),
            shown(fault.noticed),
            shown(fault.rehomed),
            back.unwrap_or_else(|| "-".to_owned()),
            shown(fault.initialized),
            shown(fault.agreed),
        ]);
    }
    table_text(&table)
}

fn summary_json(model: &Model, lost: usize) -> serde_json::Value {
    let sessions: Vec<_> = model
        .sessions
        .iter()
        .map(|session| {
            json!({
                "pool_handle": session.pool,
                "answers": session.answers,
                "failovers": session.failovers,
                "longest_gap_ms": milliseconds(session.longest_gap),
                "served_by": session.served_by,
            })
        })
        .collect();
    let faults: Vec<_> = model.faults.iter().map(fault_json).collect();
    let registrars: Vec<_> = model
        .registrars
        .faults
        .iter()
        .map(registrar_fault_json)
        .collect();
    json!({"summary": {
        "sessions": sessions,
        "faults": faults,
        "registrars": registrars,
        "lost_sessions": lost,
        "missed_elements": model.missed,
        "registrars_agree": model.registrars.agree(),
    }})
}

fn fault_json(fault: &Fault) -> serde_json::Value {
    json!({
        "pool_element": fault.element,
        "was": condition(fault.what),
        "at_ms": milliseconds(fault.at),
        "noticed_ms": fault.noticed.map(milliseconds),
        "resumed_ms": fault.resumed.map(milliseconds),
        "removed_ms": fault.removed.map(milliseconds),
    })
}

fn registrar_fault_json(fault: &RegistrarFault) -> serde_json::Value {
    json!({
        "registrar": fault.registrar,
        "was": condition(Condition::Killed),
        "at_ms": milliseconds(fault.at),
        "owned": fault.owned,
        "noticed_ms": fault.noticed.map(milliseconds),
        "rehomed_ms": fault.rehomed.map(milliseconds),
        "returned_at_ms": fault.returned_at.map(milliseconds),
        "initialized_ms": fault.initialized.map(milliseconds),
        "agreed_ms": fault.agreed.map(milliseconds),
    })
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Running => "running",
        Condition::Killed => "killed",
        Condition::Stopped => "stopped",
        Condition::Hanging => "hanging",
    }
}

fn shown(duration: Option<Duration>) -> String {
    duration.map_or_else(
        || "-".to_owned(),
        |duration| format!("{:.1} ms", milliseconds(duration)),
    )
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
