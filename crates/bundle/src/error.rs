use graft_spec::SpecError;

use crate::layout::MINOR;
use crate::section::SectionId;

/// Why bytes are not a bundle, or contents cannot become one.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read.
    #[error("the bundle cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The magic number is not there.
    #[error("this is no graft bundle: it does not begin with the magic number of one")]
    NotABundle,
    /// A major version that this reader does not know.
    #[error(
        "the bundle has version {major}.{minor} and needs a reader of version {major}; this one reads version 1"
    )]
    Major {
        /// The bundle's major version.
        major: u16,
        /// The bundle's minor version.
        minor: u16,
    },
    /// A minor version above this reader's, which turned out to matter.
    #[error("the bundle needs a reader of version 1.{minor}, this one reads 1.{MINOR}: {because}")]
    Minor {
        /// The bundle's minor version.
        minor: u16,
        /// What this reader could not read.
        #[source]
        because: Box<BundleError>,
    },
    /// The file ends early.
    #[error("the bundle is cut short: {found} bytes are there, {expected} are needed")]
    Truncated {
        /// Bytes that there must be.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// Something other than a signature follows the body.
    #[error("{extra} bytes follow the bundle that are no part of it")]
    TrailingBytes {
        /// How many.
        extra: u64,
    },
    /// A number of the layout is out of its range.
    #[error("{field} is {found}, must be {least} to {most}")]
    OutOfRange {
        /// The field, in the words of `docs/format.md`.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The smallest that is allowed.
        least: u64,
        /// The largest that is allowed.
        most: u64,
    },
    /// A reserved field or padding holds something.
    #[error("{what} must be zero and is not")]
    NotZero {
        /// Which bytes.
        what: String,
    },
    /// The header and the section table are not what was written.
    #[error("the bundle is damaged: header and section table do not match their digest")]
    TableDigest,
    /// A section's bytes are not what was written.
    #[error("the bundle is damaged: section {section} does not match its digest")]
    SectionDigest {
        /// Which.
        section: SectionId,
    },
    /// A section's kind is not four ASCII letters.
    #[error("section {index} of the table has kind {kind:?}, must be four ASCII letters")]
    BadKind {
        /// Its place in the table, from 0.
        index: usize,
        /// The four bytes.
        kind: [u8; 4],
    },
    /// A section is not where the layout puts it.
    #[error("section {section} starts at byte {found}, must start at byte {expected}")]
    Misplaced {
        /// Which.
        section: SectionId,
        /// Where it must start.
        expected: u64,
        /// Where the table says that it starts.
        found: u64,
    },
    /// The sections do not fill the body.
    #[error("the last section ends at byte {end}, body_length is {body_length}")]
    BodyLength {
        /// End of the last section.
        end: u64,
        /// What the header says.
        body_length: u64,
    },
    /// A kind and form occur twice.
    #[error("section {section} occurs twice")]
    Duplicate {
        /// Which.
        section: SectionId,
    },
    /// A section that must be there is not.
    #[error("section {section} is missing")]
    Missing {
        /// Which.
        section: SectionId,
    },
    /// The first section is not the manifest.
    #[error("the first section is {found}, must be MANI")]
    ManifestNotFirst {
        /// Which it is.
        found: SectionId,
    },
    /// A section belongs to a form that does not exist or must belong to none.
    #[error("section {section} belongs to no form of the manifest")]
    NoSuchForm {
        /// Which.
        section: SectionId,
    },
    /// A critical section that this reader does not know.
    #[error("section {section} may not be ignored, and version 1.{MINOR} does not know it")]
    UnknownCritical {
        /// Which.
        section: SectionId,
    },
    /// A text section is not UTF-8.
    #[error("section {section} is not UTF-8: {source}")]
    NotUtf8 {
        /// Which.
        section: SectionId,
        /// Where.
        source: std::str::Utf8Error,
    },
    /// A JSON section does not hold what it must.
    #[error("section {section}: {source}")]
    Json {
        /// Which.
        section: SectionId,
        /// What and where.
        source: serde_json::Error,
    },
    /// A JSON section has an array where an object must be, or lacks a key.
    #[error("section {section}: {}{key} {problem}", if .key.is_empty() { "it" } else { "" })]
    JsonShape {
        /// Which.
        section: SectionId,
        /// Where, keys joined by dots; empty for the whole of it.
        key: String,
        /// What.
        problem: JsonProblem,
    },
    /// A manifest or labels that `docs/format.md` does not allow.
    #[error("section {section}: {source}")]
    Spec {
        /// Which.
        section: SectionId,
        /// What.
        source: SpecError,
    },
    /// References that `docs/format.md` does not allow.
    #[error("section {section}: {problem}")]
    References {
        /// Which.
        section: SectionId,
        /// What.
        problem: ReferencesProblem,
    },
    /// A word table without an input of words, or the other way round.
    #[error("{}", match .table {
        true => "there is a word table, and the manifest's input is not words",
        false => "the manifest's input is words, and there is no word table",
    })]
    WordTable {
        /// Whether there is one.
        table: bool,
    },
    /// There is a tokenizer exactly if the manifest's input is tokens.
    #[error("{}", match there {
        true => "there is a tokenizer, and the manifest's input is not tokens",
        false => "the manifest's input is tokens, and there is no tokenizer",
    })]
    Tokenizer {
        /// Whether there is one.
        there: bool,
    },
    /// The contents have another number of models than the manifest of forms.
    #[error("the manifest has {forms} forms, there are {models} models")]
    ModelCount {
        /// Forms of the manifest.
        forms: usize,
        /// Models given.
        models: usize,
    },
    /// The signature trailer is not one.
    #[error("the signature at the end of the bundle is broken: {problem}")]
    Trailer {
        /// What is wrong with it.
        problem: TrailerProblem,
    },
    /// The last bytes of the contents would be read as a signature's.
    #[error("the last section ends in the letters that mark a signature, GRFTSIG1")]
    LooksSigned,
}

