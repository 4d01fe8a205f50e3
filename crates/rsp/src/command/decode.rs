//! `rsp decode`: octets and captures as messages.

use crate::capture::{self, Carrier, Found, Frame};
use crate::exit::{Exit, Failure, OrExit, Outcome};
use crate::hex;
use crate::option::format::FormatOptions;
use crate::output::{self, Format};
use anyhow::{Context, anyhow};
use rserpool_wire::{Dissection, Protocol, dissect};
use serde::Serialize;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::Duration;

/// Read octets, hexadecimal digits or a packet capture as ASAP and ENRP messages
///
/// A capture is pcap or pcapng: Ethernet, Linux cooked or raw IP; SCTP alone and in UDP, ASAP over
/// TCP port 3863, announces on UDP port 3863. The exit code is 1 if anything is malformed.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Hexadecimal digits, a file (capture, octets or digits), or `-` for standard input
    #[arg(value_name = "HEX|FILE|-", required = true)]
    input: Vec<String>,
    /// The protocol of octets and digits; without it the one that they fit
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    protocol: Option<ProtocolArgument>,
    /// Another UDP port, besides 9899, at which SCTP is encapsulated (repeatable)
    #[arg(long, value_name = "PORT")]
    udp_port: Vec<u16>,
    /// Show every field of each message, with its place
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    format: FormatOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp decode 05000010 0009000c 4563686f 506f6f6c
  rsp decode --protocol enrp 0500000c12345678 98d3fe06
  rsp decode capture.pcap --udp-port 9900
  tcpdump -w - -i any udp port 9899 | rsp decode -";

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum ProtocolArgument {
    Asap,
    Enrp,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut printer = Printer {
        arguments,
        messages: 0,
        malformed: 0,
    };
    match arguments.input.as_slice() {
        [one] if one == "-" => {
            let mut octets = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut octets)
                .context("standard input")?;
            printer.input(octets)?;
        }
        [one] if Path::new(one).is_file() => {
            printer.input(std::fs::read(one).with_context(|| format!("cannot read {one}"))?)?;
        }
        words => {
            let text = words.concat();
            let octets = hex::decode(&text).ok_or_else(|| no_input(&text))?;
            printer.octets(&octets)?;
        }
    }
    printer.finish()
}

fn no_input(text: &str) -> Failure {
    let advice = "is neither a file nor pairs of hexadecimal digits";
    Failure::new(
        Exit::Usage,
        anyhow!("`{text}` {advice}; try `rsp decode --help`"),
    )
}

/// Prints messages and counts them.
struct Printer<'a> {
    arguments: &'a Arguments,
    messages: u64,
    malformed: u64,
}

/// One message as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<&'static str>,
    protocol: &'static str,
    r#type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    octets: String,
}

