//! What was measured, beside the goal.

use serde_json::{Value, json};

/// What a value may not exceed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// There is none.
    None,
    /// A time or a ratio: machines differ.
    AtMost(u32),
    /// Nothing may be lost, on no machine.
    Never,
}

/// One thing that was measured, once in each round.
struct Row {
    what: String,
    unit: &'static str,
    goal: Goal,
    values: Vec<f64>,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Adds what one round has given.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, goal: Goal, value: f64) {
        match self.0.iter_mut().find(|row| row.what == what) {
            Some(row) => row.values.push(value),
            None => self.0.push(Row {
                what: what.to_owned(),
                unit,
                goal,
                values: vec![value],
            }),
        }
    }

    /// Adds a time in milliseconds.
    pub(crate) fn time(&mut self, what: &str, goal: Goal, value: f64) {
        self.add(what, "ms", goal, value);
    }

    /// Adds how many, of which there may be none.
    pub(crate) fn never(&mut self, what: &str, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.add(what, "", Goal::Never, f64::from(count));
    }

    /// Whether nothing was lost, and when `strict`, each goal was met.
    pub(crate) fn passes(&self, strict: bool) -> bool {
        self.0
            .iter()
            .all(|row| row.passes().unwrap_or(true) || (!strict && row.goal != Goal::Never))
    }

    /// For people.
    pub(crate) fn print(&self, title: &str) {
        println!("\n{title}\n");
        let width = self.0.iter().map(|row| row.what.chars().count()).max();
        let width = width.unwrap_or_default();
        println!(
            "{:width$}  {:>10} {:>10} {:>10}",
            "", "median", "worst", "goal"
        );
        for row in &self.0 {
            let (median, worst) = (row.number(row.median()), row.number(row.worst()));
            println!(
                "{:width$}  {median:>10} {worst:>10} {:>10}  {}",
                row.what,
                row.goal_text(),
                row.verdict()
            );
        }
    }

    /// For programs, on one line.
    pub(crate) fn print_json(&self, title: &str) {
        let rows = self.0.iter().map(|row| {
            json!({
                "what": row.what, "unit": row.unit, "values": row.values,
                "median": row.median(), "worst": row.worst(),
                "goal": row.limit(), "pass": row.passes(),
            })
        });
        println!(
            "{}",
            json!({ "title": title, "rows": rows.collect::<Vec<Value>>() })
        );
    }
}

impl Row {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        f64::midpoint(sorted[low], sorted[high])
    }

    fn worst(&self) -> f64 {
        self.sorted().last().copied().unwrap_or_default()
    }

    fn limit(&self) -> Option<f64> {
        match self.goal {
            Goal::None => None,
            Goal::AtMost(limit) => Some(f64::from(limit)),
            Goal::Never => Some(0.0),
        }
    }

    fn passes(&self) -> Option<bool> {
        self.limit().map(|limit| self.worst() <= limit)
    }

    fn number(&self, value: f64) -> String {
        match self.unit {
            "" => format!("{value:.0}"),
            "x" => format!("{value:.2} x"),
            unit if value >= 100.0 => format!("{value:.0} {unit}"),
            unit => format!("{value:.1} {unit}"),
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::None => String::new(),
            Goal::AtMost(limit) if self.unit.is_empty() => format!("<= {limit}"),
            Goal::AtMost(limit) => format!("<= {limit} {}", self.unit),
            Goal::Never => "0".to_owned(),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.passes() {
            None => "",
            Some(true) => "PASS",
            Some(false) => "FAIL",
        }
    }
}
