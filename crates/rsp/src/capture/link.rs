//! Link layers: from a captured frame to the IP packet in it.

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: [u16; 2] = [0x8100, 0x88a8];

/// How frames of a capture begin (the LINKTYPE registry of tcpdump.org).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// 0, 108: BSD loopback, a 4-octet address family.
    Null,
    /// 1: Ethernet.
    Ethernet,
    /// 101, 228, 229: IP itself.
    Raw,
    /// 113: Linux cooked capture.
    LinuxCooked,
    /// 276: Linux cooked capture, version 2.
    LinuxCooked2,
}

impl Link {
    /// The link layer with this number; `None` if it is not one that we read.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        match number {
            0 | 108 => Some(Self::Null),
            1 => Some(Self::Ethernet),
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::LinuxCooked),
            276 => Some(Self::LinuxCooked2),
            _ => None,
        }
    }
}

/// The IP packet in a frame; `None` if the frame carries something else.
pub(crate) fn network_packet(link: Link, frame: &[u8]) -> Option<&[u8]> {
    match link {
        Link::Raw => Some(frame),
        Link::Null => frame.get(4..),
        Link::Ethernet => after_ethertype(frame, 12),
        Link::LinuxCooked => after_ethertype(frame, 14),
        Link::LinuxCooked2 => is_ip(number_at(frame, 0)?).then(|| frame.get(20..))?,
    }
}

/// The packet behind the EtherType at this offset, and behind any VLAN tags that follow it.
fn after_ethertype(frame: &[u8], mut at: usize) -> Option<&[u8]> {
    let mut ethertype = number_at(frame, at)?;
    while ETHERTYPE_VLAN.contains(&ethertype) {
        at += 4;
        ethertype = number_at(frame, at)?;
    }
    is_ip(ethertype).then(|| frame.get(at + 2..))?
}

fn is_ip(ethertype: u16) -> bool {
    matches!(ethertype, ETHERTYPE_IPV4 | ETHERTYPE_IPV6)
}

fn number_at(octets: &[u8], at: usize) -> Option<u16> {
    let octets = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes([octets[0], octets[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ethernet_with_and_without_vlan_tags() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45]);
        assert_eq!(network_packet(Link::Ethernet, &frame), Some(&[0x45][..]));
        let mut tagged = vec![0; 12];
        tagged.extend([0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 7, 0x86, 0xdd, 0x60]);
        assert_eq!(network_packet(Link::Ethernet, &tagged), Some(&[0x60][..]));
    }

    #[test]
    fn what_is_not_ip_or_cut_short_is_nothing() {
        let mut arp = vec![0; 12];
        arp.extend([0x08, 0x06, 0]);
        assert_eq!(network_packet(Link::Ethernet, &arp), None);
        for length in 0..14 {
            assert_eq!(network_packet(Link::Ethernet, &vec![0x81; length]), None);
            assert_eq!(network_packet(Link::LinuxCooked, &vec![0x08; length]), None);
        }
        assert_eq!(network_packet(Link::LinuxCooked2, &[0x08, 0x00, 1]), None);
    }
}
