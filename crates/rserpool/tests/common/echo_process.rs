//! A pool element that echoes in a process of its own, to be killed or stopped. Each test file that
//! uses it has a test `echo_element_process`, which is that process: it calls [`serve`].

use super::process::Process;
use super::{element, serve_echo};
use rserpool::{PoolElementId, RegistrarAddress};

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";

/// The process, and the identifier of the pool element.
pub(crate) async fn echo_process(at: &RegistrarAddress) -> (Process, PoolElementId) {
    let at = at.to_string();
    let mut process = Process::start("echo_element_process", &[(REGISTRAR, at.as_str())]);
    let id = process.line("registered ").await;
    (process, PoolElementId(id.parse().unwrap()))
}

/// In that process; elsewhere nothing.
pub(crate) async fn serve() {
    let Ok(at) = std::env::var(REGISTRAR) else {
        return;
    };
    let element = element(&at.parse().unwrap()).register().await.unwrap();
    println!("registered {}", element.id().0);
    serve_echo(element).await.unwrap();
}
