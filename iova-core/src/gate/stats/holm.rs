//! Many comparisons at once: one in twenty would be "significant" by chance alone.

/// Holm's adjusted probabilities, in the order given: the smallest times m, the next times m - 1, and so on, never
/// below one before. Whoever compares them with alpha raises a false alarm in at most alpha of all gates.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|x, y| x.1.total_cmp(&y.1));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, (place, p)) in order.into_iter().enumerate() {
        least = least.max((p * (adjusted.len() - rank) as f64).min(1.0));
        if let Some(slot) = adjusted.get_mut(place) {
            *slot = least;
        }
    }
    adjusted
}
