use std::fmt;

/// The most bytes of a bundle without its signature.
pub const MAX_BODY: u64 = (1 << 32) - 1;
const MAX_TEXT: u64 = 1 << 20;
const MAX_MODEL: u64 = (1 << 31) - 1;
const MAX_REFERENCES: u64 = 16 << 20;
/// The most bytes of a tokenizer.
pub const MAX_TOKENIZER: u64 = 32 << 20;

/// One entry of the section table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is.
    pub id: SectionId,
    /// Where its first byte is, counted from the start of the file.
    pub offset: u64,
    /// Its bytes, without padding.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// What tells one section of a bundle from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionId {
    /// What it holds.
    pub kind: Kind,
    /// The index in [`graft_spec::Manifest::forms`] of the form that it belongs
    /// to, 0 for a section that belongs to none.
    pub form: u16,
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `MANI`
    Manifest,
    /// `LABL`
    Labels,
    /// `MODL`
    Model,
    /// `REFS`
    References,
    /// `WORD`
    Words,
    /// `TOKN`
    Tokenizer,
    /// `prov`
    Provenance,
    /// A kind that this version has no name for: four ASCII letters.
    Other([u8; 4]),
}

impl Kind {
    /// The kind that four ASCII letters stand for.
    pub(crate) fn from_letters(letters: [u8; 4]) -> Option<Kind> {
        match &letters {
            b"MANI" => Some(Kind::Manifest),
            b"LABL" => Some(Kind::Labels),
            b"MODL" => Some(Kind::Model),
            b"REFS" => Some(Kind::References),
            b"WORD" => Some(Kind::Words),
            b"TOKN" => Some(Kind::Tokenizer),
            b"prov" => Some(Kind::Provenance),
            other if other.iter().all(u8::is_ascii_alphabetic) => Some(Kind::Other(letters)),
            _ => None,
        }
    }

    pub(crate) fn letters(self) -> [u8; 4] {
        match self {
            Kind::Manifest => *b"MANI",
            Kind::Labels => *b"LABL",
            Kind::Model => *b"MODL",
            Kind::References => *b"REFS",
            Kind::Words => *b"WORD",
            Kind::Tokenizer => *b"TOKN",
            Kind::Provenance => *b"prov",
            Kind::Other(letters) => letters,
        }
    }

    /// Whether a reader that doesn't know the kind must refuse the bundle.
    pub fn is_critical(self) -> bool {
        self.letters()[0].is_ascii_uppercase()
    }

    /// Whether there is one for each form of the model.
    pub(crate) fn is_per_form(self) -> bool {
        matches!(self, Kind::Model | Kind::References)
    }

    pub(crate) fn largest(self) -> u64 {
        match self {
            Kind::Manifest | Kind::Labels | Kind::Provenance => MAX_TEXT,
            Kind::Model | Kind::Words => MAX_MODEL,
            Kind::References => MAX_REFERENCES,
            Kind::Tokenizer => MAX_TOKENIZER,
            Kind::Other(_) => MAX_BODY,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_per_form() || self.form != 0 {
            write!(f, "{} of form {}", self.kind, self.form)
        } else {
            write!(f, "{}", self.kind)
        }
    }
}
