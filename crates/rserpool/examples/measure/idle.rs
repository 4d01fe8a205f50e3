//! `cargo xtask idle`: what pool elements and their home registrar cost while nothing happens.

use crate::child::Child;
use crate::options::{Options, Preset};
use crate::registrar::{Registrar, Site, all_of};
use crate::scope::PATIENCE;
use crate::table::{Goal, Table};
use crate::usage::Usage;
use crate::view::View;
use crate::{Failure, milliseconds, now};
use std::thread::sleep;
use std::time::Duration;

/// After the last registration, until keep-alives come evenly.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = ["preset", "elements", "seconds", "rounds"];
    let options = Options::parse(arguments, &values, &["json"])?;
    let preset = options.preset()?;
    let elements = options.number("elements", 1_000)?.max(1);
    let seconds = Duration::from_secs(options.number("seconds", 10)?.max(1).into());
    let rounds = options.number("rounds", 1)?.max(1);
    let mut table = Table::default();
    for number in 1..=rounds {
        eprintln!("round {number} of {rounds}");
        measure(preset, elements, seconds, &mut table)?;
    }
    let title = format!(
        "{elements} pool elements in one process and their registrar at rest, preset {}, \
         rounds: {rounds} of {} s",
        preset.name(),
        seconds.as_secs()
    );
    if options.has("json") {
        table.print_json(&title);
    } else {
        table.print(&title);
    }
    Ok(true)
}

fn measure(
    preset: Preset,
    elements: u32,
    seconds: Duration,
    table: &mut Table,
) -> Result<(), Failure> {
    let sites = [Site::on_loopback()?];
    let registrar = Registrar::start(&sites, 0, preset, &[])?;
    registrar.initialized(PATIENCE)?;
    let known = all_of(&sites);
    let told = |count| {
        let common = [("registrars", known.as_str()), ("preset", preset.name())];
        [&common[..], &[("pools", "10"), ("count", count)]].concat()
    };
    let empty = Usage::of(registrar.child.id())?.resident_kib;
    let one = Child::role("elements", &told("1"), None)?;
    one.answer("ready", PATIENCE)?;
    let alone = Usage::of(one.id())?.resident_kib;
    drop(one);
    let (count, begin) = (elements.to_string(), now());
    let host = Child::role("elements", &told(&count), None)?;
    host.answer("ready", PATIENCE)?;
    let none = Goal::None;
    table.time("all are registered after", none, milliseconds(begin, now()));
    sleep(SETTLE);
    let look = || -> Result<(Usage, Usage, View, u64), Failure> {
        let (at, view) = (now(), registrar.view()?);
        Ok((
            Usage::of(host.id())?,
            Usage::of(registrar.child.id())?,
            view,
            at,
        ))
    };
    let before = look()?;
    sleep(seconds);
    let after = look()?;
    let passed = milliseconds(before.3, after.3) / 1e3;
    let asked = f64::from(u32::try_from(after.2.keep_alives - before.2.keep_alives)?);
    table.add("keep-alives each second", "", none, asked / passed);
    let rows = [
        ("pool elements", before.0, after.0, alone),
        ("registrar", before.1, after.1, empty),
    ];
    for (who, before, after, first) in rows {
        let mut add = |what: &str, unit, value| {
            table.add(&format!("{who}: {what}"), unit, none, value);
        };
        let used = after.seconds - before.seconds;
        let switches = f64::from(u32::try_from(
            after.switches.saturating_sub(before.switches),
        )?);
        let grown = after.resident_kib.saturating_sub(first);
        add("of one processor", "%", used / passed * 100.0);
        add("for each keep-alive", "us", used / asked.max(1.0) * 1e6);
        add("changes of thread for each", "x", switches / asked.max(1.0));
        add("threads", "", f64::from(after.threads));
        let each = f64::from(grown) / f64::from(elements);
        add("resident for each pool element", "KiB", each);
    }
    let lost = usize::try_from(elements)?.abs_diff(after.2.elements.len());
    table.never("pool elements lost", lost);
    Ok(())
}
