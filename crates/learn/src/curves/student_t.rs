//! Student's t distribution, through the incomplete beta function.

/// The value that a t distributed number with `freedom` degrees of freedom stays
/// below with probability `p`.
///
/// # Panics
///
/// If `p` is not between 0 and 1, or `freedom` not above 0.
pub fn t_quantile(p: f64, freedom: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0 && freedom > 0.0, "no quantile {p} at {freedom} degrees");
    if p < 0.5 {
        return -t_quantile(1.0 - p, freedom);
    }
    // P(T > t) is half of I_x(ν/2, 1/2) at x = ν / (ν + t²), which falls with t.
    let above = |t: f64| 0.5 * incomplete_beta(freedom / (freedom + t * t), 0.5 * freedom, 0.5);
    let (mut low, mut high) = (0.0, 1.0);
    while above(high) > 1.0 - p && high < 1e150 {
        high *= 2.0;
    }
    while high - low > 1e-14 * high {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if above(middle) > 1.0 - p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// I_x(a, b), by the continued fraction of Abramowitz and Stegun 26.5.8, which
/// Lentz's method evaluates from the front.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // Where it converges fast; the other side follows by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..1000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            factor = c * d;
            fraction *= factor;
        }
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front * fraction
}

/// ln Γ(x) for x > 0: Lanczos's approximation with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = (1..9).fold(TERMS[0], |sum, i| sum + TERMS[i] / (x + i as f64));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}
