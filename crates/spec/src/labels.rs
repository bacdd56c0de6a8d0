use crate::SpecError;

/// The most labels a bundle can have.
pub const MAX_LABELS: usize = 65_536;
const MAX_LABEL_BYTES: usize = 256;

/// The names of the classes, in the order of the logits.
///
/// At least two, no two alike; each is 1 to 256 bytes without control
/// characters or white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Vec<String>);

impl Labels {
    /// Checks the names.
    pub fn new(names: Vec<String>) -> Result<Labels, SpecError> {
        let wrong = |problem: String| Err(SpecError::new("labels", problem));
        if names.len() < 2 {
            return wrong(format!("there are {}, at least 2 are needed", names.len()));
        }
        if names.len() > MAX_LABELS {
            return wrong(format!("there are {}, at most {MAX_LABELS} are allowed", names.len()));
        }
        let mut seen = std::collections::HashSet::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            if name.is_empty() || name.len() > MAX_LABEL_BYTES {
                return wrong(format!(
                    "label {i} has {} bytes, must have 1 to {MAX_LABEL_BYTES}",
                    name.len()
                ));
            }
            if name.chars().any(char::is_control) {
                return wrong(format!("label {i}, {name:?}, has a control character"));
            }
            if name.trim() != name {
                return wrong(format!("label {i}, {name:?}, begins or ends with white space"));
            }
            if !seen.insert(name.as_str()) {
                return wrong(format!("{name:?} occurs twice"));
            }
        }
        Ok(Labels(names))
    }

    /// Reads the text of a `LABL` section: one label a line, each ended by LF.
    pub fn from_lines(text: &str) -> Result<Labels, SpecError> {
        let Some(body) = text.strip_suffix('\n') else {
            return Err(SpecError::new("labels", "the last line has no line end"));
        };
        // Counted first, so that a hostile section cannot make us allocate
        // millions of strings.
        let count = body.split('\n').count();
        if count > MAX_LABELS {
            return Err(SpecError::new(
                "labels",
                format!("there are {count}, at most {MAX_LABELS} are allowed"),
            ));
        }
        Labels::new(body.split('\n').map(str::to_owned).collect())
    }

    /// The text of a `LABL` section.
    pub fn to_lines(&self) -> String {
        self.0.iter().flat_map(|name| [name.as_str(), "\n"]).collect()
    }

    /// The names, in the order of the logits.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The index of a name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|n| n == name)
    }
}

impl std::ops::Index<usize> for Labels {
    type Output = str;

    fn index(&self, index: usize) -> &str {
        &self.0[index]
    }
}
