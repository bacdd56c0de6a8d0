use graft_spec::MAX_SIDE;

use crate::cursor::Cursor;
use crate::error::ReferencesProblem;

const VERSION: u32 = 1;
const MAX_COUNT: u64 = 64;
const HEAD: u64 = 16;
/// Bytes of a reference before its logits.
const FIXED: u64 = 48;

/// What the host's engine answered for pictures or texts that every device can make.
#[derive(Clone, Debug, PartialEq)]
pub struct References {
    /// Logits of each reference; equal to the number of labels.
    pub classes: usize,
    /// 1 to 64 of them.
    pub items: Vec<Reference>,
}

/// The host's answer for one synthetic picture or text.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Seed of the picture or text.
    pub seed: u64,
    /// Width of the picture in pixels, or words of the text, 1 to 4096.
    pub width: u32,
    /// Height of the picture in pixels, 1 to 4096; 1 of a text.
    pub height: u32,
    /// SHA-256 of the prepared tensor: its f32 values, little-endian, in the
    /// tensor's order.
    pub prepared_sha256: [u8; 32],
    /// The logits, one for each class, all finite.
    pub logits: Vec<f32>,
}

impl References {
    /// Reads a `REFS` section of a bundle with that many labels.
    ///
    /// Nothing is allocated before count, classes and length are known to
    /// agree, so a section never costs more memory than its own length.
    pub(crate) fn read(bytes: &[u8], labels: usize) -> Result<References, ReferencesProblem> {
        let found = bytes.len() as u64;
        let mut at = Cursor::new(bytes);
        let short = |expected: u64| ReferencesProblem::Length { expected, found };
        let mut head = || Some([at.u32()?, at.u32()?, at.u32()?, at.u32()?]);
        let [version, count, classes, reserved] = head().ok_or(short(HEAD))?;
        if version != VERSION {
            return Err(ReferencesProblem::Version(version));
        }
        check_count(count.into())?;
        if usize::try_from(classes).ok() != Some(labels) {
            let found = usize::try_from(classes).unwrap_or(usize::MAX);
            return Err(ReferencesProblem::Classes { expected: labels, found });
        }
        if reserved != 0 {
            return Err(ReferencesProblem::NotZero);
        }
        // At most 16 + 64 * (48 + 4 * 2^32): no overflow.
        let expected = HEAD + u64::from(count) * (FIXED + 4 * u64::from(classes));
        if found != expected {
            return Err(short(expected));
        }
        let items = (0..count)
            .map(|_| read_one(&mut at, labels).ok_or(short(expected)))
            .collect::<Result<_, _>>()?;
        let references = References { classes: labels, items };
        references.check(labels)?;
        Ok(references)
    }

    /// The bytes of a `REFS` section.
    pub(crate) fn write(&self, labels: usize) -> Result<Vec<u8>, ReferencesProblem> {
        self.check(labels)?;
        let mut bytes = Vec::new();
        // Both fit: `check` has bounded the count, and labels are at most 65,536.
        for value in [VERSION, self.items.len() as u32, self.classes as u32, 0] {
            bytes.extend(value.to_le_bytes());
        }
        for reference in &self.items {
            bytes.extend(reference.seed.to_le_bytes());
            bytes.extend(reference.width.to_le_bytes());
            bytes.extend(reference.height.to_le_bytes());
            bytes.extend(reference.prepared_sha256);
            bytes.extend(reference.logits.iter().flat_map(|logit| logit.to_le_bytes()));
        }
        Ok(bytes)
    }

    /// Checks what holds of references that are texts.
    pub(crate) fn check_texts(&self) -> Result<(), ReferencesProblem> {
        let wrong = |(index, reference): (usize, &Reference)| {
            let height = reference.height;
            (height != 1).then_some(ReferencesProblem::TextHeight { index, height })
        };
        self.items.iter().enumerate().find_map(wrong).map_or(Ok(()), Err)
    }

    fn check(&self, labels: usize) -> Result<(), ReferencesProblem> {
        check_count(self.items.len() as u64)?;
        check_classes(labels, self.classes)?;
        for (index, reference) in self.items.iter().enumerate() {
            let &Reference { width, height, ref logits, .. } = reference;
            let right = 1..=MAX_SIDE;
            if !(right.contains(&width) && right.contains(&height)) {
                return Err(ReferencesProblem::PictureSize { index, width, height });
            }
            check_classes(labels, logits.len())?;
            if let Some(logit) = logits.iter().position(|v| !v.is_finite()) {
                return Err(ReferencesProblem::NotFinite { index, logit });
            }
        }
        Ok(())
    }
}

fn read_one(at: &mut Cursor<'_>, classes: usize) -> Option<Reference> {
    let (seed, width, height, prepared_sha256) = (at.u64()?, at.u32()?, at.u32()?, at.array()?);
    let logits = at.slice(4 * classes)?;
    let logits = logits.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some(Reference { seed, width, height, prepared_sha256, logits })
}

fn check_count(count: u64) -> Result<(), ReferencesProblem> {
    if (1..=MAX_COUNT).contains(&count) { Ok(()) } else { Err(ReferencesProblem::Count(count)) }
}

fn check_classes(expected: usize, found: usize) -> Result<(), ReferencesProblem> {
    if found == expected { Ok(()) } else { Err(ReferencesProblem::Classes { expected, found }) }
}
