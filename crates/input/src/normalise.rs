use graft_spec::{Colour, ImageSpec, Layout};

/// What a byte becomes, for each channel of a network.
///
/// A table, not a multiply-add: the division is done once in f64 and rounded
/// once to f32, so that the value does not depend on whether a compiler or a
/// CPU fuses the operations.
pub(crate) struct Table {
    /// In the network's order; all three are equal for grey.
    channels: [[f32; 256]; 3],
    colour: Colour,
    layout: Layout,
}

impl Table {
    /// Of a checked spec.
    pub fn new(spec: &ImageSpec) -> Table {
        let channel = |c: usize| -> [f32; 256] {
            let (scale, mean, std) =
                (f64::from(spec.scale), f64::from(spec.mean[c]), f64::from(spec.std[c]));
            std::array::from_fn(|p| ((p as f64 / scale - mean) / std) as f32)
        };
        let channels = match spec.colour {
            Colour::Rgb | Colour::Bgr => [channel(0), channel(1), channel(2)],
            Colour::Grey => [channel(0); 3],
        };
        Table { channels, colour: spec.colour, layout: spec.layout }
    }

    /// Writes RGB pixels as a tensor. The lengths must fit.
    pub fn write(&self, rgb: &[u8], tensor: &mut [f32]) {
        let [first, second, third] = &self.channels;
        match (self.colour, self.layout) {
            (Colour::Rgb, Layout::Nchw) => planes([first, second, third], rgb, tensor, [0, 1, 2]),
            (Colour::Bgr, Layout::Nchw) => planes([third, second, first], rgb, tensor, [2, 1, 0]),
            (Colour::Rgb, Layout::Nhwc) => {
                for (to, p) in tensor.chunks_exact_mut(3).zip(rgb.chunks_exact(3)) {
                    to[0] = first[usize::from(p[0])];
                    to[1] = second[usize::from(p[1])];
                    to[2] = third[usize::from(p[2])];
                }
            }
            (Colour::Bgr, Layout::Nhwc) => {
                for (to, p) in tensor.chunks_exact_mut(3).zip(rgb.chunks_exact(3)) {
                    to[0] = first[usize::from(p[2])];
                    to[1] = second[usize::from(p[1])];
                    to[2] = third[usize::from(p[0])];
                }
            }
            // One channel: the layouts are the same.
            (Colour::Grey, Layout::Nchw | Layout::Nhwc) => {
                for (to, p) in tensor.iter_mut().zip(rgb.chunks_exact(3)) {
                    *to = first[usize::from(luma(p[0], p[1], p[2]))];
                }
            }
        }
    }
}

/// One pass over the pixels and three streams out: the pixels are read once,
/// and a zip of equal chunks has no bounds checks. `tables` are those of red,
/// green and blue; `order[k]` is the plane of the k-th of them.
fn planes(tables: [&[f32; 256]; 3], rgb: &[u8], tensor: &mut [f32], order: [usize; 3]) {
    let pixels = rgb.len() / 3;
    let (a, rest) = tensor.split_at_mut(pixels);
    let (b, c) = rest.split_at_mut(pixels);
    let mut planes = [Some(a), Some(b), Some(c)];
    let [red, green, blue] =
        order.map(|k| planes[k].take().expect("invariant: the order is a permutation"));
    for (((p, r), g), b) in rgb.chunks_exact(3).zip(red).zip(green).zip(blue) {
        *r = tables[0][usize::from(p[0])];
        *g = tables[1][usize::from(p[1])];
        *b = tables[2][usize::from(p[2])];
    }
}

/// ITU-R BT.601 luma in 16 bits of fraction: the weights sum to 65536.
fn luma(r: u8, g: u8, b: u8) -> u8 {
    let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
    ((sum + 32_768) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use graft_spec::Fit;

    use super::*;

    const PIXELS: [u8; 6] = [0, 128, 255, 10, 20, 30];

    fn written(colour: Colour, layout: Layout) -> Vec<f32> {
        let channels = colour.channels();
        let spec = ImageSpec {
            width: 2,
            height: 1,
            fit: Fit::Stretch,
            resize: None,
            layout,
            colour,
            scale: 1.0,
            // Powers of two, so that expected values are exact.
            mean: [1.0, 2.0, 4.0][..channels].to_vec(),
            std: [1.0, 2.0, 0.5][..channels].to_vec(),
            background: [0; 3],
        };
        let mut tensor = vec![f32::NAN; spec.tensor_len()];
        Table::new(&spec).write(&PIXELS, &mut tensor);
        tensor
    }

    #[test]
    fn channels_go_where_the_network_wants_them() {
        use {Colour::*, Layout::*};
        assert_eq!(written(Rgb, Nchw), [-1.0, 9.0, 63.0, 9.0, 502.0, 52.0]);
        assert_eq!(written(Rgb, Nhwc), [-1.0, 63.0, 502.0, 9.0, 9.0, 52.0]);
        assert_eq!(written(Bgr, Nchw), [254.0, 29.0, 63.0, 9.0, -8.0, 12.0]);
        assert_eq!(written(Bgr, Nhwc), [254.0, 63.0, -8.0, 29.0, 9.0, 12.0]);
        // Pillow's convert("L") of (0, 128, 255) and (10, 20, 30): 104 and 18.
        assert_eq!(written(Grey, Nchw), [103.0, 17.0]);
        assert_eq!(written(Grey, Nhwc), [103.0, 17.0]);
    }

    #[test]
    fn luma_keeps_greys() {
        assert!((0..=255).all(|v| luma(v, v, v) == v));
    }
}
