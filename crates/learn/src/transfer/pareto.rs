/// What is had, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// More is better.
    pub gain: f64,
    /// Less is better.
    pub cost: f64,
}

/// For each, whether no other is at least as good in both and better in one.
pub fn pareto_front(trades: &[Trade]) -> Vec<bool> {
    let beats = |a: &Trade, b: &Trade| {
        a.gain >= b.gain && a.cost <= b.cost && (a.gain > b.gain || a.cost < b.cost)
    };
    trades.iter().map(|trade| !trades.iter().any(|other| beats(other, trade))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_beaten_in_both() {
        let trades = [(0.9, 20.0), (0.8, 5.0), (0.85, 30.0), (0.8, 6.0), (0.9, 20.0), (0.7, 5.0)]
            .map(|(gain, cost)| Trade { gain, cost });
        assert_eq!(pareto_front(&trades), [true, true, false, false, true, false]);
        assert!(pareto_front(&[]).is_empty());
    }
}
