//! `rsp connect --policy-check`: who is selected how often, beside what the policy promises.

mod promise;

use super::user;
use crate::exit::{Exit, Failure, Outcome};
use crate::option::policy;
use crate::output::{self, Format, table, table_text};
use anyhow::anyhow;
use promise::promises;
use rserpool::{Policy, PoolElementId, PoolHandle, PoolUser};
use serde::Serialize;
use std::collections::BTreeMap;

/// More than any registrar gives in an answer.
const ALL: u32 = u32::MAX;

/// A pool element and its share, as JSON.
#[derive(Serialize)]
struct Share {
    id: String,
    policy: String,
    chosen: u32,
    seen: f64,
    /// Absent where nothing is promised, like the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<f64>,
    ok: bool,
}

/// The whole as JSON.
#[derive(Serialize)]
struct Check {
    pool_handle: String,
    policy: String,
    selections: u32,
    shares: Vec<Share>,
    ok: bool,
}

/// Has a registrar select so often, one element each time: what a policy promises, it promises
/// of these. Of several, it says only in what order they are to be tried.
pub(super) async fn run(
    user: &PoolUser,
    pool: &PoolHandle,
    selections: u32,
    format: Format,
) -> Outcome {
    let before = elements(user, pool).await?;
    let mut chosen = BTreeMap::<PoolElementId, u32>::new();
    for _ in 0..selections {
        let resolution = user.resolve_items(pool.clone(), 1).await;
        let resolution = resolution.map_err(|failed| user::failure(pool, &failed))?;
        for element in &resolution.pool_elements {
            *chosen.entry(element.id()).or_default() += 1;
        }
    }
    if elements(user, pool).await? != before {
        let text = "the pool has changed in the meantime: try again, with fewer selections or \
                    while its loads stay as they are";
        return Err(Failure::new(Exit::Failed, anyhow!("pool {pool}: {text}")));
    }
    let check = Check::new(pool, &before, &chosen, selections);
    show(&check, format)?;
    if check.ok {
        return Ok(());
    }
    let text = format!("pool {pool}: the shares are not those of its policy");
    Err(Failure::new(Exit::Failed, anyhow!(text)))
}

/// Who is in the pool, with what policy.
async fn elements(
    user: &PoolUser,
    pool: &PoolHandle,
) -> Result<BTreeMap<PoolElementId, Policy>, Failure> {
    let resolution = user.resolve_items(pool.clone(), ALL).await;
    let resolution = resolution.map_err(|failed| user::failure(pool, &failed))?;
    let elements = resolution.pool_elements.iter();
    let each = elements.map(|element| (element.id(), element.decode().policy));
    Ok(each.collect())
}

impl Check {
    fn new(
        pool: &PoolHandle,
        elements: &BTreeMap<PoolElementId, Policy>,
        chosen: &BTreeMap<PoolElementId, u32>,
        selections: u32,
    ) -> Self {
        let policies: Vec<Policy> = elements.values().cloned().collect();
        let promises = promises(&policies, selections);
        let share = |(index, (id, policy)): (usize, (&PoolElementId, &Policy))| {
            let chosen = chosen.get(id).copied().unwrap_or_default();
            let seen = f64::from(chosen) / f64::from(selections);
            let promise = promises.as_ref().map(|promises| promises[index]);
            let deviation = promise.map(|promise| seen - promise.share);
            let within = |deviation: f64| promise.is_some_and(|of| deviation.abs() <= of.bound);
            Share {
                id: id.to_string(),
                policy: policy::short(policy),
                chosen,
                seen,
                expected: promise.map(|promise| promise.share),
                deviation,
                bound: promise.map(|promise| promise.bound),
                ok: deviation.is_some_and(within),
            }
        };
        let shares: Vec<Share> = elements.iter().enumerate().map(share).collect();
        let known: u32 = shares.iter().map(|share| share.chosen).sum();
        let policy = shares.first().map(|share| share.policy.as_str());
        let name = policy.and_then(|policy| policy.split(':').next());
        Self {
            pool_handle: pool.to_string(),
            policy: name.unwrap_or_default().to_owned(),
            selections,
            ok: known == selections && shares.iter().all(|share| share.ok),
            shares,
        }
    }
}

fn show(check: &Check, format: Format) -> std::io::Result<()> {
    if format == Format::Json {
        return output::json(check);
    }
    let mut table = table([
        "ELEMENT",
        "POLICY",
        "CHOSEN",
        "EXPECTED",
        "SEEN",
        "DEVIATION",
        "BOUND",
        "",
    ]);
    for share in &check.shares {
        let part = |part: Option<f64>| part.map_or("?".to_owned(), |part| format!("{part:.4}"));
        let signed = |part: f64| format!("{part:+.4}");
        table.add_row([
            share.id.clone(),
            share.policy.clone(),
            share.chosen.to_string(),
            part(share.expected),
            part(Some(share.seen)),
            share.deviation.map_or("?".to_owned(), signed),
            part(share.bound),
            (if share.ok { "ok" } else { "NOT OK" }).to_owned(),
        ]);
    }
    let verdict = if check.ok {
        "as promised"
    } else {
        "NOT as promised"
    };
    let (selections, policy) = (check.selections, &check.policy);
    output::line(table_text(&table))?;
    output::line(format!(
        "{selections} selections by policy {policy}: {verdict}"
    ))
}
