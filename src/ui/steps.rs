//! How far one key press moves a limit: by 1 while it is small, by about a tenth later, along
//! round numbers.

/// The next value up.
pub fn up(value: u32) -> u32 {
    let step = step(value);
    (value / step + 1).saturating_mul(step)
}

/// The next value down, at least 1.
pub fn down(value: u32) -> u32 {
    let below = value.saturating_sub(1);
    let step = step(below);
    (below / step * step).max(1)
}

/// The largest of 1, 2, 5, 10, 20, 50, … that is at most a tenth of the value, and at least 1.
fn step(value: u32) -> u32 {
    let tenth = value / 10;
    let mut power = 1_u32;
    while power <= tenth / 10 {
        power *= 10;
    }
    [5, 2, 1].into_iter().map(|m| m * power).find(|&s| s <= tenth).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_values_move_by_one_and_big_ones_by_about_a_tenth() {
        for (value, above, below) in [
            (1, 2, 1),
            (5, 6, 4),
            (19, 20, 18),
            (20, 22, 19),
            (50, 55, 48),
            (100, 110, 95),
            (500, 550, 480),
            (603, 650, 600),
            (200_000, 220_000, 190_000),
        ] {
            assert_eq!((up(value), down(value)), (above, below), "from {value}");
        }
    }

    proptest! {
        #[test]
        fn a_step_up_and_one_down_come_back_to_a_round_value(start in 1_u32..500_000_000) {
            let round = down(up(start));
            prop_assert_eq!(down(up(round)), round);
            prop_assert!(up(start) > start);
            prop_assert!(down(start) < start || start == 1);
            prop_assert!(f64::from(up(start) - start) <= (f64::from(start) / 10.0).max(1.0));
        }
    }
}
