//! `graft report`, end to end with the tiny network: the page, its numbers, and what
//! is refused.

mod page;
mod refusals;

use graft_tests::photos::{BERRY, Class, LEAF, MURKY, folder};
use graft_tests::sandbox::{Said, Sandbox, run, tiny_model};

/// A name that would be a picture and a tag, if it were let.
const HOSTILE: Class = Class { label: "leaf<img src=x onerror=alert(1)>&\"'", colour: LEAF.colour };

/// Photos that are hard to tell apart, so that there is something to learn.
fn murky() -> Sandbox {
    let sandbox = Sandbox::new();
    folder(&sandbox.path("photos"), &[(BERRY, 40), (HOSTILE, 40)], MURKY);
    sandbox
}

/// `graft report photos --backbone TINY`; more words follow.
fn report(sandbox: &Sandbox, words: &str) -> Said {
    let mut command = sandbox.graft(["report", "photos", "--backbone"]);
    run(command.arg(tiny_model()).args(words.split_whitespace()))
}

/// Few epochs of small networks.
const SMALL: &str = "--sizes 3 --seeds 2 --fine-tune last:1 --epochs 2 --scratch-epochs 3 --scratch-size 16 --architecture plain";
