//! The part of IP and TCP that is needed to spoil a segment so that TCP doesn't notice.

use std::ops::Range;

use crate::chance::Chance;

const TCP: u8 = 6;
/// Where the checksum stands in a TCP header.
const CHECKSUM: usize = 16;

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
    let at = segment.tcp.start + CHECKSUM;
    if let Some(field) = packet.get_mut(at..at + 2) {
        field.fill(0);
    }
    let sum = checksum(packet, &segment).to_be_bytes();
    if let Some(field) = packet.get_mut(at..at + 2) {
        field.copy_from_slice(&sum);
    }
    true
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

/// RFC 1071, over the pseudo header and the segment.
fn checksum(packet: &[u8], segment: &Segment) -> u16 {
    let words = |range: &Range<usize>| {
        let bytes = packet.get(range.clone()).unwrap_or_default();
        bytes.chunks(2).map(|pair| {
            let high = pair.first().copied().unwrap_or(0);
            u32::from(u16::from_be_bytes([high, pair.get(1).copied().unwrap_or(0)]))
        })
    };
    let length = u32::try_from(segment.tcp.len()).unwrap();
    let mut sum: u32 = words(&segment.addresses).sum::<u32>() + words(&segment.tcp).sum::<u32>();
    sum += u32::from(TCP) + length;
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
        let sum = checksum(&packet, &segment(&packet).unwrap());
        packet[36..38].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn the_checksum_of_a_whole_segment_is_zero() {
        let packet = packet();
        // 0a00+0001+0a00+0002 + 1388+0050+0001+0002+5018+0100 + 0102+0304 + 6 + 24 = 7d1a
        assert_eq!(&packet[36..38], (!0x7d1au16).to_be_bytes().as_slice(), "{:x?}", &packet[36..38]);
        assert_eq!(checksum(&packet, &segment(&packet).unwrap()), 0);
    }

    #[test]
    fn a_spoilt_segment_differs_in_one_bit_of_payload_and_has_a_checksum_that_fits() {
        let whole = packet();
        let mut spoilt = whole.clone();
        assert!(corrupt(&mut spoilt, &mut Chance::seeded(3)));
        assert_eq!(checksum(&spoilt, &segment(&spoilt).unwrap()), 0);
        let turned: u32 = whole[40..].iter().zip(&spoilt[40..]).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(turned, 1);
        assert_eq!((&whole[..36], &whole[38..40]), (&spoilt[..36], &spoilt[38..40]));
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
