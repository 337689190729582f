//! Who waits at one destination, and in which order they are asked.
//!
//! Addresses that are refused often stand in a row in a list, and would be refused in a row. So those who wait are divided into lots,
//! and out of a lot they are drawn at random: what has been drawn of it is then a fair sample of what is left. Newcomers come into the
//! next lot, which begins when this one is used up; otherwise a list that turns bad would make the sample worthless. Pure.

use super::destination::Inquiry;

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lot: Vec<Inquiry>,
    next: Vec<Inquiry>,
    sample: Sample,
}

/// What has become of those who were drawn from a lot.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    lot: u32,
    answered: usize,
    refused: usize,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.lot.len() + self.next.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Somebody else waits.
    pub(super) fn push(&mut self, inquiry: Inquiry) {
        self.next.push(inquiry);
    }

    /// The next to be asked, at most `count` of them, and the lot that they are drawn from.
    pub(super) fn draw(&mut self, count: usize) -> (Vec<Inquiry>, u32) {
        if self.lot.is_empty() {
            std::mem::swap(&mut self.lot, &mut self.next);
            self.sample = Sample { lot: self.sample.lot.wrapping_add(1), ..Sample::default() };
        }
        let lot = self.sample.lot;
        let count = count.min(self.lot.len());
        let one = |_| Inquiry { lot, ..self.lot.swap_remove(fastrand::usize(..self.lot.len())) };
        ((0..count).map(one).collect(), lot)
    }

    /// Somebody who was drawn from `lot` was answered.
    pub(super) fn answered(&mut self, lot: u32, is_refused: bool) {
        if lot == self.sample.lot {
            self.sample.answered += 1;
            self.sample.refused += usize::from(is_refused);
        }
    }

    /// Of a hundred recipients drawn from `lot` so many are to be expected to be refused, going by those who were; none if that lot is
    /// used up.
    pub(super) fn refusals(&self, lot: u32) -> Option<usize> {
        let Sample { lot: current, answered, refused } = self.sample;
        (lot == current).then_some((refused + 10) * 100 / (answered + 20))
    }

    /// Takes out all of whom this is true.
    pub(super) fn take(&mut self, mut is_meant: impl FnMut(&Inquiry) -> bool) -> Vec<Inquiry> {
        let mut taken: Vec<Inquiry> = self.lot.extract_if(.., |inquiry| is_meant(inquiry)).collect();
        taken.extend(self.next.extract_if(.., |inquiry| is_meant(inquiry)));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Listed;
    use super::*;

    fn inquiry(number: u64) -> Inquiry {
        Inquiry::new(format!("u{number}@x.test").parse().expect("an address"), Listed { number, input: String::new() })
    }

    #[test]
    fn a_lot_is_drawn_in_no_order_and_newcomers_wait_for_the_next() {
        let mut waiting = Waiting::default();
        (0..1000).for_each(|number| waiting.push(inquiry(number)));
        let (first, lot) = waiting.draw(100);
        (1000..1050).for_each(|number| waiting.push(inquiry(number)));
        assert!(first.iter().any(|inquiry| inquiry.listed.number >= 500), "a hundred of the first half have a chance of 2^-100");
        let mut rest = Vec::new();
        while waiting.len() > 50 {
            let (drawn, same) = waiting.draw(100);
            assert_eq!(same, lot);
            rest.extend(drawn);
        }
        let mut numbers: Vec<u64> = first.iter().chain(&rest).map(|inquiry| inquiry.listed.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
        let (last, other) = waiting.draw(100);
        assert!(last.iter().all(|inquiry| inquiry.listed.number >= 1000 && inquiry.lot == other));
        assert!((last.len(), waiting.len()) == (50, 0) && other != lot);
    }

    #[test]
    fn what_was_drawn_from_a_lot_tells_what_to_expect_of_it() {
        let mut waiting = Waiting::default();
        (0..1000).for_each(|number| waiting.push(inquiry(number)));
        let (_, lot) = waiting.draw(100);
        let mut seen = vec![waiting.refusals(lot)];
        for is_refused in [false, false, true] {
            (0..100).for_each(|_| waiting.answered(lot, is_refused));
            seen.push(waiting.refusals(lot));
        }
        assert_eq!(seen, [50, 8, 4, 34].map(Some));
        waiting.answered(lot.wrapping_sub(1), true);
        assert_eq!(waiting.refusals(lot), Some(34), "answers of another lot do not count");
        waiting.take(|_| true);
        waiting.push(inquiry(1000));
        let (_, next) = waiting.draw(1);
        assert_eq!((waiting.refusals(lot), waiting.refusals(next)), (None, Some(50)));
    }
}
