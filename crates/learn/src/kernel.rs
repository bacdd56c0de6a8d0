//! The two products that training is made of, `X · Wᵀ` and `Rᵀ · X` for a block
//! of rows, shaped for few outputs: X is read once from memory and neither
//! operand is repacked, as a general matrix product would.
//!
//! A sum has the same terms in the same order whatever the tile and whatever
//! the instruction set, so AVX2, AVX-512 and NEON give the same bits. Only a
//! CPU without fused multiply-add rounds twice.
//!
//! The unsafe functions here ask one thing of their callers: that the CPU has
//! the features of their [`Simd`] type, which [`Level::best`] sees to.

/// Values that are worked on together: one cache line.
pub(crate) const LANES: usize = 16;

/// Rows that are worked on together: 64 rows of 1280 features are 320 KB, which
/// stay in the second-level cache between the two products.
pub(crate) const BLOCK: usize = 64;

/// A cache line of values, aligned as one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

impl Lanes {
    pub(crate) const ZERO: Lanes = Lanes([0.0; LANES]);
}

/// Instruction sets that a product can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every CPU of the target has.
    Portable,
}

impl Level {
    pub(crate) fn best() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                return Level::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Level::Avx2;
            }
        }
        Level::Portable
    }

    /// `z[k][i]` = row `i` of `x` · row `k` of `w`. Rows are `width` lanes long;
    /// `z` has rows of [`BLOCK`] and as many as `w`.
    pub(crate) fn logits(self, x: &[Lanes], w: &[Lanes], width: usize, z: &mut [[f32; BLOCK]]) {
        debug_assert!(x.len().is_multiple_of(width) && x.len() <= BLOCK * width);
        debug_assert!(w.len() == z.len() * width);
        match self {
            // SAFETY: these levels are only made where their features are found.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::logits_avx512(x, w, width, z) },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::logits_avx2(x, w, width, z) },
            Level::Portable => unsafe { logits::<Baseline, 1, 3>(x, w, width, z) },
        }
    }

    /// Adds `Σᵢ r[k][i] · x[i]` to row `k` of `g`, for the rows that `x` has.
    pub(crate) fn gradient(self, x: &[Lanes], r: &[[f32; BLOCK]], width: usize, g: &mut [f64]) {
        debug_assert!(x.len().is_multiple_of(width) && x.len() <= BLOCK * width);
        debug_assert!(g.len() == r.len() * width * LANES);
        match self {
            // SAFETY: these levels are only made where their features are found.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::gradient_avx512(x, r, width, g) },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::gradient_avx2(x, r, width, g) },
            Level::Portable => unsafe { gradient::<Baseline, 1, 3>(x, r, width, g) },
        }
    }
}

/// Arithmetic on one cache line of values.
///
/// # Safety
///
/// The methods may only run where the CPU has the features of the type.
trait Simd {
    type Line: Copy;
    unsafe fn splat(value: f32) -> Self::Line;
    unsafe fn load(from: &Lanes) -> Self::Line;
    unsafe fn store(line: Self::Line) -> [f32; LANES];
    /// `a · b + c`.
    unsafe fn mul_add(a: Self::Line, b: Self::Line, c: Self::Line) -> Self::Line;
}

/// Left to the compiler, for whatever the target has at least.
struct Baseline;

impl Simd for Baseline {
    type Line = [f32; LANES];

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: &Lanes) -> [f32; LANES] {
        from.0
    }

    #[inline(always)]
    unsafe fn store(line: [f32; LANES]) -> [f32; LANES] {
        line
    }

    #[inline(always)]
    unsafe fn mul_add(a: [f32; LANES], b: [f32; LANES], mut c: [f32; LANES]) -> [f32; LANES] {
        for ((c, a), b) in c.iter_mut().zip(a).zip(b) {
            // Without the instruction `mul_add` is a call into the C library.
            *c = if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                a.mul_add(b, *c)
            } else {
                a * b + *c
            };
        }
        c
    }
}

