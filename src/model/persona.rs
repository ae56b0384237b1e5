//! Who is asked.

use super::PersonaIndex;
use serde::{Deserialize, Serialize};

/// One person of the focus group, as the input gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Persona {
    pub index: PersonaIndex,
    /// The input's own id, or the row number (from 1) where it has none.
    pub id: String,
    /// How many people this one stands for; `None` where the input has no weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// In the input's order. Nulls and blanks are not here: they leave their line out of the
    /// prompt instead of showing as "None" or "nan".
    pub attributes: Vec<Attribute>,
}

/// One fact about a persona, already text. Nested objects arrive as `address.city`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    pub value: String,
}
