//! A line of JSON with its checksum in front: `1f2e3d4c {"seq":7,…}`. The journal and the snapshot are made of these.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes `value` as one line.
///
/// # Errors
/// If the value cannot be written as JSON, or `out` fails.
pub(super) fn write(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    write!(out, "{:08x} ", crc32fast::hash(&json))?;
    out.write_all(&json)?;
    out.write_all(b"\n")
}

/// Reads one line, without its newline. `None` if it is not what [`write`] wrote.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (checksum, json) = line.split_at_checked(9)?;
    let checksum = std::str::from_utf8(checksum.strip_suffix(b" ")?).ok()?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    (crc32fast::hash(json) == checksum).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// The lines of `bytes`, and whether the last one is whole.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8], bool)> {
    let mut start = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let at = start;
        start += line.len();
        match line.strip_suffix(b"\n") {
            Some(whole) => (at, whole, true),
            None => (at, line, false),
        }
    })
}
