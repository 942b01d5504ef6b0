//! However a hello is cut into records and segments, and how long it may be.

use super::*;

#[test]
fn a_record_boundary_may_be_at_every_offset_of_a_hello() {
    let bytes = hybrid_hello();
    let message = message(&bytes);
    for offset in 1..message.len() {
        let split = records(message, &[offset]);
        let hello = whole(&split);
        assert_eq!(hello.sni(), Some(NAME), "{offset}");
        assert_eq!(hello.into_raw(), split);
    }
}

#[test]
fn two_record_boundaries_may_be_anywhere_in_the_header_and_after() {
    let bytes = captured(NAME, Shares::Classic, &[&TLS13]);
    let message = message(&bytes);
    for first in 1..8 {
        for second in 1..message.len() - first {
            let hello = whole(&records(message, &[first, second]));
            assert_eq!(hello.sni(), Some(NAME), "{first} {second}");
        }
    }
}

#[test]
fn a_segment_boundary_may_be_at_every_offset_and_nothing_is_decided_before_the_end() {
    let bytes = records(message(&hybrid_hello()), &[3, 700]);
    for offset in 1..bytes.len() {
        let mut reader = HelloReader::new(CAP);
        assert!(reader.is_empty());
        assert!(reader.feed(&bytes[..offset]).unwrap().is_none(), "{offset}");
        assert!(!reader.is_empty());
        let hello = reader.feed(&bytes[offset..]).unwrap().unwrap();
        assert_eq!(hello.sni(), Some(NAME), "{offset}");
    }
}

#[test]
fn one_byte_at_a_time_in_records_of_one_byte_is_a_hello_too() {
    let bytes = hybrid_hello();
    let message = message(&bytes);
    let split = records(message, &vec![1; message.len()]);
    let hello = read(&split, 1, CAP).unwrap().unwrap();
    assert_eq!(hello.sni(), Some(NAME));
    assert_eq!(hello.into_raw(), split);
}

#[test]
fn what_follows_the_hello_is_kept_and_reaches_the_connection() {
    let hello = hybrid_hello();
    let mut bytes = hello.clone();
    // A change_cipher_spec, as a client with early data sends.
    let follows = [20, 3, 3, 0, 1, 1];
    bytes.extend(follows);
    let (_, rest) = whole(&bytes).into_accepted();
    assert_eq!(rest, follows);
    assert_eq!(whole(&bytes).into_raw(), bytes);
    let (_, rest) = whole(&hello).into_accepted();
    assert_eq!(rest, b"");
}

#[test]
fn a_hello_may_fill_the_cap_and_not_exceed_it() {
    let padded = |length: usize| {
        let fixed = composed([3, 3], &[server_name(&[(0, b"a.example")]), schemes(), (21, vec![])]).len();
        let padding = (21, vec![0; length - fixed]);
        composed([3, 3], &[server_name(&[(0, b"a.example")]), schemes(), padding])
    };
    let full = padded(CAP);
    assert_eq!(full.len(), CAP);
    for sizes in [vec![], vec![1], vec![4_000, 4_000, 4_000]] {
        assert_eq!(whole(&records(&full, &sizes)).sni(), Some("a.example"));
    }
    let over = records(&padded(CAP + 1), &[16_000]);
    assert_eq!(refused(&over), with_alert(Reason::HelloTooLarge, 50));
    let small = padded(CAP);
    let error = read(&record(22, &small[..9_000]), 9_005, 8_000).err().unwrap();
    assert_eq!(error.reason, Reason::HelloTooLarge);
    // rustls joins messages of at most 64 KiB, whatever the cap.
    let huge = padded(65_000);
    let hello = read(&records(&huge, &[16_000; 4]), 4_096, 65_536).unwrap().unwrap();
    assert_eq!(hello.sni(), Some("a.example"));
    let huge = padded(65_536);
    let error = read(&records(&huge, &[16_000; 4]), 4_096, 65_536).err().unwrap();
    assert_eq!(error.reason, Reason::HelloTooLarge);
}

#[test]
fn a_length_that_exceeds_the_cap_is_refused_when_it_is_announced() {
    let announced = [22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    let mut reader = HelloReader::new(CAP);
    assert!(reader.feed(&announced[..8]).unwrap().is_none());
    let error = reader.feed(&announced[8..]).err().unwrap();
    assert_eq!((error.reason, error.alert), with_alert(Reason::HelloTooLarge, 50));
    let exactly = |body: u8| [22, 3, 1, 0x40, 0, 1, 0, 0x40, body];
    assert_eq!(refused(&exactly(0)), with_alert(Reason::HelloTooLarge, 50), "4 over");
    let fits = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    assert!(HelloReader::new(CAP).feed(&fits).unwrap().is_none());
}

#[test]
fn record_headers_count_so_that_tiny_records_cannot_buy_more_than_twice_the_cap() {
    let message = composed([3, 3], &[schemes(), (21, vec![0; 12_000])]);
    let split = records(&message, &vec![1; message.len()]);
    let mut reader = HelloReader::new(CAP);
    let mut taken = 0;
    let error = loop {
        match reader.feed(&split[taken..=taken]) {
            Ok(hello) => assert!(hello.is_none()),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert_eq!(error.reason, Reason::HelloTooLarge);
    assert_eq!(taken, 2 * CAP);
}

#[test]
fn a_spent_reader_yields_no_second_hello() {
    let bytes = hybrid_hello();
    let mut reader = HelloReader::new(CAP);
    assert!(reader.feed(&bytes).unwrap().is_some());
    assert!(!matches!(reader.feed(&bytes), Ok(Some(_))));
}

#[test]
fn what_is_too_much_in_pieces_is_too_much_at_once() {
    let cap = 200;
    let message = composed([3, 3], &[server_name(&[(0, b"a.example")]), schemes()]);
    assert!(message.len() < cap);
    // Six bytes for one, and more than twice the cap in all.
    let split = records(&message, &vec![1; message.len()]);
    assert!(split.len() > 2 * cap);
    for size in [1, 7, 399, 400, 401, split.len()] {
        let reason = read(&split, size, cap).err().map(|error| error.reason);
        assert_eq!(reason, Some(Reason::HelloTooLarge), "in pieces of {size}");
    }
    // What comes behind the hello does not count.
    let hello = records(&message, &[]);
    let followed = [hello.as_slice(), &[0; 1_000]].concat();
    for size in [1, 400, followed.len()] {
        assert_eq!(read(&followed, size, cap).unwrap().unwrap().sni(), Some("a.example"));
    }
}
