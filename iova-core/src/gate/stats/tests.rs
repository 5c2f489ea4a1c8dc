use super::rank::rank_test_by;
use super::*;

const VECTORS: &str = include_str!("../testdata/vectors.txt");

fn numbers(text: &str) -> Vec<f64> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}

fn close(got: f64, want: &str, what: &str) {
    let want: f64 = want.parse().unwrap();
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{what}: {got}, SciPy has {want}");
}

#[test]
fn every_case_agrees_with_scipy() {
    let mut cases = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [method, tail, u, p, difference, quotient, a, b] = line.split(';').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (a, b) = (numbers(a), numbers(b));
        let method = if method == "exact" { Method::Exact } else { Method::Normal };
        let tail = if tail == "greater" { Tail::Greater } else { Tail::Less };
        let test = rank_test_by(&a, &b, tail, method);
        close(test.u, u, line);
        close(test.p, p, line);
        // Small probabilities are what decides: they agree in nine digits too.
        let want: f64 = p.parse().unwrap();
        assert!((test.p / want - 1.0).abs() < 1e-9, "{}: SciPy has {want}", test.p);
        close(shift(&a, &b).unwrap(), difference, line);
        match ratio(&a, &b) {
            Some(ratio) => close(ratio, quotient, line),
            None => assert_eq!(quotient, "-"),
        }
        cases += 1;
    }
    assert_eq!(cases, 200);
}

#[test]
fn the_most_extreme_order_of_three_and_three_is_one_in_twenty() {
    let test = rank_test(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], Tail::Greater);
    assert_eq!((test.u, test.p, test.method), (9.0, 0.05, Method::Exact));
    assert_eq!(rank_test(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], Tail::Less).p, 1.0);
}

#[test]
fn what_cannot_be_told_apart_is_no_difference() {
    assert_eq!(rank_test(&[1.0; 5], &[1.0; 5], Tail::Greater).p, 1.0);
    assert_eq!(rank_test(&[1.0; 50], &[1.0; 50], Tail::Greater).p, 1.0);
    assert_eq!(rank_test(&[], &[1.0], Tail::Greater).p, 1.0);
    assert_eq!((shift(&[], &[1.0]), ratio(&[1.0], &[0.0])), (None, None));
}

#[test]
fn runs_to_reach_an_alpha() {
    // 1 / C(6, 3) = 1/20, 1 / C(8, 4) = 1/70, 1 / C(12, 6) = 1/924.
    assert_eq!([0.05, 0.01, 0.0499, 0.0025].map(runs_to_reach), [3, 5, 4, 6]);
    assert_eq!(runs_to_reach(1.0), 1);
    assert_eq!(runs_to_reach(0.0), 500);
}

#[test]
fn holm_multiplies_the_smallest_by_all() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.5]);
    let want = [0.04, 0.09, 0.09, 0.5];
    assert!(
        adjusted.iter().zip(want).all(|(got, want): (&f64, f64)| (got - want).abs() < 1e-12),
        "{adjusted:?}"
    );
    assert!(holm(&[]).is_empty());
    assert_eq!(holm(&[0.9, 0.9]), [1.0, 1.0]);
}

#[test]
fn the_middle_and_who_is_far_from_it() {
    let spread = Spread::new(&[3.0, 1.0, 2.0, 10.0]).unwrap();
    assert_eq!((spread.median, spread.min, spread.max, spread.runs), (2.5, 1.0, 10.0, 4));
    assert_eq!(outliers(&[10.0, 11.0, 9.0, 10.0, 30.0, 10.5]), [4]);
    assert_eq!(outliers(&[5.0, 5.0, 5.0, 9.0]), [] as [usize; 0], "no spread, no measure of far");
    assert!(Spread::new(&[]).is_none() && outliers(&[]).is_empty());
}

/// Normal enough: the sum of twelve uniform numbers.
fn noise(random: &mut Random) -> f64 {
    let uniform = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    std::iter::repeat_with(uniform).take(12).sum::<f64>() - 6.0
}

#[test]
fn an_interval_holds_the_truth_about_as_often_as_it_says() {
    let mut random = Random::new(7);
    let mut held = 0;
    for _ in 0..200 {
        let mut side = |middle: f64| -> Vec<f64> { (0..12).map(|_| middle + noise(&mut random)).collect() };
        let (a, b) = (side(12.0), side(10.0));
        let interval = interval(&a, &b, |a, b| a - b, 0.95, 200).unwrap();
        held += usize::from(interval.low <= 2.0 && 2.0 <= interval.high);
    }
    assert!((180..=198).contains(&held), "{held} of 200");
}

#[test]
fn the_same_runs_get_the_same_interval() {
    let of = || interval(&[1.0, 2.0, 4.0], &[1.0, 1.5], |a, b| a / b, 0.95, 500).unwrap();
    assert_eq!(of(), of());
    assert_eq!(interval(&[], &[1.0], |a, b| a - b, 0.95, 10), None);
}