impl Printer<'_> {
    /// A file's or standard input's contents: a capture, hexadecimal digits or octets.
    fn input(&mut self, octets: Vec<u8>) -> Outcome {
        if capture::is_capture(&octets) {
            return self.capture(octets);
        }
        let digits = std::str::from_utf8(&octets).ok().and_then(hex::decode);
        self.octets(&digits.unwrap_or(octets))
    }

    fn capture(&mut self, octets: Vec<u8>) -> Outcome {
        let mut reader = capture::Reader::new(&self.arguments.udp_port);
        let mut start = None;
        let each = |frame: Frame| {
            let start = *start.get_or_insert(frame.time);
            for found in reader.read(&frame) {
                self.found(&found, &frame, frame.time.saturating_sub(start))?;
            }
            Ok::<(), anyhow::Error>(())
        };
        capture::read_frames(Cursor::new(octets), each)?;
        Ok(())
    }

    /// Messages one after the other, each as long as its header says.
    fn octets(&mut self, octets: &[u8]) -> Outcome {
        let mut rest = octets;
        while !rest.is_empty() {
            let (message, after) = split_message(rest);
            let protocol = match self.arguments.protocol {
                Some(ProtocolArgument::Asap) => Protocol::Asap,
                Some(ProtocolArgument::Enrp) => Protocol::Enrp,
                None => guess(message),
            };
            self.print(protocol, message, None)?;
            rest = after;
        }
        if octets.is_empty() {
            return Err(no_input(""));
        }
        Ok(())
    }

    fn found(&mut self, found: &Found, frame: &Frame, time: Duration) -> io::Result<()> {
        self.print(found.protocol, &found.octets, Some((found, frame, time)))
    }

    fn print(
        &mut self,
        protocol: Protocol,
        octets: &[u8],
        place: Option<(&Found, &Frame, Duration)>,
    ) -> io::Result<()> {
        self.messages += 1;
        let dissection = dissect(protocol, octets);
        if dissection.verdict.is_err() {
            self.malformed += 1;
        }
        match self.arguments.format.format() {
            Format::Json => output::json(&line(protocol, octets, place, &dissection)),
            Format::Table => {
                let text = verdict(&dissection, octets);
                output::line(format!("{}{} {text}", shown_place(place), name(protocol)))?;
                if self.arguments.verbose {
                    output::line(&dissection)?;
                }
                Ok(())
            }
        }
    }

    fn finish(&self) -> Outcome {
        if self.messages == 0 {
            let text = "no ASAP or ENRP message found; if SCTP is encapsulated in another UDP \
                        port than 9899, name it with --udp-port";
            return Err(anyhow!(text)).or_exit(Exit::Failed);
        }
        if self.malformed > 0 {
            let (malformed, messages) = (self.malformed, self.messages);
            return Err(anyhow!("{malformed} of {messages} messages are malformed").into());
        }
        Ok(())
    }
}

/// The first message and the rest. Octets whose header makes no sense are one message.
fn split_message(octets: &[u8]) -> (&[u8], &[u8]) {
    octets
        .first_chunk()
        .and_then(|header| rserpool_wire::message_octets(*header).ok())
        .and_then(|length| octets.split_at_checked(length))
        .unwrap_or((octets, &[]))
}

/// The protocol in which the octets are a message; ASAP if in none or in both.
fn guess(octets: &[u8]) -> Protocol {
    let is_one = |protocol| dissect(protocol, octets).verdict.is_ok();
    if !is_one(Protocol::Asap) && is_one(Protocol::Enrp) {
        Protocol::Enrp
    } else {
        Protocol::Asap
    }
}

/// The message in one line, or what is wrong with it; and what would be reported of it.
fn verdict(dissection: &Dissection, octets: &[u8]) -> String {
    let mut text = match &dissection.verdict {
        Ok(message) => message.clone(),
        Err(error) => format!("malformed: {error}: {}", hex::encode(octets)),
    };
    for cause in &dissection.report {
        text.push_str(&format!(" (to report: {cause})"));
    }
    text
}

fn line<'a>(
    protocol: Protocol,
    octets: &[u8],
    place: Option<(&Found, &Frame, Duration)>,
    dissection: &'a Dissection,
) -> Line<'a> {
    Line {
        frame: place.map(|(_, frame, _)| frame.number),
        time: place.map(|(_, frame, _)| frame.time.as_secs_f64()),
        source: place.map(|(found, ..)| found.source.to_string()),
        destination: place.map(|(found, ..)| found.destination.to_string()),
        carrier: place.map(|(found, ..)| carrier(found.carrier)),
        protocol: name(protocol),
        r#type: octets.first().copied().unwrap_or_default(),
        message: dissection.verdict.as_deref().ok(),
        error: dissection.verdict.as_ref().err().map(ToString::to_string),
        octets: hex::encode(octets),
    }
}

fn shown_place(place: Option<(&Found, &Frame, Duration)>) -> String {
    let Some((found, frame, time)) = place else {
        return String::new();
    };
    let Found {
        source,
        destination,
        ..
    } = found;
    let (number, seconds, carrier) = (frame.number, time.as_secs_f64(), carrier(found.carrier));
    format!("{number:>5} {seconds:>11.6} {source} > {destination} {carrier} ")
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Asap => "asap",
        Protocol::Enrp => "enrp",
    }
}

fn carrier(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Sctp => "sctp",
        Carrier::SctpInUdp => "sctp/udp",
        Carrier::Tcp => "tcp",
        Carrier::Udp => "udp",
    }
}
