use fast_image_resize::images::{
    TypedCroppedImage, TypedCroppedImageMut, TypedImage, TypedImageRef,
};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use graft_spec::{ImageSpec, SpecError};

use crate::Frame;
use crate::fit::{Placement, Rectangle, place};
use crate::normalise::Table;

/// Turns frames into tensors of one spec: fit, resize, colour, scale, as
/// `docs/format.md` states it ("Preparing a picture").
///
/// Integer arithmetic up to a table of floats, so x86-64, aarch64 and armv7
/// give the same bytes, with and without SIMD.
///
/// It owns every buffer it needs. After the first frame of a size, `fill` makes
/// no allocation of its own; the resizer (`fast_image_resize` 6.1) computes its
/// coefficients again for each frame, in one small allocation for each row and
/// column of the result and a few more. A frame that has the tensor's size
/// already, or needs no more than cropping, costs no allocation at all.
pub struct Preparer {
    spec: ImageSpec,
    table: Table,
    resizer: Resizer,
    options: ResizeOptions,
    /// What the frame is fitted to, in RGB: the tensor's pixels, or more. Empty until
    /// a frame needs resizing.
    canvas: Vec<u8>,
    /// The frame after the horizontal pass. Empty until both axes change.
    between: Vec<u8>,
    /// The tensor's pixels in RGB, if they are the centre of something larger.
    centre: Vec<u8>,
    /// The part of the canvas that the last frame covered; the rest is
    /// background.
    covered: Option<Rectangle>,
}

impl Preparer {
    /// Checks the spec and computes the table.
    pub fn new(spec: &ImageSpec) -> Result<Preparer, SpecError> {
        spec.check()?;
        Ok(Preparer {
            table: Table::new(spec),
            resizer: Resizer::new(),
            options: ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
                .use_alpha(false),
            canvas: Vec::new(),
            between: Vec::new(),
            centre: Vec::new(),
            covered: None,
            spec: spec.clone(),
        })
    }

    /// What it prepares for.
    pub fn spec(&self) -> &ImageSpec {
        &self.spec
    }

    /// Writes one frame as one picture of a tensor: `[C, H, W]` or `[H, W, C]`,
    /// by the spec's layout.
    ///
    /// # Panics
    ///
    /// If `tensor` does not have [`ImageSpec::tensor_len`] values. The caller
    /// made the tensor from the same spec, so another length is a bug and no
    /// property of the frame.
    pub fn fill(&mut self, frame: Frame<'_>, tensor: &mut [f32]) {
        assert_eq!(
            tensor.len(),
            self.spec.tensor_len(),
            "a tensor of {}x{} with {} channels",
            self.spec.width,
            self.spec.height,
            self.spec.colour.channels()
        );
        let fitted = self.spec.fitted();
        // Every fit places a frame of that size on itself.
        let is_fitted = [frame.width(), frame.height()] == fitted;
        if !is_fitted {
            self.resize(frame);
        }
        let mut rgb = if is_fitted { frame.rgb() } else { &self.canvas };
        if fitted != [self.spec.width, self.spec.height] {
            copy_centre(&self.spec, rgb, &mut self.centre);
            rgb = &self.centre;
        }
        self.table.write(rgb, tensor);
    }

    /// Draws the frame on the canvas.
    fn resize(&mut self, frame: Frame<'_>) {
        let Placement { source, destination } = place(&self.spec, frame.width(), frame.height());
        if self.covered != Some(destination) {
            self.clear();
            self.covered = Some(destination);
        }
        let whole = TypedImageRef::<U8x3>::from_buffer(frame.width(), frame.height(), frame.rgb())
            .expect("invariant: a frame has three bytes for each pixel");
        // A view, not the resizer's own cropping, which lets pixels from
        // outside the rectangle into the filter.
        let from = TypedCroppedImage::from_ref(
            &whole,
            source.left,
            source.top,
            source.width,
            source.height,
        )
        .expect("invariant: the source lies in the frame");
        // Horizontally, then vertically, as Pillow does: the resizer's own order
        // is the other, and which one comes first decides how the 8-bit values
        // in between are rounded.
        let narrow = (destination.width, source.height);
        let shape_changes = (source.width != narrow.0, source.height != destination.height);
        let refused = "invariant: without a crop box there is nothing to refuse";
        if shape_changes == (true, true) {
            self.between.resize(3 * narrow.0 as usize * narrow.1 as usize, 0);
            let mut between =
                TypedImage::<U8x3>::from_buffer(narrow.0, narrow.1, &mut self.between)
                    .expect("invariant: the buffer was made for it");
            self.resizer.resize_typed(&from, &mut between, &self.options).expect(refused);
        }
        let [width, height] = self.spec.fitted();
        let canvas = TypedImage::<U8x3>::from_buffer(width, height, &mut self.canvas)
            .expect("invariant: the canvas has three bytes for each pixel");
        let mut to = TypedCroppedImageMut::new(
            canvas,
            destination.left,
            destination.top,
            destination.width,
            destination.height,
        )
        .expect("invariant: the destination lies in the canvas");
        if shape_changes == (true, true) {
            let between = TypedImageRef::<U8x3>::from_buffer(narrow.0, narrow.1, &self.between)
                .expect("invariant: the buffer was made for it");
            self.resizer.resize_typed(&between, &mut to, &self.options).expect(refused);
        } else {
            self.resizer.resize_typed(&from, &mut to, &self.options).expect(refused);
        }
    }

    fn clear(&mut self) {
        let [width, height] = self.spec.fitted();
        self.canvas.resize(3 * width as usize * height as usize, 0);
        for pixel in self.canvas.chunks_exact_mut(3) {
            pixel.copy_from_slice(&self.spec.background);
        }
    }
}

