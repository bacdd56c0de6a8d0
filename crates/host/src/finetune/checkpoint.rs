//! Where a fine-tuning stands after an epoch, as a file: whoever goes on from it
//! comes to the very result of who was never interrupted.
//!
//! Layout, little-endian: `GRFTCKPT`, version, length of the JSON header, the
//! header, the values of all its tensors, SHA-256 of all before. There is no
//! generator's state in it: every random number follows from the recipe's seed,
//! the epoch and the example.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::EpochFacts;
use crate::atomic::{WriteError, remove_left, write_whole};
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"GRFTCKPT";
const VERSION: u32 = 1;
const FILE: &str = "checkpoint.bin";
const RECIPE: &str = "recipe.toml";

/// Where checkpoints go, and whether to go on from the one that is there.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The folder; it is made.
    pub folder: PathBuf,
    /// Go on from the checkpoint there; if not, there must be none. A run that ended
    /// before its first one left its recipe, and is begun anew.
    pub resume: bool,
}

/// What a checkpoint must belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Belongs {
    pub(super) recipe: String,
    /// Photos, labels and parts.
    pub(super) data: String,
    /// The backbone, where its head is and where its tuning begins.
    pub(super) network: String,
}

/// Where training stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Saved {
    pub(super) epochs: usize,
    pub(super) steps: usize,
    pub(super) history: Vec<EpochFacts>,
    pub(super) best: Best,
    /// Weights and moments.
    pub(super) state: Vec<Vec<f32>>,
}

/// The weights that are kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    pub(super) epoch: usize,
    /// Of the stop part; infinite if there is none.
    pub(super) loss: f64,
    pub(super) weights: Vec<Vec<f32>>,
}

/// A checkpoint that is of no use, or in the way.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error("cannot read the checkpoint {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The folder can't be made.
    #[error("cannot make the folder {} for checkpoints", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// It can't be written.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// Nothing to go on from.
    #[error("there is no checkpoint in {}", folder.display())]
    Nothing { folder: PathBuf },
    /// Beginning anew would lose what somebody computed.
    #[error("{} holds the checkpoint of an unfinished run, {epochs} epochs in", folder.display())]
    Unfinished { folder: PathBuf, epochs: usize },
    /// Not a checkpoint, or a damaged one.
    #[error("{} is no whole checkpoint: {problem}", path.display())]
    Damaged { path: PathBuf, problem: &'static str },
    /// Of another run.
    #[error("the checkpoint in {} is of {other}, and cannot be gone on from", folder.display())]
    Other { folder: PathBuf, other: Other },
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Its recipe.
    Recipe,
    /// Its photos, labels or split.
    Data,
    /// Its backbone or cut.
    Network,
}

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Other::Recipe => "another recipe",
            Other::Data => "other data",
            Other::Network => "another network",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    belongs: Belongs,
    epochs: usize,
    steps: usize,
    history: Vec<EpochFacts>,
    best_epoch: usize,
    /// The bits of an f64, which no decimal may change.
    best_loss_bits: u64,
    /// Lengths, in the order of the values.
    best: Vec<usize>,
    state: Vec<usize>,
}

/// The folder of a run's checkpoints, open.
pub(super) struct Shelf<'a> {
    folder: &'a Path,
    belongs: Belongs,
}

impl<'a> Shelf<'a> {
    /// Makes the folder, and finds what there is to go on from, if that is asked.
    /// `lengths` are those of weights (as many as there are) and of the state.
    pub(super) fn open(
        checkpoints: &'a Checkpoints,
        belongs: Belongs,
        recipe: &str,
        lengths: (&[usize], &[usize]),
    ) -> Result<(Shelf<'a>, Option<Saved>), CheckpointError> {
        let folder = &checkpoints.folder;
        let Some((of, saved)) = checkpoints.find(recipe)? else {
            let fail = |source| CheckpointError::Folder { path: folder.clone(), source };
            std::fs::create_dir_all(folder).map_err(fail)?;
            // For who looks into the folder, for `--recipe`, and for who goes on when
            // this ends before its first checkpoint.
            write_whole(&folder.join(RECIPE), recipe.as_bytes())?;
            return Ok((Shelf { folder, belongs }, None));
        };
        let same = |values: &[Vec<f32>], lengths: &[usize]| {
            values.iter().map(Vec::len).eq(lengths.iter().copied())
        };
        let whole = same(&saved.best.weights, lengths.0) && same(&saved.state, lengths.1);
        if of.network != belongs.network || !whole {
            return Err(checkpoints.of(Other::Network));
        }
        if of.data != belongs.data {
            return Err(checkpoints.of(Other::Data));
        }
        Ok((Shelf { folder, belongs }, Some(saved)))
    }

