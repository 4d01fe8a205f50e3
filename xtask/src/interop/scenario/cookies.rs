//! Sessions that keep their state in cookies resume it at another element.

use super::{OURS, Run, Scenario};
use crate::interop::Failure;
use crate::interop::side::Side;
use std::time::Duration;

pub(super) const SCENARIO: Scenario = Scenario {
    id: "5",
    name: "cookies: ping-pong and calculations resume",
    roles: &["registrar", "element", "user"],
    casts: || [OURS, Side::Rsplib].map(|side| vec![side, Side::Rsplib, Side::Rsplib]).to_vec(),
    judge: None,
    paths: 1,
    play,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn play(run: &Run) -> Result<String, Failure> {
    let _ = (run, PATIENCE);
    Err(Failure::Check("not written".to_owned()))
}
