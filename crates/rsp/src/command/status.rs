//! `rsp status`.

use crate::exit::{Exit, OrExit, Outcome};
use crate::management::schema::Status;
use crate::management::{self, FetchError};
use crate::output::{self, Format, table, table_text};
use anyhow::Context;

/// Show what a registrar on this machine knows: pools, elements, counters
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The registrar's management interface, as it said when it started
    #[arg(long, value_name = "ADDR", env = "RSP_MANAGEMENT")]
    #[arg(default_value = management::DEFAULT_ADDRESS)]
    management: String,
    /// Also what has happened since the registrar started
    #[arg(long, short)]
    counters: bool,
    /// table or json
    #[arg(
        long,
        short,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  rsp status
  rsp status --management 127.0.0.1:3881 --counters
  rsp status -o json | jq '.pools[].pool_elements | length'";

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let address = arguments
        .management
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let status = management::fetch(address).await;
    let exit = match &status {
        Err(FetchError::Connection(_)) => Exit::NoRegistrar,
        Err(FetchError::Timeout) => Exit::Timeout,
        _ => Exit::Failed,
    };
    let advice = || format!("no status from {address}; is `rsp registrar` running there?");
    let status = status.with_context(advice).or_exit(exit)?;
    match arguments.output {
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
    if !status.registrars_heard.is_empty() {
        output::line(format!(
            "  other registrars: {}",
            status.registrars_heard.join(", ")
        ))?;
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
        "POLICY",
        "LAST HEARD",
        "LIFE LEFT",
        "REMARKS",
    ]);
    for pool in &status.pools {
        for element in &pool.pool_elements {
            let mut remarks = Vec::new();
            if element.keep_alive_outstanding {
                remarks.push("keep-alive not answered yet".to_owned());
            }
            if element.reporters > 0 {
                remarks.push(format!("reported by {}", element.reporters));
            }
            table.add_row([
                pool.pool_handle.clone(),
                element.id.clone(),
                element.policy.clone(),
                format!("{} ms", element.last_heard_ms),
                element
                    .life_left_ms
                    .map_or("for ever".into(), |ms| format!("{} s", ms / 1000)),
                remarks.join(", "),
            ]);
        }
    }
    table_text(&table)
}