/// How JSON that could be read still breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// An array stands where an object must.
    #[error("must be an object")]
    NotAnObject,
    /// A key is absent; all are required.
    #[error("is missing")]
    Missing,
}

/// What is wrong with a references section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferencesProblem {
    /// Its version is not 1.
    #[error("its version is {0}, must be 1")]
    Version(u32),
    /// There are too few or too many.
    #[error("there are {0} references, must be 1 to 64")]
    Count(u64),
    /// It answers for another number of labels.
    #[error("it has {found} classes, there are {expected} labels")]
    Classes {
        /// Labels of the bundle.
        expected: usize,
        /// Classes of the section, or logits of one reference.
        found: usize,
    },
    /// Its reserved bytes hold something.
    #[error("its reserved bytes are not zero")]
    NotZero,
    /// It is longer or shorter than its references.
    #[error("it has {found} bytes, its references need {expected}")]
    Length {
        /// Bytes that the references need.
        expected: u64,
        /// Bytes of the section.
        found: u64,
    },
    /// A synthetic picture has an impossible size.
    #[error("reference {index} has a picture of {width} × {height}, each must be 1 to 4096")]
    PictureSize {
        /// Which reference, from 0.
        index: usize,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// A synthetic text has a height.
    #[error("reference {index} has height {height}, of a text it must be 1")]
    TextHeight {
        /// Which reference, from 0.
        index: usize,
        /// What it is.
        height: u32,
    },
    /// A logit is infinite or not a number.
    #[error("logit {logit} of reference {index} is not finite")]
    NotFinite {
        /// Which reference, from 0.
        index: usize,
        /// Which logit, from 0.
        logit: usize,
    },
}

/// What is wrong with a signature trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailerProblem {
    /// The length is out of range.
    #[error("its length is {0}, must be 1 to 4096")]
    Length(u64),
    /// The file is shorter than the signature.
    #[error("it is longer than the file")]
    TooLong,
    /// It is not text.
    #[error("it is not UTF-8")]
    NotUtf8,
}
