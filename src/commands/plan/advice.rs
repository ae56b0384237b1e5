//! What binds and what can be done about it, and how far the budget goes: in sentences.

use super::{
    layout::{money, names, range},
    outlook::{EndpointRow, Outlook},
};
use crate::{
    forecast::{Binds, Cost, Enough},
    model::{LimitName, Slots},
    ui::format::thousands,
};

/// In the order in which they are told.
const ALL: [Binds; 4] = [
    Binds::Limit(LimitName::RequestsPerMinute),
    Binds::Limit(LimitName::TokensPerMinute),
    Binds::Limit(LimitName::Slots),
    Binds::Latency,
];

/// What binds under the limits that are set.
pub(super) fn advice(endpoints: &[EndpointRow]) -> String {
    let carrying: Vec<_> = endpoints.iter().filter(|e| e.forecast.requests > 0).collect();
    let sentences = ALL.into_iter().filter_map(|binds| {
        let bound: Vec<_> =
            carrying.iter().copied().filter(|e| e.forecast.binds == binds).collect();
        sentence(&bound, endpoints.len() == 1)
    });
    let mut text = "As set, ".to_owned();
    for (n, sentence) in sentences.enumerate() {
        if n == 0 {
            text += &sentence;
        } else {
            let mut letters = sentence.chars();
            text.extend(
                [' '].into_iter().chain(letters.next().into_iter().flat_map(char::to_uppercase)),
            );
            text += letters.as_str();
        }
    }
    text
}

/// About endpoints at which the same binds.
fn sentence(bound: &[&EndpointRow], only: bool) -> Option<String> {
    let first = bound.first()?;
    let at = if only {
        String::new()
    } else {
        format!(" at {}", names(bound.iter().map(|endpoint| endpoint.name.clone())))
    };
    Some(match first.forecast.binds {
        Binds::Limit(LimitName::Slots) if bound.len() > 1 => {
            let each = bound.iter().map(|endpoint| {
                let wanted = endpoint.forecast.slots_wanted;
                let better = wanted.map_or_else(|| "any more".to_owned(), thousands);
                format!("{} ({better} instead of {})", endpoint.name, thousands(slots(endpoint)))
            });
            format!("slots bind at {}.", names(each))
        }
        Binds::Limit(LimitName::Slots) => match first.forecast.slots_wanted {
            Some(wanted) if wanted > Slots::MAX.into() => format!(
                "slots bind{at}: the rates have room for {}, and {} is the most.",
                thousands(wanted),
                thousands(Slots::MAX.into())
            ),
            Some(wanted) => format!(
                "slots bind{at}: {} instead of {} use the rates in full.",
                thousands(wanted),
                thousands(slots(first))
            ),
            None => {
                format!("slots bind{at}: more of them help, as long as the server keeps up.")
            }
        },
        Binds::Limit(limit) => {
            let remedy = match limit {
                LimitName::TokensPerMinute => "shorter prompts and answers do",
                _ => "a higher rate does, if your account allows it",
            };
            format!("{} binds{at}: more slots do not help, {remedy}.", limit.label())
        }
        Binds::Latency => {
            format!("nothing binds{at}: it takes about as long as the slowest answer.")
        }
    })
}

fn slots(endpoint: &EndpointRow) -> u64 {
    endpoint.sharer.terms.limits.slots.get().into()
}

/// How far the budget goes, where there is one.
pub(super) fn budget(outlook: &Outlook) -> Option<String> {
    let of = outlook.budget.as_ref()?;
    let amount = money(of.amount);
    let Some(interviews) = of.reach.interviews else {
        return Some(format!("{amount} is enough: the calls cost nothing."));
    };
    let verdict = match of.reach.enough {
        Enough::AtCap => "is enough, even where every answer goes up to its cap".to_owned(),
        Enough::Usually => format!(
            "is enough for answers as they usually are; where every one goes up to its cap it \
             takes {}",
            money(of.cost.cap)
        ),
        Enough::IfShort => format!("is enough only if answers are short; {}", takes(&of.cost)),
        Enough::No => format!("is not enough; {}", takes(&of.cost)),
    };
    Some(format!(
        "{amount} {verdict}. It pays for {} interviews like these {}, and for {} where every answer \
         goes up to its cap.",
        range(thousands(interviews.usual), thousands(interviews.most)),
        thousands(outlook.personas),
        thousands(interviews.at_cap)
    ))
}

fn takes(cost: &Cost) -> String {
    format!(
        "it takes about {} for answers as they usually are, and {} where every one goes up to its \
         cap",
        money(cost.high),
        money(cost.cap)
    )
}
