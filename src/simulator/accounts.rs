//! Whose request it is: keys, the groups that share a limit and a quota, and what each has used.

use super::{
    change::Quota,
    limits::{Denial, Gauges, LimitShape, RateLimits},
};
use serde::Serialize;
use std::{fmt, str::FromStr, time::Duration};
use tokio::time::Instant;

/// A key that is served, and with whom it shares its limits. It is made up, so it is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub key: String,
    /// A key without a group is alone in one of its own name.
    pub group: String,
}

impl Key {
    /// A key that shares its limits with none.
    pub fn alone(key: &str) -> Self {
        Self { key: key.to_owned(), group: key.to_owned() }
    }
}

/// A key that does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key and its group must not be empty; write it as in sk-one or sk-one:team")]
    Empty,
    #[error("a key is printable ASCII without spaces, as a header wants it")]
    NoHeader,
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads `KEY` or `KEY:GROUP`.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (key, group) = text.split_once(':').unwrap_or((text, text));
        if key.is_empty() || group.is_empty() {
            return Err(KeyError::Empty);
        }
        if !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(KeyError::NoHeader);
        }
        Ok(Self { key: key.to_owned(), group: group.to_owned() })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.group)
    }
}

/// The rates of every group, as they were set and as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u32>,
    /// Both are multiplied by it.
    pub capacity: f64,
}

impl Rates {
    /// What holds now: `(requests, tokens)` a minute.
    pub fn now(&self) -> (Option<u32>, Option<u32>) {
        // A cast to u32 stops at its bounds.
        let scaled = |rate: u32| ((f64::from(rate) * self.capacity).round() as u32).max(1);
        (self.requests_per_minute.map(scaled), self.tokens_per_minute.map(scaled))
    }
}

/// What a key has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyStats {
    /// Completions asked for.
    pub requests: u64,
    /// Those that were let in; the rest was over a limit or a quota.
    pub admitted: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// Which key; it is valid for the accounts that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(usize);

/// Why a key is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyProblem {
    Missing,
    Wrong,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Limit(Denial),
    NoQuota,
}

#[derive(Debug)]
struct Account {
    /// `None` is anybody.
    key: Option<String>,
    group: usize,
    refused: bool,
    stats: KeyStats,
}

#[derive(Debug)]
struct Group {
    name: String,
    limits: RateLimits,
    /// Tokens until the money is gone; `None` is no end.
    quota: Option<u64>,
}

/// All keys and groups. Without keys there is one account, which serves anybody.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    groups: Vec<Group>,
    rates: Rates,
}

/// The name of the account that serves anybody.
const ANYBODY: &str = "anybody";

