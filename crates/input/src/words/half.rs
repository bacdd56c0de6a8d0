//! IEEE 754 half precision, by integers: every processor gives the same.

/// The value, which single precision holds exactly.
pub(super) fn to_single(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10 & 0x1F);
    let fraction = u32::from(bits & 0x3FF);
    let magnitude = match exponent {
        // Subnormal: the fraction in units of 2^-24.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        0x1F => 0x7F80_0000 | fraction << 13,
        // The bias is 15 there and 127 here.
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// The nearest half, the even one of two; infinite from 65520 on.
pub(super) fn of_single(value: f32) -> u16 {
    const SMALLEST_NORMAL: f32 = 1.0 / 16_384.0;
    let sign = (value.to_bits() >> 16) as u16 & 0x8000;
    let magnitude = value.abs();
    let bits = if magnitude.is_nan() {
        0x7E00
    } else if magnitude >= 65520.0 {
        0x7C00
    } else if magnitude < SMALLEST_NORMAL {
        // At most 1024, which is the smallest normal one.
        (magnitude * 16_777_216.0).round_ties_even() as u16
    } else {
        let bits = magnitude.to_bits();
        // A carry out of the fraction rightly raises the exponent.
        let rounded = bits + 0xFFF + (bits >> 13 & 1);
        ((rounded >> 13) - (112 << 10)) as u16
    };
    sign | bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `numpy.float32(v).astype(numpy.float16).view(numpy.uint16)`.
    #[test]
    fn rounding_is_to_nearest_even() {
        let check = |value: f32, expected: u16| {
            assert_eq!(of_single(value), expected, "{value}");
            assert_eq!(of_single(-value), expected | 0x8000, "-{value}");
        };
        check(0.0, 0x0000);
        check(1.0, 0x3C00);
        check(0.1, 0x2E66);
        check(2049.0, 0x6800);
        check(2051.0, 0x6802);
        check(65504.0, 0x7BFF);
        check(65519.996, 0x7BFF);
        check(65520.0, 0x7C00);
        check(6.1e-5, 0x03FF);
        check(6.1035156e-5, 0x0400);
        check(5.9604645e-8, 0x0001);
        check(2.9802322e-8, 0x0000);
        check(2.9802326e-8, 0x0001);
        check(1e-30, 0x0000);
    }

    #[test]
    fn every_half_comes_back() {
        for bits in 0..=u16::MAX {
            let value = to_single(bits);
            if value.is_nan() {
                assert_eq!((bits >> 10 & 0x1F, of_single(value) & 0x7FFF), (0x1F, 0x7E00));
            } else {
                assert_eq!(of_single(value), bits, "{value}");
            }
        }
        // numpy.uint16([0x3555, 0x03FF, 0xFBFF]).view(numpy.float16)
        assert_eq!([0x3555, 0x03FF, 0xFBFF].map(to_single), [0.333_251_95, 6.097_555e-5, -65504.0]);
    }
}
