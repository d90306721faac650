//! Records of version 1 are read as the first release meant them. The bytes
//! in `fixtures/journal` were written by its encoder.

use super::super::decode;
use super::*;

mod samples;

/// Names and bytes of the fixtures.
fn fixtures() -> Vec<(&'static str, Vec<u8>)> {
    include_str!("../../../../../../fixtures/journal/records-1.txt")
        .lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap();
            (name, bytes(hex))
        })
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_record_of_version_1_is_read_as_it_was_written() {
    let fixtures = fixtures();
    let expected = samples::all();
    assert_eq!(fixtures.len(), expected.len());
    for ((name, bytes), (expected_name, record)) in fixtures.iter().zip(expected) {
        assert_eq!(*name, expected_name);
        let booking = super::super::decode_booking(bytes);
        assert_eq!(booking, Ok(record.clone().into()), "{name}");
        assert_eq!(decode(bytes), Ok(record), "{name}");
        assert_eq!(
            super::super::node_of(bytes),
            Ok(bourse_vocab::NodeId::FIRST)
        );
    }
}

#[test]
fn a_record_of_version_1_that_is_cut_or_followed_by_anything_is_refused() {
    for (name, mut bytes) in fixtures() {
        for cut in 0..bytes.len() {
            let refused = decode(&bytes[..cut]);
            assert!(
                matches!(refused, Err(DecodeError::Cut(_))),
                "{name} cut at {cut}: {refused:?}"
            );
        }
        bytes.push(0);
        assert!(decode(&bytes).is_err(), "{name}");
    }
}

#[test]
fn a_journal_of_version_1_is_read_to_its_end() {
    let kinds: Vec<_> = include_str!("../../../../../../fixtures/journal/journal-1.txt")
        .lines()
        .map(|line| match decode(&bytes(line)).unwrap() {
            Record::Hold(_) => 'h',
            Record::Extend(_) => 'e',
            Record::Dispatch(_) => 'd',
            Record::Checkpoint(_) => 'c',
            Record::Settle(_) => 's',
            Record::Void(_) => 'v',
            Record::Refused(_) => 'r',
            Record::Checkpoints(_) => 'l',
        })
        .collect();
    assert_eq!(kinds.iter().collect::<String>(), "hshechdhvhshvh");
}
