//! PROXY headers: read once they are whole, refused once they cannot be, and never in between.

use std::net::{IpAddr, SocketAddr};

use landbridge::{ProxyHeader, proxy_header};

/// The longest line of version 1, and the longest header of version 2 that is read.
const LONGEST: [usize; 2] = [107, 4096];

/// The input is the beginning of a stream.
pub fn proxy(data: &[u8]) {
    match proxy_header(data) {
        Ok(Some(header)) => {
            let binary = data.starts_with(b"\r\n\r\n\0\r\nQUIT\n");
            assert!(
                (1..=data.len().min(LONGEST[usize::from(binary)])).contains(&header.length),
                "{header:?}"
            );
            let said = if binary { binary_addresses(data) } else { text_addresses(&data[..header.length]) };
            assert_eq!(header.announced, said);
            // Not sooner, and whatever follows.
            for end in prefixes(data) {
                let expected = (end >= header.length).then_some(header);
                assert_eq!(read(&data[..end]), Ok(expected), "{end} of {}", data.len());
            }
        }
        Ok(None) => {
            for end in prefixes(data) {
                assert_eq!(read(&data[..end]), Ok(None), "{end} of {}", data.len());
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let first = prefixes(data).find(|end| read(&data[..*end]).is_err());
            for end in prefixes(data) {
                let refused = first.is_some_and(|first| end >= first);
                let expected = if refused { Err(()) } else { Ok(None) };
                assert_eq!(read(&data[..end]), expected, "{end} of {}", data.len());
            }
        }
    }
}

fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ()> {
    proxy_header(bytes).map_err(drop)
}

/// Where the stream may be cut: everywhere at first, and now and then in what is long.
fn prefixes(data: &[u8]) -> impl Iterator<Item = usize> {
    (0..=data.len()).filter(|end| *end < 120 || end % 61 == 0)
}

/// What a header of version 2 announces (section 2.2 of the specification).
fn binary_addresses(data: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let at = |from: usize, length: usize| -> IpAddr {
        match <[u8; 4]>::try_from(&data[from..from + length]) {
            Ok(four) => four.into(),
            Err(_) => <[u8; 16]>::try_from(&data[from..from + length]).unwrap().into(),
        }
    };
    let port = |from: usize| u16::from_be_bytes([data[from], data[from + 1]]);
    // PROXY over TCP; LOCAL and UNSPEC announce nothing.
    let length = match (data[12], data[13]) {
        (0x21, 0x11) => 4,
        (0x21, 0x21) => 16,
        _ => return None,
    };
    let ports = 16 + 2 * length;
    let source = SocketAddr::new(at(16, length), port(ports));
    Some((source, SocketAddr::new(at(16 + length, length), port(ports + 2))))
}

/// What a line of version 1 announces (section 2.1).
fn text_addresses(line: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let text = str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.trim_end().split(' ').collect();
    let [_, "TCP4" | "TCP6", source, destination, source_port, destination_port] = *words else {
        return None;
    };
    let address = |ip: &str, port: &str| Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?));
    Some((address(source, source_port)?, address(destination, destination_port)?))
}
