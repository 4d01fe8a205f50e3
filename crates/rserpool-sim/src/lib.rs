//! A whole operational scope of Reliable Server Pooling in one thread, in virtual time and from
//! one seed: registrars, pool elements and pool users, each the machine that runs everywhere
//! else, over links that delay, lose, cut and partition.
//!
//! [`run`] plays a [`Scenario`]: first with faults, while what must always hold is checked after
//! every step; then without, until all is well again. Same seed and scenario: same octets. A
//! [`World`] is for whoever wants to step through it.
//!
//! Pool users can hold sessions, whose state goes from one pool element to the next in cookies, and
//! send messages to a pool, each by itself. They can be pool elements too, and are called back when
//! they have died. There can be several scopes, with processes that are in each of them.
//!
//! Every message, ASAP or ENRP, is encoded when it is sent and decoded when it arrives.
//!
//! This crate has no clock, no socket and no thread.

mod check;
mod clock;
mod fault;
mod footprint;
mod network;
mod node;
mod octets;
mod outcome;
mod random;
mod scenario;
mod schedule;
mod sending;
mod session;
mod stranger;
mod transcript;
mod trial;
mod user;
mod world;

pub use check::{Rule, Violation};
pub use fault::{Fault, FaultKind, FaultKinds, UnknownFault};
pub use footprint::Footprint;
pub use node::NodeId;
pub use outcome::{Outcome, Statistics, run, run_and_tell};
pub use scenario::{Peering, Preset, Scenario, UnknownPeering, UnknownPreset};
pub use sending::SendingStatistics;
pub use session::SessionStatistics;
pub use transcript::Transcript;
pub use trial::{churn, drain_serving, kill_serving, trial_scenario, trial_scenario_of};
pub use world::World;
