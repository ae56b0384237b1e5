//! The layers of each endpoint, and what comes out when they are looked through.
//!
//! An endpoint's own keys lie on the keys at the top of the survey and on the variables, and the
//! flags lie on both.

use super::{
    HeaderSource, KeptEndpoint, KeySource, Origin,
    base_url::BaseUrl,
    endpoint_keys::EndpointKeys,
    layered::{Layered, LimitLayers},
    prices::list_price,
};
use crate::model::{EndpointKind, PerMinute, Price, SharedQuota, Slots};
use std::{num::NonZeroU32, path::Path};

/// What an endpoint takes from the top of the survey where it says nothing itself.
#[derive(Debug, Default)]
pub(super) struct SharedLayers {
    pub model: Layered<String>,
    pub base_url: Layered<BaseUrl>,
    pub limits: LimitLayers,
}

/// What an endpoint says itself.
#[derive(Debug, Default)]
pub(super) struct EndpointLayers {
    /// `None` for the one endpoint of a survey without a list.
    pub name: Option<String>,
    pub base_url: Layered<BaseUrl>,
    pub model: Layered<String>,
    pub limits: LimitLayers,
    pub key: Layered<KeySource>,
    kind: Layered<EndpointKind>,
    price: Layered<Price>,
    weight: Layered<NonZeroU32>,
    pub headers: Layered<Vec<(String, HeaderSource)>>,
    group: Layered<String>,
    charges_cap: Layered<bool>,
}

impl EndpointLayers {
    /// From the list of a survey file. Files of keys are found from the folder of the survey.
    pub(super) fn from_keys(keys: EndpointKeys, origin: &Origin, folder: &Path) -> Self {
        let mut layers = Self { name: Some(keys.name.0), ..Self::default() };
        match keys.key {
            Some(place) => layers.key.put(Some(place.0.in_folder(folder)), origin),
            // The usual key goes to the usual base URL only: no provider gets another's.
            None if keys.base_url.is_some() => {
                layers.key.put(Some(KeySource::None), &Origin::Default);
            }
            None => {}
        }
        layers.kind.put(keys.kind.map(|kind| kind.0), origin);
        layers.base_url.put(keys.base_url, origin);
        layers.model.put(keys.model.map(|line| line.0), origin);
        layers.price.put(keys.price.map(Price::from), origin);
        layers.limits.put_keys(&keys.limits, origin);
        layers.weight.put(keys.weight.and_then(|weight| NonZeroU32::new(weight.get())), origin);
        let in_folder = |(name, value)| match value {
            HeaderSource::Secret(place) => (name, HeaderSource::Secret(place.in_folder(folder))),
            text @ HeaderSource::Text(_) => (name, text),
        };
        layers.headers.put(Some(keys.headers.0.into_iter().map(in_folder).collect()), origin);
        layers.group.put(keys.group.map(|name| name.0), origin);
        layers.charges_cap.put(keys.charges_cap.map(|switch| switch.0), origin);
        layers
    }

    /// From a run file. The error is what is wrong with its base URL.
    pub(super) fn from_kept(kept: &KeptEndpoint, origin: &Origin) -> Result<Self, String> {
        let mut layers = Self { name: kept.name.clone(), ..Self::default() };
        let headers = kept.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        layers.key.put(Some(kept.key.clone()), origin);
        layers.kind.put(kept.kind, origin);
        layers.base_url.put(Some(BaseUrl::parse(&kept.base_url)?), origin);
        layers.model.put(Some(kept.model.clone()), origin);
        layers.price.put(kept.price, origin);
        layers.limits.put_kept(kept.limits, kept.guessed, origin);
        layers.weight.put(Some(kept.weight), origin);
        layers.headers.put(Some(headers.collect()), origin);
        layers.group.put(kept.group.clone(), origin);
        layers.charges_cap.put(Some(kept.charges_cap), origin);
        Ok(layers)
    }

