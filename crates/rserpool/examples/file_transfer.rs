//! A file transfer that goes on where it was when its server died. The state is the user's: how
//! much it has. So it needs no cookie; it asks the next pool element for the rest.
//!
//! ```sh
//! rsp registrar & cargo run --example file_transfer serve FILE &
//! cargo run --example file_transfer serve FILE
//! cargo run --example file_transfer get COPY          # in a second terminal
//! ```
//!
//! Each tenth that has arrived is told. `kill -9` the element that serves meanwhile: the transfer
//! goes on at the other one, and the copy is the file.

use rserpool::{Connection, Multicast, PoolElement, PoolUser, RegistrarAddress, SessionEvent};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file in a message.
const BLOCK_OCTETS: usize = 32 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (role, path) = (arguments.next(), arguments.next());
    let path = PathBuf::from(path.ok_or("serve FILE or get COPY, and registrars")?);
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    if role.as_deref() == Some("serve") {
        let element = PoolElement::builder("files").registrars(registrars);
        serve(element.multicast(multicast).register().await?, &path).await
    } else {
        let user = PoolUser::builder().registrars(registrars);
        get(user.multicast(multicast).start().await?, &path).await
    }
}

async fn serve(mut element: PoolElement, path: &Path) -> Result<(), Failure> {
    println!("element {} serves {}", element.id(), path.display());
    while let Some(user) = element.accept().await {
        let path = path.to_owned();
        tokio::spawn(async move {
            if let Err(failure) = send_rest(user, &path).await {
                eprintln!("a session has ended: {failure}");
            }
        });
    }
    Ok(())
}

/// A request is an offset. The answer: messages of an offset, the file's size, and octets.
async fn send_rest(mut user: Connection, path: &Path) -> Result<(), Failure> {
    while let Some(request) = user.recv().await {
        let mut offset = u64::from_be_bytes(request.data.as_slice().try_into()?);
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(offset))?;
        let mut block = vec![0; BLOCK_OCTETS];
        loop {
            let octets = file.read(&mut block)?;
            let head = [offset.to_be_bytes(), size.to_be_bytes()].concat();
            // Waits while the user takes no more, and fails when it has gone.
            user.send([&head, &block[..octets]].concat()).await?;
            offset += octets as u64;
            if octets == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn get(user: PoolUser, path: &Path) -> Result<(), Failure> {
    let mut file = File::create(path)?;
    let mut session = user.connect("files").await?;
    println!("from element {}", session.element().id);
    let (mut has, mut tenths) = (0_u64, 0);
    session.send(has.to_be_bytes()).await?;
    loop {
        let event = session.recv().await?;
        if let SessionEvent::Message(message) = event {
            let (offset, rest) = number(&message.data)?;
            let (size, octets) = number(rest)?;
            if offset != has {
                return Err("these octets belong elsewhere".into());
            }
            file.write_all(octets)?;
            has += octets.len() as u64;
            while tenths < 10 && has >= size * (tenths + 1) / 10 {
                tenths += 1;
                println!("{tenths}0 %");
            }
            if has >= size {
                return Ok(());
            }
        } else if let SessionEvent::Failover { to, .. } = event {
            println!("from element {to}, after {has} octets");
            session.send(has.to_be_bytes()).await?;
        }
    }
}

fn number(octets: &[u8]) -> Result<(u64, &[u8]), Failure> {
    let (number, rest) = octets.split_first_chunk().ok_or("too short an answer")?;
    Ok((u64::from_be_bytes(*number), rest))
}
