//! Geometry of convolutions and pools, as a node states it.

use crate::autodiff::emit::Window;
use crate::autodiff::tape::{Call, Refusal};

/// Of a node whose input has these sides, and whose output those.
pub(super) fn window(
    call: &Call<'_>,
    kernel: &[usize],
    input: &[usize],
    output: &[usize],
) -> Result<Window, Refusal> {
    let axes = kernel.len();
    if axes == 0 || input.len() != axes || output.len() != axes || kernel.contains(&0) {
        return Err(Refusal::new("its kernel does not fit its input"));
    }
    let lengths = |name: &str, default: usize| -> Result<Vec<usize>, Refusal> {
        match call.ints(name) {
            None => Ok(vec![default; axes]),
            Some(values) if values.len() == axes && values.iter().all(|&v| v >= 1) => {
                Ok(values.iter().map(|&v| v as usize).collect())
            }
            Some(_) => Err(Refusal::new(format!("its {name} are not one number above 0 an axis"))),
        }
    };
    let mut window = Window {
        kernel: kernel.to_vec(),
        strides: lengths("strides", 1)?,
        dilations: lengths("dilations", 1)?,
        before: vec![0; axes],
        after: vec![0; axes],
    };
    match call.text("auto_pad") {
        Some(mode @ ("SAME_UPPER" | "SAME_LOWER")) => {
            for axis in 0..axes {
                let covered = (output[axis] - 1) * window.strides[axis] + window.reach(axis);
                let missing = covered.saturating_sub(input[axis]);
                let less = missing / 2;
                let (before, after) = match mode {
                    "SAME_UPPER" => (less, missing - less),
                    _ => (missing - less, less),
                };
                (window.before[axis], window.after[axis]) = (before, after);
            }
        }
        Some("VALID") => {}
        _ => {
            if let Some(pads) = call.ints("pads") {
                if pads.len() != 2 * axes || pads.iter().any(|&pad| pad < 0) {
                    return Err(Refusal::new("its pads are negative or not two an axis"));
                }
                window.before = pads[..axes].iter().map(|&pad| pad as usize).collect();
                window.after = pads[axes..].iter().map(|&pad| pad as usize).collect();
            }
        }
    }
    Ok(window)
}
