use graft_spec::{Fit, ImageSpec};

/// A rectangle of pixels, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Which part of the picture goes to which part of what it is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub source: Rectangle,
    pub destination: Rectangle,
}

impl Rectangle {
    fn whole(width: u32, height: u32) -> Rectangle {
        Rectangle { left: 0, top: 0, width, height }
    }

    /// In the middle of another, which is at least as large.
    pub(crate) fn centred(
        width: u32,
        height: u32,
        (outer_width, outer_height): (u32, u32),
    ) -> Rectangle {
        Rectangle {
            left: (outer_width - width) / 2,
            top: (outer_height - height) / 2,
            width,
            height,
        }
    }
}

/// Places a picture of `width` × `height` (both at least 1) in what it is fitted to:
/// the tensor, or a larger size whose centre the tensor is.
///
/// In integers, so that no machine's rounding moves a border by a pixel.
pub(crate) fn place(spec: &ImageSpec, width: u32, height: u32) -> Placement {
    let [to_width, to_height] = spec.fitted();
    let (w, h) = (u64::from(width), u64::from(height));
    let (to_w, to_h) = (u64::from(to_width), u64::from(to_height));
    let mut source = Rectangle::whole(width, height);
    let mut destination = Rectangle::whole(to_width, to_height);
    match spec.fit {
        Fit::Stretch => {}
        Fit::Crop => {
            let cut_w = (h * to_w / to_h).clamp(1, w) as u32;
            let cut_h = (w * to_h / to_w).clamp(1, h) as u32;
            source = Rectangle::centred(cut_w, cut_h, (width, height));
        }
        Fit::Letterbox => {
            let (fit_w, fit_h) = if to_w * h <= to_h * w {
                (to_w, rounded(h * to_w, w))
            } else {
                (rounded(w * to_h, h), to_h)
            };
            let outer = (to_width, to_height);
            destination = Rectangle::centred(fit_w as u32, fit_h as u32, outer);
        }
    }
    Placement { source, destination }
}

/// `numerator / denominator`, halves up, at least 1.
fn rounded(numerator: u64, denominator: u64) -> u64 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    (whole + u64::from(rest >= denominator - rest)).max(1)
}

#[cfg(test)]
mod tests {
    use graft_spec::{Colour, Layout};

    use super::*;

    fn check(fit: Fit, fitted: (u32, u32), picture: (u32, u32), expected: [[u32; 4]; 2]) {
        placed(fit, fitted, None, picture, expected);
        // What it is fitted to decides, not the tensor.
        placed(fit, (1, 1), Some([fitted.0, fitted.1]), picture, expected);
    }

    fn placed(
        fit: Fit,
        tensor: (u32, u32),
        resize: Option<[u32; 2]>,
        picture: (u32, u32),
        expected: [[u32; 4]; 2],
    ) {
        let spec = ImageSpec {
            width: tensor.0,
            height: tensor.1,
            fit,
            resize,
            layout: Layout::Nchw,
            colour: Colour::Rgb,
            scale: 1.0,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            background: [0; 3],
        };
        let Placement { source, destination } = place(&spec, picture.0, picture.1);
        let sides = |r: Rectangle| [r.left, r.top, r.width, r.height];
        assert_eq!([sides(source), sides(destination)], expected, "{spec:?} {picture:?}");
    }

    // Expected values are the text of docs/format.md by hand.
    #[test]
    fn rectangles_are_those_of_the_format() {
        use Fit::*;
        let whole = [0, 0, 224, 224];
        check(Stretch, (224, 224), (1024, 768), [[0, 0, 1024, 768], whole]);
        check(Crop, (224, 224), (1024, 768), [[128, 0, 768, 768], whole]);
        check(Crop, (224, 224), (768, 1024), [[0, 128, 768, 768], whole]);
        check(Crop, (224, 224), (7, 4), [[1, 0, 4, 4], whole]);
        // 5 * 300 / 200 = 7.5: the width is cut to 7; 9 * 200 / 300 = 6: no cut.
        check(Crop, (300, 200), (9, 5), [[1, 0, 7, 5], [0, 0, 300, 200]]);
        check(Crop, (4096, 1), (3, 5), [[0, 2, 3, 1], [0, 0, 4096, 1]]);
        check(Letterbox, (224, 224), (1024, 768), [[0, 0, 1024, 768], [0, 28, 224, 168]]);
        check(Letterbox, (224, 224), (768, 1024), [[0, 0, 768, 1024], [28, 0, 168, 224]]);
        // 2 * 3 / 4 = 1.5, halves up.
        check(Letterbox, (3, 3), (4, 2), [[0, 0, 4, 2], [0, 0, 3, 2]]);
        check(Letterbox, (8, 8), (100, 1), [[0, 0, 100, 1], [0, 3, 8, 1]]);
        check(Letterbox, (10, 4), (10, 4), [[0, 0, 10, 4], [0, 0, 10, 4]]);
    }

    #[test]
    fn the_widest_picture_does_not_overflow() {
        check(
            Fit::Letterbox,
            (4096, 4096),
            (u32::MAX, u32::MAX),
            [[0, 0, u32::MAX, u32::MAX], [0, 0, 4096, 4096]],
        );
        check(
            Fit::Crop,
            (4096, 1),
            (u32::MAX, u32::MAX),
            [[0, 2_146_959_360, u32::MAX, 1_048_575], [0, 0, 4096, 1]],
        );
    }
}
