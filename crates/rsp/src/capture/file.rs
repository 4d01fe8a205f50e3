//! Capture files, pcap and pcapng, frame by frame.

use super::link::Link;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, LegacyPcapBlock, PcapBlockOwned, PcapError, create_reader};
use std::io::Read;
use std::time::Duration;

/// The largest block that is read; capture tools cut frames at 256 KiB.
const BLOCK_OCTETS_MAX: usize = 1024 * 1024;
/// The first octets of a pcap file, either way round, with microseconds and with nanoseconds,
/// and those of a pcapng file.
const MAGICS: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// One captured frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    /// Its number in the file, from 1 as in Wireshark.
    pub(crate) number: u64,
    /// When it was captured, since 1970.
    pub(crate) time: Duration,
    pub(crate) link: Link,
    pub(crate) octets: Vec<u8>,
}

/// A capture file that cannot be read on.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum CaptureError {
    /// The file is broken after this many frames.
    Broken { frames: u64 },
    /// The link layer has this number, which is none that we read.
    Link(i32),
}

impl std::error::Error for CaptureError {}

impl std::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { frames } => write!(f, "the capture is broken after frame {frames}"),
            Self::Link(number) => write!(
                f,
                "link type {number} is not supported; capture Ethernet, Linux cooked or raw IP"
            ),
        }
    }
}

/// Whether these are the first octets of a capture file.
pub(crate) fn is_capture(octets: &[u8]) -> bool {
    octets
        .first_chunk()
        .is_some_and(|magic| MAGICS.contains(magic))
}

/// Calls `each` with every frame of a capture until it returns an error.
pub(crate) fn read_frames<E: From<CaptureError>>(
    input: impl Read + Send,
    mut each: impl FnMut(Frame) -> Result<(), E>,
) -> Result<(), E> {
    let broken = |frames| CaptureError::Broken { frames };
    let mut reader = create_reader(BLOCK_OCTETS_MAX, input).map_err(|_| broken(0))?;
    let mut state = State::default();
    loop {
        let frame = match reader.next() {
            Ok((octets, block)) => {
                let frame = state.frame(&block)?;
                reader.consume(octets);
                frame
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() {
                    // A capture that was cut while it was written; what was whole was read.
                    return Ok(());
                }
                reader.refill().map_err(|_| broken(state.frames))?;
                continue;
            }
            Err(_) => return Err(broken(state.frames).into()),
        };
        if let Some(frame) = frame {
            each(frame)?;
        }
    }
}

/// What the headers of a capture say about the frames that follow.
#[derive(Default)]
struct State {
    frames: u64,
    legacy: Option<(Link, bool)>,
    /// The interfaces of a pcapng section: link layer, time offset in s, units per second.
    interfaces: Vec<(Link, i64, u64)>,
}

impl State {
    fn frame(&mut self, block: &PcapBlockOwned<'_>) -> Result<Option<Frame>, CaptureError> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let link = Self::link(header.network.0)?;
                self.legacy = Some((link, header.is_nanosecond_precision()));
                Ok(None)
            }
            PcapBlockOwned::Legacy(block) => Ok(self.legacy_frame(block)),
            PcapBlockOwned::NG(block) => self.next_generation_frame(block),
        }
    }

    fn legacy_frame(&mut self, block: &LegacyPcapBlock<'_>) -> Option<Frame> {
        let (link, nanoseconds) = self.legacy?;
        let fraction = u64::from(block.ts_usec);
        let fraction = if nanoseconds {
            fraction
        } else {
            fraction * 1000
        };
        let time = Duration::from_secs(block.ts_sec.into()) + Duration::from_nanos(fraction);
        Some(self.numbered(time, link, block.data))
    }

    fn next_generation_frame(&mut self, block: &Block<'_>) -> Result<Option<Frame>, CaptureError> {
        match block {
            Block::SectionHeader(_) => self.interfaces.clear(),
            Block::InterfaceDescription(interface) => {
                let link = Self::link(interface.linktype.0)?;
                let units = interface.ts_resolution().unwrap_or(1_000_000);
                self.interfaces.push((link, interface.if_tsoffset, units));
            }
            Block::EnhancedPacket(packet) => {
                let index = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let Some(&(link, offset, units)) = self.interfaces.get(index) else {
                    return Err(CaptureError::Broken {
                        frames: self.frames,
                    });
                };
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let time = next_generation_time(ticks, units, offset);
                return Ok(Some(self.numbered(time, link, packet.packet_data())));
            }
            Block::SimplePacket(packet) => {
                let Some(&(link, ..)) = self.interfaces.first() else {
                    return Err(CaptureError::Broken {
                        frames: self.frames,
                    });
                };
                return Ok(Some(self.numbered(Duration::ZERO, link, packet.data)));
            }
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_)
            | Block::Custom(_)
            | Block::Unknown(_) => {}
        }
        Ok(None)
    }

    fn link(number: i32) -> Result<Link, CaptureError> {
        Link::from_number(number).ok_or(CaptureError::Link(number))
    }

    fn numbered(&mut self, time: Duration, link: Link, octets: &[u8]) -> Frame {
        self.frames += 1;
        Frame {
            number: self.frames,
            time,
            link,
            octets: octets.to_vec(),
        }
    }
}

/// Ticks of so many per second, and an offset in seconds, as time since 1970.
fn next_generation_time(ticks: u64, units: u64, offset: i64) -> Duration {
    let units = units.max(1);
    let nanoseconds = u128::from(ticks % units) * 1_000_000_000 / u128::from(units);
    let seconds = (ticks / units).saturating_add_signed(offset);
    let fraction = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default());
    Duration::from_secs(seconds).saturating_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_exact_and_does_not_overflow() {
        let time = next_generation_time(1_500_001, 1_000_000, 10);
        assert_eq!(time, Duration::from_micros(11_500_001));
        assert_eq!(next_generation_time(7, 0, -99), Duration::ZERO);
        assert!(next_generation_time(u64::MAX, 1, i64::MAX) > Duration::from_secs(1));
    }

    #[test]
    fn what_is_no_capture_is_broken() {
        for octets in [&b""[..], b"not a capture", &MAGICS[0], &MAGICS[4]] {
            let read = read_frames(octets, |_| Ok::<(), CaptureError>(()));
            assert!(
                matches!(read, Ok(()) | Err(CaptureError::Broken { frames: 0 })),
                "{read:?}"
            );
        }
    }
}
