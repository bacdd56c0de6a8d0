//! The two products that training is made of, `X · Wᵀ` and `Rᵀ · X` for a block
//! of rows, shaped for few outputs: X is read once from memory and neither
//! operand is repacked, as a general matrix product would.
//!
//! A sum has the same terms in the same order whatever the tile and whatever
//! the instruction set, so AVX2, AVX-512 and NEON give the same bits. Only a
//! CPU without fused multiply-add rounds twice.

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
            Level::Portable => logits::<Baseline, 1, 3>(x, w, width, z),
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
            Level::Portable => gradient::<Baseline, 1, 3>(x, r, width, g),
        }
    }
}

/// `a · b + c` as the instruction set at hand does it.
trait MulAdd {
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

#[cfg(target_arch = "x86_64")]
struct Fused;
#[cfg(target_arch = "x86_64")]
impl MulAdd for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

struct Baseline;
impl MulAdd for Baseline {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        // Without the instruction `mul_add` is a call into the C library.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            a.mul_add(b, c)
        } else {
            a * b + c
        }
    }
}

/// Tiles of `R` rows × `V` vectors; the rest in thinner ones.
#[inline(always)]
fn logits<M: MulAdd, const R: usize, const V: usize>(
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
            dot_tile::<M, R, V>(x, w, width, i, k, z);
        }
        for i in tall..rows {
            dot_tile::<M, 1, V>(x, w, width, i, k, z);
        }
    }
    for k in whole..z.len() {
        for i in (0..tall).step_by(R) {
            dot_tile::<M, R, 1>(x, w, width, i, k, z);
        }
        for i in tall..rows {
            dot_tile::<M, 1, 1>(x, w, width, i, k, z);
        }
    }
}

#[inline(always)]
fn dot_tile<M: MulAdd, const R: usize, const V: usize>(
    x: &[Lanes],
    w: &[Lanes],
    width: usize,
    i: usize,
    k: usize,
    z: &mut [[f32; BLOCK]],
) {
    let rows: [&[Lanes]; R] = std::array::from_fn(|a| &x[(i + a) * width..][..width]);
    let vectors: [&[Lanes]; V] = std::array::from_fn(|b| &w[(k + b) * width..][..width]);
    let mut sums = [[[0f32; LANES]; V]; R];
    for c in 0..width {
        for a in 0..R {
            for b in 0..V {
                multiply_add::<M>(&mut sums[a][b], &rows[a][c].0, &vectors[b][c].0);
            }
        }
    }
    for a in 0..R {
        for b in 0..V {
            z[k + b][i + a] = sum(sums[a][b]);
        }
    }
}

#[inline(always)]
fn multiply_add<M: MulAdd>(sums: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
        *sum = M::mul_add(a, b, *sum);
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
fn gradient<M: MulAdd, const P: usize, const V: usize>(
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
            outer_tile::<M, P, V>(x, r, width, c, k, g);
        }
        for k in whole..r.len() {
            outer_tile::<M, P, 1>(x, r, width, c, k, g);
        }
    }
    for c in wide..width {
        for k in (0..whole).step_by(V) {
            outer_tile::<M, 1, V>(x, r, width, c, k, g);
        }
        for k in whole..r.len() {
            outer_tile::<M, 1, 1>(x, r, width, c, k, g);
        }
    }
}

#[inline(always)]
fn outer_tile<M: MulAdd, const P: usize, const V: usize>(
    x: &[Lanes],
    r: &[[f32; BLOCK]],
    width: usize,
    c: usize,
    k: usize,
    g: &mut [f64],
) {
    let residuals: [&[f32; BLOCK]; V] = std::array::from_fn(|b| &r[k + b]);
    let mut sums = [[[0f32; LANES]; P]; V];
    for (i, row) in x.chunks_exact(width).enumerate().take(BLOCK) {
        let columns = &row[c..c + P];
        for b in 0..V {
            let residual = residuals[b][i];
            for p in 0..P {
                multiply_add::<M>(&mut sums[b][p], &[residual; LANES], &columns[p].0);
            }
        }
    }
    for b in 0..V {
        let to = &mut g[((k + b) * width + c) * LANES..][..P * LANES];
        for (to, &from) in to.iter_mut().zip(sums[b].as_flattened()) {
            *to += f64::from(from);
        }
    }
}

/// The same loops, compiled for more than the target's baseline.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Fused, Lanes, gradient, logits};

    #[target_feature(enable = "avx512f,fma")]
    pub(super) fn logits_avx512(x: &[Lanes], w: &[Lanes], width: usize, z: &mut [[f32; BLOCK]]) {
        logits::<Fused, 4, 5>(x, w, width, z);
    }

    #[target_feature(enable = "avx512f,fma")]
    pub(super) fn gradient_avx512(x: &[Lanes], r: &[[f32; BLOCK]], width: usize, g: &mut [f64]) {
        gradient::<Fused, 4, 5>(x, r, width, g);
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn logits_avx2(x: &[Lanes], w: &[Lanes], width: usize, z: &mut [[f32; BLOCK]]) {
        logits::<Fused, 2, 3>(x, w, width, z);
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn gradient_avx2(x: &[Lanes], r: &[[f32; BLOCK]], width: usize, g: &mut [f64]) {
        gradient::<Fused, 2, 3>(x, r, width, g);
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
