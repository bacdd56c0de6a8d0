//! Where the windows of convolutions and pools lie, in any number of axes.

use crate::eval::Evaluation;

/// How windows step over one tensor, an entry for each axis of space.
pub(super) struct Windows {
    /// Lengths of what the windows lie on.
    pub(super) input: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    /// How many windows there are.
    pub(super) output: Vec<usize>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    begins: Vec<i64>,
    ends: Vec<i64>,
}

/// One value under one window; flat indices into the windows, the kernel and the
/// input.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) output: usize,
    pub(super) tap: usize,
    pub(super) input: usize,
}

impl Windows {
    /// As convolutions and pools state them.
    pub(super) fn over(of: &Evaluation<'_>, input: &[usize], kernel: &[usize]) -> Option<Windows> {
        let mut windows = Windows::stated(of, input, kernel)?;
        let ceil = of.int("ceil_mode") == Some(1);
        for (a, &length) in input.iter().enumerate() {
            let (length, stride, extent) = (length as i64, windows.strides[a], windows.extent(a));
            let count = match of.text("auto_pad", "NOTSET") {
                "NOTSET" => {
                    let (begin, end) = (windows.begins[a], windows.ends[a]);
                    let span = length + begin + end - extent;
                    let count = if ceil { span + stride - 1 } else { span }.div_euclid(stride) + 1;
                    // One that would begin in the padding at the end is left out.
                    let begins_outside = ceil && (count - 1) * stride >= length + begin;
                    count - i64::from(begins_outside)
                }
                "VALID" => (length - extent).div_euclid(stride) + 1,
                same => {
                    let count = (length + stride - 1) / stride;
                    let padding = ((count - 1) * stride + extent - length).max(0);
                    windows.pad_same(a, padding, same)?;
                    count
                }
            };
            windows.output[a] = usize::try_from(count).ok()?;
        }
        Some(windows)
    }

    /// Those of a transposed convolution from `output` windows; what they lie on
    /// follows from them.
    pub(super) fn under(
        of: &Evaluation<'_>,
        output: &[usize],
        kernel: &[usize],
    ) -> Option<Windows> {
        let mut windows = Windows::stated(of, output, kernel)?;
        windows.output = output.to_vec();
        for a in 0..output.len() {
            let more = of.list("output_padding").map_or(Some(0), |list| list.get(a).copied())?;
            let stride = windows.strides[a];
            let full = stride * (output[a] as i64 - 1) + more + windows.extent(a);
            let wanted = match (of.list("output_shape"), of.text("auto_pad", "NOTSET")) {
                (Some(shape), _) => Some(*shape.get((shape.len() + a).checked_sub(output.len())?)?),
                (None, "SAME_UPPER" | "SAME_LOWER") => Some(output[a] as i64 * stride),
                (None, _) => None,
            };
            let length = match wanted {
                None => full - windows.begins[a] - windows.ends[a],
                Some(length) => {
                    let side = match of.text("auto_pad", "NOTSET") {
                        "SAME_UPPER" => "SAME_UPPER",
                        _ => "SAME_LOWER",
                    };
                    windows.pad_same(a, (full - length).max(0), side)?;
                    length
                }
            };
            windows.input[a] = usize::try_from(length).ok()?;
        }
        Some(windows)
    }

    fn stated(of: &Evaluation<'_>, lengths: &[usize], kernel: &[usize]) -> Option<Windows> {
        let rank = lengths.len();
        let each = |name: &str, default: i64, count: usize| match of.list(name) {
            None => Some(vec![default; count]),
            Some(list) => (list.len() == count).then(|| list.to_vec()),
        };
        let pads = each("pads", 0, 2 * rank)?;
        let (begins, ends) = pads.split_at(rank);
        let windows = Windows {
            input: lengths.to_vec(),
            kernel: kernel.to_vec(),
            output: vec![0; rank],
            strides: each("strides", 1, rank)?,
            dilations: each("dilations", 1, rank)?,
            begins: begins.to_vec(),
            ends: ends.to_vec(),
        };
        let steps = windows.strides.iter().chain(&windows.dilations);
        (kernel.len() == rank && steps.into_iter().all(|&step| step > 0)).then_some(windows)
    }

    /// What one window spans.
    fn extent(&self, axis: usize) -> i64 {
        (self.kernel[axis] as i64 - 1) * self.dilations[axis] + 1
    }

    fn pad_same(&mut self, axis: usize, padding: i64, side: &str) -> Option<()> {
        let less = padding / 2;
        self.begins[axis] = match side {
            "SAME_UPPER" => less,
            "SAME_LOWER" => padding - less,
            _ => return None,
        };
        self.ends[axis] = padding - self.begins[axis];
        Some(())
    }

    /// Where tap `tap` of window `output` lies along an axis; outside it is negative
    /// or beyond the input.
    fn position(&self, axis: usize, output: usize, tap: usize) -> i64 {
        output as i64 * self.strides[axis] + tap as i64 * self.dilations[axis] - self.begins[axis]
    }

    /// All that lies inside the input. The hits of one window are in the order of its
    /// taps.
    pub(super) fn hits(&self) -> Vec<Hit> {
        let mut hits = vec![Hit { output: 0, tap: 0, input: 0 }];
        for a in 0..self.input.len() {
            let (output, kernel, input) = (self.output[a], self.kernel[a], self.input[a]);
            let pairs = (0..output).flat_map(|o| (0..kernel).map(move |t| (o, t)));
            let along: Vec<Hit> = pairs
                .filter_map(|(o, t)| {
                    let at = usize::try_from(self.position(a, o, t)).ok()?;
                    (at < input).then_some(Hit { output: o, tap: t, input: at })
                })
                .collect();
            let deeper = |hit: &Hit| {
                let Hit { output: o, tap: t, input: i } = *hit;
                along.iter().map(move |next| Hit {
                    output: o * output + next.output,
                    tap: t * kernel + next.tap,
                    input: i * input + next.input,
                })
            };
            hits = hits.iter().flat_map(deeper).collect();
        }
        hits
    }

    /// How many taps of each window lie on the input or its padding: fewer than the
    /// kernel has where windows are counted up.
    pub(super) fn taps_on_padded(&self) -> Vec<usize> {
        let mut counts = vec![1];
        for a in 0..self.input.len() {
            let padded = -self.begins[a]..self.input[a] as i64 + self.ends[a];
            let inside = |o: usize| {
                (0..self.kernel[a]).filter(|&t| padded.contains(&self.position(a, o, t))).count()
            };
            let along: Vec<usize> = (0..self.output[a]).map(inside).collect();
            counts = counts.iter().flat_map(|n| along.iter().map(move |m| n * m)).collect();
        }
        counts
    }
}
