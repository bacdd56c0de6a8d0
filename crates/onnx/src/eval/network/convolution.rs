use super::windows::Windows;
use crate::eval::Evaluation;
use crate::eval::value::Value;

pub(super) fn conv(of: &Evaluation<'_>) -> Option<Value> {
    let (x, w) = (of.input(0)?, of.input(1)?);
    let ([batch, channels, space @ ..], [maps, fan_in, kernel @ ..]) = (&x.dims[..], &w.dims[..])
    else {
        return None;
    };
    let groups = usize::try_from(of.int("group").unwrap_or(1)).ok().filter(|&g| g > 0)?;
    if fan_in * groups != *channels || maps % groups != 0 {
        return None;
    }
    let windows = Windows::over(of, space, kernel)?;
    let hits = windows.hits();
    let (values, weights) = (x.reals()?, w.reals()?);
    let taps: usize = kernel.iter().product();
    let (area, out_area) = (space.iter().product::<usize>(), windows.output.iter().product());
    let mut sums = with_bias(of, *batch, *maps, out_area)?;
    for n in 0..*batch {
        for m in 0..*maps {
            let sums = &mut sums[(n * maps + m) * out_area..][..out_area];
            for c in 0..*fan_in {
                let channel = m / (maps / groups) * fan_in + c;
                let values = &values[(n * channels + channel) * area..][..area];
                let weights = &weights[(m * fan_in + c) * taps..][..taps];
                for hit in &hits {
                    sums[hit.output] += weights[hit.tap] * values[hit.input];
                }
            }
        }
    }
    let dims = [&[*batch, *maps], &windows.output[..]].concat();
    Some(Value::real_of(x.element, dims, sums))
}

pub(super) fn conv_transpose(of: &Evaluation<'_>) -> Option<Value> {
    let (x, w) = (of.input(0)?, of.input(1)?);
    let ([batch, channels, space @ ..], [fan_in, fan_out, kernel @ ..]) =
        (&x.dims[..], &w.dims[..])
    else {
        return None;
    };
    let groups = usize::try_from(of.int("group").unwrap_or(1)).ok().filter(|&g| g > 0)?;
    if fan_in != channels || channels % groups != 0 {
        return None;
    }
    let maps = fan_out * groups;
    let windows = Windows::under(of, space, kernel)?;
    let hits = windows.hits();
    let (values, weights) = (x.reals()?, w.reals()?);
    let taps: usize = kernel.iter().product();
    let (area, out_area) = (space.iter().product::<usize>(), windows.input.iter().product());
    let mut sums = with_bias(of, *batch, maps, out_area)?;
    for n in 0..*batch {
        for c in 0..*channels {
            let values = &values[(n * channels + c) * area..][..area];
            for m in 0..*fan_out {
                let map = c / (channels / groups) * fan_out + m;
                let sums = &mut sums[(n * maps + map) * out_area..][..out_area];
                let weights = &weights[(c * fan_out + m) * taps..][..taps];
                for hit in &hits {
                    sums[hit.input] += weights[hit.tap] * values[hit.output];
                }
            }
        }
    }
    let dims = [&[*batch, maps], &windows.input[..]].concat();
    Some(Value::real_of(x.element, dims, sums))
}

/// What the sums begin with.
fn with_bias(of: &Evaluation<'_>, batch: usize, maps: usize, area: usize) -> Option<Vec<f64>> {
    match of.input(2) {
        None => Some(vec![0.0; batch * maps * area]),
        Some(bias) => {
            let bias = bias.reals().filter(|bias| bias.len() == maps)?;
            let one = bias.iter().flat_map(|&b| std::iter::repeat_n(b, area));
            Some(one.collect::<Vec<_>>().repeat(batch))
        }
    }
}
