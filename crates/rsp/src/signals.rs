//! SIGTERM and SIGINT: the first asks to end in order, another one not to wait for that.
//!
//! Who begins to listen has to go on to the very end: nothing else minds them from then on.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals; from its making on they do not end the process by themselves.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from here on.
    pub(crate) fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    /// Waits for either. Cancelling the future loses nothing.
    pub(crate) async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
