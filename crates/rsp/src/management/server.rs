//! Serving the management interface.

use super::STATUS_PATH;
use super::schema::Status;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::serve::Listener;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// How many connections are open at a time; more wait. Each asks for one snapshot at a time.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection lasts: who has not asked by then keeps others from asking.
const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(30);
/// How many ports above the wanted one are tried when it is taken.
const PORTS_TRIED: u16 = 20;

/// Where the status comes from.
pub(crate) trait Source: Send + Sync + 'static {
    /// The state as of now; `None` when the registrar is gone.
    fn status(&self) -> impl Future<Output = Option<Status>> + Send;
}

/// The bound interface.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds to this address, or to the next free port above it.
    pub(crate) async fn bind(wanted: SocketAddr) -> io::Result<Self> {
        let last = wanted.port().saturating_add(PORTS_TRIED);
        let mut address = wanted;
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    return Ok(Self { listener, address });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() < last => {
                    address.set_port(address.port() + 1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the process ends.
    pub(crate) async fn run<S: Source>(self, source: S) -> io::Result<()> {
        let routes = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready::<S>))
            .route(STATUS_PATH, get(status::<S>))
            .layer(middleware::from_fn(check_host))
            .with_state(Arc::new(source));
        let listener = Bounded {
            listener: self.listener,
            room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        };
        axum::serve(listener, routes).await
    }
}

async fn ready<S: Source>(State(source): State<Arc<S>>) -> (StatusCode, &'static str) {
    match source.status().await {
        Some(status) if !status.initialized => {
            (StatusCode::SERVICE_UNAVAILABLE, "not initialised yet\n")
        }
        Some(status) if !status.shutting_down => (StatusCode::OK, "ok\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    }
}

async fn status<S: Source>(State(source): State<Arc<S>>) -> Response {
    match source.status().await {
        Some(status) => Json(status).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response(),
    }
}

/// A page in a browser may reach this port under a name of its own (DNS rebinding): only
/// addresses and `localhost` are answered.
async fn check_host(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    if host.is_some_and(is_local_host) {
        return next.run(request).await;
    }
    (
        StatusCode::FORBIDDEN,
        "ask for this by its IP address or as localhost\n",
    )
        .into_response()
}

fn is_local_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok()
}

/// A listener with room for so many connections.
struct Bounded {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Listener for Bounded {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Held, SocketAddr) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let place = room.expect("the semaphore is never closed");
        let (stream, from) = Listener::accept(&mut self.listener).await;
        let held = Held {
            stream,
            end: Box::pin(tokio::time::sleep(CONNECTION_LIFE_MAX)),
            _place: place,
        };
        (held, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its place back when it ends, and ends in time.
struct Held {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_answered() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:3880",
            "[::1]:3880",
            "[::1]",
            "localhost:1",
        ] {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3880",
            "localhost.evil.example",
            "[::1",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_gives_the_next_one() {
        let first = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let second = Server::bind(first.address()).await.unwrap();
        assert!(second.address().port() > first.address().port());
    }
}
