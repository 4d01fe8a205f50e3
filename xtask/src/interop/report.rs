//! The results: a table, or JSON.

use super::scenario::{Record, SCENARIOS};

/// Prints all results, by scenario.
pub(super) fn table(records: &[Record]) {
    for scenario in &SCENARIOS {
        let of_it = |record: &&Record| record.cast.scenario == scenario.id;
        let mut records = records.iter().filter(of_it).peekable();
        if records.peek().is_none() {
            continue;
        }
        let (id, name, roles) = (scenario.id, scenario.name, scenario.roles.join(", "));
        println!("\n{id}: {name} ({roles})");
        for record in records {
            println!("  {}", record.line());
        }
    }
}

/// Prints all results as one array.
pub(super) fn json(records: &[Record]) {
    let objects: Vec<String> = records.iter().map(object).collect();
    println!("[{}]", objects.join(",\n "));
}

fn object(record: &Record) -> String {
    let sides: Vec<String> = (record.cast.sides.iter())
        .map(|side| quoted(side.name()))
        .collect();
    format!(
        "{{\"scenario\":{},\"sides\":[{}],\"outcome\":{},\"seconds\":{:.1},\"detail\":{}}}",
        quoted(record.cast.scenario),
        sides.join(","),
        quoted(record.outcome.name()),
        record.seconds,
        quoted(&record.detail)
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
