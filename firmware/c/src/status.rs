//! What a call returns.

/// What a call returns. Whatever is not GRAFT_OK has a text: graft_error().
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum graft_status {
    /// Done.
    GRAFT_OK = 0,
    /// The call breaks a rule of this header: a NULL pointer, a struct without
    /// its size, a model that another thread is using.
    GRAFT_MISUSE = 1,
    /// The bundle's file cannot be read.
    GRAFT_FILE = 2,
    /// The bytes are no bundle, or a damaged one.
    GRAFT_BUNDLE = 3,
    /// The bundle is not signed with the key that was demanded.
    GRAFT_SIGNATURE = 4,
    /// The engine cannot run this bundle's network.
    GRAFT_NETWORK = 5,
    /// The bundle does not answer here as it did on the host.
    GRAFT_DIFFERS = 6,
    /// graft_verify() has not succeeded for this model yet.
    GRAFT_UNVERIFIED = 7,
    /// The numbers of a frame do not fit each other.
    GRAFT_FRAME = 8,
    /// The bytes are no picture that can be read.
    GRAFT_PICTURE = 9,
    /// The engine gave no answer for this frame or text. The model stays usable.
    GRAFT_ENGINE = 10,
    /// A bug in the library, caught. The model of that call can only be closed.
    GRAFT_PANICKED = 11,
    /// The bytes are no text: they are not UTF-8.
    GRAFT_TEXT = 12,
}