/// Tiles of `R` rows × `V` vectors; the rest in thinner ones.
#[inline(always)]
unsafe fn logits<S: Simd, const R: usize, const V: usize>(
    x: &[Lanes],
    w: &[Lanes],
    width: usize,
    z: &mut [[f32; BLOCK]],
) {
    let rows = x.len() / width;
    let whole = z.len() - z.len() % V;
    let tall = rows - rows % R;
    for k in (0..whole).step_by(V) {
        for i in (0..tall).step_by(R) {
            unsafe { dot_tile::<S, R, V>(x, w, width, i, k, z) };
        }
        for i in tall..rows {
            unsafe { dot_tile::<S, 1, V>(x, w, width, i, k, z) };
        }
    }
    for k in whole..z.len() {
        for i in (0..tall).step_by(R) {
            unsafe { dot_tile::<S, R, 1>(x, w, width, i, k, z) };
        }
        for i in tall..rows {
            unsafe { dot_tile::<S, 1, 1>(x, w, width, i, k, z) };
        }
    }
}

#[inline(always)]
unsafe fn dot_tile<S: Simd, const R: usize, const V: usize>(
    x: &[Lanes],
    w: &[Lanes],
    width: usize,
    i: usize,
    k: usize,
    z: &mut [[f32; BLOCK]],
) {
    let rows: [&[Lanes]; R] = std::array::from_fn(|a| &x[(i + a) * width..][..width]);
    let vectors: [&[Lanes]; V] = std::array::from_fn(|b| &w[(k + b) * width..][..width]);
    let mut sums = unsafe { [[S::splat(0.0); V]; R] };
    for c in 0..width {
        let lines = unsafe { rows.map(|row| S::load(&row[c])) };
        for b in 0..V {
            let vector = unsafe { S::load(&vectors[b][c]) };
            for a in 0..R {
                sums[a][b] = unsafe { S::mul_add(lines[a], vector, sums[a][b]) };
            }
        }
    }
    for a in 0..R {
        for b in 0..V {
            z[k + b][i + a] = sum(unsafe { S::store(sums[a][b]) });
        }
    }
}

