//! An application that keeps its own sockets, and asks only two things: who is my server, and who
//! is the next one, now that this one has failed (RFC 5351 §4.1). Here it speaks lines by TCP.
//!
//! ```sh
//! rsp registrar & cargo run --example own_sockets serve & cargo run --example own_sockets serve
//! cargo run --example own_sockets                # in a second terminal: type lines
//! ```
//!
//! Each line comes back with the name of the server. `kill -9` that one: the next line comes from
//! the other. `nc` can talk to the servers, too: no word of RSerPool is on these connections.

use rserpool::{Multicast, PoolElement, PoolUser, RegistrarAddress, Server, UserProtocol};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).peekable();
    let serves = arguments.next_if_eq("serve").is_some();
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    if serves {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        let element = PoolElement::builder("lines").registrars(registrars);
        let element = element.multicast(multicast);
        let element = element.own_transport(UserProtocol::Tcp, port);
        serve(element.register().await?, listener).await
    } else {
        let user = PoolUser::builder().registrars(registrars);
        ask(user.multicast(multicast).start().await?).await
    }
}

/// The element is only registered, for as long as it is there; users come to the listener.
async fn serve(element: PoolElement, listener: TcpListener) -> Result<(), Failure> {
    println!("element {} listens", element.id());
    let name = element.id().to_string();
    loop {
        let (stream, _) = listener.accept().await?;
        let name = name.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            // The user being gone, so is who wants to know.
            while let Ok(1..) = stream.read_line(&mut line).await {
                let answer = format!("{name} {line}");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                line.clear();
            }
        });
    }
}

async fn ask(user: PoolUser) -> Result<(), Failure> {
    let mut server = user.primary_server("lines").await?;
    let mut stream = None;
    for line in std::io::stdin().lines() {
        let line = line?;
        loop {
            match answer(&mut stream, &server, &line).await {
                Ok(answer) => {
                    println!("{answer}");
                    break;
                }
                Err(failure) => {
                    println!("server {} has failed: {failure}", server.id());
                    stream = None;
                    server = user.next_server(server).await?;
                }
            }
        }
    }
    Ok(())
}

/// Over the connection that there is; otherwise over a new one.
async fn answer(
    stream: &mut Option<BufReader<TcpStream>>,
    server: &Server,
    line: &str,
) -> std::io::Result<String> {
    if stream.is_none() {
        let connected = TcpStream::connect(&server.addresses()[..]).await?;
        *stream = Some(BufReader::new(connected));
    }
    let stream = stream.as_mut().expect("it was connected just above");
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    match stream.read_line(&mut answer).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}
