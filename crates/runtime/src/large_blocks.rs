//! Memory for tensors: an allocator that a program may install.
//!
//! A network allocates a few large blocks for each frame, and frees them in another order.
//! Among all that a program allocates beside them, a general heap finds no room in the gaps
//! that they leave and grows: with MobileNetV2 to twice what is ever in use. Here the blocks
//! of running have a region to themselves, so gaps close, and the region is as large as what
//! is in use at once. What opening a model allocates stays where it is for as long as the
//! model, or is never needed again: it is the system allocator's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};

/// Smaller blocks are the system allocator's.
const LARGE_BYTES: usize = 64 << 10;

/// And so are blocks of more than this: it gives them back as soon as they are free, and
/// one large picture does not make the region large for good.
const HUGE_BYTES: usize = 32 << 20;

/// Blocks begin and end at these.
const GRAIN: usize = 4096;

/// Addresses, of which only what is used becomes memory. On 32 bits they are scarce.
const RESERVED: usize = if cfg!(target_pointer_width = "64") { 4 << 30 } else { 512 << 20 };

/// So much at a time is made readable.
const STEP: usize = 16 << 20;

static IS_ON: AtomicBool = AtomicBool::new(false);
/// Where the region begins; 0 before there is one.
static BASE: AtomicUsize = AtomicUsize::new(0);
static REGION: Mutex<Region> = Mutex::new(Region::new());

/// The allocator; it is the system's until [`LargeBlocks::start`].
///
/// ```no_run
/// use graft_runtime::LargeBlocks;
///
/// #[global_allocator]
/// static ALLOCATOR: LargeBlocks = LargeBlocks;
///
/// LargeBlocks::start();
/// ```
#[derive(Debug)]
pub struct LargeBlocks;

impl LargeBlocks {
    /// From now on large blocks have a region to themselves, if this is the program's
    /// allocator. Where the system gives no addresses for it, or it is full, they are the
    /// system allocator's.
    pub fn start() {
        IS_ON.store(true, Ordering::Relaxed);
    }
}

/// What this thread allocates as long as it lives is the system allocator's.
pub(crate) struct Outside {
    was_outside: bool,
}

thread_local! {
    static IS_OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Outside {
    pub(crate) fn begin() -> Outside {
        Outside { was_outside: IS_OUTSIDE.replace(true) }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        IS_OUTSIDE.set(self.was_outside);
    }
}

// SAFETY: every block is either the system allocator's or one of the region's, and goes
// back to where it is from, which its address tells. The region gives each byte to one
// block at a time; see `Region`.
unsafe impl GlobalAlloc for LargeBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_for_region(layout)
            && let Some(block) = region().take(rounded(layout.size()))
        {
            return block;
        }
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_of_region(block) {
            region().put(block, rounded(layout.size()));
        } else {
            // SAFETY: it was the system allocator that gave it.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_for_region(layout) {
            // SAFETY: the caller's.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's; a block that is there may be written to.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's: the size is none that overflows with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if !is_of_region(block) && !is_for_region(new) {
            // SAFETY: it was the system allocator that gave it.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        if is_of_region(block) && rounded(layout.size()) == rounded(new_size) {
            return block;
        }
        // SAFETY: both blocks are as large as what is copied, and are not the same.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

fn is_for_region(layout: Layout) -> bool {
    (LARGE_BYTES..=HUGE_BYTES).contains(&layout.size())
        && layout.align() <= GRAIN
        && IS_ON.load(Ordering::Relaxed)
        && !IS_OUTSIDE.get()
}

fn is_of_region(block: *mut u8) -> bool {
    let base = BASE.load(Ordering::Relaxed);
    base != 0 && (base..base + RESERVED).contains(&block.addr())
}

/// Of a block of so many bytes. One that was large and is made small stays a block.
fn rounded(size: usize) -> usize {
    size.max(1).next_multiple_of(GRAIN)
}

fn region() -> MutexGuard<'static, Region> {
    // Nothing in it panics.
    REGION.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Blocks next to each other. What is neither free nor above `top` is somebody's.
struct Region {
    base: *mut u8,
    is_tried: bool,
    /// Bytes from the base on that can be read and written.
    usable: usize,
    /// Above it nothing was ever given out.
    top: usize,
    /// Offset and bytes of what is free below it; no two of them touch. Its own nodes
    /// are small blocks, so the region is not asked while it is at work.
    free: BTreeMap<usize, usize>,
}

// SAFETY: the base is an address that stays for as long as the process.
unsafe impl Send for Region {}

impl Region {
    const fn new() -> Region {
        Region { base: ptr::null_mut(), is_tried: false, usable: 0, top: 0, free: BTreeMap::new() }
    }

    /// A block of so many bytes, of the smallest gap that has them.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        if !self.is_there() {
            return None;
        }
        let fits = self.free.iter().filter(|&(_, &bytes)| bytes >= size);
        let best = fits.min_by_key(|&(_, &bytes)| bytes).map(|(&at, &bytes)| (at, bytes));
        let at = match best {
            Some((at, bytes)) => {
                self.free.remove(&at);
                if bytes > size {
                    self.free.insert(at + size, bytes - size);
                }
                at
            }
            None => self.extend(size)?,
        };
        Some(self.base.wrapping_add(at))
    }

    /// A block that ends at a new top; it begins in the gap below the old one, if there
    /// is one.
    fn extend(&mut self, size: usize) -> Option<usize> {
        let last = self.free.last_key_value().filter(|&(at, bytes)| at + bytes == self.top);
        let at = last.map_or(self.top, |(&at, _)| at);
        let top = at.checked_add(size).filter(|&top| top <= RESERVED)?;
        if top > self.usable {
            let more = (top - self.usable).next_multiple_of(STEP).min(RESERVED - self.usable);
            let from = self.base.wrapping_add(self.usable).cast();
            let flags = MprotectFlags::READ | MprotectFlags::WRITE;
            // SAFETY: these addresses are the region's, and nobody has them yet.
            unsafe { mprotect(from, more, flags) }.ok()?;
            self.usable += more;
        }
        self.free.remove(&at);
        self.top = top;
        Some(at)
    }

    /// Takes a block back, and joins it with what is free beside it.
    fn put(&mut self, block: *mut u8, size: usize) {
        let (mut at, mut bytes) = (block.addr() - self.base.addr(), size);
        if let Some((&before, &length)) = self.free.range(..at).next_back()
            && before + length == at
        {
            self.free.remove(&before);
            (at, bytes) = (before, bytes + length);
        }
        if let Some(length) = self.free.remove(&(at + bytes)) {
            bytes += length;
        }
        self.free.insert(at, bytes);
    }

    /// Reserves the addresses, once.
    fn is_there(&mut self) -> bool {
        if !self.is_tried {
            self.is_tried = true;
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
            // SAFETY: the system chooses addresses that nobody has.
            let mapped =
                unsafe { mmap_anonymous(ptr::null_mut(), RESERVED, ProtFlags::empty(), flags) };
            if let Ok(base) = mapped {
                self.base = base.cast();
                BASE.store(self.base.addr(), Ordering::Relaxed);
            }
        }
        !self.base.is_null()
    }
}
