//! On which side a narrative stands, by the words for it.

use super::text::{Words, clauses, sentences};

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Against,
    Torn,
    For,
}

/// A side with the sentence that says it best.
#[derive(Debug, PartialEq)]
pub struct Stand<'t> {
    pub side: Side,
    /// Without reservation.
    pub strong: bool,
    pub quote: &'t str,
}

impl Stand<'_> {
    /// The level that goes with it, where the answer's own does not.
    pub fn level(&self, current: i64) -> Option<i64> {
        let fits = match (self.side, self.strong) {
            (Side::Against, true) => current <= 2,
            (Side::Against, false) => current <= 3,
            (Side::Torn, _) => (2..=4).contains(&current),
            (Side::For, false) => current >= 3,
            (Side::For, true) => current >= 4,
        };
        let level = match (self.side, self.strong) {
            (Side::Against, true) => 1,
            (Side::Against, false) => 2,
            (Side::Torn, _) => 3,
            (Side::For, false) => 4,
            (Side::For, true) => 5,
        };
        (!fits).then_some(level)
    }
}

#[derive(Clone, Copy)]
enum Mark {
    /// Reads like a stance and is none.
    Nothing,
    Torn,
    Against(u8),
    For(u8),
}
use Mark::{Against, For, Nothing, Torn};

/// What is said of a stance; what comes first is read first, and its words are not read again.
const MARKS: &[(&str, Mark)] = &[
    ("neither for nor against", Torn),
    ("neither against nor for", Torn),
    ("not against", Nothing),
    ("nothing against", Nothing),
    ("not saying yes|no", Nothing),
    ("would|could|might support|back a|an|something", Nothing),
    ("why others|people|some|they", Nothing),
    ("something in it", Nothing),
    ("something against it", Torn),
    ("yes and no", Torn),
    ("hard|difficult to say", Torn),
    ("hard|difficult to be against|for", Nothing),
    // Against, without reservation.
    (
        "firmly|strongly|totally|completely|absolutely|utterly|dead|deeply|fiercely ~ against|opposed|oppose",
        Against(2),
    ),
    ("clear|firm|hard|definite|resounding|flat|big no", Against(2)),
    ("no way|chance", Against(2)),
    ("absolutely|definitely|certainly not", Against(2)),
    ("can not see myself supporting|backing|voting", Against(2)),
    ("never ~ support|back|accept|vote|agree", Against(2)),
    ("wrong direction|way|move|idea", Against(2)),
    ("vote|voting against", Against(2)),
    ("me from a no", Against(2)),
    ("i|we oppose", Against(2)),
    ("more harm than good", Against(2)),
    ("drop it|this|the", Against(2)),
    ("do not expect to come round", Against(2)),
    ("leave ~ alone and fix", Against(2)),
    ("must be a better answer", Against(2)),
    ("terrible|awful|dreadful|stupid|ridiculous|horrible|rotten ~ idea|plan|proposal", Against(2)),
    ("hate this|it", Against(2)),
    ("hate the ~ idea|plan|proposal", Against(2)),
    ("is|be|would ~ madness|insane|disaster|crazy", Against(2)),
    // For, without reservation.
    (
        "strongly|firmly|fully|totally|completely|absolutely|wholeheartedly ~ in favour|favor",
        For(2),
    ),
    (
        "strongly|firmly|fully|totally|completely|absolutely|wholeheartedly support|back|agree|behind",
        For(2),
    ),
    ("clear|firm|definite|resounding|big yes", For(2)),
    ("waiting for somebody|someone to propose", For(2)),
    ("support it|this without ~ hesitation", For(2)),
    ("would have happened years ago", For(2)),
    ("glad|happy to see this start", For(2)),
    ("fully get behind", For(2)),
    ("vote for it today", For(2)),
    ("get on with it", For(2)),
    ("help to make it happen", For(2)),
    ("courage to do it", For(2)),
    ("sooner the better", For(2)),
    ("it is time that", For(2)),
    ("about time", For(2)),
    ("great|excellent|brilliant|wonderful|fantastic|terrific ~ idea|plan|proposal", For(2)),
    ("love this|it", For(2)),
    ("love the idea", For(2)),
    ("can not wait", For(2)),
    ("all for it|this", For(2)),
    ("long overdue", For(2)),
    // Against, with some doubt.
    ("not ~ in favour|favor", Against(1)),
    ("am|are|being|be|remain ~ against|opposed", Against(1)),
    ("rather|somewhat|mostly|mainly against", Against(1)),
    ("whole ~ against", Against(1)),
    ("lean* ~ no|against", Against(1)),
    ("do|does|can|could|will|would not ~ support|back|agree|approve|endorse", Against(1)),
    ("do|would not like|want this|it|the ~ idea|plan|proposal|change", Against(1)),
    ("closer to a no", Against(1)),
    ("sceptical|skeptical", Against(1)),
    ("vote no", Against(1)),
    ("say|saying no|nope", Against(1)),
    ("answer is no", Against(1)),
    ("so no", Against(1)),
    ("not ~ convinced|persuaded|sold", Against(1)),
    ("more convincing", Against(1)),
    ("first reaction was a sigh", Against(1)),
    ("rather keep what|the|things", Against(1)),
    ("change the weak parts", Against(1)),
    ("want guarantees before", Against(1)),
    ("bad|poor idea|plan|proposal", Against(1)),
    ("be|is a mistake", Against(1)),
    ("should keep|leave|stay", Against(1)),
    ("keep the ~ rule|rules|requirement|requirements|minimum|minimums", Against(1)),
    ("should not ~ stop|scrap|drop|remove|change|allow|do|go", Against(1)),
    ("get|got|gets worse not better", Against(1)),
    ("against it|this|that|the", Against(1)),
    // For, with some doubt.
    ("am|are ~ in favour|favor", For(1)),
    ("on balance i|we ~ support|back", For(1)),
    ("i|we|would|do|still ~ support|back|endorse|welcome it|this|that|the", For(1)),
    ("i|we agree with|that", For(1)),
    ("i|we support|back|welcome|endorse", For(1)),
    ("count me in", For(1)),
    ("can|could live with it|this", For(1)),
    ("lean* ~ yes|for|towards", For(1)),
    ("good step|idea|move|thing|plan|proposal", For(1)),
    ("rather have it than not", For(1)),
    ("answer is yes", For(1)),
    ("i|we say|would yes", For(1)),
    ("say|vote|so yes", For(1)),
    ("like where this goes", For(1)),
    ("vote for it|this", For(1)),
    ("glad|happy to back|support", For(1)),
    ("hope that it goes ahead", For(1)),
    ("hope|want it|this to happen|pass", For(1)),
    ("good outweighs the bad", For(1)),
    ("deserves a ~ try|chance", For(1)),
    ("would choose this", For(1)),
    ("am for it|this|the", For(1)),
    ("should ~ stop|scrap|drop|abolish|go ahead", For(1)),
    ("makes sense to me", For(1)),
    // Neither.
    ("undecided|torn|ambivalent", Torn),
    ("in the middle", Torn),
    ("in between", Torn),
    ("in|of two minds", Torn),
    ("on the fence", Torn),
    ("argue ~ either way", Torn),
    ("half a step either way", Torn),
    ("live with either", Torn),
    ("make up my mind", Torn),
    ("not|hardly ~ care", Torn),
    ("do not mind", Torn),
    ("no opinion|view on|about", Torn),
    ("mixed feelings", Torn),
    ("settle it for me", Torn),
    ("depends on how it is", Torn),
    ("before i choose", Torn),
];