    pub(super) fn save(&self, saved: &Saved) -> Result<(), CheckpointError> {
        Ok(write_whole(&self.folder.join(FILE), &encode(&self.belongs, saved))?)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }
}

impl Checkpoints {
    /// Whether a run by this recipe may begin here, or go on, as far as can be known
    /// before the work.
    pub(super) fn check(&self, recipe: &str) -> Result<(), CheckpointError> {
        self.find(recipe).map(drop)
    }

    /// What there is to go on from, if that is asked.
    fn find(&self, recipe: &str) -> Result<Option<(Belongs, Saved)>, CheckpointError> {
        let Checkpoints { folder, resume } = self;
        let path = folder.join(FILE);
        let there = match std::fs::File::open(&path) {
            Ok(file) => Some(read(file, &path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(CheckpointError::Read { path, source }),
        };
        match (there, resume) {
            (None, false) => Ok(None),
            (None, true) => match std::fs::read_to_string(folder.join(RECIPE)) {
                Ok(begun) if begun == recipe => Ok(None),
                Ok(_) => Err(self.of(Other::Recipe)),
                Err(_) => Err(CheckpointError::Nothing { folder: folder.clone() }),
            },
            (Some(found), false) => {
                let epochs = found.map(|(_, saved)| saved.epochs).unwrap_or(0);
                Err(CheckpointError::Unfinished { folder: folder.clone(), epochs })
            }
            (Some(found), true) => {
                let found = found?;
                match found.0.recipe == Digest::of(recipe.as_bytes()).to_string() {
                    true => Ok(Some(found)),
                    false => Err(self.of(Other::Recipe)),
                }
            }
        }
    }

    fn of(&self, other: Other) -> CheckpointError {
        CheckpointError::Other { folder: self.folder.clone(), other }
    }

    /// Removes what a finished run has no more use for; the folder too if nothing
    /// else is in it.
    pub fn remove(&self) {
        // What can't be removed is in nobody's way but the next run's, which says so.
        let _ = std::fs::remove_file(self.folder.join(FILE));
        let _ = std::fs::remove_file(self.folder.join(RECIPE));
        for name in [FILE, RECIPE] {
            remove_left(&self.folder, name.as_ref());
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}

fn encode(belongs: &Belongs, saved: &Saved) -> Vec<u8> {
    let lengths = |values: &[Vec<f32>]| values.iter().map(Vec::len).collect();
    let header = serde_json::to_vec(&Header {
        belongs: belongs.clone(),
        epochs: saved.epochs,
        steps: saved.steps,
        history: saved.history.clone(),
        best_epoch: saved.best.epoch,
        best_loss_bits: saved.best.loss.to_bits(),
        best: lengths(&saved.best.weights),
        state: lengths(&saved.state),
    })
    .expect("invariant: a header is numbers and text");
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    for values in saved.best.weights.iter().chain(&saved.state) {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(&digest.0);
    bytes
}

fn read(mut file: std::fs::File, path: &Path) -> Result<(Belongs, Saved), CheckpointError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|source| CheckpointError::Read { path: path.to_path_buf(), source })?;
    decode(&bytes).map_err(|problem| CheckpointError::Damaged { path: path.to_path_buf(), problem })
}

/// Total: any bytes are a checkpoint or a reason why not.
fn decode(bytes: &[u8]) -> Result<(Belongs, Saved), &'static str> {
    const CUT: &str = "it is cut short";
    if !bytes.starts_with(MAGIC) {
        return Err("it does not begin as one");
    }
    let number = |at: usize| -> Option<u64> {
        Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    };
    let version = bytes.get(8..12).ok_or(CUT)?;
    if version != VERSION.to_le_bytes() {
        return Err("another version of graft wrote it");
    }
    let (body, digest) = bytes.split_at_checked(bytes.len().saturating_sub(32)).ok_or(CUT)?;
    if Digest::of(body).0 != digest {
        return Err("its checksum is wrong");
    }
    let length = usize::try_from(number(12).ok_or(CUT)?).map_err(|_| CUT)?;
    let end = length.checked_add(20).ok_or(CUT)?;
    let header: Header = serde_json::from_slice(body.get(20..end).ok_or(CUT)?)
        .map_err(|_| "its header means nothing")?;
    let mut rest = body.get(end..).ok_or(CUT)?;
    let mut take = |lengths: &[usize]| -> Result<Vec<Vec<f32>>, &'static str> {
        let mut tensors = Vec::new();
        for length in lengths {
            let bytes = length.checked_mul(4).ok_or(CUT)?;
            let (values, after) = rest.split_at_checked(bytes).ok_or(CUT)?;
            rest = after;
            let values = values.as_chunks::<4>().0;
            tensors.push(values.iter().map(|value| f32::from_le_bytes(*value)).collect());
        }
        Ok(tensors)
    };
    let weights = take(&header.best)?;
    let state = take(&header.state)?;
    if !rest.is_empty() {
        return Err("it has more values than its header says");
    }
    let best =
        Best { epoch: header.best_epoch, loss: f64::from_bits(header.best_loss_bits), weights };
    let Header { belongs, epochs, steps, history, .. } = header;
    Ok((belongs, Saved { epochs, steps, history, best, state }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE_TEXT: &str = "epochs = 3";

    fn belongs() -> Belongs {
        let text = |text: &str| text.to_owned();
        let recipe = Digest::of(RECIPE_TEXT.as_bytes()).to_string();
        Belongs { recipe, data: text("d"), network: text("n") }
    }

    fn saved() -> Saved {
        let facts = EpochFacts {
            epoch: 3,
            loss: Some(0.1),
            stop_loss: Some(0.2),
            stop_accuracy: None,
            rate: 1e-4,
            seconds: 1.5,
        };
        Saved {
            epochs: 3,
            steps: 30,
            history: vec![facts],
            best: Best { epoch: 2, loss: 0.1 + 0.2, weights: vec![vec![1.0, -0.0], vec![]] },
            state: vec![vec![0.5, f32::MIN_POSITIVE], vec![], vec![3.0]],
        }
    }

    #[test]
    fn reads_what_it_writes_to_the_bit() {
        let bytes = encode(&belongs(), &saved());
        assert_eq!(decode(&bytes).unwrap(), (belongs(), saved()));
    }

    #[test]
    fn any_damage_is_a_reason_and_no_panic() {
        let bytes = encode(&belongs(), &saved());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(decode(&bytes).is_err(), "flipped at {at}");
        }
        // With a right checksum over lengths that lie.
        let mut header: Vec<u8> = bytes[..bytes.len() - 32].to_vec();
        header[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
        let digest = Digest::of(&header);
        header.extend_from_slice(&digest.0);
        assert_eq!(decode(&header), Err("it is cut short"));
    }

    #[test]
    fn a_shelf_gives_only_what_belongs_to_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = |resume| Checkpoints { folder: folder.path().join("c"), resume };
        let by = |recipe: &str, checkpoints: &Checkpoints, belongs: Belongs| {
            let found = Shelf::open(checkpoints, belongs, recipe, (&[2, 0], &[2, 0, 1]));
            found.map(|(_, saved)| saved).map_err(|e| e.to_string())
        };
        let open = |checkpoints: &Checkpoints, belongs| by(RECIPE_TEXT, checkpoints, belongs);
        assert!(open(&at(true), belongs()).unwrap_err().contains("no checkpoint in"));
        assert_eq!(open(&at(false), belongs()).unwrap(), None);
        // Ended before its first checkpoint: it is known by its recipe.
        assert_eq!(open(&at(true), belongs()).unwrap(), None);
        assert!(by("epochs = 4", &at(true), belongs()).unwrap_err().contains("another recipe"));
        let checkpoints = at(false);
        let lengths: (&[usize], &[usize]) = (&[2, 0], &[2, 0, 1]);
        let (shelf, _) = Shelf::open(&checkpoints, belongs(), RECIPE_TEXT, lengths).unwrap();
        shelf.save(&saved()).unwrap();
        assert_eq!(open(&at(true), belongs()).unwrap(), Some(saved()));
        assert!(open(&at(false), belongs()).unwrap_err().contains("unfinished run, 3 epochs in"));
        for (other, words) in [
            (Belongs { data: "x".to_owned(), ..belongs() }, "other data"),
            (Belongs { network: "x".to_owned(), ..belongs() }, "another network"),
        ] {
            assert!(open(&at(true), other).unwrap_err().contains(words));
        }
        assert!(by("epochs = 4", &at(true), belongs()).unwrap_err().contains("another recipe"));
        std::fs::write(folder.path().join("c/.checkpoint.binabc123.part"), b"half").unwrap();
        std::fs::write(shelf.path(), b"no checkpoint").unwrap();
        assert!(open(&at(true), belongs()).unwrap_err().contains("does not begin as one"));
        checkpoints.remove();
        assert!(!folder.path().join("c").exists());
    }
}
