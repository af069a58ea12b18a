//! Pictures as numbers: pixels, other sizes, patches. Knows no file and no device.
//!
//! | file | what it does |
//! |---|---|
//! | `picture` | pixels |
//! | `resize` | another size, as Pillow computes it |
//! | `grid` | patches and their order |
//! | `tiles` | large pictures in several parts |
//! | `preprocess` | a picture becomes an encoder's patches, as `preprocessor_config.json` says |

mod grid;
mod picture;
mod preprocess;
mod resize;
mod tiles;

pub use grid::Grid;
pub use picture::Picture;
pub use preprocess::{MOST_EDGE, Preprocessing};
pub use resize::Filter;
pub use tiles::{Tiles, Tiling};
