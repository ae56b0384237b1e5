//! What several views are made of. Everything draws into a buffer and is cut to its area.

mod bar;
mod panel;
mod persona_grid;
mod time_chart;

pub use bar::{gauge, segments};
pub use panel::{Piece, Titles, boxed, clear, fitting, line, row, under, width};
pub use persona_grid::persona_grid;
pub use time_chart::{Chart, columns};
