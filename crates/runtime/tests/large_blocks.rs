//! The allocator, as the one of a program: this test's own.

use std::alloc::{GlobalAlloc as _, Layout};
use std::hint::black_box;
use std::thread;

use graft_runtime::LargeBlocks;

#[global_allocator]
static ALLOCATOR: LargeBlocks = LargeBlocks;

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// A block that knows what is in it.
struct Block {
    at: *mut u8,
    layout: Layout,
    mark: u8,
}

impl Block {
    fn new(size: usize, align: usize, mark: u8, zeroed: bool) -> Block {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: no size is 0; what is written is within the block.
        unsafe {
            let at = if zeroed { ALLOCATOR.alloc_zeroed(layout) } else { ALLOCATOR.alloc(layout) };
            assert!(!at.is_null() && at.addr().is_multiple_of(align));
            if zeroed {
                assert!(std::slice::from_raw_parts(at, size).iter().all(|&byte| byte == 0));
            }
            at.write_bytes(mark, size);
            Block { at, layout, mark }
        }
    }

    /// Nobody else has written into it.
    fn check(&self) {
        // SAFETY: it is ours and was written whole.
        let bytes = unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) };
        assert!(bytes.iter().all(|&byte| byte == self.mark));
    }

    fn resize(&mut self, size: usize) {
        self.check();
        // SAFETY: it is ours; what is read is what both sizes have.
        unsafe {
            self.at = ALLOCATOR.realloc(self.at, self.layout, size);
            assert!(!self.at.is_null() && self.at.addr().is_multiple_of(self.layout.align()));
            let kept = std::slice::from_raw_parts(self.at, size.min(self.layout.size()));
            assert!(kept.iter().all(|&byte| byte == self.mark));
            self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            self.at.write_bytes(self.mark, size);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.check();
        // SAFETY: it is ours, with this layout.
        unsafe { ALLOCATOR.dealloc(self.at, self.layout) };
    }
}

/// One of small and large, at the borders too.
fn size(chance: &mut Chance) -> usize {
    match chance.below(4) {
        0 => 1 + chance.below(KB),
        1 => 64 * KB - 2 + chance.below(5),
        2 => 64 * KB + chance.below(200 * KB),
        _ => 1 + chance.below(2 * MB),
    }
}

fn churn(seed: u64) {
    let mut chance = Chance(seed);
    let mut blocks: Vec<Block> = Vec::new();
    for turn in 0..3000 {
        match chance.below(5) {
            0 | 1 if blocks.len() < 40 => {
                let align = 1 << chance.below(14);
                let zeroed = chance.below(2) == 0;
                blocks.push(Block::new(size(&mut chance), align, turn as u8, zeroed));
            }
            2 if !blocks.is_empty() => {
                let at = chance.below(blocks.len());
                let size = size(&mut chance);
                blocks[at].resize(size);
            }
            _ if !blocks.is_empty() => drop(blocks.swap_remove(chance.below(blocks.len()))),
            _ => {}
        }
    }
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * KB
}

/// One test: it is about the whole process, and starts as a program does, without a region.
#[test]
fn blocks_are_kept_apart_and_gaps_close() {
    // What was there before the region goes back to where it is from.
    let before = Block::new(3 * MB, 128, 7, false);
    LargeBlocks::start();
    drop(before);

    // Layers of a network: each output lives until the next is there, and something small
    // that stays is allocated between them. What is in use at once is 8 MB.
    let start = resident();
    let mut small = Vec::new();
    let mut most = 0;
    for frame in 0..50 {
        let mut input = vec![1_u8; 4 * MB];
        for layer in 0..20 {
            let output = vec![layer as u8; MB * (1 + (layer * 7 + frame) % 4)];
            small.push(black_box(vec![0_u8; 100]));
            input = black_box(output);
        }
        drop(input);
        most = most.max(resident().saturating_sub(start));
    }
    println!("{most} bytes more for 8 MB in use");
    assert!((6 * MB..10 * MB).contains(&most), "{most}");
    drop(small);

    thread::scope(|scope| {
        for seed in 1..5 {
            scope.spawn(move || churn(seed));
        }
    });
}
