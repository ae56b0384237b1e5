//! Slots and rates: who may send next, and when.
