//! Records of the journal, and what the books make of a list of them.

use bourse_ledger::record::{self, Booking, Record};
use bourse_ledger::recover::Replay;
use bourse_ledger::{Fold, OpenHold};

use super::Target;
use crate::chance::Chance;
use crate::sign::Sign;

/// Records, one after the other, each with its length (two bytes) before it.
pub struct Records;

/// Bytes of a length.
const LENGTH_BYTES: usize = 2;

impl Target for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn held_to(&self) -> &'static str {
        "a record is refused, or written again as it reads; a list of them balances, and leaves memory and database with the same open holds"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut seeds = Vec::new();
        for file in ["records-1", "journal-1", "progress-2"] {
            let records = fixture(file)?;
            seeds.extend(
                records
                    .iter()
                    .map(|record| listed(std::slice::from_ref(record))),
            );
            seeds.push(listed(&records));
            // The same in today's version: what is written is what is read.
            let again: Vec<Vec<u8>> = records
                .iter()
                .filter_map(|bytes| rewritten(bytes))
                .collect();
            seeds.extend(
                again
                    .iter()
                    .map(|record| listed(std::slice::from_ref(record))),
            );
            seeds.push(listed(&again));
        }
        Ok(seeds)
    }

    fn mend(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        // A length that reaches over the end is cut to it.
        if !chance.one_in(4) {
            let records: Vec<Vec<u8>> = split(input).iter().map(|record| record.to_vec()).collect();
            *input = listed(&records);
        }
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut sign = Sign::default();
        let records = split(input);
        let mut good = Vec::new();
        for bytes in records {
            match record::decode(bytes) {
                Ok(read) => {
                    survives(&read, bytes)?;
                    sign.text(kind_of(&read));
                    good.push((bytes, read));
                }
                Err(error) => sign.sentence(&error.to_string()),
            }
            let _ = record::node_of(bytes);
        }
        booked(&good, &mut sign)?;
        Ok(sign.get())
    }
}

/// Records of a fixture: the last word of each line, in hexadecimal.
fn fixture(name: &str) -> Result<Vec<Vec<u8>>, String> {
    let path = crate::root().join(format!("fixtures/journal/{name}.txt"));
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    text.lines()
        .filter_map(|line| line.split(' ').next_back())
        .filter(|digits| !digits.is_empty())
        .map(|digits| {
            digits
                .as_bytes()
                .chunks(2)
                .map(|pair| {
                    let pair = std::str::from_utf8(pair).unwrap_or_default();
                    u8::from_str_radix(pair, 16).map_err(|error| format!("{name}: {error}"))
                })
                .collect()
        })
        .collect()
}

fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    record::encode(&record::decode(bytes).ok()?, &mut out);
    Some(out)
}

fn listed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let length = u16::try_from(record.len()).unwrap_or(u16::MAX);
        out.extend(length.to_le_bytes());
        out.extend(record.iter().take(usize::from(length)));
    }
    out
}

/// The records of a list; the last is as long as what is left.
pub(super) fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<LENGTH_BYTES>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (record, after) = rest.split_at(length);
        records.push(record);
        input = after;
    }
    records
}

fn kind_of(record: &Record<'_>) -> &'static str {
    match record {
        Record::Hold(_) => "hold",
        Record::Extend(_) => "extend",
        Record::Dispatch(_) => "dispatch",
        Record::Checkpoint(_) => "checkpoint",
        Record::Checkpoints(_) => "checkpoints",
        Record::Settle(_) => "settle",
        Record::Void(_) => "void",
        Record::Refused(_) => "refused",
    }
}

/// Whatever is a record is one to the books too, and is written as it reads.
pub(super) fn survives(read: &Record<'_>, bytes: &[u8]) -> Result<(), String> {
    let booking = record::decode_booking(bytes);
    if booking != Ok(Booking::from(read.clone())) {
        return Err(format!(
            "the books read another record\n{read:?}\n{booking:?}"
        ));
    }
    record::calls_of(bytes)
        .map_err(|error| format!("a record without calls: {error}\n{read:?}"))?;
    let mut again = Vec::new();
    record::encode(read, &mut again);
    match record::decode(&again) {
        Ok(same) if same == *read => Ok(()),
        other => Err(format!(
            "a record is written otherwise than it reads\n{read:?}\n{other:?}"
        )),
    }
}

/// Folds good records and replays them: entries balance, and both know the
/// same calls as open.
pub(super) fn booked(records: &[(&[u8], Record<'_>)], sign: &mut Sign) -> Result<(), String> {
    let mut fold = Fold::new(Vec::<OpenHold>::new());
    let mut replay = Replay::default();
    for (bytes, read) in records {
        fold.push(bytes)
            .map_err(|error| format!("a good record is not folded: {error}"))?;
        replay.push(read);
    }
    match fold.finish() {
        // Sums beyond what an account holds are refused, not wrapped.
        Err(error) => sign.sentence(&error.to_string()),
        Ok(effects) => {
            let sum: i128 = effects
                .journal
                .entries()
                .iter()
                .map(|(_, amount)| i128::from(amount.0))
                .sum();
            if sum != 0 {
                return Err(format!(
                    "entries do not balance: {sum}\n{:?}",
                    effects.journal
                ));
            }
            let opened: Vec<_> = effects.opened.iter().map(|hold| hold.id).collect();
            sign.count(opened.len());
            sign.count(effects.generations.len());
            sign.count(effects.journal.entries().len());
            let needed = replay.accounts_needed();
            let missing = effects
                .opened
                .iter()
                .find(|hold| !needed.contains(&hold.account));
            if let Some(hold) = missing {
                return Err(format!(
                    "memory does not know an open hold that the database has\n{hold:?}"
                ));
            }
            if effects.repeated != replay.repeated() {
                return Err(format!(
                    "{} records repeat for the database, {} for memory",
                    effects.repeated,
                    replay.repeated()
                ));
            }
        }
    }
    Ok(())
}
