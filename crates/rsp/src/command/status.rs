//! `rsp status`.

use super::peers;
use crate::exit::Outcome;
use crate::management::schema::{PoolElement, Status};
use crate::option::format::FormatOptions;
use crate::option::management::ManagementOptions;
use crate::output::{self, Format, table, table_text};

/// Show what a registrar on this machine knows: pools, elements, peers, counters
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    management: ManagementOptions,
    /// Also what has happened since the registrar started
    #[arg(long, short)]
    counters: bool,
    #[command(flatten)]
    format: FormatOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp status
  rsp status --management 127.0.0.1:3881 --counters
  rsp status -o json | jq '.pools[].pool_elements | length'";

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let status = arguments.management.fetch().await?;
    match arguments.format.format() {
        Format::Json => output::json(&status)?,
        Format::Table => print(&status, arguments.counters)?,
    }
    Ok(())
}

fn print(status: &Status, counters: bool) -> std::io::Result<()> {
    let Status {
        registrar,
        reached_at,
        uptime_ms,
        associations,
        subscriptions,
        ..
    } = status;
    let state = if status.shutting_down {
        "shutting down"
    } else {
        "serving"
    };
    let seconds = uptime_ms / 1000;
    output::line(format!("registrar {registrar}, {state} for {seconds} s"))?;
    for address in reached_at {
        output::line(format!("  reached at {address}"))?;
    }
    output::line(format!(
        "  {associations} associations, {subscriptions} subscriptions"
    ))?;
    output::line(format!("  {}", peers::ownership(status)))?;
    if !status.registrars_heard.is_empty() {
        output::line(format!(
            "  registrars that announce themselves: {}",
            status.registrars_heard.join(", ")
        ))?;
    }
    if !status.peers.is_empty() {
        output::line(format!("\n{}", peers::peers_table(status)))?;
    }
    output::line("")?;
    if status.pools.is_empty() {
        output::line("No pool yet. Start an element: rsp serve echo")?;
    } else {
        output::line(pools(status))?;
    }
    if counters {
        let mut table = table(["COUNTER", "VALUE"]);
        for (name, value) in &status.counters {
            table.add_row([name.clone(), value.to_string()]);
        }
        output::line(format!("\n{}", table_text(&table)))?;
    }
    Ok(())
}

fn pools(status: &Status) -> String {
    let mut table = table([
        "POOL",
        "ELEMENT",
        "HOME",
        "POLICY",
        "LAST HEARD",
        "LIFE LEFT",
        "REMARKS",
    ]);
    for pool in &status.pools {
        for element in &pool.pool_elements {
            let home = element.home.as_deref();
            let is_own = home == Some(&status.registrar);
            table.add_row([
                pool.pool_handle.clone(),
                element.id.clone(),
                if is_own { "this" } else { home.unwrap_or("-") }.to_owned(),
                element.policy.clone(),
                // Only its home hears a pool element, and watches its life.
                of_home(is_own, format!("{} ms", element.last_heard_ms)),
                of_home(is_own, life_left(element)),
                remarks(element),
            ]);
        }
    }
    table_text(&table)
}

fn of_home(is_own: bool, text: String) -> String {
    if is_own { text } else { "-".to_owned() }
}

fn life_left(element: &PoolElement) -> String {
    element
        .life_left_ms
        .map_or_else(|| "for ever".to_owned(), |ms| format!("{} s", ms / 1000))
}

fn remarks(element: &PoolElement) -> String {
    let mut remarks = Vec::new();
    if element.keep_alive_outstanding {
        remarks.push("keep-alive not answered yet".to_owned());
    }
    if element.reporters > 0 {
        remarks.push(format!("reported by {}", element.reporters));
    }
    remarks.join(", ")
}
