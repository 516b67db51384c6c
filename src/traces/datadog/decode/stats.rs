//! Statistics that a client computed: passed on as they came, completed by what only the headers say.

use super::Refused;
use super::msgpack::{Fault, Reader};
use bytes::Bytes;

/// A msgpack `ClientStatsPayload` with these fields filled in, unless it has them or they are empty. The body
/// itself when there is nothing to add. No key is written twice: readers that are strict refuse that.
pub fn completed(body: &Bytes, fields: &[(&str, &str)]) -> Result<Bytes, Refused> {
    let mut reader = Reader::new(body);
    complete(&mut reader, body, fields).map_err(|fault| Refused::at(&reader, fault))
}

fn complete(reader: &mut Reader<'_>, body: &Bytes, fields: &[(&str, &str)]) -> Result<Bytes, Fault> {
    let length = reader.map()?;
    let mut missing: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    let (mut kept, mut fields_kept) = (Vec::with_capacity(body.len()), 0);
    for _ in 0..length {
        let begin = reader.at();
        let key = reader.raw()?;
        let value = reader.at();
        reader.skip()?;
        let named = |(name, _): &&(&str, &str)| name.as_bytes() == key;
        // A field of one byte is nil or an empty string.
        if reader.at() == value + 1 && missing.iter().any(&named) {
            continue;
        }
        missing.retain(|field| !named(field));
        fields_kept += 1;
        kept.extend_from_slice(&body[begin..reader.at()]);
    }
    if missing.is_empty() {
        return Ok(body.slice(..reader.at()));
    }
    let mut whole = Vec::with_capacity(kept.len() + 64 + 128 * missing.len());
    whole.push(0xdf);
    let entries = u32::try_from(fields_kept + missing.len()).map_err(|_| Fault::Length)?;
    whole.extend_from_slice(&entries.to_be_bytes());
    whole.append(&mut kept);
    for (name, value) in missing {
        for text in [name, value] {
            whole.push(0xdb);
            whole.extend_from_slice(&u32::try_from(text.len()).map_err(|_| Fault::Length)?.to_be_bytes());
            whole.extend_from_slice(text.as_bytes());
        }
    }
    Ok(whole.into())
}
