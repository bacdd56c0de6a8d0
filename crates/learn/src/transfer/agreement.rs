/// Kendall's τ-b (Kendall 1945, "The treatment of ties in ranking problems"): 1 if
/// two measures order everything alike, −1 if each is the other's reverse. Nothing
/// if one of them tells no two apart, as with fewer than two.
///
/// # Panics
///
/// If there are not as many of `a` as of `b`.
pub fn kendall_tau(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "the two are pairs");
    let (mut same, mut ordered_a, mut ordered_b) = (0i64, 0i64, 0i64);
    for i in 0..a.len() {
        for j in 0..i {
            let (x, y) = (order(a[i], a[j]), order(b[i], b[j]));
            same += x * y;
            ordered_a += x.abs();
            ordered_b += y.abs();
        }
    }
    (ordered_a > 0 && ordered_b > 0)
        .then(|| same as f64 / ((ordered_a as f64) * (ordered_b as f64)).sqrt())
}

fn order(a: f64, b: f64) -> i64 {
    a.partial_cmp(&b).map_or(0, |order| order as i64)
}