/// The tensor's pixels out of those that the picture was fitted to.
fn copy_centre(spec: &ImageSpec, rgb: &[u8], centre: &mut Vec<u8>) {
    let [outer_width, outer_height] = spec.fitted();
    let place = Rectangle::centred(spec.width, spec.height, (outer_width, outer_height));
    let bytes = |pixels: u32| 3 * pixels as usize;
    centre.clear();
    let rows = rgb.chunks_exact(bytes(outer_width)).skip(place.top as usize);
    for row in rows.take(spec.height as usize) {
        centre.extend_from_slice(&row[bytes(place.left)..][..bytes(spec.width)]);
    }
}

#[cfg(test)]
mod tests {
    use fast_image_resize::CpuExtensions;
    use graft_spec::{Colour, Fit, Layout};

    use super::*;
    use crate::synthetic;

    #[cfg(target_arch = "x86_64")]
    const KERNELS: [CpuExtensions; 3] =
        [CpuExtensions::None, CpuExtensions::Sse4_1, CpuExtensions::Avx2];
    #[cfg(target_arch = "aarch64")]
    const KERNELS: [CpuExtensions; 2] = [CpuExtensions::None, CpuExtensions::Neon];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const KERNELS: [CpuExtensions; 1] = [CpuExtensions::None];

    fn spec(width: u32, height: u32, fit: Fit) -> ImageSpec {
        ImageSpec {
            width,
            height,
            fit,
            resize: None,
            layout: Layout::Nhwc,
            colour: Colour::Rgb,
            scale: 1.0,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            background: [1, 2, 3],
        }
    }

    fn filled(preparer: &mut Preparer, frame: Frame<'_>) -> Vec<f32> {
        let mut tensor = vec![f32::NAN; preparer.spec().tensor_len()];
        preparer.fill(frame, &mut tensor);
        tensor
    }

    /// Sizes around the kernels' blocks of 4, 8, 16 and 32 samples, both ways.
    #[test]
    fn every_kernel_gives_the_same_bytes() {
        let sides = [1, 2, 3, 5, 8, 13, 31, 33, 64, 97, 224, 300];
        for fit in [Fit::Stretch, Fit::Crop, Fit::Letterbox] {
            for (i, from) in sides.into_iter().enumerate() {
                for to in sides {
                    let other = sides[(i + 5) % sides.len()];
                    let picture = synthetic(u64::from(from), from, other);
                    let spec = spec(to, sides[(i + 7) % sides.len()], fit);
                    let mut preparer = Preparer::new(&spec).unwrap();
                    let mut tensors = KERNELS.iter().filter(|k| k.is_supported()).map(|kernel| {
                        // SAFETY: this CPU supports it.
                        unsafe { preparer.resizer.set_cpu_extensions(*kernel) };
                        filled(&mut preparer, picture.frame())
                    });
                    let scalar = tensors.next().unwrap();
                    assert!(
                        tensors.all(|tensor| tensor == scalar),
                        "{from}x{other} to {}x{} {fit:?}",
                        spec.width,
                        spec.height
                    );
                }
            }
        }
    }

    #[test]
    fn pixels_outside_the_crop_do_not_bleed_in() {
        // White with a black column on either side of the middle square.
        let mut rgb = vec![255; 3 * 12 * 8];
        for row in rgb.chunks_exact_mut(3 * 12) {
            for x in [0, 1, 10, 11] {
                row[3 * x..3 * x + 3].fill(0);
            }
        }
        let mut preparer = Preparer::new(&spec(4, 4, Fit::Crop)).unwrap();
        let tensor = filled(&mut preparer, Frame::new(12, 8, &rgb).unwrap());
        assert_eq!(tensor, [255.0; 48]);
    }

    #[test]
    fn the_background_is_drawn_again_when_the_frame_moves() {
        let mut preparer = Preparer::new(&spec(6, 6, Fit::Letterbox)).unwrap();
        filled(&mut preparer, Frame::new(2, 1, &[255; 6]).unwrap());
        let tensor = filled(&mut preparer, Frame::new(1, 2, &[255; 6]).unwrap());
        // Three columns of six: floor(3 / 2) on the left.
        let (border, inside) = ([1.0, 2.0, 3.0], [255.0; 3]);
        let row = [border, inside, inside, inside, border, border].concat();
        assert_eq!(tensor, row.repeat(6));
    }

    #[test]
    fn the_tensor_is_the_centre_of_what_the_frame_is_fitted_to() {
        let spec = ImageSpec { resize: Some([7, 6]), ..spec(4, 4, Fit::Stretch) };
        let mut preparer = Preparer::new(&spec).unwrap();
        // Of that size already: nothing is mixed. floor(3 / 2) on the left, 1 above.
        let rgb: Vec<u8> = (0..3 * 7 * 6).collect();
        let tensor = filled(&mut preparer, Frame::new(7, 6, &rgb).unwrap());
        let expected = (1..5u8).flat_map(|y| 3 * (7 * y + 1)..3 * (7 * y + 5)).map(f32::from);
        assert_eq!(tensor, expected.collect::<Vec<_>>());
        // Of the tensor's own size it is no longer placed on itself.
        let small = Frame::new(4, 4, &rgb[..48]).unwrap();
        assert_ne!(
            filled(&mut preparer, small),
            rgb[..48].iter().map(|&v| f32::from(v)).collect::<Vec<_>>()
        );
    }

    #[test]
    #[should_panic(expected = "a tensor of 4x4 with 3 channels")]
    fn a_tensor_of_another_length_is_a_bug() {
        let mut preparer = Preparer::new(&spec(4, 4, Fit::Crop)).unwrap();
        preparer.fill(Frame::new(1, 1, &[0; 3]).unwrap(), &mut [0.0; 47]);
    }
}
