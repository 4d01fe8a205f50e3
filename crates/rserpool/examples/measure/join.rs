//! `cargo xtask join`: another registrar joins those that have very many pool elements.

use crate::child::Child;
use crate::options::{Options, Preset};
use crate::registrar::{Registrar, Site, all_of};
use crate::scope::{self, PATIENCE, report};
use crate::table::{Goal, Table};
use crate::{Failure, milliseconds, now};
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

/// How long users resolve before each join.
const BASELINE: Duration = Duration::from_secs(5);
/// How long very many registrations may take.
const REGISTRATION: Duration = Duration::from_secs(120);
/// Keep-alives that do not matter, and registrations that last.
const QUIET: [&str; 4] = [
    "--keep-alive-interval-ms",
    "60000",
    "--keep-alive-timeout-ms",
    "20000",
];

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "elements",
        "associations",
        "pools",
        "registrars",
        "rounds",
        "users",
        "rate",
    ];
    let options = Options::parse(arguments, &values, &["strict", "json"])?;
    let elements = options.number("elements", 100_000)?;
    let count = usize::try_from(options.number("registrars", 3)?)?.max(1);
    let sites = (0..=count).map(|_| Site::on_loopback());
    let sites = sites.collect::<Result<Vec<_>, _>>()?;
    let there = &sites[..count];
    let registrars = (0..count).map(|own| Registrar::start(there, own, Preset::Default, &QUIET));
    let registrars = registrars.collect::<Result<Vec<_>, _>>()?;
    for registrar in &registrars {
        registrar.initialized(PATIENCE)?;
    }
    let pools = options.text("pools", "100");
    let associations = options.text("associations", "24");
    let (known, number) = (all_of(there), elements.to_string());
    let told = [
        ("registrars", known.as_str()),
        ("count", &number),
        ("pools", &pools),
        ("associations", &associations),
    ];
    let begin = now();
    let crowd = Child::role("crowd", &told, None)?;
    crowd.answer("ready", REGISTRATION)?;
    eprintln!(
        "{elements} registered in {:.1} s",
        milliseconds(begin, now()) / 1e3
    );
    scope::wait_for_agreement(&registrars, usize::try_from(elements)?)?;
    let mentor = sites[0].asap();
    let (users, rate) = (options.text("users", "32"), options.text("rate", "1000"));
    let told = [
        ("registrars", mentor.as_str()),
        ("count", &users),
        ("rate", &rate),
        ("pools", &pools),
    ];
    let mut users = Child::role("users", &told, None)?;
    users.answer("ready", PATIENCE)?;
    let mut table = Table::default();
    let rounds = options.number("rounds", 3)?.max(1);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        let sites = [sites[0].clone(), sites[count].clone()];
        join(&sites, elements, &mut users, &mut table)?;
    }
    let title = format!(
        "A registrar joins {count} with {elements} pool elements, preset default, rounds: {rounds}"
    );
    if options.has("json") {
        table.print_json(&title);
    } else {
        table.print(&title);
    }
    Ok(table.passes(options.has("strict")))
}

/// The second joins the first.
fn join(
    sites: &[Site; 2],
    elements: u32,
    users: &mut Child,
    table: &mut Table,
) -> Result<(), Failure> {
    let begin = now();
    sleep(BASELINE);
    let before = (begin, now());
    let joining = Registrar::start(sites, 1, Preset::Default, &QUIET)?;
    let line = joining.child.answer("\"initialized\"", PATIENCE)?;
    let during = (joining.started_at, now());
    let told: Value = serde_json::from_str(&line)?;
    let asked = now();
    let at = [
        ("registrars", sites[1].asap()),
        ("count", "1".into()),
        ("rate", "1".into()),
    ];
    let at = at.each_ref().map(|(name, value)| (*name, value.as_str()));
    Child::role("users", &at, None)?.answer("ready", PATIENCE)?;
    let resolved = now();
    let full = milliseconds(during.0, during.1);
    let goal = Goal::AtMost(if elements <= 10_000 { 200 } else { 2_000 });
    table.time("start until it says that it has all", goal, full);
    table.time(
        "a new pool user has resolved there after",
        Goal::None,
        milliseconds(asked, resolved),
    );
    let got = told["pool_elements"].as_u64().unwrap_or(0);
    table.never(
        "pool elements it did not get",
        usize::try_from(u64::from(elements).abs_diff(got))?,
    );
    sleep(Duration::from_secs(1));
    let view = joining.view()?;
    let known = usize::try_from(elements)?.abs_diff(view.elements.len());
    table.never("pool elements its status does not have", known);
    drop(joining);
    tell_users(users, before, during, table)
}

/// What users of the mentor noticed before and while another joined.
fn tell_users(
    users: &mut Child,
    before: (u64, u64),
    during: (u64, u64),
    table: &mut Table,
) -> Result<(), Failure> {
    let (before, during) = (report(users, before, 0)?, report(users, during, 0)?);
    table.time("mentor: resolution p50 before", Goal::None, before.p50_ms);
    table.time(
        "mentor: resolution p50 while it joins",
        Goal::None,
        during.p50_ms,
    );
    table.time("mentor: resolution p99 before", Goal::None, before.p99_ms);
    table.time(
        "mentor: resolution p99 while it joins",
        Goal::None,
        during.p99_ms,
    );
    table.time("mentor: longest before", Goal::None, before.worst_ms);
    table.time(
        "mentor: longest while it joins",
        Goal::None,
        during.worst_ms,
    );
    let ratio = during.p99_ms / before.p99_ms.max(0.001);
    table.add(
        "mentor: p99 while it joins / before",
        "x",
        Goal::AtMost(2),
        ratio,
    );
    table.never(
        "mentor: resolutions that failed",
        before.failed + during.failed,
    );
    Ok(())
}
