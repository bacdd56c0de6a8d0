//! `ReduceMean` and `ReduceSum`.

use crate::autodiff::emit::Emitter;
use crate::autodiff::tape::{Call, Lowered, Refusal, axis};

pub(super) fn reduce(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let op = call.node.op_type();
    let axes = match call.numbers("axes", 1)? {
        Some(axes) if !axes.is_empty() => {
            axes.into_iter().map(|a| axis(a, x.rank())).collect::<Result<Vec<_>, _>>()?
        }
        _ if call.int("noop_with_empty_axes") == Some(1) => Vec::new(),
        _ => (0..x.rank()).collect(),
    };
    let kept = e.reduce(op, &x, &axes);
    let y = e.reshape(&kept, &call.output()?);
    let many: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    let share = if op == "ReduceMean" { 1.0 / many as f64 } else { 1.0 };
    Ok(Lowered::of_first(y, move |e, dy| {
        let dy = e.scaled(dy, share);
        let dy = e.reshape(&dy, &kept.shape);
        e.expand(&dy, &x.shape)
    }))
}