    /// The variables that its key and its headers come from.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.0.iter().flat_map(|(headers, _)| headers);
        let of_headers = headers.filter_map(|(_, value)| match value {
            HeaderSource::Secret(place) => Some(place),
            HeaderSource::Text(_) => None,
        });
        let of_key = self.key.0.iter().map(|(key, _)| key);
        of_key.chain(of_headers).filter_map(|place| match place {
            KeySource::Env(variable) => Some(variable.as_str()),
            _ => None,
        })
    }

    fn group(&self) -> Option<&str> {
        self.group.0.as_ref().map(|(name, _)| name.as_str())
    }
}

/// An endpoint with every value settled but its secrets.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub index: usize,
    pub name: Option<String>,
    pub kind: (EndpointKind, Origin),
    pub base_url: (BaseUrl, Origin),
    pub key: KeySource,
    pub model: (String, Origin),
    pub price: Option<(Price, Origin)>,
    pub slots: (Slots, Origin),
    pub requests: (Option<PerMinute>, Origin),
    pub tokens: (Option<PerMinute>, Origin),
    pub weight: (NonZeroU32, Origin),
    pub headers: (Vec<(String, HeaderSource)>, Origin),
    pub group: Option<(String, Origin)>,
    pub charges_cap: (bool, Origin),
}

impl Endpoint {
    /// The name that people see.
    pub(super) fn shown_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.base_url.0.name())
    }

    /// The price that the survey gave, as opposed to one that was looked up.
    pub(super) fn own_price(&self) -> Option<Price> {
        let looked_up =
            |origin: &Origin| matches!(origin, Origin::PriceTable(_) | Origin::OwnServer);
        self.price.as_ref().filter(|(_, origin)| !looked_up(origin)).map(|(price, _)| *price)
    }
}

/// Looks through the layers of all endpoints.
pub(super) fn look_through(endpoints: &[EndpointLayers], shared: &SharedLayers) -> Vec<Endpoint> {
    endpoints
        .iter()
        .enumerate()
        .map(|(index, own)| {
            let base_url = own.base_url.or(&shared.base_url);
            let model = own.model.or(&shared.model);
            let rate = |of: Rate| quota(endpoints, own, shared, of).or(of(&shared.limits));
            Endpoint {
                index,
                name: own.name.clone(),
                kind: kind(own, &base_url.0),
                key: own.key.or_default(KeySource::Usual).0,
                price: price(own, &base_url.0, &model.0),
                slots: own.limits.slots.or(&shared.limits.slots),
                requests: rate(|limits| &limits.requests),
                tokens: rate(|limits| &limits.tokens),
                weight: own.weight.or_default(NonZeroU32::MIN),
                headers: own.headers.or_default(Vec::new()),
                group: own.group.0.clone(),
                charges_cap: own.charges_cap.or_default(false),
                base_url,
                model,
            }
        })
        .collect()
}

type Rate = fn(&LimitLayers) -> &Layered<Option<PerMinute>>;

/// A group has one quota for each model: what one member says of it holds for all who share it.
fn quota<'a>(
    endpoints: &'a [EndpointLayers],
    own: &'a EndpointLayers,
    shared: &SharedLayers,
    of: Rate,
) -> &'a Layered<Option<PerMinute>> {
    let quota_of = |layers: &EndpointLayers| {
        SharedQuota::of(layers.group(), &layers.model.or(&shared.model).0)
    };
    endpoints
        .iter()
        .filter(|other| own.group().is_some() && quota_of(other) == quota_of(own))
        .map(|member| of(&member.limits))
        .find(|rate| rate.0.is_some())
        .unwrap_or_else(|| of(&own.limits))
}

fn kind(own: &EndpointLayers, base_url: &BaseUrl) -> (EndpointKind, Origin) {
    let of_url = || base_url.kind().map(|kind| (kind, Origin::BaseUrl));
    own.kind.0.clone().or_else(of_url).unwrap_or((EndpointKind::default(), Origin::Default))
}

fn price(own: &EndpointLayers, base_url: &BaseUrl, model: &str) -> Option<(Price, Origin)> {
    if own.price.0.is_some() {
        return own.price.0.clone();
    }
    if base_url.is_private() {
        return Some((Price::FREE, Origin::OwnServer));
    }
    list_price(model).map(|(name, price)| (price, Origin::PriceTable(name)))
}
