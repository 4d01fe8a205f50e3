//! What waits to be written to a TCP connection.

use std::io;
use tokio::net::TcpStream;

/// An idle connection keeps no larger buffer.
const KEPT_OCTETS: usize = 16 << 10;

/// Octets in their order.
#[derive(Default)]
pub(crate) struct WriteQueue {
    octets: Vec<u8>,
    written: usize,
}

impl WriteQueue {
    pub(crate) fn len(&self) -> usize {
        self.octets.len() - self.written
    }

    /// Where more is appended.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// Writes what the socket takes; whether that was all.
    pub(crate) fn write_to(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while self.len() > 0 {
            match stream.try_write(&self.octets[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let written = std::mem::take(&mut self.written);
                    self.octets.drain(..written);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.octets.clear();
        self.octets.shrink_to(KEPT_OCTETS);
        Ok(true)
    }
}
