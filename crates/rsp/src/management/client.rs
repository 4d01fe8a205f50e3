//! Asking a registrar's management interface: HTTP/1.0, one request, until the other end closes.

use super::STATUS_PATH;
use super::schema::{SCHEMA, Status};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest answer that is read: 100,000 pool elements take some 25 MB.
const ANSWER_OCTETS_MAX: u64 = 64 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no status.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// Nobody is there, or the connection broke.
    Connection(io::Error),
    /// No answer in time.
    Timeout,
    /// Whoever is there answers with this instead.
    Refused(String),
    /// The answer is no status.
    Unreadable(serde_json::Error),
    /// The status is of another schema.
    Schema(u32),
}

impl std::error::Error for FetchError {}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => error.fmt(f),
            Self::Timeout => write!(f, "no answer in {} s", TIMEOUT.as_secs()),
            Self::Refused(line) => write!(f, "the answer is `{line}`, not a registrar's status"),
            Self::Unreadable(error) => write!(f, "the answer is no status: {error}"),
            Self::Schema(number) => {
                write!(
                    f,
                    "its status has schema {number}, this program reads {SCHEMA}: update rsp"
                )
            }
        }
    }
}

/// The status of the registrar whose management interface is at this address.
pub(crate) async fn fetch(address: &str) -> Result<Status, FetchError> {
    let answer = tokio::time::timeout(TIMEOUT, exchange(address))
        .await
        .map_err(|_| FetchError::Timeout)?
        .map_err(FetchError::Connection)?;
    parse(&answer)
}

async fn exchange(address: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {STATUS_PATH} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_OCTETS_MAX)
        .read_to_end(&mut answer)
        .await?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> Result<Status, FetchError> {
    let text = String::from_utf8_lossy(answer);
    let first_line = text.lines().next().unwrap_or_default();
    let is_ok = first_line.starts_with("HTTP/1.") && first_line.contains(" 200 ");
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
    let (true, Some(body)) = (is_ok, body) else {
        return Err(FetchError::Refused(first_line.chars().take(80).collect()));
    };
    let value: serde_json::Value = serde_json::from_str(body).map_err(FetchError::Unreadable)?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(number) if number != u64::from(SCHEMA) => Err(FetchError::Schema(
            u32::try_from(number).unwrap_or(u32::MAX),
        )),
        _ => serde_json::from_value(value).map_err(FetchError::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_status_is_said_to_be_none() {
        let parsed = parse(b"HTTP/1.1 404 Not Found\r\n\r\n");
        assert!(matches!(parsed, Err(FetchError::Refused(_))), "{parsed:?}");
        let parsed = parse(b"HTTP/1.1 200 OK\r\n\r\n{\"schema\":9}");
        assert!(matches!(parsed, Err(FetchError::Schema(9))), "{parsed:?}");
        let parsed = parse(b"HTTP/1.1 200 OK\r\n\r\n<html>");
        assert!(
            matches!(parsed, Err(FetchError::Unreadable(_))),
            "{parsed:?}"
        );
        let parsed = parse(b"SSH-2.0-OpenSSH\r\n");
        assert!(matches!(parsed, Err(FetchError::Refused(_))), "{parsed:?}");
    }
}