/// The side of a narrative; `None` where it shows none, or both alike.
pub fn stand(narrative: &str) -> Option<Stand<'_>> {
    let (mut against, mut in_favour, mut torn) =
        (Votes::default(), Votes::default(), Votes::default());
    for (nth, sentence) in sentences(narrative).into_iter().enumerate() {
        let mut parts = clauses(sentence);
        // "Yes, ..." and "No, ..." answer the question where they stand first.
        if nth == 0
            && let Some(first) = parts.first_mut()
            && matches!(first.0.first().map(String::as_str), Some("yes" | "no"))
        {
            let votes = if first.0[0] == "yes" { &mut in_favour } else { &mut against };
            votes.add(1, sentence);
            first.blank((0, 1));
        }
        for mut words in parts {
            for (pattern, mark) in MARKS {
                while let Some(place) = words.find(pattern) {
                    words.blank(place);
                    match mark {
                        Nothing => {}
                        Torn => torn.add(1, sentence),
                        Against(weight) => against.add(*weight, sentence),
                        For(weight) => in_favour.add(*weight, sentence),
                    }
                }
            }
        }
    }
    let (side, votes, others) = if against.sum > in_favour.sum {
        (Side::Against, against, in_favour)
    } else {
        (Side::For, in_favour, against)
    };
    if votes.sum > 0 && votes.sum >= 2 * others.sum {
        return Some(Stand { side, strong: votes.best >= 2, quote: votes.quote });
    }
    let is_torn = torn.sum > 0;
    is_torn.then_some(Stand { side: Side::Torn, strong: false, quote: torn.quote })
}

#[derive(Default)]
struct Votes<'t> {
    sum: u32,
    best: u8,
    quote: &'t str,
}

impl<'t> Votes<'t> {
    fn add(&mut self, weight: u8, quote: &'t str) {
        self.sum += u32::from(weight);
        if weight > self.best {
            (self.best, self.quote) = (weight, quote);
        }
    }
}

/// Whether a text declines to answer.
pub fn declines(narrative: &str) -> bool {
    let words = Words::of(narrative);
    words.say_any(&[
        "rather not say|answer|comment",
        "no comment",
        "as an ai",
        "can not answer",
        "will not answer",
        "not able to answer",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::stock::{Fills, Stock};

    #[test]
    fn every_stance_of_the_stock_is_read_as_meant() {
        let fills = Fills { topic: Some("car spaces"), place: Some("Kew"), ..Fills::default() };
        for level in 1..=5 {
            let texts = Stock::get().stances.level(level).all(&fills);
            for text in texts {
                let found = stand(&text).unwrap_or_else(|| panic!("no side in {text:?}"));
                let side = match level {
                    ..3 => Side::Against,
                    3 => Side::Torn,
                    _ => Side::For,
                };
                assert_eq!(found.side, side, "{text}");
                assert_eq!(found.level(level as i64), None, "{text}");
                let other = if level < 3 { 5 } else { 1 };
                assert!(found.level(other).is_some(), "{text}");
            }
        }
    }

    #[test]
    fn people_say_it_in_their_own_words() {
        for (text, side) in [
            ("Honestly I'm not in favour. Where would my mum park?", Some(Side::Against)),
            ("No, I don't think so. Parking is bad enough.", Some(Side::Against)),
            ("I'd back this tomorrow. It's a great idea.", Some(Side::For)),
            ("Yes, and it's about time.", Some(Side::For)),
            ("I'm in two minds. My neighbours are tired of it.", Some(Side::Torn)),
            ("It would be a disaster for us.", Some(Side::Against)),
            ("To be fair, leaving things as they are is no answer either.", None),
            ("The weather was lovely on Sunday.", None),
            ("I can see why others are against it, but I am strongly in favour.", Some(Side::For)),
        ] {
            assert_eq!(stand(text).map(|found| found.side), side, "{text}");
        }
    }
}
