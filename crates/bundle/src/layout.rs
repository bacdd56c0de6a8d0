use sha2::{Digest, Sha256};

use crate::body::Body;
use crate::cursor::Cursor;
use crate::error::BundleError;
use crate::section::{Kind, MAX_BODY, Section, SectionId};

const MAGIC: [u8; 8] = *b"\x89GRFT\r\n\x1a";
const MAJOR: u16 = 1;
/// The newest that is read here.
pub(crate) const MINOR: u16 = 3;
const HEADER: usize = 64;
const ENTRY: usize = 64;
const ALIGN: u64 = 64;
const MAX_SECTIONS: u32 = 64;
/// Header and table, at their longest.
pub(crate) const MAX_HEAD: u64 = (HEADER + ENTRY * MAX_SECTIONS as usize) as u64;
/// Bytes of the header that the table's digest covers.
const HEADER_DIGESTED: usize = 32;

/// The frame of a bundle: what is where. Everything but the sections' contents
/// has been checked.
pub(crate) struct Layout {
    pub(crate) minor: u16,
    pub(crate) sections: Vec<Section>,
}

impl Layout {
    /// Reads header and table of a body without its signature.
    pub(crate) fn read<B: Body + ?Sized>(body: &B) -> Result<Layout, BundleError> {
        let found = body.length();
        let head = body.read(0, found.min(MAX_HEAD))?;
        if !head.starts_with(&MAGIC) {
            return Err(BundleError::NotABundle);
        }
        let truncated = |expected: u64| BundleError::Truncated { expected, found };
        let header = head.get(..HEADER).ok_or_else(|| truncated(HEADER as u64))?;
        let Header { major, minor, sections, body_length, reserved, table_sha256 } =
            Header::read(header).ok_or_else(|| truncated(HEADER as u64))?;
        if major != MAJOR {
            return Err(BundleError::Major { major, minor });
        }
        check_range("sections", sections.into(), 1, MAX_SECTIONS.into())?;
        let table_end = HEADER + ENTRY * sections as usize;
        check_range("body_length", body_length, table_end as u64, MAX_BODY)?;
        if found < body_length {
            return Err(truncated(body_length));
        }
        if found > body_length {
            return Err(BundleError::TrailingBytes { extra: found - body_length });
        }
        let table = head.get(HEADER..table_end).ok_or_else(|| truncated(table_end as u64))?;
        if table_digest(header, table) != table_sha256 {
            return Err(BundleError::TableDigest);
        }
        if reserved != [0; 8] {
            return Err(not_zero("bytes 24 to 31 of the header"));
        }

        let sections = table
            .chunks_exact(ENTRY)
            .enumerate()
            .map(|(index, entry)| read_entry(index, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let layout = Layout { minor, sections };
        layout.check(body, table_end as u64)?;
        Ok(layout)
    }

    /// Checks that the sections fill the body, each once, and that all bytes
    /// are what was written.
    fn check<B: Body + ?Sized>(&self, body: &B, table_end: u64) -> Result<(), BundleError> {
        let mut end = table_end;
        for (index, section) in self.sections.iter().enumerate() {
            let &Section { id, offset, length, .. } = section;
            if self.sections[..index].iter().any(|before| before.id == id) {
                return Err(BundleError::Duplicate { section: id });
            }
            check_range("a section's length", length, 1, id.kind.largest())?;
            let expected = end.next_multiple_of(ALIGN);
            if offset != expected {
                return Err(BundleError::Misplaced { section: id, expected, found: offset });
            }
            let padding = body.read(end, offset)?;
            if padding.iter().any(|&b| b != 0) {
                return Err(not_zero(format!("the padding before section {id}")));
            }
            // Below 2^33: both are at most MAX_BODY.
            end = offset + length;
            // A model's is checked when the model is: of several, one may run.
            if id.kind != Kind::Model {
                section.check_digest(body)?;
            }
        }
        let body_length = body.length();
        if end != body_length {
            return Err(BundleError::BodyLength { end, body_length });
        }
        Ok(())
    }
}

impl Section {
    /// Checks that the section's bytes are what was written.
    pub(crate) fn check_digest<B: Body + ?Sized>(&self, body: &B) -> Result<(), BundleError> {
        if body.sha256(self.offset, self.offset + self.length)? == self.sha256 {
            Ok(())
        } else {
            Err(BundleError::SectionDigest { section: self.id })
        }
    }
}

/// Lays sections out in the given order and puts header and table before them;
/// `minor` is the least version that has all that is in them.
pub(crate) fn assemble(minor: u16, parts: &[(SectionId, &[u8])]) -> Result<Vec<u8>, BundleError> {
    check_range("sections", parts.len() as u64, 1, MAX_SECTIONS.into())?;
    let table_end = (HEADER + ENTRY * parts.len()) as u64;
    let mut end = table_end;
    let mut sections = Vec::with_capacity(parts.len());
    for &(id, bytes) in parts {
        let length = bytes.len() as u64;
        check_range("a section's length", length, 1, id.kind.largest())?;
        let offset = end.next_multiple_of(ALIGN);
        // At most 64 sections below 2^32 each: no overflow.
        end = offset + length;
        sections.push(Section { id, offset, length, sha256: digest(bytes) });
    }
    let body_length = end;
    check_range("body_length", body_length, table_end, MAX_BODY)?;
    let capacity = usize::try_from(body_length).map_err(|_| BundleError::OutOfRange {
        field: "body_length",
        found: body_length,
        least: table_end,
        most: usize::MAX as u64,
    })?;

    let mut body = Vec::with_capacity(capacity);
    body.extend(MAGIC);
    body.extend(MAJOR.to_le_bytes());
    body.extend(minor.to_le_bytes());
    body.extend((parts.len() as u32).to_le_bytes());
    body.extend(body_length.to_le_bytes());
    body.extend([0; HEADER - HEADER_DIGESTED + 8]);
    for Section { id, offset, length, sha256 } in &sections {
        body.extend(id.kind.letters());
        body.extend(id.form.to_le_bytes());
        body.extend([0; 2]);
        body.extend(offset.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(sha256);
        body.extend([0; 8]);
    }
    let digest = table_digest(&body[..HEADER], &body[HEADER..]);
    body[HEADER_DIGESTED..HEADER].copy_from_slice(&digest);
    for (_, bytes) in parts {
        body.resize(body.len().next_multiple_of(ALIGN as usize), 0);
        body.extend_from_slice(bytes);
    }
    Ok(body)
}

struct Header {
    major: u16,
    minor: u16,
    sections: u32,
    body_length: u64,
    reserved: [u8; 8],
    table_sha256: [u8; 32],
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Header> {
        let mut at = Cursor::new(bytes);
        at.slice(MAGIC.len())?;
        Some(Header {
            major: at.u16()?,
            minor: at.u16()?,
            sections: at.u32()?,
            body_length: at.u64()?,
            reserved: at.array()?,
            table_sha256: at.array()?,
        })
    }
}

fn read_entry(index: usize, entry: &[u8]) -> Result<Section, BundleError> {
    let mut at = Cursor::new(entry);
    let mut fields =
        || Some((at.array()?, at.u16()?, at.u16()?, at.u64()?, at.u64()?, at.array()?, at.u64()?));
    let (letters, form, reserved_a, offset, length, sha256, reserved_b) =
        fields().expect("invariant: an entry has 64 bytes");
    let kind = Kind::from_letters(letters).ok_or(BundleError::BadKind { index, kind: letters })?;
    let id = SectionId { kind, form };
    if reserved_a != 0 || reserved_b != 0 {
        return Err(not_zero(format!("a reserved field of section {id}")));
    }
    Ok(Section { id, offset, length, sha256 })
}

fn table_digest(header: &[u8], table: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(&header[..HEADER_DIGESTED]);
    hasher.update(table);
    hasher.finalize().into()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn check_range(field: &'static str, found: u64, least: u64, most: u64) -> Result<(), BundleError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(BundleError::OutOfRange { field, found, least, most })
    }
}

fn not_zero(what: impl Into<String>) -> BundleError {
    BundleError::NotZero { what: what.into() }
}
