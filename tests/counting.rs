//! An allocator that counts, for tests of what a frame allocates. They include this
//! file (`#[path]`): an allocator is a program's, so no library can bring it.

#![allow(dead_code, reason = "a test counts its thread or its process, not both")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

static OF_PROCESS: AtomicU64 = AtomicU64::new(0);

/// Allocations of this thread until now.
pub fn of_this_thread() -> u64 {
    OF_THREAD.get()
}

/// Allocations of all threads until now.
pub fn of_the_process() -> u64 {
    OF_PROCESS.load(Ordering::Relaxed)
}

struct Counting;

fn count() {
    OF_THREAD.set(OF_THREAD.get() + 1);
    OF_PROCESS.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: everything is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
