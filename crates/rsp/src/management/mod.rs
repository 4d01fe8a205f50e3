//! The management interface of a registrar: HTTP/1.1 and JSON, on a loopback address unless told
//! otherwise. Reads only.
//!
//! - `GET /livez`: the process answers.
//! - `GET /readyz`: the registrar serves (503 until it is initialised, and while it shuts down).
//! - `GET /api/v1/status`: its state, see [`schema::Status`].

mod client;
pub(crate) mod schema;
mod server;

pub(crate) use client::{FetchError, fetch};
pub(crate) use server::{Server, Source};

/// Where it is found unless told otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:3880";
/// The path of the status.
const STATUS_PATH: &str = "/api/v1/status";
