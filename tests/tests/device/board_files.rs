//! `firmware/boards/*.toml`: what is known of a board.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A board, as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    pub name: String,
    pub arch: Arch,
    pub target: String,
    /// As qemu names it.
    pub cpu: String,
    pub console: String,
    pub budget: Budget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    Aarch64,
    Armv7,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub graftd_bytes: u64,
    /// Of the one with tokenizers.
    pub graftd_tokens_bytes: u64,
    pub resident_bytes: u64,
}

impl Arch {
    pub const ALL: [Arch; 2] = [Arch::Aarch64, Arch::Armv7];

    /// The name of its folder in `target/device`.
    pub fn folder(self) -> &'static str {
        match self {
            Arch::Aarch64 => "aarch64",
            Arch::Armv7 => "armv7",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Arch::Aarch64 => "aarch64-unknown-linux-gnu",
            Arch::Armv7 => "armv7-unknown-linux-gnueabihf",
        }
    }

    /// The most that graftd may weigh: 8 MB and 7.5 MB, a megabyte being 1,000,000
    /// bytes. A board may allow less.
    fn most_graftd_bytes(self) -> u64 {
        match self {
            Arch::Aarch64 => 8_000_000,
            Arch::Armv7 => 7_500_000,
        }
    }
}

/// All boards, by the name of their file.
pub fn boards() -> BTreeMap<String, Board> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/boards");
    let files = fs::read_dir(&folder).expect("firmware/boards can be read");
    files
        .map(|file| {
            let path = file.expect("firmware/boards can be read").path();
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a board file can be read");
            let board = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, board)
        })
        .collect()
}

#[test]
fn board_files_say_what_is_needed_and_nothing_unknown() {
    let boards = boards();
    for arch in Arch::ALL {
        assert!(boards.values().any(|board| board.arch == arch), "no board is {arch:?}");
    }
    for (file, board) in &boards {
        assert_eq!(board.target, board.arch.target(), "{file}");
        assert!(board.budget.graftd_bytes <= board.arch.most_graftd_bytes(), "{file}");
        assert!(board.budget.graftd_bytes < board.budget.graftd_tokens_bytes, "{file}");
        assert!(board.budget.resident_bytes > board.budget.graftd_tokens_bytes, "{file}");
        assert!(!board.name.is_empty() && board.console.starts_with("tty"), "{file}");
    }
}

#[test]
fn an_unknown_key_is_an_error() {
    let known = "name = \"x\"\narch = \"armv7\"\ntarget = \"t\"\ncpu = \"c\"\nconsole = \"tty\"\n\
                 [budget]\ngraftd_bytes = 1\ngraftd_tokens_bytes = 2\nresident_bytes = 3\n";
    toml::from_str::<Board>(known).expect("every key is known");
    let error = toml::from_str::<Board>(&format!("{known}ram = 3\n")).expect_err("ram is unknown");
    assert!(error.to_string().contains("unknown field `ram`"), "{error}");
}