impl Accounts {
    pub fn new(
        keys: Vec<Key>,
        shape: LimitShape,
        rates: Rates,
        quota: Option<u64>,
        now: Instant,
    ) -> Self {
        let (requests, tokens) = rates.now();
        let group = |name: &str| Group {
            name: name.to_owned(),
            limits: RateLimits::new(shape, requests, tokens, now),
            quota,
        };
        let account =
            |key, group| Account { key, group, refused: false, stats: KeyStats::default() };
        if keys.is_empty() {
            let accounts = vec![account(None, 0)];
            return Self { accounts, groups: vec![group(ANYBODY)], rates };
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut accounts = Vec::new();
        for key in keys {
            let known = groups.iter().position(|group| group.name == key.group);
            let place = known.unwrap_or_else(|| {
                groups.push(group(&key.group));
                groups.len() - 1
            });
            accounts.push(account(Some(key.key), place));
        }
        Self { accounts, groups, rates }
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// Where there is none, or it is not served.
    pub fn find(&self, given: Option<&str>) -> Result<KeyId, KeyProblem> {
        let found = self.accounts.iter().position(|account| match &account.key {
            None => true,
            Some(key) => Some(key.as_str()) == given && !account.refused,
        });
        found.map(KeyId).ok_or(if given.is_some() {
            KeyProblem::Wrong
        } else {
            KeyProblem::Missing
        })
    }

    /// Lets a request in and says how long it is held back; or says why not.
    ///
    /// # Errors
    /// Where a limit or the quota of the key's group is used up.
    pub fn admit(&mut self, id: KeyId, tokens: u64, now: Instant) -> Result<Duration, Refusal> {
        let account = &mut self.accounts[id.0];
        account.stats.requests += 1;
        let group = &mut self.groups[account.group];
        if group.quota == Some(0) {
            return Err(Refusal::NoQuota);
        }
        let held = group.limits.admit_held(tokens, now).map_err(Refusal::Limit)?;
        account.stats.admitted += 1;
        Ok(held)
    }

    /// Whether the money of a key's group is gone.
    pub fn is_out_of_quota(&self, id: KeyId) -> bool {
        self.groups[self.accounts[id.0].group].quota == Some(0)
    }

    /// The group that a key belongs to.
    pub fn group(&self, id: KeyId) -> usize {
        self.accounts[id.0].group
    }

    /// Counts what a request has used. The one that uses the quota up is served to its end.
    pub fn used(&mut self, id: KeyId, prompt_tokens: u64, completion_tokens: u64) {
        let account = &mut self.accounts[id.0];
        account.stats.prompt_tokens += prompt_tokens;
        account.stats.completion_tokens += completion_tokens;
        if let Some(left) = &mut self.groups[account.group].quota {
            *left = left.saturating_sub(prompt_tokens + completion_tokens);
        }
    }

    /// How far the limits of a key's group are used.
    pub fn gauges(&mut self, id: KeyId, now: Instant) -> Gauges {
        self.groups[self.accounts[id.0].group].limits.gauges(now)
    }

    /// Serves a key, or refuses it.
    pub fn refuse(&mut self, key: &str, refused: bool) {
        for account in &mut self.accounts {
            if account.key.as_deref() == Some(key) {
                account.refused = refused;
            }
        }
    }

    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Goes on at other rates.
    pub fn set_rates(&mut self, rates: Rates, now: Instant) {
        self.rates = rates;
        let (requests, tokens) = rates.now();
        for group in &mut self.groups {
            group.limits.set_rates(requests, tokens, now);
        }
    }

    /// Changes the quota of every group.
    pub fn change_quota(&mut self, quota: Quota) {
        for group in &mut self.groups {
            group.quota = match quota {
                Quota::Set(quota) => quota,
                Quota::Add(more) => group.quota.map(|left| left.saturating_add(more)),
            };
        }
    }

    /// The keys with their groups and what they have used.
    pub fn stats(&self) -> impl Iterator<Item = (&str, &str, KeyStats)> {
        self.accounts.iter().map(|account| {
            let key = account.key.as_deref().unwrap_or(ANYBODY);
            (key, self.groups[account.group].name.as_str(), account.stats)
        })
    }

    /// The groups with what is left of their quotas.
    pub fn quotas(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.groups.iter().map(|group| (group.name.as_str(), group.quota))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(keys: &[&str], quota: Option<u64>) -> Accounts {
        let keys = keys.iter().map(|key| key.parse().unwrap()).collect();
        let rates = Rates { requests_per_minute: Some(4), tokens_per_minute: None, capacity: 1.0 };
        Accounts::new(keys, LimitShape::default(), rates, quota, Instant::now())
    }

    #[test]
    fn keys_of_a_group_share_what_others_have_for_themselves() {
        let mut accounts = accounts(&["sk-a:team", "sk-b:team", "sk-c"], None);
        let now = Instant::now();
        let [a, b, c] = ["sk-a", "sk-b", "sk-c"].map(|key| accounts.find(Some(key)).unwrap());
        for key in [a, b, a, b, c, c, c, c] {
            assert!(accounts.admit(key, 10, now).is_ok(), "{key:?}");
        }
        for key in [a, b, c] {
            assert!(matches!(accounts.admit(key, 10, now), Err(Refusal::Limit(_))));
        }
        let admitted: Vec<_> =
            accounts.stats().map(|(key, group, stats)| (key, group, stats.admitted)).collect();
        assert_eq!(admitted, [("sk-a", "team", 2), ("sk-b", "team", 2), ("sk-c", "sk-c", 4)]);
    }

    #[test]
    fn a_key_that_is_wrong_or_refused_is_not_served_and_without_keys_any_is() {
        let mut accounts_of_one = accounts(&["sk-a"], None);
        assert_eq!(accounts_of_one.find(None), Err(KeyProblem::Missing));
        assert_eq!(accounts_of_one.find(Some("sk-b")), Err(KeyProblem::Wrong));
        accounts_of_one.refuse("sk-a", true);
        assert_eq!(accounts_of_one.find(Some("sk-a")), Err(KeyProblem::Wrong));
        accounts_of_one.refuse("sk-a", false);
        assert!(accounts_of_one.find(Some("sk-a")).is_ok());
        let of_anybody = accounts(&[], None);
        assert!(of_anybody.find(None).is_ok() && of_anybody.find(Some("x")).is_ok());
    }

    #[test]
    fn a_quota_ends_and_can_be_topped_up() {
        let mut accounts = accounts(&[], Some(100));
        let (id, now) = (accounts.find(None).unwrap(), Instant::now());
        assert!(accounts.admit(id, 60, now).is_ok());
        accounts.used(id, 50, 60);
        assert_eq!(accounts.admit(id, 60, now), Err(Refusal::NoQuota));
        accounts.change_quota(Quota::Add(10));
        assert!(accounts.admit(id, 60, now).is_ok());
        assert_eq!(accounts.quotas().collect::<Vec<_>>(), [(ANYBODY, Some(10))]);
        accounts.change_quota(Quota::Set(Some(0)));
        assert_eq!(accounts.admit(id, 60, now), Err(Refusal::NoQuota));
        accounts.change_quota(Quota::Set(None));
        assert!(accounts.admit(id, 60, now).is_ok());
    }

    #[test]
    fn capacity_multiplies_what_was_set() {
        let set =
            Rates { requests_per_minute: Some(600), tokens_per_minute: Some(1), capacity: 0.5 };
        assert_eq!(set.now(), (Some(300), Some(1)));
        assert_eq!(Rates { capacity: 0.001, ..set }.now(), (Some(1), Some(1)));
    }

    #[test]
    fn a_key_reads_with_or_without_its_group() {
        let key: Key = "sk-a:team".parse().unwrap();
        assert_eq!((key.key.as_str(), key.group.as_str()), ("sk-a", "team"));
        assert_eq!("sk-a".parse(), Ok(Key::alone("sk-a")));
        for bad in ["", ":team", "sk-a:"] {
            assert_eq!(bad.parse::<Key>(), Err(KeyError::Empty), "{bad}");
        }
        assert_eq!("sk a".parse::<Key>(), Err(KeyError::NoHeader));
    }
}
