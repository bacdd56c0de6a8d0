//! A tensor as lines of values along one axis, or along several that are one in
//! memory.

use std::ops::Range;

#[derive(Clone, Copy)]
pub(super) struct Lanes {
    outer: usize,
    pub(super) length: usize,
    inner: usize,
}

impl Lanes {
    pub(super) fn along(dims: &[usize], axes: Range<usize>) -> Lanes {
        Lanes {
            outer: dims[..axes.start].iter().product(),
            length: dims[axes.clone()].iter().product(),
            inner: dims[axes.end..].iter().product(),
        }
    }

    /// The place of the value `i` of each lane, lane by lane.
    pub(super) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.outer)
            .flat_map(move |o| (0..self.inner).map(move |i| o * self.length * self.inner + i))
    }

    pub(super) fn place(self, start: usize, i: usize) -> usize {
        start + i * self.inner
    }

    /// The same shape, with each lane replaced by what is made of it; all in the
    /// order of the tensor.
    pub(super) fn map(self, values: &[f64], make: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let mut made = vec![0.0; values.len()];
        for start in self.starts() {
            let lane: Vec<f64> = (0..self.length).map(|i| values[self.place(start, i)]).collect();
            for (i, value) in make(&lane).into_iter().enumerate() {
                made[self.place(start, i)] = value;
            }
        }
        made
    }
}
