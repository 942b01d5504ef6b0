//! The part of IP and TCP that is needed to spoil and to forge segments so that TCP doesn't notice.

use std::net::SocketAddrV4;
use std::ops::Range;

use crate::chance::Chance;

const TCP: u8 = 6;
/// Headers without options.
const IPV4_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
/// Where things stand in an IPv4 header and in a TCP header.
const IPV4_LENGTH: usize = 2;
const IPV4_CHECKSUM: usize = 10;
const TCP_OFFSET: usize = 12;
const TCP_CHECKSUM: usize = 16;
/// The flags RST and ACK.
const RST_ACK: u8 = 0x14;

/// What a forged segment says.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// That a connection is to begin.
    Syn,
    /// That a connection is over.
    Rst,
}

/// A packet that nobody sent, from and to wherever, for a raw socket.
pub fn forged(kind: Kind, from: SocketAddrV4, to: SocketAddrV4, sequence: u32) -> Vec<u8> {
    let length = u16::try_from(IPV4_HEADER + TCP_HEADER).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, TCP, 0, 0];
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    let flags = match kind {
        Kind::Syn => 0x02,
        Kind::Rst => 0x04,
    };
    packet.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    seal(&mut packet);
    packet
}

/// Makes of a segment the reset that would end its connection; leaves what isn't TCP over IPv4 alone.
pub(crate) fn make_reset(packet: &mut Vec<u8>) {
    let Some(segment) = segment(packet).filter(|_| packet.first().is_some_and(|first| first >> 4 == 4))
    else {
        return;
    };
    packet.truncate(segment.tcp.start + TCP_HEADER);
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    put(packet, IPV4_LENGTH, length);
    put(packet, segment.tcp.start + TCP_OFFSET, [0x50, RST_ACK]);
    seal(packet);
}

/// Where things are in an IP packet that carries TCP.
struct Segment {
    /// Both addresses, for the pseudo header.
    addresses: Range<usize>,
    /// Header and payload.
    tcp: Range<usize>,
    payload: Range<usize>,
}

/// Turns one bit of a TCP payload over and makes the checksum fit; false where there is no payload.
pub(crate) fn corrupt(packet: &mut [u8], chance: &mut Chance) -> bool {
    let Some(segment) = segment(packet).filter(|segment| !segment.payload.is_empty()) else { return false };
    let offset = usize::try_from(chance.below(segment.payload.len() as u64)).unwrap();
    let bit = 1 << chance.below(8);
    if let Some(byte) = packet.get_mut(segment.payload.start + offset) {
        *byte ^= bit;
    }
    seal(packet);
    true
}

/// Makes the checksums fit.
fn seal(packet: &mut [u8]) {
    let segment = segment(packet).expect("TCP");
    if segment.addresses.start == 12 {
        put(packet, IPV4_CHECKSUM, [0, 0]);
        let sum = folded(words(packet, &(0..segment.tcp.start)).sum());
        put(packet, IPV4_CHECKSUM, sum.to_be_bytes());
    }
    let at = segment.tcp.start + TCP_CHECKSUM;
    put(packet, at, [0, 0]);
    let sum = checksum(packet, &segment);
    put(packet, at, sum.to_be_bytes());
}

fn put(packet: &mut [u8], at: usize, bytes: [u8; 2]) {
    packet.get_mut(at..at + 2).expect("a whole header").copy_from_slice(&bytes);
}

fn segment(packet: &[u8]) -> Option<Segment> {
    let (addresses, start, end) = match packet.first()? >> 4 {
        4 if *packet.get(9)? == TCP => {
            let header = usize::from(packet.first()? & 0xf) * 4;
            (12..20, header, usize::from(u16_at(packet, 2)?))
        }
        // Extension headers don't occur here.
        6 if *packet.get(6)? == TCP => (8..40, 40, 40 + usize::from(u16_at(packet, 4)?)),
        _ => return None,
    };
    let payload = start + usize::from(packet.get(start + 12)? >> 4) * 4;
    (end <= packet.len() && payload <= end).then_some(Segment {
        addresses,
        tcp: start..end,
        payload: payload..end,
    })
}

/// Over the pseudo header and the segment.
fn checksum(packet: &[u8], segment: &Segment) -> u16 {
    let length = u32::try_from(segment.tcp.len()).unwrap();
    let pseudo = words(packet, &segment.addresses).sum::<u32>() + u32::from(TCP) + length;
    folded(pseudo + words(packet, &segment.tcp).sum::<u32>())
}

fn words(packet: &[u8], range: &Range<usize>) -> impl Iterator<Item = u32> {
    packet.get(range.clone()).unwrap_or_default().chunks(2).map(|pair| {
        let high = pair.first().copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([high, pair.get(1).copied().unwrap_or(0)]))
    })
}

/// RFC 1071.
fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    let bytes = packet.get(at..at + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment over IPv4 with 4 bytes of payload and a checksum worked out by hand.
    fn packet() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0x13, 0x88, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0]);
        packet.extend([0, 0, 0, 0, 1, 2, 3, 4]);
        seal(&mut packet);
        packet
    }

    fn fits(packet: &[u8]) -> bool {
        folded(words(packet, &(0..20)).sum()) == 0 && checksum(packet, &segment(packet).unwrap()) == 0
    }

    #[test]
    fn the_checksum_of_a_whole_segment_is_zero() {
        let packet = packet();
        // 0a00+0001+0a00+0002 + 1388+0050+0001+0002+5018+0100 + 0102+0304 + 6 + 24 = 7d1a
        assert_eq!(&packet[36..38], (!0x7d1au16).to_be_bytes().as_slice(), "{:x?}", &packet[36..38]);
        assert!(fits(&packet));
    }

    #[test]
    fn a_spoilt_segment_differs_in_one_bit_of_payload_and_has_a_checksum_that_fits() {
        let whole = packet();
        let mut spoilt = whole.clone();
        assert!(corrupt(&mut spoilt, &mut Chance::seeded(3)));
        assert!(fits(&spoilt));
        let turned: u32 = whole[40..].iter().zip(&spoilt[40..]).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(turned, 1);
        assert_eq!((&whole[..36], &whole[38..40]), (&spoilt[..36], &spoilt[38..40]));
    }

    #[test]
    fn a_segment_becomes_a_reset_with_its_sequence_number() {
        let whole = packet();
        let mut reset = whole.clone();
        make_reset(&mut reset);
        assert_eq!((reset.len(), reset[3], reset[33]), (40, 40, RST_ACK));
        assert_eq!((&reset[12..32], fits(&reset)), (&whole[12..32], true));
    }

    #[test]
    fn a_forged_packet_is_whole() {
        let (from, to) = ("10.5.1.2:5000".parse().unwrap(), "10.1.0.1:80".parse().unwrap());
        let packet = forged(Kind::Syn, from, to, 7);
        assert!(fits(&packet));
        assert_eq!((&packet[12..16], &packet[22..24], packet[33]), (&[10, 5, 1, 2][..], &[0, 80][..], 2));
    }

    #[test]
    fn what_has_no_tcp_payload_is_left_alone() {
        let mut bare = packet();
        bare.truncate(40);
        bare[3] = 40;
        let mut udp = packet();
        udp[9] = 17;
        for mut packet in [bare, udp, Vec::new(), vec![0x60; 12]] {
            let before = packet.clone();
            assert!(!corrupt(&mut packet, &mut Chance::seeded(1)));
            assert_eq!(packet, before);
        }
    }
}