/// By halves: pairs are as the shuffles of every instruction set have them.
#[inline(always)]
fn sum(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Tiles of `V` vectors × `P` columns of lanes; the rest in thinner ones.
#[inline(always)]
unsafe fn gradient<S: Simd, const P: usize, const V: usize>(
    x: &[Lanes],
    r: &[[f32; BLOCK]],
    width: usize,
    g: &mut [f64],
) {
    let whole = r.len() - r.len() % V;
    let wide = width - width % P;
    // Columns outside: their 64 lines of X stay in the first-level cache for
    // all vectors.
    for c in (0..wide).step_by(P) {
        for k in (0..whole).step_by(V) {
            unsafe { outer_tile::<S, P, V>(x, r, width, c, k, g) };
        }
        for k in whole..r.len() {
            unsafe { outer_tile::<S, P, 1>(x, r, width, c, k, g) };
        }
    }
    for c in wide..width {
        for k in (0..whole).step_by(V) {
            unsafe { outer_tile::<S, 1, V>(x, r, width, c, k, g) };
        }
        for k in whole..r.len() {
            unsafe { outer_tile::<S, 1, 1>(x, r, width, c, k, g) };
        }
    }
}

#[inline(always)]
unsafe fn outer_tile<S: Simd, const P: usize, const V: usize>(
    x: &[Lanes],
    r: &[[f32; BLOCK]],
    width: usize,
    c: usize,
    k: usize,
    g: &mut [f64],
) {
    let residuals: [&[f32; BLOCK]; V] = std::array::from_fn(|b| &r[k + b]);
    let mut sums = unsafe { [[S::splat(0.0); P]; V] };
    for (i, row) in x.chunks_exact(width).enumerate().take(BLOCK) {
        let columns: [S::Line; P] = std::array::from_fn(|p| unsafe { S::load(&row[c + p]) });
        for b in 0..V {
            let residual = unsafe { S::splat(residuals[b][i]) };
            for p in 0..P {
                sums[b][p] = unsafe { S::mul_add(residual, columns[p], sums[b][p]) };
            }
        }
    }
    for b in 0..V {
        let to = &mut g[((k + b) * width + c) * LANES..][..P * LANES];
        for (to, &line) in to.chunks_exact_mut(LANES).zip(&sums[b]) {
            let line = unsafe { S::store(line) };
            to.iter_mut().zip(line).for_each(|(to, from)| *to += f64::from(from));
        }
    }
}

/// The compiler keeps few of these tiles in registers by itself, so the
/// instructions are named.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, LANES, Lanes, Simd, gradient, logits};

    struct Avx512;

    impl Simd for Avx512 {
        type Line = __m512;

        #[inline(always)]
        unsafe fn splat(value: f32) -> __m512 {
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: &Lanes) -> __m512 {
            unsafe { _mm512_load_ps(from.0.as_ptr()) }
        }

        #[inline(always)]
        unsafe fn store(line: __m512) -> [f32; LANES] {
            let mut to = [0.0; LANES];
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), line) };
            to
        }

        #[inline(always)]
        unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
    }

    struct Avx2;

    impl Simd for Avx2 {
        type Line = [__m256; 2];

        #[inline(always)]
        unsafe fn splat(value: f32) -> [__m256; 2] {
            unsafe { [_mm256_set1_ps(value); 2] }
        }

        #[inline(always)]
        unsafe fn load(from: &Lanes) -> [__m256; 2] {
            let from = from.0.as_ptr();
            unsafe { [_mm256_load_ps(from), _mm256_load_ps(from.add(8))] }
        }

        #[inline(always)]
        unsafe fn store(line: [__m256; 2]) -> [f32; LANES] {
            let mut to = [0.0; LANES];
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), line[0]);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), line[1]);
            }
            to
        }

        #[inline(always)]
        unsafe fn mul_add(a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
        }
    }

    #[target_feature(enable = "avx512f,fma")]
    pub(super) fn logits_avx512(x: &[Lanes], w: &[Lanes], width: usize, z: &mut [[f32; BLOCK]]) {
        unsafe { logits::<Avx512, 4, 5>(x, w, width, z) }
    }

    #[target_feature(enable = "avx512f,fma")]
    pub(super) fn gradient_avx512(x: &[Lanes], r: &[[f32; BLOCK]], width: usize, g: &mut [f64]) {
        unsafe { gradient::<Avx512, 4, 5>(x, r, width, g) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn logits_avx2(x: &[Lanes], w: &[Lanes], width: usize, z: &mut [[f32; BLOCK]]) {
        unsafe { logits::<Avx2, 2, 3>(x, w, width, z) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn gradient_avx2(x: &[Lanes], r: &[[f32; BLOCK]], width: usize, g: &mut [f64]) {
        unsafe { gradient::<Avx2, 2, 3>(x, r, width, g) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;

    fn levels() -> Vec<Level> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx512);
            }
        }
        levels
    }

    fn matrix(rows: usize, width: usize, random: &mut SplitMix64) -> Vec<Lanes> {
        (0..rows * width)
            .map(|_| Lanes(std::array::from_fn(|_| random.unit() as f32 - 0.5)))
            .collect()
    }

    #[test]
    fn products_match_f64_and_each_other() {
        let mut random = SplitMix64::new(3);
        for (rows, vectors, width) in [(1, 1, 1), (7, 4, 3), (64, 5, 9), (63, 11, 6), (64, 1, 5)] {
            let x = matrix(rows, width, &mut random);
            let w = matrix(vectors, width, &mut random);
            let flat =
                |m: &[Lanes], i: usize, j: usize| f64::from(m[i * width + j / LANES].0[j % LANES]);
            let mut residuals = vec![[0f32; BLOCK]; vectors];
            residuals.as_flattened_mut().iter_mut().for_each(|r| *r = random.unit() as f32);

            let mut fused = Vec::new();
            for level in levels() {
                let mut z = vec![[0f32; BLOCK]; vectors];
                level.logits(&x, &w, width, &mut z);
                let mut g = vec![1f64; vectors * width * LANES];
                level.gradient(&x, &residuals, width, &mut g);
                for k in 0..vectors {
                    for (i, z) in z[k].iter().enumerate().take(rows) {
                        let exact: f64 =
                            (0..width * LANES).map(|j| flat(&x, i, j) * flat(&w, k, j)).sum();
                        assert!((f64::from(*z) - exact).abs() < 1e-5, "{level:?}");
                    }
                    for j in 0..width * LANES {
                        let exact: f64 = (0..rows)
                            .map(|i| flat(&x, i, j) * f64::from(residuals[k][i]))
                            .sum::<f64>()
                            + 1.0;
                        assert!((g[k * width * LANES + j] - exact).abs() < 1e-5, "{level:?}");
                    }
                }
                if level != Level::Portable || cfg!(target_arch = "aarch64") {
                    fused.push((z, g));
                }
            }
            assert!(fused.windows(2).all(|pair| pair[0] == pair[1]), "levels differ");
        }
    }
}
